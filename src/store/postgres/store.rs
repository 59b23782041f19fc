//! The store: opening a database, and the operations of every store.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::cells::{slice, values};
use super::database::{FIRST_TRY, LIST_PATIENCE, LONG_PATIENCE, PATIENCE, PgDatabase};
use super::failure::Failure;
use super::tokens::{self, TokenCache};
use super::url::CONNECTIONS;
use super::writing::Mode;
use super::{inquiry, list, metrics, schema, upkeep};
use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::find::Find;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::model::rows::Rows;
use crate::model::terms::Terms;
use crate::model::token::Keyring;
use crate::model::value::Value;
use crate::store::chore::Chore;
use crate::store::contract::{Found, Listed, Listing, Outcome, Ready, Store, Write, WriteExtent};
use crate::store::inquiry::Inquiry;
use crate::store::retention::Keep;
use crate::store::search::find;
use crate::store::search::state::{Indexed, SearchIndex};
use crate::store::sql::faults::{Faults, Repairs};
use crate::store::sql::row::mend;
use crate::store::sql::{copying, newest, once, statements};
use crate::store::transaction::Transaction;
use crate::store::urgency;

/// The greatest age of a commit that still shows that writes are accepted.
const FRESH: Duration = Duration::from_secs(5);

/// A store in PostgreSQL. Clones share it.
#[derive(Clone)]
pub struct Postgres {
    pub(super) database: Arc<PgDatabase>,
    tokens: Arc<TokenCache>,
}

/// How a database is opened. A number alone is a number of connections.
#[derive(Clone, Copy, Debug)]
pub struct PostgresOptions {
    /// The most connections that are open at a time.
    pub connections: usize,
    /// The nouns of the database, in the order in which they refer to one another.
    pub nouns: &'static [&'static Noun],
}

impl Default for PostgresOptions {
    fn default() -> PostgresOptions {
        PostgresOptions {
            connections: CONNECTIONS,
            nouns: &NOUNS,
        }
    }
}

impl From<usize> for PostgresOptions {
    fn from(connections: usize) -> PostgresOptions {
        PostgresOptions {
            connections,
            ..PostgresOptions::default()
        }
    }
}

impl Postgres {
    /// Connects, and brings the schema up to date, or makes it.
    pub async fn open(url: &str, options: impl Into<PostgresOptions>) -> Result<Postgres> {
        Postgres::connect(url, options.into(), true)
            .await?
            .without_mark()
            .await
    }

    /// Opens a database that must exist already.
    pub async fn open_existing(url: &str, options: impl Into<PostgresOptions>) -> Result<Postgres> {
        Postgres::connect(url, options.into(), false)
            .await?
            .without_mark()
            .await
    }

    /// Opens the target of a copy, which may have begun already.
    pub async fn open_for_copy(url: &str, options: impl Into<PostgresOptions>) -> Result<Postgres> {
        Postgres::connect(url, options.into(), true).await
    }

    /// The nouns of the database, in the order in which they refer to one another.
    pub fn nouns(&self) -> &'static [&'static Noun] {
        self.database.nouns
    }

    /// Sets how many writes may wait for a connection at a time.
    pub fn limit_waiting_writes(&self, most: usize) {
        self.database.waiting.limit(most);
    }

    /// Sets how long a query may search for the next part of a list.
    pub fn limit_queries(&self, longest: Duration) {
        self.database.queries.set(longest);
    }

    /// Sets how long changes are kept, and removes older ones from now on. Called by a server, at most once.
    pub fn keep_changes(&self, keep: Keep) {
        self.database.kept.set(keep);
        upkeep::start(&self.database);
    }

    /// How many writes were refused because too many were waiting.
    pub fn refused_writes(&self) -> u64 {
        self.database.waiting.refused()
    }

    /// A receiver that is woken by each commit of this process.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.database.signal.receiver()
    }

    /// Runs a chore in a transaction.
    pub(crate) async fn chore<C: Chore>(&self, chore: C) -> Result<C::Done> {
        let mut tx = self
            .database
            .write(Mode::Transaction { begun: false })
            .await?;
        let result = chore.run(&mut tx).await;
        tx.finish(result).await
    }

    /// The rows of a short select.
    pub(crate) async fn rows(&self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        let read = self
            .database
            .read(FIRST_TRY, (sql, params), |(sql, params), session| {
                Box::pin(async move {
                    let statement = session.prepared(sql).await?;
                    let rows = session.client.query(&statement, &slice(params)).await?;
                    Ok(rows.iter().map(values).collect())
                })
            });
        read.await
    }

    /// The number up to which all changes can be read: none of them can still appear.
    pub(crate) async fn horizon(&self) -> Result<i64> {
        let rows = self.rows(&list::state_text(), &[]).await?;
        let horizon = rows.first().and_then(|row| list::horizon(row));
        horizon.ok_or_else(|| Error::internal("the sequence of changes has no state"))
    }

    /// The values that crm would not have written. `url` is shown in the commands that repair one.
    pub async fn faults(&self, url: &str) -> Result<Faults> {
        list::faults(&self.database, url).await
    }

    /// The references to records that do not exist, one line each, with the commands that repair it.
    pub async fn dangling(&self, url: &str) -> Result<Vec<String>> {
        list::dangling(&self.database, url).await
    }

    /// The records whose newest time is not that of the records that refer to them, one line for each noun.
    pub async fn newest_times(&self, url: &str) -> Result<Vec<String>> {
        let repairs = Repairs::of_postgres(url);
        let mut found = Vec::new();
        for (noun, select, renew) in newest::differing() {
            let read = (select, ());
            let rows = self
                .database
                .read(LIST_PATIENCE, read, |(select, ()), session| {
                    Box::pin(async move {
                        let rows = session.client.query(select.as_str(), &[]).await?;
                        Ok(rows.iter().map(|row| row.get::<_, i64>(0)).collect())
                    })
                });
            let ids: Vec<i64> = rows.await?;
            found.extend(newest::told(noun, &ids, &renew, &repairs));
        }
        Ok(found)
    }

    /// Registers the metrics of the store.
    pub(crate) fn register(&self, registry: &mut Registry) {
        metrics::register(&self.database, registry);
    }

    /// Measures what has to be asked of the database.
    pub(crate) async fn measure(&self) {
        metrics::measure(&self.database).await;
    }

    async fn connect(url: &str, options: PostgresOptions, makes: bool) -> Result<Postgres> {
        let database = PgDatabase::new(url, options.connections, options.nouns)?;
        let store = Postgres {
            database: Arc::new(database),
            tokens: Arc::default(),
        };
        schema::prepare(&store.database, makes).await?;
        Ok(store)
    }

    /// The store, unless it holds an unfinished copy.
    async fn without_mark(self) -> Result<Postgres> {
        match schema::mark(&self.database).await? {
            Some(source) => Err(copying::unfinished(&source)),
            None => Ok(self),
        }
    }
}

