//! What one request may take.

use std::time::Duration;

use crate::model::record::LARGEST;
use crate::net::body::BodyLimits;

/// What one request may take. The defaults are the service's documented limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// Bytes of a body.
    pub body: usize,
    /// Bytes of a path with its parameters.
    pub url: usize,
    /// Levels of objects and arrays in a body.
    pub depth: usize,
    /// Time for a body, from the end of the head.
    pub body_time: Duration,
    /// Time until the answer begins, from the end of the body.
    pub time: Duration,
    /// Requests a second of a token, `None` for any number.
    pub per_token: Option<u32>,
    /// Requests a second of an address, `None` for any number.
    pub per_address: Option<u32>,
}

impl Default for Requests {
    fn default() -> Requests {
        Requests {
            body: LARGEST,
            url: 63 * 1024,
            depth: 127,
            body_time: Duration::from_secs(30),
            time: Duration::from_secs(60),
            per_token: None,
            per_address: None,
        }
    }
}

impl Requests {
    /// What the body of a request may take.
    pub(super) fn of_body(&self) -> BodyLimits {
        BodyLimits {
            bytes: self.body,
            depth: self.depth,
            time: self.body_time,
        }
    }
}
