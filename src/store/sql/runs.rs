//! The runs of bulk requests with an idempotency key: what was answered to their lines, for a day after the last one.
//!
//! A portion of lines and its answers are written in one transaction. So a repeated request is answered up to where the first
//! one came, and goes on there. Only why lines were refused is kept in words, which an erasure removes.

use std::time::{Duration, SystemTime};

use super::many::{int, text};
use crate::base::error::Result;
use crate::base::time;
use crate::model::terms::KEPT;
use crate::model::value::Value;
use crate::store::transaction::Transaction;

/// How many portions of expired runs are deleted for each new portion. It is more than one, so that their number falls.
const DELETED: usize = 4;

/// Selects a run: how many lines are answered, the group of its changes, whether it has ended, and when it was written.
pub const RUN: &str = "SELECT lines, changes, is_ended, at FROM crm_bulk_runs WHERE id = $1";

/// Selects the portion of a run after so many lines: how many lines it has, their hash, the answers, and why lines were refused.
pub const PORTION: &str =
    "SELECT lines, hash, answers, refusals FROM crm_bulk_portions WHERE run = $1 AND before = $2";

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunState {
    /// How many lines are answered.
    pub lines: i64,
    /// The group of its changes.
    pub group: Option<i64>,
    /// Whether there were no more lines.
    pub is_ended: bool,
}

impl RunState {
    /// Reads a row of [`RUN`]. A run that has expired is none.
    pub fn read(rows: &[Vec<Value>]) -> Option<RunState> {
        let row = rows.first()?;
        (text(row, 3) >= oldest().as_str()).then(|| RunState {
            lines: int(row, 0).unwrap_or_default(),
            group: int(row, 1),
            is_ended: int(row, 2) == Some(1),
        })
    }
}

/// Some lines with their answers, as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPortion {
    /// How many lines it has.
    pub lines: i64,
    /// The SHA-256 of the lines.
    pub hash: String,
    /// What was done with each.
    pub answers: String,
    /// Why lines were refused, as JSON. Empty if that is no longer kept.
    pub refusals: String,
}

impl KeptPortion {
    /// Reads a row of [`PORTION`].
    pub fn read(rows: &[Vec<Value>]) -> Option<KeptPortion> {
        let row = rows.first()?;
        Some(KeptPortion {
            lines: int(row, 0)?,
            hash: text(row, 1).into(),
            answers: text(row, 2).into(),
            refusals: text(row, 3).into(),
        })
    }
}

/// The time before which a run has expired, in the stored form.
fn oldest() -> String {
    time::stored(SystemTime::now() - Duration::from_secs(KEPT)).unwrap_or_default()
}

/// How far a run is. One that has expired begins anew. Nobody else goes on with it until the end of the transaction.
pub async fn lock<T: Transaction>(tx: &mut T, id: &str) -> Result<RunState> {
    tx.alone_with(id).await?;
    let rows = tx.query(RUN, &[id.into()]).await?;
    if let Some(state) = RunState::read(&rows) {
        return Ok(state);
    }
    if !rows.is_empty() {
        let sql = "DELETE FROM crm_bulk_runs WHERE id = $1";
        tx.execute(sql, &[id.into()]).await?;
    }
    Ok(RunState::default())
}

/// Keeps how far a run is, with the portion that has brought it there, and deletes some that have expired.
pub async fn keep<T: Transaction>(
    tx: &mut T,
    id: &str,
    state: RunState,
    portion: Option<&KeptPortion>,
) -> Result<()> {
    let sql = "INSERT INTO crm_bulk_runs (id, lines, changes, is_ended, at) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (id) DO UPDATE SET lines = excluded.lines, changes = excluded.changes, \
               is_ended = excluded.is_ended, at = excluded.at";
    let params = [
        id.into(),
        state.lines.into(),
        state.group.map_or(Value::Null, Value::Int),
        i64::from(state.is_ended).into(),
        time::now().as_str().into(),
    ];
    tx.execute(sql, &params).await?;
    let Some(portion) = portion else {
        return Ok(());
    };
    let sql = "INSERT INTO crm_bulk_portions (run, before, lines, hash, answers, refusals) VALUES ($1, $2, $3, $4, $5, $6)";
    let params = [
        id.into(),
        (state.lines - portion.lines).into(),
        portion.lines.into(),
        portion.hash.as_str().into(),
        portion.answers.as_str().into(),
        portion.refusals.as_str().into(),
    ];
    tx.execute(sql, &params).await?;
    expire(tx).await
}

/// Deletes some portions of a run that has expired, or the run if it has none left.
async fn expire<T: Transaction>(tx: &mut T) -> Result<()> {
    let sql = "SELECT id FROM crm_bulk_runs WHERE at < $1 ORDER BY at LIMIT 1";
    let rows = tx.query(sql, &[oldest().as_str().into()]).await?;
    let Some(id) = rows.first().and_then(|row| row.first()).cloned() else {
        return Ok(());
    };
    let sql = format!(
        "DELETE FROM crm_bulk_portions WHERE run = $1 AND before IN \
         (SELECT before FROM crm_bulk_portions WHERE run = $1 ORDER BY before LIMIT {DELETED})"
    );
    if tx.execute(&sql, std::slice::from_ref(&id)).await? == 0 {
        // Whoever has begun it anew meanwhile keeps it.
        let sql = "DELETE FROM crm_bulk_runs WHERE id = $1 AND at < $2";
        tx.execute(sql, &[id, oldest().as_str().into()]).await?;
    }
    Ok(())
}

/// Forgets why lines were refused, for all runs: nobody knows whose data the words have.
pub(super) async fn forget_refusals<T: Transaction>(tx: &mut T) -> Result<()> {
    let sql = "UPDATE crm_bulk_portions SET refusals = '' WHERE refusals <> ''";
    tx.execute(sql, &[]).await?;
    Ok(())
}
