//! Cross-origin requests: which pages of other sites may use the API from a browser (the Fetch standard, CORS protocol).

use reqwest::Url;
use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode};
use warp::reply::Response;

use super::hosts;
use crate::base::error::{Code, Error, Result, quoted};
use crate::net::peer::Peer;

/// The request headers that a page may set, in addition to those that every page may set.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Change-Group, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, On-Behalf-Of, \
     X-Request-Id";

/// The response headers that a page may read, in addition to those that every page may read.
const RESPONSE_HEADERS: &str = "ETag, Location, Link, X-Total-Count, X-Request-Id, Retry-After, \
     RateLimit, RateLimit-Policy, Idempotent-Replayed, Change-Group";

/// How long a browser may cache the response to a preflight, in seconds. A change of the setting takes effect within
/// minutes.
const MAX_AGE: &str = "600";

/// The origins whose pages may use the API. Without any, cross-origin access is off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors(Vec<String>);

impl Cors {
    /// Takes origins that [`check_origin`] accepts.
    pub fn new(origins: &[String]) -> Cors {
        Cors(origins.to_vec())
    }

    /// The origin of the page as it was sent, if it is one of these.
    fn origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let given = headers.get(ORIGIN)?;
        let listed = self.0.iter().any(|origin| origin.as_bytes() == given);
        listed.then_some(given)
    }

    /// Answers a preflight: a browser asks whether a page may send a request. `None` if this is not a preflight, or if
    /// the page may not send it. A preflight never carries a token, even if the request will. `allowed` returns the methods
    /// of the path, or `None` if the path does not exist.
    pub(super) fn preflight(
        &self,
        method: &Method,
        headers: &HeaderMap,
        allowed: impl FnOnce() -> Option<String>,
    ) -> Option<Response> {
        if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        self.origin(headers)?;
        let allowed = HeaderValue::from_str(&allowed()?).ok()?;
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, allowed);
        let headers = HeaderValue::from_static(REQUEST_HEADERS);
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        Some(response)
    }

    /// Refuses a write from a page of another site, unless its origin is one of these. A browser names the page's origin
    /// with every write; `null` stands for a page that has none. A program that is not a browser sends no `Origin`.
    pub(super) fn admit(&self, peer: &Peer, headers: &HeaderMap) -> Result<()> {
        for given in headers.get_all(ORIGIN) {
            let is_listed = self.0.iter().any(|origin| origin.as_bytes() == given);
            if is_listed || is_own(peer, headers, given) {
                continue;
            }
            let mut message = format!(
                "Origin: expected the origin of this service or one that --cors-origin names, got {}",
                quoted(&String::from_utf8_lossy(given.as_bytes()))
            );
            if ["x-forwarded-for", "x-forwarded-proto", "via", "forwarded"]
                .iter()
                .any(|name| headers.contains_key(*name))
            {
                message += "; a proxy has to pass Host and X-Forwarded-Proto on, and --trusted-proxy has to name it";
            }
            return Err(Error::new(Code::Denied, message));
        }
        Ok(())
    }

    /// Lets the page that sent the request read the response, if its origin is allowed. Errors are included.
    pub(super) fn open(&self, asked: &HeaderMap, response: &mut Response) {
        if self.0.is_empty() {
            return;
        }
        let answer = response.headers_mut();
        // Set even if this page may not read the response. Otherwise a cache could send this response to a page that
        // may.
        answer.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.origin(asked) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let headers = HeaderValue::from_static(RESPONSE_HEADERS);
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, headers);
        }
    }
}

/// Whether an origin is that of the service itself: the scheme, host and port that the request was sent to.
fn is_own(peer: &Peer, headers: &HeaderMap, origin: &HeaderValue) -> bool {
    let read = || {
        let (scheme, authority) = origin.to_str().ok()?.split_once("://")?;
        let port = |port: Option<u16>| match scheme {
            "https" => Some(port.unwrap_or(443)),
            "http" => Some(port.unwrap_or(80)),
            _ => None,
        };
        let asked = peer.asked(headers);
        let (host, given) = hosts::split(authority)?;
        let (own_host, own) = hosts::split(asked.host?)?;
        let is_same = hosts::is_same(host, own_host) && port(given)? == port(own)?;
        Some(is_same && scheme == asked.scheme)
    };
    read().unwrap_or(false)
}

/// Checks that a text is an origin as browsers write it (RFC 6454, section 6.2). The error says what was expected. The URL
/// parser also takes characters that no name of a host has, so that an origin with them would never match.
pub fn check_origin(text: &str) -> Result<(), String> {
    let is_one = Url::parse(text).is_ok_and(|url| {
        let named = url.domain().is_none_or(hosts::is_name);
        let is_web = matches!(url.scheme(), "http" | "https");
        named && is_web && url.origin().ascii_serialization() == text
    });
    match is_one {
        true => Ok(()),
        false if text.contains('*') => Err(format!(
            "expected each origin in full, like https://app.example.com, without *, got {}",
            quoted(text)
        )),
        false => Err(format!(
            "expected an origin like https://app.example.com, got {}",
            quoted(text)
        )),
    }
}
