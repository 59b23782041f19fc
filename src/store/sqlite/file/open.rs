//! Opens a file for a store: makes the first connection, and brings the file up to date.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::log::{checkpoint, write_ahead};
use super::paths::sync_folder;
use super::place::{self, FileId, OpenFiles};
use super::prepare::prepare;
use super::refusal::{barrier, unusable, unwritable};
use super::schema::{FileState, Schema};
use super::way::{self, Way};
use crate::base::error::{Error, Result};
use crate::store::sqlite::connection::set_up;
use crate::store::sqlite::error::map_err;
use crate::store::sqlite::turn::{self, BUSY};

/// Before 3.51.3, a reset of the write-ahead log at the wrong moment could corrupt the file.
const OLDEST_SQLITE: i32 = 3_051_003;

/// The page cache of a server's writing connection, in KiB. It holds the upper levels of the indexes at ten million leads,
/// so that a write reads one page for each index.
const WRITER_CACHE: i64 = 8 * 1_024;

/// How often a restore may come in between before the opening fails.
const TRIES: usize = 10;

/// A file that was opened.
pub(crate) struct Opened {
    /// The first connection.
    pub(crate) connection: Connection,
    /// How further connections are opened.
    pub(crate) way: Way,
    pub(crate) files: Arc<OpenFiles>,
    /// The line that describes what was done to an old database.
    pub(crate) notice: Option<String>,
}

/// Refuses to work with a SQLite that can corrupt a file.
pub(crate) fn check_version() -> Result<()> {
    match rusqlite::version_number() < OLDEST_SQLITE {
        true => Err(Error::failed(format!(
            "SQLite {} can corrupt a file; 3.51.3 or newer is needed",
            rusqlite::version()
        ))),
        false => Ok(()),
    }
}

/// Opens the file of a store that only reads.
pub(crate) fn open_to_read(path: &Path, schema: Schema<'_>) -> Result<Opened> {
    place::settled(path, |id| {
        let (connection, way, notice) = connect_to_read(path, id, schema)?;
        let warning = place::one_name(path).err();
        let warning = warning.map(|error| format!("warning: {}", error.message));
        let notice = notice.or(warning);
        Ok(Opened {
            connection,
            way,
            files: Arc::new(OpenFiles::new(path, id)),
            notice,
        })
    })
}

/// Opens the file of a store that writes. `syncs` is SQLite's `synchronous`.
pub(crate) fn open_to_write(
    path: &Path,
    schema: Schema<'_>,
    syncs: &str,
    is_server: bool,
) -> Result<Opened> {
    place::settled(path, |id| {
        let (connection, notice) = connect_to_write(path, id, schema, syncs, is_server)?;
        Ok(Opened {
            connection,
            way: Way::Writing,
            files: Arc::new(OpenFiles::new(path, id)),
            notice,
        })
    })
}

