//! How a connection learns that its peer may no longer have a response that has begun.
//!
//! The accept loop does not know why a response may be had. So the code that makes a response attaches a [`Lease`], and the
//! one that grants it ends it. The connection is then cut, whether its peer reads quickly, slowly or not at all. All leases
//! of one [`Lessor`] end together, so a response costs no timer and no entry in a table, only a place among those that wait.
//!
//! A connection keeps the lease until the socket has taken the last byte of the response. What the socket has taken, the
//! peer may still get.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Response;
use tokio::sync::watch::{Receiver, Sender, channel};

/// Grants leases. All of them end when this is dropped.
pub struct Lessor(Sender<()>);

impl Default for Lessor {
    fn default() -> Lessor {
        Lessor(channel(()).0)
    }
}

impl Lessor {
    /// A new lease.
    pub fn grant(&self) -> Lease {
        Lease(self.0.subscribe())
    }

    /// Whether no lease is left.
    pub fn is_unused(&self) -> bool {
        self.0.is_closed()
    }
}

/// The right of a peer to have a response. Clones end together.
#[derive(Clone)]
pub struct Lease(Receiver<()>);

impl Lease {
    /// Binds a response to this lease.
    pub fn attach<B>(self, response: &mut Response<B>) {
        response.extensions_mut().insert(self);
    }

    /// Whether it has ended.
    #[cfg(test)]
    pub(crate) fn has_ended(&self) -> bool {
        self.0.has_changed().is_err()
    }

    /// Resolves when the lease ends.
    async fn ended(mut self) {
        // Nothing is ever sent, so this fails when the lessor is dropped.
        while self.0.changed().await.is_ok() {}
    }
}

/// The leases of one connection.
#[derive(Default)]
pub(super) struct Leases(Vec<HeldLease>);

/// The lease of one response.
struct HeldLease {
    /// Which response of the connection it is. They are counted from one.
    response: u64,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Leases {
    /// Adds the lease of a response.
    pub(super) fn add(&mut self, lease: Lease, response: u64) {
        let ended = Box::pin(lease.ended());
        self.0.push(HeldLease { response, ended });
    }

    /// Everything up to the end of this response was written.
    pub(super) fn written(&mut self, last: u64) {
        // Nearly every response has none.
        if !self.0.is_empty() {
            self.0.retain(|held| held.response > last);
        }
    }

    /// Whether no response with a lease has bytes that are not written.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Resolves when one of them ends. Must not be polled again after that.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut leases = self.0.iter_mut();
        match leases.any(|held| held.ended.as_mut().poll(cx).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}
