//! Sorts ids by the user's own fields, which PostgreSQL cannot read as crm defines them.
//!
//! Each record gets a key of bytes: their order is the order of the list, in every part and direction. A page keeps only its
//! own keys. A whole list is sorted in runs that go to temporary files, so memory does not grow with the list.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use super::spool::failed;
use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::query::{Query, Sort};
use crate::model::value::{Cell, Value};

/// How many bytes of keys are sorted in memory.
const IN_MEMORY: usize = 4 * 1024 * 1024;

/// What an entry takes besides its key, in bytes.
const ENTRY: usize = 48;

/// The largest page that is kept in memory. A larger one is sorted as a whole list.
const LARGEST_PAGE: u64 = 1_000;

/// What a part of a key begins with: null that comes first, a value, null that comes last.
const FIRST: u8 = 0;
const VALUE: u8 = 1;
const LAST: u8 = 2;

/// A key, and the id of its record.
type Entry = (Vec<u8>, i64);

/// Ids that are being sorted.
pub(super) struct SortedIds {
    /// The key of the cursor. Records up to it are left out.
    after: Option<Vec<u8>>,
    /// The most entries that are wanted, if that is a page.
    most: Option<usize>,
    /// The entries in memory: the first ones of a page, the largest on top; or those of the next run.
    kept: BinaryHeap<Entry>,
    size: usize,
    most_in_memory: usize,
    runs: Vec<std::fs::File>,
}

impl SortedIds {
    /// Ids of a query. One more than the limit is kept, to know whether there are more.
    pub(super) fn new(query: &Query) -> SortedIds {
        let page = query.limit.filter(|limit| *limit <= LARGEST_PAGE);
        let after = query.after.as_ref();
        SortedIds {
            after: after.map(|after| key(&query.order, after.0.iter().map(Value::cell))),
            most: page.map(|limit| limit as usize + 1),
            kept: BinaryHeap::new(),
            size: 0,
            most_in_memory: IN_MEMORY,
            runs: Vec::new(),
        }
    }

