//! The ledger: the only code that inserts, updates and deletes records.
//!
//! The operations decide what to write, and the ledger writes it. It counts versions, sets `updated_at`, follows the
//! references to a deleted record, and explains a failed foreign key.

use std::fmt::Write;
use std::pin::Pin;

use super::row::mend;
use super::statements::statements;
use crate::base::error::{Code, Error, Problems, Result};
use crate::base::time;
use crate::model::draft::Draft;
use crate::model::kind::{Kind, OnDelete};
use crate::model::noun::Noun;
use crate::model::nouns::in_use;
use crate::model::record::Record;
use crate::model::terms::{Terms, next_version};
use crate::model::value::Value;
use crate::store::transaction::{Fault, Transaction};

/// Reads and locks a record that will be changed. Its values are as they are [shown](crate::model::stored), so that a field
/// that is written back as it was read is not changed.
pub async fn read<T: Transaction>(tx: &mut T, noun: &'static Noun, id: i64) -> Result<Record> {
    let select = &statements(noun).select;
    // Without a lock, the text needs no copy.
    let rows = match T::LOCKING {
        "" => tx.query(select, &[id.into()]).await?,
        locking => {
            tx.query(&format!("{select}{locking}"), &[id.into()])
                .await?
        }
    };
    let mut values = rows.into_iter().next().ok_or_else(|| noun.not_found())?;
    mend(noun, &mut values);
    Ok(Record { noun, values })
}

/// Inserts a record and sets its id.
pub async fn insert(tx: &mut impl Transaction, draft: &Draft, record: &mut Record) -> Result<()> {
    let noun = record.noun;
    let values = &record.values[1..noun.fields.len()];
    let inserted = tx.insert(&statements(noun).insert, values).await;
    record.values[0] = match inserted {
        Ok(id) => Value::Int(id),
        Err(Fault::Reference) => return Err(refused(tx, draft, Problems::default()).await?),
        Err(Fault::Error(error)) => return Err(error),
    };
    Ok(())
}

/// The error for an insert into a table whose highest possible id was given.
pub(crate) fn no_more_ids() -> Error {
    Error::new(
        Code::Conflict,
        "no id is left for a new record: another program has used the highest one, 9223372036854775807; nothing was saved; \
         delete that record, and set the table's number back (in SQLite the column seq of sqlite_sequence, in PostgreSQL \
         with setval) to the highest id that is left",
    )
}

/// Writes these changes of a record in one statement, together with `updated_at` and the version.
pub async fn change(
    tx: &mut impl Transaction,
    draft: &Draft,
    mut record: Record,
    mut changes: Vec<(usize, Value)>,
) -> Result<Record> {
    let noun = record.noun;
    if let Some(stamp) = noun.position("updated_at") {
        changes.push((stamp, time::now().as_str().into()));
    }
    let before = record.size();
    for (at, value) in &changes {
        record.values[*at] = value.clone();
    }
    if let Err(error) = record.fits()
        && record.size() > before
    {
        // A record from before the limit may already be too large. It may still change if it does not grow.
        return Err(error);
    }
    let mut sql = format!("UPDATE {} SET ", noun.plural);
    let mut params = Vec::with_capacity(changes.len() + 2);
    for (at, value) in changes {
        let comma = if params.is_empty() { "" } else { ", " };
        params.push(value);
        let _ = write!(sql, "{comma}{} = ${}", noun.fields[at].name, params.len());
    }
    let version = next_version(record.version())?;
    params.push(version.into());
    let _ = write!(sql, ", version = ${}", params.len());
    params.push(record.id().into());
    let _ = write!(sql, " WHERE id = ${}", params.len());
    match tx.execute(&sql, &params).await {
        Ok(_) => Ok(record.with_version(version)),
        Err(Fault::Reference) => Err(refused(tx, draft, Problems::default()).await?),
        Err(Fault::Error(error)) => Err(error),
    }
}

/// The error for a draft: its problems, and its references to records that do not exist.
pub async fn refused(
    tx: &mut impl Transaction,
    draft: &Draft,
    mut problems: Problems,
) -> Result<Error> {
    for (field, id) in draft.references() {
        if let Kind::Reference(target) = field.kind {
            let sql = format!("SELECT id FROM {} WHERE id = $1", target.plural);
            if tx.query(&sql, &[id.into()]).await?.is_empty() {
                problems.push(field.name, format!("no {} has the id {id}", target.name));
            }
        }
    }
    match problems.is_empty() {
        true => Ok(Fault::Reference.into()),
        false => Ok(Error::fields(problems)),
    }
}

