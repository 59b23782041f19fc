//! How quickly the peer takes what is written.
//!
//! # What can be measured
//!
//! The promise is about what a program reads, and the service cannot see that. The peer's system takes bytes before the
//! program reads them, up to 32 MiB on Linux. It then takes nothing while the program reads on, for minutes, and after that
//! megabytes at once. The kernel of the service knows only what the peer's system took, so neither `SIOCOUTQ` nor `TCP_INFO`
//! tells these lumps from a program that stops and starts.
//!
//! # What is measured
//!
//! The bytes that were taken are an upper bound of the bytes that were read. So the peer is cut when even this bound is too
//! low: when the time in which bytes waited for the peer is longer than the window plus the time that the rate allows for
//! all bytes taken so far. No program that reads at the rate is ever cut by that, whatever the buffers between it and the
//! service. The price is that a program that takes much and then stops is cut late, as it may still be reading what its
//! system took. What it holds in the meantime can be had by others: its memory after
//! [`hold`](super::limits::ConnectionLimits::hold), and its seat at once.
//!
//! Only the time in which bytes wait to be written counts: a response that is slow to come is not the peer's fault.

use std::time::Duration;

use tokio::time::Instant;

/// The most bytes that the peer's system holds for a program that has not read them: Linux's limit of a receive buffer.
/// What was taken before these bytes must have been read.
pub(super) const BACKLOG: u64 = 32 * 1024 * 1024;

/// The pace of one peer.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes a second that the peer has to take.
    rate: u32,
    /// The most that can be left: the window, and the time for the backlog.
    most: Duration,
    /// How long bytes may wait, as of `blocked`.
    left: Duration,
    /// Since when bytes wait to be written.
    blocked: Option<Instant>,
}

impl Pace {
    pub(super) fn new(rate: u32, window: Duration) -> Pace {
        Pace {
            rate,
            most: window + time_for(BACKLOG, rate),
            left: window,
            blocked: None,
        }
    }

    /// Bytes wait to be written.
    pub(super) fn waits(&mut self, now: Instant) {
        self.blocked.get_or_insert(now);
    }

    /// The peer took bytes.
    pub(super) fn took(&mut self, count: usize, now: Instant) {
        if let Some(since) = self.blocked.take() {
            self.left = self.left.saturating_sub(now - since);
        }
        self.left = self.most.min(self.left + time_for(count as u64, self.rate));
    }

    /// Since when bytes wait to be written.
    pub(super) fn blocked(&self) -> Option<Instant> {
        self.blocked
    }

    /// When the peer is too slow, if bytes wait until then.
    pub(super) fn end(&self) -> Option<Instant> {
        self.blocked.map(|since| since + self.left)
    }
}

/// The time in which these bytes have to be taken.
fn time_for(bytes: u64, rate: u32) -> Duration {
    Duration::from_secs(bytes) / rate
}
