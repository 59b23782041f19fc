//! The newest changes, read from the database once for all streams of the process.
//!
//! One task reads on whenever this process commits, and now and then for the commits of others. It keeps the newest changes
//! in a ring, with their text as it is sent, and wakes the streams. A stream that is further back than the ring reads the
//! database itself until it has caught up. The task sleeps while there are no streams.
//!
//! A ring holds every change between its two ends. Where that can no longer be promised, as after the database was replaced,
//! the ring is broken: all streams end, and their clients are told why when they resume.
//!
//! On PostgreSQL, changes are listed up to the oldest write that goes on. While there is one, the task looks again soon.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::event;
use crate::base::error::{Code, Error, Result};
use crate::model::query::{END, FeedPlace, Query};
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use crate::views::changes::CHANGE;

/// The time between two looks for the commits of other processes.
const POLL: Duration = Duration::from_millis(500);

/// The first pause before a look for what a write that goes on keeps back. Each further one is twice as long, up to [`POLL`].
const SOON: Duration = Duration::from_millis(20);

/// How many changes are read at a time.
const PAGE: usize = 100;

/// The most bytes of the changes in the ring.
const RING_BYTES: usize = 8 << 20;

/// The most changes in the ring.
const RING_LENGTH: usize = 4096;

/// The most changes that a stream takes from the ring at a time.
const TAKEN: usize = 64;

/// A change in the ring.
pub(super) struct TailChange {
    pub(super) seq: i64,
    pub(super) record: Record,
    /// The event with all fields.
    pub(super) event: Bytes,
}

impl TailChange {
    /// Its approximate memory.
    fn size(&self) -> usize {
        let texts = self.record.values.iter().filter_map(|value| value.text());
        self.event.len() + texts.map(str::len).sum::<usize>() + 512
    }
}

/// What the streams see of the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TailState {
    /// The number up to which the ring has all changes. `None` before it is known.
    pub(super) end: Option<i64>,
    /// How often the ring was broken.
    pub(super) breaks: u64,
    /// Whether the service stops.
    pub(super) stopped: bool,
}

/// The newest changes.
#[derive(Default)]
struct Ring {
    /// The cursor of its end. `None` if the ring is empty and its place is not known.
    cursor: Option<String>,
    /// It has all changes after this number.
    start: i64,
    /// It has all changes up to this number.
    end: i64,
    changes: VecDeque<Arc<TailChange>>,
    bytes: usize,
}

impl Ring {
    fn push(&mut self, change: TailChange) {
        self.bytes += change.size();
        self.changes.push_back(Arc::new(change));
        while self.bytes > RING_BYTES || self.changes.len() > RING_LENGTH {
            let Some(oldest) = self.changes.pop_front() else {
                break;
            };
            self.bytes -= oldest.size();
            self.start = oldest.seq;
        }
    }
}

/// What the ring has for a stream.
pub(super) enum Since {
    /// The ring begins later, or is not there yet: the stream has to read the database, or to wait.
    Behind,
    /// These changes are the next ones, up to this number.
    Changes(Vec<Arc<TailChange>>, i64),
}

/// Reads the newest changes once for all streams.
pub(super) struct Tail {
    store: AnyStore,
    ring: Mutex<Ring>,
    state: watch::Sender<TailState>,
    readers: AtomicUsize,
    begins: Notify,
}

