//! Cancels a long read: when its caller is gone, when the store closes, when its time is over, and when it takes too long on
//! a thread that serves other connections.
//!
//! A thread that runs SQLite cannot be ended from outside. So work on another thread carries a [`Cancellation`], and SQLite
//! checks it every few thousand steps through a handler that every connection has.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::base::error::Result;

thread_local! {
    /// The cancellation of the work on this thread.
    static CURRENT: RefCell<Option<Cancellation>> = const { RefCell::new(None) };

    /// How many more checks the work on this thread may run into, if it must be brief.
    static CHECKS: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Whether some work is cancelled.
#[derive(Clone)]
pub(crate) struct Cancellation {
    unwanted: Arc<AtomicBool>,
    closing: Arc<AtomicBool>,
    /// When its time is over.
    until: Option<Instant>,
    /// Whether it was cancelled because its time was over.
    late: Cell<bool>,
}

impl Cancellation {
    /// The cancellation of new work. The work is cancelled once `closing` is true.
    pub(crate) fn new(closing: Arc<AtomicBool>) -> Cancellation {
        Cancellation {
            unwanted: Arc::default(),
            closing,
            until: None,
            late: Cell::new(false),
        }
    }

    /// Runs the work on this thread for at most this time. `None` if it took longer and was cancelled.
    pub(crate) fn within<R>(
        mut self,
        time: Duration,
        work: impl FnOnce() -> Result<R>,
    ) -> Option<Result<R>> {
        self.until = Instant::now().checked_add(time);
        CURRENT.set(Some(self));
        let result = work();
        let late = CURRENT.take().is_some_and(|ended| ended.late.get());
        match result {
            Err(_) if late => None,
            result => Some(result),
        }
    }

    /// Runs the work on this thread.
    pub(crate) fn during<R>(self, work: impl FnOnce() -> R) -> R {
        CURRENT.set(Some(self));
        let result = work();
        CURRENT.set(None);
        result
    }

    /// Cancels the work when the returned guard is dropped. The request that waits for the work holds the guard.
    pub(crate) fn with_its_request(&self) -> impl Drop + use<> {
        struct CancelOnDrop(Arc<AtomicBool>);
        impl Drop for CancelOnDrop {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        CancelOnDrop(self.unwanted.clone())
    }
}

/// Runs work on a file, such as a backup or a restore, and cancels it once `asked` is true. Cancelled work fails and leaves
/// nothing behind. Work that can no longer be cancelled succeeds.
pub fn unless<R>(asked: Arc<AtomicBool>, work: impl FnOnce() -> R) -> R {
    Cancellation::new(asked).during(work)
}

/// How many checks brief work may run into: about ten thousand of SQLite's steps, a fraction of a millisecond.
const BRIEF: u32 = 2;

/// Runs work on this thread if it is brief; `None` if it took longer and was cancelled.
pub(crate) fn briefly<R>(work: impl FnOnce() -> R) -> Option<R> {
    struct Unset;
    impl Drop for Unset {
        fn drop(&mut self) {
            CHECKS.set(None);
        }
    }
    CHECKS.set(Some(BRIEF));
    let _also_after_a_panic = Unset;
    let result = work();
    (CHECKS.get() != Some(0)).then_some(result)
}

/// Whether the work on this thread is cancelled.
pub(crate) fn cancelled() -> bool {
    if let Some(left) = CHECKS.get() {
        CHECKS.set(Some(left.saturating_sub(1)));
        return left <= 1;
    }
    let read = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
    CURRENT.with_borrow(|current| {
        current.as_ref().is_some_and(|current| {
            let late = current.until.is_some_and(|until| Instant::now() >= until);
            if late {
                current.late.set(true);
            }
            late || read(&current.unwanted) || read(&current.closing)
        })
    })
}
