//! A cache of the tokens, so that a request is admitted without a query.
//!
//! Other processes change tokens too, and no notification arrives. So requests cause the tokens to be read again in the
//! background every [`FRESH`]. Tokens that were read longer ago than [`STALE`] admit nobody: if the database has not
//! answered for that long, access is denied.
//!
//! An unknown token may be new, created through another process. So the tokens are read again before it is refused. All
//! waiting requests share one read, and there is at most one such read in each [`PAUSE`], so that a client that sends wrong
//! tokens cannot keep the database busy.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::cells::values;
use super::database::{FIRST_TRY, PgDatabase};
use crate::base::error::{Error, Result};
use crate::model::token::{Hash, Keyring, Token};
use crate::store::contract::STALE;
use crate::store::sql::tokens;

/// The age at which the tokens are read again.
const FRESH: Duration = Duration::from_secs(2);

/// The shortest time between the starts of two reads for unknown tokens.
const PAUSE: Duration = Duration::from_millis(250);

/// The tokens, and when they were read.
#[derive(Default)]
pub(super) struct TokenCache {
    cached: Mutex<Option<CachedTokens>>,
    /// Goes up with each change by this process.
    changes: AtomicU64,
    /// Whether they are being read again in the background.
    reading: AtomicBool,
    /// The last read for an unknown token. Callers that wait for a read wait for this lock.
    anew: tokio::sync::Mutex<Option<AnewRead>>,
}

struct AnewRead {
    began: Instant,
    /// `None` if the caller that read was dropped before the end.
    found: Option<Result<Arc<Keyring>>>,
}

#[derive(Clone)]
struct CachedTokens {
    keyring: Arc<Keyring>,
    changes: u64,
    /// When the read began.
    at: Instant,
}

impl TokenCache {
    /// Makes the cached tokens unusable. Must be called after a commit that changes tokens, before its answer.
    pub(super) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    fn cached(&self) -> MutexGuard<'_, Option<CachedTokens>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tokens from a read that began after this call.
    pub(super) async fn keyring_anew(&self, database: &PgDatabase) -> Result<Arc<Keyring>> {
        let asked = Instant::now();
        let mut last = self.anew.lock().await;
        if let Some(last) = &*last {
            if last.began > asked
                && let Some(found) = &last.found
            {
                return found.clone();
            }
            tokio::time::sleep_until((last.began + PAUSE).into()).await;
        }
        let began = Instant::now();
        // Stored before the read, so that an abandoned read counts too.
        *last = Some(AnewRead { began, found: None });
        let found = self.read(database).await;
        *last = Some(AnewRead {
            began,
            found: Some(found.clone()),
        });
        found
    }

    async fn read(&self, database: &PgDatabase) -> Result<Arc<Keyring>> {
        let changes = self.changes.load(Ordering::Acquire);
        let at = Instant::now();
        let keyring = Arc::new(Keyring::new(read_tokens(database).await?));
        let mut cached = self.cached();
        // If two reads overlap, the one that began later is newer.
        if cached.as_ref().is_none_or(|cached| cached.at < at) {
            *cached = Some(CachedTokens {
                keyring: keyring.clone(),
                changes,
                at,
            });
        }
        Ok(keyring)
    }
}

/// The tokens, no older than [`STALE`].
pub(super) async fn keyring(
    cache: &Arc<TokenCache>,
    database: &Arc<PgDatabase>,
) -> Result<Arc<Keyring>> {
    let changes = cache.changes.load(Ordering::Acquire);
    let cached = cache.cached().clone();
    if let Some(cached) = cached.filter(|cached| cached.changes == changes) {
        let age = cached.at.elapsed();
        if age < STALE {
            if age >= FRESH && !cache.reading.swap(true, Ordering::AcqRel) {
                let (cache, database) = (cache.clone(), database.clone());
                tokio::spawn(async move {
                    let read = cache.read(&database).await;
                    cache.reading.store(false, Ordering::Release);
                    if let Err(error) = read {
                        tracing::debug!("cannot read the tokens: {error}");
                    }
                });
            }
            return Ok(cached.keyring);
        }
    }
    // Boxed, so that the future of the common path, which waits for nothing, stays small.
    Box::pin(cache.read(database)).await
}

/// Reads the tokens.
pub(super) async fn read_tokens(database: &PgDatabase) -> Result<Vec<(Hash, Token)>> {
    let rows = database.read(FIRST_TRY, (), |_, session| {
        Box::pin(async move {
            let statement = session.prepared(tokens::TOKENS).await?;
            let rows = session.client.query(&statement, &[]).await?;
            Ok(rows.iter().map(values).collect::<Vec<_>>())
        })
    });
    let rows = rows.await?;
    let tokens: Option<Vec<_>> = rows.iter().map(|row| tokens::token(row)).collect();
    // If the unreadable token were skipped, there might be no token left, and the service would be open to everybody.
    tokens.ok_or_else(|| Error::internal("the database: a token cannot be read"))
}
