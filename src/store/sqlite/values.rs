//! Converts values and records to and from SQLite's.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::error::map_err;
use crate::base::error::{Error, Result};
use crate::model::noun::Noun;
use crate::model::record::Record;
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
/// not UTF-8. It cannot be shown.
#[inline]
fn cell(value: ValueRef<'_>) -> Result<Cell<'_>> {
    match value {
        ValueRef::Integer(int) => Ok(Cell::Int(int)),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(Cell::Text(text)),
            Err(_) => Err(Error::internal("the database: a text is not UTF-8")),
        },
        _ => Ok(Cell::Null),
    }
}

/// A copy of a column's value. Text that is not UTF-8 becomes null.
fn value(value: ValueRef<'_>) -> Value {
    cell(value).map_or(Value::Null, Value::from)
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
) -> Result<T> {
    let width = row.as_ref().column_count().min(noun.fields.len() + 1);
    let cell = |at| cell(row.get_ref(at).map_err(|error| map_err(&error))?);
    row::with_cells(width, cell, take)
}

/// The record in a row of [`columns`](crate::store::sql::statements::columns) or of
/// [`fields`](crate::store::sql::statements::fields).
pub(crate) fn record(noun: &'static Noun, row: &rusqlite::Row<'_>) -> Result<Record> {
    let values = with_cells(noun, row, |cells| {
        cells.iter().map(|cell| Value::from(*cell)).collect()
    })?;
    Ok(Record { noun, values })
}
