//! The state of the sequence of changes: up to which number all of them are known.
//!
//! Numbers are given before the commit, so a lower one may appear after a higher one. Each writing transaction holds a lock
//! with a label, a number that was given before its own, see `crm_changes_seq` in the schema. So nothing can appear any
//! more up to the lowest label, or without a lock, up to the last number that was given.

use std::time::Duration;

use super::rows::{number, read};
use crate::base::error::{Error, Result};
use crate::model::value::{Cell, Value};
use crate::store::feed::Feed;
use crate::store::postgres::cells::cell;
use crate::store::postgres::database::PgDatabase;
use crate::store::sql::select::Select;

/// The locks of the writers of this schema. Another schema of the database may have a sequence of its own, so a writer is
/// known by its use of this one. A writer that does not use it yet when the locks are read gets a number after those that
/// were given before.
const WRITERS: &str = "\
    FROM pg_locks AS label JOIN pg_locks AS used ON used.pid = label.pid AND used.locktype = 'relation' \
    AND used.relation = 'crm_changes_seq'::regclass AND used.database = label.database \
    WHERE label.locktype = 'advisory' AND label.classid = 6517358 AND label.objsubid = 2 AND label.granted \
    AND label.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// The last number that was given, the lowest label, the name of the sequence, and the highest one whose change is removed.
///
/// The last number has to be read before the locks: a transaction that takes its lock after they were read gets a greater
/// number. The inner query needs it, so the locks are read later. A label has 31 bits, so it is found near the last number,
/// and may be above it if it was taken in between.
pub(crate) fn state_text() -> String {
    format!(
        "WITH given AS MATERIALIZED (SELECT last_value FROM crm_changes_seq) SELECT given.last_value, \
         (SELECT min(given.last_value - 1073741824 + \
         ((label.objid::bigint - given.last_value + 1073741824) & 2147483647)) {WRITERS}), \
         (SELECT epoch FROM crm_epoch), (SELECT removed FROM crm_epoch) FROM given"
    )
}

/// The state at the beginning of a list. The list has to be read by a later statement: the rows that this one would see are
/// older than the locks that it has seen.
pub(crate) async fn state(database: &PgDatabase, pace: Duration) -> Result<Feed> {
    let mut feed = None;
    read(
        database,
        pace,
        &Select::of(state_text(), Vec::new()),
        |row| {
            let int = |at| match cell(row, at) {
                Cell::Int(int) => Some(int),
                _ => None,
            };
            if let (Some(newest), Cell::Text(epoch)) = (int(0), cell(row, 2)) {
                feed = Some(Feed {
                    epoch: epoch.into(),
                    horizon: int(1).map_or(newest, |label| label.min(newest)),
                    newest,
                    removed: int(3).unwrap_or_default(),
                });
            }
            Ok(true)
        },
    )
    .await?;
    feed.ok_or_else(|| Error::internal("the sequence of changes has no state"))
}

/// For how long the oldest transaction that holds a label has gone on. A role sees the times of its own transactions only.
pub(super) async fn held(database: &PgDatabase, pace: Duration) -> Result<Duration> {
    let text = format!(
        "SELECT coalesce((max(extract(epoch FROM clock_timestamp() - writer.xact_start)) * 1000)::bigint, 0) \
         FROM pg_stat_activity AS writer WHERE writer.pid IN (SELECT label.pid {WRITERS})"
    );
    let milliseconds = number(database, pace, &Select::of(text, Vec::new())).await?;
    Ok(Duration::from_millis(milliseconds.unsigned_abs()))
}

/// The horizon in a row of [`state_text`].
pub(crate) fn horizon(row: &[Value]) -> Option<i64> {
    let newest = row.first()?.int()?;
    let label = row.get(1).and_then(Value::int);
    Some(label.map_or(newest, |label| label.min(newest)))
}

/// The highest number whose change is not kept any more.
pub(super) async fn removed(database: &PgDatabase, pace: Duration) -> Result<i64> {
    let text = "SELECT coalesce(max(removed), 0) FROM crm_epoch";
    number(database, pace, &Select::of(text.into(), Vec::new())).await
}
