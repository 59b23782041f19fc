//! Converts values and records to and from SQLite's.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::stored::Stored;
use crate::model::value::{Cell, Value};
use crate::store::sql::row;

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// A column's value. The tables are strict, so it is null, an integer or text. Another program may have stored text that is
/// not UTF-8, or have changed the tables. Such a value is not a cell.
#[inline]
fn cell(value: ValueRef<'_>) -> Option<Cell<'_>> {
    match value {
        ValueRef::Integer(int) => Some(Cell::Int(int)),
        ValueRef::Text(text) => std::str::from_utf8(text).ok().map(Cell::Text),
        ValueRef::Null => Some(Cell::Null),
        ValueRef::Real(_) | ValueRef::Blob(_) => None,
    }
}

/// A column's value, whatever it is.
pub(crate) fn stored(value: ValueRef<'_>) -> Stored<'_> {
    match value {
        ValueRef::Null => Stored::Null,
        ValueRef::Integer(int) => Stored::Int(int),
        ValueRef::Real(real) => Stored::Real(real),
        ValueRef::Text(text) => Stored::Text(text),
        ValueRef::Blob(bytes) => Stored::Blob(bytes),
    }
}

/// A copy of a column's value. In text that is not UTF-8, U+FFFD replaces the wrong bytes.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        ValueRef::Real(real) => Value::Text(real.to_string()),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Value::Text(match std::str::from_utf8(text) {
                // Nearly always, and several times as fast.
                Ok(text) => text.into(),
                Err(_) => String::from_utf8_lossy(text).into_owned(),
            })
        }
    }
}

/// All rows of a statement.
pub(crate) fn query(
    connection: &rusqlite::Connection,
    sql: &str,
    params: &[Value],
) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = connection.prepare_cached(sql)?;
    let width = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..width).map(|at| row.get_ref(at).map(value));
        all.push(values.collect::<rusqlite::Result<_>>()?);
    }
    Ok(all)
}

/// Passes on a row of [`columns`](crate::store::sql::statements::columns) or of
/// [`fields`](crate::store::sql::statements::fields) without copying its texts.
pub(crate) fn with_cells<T>(
    noun: &Noun,
    row: &rusqlite::Row<'_>,
    take: impl FnOnce(&[Cell<'_>]) -> T,
) -> T {
    let width = row.as_ref().column_count().min(noun.fields.len() + 1);
    // Every column below the width exists, so reading it does not fail.
    let read = |at| row.get_ref(at).unwrap_or(ValueRef::Null);
    let cell = |at| cell(read(at));
    row::with_cells(noun, width, cell, |at| stored(read(at)), take)
}

/// The record in a row of [`columns`](crate::store::sql::statements::columns) or of
/// [`fields`](crate::store::sql::statements::fields).
pub(crate) fn record(noun: &'static Noun, row: &rusqlite::Row<'_>) -> Record {
    let values = with_cells(noun, row, |cells| {
        cells.iter().map(|cell| Value::from(*cell)).collect()
    });
    Record { noun, values }
}
