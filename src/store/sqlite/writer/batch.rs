//! Batches: many writes in one transaction, with one commit and one sync.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode};

use super::checkpoint::{Checkpoints, TOO_LONG};
use super::commits::{Commits, is_of_sync, unknown};
use super::job::Job;
use super::transaction::{SqliteTransaction, ids_are_gone, run};
use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;
use crate::store::sqlite::cache::{self, Cache, CacheKey};
use crate::store::sqlite::error::map_err;
use crate::store::sqlite::file::log::truncate;
use crate::store::sqlite::file::place::OpenFiles;
use crate::store::sqlite::file::schema::table;
use crate::store::sqlite::lock::lock;
use crate::store::sqlite::turn::Turnstile;

/// The most writes that share a commit. Beyond it the sync is no longer the main cost of a write.
const LARGEST_BATCH: usize = 1_024;

/// How much the writes of a batch may read and write together, in bytes. Beyond that, the batch takes no more writes. A few
/// hundred of the largest records in one commit would need hundreds of megabytes of memory and of log.
const LARGEST_COMMIT: usize = 8 * 1024 * 1024;

/// A batch of this many writes is not divided, because most of its cost is the sync.
const SMALL_BATCH: usize = 16;

/// The writing connection, with everything that a batch needs.
pub(crate) struct BatchWriter {
    pub(super) connection: Connection,
    pub(super) nouns: &'static [&'static Noun],
    pub(super) files: Arc<OpenFiles>,
    pub(super) turnstile: Turnstile,
    cache: Option<Arc<Cache>>,
    /// The rows that changed since the last commit.
    changed: Arc<Mutex<Vec<CacheKey>>>,
    /// The file's version at the last check.
    version: i64,
    /// The checkpoints of a server. A command has none.
    pub(super) checkpoints: Option<Checkpoints>,
    /// The pages of the write-ahead log after the last commit.
    pub(super) pages: Arc<AtomicUsize>,
}

