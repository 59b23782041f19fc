//! Finds the values that another program has stored and that crm would not have written, and the references to records
//! that do not exist, and says how to repair each.
//!
//! Such values are shown (see [`stored`](crate::model::stored)), so they are no damage. A check lists them, and a backup
//! and a copy count them. Attributes count as they are read: spaces between their tokens, and a null, are no fault.

use std::fmt::Write;

use crate::base::error::quoted;
use crate::base::time;
use crate::model::attributes;
use crate::model::email::{PUNYCODE, bad_punycode, email};
use crate::model::field::{Field, Presence};
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::record::{LARGEST, ROOM};
use crate::model::stored::Stored;
use crate::model::terms::MOST_VERSION;

/// How many faults are listed one by one.
pub(crate) const NAMED: usize = 20;

/// How the commands that repair a value name the database.
pub(crate) struct Repairs {
    /// The database, as `--db` takes it.
    database: String,
    /// The command that runs a statement on the database, without the statement.
    pub(crate) sql: String,
}

impl Repairs {
    /// The commands for a SQLite file.
    pub(crate) fn of_file(path: &str) -> Repairs {
        let database = word(path);
        Repairs {
            sql: format!("sqlite3 {database}"),
            database,
        }
    }

    /// The commands for the PostgreSQL at a URL.
    pub(crate) fn of_postgres(url: &str) -> Repairs {
        let database = in_quotes(url);
        Repairs {
            sql: format!("psql {database} -c"),
            database,
        }
    }
}

/// A text as one word of a shell.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@%,:".contains(&byte);
    match !text.is_empty() && text.bytes().all(plain) {
        true => text.into(),
        false => in_quotes(text),
    }
}

fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// How many references to missing records are listed one by one.
const NAMED_REFERENCES: usize = 10;

/// References to records that do not exist.
#[derive(Default)]
pub(crate) struct Dangling {
    /// How many there are.
    pub(crate) count: u64,
    /// The first of them.
    named: Vec<DanglingReference>,
}

struct DanglingReference {
    noun: &'static Noun,
    id: i64,
    field: &'static str,
    missing: i64,
}

impl Dangling {
    /// For each field of a noun that is a reference, the select for the ids of its records that refer to a missing one, and
    /// the missing ids. `is_set` is the condition on a column that holds an id, with `$` for the column.
    pub(crate) fn selects(
        noun: &'static Noun,
        is_set: &'static str,
    ) -> impl Iterator<Item = (&'static str, String)> {
        noun.fields.iter().filter_map(move |field| {
            let Kind::Reference(target) = field.kind else {
                return None;
            };
            let (table, name, other) = (noun.plural, field.name, target.plural);
            let is_set = is_set.replace('$', &format!("referrer.{name}"));
            let sql = format!(
                "SELECT id, {name} FROM {table} AS referrer WHERE {is_set}
                 AND NOT EXISTS (SELECT 1 FROM {other} WHERE id = referrer.{name}) ORDER BY id"
            );
            Some((name, sql))
        })
    }

    /// Adds a reference.
    pub(crate) fn add(&mut self, noun: &'static Noun, id: i64, field: &'static str, missing: i64) {
        self.count += 1;
        if self.named.len() < NAMED_REFERENCES {
            self.named.push(DanglingReference {
                noun,
                id,
                field,
                missing,
            });
        }
    }

