//! What the writing connection does beside the batches: it removes old changes, and the traces of erased records.
//!
//! SQLite leaves the bytes of a deleted row in its page, and copies of them in other pages: each time that it divides or
//! joins pages, the old page keeps what has moved away. `secure_delete` overwrites a row where it is at its end, and does not
//! know of these copies. Only a file that is written anew from its rows is free of them, so that is what happens after an
//! erasure (`VACUUM`), followed by a checkpoint that cuts the log to nothing. Writes wait meanwhile, and reads go on.
//!
//! The table `crm_residue` has a row from the erasure to the end of this, so that an interruption leads to another try.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::batch::BatchWriter;
use super::commits::Commits;
use super::transaction::{SqliteTransaction, now, run};
use crate::base::error::Result;
use crate::store::contract::Traces;
use crate::store::sqlite::file::copies::copies;
use crate::store::sqlite::file::log::truncate;
use crate::store::sqlite::turn;

/// How long to wait for those who read an older state of the file.
const READERS: Duration = Duration::from_millis(500);

impl BatchWriter {
    /// Removes a portion of old changes. Returns whether there were any.
    pub(super) fn remove_old_changes(&mut self, commits: &Commits) -> Result<bool> {
        commits.intact()?;
        let mut tx = SqliteTransaction {
            connection: &mut self.connection,
            commits,
            nouns: self.nouns,
        };
        if !now(commits.kept.is_due(&mut tx))? {
            return Ok(false);
        }
        self.files.hold()?;
        // Another process that writes has its turn first.
        let begin = |connection: &Connection| run(connection, "BEGIN IMMEDIATE");
        match patient(&mut self.connection, Duration::ZERO, begin) {
            Err(error) if is_busy(&error) => return Ok(true),
            begun => begun.map_err(|error| commits.failed(&error))?,
        }
        let mut tx = SqliteTransaction {
            connection: &mut self.connection,
            commits,
            nouns: self.nouns,
        };
        let removed = now(commits.kept.remove(&mut tx, i64::MAX));
        match removed {
            Ok(removed @ 1..) => {
                self.commit(commits)?;
                commits.kept.removed(removed);
                self.after_commit(commits);
                Ok(true)
            }
            other => {
                if !self.connection.is_autocommit() {
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                other.map(|_| false)
            }
        }
    }

    /// Finds out whether an erasure is not finished.
    pub(super) fn find_residue(&self, commits: &Commits) {
        let sql = "SELECT EXISTS (SELECT 1 FROM crm_residue)";
        let found = self.connection.prepare_cached(sql);
        let found = found.and_then(|mut found| found.query_row([], |row| row.get(0)));
        // If this fails, it is asked again later.
        if found.unwrap_or(false) && !commits.residue.is_left.swap(true, Ordering::Relaxed) {
            commits.residue.is_in_file.store(true, Ordering::Relaxed);
        }
    }

    /// Removes the traces of erased records, if there are any. Returns whether none are left.
    pub(super) fn clean_if_left(&mut self, commits: &Commits) -> bool {
        if !commits.residue.is_left.load(Ordering::Relaxed) {
            return true;
        }
        match self.clean(commits) {
            Ok(Traces::Left(_)) => false,
            Ok(_) => true,
            Err(error) => {
                tracing::warn!("the traces of an erased record could not be removed: {error}");
                // Tried again at the next look, and not at once: the disk may be full.
                true
            }
        }
    }

    /// Removes the traces of erased records from the files. Returns what is left.
    pub(super) fn clean(&mut self, commits: &Commits) -> Result<Traces> {
        commits.intact()?;
        self.files.hold()?;
        let residue = &commits.residue;
        let failed = |error: rusqlite::Error| commits.failed(&error);
        if residue.is_in_file.load(Ordering::Relaxed) {
            // The samples of an index that the planner uses may have an address.
            let _ = self.connection.execute("DELETE FROM sqlite_stat4", []);
            let _inside = self.turnstile.enter();
            self.connection.execute_batch("VACUUM").map_err(failed)?;
            residue.is_in_file.store(false, Ordering::Relaxed);
            let _ = self.connection.pragma_update(None, "secure_delete", false);
            commits.committed();
        }
        if residue.is_left.load(Ordering::Relaxed) {
            let cut = patient(&mut self.connection, READERS, |connection| match &mut self
                .checkpoints
            {
                Some(checkpoints) => checkpoints.truncate(connection),
                None => truncate(connection),
            });
            match cut {
                Ok(true) => self.pages.store(0, Ordering::Relaxed),
                Err(error) if !is_busy(&error) => return Err(failed(error)),
                _ => {
                    return Ok(Traces::Left(
                        "its log is in use, such as by a backup; a server cuts it as soon as possible, and without a \
                         server the next `crm lead erase` does"
                            .into(),
                    ));
                }
            }
            let forget = "DELETE FROM crm_residue";
            self.connection.execute(forget, []).map_err(failed)?;
            residue.is_left.store(false, Ordering::Relaxed);
            self.after_commit(commits);
        }
        Ok(Traces::Gone(match copies(self.files.path()).as_slice() {
            [] => String::new(),
            copies => format!(
                "; not changed, and to be deleted by you: {}",
                copies.join(", ")
            ),
        }))
    }
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Does something that waits this long for others.
pub(super) fn patient<R>(
    connection: &mut Connection,
    time: Duration,
    act: impl FnOnce(&Connection) -> rusqlite::Result<R>,
) -> rusqlite::Result<R> {
    connection.busy_timeout(time)?;
    let done = act(connection);
    connection.busy_handler(Some(turn::again))?;
    done
}