impl BatchWriter {
    /// A writer for the database of these files. Changed records are dropped from `cache`.
    pub(crate) fn new(
        mut connection: Connection,
        nouns: &'static [&'static Noun],
        files: Arc<OpenFiles>,
        cache: Option<Arc<Cache>>,
    ) -> rusqlite::Result<BatchWriter> {
        let changed: Arc<Mutex<Vec<CacheKey>>> = Arc::default();
        if cache.is_some() {
            let changed = changed.clone();
            connection.update_hook(Some(move |_, _: &str, table: &str, id| {
                lock(&changed).extend(cache::key(nouns, table, id));
            }))?;
        }
        // A server lets the log grow long. Without this, a command beside it would move the whole log in its one commit.
        connection.pragma_update(None, "wal_autocheckpoint", TOO_LONG as i64)?;
        Ok(BatchWriter {
            connection,
            nouns,
            turnstile: Turnstile::of(files.path()),
            files,
            cache,
            changed,
            version: 0,
            checkpoints: None,
            pages: Arc::default(),
        })
    }

    /// Leaves checkpoints to a thread that uses this connection.
    pub(crate) fn check_point_beside(
        &mut self,
        other: Connection,
        commits: &Arc<Commits>,
    ) -> Result<()> {
        let pages = self.pages.clone();
        let hook = move |_: &mut Wal, count: std::ffi::c_int| {
            pages.store(usize::try_from(count).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        self.connection
            .wal_hook(Some(hook))
            .map_err(|error| map_err(&error))?;
        self.checkpoints = Some(Checkpoints::start(other, commits.clone())?);
        Ok(())
    }

    /// Checks whether another process has written. Only this connection can tell: the version that it sees does not count its
    /// own commits, and nobody else in this process writes.
    pub(crate) fn check(&mut self, commits: &Commits) {
        let Some(cache) = &self.cache else {
            // A command has no cache, and writes little.
            return self.mind_ids(commits);
        };
        let at = cache.check_begins();
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        // After a failed check the cache is not used until one succeeds.
        if let Ok(version) = version {
            cache.check_ends(at, version != self.version);
            if version != self.version {
                self.mind_triggers();
                self.mind_ids(commits);
            }
            self.version = version;
        }
    }

    /// Notes whether another program has given the highest possible id of a table.
    fn mind_ids(&self, commits: &Commits) {
        // If this fails, an insert does, too.
        let gone = ids_are_gone(&self.connection).unwrap_or(false);
        commits.ids_gone.store(gone, Ordering::Relaxed);
    }

    /// Turns triggers off if the file has only crm's own. Those are for changes by other programs. Here they would add half
    /// of the cost of an update, and would have no effect. Called when another process has written, because that may have
    /// made a trigger.
    fn mind_triggers(&self) {
        let own = table::nouns(self.nouns).flat_map(table::triggers);
        let own: Vec<String> = own.map(|name| format!("'{name}'")).collect();
        let sql = format!(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name NOT IN ({})",
            own.join(", ")
        );
        let others: rusqlite::Result<i64> = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        // If this or the setting fails, the triggers run.
        let are_run = others != Ok(0);
        let setting = DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER;
        if self.connection.db_config(setting) != Ok(are_run) {
            let _ = self.connection.set_db_config(setting, are_run);
        }
    }

    /// Runs the first write and those that `more` returns in one transaction, and answers all of them after its commit.
    pub(crate) fn batch(
        &mut self,
        commits: &Commits,
        first: Box<dyn Job>,
        more: impl FnMut() -> Option<Box<dyn Job>>,
    ) {
        let half = commits.waiting.count().div_ceil(2);
        let waiting = std::iter::once(first).chain(std::iter::from_fn(more));
        let begun = commits.intact().and_then(|()| {
            self.files.hold()?;
            let _inside = self.turnstile.enter();
            // IMMEDIATE: a transaction that reads first and then writes fails at once if another process has written in
            // between, whatever its timeout.
            run(&self.connection, "BEGIN IMMEDIATE").map_err(|error| commits.failed(&error))
        });
        if let Err(error) = begun.map_err(|error| commits.fails(error)) {
            // The other writes have waited as long as the first. If each tried again in turn, the last would wait for ever.
            return waiting.for_each(|job| job.answer(Err(error.clone())));
        }
        // Only half of them, so that the service reads and checks one half while the other is synced. With all at once,
        // service and sync would wait for each other.
        let mut waiting = waiting.take(half.clamp(SMALL_BATCH, LARGEST_BATCH));
        self.check(commits);
        lock(&self.changed).clear();
        commits.handled.store(0, Ordering::Relaxed);
        let mut done: Vec<Box<dyn Job>> = Vec::new();
        let mut saved = 0;
        while commits.handled.load(Ordering::Relaxed) < LARGEST_COMMIT
            && let Some(mut job) = waiting.next()
        {
            let failed = job.run(&mut SqliteTransaction {
                connection: &mut self.connection,
                commits,
                nouns: self.nouns,
            });
            done.push(job);
            saved += u64::from(failed.is_none());
            if let Some(error) = failed.filter(|_| self.connection.is_autocommit()) {
                // A full disk or an I/O error ends the whole transaction and not only the savepoint.
                let error = commits.fails(error);
                return done
                    .into_iter()
                    .for_each(|job| job.answer(Err(error.clone())));
            }
        }
        let began = Instant::now();
        let committed = self.commit(commits).map_err(|error| commits.fails(error));
        // If all writes failed, there was nothing to sync.
        if committed.is_ok() && saved > 0 {
            commits.meter.times.add_time(began.elapsed());
            commits.meter.sizes.add(saved);
        }
        done.into_iter()
            .for_each(|job| job.answer(committed.clone()));
        self.after_commit(commits);
    }

    /// Lets the checkpoints look at the length of the log.
    pub(super) fn after_commit(&mut self, commits: &Commits) {
        if let Some(checkpoints) = &mut self.checkpoints {
            let pages = self.pages.load(Ordering::Relaxed);
            checkpoints.after_commit(pages, &self.connection, commits);
        }
    }

    pub(super) fn commit(&self, commits: &Commits) -> Result<()> {
        if let Err(broken) = commits.intact() {
            // One of these writes, or a checkpoint in the meantime, has stopped all writes.
            let _ = self.connection.execute_batch("ROLLBACK");
            return Err(broken);
        }
        if let Some(cache) = &self.cache {
            cache.commit_begins();
        }
        let committed = run(&self.connection, "COMMIT").map_err(|error| {
            // SQLite may have rolled back already. If not, it is done here.
            if !self.connection.is_autocommit() {
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            commits.uncommitted(&error)
        });
        if let Some(cache) = &self.cache {
            cache.commit_ends(&lock(&self.changed));
        }
        // A write to a file that has lost its name must not be acknowledged, and neither must one that was synced beside a
        // failed sync.
        let found = || self.files.hold().and(commits.intact());
        committed.and_then(|()| found().map_err(|_| unknown()))?;
        commits.committed();
        Ok(())
    }

    /// Closes the connection. SQLite itself checkpoints when the last connection of all processes closes. A server
    /// checkpoints even if others are open, so that it leaves a complete file behind.
    pub(crate) fn finish(self, checkpoint: bool, commits: &Commits) -> Result<()> {
        let connection = self.connection;
        if let Some(checkpoints) = self.checkpoints {
            checkpoints.end();
        }
        let file = self.files.path().display();
        if commits.intact().is_err() {
            // After a failed sync the file may lack pages that an earlier checkpoint has moved. Another checkpoint would
            // not notice, and would discard the log, which holds everything that was acknowledged. While this connection is
            // open, no other connection of this process is the last one, which checkpoints when it closes. So it stays open
            // until the process ends.
            std::mem::forget(connection);
            return Err(Error::failed(format!(
                "{file}: was left unchanged, with its log, because the disk had failed or the database was found damaged; \
                 keep {file}-wal beside it"
            )));
        }
        if checkpoint && let Err(error) = truncate(&connection) {
            if is_of_sync(&error) {
                // The same as above.
                std::mem::forget(connection);
            }
            return Err(unmoved(self.files.path(), &error));
        }
        connection.close().map_err(|(_, error)| map_err(&error))
    }
}

/// The error of a log that could not be written into the file.
fn unmoved(file: &Path, error: &rusqlite::Error) -> Error {
    let (code, why) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (Code::Full, "the disk is full".into()),
        Some(ErrorCode::SystemIoFailure) => (Code::Failed, format!("the disk failed ({error})")),
        _ => return map_err(error),
    };
    let file = file.display();
    let message = format!(
        "{file}: {why}, so its log could not be written into it; nothing that was saved is lost: keep {file}-wal beside \
         it, repair or free the disk, and start again"
    );
    Error::new(code, message)
}
