//! Makes a record of a row, or says why there is none.

use super::known::Program;
use super::mapping::{Mapping, Target};
use super::people::{Parts, addresses};
use super::row::{CellValue, Columns, Row};
use crate::base::error::{Error, quoted};
use crate::base::time;
use crate::model::attributes::{self, Attributes};
use crate::model::draft::{Draft, Input, Purpose, ReadIn, input_from_text};
use crate::model::email::email;
use crate::model::kind::Kind;
use crate::model::noun::parse_id;
use crate::model::record::LARGEST;

/// The attribute with further addresses of a cell.
const OTHERS: &str = "other_emails";

/// The attribute with the time of the other program.
const CREATED: &str = "created_at";

/// By what a record is found that may be there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// By nothing: every row is a new record.
    None,
    /// By the address.
    Email,
    /// By an attribute.
    Own(String),
    /// By its id.
    Id,
}

/// A record that a row describes.
#[derive(Debug)]
pub struct Made {
    /// Its fields.
    pub draft: Draft,
    /// The value of the key by which it is found.
    pub key: Option<String>,
    /// The address of the lead that it is about, to be looked up.
    pub lead: Option<String>,
    /// The id of the record that is meant.
    pub id: Option<i64>,
}

/// Why there is no record of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has no address, by which it would be found.
    NoAddress,
    /// Anything else.
    Other(String),
}

impl Refusal {
    /// The reason in words.
    pub fn told(&self) -> &str {
        match self {
            Refusal::NoAddress => "has no e-mail address",
            Refusal::Other(told) => told,
        }
    }
}

impl From<String> for Refusal {
    fn from(told: String) -> Refusal {
        Refusal::Other(told)
    }
}

/// What is collected of a row.
struct Making<'m> {
    mapping: &'m Mapping,
    draft: Draft,
    own: Attributes,
    parts: Parts,
    name: Option<String>,
    lead: Option<String>,
    id: Option<i64>,
    has_address: bool,
    /// The attributes as a whole, which come before the others.
    whole: Option<Attributes>,
}

/// Makes the record of a row.
pub fn make(mapping: &Mapping, columns: &Columns, key: &Key, row: &Row) -> Result<Made, Refusal> {
    if let Some(fault) = &row.fault {
        return Err(fault.clone().into());
    }
    let mut making = Making {
        mapping,
        draft: Draft::new(mapping.noun),
        own: Attributes::default(),
        parts: Parts::default(),
        name: None,
        lead: None,
        id: None,
        has_address: false,
        whole: None,
    };
    // Of several columns that become the same, the one of the lowest rank counts.
    let mut others = Vec::new();
    for (at, (column, value)) in row.cells.iter().enumerate() {
        let name = columns.names().get(*column).map_or("", String::as_str);
        let (target, rank) = mapping.target(*column);
        let is_alone =
            matches!(target, Target::Out(_) | Target::Name(_)) || !mapping.is_shared(target);
        let is_beaten = |(other, cell): (usize, &(usize, CellValue))| {
            let (rival, rank_of_rival) = mapping.target(cell.0);
            rival == target && (rank_of_rival, other) < (rank, at)
        };
        match !is_alone && row.cells.iter().enumerate().any(is_beaten) {
            true => others.push((target, name, value)),
            false => making.take(target, name, value)?,
        }
    }
    for (target, name, value) in others {
        making.second(target, name, value);
    }
    for fixed in &mapping.fixed {
        let value = match fixed.is_json {
            true => CellValue::Json(fixed.value.clone()),
            false => CellValue::Text(fixed.value.clone()),
        };
        making.take(&fixed.target, "--set", &value)?;
    }
    making.done(key)
}

