//! A write's view of the writing connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::changes_of::fill;
use super::commits::Commits;
use crate::base::error::{Error, Result};
use crate::base::time;
use crate::model::noun::Noun;
use crate::model::value::Value;
use crate::store::change::{COLUMNS, Change};
use crate::store::sql::ledger::no_more_ids;
use crate::store::sqlite::values;
use crate::store::transaction::{Fault, RecordStatement, Recorded, Transaction};

/// The writing connection as a write sees it. The write runs inside the transaction of its batch.
pub(crate) struct SqliteTransaction<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) commits: &'a Commits,
    pub(crate) nouns: &'static [&'static Noun],
}

/// The table of an insert.
fn table_of(insert: &str) -> &str {
    insert.split(' ').nth(2).unwrap_or_default()
}

/// Counts the tables whose highest possible id was given.
const GIVEN_ALL: &str = "SELECT count(*) FROM sqlite_sequence WHERE seq = 9223372036854775807";

/// Notes that the file may have traces of erased records.
const NOTE: &str = "INSERT INTO crm_residue (since) VALUES (?1)";

/// Whether the highest possible id of any table was given. Only another program gives it.
pub(crate) fn ids_are_gone(connection: &Connection) -> rusqlite::Result<bool> {
    let mut count = connection.prepare_cached(GIVEN_ALL)?;
    count.query_row([], |row| Ok(row.get::<_, i64>(0)? > 0))
}

/// How a rule is undone when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undo {
    /// SQLite undoes it: only one statement of the rule writes, and a failed statement has changed nothing.
    Statement,
    /// A rollback to a savepoint. The savepoint costs a copy of every changed page.
    Savepoint,
}

/// Appends a change.
static ADD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO crm_changes ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    )
});

