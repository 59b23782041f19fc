//! The metrics of connections.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counts connections. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct ConnectionMeter {
    open: Gauge,
    accepted: Counter,
}

impl ConnectionMeter {
    /// Adds the counts to `/metrics`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "crm_connections",
            "Open connections of clients",
            self.open.clone(),
        );
        // The name of a counter ends in _total, so it differs from that of the gauge.
        registry.register(
            "crm_connections_accepted",
            "Accepted connections of clients",
            self.accepted.clone(),
        );
    }

    /// Counts a new connection, which is open until the returned guard is dropped.
    pub(super) fn count(&self) -> CountedConnection {
        self.open.inc();
        self.accepted.inc();
        CountedConnection(self.open.clone())
    }
}

/// Guards the count of one open connection.
pub(super) struct CountedConnection(Gauge);

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
