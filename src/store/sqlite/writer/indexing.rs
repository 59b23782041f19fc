//! Finds the changes of a record: fills `crm_record_changes`, which follows behind the writes.
//!
//! An index would be kept up with every write. The records that are updated lie anywhere in it, so each write would change
//! one more page, write it to the log, and move it into the file. Here thousands of changes are added at once, in the order
//! of their records, so that all entries of a page are written together. The view `crm_changes_of` joins what is filled and
//! the changes after it, so nothing is ever missing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::Connection;

use super::batch::BatchWriter;
use super::changes_of::{fill, rest};
use super::cleaning::{is_busy, patient};
use super::commits::Commits;
use super::transaction::run;
use crate::base::error::Result;

/// How many changes are left for a search to go through, at most, while writes follow one another. A search takes a few
/// milliseconds for so many.
pub(super) const LONG: i64 = 20_000;

/// How many changes are left when no write waits. Fewer are not worth a commit of their own.
pub(super) const SHORT: i64 = 1_000;

impl BatchWriter {
    /// Adds all changes to the table if more than `most` are left.
    pub(super) fn index_changes(&mut self, commits: &Commits, most: i64) -> Result<()> {
        commits.intact()?;
        let left = rest(&self.connection).map_err(|error| commits.failed(&error))?;
        if left <= most {
            let appended = u64::try_from(left).unwrap_or_default();
            commits.appended.store(appended, Ordering::Relaxed);
            return Ok(());
        }
        self.files.hold()?;
        // Another process that writes has its turn first.
        let begin = |connection: &Connection| run(connection, "BEGIN IMMEDIATE");
        match patient(&mut self.connection, Duration::ZERO, begin) {
            Err(error) if is_busy(&error) => return Ok(()),
            begun => begun.map_err(|error| commits.failed(&error))?,
        }
        let filled = fill(&self.connection).map_err(|error| commits.failed(&error));
        match filled {
            Ok(()) => {
                self.commit(commits)?;
                commits.appended.store(0, Ordering::Relaxed);
                self.after_commit(commits);
                Ok(())
            }
            Err(error) => {
                if !self.connection.is_autocommit() {
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                Err(error)
            }
        }
    }
}