impl Tail {
    pub(super) fn new(store: AnyStore) -> Tail {
        Tail {
            store,
            ring: Mutex::default(),
            state: watch::Sender::default(),
            readers: AtomicUsize::new(0),
            begins: Notify::new(),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader, for which the task stays awake.
    pub(super) fn reader(self: &Arc<Tail>) -> TailReader {
        if self.readers.fetch_add(1, Ordering::Relaxed) == 0 {
            self.begins.notify_one();
        }
        TailReader {
            state: self.state.subscribe(),
            tail: self.clone(),
        }
    }

    /// Ends all streams, also those that begin later.
    pub(super) fn stop(&self) {
        self.state.send_modify(|state| state.stopped = true);
    }

    /// Reads the newest changes while there are streams, for ever.
    pub(super) async fn follow(&self) -> Infallible {
        loop {
            self.begins.notified().await;
            let mut commits = self.store.commits();
            let mut soon = SOON;
            while self.readers.load(Ordering::Relaxed) > 0 {
                // Before reading, so that a commit in between is not missed.
                if let Some(commits) = &mut commits {
                    commits.mark_unchanged();
                }
                let began = Instant::now();
                let (moved, is_behind) = match self.read().await {
                    Ok(read) => read,
                    Err(error) if error.code == Code::Gone => {
                        tracing::warn!("ended all streams of changes: {error}");
                        self.forget(true);
                        (true, false)
                    }
                    Err(error) => {
                        tracing::warn!("cannot read the newest changes for streams: {error}");
                        (false, false)
                    }
                };
                if moved {
                    soon = SOON;
                    // Many commits shortly after one another wake the streams once.
                    sleep(self.pause()).await;
                }
                let wait = match is_behind {
                    true => soon,
                    false => POLL,
                };
                soon = if is_behind { POLL.min(soon * 2) } else { SOON };
                let committed = async {
                    match &mut commits {
                        // The sender lives as long as the store.
                        Some(commits) => drop(commits.changed().await),
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = committed => {}
                    () = sleep_until(began + wait) => {}
                }
            }
            self.forget(false);
        }
    }

    /// The time between two reads. It grows with the streams, because each of them is woken.
    fn pause(&self) -> Duration {
        let readers = self.readers.load(Ordering::Relaxed) as u64;
        Duration::from_millis(5 + readers.min(1_000) / 25)
    }

    /// Empties the ring, and ends all streams if it is broken.
    fn forget(&self, is_broken: bool) {
        *self.ring() = Ring::default();
        self.state.send_modify(|state| {
            state.end = None;
            state.breaks += u64::from(is_broken);
        });
    }

    /// Reads up to the end. Returns whether there was something new, and whether a write that goes on keeps changes back.
    async fn read(&self) -> Result<(bool, bool)> {
        let mut moved = false;
        loop {
            let cursor = self.ring().cursor.clone();
            let is_first = cursor.is_none();
            let pairs = vec![
                ("after".into(), cursor.unwrap_or_else(|| END.into())),
                ("limit".into(), PAGE.to_string()),
            ];
            let mut listing = self.store.list(Query::new(&CHANGE, pairs)?).await?;
            let next = listing.next.take();
            let (next, (epoch, end)) = next
                .and_then(|next| Some((next.clone(), FeedPlace::decode(&next)?)))
                .ok_or_else(|| Error::internal("a list of changes has no cursor"))?;
            let mut changes = Vec::new();
            while let Some(records) = listing.next_chunk().await? {
                changes.extend(records);
            }
            let is_over = changes.len() < PAGE;
            moved |= is_first || !changes.is_empty();
            self.add(changes, &epoch, end, next, is_first);
            if is_over {
                return Ok((moved, listing.is_behind));
            }
        }
    }

    /// Adds changes to the ring, which then ends at this number, and wakes the streams.
    fn add(&self, changes: Vec<Record>, epoch: &str, end: i64, cursor: String, is_first: bool) {
        let place = FeedPlace {
            epoch: Some(epoch.into()),
            from_end: false,
        };
        let shown = Shown::all(&CHANGE);
        let changes: Vec<TailChange> = changes
            .into_iter()
            .map(|record| {
                let mut event = Vec::with_capacity(1024);
                event::write(&record, &shown, &place.encode(record.id()), &mut event);
                event.shrink_to_fit();
                TailChange {
                    seq: record.id(),
                    event: event.into(),
                    record,
                }
            })
            .collect();
        let mut ring = self.ring();
        if is_first {
            ring.start = end;
        }
        let has_moved = is_first || end > ring.end;
        for change in changes {
            ring.push(change);
        }
        ring.end = end;
        ring.cursor = Some(cursor);
        drop(ring);
        if has_moved {
            self.state.send_modify(|state| state.end = Some(end));
        }
    }
}

/// One stream as the tail sees it.
pub(super) struct TailReader {
    tail: Arc<Tail>,
    /// Changes with the ring.
    pub(super) state: watch::Receiver<TailState>,
}

impl TailReader {
    /// The state of the ring.
    pub(super) fn now(&self) -> TailState {
        *self.state.borrow()
    }

    /// The changes after a number, as far as the ring has them.
    pub(super) fn since(&self, place: i64) -> Since {
        let ring = self.tail.ring();
        if ring.cursor.is_none() || place < ring.start {
            return Since::Behind;
        }
        let first = ring.changes.partition_point(|change| change.seq <= place);
        let mut changes: Vec<_> = ring
            .changes
            .range(first..)
            .take(TAKEN + 1)
            .cloned()
            .collect();
        let end = match changes.get(TAKEN) {
            Some(_) => changes[TAKEN - 1].seq,
            // The ring may be behind what the stream has read itself.
            None => ring.end.max(place),
        };
        changes.truncate(TAKEN);
        Since::Changes(changes, end)
    }
}

impl Drop for TailReader {
    fn drop(&mut self) {
        self.tail.readers.fetch_sub(1, Ordering::Relaxed);
    }
}
