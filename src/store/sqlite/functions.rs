//! The SQL functions that crm adds to every connection: those that SQLite lacks, and a `LIKE` that ignores the case of all
//! letters, where SQLite's own does so for ASCII only.

use std::borrow::Cow;

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::cancel;
use crate::base::text::Pattern;
use crate::base::time;
use crate::model::attributes::{self, Given, GivenOneOf};
use crate::model::email::email;
use crate::model::query::SORTED_LETTERS;

/// Adds the functions to a connection.
pub(crate) fn add(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    // PostgreSQL has a function of this name too, so one text serves both.
    let changing = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("crm_now", 0, changing, |_| Ok(time::now()))?;
    // `text LIKE pattern ESCAPE escape` calls like(pattern, text, escape).
    connection.create_scalar_function("like", 3, flags, like)?;
    connection.create_scalar_function("attribute_search", 2, flags, |context| {
        let pattern = context.get_or_create_aux(1, pattern)?;
        Ok(match (pattern.as_ref(), &object(context)?) {
            (Some(pattern), Some(stored)) => attributes::search(stored, pattern, cancel::cancelled),
            _ => false,
        })
    })?;
    connection.create_scalar_function("attribute_order", 2, flags, |context| {
        Ok(match (&object(context)?, key(context)) {
            (Some(stored), Some(key)) => attributes::order_text(stored, key, SORTED_LETTERS),
            _ => None,
        })
    })?;
    connection.create_scalar_function("attribute", 2, flags, |context| {
        Ok(match (&object(context)?, key(context)) {
            (Some(stored), Some(key)) => attributes::lookup(stored, key),
            _ => None,
        })
    })?;
    connection.create_scalar_function("attribute_in", 3, flags, |context| {
        // The values are read once for a query.
        let given = context.get_or_create_aux(2, |value| {
            Ok::<_, rusqlite::Error>(value.as_str().ok().and_then(GivenOneOf::from_json))
        })?;
        Ok(match (&object(context)?, key(context), &*given) {
            (Some(stored), Some(key), Some(given)) => given.has(stored, key),
            _ => None,
        })
    })?;
    connection.create_scalar_function("attribute_compare", 3, flags, |context| {
        let given = context.get_or_create_aux(2, |value| {
            Ok::<_, rusqlite::Error>(value.as_str().ok().map(Given::new))
        })?;
        Ok(match (&object(context)?, key(context), &*given) {
            (Some(stored), Some(key), Some(given)) => {
                given.compare(stored, key).map(|order| order as i8)
            }
            _ => None,
        })
    })
}

/// Adds `crm_email(text)`, which steps of the schema use: the form in which an address is stored, null for other values.
pub(crate) fn add_email(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("crm_email", 1, flags, |context| {
        Ok(context.get_raw(0).as_str().ok().and_then(email))
    })
}

/// A text. Another program may have stored something else, which is searched as it is shown.
fn text<'a>(context: &'a Context<'_>, index: usize) -> Option<Cow<'a, str>> {
    match context.get_raw(index) {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes)),
        ValueRef::Integer(int) => Some(int.to_string().into()),
        ValueRef::Real(real) => Some(real.to_string().into()),
        ValueRef::Null => None,
    }
}

/// The key of an attribute, which a filter gives.
fn key<'a>(context: &'a Context<'_>) -> Option<&'a str> {
    context.get_raw(1).as_str().ok()
}

/// The length of a text from which on reading it takes as long as thousands of SQLite's steps, in bytes. Each such read
/// checks for cancellation.
const LARGE: usize = 64 * 1024;

/// Fails if the work on this thread is cancelled and this text is large.
fn unless_cancelled(text: Option<&str>) -> rusqlite::Result<()> {
    match text.is_some_and(|text| text.len() > LARGE) && cancel::cancelled() {
        true => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT),
            None,
        )),
        false => Ok(()),
    }
}

/// The attributes to search.
fn object<'a>(context: &'a Context<'_>) -> rusqlite::Result<Option<Cow<'a, str>>> {
    let object = text(context, 0);
    unless_cancelled(object.as_deref())?;
    Ok(object)
}

/// Reads a pattern once for a statement.
fn pattern(value: ValueRef<'_>) -> rusqlite::Result<Option<Pattern>> {
    Ok(value.as_str().ok().and_then(Pattern::parse))
}

fn like(context: &mut Context<'_>) -> rusqlite::Result<ToSqlOutput<'static>> {
    let pattern = context.get_or_create_aux(0, pattern)?;
    let text = text(context, 1);
    unless_cancelled(text.as_deref())?;
    let matches = match (pattern.as_ref(), &text) {
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
