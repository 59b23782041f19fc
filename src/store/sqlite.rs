//! The store in a SQLite file.
//!
//! One connection writes. For a server it belongs to a thread, which takes the first waiting write, begins a transaction,
//! takes half of what else waits, commits once with `synchronous=FULL` and only then answers them: every acknowledged
//! write has been synced, and a sync is shared by all that waited for it. One that fails fails alone. A command writes
//! without the thread. Where several processes write, `turn` gives each its turn; `checkpoint` moves the write-ahead log
//! into the file beside the writer.
//!
//! Reads run on connections of their own, which see what was committed last. A list is read in chunks, each in a read
//! transaction of its own: an old one would keep the write-ahead log from being checkpointed. What a server reads again
//! and again it has in a `cache`. Commands beside a running server are normal use; SQLite's locks part them.
//!
//! [`backup`], [`restore`] and [`check`] work on a file and not on a store, [`schedule`] makes the backups of a server.

pub mod backup;
mod cache;
pub mod check;
mod checkpoint;
mod functions;
mod keys;
mod legacy;
mod list;
mod part;
mod place;
mod reading;
pub mod restore;
pub mod schedule;
mod schema;
mod stop;
mod turn;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::registry::{Registry, Unit};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, ToSql};
use tokio::sync::Semaphore;

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::query::Query;
use crate::model::record::{Cell, Noun, Record, Rows, Snapshot, Value};
use crate::model::terms::Terms;
use crate::model::token::{Hash, Keyring, Token};
use crate::store::contract::{Extent, Listing, Outcome, Ready, Report, Store, Write};
use crate::store::meter::Live;
use crate::store::sql::{copying, once, statements, tokens};
use crate::store::transaction::{Fault, Transaction};
use cache::Cache;
use keys::Keys;
use place::{Files, Place};
use reading::Way;
use schedule::{Schedule, Scheduler};
use stop::Stop;
use writer::{Desk, State, Undo, Writer};

/// Before 3.51.3 a WAL reset at the wrong moment could corrupt the file.
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a connection waits for another process to let go of the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// How old the commit may be that shows that writes are taken.
const FRESH: Duration = Duration::from_secs(5);

/// Chunks of lists that are read at once; others wait for a moment. More than this many threads would only share the
/// processors, and each needs a connection with its cache.
const MOST_CHUNKS: usize = 16;

/// Idle reading connections that are kept.
const KEPT_READERS: usize = 8;

/// How many of SQLite's steps go by between two looks at whether the work is to be given up; well under a millisecond.
const STEPS: i32 = 10_000;

/// The page cache of the writing connection, in KiB. It takes what of the indexes is above their leaves at ten million
/// leads, so that a write reads one page an index.
const WRITER_CACHE: i64 = 8 * 1_024;

/// The page cache of a reading connection, in KiB. The system's own cache has the file too.
const READER_CACHE: i64 = 1_024;

/// Statements kept prepared on a connection: the fixed ones, and the lists and updates that come again and again.
const KEPT_STATEMENTS: usize = 64;

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One command: everything runs where it is called, no thread is started.
    Command,
    /// One that only reads: it leaves a file of today's schema as it is, and works on one that may not be written to.
    Reading,
    /// A server: writes run on a thread and share their syncs, lists run beside the threads that serve.
    Server,
}

/// Runs work on a file (a [`backup`], a [`restore`]) that is given up once `asked` is true. It then fails, and has left
/// nothing; where it could no longer be given up, it succeeds.
pub fn unless<R>(asked: Arc<AtomicBool>, work: impl FnOnce() -> R) -> R {
    Stop::new(asked).during(work)
}

/// A store in a SQLite file. Clones share it.
#[derive(Clone)]
pub struct Sqlite {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    files: Arc<Files>,
    work: Work,
    /// How those that read are connected to it.
    way: Way,
    /// Where a command that writes has made the file: it goes again if nothing is committed to it.
    made: Option<Place>,
    writer: Writer,
    /// What a server keeps of the file.
    cache: Option<Arc<Cache>>,
    readers: Mutex<Vec<Reader>>,
    /// Chunks of lists that may be read at once.
    turns: Arc<Semaphore>,
    /// Whether reads are to be given up.
    closing: Arc<AtomicBool>,
    /// Sorted whole lists that are being read.
    ordered: AtomicUsize,
    /// How the backups go, where there is a schedule for them.
    backups: OnceLock<Arc<Mutex<Report>>>,
    keys: Keys,
}

