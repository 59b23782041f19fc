//! Sends the changes to webhooks.
//!
//! One process delivers to a webhook at a time: the one that has its lease, a row in the database. A process takes a lease
//! when there is something to do, keeps it with a beat every second, and gives it back when nothing was to be done for a
//! while, so that a database at rest is not written. If a process dies, another one notices that the beats have stopped.
//!
//! A delivery that succeeds costs no row: the webhook only has a place in the sequence of changes. So a write of a record
//! costs the same however many webhooks there are.
//!
//! | file | what it holds |
//! |---|---|
//! | [`networks`] | which addresses may be reached |
//! | [`client`] | one request, and what came of it |
//! | [`message`] | what is sent |
//! | [`pace`] | when it is tried again |
//! | [`feed`] | the newest changes |
//! | [`saver`] | saves the states of the webhooks together |
//! | [`worker`] | delivers to one webhook |
//! | [`meter`] | the metrics |

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::model::token::nonce;
use crate::model::webhook::WebhookState;
use crate::store::any::AnyStore;
use crate::store::sql::webhooks::{EPOCH, HOOKS, HookRow, Leases, MADE_AFTER, WAITING};
use client::HookClient;
use meter::DeliveryMeter;
use networks::AllowedNetworks;
use saver::Saver;
use worker::{Desk, Worker};

mod client;
mod feed;
mod message;
pub(crate) mod meter;
pub mod networks;
mod pace;
mod saver;
mod worker;

/// The time between two looks at the webhooks. Changes of other processes are noticed by it.
const LOOK: Duration = Duration::from_secs(1);

/// The same while there is no webhook.
const LOOK_FOR_FIRST: Duration = Duration::from_secs(5);

/// The time between two looks at new changes of this process.
const SHORT: Duration = Duration::from_millis(5);

/// How long a process may deliver after its last beat.
const LEASE: Duration = Duration::from_secs(3);

/// How long a beat has to stand still before another process takes over. It is longer than the lease, as each process
/// measures with its own clock.
const LAPSED: Duration = Duration::from_secs(5);

/// How long there must be nothing to do before a lease is given back.
const IDLE: Duration = Duration::from_secs(20);

/// How long the end of the service waits for requests that are under way, and for the last save.
const LAST: Duration = Duration::from_secs(3);

/// The time between two looks at what waits, for the metrics.
const COUNT: Duration = Duration::from_secs(5);

/// The deliverer of a service.
pub(super) struct Deliverer {
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Deliverer {
    /// Starts to deliver.
    pub(super) fn start(
        store: AnyStore,
        allowed: AllowedNetworks,
        meter: DeliveryMeter,
    ) -> Result<Deliverer> {
        let owner = nonce()?;
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        let saver = Saver::new(store.clone(), owner.clone(), turn.clone());
        let desk = Desk::new(store, HookClient::new(allowed), saver, meter);
        let (end, ended) = watch::channel(false);
        let office = Office {
            desk: Arc::new(desk),
            owner,
            turn,
            workers: HashMap::new(),
            seen: HashMap::new(),
            is_used: false,
            has_free: false,
            beaten: None,
            counted: None,
        };
        Ok(Deliverer {
            end,
            task: tokio::spawn(office.run(ended)),
        })
    }

    /// Ends: requests that are under way may still be answered, and their results are saved.
    pub(super) async fn end(self) {
        let _ = self.end.send(true);
        let _ = self.task.await;
    }
}

/// A worker and its task.
struct Hired {
    worker: Arc<Worker>,
    task: JoinHandle<()>,
    /// Since when there is nothing to do.
    idle_since: Option<Instant>,
}

impl Drop for Hired {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task that looks at the webhooks and hires workers for them.
struct Office {
    desk: Arc<Desk>,
    /// This process.
    owner: String,
    /// See [`Saver`].
    turn: Arc<tokio::sync::Mutex<()>>,
    workers: HashMap<i64, Hired>,
    /// The owners and beats of webhooks of other processes, and since when they are the same.
    seen: HashMap<i64, (Option<String>, i64, Instant)>,
    /// Whether there are any webhooks.
    is_used: bool,
    /// Whether there are webhooks that no process delivers to.
    has_free: bool,
    /// The last beat.
    beaten: Option<Instant>,
    counted: Option<Instant>,
}

impl Office {
    async fn run(mut self, mut ended: watch::Receiver<bool>) {
        let desk = self.desk.clone();
        tokio::select! {
            () = self.look_often() => {}
            () = desk.saver.work() => {}
            _ = ended.wait_for(|ended| *ended) => {}
        }
        self.close().await;
    }

