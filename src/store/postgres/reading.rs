//! Reads: a lost connection leads to one more try, and an abandoned read is cancelled.

use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::time::{Duration, Instant};

use deadpool::managed::Object;

use super::database::{FIRST_TRY, PgDatabase, left};
use super::failure::Failure;
use super::link::{self, Link, PgSession};
use crate::base::error::{Error, Result};

/// The work of [`PgDatabase::read`].
pub(super) type ReadFuture<'a, R> = Pin<Box<dyn Future<Output = Result<R, Failure>> + Send + 'a>>;

impl PgDatabase {
    /// Reads within `patience`. If the connection is lost early, reads once more over another one.
    pub(super) async fn read<C, R, W>(&self, patience: Duration, context: C, work: W) -> Result<R>
    where
        W: for<'a> Fn(&'a C, &'a mut PgSession) -> ReadFuture<'a, R>,
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

    /// The outer error is one that may not occur in another try.
    async fn try_to_read<C, R, W>(
        &self,
        patience: Duration,
        context: &C,
        work: &W,
    ) -> Result<Result<R>, Error>
    where
        W: for<'a> Fn(&'a C, &'a mut PgSession) -> ReadFuture<'a, R>,
    {
        let until = Instant::now() + patience;
        let mut session = ReadSession::new(Box::pin(self.session(patience)).await?);
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
}

/// A connection for reading. If it is dropped in the middle of a read, that read is cancelled.
pub(super) struct ReadSession(Option<Object<Link>>);

impl ReadSession {
    pub(super) fn new(session: Object<Link>) -> ReadSession {
        ReadSession(Some(session))
    }

    /// Gives the connection back to the pool.
    pub(super) fn done(mut self) {
        drop(self.0.take());
    }

    /// Gives the connection back to the pool, unless another connection may succeed.
    pub(super) fn failed(mut self, database: &PgDatabase, failure: &Failure) {
        if !failure.is_lost() {
            return self.done();
        }
        database.lost();
        // A late statement may still run: dropping the session cancels it.
        if !matches!(failure, Failure::Late) {
            drop(self.0.take().map(Object::take));
        }
    }
}

impl Deref for ReadSession {
    type Target = PgSession;

    fn deref(&self) -> &PgSession {
        self.0.as_ref().expect(PRESENT)
    }
}

impl DerefMut for ReadSession {
    fn deref_mut(&mut self) -> &mut PgSession {
        self.0.as_mut().expect(PRESENT)
    }
}

/// Only methods that consume the session take out its connection.
const PRESENT: &str = "a session has its connection until it is done";

impl Drop for ReadSession {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            link::give_up(session, true);
        }
    }
}