impl Store for Postgres {
    async fn write<W: Write>(&self, mut write: W, terms: Terms) -> Result<Outcome<W::Done>> {
        write.check()?;
        let mode = match terms.key.is_none() && write.extent() == WriteExtent::Statement {
            true => Mode::Statement,
            false => Mode::Transaction { begun: false },
        };
        let patience = match write.is_long() {
            true => LONG_PATIENCE,
            false => PATIENCE,
        };
        let mut tx = self.database.write_within(mode, patience).await?;
        let erases = write.erases();
        if erases {
            // It reads all changes.
            tx.take_time(upkeep::ERASING);
        }
        let result = once::run(write, &mut tx, &terms).await;
        let mut outcome = tx.finish(result).await;
        if let (true, Ok(outcome)) = (erases, &mut outcome) {
            let traces = Box::pin(upkeep::vacuum(&self.database)).await;
            W::cleaned(&mut outcome.done, traces);
        }
        if W::CHANGES_TOKENS {
            self.tokens.forget();
        }
        outcome
    }

    async fn inquire<I: Inquiry>(&self, inquiry: I) -> Result<I::Found> {
        inquiry::inquire(&self.database, &inquiry).await
    }

    async fn all<L: Listed>(&self) -> Result<Vec<L>> {
        let rows = self.rows(L::SELECT, &[]).await?;
        let all: Option<Vec<L>> = rows.iter().map(|row| L::from_row(row)).collect();
        all.ok_or_else(|| {
            Error::internal(format!(
                "the database: one of its {} cannot be read",
                L::PLURAL
            ))
        })
    }

    async fn keyring(&self) -> Result<Arc<Keyring>> {
        tokens::keyring(&self.tokens, &self.database).await
    }

    async fn keyring_anew(&self) -> Result<Arc<Keyring>> {
        Box::pin(self.tokens.keyring_anew(&self.database)).await
    }

    async fn get(&self, noun: &'static Noun, id: i64) -> Result<Record> {
        let select = &statements::statements(noun).select;
        let values = self
            .database
            .read(FIRST_TRY, (select, id), |(select, id), session| {
                Box::pin(async move {
                    let statement = session.prepared(select).await?;
                    let row = session.client.query_opt(&statement, &[id]).await?;
                    Ok(row.as_ref().map(values))
                })
            });
        let mut values = values.await?.ok_or_else(|| noun.not_found())?;
        mend(noun, &mut values);
        Ok(Record { noun, values })
    }

    async fn list_into<R: Rows>(&self, query: Query, rows: R) -> Result<Listing<R>> {
        let database = self.database.clone();
        let Some(moment) = query.moment.clone() else {
            return list::list(database, query, rows).await;
        };
        let listing = list::list(database, query, urgency::Told::new(rows, moment)).await?;
        Ok(urgency::plain(listing))
    }

    async fn find(&self, find: Find) -> Result<Found> {
        find::find(self, |tail| find::look_in(self, &find, tail)).await
    }

    async fn ready(&self) -> Result<Ready> {
        let ready = |last_commit| Ready {
            last_commit,
            unindexed: self.database.index.gap(),
            backups: None,
        };
        let last = self.database.last_commit();
        if let Some((_, text)) = last.filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(ready(text));
        }
        let at = time::now();
        let mut tx = self.database.write(Mode::Statement).await?;
        let sql = "INSERT INTO heartbeat (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
        let beaten = tx.execute(sql, &[at.as_str().into()]).await;
        let result = beaten.map(|_| ()).map_err(Error::from);
        match tx.finish(result).await {
            Ok(()) => Ok(ready(at)),
            // It does not matter whether this row was saved.
            Err(error) if error.code == Code::Unknown => Err(Failure::Late.error()),
            Err(error) => Err(error),
        }
    }

    async fn close(&self) -> Result<()> {
        self.database.pool.close();
        Ok(())
    }
}

impl Indexed for Postgres {
    async fn select(&self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        self.rows(sql, params).await
    }

    async fn transact<C: Chore>(&self, chore: C) -> Result<C::Done> {
        self.chore(chore).await
    }

    async fn horizon(&self) -> Result<i64> {
        self.horizon().await
    }

    fn waiting(&self) -> usize {
        self.database.waiting.count()
    }

    fn nouns(&self) -> &'static [&'static Noun] {
        self.database.nouns
    }

    fn index(&self) -> &SearchIndex {
        &self.database.index
    }
}
