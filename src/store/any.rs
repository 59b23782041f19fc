//! One type for all stores, so that callers need not know which one they use.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::chore::{Chore, not_here};
use super::contract::{Found, Listed, Listing, Outcome, Ready, Report, Store, Write};
use super::inquiry::Inquiry;
use super::postgres::Postgres;
use super::remote::Remote;
use super::retention::Keep;
use super::search::follow;
use super::search::state::IndexGap;
use super::sql::due::NEXT;
use super::sql::merged::{Merges, is_missing};
use super::sqlite::{Sqlite, Work};
use crate::base::error::{Error, Result};
use crate::model::find::Find;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::query::Query;
use crate::model::record::{Record, Snapshot};
use crate::model::rows::Rows;
use crate::model::terms::Terms;
use crate::model::token::{Keyring, Secret};
use crate::model::value::Value;

/// One of the stores. It is an enum and not a `dyn` so that its calls can be native async functions.
#[derive(Clone)]
pub enum AnyStore {
    /// A local SQLite file.
    Sqlite(Sqlite),
    /// A PostgreSQL database.
    Postgres(Postgres),
    /// Another `crm serve`.
    Remote(Remote),
}

// The futures of the stores that wait for a server are large, and every caller would carry that size, even over a file.
// Next to a trip to a server, a box costs nothing.
macro_rules! each {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            AnyStore::Sqlite($store) => $call,
            AnyStore::Postgres($store) => Box::pin(async move { $call }).await,
            AnyStore::Remote($store) => Box::pin(async move { $call }).await,
        }
    };
}

impl AnyStore {
    /// Opens the file at `path`, makes it if it does not exist, and brings it up to date. If an old database was changed,
    /// the second result is a line that describes the change.
    pub fn open(path: &Path, work: Work) -> Result<(AnyStore, Option<String>)> {
        let (store, notice) = Sqlite::open(path, work)?;
        Ok((AnyStore::Sqlite(store), notice))
    }

    /// The store behind the server at `url`, to which this token is sent.
    pub fn connect(url: &str, token: Option<&Secret>) -> Result<AnyStore> {
        Remote::new(url, token).map(AnyStore::Remote)
    }

    /// Registers the metrics of the store.
    pub fn register(&self, registry: &mut Registry) {
        match self {
            AnyStore::Sqlite(store) => store.register(registry),
            AnyStore::Postgres(store) => store.register(registry),
            // The server measures itself.
            AnyStore::Remote(_) => {}
        }
    }

    /// The address of the server. `None` for a database.
    pub fn address(&self) -> Option<&str> {
        match self {
            AnyStore::Sqlite(_) | AnyStore::Postgres(_) => None,
            AnyStore::Remote(store) => Some(store.address()),
        }
    }

    /// A receiver that is woken by each commit of this process, `None` for the store of another process.
    pub fn commits(&self) -> Option<watch::Receiver<u64>> {
        match self {
            AnyStore::Sqlite(store) => Some(store.commits()),
            AnyStore::Postgres(store) => Some(store.commits()),
            AnyStore::Remote(_) => None,
        }
    }

    /// Measures what has to be asked of the database. Called before the metrics are read.
    pub async fn measure(&self) {
        if let AnyStore::Postgres(store) = self {
            Box::pin(store.measure()).await;
        }
    }

    /// Runs a chore.
    pub(crate) async fn chore<C: Chore>(&self, chore: C) -> Result<C::Done> {
        match self {
            AnyStore::Sqlite(store) => store.chore(chore).await,
            AnyStore::Postgres(store) => Box::pin(store.chore(chore)).await,
            AnyStore::Remote(_) => Err(not_here()),
        }
    }

    /// The rows of a short select.
    pub(crate) async fn rows(&self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        match self {
            AnyStore::Sqlite(store) => store.rows(sql, params),
            AnyStore::Postgres(store) => Box::pin(store.rows(sql, params)).await,
            AnyStore::Remote(_) => Err(not_here()),
        }
    }

    /// The time of the database's clock, with milliseconds, and that of the next follow-up that nobody has looked at.
    pub(crate) async fn next_followup(&self) -> Result<(String, Option<String>)> {
        let now = match self {
            AnyStore::Sqlite(_) => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
            AnyStore::Postgres(_) => {
                "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')"
            }
            AnyStore::Remote(_) => return Err(not_here()),
        };
        let rows = self.rows(&format!("SELECT {now}, ({NEXT})"), &[]).await?;
        let text = |at: usize| Some(rows.first()?.get(at)?.text()?.to_string());
        Ok((text(0).unwrap_or_default(), text(1)))
    }

