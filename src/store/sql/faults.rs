//! Finds the values that another program has stored and that crm would not have written, and says how to repair each.
//!
//! Such values are shown (see [`stored`](crate::model::stored)), so they are no damage. A check lists them, and a backup
//! and a copy count them.

use std::fmt::Write;

use crate::base::error::quoted;
use crate::base::time;
use crate::model::attributes;
use crate::model::field::{Field, Presence};
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::record::LARGEST;
use crate::model::stored::Stored;

/// How many faults are listed one by one.
const NAMED: usize = 20;

/// How the commands that repair a value name the database.
pub(crate) struct Repairs {
    /// The database, as `--db` takes it.
    pub(crate) database: String,
    /// The command that runs a statement on the database, without the statement.
    pub(crate) sql: String,
}

/// The faults of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How many there are.
    pub count: u64,
    /// The first of them, each in one line: the table, the id, the column, what is wrong, and how to repair it.
    pub named: Vec<String>,
}

impl Faults {
    /// The lines of a check.
    pub fn lines(mut self) -> Vec<String> {
        let more = self.count - self.named.len() as u64;
        if more > 0 {
            self.named.push(format!("and {more} more"));
        }
        self.named
    }

    /// Looks at a row: one value for each field of its noun, followed by its version.
    pub(crate) fn look<'row>(
        &mut self,
        noun: &Noun,
        repairs: &Repairs,
        value: impl Fn(usize) -> Stored<'row>,
    ) {
        let id = match value(0) {
            Stored::Int(id) => id,
            _ => 0,
        };
        let fields = noun.fields.iter().map(Some).chain([None]);
        for (at, field) in fields.enumerate() {
            let Some(wrong) = fault(field, value(at)) else {
                continue;
            };
            self.count += 1;
            if self.named.len() < NAMED {
                let (table, column) = (noun.plural, field.map_or("version", |field| field.name));
                let repair = repair(noun, field, id, repairs);
                let line = format!("{table} {id}: {column} {wrong}; {repair}");
                self.named.push(line);
            }
        }
    }
}

/// What is wrong with a stored value, as the rest of a sentence that begins with the field. `None` if crm may have written
/// it. `field` is `None` for the version.
pub(crate) fn fault(field: Option<&Field>, stored: Stored<'_>) -> Option<String> {
    let kind = field.map_or(Kind::Id, |field| field.kind);
    let bytes = match stored {
        Stored::Null if field.is_some_and(Field::nullable) => return None,
        Stored::Null => return Some("is null".into()),
        Stored::Int(int) if kind.is_id() => {
            return (int < 1).then(|| format!("is {int}, expected a whole number of 1 or more"));
        }
        Stored::Int(_) | Stored::Real(_) => return Some("is a number, expected text".into()),
        Stored::Blob(_) => return Some("is binary, expected text".into()),
        Stored::Text(_) if kind.is_id() => {
            return Some("is text, expected a whole number of 1 or more".into());
        }
        Stored::Text(bytes) => bytes,
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Some(format!(
            "is not UTF-8, shown as {}",
            quoted(&String::from_utf8_lossy(bytes))
        ));
    };
    if text.len() > LARGEST {
        return Some(format!(
            "is {} bytes long, expected at most {LARGEST}",
            text.len()
        ));
    }
    if text.contains('\0') {
        return Some(format!("contains a NUL character: {}", quoted(text)));
    }
    match kind {
        Kind::Attributes => match attributes::check(text) {
            Ok(()) if text.trim_start().starts_with('{') => None,
            Ok(()) => Some(format!("is no JSON object: {}", quoted(text))),
            Err(wrong) => Some(format!("{wrong}: {}", quoted(text))),
        },
        Kind::Time(_) | Kind::Stamp => match time::parse(text) {
            Some(time) if time == text => None,
            _ => Some(format!(
                "is {}, expected a time like 2026-02-07 09:00:00",
                quoted(text)
            )),
        },
        _ => None,
    }
}

/// How a faulty value is repaired: a command of crm if there is one, or else a statement.
fn repair(noun: &Noun, field: Option<&Field>, id: i64, repairs: &Repairs) -> String {
    let (table, name, database) = (noun.plural, noun.name, &repairs.database);
    let Some(field) = field.filter(|field| field.presence != Presence::Automatic && id >= 1) else {
        let set = match field {
            _ if id < 1 => {
                format!("id = (SELECT coalesce(max(id), 0) + 1 FROM {table} WHERE id > 0)")
            }
            None => "version = 1".to_string(),
            Some(field) => format!("{} = '{}'", field.name, time::now()),
        };
        let sql = &repairs.sql;
        return format!("`{sql} \"UPDATE {table} SET {set} WHERE id = {id}\"`");
    };
    let flag = field.flag.unwrap_or(field.name).replace('_', "-");
    let update = |rest: &str| format!("`crm {name} update {id} {rest} --db {database}`");
    let mut out = match field.kind {
        Kind::Attributes => {
            return format!(
                "{} keeps the text as an attribute",
                update("--unset '' --set NAME=TEXT")
            );
        }
        Kind::Reference(_) => update(&format!("--{flag} ID")),
        Kind::Time(_) | Kind::Stamp => update(&format!("--{flag} TIME")),
        _ => update(&format!("--{flag} TEXT")),
    };
    if field.nullable() {
        let _ = write!(out, " or {}", update(&format!("--clear {}", field.name)));
    }
    out + " gives it another value"
}
