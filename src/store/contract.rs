//! Where records are kept: the laws, and the stores that keep them.
//!
//! Every store does the same for the same call, down to the words of a refusal; one suite of tests holds all of them to
//! it. The laws:
//!
//! - What a call answers `Ok` has been committed and synced. What it answers `Err` has changed nothing (but for a lost
//!   connection, which says that it does not know).
//! - A write is whole: a lead goes with all of its actions and processes, or not at all.
//! - An id is never given twice, not even after a delete.
//! - Ids are in the order of creation. A list is in its order, ties by id, null before everything.
//! - A record that does not change while a list is read comes in it exactly once.
//! - A write with a key that was used within a day for the same request is not done again, and answers what it did then.
//! - A record's version goes up by one with each change, by whatever rule; a write under a version that the record no longer
//!   has changes nothing.
//! - Creating an action changes no process. Deleting an action that a process names as its last sets that to null.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};

use super::transaction::Transaction;
use crate::base::error::Result;
use crate::model::query::Query;
use crate::model::record::{Noun, Record, Rows, Snapshot};
use crate::model::terms::Terms;
use crate::model::token::{Keyring, Token};

/// A record that was created or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The whole record as it is stored now.
    pub record: Record,
    /// False if an existing record was changed.
    pub created: bool,
}

/// A write: what was asked for, and the rule that does it. Each is an operation with a file of its own.
///
/// A store runs the rule in a transaction. Another `crm serve` is sent it as a request. What the rule did is kept under
/// the idempotency key, so that a repeated request is answered without doing it again.
pub trait Write: Send + Sync + 'static {
    /// What the rule did.
    type Done: Clone + Send + 'static;

    /// Refuses what no look into the database can change, before a transaction is begun.
    fn check(&mut self) -> Result<()> {
        Ok(())
    }

    /// Roughly the bytes that it holds until it is done.
    fn size(&self) -> usize {
        0
    }

    /// How many of its statements write.
    fn extent(&self) -> Extent {
        Extent::Several
    }

    /// Whether it changes tokens, so that kept copies of them must be read again.
    const CHANGES_TOKENS: bool = false;

    /// The rule. It either does everything or fails; then the transaction is rolled back.
    fn run<T: Transaction>(
        &mut self,
        tx: &mut T,
        terms: &Terms,
    ) -> impl Future<Output = Result<Self::Done>> + Send;

    /// What is kept of its result under an idempotency key.
    fn keep(&self, done: &Self::Done) -> Kept;

    /// Reads what [`Write::keep`] kept, or another server's answer. `None` if it is neither.
    fn kept(&self, kept: &Kept) -> Result<Option<Self::Done>>;

    /// The request that asks another server for it.
    fn request(&self) -> Request;

    /// The word of [`Kept`] for a server's answer with this status.
    fn word(status: u16) -> &'static str;
}

/// How many statements of a write change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
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
    /// What has no more to tell than that it was done.
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
pub struct Request {
    /// `POST`
    pub method: &'static str,
    /// The path with its parameters.
    pub path: String,
    /// The body, JSON.
    pub body: Option<String>,
}

impl Request {
    /// A request without a body.
    pub fn of(method: &'static str, path: String) -> Request {
        Request {
            method,
            path,
            body: None,
        }
    }

    /// With this body.
    pub fn with(self, body: String) -> Request {
        Request {
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
    /// Whether an earlier request with the same idempotency key did it, and this one changed nothing.
    pub replayed: bool,
}

impl Saved {
    /// What is kept of it under an idempotency key.
    pub fn keep(&self) -> Kept {
        let word = if self.created { "created" } else { "updated" };
        Kept {
            word: word.into(),
            version: self.record.version(),
            text: self.record.to_json(),
        }
    }

    /// Reads what was kept.
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
    /// How many records there were when the list began, if asked for. Counts all pages.
    pub total: Option<u64>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
    /// The first records.
    pub first: R,
    /// The records after them, `None` where the first are all.
    pub rest: Option<Chunks<R>>,
}

/// The records of a list, in chunks that are bounded in bytes. After an error there is no further chunk.
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

/// That a store takes writes, and how it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The time of a real commit, as times are stored; no older than 5 s.
    pub last_commit: String,
    /// How the backups go, `None` where the store makes none by itself.
    pub backups: Option<Report>,
}

/// How the backups go that a server makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// When the newest whole one was made, as times are stored; `None` before the first.
    pub last: Option<String>,
    /// When the first one failed after it, `None` while none has.
    pub failing_since: Option<String>,
}

