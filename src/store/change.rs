//! A change of a record, as it is appended to the ledger's table.
//!
//! A record that was erased (`sql/erase`) is known by its id alone. All of its changes have exactly `{"id":7}` as their
//! record and no earlier values, and the newest has the type `lead.erased`. So such a change cannot be taken back.

use crate::model::author::Author;
use crate::model::value::Value;

/// A change of a record.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// When it is made, in the stored form.
    pub at: &'a str,
    /// Who makes it.
    pub author: &'a Author,
    /// The first change of its group. `None` if it is the first one itself.
    pub group: Option<i64>,
    /// The group that it takes back, named by its first change.
    pub undoes: Option<i64>,
    /// Its type, such as `lead.created`.
    pub kind: &'a str,
    /// The record's id. `None` if the statement that it belongs to gives the id.
    pub id: Option<i64>,
    /// The record's version after the change; before it if the record is deleted.
    pub version: i64,
    /// The record as JSON without `{"id":` and the id.
    pub rest: &'a str,
    /// The earlier values of the fields that have changed, as a JSON object.
    pub previous: Option<&'a str>,
}

/// The columns that a change fills, in the order of [`Change::values`]. Before them comes the record's id.
pub(crate) const COLUMNS: &str = "record_id, at, author, on_behalf_of, request_id, first, undoes, operation, type, version, record, previous";

/// All columns of a change, for a copy: its number, then [`COLUMNS`].
pub(crate) fn all_columns() -> String {
    format!("seq, {COLUMNS}")
}

/// Which of [`all_columns`] are numbers. The others are texts.
pub(crate) const NUMBERS: [&str; 5] = ["seq", "record_id", "first", "undoes", "version"];

impl Change<'_> {
    /// The values of the columns, without the record's id. The record is not whole yet: it lacks its id.
    pub(crate) fn values(&self) -> [Value; 11] {
        let text = |text: &Option<std::sync::Arc<str>>| match text {
            Some(text) => Value::from(&**text),
            None => Value::Null,
        };
        [
            self.at.into(),
            Value::from(&*self.author.by),
            text(&self.author.on_behalf_of),
            text(&self.author.request_id),
            self.group.map_or(Value::Null, Value::Int),
            self.undoes.map_or(Value::Null, Value::Int),
            Value::from(&*self.author.operation),
            self.kind.into(),
            self.version.into(),
            self.rest.into(),
            self.previous.map_or(Value::Null, Value::from),
        ]
    }
}
