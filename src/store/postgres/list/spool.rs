//! The ids of a long sorted list. Many ids go to a temporary file, so that they take no memory.

use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::error::{Code, Error, Result};
use crate::store::chunk::{MOST_ORDERED, too_many_ordered};
use crate::store::postgres::database::PgDatabase;

/// How many bytes of ids are held in memory. Beyond that, they go to a file.
const IDS_IN_MEMORY: usize = 1024 * 1024;

/// The ids of a list in order. At most [`MOST_ORDERED`] lists have one at a time.
pub(super) struct SpooledIds {
    database: Arc<PgDatabase>,
    ids: tempfile::SpooledTempFile,
    left: u64,
}

impl Drop for SpooledIds {
    fn drop(&mut self) {
        self.database.ordered.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SpooledIds {
    pub(super) fn new(database: Arc<PgDatabase>) -> Result<SpooledIds> {
        let before = database.ordered.fetch_add(1, Ordering::Relaxed);
        let ids = SpooledIds {
            database,
            ids: tempfile::SpooledTempFile::new(IDS_IN_MEMORY),
            left: 0,
        };
        match before >= MOST_ORDERED {
            true => Err(too_many_ordered()),
            false => Ok(ids),
        }
    }

    /// How many ids have not been taken yet.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn push(&mut self, id: i64) -> Result<()> {
        self.left += 1;
        self.ids.write_all(&id.to_le_bytes()).map_err(failed)
    }

    /// Goes back to the first id. Called after all ids were pushed.
    pub(super) fn rewind(&mut self) -> Result<()> {
        self.ids.seek(SeekFrom::Start(0)).map(drop).map_err(failed)
    }

    /// Takes the next ids, at most `most`.
    pub(super) fn take(&mut self, most: u64) -> Result<Vec<i64>> {
        let count = most.min(self.left);
        let mut bytes = [0; 8];
        let mut ids = Vec::new();
        for _ in 0..count {
            self.ids.read_exact(&mut bytes).map_err(failed)?;
            ids.push(i64::from_le_bytes(bytes));
        }
        self.left -= count;
        Ok(ids)
    }

    /// Puts the last `count` taken ids back.
    pub(super) fn put_back(&mut self, count: u64) -> Result<()> {
        let bytes = i64::try_from(count * 8).unwrap_or(0);
        self.left += count;
        let moved = self.ids.seek(SeekFrom::Current(-bytes));
        moved.map(drop).map_err(failed)
    }
}

pub(super) fn failed(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Error::new(
            Code::Full,
            "the disk for temporary files is full: a sorted list keeps its ids there",
        ),
        _ => Error::internal(format!("the temporary file of a sorted list: {error}")),
    }
}
