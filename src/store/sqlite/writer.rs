//! The one connection that writes, and the commits that its writes share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE};
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::cache::{self, Cache};
use super::checkpoint::{self, Checkpoints};
use super::place::Files;
use super::turn::Turnstile;
use super::{Writing, damaged, map_err};
use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::record::Value;
use crate::store::meter::Meter;
use crate::store::waiting::Waiting;

/// The most writes that share a commit. Beyond it the sync is no longer what a write costs.
const LARGEST_BATCH: usize = 1_024;

/// What the writes of a batch may read and write together, in bytes, before it takes no more. A few hundred of the largest
/// records in one commit would be hundreds of megabytes of memory and of log.
const LARGEST_COMMIT: usize = 8 * 1024 * 1024;

/// A batch of so many writes is not divided: the sync is most of what they cost.
const SMALL_BATCH: usize = 16;

/// The most that the waiting writes may hold, in bytes. Beyond it the answer is 503, as a queue of the largest records
/// would be gigabytes.
const LARGEST_QUEUE: usize = 64 * 1024 * 1024;

/// A write that waits.
pub(super) trait Job: Send {
    /// Runs it inside of the batch's transaction. Answers the error it failed with.
    fn run(&mut self, connection: &mut Connection, state: &State) -> Option<Error>;

    /// Tells the waiting caller, given whether the transaction was committed. One that was never run gets the error.
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// How what a rule did is undone when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// By SQLite itself: one of its statements writes, and a statement that fails has changed nothing.
    Statement,
    /// By a savepoint. It costs a copy of every page that is changed.
    Savepoint,
}

/// A rule, then its result.
struct Write<F, R> {
    undo: Undo,
    rule: Option<F>,
    result: Option<Result<R>>,
    tell: oneshot::Sender<Result<R>>,
    _room: Room,
}

/// What a write takes of [`LARGEST_QUEUE`], until it has been answered.
struct Room {
    state: Arc<State>,
    size: usize,
}

impl Room {
    fn take(state: &Arc<State>, size: usize) -> Result<Room> {
        state.writes.enter()?;
        let before = state.waiting.fetch_add(size, Ordering::Relaxed);
        let room = Room {
            state: state.clone(),
            size,
        };
        // One that is alone is never refused.
        match before > 0 && before + size > LARGEST_QUEUE {
            true => Err(state.writes.full()),
            false => Ok(room),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.state.waiting.fetch_sub(self.size, Ordering::Relaxed);
        self.state.writes.leave();
    }
}

impl<R: Send, F: FnOnce(&mut Writing<'_>) -> Result<R> + Send> Job for Write<F, R> {
    fn run(&mut self, connection: &mut Connection, state: &State) -> Option<Error> {
        let rule = self.rule.take()?;
        let result = match self.undo {
            Undo::Statement => alone(connection, state, rule),
            Undo::Savepoint => in_savepoint(connection, state, rule),
        };
        let error = result.as_ref().err().cloned();
        self.result = Some(result);
        error
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        // Nobody listens any more where the client has gone; the write stands all the same.
        let _ = self.tell.send(match (self.result, committed) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(result), Ok(())) => result,
            (None, Ok(())) => Err(closed()),
        });
    }
}

/// Where writes go.
pub(super) enum Writer {
    /// They run where they are called.
    Here {
        desk: Mutex<Option<Desk>>,
        state: Arc<State>,
    },
    /// They run on a thread.
    Thread {
        queue: Mutex<Option<Sender<Message>>>,
        thread: Mutex<Option<JoinHandle<Result<()>>>>,
        state: Arc<State>,
    },
}

/// What the thread is asked for.
pub(super) enum Message {
    Write(Box<dyn Job>),
    /// A look at the file, for what is kept of it.
    Look,
}

/// What it takes to write.
pub(super) struct Desk {
    connection: Connection,
    files: Arc<Files>,
    turnstile: Turnstile,
    cache: Option<Arc<Cache>>,
    /// The rows that were changed since the last commit.
    changed: Arc<Mutex<Vec<cache::Key>>>,
    /// The file's version as of the last look.
    version: i64,
    /// A server's.
    checkpoints: Option<Checkpoints>,
    /// The pages of the write-ahead log, as of the last commit.
    pages: Arc<AtomicUsize>,
}

