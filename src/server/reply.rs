//! Responses: JSON, errors, and lists that are written while the database is read.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use warp::Reply;
use warp::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use warp::http::{HeaderMap, HeaderValue, StatusCode};
use warp::reply::Response;

use super::event::EVENT_STREAM;
use super::preference;
use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;
use crate::model::rows::Rows;
use crate::model::shown::Shown;
use crate::model::token;
use crate::model::value::Cell;
use crate::net::exchange::ReadsOn;
use crate::net::responses::ResponseBudget;
use crate::store::contract::Listing;

/// The type of JSON.
pub(super) const JSON: &str = "application/json";

/// The format of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// One JSON array.
    Json,
    /// One record per line.
    Ndjson,
}

impl Media {
    /// The format that the client prefers.
    pub(super) fn asked(headers: &HeaderMap) -> Media {
        let offered = [Media::Json, Media::Ndjson];
        offered[preference::media_type(headers, &offered.map(Media::name))]
    }

    fn name(self) -> &'static str {
        match self {
            Media::Json => JSON,
            Media::Ndjson => "application/x-ndjson",
        }
    }
}

/// How many headers most responses have, at most.
const MOST_HEADERS: usize = 8;

/// A response with a body.
pub(super) fn bytes(status: StatusCode, media: &'static str, body: impl Into<Bytes>) -> Response {
    typed(Response::new(body.into().into()), status, media)
}

/// A response in JSON. No cache may store it, unlike one with [a tag](super::written::tagged_json): it may hold personal
/// data, and nothing says when it changes.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    uncached(bytes(status, JSON, body))
}

