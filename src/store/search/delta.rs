//! What a portion changes in the index: for each row, the records that are added and removed.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::keys::keys;
use super::state::{IndexState, NounPart};
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::sql::statements::statements;

/// A row of the index, and what changes in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) block: i64,
    pub(super) word: String,
    pub(super) added: Vec<u16>,
    pub(super) removed: Vec<u16>,
}

/// The changes of a portion.
#[derive(Default)]
pub(super) struct IndexDelta {
    rows: BTreeMap<(i64, String), (Vec<u16>, Vec<u16>)>,
    /// The records that were changed: the words that they had before the portion or in between, and what they are after it.
    records: HashMap<(usize, i64), (HashSet<String>, Option<Record>)>,
}

impl IndexDelta {
    /// Adds a record that the index does not have.
    pub(super) fn add(&mut self, part: &NounPart, record: &Record) {
        let (block, number) = part.place(record.id());
        for word in keys(record) {
            self.rows.entry((block, word)).or_default().0.push(number);
        }
    }

    /// Takes in a change of the ledger: its type, the id, the record and the earlier values.
    pub(super) fn change(&mut self, state: &IndexState, row: &[Value]) {
        let text = |at: usize| row.get(at).and_then(Value::text).unwrap_or_default();
        let (kind, id) = (text(1), row.get(2).and_then(Value::int).unwrap_or_default());
        let parts = state.parts.iter().enumerate();
        let of = |part: &NounPart| {
            let known = statements(part.noun);
            [
                &known.created,
                &known.updated,
                &known.deleted,
                &known.erased,
            ]
            .iter()
            .position(|known| known.as_str() == kind)
        };
        let Some((at, part, what)) = parts
            .filter_map(|(at, part)| Some((at, part, of(part)?)))
            .next()
        else {
            // A change of something else, such as of the whole database.
            return;
        };
        // Of an erased record there is the id alone, so it has no words.
        let record = Record::from_json(part.noun, text(3).as_bytes());
        let (before, after) = match what {
            0 => (None, record),
            1 => {
                let before = record.clone().and_then(|mut record| {
                    let earlier = Record::fields_from_json(part.noun, text(4).as_bytes())?;
                    for (at, value) in earlier {
                        record.values[at] = value;
                    }
                    Some(record)
                });
                (before, record)
            }
            _ => (record, None),
        };
        let known = self.records.entry((at, id)).or_insert_with(|| {
            let before = before.map(|record| keys(&record));
            (before.unwrap_or_default(), None)
        });
        // Also the words in between: a process that was killed may have written them in a portion that ended there.
        if let Some(between) = std::mem::replace(&mut known.1, after) {
            known.0.extend(keys(&between));
        }
    }

    /// The rows, in the order of the index.
    pub(super) fn entries(mut self, state: &IndexState) -> Vec<IndexEntry> {
        for ((at, id), (before, after)) in std::mem::take(&mut self.records) {
            let (block, number) = state.parts[at].place(id);
            let after = after.map(|record| keys(&record)).unwrap_or_default();
            for word in before.difference(&after) {
                let row = self.rows.entry((block, word.clone())).or_default();
                row.1.push(number);
            }
            // Also those that it had: what came before the portion may be unknown.
            for word in after {
                self.rows.entry((block, word)).or_default().0.push(number);
            }
        }
        let rows = self.rows.into_iter();
        rows.map(|((block, word), (added, removed))| IndexEntry {
            block,
            word,
            added,
            removed,
        })
        .collect()
    }

    /// How many rows it has.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}