/// What is known of the commits.
#[derive(Default)]
pub(super) struct State {
    /// The last one.
    last: Mutex<Option<(Instant, String)>>,
    /// Why no more writes are taken.
    broken: Mutex<Option<Error>>,
    /// Whether a batch has failed since the last commit, which then shows no more that writes are taken.
    failing: AtomicBool,
    /// What the waiting writes hold, in bytes.
    waiting: AtomicUsize,
    /// How many they are.
    writes: Waiting,
    /// Whether a look at the file is asked for that nobody has taken yet.
    look: AtomicBool,
    /// What the batch that runs has read and written, in bytes.
    handled: AtomicUsize,
    /// What is measured of the commits.
    meter: Meter,
}

impl State {
    /// To be told of what a statement reads or writes.
    pub(super) fn handles(&self, values: &[Value]) {
        let bytes = values.iter().map(|value| value.text().map_or(0, str::len));
        self.handled.fetch_add(bytes.sum(), Ordering::Relaxed);
    }

    fn committed(&self) {
        *lock(&self.last) = Some((Instant::now(), time::now()));
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("writes succeed again");
        }
    }

    /// To be told of the error that a batch has ended with.
    fn fails(&self, error: Error) -> Error {
        // Once, as each write of the next hours may fail the same way.
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!("writes fail: {error}");
        }
        error
    }

    /// The error as crm says it. After some of them nothing may be written again: after a failed sync nobody knows what
    /// the disk has (and a second sync would succeed without it), and a damaged file only gets worse.
    pub(super) fn failed(&self, error: &rusqlite::Error) -> Error {
        match error.sqlite_error_code() {
            _ if is_of_sync(error) => {
                tracing::error!("no more writes are taken: a sync of the database failed: {error}");
                self.breaks(Error::new(
                    Code::Unavailable,
                    "no more writes are taken, as the disk failed to sync the database; nothing was saved; check the \
                     disk, then start the service again",
                ))
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                tracing::error!("no more writes are taken: the database is damaged: {error}");
                self.breaks(damaged())
            }
            _ => map_err(error),
        }
    }

    /// The same for a commit that failed. Where it was not the writing of its pages that failed, all of them may be in the
    /// log, and whoever opens the database next may find them there.
    fn uncommitted(&self, error: &rusqlite::Error) -> Error {
        let failed = self.failed(error);
        let code = error.sqlite_error().map(|error| error.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure) if code != Some(SQLITE_IOERR_WRITE) => unknown(),
            Some(ErrorCode::OutOfMemory) => unknown(),
            _ => failed,
        }
    }

    /// No more writes are taken, for this reason.
    pub(super) fn breaks(&self, why: Error) -> Error {
        lock(&self.broken).get_or_insert(why).clone()
    }

    /// What is measured of the commits.
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// How many writes wait for their commit.
    pub(super) fn waiting(&self) -> usize {
        self.writes.count()
    }

    /// Whether writes are still taken.
    pub(super) fn intact(&self) -> Result<()> {
        match &*lock(&self.broken) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the disk failed to keep what was written.
fn is_of_sync(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC))
}

/// The error of a write of which nobody knows.
fn unknown() -> Error {
    let message = "the disk failed while this was being saved: it may have been saved; look before you try again";
    Error::new(Code::Unknown, message)
}

fn closed() -> Error {
    Error::new(
        Code::Unavailable,
        "the service is shutting down; nothing was saved",
    )
}

impl Writer {
    /// Writes at `desk`: on a thread, if there is a connection for another one that moves the write-ahead log.
    pub(super) fn new(mut desk: Desk, beside: Option<Connection>) -> Result<Writer> {
        let state = Arc::new(State::default());
        let Some(beside) = beside else {
            return Ok(Writer::Here {
                desk: Mutex::new(Some(desk)),
                state,
            });
        };
        desk.check_point_beside(beside, &state)?;
        let (queue, messages) = channel();
        let seen = state.clone();
        let thread = std::thread::Builder::new()
            .name("crm-writer".into())
            .spawn(move || work_off(desk, &messages, &seen));
        let thread = thread
            .map_err(|error| Error::failed(format!("cannot start the writing thread: {error}")))?;
        Ok(Writer::Thread {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            state,
        })
    }

    /// Of a store that is only read.
    pub(super) fn nobody() -> Writer {
        Writer::Here {
            desk: Mutex::default(),
            state: Arc::default(),
        }
    }

    pub(super) fn state(&self) -> &Arc<State> {
        match self {
            Writer::Here { state, .. } | Writer::Thread { state, .. } => state,
        }
    }

