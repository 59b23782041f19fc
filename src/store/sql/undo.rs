//! Takes back a group of changes: its records are again as they were before it.
//!
//! Each change of the group is taken back by one change, the newest first. So the same references hold at every step as
//! when the group was made, and a change that takes another back can itself be taken back in the same way. All of them form
//! a group of their own, each with the number of the group that it takes back.
//!
//! Nothing is written before everything has been checked: each record must be as the group has left it. What came between
//! may only be groups that were taken back since.
//!
//! A group of more than [`PORTION`] changes is taken back in portions, each in its own transaction. The portions join one
//! group. As each change of the group is taken back by one change, the numbers of both groups tell what is left. So nothing
//! else has to be remembered, and it goes on wherever it was interrupted.
//!
//! | file | what it holds |
//! |---|---|
//! | [`group`] | which group, and whether it is taken back already |
//! | [`portion`] | the changes that are taken back in one transaction |
//! | [`conflicts`] | records that have changed since, and references that no longer hold |
//! | [`history`] | what has happened to a record since |
//! | [`reverse`] | the writes |

mod conflicts;
mod group;
mod history;
mod portion;
mod reverse;

use super::ledger::Ledger;
use crate::base::error::Result;
use crate::model::undone::Undone;
use crate::store::transaction::Transaction;
pub use group::Wanted;
pub use portion::PORTION;

/// Takes back a group, or its next portion. If `dry` is true, this only says what it would do, or why it cannot.
pub async fn take_back<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    wanted: Wanted<'_>,
    dry: bool,
) -> Result<Undone> {
    let found = group::find(ledger.tx, wanted, dry).await?;
    let portion = portion::read(ledger.tx, found.number, found.done).await?;
    let records = conflicts::check(ledger.tx, &found, &portion, dry).await?;
    let changes = u64::try_from(portion.steps.len()).unwrap_or_default();
    let change = match dry {
        true => None,
        false => {
            ledger.takes_back(found.number, found.begun);
            reverse::write(ledger, &portion).await?;
            ledger.group()
        }
    };
    Ok(Undone {
        undoes: found.number,
        by: found.by,
        at: found.at,
        operation: found.operation,
        change,
        changes,
        left: (found.changes - found.done).saturating_sub(changes),
        records,
    })
}
