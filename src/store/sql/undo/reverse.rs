//! Writes the changes that take others back.

use std::collections::{HashMap, HashSet};

use super::group::conflict;
use super::portion::{Content, Portion, Step, contents};
use crate::base::error::Result;
use crate::model::lead::LEAD;
use crate::model::record::Record;
use crate::model::terms::next_version;
use crate::store::sql::ledger::Ledger;
use crate::store::sql::many::{int, of_ids};
use crate::store::sql::merged::{last_deletes, merged, note_of};
use crate::store::sql::reversal::Reversal;
use crate::store::sql::row::mend;
use crate::store::sql::statements::{columns, statements, table};
use crate::store::transaction::{CHANGES_OF, Transaction};

/// Takes back the changes of a portion, the newest first.
pub(super) async fn write<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    portion: &Portion,
) -> Result<()> {
    for part in portion.parts() {
        let mut batch: Vec<(Step, Content)> = Vec::new();
        let mut seen = HashSet::new();
        let contents = contents(ledger.tx, part).await?;
        for (step, content) in part.iter().zip(contents) {
            // A batch has each record once, because it begins with the records as they are.
            if !seen.insert((step.noun, step.id)) {
                flush(ledger, std::mem::take(&mut batch)).await?;
                seen = HashSet::from([(step.noun, step.id)]);
            }
            batch.push((*step, content));
        }
        flush(ledger, batch).await?;
    }
    Ok(())
}

async fn flush<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    batch: Vec<(Step, Content)>,
) -> Result<()> {
    let mut records = HashMap::new();
    let mut versions = HashMap::new();
    for (at, noun) in ledger.tx.nouns().iter().enumerate() {
        let of = |gone: bool| {
            let steps = batch.iter().filter(move |(step, content)| {
                step.noun == at && matches!(content, Content::Deleted(_)) == gone
            });
            let ids: Vec<i64> = steps.map(|(step, _)| step.id).collect();
            ids
        };
        let (there, gone) = (of(false), of(true));
        let rows = of_ids(ledger.tx, &there, |markers| {
            format!(
                "SELECT {} FROM {} WHERE {}.id IN ({markers})",
                columns(noun),
                table(noun),
                noun.plural
            )
        });
        for mut values in rows.await? {
            mend(noun, &mut values);
            let record = Record { noun, values };
            records.insert((at, record.id()), record);
        }
        let types = statements(noun);
        let rows = of_ids(ledger.tx, &gone, |markers| {
            format!(
                "SELECT record_id, max(version) FROM crm_changes WHERE {CHANGES_OF} IN ({markers})) \
                 AND type IN ('{}', '{}', '{}') GROUP BY record_id",
                types.created, types.updated, types.deleted
            )
        });
        for row in rows.await? {
            if let (Some(id), Some(version)) = (int(&row, 0), int(&row, 1)) {
                versions.insert((at, id), version);
            }
        }
    }
    let leads = batch.iter().filter(|(step, content)| {
        *ledger.tx.nouns()[step.noun] == LEAD && matches!(content, Content::Created)
    });
    let leads: Vec<i64> = leads.map(|(step, _)| step.id).collect();
    let rows = of_ids(ledger.tx, &leads, last_deletes).await?;
    let notes: HashMap<i64, i64> = rows.iter().filter_map(|row| merged(row)).collect();
    let reversals = batch.into_iter().map(|(step, content)| {
        let key = (step.noun, step.id);
        let there = records.remove(&key);
        match (content, there) {
            (Content::Created, Some(record)) => {
                let note = notes.get(&step.id).filter(|_| *record.noun == LEAD);
                Ok(Reversal::Delete(record, note.map(|into| note_of(*into))))
            }
            (Content::Updated(fields), Some(record)) => Ok(Reversal::ChangeBack(record, fields)),
            (Content::Deleted(record), _) => {
                let had = versions.get(&key).copied().unwrap_or_default();
                let version = next_version(had.max(step.version))?;
                Ok(Reversal::Restore(record.with_version(version)))
            }
            // It was there when it was checked.
            (Content::Created | Content::Updated(_), None) => Err(conflict(
                "others are changing the same records; nothing was changed, try again",
            )),
        }
    });
    let reversals: Result<Vec<Reversal>> = reversals.collect();
    ledger.reverse(reversals?).await
}
