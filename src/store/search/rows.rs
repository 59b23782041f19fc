//! Writes the rows of one block: the records of words and beginnings, and the leaves.

use std::borrow::Cow;
use std::collections::HashMap;

use super::delta::IndexEntry;
use super::keys::{leaf_at, leaf_of, part_of};
use super::leaf::{Changed, PartList, changed, lines, merged, pieces};
use crate::base::error::Result;
use crate::model::value::Value;
use crate::store::transaction::Transaction;

/// How many rows are read at once.
const READ: usize = 100;

/// How many rows are written at once. A database far away needs few statements, and the text of each is prepared once.
const WRITTEN: [usize; 3] = [50, 10, 1];

/// Changes the words of one block. The entries are in the order of their words.
pub(super) async fn write<T: Transaction>(
    tx: &mut T,
    block: i64,
    entries: &[IndexEntry],
) -> Result<()> {
    let mut rows = BlockRows {
        tx,
        block,
        is_new: true,
        written: Vec::new(),
    };
    let mut plain: Vec<&IndexEntry> = Vec::new();
    let mut leaves: Vec<LeafChange<'_>> = Vec::new();
    for entry in entries {
        match leaf_of(&entry.word) {
            None => plain.push(entry),
            Some((key, rest)) => match leaves.last_mut() {
                Some(leaf) if leaf.key == key => leaf.words.push((rest, entry)),
                _ => leaves.push(LeafChange {
                    key,
                    words: vec![(rest, entry)],
                }),
            },
        }
    }
    for entries in plain.chunks(READ) {
        rows.words(entries).await?;
    }
    for leaves in leaves.chunks(READ) {
        rows.leaves(leaves).await?;
    }
    rows.flush().await
}

/// Calls `each` with the key of each word and beginning of a row, and its records. A list of parts has none.
pub(super) fn each_word(
    word: &str,
    docs: &str,
    mut each: impl FnMut(Cow<'_, str>, &str) -> Result<()>,
) -> Result<()> {
    let Some(leaf) = leaf_at(word) else {
        return each(Cow::Borrowed(word), docs);
    };
    if PartList::parse(docs).is_some() {
        return Ok(());
    }
    lines(docs)?.try_for_each(|(rest, docs)| each(Cow::Owned(format!("{leaf}{rest}")), docs))
}

/// What changes in a leaf: words without their first letters, in their order.
struct LeafChange<'e> {
    key: &'e str,
    words: Vec<(&'e str, &'e IndexEntry)>,
}

struct BlockRows<'t, T> {
    tx: &'t mut T,
    block: i64,
    /// Whether no row of the block was seen.
    is_new: bool,
    /// The rows that are still to be written.
    written: Vec<(String, String)>,
}

