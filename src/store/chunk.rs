//! Shared by the lists of both databases: chunks that are bounded in bytes, and how much a list may remember.

use crate::base::error::{Code, Error};
use crate::model::noun::Noun;
use crate::model::rows::Rows;
use crate::model::value::Cell;

/// The size of a chunk, in bytes of the records' values. A single record may be larger.
pub(crate) const CHUNK: usize = 128 * 1024;

/// The largest page whose ids are remembered in memory, at 8 bytes each.
pub(crate) const REMEMBERED: u64 = 1_000;

/// How many long lists may be read at once: lists that are not sorted by id and have no limit or a very large one. Each
/// holds the ids of all its records until it ends.
pub(crate) const MOST_ORDERED: usize = 64;

/// The error for a list beyond [`MOST_ORDERED`].
pub(crate) fn too_many_ordered() -> Error {
    let message =
        format!("{MOST_ORDERED} sorted lists without a limit are being read already; try again");
    Error::new(Code::Unavailable, message)
}

/// Some records of a list.
pub(crate) struct Chunk<R> {
    pub(crate) rows: R,
    /// The number of records.
    pub(crate) count: u64,
    /// The id of the last record.
    pub(crate) end: Option<i64>,
    /// In bytes.
    pub(crate) size: usize,
    /// Whether these are the last records of the list.
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

    /// Adds a record: one cell for each field of its noun.
    #[inline]
    pub(crate) fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]) {
        // The approximate size in memory.
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

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.size >= CHUNK
    }
}
