//! How every connection is set up.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::{cancel, functions, turn};

/// SQLite's steps between two checks whether the work was cancelled; well under a millisecond.
const STEPS: i32 = 10_000;

/// Prepared statements kept on a connection: the fixed ones, and the lists and updates that repeat.
const KEPT_STATEMENTS: usize = 64;

/// The page cache of a reading connection, in KiB. The system's own cache holds the file too.
const READER_CACHE: i64 = 1_024;

/// Sets up a new connection, whatever it is for.
pub(crate) fn set_up(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
    functions::add(connection)?;
    // Otherwise SQLite plans a statement again for every limit that is bound to it: a fifth of the cost of a short list.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.progress_handler(STEPS, Some(cancel::cancelled))?;
    // temp_store: the ids of a list may be many, so they belong in a file.
    connection.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = FILE",
    )
}

/// Sets up a new connection that reads beside others.
pub(crate) fn set_up_reader(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(turn::again))?;
    set_up(connection)?;
    limit_cache(connection)
}

/// Gives a connection the page cache of one that only reads.
pub(crate) fn limit_cache(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "cache_size", -READER_CACHE)
}
