//! The store over a SQLite file.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use prometheus_client::registry::{Registry, Unit};
use tokio::sync::watch;

use super::cache::Cache;
use super::connection::{limit_cache, set_up_reader};
use super::database::{Database, Pace};
use super::error::map_err;
use super::file::made;
use super::file::open;
use super::file::place::{self, FileId};
use super::file::refusal::unusable;
use super::file::schedule::{Schedule, Scheduler};
use super::file::schema::Schema;
use super::keys::CachedKeys;
use super::list;
use super::lock::lock;
use super::opening::{Opening, Work};
use super::reader::ReadConnection;
use super::reading;
use super::values::{self, record};
use super::writer::{BatchWriter, LAST_CHANGE, SqliteTransaction, Undo, Writer, now};
use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::find::Find;
use crate::model::noun::Noun;
use crate::model::query::Query;
use crate::model::record::{Record, Snapshot};
use crate::model::rows::Rows;
use crate::model::terms::Terms;
use crate::model::token::Keyring;
use crate::model::value::Value;
use crate::store::chore::Chore;
use crate::store::contract::{
    Found, Listed, Listing, Outcome, Ready, Report, Store, Traces, Write, WriteExtent,
};
use crate::store::inquiry::Inquiry;
use crate::store::meter::Live;
use crate::store::retention::Keep;
use crate::store::search::find;
use crate::store::search::state::{Indexed, Reads, SearchIndex};
use crate::store::sql::{copying, once, statements};
use crate::store::transaction::Transaction;
use crate::store::urgency;

/// How recent a commit must be to show that writes are accepted.
const FRESH: Duration = Duration::from_secs(5);

/// A store over a SQLite file. Clones share it.
#[derive(Clone)]
pub struct Sqlite {
    inner: Arc<OpenStore>,
}

struct OpenStore {
    database: Arc<Database>,
    keys: CachedKeys,
    /// The file that a writing command has made. It is removed again if nothing is committed to it.
    made: Option<FileId>,
    /// The state of the backups, if they are scheduled.
    backups: OnceLock<Arc<Mutex<Report>>>,
}

impl Sqlite {
    /// Opens the file, makes it if it does not exist, and brings it up to date. Returns a line that describes what was done
    /// to an old database, if anything.
    pub fn open(path: &Path, work: Work) -> Result<(Sqlite, Option<String>)> {
        Sqlite::open_with(path, Opening::of(work))
    }

    /// A server's store that answers before it has synced, so that a power cut loses acknowledged writes. It is the control
    /// of the durability tests: it shows that they would find lost writes. No setting leads here.
    #[doc(hidden)]
    pub fn open_unsynced(path: &Path) -> Result<Sqlite> {
        let opening = Opening {
            syncs: "NORMAL",
            ..Opening::of(Work::Server)
        };
        Ok(Sqlite::open_with(path, opening)?.0)
    }

    /// Opens a file that is the target of a copy, which may have begun already.
    pub fn open_for_copy(path: &Path) -> Result<Sqlite> {
        Ok(Sqlite::open_with(path, Opening::of(Work::Command).for_copy())?.0)
    }

    /// The same as [`Sqlite::open`] with these settings.
    pub fn open_with(path: &Path, opening: Opening) -> Result<(Sqlite, Option<String>)> {
        open::check_version()?;
        let path = &*place::real(path)?;
        place::ordinary(path)?;
        let made = made::make(path);
        let opened = Sqlite::open_made(path, made, opening);
        if let (Err(_), Some(made)) = (&opened, made) {
            made::unmake(path, made);
        }
        opened
    }

