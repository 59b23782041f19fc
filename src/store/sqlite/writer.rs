//! The one connection that writes, and the commits that its writes share.
//!
//! In a server the connection belongs to a thread. The thread takes the first waiting write, begins a transaction, takes
//! half of the other waiting writes, commits once with `synchronous=FULL`, and only then answers all of them. So every
//! acknowledged write has been synced, and all waiting writes share the sync. A failed write is rolled back alone. A
//! command writes on the calling thread.
//!
//! | module | what it holds |
//! |---|---|
//! | [`commits`] | the state of the commits, and whether writes are still accepted |
//! | [`checkpoint`] | moves the write-ahead log into the file, beside the writer |
//! | [`transaction`], [`job`] | the transaction that a rule runs over, and a rule that waits |
//! | [`batch`] | the writing connection, and one transaction for many writes |
//! | [`indexing`], [`changes_of`] | fills the table that finds the changes of a record |
//! | [`chores`] | what the writer does while no write waits: removes old changes, and traces of erased records |

mod batch;
mod changes_of;
mod checkpoint;
mod chores;
mod cleaning;
mod commits;
mod indexing;
mod job;
mod transaction;

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::registry::{Registry, Unit};
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::lock::lock;
use crate::base::error::{Error, Result};
use crate::store::contract::Traces;
use crate::store::meter::Live;
use crate::store::retention::Keep;
use crate::store::waiting::Waiting;
pub(crate) use batch::BatchWriter;
use chores::Chores;
use commits::{Commits, closed};
use job::{Job, RuleJob};
pub(crate) use transaction::{LAST_CHANGE, SqliteTransaction, Undo, now};

/// The place where writes run.
pub(crate) enum Writer {
    /// On the calling thread.
    Here {
        batches: Mutex<Option<BatchWriter>>,
        commits: Arc<Commits>,
    },
    /// On the writing thread.
    Thread {
        queue: Mutex<Option<Sender<WriterMessage>>>,
        thread: Mutex<Option<JoinHandle<Result<()>>>>,
        commits: Arc<Commits>,
    },
}

/// A message to the thread.
pub(crate) enum WriterMessage {
    Write(Box<dyn Job>),
    /// Requests a check of whether another process has written.
    Check,
    /// Requests that the traces of erased records are removed, and is answered with what is left.
    Clean(oneshot::Sender<Result<Traces>>),
    /// Lets the thread look at its chores.
    Wake,
}

impl Writer {
    /// Writes on a thread if there is a second connection `beside`, for moving the write-ahead log.
    pub(crate) fn new(mut batches: BatchWriter, beside: Option<Connection>) -> Result<Writer> {
        let commits = Arc::new(Commits::default());
        let Some(beside) = beside else {
            return Ok(Writer::Here {
                batches: Mutex::new(Some(batches)),
                commits,
            });
        };
        batches.check_point_beside(beside, &commits)?;
        let (queue, messages) = channel();
        let own = commits.clone();
        let thread = std::thread::Builder::new()
            .name("crm-writer".into())
            .spawn(move || work_off(batches, &messages, &own));
        let thread = thread
            .map_err(|error| Error::failed(format!("cannot start the writing thread: {error}")))?;
        Ok(Writer::Thread {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            commits,
        })
    }

    /// The writer of a store that only reads: it refuses every write.
    pub(crate) fn nobody() -> Writer {
        Writer::Here {
            batches: Mutex::default(),
            commits: Arc::default(),
        }
    }

    /// Whether it accepts writes at all.
    pub(crate) fn writes(&self) -> bool {
        match self {
            Writer::Here { batches, .. } => lock(batches).is_some(),
            Writer::Thread { .. } => true,
        }
    }

    fn commits(&self) -> &Arc<Commits> {
        match self {
            Writer::Here { commits, .. } | Writer::Thread { commits, .. } => commits,
        }
    }

