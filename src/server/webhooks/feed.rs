//! The newest changes in memory, so that a hundred webhooks read them from the database once.
//!
//! A webhook that is further behind reads its own part of the sequence.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::base::error::{Error, Result};
use crate::model::value::Value;
use crate::store::any::AnyStore;
use crate::store::sql::webhooks::{CHANGE, CHANGES, ChangeRow};

/// How many changes are kept. Each has at most 40 KiB.
const KEPT: usize = 1_000;

/// How many changes are read at once.
const PORTION: usize = 100;

/// How many changes a webhook takes at once.
const BATCH: usize = 50;

/// The sequence of changes.
pub(super) struct Feed {
    store: AnyStore,
    kept: Mutex<KeptChanges>,
    /// The number up to which all changes are known.
    end: watch::Sender<i64>,
}

#[derive(Default)]
struct KeptChanges {
    changes: VecDeque<Arc<ChangeRow>>,
    /// All changes after this number and up to the end are kept.
    after: i64,
    /// Whether the end was ever read.
    begun: bool,
    /// How often everything was forgotten.
    generation: u64,
}

/// Some changes for a webhook.
pub(super) struct Batch {
    pub(super) changes: Vec<Arc<ChangeRow>>,
    /// The number up to which these are all changes.
    pub(super) end: i64,
    /// See [`Feed::is_current`].
    generation: u64,
}

impl Feed {
    pub(super) fn new(store: AnyStore) -> Feed {
        Feed {
            store,
            kept: Mutex::default(),
            end: watch::Sender::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, KeptChanges> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receiver of the number up to which all changes are known.
    pub(super) fn end(&self) -> watch::Receiver<i64> {
        self.end.subscribe()
    }

    /// Reads the changes that are new. The receivers of [`Feed::end`] are woken if there are any. Called by one task.
    pub(super) async fn refresh(&self) -> Result<()> {
        let horizon = self.store.horizon().await?;
        let mut end = *self.end.borrow();
        if !self.kept().begun {
            // What is older is read by the webhooks that need it.
            let mut kept = self.kept();
            (kept.begun, kept.after) = (true, horizon);
            end = horizon;
        }
        while end < horizon {
            let read = self.read(end, horizon, PORTION).await?;
            end = match read.len() < PORTION {
                true => horizon,
                false => read.last().map_or(horizon, |change| change.seq),
            };
            let mut kept = self.kept();
            for change in read {
                if change.kind.ends_with(".erased") {
                    // What was erased must not be sent any more.
                    kept.changes.clear();
                    kept.after = change.seq - 1;
                    kept.generation += 1;
                }
                kept.changes.push_back(Arc::new(change));
            }
            while kept.changes.len() > KEPT {
                if let Some(oldest) = kept.changes.pop_front() {
                    kept.after = oldest.seq;
                }
            }
        }
        self.end.send_if_modified(|known| {
            let is_new = *known < end;
            *known = end.max(*known);
            is_new
        });
        Ok(())
    }

    async fn read(&self, after: i64, end: i64, most: usize) -> Result<Vec<ChangeRow>> {
        let params = [after.into(), end.into(), Value::Int(most as i64)];
        let rows = self.store.rows(CHANGES, &params).await?;
        let changes: Option<Vec<ChangeRow>> =
            rows.iter().map(|row| ChangeRow::from_row(row)).collect();
        changes.ok_or_else(|| Error::internal("the database: a change cannot be read"))
    }

    /// The changes after a place, `None` if there are none yet.
    pub(super) async fn after(&self, place: i64) -> Result<Option<Batch>> {
        let end = *self.end.borrow();
        if end <= place {
            return Ok(None);
        }
        let generation = {
            let kept = self.kept();
            if kept.begun && place >= kept.after {
                let from = kept.changes.partition_point(|change| change.seq <= place);
                let changes: Vec<_> = kept.changes.range(from..).take(BATCH).cloned().collect();
                return Ok(Some(Batch {
                    end: match changes.len() < BATCH {
                        true => end.max(changes.last().map_or(end, |change| change.seq)),
                        false => changes.last().map_or(end, |change| change.seq),
                    },
                    changes,
                    generation: kept.generation,
                }));
            }
            kept.generation
        };
        let read = self.read(place, end, BATCH).await?;
        Ok(Some(Batch {
            end: match read.len() < BATCH {
                true => end,
                false => read.last().map_or(end, |change| change.seq),
            },
            changes: read.into_iter().map(Arc::new).collect(),
            generation,
        }))
    }

    /// Whether the changes of a batch are still as the database has them.
    pub(super) fn is_current(&self, batch: &Batch) -> bool {
        self.kept().generation == batch.generation
    }

    /// One change, `None` if it is no longer kept.
    pub(super) async fn change(&self, seq: i64) -> Result<Option<ChangeRow>> {
        let rows = self.store.rows(CHANGE, &[seq.into()]).await?;
        Ok(rows.first().and_then(|row| ChangeRow::from_row(row)))
    }
}
