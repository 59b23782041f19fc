//! Checks the index against the records: each record has to be in the rows of its words.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::keys::keys;
use super::postings::{Postings, damaged};
use super::rows::each_word;
use super::state::{IndexState, NounPart, STATE};
use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::sql::row::mend;
use crate::store::sql::statements;

/// How many findings are listed.
const LISTED: usize = 10;

/// How many rows are read at once.
const PORTION: usize = 1_000;

/// The end of a finding: what to do.
const REPAIR: &str = "`crm find --rebuild` makes the index anew";

/// What the check reads from.
pub(crate) trait Selects {
    /// The rows of a select.
    fn rows(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>>;
}

/// Compares the whole index with the records. A word too many is no fault, unless its record does not exist. Returns the findings, one line each.
pub(crate) fn check(
    reads: &mut impl Selects,
    nouns: &'static [&'static Noun],
) -> Result<Vec<String>> {
    let state = IndexState::of(&reads.rows(STATE, &[])?, nouns);
    let mut found = Vec::new();
    if !state.begun {
        // It is made by the next server.
        return Ok(found);
    }
    let changed = "SELECT DISTINCT type, record_id FROM crm_changes WHERE seq > $1";
    let changed = reads.rows(changed, &[state.place.into()])?;
    let mut more = 0;
    for part in &state.parts {
        let is_changed = |id: i64| {
            let kind = format!("{}.", part.noun.name);
            changed.iter().any(|row| {
                row[1].int() == Some(id) && row[0].text().is_some_and(|of| of.starts_with(&kind))
            })
        };
        let mut check = IndexCheck {
            reads: &mut *reads,
            part,
            block: None,
            rows: HashMap::new(),
            present: HashSet::new(),
        };
        for text in check.run(is_changed, &state.blocks)? {
            match found.len() < LISTED {
                true => found.push(text),
                false => more += 1,
            }
        }
    }
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    Ok(found)
}

struct IndexCheck<'c, R> {
    reads: &'c mut R,
    part: &'c NounPart,
    /// The block whose rows are here.
    block: Option<i64>,
    /// The records of each word, in their order. As sets they would need gigabytes.
    rows: HashMap<String, Vec<u16>>,
    /// The records of the block, by their numbers in it.
    present: HashSet<u16>,
}

impl<R: Selects> IndexCheck<'_, R> {
    fn run(&mut self, is_changed: impl Fn(i64) -> bool, blocks: &[i64]) -> Result<Vec<String>> {
        let noun = self.part.noun;
        let sql = format!(
            "SELECT {} FROM {} WHERE id > $1 ORDER BY id LIMIT {PORTION}",
            statements::columns(noun),
            noun.plural
        );
        let mut found = Vec::new();
        let mut last = self.part.rest;
        let mut visited = HashSet::new();
        loop {
            let rows = self.reads.rows(&sql, &[last.into()])?;
            if rows.is_empty() {
                break;
            }
            for mut values in rows {
                mend(noun, &mut values);
                let record = Record { noun, values };
                last = record.id();
                let (block, number) = self.part.place(last);
                if self.block != Some(block) {
                    found.extend(self.left_behind(&is_changed));
                    found.extend(self.load(block)?);
                    visited.insert(block);
                }
                self.present.insert(number);
                let has = |word: &String| {
                    let row = self.rows.get(word);
                    row.is_some_and(|row| row.binary_search(&number).is_ok())
                };
                if !keys(&record).iter().all(has) && !is_changed(last) {
                    found.push(format!(
                        "{} {last} is not found by all of its words, because another program changed it or the index is \
                         damaged; {REPAIR}",
                        noun.name
                    ));
                }
            }
        }
        found.extend(self.left_behind(&is_changed));
        let others = blocks.iter().filter(|block| self.part.has(**block));
        for block in others.filter(|block| !visited.contains(block)) {
            found.extend(self.load(*block)?);
            found.extend(self.left_behind(&is_changed));
        }
        Ok(found)
    }

    /// Names records that have words in the rows of the block and do not exist.
    fn left_behind(&self, is_changed: &impl Fn(i64) -> bool) -> Vec<String> {
        let Some(block) = self.block else {
            return Vec::new();
        };
        let numbers = self.rows.values().flatten().copied();
        let gone: BTreeSet<u16> = numbers
            .filter(|number| !self.present.contains(number))
            .collect();
        let ids = gone.into_iter().map(|number| NounPart::id(block, number));
        ids.filter(|id| *id > self.part.rest && !is_changed(*id))
            .map(|id| {
                format!(
                    "words of {} {id}, which does not exist, are left in the search; {REPAIR}",
                    self.part.noun.name
                )
            })
            .collect()
    }

    /// Reads the rows of a block.
    fn load(&mut self, block: i64) -> Result<Option<String>> {
        self.block = Some(block);
        self.rows.clear();
        self.present.clear();
        let sql = format!(
            "SELECT word, docs FROM crm_search WHERE block = $1 AND word > $2 ORDER BY word LIMIT {PORTION}"
        );
        let mut last = String::new();
        let mut broken = None;
        loop {
            let params = [block.into(), Value::from(&*last)];
            let rows = self.reads.rows(&sql, &params)?;
            for row in &rows {
                let (word, docs) = (row[0].text(), row[1].text().unwrap_or_default());
                let word = word.unwrap_or_default();
                let rows = &mut self.rows;
                let read = each_word(word, docs, |word, docs| {
                    let mut postings = Postings::default();
                    postings.join(docs).ok_or_else(damaged)?;
                    rows.insert(word.into_owned(), postings.ascending().collect());
                    Ok(())
                });
                if read.is_err() {
                    broken = Some(format!(
                        "a row of block {block} of the search is not as crm writes it; {REPAIR}"
                    ));
                }
            }
            match rows.last().and_then(|row| row.first()?.text()) {
                Some(word) if rows.len() == PORTION => last = word.into(),
                _ => return Ok(broken),
            }
        }
    }
}
