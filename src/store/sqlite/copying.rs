//! The functions that a copy needs of a SQLite file, as its source or its target.

use super::error::map_err;
use super::file::check;
use super::file::schema::{FileState, Schema};
use super::store::Sqlite;
use super::values;
use super::writer::{Undo, now};
use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::sql::copying;
use crate::store::sql::faults::Faults;
use crate::store::transaction::Transaction;

impl Sqlite {
    /// Marks an empty database as the target of a copy of `source`. Returns the mark that it already has, if any.
    pub(crate) async fn mark(&self, source: &str) -> Result<Option<String>> {
        let source = source.to_string();
        self.run(Undo::Savepoint, 0, move |tx| {
            now(copying::mark(tx, &source))
        })
        .await
    }

    /// Inserts records unchanged, with their ids and times.
    pub(crate) async fn take(&self, noun: &'static Noun, records: Vec<Record>) -> Result<()> {
        self.run(Undo::Savepoint, 0, move |tx| {
            now(copying::take(tx, noun, &records))
        })
        .await
    }

    /// The changes after a number, in the order of their numbers, at most `most` of them.
    pub(crate) fn changes_after(&self, seq: i64, most: usize) -> Result<Vec<Vec<Value>>> {
        let sql = copying::select_changes(most);
        self.database().read(|reader| {
            values::query(reader, &sql, &[seq.into()]).map_err(|error| map_err(&error))
        })
    }

    /// Inserts changes unchanged, with their numbers.
    pub(crate) async fn take_changes(&self, changes: Vec<Vec<Value>>) -> Result<()> {
        self.run(Undo::Savepoint, 0, move |tx| {
            now(copying::take_changes(tx, &changes))
        })
        .await
    }

    /// What was announced after a process and a time, at most `most` of it.
    pub(crate) fn announced_after(
        &self,
        process: i64,
        due: &str,
        most: usize,
    ) -> Result<Vec<Vec<Value>>> {
        self.rows(
            &copying::select_announced(most),
            &[process.into(), due.into()],
        )
    }

    /// Notes follow-ups as announced; without any, all that are due.
    pub(crate) async fn take_announced(&self, announced: Option<Vec<Vec<Value>>>) -> Result<()> {
        self.run(Undo::Savepoint, 0, move |tx| match announced {
            Some(announced) => now(copying::take_announced(tx, &announced)),
            None => now(copying::pass_over(tx)),
        })
        .await
    }

    /// Notes pairs of leads that are no duplicates.
    pub(crate) async fn take_dismissed(&self, dismissed: Vec<Vec<Value>>) -> Result<()> {
        self.run(Undo::Savepoint, 0, move |tx| {
            now(copying::take_dismissed(tx, &dismissed))
        })
        .await
    }

    /// Removes the mark. `given` has the highest assigned id for each noun. No id up to it is assigned again.
    pub(crate) async fn unmark(&self, given: &[i64]) -> Result<()> {
        let given = given.to_vec();
        self.run(Undo::Savepoint, 0, move |tx| {
            let given = tx.nouns().iter().zip(given);
            for (noun, id) in given.filter(|(noun, _)| !noun.is_view()) {
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

    /// The highest id that was ever assigned to a record of this noun.
    pub(crate) async fn last_given(&self, noun: &'static Noun) -> Result<i64> {
        self.database().read(|reader| {
            let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = $1";
            let seq = reader.query_row(sql, [noun.plural], |row| row.get(0));
            seq.map_err(|error| map_err(&error))
        })
    }

    /// Looks at every value of every record for those that crm would not have written.
    pub(crate) fn faults(&self) -> Result<Faults> {
        let database = self.database();
        let schema = Schema::of(database.nouns);
        database.read(|reader| {
            check::faults(reader, schema, FileState::Ready).map_err(|error| map_err(&error))
        })
    }
}
