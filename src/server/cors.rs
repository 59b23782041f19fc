//! Cross-origin requests: which pages of other sites may use the API from a browser (the Fetch standard, CORS protocol).

use reqwest::Url;

use crate::error::quoted;

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