    fn open_made(
        path: &Path,
        made: Option<FileId>,
        opening: Opening,
    ) -> Result<(Sqlite, Option<String>)> {
        let Opening { work, nouns, .. } = opening;
        let schema = Schema::of(nouns);
        let opened = match work {
            Work::Reading => open::open_to_read(path, schema)?,
            Work::Command | Work::Server => {
                open::open_to_write(path, schema, opening.syncs, work == Work::Server)?
            }
        };
        let (connection, way, files) = (opened.connection, opened.way, opened.files);
        if !opening.for_copy
            && let Some(source) = open::unfinished_copy(&connection)?
        {
            return Err(copying::unfinished(&source));
        }
        let cache = (work == Work::Server).then(|| Arc::new(Cache::new(nouns)));
        if work == Work::Server {
            open::settle_log(&connection, path)?;
        }
        let (writer, reader) = match work {
            // A store that only reads needs no second connection. That would read the schema once more.
            Work::Reading => {
                limit_cache(&connection).map_err(|error| map_err(&error))?;
                (Writer::nobody(), Some(ReadConnection::new(connection)))
            }
            Work::Command | Work::Server => {
                let batches = BatchWriter::new(connection, nouns, files.clone(), cache.clone())
                    .map_err(|error| unusable(path, &error))?;
                let beside = match work {
                    Work::Server => {
                        let mut beside = way.another(path).map_err(|error| map_err(&error))?;
                        set_up_reader(&mut beside).map_err(|error| map_err(&error))?;
                        Some(beside)
                    }
                    Work::Command | Work::Reading => None,
                };
                (Writer::new(batches, beside)?, None)
            }
        };
        let inner = OpenStore {
            database: Arc::new(Database::new(files, nouns, way, writer, reader, cache)),
            keys: CachedKeys::default(),
            made: made.filter(|_| work == Work::Command),
            backups: OnceLock::new(),
        };
        let store = Sqlite {
            inner: Arc::new(inner),
        };
        Ok((store, opened.notice))
    }

    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.inner.database
    }

    /// The nouns of the file, in the order in which they refer to one another.
    pub fn nouns(&self) -> &'static [&'static Noun] {
        self.database().nouns
    }

    /// Lets at most this many writes wait at a time.
    pub fn limit_waiting_writes(&self, most: usize) {
        self.database().writer.waiting().limit(most);
    }

    /// Sets how long a query of a server may search for the next part of a list.
    pub fn limit_queries(&self, longest: Duration) {
        self.database().queries.set(longest);
    }

    /// How many writes were refused because too many were waiting.
    pub fn refused_writes(&self) -> u64 {
        self.database().writer.waiting().refused()
    }

    /// A receiver that is woken by each commit of this process.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.database().writer.signal()
    }

    /// Runs a chore. When this returns `Ok`, it has been committed and synced.
    pub(crate) async fn chore<C: Chore>(&self, chore: C) -> Result<C::Done> {
        self.run(Undo::Savepoint, 0, move |tx| now(chore.run(tx)))
            .await
    }

    /// The rows of a short select.
    pub(crate) fn rows(&self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        let read = |reader: &mut ReadConnection| values::query(reader, sql, params);
        self.database()
            .read(|reader| read(reader).map_err(|error| map_err(&error)))
    }

    /// The number of the last change. All changes up to it can be read.
    pub(crate) fn horizon(&self) -> Result<i64> {
        let rows = self.rows(LAST_CHANGE, &[])?;
        let horizon = rows.first().and_then(|row| row.first()?.int());
        Ok(horizon.unwrap_or_default())
    }

    /// Starts the scheduled backups. Called at most once. The scheduler must be ended before the store is closed.
    pub fn back_up(&self, schedule: Schedule) -> Result<Scheduler> {
        let report = self.inner.backups.get_or_init(Arc::default);
        let database = self.database();
        let schema = Schema::of(database.nouns);
        Scheduler::start(&database.path, schema, schedule, report.clone())
    }

    /// Sets how long changes are kept. Only a server removes any.
    pub fn keep_changes(&self, keep: Keep) {
        self.database().writer.keep_changes(keep);
    }

    /// Runs a write that erases records, and then removes what is left of them in the files.
    async fn erase<W: Write>(&self, write: W, terms: Terms) -> Result<Outcome<W::Done>> {
        let run = self.run(Undo::Savepoint, write.size(), move |tx| {
            tx.overwrite(true)?;
            let outcome = now(once::run(write, tx, &terms));
            match &outcome {
                Ok(outcome) if !outcome.replayed => tx.note_residue()?,
                _ => tx.overwrite(false)?,
            }
            outcome
        });
        let mut outcome: Outcome<W::Done> = run.await?;
        let writer = &self.database().writer;
        if !outcome.replayed {
            writer.erases();
        }
        let traces = writer.clean().await;
        // The record is erased in any case. A server tries again what has failed here.
        let traces = traces.unwrap_or_else(|error| {
            let why = error.message;
            Traces::Left(format!(
                "writing them anew failed ({why}); a server tries again, and without a server the next `crm lead erase` does"
            ))
        });
        W::cleaned(&mut outcome.done, traces);
        Ok(outcome)
    }

    /// Registers the metrics of the store.
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.database().writer.register(registry);
        self.database().index.register(registry);
        let mut log = self.database().path.clone().into_os_string();
        log.push("-wal");
        // Before the first write, there is no log.
        let bytes = Live::new(move || std::fs::metadata(&log).map_or(0, |found| found.len()));
        registry.register_with_unit(
            "crm_wal",
            "Size of the database's write-ahead log",
            Unit::Bytes,
            bytes,
        );
    }

    /// Runs a rule in a transaction. When this returns `Ok`, it has been committed and synced.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        undo: Undo,
        size: usize,
        rule: impl FnOnce(&mut SqliteTransaction<'_>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        self.database().writer.run(undo, size, rule).await
    }
}

