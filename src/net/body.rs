//! Request bodies: JSON of a bounded size and depth that arrives in time.
//!
//! All bodies that are being read hold at most 64 MiB together. A large body is parsed on another thread, because parsing
//! takes milliseconds in which a serving thread would serve nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use tokio::sync::Semaphore;

use crate::base::error::{Code, Error, Result};
use crate::net::hits::{Hits, Limit};
use json::check_media_type;
pub(crate) use json::{check_media, is_deeper};

mod json;

/// The most bytes that all bodies being read hold together. Without this bound, a thousand slow bodies would hold a
/// gigabyte.
const BUDGET: usize = 64 * 1024 * 1024;

/// The largest body that is parsed on the thread that read it, in bytes. A mebibyte can have a hundred thousand keys, and
/// those take 25 ms.
const SMALL: usize = 64 * 1024;

/// How many larger bodies are parsed at the same time. During parsing, a body with many keys takes ten times its size.
const PARSED: usize = 2;

/// The limits of one body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// The most bytes.
    pub(crate) bytes: usize,
    /// The most levels of objects and arrays.
    pub(crate) depth: usize,
    /// Time for the whole body, from the end of the head.
    pub(crate) time: Duration,
}

/// The budget of the bodies that are being read.
pub(crate) struct BodyBudget {
    /// In bytes.
    held: AtomicUsize,
    parsing: Semaphore,
    limits: BodyLimits,
    hits: Arc<Hits>,
}

impl BodyBudget {
    pub(crate) fn new(limits: BodyLimits, hits: Arc<Hits>) -> BodyBudget {
        BodyBudget {
            held: AtomicUsize::new(0),
            parsing: Semaphore::new(PARSED),
            limits,
            hits,
        }
    }

    /// Counts the limit, and returns the error.
    fn reached(&self, limit: Limit, error: Error) -> Error {
        self.hits.count(limit);
        error
    }

    fn too_large(&self) -> Error {
        let most = self.limits.bytes;
        let message = format!("body: expected at most {most} bytes");
        self.reached(Limit::Body, Error::new(Code::TooLarge, message))
    }
}

/// The bytes that one body holds, until this is dropped.
pub(crate) struct HeldBody<'a> {
    budget: &'a BodyBudget,
    size: usize,
}

impl HeldBody<'_> {
    fn grow(&mut self, by: usize) -> Result<()> {
        self.size += by;
        let before = self.budget.held.fetch_add(by, Ordering::Relaxed);
        match before + by > BUDGET {
            true => Err(Error::new(
                Code::Unavailable,
                "too many large bodies are being read already; nothing was saved, try again",
            )),
            false => Ok(()),
        }
    }
}

impl Drop for HeldBody<'_> {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// Whether a request has no body, and no word about one.
pub(crate) fn is_none(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH);
    let is_empty = length.is_none_or(|length| length.as_bytes() == b"0");
    is_empty && !headers.contains_key(TRANSFER_ENCODING) && !headers.contains_key(CONTENT_TYPE)
}

/// Reads a body within the budget, and parses it.
///
/// # Errors
///
/// Those of [`whole`] and of `parse`; [`Code::MediaType`] if it is not JSON; [`Code::Invalid`] if it is nested too deeply.
pub(crate) async fn read<S, B, E, T>(
    budget: &BodyBudget,
    headers: &HeaderMap,
    body: S,
    parse: impl FnOnce(&[u8]) -> Result<T> + Send + 'static,
) -> Result<T>
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
    T: Send + 'static,
{
    check_media_type(headers)?;
    let limits = budget.limits;
    let (bytes, _held) = whole(budget, headers, body).await?;
    if is_deeper(&bytes, limits.depth) {
        let most = limits.depth;
        let message = format!("body: expected at most {most} levels of objects and arrays");
        return Err(budget.reached(Limit::Depth, Error::invalid(message)));
    }
    if bytes.len() <= SMALL {
        return parse(&bytes);
    }
    let _turn = budget.parsing.acquire().await.map_err(Error::internal)?;
    let parsed = tokio::task::spawn_blocking(move || parse(&bytes)).await;
    parsed.map_err(Error::internal)?
}

