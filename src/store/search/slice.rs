//! A slice of a portion: the rows of the index that one transaction writes. It is short, because writes wait for it.

use super::delta::IndexEntry;
use super::rows::write;
use crate::base::error::Result;
use crate::store::chore::Chore;
use crate::store::transaction::Transaction;

/// How many rows of the index a transaction changes while writes follow one another.
pub(super) const SHORT: usize = 600;

/// How many it changes otherwise. Each transaction waits for the disk once, so few long ones are done sooner.
pub(super) const LONG: usize = 6_000;

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
            let same = entries.partition_point(|entry| entry.block <= first.block);
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
