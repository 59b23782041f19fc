//! Changes that take others back, as statements, and the texts that a change keeps of its record.

use std::fmt::Write;

use super::statements::statements;
use crate::base::error::Result;
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::model::terms::next_version;
use crate::model::value::Value;

/// The JSON of a record without `{"id":` and the id, each field once, and none that follows from other records.
pub(super) fn rest(record: &Record) -> String {
    let mut json = Vec::with_capacity(256);
    record.write_json(&Shown::own(record.noun), &mut json);
    let comma = json.iter().position(|byte| *byte == b',').unwrap_or(0);
    String::from_utf8_lossy(&json[comma..]).into_owned()
}

/// The JSON of a record without its id, with a note at its end.
pub(super) fn noted(mut rest: String, note: Option<String>) -> String {
    if let Some(members) = note {
        rest.pop();
        rest.push_str(&format!(",{members}}}"));
    }
    rest
}

/// The values of these fields before a change, as a JSON object.
pub(super) fn previous(record: &Record, changes: &[(usize, Value)]) -> String {
    let is_changed = |at: usize| changes.iter().any(|(changed, _)| *changed == at);
    let shown = Shown::once(record.noun).only(|column| is_changed(column.at));
    let mut json = Vec::with_capacity(64);
    record.write_json(&shown, &mut json);
    String::from_utf8_lossy(&json).into_owned()
}

/// A change that takes another one back.
#[derive(Clone, Debug)]
pub enum Reversal {
    /// Deletes a record that was created. If it was restored, it is deleted again as it was before, with the same note.
    Delete(Record, Option<String>),
    /// Inserts a record that was deleted, with its id. It gets this version, or a greater one.
    Restore(Record),
    /// Gives fields of a record the values that they had before.
    ChangeBack(Record, Vec<(usize, Value)>),
}

/// The statement of a reversal, and the parts of its change.
pub(super) struct Written {
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
    pub(super) inserts: bool,
    pub(super) kind: &'static str,
    pub(super) id: i64,
    pub(super) version: i64,
    pub(super) rest: String,
    pub(super) previous: Option<String>,
}

impl Reversal {
    pub(super) fn written(self, now: &str) -> Result<Written> {
        Ok(match self {
            Reversal::Delete(record, note) => Written {
                sql: statements(record.noun).delete.clone(),
                params: vec![record.id().into()],
                inserts: false,
                kind: &statements(record.noun).deleted,
                id: record.id(),
                version: record.version(),
                rest: noted(rest(&record), note),
                previous: None,
            },
            Reversal::Restore(mut record) => {
                if let Some(stamp) = record.noun.position("updated_at") {
                    record.values[stamp] = now.into();
                }
                Written {
                    sql: statements(record.noun).restore.clone(),
                    params: record.row(),
                    inserts: true,
                    kind: &statements(record.noun).created,
                    id: record.id(),
                    version: record.version(),
                    rest: rest(&record),
                    previous: None,
                }
            }
            Reversal::ChangeBack(mut record, mut changes) => {
                let noun = record.noun;
                if let Some(stamp) = noun.position("updated_at") {
                    changes.push((stamp, now.into()));
                }
                let previous = previous(&record, &changes);
                let version = next_version(record.version())?;
                let mut sql = format!("UPDATE {} SET ", noun.plural);
                let mut params = Vec::with_capacity(changes.len() + 2);
                for (at, value) in changes {
                    record.values[at] = value.clone();
                    params.push(value);
                    let _ = write!(sql, "{} = ${}, ", noun.fields[at].name, params.len());
                }
                params.extend([version.into(), record.id().into()]);
                let (version_at, id_at) = (params.len() - 1, params.len());
                let _ = write!(sql, "version = ${version_at} WHERE id = ${id_at}");
                let record = record.with_version(version);
                Written {
                    sql,
                    params,
                    inserts: false,
                    kind: &statements(noun).updated,
                    id: record.id(),
                    version,
                    rest: rest(&record),
                    previous: Some(previous),
                }
            }
        })
    }
}
