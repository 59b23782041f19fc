//! Opens a file for reading without changing it, even a file that may not be written to.
//!
//! A file that may be written to is opened for writing even by readers. A reader of a database with a write-ahead log notes
//! its position in the log's index (`-shm`), and the last connection to close removes both files. A connection that cannot
//! write to the database makes the log and its index if they are missing, and leaves them behind. So a file that may not be
//! written to, or whose folder does not allow new files, is opened in one of these ways, none of which makes a file:
//!
//! - A database without a log, such as a backup, is opened for reading. SQLite's locks keep it apart from writers.
//! - A database whose log and index exist, because another program has it open, is opened for reading too. SQLite can read
//!   an index that it may not write to.
//! - A database whose log and index are both missing is opened as `immutable`: without locks and without looking for a log.
//!   That is safe only while nobody writes. The file's owner may write even if this user cannot, and so may somebody
//!   through another mount of the same disk. But a writer of a database with a write-ahead log makes the log first, and
//!   changes the file only after that. So both are checked again after every read, and a result that was read from a
//!   changed file is discarded.
//!
//! A non-empty log without an index cannot be read in any of these ways.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::Access;

use super::paths::{exists, failed, folder_of, live_sides, with_end};
use super::refusal;
use crate::base::error::{Code, Error, Result};

/// How a reading connection is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// For writing.
    Writing,
    /// For writing, with a non-empty log. A program that ended without closing the file may have left it. The last
    /// connection to close would write the log into the file and remove the log, even if the file was replaced. This
    /// connection does so only if the file already has everything in the log, see [`Way::end`].
    Logged,
    /// For reading. Such a connection does not roll back an unfinished write of another program either. So a file without a
    /// log, which may be replaced between two reads, is read in this way too: a journal with its name might belong to
    /// another file.
    Reading,
    /// As a file that does not change.
    Immutable(Unchanged),
}

/// The properties of a file that change when somebody writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unchanged {
    file: (u64, u64),
    size: u64,
    /// When its content and when its metadata last changed, in seconds and nanoseconds.
    times: [(i64, i64); 2],
}

impl Unchanged {
    fn of(path: &Path) -> std::io::Result<Unchanged> {
        let found = std::fs::metadata(path)?;
        Ok(Unchanged {
            file: (found.dev(), found.ino()),
            size: found.size(),
            times: [
                (found.mtime(), found.mtime_nsec()),
                (found.ctime(), found.ctime_nsec()),
            ],
        })
    }
}

impl Way {
    /// The way for a file that exists and cannot be written to, or beside which no file can be made.
    fn of_unwritable(path: &Path) -> Result<Way> {
        let refuse = |error| failed(path, "cannot be read", &error);
        let unchanged = Unchanged::of(path).map_err(refuse)?;
        // The file is incomplete until the write in the journal beside it is rolled back; SQLite then reports that.
        let is_half_written = live_sides(path).contains(&"-journal");
        if is_half_written || !has_log(path).map_err(refuse)? {
            return Ok(Way::Reading);
        }
        let (log, index) = (with_end(path, "-wal"), with_end(path, "-shm"));
        let size = std::fs::metadata(&log).map_or(0, |log| log.len());
        match (exists(&log), exists(&index)) {
            (true, true) => Ok(Way::Reading),
            (true, false) if size > 0 => Err(Error::failed(format!(
                "{}: holds writes that cannot be read without {}, which crm has no permission to make and remove; \
                 copy {} and its log to a folder where you may write, and read the copy",
                log.display(),
                index.display(),
                path.display()
            ))),
            _ => Ok(Way::Immutable(unchanged)),
        }
    }

    /// Opens a connection. The flags are for a writing connection.
    fn connect(&self, path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let base = OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reading = base | OpenFlags::SQLITE_OPEN_READ_ONLY;
        match self {
            Way::Writing => Connection::open_with_flags(path, flags | base),
            Way::Logged => {
                let connection = Connection::open_with_flags(path, flags | base)?;
                connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
                Ok(connection)
            }
            Way::Reading => Connection::open_with_flags(path, reading),
            Way::Immutable(_) => immutable(path),
        }
    }

