//! Giving up a long read: when nobody waits for it any more, when the store closes, and when it turns out to be long on a
//! thread that has other connections to serve.
//!
//! A thread that runs SQLite cannot be ended from outside. So what reads beside the threads that serve carries a [`Stop`],
//! and SQLite asks for it every so many steps, by a handler that every connection has.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// That of the work that runs on this thread.
    static CURRENT: RefCell<Option<Stop>> = const { RefCell::new(None) };

    /// How often the work on this thread may still be asked about, where it has to be brief.
    static LOOKS: Cell<Option<u32>> = const { Cell::new(None) };
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

/// How often brief work is asked about before it counts as long: some ten thousand steps, a fraction of a millisecond.
const BRIEF: u32 = 2;

/// Runs work on this thread as long as it is brief; `None` where it was given up for taking longer.
pub(super) fn briefly<R>(work: impl FnOnce() -> R) -> Option<R> {
    struct Unset;
    impl Drop for Unset {
        fn drop(&mut self) {
            LOOKS.set(None);
        }
    }
    LOOKS.set(Some(BRIEF));
    let _also_after_a_panic = Unset;
    let result = work();
    (LOOKS.get() != Some(0)).then_some(result)
}

/// Whether the work that runs on this thread is to be given up.
pub(super) fn asked() -> bool {
    if let Some(left) = LOOKS.get() {
        LOOKS.set(Some(left.saturating_sub(1)));
        return left <= 1;
    }
    let read = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
    CURRENT.with_borrow(|stop| {
        stop.as_ref()
            .is_some_and(|stop| read(&stop.given_up) || read(&stop.closing))
    })
}