impl Making<'_> {
    fn take(&mut self, target: &Target, column: &str, value: &CellValue) -> Result<(), String> {
        match target {
            Target::Field(at) => self.field(*at, value),
            Target::Name(part) => {
                self.parts.add(*part, &text(value));
                Ok(())
            }
            Target::Own { key, is_json } => self.own(key, value, *is_json),
            Target::Created => {
                let text = text(value);
                let read = time::parse_in(&text, &self.mapping.zone);
                self.own.set_text(CREATED, &read.unwrap_or(text));
                Ok(())
            }
            Target::Lead => {
                self.lead = Some(text(value));
                Ok(())
            }
            Target::Id => {
                let given = text(value);
                let id = parse_id(&given);
                let expected =
                    || format!("{column}: {}, got {}", Kind::Id.expected(), quoted(&given));
                self.id = Some(id.ok_or_else(expected)?);
                Ok(())
            }
            Target::Out(_) => Ok(()),
        }
    }

    /// A further column that becomes what an earlier one has given. The value is kept under the column's name, unless it is
    /// the same.
    fn second(&mut self, target: &Target, column: &str, value: &CellValue) {
        let same = match target {
            Target::Field(at) => {
                let name = self.mapping.noun.fields[*at].name;
                let text = text(value);
                let address = email(&text);
                self.draft.text(name) == Some(address.as_deref().unwrap_or(text.trim()))
            }
            Target::Own { key, .. } => self.own.get(key) == Some(&json(value)),
            _ => false,
        };
        if !same {
            self.own.set(column, &json(value));
        }
    }

    fn field(&mut self, at: usize, value: &CellValue) -> Result<(), String> {
        let field = &self.mapping.noun.fields[at];
        let name = field.name;
        self.has_address |= field.kind == Kind::Email;
        match value {
            CellValue::Json(json) if field.kind == Kind::Attributes => {
                self.whole = Some(Attributes::parse(json)?);
            }
            CellValue::Text(text) if field.kind == Kind::Attributes => {
                self.whole = Some(
                    Attributes::parse(text).map_err(|expected| format!("{name}: {expected}"))?,
                );
            }
            CellValue::Json(json) => {
                let zone = &self.mapping.zone;
                let times = ReadIn {
                    zone,
                    is_named: true,
                };
                self.draft.read(name, json, Purpose::Create, times);
            }
            CellValue::Text(text) if field.kind == Kind::Email => {
                let (first, others) = addresses(text);
                if !others.is_empty() {
                    self.own.set_text(OTHERS, &others.join(", "));
                }
                // In its one form, so that rows about one record say the same.
                let address = email(first).unwrap_or_else(|| first.into());
                self.draft.give(name, Input::Text(address));
            }
            CellValue::Text(text) => {
                if name == "name" {
                    self.name = Some(text.clone());
                    return Ok(());
                }
                match input_from_text(field, text.trim(), &self.mapping.zone) {
                    // Text stays as it is; the rest was only trimmed to be read.
                    Ok(Input::Text(_)) if field.kind == Kind::Text => {
                        self.draft.give(name, Input::Text(text.clone()));
                    }
                    Ok(input) => self.draft.give(name, input),
                    Err(expected) => self.draft.refuse(name, expected),
                }
            }
        }
        Ok(())
    }

    fn own(&mut self, key: &str, value: &CellValue, is_json: bool) -> Result<(), String> {
        match value {
            CellValue::Json(json) => self.own.set(key, json),
            CellValue::Text(text) if is_json => {
                attributes::check(text).map_err(|wrong| {
                    format!(
                        "attributes.{key}: expected JSON, but {} {wrong}",
                        quoted(text)
                    )
                })?;
                self.own.set(key, text);
            }
            CellValue::Text(text) if text.contains('\0') => {
                return Err(format!(
                    "attributes.{key}: must not contain a NUL character"
                ));
            }
            CellValue::Text(text) => self.own.set_text(key, text),
        }
        Ok(())
    }

    fn done(mut self, key: &Key) -> Result<Made, Refusal> {
        let noun = self.mapping.noun;
        let is_card = matches!(self.mapping.program, Program::Apple | Program::Vcard);
        let address = noun.email().and_then(|field| self.draft.text(field.name));
        // A card must have a name, so programs give it the address where there is none.
        let name = self
            .name
            .take()
            .filter(|name| !is_card || Some(name.trim()) != address);
        match (name, self.parts.joined()) {
            (None, Some(name)) => self.draft.give("name", Input::Text(name)),
            (Some(name), None) => self.draft.give("name", Input::Text(name)),
            (Some(name), Some(_)) => {
                for (word, part) in std::mem::take(&mut self.parts).missing(&name) {
                    self.own.set_text(word, &part);
                }
                self.draft.give("name", Input::Text(name));
            }
            (None, None) => {}
        }
        let own = match self.whole {
            // The card says the same once more in its own way, where a number is a text.
            Some(whole) if is_card => {
                self.own.merge(&whole);
                whole_first(whole, &self.own)
            }
            Some(mut whole) => {
                whole.merge(&self.own);
                whole
            }
            None => self.own,
        };
        let key = match key {
            Key::None => None,
            Key::Id => Some(self.id.ok_or_else(|| "has no id".to_string())?.to_string()),
            Key::Email => match noun.email().and_then(|field| self.draft.text(field.name)) {
                Some(address) => email(address),
                None if self.has_address => None,
                None => return Err(Refusal::NoAddress),
            },
            Key::Own(name) => {
                let value = own
                    .get(name)
                    .map(value_text)
                    .filter(|value| !value.is_empty());
                Some(value.ok_or_else(|| format!("has no attributes.{name}, which is the key"))?)
            }
        };
        if !own.is_empty() {
            self.draft.give("attributes", Input::Object(own));
        }
        self.draft.pin_times();
        let told = |error: Error| Refusal::Other(error.message);
        // A record that is found by something else may have its required fields already.
        let is_whole = key.is_none()
            || noun
                .email()
                .is_none_or(|field| self.draft.text(field.name).is_some());
        match is_whole && self.id.is_none() && self.lead.is_none() {
            true => drop(self.draft.row().map_err(Error::fields).map_err(told)?),
            false => self.draft.readable(Purpose::Update).map_err(told)?,
        }
        if self.draft.size() > LARGEST && self.draft.to_json().len() > LARGEST {
            return Err(Refusal::Other(format!(
                "expected at most {LARGEST} bytes as JSON"
            )));
        }
        Ok(Made {
            draft: self.draft,
            key,
            lead: self.lead,
            id: self.id,
        })
    }
}

/// What both have, in the order of the first.
fn whole_first(mut whole: Attributes, all: &Attributes) -> Attributes {
    whole.merge(all);
    whole
}

/// The value of an attribute as a text, by which it is compared.
pub fn value_text(json: &str) -> String {
    match json.starts_with('"') {
        true => serde_json::from_str(json).unwrap_or_else(|_| json.into()),
        false if json.starts_with(['{', '[', 'n']) => String::new(),
        false => json.into(),
    }
}

fn text(value: &CellValue) -> String {
    match value {
        CellValue::Text(text) | CellValue::Json(text) => text.clone(),
    }
}

fn json(value: &CellValue) -> String {
    match value {
        CellValue::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        CellValue::Json(json) => json.clone(),
    }
}
