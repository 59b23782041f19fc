//! Carries the rows of an old table over into crm's table.

use std::borrow::Cow;

use rusqlite::types::{Null, ValueRef};
use rusqlite::{Connection, ErrorCode, Row};

use crate::base::error::quoted;
use crate::base::time;
use crate::model::attributes::Attributes;
use crate::model::email;
use crate::model::field::Presence;
use crate::model::kind::{Kind, Target};
use crate::model::noun::Noun;
use crate::model::value::Value;
use crate::store::sqlite::file::refusal::FileRefusal;

/// A column of an old table, and the field for its values.
struct OldColumn {
    /// Its position in the table.
    index: usize,
    name: String,
    /// The position of its field; `None` if crm has no such field.
    field: Option<usize>,
    order: CarryOrder,
}

/// The order in which columns are carried over. The first value for a field wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum CarryOrder {
    Attributes,
    Field,
    /// A column with the former name of a field.
    OldName,
}

fn columns(noun: &Noun, names: Vec<String>) -> Vec<OldColumn> {
    let mut columns: Vec<OldColumn> = names
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let mut fields = noun.fields.iter();
            let field = fields.position(|field| is(field.name) || field.old_name.is_some_and(is));
            let order = match field.map(|at| &noun.fields[at]) {
                Some(field) if field.kind == Kind::Attributes => CarryOrder::Attributes,
                Some(field) if !is(field.name) => CarryOrder::OldName,
                _ => CarryOrder::Field,
            };
            OldColumn {
                index,
                name,
                field,
                order,
            }
        })
        .collect();
    columns.sort_by_key(|column| column.order);
    columns
}

