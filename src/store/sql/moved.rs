//! The end of a lease whose follow-up is moved. It is beside the rules of leases, because the ledger needs nothing else of them.

use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::process::PROCESS;
use crate::model::value::Value;
use crate::store::transaction::Transaction;

/// Stands for the time of a follow-up that was moved. No time is equal to it.
const MOVED: &str = "moved";

/// Whether changes of a record move a follow-up: its time, or whether its process is open.
pub(super) fn moves_followup(noun: &'static Noun, changes: &[(usize, Value)]) -> bool {
    let is_of_it = |at: usize| matches!(noun.fields[at].name, "next_followup_datetime" | "status");
    std::ptr::eq(noun, &PROCESS) && changes.iter().any(|(at, _)| is_of_it(*at))
}

/// Ends the lease of a process for good: it does not count again when the follow-up is moved back. Its row stays, so that its
/// worker is told why.
pub(super) async fn end_lease<T: Transaction>(tx: &mut T, id: i64) -> Result<()> {
    let sql = "UPDATE crm_leases SET due = $1 WHERE process = $2";
    tx.execute(sql, &[MOVED.into(), id.into()]).await?;
    Ok(())
}
