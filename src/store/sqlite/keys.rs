//! A cache of the tokens, so that a request is admitted without reading the database.
//!
//! The tokens are always those of the last commit. A change by this process drops them before it is answered. As for
//! records, a commit of another process is seen by a check of the file's version (see [`cache`](super::cache)). If the last
//! check is old, because no traffic has requested one, the version is checked here. The tokens are read again only if it
//! has changed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::database::Database;
use super::error::map_err;
use super::lock::lock;
use super::reader::ReadConnection;
use super::values;
use crate::base::error::{Error, Result};
use crate::model::token::{Hash, Keyring, Token};
use crate::store::sql::tokens;

/// The cached tokens, and the numbers that show whether they are still those of the database.
#[derive(Default)]
pub(crate) struct CachedKeys {
    kept: Mutex<Option<KeptKeyring>>,
    /// Counts the changes by this process.
    changes: AtomicU64,
}

struct KeptKeyring {
    keyring: Arc<Keyring>,
    changes: u64,
    /// How many checks had found writes of other processes when the tokens were read.
    others: u64,
    /// The file's version at that time, as this connection sees it.
    version: i64,
    reader: ReadConnection,
}

impl CachedKeys {
    /// Called after a commit that changes tokens and before it is answered.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// The tokens. With `anew`, the file is checked even if the last check was just now.
    pub(crate) fn keyring(&self, database: &Database, anew: bool) -> Result<Arc<Keyring>> {
        database.report(self.current(database, anew))
    }

    fn current(&self, database: &Database, anew: bool) -> Result<Arc<Keyring>> {
        let mut kept = lock(&self.kept);
        // Both are taken before the read, so that a commit after them causes another read.
        let changes = self.changes.load(Ordering::Acquire);
        let others = database.cache.as_ref().map(|cache| cache.others());
        if let Some(kept) = &mut *kept
            && kept.changes == changes
            && let Some(cache) = &database.cache
            && Some(kept.others) == others
        {
            if !anew && database.is_trusted(cache) && kept.others == cache.others() {
                return Ok(kept.keyring.clone());
            }
            if kept.reader.version()? == kept.version {
                return Ok(kept.keyring.clone());
            }
        }
        let reader = match kept.take() {
            Some(kept) => kept.reader,
            None => ReadConnection::new(database.connect()?),
        };
        let version = reader.version()?;
        let keyring = Arc::new(Keyring::new(read_tokens(&reader)?));
        *kept = Some(KeptKeyring {
            keyring: keyring.clone(),
            changes,
            others: others.unwrap_or_default(),
            version,
            reader,
        });
        Ok(keyring)
    }
}

/// Reads all tokens.
pub(crate) fn read_tokens(connection: &Connection) -> Result<Vec<(Hash, Token)>> {
    let rows = values::query(connection, tokens::TOKENS, &[]).map_err(|error| map_err(&error))?;
    let tokens = rows.iter().map(|row| tokens::token(row));
    let tokens: Option<Vec<_>> = tokens.collect();
    // A token that cannot be read may be the only one, and without tokens the service would be open.
    tokens.ok_or_else(|| Error::internal("the database: a token cannot be read"))
}
