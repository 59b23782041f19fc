//! The entries of a timeline, made of actions, changes and follow-ups.

use crate::base::width::cut;
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::model::told::told;
use crate::model::value::Value;
use crate::operation::asked::Operation;
use crate::ops::undo::Undo;
use crate::views::timeline::ENTRY;

/// The type of the entry of an action.
pub(crate) const DONE: &str = "action.created";

/// The type of the entry of a follow-up, and of the change that tells of it.
pub(crate) const DUE: &str = "process.due";

/// How much is told of the details of an action, in columns.
const DETAILS: usize = 200;

/// Who made an action, and who has changed it.
#[derive(Default)]
pub(crate) struct Made {
    /// The change that made it.
    pub(crate) created: Option<Record>,
    /// The newest change that has changed it.
    pub(crate) updated: Option<Record>,
    /// Whether it was deleted and is there again, which counts versions, too.
    pub(crate) is_restored: bool,
}

/// An entry with these fields. All others are null.
fn entry(fields: &[(&str, Value)]) -> Record {
    let mut values = vec![Value::Null; ENTRY.fields.len()];
    for (name, value) in fields {
        if let Some(at) = ENTRY.position(name) {
            values[at] = value.clone();
        }
    }
    Record {
        noun: &ENTRY,
        values,
    }
}

/// The JSON of a record, each field once.
fn json(record: &Record) -> Value {
    let mut json = Vec::with_capacity(256);
    record.write_json(&Shown::once(record.noun), &mut json);
    Value::Text(String::from_utf8_lossy(&json).into_owned())
}

/// The entry of an action.
pub(crate) fn of_action(action: &Record, made: &Made) -> Record {
    let text = |name: &str| action.get(name).text().unwrap_or_default();
    let details = text("details").trim();
    let what = match details.is_empty() {
        true => text("action_type").to_string(),
        false => format!("{}: {}", text("action_type"), cut(details.into(), DETAILS)),
    };
    let of = |change: &Option<Record>, name: &str| match change {
        Some(change) => change.get(name).clone(),
        None => Value::Null,
    };
    // Another program may have changed it, or the change may not be kept any more. Its version says so in any case.
    let is_edited = made.updated.is_some() || (action.version() > 1 && !made.is_restored);
    let edited_at = match (is_edited, &made.updated) {
        (true, None) => action.get("updated_at").clone(),
        (_, updated) => of(updated, "at"),
    };
    entry(&[
        ("id", action.id().into()),
        ("type", DONE.into()),
        ("at", action.get("timestamp").clone()),
        ("by", of(&made.created, "by")),
        ("on_behalf_of", of(&made.created, "on_behalf_of")),
        ("what", what.as_str().into()),
        ("edited_at", edited_at),
        ("edited_by", of(&made.updated, "by")),
        ("change", of(&made.created, "seq")),
        ("record", json(action)),
    ])
}

/// The entry of a change.
pub(crate) fn of_change(change: &Record) -> Record {
    let text = |name: &str| change.get(name).text().unwrap_or_default();
    let is_undo = text("operation") == Undo::ABOUT.methods[0].1;
    let previous = change.get("previous").text();
    let what = match text("type") {
        DUE => due(text("record")),
        kind => told(kind, is_undo, text("record"), previous),
    };
    let mut fields = vec![
        ("what", what.as_str().into()),
        ("change", change.get("seq").clone()),
    ];
    let same = [
        "id",
        "type",
        "at",
        "by",
        "on_behalf_of",
        "record",
        "previous",
    ];
    fields.extend(same.map(|name| (name, change.get(name).clone())));
    entry(&fields)
}

/// The entry of an open process with a date.
pub(crate) fn of_due(process: &Record) -> Record {
    let record = json(process);
    let what = due(record.text().unwrap_or_default());
    entry(&[
        ("id", process.id().into()),
        ("type", DUE.into()),
        ("at", process.get("next_followup_datetime").clone()),
        ("what", what.as_str().into()),
        ("record", record),
    ])
}

/// What is said of a follow-up.
fn due(process: &str) -> String {
    let process: serde_json::Value = serde_json::from_str(process).unwrap_or_default();
    match process["name"].as_str() {
        Some(name) => format!("follow-up: {}", cut(name.into(), DETAILS)),
        None => "follow-up".into(),
    }
}
