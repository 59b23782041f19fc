//! Decides whether a new connection is admitted, from the number of all connections and of those from its address.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::net::hits::{Hits, Limit};
use crate::net::limits::{ConnectionLimits, reserved};
use crate::net::peer::Proxies;
use crate::net::seats::{Seat, Seats};
use crate::net::watch::SharedWatch;

/// How many evicted connections may still be ending after their seats were given to others.
const LEAVING: usize = 64;

/// The shortest time between two warnings of one kind. A flood of connections would repeat them thousands of times a
/// second.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// Admits connections.
pub(super) struct Admission {
    seats: Seats,
    limits: ConnectionLimits,
    proxies: Proxies,
    hits: Arc<Hits>,
    full: RareWarning,
    full_for_address: RareWarning,
    evicting: RareWarning,
}

impl Admission {
    pub(super) fn new(limits: ConnectionLimits, proxies: Proxies, hits: Arc<Hits>) -> Admission {
        Admission {
            seats: Seats::default(),
            limits,
            proxies,
            hits,
            full: RareWarning::default(),
            full_for_address: RareWarning::default(),
            evicting: RareWarning::default(),
        }
    }

    /// Admits a connection from this address while `running` connections have not ended, including streams and those that were
    /// evicted.
    /// Returns `None` if the connection must be closed at once.
    pub(super) fn admit(
        &mut self,
        address: SocketAddr,
        running: usize,
    ) -> Option<(Seat, SharedWatch)> {
        let counts = !self.proxies.trusts(address.ip());
        let from = counts.then(|| address.ip());
        if !self.has_room(from, running) {
            return None;
        }
        let watch = SharedWatch::new(self.limits);
        let most = self.limits.per_address;
        let Some(seat) = self.seats.take(from, most, &watch) else {
            self.hits.count(Limit::ConnectionsPerAddress);
            self.full_for_address.warn(|| {
                let address = address.ip().to_canonical();
                format!("closing new connections of {address}, because it has {most} open")
            });
            return None;
        };
        Some((seat, watch))
    }

    /// Whether there is room for one more connection. Evicts another one if necessary.
    fn has_room(&mut self, from: Option<IpAddr>, running: usize) -> bool {
        let most = self.limits.connections;
        let running = running.saturating_sub(self.seats.streaming());
        let open = running.saturating_sub(self.seats.leaving());
        let may_evict = running < most + LEAVING;
        if open < most - reserved(most) && may_evict {
            return true;
        }
        if let Some(evicted) = may_evict.then(|| self.seats.evict_for(from)).flatten() {
            self.evicting.warn(|| {
                format!(
                    "closing connections of {evicted} to make room for other clients, because {open} are open"
                )
            });
            return true;
        }
        if open < most && may_evict && self.seats.has_none(from) {
            return true;
        }
        self.hits.count(Limit::Connections);
        self.full
            .warn(|| format!("closing new connections, because {open} are open"));
        false
    }
}

/// A warning that is logged at most once in [`WARN_INTERVAL`].
#[derive(Default)]
pub(super) struct RareWarning(Option<Instant>);

impl RareWarning {
    pub(super) fn warn(&mut self, message: impl FnOnce() -> String) {
        if self.0.is_none_or(|last| last.elapsed() >= WARN_INTERVAL) {
            self.0 = Some(Instant::now());
            tracing::warn!("{}", message());
        }
    }
}
