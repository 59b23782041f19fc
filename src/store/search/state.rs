//! The state of the index: up to which change it has followed, and which records from before it are still to be taken over.

use std::sync::atomic::{AtomicI64, Ordering};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::postings::BLOCK;
use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::value::Value;
use crate::store::chore::Chore;
use crate::store::transaction::{Fault, Transaction};

/// The rules by which texts become words, and words rows. A program with other rules makes the index anew.
const RULES: i64 = 2;

/// How many nouns have room in the numbers of blocks.
const NOUNS: i64 = 64;

/// What the index reads from: a store, or one of its connections.
pub(crate) trait Reads: Send {
    /// The rows of a short select.
    fn rows(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<Vec<Vec<Value>>>> + Send;
}

/// A store that has an index.
pub(crate) trait Indexed: Sync {
    /// The rows of a short select.
    fn select(
        &self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<Vec<Vec<Value>>>> + Send;

    /// Runs a chore in a transaction.
    fn transact<C: Chore>(&self, chore: C) -> impl Future<Output = Result<C::Done>> + Send;

    /// The number of a change up to which all changes can be read.
    fn horizon(&self) -> impl Future<Output = Result<i64>> + Send;

    /// How many writes wait.
    fn waiting(&self) -> usize;

    /// The nouns of the store.
    fn nouns(&self) -> &'static [&'static Noun];

    /// What this process knows of the index.
    fn index(&self) -> &SearchIndex;
}

/// A store as [`Reads`].
pub(crate) struct StoreReads<'s, S>(pub(crate) &'s S);

impl<S: Indexed> Reads for StoreReads<'_, S> {
    async fn rows(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        self.0.select(sql, params).await
    }
}

/// What this process knows of the index.
#[derive(Debug, Default)]
pub(crate) struct SearchIndex {
    /// Whoever writes the index has it, so that the tasks of a process do not do the same.
    pub(super) turn: tokio::sync::Mutex<()>,
    gap: Gauge<i64, AtomicI64>,
    behind: Gauge<i64, AtomicI64>,
}

impl SearchIndex {
    /// Registers the metrics.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "crm_search_unindexed_records",
            "At most how many records from before the search are not found by it yet",
            self.gap.clone(),
        );
        registry.register(
            "crm_search_behind_changes",
            "How many changes a search reads itself, because its index has not followed them yet",
            self.behind.clone(),
        );
    }

    /// Notes how far the index is.
    pub(super) fn sees(&self, gap: i64, behind: i64) {
        self.gap.inner().store(gap, Ordering::Relaxed);
        self.behind.inner().store(behind, Ordering::Relaxed);
    }

    /// How many records were not indexed when it was looked at last.
    pub(crate) fn gap(&self) -> u64 {
        self.gap.get().max(0).unsigned_abs()
    }
}

/// How much of a database a search cannot find yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexGap {
    /// At most how many records from before the index are not taken over yet.
    pub records: i64,
    /// How many changes the index has not followed.
    pub changes: i64,
}

/// The records of a noun in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NounPart {
    pub(crate) noun: &'static Noun,
    pub(super) number: i64,
    /// The records with ids up to this one are not indexed yet.
    pub(crate) rest: i64,
}

impl NounPart {
    /// The block of a record, and its number in it.
    pub(super) fn place(&self, id: i64) -> (i64, u16) {
        let block = id.div_euclid(BLOCK as i64) * NOUNS + self.number;
        (block, id.rem_euclid(BLOCK as i64) as u16)
    }

    /// The lowest id in the block of a record. No id is below 1.
    pub(super) fn lowest(&self, id: i64) -> i64 {
        (id.div_euclid(BLOCK as i64) * BLOCK as i64).max(1)
    }

    /// The parts of a database without an index.
    pub(super) fn unindexed(nouns: &'static [&'static Noun]) -> Vec<NounPart> {
        let tables = nouns.iter().filter(|noun| !noun.is_view());
        let part = |(number, noun): (i64, &&'static Noun)| NounPart {
            noun,
            number,
            rest: i64::MAX,
        };
        (0..).zip(tables).map(part).collect()
    }

    /// Whether a block has records of this noun.
    pub(super) fn has(&self, block: i64) -> bool {
        block.rem_euclid(NOUNS) == self.number
    }

    /// The id of the record with this number in a block.
    pub(super) fn id(block: i64, number: u16) -> i64 {
        block.div_euclid(NOUNS) * BLOCK as i64 + i64::from(number)
    }
}

/// The state of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexState {
    /// Whether there is an index by the rules of this program.
    pub(crate) begun: bool,
    /// The index has followed all changes up to this one.
    pub(crate) place: i64,
    /// One more with each portion and each erasure.
    pub(super) turn: i64,
    pub(crate) parts: Vec<NounPart>,
    /// The blocks that have rows, the newest first.
    pub(super) blocks: Vec<i64>,
}

