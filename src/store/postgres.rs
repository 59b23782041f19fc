//! The store in PostgreSQL, for more than one machine.
//!
//! Any number of processes share one database, so that nothing is kept here that another needs. A rule that touches
//! several rows runs in a transaction, READ COMMITTED, and locks what it reads and then changes; a create is one statement
//! and its own transaction. PostgreSQL gathers the commits of its sessions into shared syncs by itself.
//!
//! What a failure means for a write is the point of this module. Until a commit is asked for, nothing can have been
//! saved: that is 503. From then on only the server knows, and where it does not say (a lost connection, no answer in
//! time, a server that is shut down) the answer is 504, "may have been saved", and nothing is sent again. A commit is
//! never cancelled: a cancelled wait for a synchronous standby is told as a success, with a warning, which counts here as
//! not knowing. Reads are tried once more by themselves. All but lists ends within five seconds; a list may have to wait
//! for a sort of millions.
//!
//! Whatever runs has a connection of the pool until the server has ended it, also where nobody waits for it any more: a
//! read is cancelled then, a write is left alone. So a server never has more of them than its URL says.
//!
//! Ids are given before a commit, so that a record with a lower id may appear after one with a higher; and a create that
//! is refused leaves a gap.

mod cells;
mod failure;
mod keys;
mod link;
mod list;
mod residue;
mod schema;
mod writing;

use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{Object, Pool, PoolError};
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::query::Query;
use crate::model::record::{Noun, Record, Rows};
use crate::model::terms::Terms;
use crate::model::token::{Keyring, Token};
use crate::store::contract::{Extent, Listing, Outcome, Ready, Store, Write};
use crate::store::meter::{Live, Meter};
use crate::store::sql::{copying, once, statements};
use crate::store::transaction::Transaction;
use crate::store::waiting::Waiting;
use cells::{slice, values};
use failure::{Failure, within};
use keys::Keys;
use link::{Link, Session};
use writing::Mode;

/// How long a request takes at most, so that what waits for it is told within five seconds.
const PATIENCE: Duration = Duration::from_millis(4_500);

/// How long a try to read a record takes at most, so that there is time for a second.
const FIRST_TRY: Duration = Duration::from_millis(2_200);

/// How long a batch of a copy may take.
const COPY_PATIENCE: Duration = Duration::from_secs(60);

/// For how long the pool makes do with fewer connections than it may have, where the server gives no more.
const NARROW: Duration = Duration::from_secs(10);

/// How old the commit may be that shows that writes are taken.
const FRESH: Duration = Duration::from_secs(5);

/// Connections that a server opens at most where the URL does not say: those of ten replicas fit into the hundred that
/// PostgreSQL takes by default, with some left for people.
pub const CONNECTIONS: usize = 8;

/// Connections that a server opens at most, as `pool_max_conns` of the URL says.
pub fn connections(url: &str) -> Result<usize> {
    let parsed =
        link::parse(url).map_err(|expected| Error::invalid(format!("the database: {expected}")))?;
    Ok(parsed.connections.unwrap_or(CONNECTIONS))
}

/// A store in PostgreSQL. Clones share it.
#[derive(Clone)]
pub struct Postgres {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool<Link>,
    /// The last commit.
    last: Mutex<Option<(Instant, String)>>,
    /// Sorted whole lists that are being read.
    ordered: AtomicUsize,
    /// Connections that lists may use at once.
    lists: Semaphore,
    /// Connections that writes may keep whose answer is not waited for any longer.
    unanswered: Arc<Semaphore>,
    /// Writes that wait for a connection.
    waiting: Waiting,
    /// How many connections the pool may have.
    connections: usize,
    /// When it was made smaller, as the server gave no more.
    narrowed: Mutex<Option<Instant>>,
    keys: Keys,
    meter: Meter,
}

/// Whether a URL can be read. The error says what was expected, and never repeats a password.
pub fn check_url(url: &str) -> Result<(), String> {
    link::parse(url).map(drop)
}

/// Of so many connections those that lists may use: a few searches through millions would else keep all writes waiting.
fn most_lists(connections: usize) -> usize {
    (connections - connections.div_ceil(3)).max(1)
}

impl Postgres {
    /// Connects, and brings the schema up to date, or makes it. Opens at most so many connections.
    pub async fn open(url: &str, connections: usize) -> Result<Postgres> {
        Postgres::whole(Postgres::connect(url, connections, true).await?).await
    }

