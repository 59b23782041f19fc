//! Erases records from the index, with every byte.

use std::collections::{BTreeMap, HashSet};

use super::delta::IndexEntry;
use super::postings::{Postings, damaged, is_damaged};
use super::rows::{each_word, write};
use super::state::{InTransaction, IndexState, remove};
use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::value::Value;
use crate::store::transaction::Transaction;

/// How many rows are read at once.
const PORTION: usize = 1_000;

/// Removes records from all rows of their blocks, also from those whose words they no longer have.
pub(crate) async fn forget<T: Transaction>(
    tx: &mut T,
    records: &[(&'static Noun, i64)],
) -> Result<()> {
    // What a portion has read before this must not be written after it.
    let sql = "UPDATE crm_search_state SET turn = turn + 1";
    tx.execute(sql, &[]).await?;
    let nouns = tx.nouns();
    let state = IndexState::read(&mut InTransaction(tx), nouns).await?;
    let mut blocks: BTreeMap<i64, HashSet<u16>> = BTreeMap::new();
    for (noun, id) in records {
        if let Some(part) = state.part(noun) {
            let (block, number) = part.place(*id);
            blocks.entry(block).or_default().insert(number);
        }
    }
    for (block, numbers) in blocks {
        match forget_in(tx, block, &numbers).await {
            // Where a row cannot be read, the whole index goes, which can be made anew. An erasure must not wait for that.
            Err(error) if is_damaged(&error) => return Ok(remove(tx).await?),
            forgotten => forgotten?,
        }
    }
    Ok(())
}

async fn forget_in<T: Transaction>(tx: &mut T, block: i64, numbers: &HashSet<u16>) -> Result<()> {
    let sql = format!(
        "SELECT word, docs FROM crm_search WHERE block = $1 AND word > $2 ORDER BY word LIMIT {PORTION}"
    );
    let mut last = String::new();
    // The words that have any of them. There are few, so they are written together at the end.
    let mut entries: BTreeMap<String, Vec<u16>> = BTreeMap::new();
    loop {
        let rows = tx.query(&sql, &[block.into(), Value::from(&*last)]).await?;
        for row in &rows {
            let (word, docs) = (row[0].text(), row[1].text());
            let (Some(word), Some(docs)) = (word, docs) else {
                return Err(damaged());
            };
            each_word(word, docs, |word, docs| {
                let mut postings = Postings::default();
                postings.join(docs).ok_or_else(damaged)?;
                let has = numbers.iter().copied().filter(|one| postings.has(*one));
                let has: Vec<u16> = has.collect();
                if !has.is_empty() {
                    entries.insert(word.into_owned(), has);
                }
                Ok(())
            })?;
        }
        match rows.last().and_then(|row| row.first()?.text()) {
            Some(word) if rows.len() == PORTION => last = word.into(),
            _ => break,
        }
    }
    let entries = entries.into_iter().map(|(word, removed)| IndexEntry {
        block,
        word,
        added: Vec::new(),
        removed,
    });
    let entries: Vec<IndexEntry> = entries.collect();
    write(tx, block, &entries).await
}