impl Store for Sqlite {
    async fn write<W: Write>(&self, mut write: W, terms: Terms) -> Result<Outcome<W::Done>> {
        write.check()?;
        let undo = match terms.key.is_none() && write.extent() != WriteExtent::Several {
            true => Undo::Statement,
            false => Undo::Savepoint,
        };
        let size = write.size();
        if write.erases() {
            return self.erase(write, terms).await;
        }
        let outcome = self
            .run(undo, size, move |tx| now(once::run(write, tx, &terms)))
            .await;
        if W::CHANGES_TOKENS {
            self.inner.keys.forget();
        }
        outcome
    }

    async fn get(&self, noun: &'static Noun, id: i64) -> Result<Record> {
        self.database().read(|reader| {
            let mut statement = reader
                .prepare_cached(&statements::statements(noun).select)
                .map_err(|error| map_err(&error))?;
            let mut rows = statement.query([id]).map_err(|error| map_err(&error))?;
            match rows.next().map_err(|error| map_err(&error))? {
                Some(row) => Ok(record(noun, row)),
                None => Err(noun.not_found()),
            }
        })
    }

    async fn get_json(&self, noun: &'static Noun, id: i64) -> Result<Snapshot> {
        let database = self.database();
        let Some(cache) = &database.cache else {
            return Ok(Snapshot::from(&self.get(noun, id).await?));
        };
        if database.is_trusted(cache)
            && let Some(kept) = cache.get(noun, id)
        {
            return Ok(kept);
        }
        let generation = cache.generation();
        let read = Snapshot::from(&self.get(noun, id).await?);
        cache.keep(generation, noun, id, &read);
        Ok(read)
    }

    async fn inquire<I: Inquiry>(&self, inquiry: I) -> Result<I::Found> {
        let state = (self.database().clone(), inquiry);
        let mut pace = Pace::Short;
        let found = self
            .database()
            .beside(&mut pace, state, |(database, inquiry)| {
                reading::inquire(database, inquiry)
            });
        found.await.map(|(found, _)| found)
    }