    /// Runs a rule that holds `size` bytes; when this answers `Ok`, it has been committed and synced.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        undo: Undo,
        size: usize,
        rule: impl FnOnce(&mut Writing<'_>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        self.state().intact()?;
        let (tell, told) = oneshot::channel();
        let job = Box::new(Write {
            undo,
            rule: Some(rule),
            result: None,
            tell,
            _room: Room::take(self.state(), size)?,
        });
        match self {
            Writer::Here { desk, state } => {
                let mut desk = lock(desk);
                desk.as_mut().ok_or_else(closed)?.batch(state, job, || None);
            }
            Writer::Thread { queue, .. } => {
                let queue = lock(queue);
                let sent = queue.as_ref().ok_or_else(closed)?.send(Message::Write(job));
                sent.map_err(|_| closed())?;
            }
        }
        told.await.unwrap_or_else(|_| Err(closed()))
    }

    /// The writes that wait.
    pub(super) fn waiting(&self) -> &Waiting {
        &self.state().writes
    }

    /// Asks for a look at the file. Where many writes wait already, the next batch of them looks.
    pub(super) fn look(&self) {
        if let Writer::Thread { queue, state, .. } = self
            && let Some(queue) = &*lock(queue)
            && !state.look.swap(true, Ordering::Relaxed)
        {
            let _ = queue.send(Message::Look);
        }
    }

    /// When the last commit was, if it is no older than `age` and none has failed since. An error where no more writes are
    /// taken.
    pub(super) fn committed_within(&self, age: Duration) -> Result<Option<String>> {
        self.state().intact()?;
        if self.state().failing.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let last = lock(&self.state().last);
        Ok(last
            .as_ref()
            .filter(|(at, _)| at.elapsed() < age)
            .map(|(_, text)| text.clone()))
    }

    /// Whether anything was ever committed.
    pub(super) fn has_committed(&self) -> bool {
        lock(&self.state().last).is_some()
    }

    /// Works off what waits, moves the write-ahead log into the file, and closes it.
    pub(super) async fn close(&self) -> Result<()> {
        match self {
            Writer::Here { desk, .. } => match lock(desk).take() {
                Some(desk) => desk.finish(false, self.state()),
                None => Ok(()),
            },
            Writer::Thread { queue, thread, .. } => {
                // Without a sender the thread ends when the queue is empty.
                drop(lock(queue).take());
                let Some(thread) = lock(thread).take() else {
                    return Ok(());
                };
                let ended = tokio::task::spawn_blocking(move || thread.join()).await;
                ended
                    .map_err(Error::internal)?
                    .map_err(|_| Error::internal("the writing thread panicked"))?
            }
        }
    }
}

/// The thread: batches until nobody can send any more.
fn work_off(mut desk: Desk, messages: &Receiver<Message>, state: &State) -> Result<()> {
    while let Ok(message) = messages.recv() {
        match message {
            Message::Look => {
                // Before it looks: what is asked for from now on may be about what it does not see.
                state.look.store(false, Ordering::Relaxed);
                desk.look();
            }
            Message::Write(first) => desk.batch(state, first, || {
                loop {
                    match messages.try_recv() {
                        Ok(Message::Write(job)) => return Some(job),
                        // The batch has looked.
                        Ok(Message::Look) => state.look.store(false, Ordering::Relaxed),
                        Err(_) => return None,
                    }
                }
            }),
        }
    }
    desk.finish(true, state)
}

impl Desk {
    /// For the database of these files; `cache` is told what changes.
    pub(super) fn new(
        mut connection: Connection,
        files: Arc<Files>,
        cache: Option<Arc<Cache>>,
    ) -> rusqlite::Result<Desk> {
        let changed: Arc<Mutex<Vec<cache::Key>>> = Arc::default();
        if cache.is_some() {
            let changed = changed.clone();
            connection.update_hook(Some(move |_, _: &str, table: &str, id| {
                lock(&changed).extend(cache::key(table, id));
            }))?;
        }
        // Beside a server, which lets the log become long, a command would else move all of it in its one commit.
        connection.pragma_update(None, "wal_autocheckpoint", checkpoint::TOO_LONG as i64)?;
        Ok(Desk {
            connection,
            turnstile: Turnstile::of(files.path()),
            files,
            cache,
            changed,
            version: 0,
            checkpoints: None,
            pages: Arc::default(),
        })
    }

