//! Gives each process its turn at the file's write lock.
//!
//! SQLite's lock has no queue: a process that finds it taken sleeps and tries again. A server takes the lock again a moment
//! after each commit, so a command beside it could try for seconds. Therefore every crm process that wants to write first
//! enters a turnstile, and stays inside while it waits for the lock. The process inside gets the next turn.
//!
//! The turnstile is an advisory lock on the folder of the database. It needs no extra file, so nothing can be left behind.
//! It affects only the order. A process that does not get it within [`PATIENCE`] continues without it: another process may
//! hold it for another database in the folder, or may be suspended. On a system that cannot lock a folder, there is no
//! turnstile.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a connection waits for another process to release the file.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// How long to wait for the turnstile.
const PATIENCE: Duration = Duration::from_millis(50);

/// The time between two tries, at the turnstile and at SQLite's lock.
const PAUSE: Duration = Duration::from_micros(500);

/// The turnstile of a database.
pub(crate) struct Turnstile(Option<File>);

/// The place inside the turnstile, until it is dropped.
pub(crate) struct Inside<'a>(Option<&'a File>);

impl Turnstile {
    /// The turnstile of the database at `path`.
    pub(crate) fn of(path: &Path) -> Turnstile {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Turnstile(File::open(folder).ok())
    }

    pub(crate) fn enter(&self) -> Inside<'_> {
        let Some(folder) = &self.0 else {
            return Inside(None);
        };
        let start = Instant::now();
        loop {
            match folder.try_lock() {
                Ok(()) => return Inside(Some(folder)),
                Err(std::fs::TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(PAUSE);
                }
                Err(_) => return Inside(None),
            }
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        // If this fails, the lock ends with the process, and nobody waits for it longer than PATIENCE.
        let _ = self.0.map(File::unlock);
    }
}

/// The busy handler: waits a moment and returns whether to try again. SQLite's own handler sleeps up to 100 ms between two
/// tries, and would miss its turn.
pub(crate) fn again(tries: i32) -> bool {
    thread_local! {
        /// The time of the first of these tries.
        static FIRST: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    if tries == 0 {
        FIRST.set(Some(now));
    }
    // Decided by the clock and not by the number of tries, because a busy machine sleeps longer than requested.
    let is_over = FIRST.get().is_none_or(|first| now - first >= BUSY);
    if !is_over {
        std::thread::sleep(PAUSE);
    }
    !is_over
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_is_inside_but_nobody_waits_for_ever() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("crm.db");
        let (one, other) = (Turnstile::of(&path), Turnstile::of(&path));
        let inside = one.enter();
        assert!(inside.0.is_some());
        assert!(other.enter().0.is_none());
        drop(inside);
        assert!(other.enter().0.is_some());
    }

    #[test]
    fn without_a_folder_there_is_no_turnstile() {
        assert!(
            Turnstile::of(Path::new("/nowhere/crm.db"))
                .enter()
                .0
                .is_none()
        );
    }
}