impl<T: Transaction> BlockRows<'_, T> {
    /// The texts of those of at most [`READ`] rows that are there.
    async fn read(&mut self, words: &[&str]) -> Result<HashMap<String, String>> {
        let Some(last) = words.last() else {
            return Ok(HashMap::new());
        };
        // The last word stands for those that are missing to a full number, so that there is one text of the statement.
        let words = words.iter().chain(std::iter::repeat(last)).take(READ);
        let mut params = vec![Value::Int(self.block)];
        params.extend(words.map(|word| Value::from(*word)));
        let markers: Vec<String> = (2..=READ + 1).map(|at| format!("${at}")).collect();
        let sql = format!(
            "SELECT word, docs FROM crm_search WHERE block = $1 AND word IN ({})",
            markers.join(", ")
        );
        let rows = self.tx.query(&sql, &params).await?;
        let row = |row: Vec<Value>| match <[Value; 2]>::try_from(row) {
            Ok([Value::Text(word), Value::Text(docs)]) => Some((word, docs)),
            _ => None,
        };
        let known: HashMap<String, String> = rows.into_iter().filter_map(row).collect();
        if known.is_empty() && self.is_new {
            let sql =
                "INSERT INTO crm_search_blocks (block) VALUES ($1) ON CONFLICT (block) DO NOTHING";
            self.tx.execute(sql, &[self.block.into()]).await?;
        }
        self.is_new = false;
        Ok(known)
    }

    /// Changes words and beginnings that have rows of their own.
    async fn words(&mut self, entries: &[&IndexEntry]) -> Result<()> {
        let words: Vec<&str> = entries.iter().map(|entry| &*entry.word).collect();
        let known = self.read(&words).await?;
        for entry in entries {
            match changed(known.get(&entry.word).map(String::as_str), entry)? {
                Changed::Same => {}
                Changed::Gone => self.remove(&entry.word).await?,
                Changed::To(docs) => self.put(entry.word.clone(), docs).await?,
            }
        }
        Ok(())
    }

    /// Changes leaves.
    async fn leaves(&mut self, leaves: &[LeafChange<'_>]) -> Result<()> {
        let keys: Vec<&str> = leaves.iter().map(|leaf| leaf.key).collect();
        let known = self.read(&keys).await?;
        for leaf in leaves {
            let text = known.get(leaf.key).map(String::as_str).unwrap_or_default();
            if let Some(list) = PartList::parse(text) {
                self.parts(leaf, list).await?;
                continue;
            }
            let Some(text) = merged(text, &leaf.words)? else {
                continue;
            };
            match pieces(&text)[..] {
                [] => self.remove(leaf.key).await?,
                [_] => self.put(leaf.key.into(), text).await?,
                ref pieces => {
                    let mut list = PartList::whole();
                    let starts = list.replace("", pieces);
                    for (start, piece) in starts.iter().zip(pieces) {
                        self.put(part_of(leaf.key, start), (*piece).into()).await?;
                    }
                    self.put(leaf.key.into(), list.text()).await?;
                }
            }
        }
        Ok(())
    }

    /// Changes a leaf that is divided.
    async fn parts(&mut self, leaf: &LeafChange<'_>, mut list: PartList) -> Result<()> {
        let mut changes: Vec<(String, &[(&str, &IndexEntry)])> = Vec::new();
        let mut left = &leaf.words[..];
        while let Some((rest, _)) = left.first() {
            let start = list.start(rest).to_string();
            let count = left.partition_point(|(rest, _)| list.start(rest) <= start.as_str());
            let (now, later) = left.split_at(count.max(1));
            changes.push((start, now));
            left = later;
        }
        let before = list.clone();
        for changes in changes.chunks(READ) {
            let keys = changes.iter().map(|(start, _)| part_of(leaf.key, start));
            let keys: Vec<String> = keys.collect();
            let words: Vec<&str> = keys.iter().map(String::as_str).collect();
            let known = self.read(&words).await?;
            for ((start, words), key) in changes.iter().zip(&keys) {
                let text = known.get(key).map(String::as_str);
                let Some(merged) = merged(text.unwrap_or_default(), words)? else {
                    continue;
                };
                let pieces = pieces(&merged);
                let starts = list.replace(start, &pieces);
                if text.is_some() && !starts.contains(start) {
                    self.remove(key).await?;
                }
                for (start, piece) in starts.iter().zip(pieces) {
                    self.put(part_of(leaf.key, start), piece.into()).await?;
                }
            }
        }
        if list.is_whole() {
            // The list stays as long as the first part has words: a search that has read the list looks for them there.
            let key = part_of(leaf.key, "");
            self.flush().await?;
            if self.read(&[&key]).await?.is_empty() {
                return self.remove(leaf.key).await;
            }
        }
        if list != before {
            self.put(leaf.key.into(), list.text()).await?;
        }
        Ok(())
    }

    /// Notes a row to be written.
    async fn put(&mut self, word: String, docs: String) -> Result<()> {
        self.written.push((word, docs));
        match self.written.len() >= WRITTEN[0] {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    async fn remove(&mut self, word: &str) -> Result<()> {
        let sql = "DELETE FROM crm_search WHERE block = $1 AND word = $2";
        let params = [self.block.into(), Value::from(word)];
        self.tx.execute(sql, &params).await?;
        Ok(())
    }

    /// Writes what is noted.
    async fn flush(&mut self) -> Result<()> {
        let written = std::mem::take(&mut self.written);
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
            let mut params = vec![Value::Int(self.block)];
            for (word, docs) in now {
                params.extend([Value::from(&**word), Value::from(&**docs)]);
            }
            self.tx.execute(&sql, &params).await?;
            written = later;
        }
        Ok(())
    }
}