fn connect_to_read(
    path: &Path,
    id: FileId,
    schema: Schema<'_>,
) -> Result<(Connection, Way, Option<String>)> {
    let refuse = |error: rusqlite::Error| unusable(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let (mut connection, way, notice) = way::open(path, flags, |connection| {
        let notice = match connection.is_readonly("main").map_err(refuse)? {
            false => prepare(path, id, connection, schema)?,
            true => {
                connection.busy_timeout(BUSY).map_err(refuse)?;
                let state = schema.state(connection);
                refuse_old(path, state.map_err(|refused| refused.error(path))?)?;
                None
            }
        };
        set_up(connection).map_err(refuse)?;
        Ok(notice)
    })?;
    connection.busy_handler(Some(turn::again)).map_err(refuse)?;
    let way = match way {
        way @ (Way::Writing | Way::Logged) => {
            let mode: String = connection
                .pragma_query_value(None, "journal_mode", |row| row.get(0))
                .map_err(refuse)?;
            // Without a log, nothing prevents a restore from replacing this file between two reads.
            match mode == "wal" {
                true => way,
                false => Way::Reading,
            }
        }
        way => way,
    };
    Ok((connection, way, notice))
}

/// Refuses a file that would have to be changed before it can be read.
pub(crate) fn refuse_old(path: &Path, state: FileState) -> Result<()> {
    let shown = path.display();
    match state {
        FileState::Ready => Ok(()),
        FileState::Empty => Err(Error::failed(format!(
            "{shown}: is empty, expected a crm database"
        ))),
        FileState::Older(_) | FileState::Earlier => Err(Error::failed(format!(
            "{shown}: has to be brought up to date before it can be read, but {}; copy it, and read the copy",
            barrier(path)
        ))),
    }
}

fn connect_to_write(
    path: &Path,
    id: FileId,
    schema: Schema<'_>,
    syncs: &str,
    is_server: bool,
) -> Result<(Connection, Option<String>)> {
    let refuse = |error: rusqlite::Error| unusable(path, &error);
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(refuse)?;
    // If a file may not be written to, SQLite opens it for reading, and reports that only at the first write.
    if connection.is_readonly("main").map_err(refuse)? {
        return Err(unwritable(path));
    }
    place::one_name(path)?;
    let notice = prepare(path, id, &mut connection, schema)?;
    // Only after the schema, because preparing it sets another busy timeout and removes it again.
    connection.busy_handler(Some(turn::again)).map_err(refuse)?;
    set_up(&mut connection).map_err(refuse)?;
    connection
        .pragma_update(None, "synchronous", syncs)
        .map_err(refuse)?;
    if is_server {
        connection
            .pragma_update(None, "cache_size", -WRITER_CACHE)
            .map_err(refuse)?;
    }
    lock_with_log(path, &connection, || {})?;
    Ok((connection, notice))
}

/// Turns the write-ahead log on and takes the lock that a connection with a log keeps until it is closed: from then on no
/// restore can change the file. A restore in between leaves a file without a log, so the mode is looked at under the lock.
/// Tests use `between` to do the same.
fn lock_with_log(path: &Path, connection: &Connection, mut between: impl FnMut()) -> Result<()> {
    let refuse = |error: rusqlite::Error| unusable(path, &error);
    for _ in 0..TRIES {
        if write_ahead(connection).map_err(refuse)? != "wal" {
            let shown = path.display();
            return Err(Error::failed(format!(
                "{shown}: expected a file system that can hold a write-ahead log"
            )));
        }
        between();
        let mode: String = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
            .and_then(|()| connection.pragma_query_value(None, "journal_mode", |row| row.get(0)))
            .map_err(refuse)?;
        if mode == "wal" {
            return Ok(());
        }
    }
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    Err(refuse(rusqlite::Error::SqliteFailure(busy, None)))
}

/// Moves the log into the file before a server begins, so that nothing is only in the log. If the disk failed, the system
/// may show pages as written that the previous process could not sync, and would not write them again; a later commit in
/// the log would be lost with them. Moving the log into the file writes them once more. The log's name must survive too:
/// SQLite syncs the folder, but ignores the result.
pub(crate) fn settle_log(connection: &Connection, path: &Path) -> Result<()> {
    sync_folder(path)?;
    match checkpoint(connection) {
        Ok(_) => Ok(()),
        // Reads work on a full disk, and writes will report the error.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => Ok(()),
        Err(error) => Err(unusable(path, &error)),
    }
}

/// The source of an unfinished copy into this file.
pub(crate) fn unfinished_copy(connection: &Connection) -> Result<Option<String>> {
    let read = || -> rusqlite::Result<Option<String>> {
        let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'crm_copy'";
        match connection.query_row(there, [], |row| row.get(0))? {
            0 => Ok(None),
            _ => connection
                .query_row("SELECT source FROM crm_copy", [], |row| row.get(0))
                .optional(),
        }
    };
    read().map_err(|error| map_err(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_was_turned_off_meanwhile_is_turned_on_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crm.db");
        // A new connection each time: one that has read the file before does not look at its mode again.
        let turned_off = || {
            let other = Connection::open(&path).unwrap();
            let sql = "PRAGMA journal_mode = DELETE";
            let mode = other.query_row(sql, [], |row| row.get::<_, String>(0));
            mode.is_ok_and(|mode| mode == "delete")
        };
        let off = || assert!(turned_off());
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE a (b)").unwrap();
        let mut tries = 0;
        let between = || {
            tries += 1;
            if tries < 3 {
                off();
            }
        };
        assert_eq!(lock_with_log(&path, &connection, between), Ok(()));
        assert_eq!(tries, 3);
        // It has the lock: nobody can turn the log off any more.
        assert!(!turned_off());
        drop(connection);
        off();
        let connection = Connection::open(&path).unwrap();
        let error = lock_with_log(&path, &connection, off).unwrap_err();
        assert!(error.message.contains("try again"), "{error}");
    }
}
