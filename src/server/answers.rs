//! What large answers may hold together: 64 MiB, until their clients have taken them.
//!
//! hyper keeps an answer until the peer's kernel has taken its last byte, and a record is up to a mebibyte: hundreds of
//! connections that ask and do not read would hold hundreds of megabytes. So what is larger than [`SMALL`] takes its length
//! out of a room that all share, and gives it back when hyper drops its bytes. What is smaller is bounded by the number of
//! connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::{Code, Error, Result};

/// The largest answer that counts as nothing, in bytes: as much as a connection buffers anyway, see
/// [`Limits`](super::connection::Limits).
const SMALL: usize = 64 * 1024;

/// What larger answers hold together, in bytes.
const ROOM: usize = 64 * 1024 * 1024;

/// How many may read while they do not know yet what they will hold.
const PLACES: usize = 16;

/// How long an answer that cannot be refused any more waits: in this time a client that takes nothing is cut.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the large answers hold.
#[derive(Clone)]
pub(super) struct Answers {
    /// In bytes.
    room: Arc<Semaphore>,
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Answers {
    fn default() -> Answers {
        Answers {
            room: Arc::new(Semaphore::new(ROOM)),
            places: Arc::new(Semaphore::new(PLACES)),
            patience: PATIENCE,
        }
    }
}

impl Answers {
    /// Takes the room for an answer; where there is none, the answer is let go of.
    pub(super) fn hold(&self, answer: Bytes) -> Result<Bytes> {
        if answer.len() <= SMALL {
            return Ok(answer);
        }
        match self.room.clone().try_acquire_many_owned(size(&answer)) {
            Ok(room) => Ok(held(answer, room)),
            Err(_) => Err(full()),
        }
    }

    /// Waits for a place to read what cannot be refused any more. Whoever finds no room then keeps the place, so that no
    /// more than [`PLACES`] hold something without room.
    pub(super) async fn place(&self) -> Result<Place> {
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
pub(super) struct Place {
    answers: Answers,
    _place: OwnedSemaphorePermit,
}

impl Place {
    /// Waits for the room of what was read.
    pub(super) async fn hold(self, answer: Bytes) -> Result<Bytes> {
        if answer.len() <= SMALL {
            return Ok(answer);
        }
        let room = self.answers.room.clone();
        let room = room.acquire_many_owned(size(&answer));
        match timeout(self.answers.patience, room).await {
            Ok(Ok(room)) => Ok(held(answer, room)),
            _ => Err(waited()),
        }
    }
}

/// What an answer takes. One that is larger than all the room, older than the bound of a record, takes all of it.
fn size(answer: &Bytes) -> u32 {
    answer.len().min(ROOM) as u32
}

/// The answer, with its room until it is dropped.
fn held(answer: Bytes, room: OwnedSemaphorePermit) -> Bytes {
    struct Held {
        text: Vec<u8>,
        _room: OwnedSemaphorePermit,
    }
    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            &self.text
        }
    }
    // No copy: nobody else has it.
    let mut text = Vec::from(answer);
    text.shrink_to_fit();
    Bytes::from_owner(Held { text, _room: room })
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

    #[test]
    fn answers_share_their_room() {
        let answers = Answers::default();
        let one = answers.hold(large()).unwrap();
        let other = answers.hold(large()).unwrap();
        let refused = answers.hold(vec![b' '; SMALL + 1].into()).unwrap_err();
        assert_eq!(refused.code, Code::Unavailable);
        assert_eq!(answers.hold(vec![b' '; SMALL].into()).unwrap().len(), SMALL);
        // A part of it is all of it: the memory is one.
        let part = one.slice(1..2);
        drop(one);
        assert!(answers.hold(large()).is_err());
        drop(part);
        assert!(answers.hold(large()).is_ok());
        drop(other);
        assert_eq!(answers.room.available_permits(), ROOM);
    }

    #[tokio::test]
    async fn what_cannot_be_refused_waits_for_its_room() {
        let answers = Answers::default();
        let held = [large(), large()].map(|answer| answers.hold(answer).unwrap());
        let place = answers.place().await.unwrap();
        let mut waiting = pin!(place.hold(large()));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(held);
        assert_eq!(waiting.await.unwrap().len(), ROOM / 2);
    }

    #[tokio::test]
    async fn nothing_waits_for_ever_and_who_waits_keeps_the_place() {
        let answers = Answers {
            patience: Duration::ZERO,
            ..Answers::default()
        };
        let _held = [large(), large()].map(|answer| answers.hold(answer).unwrap());
        let mut places = Vec::new();
        for _ in 0..PLACES {
            places.push(answers.place().await.unwrap());
        }
        assert!(answers.place().await.is_err());
        let late = places.remove(0).hold(large()).await.unwrap_err();
        assert_eq!(late.code, Code::Unavailable);
        assert!(answers.place().await.is_ok());
    }
}
