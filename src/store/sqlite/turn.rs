//! Turns at the file's write lock.
//!
//! SQLite's lock has no queue: who finds it taken sleeps and tries again. Beside a server that takes it again a moment
//! after each commit, a command could try for seconds. So every process of crm that wants to write goes through a
//! turnstile first, and holds that for as long as it waits for the lock itself: the one inside gets the next turn.
//!
//! The turnstile is an advisory lock on the folder of the database, which needs no file of its own and cannot be left
//! behind. It decides only about order: who does not get it within [`PATIENCE`], because another holds it for another
//! database of the folder or is stopped, goes on without it, and where a system cannot lock a folder there is none.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for the turnstile.
const PATIENCE: Duration = Duration::from_millis(50);

/// The time between two tries, at the turnstile and at SQLite's lock.
const PAUSE: Duration = Duration::from_micros(500);

/// What writers of a database go through.
pub(super) struct Turnstile(Option<File>);

/// Held inside of the turnstile.
pub(super) struct Inside<'a>(Option<&'a File>);

impl Turnstile {
    /// That of the database at `path`.
    pub(super) fn of(path: &Path) -> Turnstile {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Turnstile(File::open(folder).ok())
    }

    pub(super) fn enter(&self) -> Inside<'_> {
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
        // What cannot be unlocked is unlocked when the process ends, and nobody waits for it longer than they would.
        let _ = self.0.map(File::unlock);
    }
}

/// SQLite's busy handler: whether to try again, after a moment. Its own sleeps up to 100 ms between two tries, in which
/// a turn would pass.
pub(super) fn again(tries: i32) -> bool {
    if tries < super::PATIENCE.as_micros() as i32 / PAUSE.as_micros() as i32 {
        std::thread::sleep(PAUSE);
        return true;
    }
    false
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
