//! A request and its response, with their bodies, as the watch sees them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::Response;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, HeaderValue};
use tokio::time::Instant;

use crate::net::held::HoldsMemory;
use crate::net::lease::Lease;
use crate::net::streams::StreamPlace;
use crate::net::watch::SharedWatch;

/// Closes the connection after this response.
pub(super) fn close_after<B>(response: &mut Response<B>) {
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

/// An extension of a response that is made while the request is still read to its end.
#[derive(Clone, Copy)]
pub(crate) struct ReadsOn;

/// A request whose response has not ended. The request ends when this is dropped.
pub(super) struct OpenRequest(SharedWatch);

impl OpenRequest {
    /// Begins a request, and returns whether it may be served.
    pub(super) fn new(watch: SharedWatch, body: bool, reads: bool) -> (OpenRequest, bool) {
        let may_begin = watch.lock().request_begins(body, reads);
        (OpenRequest(watch), may_begin)
    }

    /// The response, whose end is the end of the request.
    pub(super) fn respond<B>(self, mut response: Response<B>) -> Response<ResponseBody<B>> {
        // hyper closes a connection whose body was not read. Without this header the client would find out only when it
        // sends its next request.
        let reads_on = response.extensions_mut().remove::<ReadsOn>().is_some();
        if !reads_on && self.0.lock().unread() {
            close_after(&mut response);
        }
        if let Some(HoldsMemory(memory)) = response.extensions_mut().remove() {
            self.0.lock().holds(memory);
        }
        if let Some(lease) = response.extensions_mut().remove::<Lease>() {
            self.0.lock().leases(lease);
        }
        if let Some(place) = response.extensions_mut().remove::<StreamPlace>() {
            self.0.lock().streams(place);
        }
        response.map(|body| ResponseBody { body, open: self })
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.lock().response_ends(Instant::now());
    }
}

/// The body of a response. The request ends with it.
pub(super) struct ResponseBody<B> {
    body: B,
    open: OpenRequest,
}

impl<B: Body + Unpin> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Err(_)) = frame {
            self.open.0.lock().response_fails();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request, as it is received.
pub struct RequestBody {
    body: Incoming,
    watch: SharedWatch,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, watch: SharedWatch) -> RequestBody {
        RequestBody { body, watch }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => {
                self.watch.lock().wants_body(true);
                return Poll::Pending;
            }
            Poll::Ready(frame) => frame,
        };
        let mut watch = self.watch.lock();
        if watch.is_evicted() {
            // The reader never gets the whole body, so no work is done whose result the client would never learn.
            return Poll::Pending;
        }
        match frame.is_none() || self.body.is_end_stream() {
            true => watch.body_read(),
            false => watch.wants_body(false),
        }
        drop(watch);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
