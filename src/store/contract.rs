//! The contract of a store: its laws, and the trait [`Store`].
//!
//! The same call has the same result on every store, down to the words of a refusal. One suite of tests checks all stores.
//! The laws:
//!
//! - A write that answers `Ok` has been committed and synced. A write that answers `Err` has changed nothing, except after a
//!   lost connection, where the error says that the result is unknown.
//! - A write is atomic: a lead is deleted with all of its actions and processes, or not at all.
//! - An id is never reused, not even after a delete.
//! - Ids are in the order of creation. A list is in the requested order; ties are in the order of ids, and null comes
//!   before everything.
//! - A record that does not change while a list is read appears in the list exactly once.
//! - A write with an idempotency key that was used for the same request within a day is not done again. Its answer is the
//!   earlier result.
//! - The newest time of a lead's actions is that of its actions at every moment. It is no change of the lead.
//! - A record's version goes up by one with each change, whichever rule makes it. A write that names an outdated version
//!   changes nothing.
//! - A group of changes is taken back as a whole or not at all. Then its records are as they were before it, apart from
//!   versions and `updated_at`. A restored record has its id, and a version that it never had.
//! - A lead that was merged into another one is missing, and the error says into which.
//! - Creating an action changes no process, unless the [rules](crate::model::rules) say so. Deleting an action sets the references to it to null.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};

use super::inquiry::Inquiry;
use super::search::state::IndexGap;
use super::sql::ledger::Ledger;
use super::transaction::Transaction;
use crate::base::error::Result;
use crate::model::find::Find;
use crate::model::noun::Noun;
use crate::model::query::Query;
use crate::model::record::{Record, Snapshot};
use crate::model::rows::Rows;
use crate::model::terms::Terms;
use crate::model::token::{Keyring, Token};
use crate::model::value::Value;

/// A created or changed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The whole record as it is now stored.
    pub record: Record,
    /// False if an existing record was changed.
    pub created: bool,
}

/// A write: its parameters, and the rule that does it. Each write is an operation with its own file.
///
/// A database runs the rule in a transaction. To another `crm serve` it is sent as a request. The result of the rule is
/// kept under the idempotency key, so that a repeated request is answered without doing it again.
pub trait Write: Send + Sync + 'static {
    /// The result of the rule.
    type Done: Clone + Send + 'static;

    /// Refuses a write whose fault shows without reading the database. Called before a transaction begins.
    fn check(&mut self) -> Result<()> {
        Ok(())
    }

    /// The record that it is about, if it is about one that has to be there. An error says what became of it.
    fn of(&self) -> Option<(&'static Noun, i64)> {
        None
    }

    /// The approximate memory that it holds until it is done, in bytes.
    fn size(&self) -> usize {
        0
    }

    /// How many of its statements write.
    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    /// Whether it writes thousands of records, and may take longer than others.
    fn is_long(&self) -> bool {
        false
    }

    /// Whether it erases records, so that the store removes what is left of them in its files.
    fn erases(&self) -> bool {
        false
    }

    /// Adds to the result what the store has done about its files.
    fn cleaned(_done: &mut Self::Done, _traces: Traces) {}

    /// Whether it changes tokens, so that kept copies of them must be read again.
    const CHANGES_TOKENS: bool = false;

    /// The rule. It either does everything or fails; then the transaction is rolled back.
    fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        terms: &Terms,
    ) -> impl Future<Output = Result<Self::Done>> + Send;

    /// The part of its result that is kept under an idempotency key.
    fn keep(&self, done: &Self::Done) -> Kept;

    /// Reads the result that [`Write::keep`] kept, or another server's answer. `None` if it is neither.
    fn kept(&self, kept: &Kept) -> Result<Option<Self::Done>>;

    /// The request that makes another server do this write.
    fn request(&self) -> HttpRequest;

    /// The word in [`Kept`] for a server's answer with this status.
    fn word(status: u16) -> &'static str;
}

/// What is left of erased records outside of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traces {
    /// Nothing in the files of the database. The text names the files that may have them and that were not changed, if any.
    Gone(String),
    /// The files still have some, for this reason.
    Left(String),
    /// The files are those of PostgreSQL, which was told to remove them. The text says how that ended.
    Vacuumed(String),
}

/// How many statements of a write change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteExtent {
    /// The write is one statement. It needs no transaction.
    Statement,
    /// At most one statement writes, others read. A failed statement has changed nothing, so no savepoint is needed.
    One,
    /// Several statements write.
    Several,
}

/// The result of a write as it is kept under an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What was done: `created`, `updated`, `deleted`, `token`, `revoked`.
    pub word: Cow<'static, str>,
    /// The version of the record, 0 if there is none.
    pub version: i64,
    /// The result as JSON, empty if there is none.
    pub text: String,
}

