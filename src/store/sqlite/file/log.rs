//! The write-ahead log: turns it on, and moves it into the file.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::store::sqlite::turn::BUSY;

/// Turns the write-ahead log on and returns the mode of the file. If two processes do so at the same time, the second fails
/// as busy at once, whatever its timeout: SQLite lets it read first, and a reader cannot wait to become a writer.
pub(crate) fn write_ahead(connection: &Connection) -> rusqlite::Result<String> {
    let start = Instant::now();
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        match &mode {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && start.elapsed() < BUSY =>
            {
                std::thread::sleep(Duration::from_millis(1));
            }
            _ => return mode,
        }
    }
}

/// Moves the pages in the log into the file, as far as no reader needs an older state of the file. Returns how many pages
/// have been moved; none if another process is doing so.
pub(crate) fn checkpoint(connection: &Connection) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
    statement.query_row([], |row| {
        Ok(usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0))
    })
}

/// Moves the whole log into the file and cuts it to nothing. Returns whether that was done; not while somebody reads an older
/// state of the file, or writes.
pub(crate) fn truncate(connection: &Connection) -> rusqlite::Result<bool> {
    // A connection that has not used the log yet would open it inside the checkpoint with a read, and the checkpoint would
    // wait for that read until the busy timeout.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        Ok(row.get::<_, i64>(0)? == 0)
    })
}
