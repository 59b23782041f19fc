//! The newest changes, read from the database once for all streams of the process.
//!
//! One task reads on whenever this process commits, and now and then for the commits of others. It keeps the newest changes
//! in a ring, with their text as it is sent. A stream that is further back than the ring reads the database itself until it
//! has caught up. The task sleeps while there are no streams.
//!
//! A stream that has caught up is woken only by a change that meets its filters: the task looks for all of them, once for each
//! filter that is in use. So a thousand idle streams cost a commit next to nothing.
//!
//! A ring holds every change between its two ends. Where that can no longer be promised, as after the database was replaced,
//! the ring is broken: all streams end, and their clients are told why when they resume.
//!
//! On PostgreSQL, changes are listed up to the oldest write that goes on. While there is one, the task looks again soon.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::event;
use crate::base::error::{Code, Error, Result};
use crate::model::query::{Conditions, END, FeedPlace, Query};
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
    /// Whether there is a ring.
    pub(super) is_begun: bool,
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
    fn push(&mut self, change: Arc<TailChange>) {
        self.bytes += change.size();
        self.changes.push_back(change);
        while self.bytes > RING_BYTES || self.changes.len() > RING_LENGTH {
            let Some(oldest) = self.changes.pop_front() else {
                break;
            };
            self.bytes -= oldest.size();
            self.start = oldest.seq;
        }
    }
}

/// What a stream waits for.
#[derive(Clone)]
pub(super) struct Wanted {
    /// Its filters as text. Streams with the same text have the same conditions.
    pub(super) filters: Arc<str>,
    pub(super) conditions: Arc<Conditions>,
}

/// A stream as the task sees it.
struct Waiter {
    wanted: Wanted,
    /// Nothing up to this number, and after the place of the stream, meets its conditions.
    passed: i64,
    /// Whether it waits to be woken.
    waits: bool,
    wake: Arc<Notify>,
}

/// What the streams and the task share.
#[derive(Default)]
struct Shared {
    ring: Ring,
    waiters: HashMap<u64, Waiter>,
    /// The number of the next stream.
    next: u64,
}

impl Shared {
    /// Wakes the streams for which these changes are, the last ones up to the end of the ring.
    fn wake(&mut self, changes: &[Arc<TailChange>]) {
        let mut met: HashMap<&str, bool> = HashMap::new();
        for waiter in self.waiters.values_mut().filter(|waiter| waiter.waits) {
            let Wanted {
                filters,
                conditions,
            } = &waiter.wanted;
            let is_met = met.entry(filters).or_insert_with(|| {
                let mut records = changes.iter().map(|change| &change.record);
                records.any(|record| conditions.are_met(record))
            });
            match *is_met {
                true => {
                    waiter.waits = false;
                    waiter.wake.notify_one();
                }
                false => waiter.passed = self.ring.end,
            }
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
    shared: Mutex<Shared>,
    state: watch::Sender<TailState>,
    begins: Notify,
}

impl Tail {
    pub(super) fn new(store: AnyStore) -> Tail {
        Tail {
            store,
            shared: Mutex::default(),
            state: watch::Sender::default(),
            begins: Notify::new(),
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many streams there are.
    fn readers(&self) -> usize {
        self.shared().waiters.len()
    }

    /// A stream that waits for these changes. The task stays awake for it.
    pub(super) fn reader(self: &Arc<Tail>, wanted: Wanted) -> TailReader {
        let wake = Arc::new(Notify::new());
        let mut shared = self.shared();
        let number = shared.next;
        shared.next += 1;
        if shared.waiters.is_empty() {
            self.begins.notify_one();
        }
        let waiter = Waiter {
            wanted,
            passed: i64::MIN,
            waits: false,
            wake: wake.clone(),
        };
        shared.waiters.insert(number, waiter);
        TailReader {
            tail: self.clone(),
            number,
            state: self.state.subscribe(),
            wake,
        }
    }

    /// Ends all streams, also those that begin later.
    pub(super) fn stop(&self) {
        self.state.send_modify(|state| state.stopped = true);
    }

    /// Whether all streams were ended.
    pub(super) fn is_stopped(&self) -> bool {
        self.state.borrow().stopped
    }

    /// Reads the newest changes while there are streams, for ever.
    pub(super) async fn follow(&self) -> Infallible {
        loop {
            self.begins.notified().await;
            let mut commits = self.store.commits();
            let mut soon = SOON;
            while self.readers() > 0 {
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
        let readers = self.readers() as u64;
        Duration::from_millis(5 + readers.min(1_000) / 25)
    }

    /// Empties the ring, and ends all streams if it is broken.
    fn forget(&self, is_broken: bool) {
        let mut shared = self.shared();
        shared.ring = Ring::default();
        for waiter in shared.waiters.values_mut() {
            waiter.waits = false;
        }
        drop(shared);
        self.state.send_modify(|state| {
            state.is_begun = false;
            state.breaks += u64::from(is_broken);
        });
    }

    /// Reads up to the end. Returns whether there was something new, and whether a write that goes on keeps changes back.
    async fn read(&self) -> Result<(bool, bool)> {
        let mut moved = false;
        loop {
            let cursor = self.shared().ring.cursor.clone();
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
        let changes = changes.into_iter().map(|record| {
            let mut event = Vec::with_capacity(1024);
            event::write(&record, &shown, &place.encode(record.id()), &mut event);
            event.shrink_to_fit();
            Arc::new(TailChange {
                seq: record.id(),
                event: event.into(),
                record,
            })
        });
        let changes: Vec<_> = changes.collect();
        let mut shared = self.shared();
        let ring = &mut shared.ring;
        if is_first {
            ring.start = end;
        }
        ring.end = end;
        ring.cursor = Some(cursor);
        for change in &changes {
            ring.push(change.clone());
        }
        shared.wake(&changes);
        drop(shared);
        if is_first {
            self.state.send_modify(|state| state.is_begun = true);
        }
    }
}

/// One stream of those that the task wakes.
pub(super) struct TailReader {
    tail: Arc<Tail>,
    number: u64,
    /// Changes when the ring begins, when it is broken and when the service stops.
    pub(super) state: watch::Receiver<TailState>,
    wake: Arc<Notify>,
}

impl TailReader {
    /// The state of the ring.
    pub(super) fn now(&self) -> TailState {
        *self.state.borrow()
    }

    /// The place of a stream that was at `place`: what does not meet its conditions is passed.
    pub(super) fn passed(&self, place: i64) -> i64 {
        let shared = self.tail.shared();
        let waiter = shared.waiters.get(&self.number);
        waiter.map_or(place, |waiter| waiter.passed.max(place))
    }

    /// The changes after a number, as far as the ring has them. If there are none, the stream is woken by the next one that
    /// meets its conditions.
    pub(super) fn since(&self, place: i64) -> Since {
        let mut shared = self.tail.shared();
        let Shared { ring, waiters, .. } = &mut *shared;
        let Some(waiter) = waiters.get_mut(&self.number) else {
            return Since::Behind;
        };
        waiter.waits = false;
        let place = waiter.passed.max(place);
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
        if changes.is_empty() {
            (waiter.waits, waiter.passed) = (true, end);
        }
        Since::Changes(changes, end)
    }

    /// Resolves when there may be something new.
    pub(super) async fn woken(&mut self) {
        tokio::select! {
            // The sender is the tail, which this refers to.
            _ = self.state.changed() => {}
            () = self.wake.notified() => {}
        }
    }
}

impl Drop for TailReader {
    fn drop(&mut self) {
        self.tail.shared().waiters.remove(&self.number);
    }
}
