//! Answers that are streamed: they are counted and logged when they end.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use futures_util::Stream;
use warp::Reply;
use warp::http::Method;
use warp::reply::Response;

use crate::server::observe::counts::Counts;
use crate::server::observe::line::RequestLine;

/// A streamed answer. It is counted and logged when this is dropped.
pub(super) struct StreamedAnswer {
    pub(super) counts: Counts,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) route: usize,
    pub(super) client: IpAddr,
    pub(super) began: Instant,
    pub(super) status: u16,
    pub(super) id: String,
    pub(super) who: Option<Arc<str>>,
    /// The bytes that were sent.
    pub(super) bytes: u64,
    /// Whether the whole body was sent.
    pub(super) whole: bool,
}

impl StreamedAnswer {
    /// The response with a body that reports to this.
    pub(super) fn with(self: Box<StreamedAnswer>, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let body = Watched { body, answer: self };
        let body = warp::reply::stream(body).into_response().into_body();
        Response::from_parts(parts, body)
    }
}

impl Drop for StreamedAnswer {
    fn drop(&mut self) {
        let line = RequestLine {
            method: &self.method,
            path: &self.path,
            status: Some(self.status),
            took: self.began.elapsed(),
            bytes: self.bytes,
            client: self.client,
            id: &self.id,
            who: self.who.as_deref(),
            broken: !self.whole,
        };
        self.counts.answered(&line, self.route);
    }
}

/// A body that counts its bytes.
struct Watched<B> {
    body: B,
    answer: Box<StreamedAnswer>,
}

impl<B: hyper::body::Body<Data = Bytes> + Unpin> Stream for Watched<B> {
    type Item = Result<Bytes, B::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            return Poll::Ready(match frame {
                Some(Ok(frame)) => {
                    // Bodies of this service have no trailers.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    self.answer.bytes += data.len() as u64;
                    Some(Ok(data))
                }
                Some(Err(error)) => {
                    self.answer.whole = false;
                    Some(Err(error))
                }
                None => {
                    self.answer.whole = true;
                    None
                }
            });
        }
    }
}
