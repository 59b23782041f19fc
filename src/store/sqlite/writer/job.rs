//! A write that waits for the writing connection. Its memory is bounded together with that of all others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::commits::{Commits, closed};
use super::transaction::{SqliteTransaction, Undo};
use crate::base::error::{Error, Result};

/// The most memory that the waiting writes may hold, in bytes. Beyond it, the answer is 503, because a queue of the largest
/// records would take gigabytes.
const LARGEST_QUEUE: usize = 64 * 1024 * 1024;

/// A write that waits.
pub(crate) trait Job: Send {
    /// Runs the write inside the batch's transaction. Returns its error if it failed.
    fn run(&mut self, tx: &mut SqliteTransaction<'_>) -> Option<Error>;

    /// Answers the caller once the batch has ended with this result. If the write was not run, the answer is the error.
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// A rule and, after it ran, its result.
pub(crate) struct RuleJob<F, R> {
    undo: Undo,
    rule: Option<F>,
    result: Option<Result<R>>,
    caller: oneshot::Sender<Result<R>>,
    _room: QueueRoom,
}

impl<R, F> RuleJob<F, R> {
    /// A rule that holds `size` bytes, for this caller. Fails if too much is waiting.
    pub(crate) fn new(
        undo: Undo,
        size: usize,
        rule: F,
        caller: oneshot::Sender<Result<R>>,
        commits: &Arc<Commits>,
    ) -> Result<RuleJob<F, R>> {
        Ok(RuleJob {
            undo,
            rule: Some(rule),
            result: None,
            caller,
            _room: QueueRoom::take(commits, size)?,
        })
    }
}

impl<R: Send, F: FnOnce(&mut SqliteTransaction<'_>) -> Result<R> + Send> Job for RuleJob<F, R> {
    fn run(&mut self, tx: &mut SqliteTransaction<'_>) -> Option<Error> {
        let rule = self.rule.take()?;
        let result = tx.attempt(self.undo, rule);
        let error = result.as_ref().err().cloned();
        self.result = Some(result);
        error
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        // Sending fails if the client has gone. The write is still valid.
        let _ = self.caller.send(match (self.result, committed) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(result), Ok(())) => result,
            (None, Ok(())) => Err(closed()),
        });
    }
}

/// A write's share of [`LARGEST_QUEUE`], until it was answered.
struct QueueRoom {
    commits: Arc<Commits>,
    size: usize,
}

impl QueueRoom {
    fn take(commits: &Arc<Commits>, size: usize) -> Result<QueueRoom> {
        commits.waiting.enter()?;
        let before = commits.waiting_bytes.fetch_add(size, Ordering::Relaxed);
        let room = QueueRoom {
            commits: commits.clone(),
            size,
        };
        // A single write is never refused.
        match before > 0 && before + size > LARGEST_QUEUE {
            true => Err(commits.waiting.full()),
            false => Ok(room),
        }
    }
}

impl Drop for QueueRoom {
    fn drop(&mut self) {
        self.commits
            .waiting_bytes
            .fetch_sub(self.size, Ordering::Relaxed);
        self.commits.waiting.leave();
    }
}
