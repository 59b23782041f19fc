//! Idempotency: a request with a key is done once. Its result is kept under the key for a day. The same transaction writes
//! both, so that neither exists without the other.

use std::time::{Duration, SystemTime};

use super::ledger::Ledger;
use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::terms::{KEPT, Key, Terms};
use crate::model::value::Value;
use crate::store::contract::{Kept, Outcome, Write};
use crate::store::transaction::Transaction;

/// How many expired results are deleted for each new one. It is more than one, so that their number falls.
const DELETED: usize = 4;

/// The word of a kept result with follow-ups that were claimed.
pub(crate) const CLAIMED: &str = "claimed";

/// The word of a kept result of a merge.
pub(crate) const MERGED: &str = "merged";

/// The word of a kept result whose record was erased.
pub(super) const ERASED: &str = "was erased";

/// Runs a write, unless it was already done under the same key.
pub(crate) async fn run<W: Write, T: Transaction>(
    mut write: W,
    tx: &mut T,
    terms: &Terms,
) -> Result<Outcome<W::Done>> {
    let Some(key) = &terms.key else {
        return once(&mut write, tx, terms).await;
    };
    tx.alone_with(&key.id).await?;
    if let Some(kept) = find(tx, key).await? {
        if kept.word == ERASED {
            // Doing it again might bring back what was erased.
            let message =
                "Idempotency-Key: what this request wrote was erased since; nothing was done again";
            return Err(Error::new(Code::Conflict, message));
        }
        return match write.kept(&kept)? {
            Some(done) => Ok(Outcome {
                done,
                replayed: true,
                group: None,
            }),
            None => Err(Error::internal(
                "the kept result of a request cannot be read",
            )),
        };
    }
    let outcome = once(&mut write, tx, terms).await?;
    keep(tx, key, write.keep(&outcome.done)).await?;
    Ok(outcome)
}

/// Runs a write.
async fn once<W: Write, T: Transaction>(
    write: &mut W,
    tx: &mut T,
    terms: &Terms,
) -> Result<Outcome<W::Done>> {
    let mut ledger = Ledger::new(tx, &terms.author);
    let done = write.run(&mut ledger, terms).await?;
    Ok(Outcome {
        done,
        replayed: false,
        group: ledger.group(),
    })
}

/// The time before which a result has expired, in the stored form.
fn oldest() -> String {
    time::stored(SystemTime::now() - Duration::from_secs(KEPT)).unwrap_or_default()
}

/// The result of an earlier request with this key within the last day.
async fn find(tx: &mut impl Transaction, key: &Key) -> Result<Option<Kept>> {
    let id = [Value::from(key.id.as_str())];
    let sql = "SELECT body, done, version, answer, at FROM crm_idempotency_keys WHERE id = $1";
    let rows = tx.query(sql, &id).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let text = |at: usize| row.get(at).and_then(Value::text).unwrap_or_default();
    if text(4) < oldest().as_str() {
        let delete = "DELETE FROM crm_idempotency_keys WHERE id = $1";
        tx.execute(delete, &id).await?;
        return Ok(None);
    }
    if text(0) != key.body {
        let message = "Idempotency-Key: it was used for this path with another body; expected a new key for a new request";
        return Err(Error::new(Code::KeyReused, message));
    }
    Ok(Some(Kept {
        word: text(1).to_string().into(),
        version: row.get(2).and_then(Value::int).unwrap_or_default(),
        text: text(3).to_string(),
    }))
}

/// Keeps the result of a request, and deletes some that have expired.
async fn keep<T: Transaction>(tx: &mut T, key: &Key, kept: Kept) -> Result<()> {
    let old = format!(
        "DELETE FROM crm_idempotency_keys WHERE id IN \
         (SELECT id FROM crm_idempotency_keys WHERE at < $1 ORDER BY at LIMIT {DELETED}{})",
        T::SKIPPING
    );
    tx.execute(&old, &[oldest().as_str().into()]).await?;
    let insert = "INSERT INTO crm_idempotency_keys (id, body, done, version, answer, at) VALUES ($1, $2, $3, $4, $5, $6)";
    let params = [
        key.id.as_str().into(),
        key.body.as_str().into(),
        Value::from(&*kept.word),
        kept.version.into(),
        kept.text.as_str().into(),
        time::now().as_str().into(),
    ];
    tx.execute(insert, &params).await?;
    Ok(())
}
