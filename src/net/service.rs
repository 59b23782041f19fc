//! The service of a connection. It reports requests and responses to the watch, and refuses requests that HTTP/1.1 forbids.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Incoming};
use hyper::header::{HOST, HeaderValue};
use hyper::service::Service;
use hyper::{Method, Request, Response};
use pin_project_lite::pin_project;

use crate::base::error::{Code, Error};
use crate::net::checks::check;
use crate::net::exchange::{OpenRequest, RequestBody, ResponseBody, close_after};
use crate::net::watch::SharedWatch;

/// A request that does not reach the service.
#[derive(Clone, Copy, Debug)]
pub struct RefusedRequest<'a> {
    /// The method of the request.
    pub method: &'a Method,
    /// The target of the request, which is not necessarily a path.
    pub path: &'a str,
    /// The address that it came from.
    pub address: SocketAddr,
}

/// The service of one connection.
pub(super) struct WatchedService<S, R> {
    pub(super) service: S,
    pub(super) refuse: R,
    pub(super) watch: SharedWatch,
    pub(super) address: SocketAddr,
}

impl<S, R, B> Service<Request<Incoming>> for WatchedService<S, R>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    R: Fn(Error, RefusedRequest<'_>) -> Response<B>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let body = !request.body().is_end_stream();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let (open, may_begin) = OpenRequest::new(self.watch.clone(), body, reads);
        let checked = check(&request).and_then(|()| match may_begin {
            true => Ok(()),
            false => Err(Error::new(
                Code::Unavailable,
                "this connection is being closed to make room for other clients; nothing was done, try again",
            )),
        });
        match checked {
            Ok(()) => {
                name_host(&mut request);
                let watch = self.watch.clone();
                ResponseFuture::Serving {
                    response: self
                        .service
                        .call(request.map(|body| RequestBody::new(body, watch))),
                    open: Some(open),
                }
            }
            Err(error) => {
                let refused = RefusedRequest {
                    method: request.method(),
                    path: request.uri().path(),
                    address: self.address,
                };
                let mut response = (self.refuse)(error, refused);
                close_after(&mut response);
                ResponseFuture::Refused {
                    response: Some(open.respond(response)),
                }
            }
        }
    }
}

/// Makes `Host` what the target of the request names, if that is a whole URL. Such a target counts instead of the header
/// (RFC 9112, section 3.2.2).
fn name_host<B>(request: &mut Request<B>) {
    let Some(authority) = request.uri().authority() else {
        return;
    };
    let authority = authority.as_str();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    // A host in a URL has no character that a header must not have. If it had one, the request would name no host.
    let host = HeaderValue::from_str(host).unwrap_or(HeaderValue::from_static("?"));
    request.headers_mut().insert(HOST, host);
}

pin_project! {
    /// A response that is being made.
    #[project = Projected]
    pub(super) enum ResponseFuture<F, B> {
        Serving { #[pin] response: F, open: Option<OpenRequest> },
        Refused { response: Option<Response<ResponseBody<B>>> },
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        /// A future is not polled again after it was ready.
        const ONCE: &str = "a response is taken once";
        match self.project() {
            Projected::Serving { response, open } => {
                let response = ready!(response.poll(cx));
                let open = open.take().expect(ONCE);
                Poll::Ready(response.map(|response| open.respond(response)))
            }
            Projected::Refused { response } => Poll::Ready(Ok(response.take().expect(ONCE))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_url_as_the_target_decides_about_the_host() {
        for (target, expected) in [
            ("/leads", "own"),
            ("http://evil.com:80/leads?a=@b", "evil.com:80"),
            ("https://user:word@[::1]:1/", "[::1]:1"),
        ] {
            let request = Request::builder().uri(target).header(HOST, "own");
            let mut request = request.body(()).unwrap();
            name_host(&mut request);
            let hosts = request.headers().get_all(HOST).iter();
            assert_eq!(hosts.collect::<Vec<_>>(), [expected], "{target}");
        }
    }
}
