//! The memory that one response holds, and whether others want it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::net::held::{HeldMemory, HoldsMemory};

/// For how long memory counts as wanted after a refusal. The client was told to try again in a second.
pub(super) const WANTED: Duration = Duration::from_secs(5);

/// The memory of one response. Clones share it.
#[derive(Clone)]
pub(crate) struct ResponseMemory(Arc<HeldParts>);

impl ResponseMemory {
    pub(super) fn new(demand: Arc<Demand>) -> ResponseMemory {
        ResponseMemory(Arc::new(HeldParts {
            demand,
            since: Mutex::default(),
        }))
    }

    /// Tells the connection of this response what the response holds.
    pub(crate) fn attach<B>(self, response: &mut Response<B>) {
        response.extensions_mut().insert(HoldsMemory(self.0));
    }

    /// Adds a part, which keeps its permit until it is dropped.
    pub(super) fn hold(&self, part: Bytes, permit: OwnedSemaphorePermit) -> Bytes {
        struct HeldPart {
            text: Vec<u8>,
            since: Instant,
            parts: Arc<HeldParts>,
            _permit: OwnedSemaphorePermit,
        }
        impl AsRef<[u8]> for HeldPart {
            fn as_ref(&self) -> &[u8] {
                &self.text
            }
        }
        impl Drop for HeldPart {
            fn drop(&mut self) {
                let mut since = self.parts.since();
                if let Some(at) = since.iter().position(|since| *since == self.since) {
                    since.swap_remove(at);
                }
            }
        }
        let now = Instant::now();
        self.0.since().push(now);
        // This does not copy, as the bytes have no other owner.
        let mut text = Vec::from(part);
        text.shrink_to_fit();
        Bytes::from_owner(HeldPart {
            text,
            since: now,
            parts: self.0.clone(),
            _permit: permit,
        })
    }

    /// The memory as the connection sees it.
    #[cfg(test)]
    pub(super) fn held(&self) -> &dyn HeldMemory {
        &*self.0
    }
}

/// The parts of a response that are held. For each it stores when the part was taken.
struct HeldParts {
    demand: Arc<Demand>,
    since: Mutex<Vec<Instant>>,
}

impl HeldParts {
    fn since(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldMemory for HeldParts {
    fn since(&self) -> Option<Instant> {
        HeldParts::since(self).iter().min().copied()
    }

    fn is_wanted(&self) -> bool {
        self.demand.is_there(Instant::now())
    }
}

/// The demand for memory: responses that found none and were refused, or that wait for it.
#[derive(Default)]
pub(super) struct Demand {
    waiting: AtomicUsize,
    refused: Mutex<Option<Instant>>,
}

impl Demand {
    /// A response was refused.
    pub(super) fn refused(&self) {
        *self.last_refused() = Some(Instant::now());
    }

    fn last_refused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A response waits until the returned guard is dropped.
    pub(super) fn wait(&self) -> DemandWaiter<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        DemandWaiter(self)
    }

    /// Whether a response waits, or was refused in the last 5 s.
    pub(super) fn is_there(&self, now: Instant) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
            || self.last_refused().is_some_and(|at| now - at < WANTED)
    }
}

/// Guards the count of one response that waits.
pub(super) struct DemandWaiter<'a>(&'a Demand);

impl Drop for DemandWaiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
