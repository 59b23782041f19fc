//! Puts the new content into the place of the old database.
//!
//! If there is a database, the content is written into its file, in one transaction of SQLite. So the name leads to the same
//! file all the time, and SQLite's locks and its journal do what they are for: a program that has opened the file and has no
//! lock on it yet sees the old content or the new, and an interrupted restore is rolled back by whoever opens the file next.
//! Another file under the same name would not be safe. Such a program would go on with the old file, and would find the log
//! and the journal of the new one beside it, because SQLite finds them by name; it would play them into the old file and
//! remove them from the new.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::kept::{Kept, stopped};
use super::old::{OldDatabase, in_use, is_busy};
use crate::base::error::{Code, Result};
use crate::store::sqlite::cancel::cancelled;
use crate::store::sqlite::file::part::PartFile;
use crate::store::sqlite::file::paths::{SIDES, failed, sync_folder, with_end};
use crate::store::sqlite::file::refusal::unusable_or_full;

/// Pages written between two checks for cancellation: 4 MiB.
const STEP: i32 = 1_024;

/// The steps of a restore, for tests that interrupt it right after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestoreStep {
    /// The new content is complete in a file of its own; the old database is locked.
    Ready,
    /// A copy of the old database is kept.
    Kept,
    /// The side files of a damaged database are gone.
    Cleared,
    /// A part of the new content was written.
    Begun,
    /// The database has the new content.
    Placed,
}

/// Keeps the old database, and puts the content of `new` into its place. `new` is the connection to `part`. Returns the name
/// under which the old database is kept.
pub(crate) fn replace(
    path: &Path,
    old: &mut OldDatabase,
    part: &mut PartFile,
    new: &Connection,
    step: &mut dyn FnMut(RestoreStep),
) -> Result<Option<PathBuf>> {
    let kept = match old {
        OldDatabase::Nothing => {
            let kept = Kept::orphans(path)?;
            step(RestoreStep::Kept);
            if let Err(error) = part.place(false) {
                kept.put_back(path);
                return Err(error);
            }
            kept
        }
        OldDatabase::Whole(connection) => {
            let kept = Kept::whole(path, connection)?;
            step(RestoreStep::Kept);
            if let Err(mut error) = overwrite(path, new, connection, step) {
                match error.code {
                    Code::Unavailable | Code::Conflict | Code::Full => kept.undo(),
                    // If the disk fails, the copy is better kept.
                    _ => error.message.push_str(&kept.told()),
                }
                return Err(error);
            }
            kept
        }
        OldDatabase::Damaged(file) => {
            let kept = Kept::damaged(path, file)?;
            step(RestoreStep::Kept);
            if let Err(error) = overwrite_damaged(path, new, step) {
                kept.copy_back(path);
                return Err(error);
            }
            kept
        }
    };
    step(RestoreStep::Placed);
    Ok(kept.path)
}

/// Writes all pages of `new` into `old` in one transaction.
fn overwrite(
    path: &Path,
    new: &Connection,
    old: &mut Connection,
    step: &mut dyn FnMut(RestoreStep),
) -> Result<()> {
    let refuse = |error: rusqlite::Error| match is_busy(&error) {
        true => in_use(path),
        false => unusable_or_full(path, &error),
    };
    let backup = Backup::new(new, old).map_err(refuse)?;
    loop {
        match backup.step(STEP).map_err(refuse)? {
            StepResult::Done => return Ok(()),
            StepResult::More if cancelled() => return Err(stopped()),
            StepResult::More => step(RestoreStep::Begun),
            _ => return Err(in_use(path)),
        }
    }
}

/// The same for a database that SQLite cannot open. Its log and its journal are kept already.
fn overwrite_damaged(
    path: &Path,
    new: &Connection,
    step: &mut dyn FnMut(RestoreStep),
) -> Result<()> {
    for side in SIDES {
        let side = with_end(path, side);
        if let Err(error) = fs::remove_file(&side)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(failed(&side, "cannot be moved out of the way", &error));
        }
    }
    sync_folder(path)?;
    step(RestoreStep::Cleared);
    let mut old = reset(path).map_err(|error| match is_busy(&error) {
        true => in_use(path),
        false => unusable_or_full(path, &error),
    })?;
    overwrite(path, new, &mut old, step)
}

/// A connection that takes a file for an empty database, whatever is in it, and keeps everybody else out.
fn reset(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = Connection::open_with_flags(path, flags)?;
    old.busy_timeout(Duration::ZERO)?;
    old.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true)?;
    old.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    old.execute_batch("PRAGMA synchronous = FULL; BEGIN EXCLUSIVE; COMMIT")?;
    Ok(old)
}
