//! The target of a copy: sets and removes the mark of an unfinished copy, and inserts records unchanged.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::newest;
use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::change::all_columns;
use crate::store::search::state;
use crate::store::sql::due::PASS_OVER;
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
    let changes = "SELECT seq FROM crm_changes LIMIT 1";
    if !tx.query(changes, &[]).await?.is_empty() {
        let message =
            "the target holds changes of records already; expected a database that was never used";
        return Err(Error::new(Code::Conflict, message));
    }
    tx.execute(
        "INSERT INTO crm_copy (source) VALUES ($1)",
        &[source.into()],
    )
    .await?;
    Ok(None)
}

/// Selects the changes after a number, at most `most` of them.
pub(crate) fn select_changes(most: usize) -> String {
    let columns = all_columns();
    format!("SELECT {columns} FROM crm_changes WHERE seq > $1 ORDER BY seq LIMIT {most}")
}

/// Inserts changes unchanged, with their numbers.
pub(crate) async fn take_changes(tx: &mut impl Transaction, changes: &[Vec<Value>]) -> Result<()> {
    let columns = all_columns();
    let markers: Vec<String> = (1..=columns.split(", ").count())
        .map(|at| format!("${at}"))
        .collect();
    let markers = markers.join(", ");
    let sql = format!("INSERT INTO crm_changes ({columns}) VALUES ({markers})");
    for change in changes {
        tx.execute(&sql, change).await?;
    }
    Ok(())
}

/// Selects what was announced after a process and a time, at most `most` of it.
pub(crate) fn select_announced(most: usize) -> String {
    format!(
        "SELECT process_id, due FROM crm_announced WHERE (process_id, due) > ($1, $2) ORDER BY process_id, due LIMIT {most}"
    )
}

/// Notes follow-ups as announced, as the source has done.
pub(crate) async fn take_announced(
    tx: &mut impl Transaction,
    announced: &[Vec<Value>],
) -> Result<()> {
    if announced.is_empty() {
        return Ok(());
    }
    let markers = (1..=announced.len()).map(|at| format!("(${}, ${})", 2 * at - 1, 2 * at));
    let markers: Vec<String> = markers.collect();
    // A copy that goes on takes them again.
    let sql = format!(
        "INSERT INTO crm_announced (process_id, due) VALUES {} ON CONFLICT DO NOTHING",
        markers.join(", ")
    );
    tx.execute(&sql, &announced.concat()).await?;
    Ok(())
}

/// Selects the pairs of leads that are no duplicates after a pair, at most `most` of them.
pub(crate) fn select_dismissed(most: usize) -> String {
    format!(
        "SELECT one, other, through, at, author FROM crm_dismissed WHERE (one, other, through) > ($1, $2, $3) \
         ORDER BY one, other, through LIMIT {most}"
    )
}

/// Notes pairs of leads as no duplicates, as the source has done.
pub(crate) async fn take_dismissed(
    tx: &mut impl Transaction,
    dismissed: &[Vec<Value>],
) -> Result<()> {
    // A copy that goes on takes them again.
    let sql = "INSERT INTO crm_dismissed (one, other, through, at, author) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    for pair in dismissed {
        tx.execute(sql, pair).await?;
    }
    Ok(())
}

/// Notes all follow-ups that are due as announced, because the source does not tell.
pub(crate) async fn pass_over(tx: &mut impl Transaction) -> Result<()> {
    tx.execute(PASS_OVER, &[time::now().as_str().into()])
        .await?;
    Ok(())
}

/// Gives the changes a new epoch, and removes the mark.
pub(crate) async fn unmark(tx: &mut impl Transaction) -> Result<()> {
    // A source of an older crm has no newest times, and a source in use goes on while it is copied.
    newest::renew_all(tx).await?;
    let epoch = format!("{:016x}", RandomState::new().hash_one(time::now()));
    tx.execute("UPDATE crm_epoch SET epoch = $1", &[epoch.as_str().into()])
        .await?;
    // The index of the search knows nothing of the records. It is made anew, behind the first start.
    state::remove(tx).await?;
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
