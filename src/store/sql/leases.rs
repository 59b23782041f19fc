//! Leases in a database: who has which follow-up, and until when.
//!
//! The row of a lease counts while its end is to come, its process is open, and the follow-up is still due when it was due as
//! it was claimed. So whatever moves or ends a follow-up ends its lease too: a snooze, a log, an update, an undo, another
//! program's SQL. What the ledger moves ends it for good, also if it is moved back. The row goes with its process.
//!
//! All times come from the clock of the database, because those of the replicas of a service may differ.
//!
//! On PostgreSQL a claim locks the processes that it takes, and skips those that others have locked. It may still read one
//! whose lease was made after its statement had begun, so the statement that writes a lease has the condition once more.

use std::time::Duration;

use super::advance::is_still_open;
use super::open::is_open;
use super::row::mend;
use super::statements::statements;
use crate::base::error::{Error, Result};
use crate::base::time;
use crate::model::due::{Due, Moment};
use crate::model::lease::{LeaseSecret, stale};
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::transaction::Transaction;
use crate::views::followups::FOLLOWUP;

/// How many rows of leases that ended long ago a claim removes. It is as many as it makes at most, so their number does not
/// grow.
const REMOVED: usize = 100;

/// How long the row of a lease that has ended is kept, in seconds, so that its worker is told when it ended.
const KEPT: i64 = 86_400;

/// How often a claim looks for follow-ups if all that it finds are locked, and the time between two looks.
const LOOKS: usize = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// How often a claim looks again for follow-ups that others have not taken in the same moment.
const ROUNDS: usize = 50;

/// The time of the database, in the stored form.
pub(crate) async fn now<T: Transaction>(tx: &mut T) -> Result<String> {
    let rows = tx.query("SELECT crm_now()", &[]).await?;
    let now = rows.first().and_then(|row| row.first()?.text());
    let now = now.ok_or_else(|| Error::internal("the database has no time"))?;
    Ok(now.into())
}

/// The time so many seconds after a time in the stored form.
fn later(stored: &str, seconds: i64) -> String {
    let at = time::read_stored(stored).unwrap_or(std::time::SystemTime::UNIX_EPOCH);
    let by = Duration::from_secs(seconds.unsigned_abs());
    time::nearest(match seconds < 0 {
        true => at - by,
        false => at + by,
    })
}

/// When a lease of so many seconds ends that begins now. The current second has begun already, so the lease is at least as
/// long as it was asked for.
fn end(now: &str, seconds: i64) -> String {
    later(now, seconds + 1)
}

/// What is claimed.
pub(crate) struct Wanted<'a> {
    pub(crate) limit: usize,
    pub(crate) due: &'a [Due],
    pub(crate) worker: &'a str,
    pub(crate) seconds: i64,
    pub(crate) now: &'a str,
    pub(crate) moment: &'a Moment,
}

