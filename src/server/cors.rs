//! Cross-origin requests: which pages of other sites may use the API from a browser (the Fetch standard, CORS protocol).

use reqwest::Url;
use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode};
use warp::reply::Response;

use crate::base::error::quoted;

/// What a page may send beside what every form may.
const REQUEST_HEADERS: &str =
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id";

/// What a page may read of an answer beside its body and its type.
const RESPONSE_HEADERS: &str = "ETag, Location, Link, X-Total-Count, X-Request-Id, Retry-After, \
     RateLimit, RateLimit-Policy, Idempotent-Replayed";

/// For how long a browser may keep the answer to a preflight, in seconds: a change of the setting is seen within minutes.
const MAX_AGE: &str = "600";

/// The origins whose pages may use the API; none where that is off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors(Vec<String>);

impl Cors {
    /// By origins as [`check_origin`] takes them.
    pub fn new(origins: &[String]) -> Cors {
        Cors(origins.to_vec())
    }

    /// The page's origin, where it is one of them, as it was sent.
    fn origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let given = headers.get(ORIGIN)?;
        let listed = self.0.iter().any(|origin| origin.as_bytes() == given);
        listed.then_some(given)
    }

    /// The answer to a browser that asks whether a page may send a request, `None` where it is no such question or one of
    /// a page that may not. It has no token, whatever the request will have; `allowed` are the methods of the path, where
    /// there is one.
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

    /// Opens an answer, also one that refuses, to the page that asked, where it may read it.
    pub(super) fn open(&self, asked: &HeaderMap, response: &mut Response) {
        if self.0.is_empty() {
            return;
        }
        let answer = response.headers_mut();
        // Also where this page may not, or a cache would give its answer to one that may.
        answer.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.origin(asked) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let headers = HeaderValue::from_static(RESPONSE_HEADERS);
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, headers);
        }
    }
}

/// Whether a text is an origin as browsers write it (RFC 6454, section 6.2); the error says what was expected.
pub fn check_origin(text: &str) -> Result<(), String> {
    let is_one = Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    });
    match is_one {
        true => Ok(()),
        false => Err(format!(
            "expected an origin like https://app.example.com, got {}",
            quoted(text)
        )),
    }
}
