//! The database that a restore replaces: locks it, so that nobody uses it meanwhile.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::FlockOperation;

use crate::base::error::{Code, Error, Result};
use crate::store::sqlite::file::paths::{exists, failed};
use crate::store::sqlite::file::place;
use crate::store::sqlite::file::refusal::unusable_or_full;

/// How long to wait for a command that has the database open. A server never closes it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The time between two checks of whether it is still open.
const NAP: Duration = Duration::from_millis(5);

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

pub(super) fn in_use(path: &Path) -> Error {
    Error::new(
        Code::Conflict,
        format!(
            "{}: is in use by a server or another program; stop the server, or try again in a moment; nothing was restored",
            path.display()
        ),
    )
}

/// What is in the place of the database, with the lock on it.
pub(crate) enum OldDatabase {
    /// Nothing.
    Nothing,
    /// One plain file that holds everything. The lock is the connection's.
    Whole(Connection),
    /// A file that SQLite cannot open. The lock is on the whole file, and collides with SQLite's locks.
    Damaged(File),
}

impl OldDatabase {
    /// Turns the old database into one plain file and locks it.
    pub(crate) fn lock(path: &Path) -> Result<OldDatabase> {
        place::settled(path, |_| {
            if !exists(path) {
                return Ok(OldDatabase::Nothing);
            }
            let start = Instant::now();
            let locked = loop {
                match plain(path) {
                    Err(error) if is_busy(&error) && start.elapsed() < PATIENCE => {
                        std::thread::sleep(NAP);
                    }
                    locked => break locked,
                }
            };
            match locked {
                Ok(connection) => Ok(OldDatabase::Whole(connection)),
                Err(error) if is_busy(&error) => Err(in_use(path)),
                Err(error) => match error.sqlite_error_code() {
                    Some(
                        ErrorCode::DiskFull
                        | ErrorCode::ReadOnly
                        | ErrorCode::PermissionDenied
                        | ErrorCode::CannotOpen,
                    ) => Err(unusable_or_full(path, &error)),
                    _ => OldDatabase::damaged(path),
                },
            }
        })
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, OldDatabase::Nothing)
    }

    /// Warnings about tokens: whom a service admits with the new database but did not admit with this one.
    pub(crate) fn tokens_beside(&self, new: &Connection) -> Vec<String> {
        let tokens = |of: &Connection| {
            let mut all = of.prepare("SELECT hash, name FROM crm_tokens ORDER BY name")?;
            let all = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            all.collect::<rusqlite::Result<Vec<(String, String)>>>()
        };
        let OldDatabase::Whole(old) = self else {
            return Vec::new();
        };
        // A database from before tokens existed has none.
        let (before, now) = (
            tokens(old).unwrap_or_default(),
            tokens(new).unwrap_or_default(),
        );
        if now.is_empty() && !before.is_empty() {
            let open = "the backup has no token: a service over this database is open to everyone who can reach it";
            return vec![open.into()];
        }
        let is_new = |token: &&(String, String)| !before.iter().any(|known| known.0 == token.0);
        let names: Vec<&str> = now
            .iter()
            .filter(is_new)
            .map(|(_, name)| name.as_str())
            .collect();
        match names.is_empty() {
            true => Vec::new(),
            false => vec![format!(
                "these tokens were not valid before, and are valid now, as in the backup: {}; revoke those that should not be valid",
                names.join(", ")
            )],
        }
    }

    fn damaged(path: &Path) -> Result<OldDatabase> {
        let file = File::options().read(true).write(true).open(path);
        let file = file.map_err(|error| failed(path, "cannot be replaced", &error))?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(OldDatabase::Damaged(file)),
            Err(_) => Err(in_use(path)),
        }
    }
}

/// Writes the log of a database into it, or rolls back the write in its journal, and keeps everybody else out. Fails as
/// busy if somebody has the database open.
fn plain(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = Connection::open_with_flags(path, flags)?;
    // The caller waits, because SQLite does not wait for all of these locks.
    old.busy_timeout(Duration::ZERO)?;
    // If the file is damaged, the log must stay unchanged. Closing would write it into the file or delete it.
    old.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    old.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    old.execute_batch("PRAGMA synchronous = FULL")?;
    let mode: String = old.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    if mode != "delete" {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, None));
    }
    // In this locking mode, the lock outlives the transaction.
    old.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
    Ok(old)
}