/// Reads all bytes of a body within the budget.
///
/// # Errors
///
/// [`Code::TooLarge`], [`Code::Timeout`], [`Code::Unavailable`] if the budget is used up, and [`Code::Invalid`] if the body
/// breaks off.
pub(crate) async fn whole<'b, S, B, E>(
    budget: &'b BodyBudget,
    headers: &HeaderMap,
    body: S,
) -> Result<(Vec<u8>, HeldBody<'b>)>
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
{
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let limits = budget.limits;
    if length.is_some_and(|length| length > limits.bytes as u64) {
        return Err(budget.too_large());
    }
    let mut held = HeldBody { budget, size: 0 };
    let collect = async {
        let mut body = std::pin::pin!(body);
        // The announced length may never arrive.
        const INITIAL: u64 = 16 * 1024;
        let mut bytes = Vec::with_capacity(length.unwrap_or(0).min(INITIAL) as usize);
        while let Some(part) = body.next().await {
            let mut part = part.map_err(|_| Error::invalid("body: it ended too early"))?;
            if bytes.len() + part.remaining() > limits.bytes {
                return Err(budget.too_large());
            }
            held.grow(part.remaining())?;
            while part.has_remaining() {
                let chunk = part.chunk();
                bytes.extend_from_slice(chunk);
                let taken = chunk.len();
                part.advance(taken);
            }
        }
        Ok(bytes)
    };
    match tokio::time::timeout(limits.time, collect).await {
        Ok(read) => Ok((read?, held)),
        Err(_) => {
            let seconds = limits.time.as_secs();
            let message = format!("body: expected all of it within {seconds} seconds");
            Err(budget.reached(Limit::BodyTimeout, Error::new(Code::Timeout, message)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::LazyLock;
    use std::thread;

    use bytes::Bytes;
    use futures_util::stream;
    use hyper::header::{CONTENT_TYPE, HeaderValue};

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        bytes: 1024 * 1024,
        depth: 127,
        time: Duration::from_secs(30),
    };

    #[test]
    fn bodies_share_their_budget() {
        let budget = BodyBudget::new(LIMITS, Arc::default());
        let mut one = HeldBody {
            budget: &budget,
            size: 0,
        };
        assert!(one.grow(BUDGET - 1).is_ok());
        let mut other = HeldBody {
            budget: &budget,
            size: 0,
        };
        assert!(other.grow(1).is_ok());
        assert_eq!(other.grow(1).unwrap_err().code, Code::Unavailable);
        drop(other);
        assert!(one.grow(1).is_ok());
        drop(one);
        assert_eq!(budget.held.into_inner(), 0);
    }

    #[tokio::test]
    async fn a_large_body_is_parsed_on_another_thread_and_counts_until_then() {
        static BODIES: LazyLock<BodyBudget> =
            LazyLock::new(|| BodyBudget::new(LIMITS, Arc::default()));
        let headers = HeaderMap::from_iter([(
            CONTENT_TYPE,
            "application/json".parse::<HeaderValue>().unwrap(),
        )]);
        for (size, beside) in [(SMALL, false), (SMALL + 1, true)] {
            let body = stream::iter([Ok::<_, Infallible>(Bytes::from(vec![b' '; size]))]);
            let here = thread::current().id();
            let parsed = read(&BODIES, &headers, body, move |body| {
                let held = BODIES.held.load(Ordering::Relaxed);
                Ok((body.len(), held, thread::current().id() != here))
            });
            assert_eq!(parsed.await.unwrap(), (size, size, beside));
            assert_eq!(BODIES.held.load(Ordering::Relaxed), 0);
        }
    }
}