    /// The lines of a check: the record, the missing one, and the commands that repair it.
    pub(crate) fn lines(&self, repairs: &Repairs) -> Vec<String> {
        let database = &repairs.database;
        let named = self.named.iter().map(|one| {
            let (table, name) = (one.noun.plural, one.noun.name);
            let (id, field, missing) = (one.id, one.field, one.missing);
            let flag = field.replace('_', "-");
            format!(
                "{table} {id}: {field} is {missing}, which does not exist; `crm {name} update {id} --clear {field}` clears it, \
                 `crm {name} update {id} --{flag} ID` names another, `crm {name} delete {id}` deletes the whole record \
                 (each with --db {database})"
            )
        });
        let mut lines: Vec<String> = named.collect();
        let more = self.count - self.named.len() as u64;
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        lines
    }
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
        let mut add = |field: Option<&Field>, stored, wrong: String| {
            self.count += 1;
            if self.named.len() < NAMED {
                let (table, column) = (noun.plural, field.map_or("version", |field| field.name));
                let repair = repair(noun, field, id, stored, repairs);
                let line = format!("{table} {id}: {column} {wrong}; {repair}");
                self.named.push(line);
            }
        };
        let fields = noun.fields.iter().map(Some).chain([None]);
        let (mut size, mut largest) = (0, (0, 0));
        for (at, field) in fields.enumerate() {
            let stored = value(at);
            if let (Stored::Text(text), Some(field)) = (stored, field)
                && field.presence != Presence::Automatic
            {
                size += text.len();
                largest = largest.max((text.len(), at));
            }
            if let Some(wrong) = fault(field, stored) {
                add(field, stored, wrong);
            }
        }
        // A larger text is a fault of its own.
        let (length, at) = largest;
        if size > LARGEST + ROOM && length <= LARGEST {
            let wrong = format!(
                "is {length} bytes long and the whole record {size}, expected at most {LARGEST}"
            );
            add(noun.fields.get(at), value(at), wrong);
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
        Stored::Int(int) if kind.is_number() => {
            return match int {
                _ if !kind.allows(int) => Some(format!("is {int}, {}", whole(kind))),
                _ if field.is_none() && int > MOST_VERSION => {
                    Some(format!("is {int}, expected at most {MOST_VERSION}"))
                }
                _ => None,
            };
        }
        Stored::Int(_) | Stored::Real(_) => return Some("is a number, expected text".into()),
        Stored::Blob(_) => return Some("is binary, expected text".into()),
        Stored::Text(_) if kind.is_number() => {
            return Some(format!("is text, {}", whole(kind)));
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
        Kind::Word if text.is_empty() => Some("is empty, expected text".into()),
        Kind::Word if text.trim().is_empty() => {
            Some(format!("is blank, expected text: {}", quoted(text)))
        }
        Kind::Email if text.is_empty() => Some(format!("is empty, {}", kind.expected())),
        Kind::Email => match email(text) {
            Some(form) if form == text => None,
            Some(form) => {
                let (given, form, odd) = (quoted(text), quoted(&form), odd(text).join(", "));
                Some(format!("is {given} {odd}, expected its one form {form}"))
            }
            None => {
                let why = bad_punycode(text).map(|why| format!(": {why}"));
                let (given, why) = (quoted(text), why.unwrap_or_default());
                Some(format!("is {given}, {}{why}", kind.expected()))
            }
        },
        Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => match time::parse(text) {
            Some(time) if time == text => None,
            _ => Some(format!(
                "is {}, expected a time like 2026-02-07 09:00:00",
                quoted(text)
            )),
        },
        _ => None,
    }
}

/// Which whole numbers are expected.
fn whole(kind: Kind) -> String {
    match kind {
        Kind::Count(..) => kind.expected(),
        _ => "expected a whole number of 1 or more".into(),
    }
}

/// How a faulty value is repaired: a command of crm if there is one, or else a statement.
fn repair(
    noun: &Noun,
    field: Option<&Field>,
    id: i64,
    stored: Stored<'_>,
    repairs: &Repairs,
) -> String {
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
        Kind::Attributes if text(stored).is_some_and(attributes::is_read) => {
            let (set, unset) = (update("--set KEY=TEXT"), update("--unset KEY"));
            return format!("{set} or {unset} mends a key");
        }
        Kind::Attributes => {
            return format!(
                "{} keeps the text as an attribute",
                update("--unset '' --set NAME=TEXT")
            );
        }
        Kind::Email => match text(stored).and_then(email) {
            Some(form) => {
                let set = update(&format!("--{flag} {}", word(&form)));
                return format!("{set} writes it in its one form");
            }
            None => update(&format!("--{flag} ADDRESS")),
        },
        Kind::Reference(_) => update(&format!("--{flag} ID")),
        Kind::Count(..) => update(&format!("--{flag} NUMBER")),
        Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => update(&format!("--{flag} TIME")),
        _ => update(&format!("--{flag} TEXT")),
    };
    if field.nullable() {
        let _ = write!(out, " or {}", update(&format!("--clear {}", field.name)));
    }
    out + " gives it another value"
}

/// What is odd about a spelling of an address, as it goes on after the address.
fn odd(text: &str) -> Vec<&'static str> {
    let is_odd = [
        ("with spaces around it", text != text.trim()),
        ("with capital letters", text.to_lowercase() != text),
        (
            "with fullwidth or halfwidth letters",
            text.contains(|letter: char| matches!(letter, '\u{ff00}'..='\u{ffef}')),
        ),
        (
            "with its domain in Punycode",
            text.to_ascii_lowercase().contains(PUNYCODE),
        ),
    ];
    let odd = is_odd.into_iter().filter(|one| one.1).map(|one| one.0);
    let odd: Vec<&str> = odd.collect();
    match odd.is_empty() {
        true => vec!["with letters that are not composed (NFC)"],
        false => odd,
    }
}

fn text(stored: Stored<'_>) -> Option<&str> {
    match stored {
        Stored::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}
