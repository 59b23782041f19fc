//! The search: candidates from the index, compared with the records themselves.
//!
//! For each noun it collects the matching records that were changed after the place of the index, the records with exactly the
//! address that was asked for, and then, from the newest on, those whose names or addresses have the words, until it has
//! [`ENOUGH`] of them. If these are fewer than asked for, it goes on with those that have the words anywhere. So the best of
//! the newest are found, and however many records a single letter has, it reads only a few of them.

use std::collections::{HashMap, HashSet};

use super::follow::catch_up;
use super::keys::{Lookup, TextClass, lookup, part_of};
use super::leaf::{PartList, lines};
use super::postings::{Postings, damaged};
use super::state::{IndexGap, IndexState, Indexed, NounPart, Reads, StoreReads};
use super::tail::matching;
use crate::base::error::{Code, Error, Result};
use crate::model::find::Find;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::contract::Found;
use crate::store::sql::row::mend;
use crate::store::sql::statements;

/// How many matching records of a noun are compared, at least. The best of them are shown.
const ENOUGH: usize = 60;

/// How many records are read at once.
const READ: usize = 60;

/// How many changes a search looks through itself. If there are more, the index catches up first. So many take about as long
/// as a person waits without a thought.
pub(crate) const TAIL: i64 = 500_000;

/// How many old records a search looks through itself.
const FEW: i64 = 1_000;

/// How many blocks are read at once: few at first, because often they have enough.
const BLOCKS: [usize; 2] = [2, 16];

/// What a look has found.
pub(crate) enum Looked {
    Found(Found),
    /// There is no index, or it is too far behind. It should first follow all changes up to this one.
    Behind(i64),
}

/// Searches a store whose index can be written. `look` looks once, with that bound on the changes.
pub(crate) async fn find<S: Indexed, F>(store: &S, look: impl Fn(i64) -> F) -> Result<Found>
where
    F: Future<Output = Result<Looked>>,
{
    let newest = match look(TAIL).await? {
        Looked::Found(found) => return Ok(found),
        Looked::Behind(newest) => newest,
    };
    catch_up(store, newest - TAIL / 2).await?;
    // However many there are: an old transaction may hold the index up.
    found(look(i64::MAX).await?)
}

fn found(look: Looked) -> Result<Found> {
    match look {
        Looked::Found(found) => Ok(found),
        Looked::Behind(_) => Err(Error::new(
            Code::Unavailable,
            "the index of the search is too far behind the changes; try again in a moment",
        )),
    }
}

/// Searches a store.
pub(crate) async fn look_in<S: Indexed>(store: &S, find: &Find, tail: i64) -> Result<Looked> {
    look(&mut StoreReads(store), store.nouns(), find, tail, false).await
}

/// Searches a database that is only read. What is not indexed is looked through, however long that takes.
pub(crate) async fn look_through(
    reads: &mut impl Reads,
    nouns: &'static [&'static Noun],
    find: &Find,
) -> Result<Found> {
    found(look(reads, nouns, find, i64::MAX, true).await?)
}

