//! Moves a server's write-ahead log into the file, beside the writer.
//!
//! By default, SQLite does this inside the commit that makes the log a thousand pages long. All callers that wait for that
//! commit then wait for a thousand scattered pages and their sync, as long as for ten other commits. Here a thread does it
//! while the writer continues. In the meantime the writer adds fewer pages than are moved, so the thread moves the rest
//! again, until few pages are left. The writer moves those itself, because a log restarts from its beginning only when all
//! of it was moved. The log gets longer this way, which also saves work: a page that was written ten times is moved once.
//!
//! Readers can keep a log from restarting. They never keep this thread from moving pages that they do not need.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::commits::Commits;
use crate::base::error::{Error, Result};
use crate::store::sqlite::file::log::{checkpoint, truncate};
use crate::store::sqlite::lock::lock;

/// From this many pages on, the log is moved.
const LONG: usize = 4_000;

/// The writer moves this many pages itself, which takes only a moment.
const FEW: usize = 200;

/// From this many pages on, writers must wait until the log is moved: 48 MiB, at SQLite's 4 KiB a page.
pub(crate) const TOO_LONG: usize = 12_000;

/// How many times the thread moves the rest before it leaves it to the writer.
const ROUNDS: usize = 6;

/// The work that is due after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CheckpointDue {
    Nothing,
    /// The thread must begin.
    Begin,
    /// The writer must move the rest.
    Finish,
}

/// The writer's side.
pub(crate) struct Checkpoints {
    /// Wakes the thread.
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    shared: Arc<LogProgress>,
    /// The length of the log, in pages, when it was last moved to its end.
    moved: usize,
}

/// The state that the writer and the thread share.
#[derive(Default)]
struct LogProgress {
    /// Whether the thread is moving pages.
    running: AtomicBool,
    /// Whether the thread has left the rest to the writer.
    left: AtomicBool,
    /// Whether the thread must end.
    ending: AtomicBool,
    /// The pages of the log, as of the last commit.
    pages: AtomicUsize,
    /// Held while the log is moved.
    moving: Mutex<()>,
}

impl LogProgress {
    /// Moves the present pages of the log. Returns how many of its pages have been moved; none if another thread or process
    /// is doing so, or if it failed.
    fn pass(&self, connection: &Connection, commits: &Commits) -> usize {
        let Ok(_moving) = self.moving.try_lock() else {
            return 0;
        };
        // After a failed sync, another pass would count pages as moved that the disk may have lost. The log has the only
        // copy of them, and would be overwritten.
        if commits.intact().is_err() {
            return 0;
        }
        checkpoint(connection).unwrap_or_else(|error| {
            report(&error, commits);
            0
        })
    }
}

impl Checkpoints {
    /// Starts the thread, with its own connection.
    pub(crate) fn start(connection: Connection, commits: Arc<Commits>) -> Result<Checkpoints> {
        let (wake, woken) = sync_channel(1);
        let shared: Arc<LogProgress> = Arc::default();
        let own = shared.clone();
        let thread = std::thread::Builder::new()
            .name("crm-checkpoint".into())
            .spawn(move || work_off(&connection, &woken, &own, &commits));
        let thread = thread.map_err(|error| {
            Error::failed(format!("cannot start a thread for checkpoints: {error}"))
        })?;
        Ok(Checkpoints {
            wake,
            thread,
            shared,
            moved: 0,
        })
    }

    /// Called after a commit that left this many pages in the log, with the connection that writes.
    pub(crate) fn after_commit(
        &mut self,
        pages: usize,
        connection: &Connection,
        commits: &Commits,
    ) {
        self.shared.pages.store(pages, Ordering::Relaxed);
        if pages < self.moved {
            // The log has restarted.
            self.moved = 0;
        }
        match self.due(pages) {
            CheckpointDue::Nothing => {}
            CheckpointDue::Begin => {
                self.shared.running.store(true, Ordering::Release);
                // The thread is idle, so the channel has room.
                let _ = self.wake.try_send(());
            }
            CheckpointDue::Finish => {
                self.shared.left.store(false, Ordering::Relaxed);
                self.moved = pages;
                self.shared.pass(connection, commits);
            }
        }
    }

