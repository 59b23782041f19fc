//! How long changes are kept, and the removal of older ones. The rule is the same for all databases.
//!
//! Changes are removed from the old end only, in the order of their numbers, and only those before the first one that is
//! recent enough. So what is kept is always whole from its oldest change on, also after the clock was set back. The newest
//! change is never removed: SQLite gives the number after the highest, and a reader at the end keeps its place.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::search::state::NEEDED;
use super::sql::webhooks::LOWEST_NEEDED;
use super::transaction::Transaction;
use crate::base::error::Result;
use crate::base::time;
use crate::model::value::Value;

/// How many changes are removed at once, at most.
const PORTION: usize = 32;

/// How long changes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Without an end.
    Forever,
    /// For this time. Zero keeps only what something still needs.
    For(Duration),
}

impl Keep {
    /// The time before which changes are removed, in the stored form. `None` if none are.
    fn before(self) -> Option<String> {
        match self {
            Keep::Forever => None,
            // Times are stored in seconds, and changes of this second are removed too.
            Keep::For(Duration::ZERO) => time::stored(SystemTime::now() + Duration::from_secs(1)),
            Keep::For(time) => time::stored(SystemTime::now().checked_sub(time)?),
        }
    }
}

/// How long a store keeps changes, and what it has removed.
#[derive(Debug)]
pub(crate) struct KeptChanges {
    keep: Mutex<Keep>,
    removed: Counter,
    oldest: Gauge<i64, AtomicI64>,
}

impl Default for KeptChanges {
    /// Nothing is removed until somebody says for how long changes are kept.
    fn default() -> KeptChanges {
        KeptChanges {
            keep: Mutex::new(Keep::Forever),
            removed: Counter::default(),
            oldest: Gauge::default(),
        }
    }
}

impl KeptChanges {
    pub(crate) fn set(&self, keep: Keep) {
        *self.keep.lock().unwrap_or_else(PoisonError::into_inner) = keep;
    }

    /// The time before which changes are removed, in the stored form. `None` if none are.
    fn before(&self) -> Option<String> {
        let keep = *self.keep.lock().unwrap_or_else(PoisonError::into_inner);
        keep.before()
    }

    /// Registers the metrics.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "crm_changes_removed",
            "Changes that were removed because they were older than they are kept",
            self.removed.clone(),
        );
        registry.register_with_unit(
            "crm_changes_oldest_timestamp",
            "When the oldest change that is kept was made, 0 if there is none; looked at once a minute",
            Unit::Seconds,
            self.oldest.clone(),
        );
    }

    /// Notes the oldest change that is kept.
    fn sees(&self, at: Option<&str>) {
        let at = at.and_then(time::read_stored);
        let since = at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let seconds = since.map_or(0, |since| since.as_secs());
        let seconds = i64::try_from(seconds).unwrap_or_default();
        self.oldest.inner().store(seconds, Ordering::Relaxed);
    }

    /// Whether changes are due to be removed. Reads only the oldest one.
    pub(crate) async fn is_due(&self, tx: &mut impl Transaction) -> Result<bool> {
        let sql = "SELECT at FROM crm_changes ORDER BY seq LIMIT 1";
        let rows = tx.query(sql, &[]).await?;
        let oldest = rows.first().and_then(|row| row.first()?.text());
        self.sees(oldest);
        Ok(match (oldest, self.before()) {
            (Some(oldest), Some(before)) => *oldest < *before,
            _ => false,
        })
    }

    /// Removes a portion of old changes, none with a number above `horizon`. Returns how many.
    pub(crate) async fn remove(&self, tx: &mut impl Transaction, horizon: i64) -> Result<u64> {
        let Some(before) = self.before() else {
            return Ok(0);
        };
        let sql = "SELECT max(seq) FROM crm_changes";
        let newest = tx.query(sql, &[]).await?;
        let newest = newest.first().and_then(|row| row.first()?.int());
        let mut end = newest.unwrap_or_default().min(horizon.saturating_add(1));
        if let Some(needed) = needed_from(tx).await? {
            end = end.min(needed);
        }
        // One more, which is the oldest after the removal.
        let sql = format!(
            "SELECT seq, at, record_id FROM crm_changes WHERE seq <= $1 ORDER BY seq LIMIT {}",
            PORTION + 1
        );
        let rows = tx.query(&sql, &[end.into()]).await?;
        let change = |row: &Vec<Value>| {
            let at = row.get(1)?.text()?.to_string();
            Some((row.first()?.int()?, at, row.get(2)?.int()?))
        };
        let rows: Vec<(i64, String, i64)> = rows.iter().filter_map(change).collect();
        let is_old = |(seq, at, _): &&(i64, String, i64)| *seq < end && *at < before;
        let count = rows.iter().take(PORTION).take_while(is_old).count();
        let Some((last, ..)) = count.checked_sub(1).and_then(|at| rows.get(at)) else {
            return Ok(0);
        };
        let gone = rows[..count].iter().map(|(seq, _, id)| (*id, *seq));
        tx.unindex_changes(&gone.collect::<Vec<_>>()).await?;
        let sql = "DELETE FROM crm_changes WHERE seq <= $1";
        let removed = tx.execute(sql, &[(*last).into()]).await?;
        // Not every number has a change: PostgreSQL also gives one to a write that is rolled back. So readers cannot tell from
        // the lowest number that is left.
        let mark = "UPDATE crm_epoch SET removed = $1";
        tx.execute(mark, &[(*last).into()]).await?;
        if let Some((_, at, _)) = rows.get(count) {
            self.sees(Some(at));
        }
        Ok(removed)
    }

    /// Counts removed changes after their commit.
    pub(crate) fn removed(&self, count: u64) {
        self.removed.inc_by(count);
    }
}

/// The number of the first change that something else than the history needs, such as a webhook that has not delivered it, or the
/// index of the search.
/// It and all after it stay, however old they are. `None` if nothing needs any: the kept answers of requests have copies of
/// their records.
async fn needed_from<T: Transaction>(tx: &mut T) -> Result<Option<i64>> {
    let mut lowest: Option<i64> = None;
    for needed in [LOWEST_NEEDED, NEEDED] {
        let rows = tx.query(needed, &[]).await?;
        let needed = rows.first().and_then(|row| row.first()?.int());
        lowest = match (lowest, needed) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(lowest)
}