impl Kept {
    /// A result that consists of its word only.
    pub fn word(word: &'static str) -> Kept {
        Kept {
            word: word.into(),
            version: 0,
            text: String::new(),
        }
    }
}

/// A request to another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// `POST`
    pub method: &'static str,
    /// The path with its parameters.
    pub path: String,
    /// The body, JSON.
    pub body: Option<String>,
}

impl HttpRequest {
    /// A request without a body.
    pub fn of(method: &'static str, path: String) -> HttpRequest {
        HttpRequest {
            method,
            path,
            body: None,
        }
    }

    /// The same request with this body.
    pub fn with(self, body: String) -> HttpRequest {
        HttpRequest {
            body: Some(body),
            ..self
        }
    }
}

/// The outcome of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<D> {
    /// What was done.
    pub done: D,
    /// Whether an earlier request with the same idempotency key did this, and the present one changed nothing.
    pub replayed: bool,
    /// The group of its changes, named by its first change. `None` if nothing was changed.
    pub group: Option<i64>,
}

impl Saved {
    /// The result to keep under an idempotency key.
    pub fn keep(&self) -> Kept {
        let word = if self.created { "created" } else { "updated" };
        Kept {
            word: word.into(),
            version: self.record.version(),
            text: self.record.to_json(),
        }
    }

    /// Reads the result that [`Saved::keep`] kept.
    pub fn kept(noun: &'static Noun, kept: &Kept) -> Option<Saved> {
        let created = match &*kept.word {
            "created" => true,
            "updated" => false,
            _ => return None,
        };
        let record = Record::from_json(noun, kept.text.as_bytes());
        let record = record.filter(|record| record.id() >= 1)?;
        Some(Saved {
            record: record.with_version(kept.version),
            created,
        })
    }
}

/// A list that is being read.
pub struct Listing<R> {
    /// The number of records on all pages when the list began. `None` if it was not requested.
    pub total: Option<u64>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
    /// Of a feed: whether changes may follow `next` as soon as a write ends that goes on.
    pub is_behind: bool,
    /// The first records.
    pub first: R,
    /// The records after them, `None` if there are no more.
    pub rest: Option<Chunks<R>>,
}

/// The records of a list in chunks of bounded size. No chunk follows an error.
pub type Chunks<R> = Pin<Box<dyn Stream<Item = Result<R>> + Send>>;

impl Listing<Vec<Record>> {
    /// The next records, `None` at the end.
    pub async fn next_chunk(&mut self) -> Result<Option<Vec<Record>>> {
        if !self.first.is_empty() {
            return Ok(Some(std::mem::take(&mut self.first)));
        }
        match &mut self.rest {
            Some(rest) => rest.next().await.transpose(),
            None => Ok(None),
        }
    }
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The records as they are found, the best first. Their noun is [`FOUND`](crate::model::found::FOUND).
    pub records: Vec<Record>,
    /// What could not be searched.
    pub gap: IndexGap,
}

/// The header of an answer to a search that says at most how many records could not be searched yet.
pub const UNINDEXED: &str = "x-unindexed-count";

/// The state of a store that accepts writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The time of a real commit, in the stored form. It is at most 5 s old.
    pub last_commit: String,
    /// The state of the backups, `None` if the store makes no backups itself.
    pub backups: Option<Report>,
    /// At most how many records a search does not find yet.
    pub unindexed: u64,
}

/// The state of the backups that a server makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// When the newest complete backup was made, in the stored form. `None` before the first.
    pub last: Option<String>,
    /// When the first backup after it failed. `None` if none has failed since.
    pub failing_since: Option<String>,
}

impl Report {
    /// Adds itself to the JSON object that `/ready` and `crm health` write.
    pub fn beside(&self, json: &str) -> String {
        let mut json: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        json["last_backup"] = self.last.clone().into();
        json["backups_failing_since"] = self.failing_since.clone().into();
        json.to_string()
    }

    /// Reads what [`Report::beside`] added, `None` if it is missing.
    pub fn from_json(json: &[u8]) -> Option<Report> {
        let json: serde_json::Value = serde_json::from_slice(json).ok()?;
        let text = |name: &str| Some(json.get(name)?.as_str().map(str::to_string));
        Some(Report {
            last: text("last_backup")?,
            failing_since: text("backups_failing_since")?,
        })
    }

    /// The warning about failing backups: one line.
    pub fn warning(&self) -> Option<String> {
        let since = self.failing_since.as_ref()?;
        let last = self.last.as_deref().unwrap_or("none so far");
        Some(format!(
            "the service's backups have failed since {since} (UTC); last complete backup: {last}; the service's log says why"
        ))
    }
}