/// Deletes a record. With `cascade`, the records that refer to it are deleted as well.
pub async fn delete<T: Transaction>(
    tx: &mut T,
    noun: &'static Noun,
    id: i64,
    cascade: bool,
    terms: &Terms,
) -> Result<()> {
    let has_owned = |tx: &T| {
        let mut referrers = noun.referrers(tx.nouns());
        referrers.any(|(_, _, on_delete)| on_delete == OnDelete::Refuse)
    };
    // While the record is locked, nobody can add a record that refers to it.
    let locks = cascade && !T::LOCKING.is_empty() && has_owned(tx);
    if locks || terms.versions.is_some() {
        let record = read(tx, noun, id).await?;
        terms.hold(record.version())?;
    }
    release(tx, noun, DeletedRows::One, id, cascade).await?;
    match tx.execute(&statements(noun).delete, &[id.into()]).await {
        Ok(0) => Err(noun.not_found()),
        Ok(_) => Ok(()),
        Err(Fault::Reference) => Err(still_has(tx, noun, id).await?),
        Err(Fault::Error(error)) => Err(error),
    }
}

/// The rows of a table that are about to be deleted.
#[derive(Clone)]
enum DeletedRows {
    /// The row with the id.
    One,
    /// The rows that a condition selects. `$` stands for the marker of the id.
    Where(String),
}

/// Handles the records that refer to these rows, as their fields say: clears the reference or, with `cascade`, deletes them
/// as well. The schema alone would also clear the reference, but without a change of `updated_at` and version.
fn release<'t, T: Transaction>(
    tx: &'t mut T,
    noun: &'static Noun,
    rows: DeletedRows,
    id: i64,
    cascade: bool,
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 't>> {
    Box::pin(async move {
        // In reverse order, because later nouns may refer to earlier ones.
        for (referrer, field, on_delete) in noun.referrers(tx.nouns()).rev() {
            let table = referrer.plural;
            let condition = match &rows {
                DeletedRows::One => format!("{} = $", field.name),
                DeletedRows::Where(condition) => format!(
                    "{} IN (SELECT id FROM {} WHERE {condition})",
                    field.name, noun.plural
                ),
            };
            match on_delete {
                OnDelete::SetNull => {
                    let sql = format!(
                        "UPDATE {table} SET {} = NULL, updated_at = $1, version = version + 1 WHERE {}",
                        field.name,
                        condition.replace('$', "$2")
                    );
                    let params = [time::now().as_str().into(), id.into()];
                    tx.execute(&sql, &params).await?;
                }
                OnDelete::Refuse if cascade => {
                    let owned = DeletedRows::Where(condition.clone());
                    release(tx, referrer, owned, id, cascade).await?;
                    let sql = format!("DELETE FROM {table} WHERE {}", condition.replace('$', "$1"));
                    tx.execute(&sql, &[id.into()]).await?;
                }
                OnDelete::Refuse => {}
            }
        }
        Ok(())
    })
}

/// The error for a record that cannot be deleted because other records refer to it.
async fn still_has(tx: &mut impl Transaction, noun: &'static Noun, id: i64) -> Result<Error> {
    let mut counts = Vec::new();
    for (referrer, field, on_delete) in noun.referrers(tx.nouns()) {
        if on_delete != OnDelete::Refuse {
            continue;
        }
        let sql = format!(
            "SELECT count(*) FROM {} WHERE {} = $1",
            referrer.plural, field.name
        );
        let rows = tx.query(&sql, &[id.into()]).await?;
        let count = rows.first().and_then(|row| row.first());
        let count = count.and_then(Value::int).unwrap_or_default();
        counts.push((referrer, u64::try_from(count).unwrap_or_default()));
    }
    if counts.iter().all(|(_, count)| *count == 0) {
        let message =
            "another table of this database refers to the record; crm does not know that table";
        return Ok(Error::new(Code::Conflict, message));
    }
    Ok(in_use(noun, id, &counts))
}