    /// The error about a record, with what it was merged into if that is why it is missing. A server has said it already.
    async fn explained(&self, of: Option<(&'static Noun, i64)>, error: Error) -> Error {
        let Some(id) = is_missing(of, &error).filter(|_| self.address().is_none()) else {
            return error;
        };
        let mut merges = Merges::of(id);
        while let Some((sql, params)) = merges.next() {
            match self.rows(&sql, &params).await {
                Ok(rows) => merges.found(&rows),
                // That it is missing is still true.
                Err(_) => return error,
            }
        }
        match merges.into() {
            Some(into) => error.merged(LEAD.name, into),
            None => error,
        }
    }

    /// The number of a change up to which all changes can be read. What a later read finds up to it is complete.
    pub(crate) async fn horizon(&self) -> Result<i64> {
        match self {
            AnyStore::Sqlite(store) => store.horizon(),
            AnyStore::Postgres(store) => Box::pin(store.horizon()).await,
            AnyStore::Remote(_) => Err(not_here()),
        }
    }

    /// Sets how many writes may wait at a time. Further writes are answered [`Unavailable`](crate::base::error::Code::Unavailable).
    pub fn limit_waiting_writes(&self, most: usize) {
        match self {
            AnyStore::Sqlite(store) => store.limit_waiting_writes(most),
            AnyStore::Postgres(store) => store.limit_waiting_writes(most),
            // The server has its own limit.
            AnyStore::Remote(_) => {}
        }
    }

    /// Sets how long a server's database may search for the next part of a list. A query that takes longer is answered
    /// [`Unavailable`](crate::base::error::Code::Unavailable).
    pub fn limit_queries(&self, longest: Duration) {
        match self {
            AnyStore::Sqlite(store) => store.limit_queries(longest),
            AnyStore::Postgres(store) => store.limit_queries(longest),
            // The server has its own limit.
            AnyStore::Remote(_) => {}
        }
    }

    /// Sets how long a server's database keeps changes.
    pub fn keep_changes(&self, keep: Keep) {
        match self {
            AnyStore::Sqlite(store) => store.keep_changes(keep),
            AnyStore::Postgres(store) => store.keep_changes(keep),
            // The server removes its own.
            AnyStore::Remote(_) => {}
        }
    }

    /// Keeps the index of the search of a server, until the task is ended.
    pub(crate) async fn keep_index(&self) -> Infallible {
        match self {
            AnyStore::Sqlite(store) => follow::keep(store, store.commits()).await,
            AnyStore::Postgres(store) => follow::keep(store, store.commits()).await,
            // The server keeps its own.
            AnyStore::Remote(_) => std::future::pending().await,
        }
    }

    /// How much of the index of the search is missing. A server looks after its own.
    pub async fn index_gap(&self) -> Result<IndexGap> {
        match self {
            AnyStore::Sqlite(store) => follow::missing(store).await,
            AnyStore::Postgres(store) => Box::pin(follow::missing(store)).await,
            AnyStore::Remote(_) => Ok(IndexGap::default()),
        }
    }

    /// Completes the index of the search. `watch` is told how many records are done, and of how many.
    pub async fn fill_index(&self, watch: &mut dyn FnMut(u64, u64)) -> Result<()> {
        match self {
            AnyStore::Sqlite(store) => follow::fill(store, watch).await,
            AnyStore::Postgres(store) => Box::pin(follow::fill(store, watch)).await,
            AnyStore::Remote(_) => Ok(()),
        }
    }

    /// Throws the index of the search away. It is filled again by [`AnyStore::fill_index`], or by a server.
    pub async fn empty_index(&self) -> Result<()> {
        match self {
            AnyStore::Sqlite(store) => follow::begin_anew(store).await,
            AnyStore::Postgres(store) => Box::pin(follow::begin_anew(store)).await,
            AnyStore::Remote(_) => Err(not_here()),
        }
    }

    /// The nouns of the store, in the order in which they refer to one another.
    pub fn nouns(&self) -> &'static [&'static Noun] {
        match self {
            AnyStore::Postgres(store) => store.nouns(),
            AnyStore::Sqlite(store) => store.nouns(),
            AnyStore::Remote(_) => &NOUNS,
        }
    }

    /// How many writes were refused because too many were waiting.
    pub fn refused_writes(&self) -> u64 {
        match self {
            AnyStore::Sqlite(store) => store.refused_writes(),
            AnyStore::Postgres(store) => store.refused_writes(),
            AnyStore::Remote(_) => 0,
        }
    }
}

impl Store for AnyStore {
    async fn write<W: Write>(&self, write: W, terms: Terms) -> Result<Outcome<W::Done>> {
        let of = write.of();
        let done = each!(self, store => store.write(write, terms).await);
        match done {
            Err(error) => Err(Box::pin(self.explained(of, error)).await),
            done => done,
        }
    }

    async fn get(&self, noun: &'static Noun, id: i64) -> Result<Record> {
        let found = each!(self, store => store.get(noun, id).await);
        match found {
            Err(error) => Err(Box::pin(self.explained(Some((noun, id)), error)).await),
            found => found,
        }
    }

    async fn get_json(&self, noun: &'static Noun, id: i64) -> Result<Snapshot> {
        let found = each!(self, store => store.get_json(noun, id).await);
        match found {
            Err(error) => Err(Box::pin(self.explained(Some((noun, id)), error)).await),
            found => found,
        }
    }

    async fn inquire<I: Inquiry>(&self, inquiry: I) -> Result<I::Found> {
        let of = inquiry.of();
        let found = each!(self, store => store.inquire(inquiry).await);
        match found {
            Err(error) => Err(Box::pin(self.explained(of, error)).await),
            found => found,
        }
    }

    async fn all<L: Listed>(&self) -> Result<Vec<L>> {
        each!(self, store => store.all().await)
    }

    async fn keyring(&self) -> Result<Arc<Keyring>> {
        each!(self, store => store.keyring().await)
    }

    async fn keyring_anew(&self) -> Result<Arc<Keyring>> {
        each!(self, store => store.keyring_anew().await)
    }

    async fn list_into<R: Rows>(&self, query: Query, rows: R) -> Result<Listing<R>> {
        each!(self, store => store.list_into(query, rows).await)
    }

    async fn find(&self, find: Find) -> Result<Found> {
        each!(self, store => store.find(find).await)
    }

    async fn ready(&self) -> Result<Ready> {
        each!(self, store => store.ready().await)
    }

    fn backups(&self) -> Option<Report> {
        match self {
            AnyStore::Sqlite(store) => store.backups(),
            AnyStore::Postgres(store) => store.backups(),
            AnyStore::Remote(store) => store.backups(),
        }
    }

    async fn close(&self) -> Result<()> {
        each!(self, store => store.close().await)
    }
}
