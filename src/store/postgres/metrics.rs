//! The metrics of the store: its pool of connections, its commits, and its sequence of changes.

use std::time::Duration;

use prometheus_client::registry::{Registry, Unit};

use super::database::PgDatabase;
use super::list;
use crate::store::meter::Live;

/// Registers the metrics.
pub(super) fn register(database: &PgDatabase, registry: &mut Registry) {
    database.meter.register(registry);
    database.kept.register(registry);
    database.index.register(registry);
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
    let feed = &database.feed;
    registry.register_with_unit(
        "crm_changes_delay",
        "For how long the oldest unfinished write has kept later changes from being listed",
        Unit::Seconds,
        feed.delay.clone(),
    );
    registry.register(
        "crm_changes_newest",
        "The greatest number that was given to a change",
        feed.newest.clone(),
    );
    registry.register(
        "crm_changes_horizon",
        "The number up to which changes are listed",
        feed.horizon.clone(),
    );
}

/// How long the metrics wait for the database. They are most wanted while it is slow.
const MEASURED_WITHIN: Duration = Duration::from_secs(1);

/// Measures the sequence of changes. If the database does not answer, the gauges stay as they are.
pub(super) async fn measure(database: &PgDatabase) {
    let feed = list::feed_state(database, MEASURED_WITHIN);
    if let Ok(Ok((feed, held))) = tokio::time::timeout(MEASURED_WITHIN, feed).await {
        database.feed.delay.set(held.as_secs_f64());
        database.feed.newest.set(feed.newest);
        database.feed.horizon.set(feed.horizon);
    }
}