    /// Runs a rule that holds `size` bytes. When this returns `Ok`, it has been committed and synced.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        undo: Undo,
        size: usize,
        rule: impl FnOnce(&mut SqliteTransaction<'_>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        self.commits().intact()?;
        let (caller, answer) = oneshot::channel();
        let job = Box::new(RuleJob::new(undo, size, rule, caller, self.commits())?);
        match self {
            Writer::Here { batches, commits } => {
                let mut batches = lock(batches);
                let batches = batches.as_mut().ok_or_else(closed)?;
                batches.batch(commits, job, || None);
                // If this fails, the next write tries it again. The one before it is not concerned.
                let _ = batches.index_changes(commits, indexing::LONG);
            }
            Writer::Thread { queue, .. } => {
                let queue = lock(queue);
                let sent = queue
                    .as_ref()
                    .ok_or_else(closed)?
                    .send(WriterMessage::Write(job));
                sent.map_err(|_| closed())?;
            }
        }
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Removes what erased records have left in the files. The caller waits for it for a while; it goes on in any case.
    pub(crate) async fn clean(&self) -> Result<Traces> {
        match self {
            Writer::Here { batches, commits } => {
                let mut batches = lock(batches);
                batches.as_mut().ok_or_else(closed)?.clean(commits)
            }
            Writer::Thread { queue, .. } => {
                let (caller, answer) = oneshot::channel();
                let sent = match &*lock(queue) {
                    Some(queue) => queue.send(WriterMessage::Clean(caller)).is_ok(),
                    None => false,
                };
                if !sent {
                    return Err(closed());
                }
                match tokio::time::timeout(CLEANING, answer).await {
                    Ok(answer) => answer.unwrap_or_else(|_| Err(closed())),
                    Err(_) => Ok(Traces::Left(
                        "the file is being written anew without it, which takes a while".into(),
                    )),
                }
            }
        }
    }

    /// Sets how long changes are kept. Only a server removes any.
    pub(crate) fn keep_changes(&self, keep: Keep) {
        self.commits().kept.set(keep);
        if let Writer::Thread { queue, .. } = self
            && let Some(queue) = &*lock(queue)
        {
            let _ = queue.send(WriterMessage::Wake);
        }
    }

    /// Notes that records are being erased.
    pub(crate) fn erases(&self) {
        let residue = &self.commits().residue;
        residue.is_in_file.store(true, Ordering::Relaxed);
        residue.is_left.store(true, Ordering::Relaxed);
    }

    /// The waiting writes.
    pub(crate) fn waiting(&self) -> &Waiting {
        &self.commits().waiting
    }

    /// Requests a check of whether another process has written. If many writes are waiting, their next batch checks.
    pub(crate) fn ask_for_check(&self) {
        if let Writer::Thread { queue, commits, .. } = self
            && let Some(queue) = &*lock(queue)
            && !commits.check.swap(true, Ordering::Relaxed)
        {
            let _ = queue.send(WriterMessage::Check);
        }
    }

    /// When the last commit was, if it is no older than `age` and no batch has failed since. An error if no more writes are
    /// accepted.
    pub(crate) fn committed_within(&self, age: Duration) -> Result<Option<String>> {
        self.commits().committed_within(age)
    }

    /// Whether anything was ever committed.
    pub(crate) fn has_committed(&self) -> bool {
        self.commits().has_committed()
    }

    /// A receiver that is woken by each commit.
    pub(crate) fn signal(&self) -> watch::Receiver<u64> {
        self.commits().signal.receiver()
    }

    /// Stops all writes for this reason.
    pub(crate) fn breaks(&self, why: Error) {
        self.commits().breaks(why);
    }

    /// Registers the metrics of the commits.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let commits = self.commits().clone();
        commits.meter.register(registry);
        commits.kept.register(registry);
        registry.register_with_unit(
            "crm_commit",
            "How many writes shared a commit",
            Unit::Other("writes".into()),
            commits.meter.sizes.clone(),
        );
        let waiting = Live::new(move || commits.waiting.count() as u64);
        registry.register_with_unit(
            "crm_waiting",
            "Writes that wait for their commit",
            Unit::Other("writes".into()),
            waiting,
        );
    }

    /// Runs the waiting writes, moves the write-ahead log into the file, and closes the file.
    pub(crate) async fn close(&self) -> Result<()> {
        match self {
            Writer::Here { batches, commits } => match lock(batches).take() {
                Some(batches) => batches.finish(false, commits),
                None => Ok(()),
            },
            Writer::Thread { queue, thread, .. } => {
                // Without a sender the thread ends when the queue is empty.
                drop(lock(queue).take());
                let Some(thread) = lock(thread).take() else {
                    return Ok(());
                };
                let ended = tokio::task::spawn_blocking(move || thread.join()).await;
                ended
                    .map_err(Error::internal)?
                    .map_err(|_| Error::internal("the writing thread panicked"))?
            }
        }
    }
}

/// How long a caller waits until the traces of an erased record are removed.
const CLEANING: Duration = Duration::from_secs(10);

/// The loop of the thread: runs batches until no sender is left, and chores in between.
fn work_off(
    mut batches: BatchWriter,
    messages: &Receiver<WriterMessage>,
    commits: &Commits,
) -> Result<()> {
    let mut chores = Chores::new();
    loop {
        let (mut cleaning, mut is_woken) = (Vec::new(), false);
        match messages.recv_timeout(chores.pause()) {
            Ok(WriterMessage::Check) => {
                // Cleared before the check: a later request may be about a commit that this check does not see.
                commits.check.store(false, Ordering::Relaxed);
                batches.check(commits);
            }
            Ok(WriterMessage::Write(first)) => {
                batches.batch(commits, first, || {
                    loop {
                        match messages.try_recv() {
                            Ok(WriterMessage::Write(job)) => return Some(job),
                            // The batch has checked.
                            Ok(WriterMessage::Check) => {
                                commits.check.store(false, Ordering::Relaxed)
                            }
                            Ok(WriterMessage::Clean(caller)) => cleaning.push(caller),
                            Ok(WriterMessage::Wake) => is_woken = true,
                            Err(_) => return None,
                        }
                    }
                });
                chores.after_batch(&mut batches, commits);
            }
            Ok(WriterMessage::Clean(caller)) => cleaning.push(caller),
            Ok(WriterMessage::Wake) => is_woken = true,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if !cleaning.is_empty() {
            chores.cleans_soon();
        }
        for caller in cleaning {
            // Only the first one writes the file anew. Sending fails if the client has gone.
            let _ = caller.send(batches.clean(commits));
        }
        if is_woken {
            chores.wake();
        }
        chores.run(&mut batches, commits);
    }
    batches.finish(true, commits)
}