/// Searches once.
pub(crate) async fn look<R: Reads>(
    reads: &mut R,
    nouns: &'static [&'static Noun],
    find: &Find,
    tail: i64,
    scans: bool,
) -> Result<Looked> {
    let mut state = IndexState::read(reads, nouns).await?;
    let newest = reads.rows("SELECT coalesce(max(seq), 0) FROM crm_changes", &[]);
    let newest = newest.await?.first().and_then(|row| row.first()?.int());
    let newest = newest.unwrap_or_default();
    if !state.begun {
        if !scans {
            return Ok(Looked::Behind(newest));
        }
        state.parts = NounPart::unindexed(nouns);
        state.place = newest;
    }
    if newest - state.place > tail {
        return Ok(Looked::Behind(newest));
    }
    let parts: Vec<NounPart> = find
        .nouns
        .iter()
        .filter_map(|noun| state.part(noun).cloned())
        .collect();
    let span = (state.place, newest);
    let most = find.limit.max(ENOUGH);
    let changed = matching(reads, span, &parts, find, most).await?;
    let mut finder = Finder {
        reads,
        find,
        blocks: state.blocks,
        hits: Vec::new(),
        seen: HashSet::new(),
    };
    for (at, part) in parts.iter().enumerate() {
        finder.compare_all(at, part.noun, &changed[at]).await?;
        finder.by_address(at, part.noun).await?;
        if part.rest > 0 && (scans || part.rest <= FEW) {
            finder.scan(at, part).await?;
        }
        let has_names = part
            .noun
            .fields
            .iter()
            .any(|field| field.kind == Kind::Email || field.name == "name");
        if has_names {
            finder.pass(at, part, &[TextClass::Names]).await?;
        }
    }
    let best = finder.hits.iter().filter(|hit| hit.rank <= 2).count();
    if best < find.limit {
        for (at, part) in parts.iter().enumerate() {
            finder
                .pass(at, part, &[TextClass::Names, TextClass::Others])
                .await?;
        }
    }
    let scanned = |part: &&NounPart| !(scans || part.rest <= FEW);
    let records = parts.iter().filter(scanned).map(|part| part.rest).sum();
    Ok(Looked::Found(Found {
        records: finder.best(),
        gap: IndexGap {
            records,
            changes: 0,
        },
    }))
}

/// A record that matches.
struct Hit {
    rank: u8,
    created: String,
    /// The position of its noun in the search.
    at: usize,
    record: Record,
}

struct Finder<'f, R> {
    reads: &'f mut R,
    find: &'f Find,
    blocks: Vec<i64>,
    hits: Vec<Hit>,
    /// The records that were compared.
    seen: HashSet<(usize, i64)>,
}

