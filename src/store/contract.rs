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

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};

use crate::base::error::{Error, Result};
use crate::model::draft::Draft;
use crate::model::lead::OnDuplicate;
use crate::model::query::Query;
use crate::model::record::{Noun, Record, Rows, Snapshot};
use crate::model::terms::Terms;
use crate::model::token::{Keyring, NewToken, Secret, Token};

/// A record that was written by a create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// As it is stored now.
    pub record: Record,
    /// False where an existing lead was changed instead, see [`OnDuplicate::Update`].
    pub created: bool,
}

/// What is to be written.
#[derive(Clone, Debug)]
pub enum Write {
    /// A new record, or what `on_duplicate` says of a lead whose address is known.
    Create(Draft, OnDuplicate),
    /// A change of the fields that the draft gives.
    Update(i64, Draft),
    /// The end of a record. A lead with actions or processes is a conflict unless `cascade` takes them with it.
    Delete {
        /// What it is.
        noun: &'static Noun,
        /// Its id.
        id: i64,
        /// With all that refers to it.
        cascade: bool,
    },
    /// A new token. One of the same name is a conflict.
    CreateToken(NewToken),
    /// The end of the token with this name.
    RevokeToken(String),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A new record.
    Created(Record),
    /// The whole record as it is now.
    Updated(Record),
    /// The record is gone.
    Deleted,
    /// The token, and its secret.
    Token(Token, Secret),
    /// The token is gone.
    Revoked,
}

/// The outcome of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was written.
    pub done: Done,
    /// Whether that was by an earlier request with the same key, and this one has changed nothing.
    pub replayed: bool,
}

impl Outcome {
    pub(super) fn new(done: Done) -> Outcome {
        Outcome {
            done,
            replayed: false,
        }
    }

    /// The record that was created or changed.
    pub fn saved(self) -> Result<Saved> {
        match self.done {
            Done::Created(record) => Ok(Saved {
                record,
                created: true,
            }),
            Done::Updated(record) => Ok(Saved {
                record,
                created: false,
            }),
            done => Err(Error::internal(format!("expected a record, got {done:?}"))),
        }
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
    /// Writes something under these terms.
    fn write(&self, write: Write, terms: Terms) -> impl Future<Output = Result<Outcome>> + Send;

    /// Creates a record, or does with a lead whose address is known what `on_duplicate` says.
    fn create(
        &self,
        draft: Draft,
        on_duplicate: OnDuplicate,
    ) -> impl Future<Output = Result<Saved>> + Send
    where
        Self: Sync,
    {
        async move {
            let write = Write::Create(draft, on_duplicate);
            self.write(write, Terms::default()).await?.saved()
        }
    }

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

    /// Changes the fields that the draft gives and answers the whole record.
    fn update(&self, id: i64, draft: Draft) -> impl Future<Output = Result<Record>> + Send
    where
        Self: Sync,
    {
        async move {
            let write = Write::Update(id, draft);
            let saved = self.write(write, Terms::default()).await?.saved()?;
            Ok(saved.record)
        }
    }

    /// Deletes a record. A lead with actions or processes is a conflict unless `cascade` takes them with it.
    fn delete(
        &self,
        noun: &'static Noun,
        id: i64,
        cascade: bool,
    ) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sync,
    {
        async move {
            let write = Write::Delete { noun, id, cascade };
            self.write(write, Terms::default()).await.map(drop)
        }
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
