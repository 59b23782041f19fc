//! What taking back a group of changes has done, or would do: which group, and what happens to each record.
//!
//! It names records and fields, and has none of their contents. So it can be kept under an idempotency key and shown in a
//! log without personal data.

use serde_json::{Value, json};

/// What taking back a group has done, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// The group that is taken back, named by its first change.
    pub undoes: i64,
    /// Who made the group.
    pub by: String,
    /// When its first change was made, in the stored form.
    pub at: String,
    /// The operation that made its first change.
    pub operation: String,
    /// The new group. `None` if nothing was changed yet.
    pub change: Option<i64>,
    /// How many changes of the group are taken back by this.
    pub changes: u64,
    /// How many of its changes are left after this.
    pub left: u64,
    /// The records, in the order of the nouns and of their ids.
    pub records: Vec<UndoneRecord>,
}

/// What happens to one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoneRecord {
    /// The name of its noun.
    pub kind: String,
    /// Its id.
    pub id: i64,
    /// What happens to it.
    pub fate: Fate,
    /// The fields that are changed back. Empty if the record is restored or deleted.
    pub fields: Vec<String>,
}

/// What happens to a record when a group is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was deleted, and is there again.
    Restored,
    /// It was created, and is deleted.
    Deleted,
    /// Its fields are changed back.
    ChangedBack,
    /// It was created and deleted in the same group, and stays deleted.
    StaysDeleted,
}

impl Fate {
    /// The words of the API and of the command line.
    pub const WORDS: [(&'static str, Fate); 4] = [
        ("restored", Fate::Restored),
        ("deleted", Fate::Deleted),
        ("changed back", Fate::ChangedBack),
        ("stays deleted", Fate::StaysDeleted),
    ];

    /// The word.
    pub fn word(self) -> &'static str {
        let known = Self::WORDS.iter().find(|known| known.1 == self);
        known.map_or("", |known| known.0)
    }
}

impl UndoneRecord {
    /// The JSON of one record.
    pub fn to_json(&self) -> Value {
        json!({"type": self.kind, "id": self.id, "done": self.fate.word(), "fields": self.fields})
    }

    fn from_json(json: &Value) -> Option<UndoneRecord> {
        let word = json.get("done")?.as_str()?;
        let fields = json.get("fields")?.as_array()?.iter();
        let fields: Option<Vec<String>> = fields.map(|one| Some(one.as_str()?.into())).collect();
        Some(UndoneRecord {
            kind: json.get("type")?.as_str()?.into(),
            id: json.get("id")?.as_i64()?,
            fate: Fate::WORDS.iter().find(|known| known.0 == word)?.1,
            fields: fields?,
        })
    }
}

impl Undone {
    /// The JSON that `POST /changes/undo` answers.
    pub fn to_json(&self) -> Value {
        let records = self.records.iter().map(UndoneRecord::to_json);
        json!({
            "undoes": self.undoes,
            "by": self.by,
            "at": self.at,
            "operation": self.operation,
            "change": self.change,
            "changes": self.changes,
            "left": self.left,
            "records": records.collect::<Vec<_>>(),
        })
    }

    /// Reads what [`Undone::to_json`] wrote. `None` if the text is something else.
    pub fn from_json(json: &[u8]) -> Option<Undone> {
        let json: Value = serde_json::from_slice(json).ok()?;
        let text = |name: &str| Some(json.get(name)?.as_str()?.to_string());
        let records = json.get("records")?.as_array()?.iter();
        Some(Undone {
            undoes: json.get("undoes")?.as_i64()?,
            by: text("by")?,
            at: text("at")?,
            operation: text("operation")?,
            change: json.get("change")?.as_i64(),
            changes: json.get("changes")?.as_u64()?,
            left: json.get("left")?.as_u64()?,
            records: records
                .map(UndoneRecord::from_json)
                .collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_read_as_it_was_written() {
        let records = Fate::WORDS.iter().map(|known| UndoneRecord {
            kind: "lead".into(),
            id: 5,
            fate: known.1,
            fields: vec!["status".into()],
        });
        let undone = Undone {
            undoes: 812,
            by: "ada".into(),
            at: "2026-01-02 03:04:05".into(),
            operation: "updateLead".into(),
            change: None,
            changes: 4,
            left: 7,
            records: records.collect(),
        };
        for change in [None, Some(900)] {
            let undone = Undone {
                change,
                ..undone.clone()
            };
            let json = undone.to_json().to_string();
            assert_eq!(Undone::from_json(json.as_bytes()), Some(undone));
        }
        for other in ["", "{}", "[]", r#"{"error": "no"}"#] {
            assert_eq!(Undone::from_json(other.as_bytes()), None, "{other}");
        }
    }
}
