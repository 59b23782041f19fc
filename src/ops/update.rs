//! `PUT /{plural}/{id}`, `PATCH /{plural}/{id}`, `crm NOUN update`: a change of a record.

use crate::base::error::Result;
use crate::model::draft::Draft;
use crate::model::record::Record;
use crate::model::terms::Terms;
use crate::store::contract::{Extent, Kept, Request, Saved, Write};
use crate::store::sql::ledger;
use crate::store::transaction::Transaction;

/// A change of the fields that a draft gives.
#[derive(Clone, Debug)]
pub struct Update {
    id: i64,
    draft: Draft,
}

impl Update {
    /// A write of this draft to the record with this id.
    pub fn new(id: i64, draft: Draft) -> Update {
        Update { id, draft }
    }
}

impl Write for Update {
    type Done = Saved;

    fn size(&self) -> usize {
        self.draft.size()
    }

    fn extent(&self) -> Extent {
        Extent::One
    }

    async fn run<T: Transaction>(&mut self, tx: &mut T, terms: &Terms) -> Result<Saved> {
        Ok(Saved {
            record: apply(tx, self.id, &self.draft, terms).await?,
            created: false,
        })
    }

    fn keep(&self, done: &Saved) -> Kept {
        done.keep()
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Saved>> {
        Ok(Saved::kept(self.draft.noun, kept).filter(|saved| !saved.created))
    }

    fn request(&self) -> Request {
        Request {
            method: "PUT",
            path: format!("/{}/{}", self.draft.noun.plural, self.id),
            body: Some(self.draft.to_json()),
        }
    }

    fn word(_status: u16) -> &'static str {
        "updated"
    }
}

/// Changes a record by one statement. A draft that changes nothing writes nothing, and `updated_at` stays.
pub(super) async fn apply(
    tx: &mut impl Transaction,
    id: i64,
    draft: &Draft,
    terms: &Terms,
) -> Result<Record> {
    let record = ledger::read(tx, draft.noun, id).await?;
    let changes = match draft.changes(&record) {
        Ok(changes) => changes,
        Err(problems) => return Err(ledger::refused(tx, draft, problems).await?),
    };
    // Conditions come after the checks of the request (RFC 9110, section 13.2.1).
    terms.hold(record.version())?;
    match changes.is_empty() {
        true => Ok(record),
        false => ledger::change(tx, draft, record, changes).await,
    }
}
