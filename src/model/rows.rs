//! The collections that a list can be read into.
//!
//! A store hands over borrowed cells, so that a response can write its text directly from the rows of the database, without
//! a record in between.

use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::value::{Cell, Value};

/// A collection that a list is read into, some records at a time: records, or the text of a response.
pub trait Rows: Send + Sync + Sized + 'static {
    /// An empty collection with the same settings.
    fn empty(&self) -> Self;

    /// Adds a record: one cell for each field of its noun, followed by its version if it is known.
    fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]);

    /// Whether it uses the versions of records.
    fn wants_versions(&self) -> bool {
        true
    }

    /// Whether it accepts records as [`Record::to_json`] writes them, and returns the JSON of the last record.
    fn is_json(&self) -> bool {
        false
    }

    /// Makes room for this many records as JSON, with this many bytes in all.
    fn reserve_json(&mut self, _records: usize, _bytes: usize) {}

    /// Adds a record as JSON with all of its fields. Only called if it [is JSON](Rows::is_json).
    fn push_json(&mut self, _json: &[u8]) {}

    /// The JSON of the record that was added last, if it [is JSON](Rows::is_json).
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
