//! A write: its statements, its commit, and what a failure of one of them means for the result.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use deadpool::managed::Object;
use futures_util::future::Either;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::cells::{cell, slice, values};
use super::database::{LONG_PATIENCE, PATIENCE, PgDatabase, left};
use super::failure::{Failure, unknown, within};
use super::link::{self, Link};
use super::list::{horizon, state_text};
use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;
use crate::model::value::Value;
use crate::store::change::{COLUMNS, Change};
use crate::store::transaction::{Fault, RecordStatement, Recorded, Transaction, one_by_one};

impl PgDatabase {
    /// Begins a write.
    pub(super) async fn write(&self, mode: Mode) -> Result<PgTransaction<'_>> {
        self.write_within(mode, PATIENCE).await
    }

    /// Begins a write that may take so long.
    pub(super) async fn write_within(
        &self,
        mode: Mode,
        patience: Duration,
    ) -> Result<PgTransaction<'_>> {
        // Each unanswered write has a connection that a standby or a lock may keep for ever. The other connections stay
        // usable.
        if self.unanswered.available_permits() == 0 {
            return Err(Error::new(
                Code::Unavailable,
                "the database does not answer writes; nothing was saved, try again",
            ));
        }
        let begun = Instant::now();
        let until = begun + patience;
        let waits = self.waiting.wait()?;
        let session = Box::pin(self.session(left(until))).await?;
        drop(waits);
        // An earlier warning is not about this write.
        session.warned.store(false, Ordering::Relaxed);
        Ok(PgTransaction {
            session: Some(session),
            database: self,
            mode,
            sent: false,
            numbered: false,
            part: None,
            begun,
            until,
        })
    }
}

/// How a write is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Each statement separately. Only one of them writes.
    Statement,
    /// All statements together. The first one begins the transaction.
    Transaction { begun: bool },
    /// A statement has failed and everything is rolled back. Further reads only explain the failure.
    Over,
}

/// A write in progress. If it is dropped before [`PgTransaction::finish`], its connection is closed once the server has
/// answered, and never used again.
pub(super) struct PgTransaction<'d> {
    session: Option<Object<Link>>,
    database: &'d PgDatabase,
    mode: Mode,
    /// Whether a writing statement was sent.
    sent: bool,
    /// Whether it has a number of a change, and with it the lock that says so.
    numbered: bool,
    /// In a part that can be undone alone, whether it had such a number before.
    part: Option<bool>,
    begun: Instant,
    until: Instant,
}

impl Drop for PgTransaction<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // Not cancelled: the write may be saved, and PostgreSQL reports a cancelled wait for a standby as a success.
            link::give_up(session, false);
        }
    }
}

