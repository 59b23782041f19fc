//! Delivers to one webhook.
//!
//! New changes are sent one after the other, in their order. One that fails is put aside, to be tried again later, while
//! the next ones go on. If several in a row fail, the receiver is taken to be away: then a new change is only tried now and
//! then, and the others stay in the sequence.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;
use tokio::sync::{Notify, Semaphore, watch};

use super::client::{HookClient, Message, Received};
use super::feed::{Batch, Feed};
use super::message::{message, test};
use super::meter::{DeliveryMeter, Outcome};
use super::pace::{OLDEST, pause, slow};
use super::saver::Saver;
use crate::base::time;
use crate::model::token::nonce;
use crate::model::value::Value;
use crate::model::webhook::{SigningSecret, WebhookState};
use crate::store::any::AnyStore;
use crate::store::sql::webhooks::{ChangeRow, DUE, HookRow, HookUpdate, Target, WaitingDelivery};

/// How many requests are under way at most to receivers that work, and to those that fail. A receiver that never answers
/// keeps its place for 15 s, so those that fail have places of their own.
const WORKING: usize = 192;
const FAILING: usize = 64;

/// How many deliveries are not saved at most.
const MOST_UNSAVED: usize = 50;

/// How many deliveries are tried again at once.
const RETRIES: i64 = 8;

/// How many failures in a row show that a receiver is away.
const AWAY: u32 = 3;

/// How long a failed read of the database waits.
const FAILED: Duration = Duration::from_secs(1);

/// What all workers of a process share.
pub(super) struct Desk {
    pub(super) store: AnyStore,
    pub(super) client: HookClient,
    pub(super) feed: Feed,
    pub(super) saver: Saver,
    pub(super) meter: DeliveryMeter,
    /// The name of the sequence of changes.
    pub(super) epoch: Mutex<Arc<str>>,
    /// Until when this process may deliver.
    pub(super) lease: watch::Sender<Instant>,
    /// Whether no more requests are begun.
    pub(super) ending: AtomicBool,
    /// How many requests are under way.
    pub(super) under_way: AtomicUsize,
    working: Semaphore,
    failing: Semaphore,
}

impl Desk {
    pub(super) fn new(
        store: AnyStore,
        client: HookClient,
        saver: Saver,
        meter: DeliveryMeter,
    ) -> Desk {
        Desk {
            feed: Feed::new(store.clone()),
            store,
            client,
            saver,
            meter,
            epoch: Mutex::new("".into()),
            lease: watch::Sender::new(Instant::now()),
            ending: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            working: Semaphore::new(WORKING),
            failing: Semaphore::new(FAILING),
        }
    }

