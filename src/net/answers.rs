//! What large answers may hold together: 64 MiB, until their clients have taken them.
//!
//! hyper keeps an answer until the peer's kernel has taken its last byte, and a record is up to a mebibyte: hundreds of
//! connections that ask and do not read would hold hundreds of megabytes. So what is larger than [`SMALL`] takes its length
//! out of a room that all share, and gives it back when hyper drops its bytes. What is smaller is bounded by the number of
//! connections.
//!
//! Where others want the room, nobody keeps it for long: the connection of an answer knows what that holds, as a
//! [`Burden`], and is cut when it has held it for a while and another wants it now.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::base::error::{Code, Error, Result};
use crate::net::burden::{Burden, Burdened};

/// The largest answer that counts as nothing, in bytes: as much as a connection buffers anyway, see
/// [`Limits`](crate::net::limits::Limits).
const SMALL: usize = 64 * 1024;

/// What larger answers hold together, in bytes.
const ROOM: usize = 64 * 1024 * 1024;

/// What the answers to writes may hold beyond that, in bytes, so that readers alone do not keep them waiting.
const RESERVE: usize = 16 * 1024 * 1024;

/// How many may read while they do not know yet what they will hold.
const PLACES: usize = 16;

/// How long an answer that cannot be refused any more waits: in this time a client that takes nothing is cut.
const PATIENCE: Duration = Duration::from_secs(30);

/// For how long a refusal says that room is wanted. It was asked to try again in a second.
const WANTED: Duration = Duration::from_secs(5);

/// What the large answers hold.
#[derive(Clone)]
pub(crate) struct Answers {
    /// In bytes.
    room: Arc<Semaphore>,
    /// In bytes.
    reserve: Arc<Semaphore>,
    places: Arc<Semaphore>,
    patience: Duration,
    want: Arc<Want>,
}

impl Default for Answers {
    fn default() -> Answers {
        Answers {
            room: Arc::new(Semaphore::new(ROOM)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
            places: Arc::new(Semaphore::new(PLACES)),
            patience: PATIENCE,
            want: Arc::default(),
        }
    }
}

impl Answers {
    /// Takes the room for an answer; where there is none, the answer is let go of.
    pub(crate) fn hold(&self, answer: Bytes) -> Result<Whole> {
        self.hold_in(&[&self.room], answer)
    }

    /// The same for the answer to a write, which has its reserve.
    pub(crate) fn hold_written(&self, answer: Bytes) -> Result<Whole> {
        self.hold_in(&[&self.room, &self.reserve], answer)
    }

    fn hold_in(&self, rooms: &[&Arc<Semaphore>], answer: Bytes) -> Result<Whole> {
        if answer.len() <= SMALL {
            return Ok(Whole { answer, load: None });
        }
        let mut rooms = rooms.iter();
        match rooms.find_map(|room| (*room).clone().try_acquire_many_owned(size(&answer)).ok()) {
            Some(room) => {
                let load = self.load();
                Ok(Whole {
                    answer: load.hold(answer, room),
                    load: Some(load),
                })
            }
            None => {
                self.want.refused();
                Err(full())
            }
        }
    }

    /// What an answer is to hold, piece by piece.
    pub(crate) fn load(&self) -> Load {
        Load(Arc::new(Held {
            want: self.want.clone(),
            since: Mutex::default(),
        }))
    }

    /// Waits for a place to read what cannot be refused any more. Whoever finds no room then keeps the place, so that no
    /// more than [`PLACES`] hold something without room.
    pub(crate) async fn place(&self) -> Result<Place> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(Place {
                answers: self.clone(),
                _place: place,
            });
        }
        let _wanting = self.want.begin();
        let place = timeout(self.patience, self.places.clone().acquire_owned()).await;
        match place {
            Ok(Ok(place)) => Ok(Place {
                answers: self.clone(),
                _place: place,
            }),
            _ => Err(waited()),
        }
    }
}

/// Leave to read one answer, or a part of one.
pub(crate) struct Place {
    answers: Answers,
    _place: OwnedSemaphorePermit,
}

impl Place {
    /// Waits for the room of what was read, a part of this load.
    pub(crate) async fn hold(self, load: &Load, answer: Bytes) -> Result<Bytes> {
        if answer.len() <= SMALL {
            return Ok(answer);
        }
        let room = self.answers.room.clone();
        if let Ok(room) = room.clone().try_acquire_many_owned(size(&answer)) {
            return Ok(load.hold(answer, room));
        }
        let _wanting = self.answers.want.begin();
        let room = room.acquire_many_owned(size(&answer));
        match timeout(self.answers.patience, room).await {
            Ok(Ok(room)) => Ok(load.hold(answer, room)),
            _ => Err(waited()),
        }
    }
}

/// An answer with its room.
pub(crate) struct Whole {
    answer: Bytes,
    load: Option<Load>,
}

impl Whole {
    /// Makes it a response, whose connection is told of what it holds.
    pub(crate) fn respond<B>(self, make: impl FnOnce(Bytes) -> Response<B>) -> Response<B> {
        let mut response = make(self.answer);
        if let Some(load) = self.load {
            load.tell(&mut response);
        }
        response
    }

    /// Its text, and what more of the answer is added to.
    pub(crate) fn open(self, answers: &Answers) -> (Bytes, Load) {
        let load = self.load.unwrap_or_else(|| answers.load());
        (self.answer, load)
    }
}

/// What one answer holds.
#[derive(Clone)]
pub(crate) struct Load(Arc<Held>);

impl Load {
    /// Tells the connection of this response of it.
    pub(crate) fn tell<B>(self, response: &mut Response<B>) {
        response.extensions_mut().insert(Burdened(self.0));
    }