impl SqliteTransaction<'_> {
    /// Runs a rule. If the rule fails, its changes are undone.
    pub(crate) fn attempt<R>(
        &mut self,
        undo: Undo,
        rule: impl FnOnce(&mut SqliteTransaction<'_>) -> Result<R>,
    ) -> Result<R> {
        match undo {
            Undo::Statement => self.alone(rule),
            Undo::Savepoint => self.in_savepoint(rule),
        }
    }

    fn alone<R>(
        &mut self,
        rule: impl FnOnce(&mut SqliteTransaction<'_>) -> Result<R>,
    ) -> Result<R> {
        let before = self.connection.total_changes();
        let result = self.guarded(rule);
        if result.is_err()
            && self.connection.total_changes() != before
            && !self.connection.is_autocommit()
        {
            // A rule that fails after it has written is a defect. There is no savepoint to return to, so the whole batch is
            // rolled back, and no write is acknowledged wrongly.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        result
    }

    fn in_savepoint<R>(
        &mut self,
        rule: impl FnOnce(&mut SqliteTransaction<'_>) -> Result<R>,
    ) -> Result<R> {
        self.run("SAVEPOINT write")?;
        let result = self.guarded(rule);
        match &result {
            Ok(_) => self.run("RELEASE write")?,
            // An error that ended the whole transaction has ended the savepoint too.
            Err(_) if self.connection.is_autocommit() => {}
            Err(_) => self
                .run("ROLLBACK TO write")
                .and_then(|()| self.run("RELEASE write"))?,
        }
        result
    }

    /// Lets SQLite overwrite what it frees, in case the file cannot be written anew for a while.
    pub(crate) fn overwrite(&mut self, is_on: bool) -> Result<()> {
        let set = self.connection.pragma_update(None, "secure_delete", is_on);
        set.map_err(|error| self.commits.failed(&error))
    }

    /// Notes that the file may have traces of erased records, until it was written anew.
    pub(crate) fn note_residue(&mut self) -> Result<()> {
        let noted = self.connection.execute(NOTE, [time::now()]);
        noted.map(drop).map_err(|error| self.commits.failed(&error))
    }

    /// Runs a rule. A panic is a defect of the rule, and must not stop other writes.
    fn guarded<R>(
        &mut self,
        rule: impl FnOnce(&mut SqliteTransaction<'_>) -> Result<R>,
    ) -> Result<R> {
        catch_unwind(AssertUnwindSafe(|| rule(self)))
            .unwrap_or_else(|_| Err(Error::internal("a write panicked")))
    }

    fn run(&self, sql: &str) -> Result<()> {
        run(self.connection, sql).map_err(|error| self.commits.failed(&error))
    }

    /// Refuses an insert into a table whose highest id was given. SQLite would refuse it as if the disk were full, and roll
    /// back all writes of the batch.
    fn has_ids(&self, insert: &str) -> Result<(), Fault> {
        if !self.commits.ids_gone.load(Ordering::Relaxed) {
            return Ok(());
        }
        let table = table_of(insert);
        let sql = format!("{GIVEN_ALL} AND name = ?1");
        let full = self.connection.query_row(&sql, [table], |row| row.get(0));
        match full {
            Ok(0) => Ok(()),
            Ok(_) => Err(Fault::Error(no_more_ids())),
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// Appends a change of the record with this id, and returns its number.
    fn add(&mut self, id: i64, change: &Change<'_>) -> Result<i64, Fault> {
        let author = change.author;
        let record = format!("{{\"id\":{id}{}", change.rest);
        let params = rusqlite::params![
            id,
            change.at,
            author.by,
            author.on_behalf_of,
            author.request_id,
            change.group,
            change.undoes,
            author.operation,
            change.kind,
            change.version,
            record,
            change.previous,
        ];
        let insert = || self.connection.prepare_cached(&ADD)?.insert(params);
        let seq = insert().map_err(|error| self.fault(&error))?;
        self.commits.appended.fetch_add(1, Ordering::Relaxed);
        Ok(seq)
    }

    /// Gives a record that was inserted with its id at least this version, and returns the version that it has. A trigger
    /// sets another one where the id was given before, because it takes the insert for that of another program.
    async fn settle(&mut self, table: &str, id: i64, version: i64) -> Result<i64, Fault> {
        let sql = format!("SELECT version FROM {table} WHERE id = $1");
        let found = self.query(&sql, &[id.into()]).await?;
        let found = found.first().and_then(|row| row.first()?.int());
        let found = found.unwrap_or_default();
        if found >= version {
            return Ok(found);
        }
        let sql = format!("UPDATE {table} SET version = $1 WHERE id = $2");
        self.execute(&sql, &[version.into(), id.into()]).await?;
        Ok(version)
    }

    /// A failed foreign key is left to the rule to explain.
    fn fault(&self, error: &rusqlite::Error) -> Fault {
        match error.sqlite_error().map(|error| error.extended_code) {
            Some(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Fault::Reference,
            _ => Fault::Error(self.commits.failed(error)),
        }
    }
}

impl Transaction for SqliteTransaction<'_> {
    /// Nobody else can write.
    const LOCKING: &'static str = "";
    const REFERRING: &'static str = "";
    const SKIPPING: &'static str = "";

    fn nouns(&self) -> &'static [&'static Noun] {
        self.nouns
    }

    async fn alone_with(&mut self, _key: &str) -> Result<()> {
        Ok(())
    }

    async fn alone_with_all(&mut self, _noun: &'static Noun, _keys: Vec<String>) -> Result<()> {
        Ok(())
    }

    async fn begin_part(&mut self) -> Result<()> {
        self.run("SAVEPOINT part")
    }

    async fn end_part(&mut self, is_kept: bool) -> Result<()> {
        if !is_kept {
            // If the error has ended the whole transaction, this fails too, and so does the write.
            self.run("ROLLBACK TO part")?;
        }
        self.run("RELEASE part")
    }

    async fn index_changes(&mut self) -> Result<()> {
        let filled = fill(self.connection);
        filled.map_err(|error| self.commits.failed(&error))
    }

    async fn unindex_changes(&mut self, changes: &[(i64, i64)]) -> Result<()> {
        let sql = "DELETE FROM crm_record_changes WHERE record_id = $1 AND seq = $2";
        for (id, seq) in changes {
            self.execute(sql, &[(*id).into(), (*seq).into()]).await?;
        }
        Ok(())
    }

    async fn horizon(&mut self) -> Result<i64> {
        let rows = self.query(LAST_CHANGE, &[]).await?;
        let last = rows.first().and_then(|row| row.first()?.int());
        Ok(last.unwrap_or_default())
    }

    async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>, Fault> {
        let rows = values::query(self.connection, sql, params);
        let rows = rows.map_err(|error| self.fault(&error))?;
        rows.iter().for_each(|row| self.commits.handles(row));
        Ok(rows)
    }

    async fn insert(&mut self, sql: &str, params: &[Value]) -> Result<i64, Fault> {
        self.commits.handles(params);
        let insert = || {
            self.connection
                .prepare_cached(sql)?
                .insert(rusqlite::params_from_iter(params))
        };
        self.has_ids(sql)?;
        insert().map_err(|error| self.fault(&error))
    }

    async fn record(
        &mut self,
        statement: RecordStatement<'_>,
        change: &Change<'_>,
    ) -> Result<Option<Recorded>, Fault> {
        let RecordStatement {
            sql,
            params,
            inserts,
            raises,
        } = statement;
        let mut change = *change;
        let id = match (inserts, change.id) {
            (true, None) => self.insert(sql, params).await?,
            (true, Some(id)) => {
                self.execute(sql, params).await?;
                change.version = self.settle(table_of(sql), id, change.version).await?;
                id
            }
            (false, _) if self.execute(sql, params).await? == 0 => return Ok(None),
            (false, id) => id.unwrap_or_default(),
        };
        if let Some(raise) = raises {
            let params = [raise.time.clone(), raise.id.clone()];
            self.execute(raise.sql, &params).await?;
        }
        let seq = self.add(id, &change)?;
        Ok(Some(Recorded { id, seq }))
    }

    async fn append(&mut self, changes: &[Change<'_>]) -> Result<Option<i64>, Fault> {
        let mut first = None;
        for change in changes {
            let mut change = *change;
            change.group = change.group.or(first);
            let seq = self.add(change.id.unwrap_or_default(), &change)?;
            first = first.or(Some(seq));
        }
        Ok(first)
    }

    async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Fault> {
        self.commits.handles(params);
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

/// The number of the last change.
pub(crate) const LAST_CHANGE: &str = "SELECT coalesce(max(seq), 0) FROM crm_changes";

/// Runs a statement without parameters.
pub(crate) fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute([]).map(drop)
}

/// Runs a rule to its end. A rule over SQLite never has to wait, so its future is ready at once.
pub(crate) fn now<R>(rule: impl Future<Output = R>) -> R {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(rule).poll(&mut context) {
        std::task::Poll::Ready(result) => result,
        std::task::Poll::Pending => unreachable!("a rule over SQLite has nothing to wait for"),
    }
}