    async fn look_often(&mut self) {
        let Some(mut commits) = self.desk.store.commits() else {
            return std::future::pending().await;
        };
        let mut next = Instant::now();
        loop {
            if Instant::now() >= next {
                let again = self.look().await;
                if let Err(error) = &again {
                    tracing::debug!("the webhooks cannot be read: {error}");
                }
                next = Instant::now()
                    + match again {
                        Ok(true) => Duration::ZERO,
                        _ if self.is_used => LOOK,
                        _ => LOOK_FOR_FIRST,
                    };
            }
            let committed = tokio::select! {
                changed = commits.changed() => changed.is_ok(),
                () = tokio::time::sleep_until(next.into()) => false,
            };
            if !committed {
                continue;
            }
            if !self.is_used {
                // The commit may be the first webhook.
                next = next.min(Instant::now() + LOOK);
            } else if let Err(error) = self.desk.feed.refresh().await {
                tracing::debug!("the changes cannot be read: {error}");
            } else if self.has_free {
                next = Instant::now();
            }
            tokio::time::sleep(SHORT).await;
        }
    }

    /// Looks at all webhooks. Returns whether to look again at once.
    async fn look(&mut self) -> Result<bool> {
        let store = &self.desk.store;
        let rows = store.rows(HOOKS, &[]).await?;
        let rows: Option<Vec<HookRow>> = rows.iter().map(|row| HookRow::from_row(row)).collect();
        let rows = rows.ok_or_else(|| Error::internal("the database: a webhook cannot be read"))?;
        self.is_used = !rows.is_empty();
        if rows.is_empty() {
            self.workers.clear();
            self.seen.clear();
            self.desk.meter.waits(0, None);
            return Ok(false);
        }
        let epoch = store.rows(EPOCH, &[]).await?;
        if let Some(epoch) = epoch.first().and_then(|row| row.first()?.text()) {
            let mut known = self
                .desk
                .epoch
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            if **known != *epoch {
                *known = epoch.into();
            }
        }
        self.desk.feed.refresh().await?;
        self.has_free = rows
            .iter()
            .any(|row| row.owner.is_none() && row.target.state == WebhookState::Active);
        self.count(&rows).await?;
        self.staff(rows).await
    }

    /// Hires and dismisses workers, and takes, keeps and gives back leases.
    async fn staff(&mut self, rows: Vec<HookRow>) -> Result<bool> {
        let (now, end) = (time::now(), *self.desk.feed.end().borrow());
        let known: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let mine = |row: &HookRow| row.owner.as_deref() == Some(&self.owner);
        let owned: Vec<i64> = rows
            .iter()
            .filter(|row| mine(row))
            .map(|row| row.id)
            .collect();
        // A worker whose webhook another process has, or nobody any more.
        self.workers.retain(|id, _| owned.contains(id));
        self.seen.retain(|id, _| known.contains(id));
        let (mut take, mut release, mut again) = (Vec::new(), Vec::new(), false);
        for row in rows {
            let is_due = row.tests
                || row.target.state == WebhookState::Active
                    && row.due.as_ref().is_some_and(|due| *due <= now);
            if !owned.contains(&row.id) {
                let is_behind = row.target.state == WebhookState::Active && row.place < end;
                if (is_due || is_behind) && self.is_free(&row) {
                    take.push((row.id, row.owner, row.beat));
                }
                continue;
            }
            let Some(hired) = self.workers.get_mut(&row.id) else {
                // It was just taken, or its worker was dismissed, and everything is saved.
                let hired = self.hire(row);
                if is_due {
                    hired.worker.look();
                }
                continue;
            };
            if hired.worker.target != row.target || hired.task.is_finished() {
                self.workers.remove(&row.id);
                self.desk.saver.flush().await;
                match row.target.state {
                    WebhookState::Gone => release.push(row.id),
                    _ => again = true,
                }
                continue;
            }
            if is_due {
                hired.worker.look();
            }
            let has_work =
                is_due || row.target.state == WebhookState::Active && hired.worker.place() < end;
            if has_work {
                hired.idle_since = None;
                continue;
            }
            let since = *hired.idle_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= IDLE {
                hired.worker.put_place();
                self.workers.remove(&row.id);
                self.desk.saver.flush().await;
                release.push(row.id);
            }
        }
        let keep = owned.len() > release.len() || !take.is_empty();
        let is_beat_due = self.beaten.is_none_or(|at| at.elapsed() >= LOOK);
        if take.is_empty() && release.is_empty() && !(keep && is_beat_due) {
            return Ok(again);
        }
        let took = !take.is_empty();
        let began = Instant::now();
        let leases = Leases {
            owner: self.owner.clone(),
            take,
            release,
            keep,
        };
        let turn = self.turn.lock().await;
        self.desk.store.chore(leases).await?;
        drop(turn);
        self.beaten = Some(began);
        self.desk.lease.send_replace(began + LEASE);
        Ok(again || took)
    }

