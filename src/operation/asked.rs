//! The input of an operation: a request or a command line whose parts have been checked.

use crate::base::error::{Error, Result, quoted};
use crate::base::time::Zone;
use crate::model::draft::Draft;
use crate::model::logged::Logged;
use crate::model::merged::Merged;
use crate::model::noun::Noun;
use crate::model::query::{LISTS, boolean};
use crate::model::record::Record;
use crate::model::token::Secret;
use crate::model::undone::Undone;
use crate::store::contract::{Listed, Saved, Write};
use crate::store::inquiry::Inquiry;

use super::about::About;
use crate::views::stats::Stats;
use crate::views::summary::Summary;

/// The input of an operation without its body.
pub struct Asked<'a> {
    /// The noun, if the operation works on one.
    pub noun: Option<&'static Noun>,
    /// The parameter in the path, decoded. Empty if there is none.
    pub key: &'a str,
    /// The id in the path. 0 if there is none.
    pub id: i64,
    /// The parameters after the `?`. Each is known to the operation and occurs once, except for a list.
    pub parameters: &'a [(String, String)],
    /// The secret of the client, if the request has an idempotency key.
    pub asker: Option<Secret>,
    /// The zone in which it reads times without an offset.
    pub zone: Zone,
    /// Whether the request names the zone.
    pub is_zone_named: bool,
}

impl<'a> Asked<'a> {
    /// Checks the parameters of an operation.
    pub fn new(
        about: &About,
        noun: Option<&'static Noun>,
        key: &'a str,
        parameters: &'a [(String, String)],
    ) -> Result<Asked<'a>> {
        let id = match (about.has_id(), noun) {
            (true, Some(noun)) => noun.parse_id(key)?,
            _ => 0,
        };
        let mut known: Vec<&str> = about.parameters(noun).map(|one| one.name).collect();
        known.extend(about.reads_times(noun).then_some("tz"));
        known_parameters(parameters, &known)?;
        let named = parameters.iter().find(|pair| pair.0 == "tz");
        let named = named
            .map(|(name, zone)| Zone::named(zone).map_err(|expected| Error::field(name, expected)));
        let named = named.transpose()?;
        Ok(Asked {
            noun,
            key,
            id,
            parameters,
            asker: None,
            is_zone_named: named.is_some(),
            zone: named.unwrap_or(Zone::UTC),
        })
    }

    /// The noun. An operation on records always has one.
    pub fn noun(&self) -> Result<&'static Noun> {
        self.noun
            .ok_or_else(|| Error::internal("an operation on records has no noun"))
    }

    /// The text of a parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        let given = self.parameters.iter().find(|pair| pair.0 == name);
        given.map(|pair| pair.1.as_str())
    }

    /// Whether a switch is on.
    pub fn switch(&self, name: &str) -> Result<bool> {
        self.text(name)
            .map_or(Ok(false), |text| boolean(name, text))
    }

    /// The meaning of a parameter that takes one of these words.
    pub fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match words.iter().find(|known| known.0 == text) {
            Some(known) => Ok(Some(known.1)),
            None => {
                let known: Vec<&str> = words.iter().map(|known| known.0).collect();
                let expected =
                    format!("expected one of {}, got {}", known.join(", "), quoted(text));
                Err(Error::field(name, expected))
            }
        }
    }
}

/// Refuses parameters that are not in `known`, and those that are given twice and are no list.
pub fn known_parameters(parameters: &[(String, String)], known: &[&str]) -> Result<()> {
    for (at, (name, _)) in parameters.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            let known = match known {
                [] => "none".to_string(),
                known => known.join(", "),
            };
            return Err(Error::field(
                name.chars().take(60).collect::<String>(),
                format!("no such parameter; this path takes {known}"),
            ));
        }
        let is_list = LISTS.contains(&name.as_str());
        if !is_list && parameters[..at].iter().any(|pair| pair.0 == *name) {
            return Err(Error::field(name, "is given twice"));
        }
    }
    Ok(())
}

/// An operation that writes: its data and its rule.
pub trait Operation: Write {
    /// The data of the operation.
    const ABOUT: &'static About;

    /// Makes the operation. Its body follows later.
    fn ask(asked: &Asked<'_>) -> Result<Self>
    where
        Self: Sized;

    /// Takes the body of a request.
    fn body(&mut self, _body: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Takes the fields of a record from a command line.
    fn draft(&mut self, _draft: Draft) {}

    /// Makes the result that is shown.
    fn told(noun: Option<&'static Noun>, done: Self::Done) -> Told;
}

/// An operation that reads several things at one moment.
pub trait Survey: Inquiry {
    /// The data of the operation.
    const ABOUT: &'static About;

    /// Makes the operation.
    fn ask(asked: &Asked<'_>) -> Result<Self>
    where
        Self: Sized;

    /// Makes the result that is shown.
    fn told(found: Self::Found) -> Surveyed;
}

/// The result of a read of several things.
pub enum Surveyed {
    /// All that matters of a lead.
    Summary(Box<Summary>),
    /// Where we stand.
    Stats(Box<Stats>),
}

impl Surveyed {
    /// As the API shows it.
    pub fn to_json(&self) -> String {
        match self {
            Surveyed::Summary(summary) => summary.to_json(),
            Surveyed::Stats(stats) => stats.to_json(),
        }
    }
}

/// An operation that lists everything of a kind that is no record.
pub trait ListAll {
    /// What it lists.
    type Item: Listed;
}

/// The result of a write.
pub enum Told {
    /// A record that was created or changed, with its path.
    Saved(Saved),
    /// A record.
    Record(Record),
    /// A sentence.
    Message(String),
    /// What taking back a group of changes has done, or would do.
    Undone(Undone),
    /// An action that was logged, and what it has moved.
    Logged(Logged),
    /// What merging leads has done, or would do.
    Merged(Box<Merged>),
    /// A JSON text.
    Json(String),
    /// A token or a webhook with its secret.
    Secret(ShownSecret),
}

/// A secret that is shown only once.
pub struct ShownSecret {
    /// Whether what it belongs to is new.
    pub created: bool,
    /// What it belongs to, and the secret.
    pub json: serde_json::Value,
    /// The secret's name in the JSON.
    pub name: &'static str,
    /// What a person is told about it. `{until}` stands for ` until` and that time, or nothing.
    pub note: String,
    /// Until when it or the one before it is valid, in the stored form.
    pub until: Option<String>,
}