impl<R: Reads> Finder<'_, R> {
    /// The best records, in their order.
    fn best(mut self) -> Vec<Record> {
        self.hits.sort_by(|one, other| {
            let newer = other.created.cmp(&one.created);
            let order = one.rank.cmp(&other.rank).then(newer);
            let order = order.then(one.at.cmp(&other.at));
            order.then(other.record.id().cmp(&one.record.id()))
        });
        self.hits.truncate(self.find.limit);
        let records = self.hits.iter();
        records.map(|hit| self.find.found(&hit.record)).collect()
    }

    /// Takes a record if it matches.
    fn take(&mut self, at: usize, record: Record) -> usize {
        let Some(rank) = self.find.rank(&record) else {
            return 0;
        };
        let created = record.get("created_at").text().unwrap_or_default();
        self.hits.push(Hit {
            rank,
            created: created.into(),
            at,
            record,
        });
        1
    }

    /// Reads records and takes those that match. Returns how many.
    async fn compare(&mut self, at: usize, noun: &'static Noun, ids: &[i64]) -> Result<usize> {
        let ids: Vec<i64> = ids
            .iter()
            .copied()
            .filter(|id| self.seen.insert((at, *id)))
            .collect();
        let Some(last) = ids.last() else {
            return Ok(0);
        };
        // The last one stands for those that are missing to a full number, so that there are few texts of the statement.
        let most = if ids.len() > 1 { READ } else { 1 };
        let params = ids.iter().chain(std::iter::repeat(last)).take(most);
        let params: Vec<Value> = params.map(|id| Value::Int(*id)).collect();
        let markers: Vec<String> = (1..=most).map(|at| format!("${at}")).collect();
        let sql = format!(
            "SELECT {} FROM {} WHERE id IN ({})",
            statements::columns(noun),
            noun.plural,
            markers.join(", ")
        );
        let mut matching = 0;
        for mut values in self.reads.rows(&sql, &params).await? {
            mend(noun, &mut values);
            matching += self.take(at, Record { noun, values });
        }
        Ok(matching)
    }

    async fn compare_all(&mut self, at: usize, noun: &'static Noun, ids: &[i64]) -> Result<()> {
        for ids in ids.chunks(READ) {
            self.compare(at, noun, ids).await?;
        }
        Ok(())
    }

    /// Takes the records with exactly this address, however old they are.
    async fn by_address(&mut self, at: usize, noun: &'static Noun) -> Result<()> {
        let (Some(address), Some(field)) = (&self.find.address, noun.email()) else {
            return Ok(());
        };
        // The order is hidden from PostgreSQL, which would walk through all records in it, because it does not know how few they are.
        let sql = format!(
            "SELECT id FROM {} WHERE lower({name}) = $1 AND octet_length({name}) <= 1000 ORDER BY id + 0 DESC LIMIT $2",
            noun.plural,
            name = field.name
        );
        let most = i64::try_from(self.find.limit).unwrap_or(i64::MAX);
        let params = [Value::from(&**address), most.into()];
        let rows = self.reads.rows(&sql, &params).await?;
        let ids: Vec<i64> = rows.iter().filter_map(|row| row.first()?.int()).collect();
        self.compare_all(at, noun, &ids).await
    }

    /// Looks through the records that are not indexed, until it has enough.
    async fn scan(&mut self, at: usize, part: &NounPart) -> Result<()> {
        let noun = part.noun;
        let sql = format!(
            "SELECT {} FROM {} WHERE id <= $1 ORDER BY id DESC LIMIT 500",
            statements::columns(noun),
            noun.plural
        );
        let (mut next, mut matching) = (part.rest, 0);
        while matching < self.enough() {
            let rows = self.reads.rows(&sql, &[next.into()]).await?;
            if rows.is_empty() {
                break;
            }
            for mut values in rows {
                mend(noun, &mut values);
                let record = Record { noun, values };
                next = record.id().saturating_sub(1);
                if self.seen.insert((at, record.id())) {
                    matching += self.take(at, record);
                }
            }
        }
        Ok(())
    }

    fn enough(&self) -> usize {
        self.find.limit.max(ENOUGH)
    }

    /// Takes the newest records that have all words in texts of these classes.
    async fn pass(&mut self, at: usize, part: &NounPart, classes: &[TextClass]) -> Result<()> {
        let blocks = self.blocks.iter().copied().filter(|block| part.has(*block));
        let blocks: Vec<i64> = blocks.collect();
        let (mut left, mut size) = (&blocks[..], BLOCKS[0]);
        let mut matching = 0;
        while !left.is_empty() {
            let (now, later) = left.split_at(left.len().min(size));
            let mut sets = self.postings(now, size, classes).await?;
            for block in now {
                let Some(set) = sets.remove(block).and_then(meeting) else {
                    continue;
                };
                let mut ids = set
                    .descending()
                    .map(|number| NounPart::id(*block, number))
                    .peekable();
                while ids.peek().is_some() {
                    let some: Vec<i64> = ids.by_ref().take(READ).collect();
                    matching += self.compare(at, part.noun, &some).await?;
                    if matching >= self.enough() {
                        return Ok(());
                    }
                }
            }
            (left, size) = (later, BLOCKS[1]);
        }
        Ok(())
    }

    /// For each block the records of each word, `None` for a word that no record of the block has.
    async fn postings(
        &mut self,
        blocks: &[i64],
        size: usize,
        classes: &[TextClass],
    ) -> Result<HashMap<i64, Vec<Option<Postings>>>> {
        let mut params: Vec<Value> = Vec::new();
        let last = blocks.last().copied().unwrap_or_default();
        let padded = blocks.iter().copied().chain(std::iter::repeat(last));
        params.extend(padded.take(size).map(Value::Int));
        let among: Vec<String> = (1..=size).map(|at| format!("${at}")).collect();
        let among = among.join(", ");
        let mut arms: Vec<String> = Vec::new();
        let mut lookups: Vec<(usize, Lookup)> = Vec::new();
        for (word, beginning) in self.find.words.iter().enumerate() {
            for class in classes {
                let lookup = lookup(*class, beginning);
                params.extend([Value::from(&*lookup.from), Value::from(&*lookup.to)]);
                let (at, end) = (lookups.len(), params.len());
                arms.push(format!(
                    "SELECT CAST({at} AS bigint) AS at, block, docs FROM crm_search WHERE block IN ({among}) AND word >= ${} AND word < ${end}",
                    end - 1
                ));
                lookups.push((word, lookup));
            }
        }
        let rows = self.reads.rows(&arms.join(" UNION ALL "), &params).await?;
        let mut divided: HashMap<(usize, &str), Divided<'_>> = HashMap::new();
        let mut sets = Sets {
            words: self.find.words.len(),
            blocks: HashMap::new(),
        };
        for row in &rows {
            let (Some(at), Some(block), Some(docs)) = (row[0].int(), row[1].int(), row[2].text())
            else {
                return Err(damaged());
            };
            let at = usize::try_from(at).ok().and_then(|at| lookups.get(at));
            let (word, lookup) = at.ok_or_else(damaged)?;
            let Some(rest) = &lookup.rest else {
                sets.join(block, *word, docs)?;
                continue;
            };
            let Some(parts) = PartList::parse(docs) else {
                sets.join_lines(block, *word, docs, rest)?;
                continue;
            };
            // A leaf that is divided: the part where the first of the words would be, and those after it.
            let from = part_of(&lookup.from, parts.start(rest));
            let divided = divided.entry((*word, &lookup.from)).or_insert_with(|| {
                let to = part_of(&lookup.from, &format!("{rest}\u{10ffff}"));
                Divided {
                    rest,
                    from: from.clone(),
                    to,
                    blocks: Vec::new(),
                }
            });
            divided.blocks.push(block);
            if from < divided.from {
                divided.from = from;
            }
        }
        for ((word, _), divided) in divided {
            let Divided {
                rest,
                from,
                to,
                blocks,
            } = divided;
            // All blocks at once, although the parts of some begin later.
            let last = blocks.last().copied().unwrap_or_default();
            let padded = blocks.into_iter().chain(std::iter::repeat(last));
            let mut params: Vec<Value> = padded.take(size).map(Value::Int).collect();
            params.extend([Value::Text(from), Value::Text(to)]);
            let sql = format!(
                "SELECT block, docs FROM crm_search WHERE block IN ({among}) AND word >= ${} AND word < ${}",
                size + 1,
                size + 2
            );
            for row in self.reads.rows(&sql, &params).await? {
                let (Some(block), Some(docs)) = (row[0].int(), row[1].text()) else {
                    return Err(damaged());
                };
                sets.join_lines(block, word, docs, rest)?;
            }
        }
        Ok(sets.blocks)
    }
}

