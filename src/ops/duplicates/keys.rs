//! The keys of leads, hashed.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::model::duplicates::{Reason, keys};
use crate::model::noun::Noun;
use crate::model::rows::Rows;
use crate::model::value::Cell;

/// The bits of a hash that hold the reason.
const REASON: u64 = 0b111;

/// A key of a lead. Those with the same key are beside each other when they are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    hash: u64,
    pub(super) id: i64,
}

impl Entry {
    pub(super) fn key(self) -> u64 {
        self.hash & !REASON
    }

    pub(super) fn reason(self) -> Reason {
        let at = (self.hash & REASON) as usize;
        Reason::WORDS.get(at).map_or(Reason::Name, |known| known.1)
    }
}

/// The keys of leads that were read.
pub(super) struct Keys {
    attribute: Option<Arc<str>>,
    /// Random, so that nobody can make up leads whose keys collide.
    hasher: RandomState,
    /// The places of the fields.
    fields: [usize; 3],
    pub(super) entries: Vec<Entry>,
}

impl Keys {
    pub(super) fn new(attribute: Option<Arc<str>>) -> Keys {
        Keys {
            attribute,
            hasher: RandomState::new(),
            fields: FIELDS.map(|_| 0),
            entries: Vec::new(),
        }
    }

    /// Takes the keys of a chunk.
    pub(super) fn take(&mut self, chunk: &mut Keys) {
        self.entries.append(&mut chunk.entries);
    }
}

const FIELDS: [&str; 3] = ["email", "name", "attributes"];

impl Rows for Keys {
    fn empty(&self) -> Keys {
        Keys {
            attribute: self.attribute.clone(),
            hasher: self.hasher.clone(),
            fields: self.fields,
            entries: Vec::new(),
        }
    }

    fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]) {
        if self.fields[0] == 0 {
            self.fields = FIELDS.map(|name| noun.position(name).unwrap_or_default());
        }
        let text = |at: usize| match cells.get(at) {
            Some(Cell::Text(text)) => text,
            _ => "",
        };
        let Some(Cell::Int(id)) = cells.first().copied() else {
            return;
        };
        let [email, name, attributes] = self.fields.map(text);
        let (hasher, entries) = (&self.hasher, &mut self.entries);
        keys(
            (email, name, attributes),
            self.attribute.as_deref(),
            |reason, key| {
                // An address and a mailbox are in the same space.
                let space = match reason {
                    Reason::Mailbox => Reason::Address,
                    reason => reason,
                };
                let hash = hasher.hash_one((space, key)) & !REASON;
                entries.push(Entry {
                    hash: hash | reason as u64,
                    id,
                });
            },
        );
    }

    fn wants_versions(&self) -> bool {
        false
    }
}