    /// The same for a database that has to be there.
    pub async fn open_existing(url: &str, connections: usize) -> Result<Postgres> {
        Postgres::whole(Postgres::connect(url, connections, false).await?).await
    }

    /// The same for a database that a copy is to go into, which may have been begun.
    pub async fn open_for_copy(url: &str, connections: usize) -> Result<Postgres> {
        Postgres::connect(url, connections, true).await
    }

    /// Lets at most so many writes wait for a connection at a time.
    pub fn limit_waiting_writes(&self, most: usize) {
        self.inner.waiting.limit(most);
    }

    /// How many writes were refused as too many were waiting.
    pub fn refused_writes(&self) -> u64 {
        self.inner.waiting.refused()
    }

    /// The store, unless it is half of a copy.
    async fn whole(store: Postgres) -> Result<Postgres> {
        match schema::mark(&store.inner).await? {
            Some(source) => Err(copying::unfinished(&source)),
            None => Ok(store),
        }
    }

    async fn connect(url: &str, connections: usize, makes: bool) -> Result<Postgres> {
        let pool = Pool::builder(Link::new(url)?)
            .max_size(connections)
            .build()
            .map_err(Error::internal)?;
        let store = Postgres {
            inner: Arc::new(Inner {
                pool,
                last: Mutex::default(),
                ordered: AtomicUsize::new(0),
                lists: Semaphore::new(most_lists(connections)),
                unanswered: Arc::new(Semaphore::new(connections / 2 + 1)),
                waiting: Waiting::default(),
                connections,
                narrowed: Mutex::default(),
                keys: Keys::default(),
                meter: Meter::default(),
            }),
        };
        schema::prepare(&store.inner, makes).await?;
        Ok(store)
    }

    /// Registers what is measured here.
    pub(super) fn register(&self, registry: &mut Registry) {
        let meter = &self.inner.meter;
        meter.register(registry);
        let mut pool = |name, help, read: fn(deadpool::Status) -> usize| {
            let pool = self.inner.pool.clone();
            let read = Live::new(move || read(pool.status()) as u64);
            registry.register_with_unit(name, help, Unit::Other("connections".into()), read);
        };
        pool(
            "crm_pool",
            "Connections to the database that are open",
            |status| status.size,
        );
        pool(
            "crm_pool_idle",
            "Connections to the database that nobody uses",
            |status| status.available,
        );
        pool(
            "crm_pool_max",
            "Connections to the database that may be open",
            |status| status.max_size,
        );
        let waiting = self.inner.pool.clone();
        registry.register(
            "crm_pool_waiting",
            "Requests that wait for a connection to the database",
            Live::new(move || waiting.status().waiting as u64),
        );
    }

    /// Marks an empty database as one that `source` is copied to, and answers the mark that it has already.
    pub(super) async fn mark(&self, source: &str) -> Result<Option<String>> {
        let mut writing = self.inner.write(Mode::Transaction { begun: false }).await?;
        let result = copying::mark(&mut writing, source).await;
        writing.finish(result).await
    }

    /// Takes records as they are, ids and times included, all or none.
    pub(super) async fn take(&self, noun: &'static Noun, records: Vec<Record>) -> Result<()> {
        let session = self.inner.session(PATIENCE).await?;
        let names: Vec<&str> = noun.fields.iter().map(|field| field.name).collect();
        let sql = format!(
            "COPY {} ({}, version) FROM STDIN BINARY",
            noun.plural,
            names.join(", ")
        );
        let types: Vec<Type> = noun
            .fields
            .iter()
            .map(|field| {
                if field.kind.is_id() {
                    Type::INT8
                } else {
                    Type::TEXT
                }
            })
            .chain([Type::INT8])
            .collect();
        let taken = async {
            let sink = session.client.copy_in(&sql).await?;
            let writer = BinaryCopyInWriter::new(sink, &types);
            futures_util::pin_mut!(writer);
            for record in &records {
                writer.as_mut().write(&slice(&record.row())).await?;
            }
            writer.finish().await
        };
        let taken = within(COPY_PATIENCE, taken).await;
        match taken {
            Ok(_) => Ok(()),
            Err(failure) => {
                let reference = failure.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION);
                drop(Object::take(session));
                match reference {
                    // The detail names the value, and the table that lacks it.
                    true => Err(Error::new(
                        Code::Conflict,
                        format!("{} Mend it in the source first", failure.detail()),
                    )),
                    // What the batch has saved shows in the highest id, where a copy goes on.
                    false if !failure.is_certain() => Err(Error::new(
                        Code::Unknown,
                        "the database was lost; give the same command again, it goes on where this one has come to",
                    )),
                    false => Err(failure.error()),
                }
            }
        }
    }

    /// Removes the mark; ids up to those that were given elsewhere, a noun each, are not given again.
    pub(super) async fn unmark(&self, given: &[i64]) -> Result<()> {
        let mut writing = self.inner.write(Mode::Transaction { begun: false }).await?;
        let result = async {
            for (noun, id) in crate::model::nouns::NOUNS.into_iter().zip(given) {
                // A sequence takes no 0; one that has given nothing begins with 1.
                let sql = "SELECT setval(pg_get_serial_sequence($1, 'id'), greatest($2::bigint, 1), $2 > 0)";
                writing
                    .query(sql, &[noun.plural.into(), (*id).into()])
                    .await?;
            }
            copying::unmark(&mut writing).await
        };
        let result = result.await;
        writing.finish(result).await
    }

    /// The highest id that a noun was ever given.
    pub(super) async fn last_given(&self, noun: &'static Noun) -> Result<i64> {
        let table = noun.plural;
        let last = self.inner.read(FIRST_TRY, table, |table, session| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT greatest(coalesce(pg_sequence_last_value(pg_get_serial_sequence('{table}', 'id')), 0), \
                     (SELECT coalesce(max(id), 0) FROM {table}))"
                );
                Ok(session.client.query_one(&sql, &[]).await?.get::<_, i64>(0))
            })
        });
        last.await
    }
}