    fn due(&self, pages: usize) -> CheckpointDue {
        let new = pages - self.moved;
        let running = self.shared.running.load(Ordering::Acquire);
        if pages >= TOO_LONG && new >= FEW {
            CheckpointDue::Finish
        } else if running {
            CheckpointDue::Nothing
        } else if self.shared.left.load(Ordering::Relaxed) {
            CheckpointDue::Finish
        } else if new >= LONG {
            CheckpointDue::Begin
        } else {
            CheckpointDue::Nothing
        }
    }

    /// Moves the whole log and cuts it to nothing, unless somebody reads an older state. Returns whether that was done.
    pub(crate) fn truncate(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let _moving = lock(&self.shared.moving);
        let done = truncate(connection)?;
        if done {
            self.moved = 0;
            self.shared.pages.store(0, Ordering::Relaxed);
        }
        Ok(done)
    }

    /// Ends the thread. Closing the database moves the rest.
    pub(crate) fn end(self) {
        self.shared.ending.store(true, Ordering::Relaxed);
        drop(self.wake);
        // If it has panicked, the panic hook has reported that.
        let _ = self.thread.join();
    }
}

/// The thread.
fn work_off(
    connection: &Connection,
    woken: &Receiver<()>,
    shared: &LogProgress,
    commits: &Commits,
) {
    while woken.recv().is_ok() {
        let mut before = 0;
        for _ in 0..ROUNDS {
            let moved = shared.pass(connection, commits);
            let left = shared.pages.load(Ordering::Relaxed).saturating_sub(moved);
            // A reader may keep the log from being moved further.
            let is_stuck = moved <= before;
            if left <= FEW || is_stuck || shared.ending.load(Ordering::Relaxed) {
                break;
            }
            before = moved;
        }
        shared.left.store(true, Ordering::Relaxed);
        shared.running.store(false, Ordering::Release);
    }
}

fn report(error: &rusqlite::Error, commits: &Commits) {
    // After a failed sync, no more writes are accepted. Any other failure is tried again when the log has grown.
    let error = commits.failed(error);
    tracing::warn!("the write-ahead log could not be moved into the database: {error}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoints() -> Checkpoints {
        let connection = Connection::open_in_memory().unwrap();
        Checkpoints::start(connection, Arc::default()).unwrap()
    }

    #[test]
    fn a_long_log_is_moved_beside_the_writer_and_its_end_by_it() {
        let mut checkpoints = checkpoints();
        assert_eq!(checkpoints.due(LONG - 1), CheckpointDue::Nothing);
        assert_eq!(checkpoints.due(LONG), CheckpointDue::Begin);
        checkpoints.shared.running.store(true, Ordering::Relaxed);
        assert_eq!(checkpoints.due(LONG), CheckpointDue::Nothing);
        assert_eq!(checkpoints.due(TOO_LONG), CheckpointDue::Finish);
        checkpoints.shared.running.store(false, Ordering::Relaxed);
        checkpoints.shared.left.store(true, Ordering::Relaxed);
        assert_eq!(checkpoints.due(LONG + FEW), CheckpointDue::Finish);
        // A log that has not restarted is not moved again at once. One that has counts from its beginning.
        checkpoints.shared.left.store(false, Ordering::Relaxed);
        checkpoints.moved = LONG + FEW;
        assert_eq!(checkpoints.due(LONG + 2 * FEW), CheckpointDue::Nothing);
        assert_eq!(checkpoints.due(2 * LONG + FEW), CheckpointDue::Begin);
        let connection = Connection::open_in_memory().unwrap();
        checkpoints.after_commit(1, &connection, &Commits::default());
        assert_eq!(checkpoints.due(LONG), CheckpointDue::Begin);
        checkpoints.end();
    }
}
