//! Streamed answers end when their reader is no longer let in: the token was revoked or has expired, or a service that was
//! open asks for tokens now.
//!
//! A stream checks its [`Pass`] before it sends the next part, so a client that reads quickly notices at once. A client that
//! reads slowly or not at all never asks for a next part, and a stream of events may have none for hours. So one task checks
//! all passes that are in use, every [`INTERVAL`], and ends the connections of those that are no longer valid. All answers
//! to one token share one entry, so a check costs as much as there are tokens in use, however many answers there are. The
//! task sleeps while nothing is streamed.
//!
//! Together with the age of the tokens that a store may return, this ends an answer within 5 s. Where the tokens cannot be
//! read, nobody is let in, so the streamed answers end too.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};
use warp::reply::Response;

use super::gate::{Policy, is_open};
use super::reply;
use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::token::{Keyring, Token};
use crate::net::lease::{Lease, Lessor};
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// The time between two checks.
const INTERVAL: Duration = Duration::from_millis(500);

/// How long a check waits for the tokens. The store has them at once, unless those that it knows are as old as
/// [`STALE`](crate::store::contract::STALE). That age, [`INTERVAL`] and this time are less than 5 s together.
const PATIENCE: Duration = Duration::from_millis(400);

/// Who reads: somebody with a token, or somebody without one.
#[derive(Clone)]
struct Reader(Option<Arc<Token>>);

impl Reader {
    /// The id of the token.
    fn id(&self) -> Option<i64> {
        self.0.as_ref().map(|token| token.id)
    }

    /// Why a reader who was let in would not be let in with these tokens.
    fn refused(&self, policy: Policy, keyring: &Keyring) -> Option<&'static str> {
        match &self.0 {
            Some(token) if !keyring.has(token) => Some("its token was revoked"),
            Some(token) if token.expires_at.is_some() && token.has_expired(&time::now()) => {
                Some("its token has expired")
            }
            None if !is_open(policy, keyring) => Some("it has no token, and one is needed now"),
            Some(_) | None => None,
        }
    }
}

/// What all passes share.
pub(super) struct Passes {
    store: AnyStore,
    policy: Policy,
    /// The readers of answers that are being streamed, by the ids of their tokens.
    readers: Mutex<HashMap<Option<i64>, (Reader, Lessor)>>,
    /// An answer begins to be streamed while no other is.
    begins: Notify,
}

/// What let the request of one streamed answer in.
pub(super) struct Pass {
    passes: Arc<Passes>,
    reader: Reader,
    lease: Lease,
}

impl Passes {
    pub(super) fn new(store: AnyStore, policy: Policy) -> Passes {
        Passes {
            store,
            policy,
            readers: Mutex::default(),
            begins: Notify::new(),
        }
    }

    fn readers(&self) -> MutexGuard<'_, HashMap<Option<i64>, (Reader, Lessor)>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pass of an answer to a request that was let in with this token, or without one.
    pub(super) fn pass(self: &Arc<Passes>, token: Option<&Arc<Token>>) -> Pass {
        let reader = Reader(token.cloned());
        let mut readers = self.readers();
        if readers.is_empty() {
            self.begins.notify_one();
        }
        let (_, lessor) = readers
            .entry(reader.id())
            .or_insert_with(|| (reader.clone(), Lessor::default()));
        Pass {
            passes: self.clone(),
            reader,
            lease: lessor.grant(),
        }
    }

    /// Ends the answers whose readers would not be let in now, for ever.
    pub(super) async fn enforce(&self) -> Infallible {
        loop {
            self.begins.notified().await;
            let mut ticks = interval(INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while self.has_some() {
                ticks.tick().await;
                let keyring = timeout(PATIENCE, self.store.keyring()).await;
                self.check(keyring.ok().and_then(Result::ok).as_deref());
            }
        }
    }

    /// Whether an answer is being streamed. Forgets the readers whose answers have ended.
    fn has_some(&self) -> bool {
        let mut readers = self.readers();
        readers.retain(|_, (_, lessor)| !lessor.is_unused());
        !readers.is_empty()
    }

    /// Ends the answers whose readers these tokens would not let in. `None` means that nobody knows the tokens.
    fn check(&self, keyring: Option<&Keyring>) {
        self.readers().retain(|_, (reader, lessor)| {
            let refused = match keyring {
                Some(keyring) => reader.refused(self.policy, keyring),
                None => Some("the tokens could not be read"),
            };
            let Some(why) = refused else { return true };
            if !lessor.is_unused() {
                let whose = match &reader.0 {
                    Some(token) => format!("to the token {}", token.name),
                    None => "without a token".into(),
                };
                tracing::info!("ended all streamed answers {whose}: {why}");
            }
            false
        });
    }
}

impl reply::Pass for Pass {
    /// Fails if the token has been revoked or has expired, or if a service that was open asks for tokens now.
    async fn check(&self) -> Result<()> {
        let keyring = self.passes.store.keyring().await?;
        match self.reader.refused(self.passes.policy, &keyring) {
            Some(why) => Err(Error::new(Code::Unauthenticated, why)),
            None => Ok(()),
        }
    }

    fn attach(&self, response: &mut Response) {
        self.lease.clone().attach(response);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::{Scope, Secret};
    use crate::store::sqlite::Work;

    fn token(id: i64, expires_at: Option<&str>) -> Arc<Token> {
        Arc::new(Token {
            id,
            name: format!("t{id}").into(),
            scope: Scope::Read,
            start: String::new(),
            created_at: String::new(),
            expires_at: expires_at.map(String::from),
        })
    }

    fn keyring(tokens: &[&Arc<Token>]) -> Keyring {
        let tokens = tokens.iter().map(|token| Token::clone(token));
        Keyring::new(tokens.map(|token| (Secret::new().unwrap().hash(), token)))
    }

    /// The passes that are in use, by the ids of their tokens.
    fn in_use(passes: &Passes) -> Vec<Option<i64>> {
        passes.has_some();
        let mut ids: Vec<_> = passes.readers().keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn answers_share_the_end_of_their_token() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = AnyStore::open(&folder.path().join("crm.db"), Work::Server).unwrap();
        let passes = Arc::new(Passes::new(store, Policy::FromFirstToken));
        let lasts = token(1, Some("9999-01-01 00:00:00"));
        let expired = token(2, Some("2020-01-01 00:00:00"));
        let revoked = token(3, None);
        let given = [None, Some(&lasts), Some(&expired), Some(&revoked)];
        let held: Vec<Pass> = (0..40).map(|at| passes.pass(given[at % 4])).collect();
        assert_eq!(in_use(&passes), [None, Some(1), Some(2), Some(3)]);
        passes.check(Some(&keyring(&[&lasts, &expired])));
        assert_eq!(in_use(&passes), [Some(1)]);
        let has_ended = |pass: &Pass| pass.lease.has_ended();
        let ended: Vec<bool> = held.iter().map(has_ended).collect();
        assert_eq!(ended[..4], [true, false, true, true]);
        assert!(ended.chunks(4).all(|chunk| chunk == &ended[..4]));

        // Without tokens the service is open.
        let open = passes.pass(None);
        passes.check(Some(&Keyring::default()));
        assert!(!has_ended(&open));
        drop(held);
        assert_eq!(in_use(&passes), [None]);
        passes.check(None);
        assert!(has_ended(&open) && in_use(&passes).is_empty());
    }
}
