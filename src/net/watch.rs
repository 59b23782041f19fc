//! The state of one connection, and the decision when it has taken too long.
//!
//! Three parts share one [`Watch`]: the socket reports bytes that come and go, the service reports requests that begin
//! and responses that end, and the connection's task calls [`Watch::check`] after every step. Bytes are not parsed here.
//! A request begins when hyper hands it to the service, so hyper alone decides what a request is.
//!
//! The watch cannot see that the next request begins in the same packet in which the previous one ended. The first bytes
//! of that request are then already in hyper's buffer, and the time for its head starts with its next byte. Such a
//! connection ends after the idle time plus the head time at the latest.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::net::held::HeldMemory;
use crate::net::lease::{Lease, Leases};
use crate::net::limits::ConnectionLimits;
use crate::net::pace::Pace;
use crate::net::streams::StreamPlace;

#[cfg(test)]
mod tests;

/// Why a connection was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CutReason {
    /// No byte of the next request came.
    Idle,
    /// The head of a request took too long.
    Head,
    /// The peer took too few bytes of a response.
    Slow,
    /// The peer was slow and held memory that other requests wanted.
    Hold,
    /// The connection was closed to make room for one of another address.
    Evicted,
    /// The peer was still sending after the time to finish, or still took a stream.
    Linger,
    /// The peer may no longer have its response.
    Lease,
}

/// The loss for a peer when its connection is evicted. The connection with the lowest cost is evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EvictionCost {
    /// Only the connection: the service is waiting for the peer.
    Connection,
    /// The response to a read, which can be requested again.
    Read,
}

/// The state of one connection.
pub(super) struct Watch {
    limits: ConnectionLimits,
    /// Requests whose responses have not ended. It is a count because hyper may begin a request before it drops the
    /// body of the previous response.
    open: usize,
    /// How many responses have ended.
    ended: u64,
    /// When the connection last became idle: it was opened, its last response ended, or the last byte was written.
    quiet: Instant,
    /// When the first byte of a request's head came, while that head is incomplete.
    head: Option<Instant>,
    /// Whether the body of a request has not been read to its end.
    unread: bool,
    /// Whether a reader of the body waits for more of it.
    wants_body: bool,
    /// Whether the last request only reads.
    reads: bool,
    /// Whether the connection is being closed for another one.
    evicted: bool,
    /// Whether a response failed midway.
    broken: bool,
    /// Since when the peer may finish sending, see [`Watch::lingers`].
    lingering: Option<Instant>,
    pace: Pace,
    /// The memory that its responses hold, including those that have ended and are not written completely.
    held: Vec<Arc<dyn HeldMemory>>,
    /// The leases of its responses, including those that have ended and are not written completely.
    leases: Leases,
    /// The place of its response among the streams.
    stream: Option<StreamPlace>,
    /// Since when the service stops.
    stopping: Option<Instant>,
}

impl Watch {
    pub(super) fn new(limits: ConnectionLimits, now: Instant) -> Watch {
        Watch {
            limits,
            open: 0,
            ended: 0,
            quiet: now,
            head: None,
            unread: false,
            wants_body: false,
            reads: false,
            evicted: false,
            broken: false,
            lingering: None,
            pace: Pace::new(limits.rate, limits.rate_window),
            held: Vec::new(),
            leases: Leases::default(),
            stream: None,
            stopping: None,
        }
    }

    /// A response holds this memory.
    pub(super) fn holds(&mut self, memory: Arc<dyn HeldMemory>) {
        // Memory that only this connection refers to can no longer grow.
        self.held.retain(|held| Arc::strong_count(held) > 1);
        self.held.push(memory);
    }

    /// The response to the last request that began has this lease.
    pub(super) fn leases(&mut self, lease: Lease) {
        self.leases.add(lease, self.ended + self.open as u64);
    }

    /// The response to the last request that began is a stream, which is the connection's last response.
    pub(super) fn streams(&mut self, place: StreamPlace) {
        self.stream = Some(place);
    }

    /// Whether the connection serves a stream.
    pub(super) fn is_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// The service stops. Streams end by themselves, except where the peer does not take the rest.
    pub(super) fn stops(&mut self, now: Instant) {
        self.stopping.get_or_insert(now);
    }

    /// Everything that was produced has been written. Part of a response may still have to be produced.
    pub(super) fn all_written(&mut self) {
        self.leases.written(self.ended);
    }