    fn epoch(&self) -> Arc<str> {
        self.epoch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Counts a request for as long as it is under way.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn new(count: &'a AtomicUsize) -> UnderWay<'a> {
        count.fetch_add(1, Ordering::SeqCst);
        UnderWay(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The deliverer of one webhook.
pub(super) struct Worker {
    desk: Arc<Desk>,
    id: i64,
    name: String,
    pub(super) target: Target,
    state: Mutex<HookState>,
    /// Wakes for deliveries that are due.
    due: Notify,
    /// Wakes those that wait because the receiver fails.
    opened: Notify,
}

/// What has come of the deliveries so far.
struct HookState {
    /// Each change up to this one is delivered, given up, or waits for another try.
    place: i64,
    failing_since: Option<String>,
    answer: Option<String>,
    answered_at: Option<String>,
    /// The receiver has asked to be left alone until then.
    wait_until: Option<SystemTime>,
    /// How many new changes in a row have failed.
    streak: u32,
    /// No new change is tried before.
    slow_until: Instant,
    unsaved: usize,
    /// The save that was asked for, and how many deliveries it has.
    saving: Option<(u64, usize)>,
    gone: bool,
}

/// A part of an update.
#[derive(Default)]
struct Step {
    delivery: Option<(i64, Option<WaitingDelivery>)>,
    given_up: i64,
}

impl Worker {
    pub(super) fn new(desk: Arc<Desk>, row: HookRow) -> Worker {
        let wait_until = row.wait_until.as_deref().and_then(time::read_stored);
        Worker {
            desk,
            id: row.id,
            name: row.name,
            target: row.target,
            state: Mutex::new(HookState {
                place: row.place,
                // What failed before may fail again: it is not taken for a receiver that works.
                streak: u32::from(row.failing_since.is_some()),
                failing_since: row.failing_since,
                answer: row.answer,
                answered_at: row.answered_at,
                wait_until,
                slow_until: Instant::now(),
                unsaved: 0,
                saving: None,
                gone: false,
            }),
            due: Notify::new(),
            opened: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, HookState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its place.
    pub(super) fn place(&self) -> i64 {
        self.state().place
    }

    /// Looks for deliveries that are due.
    pub(super) fn look(&self) {
        self.due.notify_one();
    }

    /// Saves its place soon, though nothing was delivered.
    pub(super) fn put_place(&self) {
        self.put(Step::default());
    }

    /// Delivers until it is dropped, or until the receiver ends it.
    pub(super) async fn work(&self) {
        match self.target.state {
            WebhookState::Active => {
                let fresh = self.fresh();
                let again = self.again();
                tokio::select! {
                    () = fresh => {}
                    () = again => {}
                }
            }
            WebhookState::Paused | WebhookState::Gone => self.again().await,
        }
    }

    /// Sends the new changes.
    async fn fresh(&self) {
        let mut end = self.desk.feed.end();
        while !self.state().gone {
            self.open(true).await;
            // Marked before the read, so that no later change is overlooked.
            end.mark_unchanged();
            match self.desk.feed.after(self.place()).await {
                Ok(Some(batch)) => self.batch(&batch).await,
                Ok(None) => {
                    if end.changed().await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!("the changes cannot be read: {error}");
                    tokio::time::sleep(FAILED).await;
                }
            }
        }
    }

    /// Sends some changes. Ends early if they have to be read again.
    async fn batch(&self, batch: &Batch) {
        let oldest = time::nearest(SystemTime::now() - OLDEST);
        for change in &batch.changes {
            if !self.target.types.has(&change.kind) {
                self.state().place = change.seq;
                continue;
            }
            if change.at < oldest {
                self.give_up(change.seq, None);
                self.saved(false).await;
                continue;
            }
            self.open(true).await;
            if !self.desk.feed.is_current(batch) {
                return;
            }
            let message = message(&self.desk.epoch(), self.id, change);
            match self.send(&message).await {
                Received::Delivered(answer) => {
                    self.succeeds(answer);
                    self.passes(change.seq, None);
                }
                Received::Failed(why) => {
                    self.fails(why, true);
                    self.passes(change.seq, next_try(change.seq, 1, &time::now()));
                }
                Received::Wait(why, wait) => {
                    self.waits(why, wait);
                    return;
                }
                Received::Gone(answer) => {
                    self.ends(answer);
                    self.desk.saver.flush().await;
                    return;
                }
            }
            self.saved(false).await;
        }
        self.state().place = batch.end;
    }

    /// Tries again what has failed, and sends tests.
    async fn again(&self) {
        let last = match self.target.state {
            WebhookState::Active => i64::MAX,
            WebhookState::Paused | WebhookState::Gone => 0,
        };
        loop {
            self.due.notified().await;
            loop {
                self.open(false).await;
                if self.state().gone {
                    return;
                }
                // What was just tried is not due any more.
                self.saved(true).await;
                let most = match self.state().streak < AWAY {
                    true => RETRIES,
                    false => 1,
                };
                let now = time::now();
                let params = [
                    self.id.into(),
                    now.as_str().into(),
                    last.into(),
                    Value::Int(most),
                ];
                let rows = match self.desk.store.rows(DUE, &params).await {
                    Ok(rows) => rows,
                    Err(error) => {
                        tracing::debug!("the waiting deliveries cannot be read: {error}");
                        tokio::time::sleep(FAILED).await;
                        break;
                    }
                };
                let due: Vec<WaitingDelivery> = rows
                    .iter()
                    .filter_map(|row| WaitingDelivery::from_row(row))
                    .collect();
                if due.is_empty() {
                    break;
                }
                join_all(due.into_iter().map(|delivery| self.one_again(delivery))).await;
            }
        }
    }

    async fn one_again(&self, delivery: WaitingDelivery) {
        let seq = delivery.seq;
        if seq == 0 {
            return self.test(&delivery).await;
        }
        if delivery.since < time::nearest(SystemTime::now() - OLDEST) {
            return self.give_up(seq, Some(seq));
        }
        let change: ChangeRow = match self.desk.feed.change(seq).await {
            Ok(Some(change)) => change,
            // It is no longer kept, or it was erased.
            Ok(None) => return self.settled(seq, None),
            Err(error) => {
                tracing::debug!("a change cannot be read: {error}");
                return tokio::time::sleep(FAILED).await;
            }
        };
        let message = message(&self.desk.epoch(), self.id, &change);
        match self.send(&message).await {
            Received::Delivered(answer) => {
                self.succeeds(answer);
                self.settled(seq, None);
            }
            Received::Failed(why) => {
                self.fails(why, false);
                match next_try(seq, delivery.tries + 1, &delivery.since) {
                    Some(next) => self.settled(seq, Some(next)),
                    None => self.give_up(seq, Some(seq)),
                }
            }
            Received::Wait(why, wait) => self.waits(why, wait),
            Received::Gone(answer) => {
                self.ends(answer);
                self.desk.saver.flush().await;
            }
        }
    }

    /// Sends a test. It is not tried again.
    async fn test(&self, asked: &WaitingDelivery) {
        let number = nonce().unwrap_or_default();
        let message = test(
            &self.desk.epoch(),
            self.id,
            &self.name,
            &asked.since,
            &number,
        );
        match self.send(&message).await {
            Received::Delivered(answer) => self.succeeds(answer),
            Received::Failed(why) => self.fails(why, false),
            Received::Wait(why, wait) => self.waits(why, wait),
            Received::Gone(answer) if self.target.state == WebhookState::Active => {
                self.ends(answer);
            }
            Received::Gone(answer) => self.fails(answer, false),
        }
        self.settled(0, None);
    }

    /// Sends a message, when this process may and there is room.
    async fn send(&self, message: &Message) -> Received {
        let places = match self.state().streak {
            0 => &self.desk.working,
            _ => &self.desk.failing,
        };
        // The semaphores are never closed.
        let _place = places.acquire().await;
        let mut lease = self.desk.lease.subscribe();
        let _ = lease.wait_for(|until| Instant::now() < *until).await;
        let _under_way = UnderWay::new(&self.desk.under_way);
        if self.desk.ending.load(Ordering::SeqCst) {
            drop(_under_way);
            return std::future::pending().await;
        }
        let mut secrets: Vec<&SigningSecret> = vec![&self.target.secret];
        if let Some((secret, until)) = &self.target.old_secret
            && *until > time::now()
        {
            secrets.push(secret);
        }
        let client = &self.desk.client;
        let received = client.send(&self.target.url, &secrets, message).await;
        self.desk.meter.count(match &received {
            Received::Delivered(_) => Outcome::Delivered,
            Received::Wait(..) => Outcome::Postponed,
            Received::Failed(_) | Received::Gone(_) => Outcome::Failed,
        });
        received
    }

    /// Waits while the receiver asks for it and, before a new change, while it fails.
    async fn open(&self, is_new: bool) {
        loop {
            let (wait, slow) = {
                let state = self.state();
                let wait = state.wait_until.map(|until| {
                    until
                        .duration_since(SystemTime::now())
                        .unwrap_or(Duration::ZERO)
                });
                let slow = state.slow_until.saturating_duration_since(Instant::now());
                (wait.unwrap_or_default(), slow)
            };
            let wait = if is_new { wait.max(slow) } else { wait };
            if wait.is_zero() {
                return;
            }
            // A success opens at once, and a longer wish closes again.
            let _ = tokio::time::timeout(wait, self.opened.notified()).await;
        }
    }

    fn succeeds(&self, answer: String) {
        let mut state = self.state();
        if state.failing_since.take().is_some() {
            tracing::info!("webhook {}: deliveries succeed again", self.name);
        }
        (state.streak, state.slow_until) = (0, Instant::now());
        (state.wait_until, state.answer) = (None, Some(answer));
        state.answered_at = Some(time::now());
        drop(state);
        self.opened.notify_one();
    }

    fn fails(&self, why: String, is_new: bool) {
        let mut state = self.state();
        if state.failing_since.is_none() {
            tracing::warn!("webhook {}: a delivery failed: {why}", self.name);
            state.failing_since = Some(time::now());
        }
        if is_new {
            state.streak += 1;
            state.slow_until = Instant::now() + slow(state.streak);
        }
        (state.answer, state.answered_at) = (Some(why), Some(time::now()));
    }

    fn waits(&self, why: String, wait: Duration) {
        let mut state = self.state();
        state.wait_until = Some(SystemTime::now() + wait);
        if state.failing_since.is_none() {
            state.failing_since = Some(time::now());
        }
        (state.answer, state.answered_at) = (Some(why), Some(time::now()));
        drop(state);
        self.put(Step::default());
    }

    fn ends(&self, answer: String) {
        tracing::warn!(
            "webhook {}: its receiver has answered 410; nothing more is sent to it",
            self.name
        );
        let mut state = self.state();
        (state.answer, state.answered_at) = (Some(answer), Some(time::now()));
        state.gone = true;
        drop(state);
        self.put(Step::default());
    }

    /// A new change is done with, or is put aside.
    fn passes(&self, seq: i64, waiting: Option<WaitingDelivery>) {
        self.state().place = seq;
        self.put(Step {
            delivery: waiting.map(|waiting| (seq, Some(waiting))),
            given_up: 0,
        });
    }

    /// A delivery that has waited is done with, or waits again.
    fn settled(&self, seq: i64, waiting: Option<WaitingDelivery>) {
        self.put(Step {
            delivery: Some((seq, waiting)),
            given_up: 0,
        });
    }

    /// Gives a change up: a new one, or one that waits.
    fn give_up(&self, seq: i64, waiting: Option<i64>) {
        tracing::warn!("webhook {}: change {seq} was given up", self.name);
        self.desk.meter.count(Outcome::GivenUp);
        if waiting.is_none() {
            self.state().place = seq;
        }
        self.put(Step {
            delivery: waiting.map(|seq| (seq, None)),
            given_up: 1,
        });
    }

    /// Hands the state over to be saved.
    fn put(&self, step: Step) {
        let mut state = self.state();
        state.unsaved += 1;
        let wait_until = state.wait_until.map(time::nearest);
        let update = HookUpdate {
            turn: self.target.turn,
            place: state.place,
            failing_since: state.failing_since.clone(),
            answer: state.answer.clone(),
            answered_at: state.answered_at.clone(),
            wait_until,
            given_up: step.given_up,
            gone: state.gone,
            deliveries: step.delivery.into_iter().collect(),
        };
        // Under the lock, so that updates are in order.
        self.desk.saver.put(self.id, update);
    }

    /// Waits for a save if much is not saved yet.
    async fn saved(&self, at_once: bool) {
        let saver = &self.desk.saver;
        let (number, count) = {
            let mut state = self.state();
            if state.saving.is_none() && (at_once || state.unsaved >= MOST_UNSAVED / 2) {
                // The deliveries go on during the save.
                state.saving = Some((saver.hurry(), state.unsaved));
            }
            match state.saving {
                Some(saving) if state.unsaved >= MOST_UNSAVED || at_once => saving,
                _ => return,
            }
        };
        saver.until(number).await;
        let left = {
            let mut state = self.state();
            if state.saving == Some((number, count)) {
                state.saving = None;
                state.unsaved = state.unsaved.saturating_sub(count);
            }
            state.unsaved
        };
        if at_once && left > 0 {
            saver.flush().await;
            self.state().unsaved = 0;
        }
    }
}

/// The next try of a change that has failed so often. `None` gives it up.
fn next_try(seq: i64, tries: i64, since: &str) -> Option<WaitingDelivery> {
    Some(WaitingDelivery {
        seq,
        tries,
        due: time::nearest(SystemTime::now() + pause(tries)?),
        since: since.into(),
    })
}
