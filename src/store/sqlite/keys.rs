//! The tokens as they were last read, so that a request is let in without a look into the database.
//!
//! They are as they were committed last: what this process commits drops them before it is answered, and what another
//! process commits is seen as what is kept of records is, by a look at the file's version (see [`super::cache`]). Where
//! the last look is old, as no traffic has asked for one, the version is looked at here; only where it has changed are the
//! tokens read again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Inner, Reader, read_tokens};
use crate::base::error::Result;
use crate::model::token::Keyring;

/// The tokens, and how to tell whether they are still those of the database.
#[derive(Default)]
pub(super) struct Keys {
    kept: Mutex<Option<Kept>>,
    /// Goes up with each change of this process.
    changes: AtomicU64,
}

struct Kept {
    keyring: Arc<Keyring>,
    changes: u64,
    /// How often others were seen to write until then.
    others: u64,
    /// The file's version then, as this connection sees it.
    version: i64,
    reader: Reader,
}

impl Keys {
    /// To be said after a commit that changes tokens, and before anybody is told.
    pub(super) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}

impl Inner {
    /// The tokens; those of this moment where the file is to be looked at `anew`, though the last look was just now.
    pub(super) fn keyring(&self, anew: bool) -> Result<Arc<Keyring>> {
        self.seen(self.current(anew))
    }

    fn current(&self, anew: bool) -> Result<Arc<Keyring>> {
        let mut kept = self
            .keys
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Both before the read: what is committed after them is read again.
        let changes = self.keys.changes.load(Ordering::Acquire);
        let others = self.cache.as_ref().map(|cache| cache.others());
        if let Some(kept) = &mut *kept
            && kept.changes == changes
            && let Some(cache) = &self.cache
            && Some(kept.others) == others
        {
            if !anew && self.is_trusted(cache) && Some(kept.others) == Some(cache.others()) {
                return Ok(kept.keyring.clone());
            }
            if kept.reader.version()? == kept.version {
                return Ok(kept.keyring.clone());
            }
        }
        let reader = match kept.take() {
            Some(kept) => kept.reader,
            None => Reader {
                connection: self.connect()?,
                seen: None,
            },
        };
        let version = reader.version()?;
        let keyring = Arc::new(Keyring::new(read_tokens(&reader)?));
        *kept = Some(Kept {
            keyring: keyring.clone(),
            changes,
            others: others.unwrap_or_default(),
            version,
            reader,
        });
        Ok(keyring)
    }
}