impl PgTransaction<'_> {
    /// Lets the whole write take this time from now on.
    pub(super) fn take_time(&mut self, time: Duration) {
        self.until = Instant::now() + time;
    }

    /// Prepares a statement and runs it as `ask` does.
    async fn send<'a, R, A>(
        &mut self,
        sql: &str,
        params: &'a [Value],
        writes: bool,
        ask: impl FnOnce(Arc<Client>, Statement, Vec<&'a (dyn ToSql + Sync)>) -> A,
    ) -> Result<R, Failure>
    where
        A: Future<Output = Result<R, tokio_postgres::Error>>,
    {
        let patience = left(self.until);
        let session = self.session.as_mut().ok_or(Failure::Late)?;
        let statement = within(patience, session.prepared(sql)).await?;
        let client = session.client.clone();
        self.sent |= writes;
        let answer = ask(client.clone(), statement, slice(params));
        if self.mode != (Mode::Transaction { begun: false }) {
            let began = Instant::now();
            let answered = within(left(self.until), answer).await;
            if self.mode == Mode::Statement && writes && answered.is_ok() {
                self.database.meter.times.add_time(began.elapsed());
            }
            return answered;
        }
        self.mode = Mode::Transaction { begun: true };
        // Both are sent together and answered in this order.
        let both = futures_util::future::try_join(client.batch_execute("BEGIN"), answer);
        Ok(within(left(self.until), both).await?.1)
    }

    /// Runs a statement and returns its rows.
    async fn rows(&mut self, sql: &str, params: &[Value], writes: bool) -> Result<Vec<Row>, Fault> {
        let rows = self
            .send(
                sql,
                params,
                writes,
                |client, statement, params| async move { client.query(&statement, &params).await },
            )
            .await;
        match rows {
            Ok(rows) => Ok(rows),
            Err(failure) => Err(self.fault(failure).await),
        }
    }

    /// Handles the failure of a statement: rolls back, or abandons the connection.
    async fn fault(&mut self, failure: Failure) -> Fault {
        if self.part.is_some()
            && failure.is_certain()
            && !failure.is_lost()
            && self.run("ROLLBACK TO SAVEPOINT part").await.is_ok()
        {
            // The transaction goes on without this part.
            return match failure.code() {
                Some(&SqlState::FOREIGN_KEY_VIOLATION) => Fault::Reference,
                _ => Fault::Error(failure.error()),
            };
        }
        let is_unknown = self.mode == Mode::Statement && self.sent && !failure.is_certain();
        if !failure.is_certain() {
            self.lose(&failure);
        } else if failure.is_lost()
            || self.mode == (Mode::Transaction { begun: true })
                && self.run("ROLLBACK").await.is_err()
        {
            // A server that no longer accepts writes cannot accept the next one either, and without a ROLLBACK nothing more
            // can be read.
            self.lose(&failure);
        }
        self.mode = Mode::Over;
        match failure.code() {
            Some(&SqlState::FOREIGN_KEY_VIOLATION) => Fault::Reference,
            _ if is_unknown => Fault::Error(unknown()),
            _ => Fault::Error(failure.error()),
        }
    }

    /// Sends statements that write, one after the other, without waiting for the answers in between. Returns the rows of
    /// each.
    async fn pipelined(
        &mut self,
        statements: impl Iterator<Item = (String, Vec<Value>)>,
    ) -> Result<Vec<Vec<Row>>, Failure> {
        /// How many answers may be outstanding.
        const MOST: usize = 100;
        let until = self.until;
        let session = self.session.as_mut().ok_or(Failure::Late)?;
        let (mut all, mut answers) = (Vec::new(), VecDeque::with_capacity(MOST));
        self.sent = true;
        for (sql, params) in statements {
            if answers.len() == MOST
                && let Some(oldest) = answers.pop_front()
            {
                all.push(within(left(until), oldest).await?);
            }
            let prepared = within(left(until), session.prepared(&sql)).await?;
            let client = session.client.clone();
            let mut answer =
                Box::pin(async move { client.query(&prepared, &slice(&params)).await });
            // The first poll sends it.
            let sent = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
            answers.push_back(match sent {
                Poll::Ready(answer) => Either::Left(std::future::ready(answer)),
                Poll::Pending => Either::Right(answer),
            });
        }
        for answer in answers {
            all.push(within(left(until), answer).await?);
        }
        Ok(all)
    }

    async fn run(&mut self, sql: &str) -> Result<(), Failure> {
        let patience = left(self.until);
        match &self.session {
            Some(session) => within(patience, session.client.batch_execute(sql)).await,
            None => Err(Failure::Late),
        }
    }

    fn close(&mut self) {
        drop(self.session.take().map(Object::take));
    }

    /// Closes the connection. One that has not answered is closed when it answers, so that it keeps its place in the pool
    /// until then.
    fn lose(&mut self, failure: &Failure) {
        self.database.lost();
        let Some(session) = self.session.take() else {
            return;
        };
        if !matches!(failure, Failure::Late) {
            drop(Object::take(session));
            return;
        }
        // If several writes were lost at the same time, there may be no permit left.
        let unanswered = self.database.unanswered.clone().try_acquire_owned();
        tokio::spawn(async move {
            // This fails only if the connection does.
            let _ = session.client.batch_execute("").await;
            drop(Object::take(session));
            drop(unanswered);
        });
    }

    /// Commits the work of a rule, or rolls it back if `result` is an error.
    pub(super) async fn finish<R>(mut self, result: Result<R>) -> Result<R> {
        if self.mode == (Mode::Transaction { begun: true }) {
            match result.is_ok() && self.sent {
                true => self.commit().await?,
                false if self.run("ROLLBACK").await.is_err() => self.close(),
                false => {}
            }
        }
        let Some(session) = &self.session else {
            return result;
        };
        if result.is_ok() && self.sent {
            if session.warned.load(Ordering::Relaxed) {
                return Err(unknown());
            }
            self.database.committed();
        }
        // Gives the connection back to the pool.
        drop(self.session.take());
        result
    }

    async fn commit(&mut self) -> Result<()> {
        let began = Instant::now();
        match self.run("COMMIT").await {
            Ok(()) => {
                self.database.meter.times.add_time(began.elapsed());
                Ok(())
            }
            Err(failure) => {
                self.lose(&failure);
                match failure.is_certain() {
                    true => Err(failure.error()),
                    false => Err(unknown()),
                }
            }
        }
    }
}

/// How the number of a change is given: the expression, and what it needs, as another table expression and its name.
struct Number {
    next: &'static str,
    with: &'static str,
    from: &'static str,
}

