//! The target of a copy: its mark, batches of records, and the highest ids.

use std::time::Duration;

use deadpool::managed::Object;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::cells::slice;
use super::database::{FIRST_TRY, PATIENCE};
use super::failure::within;
use super::store::Postgres;
use super::writing::Mode;
use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;
use crate::model::record::Record;
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
        let session = self.database.session(PATIENCE).await?;
        let names: Vec<&str> = noun.fields.iter().map(|field| field.name).collect();
        let sql = format!(
            "COPY {} ({}, version) FROM STDIN BINARY",
            noun.plural,
            names.join(", ")
        );
        let types: Vec<Type> = noun
            .fields
            .iter()
            .map(|field| {
                if field.kind.is_id() {
                    Type::INT8
                } else {
                    Type::TEXT
                }
            })
            .chain([Type::INT8])
            .collect();
        let taken = async {
            let sink = session.client.copy_in(&sql).await?;
            let writer = BinaryCopyInWriter::new(sink, &types);
            futures_util::pin_mut!(writer);
            for record in &records {
                writer.as_mut().write(&slice(&record.row())).await?;
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
            .write(Mode::Transaction { begun: false })
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
