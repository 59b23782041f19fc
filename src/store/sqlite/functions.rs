//! The SQL functions that every connection has: those that SQLite lacks, and `LIKE`, which it has for ASCII alone.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::stop;
use crate::attributes;
use crate::text::Pattern;

/// Adds the functions to a connection.
pub(super) fn add(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    // `text LIKE pattern ESCAPE escape` calls like(pattern, text, escape).
    connection.create_scalar_function("like", 3, flags, like)?;
    connection.create_scalar_function("attribute", 2, flags, |context| {
        Ok(match (text(context, 0), text(context, 1)) {
            (Some(stored), Some(key)) => attributes::lookup(stored, key),
            _ => None,
        })
    })?;
    connection.create_scalar_function("attribute_in", 3, flags, |context| {
        Ok(
            match (text(context, 0), text(context, 1), text(context, 2)) {
                (Some(stored), Some(key), Some(given)) => attributes::any(stored, key, given),
                _ => None,
            },
        )
    })?;
    connection.create_scalar_function("attribute_compare", 3, flags, |context| {
        Ok(
            match (text(context, 0), text(context, 1), text(context, 2)) {
                (Some(stored), Some(key), Some(given)) => {
                    attributes::compare(stored, key, given).map(|order| order as i8)
                }
                _ => None,
            },
        )
    })
}

fn text<'a>(context: &'a Context<'_>, index: usize) -> Option<&'a str> {
    match context.get_raw(index) {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn like(context: &mut Context<'_>) -> rusqlite::Result<ToSqlOutput<'static>> {
    let pattern = context.get_or_create_aux(0, |value| {
        Ok::<_, rusqlite::Error>(value.as_str().ok().and_then(Pattern::parse))
    })?;
    let matches = match (pattern.as_ref(), text(context, 1)) {
        (Some(pattern), Some(text)) => Some(pattern.matches(text, stop::asked)),
        _ => None,
    };
    Ok(matches.map_or(ToSqlOutput::from(rusqlite::types::Null), ToSqlOutput::from))
}
