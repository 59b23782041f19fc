//! How long a query may take, and how many long ones run at once.
//!
//! Most lists take milliseconds. A search through millions of texts takes seconds of a processor, and a few dozen of them
//! would hold every reading connection, so that nobody else could read. So a query begins as a short one. One that is not
//! done after a moment is stopped and begun again as a long one. Few long ones run at once and the others wait for them,
//! while short ones go on. A long one is stopped when its budget is used up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::base::error::{Code, Error};

/// How long a query may take as a short one.
pub(crate) const SHORT: Duration = Duration::from_millis(500);

/// The budget unless a setting says otherwise.
const LONGEST: Duration = Duration::from_secs(30);

/// The budget of the queries of a store.
pub(crate) struct QueryBudget {
    /// In milliseconds.
    longest: AtomicU64,
    long: Arc<Semaphore>,
}

impl QueryBudget {
    /// The default budget; at most this many long queries run at once.
    pub(crate) fn new(most: usize) -> QueryBudget {
        let budget = QueryBudget {
            longest: AtomicU64::new(0),
            long: Arc::new(Semaphore::new(most.max(1))),
        };
        budget.set(LONGEST);
        budget
    }

    /// Sets the budget.
    pub(crate) fn set(&self, longest: Duration) {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        self.longest.store(longest, Ordering::Relaxed);
    }

    /// The longest time of a query.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_millis(self.longest.load(Ordering::Relaxed))
    }

    /// The permits of long queries.
    pub(crate) fn permits(&self) -> Arc<Semaphore> {
        self.long.clone()
    }
}

/// The error of a query that took longer than this.
pub(crate) fn too_long(longest: Duration) -> Error {
    let message = format!(
        "the query took longer than {} s of the database's time; expected one that takes less, for example with a filter \
         that leaves fewer records to search, or a service with a longer query_timeout",
        longest.as_secs_f64()
    );
    Error::new(Code::Unavailable, message)
}