impl Ready {
    /// The JSON that `/ready` and `crm health` write.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::json!({ "status": "ready", "last_commit": self.last_commit });
        if self.unindexed > 0 {
            json["search_unindexed"] = self.unindexed.into();
        }
        let json = json.to_string();
        match &self.backups {
            Some(report) => report.beside(&json),
            None => json,
        }
    }

    /// Reads what [`Ready::to_json`] wrote, `None` if the text is something else.
    pub fn from_json(json: &[u8]) -> Option<Ready> {
        let parsed: serde_json::Value = serde_json::from_slice(json).ok()?;
        Some(Ready {
            last_commit: parsed.get("last_commit")?.as_str()?.to_string(),
            backups: Report::from_json(json),
            unindexed: parsed
                .get("search_unindexed")
                .and_then(serde_json::Value::as_u64)
                .unwrap_or_default(),
        })
    }
}

/// Something that is no record, and that is listed as a whole: tokens, webhooks.
pub trait Listed: Sized + Send + 'static {
    /// The path of the list.
    const PATH: &'static str;
    /// What the list holds, in the plural.
    const PLURAL: &'static str;
    /// The columns of the list as a table and in CSV; the first is the name. They are members of [`Listed::to_json`].
    const COLUMNS: &'static [&'static str];
    /// What is said instead of an empty table.
    const NONE: &'static str;
    /// The statement that selects all.
    const SELECT: &'static str;

    /// Reads a row of [`Listed::SELECT`].
    fn from_row(row: &[Value]) -> Option<Self>;

    /// Reads what [`Listed::to_json`] wrote.
    fn from_json(json: &serde_json::Value) -> Option<Self>;

    /// As the API and `-o json` show it.
    fn to_json(&self) -> serde_json::Value;
}

/// A store. Its laws are at the top of this module.
pub trait Store {
    /// Runs a write under these conditions.
    fn write<W: Write>(
        &self,
        write: W,
        terms: Terms,
    ) -> impl Future<Output = Result<Outcome<W::Done>>> + Send;

    /// Reads a record.
    fn get(&self, noun: &'static Noun, id: i64) -> impl Future<Output = Result<Record>> + Send;

    /// Reads a record as JSON with all of its fields.
    fn get_json(
        &self,
        noun: &'static Noun,
        id: i64,
    ) -> impl Future<Output = Result<Snapshot>> + Send
    where
        Self: Sync,
    {
        async move { Ok(Snapshot::from(&self.get(noun, id).await?)) }
    }

    /// Runs a read of several things at one moment.
    fn inquire<I: Inquiry>(&self, inquiry: I) -> impl Future<Output = Result<I::Found>> + Send;

    /// All tokens or all webhooks, in the order of their names.
    fn all<L: Listed>(&self) -> impl Future<Output = Result<Vec<L>>> + Send;

    /// The tokens, in the order of their names.
    fn tokens(&self) -> impl Future<Output = Result<Vec<Token>>> + Send {
        self.all()
    }

    /// The tokens, to look up a caller. If another process changes tokens, they may be as old as [`STALE`].
    fn keyring(&self) -> impl Future<Output = Result<Arc<Keyring>>> + Send;

    /// The tokens as they are now, for a caller whose token is not in [`Store::keyring`]: another process may have just
    /// made it. Concurrent calls share one read that began after all of them, and may have to wait for it.
    fn keyring_anew(&self) -> impl Future<Output = Result<Arc<Keyring>>> + Send;

    /// Collects records into fresh values of `rows`' type. The first records have been read when this returns, so a query
    /// that fails at once fails here.
    fn list_into<R: Rows>(
        &self,
        query: Query,
        rows: R,
    ) -> impl Future<Output = Result<Listing<R>>> + Send;

    /// Lists records as [`Record`]s.
    fn list(&self, query: Query) -> impl Future<Output = Result<Listing<Vec<Record>>>> + Send {
        self.list_into(query, Vec::new())
    }

    /// Finds the records with these words, also in what was written just now.
    fn find(&self, find: Find) -> impl Future<Output = Result<Found>> + Send;

    /// Returns `Ok` if the store accepts writes.
    fn ready(&self) -> impl Future<Output = Result<Ready>> + Send;

    /// The state of the backups, even while the store accepts no writes. `None` if the store makes no backups itself. For a
    /// server, it is the state in its last answer.
    fn backups(&self) -> Option<Report> {
        None
    }

    /// Finishes the accepted writes and closes the database. Later writes are refused.
    fn close(&self) -> impl Future<Output = Result<()>> + Send;
}

/// How long a token that another process has revoked may still be accepted.
pub const STALE: Duration = Duration::from_secs(4);