/// A leaf that is divided.
struct Divided<'l> {
    /// With what the words begin after the letters of the leaf.
    rest: &'l str,
    /// The key of the first part that is needed, in any of the blocks.
    from: String,
    /// The parts are before this key.
    to: String,
    blocks: Vec<i64>,
}

/// For each block the records of each word.
struct Sets {
    words: usize,
    blocks: HashMap<i64, Vec<Option<Postings>>>,
}

impl Sets {
    /// Adds records to those of a word.
    fn join(&mut self, block: i64, word: usize, docs: &str) -> Result<()> {
        let set = self.blocks.entry(block);
        let set = set.or_insert_with(|| vec![None; self.words]);
        let set = set.get_mut(word).ok_or_else(damaged)?;
        set.get_or_insert_default().join(docs).ok_or_else(damaged)
    }

    /// Adds the records of those words of a leaf that begin so.
    fn join_lines(&mut self, block: i64, word: usize, leaf: &str, rest: &str) -> Result<()> {
        for (_, docs) in lines(leaf)?.filter(|line| line.0.starts_with(rest)) {
            self.join(block, word, docs)?;
        }
        Ok(())
    }
}

/// The records that have all words.
fn meeting(sets: Vec<Option<Postings>>) -> Option<Postings> {
    let mut sets = sets.into_iter();
    let mut all = sets.next()??;
    for set in sets {
        all.meet(&set?);
    }
    Some(all)
}