    /// Resolves when the peer may no longer have a response that is not written completely.
    pub(super) fn poll_lease_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.leases.poll_ended(cx)
    }

    /// The head of a request is complete. `body` says whether a body follows, `reads` whether the request changes
    /// nothing. Returns whether the request may be served.
    pub(super) fn request_begins(&mut self, body: bool, reads: bool) -> bool {
        self.open += 1;
        self.head = None;
        self.unread = body;
        self.reads = reads;
        !self.evicted
    }

    /// The body of the request was read to its end.
    pub(super) fn body_read(&mut self) {
        self.unread = false;
        self.wants_body = false;
    }

    /// Whether the reader of a body has to wait for more of it.
    pub(super) fn wants_body(&mut self, wants: bool) {
        self.wants_body = wants;
    }

    /// Whether the peer may still be sending the body of a request.
    pub(super) fn unread(&self) -> bool {
        self.unread
    }

    /// Whether the service works on a request that was received completely.
    pub(super) fn is_answering(&self) -> bool {
        self.open > 0 && !self.unread
    }

    /// The response to a request ended. Its last bytes may still have to be written.
    pub(super) fn response_ends(&mut self, now: Instant) {
        self.open -= 1;
        self.ended += 1;
        self.wants_body = false;
        self.quiet = now;
    }

    /// The response to a request cannot be completed.
    pub(super) fn response_fails(&mut self) {
        self.broken = true;
    }

    /// Bytes were received.
    pub(super) fn bytes_came(&mut self, now: Instant) {
        if self.open == 0 {
            self.head.get_or_insert(now);
        }
    }

    /// Bytes were written.
    pub(super) fn bytes_went(&mut self, count: usize, now: Instant) {
        self.pace.took(count, now);
        self.quiet = now;
    }

    /// Bytes wait to be written, as the peer does not take them.
    pub(super) fn write_waits(&mut self, now: Instant) {
        self.pace.waits(now);
    }

    /// The writing side was shut down, and the peer may finish sending.
    pub(super) fn lingers(&mut self, now: Instant) {
        self.lingering = Some(now);
    }

    /// Whether the peer may finish sending.
    pub(super) fn is_lingering(&self) -> bool {
        self.lingering.is_some()
    }

    /// The cost of an eviction, and since when the connection is quiet. `None` while the service works on a request that
    /// may be saving something.
    pub(super) fn eviction_cost(&self) -> Option<(EvictionCost, Instant)> {
        let waits = self.open == 0 || self.wants_body || self.pace.blocked().is_some();
        let cost = match waits || self.lingering.is_some() {
            true => EvictionCost::Connection,
            false if self.reads => EvictionCost::Read,
            false => return None,
        };
        Some((cost, self.quiet))
    }

    /// Evicts the connection, if that is allowed now, and returns whether it was. From here on no request begins and no
    /// request gets another byte of its body, so the connection ends as soon as its task wakes up.
    pub(super) fn evict(&mut self) -> bool {
        self.evicted = self.eviction_cost().is_some();
        self.evicted
    }

    /// Whether the connection is being closed for another one.
    pub(super) fn is_evicted(&self) -> bool {
        self.evicted
    }

    /// Whether the peer may still send something that nobody will read: the rest of a body, or of a head that was
    /// refused.
    pub(super) fn has_unwanted(&self) -> bool {
        self.unread || self.head.is_some()
    }

    /// Whether the peer lacks a part of a response.
    pub(super) fn is_unfinished(&self) -> bool {
        self.open > 0 || self.broken || self.pace.blocked().is_some() || !self.leases.is_empty()
    }

    /// Checks the time limits. Returns when to check again, `None` if that is not before something happens, or why the
    /// connection must be cut.
    pub(super) fn check(&self, now: Instant) -> Result<Option<Instant>, CutReason> {
        if self.evicted {
            return Err(CutReason::Evicted);
        }
        let (end, reason) = if let Some(since) = self.lingering {
            (since + self.limits.linger, CutReason::Linger)
        } else if let (Some(since), true) = (self.stopping, self.is_stream()) {
            (since + self.limits.linger, CutReason::Linger)
        } else if let Some(end) = self.pace.end() {
            (end, CutReason::Slow)
        } else if self.open > 0 {
            return Ok(None);
        } else if let Some(since) = self.head {
            (since + self.limits.head, CutReason::Head)
        } else {
            (self.quiet + self.limits.idle, CutReason::Idle)
        };
        if now >= end {
            return Err(reason);
        }
        let next = self.check_held(now)?;
        Ok(Some(next.map_or(end, |next| next.min(end))))
    }

    /// Checks the memory that is held by bytes that wait to be written. Returns when to check it again.
    fn check_held(&self, now: Instant) -> Result<Option<Instant>, CutReason> {
        if self.pace.blocked().is_none() {
            return Ok(None);
        }
        let since = self.held.iter().filter_map(|memory| memory.since());
        let Some(since) = since.min() else {
            return Ok(None);
        };
        let end = since + self.limits.hold;
        if now < end {
            return Ok(Some(end));
        }
        match self.held.iter().any(|memory| memory.is_wanted()) {
            true => Err(CutReason::Hold),
            // A request that wants memory does not wake this connection, so it has to look.
            false => Ok(Some(now + WANTED_INTERVAL)),
        }
    }
}

/// The time between two checks of whether others want the memory that is held.
const WANTED_INTERVAL: Duration = Duration::from_secs(1);

/// A [`Watch`] that the parts of one connection share.
#[derive(Clone)]
pub(super) struct SharedWatch(Arc<Mutex<Watch>>);

impl SharedWatch {
    pub(super) fn new(limits: ConnectionLimits) -> SharedWatch {
        SharedWatch(Arc::new(Mutex::new(Watch::new(limits, Instant::now()))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Watch> {
        // After a panic elsewhere, the numbers are still good enough to end the connection by.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
