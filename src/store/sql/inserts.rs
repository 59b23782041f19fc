//! How the ledger inserts records, one or many together.

use super::ledger::Ledger;
use super::newest;
use super::reversal::rest;
use super::statements::statements;
use crate::base::error::{Code, Error, Problems, Result};
use crate::base::time;
use crate::model::draft::Draft;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::change::Change;
use crate::store::transaction::{Fault, RecordStatement, Transaction};

impl<'t, T: Transaction> Ledger<'t, T> {
    /// The statement that inserts a record whose id is not given yet, and the change that it makes.
    fn creation<'c>(
        &self,
        record: &'c Record,
        rest: &'c str,
        at: &'c str,
    ) -> (RecordStatement<'c>, Change<'c>)
    where
        't: 'c,
    {
        let noun = record.noun;
        let statement = RecordStatement {
            sql: &statements(noun).insert,
            params: &record.values[1..noun.fields.len()],
            inserts: true,
            raises: newest::raise(record),
        };
        let change = Change {
            at,
            author: self.author,
            group: self.group,
            undoes: self.undoes,
            kind: &statements(noun).created,
            id: None,
            version: record.version(),
            rest,
            previous: None,
        };
        (statement, change)
    }

    /// Inserts a record and sets its id.
    pub async fn insert(&mut self, draft: &Draft, record: &mut Record) -> Result<()> {
        self.join().await?;
        let rest = rest(record);
        let at = time::now();
        let (statement, change) = self.creation(record, &rest, &at);
        match self.tx.record(statement, &change).await {
            Ok(Some(done)) => {
                self.group = self.group.or(Some(done.seq));
                record.values[0] = Value::Int(done.id);
                Ok(())
            }
            Ok(None) => Err(Error::internal("the database returned no id")),
            Err(Fault::Reference) => Err(self.refused(draft, Problems::default()).await?),
            Err(Fault::Error(error)) => Err(error),
        }
    }

    /// Inserts records and sets their ids. The records that they refer to exist, and cannot be deleted meanwhile.
    pub async fn insert_all(&mut self, records: &mut [Record]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        self.join().await?;
        let at = time::now();
        let rests: Vec<String> = records.iter().map(rest).collect();
        let written = records.iter().zip(&rests);
        let written = written.map(|(record, rest)| self.creation(record, rest, &at));
        let written: Vec<_> = written.collect();
        let done = match self.tx.record_all(&written).await {
            Ok(done) => done,
            Err(Fault::Error(error)) => return Err(error),
            Err(Fault::Reference) => {
                return Err(Error::new(
                    Code::Unavailable,
                    "others are deleting what the records refer to; nothing was saved, try again",
                ));
            }
        };
        drop(written);
        for (record, done) in records.iter_mut().zip(done) {
            let done = done.ok_or_else(|| Error::internal("the database returned no id"))?;
            self.group = self.group.or(Some(done.seq));
            record.values[0] = Value::Int(done.id);
        }
        Ok(())
    }
}
