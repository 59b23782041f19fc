//! Moving the write-ahead log into the file, beside the writer.
//!
//! SQLite by itself does that inside of the commit that makes the log a thousand pages long, and all who wait for that
//! commit wait for a thousand pages written here and there, and their sync: as long as for ten others. Here a thread does
//! it while the writer goes on. What the writer has added meanwhile is less than what was moved, so that it goes over the
//! rest again, until there are few pages left; those the writer moves itself, as only a log that is moved to its end is
//! begun anew. The log is longer for it, which also spares work: a page that was written ten times is moved once.
//!
//! Readers keep a log from being begun anew, never this from moving what they do not need.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::writer::State;
use crate::base::error::{Error, Result};

/// The pages of a log that is to be moved.
const LONG: usize = 4_000;

/// Of these nobody waits for more than a moment: the writer moves them.
const FEW: usize = 200;

/// The pages of a log whose writers have to wait until it has been moved: 48 MiB, at SQLite's 4 KiB a page.
pub(super) const TOO_LONG: usize = 12_000;

/// How often the thread goes over what is left before it leaves it to the writer.
const ROUNDS: usize = 6;

/// What a look after a commit finds to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// The thread is to begin.
    Begin,
    /// The writer has to move the rest.
    Finish,
}

/// The writer's side.
pub(super) struct Checkpoints {
    /// Where the thread is woken.
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
    /// The length of the log, in pages, when it was last moved to its end.
    moved: usize,
}

#[derive(Default)]
struct Shared {
    /// Whether the thread is at it.
    running: AtomicBool,
    /// Whether it has left the rest to the writer.
    left: AtomicBool,
    /// To make it end.
    ending: AtomicBool,
    /// The pages of the log, as of the last commit.
    pages: AtomicUsize,
    /// Held while the log is moved.
    moving: Mutex<()>,
}

impl Shared {
    /// Moves what the log holds now, as far as no reader needs the file as it is. Answers how many of its pages have been
    /// moved; none, where another is at it or it failed.
    fn pass(&self, connection: &Connection, state: &State) -> usize {
        let Ok(_moving) = self.moving.try_lock() else {
            return 0;
        };
        // After a failed sync another pass would take for moved what the disk may have lost, and the log would be begun
        // anew over the only copy.
        if state.intact().is_err() {
            return 0;
        }
        pass(connection).unwrap_or_else(|error| {
            report(&error, state);
            0
        })
    }
}

impl Checkpoints {
    /// Starts the thread, with a connection of its own.
    pub(super) fn start(connection: Connection, state: Arc<State>) -> Result<Checkpoints> {
        let (wake, woken) = sync_channel(1);
        let shared: Arc<Shared> = Arc::default();
        let own = shared.clone();
        let thread = std::thread::Builder::new()
            .name("crm-checkpoint".into())
            .spawn(move || work_off(&connection, &woken, &own, &state));
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

    /// To be called after a commit that has left so many `pages` in the log, on the connection that writes.
    pub(super) fn after_commit(&mut self, pages: usize, connection: &Connection, state: &State) {
        self.shared.pages.store(pages, Ordering::Relaxed);
        if pages < self.moved {
            // It was begun anew.
            self.moved = 0;
        }
        match self.due(pages) {
            Due::Nothing => {}
            Due::Begin => {
                self.shared.running.store(true, Ordering::Release);
                // It is not running, so that there is room.
                let _ = self.wake.try_send(());
            }
            Due::Finish => {
                self.shared.left.store(false, Ordering::Relaxed);
                self.moved = pages;
                self.shared.pass(connection, state);
            }
        }
    }

    fn due(&self, pages: usize) -> Due {
        let new = pages - self.moved;
        let running = self.shared.running.load(Ordering::Acquire);
        if pages >= TOO_LONG && new >= FEW {
            Due::Finish
        } else if running {
            Due::Nothing
        } else if self.shared.left.load(Ordering::Relaxed) {
            Due::Finish
        } else if new >= LONG {
            Due::Begin
        } else {
            Due::Nothing
        }
    }

    /// Ends the thread; what it has not moved, closing the database does.
    pub(super) fn end(self) {
        self.shared.ending.store(true, Ordering::Relaxed);
        drop(self.wake);
        // Where it has panicked, the hook for panics has said so.
        let _ = self.thread.join();
    }
}

/// The thread.
fn work_off(connection: &Connection, woken: &Receiver<()>, shared: &Shared, state: &State) {
    while woken.recv().is_ok() {
        let mut before = 0;
        for _ in 0..ROUNDS {
            let moved = shared.pass(connection, state);
            let left = shared.pages.load(Ordering::Relaxed).saturating_sub(moved);
            // A reader may hold it where it is.
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

/// One pass over the log; it moves none, where another process is at it.
pub(super) fn pass(connection: &Connection) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
    statement.query_row([], |row| {
        Ok(usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0))
    })
}

fn report(error: &rusqlite::Error, state: &State) {
    // After a failed sync no more writes are taken; all else is tried again when the log has grown.
    let error = state.failed(error);
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
        assert_eq!(checkpoints.due(LONG - 1), Due::Nothing);
        assert_eq!(checkpoints.due(LONG), Due::Begin);
        checkpoints.shared.running.store(true, Ordering::Relaxed);
        assert_eq!(checkpoints.due(LONG), Due::Nothing);
        assert_eq!(checkpoints.due(TOO_LONG), Due::Finish);
        checkpoints.shared.running.store(false, Ordering::Relaxed);
        checkpoints.shared.left.store(true, Ordering::Relaxed);
        assert_eq!(checkpoints.due(LONG + FEW), Due::Finish);
        // A log that was not begun anew is not moved again at once, and one that was counts from its beginning.
        checkpoints.shared.left.store(false, Ordering::Relaxed);
        checkpoints.moved = LONG + FEW;
        assert_eq!(checkpoints.due(LONG + 2 * FEW), Due::Nothing);
        assert_eq!(checkpoints.due(2 * LONG + FEW), Due::Begin);
        let connection = Connection::open_in_memory().unwrap();
        checkpoints.after_commit(1, &connection, &State::default());
        assert_eq!(checkpoints.due(LONG), Due::Begin);
        checkpoints.end();
    }
}
