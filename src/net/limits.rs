//! What a connection may use.

use std::time::Duration;

/// What connections may use. The defaults are the service's documented limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; those over it are closed at once, or make another address that has many close one. The last
    /// sixteenth is for addresses that have none.
    pub connections: usize,
    /// Connections of one address at a time, but for those of a trusted proxy; those over it are closed at once.
    pub per_address: usize,
    /// Time for the head of a request, from its first byte.
    pub head: Duration,
    /// The size of a request's head in bytes, at least 8,192 (hyper's own bound). No more than this is read ahead of a
    /// body, and the next chunk of an answer is asked for when less than this waits to be written.
    pub head_bytes: usize,
    /// Header lines of a request.
    pub headers: usize,
    /// Time without a byte of a next request, also on a fresh connection.
    pub idle: Duration,
    /// Bytes a second, at least 1, that the peer has to take while there is something to write.
    pub rate: u32,
    /// How far the peer may fall behind `rate`: the time after which one that takes nothing is cut.
    pub rate_window: Duration,
    /// How long an answer may keep what others want, see [`Burden`].
    pub burden: Duration,
    /// Time for the peer to finish sending what was answered before it was read.
    pub linger: Duration,
    /// Time for the answers that run when the service stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 1024,
            per_address: 512,
            head: Duration::from_secs(10),
            head_bytes: 64 * 1024,
            headers: HYPERS_HEADERS,
            idle: Duration::from_secs(30),
            rate: 512,
            rate_window: Duration::from_secs(30),
            burden: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(8),
        }
    }
}

/// The header lines that hyper takes when it is not told.
pub(super) const HYPERS_HEADERS: usize = 100;
