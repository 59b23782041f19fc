//! Request bodies: JSON of a bounded size and depth that arrives in time, and of at most 64 MiB in all at a time. What is made of
//! a large one is made beside the threads that serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use tokio::sync::Semaphore;

use crate::base::error::{Code, Error, Result, quoted};
use crate::net::hits::{Hits, Limit};

/// What the bodies that are being read may hold together, in bytes; else a thousand slow ones would hold a gigabyte.
const ROOM: usize = 64 * 1024 * 1024;

/// The largest body that is parsed where it was read, in bytes. A hundred thousand keys, as a mebibyte may have, take 25 ms.
const SMALL: usize = 64 * 1024;

/// Larger ones that are parsed at once: while it is parsed, one of many keys takes ten times its size.
const PARSED: usize = 2;

/// What one body may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Bytes of it.
    pub(crate) bytes: usize,
    /// Levels of objects and arrays in it.
    pub(crate) depth: usize,
    /// Time for all of it, from the end of the head.
    pub(crate) time: Duration,
}

/// What the bodies that are being read hold.
pub(crate) struct Bodies {
    /// In bytes.
    held: AtomicUsize,
    turns: Semaphore,
    limits: BodyLimits,
    hits: Arc<Hits>,
}

impl Bodies {
    pub(crate) fn new(limits: BodyLimits, hits: Arc<Hits>) -> Bodies {
        Bodies {
            held: AtomicUsize::new(0),
            turns: Semaphore::new(PARSED),
            limits,
            hits,
        }
    }

    fn met(&self, limit: Limit, error: Error) -> Error {
        self.hits.count(limit);
        error
    }

    fn too_large(&self) -> Error {
        let most = self.limits.bytes;
        let message = format!("body: expected at most {most} bytes");
        self.met(Limit::Body, Error::new(Code::TooLarge, message))
    }
}

/// What one of them holds.
pub(crate) struct Held<'a> {
    bodies: &'a Bodies,
    size: usize,
}

impl Held<'_> {
    fn grow(&mut self, by: usize) -> Result<()> {
        self.size += by;
        let before = self.bodies.held.fetch_add(by, Ordering::Relaxed);
        match before + by > ROOM {
            true => Err(Error::new(
                Code::Unavailable,
                "too many large bodies are being read already; nothing was saved, try again",
            )),
            false => Ok(()),
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// Reads a body, as one of `bodies`, and parses it.
pub(crate) async fn read<S, B, E, T>(
    bodies: &Bodies,
    headers: &HeaderMap,
    body: S,
    parse: impl FnOnce(&[u8]) -> Result<T> + Send + 'static,
) -> Result<T>
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
    T: Send + 'static,
{
    media_type(headers)?;
    let limits = bodies.limits;
    let (bytes, _held) = whole(bodies, headers, body).await?;
    if is_deeper(&bytes, limits.depth) {
        let most = limits.depth;
        let message = format!("body: expected at most {most} levels of objects and arrays");
        return Err(bodies.met(Limit::Depth, Error::invalid(message)));
    }
    if bytes.len() <= SMALL {
        return parse(&bytes);
    }
    let _turn = bodies.turns.acquire().await.map_err(Error::internal)?;
    let parsed = tokio::task::spawn_blocking(move || parse(&bytes)).await;
    parsed.map_err(Error::internal)?
}

/// All bytes of a body, as one of `bodies`, whatever they are.
pub(crate) async fn whole<'b, S, B, E>(
    bodies: &'b Bodies,
    headers: &HeaderMap,
    body: S,
) -> Result<(Vec<u8>, Held<'b>)>
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
{
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let limits = bodies.limits;
    if length.is_some_and(|length| length > limits.bytes as u64) {
        return Err(bodies.too_large());
    }
    let mut held = Held { bodies, size: 0 };
    let collect = async {
        let mut body = std::pin::pin!(body);
        // What is announced may never come.
        const AT_FIRST: u64 = 16 * 1024;
        let mut bytes = Vec::with_capacity(length.unwrap_or(0).min(AT_FIRST) as usize);
        while let Some(part) = body.next().await {
            let mut part =
                part.map_err(|_| Error::invalid("body: it ended before it was whole"))?;
            if bytes.len() + part.remaining() > limits.bytes {
                return Err(bodies.too_large());
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
            Err(bodies.met(Limit::BodyTimeout, Error::new(Code::Timeout, message)))
        }
    }
}

/// Whether JSON has more levels than `most`. It need not be JSON: what is none is refused later, and what a parser has
/// read by then has no more levels than this has seen.
fn is_deeper(json: &[u8], most: usize) -> bool {
    let opens = |byte: &&u8| matches!(**byte, b'{' | b'[');
    // By far the most bodies have not even so many of them, which is quickly counted.
    if json.iter().filter(opens).count() <= most {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' if depth == most => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn media_type(headers: &HeaderMap) -> Result<()> {
    let refuse = |expected: String| Err(Error::new(Code::MediaType, expected));
    let given = headers
        .get(CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let Some(given) = given else {
        return refuse("Content-Type: expected application/json, got none".into());
    };
    let (media, parameters) = given.split_once(';').unwrap_or((&given, ""));
    if !media.trim().eq_ignore_ascii_case("application/json") {
        return refuse(format!(
            "Content-Type: expected application/json, got {}",
            quoted(&given)
        ));
    }
    let mut parameters = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    if let Some((_, value)) = charset
        && !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    {
        return refuse(format!(
            "Content-Type: expected the charset utf-8, got {}",
            quoted(value)
        ));
    }
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => {
            refuse("Content-Encoding: expected none, as bodies are taken uncompressed".into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::LazyLock;
    use std::thread;

    use bytes::Bytes;
    use futures_util::stream;
    use hyper::header::HeaderValue;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        bytes: 1024 * 1024,
        depth: 127,
        time: Duration::from_secs(30),
    };

    #[test]
    fn bodies_share_their_room() {
        let bodies = Bodies::new(LIMITS, Arc::default());
        let mut one = Held {
            bodies: &bodies,
            size: 0,
        };
        assert!(one.grow(ROOM - 1).is_ok());
        let mut other = Held {
            bodies: &bodies,
            size: 0,
        };
        assert!(other.grow(1).is_ok());
        assert_eq!(other.grow(1).unwrap_err().code, Code::Unavailable);
        drop(other);
        assert!(one.grow(1).is_ok());
        drop(one);
        assert_eq!(bodies.held.into_inner(), 0);
    }

    #[test]
    fn levels_are_counted_outside_of_texts() {
        let nested = |levels| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(!is_deeper(&nested(7), 7));
        assert!(is_deeper(&nested(8), 7));
        assert!(is_deeper(&nested(100_000), 127));
        let beside = |part: &str| part.repeat(50);
        assert!(!is_deeper(beside("[{}],").as_bytes(), 2));
        assert!(is_deeper(beside("[{}],").as_bytes(), 1));
        assert!(!is_deeper(beside(r#"["[[{\"[[",{}],"#).as_bytes(), 2));
        assert!(is_deeper(beside(r#"["\\",[["\\"]],"#).as_bytes(), 2));
    }

    #[tokio::test]
    async fn a_large_body_is_parsed_beside_the_threads_that_serve_and_counts_until_then() {
        static BODIES: LazyLock<Bodies> = LazyLock::new(|| Bodies::new(LIMITS, Arc::default()));
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
