//! Reading a file without changing it, also one that may not be written to.
//!
//! What may be written is opened for that also to be read: of a database with a write-ahead log a reader notes in the log's
//! index (`-shm`) where it reads, and who closes it last removes both. A connection that cannot write to the database makes
//! the two files where they are missing, and leaves them. So a file that may not be written to, or in whose folder
//! nothing can be made, is opened in one of these ways, none of which makes anything:
//!
//! - Without a log, as a backup is: for reading. SQLite's locks part it from those that write.
//! - With a log and its index beside it, as another program that has it open keeps them: for reading too. SQLite reads
//!   from an index that it may not write to.
//! - With neither: as `immutable`, which is without locks and without a look for a log, and safe only where nobody writes.
//!   That this user cannot does not tell that nobody can: there may be the file's owner, or another mount of the same
//!   disk. But whoever writes to a database that has a log makes the log first, and touches the file after that. So both
//!   are looked at again after every read, and what was read from a file that has changed is not answered.
//!
//! A log that holds something and has no index can be read in none of these ways.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::Access;

use super::part::{self, exists, failed, with_end};
use super::restore;
use super::schema::{self, State};
use crate::base::error::{Code, Error, Result};

/// How a connection that reads is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As one that could write.
    Writing,
    /// As one that could write, too, where a log holds something. That may be what a program has left that ended without
    /// closing the file. Who closes the file last would write the log into it and remove it, whatever has become of the
    /// file: this one does so only with a log all of which is in the file already, see [`Way::end`].
    Logged,
    /// For reading. It undoes no half write of others either, so that it is also the way to read a file that may be
    /// replaced between two reads, as one without a log may be: a journal of that name would be another file's.
    Reading,
    /// As a file that nobody changes.
    Immutable(Still),
}

/// What changes with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Still {
    file: (u64, u64),
    size: u64,
    /// When its content, and when anything of it was changed, in seconds and nanoseconds.
    times: [(i64, i64); 2],
}

impl Still {
    fn of(path: &Path) -> std::io::Result<Still> {
        let found = std::fs::metadata(path)?;
        Ok(Still {
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
    /// That of a file which is there and cannot be written to, or beside which nothing can be made.
    fn of_unwritable(path: &Path) -> Result<Way> {
        let refuse = |error| failed(path, "cannot be read", &error);
        let still = Still::of(path).map_err(refuse)?;
        // What a journal beside it undoes belongs to it; SQLite then says so.
        let is_half_written = restore::live_sides(path).contains(&"-journal");
        if is_half_written || !has_log(path).map_err(refuse)? {
            return Ok(Way::Reading);
        }
        let (log, index) = (with_end(path, "-wal"), with_end(path, "-shm"));
        let size = std::fs::metadata(&log).map_or(0, |log| log.len());
        match (exists(&log), exists(&index)) {
            (true, true) => Ok(Way::Reading),
            (true, false) if size > 0 => Err(Error::failed(format!(
                "{}: holds writes that cannot be read without {}, which crm may not make and remove again; copy {} and \
                 its log to a place where you may write, and read the copy",
                log.display(),
                index.display(),
                path.display()
            ))),
            _ => Ok(Way::Immutable(still)),
        }
    }

    /// A connection, with these flags where it is to be as one that could write.
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

    /// One more connection.
    pub(super) fn another(&self, path: &Path) -> rusqlite::Result<Connection> {
        self.connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// To be said of a connection that has read all it wants, outside of a transaction and before it is closed.
    pub(super) fn end(&self, connection: &Connection) {
        if *self != Way::Logged {
            return;
        }
        // Only looks, and answers how many pages the log has and how many of those are in the file.
        let look = "PRAGMA wal_checkpoint(NOOP)";
        let pages = connection.query_row(look, [], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        if pages.is_ok_and(|(all, moved)| all == moved) {
            // Where this fails the log stays.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        }
    }

    /// Fails where the file has changed in a way that its readers do not notice. To be asked after they have read.
    pub(super) fn holds(&self, path: &Path) -> Result<()> {
        let Way::Immutable(still) = self else {
            return Ok(());
        };
        let log = std::fs::metadata(with_end(path, "-wal")).map_or(0, |log| log.len());
        match log == 0 && Still::of(path).is_ok_and(|now| now == *still) {
            true => Ok(()),
            false => Err(Error::new(
                Code::Unavailable,
                format!(
                    "{}: was changed while it was read; what was read may not fit together, try again",
                    path.display()
                ),
            )),
        }
    }
}

/// Opens a file that this process has not open to read it, and runs `begin` on the connection, which is to read and to
/// keep nothing where it fails. `flags` are for one that may be written to.
pub(super) fn open<T>(
    path: &Path,
    flags: OpenFlags,
    begin: impl Fn(&mut Connection) -> Result<T>,
) -> Result<(Connection, Way, T)> {
    let refuse = |error: rusqlite::Error| part::unusable(path, &error);
    let log = std::fs::metadata(with_end(path, "-wal"));
    let way = match log.is_ok_and(|log| log.len() > 0) {
        true => Way::Logged,
        false => Way::Writing,
    };
    let mut connection = way.connect(path, flags).map_err(refuse)?;
    // SQLite opens what it may not write to for reading. It has not read yet, and so not made a log.
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

/// Whether SQLite can make its files beside this one.
fn can_make_beside(path: &Path) -> bool {
    rustix::fs::access(part::folder_of(path), Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Whether the database is one with a write-ahead log, by the version that its header asks of a reader
/// (<https://www.sqlite.org/fileformat2.html>, 1.3.3).
fn has_log(path: &Path) -> std::io::Result<bool> {
    let mut header = Vec::new();
    // No connection to it is open, whose locks this would end.
    std::fs::File::open(path)?
        .take(20)
        .read_to_end(&mut header)?;
    Ok(header.get(19) == Some(&2))
}

/// A connection to a file that nobody changes meanwhile (<https://www.sqlite.org/uri.html>).
pub(super) fn immutable(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = b"file://".to_vec();
    // After two slashes there has to be an authority, which is empty, or the path from the root.
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

/// Refuses what could only be read after it has been written to.
pub(super) fn refuse_old(path: &Path, state: State) -> Result<()> {
    let shown = path.display();
    match state {
        State::Ready => Ok(()),
        State::Empty => Err(Error::failed(format!(
            "{shown}: is empty, expected a database of crm's"
        ))),
        State::Older(_) | State::Earlier => Err(Error::failed(format!(
            "{shown}: has to be brought up to date before it can be read, but {}; copy it, and read the copy",
            schema::barrier(path)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::store::sqlite::{Sqlite, Work};

    fn database(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        drop(Sqlite::open(&path, Work::Command).unwrap());
        path
    }

    #[test]
    fn a_name_may_hold_what_means_something_in_a_uri() {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path(), "a%41?mode=memory#b c.db");
        let way = Way::of_unwritable(&path).unwrap();
        assert!(matches!(way, Way::Immutable(_)), "{way:?}");
        let connection = way.another(&path).unwrap();
        assert_eq!(schema::state(&connection).ok(), Some(State::Ready));
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
        // So far it is in the log.
        assert_eq!(way.holds(&path).unwrap_err().code, Code::Unavailable);
        drop(writer);
        assert!(!exists(&with_end(&path, "-wal")));
        assert!(way.holds(&path).is_err());
        // Another file of the name is another file.
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
