//! Announces follow-ups: when the time of one comes, a change `process.due` is appended, once for each time of a process.
//!
//! A process with a follow-up that nobody has looked at is in the index `processes_by_due`. It leaves the index when its time
//! has come and it was looked at, and comes back when its follow-up or its status changes. So a look at what is due reads
//! nothing where nothing is due, however many follow-ups are overdue, and it also finds what other programs have written.
//!
//! `crm_announced` has what was announced. A row is inserted in the transaction of the change, so neither is there without the
//! other. This table alone decides, so it does not matter how often, by how many processes and by which clock a follow-up is
//! looked at.
//!
//! The change has the process as it is. It makes no new version and does not set `updated_at`, and an undo passes it over.

use crate::base::error::Result;
use crate::base::time;
use crate::model::author::Author;
use crate::model::process::{DUE, PROCESS};
use crate::model::record::Record;
use crate::model::rules;
use crate::model::value::Value;
use crate::store::change::Change;
use crate::store::chore::Chore;
use crate::store::sql::reversal::rest;
use crate::store::sql::row::mend;
use crate::store::sql::statements;
use crate::store::transaction::{Fault, Transaction};

/// Who announces. No token and no user has this name, so it is nobody's last change that an undo takes back.
pub const SERVICE: &str = "crm serve";

/// The operation that a change names.
const OPERATION: &str = "announceDue";

/// How many follow-ups are looked at in one transaction. Other writes wait for its end.
pub(crate) const PORTION: usize = 100;

/// The condition of the index `processes_by_due`, word for word.
macro_rules! unseen {
    () => {
        "next_followup_datetime IS NOT NULL AND due_seen IS DISTINCT FROM (next_followup_datetime || ' ' || status)"
    };
}

/// The time of the next follow-up that nobody has looked at. It may have come long ago.
pub(crate) const NEXT: &str = concat!(
    "SELECT next_followup_datetime FROM processes WHERE ",
    unseen!(),
    " ORDER BY next_followup_datetime LIMIT 1"
);

/// Notes all follow-ups that are due by a time, as if they were announced.
pub(crate) const PASS_OVER: &str = "INSERT INTO crm_announced (process_id, due) SELECT id, next_followup_datetime FROM processes \
     WHERE next_followup_datetime <= $1 ON CONFLICT DO NOTHING";

/// Looks at a portion of the follow-ups whose time has come, and announces those of open processes.
pub(crate) struct AnnounceDue {
    /// The time until which they are due, in the stored form. It may have a fraction of a second.
    pub(crate) now: String,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Announced {
    /// How many follow-ups were looked at.
    pub(crate) seen: usize,
    /// How many were announced.
    pub(crate) announced: u64,
}

impl Chore for AnnounceDue {
    type Done = Announced;

    async fn run<T: Transaction>(self, tx: &mut T) -> Result<Announced> {
        // Others may be changing some of them. Those are looked at again soon.
        let select = format!(
            "SELECT {} FROM {} WHERE {} AND next_followup_datetime <= $1 ORDER BY next_followup_datetime, id LIMIT {PORTION}{}",
            statements::columns(&PROCESS),
            statements::table(&PROCESS),
            unseen!(),
            T::SKIPPING
        );
        let rows = tx.query(&select, &[self.now.as_str().into()]).await?;
        let seen = rows.len();
        let author = Author {
            by: SERVICE.into(),
            operation: OPERATION.into(),
            ..Author::default()
        };
        let at = time::now();
        let mut announced = 0;
        for mut values in rows {
            let due = text(&values, "next_followup_datetime");
            let open = rules::get().is_open(&text(&values, "status"));
            mend(&PROCESS, &mut values);
            let record = Record {
                noun: &PROCESS,
                values,
            };
            // Another program may have written something that is no time.
            if open && time::read_stored(&due).is_some() && is_new(tx, &record, &due).await? {
                let change = Change {
                    at: &at,
                    author: &author,
                    group: None,
                    undoes: None,
                    kind: DUE,
                    id: Some(record.id()),
                    version: record.version(),
                    rest: &rest(&record),
                    previous: None,
                };
                // One by one: each is a group of its own.
                tx.append(&[change]).await?;
                announced += 1;
            }
            let sql = "UPDATE processes SET due_seen = next_followup_datetime || ' ' || status WHERE id = $1";
            tx.execute(sql, &[record.id().into()]).await?;
        }
        Ok(Announced { seen, announced })
    }
}

/// A text of a process as it is stored.
fn text(values: &[Value], name: &str) -> String {
    let at = PROCESS.position(name).unwrap_or_default();
    values
        .get(at)
        .and_then(Value::text)
        .unwrap_or_default()
        .into()
}

/// Notes that a follow-up is announced. Returns whether it was not before.
async fn is_new<T: Transaction>(tx: &mut T, record: &Record, due: &str) -> Result<bool, Fault> {
    let sql = "INSERT INTO crm_announced (process_id, due) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, &[record.id().into(), due.into()]).await? > 0)
}

/// Forgets what was announced of a process.
pub(super) async fn forget<T: Transaction>(tx: &mut T, process: i64) -> Result<()> {
    let sql = "DELETE FROM crm_announced WHERE process_id = $1";
    tx.execute(sql, &[process.into()]).await?;
    Ok(())
}
