//! A slice of a portion: the rows of the index that one transaction writes. It is short, because writes wait for it.

use std::collections::HashMap;

use super::delta::IndexEntry;
use super::postings::{Postings, damaged};
use crate::base::error::Result;
use crate::model::value::Value;
use crate::store::chore::Chore;
use crate::store::transaction::Transaction;

/// How many rows of the index a transaction changes while writes follow one another.
pub(super) const SHORT: usize = 600;

/// How many it changes otherwise. Each transaction waits for the disk once, so few long ones are done sooner.
pub(super) const LONG: usize = 6_000;

/// How many rows are read at once.
const READ: usize = 100;

/// How many rows are written at once. A database far away needs few statements, and the text of each is prepared once.
const WRITTEN: [usize; 3] = [50, 10, 1];

/// What ends with a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SliceEnd {
    /// Nothing: other slices follow.
    None,
    /// The index has followed the changes up to this one.
    Place(i64),
    /// The records of a noun above the second id are taken over. Until then it was the first.
    Rest(&'static str, i64, i64),
}

/// Begins a portion with a new turn, so that no other process goes on with one that it has begun before. Otherwise it could
/// remove a word that this portion, which has read more changes, has added again.
pub(super) struct Claim {
    pub(super) place: i64,
    pub(super) turn: i64,
}

impl Chore for Claim {
    /// The new turn. `None` if another process was there first.
    type Done = Option<i64>;

    async fn run<T: Transaction>(self, tx: &mut T) -> Result<Option<i64>> {
        let sql = "UPDATE crm_search_state SET turn = turn + 1 WHERE place = $1 AND turn = $2";
        let params = [self.place.into(), self.turn.into()];
        let claimed = tx.execute(sql, &params).await?;
        Ok((claimed == 1).then_some(self.turn + 1))
    }
}

/// Rows to be changed.
pub(super) struct IndexSlice {
    /// The place and the turn of the index when the portion was read.
    pub(super) place: i64,
    pub(super) turn: i64,
    pub(super) entries: Vec<IndexEntry>,
    pub(super) end: SliceEnd,
}

impl Chore for IndexSlice {
    /// False if another process was there first, so that nothing was changed.
    type Done = bool;

    async fn run<T: Transaction>(self, tx: &mut T) -> Result<bool> {
        let sql = format!("SELECT place, turn FROM crm_search_state{}", T::LOCKING);
        let rows = tx.query(&sql, &[]).await?;
        let found = rows.first().map(|row| (row[0].int(), row[1].int()));
        if found != Some((Some(self.place), Some(self.turn))) {
            return Ok(false);
        }
        if let SliceEnd::Rest(noun, from, to) = self.end {
            let sql = "UPDATE crm_search_nouns SET rest = $1 WHERE noun = $2 AND rest = $3";
            let params = [to.into(), noun.into(), from.into()];
            if tx.execute(sql, &params).await? == 0 {
                return Ok(false);
            }
        }
        let mut entries = &self.entries[..];
        while let Some(first) = entries.first() {
            let same = entries
                .iter()
                .take(READ)
                .take_while(|entry| entry.block == first.block)
                .count();
            let (now, later) = entries.split_at(same);
            write(tx, first.block, now).await?;
            entries = later;
        }
        if let SliceEnd::Place(place) = self.end {
            let sql = "UPDATE crm_search_state SET place = $1";
            tx.execute(sql, &[place.into()]).await?;
        }
        Ok(true)
    }
}

/// Changes rows of one block.
async fn write<T: Transaction>(tx: &mut T, block: i64, entries: &[IndexEntry]) -> Result<()> {
    let Some(last) = entries.last() else {
        return Ok(());
    };
    // The last word stands for those that are missing to a full number, so that there is one text of the statement.
    let words = entries.iter().chain(std::iter::repeat(last)).take(READ);
    let mut params = vec![Value::Int(block)];
    params.extend(words.map(|entry| Value::from(&*entry.word)));
    let markers: Vec<String> = (2..=READ + 1).map(|at| format!("${at}")).collect();
    let sql = format!(
        "SELECT word, docs FROM crm_search WHERE block = $1 AND word IN ({})",
        markers.join(", ")
    );
    let rows = tx.query(&sql, &params).await?;
    let known: HashMap<&str, &str> = rows
        .iter()
        .filter_map(|row| Some((row.first()?.text()?, row.get(1)?.text()?)))
        .collect();
    if known.is_empty() {
        let sql =
            "INSERT INTO crm_search_blocks (block) VALUES ($1) ON CONFLICT (block) DO NOTHING";
        tx.execute(sql, &[block.into()]).await?;
    }
    let mut written: Vec<(&str, String)> = Vec::new();
    for entry in entries {
        let known = known.get(&*entry.word).copied();
        let mut postings = Postings::default();
        postings
            .join(known.unwrap_or_default())
            .ok_or_else(damaged)?;
        let mut is_changed = false;
        for number in &entry.added {
            is_changed |= postings.add(*number);
        }
        for number in &entry.removed {
            is_changed |= postings.remove(*number);
        }
        match (is_changed, postings.is_empty(), known) {
            (true, false, _) => written.push((&entry.word, postings.encode())),
            (true, true, Some(_)) => {
                let sql = "DELETE FROM crm_search WHERE block = $1 AND word = $2";
                let params = [block.into(), Value::from(&*entry.word)];
                tx.execute(sql, &params).await?;
            }
            _ => {}
        }
    }
    let mut written = &written[..];
    while !written.is_empty() {
        let count = WRITTEN.into_iter().find(|count| *count <= written.len());
        let (now, later) = written.split_at(count.unwrap_or(1));
        let rows = (0..now.len()).map(|at| format!("($1, ${}, ${})", at * 2 + 2, at * 2 + 3));
        let sql = format!(
            "INSERT INTO crm_search (block, word, docs) VALUES {} \
             ON CONFLICT (block, word) DO UPDATE SET docs = excluded.docs",
            rows.collect::<Vec<_>>().join(", ")
        );
        let mut params = vec![Value::Int(block)];
        for (word, docs) in now {
            params.extend([Value::from(*word), Value::from(&**docs)]);
        }
        tx.execute(&sql, &params).await?;
        written = later;
    }
    Ok(())
}
