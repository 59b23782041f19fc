//! Headers that may occur only once.

use warp::http::HeaderMap;
use warp::http::header::HeaderName;

use crate::base::error::{Error, Result};

/// The value of a header that may occur only once. `called` is its name in an error.
pub(super) fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    called: &str,
) -> Result<Option<&'h str>> {
    let mut given = headers.get_all(name).iter();
    let refuse = |expected: &str| {
        let expected = format!("{called}: expected {expected}");
        Err(Error::invalid(expected))
    };
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => refuse("one header, got several"),
        (Some(value), None) => match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Ok(Some(text)),
            Err(_) => refuse("UTF-8 text"),
        },
    }
}
