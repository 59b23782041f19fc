//! The target of a copy: sets and removes the mark of an unfinished copy, and inserts records unchanged.

use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::store::transaction::{Fault, Transaction};

/// The refusal of a database with an unfinished copy.
pub(crate) fn unfinished(source: &str) -> Error {
    let message = format!(
        "the database holds an unfinished copy of {source}; finish it with `crm copy`, or remove it"
    );
    Error::failed(message)
}

/// Marks an empty database as the target of a copy from `source`. Returns the mark that it already has, if any.
pub(crate) async fn mark(tx: &mut impl Transaction, source: &str) -> Result<Option<String>> {
    tx.execute(
        "CREATE TABLE IF NOT EXISTS crm_copy (source text NOT NULL)",
        &[],
    )
    .await?;
    let rows = tx.query("SELECT source FROM crm_copy", &[]).await?;
    if let Some(found) = rows.first().and_then(|row| row.first()?.text()) {
        return Ok(Some(found.to_string()));
    }
    for noun in tx.nouns().iter().filter(|noun| !noun.is_view()) {
        let sql = format!("SELECT id FROM {} LIMIT 1", noun.plural);
        if !tx.query(&sql, &[]).await?.is_empty() {
            let message = format!(
                "the target holds {} already; expected an empty one",
                noun.plural
            );
            return Err(Error::new(Code::Conflict, message));
        }
    }
    tx.execute(
        "INSERT INTO crm_copy (source) VALUES ($1)",
        &[source.into()],
    )
    .await?;
    Ok(None)
}

/// Removes the mark.
pub(crate) async fn unmark(tx: &mut impl Transaction) -> Result<()> {
    tx.execute("DROP TABLE crm_copy", &[]).await?;
    Ok(())
}

/// Inserts records unchanged, with their ids, times and versions.
pub(crate) async fn take(
    tx: &mut impl Transaction,
    noun: &'static Noun,
    records: &[Record],
) -> Result<()> {
    let names = noun.fields.iter().map(|field| field.name);
    let names: Vec<&str> = names.chain(["version"]).collect();
    let markers: Vec<String> = (1..=names.len()).map(|at| format!("${at}")).collect();
    let (names, markers) = (names.join(", "), markers.join(", "));
    let sql = format!("INSERT INTO {} ({names}) VALUES ({markers})", noun.plural);
    for record in records {
        match tx.execute(&sql, &record.row()).await {
            Ok(_) => {}
            Err(Fault::Reference) => return Err(dangling(noun, record)),
            Err(Fault::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

fn dangling(noun: &Noun, record: &Record) -> Error {
    let message = format!(
        "{} {} refers to a record that does not exist; correct it in the source first",
        noun.name,
        record.id()
    );
    Error::new(Code::Conflict, message)
}
