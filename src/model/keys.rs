//! The keys of own fields that occur in records: the columns of `attributes.*`.

use std::collections::HashSet;

use crate::base::error::{Code, Error, Result, quoted};
use crate::model::attributes;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::record::Record;

/// The most keys. A table of more columns is a mistake, and would take any memory.
pub const MOST_KEYS: usize = 1_000;

/// The keys that occur, in the order in which they were first seen.
#[derive(Debug)]
pub struct Keys {
    /// The position of the attributes.
    at: Option<usize>,
    keys: Vec<String>,
    seen: HashSet<String>,
}

impl Keys {
    /// No key of records of a noun.
    pub fn new(noun: &Noun) -> Keys {
        let mut fields = noun.fields.iter();
        Keys {
            at: fields.position(|field| field.kind == Kind::Attributes),
            keys: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// Adds the keys of a record. Refuses too many.
    pub fn add(&mut self, record: &Record) -> Result<()> {
        let stored = self.at.and_then(|at| record.values[at].text());
        for key in stored.into_iter().flat_map(attributes::keys) {
            if self.seen.contains(&*key) {
                continue;
            }
            if self.keys.len() == MOST_KEYS {
                return Err(Error::field(
                    "fields",
                    format!(
                        "attributes.*: expected at most {MOST_KEYS} keys in all records; name those that you want, attributes.KEY"
                    ),
                ));
            }
            self.seen.insert(key.clone().into_owned());
            self.keys.push(key.into_owned());
        }
        Ok(())
    }

    /// Refuses a record with a key that was not seen before: it would be left out.
    pub fn check(&self, record: &Record) -> Result<()> {
        let stored = self.at.and_then(|at| record.values[at].text());
        let mut keys = stored.into_iter().flat_map(attributes::keys);
        match keys.find(|key| !self.seen.contains(&**key)) {
            None => Ok(()),
            Some(key) => Err(Error::new(
                Code::Conflict,
                format!(
                    "attributes.*: {} {} got the key {} while the list was read; run the command again",
                    record.noun.name,
                    record.id(),
                    quoted(&key)
                ),
            )),
        }
    }

    /// The keys.
    pub fn all(&self) -> &[String] {
        &self.keys
    }
}
