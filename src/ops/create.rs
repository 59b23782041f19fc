//! `POST /{plural}`, `crm NOUN create`: a new record.

use crate::base::error::{Code, Error, Problems, Result};
use crate::base::time;
use crate::model::draft::Draft;
use crate::model::lead::OnDuplicate;
use crate::model::record::{Noun, Record, Value, email};
use crate::model::terms::Terms;
use crate::store::contract::{Extent, Kept, Request, Saved, Write};
use crate::store::sql::ledger;
use crate::store::sql::select::LONGEST_INDEXED;
use crate::store::transaction::Transaction;

/// A new record, or what `on_duplicate` says about a record that has the address already.
#[derive(Clone, Debug)]
pub struct Create {
    draft: Draft,
    on_duplicate: OnDuplicate,
    /// The draft's row, made by [`Write::check`].
    row: Result<Vec<Option<Value>>, Problems>,
}

impl Create {
    /// A write of this draft.
    pub fn new(draft: Draft, on_duplicate: OnDuplicate) -> Create {
        Create {
            draft,
            on_duplicate,
            row: Ok(Vec::new()),
        }
    }
}

impl Write for Create {
    type Done = Saved;

    fn check(&mut self) -> Result<()> {
        self.row = self.draft.row();
        match &self.row {
            // No look into the database can add a problem.
            Err(problems)
                if self.on_duplicate == OnDuplicate::Create
                    && self.draft.references().next().is_none() =>
            {
                Err(Error::fields(problems.clone()))
            }
            _ => Ok(()),
        }
    }

    fn size(&self) -> usize {
        // The draft, and the row made of it.
        2 * self.draft.size()
    }

    fn extent(&self) -> Extent {
        match self.on_duplicate {
            OnDuplicate::Create => Extent::Statement,
            _ => Extent::One,
        }
    }

    async fn run<T: Transaction>(&mut self, tx: &mut T, _terms: &Terms) -> Result<Saved> {
        let draft = &self.draft;
        let noun = draft.noun;
        if self.on_duplicate != OnDuplicate::Create
            && let Some(field) = noun.email()
            && let Some(address) = draft.text(field.name).and_then(email)
            && let Some(id) =
                with_address(tx, noun, field.name, &address, self.on_duplicate).await?
        {
            return match self.on_duplicate {
                OnDuplicate::Update => {
                    let record = super::update::apply(tx, id, draft, &Terms::default()).await?;
                    Ok(Saved {
                        record,
                        created: false,
                    })
                }
                _ => {
                    let taken = format!("{} {id} has the address {address} already", noun.name);
                    let mut error = Error::field(field.name, taken);
                    error.code = Code::Conflict;
                    Err(error)
                }
            };
        }
        let row = match std::mem::replace(&mut self.row, Ok(Vec::new())) {
            Ok(row) => row,
            Err(problems) => return Err(ledger::refused(tx, draft, problems).await?),
        };
        // With the longest id, as the true one is not known yet.
        let mut record = Record::new(noun, i64::MAX, row, &time::now());
        record.fits()?;
        ledger::insert(tx, draft, &mut record).await?;
        Ok(Saved {
            record,
            created: true,
        })
    }

    fn keep(&self, done: &Saved) -> Kept {
        done.keep()
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Saved>> {
        Ok(Saved::kept(self.draft.noun, kept))
    }

    fn request(&self) -> Request {
        let plural = self.draft.noun.plural;
        Request {
            method: "POST",
            path: match self.on_duplicate {
                OnDuplicate::Create => format!("/{plural}"),
                other => format!("/{plural}?on_duplicate={}", other.word()),
            },
            body: Some(self.draft.to_json()),
        }
    }

    fn word(status: u16) -> &'static str {
        match status {
            201 => "created",
            _ => "updated",
        }
    }
}

/// The record with an address. Nobody else looks for the address until the end of the transaction, and a record that is to
/// be updated is locked until then.
async fn with_address<T: Transaction>(
    tx: &mut T,
    noun: &Noun,
    field: &str,
    address: &str,
    on_duplicate: OnDuplicate,
) -> Result<Option<i64>> {
    tx.alone_with(address).await?;
    let table = noun.plural;
    let condition = format!("lower({field}) = $1 AND octet_length({field}) <= {LONGEST_INDEXED}");
    let find = format!("SELECT min(id) FROM {table} WHERE {condition}");
    let lock = format!(
        "SELECT id FROM {table} WHERE {condition} AND id = $2{}",
        T::LOCKING
    );
    loop {
        let rows = tx.query(&find, &[address.into()]).await?;
        let found = rows.first().and_then(|row| row.first());
        let Some(id) = found.and_then(Value::int) else {
            return Ok(None);
        };
        if on_duplicate != OnDuplicate::Update || T::LOCKING.is_empty() {
            return Ok(Some(id));
        }
        // An update or delete by id takes no lock on the address. If the record lost its address in between, the next
        // look finds what there is now.
        let params = [address.into(), id.into()];
        if !tx.query(&lock, &params).await?.is_empty() {
            return Ok(Some(id));
        }
    }
}