impl Inner {
    /// A connection, within a patience.
    async fn session(&self, patience: Duration) -> Result<Object<Link>, Error> {
        let until = Instant::now() + patience;
        self.widen();
        let mut got = tokio::time::timeout(patience, self.pool.get()).await;
        while let Ok(Err(PoolError::Backend(failure))) = &got
            && failure.code() == Some(&SqlState::TOO_MANY_CONNECTIONS)
            && Instant::now() < until
            && self.narrow()
        {
            got = tokio::time::timeout(left(until), self.pool.get()).await;
        }
        match got {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(PoolError::Backend(failure))) => {
                self.lost();
                Err(failure.error())
            }
            Ok(Err(PoolError::Closed)) => Err(Error::new(
                Code::Unavailable,
                "the service is shutting down; nothing was saved",
            )),
            Ok(Err(error)) => Err(Error::internal(format!(
                "the pool of connections: {error:?}"
            ))),
            Err(_) if self.pool.status().available == 0 && self.pool.status().size > 0 => {
                Err(Error::new(
                    Code::Unavailable,
                    "all connections to the database are busy; nothing was saved, try again",
                ))
            }
            Err(_) => Err(Failure::Late.error()),
        }
    }

    /// Makes do with the connections that there are, where there are some and the server gives no more.
    fn narrow(&self) -> bool {
        let there = self.pool.status().size;
        if there > 0 {
            self.pool.resize(there);
            *self.narrowed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        there > 0
    }

    /// Lets the pool grow again after a while.
    fn widen(&self) {
        let mut narrowed = self.narrowed.lock().unwrap_or_else(PoisonError::into_inner);
        if narrowed.is_some_and(|at| at.elapsed() >= NARROW) {
            *narrowed = None;
            self.pool.resize(self.connections);
        }
    }

    /// Leave to read a list.
    async fn leave_to_list(&self) -> Result<SemaphorePermit<'_>> {
        match tokio::time::timeout(list::LIST_PATIENCE, self.lists.acquire()).await {
            Ok(Ok(leave)) => Ok(leave),
            _ => Err(Error::new(
                Code::Unavailable,
                "too many lists are being read; try again",
            )),
        }
    }

    /// That the last write was committed does not tell any more that the next one can be.
    fn lost(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Reads, each time within a patience, and once more over another connection where the first is lost at once.
    async fn read<C, R, W>(&self, patience: Duration, context: C, work: W) -> Result<R>
    where
        W: for<'a> Fn(&'a C, &'a mut Session) -> Reading<'a, R>,
    {
        let start = Instant::now();
        match self.try_to_read(patience, &context, &work).await {
            Ok(result) => result,
            Err(error) if start.elapsed() > FIRST_TRY * 2 => Err(error),
            Err(_) => self
                .try_to_read(patience, &context, &work)
                .await
                .unwrap_or_else(Err),
        }
    }

    /// The outer error is one that another try may not meet.
    async fn try_to_read<C, R, W>(
        &self,
        patience: Duration,
        context: &C,
        work: &W,
    ) -> Result<Result<R>>
    where
        W: for<'a> Fn(&'a C, &'a mut Session) -> Reading<'a, R>,
    {
        let until = Instant::now() + patience;
        let mut session = Busy::new(Box::pin(self.session(patience)).await?);
        let read = tokio::time::timeout(left(until), work(context, &mut session)).await;
        match read.unwrap_or(Err(Failure::Late)) {
            Ok(result) => {
                session.done();
                Ok(Ok(result))
            }
            Err(failure) => {
                session.failed(self, &failure);
                match failure.is_lost() {
                    true => Err(failure.error()),
                    false => Ok(Err(failure.error())),
                }
            }
        }
    }

    fn last_commit(&self) -> Option<(Instant, String)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    fn committed(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Instant::now(), time::now()));
    }
}

