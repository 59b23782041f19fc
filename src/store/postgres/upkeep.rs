//! Work that no caller waits for: old changes are removed, a few at a time, and erased records leave no dead rows.
//!
//! Any number of processes share a database, and one of them at a time removes changes: the one that has an advisory lock. It
//! does so while no write of its own waits for a connection.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::database::{PATIENCE, PgDatabase};
use super::failure::within;
use super::list::feed;
use super::writing::{Mode, PgTransaction};
use crate::base::error::Result;
use crate::store::contract::Traces;
use crate::store::transaction::Transaction;

/// The time between two looks at whether there is something to do.
const NAP: Duration = Duration::from_secs(60);

/// The shortest pause between two portions of old changes.
const BREATH: Duration = Duration::from_millis(50);

/// A portion is followed by a pause that is this many times as long.
const SHARE: u32 = 20;

/// How long the answer to an erasure waits for the vacuum. It goes on in any case.
const VACUUM: Duration = Duration::from_secs(10);

/// How long an erasure may take.
pub(super) const ERASING: Duration = Duration::from_secs(300);

/// Takes the lock of the process that removes changes, unless another has it. Every schema of every database has its own.
const LOCK: &str =
    "SELECT pg_try_advisory_xact_lock(6517359, hashtext(current_schema()))::int::bigint";

/// Removes old changes from now on, until the store is dropped or closed.
pub(super) fn start(database: &Arc<PgDatabase>) {
    let database = Arc::downgrade(database);
    tokio::spawn(async move {
        while let Some(pause) = look(&database).await {
            tokio::time::sleep(pause).await;
        }
    });
}

/// Removes a portion of old changes. Returns the time until the next, `None` if the store is closed.
async fn look(database: &Weak<PgDatabase>) -> Option<Duration> {
    let database = database.upgrade().filter(|open| !open.pool.is_closed())?;
    if database.waiting.count() > 0 {
        return Some(BREATH);
    }
    let began = Instant::now();
    Some(match remove(&database).await {
        Ok(0) => NAP,
        Ok(removed) => {
            database.kept.removed(removed);
            BREATH.max(began.elapsed() * SHARE)
        }
        Err(error) => {
            if !database.pool.is_closed() {
                tracing::warn!("old changes could not be removed: {error}");
            }
            NAP
        }
    })
}

async fn remove(database: &PgDatabase) -> Result<u64> {
    // Before the transaction: it needs a connection too, and there may be only one.
    let horizon = feed::state(database, PATIENCE).await?.horizon;
    let mut tx = database.write(Mode::Transaction { begun: false }).await?;
    let removed = portion(database, &mut tx, horizon).await;
    tx.finish(removed).await
}

async fn portion(database: &PgDatabase, tx: &mut PgTransaction<'_>, horizon: i64) -> Result<u64> {
    if !database.kept.is_due(tx).await? {
        return Ok(0);
    }
    let locked = tx.query(LOCK, &[]).await?;
    if locked.first().and_then(|row| row.first()?.int()) != Some(1) {
        return Ok(0);
    }
    database.kept.remove(tx, horizon).await
}

/// Lets PostgreSQL overwrite the dead rows that an erasure leaves.
pub(super) async fn vacuum(database: &Arc<PgDatabase>) -> Traces {
    let own = database.clone();
    let vacuum = tokio::spawn(async move {
        let session = own.session(PATIENCE).await?;
        let mut tables: Vec<&str> = Vec::new();
        tables.extend(
            own.nouns
                .iter()
                .filter(|noun| !noun.is_view())
                .map(|noun| noun.plural),
        );
        tables.extend(["crm_changes", "crm_idempotency_keys", "crm_search"]);
        let sql = format!("VACUUM {}", tables.join(", "));
        let done = within(HOUR, session.client.batch_execute(&sql)).await;
        // A role that may not do this is only warned.
        let was_warned = session
            .warned
            .swap(false, std::sync::atomic::Ordering::Relaxed);
        done.map(|()| was_warned).map_err(|failure| failure.error())
    });
    let others = "PostgreSQL's own log, its archive, standbys, dumps and backups are not changed";
    Traces::Vacuumed(match tokio::time::timeout(VACUUM, vacuum).await {
        Ok(Ok(Ok(false))) => format!("its tables were vacuumed; {others}"),
        Ok(Ok(Ok(true))) => format!(
            "its tables could not be vacuumed by this role, so their dead rows stay until autovacuum removes them; {others}"
        ),
        Ok(Ok(Err(error))) => format!(
            "its tables could not be vacuumed ({}), so their dead rows stay until autovacuum removes them; {others}",
            error.message
        ),
        Ok(Err(_)) | Err(_) => format!("its tables are being vacuumed; {others}"),
    })
}

/// The longest time of a vacuum.
const HOUR: Duration = Duration::from_secs(3_600);
