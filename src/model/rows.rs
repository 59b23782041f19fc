//! What a list is read into.

use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::value::{Cell, Value};

/// What a list is read into, some records at a time: records, or at once the text that an answer is made of.
pub trait Rows: Send + Sync + Sized + 'static {
    /// The same without any record.
    fn empty(&self) -> Self;

    /// Takes a record: one cell a field of its noun, and behind them its version where it is known.
    fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]);

    /// Whether it has a use for versions.
    fn wants_versions(&self) -> bool {
        true
    }

    /// Whether it takes records as [`Record::to_json`] writes them, and tells what it wrote of others.
    fn is_json(&self) -> bool {
        false
    }

    /// Takes a record as JSON with all of its fields, if it [is JSON](Rows::is_json).
    fn push_json(&mut self, _json: &[u8]) {}

    /// The JSON of the record that was taken last, if it [is JSON](Rows::is_json).
    fn last_json(&self) -> &[u8] {
        &[]
    }
}

impl Rows for Vec<Record> {
    fn empty(&self) -> Vec<Record> {
        Vec::new()
    }

    fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]) {
        let values = cells.iter().map(|cell| Value::from(*cell)).collect();
        self.push(Record { noun, values });
    }
}
