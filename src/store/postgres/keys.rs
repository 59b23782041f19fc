//! The tokens as they were last read, so that a request is let in without a question to the database.
//!
//! Other processes change them too, and nothing tells of it: so they are read again under way, every [`FRESH`] of
//! traffic, and nobody is let in by what is older than [`STALE`]. A database that cannot be asked for so long lets nobody
//! in. A token that is not among them may be a new one, made by way of another process and brought here at once: they are
//! read again before it is refused, all who wait by one read, and one read a [`PAUSE`] at most, so that whoever sends
//! wrong tokens cannot keep the database busy.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::cells::values;
use super::{FIRST_TRY, Inner};
use crate::base::error::{Error, Result};
use crate::model::token::{Hash, Keyring, Token};
use crate::store::contract::STALE;
use crate::store::sql::tokens;

/// How old what was read may be until it is read again.
const FRESH: Duration = Duration::from_secs(2);

/// The least time between the beginnings of two reads for tokens that are not known.
const PAUSE: Duration = Duration::from_millis(250);

/// The tokens, and when they were read.
#[derive(Default)]
pub(super) struct Keys {
    kept: Mutex<Option<Kept>>,
    /// Goes up with each change of this process.
    changes: AtomicU64,
    /// Whether they are being read again.
    reading: AtomicBool,
    /// The last read for a token that was not known. Who waits for one waits here.
    anew: tokio::sync::Mutex<Option<Anew>>,
}

struct Anew {
    began: Instant,
    /// `None` where whoever read has gone before the end.
    found: Option<Result<Arc<Keyring>>>,
}

#[derive(Clone)]
struct Kept {
    keyring: Arc<Keyring>,
    changes: u64,
    /// Before the read.
    at: Instant,
}

impl Keys {
    /// To be said after a commit that changes tokens, and before anybody is told.
    pub(super) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn keyring(inner: &Arc<Inner>) -> Result<Arc<Keyring>> {
    let changes = inner.keys.changes.load(Ordering::Acquire);
    let kept = inner.keys.kept().clone();
    if let Some(kept) = kept.filter(|kept| kept.changes == changes) {
        let age = kept.at.elapsed();
        if age < STALE {
            if age >= FRESH && !inner.keys.reading.swap(true, Ordering::AcqRel) {
                let inner = inner.clone();
                tokio::spawn(async move {
                    let read = read(&inner).await;
                    inner.keys.reading.store(false, Ordering::Release);
                    if let Err(error) = read {
                        tracing::debug!("cannot read the tokens: {error}");
                    }
                });
            }
            return Ok(kept.keyring);
        }
    }
    // Boxed, as what waits for nothing would be moved about with room for it.
    Box::pin(read(inner)).await
}

pub(super) async fn keyring_anew(inner: &Inner) -> Result<Arc<Keyring>> {
    let asked = Instant::now();
    let mut last = inner.keys.anew.lock().await;
    if let Some(last) = &*last {
        if last.began > asked
            && let Some(found) = &last.found
        {
            return found.clone();
        }
        tokio::time::sleep_until((last.began + PAUSE).into()).await;
    }
    let began = Instant::now();
    // Before the read: one that is given up counts too.
    *last = Some(Anew { began, found: None });
    let found = read(inner).await;
    *last = Some(Anew {
        began,
        found: Some(found.clone()),
    });
    found
}

async fn read(inner: &Inner) -> Result<Arc<Keyring>> {
    let changes = inner.keys.changes.load(Ordering::Acquire);
    let at = Instant::now();
    let keyring = Arc::new(Keyring::new(inner.read_tokens().await?));
    let mut kept = inner.keys.kept();
    // Of two that read at once the one that began later knows more.
    if kept.as_ref().is_none_or(|kept| kept.at < at) {
        *kept = Some(Kept {
            keyring: keyring.clone(),
            changes,
            at,
        });
    }
    Ok(keyring)
}

impl Inner {
    pub(super) async fn read_tokens(&self) -> Result<Vec<(Hash, Token)>> {
        let rows = self.read(FIRST_TRY, (), |_, session| {
            Box::pin(async move {
                let statement = session.prepared(tokens::TOKENS).await?;
                let rows = session.client.query(&statement, &[]).await?;
                Ok(rows.iter().map(values).collect::<Vec<_>>())
            })
        });
        let rows = rows.await?;
        let tokens: Option<Vec<_>> = rows.iter().map(|row| tokens::token(row)).collect();
        // One that cannot be read may be the one that keeps a service from being open.
        tokens.ok_or_else(|| Error::internal("the database: a token cannot be read"))
    }
}
