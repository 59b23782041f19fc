//! The metrics of the store: its pool of connections and its commits.

use prometheus_client::registry::{Registry, Unit};

use super::database::PgDatabase;
use crate::store::meter::Live;

/// Registers the metrics.
pub(super) fn register(database: &PgDatabase, registry: &mut Registry) {
    database.meter.register(registry);
    database.kept.register(registry);
    let mut pool = |name, help, read: fn(deadpool::Status) -> usize| {
        let pool = database.pool.clone();
        let read = Live::new(move || read(pool.status()) as u64);
        registry.register_with_unit(name, help, Unit::Other("connections".into()), read);
    };
    pool("crm_pool", "Open connections to the database", |status| {
        status.size
    });
    pool(
        "crm_pool_idle",
        "Idle connections to the database",
        |status| status.available,
    );
    pool(
        "crm_pool_max",
        "Most connections to the database that may be open",
        |status| status.max_size,
    );
    let waiting = database.pool.clone();
    registry.register(
        "crm_pool_waiting",
        "Requests that wait for a connection to the database",
        Live::new(move || waiting.status().waiting as u64),
    );
}
