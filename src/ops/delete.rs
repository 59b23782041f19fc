//! `DELETE /{plural}/{id}`, `crm NOUN delete`: the end of a record.

use crate::base::error::Result;
use crate::model::record::Noun;
use crate::model::terms::Terms;
use crate::store::contract::{Extent, Kept, Request, Write};
use crate::store::sql::ledger;
use crate::store::transaction::Transaction;

/// The end of a record. One that others refer to is a conflict, unless `cascade` deletes them with it.
#[derive(Clone, Debug)]
pub struct Delete {
    noun: &'static Noun,
    id: i64,
    cascade: bool,
}

impl Delete {
    /// The delete of this record.
    pub fn new(noun: &'static Noun, id: i64, cascade: bool) -> Delete {
        Delete { noun, id, cascade }
    }
}

impl Write for Delete {
    type Done = ();

    fn extent(&self) -> Extent {
        Extent::Several
    }

    async fn run<T: Transaction>(&mut self, tx: &mut T, terms: &Terms) -> Result<()> {
        ledger::delete(tx, self.noun, self.id, self.cascade, terms).await
    }

    fn keep(&self, (): &()) -> Kept {
        Kept::word("deleted")
    }

    fn kept(&self, kept: &Kept) -> Result<Option<()>> {
        Ok((kept.word == "deleted").then_some(()))
    }

    fn request(&self) -> Request {
        let cascade = if self.cascade { "?cascade=true" } else { "" };
        Request {
            method: "DELETE",
            path: format!("/{}/{}{cascade}", self.noun.plural, self.id),
            body: None,
        }
    }

    fn word(_status: u16) -> &'static str {
        "deleted"
    }
}