/// The number of a change. The first one of a transaction takes a lock, which says that it may appear late: see the schema.
/// The lock is taken by a table expression, because that is joined before the number is given. The others have greater
/// numbers. A transaction that joins a group of an earlier one needs the lock too.
fn number(numbered: bool) -> Number {
    let (with, from) = match numbered {
        false => (
            "begun AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(6517358, \
             (last_value & 2147483647)::int) FROM crm_changes_seq)",
            "begun",
        ),
        true => ("", ""),
    };
    Number {
        next: "nextval('crm_changes_seq')",
        with,
        from,
    }
}

/// The values of a change, whose markers come after those of the record's statement. `id` is the record's id.
fn markers(given: usize, id: &str) -> String {
    let marker = |at: usize| format!("${}", given + at);
    let number = |at: usize| format!("${}::bigint", given + at);
    [
        marker(1),
        marker(2),
        marker(3),
        marker(4),
        number(5),
        number(6),
        marker(7),
        marker(8),
        number(9),
        format!("'{{\"id\":' || {id} || {}", marker(10)),
        marker(11),
    ]
    .join(", ")
}

/// The statement that writes a record together with its change, and its parameters.
fn recording(
    statement: RecordStatement<'_>,
    change: &Change<'_>,
    numbered: bool,
) -> (String, Vec<Value>) {
    let given = statement.params.len();
    let mut params = statement.params.to_vec();
    params.extend(change.values());
    let raised = statement.raises.map(|raise| {
        params.extend([raise.time.clone(), raise.id.clone()]);
        let (time, id) = (params.len() - 1, params.len());
        // In this order, because a new marker may begin with the letters of an old one.
        let update = raise.sql.replace("$1", "$time").replace("$2", "$id");
        let update = update.replace("$time", &format!("${time}"));
        format!(", raised AS ({})", update.replace("$id", &format!("${id}")))
    });
    let raised = raised.unwrap_or_default();
    let Number { next, with, from } = number(numbered);
    let comma = if numbered { "" } else { ", " };
    let sql = format!(
        "WITH written AS ({} RETURNING id){comma}{with}{raised} INSERT INTO crm_changes (seq, {COLUMNS}) \
         SELECT {next}, written.id, {} FROM written{comma}{from} RETURNING record_id, seq",
        statement.sql,
        markers(given, "written.id"),
    );
    (sql, params)
}

/// The statement that appends a change of a record that has its id, and its parameters.
fn appending(change: &Change<'_>, numbered: bool) -> (String, Vec<Value>) {
    let mut params = vec![change.id.map_or(Value::Null, Value::Int)];
    params.extend(change.values());
    let Number { next, with, from } = number(numbered);
    let (with_word, from_word) = if numbered {
        ("", "")
    } else {
        ("WITH ", " FROM ")
    };
    let sql = format!(
        "{with_word}{with} INSERT INTO crm_changes (seq, {COLUMNS}) SELECT {next}, $1::bigint, {}{from_word}{from} \
         RETURNING seq",
        markers(1, "$1::bigint"),
    );
    (sql, params)
}

/// What that statement has written.
fn recorded(rows: &[Row]) -> Option<Recorded> {
    let row = rows.first()?;
    let int = |at| Value::from(cell(row, at)).int();
    Some(Recorded {
        id: int(0)?,
        seq: int(1)?,
    })
}

