//! What the writing thread does while no write waits: it removes old changes, a few at a time, and traces of erased records.
//!
//! A write that comes during a chore waits for its end, so each is short, and all of them together take a small share of the
//! time. Only the traces of an erased record take longer, because the whole file is written anew.

use std::time::{Duration, Instant};

use super::batch::BatchWriter;
use super::commits::Commits;

/// The time between two looks at whether there is something to do.
const NAP: Duration = Duration::from_secs(60);

/// The time until something that failed, or that others prevent, is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// The shortest pause between two portions of old changes.
const BREATH: Duration = Duration::from_millis(50);

/// A portion is followed by a pause that is this many times as long.
const SHARE: u32 = 20;

/// When the chores are due.
pub(super) struct Chores {
    removal: Instant,
    cleaning: Instant,
}

impl Chores {
    pub(super) fn new() -> Chores {
        let now = Instant::now();
        Chores {
            removal: now,
            cleaning: now,
        }
    }

    /// How long the thread may wait for a write.
    pub(super) fn pause(&self) -> Duration {
        let next = self.removal.min(self.cleaning);
        next.saturating_duration_since(Instant::now())
    }

    /// Lets the chores look at once.
    pub(super) fn wake(&mut self) {
        *self = Chores::new();
    }

    /// Lets the chores look soon whether traces of erased records are left.
    pub(super) fn cleans_soon(&mut self) {
        self.cleaning = self.cleaning.min(Instant::now() + AGAIN);
    }

    /// Does what is due, unless a write waits.
    pub(super) fn run(&mut self, batches: &mut BatchWriter, commits: &Commits) {
        let now = Instant::now();
        if now < self.removal.min(self.cleaning) || commits.waiting.count() > 0 {
            return;
        }
        if now >= self.removal {
            self.removal = now + self.remove(batches, commits, now);
        }
        if now >= self.cleaning {
            batches.find_residue(commits);
            let again = match batches.clean_if_left(commits) {
                true => NAP,
                false => AGAIN,
            };
            self.cleaning = Instant::now() + again;
        }
    }

    /// Removes a portion of old changes. Returns the time until the next.
    fn remove(&self, batches: &mut BatchWriter, commits: &Commits, began: Instant) -> Duration {
        match batches.remove_old_changes(commits) {
            Ok(true) => BREATH.max(began.elapsed() * SHARE),
            Ok(false) => NAP,
            Err(error) => {
                // It says so at every look, once a minute.
                tracing::warn!("old changes could not be removed: {error}");
                NAP
            }
        }
    }
}