impl Report {
    /// Adds itself to a JSON object, as `/ready` and `crm health` write it.
    pub fn beside(&self, json: &str) -> String {
        let mut json: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        json["last_backup"] = self.last.clone().into();
        json["backups_failing_since"] = self.failing_since.clone().into();
        json.to_string()
    }

    /// Reads what [`Report::beside`] added, `None` where there is nothing of it.
    pub fn from_json(json: &[u8]) -> Option<Report> {
        let json: serde_json::Value = serde_json::from_slice(json).ok()?;
        let text = |name: &str| Some(json.get(name)?.as_str().map(str::to_string));
        Some(Report {
            last: text("last_backup")?,
            failing_since: text("backups_failing_since")?,
        })
    }

    /// What is to be told of backups that fail: one line.
    pub fn warning(&self) -> Option<String> {
        let since = self.failing_since.as_ref()?;
        let last = self.last.as_deref().unwrap_or("none so far");
        Some(format!(
            "the service's backups fail since {since} (UTC), the last whole one: {last}; its log says why"
        ))
    }
}

impl Ready {
    /// As `/ready` and `crm health` write it.
    pub fn to_json(&self) -> String {
        let json = serde_json::json!({ "status": "ready", "last_commit": self.last_commit });
        let json = json.to_string();
        match &self.backups {
            Some(report) => report.beside(&json),
            None => json,
        }
    }

    /// Reads what [`Ready::to_json`] wrote, `None` where it is nothing of the kind.
    pub fn from_json(json: &[u8]) -> Option<Ready> {
        let parsed: serde_json::Value = serde_json::from_slice(json).ok()?;
        Some(Ready {
            last_commit: parsed.get("last_commit")?.as_str()?.to_string(),
            backups: Report::from_json(json),
        })
    }
}

/// What every store does. See the module for its laws.
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

    /// The tokens, by their names.
    fn tokens(&self) -> impl Future<Output = Result<Vec<Token>>> + Send;

    /// The tokens, to look up who asks: as they are now, or were within the last [`STALE`] where another process writes.
    fn keyring(&self) -> impl Future<Output = Result<Arc<Keyring>>> + Send;

    /// The tokens as they are now, for who brings one that [`Store::keyring`] does not have: another process may have made
    /// it just now. So many who ask at once, and so often, are answered from one look that began after they had asked, and
    /// may have to wait for its turn.
    fn keyring_anew(&self) -> impl Future<Output = Result<Arc<Keyring>>> + Send;

    /// Lists records into what `rows` is an empty one of. Its first records have been read when this answers, so that what fails at once fails here.
    fn list_into<R: Rows>(
        &self,
        query: Query,
        rows: R,
    ) -> impl Future<Output = Result<Listing<R>>> + Send;

    /// Lists records as such.
    fn list(&self, query: Query) -> impl Future<Output = Result<Listing<Vec<Record>>>> + Send {
        self.list_into(query, Vec::new())
    }

    /// Whether writes are taken.
    fn ready(&self) -> impl Future<Output = Result<Ready>> + Send;

    /// How the backups go that the store makes by itself, also where it takes no writes; `None` where it makes none. That
    /// of a server as it answered last.
    fn backups(&self) -> Option<Report> {
        None
    }

    /// Finishes what was accepted and leaves the database tidy. Later writes are refused.
    fn close(&self) -> impl Future<Output = Result<()>> + Send;
}

/// For how long a token may still be let in that another process has revoked.
pub const STALE: Duration = Duration::from_secs(4);