/// A connection that reads. Where that is given up midway, what runs on it is ended.
struct Busy(Option<Object<Link>>);

impl Busy {
    fn new(session: Object<Link>) -> Busy {
        Busy(Some(session))
    }

    /// Back into the pool.
    fn done(mut self) {
        drop(self.0.take());
    }

    /// Back into the pool as well, unless another connection may do better.
    fn failed(mut self, inner: &Inner, failure: &Failure) {
        if !failure.is_lost() {
            return self.done();
        }
        inner.lost();
        // What is late may still run.
        if !matches!(failure, Failure::Late) {
            drop(self.0.take().map(Object::take));
        }
    }
}

impl Deref for Busy {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.0.as_ref().expect(BUSY)
    }
}

impl DerefMut for Busy {
    fn deref_mut(&mut self) -> &mut Session {
        self.0.as_mut().expect(BUSY)
    }
}

/// It is taken by what takes all of it.
const BUSY: &str = "a connection is there until it is done";

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            link::give_up(session, true);
        }
    }
}

/// What [`Inner::read`] runs.
type Reading<'a, R> = std::pin::Pin<Box<dyn Future<Output = Result<R, Failure>> + Send + 'a>>;

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

impl Store for Postgres {
    async fn write<W: Write>(&self, mut write: W, terms: Terms) -> Result<Outcome<W::Done>> {
        write.check()?;
        let mode = match terms.key.is_none() && write.extent() == Extent::Statement {
            true => Mode::Statement,
            false => Mode::Transaction { begun: false },
        };
        let mut writing = self.inner.write(mode).await?;
        let result = once::run(write, &mut writing, &terms).await;
        let outcome = writing.finish(result).await;
        if W::CHANGES_TOKENS {
            self.inner.keys.forget();
        }
        outcome
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let tokens = self.inner.read_tokens().await?;
        Ok(tokens.into_iter().map(|(_, token)| token).collect())
    }

    async fn keyring(&self) -> Result<Arc<Keyring>> {
        keys::keyring(&self.inner).await
    }

    async fn keyring_anew(&self) -> Result<Arc<Keyring>> {
        Box::pin(keys::keyring_anew(&self.inner)).await
    }

    async fn get(&self, noun: &'static Noun, id: i64) -> Result<Record> {
        let select = &statements::statements(noun).select;
        let values = self
            .inner
            .read(FIRST_TRY, (select, id), |(select, id), session| {
                Box::pin(async move {
                    let statement = session.prepared(select).await?;
                    let row = session.client.query_opt(&statement, &[id]).await?;
                    Ok(row.as_ref().map(values))
                })
            });
        let values = values.await?.ok_or_else(|| noun.not_found())?;
        Ok(Record { noun, values })
    }

    async fn list_into<R: Rows>(&self, query: Query, rows: R) -> Result<Listing<R>> {
        list::list(self.inner.clone(), query, rows).await
    }

    async fn ready(&self) -> Result<Ready> {
        let ready = |last_commit| Ready {
            last_commit,
            backups: None,
        };
        let last = self.inner.last_commit();
        if let Some((_, text)) = last.filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(ready(text));
        }
        let at = time::now();
        let mut writing = self.inner.write(Mode::Statement).await?;
        let sql = "INSERT INTO heartbeat (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
        let beaten = writing.execute(sql, &[at.as_str().into()]).await;
        let result = beaten.map(|_| ()).map_err(Error::from);
        match writing.finish(result).await {
            Ok(()) => Ok(ready(at)),
            // Whether this one was saved matters to nobody.
            Err(error) if error.code == Code::Unknown => Err(Failure::Late.error()),
            Err(error) => Err(error),
        }
    }

    async fn close(&self) -> Result<()> {
        self.inner.pool.close();
        Ok(())
    }
}