impl Transaction for PgTransaction<'_> {
    const LOCKING: &'static str = " FOR UPDATE";
    const REFERRING: &'static str = " FOR KEY SHARE";
    const SKIPPING: &'static str = " FOR UPDATE SKIP LOCKED";

    fn nouns(&self) -> &'static [&'static Noun] {
        self.database.nouns
    }

    async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>, Fault> {
        let rows = self.rows(sql, params, false).await?;
        Ok(rows.iter().map(values).collect())
    }

    async fn record(
        &mut self,
        statement: RecordStatement<'_>,
        change: &Change<'_>,
    ) -> Result<Option<Recorded>, Fault> {
        let (sql, params) = recording(statement, change, self.numbered);
        let rows = self.rows(&sql, &params, true).await?;
        let recorded = recorded(&rows);
        // A statement that finds no record takes no number.
        self.numbered |= recorded.is_some();
        Ok(recorded)
    }

    async fn record_all(
        &mut self,
        written: &[(RecordStatement<'_>, Change<'_>)],
    ) -> Result<Vec<Option<Recorded>>, Fault> {
        // The first change names the group and takes the lock of the numbers, so the others wait for it.
        let has_group = written
            .first()
            .is_some_and(|(_, change)| change.group.is_some());
        let waits = !has_group || !self.numbered;
        let (first, rest) = written.split_at(usize::from(waits).min(written.len()));
        let mut all = one_by_one(self, first).await?;
        let group = all.first().and_then(|recorded| Some((*recorded)?.seq));
        if self.mode != (Mode::Transaction { begun: true }) || !self.numbered {
            all.extend(one_by_one(self, rest).await?);
            return Ok(all);
        }
        let statements = rest.iter().map(|(statement, change)| {
            let group = change.group.or(group);
            recording(*statement, &Change { group, ..*change }, true)
        });
        let statements: Vec<_> = statements.collect();
        match self.pipelined(statements.into_iter()).await {
            Ok(rows) => {
                all.extend(rows.iter().map(|rows| recorded(rows)));
                Ok(all)
            }
            Err(failure) => Err(self.fault(failure).await),
        }
    }

    async fn append(&mut self, changes: &[Change<'_>]) -> Result<Option<i64>, Fault> {
        let Some((first, rest)) = changes.split_first() else {
            return Ok(None);
        };
        // The first change names the group, so the others wait for it.
        let (sql, params) = appending(first, self.numbered);
        let rows = self.rows(&sql, &params, true).await?;
        self.numbered = true;
        let seq = rows.first().and_then(|row| Value::from(cell(row, 0)).int());
        let rest = rest.iter().map(|change| {
            let group = change.group.or(seq);
            appending(&Change { group, ..*change }, true)
        });
        let rest: Vec<_> = rest.collect();
        match self.pipelined(rest.into_iter()).await {
            Ok(_) => Ok(seq),
            Err(failure) => Err(self.fault(failure).await),
        }
    }

    async fn insert(&mut self, sql: &str, params: &[Value]) -> Result<i64, Fault> {
        let sql = format!("{sql} RETURNING id");
        let rows = self.rows(&sql, params, true).await?;
        let id = rows.first().and_then(|row| Value::from(cell(row, 0)).int());
        id.ok_or_else(|| Fault::Error(Error::internal("the database returned no id")))
    }

    async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Fault> {
        let count = self
            .send(sql, params, true, |client, statement, params| async move {
                client.execute(&statement, &params).await
            })
            .await;
        match count {
            Ok(count) => Ok(count),
            Err(failure) => Err(self.fault(failure).await),
        }
    }

    async fn horizon(&mut self) -> Result<i64> {
        let rows = self.query(&state_text(), &[]).await?;
        let horizon = rows.first().and_then(|row| horizon(row));
        horizon.ok_or_else(|| Error::internal("the sequence of changes has no state"))
    }

    fn takes_longer(&mut self) {
        self.until = self.until.max(self.begun + LONG_PATIENCE);
    }

    async fn alone_with(&mut self, key: &str) -> Result<()> {
        // There are 2^64 keys. Two writes at the same time rarely share one, and then one of them waits. The locks are those of
        // the whole database, in which another schema may have the same key.
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended(coalesce(current_schema(), '') || '.' || $1, 0))::text";
        self.query(sql, &[key.into()]).await?;
        Ok(())
    }

    async fn alone_with_all(&mut self, noun: &'static Noun, mut keys: Vec<String>) -> Result<()> {
        /// How many locks one transaction takes. All transactions of a server share a table of some thousands.
        const MOST: usize = 1_000;
        if keys.len() > MOST {
            // Keeps everybody else from writing records of this noun.
            let sql = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", noun.plural);
            return self.execute(&sql, &[]).await.map(drop).map_err(Error::from);
        }
        // Two transactions that take the same locks in the same order do not block each other for ever.
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(());
        }
        let sql = "SELECT count(pg_advisory_xact_lock(hashtextextended(coalesce(current_schema(), '') || '.' || key, 0))::text) \
                   FROM jsonb_array_elements_text($1::text::jsonb) AS keys (key)";
        let keys = serde_json::Value::from(keys).to_string();
        self.query(sql, &[keys.as_str().into()]).await?;
        Ok(())
    }

    async fn begin_part(&mut self) -> Result<()> {
        if self.mode == (Mode::Transaction { begun: false }) {
            self.query("SELECT 1::bigint", &[]).await?;
        }
        self.part = Some(self.numbered);
        match self.run("SAVEPOINT part").await {
            Ok(()) => Ok(()),
            Err(failure) => {
                self.part = None;
                Err(self.fault(failure).await.into())
            }
        }
    }

    async fn end_part(&mut self, is_kept: bool) -> Result<()> {
        let numbered = self.part.take().unwrap_or_default();
        let sql = match is_kept {
            true => "RELEASE SAVEPOINT part",
            false => "ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part",
        };
        if !is_kept {
            // The lock that goes with the first number is released with the part.
            self.numbered = numbered;
        }
        match self.run(sql).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.fault(failure).await.into()),
        }
    }
}
