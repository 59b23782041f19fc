//! Sets up connections, so that all have the same settings and functions.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::{cancel, functions, turn};

/// How many steps SQLite makes between two checks for cancellation; they take well under a millisecond.
const STEPS: i32 = 10_000;

/// Prepared statements kept on a connection: the fixed ones, and the lists and updates that repeat.
const KEPT_STATEMENTS: usize = 64;

/// The page cache of a reading connection, in KiB. The system's own cache holds the file too.
const READER_CACHE: i64 = 1_024;

/// Sets up a new connection, whatever its purpose.
pub(crate) fn set_up(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
    functions::add(connection)?;
    // Without this, SQLite plans a statement again for every limit that is bound to it, which is a fifth of the cost of a
    // short list.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.progress_handler(STEPS, Some(cancel::cancelled))?;
    // temp_store: the ids of a list may be many, so they belong in a file.
    connection.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = FILE",
    )
}

/// Sets up a new connection for reading.
pub(crate) fn set_up_reader(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(turn::again))?;
    set_up(connection)?;
    limit_cache(connection)
}

/// Limits the page cache of a connection to the size for readers.
pub(crate) fn limit_cache(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "cache_size", -READER_CACHE)
}