    /// Adds a record: one cell for each field of its noun.
    pub(super) fn push(&mut self, order: &[Sort], cells: &[Cell<'_>]) -> Result<()> {
        let values: Vec<Value> = order
            .iter()
            .map(|sort| sort.value(&cells[sort.at].into()))
            .collect();
        let key = key(order, values.iter().map(Value::cell));
        let Some(Cell::Int(id)) = cells.first() else {
            return Ok(());
        };
        if self.after.as_ref().is_some_and(|after| key <= *after) {
            return Ok(());
        }
        self.add((key, *id))
    }

    fn add(&mut self, entry: Entry) -> Result<()> {
        self.size += entry.0.len() + ENTRY;
        self.kept.push(entry);
        match self.most {
            Some(most) if self.kept.len() > most => drop(self.kept.pop()),
            None if self.size > self.most_in_memory => self.spill().map_err(failed)?,
            _ => {}
        }
        Ok(())
    }

    /// Writes a sorted run to a file.
    fn spill(&mut self) -> std::io::Result<()> {
        let mut run = BufWriter::new(tempfile::tempfile()?);
        for (key, id) in std::mem::take(&mut self.kept).into_sorted_vec() {
            run.write_all(&(key.len() as u32).to_le_bytes())?;
            run.write_all(&key)?;
            run.write_all(&id.to_le_bytes())?;
        }
        let mut run = run
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        run.seek(SeekFrom::Start(0))?;
        self.runs.push(run);
        self.size = 0;
        Ok(())
    }

    /// Passes on the keys and ids in order, as long as `each` returns true.
    pub(super) fn each(self, mut each: impl FnMut(Vec<u8>, i64) -> Result<bool>) -> Result<()> {
        let mut runs: Vec<BufReader<std::fs::File>> =
            self.runs.into_iter().map(BufReader::new).collect();
        let mut next: BinaryHeap<Reverse<(Vec<u8>, i64, usize)>> = BinaryHeap::new();
        let mut memory = self.kept.into_sorted_vec().into_iter();
        let memory_run = runs.len();
        let mut read = |run: usize| match runs.get_mut(run) {
            Some(run) => read_entry(run).map_err(failed),
            None => Ok(memory.next()),
        };
        for run in 0..=memory_run {
            next.extend(read(run)?.map(|(key, id)| Reverse((key, id, run))));
        }
        while let Some(Reverse((key, id, run))) = next.pop() {
            if !each(key, id)? {
                break;
            }
            next.extend(read(run)?.map(|(key, id)| Reverse((key, id, run))));
        }
        Ok(())
    }
}

/// The next entry of a run.
fn read_entry(run: &mut impl Read) -> std::io::Result<Option<Entry>> {
    let mut length = [0; 4];
    match run.read_exact(&mut length) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut key = vec![0; u32::from_le_bytes(length) as usize];
    run.read_exact(&mut key)?;
    let mut id = [0; 8];
    run.read_exact(&mut id)?;
    Ok(Some((key, i64::from_le_bytes(id))))
}

/// The key of the values that a record is sorted by. The order of keys by bytes is the order of the list.
fn key<'a>(order: &[Sort], values: impl Iterator<Item = Cell<'a>>) -> Vec<u8> {
    let mut key = Vec::new();
    for (sort, value) in order.iter().zip(values) {
        if value == Cell::Null {
            key.push(if sort.ends_with_null() { LAST } else { FIRST });
            continue;
        }
        key.push(VALUE);
        let start = key.len();
        match value {
            Cell::Null => {}
            // The sign is turned, so that negative numbers come first.
            Cell::Int(int) => key.extend_from_slice(&(int ^ i64::MIN).to_be_bytes()),
            // No text contains NUL, so it ends the text below every longer one.
            Cell::Text(text) => {
                key.extend_from_slice(text.as_bytes());
                key.push(0);
            }
        }
        if sort.descending {
            key[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
    key
}

/// The values of a key.
pub(super) fn values(noun: &Noun, order: &[Sort], key: &[u8]) -> Vec<Value> {
    let mut rest = key;
    let values = order.iter().map(|sort| {
        let turn = |byte: &u8| if sort.descending { !byte } else { *byte };
        let (tag, value) = rest.split_first().unwrap_or((&FIRST, &[]));
        if *tag != VALUE {
            rest = value;
            return Value::Null;
        }
        if !noun.fields[sort.at].kind.is_number() {
            let text: Vec<u8> = value
                .iter()
                .map(turn)
                .take_while(|byte| *byte != 0)
                .collect();
            rest = value.get(text.len() + 1..).unwrap_or_default();
            return Value::Text(String::from_utf8_lossy(&text).into_owned());
        }
        let (int, after) = value.split_at(value.len().min(8));
        rest = after;
        let bytes = int
            .iter()
            .fold(0_i64, |all, byte| (all << 8) | i64::from(turn(byte)));
        Value::Int(bytes ^ i64::MIN)
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;
    use crate::model::query::pairs;

    fn query(text: &str) -> Query {
        Query::new(&LEAD, pairs(text).unwrap()).unwrap()
    }

    /// The ids of records with these attributes, in order. A record's id is its place.
    fn sorted(query: &Query, most_in_memory: usize, attributes: &[String]) -> Vec<i64> {
        let mut sorted = SortedIds::new(query);
        sorted.most_in_memory = most_in_memory;
        for (at, attributes) in attributes.iter().enumerate() {
            let mut cells = vec![Cell::Null; LEAD.fields.len()];
            cells[0] = Cell::Int(at as i64);
            cells[4] = Cell::Text(attributes);
            sorted.push(&query.order, &cells).unwrap();
        }
        let mut ids = Vec::new();
        let mut keys = Vec::new();
        sorted
            .each(|found, id| {
                let read = values(&LEAD, &query.order, &found);
                assert_eq!(read.last(), Some(&Value::Int(id)));
                assert_eq!(key(&query.order, read.iter().map(Value::cell)), found);
                keys.push(found);
                ids.push(id);
                Ok(true)
            })
            .unwrap();
        assert!(keys.is_sorted());
        ids
    }

    #[test]
    fn runs_are_merged_and_pages_are_cut() {
        let attributes: Vec<String> = (0..500)
            .map(|at| format!("{{\"n\":{}}}", (at * 37) % 100))
            .collect();
        let mut expected: Vec<i64> = (0..500).collect();
        expected.sort_by_key(|at| ((at * 37) % 100, *at));
        let all = query("sort=attributes.n");
        for most_in_memory in [usize::MAX, 4_000, 1] {
            assert_eq!(sorted(&all, most_in_memory, &attributes), expected);
        }
        let page = sorted(&query("sort=attributes.n&limit=9"), 1, &attributes);
        assert_eq!(page, expected[..10]);
        expected.sort_by_key(|at| (-((at * 37) % 100), *at));
        assert_eq!(
            sorted(&query("sort=-attributes.n"), 4_000, &attributes),
            expected
        );
    }

    #[test]
    fn null_and_direction_are_as_in_sql() {
        let attributes: Vec<String> = [
            r#"{"n":"b"}"#,
            "{}",
            r#"{"n":"ba"}"#,
            r#"{"n":-1}"#,
            r#"{"n":"a"}"#,
        ]
        .map(String::from)
        .into();
        assert_eq!(
            sorted(&query("sort=attributes.n"), 1, &attributes),
            [1, 3, 4, 0, 2]
        );
        assert_eq!(
            sorted(&query("sort=-attributes.n"), 1, &attributes),
            [2, 0, 4, 3, 1]
        );
    }
}
