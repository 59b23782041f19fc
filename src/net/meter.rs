//! What is measured of connections.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is measured of connections. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    open: Gauge,
    taken: Counter,
}

impl Meter {
    /// Makes its numbers a part of `/metrics`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "crm_connections",
            "Connections of clients that are open",
            self.open.clone(),
        );
        // The name of a counter ends in _total, so that it is another one than the gauge's.
        registry.register(
            "crm_connections_accepted",
            "Connections of clients that were taken",
            self.taken.clone(),
        );
    }

    /// A connection was taken, which lasts until what this answers is dropped.
    pub(super) fn connected(&self) -> Connected {
        self.open.inc();
        self.taken.inc();
        Connected(self.open.clone())
    }
}

/// A connection that is open.
pub(super) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}
