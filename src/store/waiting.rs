//! How many writes may wait for the database at a time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::base::error::{Code, Error, Result};

/// The most where nothing else is said: memory is bounded, and a client that has to wait longer than so many take has
/// given up.
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
    /// Lets at most so many wait.
    pub(crate) fn limit(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// How many were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts one more, until [`Waiting::leave`]; or an error, where there are too many.
    pub(crate) fn enter(&self) -> Result<()> {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        if before < self.most.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.leave();
        Err(self.full())
    }

    /// The same for as long as the answer is kept.
    pub(crate) fn wait(&self) -> Result<Waits<'_>> {
        self.enter().map(|()| Waits(self))
    }

    /// One has done with waiting.
    pub(crate) fn leave(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// The refusal of one that is too many or too much, which counts it.
    pub(crate) fn full(&self) -> Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let message = "too many writes are waiting already; nothing was saved, try again";
        Error::new(Code::Unavailable, message)
    }
}

/// One that waits.
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
