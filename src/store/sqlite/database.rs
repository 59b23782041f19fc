//! An open database: the writer, and the connections that read beside it.
//!
//! Reads run on their own connections, which see the last commit. Short reads run on the calling thread. Long ones run on
//! other threads than those that serve, a few at a time, and are cancelled when nobody waits for them any more.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::available_parallelism;

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::cache::Cache;
use super::cancel::Cancellation;
use super::connection::set_up_reader;
use super::error::{damaged, map_err};
use super::file::place::OpenFiles;
use super::file::way::Way;
use super::lock::lock;
use super::reader::ReadConnection;
use super::writer::Writer;
use crate::base::error::{Error, Result};
use crate::model::noun::Noun;
use crate::store::budget::{QueryBudget, SHORT, too_long};
use crate::store::search::state::SearchIndex;

/// How many chunks of lists are read at once; others wait for a moment. More threads would only share the processors, and
/// each needs a connection with its cache.
const MOST_CHUNKS: usize = 16;

/// Whether a list is still taken for a short one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Short,
    Long,
}

/// How many idle reading connections are kept.
const KEPT_READERS: usize = 8;

/// An open database.
pub(crate) struct Database {
    pub(crate) path: PathBuf,
    pub(crate) nouns: &'static [&'static Noun],
    /// Whether the database belongs to a server.
    pub(crate) is_server: bool,
    pub(crate) writer: Writer,
    /// A server's cache of records.
    pub(crate) cache: Option<Arc<Cache>>,
    /// How many whole sorted lists are being read.
    pub(crate) ordered: AtomicUsize,
    /// What is known of the index of the search.
    pub(crate) index: SearchIndex,
    files: Arc<OpenFiles>,
    /// How reading connections are opened.
    way: Way,
    readers: Mutex<Vec<ReadConnection>>,
    /// Permits to read a chunk of a list.
    chunks: Arc<Semaphore>,
    /// The time of a query, and the permits of long ones.
    pub(crate) queries: QueryBudget,
    /// Whether reads must be cancelled.
    closing: Arc<AtomicBool>,
}

impl Database {
    /// A database, with this reading connection if there is one already.
    pub(crate) fn new(
        files: Arc<OpenFiles>,
        nouns: &'static [&'static Noun],
        way: Way,
        writer: Writer,
        reader: Option<ReadConnection>,
        cache: Option<Arc<Cache>>,
    ) -> Database {
        Database {
            path: files.path().to_path_buf(),
            nouns,
            is_server: cache.is_some(),
            writer,
            cache,
            ordered: AtomicUsize::new(0),
            index: SearchIndex::default(),
            files,
            way,
            readers: Mutex::new(reader.into_iter().collect()),
            chunks: Arc::new(Semaphore::new(MOST_CHUNKS)),
            // Half of the processors are left to everything else.
            queries: QueryBudget::new(available_parallelism().map_or(1, |count| count.get() / 2)),
            closing: Arc::default(),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<ReadConnection>> {
        lock(&self.readers)
    }

    /// Opens another connection for reading, and for temporary tables.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let opened = self.way.another(&self.path);
        if self.is_server {
            // Checked before the connection reads. Otherwise it might use the log of one database for another.
            self.files.hold()?;
        }
        let mut connection = opened.map_err(|error| map_err(&error))?;
        set_up_reader(&mut connection).map_err(|error| map_err(&error))?;
        Ok(connection)
    }

    /// Runs `read` with a reading connection on the calling thread, for reads of a few microseconds.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&mut ReadConnection) -> Result<R>) -> Result<R> {
        let kept = self.idle().pop();
        let mut reader = match kept {
            Some(reader) => reader,
            None => ReadConnection::new(self.connect()?),
        };
        let result = read(&mut reader);
        let mut readers = self.idle();
        if readers.len() < KEPT_READERS {
            readers.push(reader);
        }
        drop(readers);
        self.way.holds(&self.path)?;
        self.report(result)
    }

    /// Reads a part of a list on a thread that does not serve, a few at a time. `work` changes `state` only if it succeeds: a
    /// query that turns out to be long is stopped and begun again. A command runs it on the calling thread.
    pub(crate) async fn beside<S: Send + 'static, R: Send + 'static>(
        &self,
        pace: &mut Pace,
        state: S,
        work: impl Fn(&mut S) -> Result<R> + Copy + Send + 'static,
    ) -> Result<(R, S)> {
        let mut state = state;
        if !self.is_server {
            return work(&mut state).map(|result| (result, state));
        }
        let cancellation = Cancellation::new(self.closing.clone());
        let _cancelled_with_the_request = cancellation.with_its_request();
        loop {
            let longest = self.queries.longest();
            let (time, permit) = match *pace {
                Pace::Short => (SHORT.min(longest), self.chunks.clone()),
                Pace::Long => (longest, self.queries.permits()),
            };
            let permit = permit.acquire_owned().await.map_err(Error::internal)?;
            let cancellation = cancellation.clone();
            let task = tokio::task::spawn_blocking(move || {
                // Released when the work ends, which may be after its request is gone.
                let _permit = permit;
                let result = cancellation.within(time, || work(&mut state));
                (result, state)
            });
            match task.await.map_err(Error::internal)? {
                (Some(result), state) => return self.report(result).map(|result| (result, state)),
                (None, _) if *pace == Pace::Long => return Err(too_long(longest)),
                (None, same) => {
                    *pace = Pace::Long;
                    state = same;
                }
            }
        }
    }

    /// Passes on the result of a read. If the read found damage, no more writes are accepted.
    pub(crate) fn report<R>(&self, read: Result<R>) -> Result<R> {
        if let Err(error) = &read
            && *error == damaged()
        {
            self.writer.breaks(damaged());
        }
        read
    }

    /// Whether the cache may be used.
    pub(crate) fn is_trusted(&self, cache: &Cache) -> bool {
        cache.is_trusted(|| self.writer.ask_for_check())
    }

    /// Cancels running reads and closes the reading connections. Fails if the file was changed while it was read.
    pub(crate) fn close_readers(&self) -> Result<()> {
        self.closing.store(true, Ordering::Relaxed);
        for reader in self.idle().drain(..) {
            self.way.end(&reader);
        }
        self.way.holds(&self.path)
    }
}