/// Carries all rows over, one at a time, and returns their number.
pub(crate) fn carry_all(
    conn: &Connection,
    noun: &Noun,
    old: &str,
    now: &str,
) -> Result<u64, FileRefusal> {
    let columns = columns(noun, column_names(conn, old)?);
    let names: Vec<&str> = noun.fields.iter().map(|field| field.name).collect();
    let mut insert = conn.prepare(&format!(
        "INSERT INTO {} ({}) VALUES ({})",
        noun.plural,
        names.join(", "),
        vec!["?"; names.len()].join(", ")
    ))?;
    let exists = |target: Target, id: i64| {
        conn.prepare_cached(&format!("SELECT 1 FROM {} WHERE id = ?1", target.plural))?
            .exists([id])
    };
    let mut rows = conn.prepare(&format!("SELECT * FROM {}", name(old)))?;
    let mut rows = rows.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let values = carry(noun, &columns, row, now, exists)?;
        for (place, value) in (1..).zip(&values) {
            match value {
                Value::Null => insert.raw_bind_parameter(place, Null)?,
                Value::Int(int) => insert.raw_bind_parameter(place, int)?,
                Value::Text(text) => insert.raw_bind_parameter(place, text)?,
            }
        }
        match insert.raw_execute() {
            Ok(_) => count += 1,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                return FileRefusal::because(format!(
                    "cannot be brought up to date: table {} has the id {} twice",
                    noun.plural, values[0]
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(count)
}

/// Makes a record from an old row. `now` is for records that do not say when they were made. `exists` says whether the
/// record that a reference names exists.
fn carry(
    noun: &Noun,
    columns: &[OldColumn],
    row: &Row,
    now: &str,
    exists: impl Fn(Target, i64) -> rusqlite::Result<bool>,
) -> Result<Vec<Value>, FileRefusal> {
    let mut values = vec![Value::Null; noun.fields.len()];
    let mut attributes = Attributes::default();
    for column in columns {
        let given = row.get_ref(column.index)?;
        if given == ValueRef::Null {
            continue;
        }
        let value = match column.field.map(|at| noun.fields[at].kind) {
            None => None,
            Some(Kind::Id) => Some(Value::Int(id(noun, given)?)),
            Some(Kind::Reference(target)) => match whole(given) {
                Some(id) if exists(target, id)? => Some(Value::Int(id)),
                _ => None,
            },
            Some(kind @ Kind::Count(..)) => {
                whole(given).filter(|int| kind.allows(*int)).map(Value::Int)
            }
            Some(kind @ (Kind::Text | Kind::Word | Kind::Email | Kind::Type)) => {
                text(given).map(|(text, exact)| {
                    // An address stays unchanged, unless no filter would find it: SQL's lower() knows ASCII only.
                    let found = (kind == Kind::Email).then(|| email::email(&text)).flatten();
                    let found = found.filter(|found| *found != text.to_ascii_lowercase());
                    if !exact || found.is_some() {
                        keep(&mut attributes, &column.name, given);
                    }
                    Value::Text(found.unwrap_or_else(|| text.into()))
                })
            }
            Some(Kind::Time(_) | Kind::Stamp) => text(given)
                .and_then(|(text, _)| time::parse(&text))
                .map(Value::Text),
            // Tables have no such column, and what follows from other records is found anew.
            Some(Kind::Object | Kind::Due | Kind::Newest(_)) => None,
            Some(Kind::Attributes) => {
                let text = text(given).filter(|(_, exact)| *exact);
                let object = text.and_then(|(text, _)| Attributes::parse(&text).ok());
                if let Some(object) = &object {
                    attributes.merge(object);
                }
                object.map(|_| Value::Null)
            }
        };
        match (column.field, value) {
            (Some(at), Some(value)) if values[at] == Value::Null => values[at] = value,
            (Some(at), Some(value)) if values[at] == value => {}
            _ => keep(&mut attributes, &column.name, given),
        }
    }
    fill(noun, &mut values, now);
    for (value, field) in values.iter_mut().zip(noun.fields) {
        if field.kind == Kind::Attributes {
            *value = Value::Text(attributes.to_string());
        }
    }
    Ok(values)
}

/// Fills the fields that are null but must not be.
fn fill(noun: &Noun, values: &mut [Value], now: &str) {
    let stamps = noun.fields.iter().zip(&*values);
    let mut stamps = stamps.filter(|(field, _)| field.kind == Kind::Stamp);
    // The time when it was made, or else when it was last changed.
    let made = stamps.find_map(|(_, value)| value.text());
    let made = made.unwrap_or(now).to_string();
    for (value, field) in values.iter_mut().zip(noun.fields) {
        if *value == Value::Null {
            *value = match field.presence {
                Presence::Optional => Value::Null,
                Presence::Required => "".into(),
                Presence::Default(text) => text.into(),
                Presence::Automatic if field.is_derived() => Value::Null,
                Presence::Now | Presence::Automatic => made.as_str().into(),
            };
        }
    }
}

/// Keeps a value that has no field under the name of its column. If the user's own attributes have that name, a number is
/// added.
fn keep(attributes: &mut Attributes, column: &str, given: ValueRef) {
    let json = json(given);
    let mut key = column.to_string();
    let mut number = 1;
    while let Some(there) = attributes.get(&key) {
        if there == json {
            return;
        }
        number += 1;
        key = format!("{column}-{number}");
    }
    attributes.set(&key, &json);
}

/// A value as JSON. Bytes that are not text, and text with a NUL, become `"hex:…"`.
pub(crate) fn json(given: ValueRef) -> String {
    match given {
        ValueRef::Real(real) if real.is_finite() => serde_json::Value::from(real).to_string(),
        ValueRef::Integer(int) => int.to_string(),
        _ => match (text(given), given) {
            (Some((text, true)), _) => serde_json::Value::from(text).to_string(),
            (_, ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("\"hex:{digits}\"")
            }
            _ => "null".into(),
        },
    }
}

/// A value as text, and whether the text is exact: bytes that are not UTF-8, and NUL, are replaced by a symbol. `None` for
/// null.
pub(crate) fn text(given: ValueRef<'_>) -> Option<(Cow<'_, str>, bool)> {
    match given {
        ValueRef::Null => None,
        ValueRef::Integer(int) => Some((int.to_string().into(), true)),
        ValueRef::Real(real) => Some((format!("{real:?}").into(), true)),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(text) if !text.contains('\0') => Some((text.into(), true)),
            text => Some((text.replace('\0', "\u{2400}").into(), false)),
        },
    }
}

/// A value as a whole number, if it is one. In a column of another type, the number may have become text or a real.
pub(crate) fn whole(given: ValueRef) -> Option<i64> {
    /// Below this, a double can represent every whole number (IEEE 754, binary64).
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match given {
        ValueRef::Integer(int) => Some(int),
        ValueRef::Real(real) if real.fract() == 0.0 && real.abs() < EXACT => Some(real as i64),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes).ok()?;
            let int: i64 = text.parse().ok()?;
            (int.to_string() == text).then_some(int)
        }
        _ => None,
    }
}

/// The id of an old row.
pub(crate) fn id(noun: &Noun, given: ValueRef) -> Result<i64, FileRefusal> {
    // After the largest possible id, no further id could be assigned.
    match whole(given).filter(|id| (1..i64::MAX).contains(id)) {
        Some(id) => Ok(id),
        None => FileRefusal::because(format!(
            "cannot be brought up to date: table {} has the id {}, expected a whole number of 1 or more, but not 2^63-1",
            noun.plural,
            shown(given)
        )),
    }
}

/// A value for a message.
fn shown(given: ValueRef) -> String {
    match text(given) {
        None => "null".into(),
        Some((text, _)) if matches!(given, ValueRef::Integer(_) | ValueRef::Real(_)) => text.into(),
        Some((text, _)) => quoted(&text),
    }
}

/// The names of a table's columns.
pub(crate) fn column_names(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let rows = conn.prepare(&format!("SELECT * FROM {}", name(table)))?;
    Ok(rows.column_names().map(String::from).collect())
}

/// Quotes a name, so that SQL accepts any.
pub(crate) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
