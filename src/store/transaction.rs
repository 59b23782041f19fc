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

/// A transaction of a database.
pub(crate) trait Transaction {
    /// What makes a select keep its rows from being changed by others until the end of the transaction, where others
    /// write at the same time.
    const LOCKING: &'static str;

    /// What makes a select pass over rows that others keep, where others write at the same time.
    const SKIPPING: &'static str;

    /// Runs a statement and answers its rows.
    async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>, Fault>;

    /// Runs an insert of one row and answers its id. The text has no `RETURNING`: SQLite would build a table for what is
    /// returned, at a third of what the insert costs.
    async fn insert(&mut self, sql: &str, params: &[Value]) -> Result<i64, Fault>;

    /// Runs a statement and answers how many rows it touched.
    async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Fault>;

    /// Waits until no other transaction is at work on what `key` names, and keeps others from it until the end.
    async fn alone_with(&mut self, key: &str) -> Result<()>;
}
