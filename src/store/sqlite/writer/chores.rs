//! What the writing thread does while no write waits: it removes old changes, a few at a time, and traces of erased records,
//! and it adds changes to the table that finds them by their record. The last one is also done between two batches, before
//! too many changes are left.
//!
//! A write that comes during a chore waits for its end, so each is short, and all of them together take a small share of the
//! time. Only the traces of an erased record take longer, because the whole file is written anew.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::batch::BatchWriter;
use super::commits::Commits;
use super::indexing;
use crate::base::error::Result;

/// The time between two looks at whether there is something to do.
const NAP: Duration = Duration::from_secs(60);

/// The time until something that failed, or that others prevent, is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// The shortest pause between two portions of old changes.
const BREATH: Duration = Duration::from_millis(50);

/// A portion is followed by a pause that is this many times as long.
const SHARE: u32 = 20;

/// How long the first new change waits for others until it is added to the table that finds it.
const FIRST: Duration = Duration::from_secs(1);

/// When the chores are due.
pub(super) struct Chores {
    /// `None` without new changes.
    indexing: Option<Instant>,
    /// Until when nothing is added, because it has failed.
    failing: Option<Instant>,
    removal: Instant,
    cleaning: Instant,
}

impl Chores {
    pub(super) fn new() -> Chores {
        let now = Instant::now();
        Chores {
            indexing: Some(now),
            failing: None,
            removal: now,
            cleaning: now,
        }
    }

    /// When the first chore is due.
    fn next(&self) -> Instant {
        let next = self.removal.min(self.cleaning);
        self.indexing.map_or(next, |indexing| next.min(indexing))
    }

    /// How long the thread may wait for a write.
    pub(super) fn pause(&self) -> Duration {
        self.next().saturating_duration_since(Instant::now())
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
        if now < self.next() || commits.waiting.count() > 0 {
            return;
        }
        if self.indexing.is_some_and(|indexing| now >= indexing) {
            self.indexing = None;
            let indexed = batches.index_changes(commits, indexing::SHORT);
            self.has_indexed(indexed);
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

    /// Looks at the changes of a batch that has just been committed.
    pub(super) fn after_batch(&mut self, batches: &mut BatchWriter, commits: &Commits) {
        let now = Instant::now();
        if self.failing.is_some_and(|until| now < until) {
            return;
        }
        self.indexing.get_or_insert(now + FIRST);
        if commits.appended.load(Ordering::Relaxed) <= indexing::LONG.unsigned_abs() {
            // Other processes may have appended more, which is seen when no write waits.
            return;
        }
        let indexed = batches.index_changes(commits, indexing::LONG);
        self.has_indexed(indexed);
    }

    /// Waits a while after a failure, because each batch would fail in the same way.
    fn has_indexed(&mut self, indexed: Result<()>) {
        self.failing = None;
        if let Err(error) = indexed {
            tracing::warn!("new changes could not be indexed: {error}");
            self.failing = Some(Instant::now() + NAP);
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
