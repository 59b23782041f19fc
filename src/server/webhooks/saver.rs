//! Saves the states of webhooks, a few times a second for all of them together.
//!
//! A state that is not saved yet is the work that a killed process repeats. So it is saved after a quarter of a second, and
//! before that if a webhook has many deliveries that are not saved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::store::any::AnyStore;
use crate::store::sql::webhooks::{HookUpdate, SaveHooks};

/// How long a state waits for others.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a failed save waits.
const FAILED: Duration = Duration::from_secs(1);

/// The states that are not saved yet.
pub(super) struct Saver {
    store: AnyStore,
    owner: String,
    /// Only one write of the deliverer runs at a time, so that two cannot wait for one another.
    turn: Arc<tokio::sync::Mutex<()>>,
    unsaved: Mutex<Unsaved>,
    /// Wakes the task for a new state.
    news: Notify,
    /// Ends the pause.
    urgent: Notify,
    /// The number of the last save.
    saved: watch::Sender<u64>,
}

#[derive(Default)]
struct Unsaved {
    updates: BTreeMap<i64, HookUpdate>,
    /// The number of the save that will have these updates.
    number: u64,
}

impl HookUpdate {
    /// Adds a later update.
    fn add(&mut self, mut later: HookUpdate) {
        let mut deliveries = std::mem::take(&mut self.deliveries);
        deliveries.append(&mut later.deliveries);
        *self = HookUpdate {
            deliveries,
            given_up: self.given_up + later.given_up,
            gone: self.gone || later.gone,
            ..later
        };
    }
}

impl Saver {
    pub(super) fn new(store: AnyStore, owner: String, turn: Arc<tokio::sync::Mutex<()>>) -> Saver {
        Saver {
            store,
            owner,
            turn,
            unsaved: Mutex::new(Unsaved {
                updates: BTreeMap::new(),
                number: 1,
            }),
            news: Notify::new(),
            urgent: Notify::new(),
            saved: watch::Sender::default(),
        }
    }

    fn unsaved(&self) -> MutexGuard<'_, Unsaved> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the state of a webhook, to save it soon.
    pub(super) fn put(&self, webhook: i64, update: HookUpdate) {
        let mut unsaved = self.unsaved();
        match unsaved.updates.get_mut(&webhook) {
            Some(earlier) if earlier.turn == update.turn => earlier.add(update),
            _ => {
                unsaved.updates.insert(webhook, update);
            }
        }
        drop(unsaved);
        self.news.notify_one();
    }

    /// Waits until everything that was put is saved, or cannot be saved any more.
    pub(super) async fn flush(&self) {
        self.until(self.hurry()).await;
    }

    /// Begins a save at once, and returns its number.
    pub(super) fn hurry(&self) -> u64 {
        let number = self.unsaved().number;
        self.news.notify_one();
        self.urgent.notify_one();
        number
    }

    /// Waits for the end of a save.
    pub(super) async fn until(&self, number: u64) {
        let mut saved = self.saved.subscribe();
        let _ = saved.wait_for(|saved| *saved >= number).await;
    }

    /// Saves until it is dropped.
    pub(super) async fn work(&self) {
        loop {
            self.news.notified().await;
            // Others may be about to put something too.
            let _ = tokio::time::timeout(PAUSE, self.urgent.notified()).await;
            self.save().await;
        }
    }

    async fn save(&self) {
        loop {
            let turn = self.turn.lock().await;
            let (updates, number) = {
                let mut unsaved = self.unsaved();
                let number = unsaved.number;
                unsaved.number += 1;
                (unsaved.updates.clone(), number)
            };
            if !updates.is_empty() {
                // Kept until they are saved, so that this future may be dropped.
                let chore = SaveHooks {
                    owner: self.owner.clone(),
                    updates: updates.clone(),
                };
                if let Err(error) = self.store.chore(chore).await {
                    drop(turn);
                    tracing::debug!("the state of the webhooks cannot be saved: {error}");
                    tokio::time::sleep(FAILED).await;
                    continue;
                }
                self.forget(&updates);
            }
            self.saved.send_replace(number);
            return;
        }
    }

    /// Removes what was saved from what is to be saved.
    fn forget(&self, saved: &BTreeMap<i64, HookUpdate>) {
        let mut unsaved = self.unsaved();
        for (webhook, saved) in saved {
            let Some(update) = unsaved.updates.get_mut(webhook) else {
                continue;
            };
            if update == saved {
                unsaved.updates.remove(webhook);
                continue;
            }
            if update.turn == saved.turn {
                update.given_up -= saved.given_up;
                update
                    .deliveries
                    .retain(|seq, delivery| saved.deliveries.get(seq) != Some(delivery));
            }
        }
    }
}
