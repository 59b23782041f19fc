//! Checks of a JSON body that come before parsing: its media type and how deeply it is nested.

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

use crate::base::error::{Code, Error, Result, quoted};

/// Checks that a body is plain JSON in UTF-8.
///
/// # Errors
///
/// [`Code::MediaType`].
pub(super) fn check_media_type(headers: &HeaderMap) -> Result<()> {
    check_media(headers, &["application/json"])
}

/// Checks that a body is plain text of one of these types in UTF-8. The first one is named in the error.
///
/// # Errors
///
/// [`Code::MediaType`].
pub(crate) fn check_media(headers: &HeaderMap, known: &[&str]) -> Result<()> {
    let first = known.first().copied().unwrap_or_default();
    let refuse = |expected: String| Err(Error::new(Code::MediaType, expected));
    let given = headers
        .get(CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let Some(given) = given else {
        return refuse(format!("Content-Type: expected {first}, got none"));
    };
    let (media, parameters) = given.split_once(';').unwrap_or((&given, ""));
    if !known
        .iter()
        .any(|known| media.trim().eq_ignore_ascii_case(known))
    {
        return refuse(format!(
            "Content-Type: expected {first}, got {}",
            quoted(&given)
        ));
    }
    let mut parameters = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    if let Some((_, value)) = charset
        && !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    {
        return refuse(format!(
            "Content-Type: expected the charset utf-8, got {}",
            quoted(value)
        ));
    }
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => {
            refuse("Content-Encoding: expected none, as bodies must be uncompressed".into())
        }
        _ => Ok(()),
    }
}

/// Whether JSON is nested deeper than `most` levels. The text may be broken JSON, which the parser refuses later; until
/// then the parser has read no more levels than this function has seen.
pub(crate) fn is_deeper(json: &[u8], most: usize) -> bool {
    let opens = |byte: &&u8| matches!(**byte, b'{' | b'[');
    // Nearly all bodies have fewer brackets than this limit in total, and counting brackets is fast.
    if json.iter().filter(opens).count() <= most {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' if depth == most => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_outside_of_strings() {
        let nested = |levels| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(!is_deeper(&nested(7), 7));
        assert!(is_deeper(&nested(8), 7));
        assert!(is_deeper(&nested(100_000), 127));
        let beside = |part: &str| part.repeat(50);
        assert!(!is_deeper(beside("[{}],").as_bytes(), 2));
        assert!(is_deeper(beside("[{}],").as_bytes(), 1));
        assert!(!is_deeper(beside(r#"["[[{\"[[",{}],"#).as_bytes(), 2));
        assert!(is_deeper(beside(r#"["\\",[["\\"]],"#).as_bytes(), 2));
    }
}