    /// The answer, with its room until it is dropped.
    fn hold(&self, answer: Bytes, room: OwnedSemaphorePermit) -> Bytes {
        struct Piece {
            text: Vec<u8>,
            since: Instant,
            held: Arc<Held>,
            _room: OwnedSemaphorePermit,
        }
        impl AsRef<[u8]> for Piece {
            fn as_ref(&self) -> &[u8] {
                &self.text
            }
        }
        impl Drop for Piece {
            fn drop(&mut self) {
                let mut since = self.held.since();
                if let Some(at) = since.iter().position(|since| *since == self.since) {
                    since.swap_remove(at);
                }
            }
        }
        let now = Instant::now();
        self.0.since().push(now);
        // No copy: nobody else has it.
        let mut text = Vec::from(answer);
        text.shrink_to_fit();
        Bytes::from_owner(Piece {
            text,
            since: now,
            held: self.0.clone(),
            _room: room,
        })
    }
}

/// Since when the pieces of an answer are held.
struct Held {
    want: Arc<Want>,
    since: Mutex<Vec<Instant>>,
}

impl Held {
    fn since(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Burden for Held {
    fn since(&self) -> Option<Instant> {
        Held::since(self).iter().min().copied()
    }

    fn is_wanted(&self) -> bool {
        self.want.is_there(Instant::now())
    }
}

/// Whether there is somebody who has found no room.
#[derive(Default)]
struct Want {
    waiting: AtomicUsize,
    refused: Mutex<Option<Instant>>,
}

impl Want {
    fn refused(&self) {
        *self.last_refused() = Some(Instant::now());
    }

    fn last_refused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody waits, until this is dropped.
    fn begin(&self) -> Wanting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Wanting(self)
    }

    fn is_there(&self, now: Instant) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
            || self.last_refused().is_some_and(|at| now - at < WANTED)
    }
}

struct Wanting<'a>(&'a Want);

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What an answer takes. One that is larger than all the room, older than the bound of a record, takes all of it.
fn size(answer: &Bytes) -> u32 {
    answer.len().min(ROOM) as u32
}

/// For the log: what has waited had begun, or was saved, and nobody may be told to try it again.
fn waited() -> Error {
    let message = "clients that read too slowly hold too many large answers";
    Error::new(Code::Unavailable, message)
}

fn full() -> Error {
    let message = "too many large answers are being read already; try again";
    Error::new(Code::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;

    use super::*;

    fn large() -> Bytes {
        vec![b' '; ROOM / 2].into()
    }

    fn held(answers: &Answers) -> Bytes {
        answers.hold(large()).map(|held| held.answer).expect("room")
    }

    #[test]
    fn answers_share_their_room() {
        let answers = Answers::default();
        let one = held(&answers);
        let other = held(&answers);
        let refused = answers.hold(vec![b' '; SMALL + 1].into()).err();
        assert_eq!(refused.map(|error| error.code), Some(Code::Unavailable));
        assert!(answers.hold(vec![b' '; SMALL].into()).is_ok());
        // A part of it is all of it: the memory is one.
        let part = one.slice(1..2);
        drop(one);
        assert!(answers.hold(large()).is_err());
        drop(part);
        assert!(answers.hold(large()).is_ok());
        drop(other);
        assert_eq!(answers.room.available_permits(), ROOM);
    }

    #[test]
    fn writes_have_a_reserve() {
        let answers = Answers::default();
        let _held = [held(&answers), held(&answers)];
        let written = || answers.hold_written(vec![b' '; RESERVE].into());
        let one = written();
        assert!(one.is_ok());
        assert!(written().is_err());
        drop(one);
        assert!(written().is_ok());
    }

    #[tokio::test]
    async fn what_is_held_is_wanted_by_those_who_found_no_room() {
        let answers = Answers::default();
        let load = answers.load();
        assert_eq!(Burden::since(&*load.0), None);
        let begun = Instant::now();
        let _other = held(&answers);
        let place = answers.place().await.expect("a place");
        let piece = place.hold(&load, large()).await.expect("room");
        assert!(Burden::since(&*load.0) >= Some(begun));
        assert!(!load.0.is_wanted());

        // Those who wait want it as long as they do, those who were refused for a while.
        let place = answers.place().await.expect("a place");
        let more = answers.load();
        let mut waiting = Box::pin(place.hold(&more, large()));
        assert!(waiting.as_mut().now_or_never().is_none());
        let later = || Instant::now() + WANTED;
        assert!(answers.want.is_there(later()));
        drop(waiting);
        assert!(!load.0.is_wanted());
        assert!(answers.hold(large()).is_err());
        assert!(load.0.is_wanted());
        assert!(!answers.want.is_there(later()));

        drop(piece);
        assert_eq!(Burden::since(&*load.0), None);
    }

    #[tokio::test]
    async fn what_cannot_be_refused_waits_for_its_room() {
        let answers = Answers::default();
        let held = [held(&answers), held(&answers)];
        let place = answers.place().await.expect("a place");
        let load = answers.load();
        let mut waiting = pin!(place.hold(&load, large()));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(held);
        assert_eq!(waiting.await.expect("room").len(), ROOM / 2);
    }

    #[tokio::test]
    async fn nothing_waits_for_ever_and_who_waits_keeps_the_place() {
        let answers = Answers {
            patience: Duration::ZERO,
            ..Answers::default()
        };
        let _held = [held(&answers), held(&answers)];
        let mut places = Vec::new();
        for _ in 0..PLACES {
            places.push(answers.place().await.expect("a place"));
        }
        assert!(answers.place().await.is_err());
        let load = answers.load();
        let late = places.remove(0).hold(&load, large()).await.err();
        assert_eq!(late.map(|error| error.code), Some(Code::Unavailable));
        assert!(answers.place().await.is_ok());
    }
}
