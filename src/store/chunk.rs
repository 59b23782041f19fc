//! What the lists of the databases have in common: chunks that are bounded in bytes, and how much a list may remember.

use crate::base::error::{Code, Error};
use crate::model::record::{Cell, Noun, Rows};

/// How much of the records a chunk holds, in bytes of their values; one record may be larger.
pub(crate) const CHUNK: usize = 128 * 1024;

/// The largest page whose ids are remembered in memory, at 8 bytes each.
pub(crate) const REMEMBERED: u64 = 1_000;

/// How many lists in another order than by id are read at once, without a limit or with a very large one: each holds the
/// ids of all of its records until it ends.
pub(crate) const MOST_ORDERED: usize = 64;

/// The refusal of one more.
pub(crate) fn too_many_ordered() -> Error {
    let message =
        format!("{MOST_ORDERED} sorted lists without a limit are being read already; try again");
    Error::new(Code::Unavailable, message)
}

/// Some records of a list, and whether they are its last.
pub(crate) struct Chunk<R> {
    pub(crate) rows: R,
    pub(crate) count: u64,
    /// The id of the last record.
    pub(crate) end: Option<i64>,
    /// In bytes.
    pub(crate) size: usize,
    pub(crate) last: bool,
}

impl<R: Rows> Chunk<R> {
    pub(crate) fn new(rows: R) -> Chunk<R> {
        Chunk {
            rows,
            count: 0,
            end: None,
            size: 0,
            last: false,
        }
    }

    /// Takes a record: one cell a field of its noun.
    pub(crate) fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]) {
        // Roughly what it takes in memory.
        let weight = |cell: &Cell<'_>| match cell {
            Cell::Text(text) => 16 + text.len(),
            _ => 16,
        };
        self.size += cells.iter().map(weight).sum::<usize>();
        self.count += 1;
        self.end = match cells.first() {
            Some(Cell::Int(id)) => Some(*id),
            _ => None,
        };
        self.rows.push(noun, cells);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.size >= CHUNK
    }
}
