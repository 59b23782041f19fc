//! The limits of connections, with their defaults.

use std::time::Duration;

/// The limits of connections. The defaults are the documented limits of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at a time. A connection over this number is closed at once, or a connection of an address that has
    /// many is closed for it. The last sixteenth is reserved for addresses that have no connection.
    pub connections: usize,
    /// Connections of one address at a time. Those over this number are closed at once. Trusted proxies are exempt. So many
    /// streams of one address are possible at a time, too.
    pub per_address: usize,
    /// [Streams](super::streams) at a time. Their connections do not count towards `connections`.
    pub streams: usize,
    /// Time for the head of a request, from its first byte.
    pub head: Duration,
    /// The size of a request's head in bytes, at least 8,192 (the minimum of hyper). It is also the size of hyper's
    /// buffers: no more is read ahead of a body, and the next chunk of a response is produced when less than this waits
    /// to be written.
    pub head_bytes: usize,
    /// Header lines of a request.
    pub headers: usize,
    /// Time that a connection may stay open without a byte of its first or next request.
    pub idle: Duration,
    /// Bytes a second, at least 1, that the peer has to take while there is something to write.
    pub rate: u32,
    /// How far the peer may fall behind `rate`. A peer that takes nothing is cut after this time.
    pub rate_window: Duration,
    /// How long a slow peer may hold memory that other requests want, see [`HeldMemory`](super::held::HeldMemory).
    pub hold: Duration,
    /// Time for the peer to finish sending a request that was answered before it was read, and for a stream to end when the
    /// service stops.
    pub linger: Duration,
    /// Time for the requests that still run when the service stops.
    pub drain: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits {
            connections: 1024,
            per_address: 512,
            streams: 1024,
            head: Duration::from_secs(10),
            head_bytes: 64 * 1024,
            headers: DEFAULT_HEADERS,
            idle: Duration::from_secs(75),
            rate: 512,
            rate_window: Duration::from_secs(30),
            hold: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(8),
        }
    }
}

/// The number of header lines that hyper accepts by default.
pub(super) const DEFAULT_HEADERS: usize = 100;

/// How many of all connections, or of all streams, are reserved for addresses that have none.
pub(super) fn reserved(all: usize) -> usize {
    all / 16
}
