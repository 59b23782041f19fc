//! The limits of one request.

use std::time::Duration;

use crate::model::record::LARGEST;
use crate::net::body::BodyLimits;

/// The time between two signs of life in a stream. Proxies end connections that are silent for a minute.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// The limits of one request. The defaults are the documented limits of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// The most bytes of a body.
    pub body: usize,
    /// The most bytes of a path, including its parameters.
    pub url: usize,
    /// The most levels of objects and arrays in a body.
    pub depth: usize,
    /// Time for the whole body, from the end of the head.
    pub body_time: Duration,
    /// Time until the response begins, from the end of the body.
    pub time: Duration,
    /// The time between two signs of life in a stream.
    pub heartbeat: Duration,
    /// Requests a second of a token; `None` means no limit.
    pub per_token: Option<u32>,
    /// Requests a second of an address; `None` means no limit.
    pub per_address: Option<u32>,
}

impl Default for RequestLimits {
    fn default() -> RequestLimits {
        RequestLimits {
            body: LARGEST,
            url: 63 * 1024,
            depth: 127,
            body_time: Duration::from_secs(30),
            time: Duration::from_secs(60),
            heartbeat: HEARTBEAT,
            per_token: None,
            per_address: None,
        }
    }
}

impl RequestLimits {
    /// The limits of the body of a request.
    pub(super) fn of_body(&self) -> BodyLimits {
        BodyLimits {
            bytes: self.body,
            depth: self.depth,
            time: self.body_time,
        }
    }
}
