//! What is known of the commits: the last one, how many writes wait, and whether writes are still taken.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE};

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::record::Value;
use crate::store::meter::Meter;
use crate::store::sqlite::error::{damaged, is_damage, map_err};
use crate::store::sqlite::lock::lock;
use crate::store::waiting::Waiting;

/// What is known of the commits.
#[derive(Default)]
pub(crate) struct Commits {
    /// The last commit: when it was, and its time as times are stored.
    last: Mutex<Option<(Instant, String)>>,
    /// Why no more writes are taken.
    broken: Mutex<Option<Error>>,
    /// Whether a batch has failed since the last commit. Then that commit no longer shows that writes are taken.
    failing: AtomicBool,
    /// What the waiting writes hold, in bytes.
    pub(crate) waiting_bytes: AtomicUsize,
    /// The waiting writes.
    pub(crate) waiting: Waiting,
    /// Whether a check of the file is asked for that has not begun.
    pub(crate) check: AtomicBool,
    /// What the running batch has read and written, in bytes.
    pub(crate) handled: AtomicUsize,
    /// Measures the commits.
    pub(crate) meter: Meter,
}

impl Commits {
    /// Counts what a statement reads or writes.
    pub(crate) fn handles(&self, values: &[Value]) {
        let bytes = values.iter().map(|value| value.text().map_or(0, str::len));
        self.handled.fetch_add(bytes.sum(), Ordering::Relaxed);
    }

    /// Called after a commit that was synced.
    pub(crate) fn committed(&self) {
        *lock(&self.last) = Some((Instant::now(), time::now()));
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("writes succeed again");
        }
    }

    /// When the last commit was, if it is no older than `age` and no batch has failed since. An error if no more writes are
    /// taken.
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

    /// Notes the error with which a batch has ended.
    pub(crate) fn fails(&self, error: Error) -> Error {
        // Logged once, because each write of the next hours may fail the same way.
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!("writes fail: {error}");
        }
        error
    }

    /// The error of a failed statement. Some errors end the writes for good. After a failed sync nobody knows what is on the
    /// disk, and a second sync would succeed without it. A damaged file only gets worse.
    pub(crate) fn failed(&self, error: &rusqlite::Error) -> Error {
        if is_of_sync(error) {
            tracing::error!("no more writes are taken: a sync of the database failed: {error}");
            return self.breaks(Error::new(
                Code::Unavailable,
                "no more writes are taken, because the disk failed to sync the database; nothing was saved; check the \
                 disk, then start the service again",
            ));
        }
        if is_damage(error) {
            tracing::error!("no more writes are taken: the database is damaged: {error}");
            return self.breaks(damaged());
        }
        map_err(error)
    }

    /// The error of a failed commit. Unless it failed while writing its pages, all of them may be in the log, and the next
    /// connection to the database may find them there.
    pub(crate) fn uncommitted(&self, error: &rusqlite::Error) -> Error {
        let failed = self.failed(error);
        let code = error.sqlite_error().map(|error| error.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure) if code != Some(SQLITE_IOERR_WRITE) => unknown(),
            Some(ErrorCode::OutOfMemory) => unknown(),
            _ => failed,
        }
    }

    /// Ends the writes for this reason. Returns the first reason if there already was one.
    pub(crate) fn breaks(&self, why: Error) -> Error {
        lock(&self.broken).get_or_insert(why).clone()
    }

    /// Whether writes are still taken.
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
    let message = "the disk failed while this was being saved: it may have been saved; look before you try again";
    Error::new(Code::Unknown, message)
}

/// The error of a write that comes after the end of the store.
pub(crate) fn closed() -> Error {
    Error::new(
        Code::Unavailable,
        "the service is shutting down; nothing was saved",
    )
}