    /// Whether no process delivers to a webhook: it has no owner, or the beats of its owner have stopped.
    fn is_free(&mut self, row: &HookRow) -> bool {
        if row.owner.is_none() {
            self.seen.remove(&row.id);
            return true;
        }
        let now = (row.owner.clone(), row.beat, Instant::now());
        let seen = self.seen.entry(row.id).or_insert_with(|| now.clone());
        if (&seen.0, seen.1) != (&now.0, now.1) {
            *seen = now;
        }
        seen.2.elapsed() >= LAPSED
    }

    fn hire(&mut self, row: HookRow) -> &mut Hired {
        let id = row.id;
        let worker = Arc::new(Worker::new(self.desk.clone(), row));
        let working = worker.clone();
        let hired = Hired {
            worker,
            task: tokio::spawn(async move { working.work().await }),
            idle_since: None,
        };
        self.workers.entry(id).insert_entry(hired).into_mut()
    }

    /// Counts what waits, for the metrics.
    async fn count(&mut self, rows: &[HookRow]) -> Result<()> {
        if self.counted.is_some_and(|at| at.elapsed() < COUNT) {
            return Ok(());
        }
        self.counted = Some(Instant::now());
        let store = &self.desk.store;
        let waiting = store.rows(WAITING, &[]).await?;
        let row = waiting.first();
        let count = row.and_then(|row| row.first()?.int()).unwrap_or_default();
        let since = row.and_then(|row| row.get(1)?.text().and_then(time::read_stored));
        let end = *self.desk.feed.end().borrow();
        let active = rows
            .iter()
            .filter(|row| row.target.state == WebhookState::Active);
        let places = active.map(|row| match self.workers.get(&row.id) {
            Some(hired) => hired.worker.place(),
            None => row.place,
        });
        let behind: Vec<i64> = places.filter(|place| *place < end).collect();
        let mut made = None;
        if let Some(place) = behind.iter().min() {
            let rows = store.rows(MADE_AFTER, &[(*place).into()]).await?;
            made = rows
                .first()
                .and_then(|row| time::read_stored(row.first()?.text()?));
        }
        let oldest: Option<SystemTime> = since.into_iter().chain(made).min();
        let count = u64::try_from(count).unwrap_or_default() + behind.len() as u64;
        self.desk.meter.waits(count, oldest);
        Ok(())
    }

    /// Lets requests end that are under way, saves, and gives all leases back.
    async fn close(mut self) {
        let desk = self.desk.clone();
        desk.ending.store(true, Ordering::SeqCst);
        let close = async {
            while desk.under_way.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(SHORT).await;
            }
        };
        let _ = tokio::time::timeout(LAST, close).await;
        for hired in self.workers.values() {
            hired.worker.put_place();
        }
        let release: Vec<i64> = self.workers.keys().copied().collect();
        self.workers.clear();
        if release.is_empty() {
            return;
        }
        let save = async {
            tokio::select! {
                () = desk.saver.flush() => {}
                () = desk.saver.work() => {}
            }
            let leases = Leases {
                owner: self.owner.clone(),
                take: Vec::new(),
                release,
                keep: false,
            };
            let _turn = self.turn.lock().await;
            desk.store.chore(leases).await
        };
        if let Ok(Err(error)) = tokio::time::timeout(LAST, save).await {
            tracing::debug!("the webhooks cannot be given back: {error}");
        }
    }
}
