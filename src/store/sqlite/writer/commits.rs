//! The state of the commits: the last one, how many writes wait, and whether writes are still accepted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE};

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::value::Value;
use crate::store::meter::Meter;
use crate::store::retention::KeptChanges;
use crate::store::signal::CommitSignal;
use crate::store::sqlite::error::{damaged, is_damage, map_err};
use crate::store::sqlite::lock::lock;
use crate::store::waiting::Waiting;

/// The state of the commits, shared by the writer and everybody who waits for it.
#[derive(Default)]
pub(crate) struct Commits {
    /// The last commit: when it was, and its time in the stored form.
    last: Mutex<Option<(Instant, String)>>,
    /// The reason why no more writes are accepted, if that is so.
    broken: Mutex<Option<Error>>,
    /// Whether a batch has failed since the last commit. Then that commit no longer shows that writes are accepted.
    failing: AtomicBool,
    /// The memory that the waiting writes hold, in bytes.
    pub(crate) waiting_bytes: AtomicUsize,
    /// The waiting writes.
    pub(crate) waiting: Waiting,
    /// Whether a check of the file was requested that has not begun.
    pub(crate) check: AtomicBool,
    /// How much the running batch has read and written, in bytes.
    pub(crate) handled: AtomicUsize,
    /// Whether the highest possible id of a table was given.
    pub(crate) ids_gone: AtomicBool,
    /// How many changes were appended since all were added to the table that finds them by their record. Those that a
    /// failed write has appended count too.
    pub(crate) appended: AtomicU64,
    /// The metrics of the commits.
    pub(crate) meter: Meter,
    /// Wakes those that follow the changes.
    pub(crate) signal: CommitSignal,
    /// How long changes are kept.
    pub(crate) kept: KeptChanges,
    /// What erased records have left in the files.
    pub(crate) residue: Residue,
}

/// What erased records have left in the files.
#[derive(Default)]
pub(crate) struct Residue {
    /// Whether the files may have traces.
    pub(crate) is_left: AtomicBool,
    /// Whether the file must be written anew. If not, only the log has traces.
    pub(crate) is_in_file: AtomicBool,
}

impl Commits {
    /// Counts the values that a statement reads or writes.
    pub(crate) fn handles(&self, values: &[Value]) {
        let bytes = values.iter().map(|value| value.text().map_or(0, str::len));
        self.handled.fetch_add(bytes.sum(), Ordering::Relaxed);
    }

    /// Called after a commit that was synced.
    pub(crate) fn committed(&self) {
        *lock(&self.last) = Some((Instant::now(), time::now()));
        self.signal.committed();
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("writes succeed again");
        }
    }

    /// When the last commit was, if it is no older than `age` and no batch has failed since. An error if no more writes are
    /// accepted.
    pub(crate) fn committed_within(&self, age: Duration) -> Result<Option<String>> {
        self.intact()?;
        if self.failing.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let last = lock(&self.last);
        Ok(last
            .as_ref()
            .filter(|(at, _)| at.elapsed() < age)
            .map(|(_, text)| text.clone()))
    }

    /// Whether anything was ever committed.
    pub(crate) fn has_committed(&self) -> bool {
        lock(&self.last).is_some()
    }

    /// Records the error with which a batch has ended.
    pub(crate) fn fails(&self, error: Error) -> Error {
        // Logged only once, because each write of the next hours may fail in the same way.
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!("writes fail: {error}");
        }
        error
    }

    /// The error of a failed statement. Some errors stop all further writes. After a failed sync it is unknown what is on
    /// the disk, and a second sync would succeed even if pages were lost. A damaged file only gets worse.
    pub(crate) fn failed(&self, error: &rusqlite::Error) -> Error {
        if is_of_sync(error) {
            tracing::error!("no more writes are accepted: a sync of the database failed: {error}");
            return self.breaks(Error::new(
                Code::Unavailable,
                "no more writes are accepted, because the disk failed to sync the database; nothing was saved; check the \
                 disk, then start the service again",
            ));
        }
        if is_damage(error) {
            tracing::error!("no more writes are accepted: the database is damaged: {error}");
            return self.breaks(damaged());
        }
        map_err(error)
    }

    /// The error of a failed commit. Unless it failed while its pages were being written, all of them may be in the log,
    /// and the next connection to the database may find them there.
    pub(crate) fn uncommitted(&self, error: &rusqlite::Error) -> Error {
        let failed = self.failed(error);
        let code = error.sqlite_error().map(|error| error.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure) if code != Some(SQLITE_IOERR_WRITE) => unknown(),
            Some(ErrorCode::OutOfMemory) => unknown(),
            _ => failed,
        }
    }

    /// Stops all writes for this reason. Returns the first reason if there already was one.
    pub(crate) fn breaks(&self, why: Error) -> Error {
        lock(&self.broken).get_or_insert(why).clone()
    }

    /// Returns `Ok` while writes are accepted, or else the reason why not.
    pub(crate) fn intact(&self) -> Result<()> {
        match &*lock(&self.broken) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

/// Whether the disk failed to keep what was written.
pub(crate) fn is_of_sync(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC))
}

/// The error of a write that may or may not have been saved.
pub(crate) fn unknown() -> Error {
    let message = "the disk failed while this was being saved: it may have been saved; check before you try again";
    Error::new(Code::Unknown, message)
}

/// The error for a write that comes after the store was closed.
pub(crate) fn closed() -> Error {
    Error::new(
        Code::Unavailable,
        "the service is shutting down; nothing was saved",
    )
}
