//! The operations on the service itself: what they ask of it, and what they answer.

use std::borrow::Cow;

use crate::base::error::{Error, Result};
use crate::store::contract::{Ready, Report};

use super::about::About;

/// What the service knows of itself.
pub trait Service: Sync {
    /// Whether it takes writes. A fault of its own is told in the log alone.
    fn ready(&self) -> impl Future<Output = Result<Ready>> + Send;

    /// How its backups go, `None` where it makes none.
    fn backups(&self) -> Option<Report>;

    /// Its numbers, in the text form of OpenMetrics.
    fn metrics(&self) -> String;

    /// The API's document.
    fn document(&self) -> bytes::Bytes;

    /// A file of the documentation, by its path behind `/docs/`.
    fn page(&self, path: &str) -> Option<Page>;
}

/// A file of the documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its bytes, as they are to be sent.
    pub bytes: Cow<'static, [u8]>,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Whether the bytes are compressed.
    pub gzip: bool,
    /// More headers.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// An answer of the service about itself.
pub struct Answered {
    /// The status, where it is no error.
    pub status: u16,
    /// The error whose status it has, where it is one.
    pub error: Option<Error>,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its body.
    pub body: bytes::Bytes,
    /// More headers.
    pub headers: Vec<(&'static str, &'static str)>,
}

impl Answered {
    /// An answer with status 200.
    pub fn ok(content_type: &'static str, body: impl Into<bytes::Bytes>) -> Answered {
        Answered {
            status: 200,
            error: None,
            content_type,
            body: body.into(),
            headers: Vec::new(),
        }
    }

    /// An error, whose body is the error's own where `body` is empty.
    pub fn error(error: Error, body: String) -> Answered {
        Answered {
            error: Some(error),
            ..Answered::json(body)
        }
    }

    /// JSON with status 200.
    pub fn json(body: impl Into<bytes::Bytes>) -> Answered {
        Answered::ok("application/json", body)
    }

    /// With a header.
    pub fn header(mut self, name: &'static str, value: &'static str) -> Answered {
        self.headers.push((name, value));
        self
    }

    /// Not to be kept by any cache.
    pub fn uncached(self) -> Answered {
        self.header("cache-control", "no-store")
    }
}

/// An operation that tells of the service.
pub trait Inform {
    /// What it is.
    const ABOUT: &'static About;

    /// The answer. `rest` is what follows the operation's path.
    fn inform(service: &impl Service, rest: &str) -> impl Future<Output = Result<Answered>> + Send;
}