/// Sets the status and the type. A browser must not guess another type from the body, which is the text of others.
fn typed(mut response: Response, status: StatusCode, media: &'static str) -> Response {
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // A map grows at its seventh header, which a write has.
    headers.reserve(MOST_HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Forbids caches to store a response.
fn uncached(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A response with an error. An internal error is logged with the id of the request; the client gets no details of it.
pub(super) fn error(error: &Error, request_id: &str) -> Response {
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!("request {request_id}: {error}");
        let message = format!(
            "internal error; the log of the service has the details under the request id {request_id}"
        );
        Error::new(Code::Internal, message).to_json()
    } else {
        // A client may have sent its token in the wrong place, which an error would quote.
        token::hidden(&error.to_json()).into_owned()
    };
    let mut response = json(status, body);
    if matches!(error.code, Code::Unavailable | Code::Limited) {
        // In seconds. If it takes longer, the next response says the same.
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The response to a method that the path does not have.
pub(super) fn not_allowed(allowed: &str, request_id: &str) -> Response {
    let message = format!("method not allowed; this path takes {allowed}");
    let mut response = error(&Error::new(Code::Method, message), request_id);
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// What let the request of a streamed answer in. A list asks before each of its chunks whether it still does, and the
/// connection ends when it no longer does.
pub(super) trait Pass: Send + Sync + 'static {
    /// Fails if the request would not be let in now.
    fn check(&self) -> impl Future<Output = Result<()>> + Send;

    /// Tells the connection of a response when to end it.
    fn attach(&self, response: &mut Response);
}

/// A response with a list. If all records have been read, it has a length. Otherwise it is written in chunks at the pace of
/// the client. If it fails in the middle, the connection breaks, so that nobody takes a part for the whole list. So it does
/// if the client may no longer read.
pub(super) fn list<P: Pass>(
    listing: Listing<Written>,
    media: Media,
    answers: &ResponseBudget,
    pass: impl FnOnce() -> P,
    request_id: &str,
) -> Result<Response> {
    let end = Bytes::from_static(match media {
        Media::Json => b"]",
        Media::Ndjson => b"",
    });
    let mut opened = false;
    let mut out = listing.first.begin(&mut opened);
    let Some(rest) = listing.rest else {
        out.extend_from_slice(&end);
        let out = answers.hold(out.into())?;
        return Ok(out.respond(|out| {
            let response = Response::new(out.into());
            uncached(typed(response, StatusCode::OK, media.name()))
        }));
    };
    let (out, memory) = answers.hold(out.into())?.open(answers);
    let (answers, request_id) = (answers.clone(), request_id.to_string());
    let (held, pass) = (memory.clone(), Arc::new(pass()));
    let bound = pass.clone();
    let rest = futures_util::stream::unfold(Some((rest, opened)), move |state| {
        let (answers, memory, request_id) = (answers.clone(), held.clone(), request_id.clone());
        let (end, pass) = (end.clone(), pass.clone());
        async move {
            let (mut rest, mut opened) = state?;
            let next = async {
                pass.check().await?;
                let turn = answers.turn().await?;
                match rest.next().await.transpose()? {
                    Some(rows) => turn.hold(&memory, rows.go_on(&mut opened)).await.map(Some),
                    None => Ok(None),
                }
            };
            match next.await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some((rest, opened)))),
                Ok(None) => Some((Ok(end), None)),
                Err(error) => {
                    match error.code {
                        Code::Unauthenticated => {
                            tracing::info!(
                                "request {request_id}: ended a list in the middle: {error}"
                            );
                        }
                        _ => tracing::error!(
                            "request {request_id}: a list failed in the middle: {error}"
                        ),
                    }
                    Some((Err(error), None))
                }
            }
        }
    });
    let first = futures_util::stream::once(async move { Ok(out) });
    let mut response = stream(StatusCode::OK, media.name(), first.chain(rest));
    memory.attach(&mut response);
    bound.attach(&mut response);
    Ok(response)
}

/// A stream of events. A proxy must neither store nor delay it.
pub(super) fn events(chunks: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Response {
    let mut response = stream(StatusCode::OK, EVENT_STREAM, chunks);
    let headers = response.headers_mut();
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Lines of NDJSON that are sent while those of the request are still read. A proxy must neither store nor delay them.
pub(super) fn lines(chunks: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Response {
    let mut response = stream(StatusCode::OK, Media::Ndjson.name(), chunks);
    let headers = response.headers_mut();
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.extensions_mut().insert(ReadsOn);
    response
}

/// A response that breaks the connection. It is for a write that is saved, but whose record cannot be shown. An error would
/// wrongly say that nothing was written.
pub(super) fn broken(status: StatusCode, error: Error, request_id: &str) -> Response {
    tracing::error!("request {request_id}: a write is saved, but its response failed: {error}");
    let chunks = futures_util::stream::once(async { Err(error) });
    stream(status, JSON, chunks)
}

fn stream(
    status: StatusCode,
    media: &'static str,
    chunks: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> Response {
    let chunks: BoxedChunks = Box::pin(chunks);
    let response = warp::reply::stream(Shared(Mutex::new(chunks))).into_response();
    uncached(typed(response, status, media))
}

/// The text of some records of a list, written directly from the rows of the database. In JSON each record starts with a
/// comma, which is replaced for the first one.
pub(super) struct Written {
    /// The fields. A list of whole records from the cache never needs them, so they are made for the first record that is
    /// not ready JSON.
    shown: Option<Arc<Shown>>,
    media: Media,
    /// Whether all fields are shown, so that ready JSON can be used.
    whole: bool,
    text: Vec<u8>,
    /// Where the JSON of the last record starts.
    last: usize,
}

impl Written {
    /// Makes an empty text. `None` shows all fields.
    pub(super) fn new(shown: Option<Shown>, media: Media) -> Written {
        Written {
            whole: shown.is_none(),
            shown: shown.map(Arc::new),
            media,
            text: Vec::new(),
            last: 0,
        }
    }

    /// Writes a record with `write`, and the separator before or after it.
    fn one(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.media == Media::Json {
            self.text.push(b',');
        }
        self.last = self.text.len();
        write(&mut self.text);
        if self.media == Media::Ndjson {
            self.text.push(b'\n');
        }
    }

    /// The start of a response. Sets `follows` to whether it has a record.
    fn begin(self, follows: &mut bool) -> Vec<u8> {
        let mut text = self.text;
        *follows = !text.is_empty();
        match (self.media, text.first_mut()) {
            (Media::Json, Some(comma)) => *comma = b'[',
            (Media::Json, None) => text.push(b'['),
            (Media::Ndjson, _) => {}
        }
        text
    }

    /// The next part of a response.
    fn go_on(self, follows: &mut bool) -> Bytes {
        let text = Bytes::from(self.text);
        let was_first = !std::mem::replace(follows, *follows || !text.is_empty());
        match self.media {
            Media::Json if was_first && !text.is_empty() => text.slice(1..),
            _ => text,
        }
    }
}

impl Rows for Written {
    fn empty(&self) -> Written {
        Written {
            shown: self.shown.clone(),
            media: self.media,
            whole: self.whole,
            text: Vec::new(),
            last: 0,
        }
    }

    #[inline]
    fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]) {
        // Taken out rather than cloned, as this runs for each record.
        let shown = self.shown.take();
        let shown = shown.unwrap_or_else(|| Arc::new(Shown::all(noun)));
        self.one(|text| shown.write_json(noun, |at| cells[at], text));
        self.shown = Some(shown);
    }

    #[inline]
    fn wants_versions(&self) -> bool {
        false
    }

    #[inline]
    fn is_json(&self) -> bool {
        self.whole
    }

    fn reserve_json(&mut self, records: usize, bytes: usize) {
        // Each record has a separator, and the end of the list is one more byte.
        self.text.reserve(bytes + records + 1);
    }

    #[inline]
    fn push_json(&mut self, json: &[u8]) {
        self.one(|text| text.extend_from_slice(json));
    }

    #[inline]
    fn last_json(&self) -> &[u8] {
        let json = &self.text[self.last..];
        json.strip_suffix(b"\n").unwrap_or(json)
    }
}

type BoxedChunks = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A stream that is `Sync`, which warp requires of a body. Only its owner polls it.
struct Shared(Mutex<BoxedChunks>);

impl Stream for Shared {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // `get_mut` takes no lock, because `&mut self` is exclusive.
        let chunks = self
            .0
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        chunks.as_mut().poll_next(context)
    }
}