/// A connection for reading.
struct Reader {
    connection: Connection,
    seen: Option<Seen>,
}

/// The file's version as a connection sees it, and when it was first seen, as the cache counts.
#[derive(Clone, Copy)]
struct Seen {
    version: i64,
    at: u64,
}

impl Reader {
    /// A number that changes with every commit to the file by another connection, whosever it is.
    fn version(&self) -> Result<i64> {
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        version.map_err(|error| map_err(&error))
    }
}

impl std::ops::Deref for Reader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Sqlite {
    /// Opens the file, makes it if it is not there, and brings it up to date. Answers the line that says what was done
    /// to an old database.
    pub fn open(path: &Path, work: Work) -> Result<(Sqlite, Option<String>)> {
        Sqlite::open_with(path, work, "FULL", false)
    }

    /// A server's store that answers before it has synced, so that a cut of the power takes acknowledged writes with it.
    /// For the control of the tests of durability alone, which could else not be seen to find anything: no setting leads
    /// here.
    #[doc(hidden)]
    pub fn open_unsynced(path: &Path) -> Result<Sqlite> {
        Ok(Sqlite::open_with(path, Work::Server, "NORMAL", false)?.0)
    }

    fn open_with(
        path: &Path,
        work: Work,
        syncs: &str,
        for_copy: bool,
    ) -> Result<(Sqlite, Option<String>)> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            let version = rusqlite::version();
            return Err(Error::failed(format!(
                "SQLite {version} can corrupt a file; 3.51.3 or newer is needed"
            )));
        }
        place::ordinary(path)?;
        let made = place::make(path);
        let opened = Sqlite::open_made(path, made, work, syncs, for_copy);
        if let (Err(_), Some(made)) = (&opened, made) {
            place::unmake(path, made);
        }
        opened
    }

    fn open_made(
        path: &Path,
        made: Option<Place>,
        work: Work,
        syncs: &str,
        for_copy: bool,
    ) -> Result<(Sqlite, Option<String>)> {
        let (connection, way, notice, files) = place::settled(path, |place| {
            let (connection, way, notice) = match work {
                Work::Reading => connect_to_read(path, place)?,
                Work::Command | Work::Server => {
                    let (connection, notice) = connect_to_write(path, place, work, syncs)?;
                    (connection, Way::Writing, notice)
                }
            };
            Ok((connection, way, notice, Arc::new(Files::new(path, place))))
        })?;
        if !for_copy && let Some(source) = mark(&connection).map_err(|e| map_err(&e))? {
            return Err(copying::unfinished(&source));
        }
        let cache = (work == Work::Server).then(|| Arc::new(Cache::new()));
        if work == Work::Server {
            begin_anew(&connection, path)?;
        }
        let mut readers = Vec::new();
        let writer = match work {
            // What only reads needs no second connection, which would read the schema once more.
            Work::Reading => {
                readers.push(Reader {
                    connection: with_reader_cache(connection)?,
                    seen: None,
                });
                Writer::nobody()
            }
            Work::Command | Work::Server => {
                let desk = Desk::new(connection, files.clone(), cache.clone())
                    .map_err(|error| schema::unusable(path, &error))?;
                let beside = match work {
                    Work::Server => Some(connect(path, &way)?),
                    Work::Command | Work::Reading => None,
                };
                Writer::new(desk, beside)?
            }
        };
        let inner = Inner {
            path: path.to_path_buf(),
            files,
            work,
            way,
            made: made.filter(|_| work == Work::Command),
            writer,
            cache,
            readers: Mutex::new(readers),
            turns: Arc::new(Semaphore::new(MOST_CHUNKS)),
            closing: Arc::default(),
            ordered: AtomicUsize::new(0),
            backups: OnceLock::new(),
            keys: Keys::default(),
        };
        Ok((
            Sqlite {
                inner: Arc::new(inner),
            },
            notice,
        ))
    }

    /// Lets at most so many writes wait at a time.
    pub fn limit_waiting_writes(&self, most: usize) {
        self.inner.writer.waiting().limit(most);
    }

    /// How many writes were refused as too many were waiting.
    pub fn refused_writes(&self) -> u64 {
        self.inner.writer.waiting().refused()
    }

    /// Opens a file that a copy is to go into, which may have been begun.
    pub fn open_for_copy(path: &Path) -> Result<Sqlite> {
        Ok(Sqlite::open_with(path, Work::Command, "FULL", true)?.0)
    }

    /// Marks an empty database as one that `source` is copied to, and answers the mark that it has already.
    pub(super) async fn mark(&self, source: &str) -> Result<Option<String>> {
        let source = source.to_string();
        self.run(Undo::Savepoint, 0, move |tx| {
            now(copying::mark(tx, &source))
        })
        .await
    }

    /// Takes records as they are, ids and times included.
    pub(super) async fn take(&self, noun: &'static Noun, records: Vec<Record>) -> Result<()> {
        self.run(Undo::Savepoint, 0, move |tx| {
            now(copying::take(tx, noun, &records))
        })
        .await
    }

    /// Removes the mark; ids up to those that were given elsewhere, a noun each, are not given again.
    pub(super) async fn unmark(&self, given: &[i64]) -> Result<()> {
        let given = given.to_vec();
        self.run(Undo::Savepoint, 0, move |tx| {
            for (noun, id) in crate::model::nouns::NOUNS.into_iter().zip(given) {
                let params = [id.into(), noun.plural.into()];
                let raise = "UPDATE sqlite_sequence SET seq = max(seq, $1) WHERE name = $2";
                if now(tx.execute(raise, &params))? == 0 {
                    let add = "INSERT INTO sqlite_sequence (seq, name) VALUES ($1, $2)";
                    now(tx.execute(add, &params))?;
                }
            }
            now(copying::unmark(tx))
        })
        .await
    }

    /// The highest id that a noun was ever given.
    pub(super) async fn last_given(&self, noun: &'static Noun) -> Result<i64> {
        self.inner.read(|connection| {
            let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = $1";
            let seq = connection.query_row(sql, [noun.plural], |row| row.get(0));
            seq.map_err(|error| map_err(&error))
        })
    }

    /// Begins to back the file up, again and again. To be called at most once, and to be stopped before the store is closed.
    pub fn back_up(&self, schedule: Schedule) -> Result<Scheduler> {
        let report = self.inner.backups.get_or_init(Arc::default);
        Scheduler::start(&self.inner.path, schedule, report.clone())
    }

    /// Registers what is measured here.
    pub(super) fn register(&self, registry: &mut Registry) {
        let state = self.inner.writer.state().clone();
        let meter = state.meter().clone();
        meter.register(registry);
        registry.register_with_unit(
            "crm_commit",
            "How many writes shared a commit",
            Unit::Other("writes".into()),
            meter.sizes.clone(),
        );
        let waiting = Live::new(move || state.waiting() as u64);
        registry.register_with_unit(
            "crm_waiting",
            "Writes that wait for their commit",
            Unit::Other("writes".into()),
            waiting,
        );
        let mut log = self.inner.path.clone().into_os_string();
        log.push("-wal");
        // None is there before the first write.
        let bytes = Live::new(move || std::fs::metadata(&log).map_or(0, |found| found.len()));
        registry.register_with_unit(
            "crm_wal",
            "Size of the database's write-ahead log",
            Unit::Bytes,
            bytes,
        );
    }

    /// Runs a rule in a transaction that is synced when this answers.
    async fn run<R: Send + 'static>(
        &self,
        undo: Undo,
        size: usize,
        rule: impl FnOnce(&mut Writing<'_>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        self.inner.writer.run(undo, size, rule).await
    }
}

