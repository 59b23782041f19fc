//! The SQL functions that crm adds to every connection: those that SQLite lacks, and a `LIKE` that ignores the case of all
//! letters, where SQLite's own does so for ASCII only.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::cancel;
use crate::base::text::Pattern;
use crate::model::attributes;

/// Adds the functions to a connection.
pub(crate) fn add(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    // `text LIKE pattern ESCAPE escape` calls like(pattern, text, escape).
    connection.create_scalar_function("like", 3, flags, like)?;
    connection.create_scalar_function("attribute", 2, flags, |context| {
        Ok(match (object(context)?, text(context, 1)) {
            (Some(stored), Some(key)) => attributes::lookup(stored, key),
            _ => None,
        })
    })?;
    connection.create_scalar_function("attribute_in", 3, flags, |context| {
        Ok(
            match (object(context)?, text(context, 1), text(context, 2)) {
                (Some(stored), Some(key), Some(given)) => attributes::any(stored, key, given),
                _ => None,
            },
        )
    })?;
    connection.create_scalar_function("attribute_compare", 3, flags, |context| {
        Ok(
            match (object(context)?, text(context, 1), text(context, 2)) {
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

/// The attributes to search. Reading large ones takes as long as thousands of SQLite's steps, so each read of large
/// attributes checks for cancellation.
fn object<'a>(context: &'a Context<'_>) -> rusqlite::Result<Option<&'a str>> {
    const LARGE: usize = 64 * 1024;
    let object = text(context, 0);
    match object.is_some_and(|object| object.len() > LARGE) && cancel::cancelled() {
        true => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT),
            None,
        )),
        false => Ok(object),
    }
}

fn like(context: &mut Context<'_>) -> rusqlite::Result<ToSqlOutput<'static>> {
    let pattern = context.get_or_create_aux(0, |value| {
        Ok::<_, rusqlite::Error>(value.as_str().ok().and_then(Pattern::parse))
    })?;
    let matches = match (pattern.as_ref(), text(context, 1)) {
        (Some(pattern), Some(text)) => Some(pattern.matches(text, cancel::cancelled)),
        _ => None,
    };
    Ok(matches.map_or(ToSqlOutput::from(rusqlite::types::Null), ToSqlOutput::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_large_attributes_again_and_again_is_not_brief() {
        let connection = Connection::open_in_memory().unwrap();
        add(&connection).unwrap();
        let read = |size: usize| -> rusqlite::Result<String> {
            let object = format!(r#"{{"a":"b","c":"{}"}}"#, "x".repeat(size));
            connection.query_row("SELECT attribute($1, 'a')", [object], |row| row.get(0))
        };
        let brief = cancel::briefly(|| (0..100).map(|_| read(1_000)).collect::<Vec<_>>());
        assert!(brief.unwrap().iter().all(|read| read == &Ok("b".into())));
        assert_eq!(cancel::briefly(|| read(100_000)), Some(Ok("b".into())));
        let long = cancel::briefly(|| [read(100_000), read(100_000)]);
        assert_eq!(long, None);
    }
}
