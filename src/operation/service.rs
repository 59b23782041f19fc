//! Operations that report on the service itself, and what they need from it.

use std::borrow::Cow;

use crate::base::error::{Error, Result};
use crate::store::contract::{Ready, Report};

use super::about::About;

/// What the service knows about itself.
pub trait Service: Sync {
    /// Whether it accepts writes. The details of an internal error only go to the log.
    fn ready(&self) -> impl Future<Output = Result<Ready>> + Send;

    /// The state of its backups. `None` if it makes none.
    fn backups(&self) -> Option<Report>;

    /// Its metrics, in the format that the client prefers.
    fn metrics(&self) -> impl Future<Output = MetricsText> + Send;

    /// The OpenAPI document.
    fn document(&self) -> bytes::Bytes;

    /// The follow-ups as a calendar, or that the client has it already.
    fn calendar(&self) -> impl Future<Output = Result<Answered>> + Send;

    /// A file of the documentation, by its path after `/docs/`, in the coding that the client prefers.
    fn page(&self, path: &str) -> Option<DocsFile>;
}

/// All metrics in one of their formats.
pub struct MetricsText {
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// The metrics.
    pub text: String,
}

/// A file of the documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocsFile {
    /// Its bytes as they are sent.
    pub bytes: bytes::Bytes,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// More headers.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// An answer of the service about itself.
pub struct Answered {
    /// The status, if it is not an error.
    pub status: u16,
    /// The error, which has the status.
    pub error: Option<Error>,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its body.
    pub body: bytes::Bytes,
    /// More headers.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
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

    /// An error. If `body` is empty, the body is that of the error.
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

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Answered {
        self.headers.push((name, value.into()));
        self
    }

    /// Forbids caches to store it.
    pub fn uncached(self) -> Answered {
        self.header("cache-control", "no-store")
    }
}

/// An operation that reports on the service.
pub trait Inform {
    /// The data of the operation.
    const ABOUT: &'static About;

    /// Makes the answer. `rest` is what follows the path of the operation.
    fn inform(service: &impl Service, rest: &str) -> impl Future<Output = Result<Answered>> + Send;
}