    async fn all<L: Listed>(&self) -> Result<Vec<L>> {
        let rows = self.rows(L::SELECT, &[])?;
        let all: Option<Vec<L>> = rows.iter().map(|row| L::from_row(row)).collect();
        all.ok_or_else(|| {
            Error::internal(format!(
                "the database: one of its {} cannot be read",
                L::PLURAL
            ))
        })
    }

    async fn keyring(&self) -> Result<Arc<Keyring>> {
        self.inner.keys.keyring(self.database(), false)
    }

    async fn keyring_anew(&self) -> Result<Arc<Keyring>> {
        self.inner.keys.keyring(self.database(), true)
    }

    async fn list_into<R: Rows>(&self, query: Query, rows: R) -> Result<Listing<R>> {
        let database = self.database().clone();
        let Some(moment) = query.moment.clone() else {
            return list::list(database, query, rows).await;
        };
        let listing = list::list(database, query, urgency::Told::new(rows, moment)).await?;
        Ok(urgency::plain(listing))
    }

    async fn find(&self, find: Find) -> Result<Found> {
        let database = self.database();
        if !database.writer.writes() {
            return database.read(|reader| {
                now(find::look_through(
                    &mut SearchReader(reader),
                    database.nouns,
                    &find,
                ))
            });
        }
        find::find(self, |tail| {
            let state = (database.clone(), find.clone(), tail);
            async {
                let mut pace = Pace::Short;
                let look = |(database, find, tail): &mut (Arc<Database>, Find, i64)| {
                    database.read(|reader| {
                        let nouns = database.nouns;
                        now(find::look(
                            &mut SearchReader(reader),
                            nouns,
                            find,
                            *tail,
                            false,
                        ))
                    })
                };
                Ok(database.beside(&mut pace, state, look).await?.0)
            }
        })
        .await
    }

    async fn ready(&self) -> Result<Ready> {
        let ready = |at| Ready {
            last_commit: at,
            unindexed: self.database().index.gap(),
            backups: self.backups(),
        };
        if let Some(at) = self.database().writer.committed_within(FRESH)? {
            return Ok(ready(at));
        }
        let at = time::now();
        let beat = at.clone();
        let beaten = self.run(Undo::Statement, 0, move |tx| {
            let sql = "INSERT INTO heartbeat (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
            now(tx.execute(sql, &[beat.as_str().into()])).map_err(Error::from)
        });
        match beaten.await {
            Ok(_) => Ok(ready(at)),
            // Whether this write was saved does not matter.
            Err(error) if error.code == Code::Unknown => Err(Error::new(
                Code::Unavailable,
                "no writes are accepted, because the disk of the database fails",
            )),
            Err(error) => Err(error),
        }
    }

    fn backups(&self) -> Option<Report> {
        Some(lock(self.inner.backups.get()?).clone())
    }

    async fn close(&self) -> Result<()> {
        let database = self.database();
        let held = database.close_readers();
        let written = database.writer.has_committed();
        let closed = database.writer.close().await;
        if let (Some(made), false) = (self.inner.made, written) {
            made::unmake(&database.path, made);
        }
        closed.and(held)
    }
}

/// A reading connection for the search.
struct SearchReader<'r>(&'r mut ReadConnection);

impl Reads for SearchReader<'_> {
    async fn rows(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        values::query(self.0, sql, params).map_err(|error| map_err(&error))
    }
}

impl Indexed for Sqlite {
    async fn select(&self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        self.rows(sql, params)
    }

    async fn transact<C: Chore>(&self, chore: C) -> Result<C::Done> {
        self.chore(chore).await
    }

    async fn horizon(&self) -> Result<i64> {
        self.horizon()
    }

    fn waiting(&self) -> usize {
        self.database().writer.waiting().count()
    }

    fn nouns(&self) -> &'static [&'static Noun] {
        self.database().nouns
    }

    fn index(&self) -> &SearchIndex {
        &self.database().index
    }
}
