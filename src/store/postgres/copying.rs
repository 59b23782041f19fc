//! The target of a copy: its mark, batches of records, and the highest ids.

use std::time::Duration;

use deadpool::managed::Object;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::cells::{slice, values};
use super::database::{FIRST_TRY, LIST_PATIENCE, PATIENCE};
use super::failure::within;
use super::store::Postgres;
use super::writing::Mode;
use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::change::{NUMBERS, all_columns};
use crate::store::sql::copying;
use crate::store::transaction::Transaction;

/// How long a batch of a copy may take.
const COPY_PATIENCE: Duration = Duration::from_secs(60);

impl Postgres {
    /// Marks an empty database as the target of a copy from `source`. Returns the mark that it already has, if any.
    pub(crate) async fn mark(&self, source: &str) -> Result<Option<String>> {
        let mut tx = self
            .database
            .write(Mode::Transaction { begun: false })
            .await?;
        let result = copying::mark(&mut tx, source).await;
        tx.finish(result).await
    }

    /// Inserts records unchanged, with their ids and times: all of them or none.
    pub(crate) async fn take(&self, noun: &'static Noun, records: Vec<Record>) -> Result<()> {
        let names: Vec<&str> = noun.fields.iter().map(|field| field.name).collect();
        let columns = format!("{}, version", names.join(", "));
        let ids = noun.fields.iter().filter(|field| field.kind.is_number());
        let numbers: Vec<&str> = ids.map(|field| field.name).chain(["version"]).collect();
        let rows: Vec<Vec<Value>> = records.iter().map(Record::row).collect();
        self.copy_in(noun.plural, &columns, &numbers, &rows).await
    }

    /// The changes after a number, in the order of their numbers, at most `most` of them.
    pub(crate) async fn changes_after(&self, seq: i64, most: usize) -> Result<Vec<Vec<Value>>> {
        let sql = copying::select_changes(most);
        let read = self
            .database
            .read(LIST_PATIENCE, (sql, seq), |(sql, seq), session| {
                Box::pin(async move {
                    let rows = session.client.query(sql.as_str(), &[seq]).await?;
                    Ok(rows.iter().map(values).collect())
                })
            });
        read.await
    }

    /// Inserts changes unchanged, with their numbers: all of them or none.
    pub(crate) async fn take_changes(&self, changes: Vec<Vec<Value>>) -> Result<()> {
        self.copy_in("crm_changes", &all_columns(), &NUMBERS, &changes)
            .await
    }

    /// What was announced after a process and a time, at most `most` of it.
    pub(crate) async fn announced_after(
        &self,
        process: i64,
        due: &str,
        most: usize,
    ) -> Result<Vec<Vec<Value>>> {
        let sql = copying::select_announced(most);
        self.rows(&sql, &[process.into(), due.into()]).await
    }

    /// Notes follow-ups as announced; without any, all that are due.
    pub(crate) async fn take_announced(&self, announced: Option<Vec<Vec<Value>>>) -> Result<()> {
        let mut tx = self
            .database
            .write(Mode::Transaction { begun: false })
            .await?;
        let result = match announced {
            Some(announced) => copying::take_announced(&mut tx, &announced).await,
            None => copying::pass_over(&mut tx).await,
        };
        tx.finish(result).await
    }

    /// Notes pairs of leads that are no duplicates.
    pub(crate) async fn take_dismissed(&self, dismissed: Vec<Vec<Value>>) -> Result<()> {
        let mut tx = self
            .database
            .write(Mode::Transaction { begun: false })
            .await?;
        let result = copying::take_dismissed(&mut tx, &dismissed).await;
        tx.finish(result).await
    }

    /// Inserts rows into these columns of a table, which are texts except for `numbers`.
    async fn copy_in(
        &self,
        table: &str,
        columns: &str,
        numbers: &[&str],
        rows: &[Vec<Value>],
    ) -> Result<()> {
        let session = self.database.session(PATIENCE).await?;
        let sql = format!("COPY {table} ({columns}) FROM STDIN BINARY");
        let types = columns
            .split(", ")
            .map(|name| match numbers.contains(&name) {
                true => Type::INT8,
                false => Type::TEXT,
            });
        let types: Vec<Type> = types.collect();
        let taken = async {
            let sink = session.client.copy_in(&sql).await?;
            let writer = BinaryCopyInWriter::new(sink, &types);
            futures_util::pin_mut!(writer);
            for row in rows {
                writer.as_mut().write(&slice(row)).await?;
            }
            writer.finish().await
        };
        let Err(failure) = within(COPY_PATIENCE, taken).await else {
            return Ok(());
        };
        let reference = failure.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION);
        drop(Object::take(session));
        match reference {
            // The detail names the value, and the table that lacks it.
            true => Err(Error::new(
                Code::Conflict,
                format!("{} Correct it in the source first", failure.detail()),
            )),
            // The highest id shows whether the batch was saved, and a repeated command continues there.
            false if !failure.is_certain() => Err(Error::new(
                Code::Unknown,
                "the connection to the database was lost; run the same command again to continue",
            )),
            false => Err(failure.error()),
        }
    }

    /// Removes the mark. `given` has, for each noun, the highest id that the source ever assigned. No id up to it is
    /// assigned again.
    pub(crate) async fn unmark(&self, given: &[i64]) -> Result<()> {
        let mut tx = self
            .database
            .write_within(Mode::Transaction { begun: false }, COPY_PATIENCE)
            .await?;
        let result = async {
            for (noun, id) in self.nouns().iter().zip(given) {
                if noun.is_view() {
                    continue;
                }
                // A sequence cannot be set to 0; one that has assigned nothing begins with 1.
                let sql = "SELECT setval(pg_get_serial_sequence($1, 'id'), greatest($2::bigint, 1), $2 > 0)";
                tx.query(sql, &[noun.plural.into(), (*id).into()]).await?;
            }
            // Number 0 is never given.
            let last =
                "SELECT setval('crm_changes_seq', (SELECT coalesce(max(seq), 0) FROM crm_changes))";
            tx.query(last, &[]).await?;
            copying::unmark(&mut tx).await
        };
        let result = result.await;
        tx.finish(result).await
    }

    /// The highest id that was ever assigned to a record of this noun.
    pub(crate) async fn last_given(&self, noun: &'static Noun) -> Result<i64> {
        let table = noun.plural;
        let last = self.database.read(FIRST_TRY, table, |table, session| {
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
