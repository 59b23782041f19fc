//! The database as one process uses it: the pool of connections, its limits, and the last commit.

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{Object, Pool, PoolError};
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::error::SqlState;

use super::failure::Failure;
use super::link::Link;
use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::noun::Noun;
use crate::store::budget::{QueryBudget, too_long};
use crate::store::meter::Meter;
use crate::store::retention::KeptChanges;
use crate::store::search::state::SearchIndex;
use crate::store::signal::CommitSignal;
use crate::store::waiting::Waiting;

/// The longest time that a request takes, so that its caller has an answer within five seconds.
pub(super) const PATIENCE: Duration = Duration::from_millis(4_500);

/// The longest time that a write of thousands of records takes. It is less than a service waits unless it is told otherwise.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(25);

/// The longest time that one try to read a record takes. It leaves time for a second try.
pub(super) const FIRST_TRY: Duration = Duration::from_millis(2_200);

/// The longest time until the next row of a list. The first row may come after a sort of millions.
pub(super) const LIST_PATIENCE: Duration = Duration::from_secs(30);

/// How long the pool stays smaller after the server has refused another connection.
const NARROW: Duration = Duration::from_secs(10);

/// The state that all clones of a store share.
pub(super) struct PgDatabase {
    pub(super) pool: Pool<Link>,
    /// The nouns of the database, in the order in which they refer to one another.
    pub(super) nouns: &'static [&'static Noun],
    /// The last commit.
    last: Mutex<Option<(Instant, String)>>,
    /// The number of whole sorted lists that are being read.
    pub(super) ordered: AtomicUsize,
    /// The connections that lists may use at once.
    lists: Semaphore,
    /// The time of a query, and the permits of long ones.
    pub(super) queries: QueryBudget,
    /// The connections that writes may keep after their callers have stopped waiting.
    pub(super) unanswered: Arc<Semaphore>,
    /// The writes that wait for a connection.
    pub(super) waiting: Waiting,
    /// How many connections the pool may have.
    connections: usize,
    /// When the pool was made smaller because the server accepted no more connections.
    narrowed: Mutex<Option<Instant>>,
    pub(super) meter: Meter,
    /// Wakes those that follow the changes.
    pub(super) signal: CommitSignal,
    pub(super) feed: FeedGauges,
    /// How long changes are kept.
    pub(super) kept: Arc<KeptChanges>,
    /// What is known of the index of the search.
    pub(super) index: SearchIndex,
}

/// The state of the sequence of changes when it was last measured.
#[derive(Default)]
pub(super) struct FeedGauges {
    /// For how many seconds the oldest unfinished write has held the horizon back.
    pub(super) delay: Gauge<f64, AtomicU64>,
    /// The greatest number that was given.
    pub(super) newest: Gauge,
    /// The number up to which changes are listed.
    pub(super) horizon: Gauge,
}

/// How many of `connections` lists may use. Without a limit, a few searches through millions would keep all writes waiting.
fn most_lists(connections: usize) -> usize {
    (connections - connections.div_ceil(3)).max(1)
}

impl PgDatabase {
    /// A pool that opens at most `connections`. It does not connect yet.
    pub(super) fn new(
        url: &str,
        connections: usize,
        nouns: &'static [&'static Noun],
    ) -> Result<PgDatabase> {
        let pool = Pool::builder(Link::new(url)?)
            .max_size(connections)
            .build()
            .map_err(Error::internal)?;
        Ok(PgDatabase {
            pool,
            nouns,
            last: Mutex::default(),
            ordered: AtomicUsize::new(0),
            lists: Semaphore::new(most_lists(connections)),
            queries: QueryBudget::new(most_lists(connections) / 2),
            unanswered: Arc::new(Semaphore::new(connections / 2 + 1)),
            waiting: Waiting::default(),
            connections,
            narrowed: Mutex::default(),
            meter: Meter::default(),
            signal: CommitSignal::default(),
            feed: FeedGauges::default(),
            kept: Arc::default(),
            index: SearchIndex::default(),
        })
    }

    /// Takes a connection from the pool, or fails after `patience`.
    pub(super) async fn session(&self, patience: Duration) -> Result<Object<Link>, Error> {
        let until = Instant::now() + patience;
        self.widen();
        let mut got = tokio::time::timeout(patience, self.pool.get()).await;
        while let Ok(Err(PoolError::Backend(failure))) = &got
            && failure.code() == Some(&SqlState::TOO_MANY_CONNECTIONS)
            && Instant::now() < until
            && self.narrow()
        {
            got = tokio::time::timeout(left(until), self.pool.get()).await;
        }
        match got {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(PoolError::Backend(failure))) => {
                self.lost();
                Err(failure.error())
            }
            Ok(Err(PoolError::Closed)) => Err(Error::new(
                Code::Unavailable,
                "the service is shutting down; nothing was saved",
            )),
            Ok(Err(error)) => Err(Error::internal(format!(
                "the pool of connections: {error:?}"
            ))),
            Err(_) if self.pool.status().available == 0 && self.pool.status().size > 0 => {
                Err(Error::new(
                    Code::Unavailable,
                    "all connections to the database are busy; nothing was saved, try again",
                ))
            }
            Err(_) => Err(Failure::Late.error()),
        }
    }

    /// Limits the pool to the connections that are open. Returns false if there are none.
    fn narrow(&self) -> bool {
        let open = self.pool.status().size;
        if open > 0 {
            self.pool.resize(open);
            *self.narrowed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        open > 0
    }

    /// Lets the pool grow again some time after [`PgDatabase::narrow`].
    fn widen(&self) {
        let mut narrowed = self.narrowed.lock().unwrap_or_else(PoisonError::into_inner);
        if narrowed.is_some_and(|at| at.elapsed() >= NARROW) {
            *narrowed = None;
            self.pool.resize(self.connections);
        }
    }

    /// Waits for a permit to read a list.
    pub(super) async fn list_permit(&self) -> Result<SemaphorePermit<'_>> {
        match tokio::time::timeout(LIST_PATIENCE, self.lists.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::new(
                Code::Unavailable,
                "too many lists are being read; try again",
            )),
        }
    }

    /// Reads a part of a list within `pace`, which does not count the wait for a permit. A read that takes longer is
    /// cancelled, because it is dropped.
    pub(super) async fn paced<R>(
        &self,
        pace: Duration,
        read: impl Future<Output = Result<R>>,
    ) -> Result<R> {
        let _permit = self.list_permit().await?;
        let read = tokio::time::timeout(pace, read).await;
        read.unwrap_or_else(|_| Err(too_long(pace)))
    }

    /// Forgets the last commit, because it no longer shows that the next write can be committed.
    pub(super) fn lost(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The last commit, `None` before the first and after [`PgDatabase::lost`].
    pub(super) fn last_commit(&self) -> Option<(Instant, String)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// Remembers a commit, and signals it.
    pub(super) fn committed(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Instant::now(), time::now()));
        drop(last);
        self.signal.committed();
    }
}

/// The time left until `until`.
pub(super) fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
