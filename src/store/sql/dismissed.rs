//! Pairs of leads that are no duplicates of each other, as somebody has found. They are no records and no part of one, so they
//! are in no change.
//!
//! A pair outlives its leads, whose ids are never given again: an undo may restore them. If a lead is merged, its pairs are
//! those of the lead that stays, as long as the merge is not taken back.

use crate::base::error::Result;
use crate::base::time;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::value::Value;
use crate::store::transaction::Transaction;

/// Selects the pairs that count, as two ids.
pub(crate) const PAIRS: &str = "SELECT DISTINCT one, other FROM crm_dismissed \
     WHERE (through = 0 OR NOT EXISTS (SELECT 1 FROM leads WHERE leads.id = crm_dismissed.through))";

/// The same for the pairs of one lead, `$1`.
pub(crate) const PAIRS_OF: &str = "SELECT DISTINCT one, other FROM crm_dismissed \
     WHERE (one = $1 OR other = $1) \
     AND (through = 0 OR NOT EXISTS (SELECT 1 FROM leads WHERE leads.id = crm_dismissed.through))";

/// The two ids in a row.
pub(crate) fn pair(row: &[Value]) -> Option<(i64, i64)> {
    Some((row.first()?.int()?, row.get(1)?.int()?))
}

/// Two ids in the order in which they are stored.
pub(crate) fn ordered(a: i64, b: i64) -> (i64, i64) {
    (a.min(b), a.max(b))
}

/// Notes a pair. Returns whether it was not noted before. `through` is the lead whose pair it was, 0 for none.
pub(crate) async fn dismiss<T: Transaction>(
    tx: &mut T,
    (a, b): (i64, i64),
    through: i64,
    author: &str,
) -> Result<bool> {
    let (one, other) = ordered(a, b);
    let sql = "INSERT INTO crm_dismissed (one, other, through, at, author) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let params = [
        one.into(),
        other.into(),
        through.into(),
        time::now().as_str().into(),
        author.into(),
    ];
    Ok(tx.execute(sql, &params).await? > 0)
}

/// Takes a pair back. Returns whether it was noted.
pub(crate) async fn take_back<T: Transaction>(tx: &mut T, (a, b): (i64, i64)) -> Result<bool> {
    let (one, other) = ordered(a, b);
    let sql = "DELETE FROM crm_dismissed WHERE one = $1 AND other = $2";
    Ok(tx.execute(sql, &[one.into(), other.into()]).await? > 0)
}

/// Gives the pairs of a lead that is merged to the lead that stays.
pub(crate) async fn hand_over<T: Transaction>(
    tx: &mut T,
    from: i64,
    to: i64,
    author: &str,
) -> Result<()> {
    for row in tx.query(PAIRS_OF, &[from.into()]).await? {
        let Some((one, other)) = pair(&row) else {
            continue;
        };
        let third = if one == from { other } else { one };
        if third != to {
            dismiss(tx, (third, to), from, author).await?;
        }
    }
    Ok(())
}

/// Removes the pairs of leads that are erased.
pub(crate) async fn forget_dismissed<T: Transaction>(
    tx: &mut T,
    erased: &[(&'static Noun, i64)],
) -> Result<()> {
    for (noun, id) in erased {
        if **noun == LEAD {
            let sql = "DELETE FROM crm_dismissed WHERE one = $1 OR other = $1 OR through = $1";
            tx.execute(sql, &[(*id).into()]).await?;
        }
    }
    Ok(())
}
