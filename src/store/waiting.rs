//! A limit on the writes that wait for the database at the same time. It bounds the memory that they hold.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::base::error::{Code, Error, Result};

/// The default limit. It bounds memory, and a client behind more writes than these would have given up.
const MOST: usize = 4_096;

/// The writes that wait.
#[derive(Debug)]
pub(crate) struct Waiting {
    count: AtomicUsize,
    most: AtomicUsize,
    refused: AtomicU64,
}

impl Default for Waiting {
    fn default() -> Waiting {
        Waiting {
            count: AtomicUsize::new(0),
            most: AtomicUsize::new(MOST),
            refused: AtomicU64::new(0),
        }
    }
}

impl Waiting {
    /// Lets at most this many writes wait.
    pub(crate) fn limit(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// How many writes wait.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// How many writes were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts one more write until [`Waiting::leave`]. Fails if there are too many.
    pub(crate) fn enter(&self) -> Result<()> {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        if before < self.most.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.leave();
        Err(self.full())
    }

    /// The same, until the returned guard is dropped.
    pub(crate) fn wait(&self) -> Result<Waits<'_>> {
        self.enter().map(|()| Waits(self))
    }

    /// Counts one waiting write less.
    pub(crate) fn leave(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a refused write and returns its error.
    pub(crate) fn full(&self) -> Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let message = "too many writes are waiting already; nothing was saved, try again";
        Error::new(Code::Unavailable, message)
    }
}

/// A write that waits.
pub(crate) struct Waits<'a>(&'a Waiting);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_many_is_refused_and_counted() {
        let waiting = Waiting::default();
        waiting.limit(2);
        waiting.enter().unwrap();
        waiting.enter().unwrap();
        assert_eq!(waiting.enter().unwrap_err().code, Code::Unavailable);
        assert_eq!((waiting.count(), waiting.refused()), (2, 1));
        waiting.leave();
        waiting.enter().unwrap();
    }
}