impl Inner {
    /// A connection for reading, as it was left by the last who read.
    fn reader(&self) -> Result<Reader> {
        let kept = self
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match kept {
            Some(connection) => Ok(connection),
            None => Ok(Reader {
                connection: self.connect()?,
                seen: None,
            }),
        }
    }

    /// Another connection for reading, and for temporary tables.
    fn connect(&self) -> Result<Connection> {
        if self.work != Work::Server {
            return connect(&self.path, &self.way);
        }
        let opened = self.way.another(&self.path);
        // Before it reads: it would take the log of one database for that of another.
        self.files.hold()?;
        prepare_to_read(opened.map_err(|e| map_err(&e))?)
    }

    /// What a read has come to. One that has found damage ends the writing.
    fn seen<R>(&self, read: Result<R>) -> Result<R> {
        if let Err(error) = &read
            && *error == damaged()
        {
            self.writer.state().breaks(damaged());
        }
        read
    }

    fn keep(&self, reader: Reader) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < KEPT_READERS {
            readers.push(reader);
        }
    }

    /// Runs work that may take long beside the threads that serve, a few at a time, or right here for a command.
    async fn beside<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R> + Send + 'static,
    ) -> Result<R> {
        if self.work != Work::Server {
            return work();
        }
        let stop = Stop::new(self.closing.clone());
        let _given_up_with_us = stop.with_its_request();
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        let task = tokio::task::spawn_blocking(move || {
            // The turn ends with the work and not with the request, which may give it up.
            let _turn = turn;
            stop.during(work)
        });
        match task.await {
            Ok(result) => self.seen(result),
            Err(error) => Err(Error::internal(error)),
        }
    }

    /// Whether what is kept of the file may be answered.
    fn is_trusted(&self, cache: &Cache) -> bool {
        cache.is_trusted(|| self.writer.look())
    }

    /// Runs `read` with a reading connection where it is called: for reads of a few microseconds.
    fn read<R>(&self, read: impl FnOnce(&mut Reader) -> Result<R>) -> Result<R> {
        let mut connection = self.reader()?;
        let result = read(&mut connection);
        self.keep(connection);
        self.way.holds(&self.path)?;
        self.seen(result)
    }
}

