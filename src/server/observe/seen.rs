//! A request from its arrival to its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Body as _;
use warp::http::Method;
use warp::http::header::CONTENT_TYPE;
use warp::reply::Response;

use crate::server::event::EVENT_STREAM;
use crate::server::observe::counts::Counts;
use crate::server::observe::line::RequestLine;
use crate::server::observe::streamed::StreamedAnswer;

/// A request that is being answered. If it is dropped without an answer, its client has left.
pub(crate) struct Seen<'a> {
    counts: &'a Counts,
    method: &'a Method,
    path: &'a str,
    route: usize,
    client: IpAddr,
    id: &'a str,
    began: Instant,
    answered: bool,
}

impl<'a> Seen<'a> {
    /// Starts the clock of a request.
    pub(super) fn new(
        counts: &'a Counts,
        client: IpAddr,
        method: &'a Method,
        path: &'a str,
        route: Option<usize>,
        id: &'a str,
    ) -> Seen<'a> {
        Seen {
            counts,
            method,
            path,
            route: route.unwrap_or(usize::MAX),
            client,
            id,
            began: Instant::now(),
            answered: false,
        }
    }

    /// Records the answer, for the token named `who`. A whole answer is counted and logged now, a streamed one when it
    /// ends.
    pub(crate) fn answered(mut self, response: Response, who: Option<&Arc<str>>) -> Response {
        self.answered = true;
        let status = response.status().as_u16();
        // The response to HEAD is sent without its body.
        let size = match self.method {
            &Method::HEAD => Some(0),
            _ => response.body().size_hint().exact(),
        };
        let Some(bytes) = size else {
            let streamed = Box::new(StreamedAnswer {
                counts: self.counts.clone(),
                method: self.method.clone(),
                path: self.path.into(),
                route: self.route,
                client: self.client,
                began: self.began,
                status,
                id: self.id.into(),
                who: who.cloned(),
                bytes: 0,
                // A stream of events has no end of its own: whoever leaves it breaks nothing off.
                whole: response
                    .headers()
                    .get(CONTENT_TYPE)
                    .is_some_and(|of| of == EVENT_STREAM),
            });
            return streamed.with(response);
        };
        let line = RequestLine {
            status: Some(status),
            bytes,
            who: who.map(AsRef::as_ref),
            ..self.line()
        };
        self.counts.answered(&line, self.route);
        response
    }

    fn line(&self) -> RequestLine<'_> {
        RequestLine {
            method: self.method,
            path: self.path,
            status: None,
            took: self.began.elapsed(),
            bytes: 0,
            client: self.client,
            id: self.id,
            who: None,
            broken: false,
        }
    }
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        // A request that panicked still gets an answer, and is recorded there.
        if self.answered || std::thread::panicking() {
            return;
        }
        self.counts.abandoned(&self.line());
    }
}