/// All of the state in one select. The names of nouns are texts, so that the columns have one type each.
pub(super) const STATE: &str = "SELECT CAST(0 AS bigint) AS what, rules AS a, place AS b, turn AS c, '' AS noun FROM crm_search_state \
     UNION ALL SELECT 1, number, rest, 0, noun FROM crm_search_nouns \
     UNION ALL SELECT 2, block, 0, 0, '' FROM crm_search_blocks";

impl IndexState {
    /// Reads the state.
    pub(crate) async fn read(
        reads: &mut impl Reads,
        nouns: &'static [&'static Noun],
    ) -> Result<IndexState> {
        let rows = reads.rows(STATE, &[]).await?;
        Ok(IndexState::of(&rows, nouns))
    }

    pub(super) fn of(rows: &[Vec<Value>], nouns: &'static [&'static Noun]) -> IndexState {
        let mut state = IndexState::default();
        for row in rows {
            let int = |at: usize| row.get(at).and_then(Value::int).unwrap_or_default();
            match int(0) {
                0 => {
                    state.begun = int(1) == RULES;
                    (state.place, state.turn) = (int(2), int(3));
                }
                1 => {
                    let name = row.get(4).and_then(Value::text);
                    let noun = nouns.iter().find(|noun| Some(noun.plural) == name);
                    state.parts.extend(noun.map(|noun| NounPart {
                        noun,
                        number: int(1),
                        rest: int(2),
                    }));
                }
                _ => state.blocks.push(int(1)),
            }
        }
        state.blocks.sort_unstable_by(|one, other| other.cmp(one));
        let tables = nouns.iter().filter(|noun| !noun.is_view());
        state.begun &= tables.count() == state.parts.len();
        if !state.begun {
            state.parts.clear();
        }
        state
    }

    /// The part of a noun.
    pub(crate) fn part(&self, noun: &Noun) -> Option<&NounPart> {
        self.parts.iter().find(|part| part.noun == noun)
    }

    /// At most how many records are not indexed.
    pub(crate) fn gap(&self) -> i64 {
        self.parts.iter().map(|part| part.rest).sum()
    }
}

/// A transaction as [`Reads`].
pub(super) struct InTransaction<'t, T>(pub(super) &'t mut T);

impl<T: Transaction> Reads for InTransaction<'_, T> {
    async fn rows(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        Ok(self.0.query(sql, params).await?)
    }
}

/// Begins an index: from now on it follows the changes, and all records that exist are still to be taken over.
pub(crate) struct BeginIndex {
    /// Whether an index by the right rules is thrown away.
    pub(crate) anew: bool,
}

impl Chore for BeginIndex {
    type Done = ();

    async fn run<T: Transaction>(self, tx: &mut T) -> Result<()> {
        tx.alone_with("search").await?;
        let nouns = tx.nouns();
        let state = IndexState::read(&mut InTransaction(tx), nouns).await?;
        if state.begun && !self.anew {
            return Ok(());
        }
        remove(tx).await?;
        // In this order: a record that is not among those now has its change after the place.
        let place = tx.horizon().await?;
        let sql = "INSERT INTO crm_search_state (id, rules, place, turn) VALUES (1, $1, $2, $3)";
        tx.execute(sql, &[RULES.into(), place.into(), (state.turn + 1).into()])
            .await?;
        let tables = nouns.iter().filter(|noun| !noun.is_view());
        for (number, noun) in (0_i64..).zip(tables) {
            let highest = format!("SELECT coalesce(max(id), 0) FROM {}", noun.plural);
            let rows = tx.query(&highest, &[]).await?;
            let rest = rows.first().and_then(|row| row.first()?.int());
            let sql = "INSERT INTO crm_search_nouns (noun, number, rest) VALUES ($1, $2, $3)";
            let params = [
                noun.plural.into(),
                number.into(),
                rest.unwrap_or_default().into(),
            ];
            tx.execute(sql, &params).await?;
        }
        Ok(())
    }
}

/// Removes the index. It is made anew later, behind the writers.
pub(crate) async fn remove(tx: &mut impl Transaction) -> Result<(), Fault> {
    for sql in [
        "DELETE FROM crm_search",
        "DELETE FROM crm_search_blocks",
        "DELETE FROM crm_search_nouns",
        "DELETE FROM crm_search_state",
    ] {
        tx.execute(sql, &[]).await?;
    }
    Ok(())
}

/// The lowest number of a change that the index still needs. No row before there is an index.
pub(crate) const NEEDED: &str = "SELECT place + 1 FROM crm_search_state";