fn read_tokens(connection: &Connection) -> Result<Vec<(Hash, Token)>> {
    let read = || -> rusqlite::Result<Vec<Vec<Value>>> {
        let mut statement = connection.prepare_cached(tokens::TOKENS)?;
        let width = statement.column_count();
        let mut rows = statement.query([])?;
        let mut read = Vec::new();
        while let Some(row) = rows.next()? {
            let values = (0..width).map(|at| row.get_ref(at).map(value));
            read.push(values.collect::<rusqlite::Result<_>>()?);
        }
        Ok(read)
    };
    let rows = read().map_err(|error| map_err(&error))?;
    let tokens = rows.iter().map(|row| tokens::token(row));
    let tokens: Option<Vec<_>> = tokens.collect();
    // One that cannot be read may be the one that keeps a service from being open.
    tokens.ok_or_else(|| Error::internal("the database: a token cannot be read"))
}

/// The connection of a command that reads, how others are to be made, and what was done for it.
fn connect_to_read(path: &Path, place: Place) -> Result<(Connection, Way, Option<String>)> {
    let refuse = |error: rusqlite::Error| schema::unusable(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let (mut connection, way, notice) = reading::open(path, flags, |connection| {
        let notice = match connection.is_readonly("main").map_err(refuse)? {
            false => schema::prepare(path, place, connection)?,
            true => {
                connection.busy_timeout(PATIENCE).map_err(refuse)?;
                let state = schema::state(connection).map_err(|refused| refused.error(path))?;
                reading::refuse_old(path, state)?;
                None
            }
        };
        set_up(connection).map_err(refuse)?;
        Ok(notice)
    })?;
    connection.busy_handler(Some(turn::again)).map_err(refuse)?;
    let way = match way {
        way @ (Way::Writing | Way::Logged) => {
            let mode: String = connection
                .pragma_query_value(None, "journal_mode", |row| row.get(0))
                .map_err(refuse)?;
            // Without a log nothing keeps another file from being restored over this one between two reads.
            match mode == "wal" {
                true => way,
                false => Way::Reading,
            }
        }
        way => way,
    };
    Ok((connection, way, notice))
}

/// The connection that writes, to a file that was brought up to date, and what was done for that.
fn connect_to_write(
    path: &Path,
    place: Place,
    work: Work,
    syncs: &str,
) -> Result<(Connection, Option<String>)> {
    let refuse = |error: rusqlite::Error| schema::unusable(path, &error);
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(refuse)?;
    // SQLite opens what it may not write to for reading, and says so at the first write.
    if connection.is_readonly("main").map_err(refuse)? {
        return Err(schema::unwritable(path));
    }
    let notice = schema::prepare(path, place, &mut connection)?;
    // After the schema, which has a patience of its own and leaves none behind.
    connection.busy_handler(Some(turn::again)).map_err(refuse)?;
    set_up(&mut connection).map_err(refuse)?;
    connection
        .pragma_update(None, "synchronous", syncs)
        .map_err(refuse)?;
    if work == Work::Server {
        connection
            .pragma_update(None, "cache_size", -WRITER_CACHE)
            .map_err(refuse)?;
    }
    let mode = write_ahead(&connection).map_err(refuse)?;
    if mode != "wal" {
        let shown = path.display();
        return Err(Error::failed(format!(
            "{shown}: expected a file system that can hold a write-ahead log"
        )));
    }
    // The first read takes the lock that a connection with a log keeps until it is closed: from here on nobody can
    // restore another file over this one.
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(refuse)?;
    Ok((connection, notice))
}

/// Lets a server begin with nothing that only its log has. What the process before could not sync, as the disk failed, the
/// system may show as if it were there, and would not write again: a commit that follows it in the log would be lost with
/// it. Moved into the file it is written once more. And the log's own name has to last, which SQLite asks for, but without
/// looking at the answer.
fn begin_anew(connection: &Connection, path: &Path) -> Result<()> {
    part::sync_folder(path)?;
    match checkpoint::pass(connection) {
        Ok(_) => Ok(()),
        // Reads go on without room, and the writes tell of it.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => Ok(()),
        Err(error) => Err(schema::unusable(path, &error)),
    }
}

/// The source of a copy that was begun and not finished.
fn mark(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'crm_copy'";
    match connection.query_row(there, [], |row| row.get(0))? {
        0 => Ok(None),
        _ => connection
            .query_row("SELECT source FROM crm_copy", [], |row| row.get(0))
            .optional(),
    }
}

/// Turns the write-ahead log on, and answers the mode the file is in. Where two do that at once, the second is busy at once,
/// whatever it is willing to wait: SQLite has it read first, and does not let a reader wait to become a writer.
fn write_ahead(connection: &Connection) -> rusqlite::Result<String> {
    let start = Instant::now();
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        match &mode {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && start.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(1));
            }
            _ => return mode,
        }
    }
}