    /// Opens one more connection.
    pub(crate) fn another(&self, path: &Path) -> rusqlite::Result<Connection> {
        self.connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Prepares a connection to be closed. Called outside a transaction.
    pub(crate) fn end(&self, connection: &Connection) {
        if *self != Way::Logged {
            return;
        }
        // This changes nothing. It reports how many pages the log has, and how many of them are in the file.
        let look = "PRAGMA wal_checkpoint(NOOP)";
        let pages = connection.query_row(look, [], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        if pages.is_ok_and(|(all, moved)| all == moved) {
            // If this fails, the log stays.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        }
    }

    /// Fails if the file has changed in a way that a reader does not notice. Called after every read.
    pub(crate) fn holds(&self, path: &Path) -> Result<()> {
        let Way::Immutable(unchanged) = self else {
            return Ok(());
        };
        let log = std::fs::metadata(with_end(path, "-wal")).map_or(0, |log| log.len());
        match log == 0 && Unchanged::of(path).is_ok_and(|now| now == *unchanged) {
            true => Ok(()),
            false => Err(Error::new(
                Code::Unavailable,
                format!(
                    "{}: was changed while it was read, so the result may be inconsistent; try again",
                    path.display()
                ),
            )),
        }
    }
}

/// Opens a file that this process does not have open, for reading, and runs `begin` on the connection. `begin` must read,
/// and must keep nothing if it fails. The flags are for a file that may be written to.
pub(crate) fn open<T>(
    path: &Path,
    flags: OpenFlags,
    begin: impl Fn(&mut Connection) -> Result<T>,
) -> Result<(Connection, Way, T)> {
    let refuse = |error: rusqlite::Error| refusal::unusable_or_full(path, &error);
    let log = std::fs::metadata(with_end(path, "-wal"));
    let way = match log.is_ok_and(|log| log.len() > 0) {
        true => Way::Logged,
        false => Way::Writing,
    };
    let mut connection = way.connect(path, flags).map_err(refuse)?;
    // If a file may not be written to, SQLite has opened it for reading. It has not read anything yet, so it has not made a
    // log.
    if !connection.is_readonly("main").map_err(refuse)? {
        match begin(&mut connection) {
            Err(_) if !can_make_beside(path) => {}
            begun => return Ok((connection, way, begun?)),
        }
    }
    drop(connection);
    let way = Way::of_unwritable(path)?;
    let mut connection = way.another(path).map_err(refuse)?;
    let begun = begin(&mut connection);
    way.holds(path)?;
    Ok((connection, way, begun?))
}

/// Whether SQLite can make files beside this one.
fn can_make_beside(path: &Path) -> bool {
    rustix::fs::access(folder_of(path), Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Whether the database uses a write-ahead log: its header then requires readers of version 2
/// (<https://www.sqlite.org/fileformat2.html>, 1.3.3).
fn has_log(path: &Path) -> std::io::Result<bool> {
    let mut header = Vec::new();
    // No connection to it is open, so closing this descriptor ends no locks.
    std::fs::File::open(path)?
        .take(20)
        .read_to_end(&mut header)?;
    Ok(header.get(19) == Some(&2))
}

/// Opens a file that does not change in the meantime (<https://www.sqlite.org/uri.html>).
pub(crate) fn immutable(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = b"file://".to_vec();
    // The authority between the two slashes and the path is empty. The path is absolute.
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.into());
    for byte in whole.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").as_bytes()),
            byte => uri.push(*byte),
        }
    }
    uri.extend(b"?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(OsString::from_vec(uri), flags)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::model::nouns::NOUNS;
    use crate::store::sqlite::file::log::write_ahead;
    use crate::store::sqlite::file::place::FileId;
    use crate::store::sqlite::file::prepare::prepare;
    use crate::store::sqlite::file::schema::{FileState, Schema};

    fn database(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        let mut connection = Connection::open(&path).unwrap();
        let id = FileId::of(&path);
        prepare(&path, id, &mut connection, Schema::of(&NOUNS)).unwrap();
        write_ahead(&connection).unwrap();
        path
    }

    #[test]
    fn a_name_may_hold_what_means_something_in_a_uri() {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path(), "a%41?mode=memory#b c.db");
        let way = Way::of_unwritable(&path).unwrap();
        assert!(matches!(way, Way::Immutable(_)), "{way:?}");
        let connection = way.another(&path).unwrap();
        let state = Schema::of(&NOUNS).state(&connection);
        assert_eq!(state.ok(), Some(FileState::Ready));
        assert_eq!(connection.path(), path.to_str());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_written_while_a_file_is_taken_for_immutable_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path(), "crm.db");
        let way = Way::of_unwritable(&path).unwrap();
        assert_eq!(way.holds(&path), Ok(()));
        let writer = Connection::open(&path).unwrap();
        let write = "CREATE TABLE IF NOT EXISTS other (id); INSERT INTO other VALUES (1)";
        writer.execute_batch(write).unwrap();
        // So far, the write is only in the log.
        assert_eq!(way.holds(&path).unwrap_err().code, Code::Unavailable);
        drop(writer);
        assert!(!exists(&with_end(&path, "-wal")));
        assert!(way.holds(&path).is_err());
        // A new file of the same name counts as changed.
        let way = Way::of_unwritable(&path).unwrap();
        let other = folder.path().join("other.db");
        std::fs::copy(&path, &other).unwrap();
        assert_eq!(way.holds(&path), Ok(()));
        std::fs::rename(&other, &path).unwrap();
        assert!(way.holds(&path).is_err());
    }

    #[test]
    fn a_log_without_its_index_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path(), "crm.db");
        let log = with_end(&path, "-wal");
        std::fs::write(&log, "").unwrap();
        assert!(matches!(Way::of_unwritable(&path), Ok(Way::Immutable(_))));
        std::fs::write(&log, "frames").unwrap();
        let error = Way::of_unwritable(&path).unwrap_err();
        assert!(
            error.message.contains("crm.db-wal: holds writes"),
            "{error}"
        );
        std::fs::write(with_end(&path, "-shm"), "").unwrap();
        assert_eq!(Way::of_unwritable(&path), Ok(Way::Reading));
    }
}
