//! The rules of HTTP/1.1 that hyper leaves to the service.

use hyper::body::Body;
use hyper::header::{HOST, TRANSFER_ENCODING};
use hyper::{Request, Version};

use crate::base::error::{Error, Result};

/// Checks the head of a request.
pub(super) fn check(request: &Request<impl Body>) -> Result<()> {
    check_target(request)?;
    check_host(request)?;
    check_coding(request)
}

/// The target of a request must be a path. The targets of CONNECT and of `OPTIONS *` are not paths.
fn check_target(request: &Request<impl Body>) -> Result<()> {
    match request.uri().path().starts_with('/') {
        true => Ok(()),
        false => Err(Error::invalid(
            "the request's target: expected a path that starts with /",
        )),
    }
}

/// A request has exactly one Host header (RFC 9112, 3.2). In HTTP/1.0 it may have none.
fn check_host(request: &Request<impl Body>) -> Result<()> {
    let given = request.headers().get_all(HOST).iter().count();
    if given == 1 || given == 0 && request.version() < Version::HTTP_11 {
        Ok(())
    } else {
        Err(Error::invalid("Host: expected exactly one Host header"))
    }
}

/// A body has one transfer coding (RFC 9112, 6.1). hyper looks for `chunked` at the end only, and a proxy before it may
/// read another coding than hyper does.
fn check_coding(request: &Request<impl Body>) -> Result<()> {
    let mut given = request.headers().get_all(TRANSFER_ENCODING).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Error::invalid("Transfer-Encoding: expected chunked alone")),
    }
}
