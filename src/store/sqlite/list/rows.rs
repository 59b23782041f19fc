//! Reads the rows of a select, and fills chunks with them.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::rows::Rows;
use crate::model::terms::{Tag, mark};
use crate::store::chunk::Chunk;
use crate::store::sql::select::Select;
use crate::store::sqlite::error::map_err;
use crate::store::sqlite::values::with_cells;

/// Runs a select and passes on its rows as long as `each` returns true.
pub(crate) fn each_row(
    connection: &Connection,
    select: &Select,
    mut each: impl FnMut(&rusqlite::Row<'_>) -> Result<bool>,
) -> Result<()> {
    let mut statement = connection
        .prepare_cached(&select.text)
        .map_err(|error| map_err(&error))?;
    let params = rusqlite::params_from_iter(&select.params);
    let mut rows = statement.query(params).map_err(|error| map_err(&error))?;
    while let Some(row) = rows.next().map_err(|error| map_err(&error))? {
        if !each(row)? {
            break;
        }
    }
    Ok(())
}

/// The number that a select returns.
pub(crate) fn number(connection: &Connection, select: &Select) -> Result<i64> {
    let mut number = 0;
    each_row(connection, select, |row| {
        number = int(row, 0);
        Ok(false)
    })?;
    Ok(number)
}

/// The whole number in a column, 0 if there is something else.
#[inline]
pub(crate) fn int(row: &rusqlite::Row<'_>, at: usize) -> i64 {
    match row.get_ref(at) {
        Ok(ValueRef::Integer(int)) => int,
        _ => 0,
    }
}

/// The ETag of a row of [`columns`](crate::store::sql::statements::columns).
pub(crate) fn tag(noun: &Noun, row: &rusqlite::Row<'_>) -> Tag {
    let derived = noun.derived().map(|at| row.get_ref(at));
    Tag {
        version: int(row, noun.fields.len()),
        mark: mark(match derived {
            Some(Ok(ValueRef::Text(text))) => std::str::from_utf8(text).ok(),
            _ => None,
        }),
    }
}

/// Puts a row of [`columns`](crate::store::sql::statements::columns) into a chunk.
pub(crate) fn push<R: Rows>(chunk: &mut Chunk<R>, noun: &'static Noun, row: &rusqlite::Row<'_>) {
    with_cells(noun, row, |cells| chunk.push(noun, cells));
}

/// Fills a chunk with the records of a select, and passes each row to `see`.
pub(crate) fn fill<R: Rows>(
    connection: &Connection,
    noun: &'static Noun,
    select: &Select,
    chunk: &mut Chunk<R>,
    mut see: impl FnMut(&rusqlite::Row<'_>),
) -> Result<()> {
    each_row(connection, select, |row| {
        see(row);
        push(chunk, noun, row);
        Ok(!chunk.is_full())
    })?;
    chunk.last = !chunk.is_full();
    Ok(())
}