    /// Leaves checkpoints to a thread, which has this connection.
    fn check_point_beside(&mut self, other: Connection, state: &Arc<State>) -> Result<()> {
        let pages = self.pages.clone();
        let hook = move |_: &mut Wal, count: std::ffi::c_int| {
            pages.store(usize::try_from(count).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        self.connection
            .wal_hook(Some(hook))
            .map_err(|error| map_err(&error))?;
        self.checkpoints = Some(Checkpoints::start(other, state.clone())?);
        Ok(())
    }

    /// Whether another process has written. Only this connection can tell: the version it sees does not count its own
    /// commits, and nobody else of this process writes.
    fn look(&mut self) {
        let Some(cache) = &self.cache else {
            return;
        };
        let at = cache.look_begins();
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        // After a failed look nothing that is kept is trusted, until there is one that is not.
        if let Ok(version) = version {
            cache.look_ends(at, version != self.version);
            if version != self.version {
                self.mind_triggers();
            }
            self.version = version;
        }
    }

    /// Runs without triggers where the file has none but crm's own, which are for the changes of others: they would make
    /// half of what an update costs here come on top of it, to count nothing. To be asked when others have written, as one
    /// of them may have made a trigger.
    fn mind_triggers(&self) {
        const OTHERS: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name NOT IN \
                              ('leads_count_version', 'actions_count_version', 'processes_count_version')";
        let others: rusqlite::Result<i64> = self
            .connection
            .prepare_cached(OTHERS)
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        // Where nobody can tell, and where this fails, they are run.
        let are_run = others != Ok(0);
        let setting = DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER;
        if self.connection.db_config(setting) != Ok(are_run) {
            let _ = self.connection.set_db_config(setting, are_run);
        }
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        run(&self.connection, sql)
    }

    /// Runs the first write and those that `more` has, in one transaction, and answers all of them after its commit.
    fn batch(
        &mut self,
        state: &State,
        first: Box<dyn Job>,
        more: impl FnMut() -> Option<Box<dyn Job>>,
    ) {
        let half = state.writes.count().div_ceil(2);
        let waiting = std::iter::once(first).chain(std::iter::from_fn(more));
        let begun = state.intact().and_then(|()| {
            self.files.hold()?;
            let _inside = self.turnstile.enter();
            // IMMEDIATE: a transaction that starts with a read and then writes fails at once when another has written
            // between the two, however long it is willing to wait.
            self.run("BEGIN IMMEDIATE")
                .map_err(|error| state.failed(&error))
        });
        if let Err(error) = begun.map_err(|error| state.fails(error)) {
            // Those that wait have waited as long as the first; trying each of them anew would make the last wait for
            // ever.
            return waiting.for_each(|job| job.answer(Err(error.clone())));
        }
        // Half of them, so that the others are read and checked while these are synced, and the other way round. Where
        // all went together, writer and readers would wait for one another.
        let mut waiting = waiting.take(half.clamp(SMALL_BATCH, LARGEST_BATCH));
        self.look();
        lock(&self.changed).clear();
        state.handled.store(0, Ordering::Relaxed);
        let mut done: Vec<Box<dyn Job>> = Vec::new();
        let mut saved = 0;
        while state.handled.load(Ordering::Relaxed) < LARGEST_COMMIT
            && let Some(mut job) = waiting.next()
        {
            let failed = job.run(&mut self.connection, state);
            done.push(job);
            saved += u64::from(failed.is_none());
            if let Some(error) = failed.filter(|_| self.connection.is_autocommit()) {
                // A full disk or an I/O error ends the whole transaction and not only the savepoint.
                let error = state.fails(error);
                return done
                    .into_iter()
                    .for_each(|job| job.answer(Err(error.clone())));
            }
        }
        let began = Instant::now();
        let committed = self.commit(state).map_err(|error| state.fails(error));
        // Where all have failed there was nothing to sync.
        if committed.is_ok() && saved > 0 {
            state.meter.times.add_time(began.elapsed());
            state.meter.sizes.add(saved);
        }
        done.into_iter()
            .for_each(|job| job.answer(committed.clone()));
        if let Some(checkpoints) = &mut self.checkpoints {
            let pages = self.pages.load(Ordering::Relaxed);
            checkpoints.after_commit(pages, &self.connection, state);
        }
    }

    /// Closes the connection. SQLite itself checkpoints when the last connection of all processes closes; a server does it
    /// also when others are there, so that it leaves a whole file behind.
    fn finish(self, checkpoint: bool, state: &State) -> Result<()> {
        let connection = self.connection;
        if let Some(checkpoints) = self.checkpoints {
            checkpoints.end();
        }
        let file = self.files.path().display();
        if state.intact().is_err() {
            // After a failed sync the file may lack what an earlier checkpoint has moved, and a further one would not see
            // that and let go of the log, in which all is that was acknowledged. As long as this connection is open, no
            // other of this process is the last and would checkpoint when it closes: so it is left to the process's end.
            std::mem::forget(connection);
            return Err(Error::failed(format!(
                "{file}: was left as it is, with its log, after the disk had failed or the database was found damaged; \
                 keep {file}-wal beside it"
            )));
        }
        if checkpoint {
            let run = |sql: &str| {
                let done = connection.query_row(sql, [], |_| Ok(()));
                done.map_err(|error| {
                    let (code, why) = match error.sqlite_error_code() {
                        Some(ErrorCode::DiskFull) => (Code::Full, "the disk is full".into()),
                        Some(ErrorCode::SystemIoFailure) => {
                            (Code::Failed, format!("the disk failed ({error})"))
                        }
                        _ => return (map_err(&error), false),
                    };
                    let message = format!(
                        "{file}: {why}, so that its log could not be written into it; nothing that was saved is lost: \
                         keep {file}-wal beside it, see to the disk, and start again"
                    );
                    (Error::new(code, message), is_of_sync(&error))
                })
            };
            // A connection that has not used the log yet would open it inside of the checkpoint, by a read that then keeps
            // the checkpoint itself waiting for as long as a busy database is waited for.
            let moved = run("SELECT count(*) FROM sqlite_schema")
                .and_then(|()| run("PRAGMA wal_checkpoint(TRUNCATE)"));
            if let Err((error, is_of_sync)) = moved {
                if is_of_sync {
                    // As above.
                    std::mem::forget(connection);
                }
                return Err(error);
            }
        }
        connection.close().map_err(|(_, error)| map_err(&error))
    }

    fn commit(&self, state: &State) -> Result<()> {
        if let Err(broken) = state.intact() {
            // Met by one of these writes, or by a checkpoint meanwhile.
            let _ = self.connection.execute_batch("ROLLBACK");
            return Err(broken);
        }
        if let Some(cache) = &self.cache {
            cache.commit_begins();
        }
        let committed = self.run("COMMIT").map_err(|error| {
            // SQLite has rolled back by itself, or has to be told to.
            if !self.connection.is_autocommit() {
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            state.uncommitted(&error)
        });
        if let Some(cache) = &self.cache {
            cache.commit_ends(&lock(&self.changed));
        }
        // What went into a file that nobody will find under its name again is not to be acknowledged, and neither is what
        // was synced beside a sync that failed.
        let found = || self.files.hold().and(state.intact());
        committed.and_then(|()| found().map_err(|_| unknown()))?;
        state.committed();
        Ok(())
    }
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute([]).map(drop)
}

/// Runs a rule of which one statement writes.
fn alone<R>(
    connection: &mut Connection,
    state: &State,
    rule: impl FnOnce(&mut Writing<'_>) -> Result<R>,
) -> Result<R> {
    let before = connection.total_changes();
    let result = guarded(connection, state, rule);
    if result.is_err() && connection.total_changes() != before && !connection.is_autocommit() {
        // A rule that fails after it has written is a defect. There is no savepoint to go back to: all is undone, and
        // nobody of the batch is told anything that is not so.
        let _ = connection.execute_batch("ROLLBACK");
    }
    result
}

/// Runs a rule so that what it did is undone when it fails.
fn in_savepoint<R>(
    connection: &mut Connection,
    state: &State,
    rule: impl FnOnce(&mut Writing<'_>) -> Result<R>,
) -> Result<R> {
    let run = |connection: &Connection, sql: &str| {
        run(connection, sql).map_err(|error| state.failed(&error))
    };
    run(connection, "SAVEPOINT write")?;
    let result = guarded(connection, state, rule);
    match &result {
        Ok(_) => run(connection, "RELEASE write")?,
        // What ends the whole transaction has ended the savepoint too.
        Err(_) if connection.is_autocommit() => {}
        Err(_) => {
            run(connection, "ROLLBACK TO write").and_then(|()| run(connection, "RELEASE write"))?
        }
    }
    result
}

/// Runs a rule. One that panics is a defect, but one that must not take the other writes with it.
fn guarded<R>(
    connection: &mut Connection,
    state: &State,
    rule: impl FnOnce(&mut Writing<'_>) -> Result<R>,
) -> Result<R> {
    catch_unwind(AssertUnwindSafe(|| {
        rule(&mut Writing { connection, state })
    }))
    .unwrap_or_else(|_| Err(Error::internal("a write panicked")))
}
