//! Finds out what an import would do, without writing anything.
//!
//! It looks up what the rows would find, some hundred at a time, and compares. What earlier rows would have made is taken into
//! account by their keys.

use std::collections::{HashMap, HashSet};

use super::feed::{Item, Leads};
use super::tally::{Tally, kind};
use crate::base::error::{Code, Error, Result, quoted};
use crate::import::draft::{Key, Made, Refusal, value_text};
use crate::model::attributes::Attributes;
use crate::model::email::{email, spellings};
use crate::model::kind::Kind;
use crate::model::lead::OnDuplicate;
use crate::model::names::escaped;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::ops::bulk::Done;
use crate::output::cut;
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// How many records are looked up at a time.
const AT_A_TIME: usize = 50;

/// How much of a record names it, in columns.
const WIDEST: usize = 60;

/// How many records that others refer to are remembered.
const MOST_THERE: usize = 100_000;

/// A dry run.
pub(super) struct Dry {
    store: AnyStore,
    noun: &'static Noun,
    key: Key,
    on_duplicate: OnDuplicate,
    leads: Leads,
    /// The keys that earlier rows would have made.
    made: HashSet<String>,
    /// The records that others refer to, and whether they are there.
    there: HashMap<(&'static str, i64), bool>,
}

impl Dry {
    pub(super) fn new(
        store: AnyStore,
        noun: &'static Noun,
        key: Key,
        on_duplicate: OnDuplicate,
    ) -> Dry {
        Dry {
            leads: Leads::new(store.clone(), noun),
            store,
            noun,
            key,
            on_duplicate,
            made: HashSet::new(),
            there: HashMap::new(),
        }
    }

    /// Counts what would be done with these rows.
    pub(super) async fn plan(&mut self, items: &mut [Item], tally: &mut Tally) -> Result<()> {
        self.leads.find(items).await?;
        for items in items.chunks(AT_A_TIME) {
            let found = self.found(items).await?;
            for item in items {
                let line = item.row.line;
                let made = match &item.made {
                    Ok(made) => made,
                    Err(refusal) => {
                        tally.refused(line, kind(refusal), refusal.told());
                        continue;
                    }
                };
                if let Some(missing) = self.missing(made).await? {
                    let refusal = Refusal::Other(missing);
                    tally.refused(line, kind(&refusal), refusal.told());
                    continue;
                }
                match self.one(made, &found, item.is_repeated) {
                    Ok((done, told)) => {
                        tally.done(done);
                        tally.name(done, line, || told);
                    }
                    Err(told) => {
                        let refusal = Refusal::Other(told);
                        tally.refused(line, kind(&refusal), refusal.told());
                    }
                }
            }
        }
        Ok(())
    }

    /// What a record would refer to that is not there.
    async fn missing(&mut self, made: &Made) -> Result<Option<String>> {
        for (field, id) in made.draft.references() {
            let Kind::Reference(to) = field.kind else {
                continue;
            };
            let Some(noun) = NOUNS.into_iter().find(|noun| noun.plural == to.plural) else {
                continue;
            };
            let is_there = match self.there.get(&(noun.plural, id)) {
                Some(is_there) => *is_there,
                None => match self.store.get(noun, id).await {
                    Ok(_) => true,
                    Err(error) if error.code == Code::NotFound => false,
                    Err(error) => return Err(error),
                },
            };
            if self.there.len() >= MOST_THERE {
                self.there.clear();
            }
            self.there.insert((noun.plural, id), is_there);
            if !is_there {
                return Ok(Some(format!(
                    "{}: {} {id} does not exist",
                    field.name, noun.name
                )));
            }
        }
        Ok(None)
    }

    /// What would be done with a row, and what names it.
    fn one(
        &mut self,
        made: &Made,
        found: &HashMap<String, Record>,
        is_repeated: bool,
    ) -> Result<(Done, String), String> {
        let name = made.draft.text("email").map(str::to_string);
        let name = name.or_else(|| made.key.clone());
        let name = name.unwrap_or_else(|| cut(made.draft.to_json(), WIDEST));
        let Some(key) = made
            .key
            .as_ref()
            .filter(|_| self.on_duplicate != OnDuplicate::Create)
        else {
            return Ok((Done::Created, name));
        };
        let record = found.get(key);
        if record.is_none() && self.key == Key::Id {
            return Err(self.noun.not_found().message);
        }
        let is_there = record.is_some() || self.made.contains(key);
        match (is_there, self.on_duplicate) {
            (false, _) => {
                // A record that is found by something else may still lack what a new one needs.
                made.draft
                    .row()
                    .map_err(|problems| Error::fields(problems).message)?;
                self.made.insert(key.clone());
                Ok((Done::Created, name))
            }
            (true, OnDuplicate::Skip) => Ok((Done::Skipped, name)),
            (true, OnDuplicate::Reject) => Err(format!(
                "email: the address {} is taken already",
                quoted(key)
            )),
            (true, _) => match record {
                Some(record) => {
                    let changes = made.draft.changes(record);
                    let changes = changes.map_err(|problems| Error::fields(problems).message)?;
                    if changes.is_empty() || is_repeated {
                        return Ok((Done::Unchanged, name));
                    }
                    let fields = changes.iter().map(|(at, _)| self.noun.fields[*at].name);
                    let fields: Vec<&str> = fields.collect();
                    Ok((Done::Updated, format!("{name}: {}", fields.join(", "))))
                }
                // Made by an earlier row, which said the same.
                None => Ok((Done::Unchanged, name)),
            },
        }
    }

    /// The records that the keys of these rows find.
    async fn found(&self, items: &[Item]) -> Result<HashMap<String, Record>> {
        let mut found: HashMap<String, Record> = HashMap::new();
        let made = items.iter().filter_map(|item| item.made.as_ref().ok());
        let keys: Vec<&String> = made.filter_map(|made| made.key.as_ref()).collect();
        if keys.is_empty() || self.on_duplicate == OnDuplicate::Create {
            return Ok(found);
        }
        let (name, values): (String, Vec<String>) = match &self.key {
            Key::None => return Ok(found),
            Key::Id => (
                "id".into(),
                keys.iter().map(|key| key.to_string()).collect(),
            ),
            Key::Email => (
                "email".into(),
                keys.iter().flat_map(|key| spellings(key)).collect(),
            ),
            Key::Own(name) => (
                format!("attributes.{name}"),
                keys.iter().map(|key| key.to_string()).collect(),
            ),
        };
        let values: Vec<String> = values.iter().map(|value| escaped(value)).collect();
        let pairs = vec![(name, format!("in:{}", values.join(",")))];
        let mut listing = self.store.list(Query::new(self.noun, pairs)?).await?;
        while let Some(records) = listing.next_chunk().await? {
            for record in records {
                if let Some(key) = self.key_of(&record) {
                    // The one with the lowest id counts, as in the import.
                    found.entry(key).or_insert(record);
                }
            }
        }
        Ok(found)
    }

    fn key_of(&self, record: &Record) -> Option<String> {
        match &self.key {
            Key::None => None,
            Key::Id => Some(record.id().to_string()),
            Key::Email => email(record.get(self.noun.email()?.name).text()?),
            Key::Own(name) => {
                let own = Attributes::stored(record.get("attributes").text()?);
                own.get(name).map(value_text)
            }
        }
    }
}
