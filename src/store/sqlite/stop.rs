//! Giving up a long read: when nobody waits for it any more, and when the store closes.
//!
//! A thread that runs SQLite cannot be ended from outside. So what reads beside the threads that serve carries a [`Stop`],
//! and SQLite asks for it every so many steps, by a handler that every connection has.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// That of the work that runs on this thread.
    static CURRENT: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// Whether some work is to be given up.
#[derive(Clone)]
pub(super) struct Stop {
    given_up: Arc<AtomicBool>,
    closing: Arc<AtomicBool>,
}

impl Stop {
    /// For new work of a store that is `closing` once that is true.
    pub(super) fn new(closing: Arc<AtomicBool>) -> Stop {
        Stop {
            given_up: Arc::default(),
            closing,
        }
    }

    /// Runs the work on this thread.
    pub(super) fn during<R>(self, work: impl FnOnce() -> R) -> R {
        CURRENT.set(Some(self));
        let result = work();
        CURRENT.set(None);
        result
    }

    /// Gives the work up when what this answers is dropped, as it is with the request that waits for it.
    pub(super) fn with_its_request(&self) -> impl Drop + use<> {
        struct GiveUp(Arc<AtomicBool>);
        impl Drop for GiveUp {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        GiveUp(self.given_up.clone())
    }
}

/// Whether the work that runs on this thread is to be given up.
pub(super) fn asked() -> bool {
    let read = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
    CURRENT.with_borrow(|stop| {
        stop.as_ref()
            .is_some_and(|stop| read(&stop.given_up) || read(&stop.closing))
    })
}
