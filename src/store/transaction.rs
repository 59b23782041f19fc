//! The transaction that a rule runs over, whichever database it is.
//!
//! A rule that touches several rows is written once, as an async function over a [`Transaction`]. Either everything is
//! committed, or nothing.

use crate::base::error::{Error, Result};
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::value::Value;
use crate::store::change::Change;

/// Why a statement failed.
#[derive(Debug)]
pub enum Fault {
    /// A foreign key constraint failed. The statement changed nothing, and the transaction continues.
    Reference,
    /// Anything else. The transaction is over.
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
            Fault::Reference => Error::internal("a foreign key constraint failed unexpectedly"),
            Fault::Error(error) => error,
        }
    }
}

/// The beginning of a condition that selects the changes of records. A comparison of the record's id and `)` follow.
pub(crate) const CHANGES_OF: &str = "seq IN (SELECT seq FROM crm_changes_of WHERE record_id";

/// A statement that writes one record.
#[derive(Clone, Copy, Debug)]
pub struct RecordStatement<'a> {
    /// Its text.
    pub sql: &'a str,
    /// Its parameters.
    pub params: &'a [Value],
    /// Whether it inserts the record. If the change has the record's id, the statement inserts it with that id.
    pub inserts: bool,
    /// What is written to another record with it.
    pub raises: Option<Raise<'a>>,
}

/// Raises the [newest time](crate::model::kind::Newest) of the record that a new one refers to. It is part of the statement
/// that inserts, so that one statement stays enough for a create.
#[derive(Clone, Copy, Debug)]
pub struct Raise<'a> {
    /// The text of the update. `$1` is the time and `$2` the id.
    pub sql: &'a str,
    /// The time of the new record.
    pub time: &'a Value,
    /// The id of the record that it refers to.
    pub id: &'a Value,
}

/// What a statement has written.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    /// The record's id.
    pub id: i64,
    /// The number of the change.
    pub seq: i64,
}

/// A transaction of a database. It and its futures are [`Send`], so that a rule over one can be boxed as a `Send` future.
pub trait Transaction: Send {
    /// The end of a select that locks its rows until the end of the transaction. Empty where nobody else can write.
    const LOCKING: &'static str;

    /// The end of a select that keeps its rows from being deleted until the end of the transaction, as a reference does. Empty
    /// where nobody else can write.
    const REFERRING: &'static str;

    /// The end of a select that locks its rows and skips those that are locked already. Empty where nobody else can write.
    const SKIPPING: &'static str;

    /// Every noun of the database, in the order in which they refer to one another.
    fn nouns(&self) -> &'static [&'static Noun] {
        &NOUNS
    }

    /// Runs a statement and returns its rows.
    fn query(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<Vec<Vec<Value>>, Fault>> + Send;

    /// Runs a statement that writes one record, and appends its change. Returns the record's id and the number of the
    /// change, `None` if the statement found no record. An inserting statement has no `RETURNING`: SQLite would build a
    /// table for the result, which costs a third of the insert.
    fn record(
        &mut self,
        statement: RecordStatement<'_>,
        change: &Change<'_>,
    ) -> impl Future<Output = Result<Option<Recorded>, Fault>> + Send;

    /// Does the same with several statements, in their order. All changes join the group of the first, and no two
    /// statements write the same record. Without waiting for each answer, where the database is far away.
    fn record_all(
        &mut self,
        written: &[(RecordStatement<'_>, Change<'_>)],
    ) -> impl Future<Output = Result<Vec<Option<Recorded>>, Fault>> + Send {
        async move { one_by_one(self, written).await }
    }

    /// Appends changes of records. They have their ids.
    fn append(
        &mut self,
        changes: &[Change<'_>],
    ) -> impl Future<Output = Result<Option<i64>, Fault>> + Send;

    /// Inserts one row and returns its id. The text has no `RETURNING`: SQLite would build a table for the result, which
    /// costs a third of the insert.
    fn insert(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<i64, Fault>> + Send;

    /// Runs a statement and returns the number of rows it changed.
    fn execute(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// Brings what finds the [changes of a record](CHANGES_OF) up to date, where it follows behind the writes. Without this
    /// they are found as well, but each search goes through the newest changes of all records.
    fn index_changes(&mut self) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Does the opposite for changes that are removed: the id of the record, and the number of the change.
    fn unindex_changes(
        &mut self,
        _changes: &[(i64, i64)],
    ) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// The write has turned out to change many records, so it may take longer than others.
    fn takes_longer(&mut self) {}

    /// The number of a change before all changes that still appear.
    fn horizon(&mut self) -> impl Future<Output = Result<i64>> + Send;

    /// Takes a lock on `key` until the end of the transaction, and waits while another transaction has it.
    fn alone_with(&mut self, key: &str) -> impl Future<Output = Result<()>> + Send;

    /// Takes the locks of several keys. They are about records of this noun.
    fn alone_with_all(
        &mut self,
        noun: &'static Noun,
        keys: Vec<String>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Begins a part of the transaction that can be undone alone. Parts are not nested.
    fn begin_part(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Ends the part. Unless it is kept, what it has written is undone.
    fn end_part(&mut self, is_kept: bool) -> impl Future<Output = Result<()>> + Send;
}

/// Runs statements that each write one record, one after the other.
pub(crate) async fn one_by_one<T: Transaction + ?Sized>(
    tx: &mut T,
    written: &[(RecordStatement<'_>, Change<'_>)],
) -> Result<Vec<Option<Recorded>>, Fault> {
    let mut group = None;
    let mut all = Vec::with_capacity(written.len());
    for (statement, change) in written {
        let change = Change {
            group: change.group.or(group),
            ..*change
        };
        let recorded = tx.record(*statement, &change).await?;
        group = group.or(recorded.map(|recorded| recorded.seq));
        all.push(recorded);
    }
    Ok(all)
}