/// Claims follow-ups, the one that is due first before the others. Returns their processes. `secret` makes the secret of each.
pub(crate) async fn claim<T: Transaction>(
    tx: &mut T,
    wanted: &Wanted<'_>,
    secret: impl Fn(i64) -> LeaseSecret + Sync,
) -> Result<Vec<i64>> {
    remove_old(tx, wanted.now).await?;
    for _ in 0..LOOKS {
        let claimed = claim_free(tx, wanted, &secret).await?;
        if !claimed.is_empty() || !is_skipped(tx, wanted).await? {
            return Ok(claimed);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(Vec::new())
}

/// Whether there is a follow-up that can be claimed, and that was only skipped because somebody had locked its process: the
/// one who announces it, or one who changes it. Nobody locks anything for long.
async fn is_skipped<T: Transaction>(tx: &mut T, wanted: &Wanted<'_>) -> Result<bool> {
    if T::SKIPPING.is_empty() {
        return Ok(false);
    }
    for mut select in selects::<T>(wanted) {
        select.locking = "";
        let (sql, params) = select.limited(1);
        if !tx.query(&sql, &params).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Claims follow-ups that nobody has locked.
async fn claim_free<T: Transaction>(
    tx: &mut T,
    wanted: &Wanted<'_>,
    secret: &(impl Fn(i64) -> LeaseSecret + Sync),
) -> Result<Vec<i64>> {
    let mut claimed = Vec::new();
    for select in selects::<T>(wanted) {
        for _ in 0..ROUNDS {
            let left = wanted.limit - claimed.len();
            if left == 0 {
                return Ok(claimed);
            }
            let (sql, params) = select.limited(left);
            let rows = tx.query(&sql, &params).await?;
            let found = rows.len();
            for row in rows {
                let Some(id) = row.first().and_then(Value::int) else {
                    continue;
                };
                let due = row.get(1).and_then(Value::text).unwrap_or_default();
                if take(tx, wanted, id, due, &secret(id)).await? {
                    claimed.push(id);
                }
            }
            if found < left {
                break;
            }
        }
    }
    Ok(claimed)
}

/// Writes a lease, unless another one counts.
async fn take<T: Transaction>(
    tx: &mut T,
    wanted: &Wanted<'_>,
    id: i64,
    due: &str,
    secret: &LeaseSecret,
) -> Result<bool> {
    let sql = "INSERT INTO crm_leases (process, hash, worker, due, seconds, until) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (process) DO UPDATE SET hash = excluded.hash, worker = excluded.worker, due = excluded.due, \
               seconds = excluded.seconds, until = excluded.until \
               WHERE crm_leases.until <= $7 OR crm_leases.due <> excluded.due";
    let params = [
        id.into(),
        secret.hash().as_str().into(),
        wanted.worker.into(),
        due.into(),
        wanted.seconds.into(),
        end(wanted.now, wanted.seconds).as_str().into(),
        wanted.now.into(),
    ];
    Ok(tx.execute(sql, &params).await? == 1)
}

/// A select of follow-ups that can be claimed.
struct Free {
    text: String,
    params: Vec<Value>,
    locking: &'static str,
}

impl Free {
    fn limited(&self, limit: usize) -> (String, Vec<Value>) {
        let mut params = self.params.clone();
        params.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let sql = format!("{} LIMIT ${}{}", self.text, params.len(), self.locking);
        (sql, params)
    }
}

/// The selects of the follow-ups that are wanted: of those with a date, and of those without.
fn selects<T: Transaction>(wanted: &Wanted<'_>) -> Vec<Free> {
    let time = "processes.next_followup_datetime";
    let free = |condition: &str, order: &str, mut params: Vec<Value>| {
        params.push(wanted.now.into());
        let text = format!(
            "SELECT processes.id, {time} FROM processes WHERE {condition} AND {} AND NOT EXISTS (SELECT 1 FROM crm_leases \
             WHERE crm_leases.process = processes.id AND crm_leases.until > ${} AND crm_leases.due = \
             coalesce({time}, '')) ORDER BY {order}processes.id",
            is_open("processes.status"),
            params.len(),
        );
        Free {
            text,
            params,
            locking: T::SKIPPING,
        }
    };
    let mut selects = Vec::new();
    let spans = wanted.moment.spans(wanted.due);
    if let (Some(first), Some(last)) = (spans.first(), spans.last()) {
        let mut params: Vec<Value> = vec![first.start.as_str().into(), last.end.as_str().into()];
        // One walk through the index of the times, from the first to the last.
        let mut condition = format!("{time} >= $1 AND {time} < $2");
        for two in spans.windows(2) {
            params.push(two[0].end.as_str().into());
            params.push(two[1].start.as_str().into());
            let at = params.len();
            condition += &format!(" AND ({time} || '' < ${} OR {time} || '' >= ${at})", at - 1);
        }
        // The order of the index, although no time is null here. Without it PostgreSQL would sort all that is due.
        let order = format!("{time} NULLS FIRST, ");
        selects.push(free(&condition, &order, params));
    }
    if wanted.due.contains(&Due::Unscheduled) {
        selects.push(free(&format!("{time} IS NULL"), "", Vec::new()));
    }
    selects
}

/// Removes some rows of leases that ended long ago.
async fn remove_old<T: Transaction>(tx: &mut T, now: &str) -> Result<()> {
    let sql = format!(
        "DELETE FROM crm_leases WHERE process IN (SELECT process FROM crm_leases WHERE until <= $1 ORDER BY until LIMIT \
         {REMOVED}{})",
        T::SKIPPING
    );
    tx.execute(&sql, &[later(now, -KEPT).as_str().into()])
        .await?;
    Ok(())
}

/// The follow-up of a process as the view shows it.
pub(crate) async fn followup<T: Transaction>(
    tx: &mut T,
    id: i64,
    moment: &Moment,
) -> Result<Record> {
    let rows = tx
        .query(&statements(&FOLLOWUP).select, &[id.into()])
        .await?;
    let mut values = rows
        .into_iter()
        .next()
        .ok_or_else(|| FOLLOWUP.not_found())?;
    mend(&FOLLOWUP, &mut values);
    if let Some(at) = FOLLOWUP.due() {
        let word = moment.of(values[at].text()).word();
        values[at] = word.into();
    }
    Ok(Record {
        noun: &FOLLOWUP,
        values,
    })
}

/// A lease as it is stored.
struct Stored {
    hash: String,
    worker: String,
    due: String,
    until: String,
    seconds: i64,
}

async fn stored<T: Transaction>(tx: &mut T, id: i64) -> Result<Option<Stored>> {
    let sql = "SELECT hash, worker, due, until, seconds FROM crm_leases WHERE process = $1";
    let rows = tx.query(sql, &[id.into()]).await?;
    Ok(rows.first().and_then(|row| {
        let text = |at: usize| Some(row.get(at)?.text()?.to_string());
        Some(Stored {
            hash: text(0)?,
            worker: text(1)?,
            due: text(2)?,
            until: text(3)?,
            seconds: row.get(4)?.int()?,
        })
    }))
}

/// The process whose lease has this secret, whether the lease counts or not.
pub(crate) async fn process_of<T: Transaction>(
    tx: &mut T,
    secret: &LeaseSecret,
) -> Result<Option<i64>> {
    let sql = "SELECT process FROM crm_leases WHERE hash = $1";
    let rows = tx.query(sql, &[secret.hash().as_str().into()]).await?;
    Ok(rows.first().and_then(|row| row.first()?.int()))
}

/// Refuses a lease that does not count. The process is locked, so it and its lease stay as they are.
pub(crate) async fn hold<T: Transaction>(
    tx: &mut T,
    process: &Record,
    secret: &LeaseSecret,
) -> Result<()> {
    held(tx, process, secret).await.map(drop)
}

async fn held<T: Transaction>(
    tx: &mut T,
    process: &Record,
    secret: &LeaseSecret,
) -> Result<(Stored, String)> {
    let now = now(tx).await?;
    let id = process.id();
    let due = process.get("next_followup_datetime");
    let due = due.text().unwrap_or_default();
    let Some(lease) = stored(tx, id).await? else {
        return Err(stale(&format!(
            "is none of follow-up {id}, or was released or has ended; claim it again"
        )));
    };
    let is_over = lease.until <= now;
    let is_moved = lease.due != due || !is_still_open(process);
    let (until, worker) = (&lease.until, &lease.worker);
    let why = match lease.hash == secret.hash() {
        true if is_over => format!("has ended at {until} (UTC); claim follow-up {id} again"),
        true if is_moved => {
            format!("has ended, because follow-up {id} was moved or finished meanwhile")
        }
        true => return Ok((lease, now)),
        false if is_over || is_moved => {
            format!("is none of follow-up {id} any more; claim it again")
        }
        false => format!("is none of follow-up {id} any more; {worker} has it until {until} (UTC)"),
    };
    Err(stale(&why))
}

/// Ends the lease of a process, if there is one.
pub(crate) async fn forget<T: Transaction>(tx: &mut T, id: i64) -> Result<()> {
    let sql = "DELETE FROM crm_leases WHERE process = $1";
    tx.execute(sql, &[id.into()]).await?;
    Ok(())
}

/// Renews a lease, for so many seconds from now or as long as it was asked for. Returns its worker and its new end.
pub(crate) async fn renew<T: Transaction>(
    tx: &mut T,
    process: &Record,
    secret: &LeaseSecret,
    seconds: Option<i64>,
) -> Result<(String, String)> {
    let (lease, now) = held(tx, process, secret).await?;
    let seconds = seconds.unwrap_or(lease.seconds);
    let until = end(&now, seconds);
    let sql = "UPDATE crm_leases SET until = $1, seconds = $2 WHERE process = $3";
    let params = [until.as_str().into(), seconds.into(), process.id().into()];
    tx.execute(sql, &params).await?;
    Ok((lease.worker, until))
}