/// Another connection to the file, for reading and for temporary tables.
fn connect(path: &Path, way: &Way) -> Result<Connection> {
    prepare_to_read(way.another(path).map_err(|e| map_err(&e))?)
}

fn prepare_to_read(mut connection: Connection) -> Result<Connection> {
    connection
        .busy_handler(Some(turn::again))
        .map_err(|e| map_err(&e))?;
    set_up(&mut connection).map_err(|e| map_err(&e))?;
    with_reader_cache(connection)
}

fn with_reader_cache(connection: Connection) -> Result<Connection> {
    connection
        .pragma_update(None, "cache_size", -READER_CACHE)
        .map_err(|e| map_err(&e))?;
    Ok(connection)
}

/// What every connection needs, whatever it is for.
fn set_up(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
    functions::add(connection)?;
    // Else a statement is planned anew for every limit that is bound to it, at a fifth of what a short list costs.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.progress_handler(STEPS, Some(stop::asked))?;
    // temp_store: a list's ids may be many, and belong into a file.
    connection.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = FILE",
    )
}

impl Store for Sqlite {
    async fn write<W: Write>(&self, mut write: W, terms: Terms) -> Result<Outcome<W::Done>> {
        write.check()?;
        let undo = match terms.key.is_none() && write.extent() != Extent::Several {
            true => Undo::Statement,
            false => Undo::Savepoint,
        };
        let size = write.size();
        let outcome = self
            .run(undo, size, move |tx| now(once::run(write, tx, &terms)))
            .await;
        if W::CHANGES_TOKENS {
            self.inner.keys.forget();
        }
        outcome
    }

    async fn get(&self, noun: &'static Noun, id: i64) -> Result<Record> {
        self.inner.read(|connection| {
            let mut statement = connection
                .prepare_cached(&statements::statements(noun).select)
                .map_err(|e| map_err(&e))?;
            let mut rows = statement.query([id]).map_err(|e| map_err(&e))?;
            match rows.next().map_err(|e| map_err(&e))? {
                Some(row) => record(noun, row),
                None => Err(noun.not_found()),
            }
        })
    }

