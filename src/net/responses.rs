//! The budget of memory for large responses: all together hold at most 64 MiB until their clients have taken them.
//!
//! hyper keeps a response until the peer's kernel has taken its last byte, and a record is up to a mebibyte. So hundreds of
//! connections that send requests and do not read the responses would hold hundreds of megabytes. Therefore a response
//! larger than 64 KiB takes its length from a shared budget, and returns it when hyper drops the bytes. Smaller ones are
//! bounded by the number of connections.
//!
//! When others want memory, no slow client keeps it for long. The connection of a response knows how much the response
//! holds, see [`HoldsMemory`](super::held::HoldsMemory), and a slow connection is cut once it has held wanted memory for a
//! while.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::base::error::{Code, Error, Result};
use crate::net::memory::Demand;
pub(crate) use crate::net::memory::ResponseMemory;

#[cfg(test)]
mod tests;

/// The largest response that is not counted, in bytes. A connection buffers as much anyway, see
/// [`ConnectionLimits`](crate::net::limits::ConnectionLimits).
const SMALL: usize = 64 * 1024;

/// The bytes that larger responses hold together.
const BUDGET: usize = 64 * 1024 * 1024;

/// The bytes that responses to writes may hold beyond that, so that readers alone cannot block them.
const RESERVE: usize = 16 * 1024 * 1024;

/// How many streamed responses may read their next part before they know its size.
const READ_TURNS: usize = 16;

/// How long a response waits for memory if it can no longer be refused. A client that holds wanted memory and takes nothing
/// is cut within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// The budget of all large responses. Clones share it.
#[derive(Clone)]
pub(crate) struct ResponseBudget {
    /// In bytes.
    budget: Arc<Semaphore>,
    /// In bytes.
    reserve: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    patience: Duration,
    demand: Arc<Demand>,
}

impl Default for ResponseBudget {
    fn default() -> ResponseBudget {
        ResponseBudget {
            budget: Arc::new(Semaphore::new(BUDGET)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
            turns: Arc::new(Semaphore::new(READ_TURNS)),
            patience: PATIENCE,
            demand: Arc::default(),
        }
    }
}

impl ResponseBudget {
    /// Counts a response to a read.
    ///
    /// # Errors
    ///
    /// [`Code::Unavailable`] if the budget is used up; the response is dropped.
    pub(crate) fn hold(&self, body: Bytes) -> Result<HeldResponse> {
        self.hold_in(&[&self.budget], body)
    }

    /// Counts a response to a write, which may use the reserve too.
    ///
    /// # Errors
    ///
    /// Those of [`ResponseBudget::hold`].
    pub(crate) fn hold_written(&self, body: Bytes) -> Result<HeldResponse> {
        self.hold_in(&[&self.budget, &self.reserve], body)
    }

    fn hold_in(&self, budgets: &[&Arc<Semaphore>], body: Bytes) -> Result<HeldResponse> {
        if body.len() <= SMALL {
            return Ok(HeldResponse { body, memory: None });
        }
        let mut budgets = budgets.iter();
        let size = size(&body);
        match budgets.find_map(|budget| (*budget).clone().try_acquire_many_owned(size).ok()) {
            Some(permit) => {
                let memory = self.memory();
                Ok(HeldResponse {
                    body: memory.hold(body, permit),
                    memory: Some(memory),
                })
            }
            None => {
                self.demand.refused();
                Err(full())
            }
        }
    }

    /// The memory of a new response, to which parts can be added.
    pub(crate) fn memory(&self) -> ResponseMemory {
        ResponseMemory::new(self.demand.clone())
    }

    /// Waits for a turn to read a part of a response that can no longer be refused. If there is no memory for the part, the
    /// turn is kept until there is some, so at most [`READ_TURNS`] parts exist that are not counted.
    ///
    /// # Errors
    ///
    /// [`Code::Unavailable`] after 30 s.
    pub(crate) async fn turn(&self) -> Result<ReadTurn> {
        if let Ok(turn) = self.turns.clone().try_acquire_owned() {
            return Ok(self.turn_by(turn));
        }
        let _waiter = self.demand.wait();
        let turn = timeout(self.patience, self.turns.clone().acquire_owned()).await;
        match turn {
            Ok(Ok(turn)) => Ok(self.turn_by(turn)),
            _ => Err(waited()),
        }
    }

    fn turn_by(&self, turn: OwnedSemaphorePermit) -> ReadTurn {
        ReadTurn {
            budget: self.clone(),
            _turn: turn,
        }
    }
}

/// The turn to read one response, or a part of one.
pub(crate) struct ReadTurn {
    budget: ResponseBudget,
    _turn: OwnedSemaphorePermit,
}

impl ReadTurn {
    /// Waits until there is memory for the part that was read, and adds it to the memory of its response.
    ///
    /// # Errors
    ///
    /// [`Code::Unavailable`] after 30 s.
    pub(crate) async fn hold(self, memory: &ResponseMemory, part: Bytes) -> Result<Bytes> {
        if part.len() <= SMALL {
            return Ok(part);
        }
        let budget = self.budget.budget.clone();
        if let Ok(permit) = budget.clone().try_acquire_many_owned(size(&part)) {
            return Ok(memory.hold(part, permit));
        }
        let _waiter = self.budget.demand.wait();
        let permit = budget.acquire_many_owned(size(&part));
        match timeout(self.budget.patience, permit).await {
            Ok(Ok(permit)) => Ok(memory.hold(part, permit)),
            _ => Err(waited()),
        }
    }
}

/// The body of a response that is counted.
pub(crate) struct HeldResponse {
    body: Bytes,
    memory: Option<ResponseMemory>,
}

impl HeldResponse {
    /// Makes the response, and tells its connection what it holds.
    pub(crate) fn respond<B>(self, make: impl FnOnce(Bytes) -> Response<B>) -> Response<B> {
        let mut response = make(self.body);
        if let Some(memory) = self.memory {
            memory.attach(&mut response);
        }
        response
    }

    /// The body as the first part of a response, and the memory to which more parts are added.
    pub(crate) fn open(self, budget: &ResponseBudget) -> (Bytes, ResponseMemory) {
        let memory = self.memory.unwrap_or_else(|| budget.memory());
        (self.body, memory)
    }
}

/// How much of the budget a body takes. A record larger than the whole budget, from before records were bounded, takes all
/// of it.
fn size(body: &Bytes) -> u32 {
    body.len().min(BUDGET) as u32
}

/// An error for the log only. The response that waited has begun, or its write is saved, so the client must not be told to
/// try again.
fn waited() -> Error {
    let message = "clients that read too slowly hold too many large responses";
    Error::new(Code::Unavailable, message)
}

fn full() -> Error {
    let message = "too many large responses are being read already; try again";
    Error::new(Code::Unavailable, message)
}
