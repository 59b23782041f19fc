//! Decides when a failed request is sent again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use crate::base::error::Error;

/// How many times a request is sent that is lost or turned away. A restart of a server takes about a second.
const MOST_TRIES: u32 = 5;

/// The longest first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause. If a server asks for a longer one, the error is reported instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a request failed.
pub(super) struct SendError {
    pub(super) error: Error,
    /// The time after which the request may be sent again: it was lost on the way, or the server could not handle it at the
    /// moment. `None` if it may not be sent again.
    pub(super) again: Option<Duration>,
    /// Whether the server may have done it anyway, in this try or in an earlier one.
    pub(super) perhaps: bool,
}

impl SendError {
    /// The error of a write. It says so if the write may have been saved.
    pub(super) fn of_write(mut self) -> Error {
        if self.perhaps {
            self.error.message +=
                "; the change may have been saved anyway; check before you try again";
        }
        self.error
    }
}

impl From<Error> for SendError {
    fn from(error: Error) -> SendError {
        SendError {
            error,
            again: None,
            perhaps: false,
        }
    }
}

impl From<SendError> for Error {
    fn from(failed: SendError) -> Error {
        failed.error
    }
}

/// The tries of one request.
#[derive(Default)]
pub(super) struct Retries(u32);

impl Retries {
    /// Waits, and returns whether the request should be sent again.
    pub(super) async fn again(&mut self, failed: &SendError) -> bool {
        self.0 += 1;
        let after = failed.again.filter(|after| *after <= LONGEST_PAUSE);
        let Some(after) = after.filter(|_| self.0 < MOST_TRIES) else {
            return false;
        };
        // Each pause is twice as long as the one before, and up to half of it is random: many clients that were turned away
        // together must not come back together.
        let longest = (FIRST_PAUSE * 2_u32.pow(self.0 - 1)).min(LONGEST_PAUSE);
        let chance = RandomState::new().hash_one(self.0) % 1_000;
        tokio::time::sleep(after + longest / 2 + longest / 2 * chance as u32 / 1_000).await;
        true
    }
}