    async fn get_json(&self, noun: &'static Noun, id: i64) -> Result<Snapshot> {
        let Some(cache) = &self.inner.cache else {
            return Ok(Snapshot::from(&self.get(noun, id).await?));
        };
        if self.inner.is_trusted(cache)
            && let Some(kept) = cache.get(noun, id)
        {
            return Ok(kept);
        }
        let generation = cache.generation();
        let read = Snapshot::from(&self.get(noun, id).await?);
        cache.keep(generation, noun, id, &read);
        Ok(read)
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let tokens = self.inner.read(|reader| read_tokens(reader))?;
        Ok(tokens.into_iter().map(|(_, token)| token).collect())
    }

    async fn keyring(&self) -> Result<Arc<Keyring>> {
        self.inner.keyring(false)
    }

    async fn keyring_anew(&self) -> Result<Arc<Keyring>> {
        self.inner.keyring(true)
    }

    async fn list_into<R: Rows>(&self, query: Query, rows: R) -> Result<Listing<R>> {
        list::list(self.inner.clone(), query, rows).await
    }

    async fn ready(&self) -> Result<Ready> {
        let ready = |at| Ready {
            last_commit: at,
            backups: self.backups(),
        };
        if let Some(at) = self.inner.writer.committed_within(FRESH)? {
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
            // Whether this one was saved matters to nobody.
            Err(error) if error.code == Code::Unknown => Err(Error::new(
                Code::Unavailable,
                "no writes are taken, as the disk of the database fails",
            )),
            Err(error) => Err(error),
        }
    }

    fn backups(&self) -> Option<Report> {
        let report = self.inner.backups.get()?;
        Some(
            report
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }

    async fn close(&self) -> Result<()> {
        self.inner.closing.store(true, Ordering::Relaxed);
        for reader in self
            .inner
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            self.inner.way.end(&reader);
        }
        let held = self.inner.way.holds(&self.inner.path);
        let written = self.inner.writer.has_committed();
        let closed = self.inner.writer.close().await;
        if let (Some(made), false) = (self.inner.made, written) {
            place::unmake(&self.inner.path, made);
        }
        closed.and(held)
    }
}

/// Runs a rule to its end. On this store a rule never has to wait: all it awaits is done at once.
fn now<R>(rule: impl Future<Output = R>) -> R {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(rule).poll(&mut context) {
        std::task::Poll::Ready(result) => result,
        std::task::Poll::Pending => unreachable!("a rule over SQLite has nothing to wait for"),
    }
}

/// A write's view of the writing connection.
struct Writing<'a> {
    connection: &'a mut Connection,
    state: &'a State,
}

impl Writing<'_> {
    /// A failed constraint is for the rule to explain.
    fn fault(&self, error: &rusqlite::Error) -> Fault {
        match error.sqlite_error().map(|error| error.extended_code) {
            Some(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Fault::Reference,
            _ => Fault::Error(self.state.failed(error)),
        }
    }
}

