//! What a rule runs over: a transaction of a database, whichever database it is.

use crate::base::error::{Error, Result};
use crate::model::record::Value;

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A foreign key did not hold. The statement has changed nothing and the transaction goes on.
    Reference,
    /// Anything else; the transaction is over.
    Error(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Error(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        match fault {
            Fault::Reference => {
                Error::internal("a foreign key did not hold where none was expected to fail")
            }
            Fault::Error(error) => error,
        }
    }
}

/// A transaction of a database. It and its futures are [`Send`], so that a rule over one can be boxed as a `Send` future.
pub(crate) trait Transaction: Send {
    /// What makes a select keep its rows from being changed by others until the end of the transaction, where others
    /// write at the same time.
    const LOCKING: &'static str;

    /// What makes a select pass over rows that others keep, where others write at the same time.
    const SKIPPING: &'static str;

    /// Runs a statement and answers its rows.
    fn query(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<Vec<Vec<Value>>, Fault>> + Send;

    /// Runs an insert of one row and answers its id. The text has no `RETURNING`: SQLite would build a table for what is
    /// returned, at a third of what the insert costs.
    fn insert(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<i64, Fault>> + Send;

    /// Runs a statement and answers how many rows it touched.
    fn execute(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// Waits until no other transaction is at work on what `key` names, and keeps others from it until the end.
    fn alone_with(&mut self, key: &str) -> impl Future<Output = Result<()>> + Send;
}