impl Transaction for Writing<'_> {
    /// Nobody else writes.
    const LOCKING: &'static str = "";
    const SKIPPING: &'static str = "";

    async fn alone_with(&mut self, _key: &str) -> Result<()> {
        Ok(())
    }

    async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>, Fault> {
        let query = || -> rusqlite::Result<Vec<Vec<Value>>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let width = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            let mut answer = Vec::new();
            while let Some(row) = rows.next()? {
                let values = (0..width).map(|at| row.get_ref(at).map(value));
                answer.push(values.collect::<rusqlite::Result<_>>()?);
            }
            Ok(answer)
        };
        let answer = query().map_err(|error| self.fault(&error))?;
        answer.iter().for_each(|row| self.state.handles(row));
        Ok(answer)
    }

    async fn insert(&mut self, sql: &str, params: &[Value]) -> Result<i64, Fault> {
        self.state.handles(params);
        let insert = || {
            self.connection
                .prepare_cached(sql)?
                .insert(rusqlite::params_from_iter(params))
        };
        insert().map_err(|error| self.fault(&error))
    }

    async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Fault> {
        self.state.handles(params);
        let execute = || {
            self.connection
                .prepare_cached(sql)?
                .execute(rusqlite::params_from_iter(params))
        };
        execute()
            .map(|rows| rows as u64)
            .map_err(|error| self.fault(&error))
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// A column's value. The tables are strict, so that there is nothing but null, integers and text; text that another
/// program left broken cannot be shown.
fn cell(value: ValueRef<'_>) -> Result<Cell<'_>> {
    match value {
        ValueRef::Integer(int) => Ok(Cell::Int(int)),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(Cell::Text(text)),
            Err(_) => Err(Error::internal("the database: a text is not UTF-8")),
        },
        _ => Ok(Cell::Null),
    }
}

/// The same with a copy of it, for a rule.
fn value(value: ValueRef<'_>) -> Value {
    cell(value).map_or(Value::Null, Value::from)
}

/// The most columns a noun has.
const MOST_COLUMNS: usize = 16;

/// Hands over a row of [`statements::columns`] or of [`statements::fields`] without a copy of it.
fn with_cells<T>(
    noun: &Noun,
    row: &rusqlite::Row<'_>,
    take: impl FnOnce(&[Cell<'_>]) -> T,
) -> Result<T> {
    let mut cells = [Cell::Null; MOST_COLUMNS];
    let columns = row.as_ref().column_count().min(noun.fields.len() + 1);
    let cells = &mut cells[..columns];
    for (at, place) in cells.iter_mut().enumerate() {
        *place = cell(row.get_ref(at).map_err(|error| map_err(&error))?)?;
    }
    Ok(take(cells))
}

/// A row of [`statements::columns`] or of [`statements::fields`].
fn record(noun: &'static Noun, row: &rusqlite::Row<'_>) -> Result<Record> {
    let values = with_cells(noun, row, |cells| {
        cells.iter().map(|cell| Value::from(*cell)).collect()
    })?;
    Ok(Record { noun, values })
}

/// What SQLite says, as crm says it.
fn map_err(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::new(
            Code::Unavailable,
            "the database is busy: another program has been writing to it for seconds; nothing was saved, try again",
        ),
        Some(ErrorCode::DiskFull) => Error::new(
            Code::Full,
            "the disk is full: nothing was saved; make room and try again",
        ),
        Some(ErrorCode::TooBig) => Error::new(
            Code::TooLarge,
            "the record is larger than the database takes",
        ),
        Some(ErrorCode::SystemIoFailure) => Error::new(
            Code::Unavailable,
            format!(
                "the disk failed under the database, or cannot be written to ({error}); nothing was saved"
            ),
        ),
        Some(ErrorCode::ReadOnly) => Error::new(
            Code::Unavailable,
            "the database cannot be written to: the file or its disk is read-only; nothing was saved",
        ),
        Some(ErrorCode::CannotOpen) => Error::new(
            Code::Unavailable,
            "the database, or its log (-wal) or the index of that (-shm) beside it, cannot be opened or made; see that \
             the disk has room and that crm may write to them and to their folder, and how many files it may have open; \
             nothing was saved",
        ),
        Some(ErrorCode::OperationInterrupted) => {
            Error::new(Code::Unavailable, "the service is shutting down")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(),
        _ => Error::internal(format!("the database: {}", schema::reason(error))),
    }
}

/// What is said of a damaged database, and by which it is known that one was found.
fn damaged() -> Error {
    Error::new(
        Code::Unavailable,
        "the database is damaged: nothing was saved, no more writes are taken, and what is damaged cannot be read; crm \
         check shows the damage; restore a backup, then start the service again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is while another process turns the log on: a new file has none yet, and neither has one that was restored.
    #[test]
    fn a_file_without_a_log_is_opened_while_another_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crm.db");
        drop(Sqlite::open(&path, Work::Command).unwrap());
        let other = Connection::open(&path).unwrap();
        other
            .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
            .unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        std::thread::scope(|scope| {
            let opening = scope.spawn(|| Sqlite::open(&path, Work::Command).map(drop));
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(200) && !opening.is_finished() {
                std::thread::yield_now();
            }
            other.execute_batch("COMMIT").unwrap();
            opening.join().unwrap().unwrap();
        });
    }
}
