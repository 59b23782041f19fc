//! What a client prefers: the headers `Accept` and `Accept-Encoding` (RFC 9110, sections 12.4.2, 12.5.1 and 12.5.3).
//!
//! Names are read in any case, several lines of a header are one list, and a weight of 0 refuses what it is on. An element
//! that is not well-formed counts as absent. A client that accepts nothing of what there is gets the usual form rather than
//! an error, as the RFC allows. Nothing is allocated here, because every list asks.

use warp::http::header::{ACCEPT, ACCEPT_ENCODING};
use warp::http::{HeaderMap, HeaderName};

/// The place in `offered` of the media type that the client prefers. Each is `type/subtype` in lower case. The first one is
/// the answer for a client that has no preference.
///
/// The most specific range that matches a type has its weight. If two types have the same weight, the one that is named
/// more exactly wins, and then the one that is named first.
pub(super) fn media_type(headers: &HeaderMap, offered: &[&str]) -> usize {
    let mut best = (0, Match::default());
    for (place, media) in offered.iter().enumerate() {
        let matched = matched(headers, media);
        if matched.beats(best.1) {
            best = (place, matched);
        }
    }
    best.0
}

/// How a media type is named by the header.
#[derive(Clone, Copy, Default)]
struct Match {
    weight: u16,
    /// 3 for the type itself, 2 for `type/*`, 1 for `*/*`.
    exactness: u8,
    /// The place of the range in the header.
    place: usize,
}

impl Match {
    fn beats(self, other: Match) -> bool {
        let rank = |of: Match| (of.weight, of.exactness, usize::MAX - of.place);
        self.weight > 0 && rank(self) > rank(other)
    }
}

/// The range that decides about a media type. Parameters of a range other than its weight are ignored.
fn matched(headers: &HeaderMap, media: &str) -> Match {
    let kind = media.split('/').next().unwrap_or_default();
    let mut found = Match::default();
    for (place, (range, weight)) in elements(headers, &ACCEPT).enumerate() {
        let exactness = match range.split_once('/') {
            Some(("*", "*")) => 1,
            Some((asked, "*")) if asked.eq_ignore_ascii_case(kind) => 2,
            _ if range.eq_ignore_ascii_case(media) => 3,
            _ => continue,
        };
        if (exactness, weight) > (found.exactness, found.weight) {
            found = Match {
                weight,
                exactness,
                place,
            };
        }
    }
    found
}

/// Whether the client asks for gzip, and does not prefer the plain bytes. Without the header it does not ask.
pub(super) fn wants_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut plain, mut others) = (None, None, None);
    for (coding, weight) in elements(headers, &ACCEPT_ENCODING) {
        let known = match coding {
            "*" => &mut others,
            coding if coding.eq_ignore_ascii_case("identity") => &mut plain,
            // Both names are the same coding (section 8.4.1.3).
            coding if coding.eq_ignore_ascii_case("gzip") => &mut gzip,
            coding if coding.eq_ignore_ascii_case("x-gzip") => &mut gzip,
            _ => continue,
        };
        *known = (*known).max(Some(weight));
    }
    let gzip = gzip.or(others).unwrap_or(0);
    // The plain bytes are acceptable unless they are refused. If they have no weight, gzip was named on purpose.
    let plain = plain.or(others.filter(|weight| *weight == 0)).unwrap_or(1);
    gzip > 0 && gzip >= plain
}

/// The elements of a list in a header, each with its weight in thousandths.
fn elements<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = (&'a str, u16)> + use<'a> {
    let lines = headers.get_all(name).into_iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| parts(line, b','))
        .filter_map(|element| {
            let mut parts = parts(element, b';');
            let name = parts.next().filter(|name| !name.is_empty())?;
            let is_weight = |part: &&str| matches!(part.as_bytes(), [b'q' | b'Q', b'=', ..]);
            match parts.find(is_weight) {
                Some(weight) => Some((name, thousandths(&weight[2..])?)),
                None => Some((name, 1_000)),
            }
        })
}

/// Reads a weight: from 0 to 1, with at most three digits after the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let plain = digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || !matches!(whole, "0" | "1") {
        return None;
    }
    let part = digits.bytes().chain(*b"000").take(3);
    let part = part.fold(0, |sum, digit| 10 * sum + u16::from(digit - b'0'));
    let weight = 1_000 * u16::from(whole == "1") + part;
    Some(weight).filter(|weight| *weight <= 1_000)
}

/// The parts of a text between separators that are not in a quoted string, without the blanks around them.
fn parts(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut is_quoted, mut is_escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if is_quoted => is_escaped = true,
                b'"' => is_quoted = !is_quoted,
                _ => return byte == separator && !is_quoted,
            }
            false
        });
        rest = end.map(|end| &text[end + 1..]);
        Some(text[..end.unwrap_or(text.len())].trim_matches([' ', '\t']))
    })
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn the_media_type_with_the_highest_weight_is_chosen() {
        let offered = ["application/json", "application/x-ndjson"];
        for (lines, expected) in [
            (&[][..], 0),
            (&[""], 0),
            (&["*/*"], 0),
            (&["application/x-ndjson"], 1),
            (&["Application/X-NDJSON"], 1),
            (&["application/x-ndjson, */*"], 1),
            (&["application/json, text/plain, */*"], 0),
            (&["application/x-ndjson, application/json"], 1),
            (&["application/json, application/x-ndjson"], 0),
            (&["application/x-ndjson;q=0.5, application/json"], 0),
            (&["application/json;q=0.5, application/x-ndjson;q=0.51"], 1),
            (
                &["application/json ; Q=0.2 , application/x-ndjson;q=0.3"],
                1,
            ),
            (&["application/x-ndjson;q=0, application/json"], 0),
            (&["application/json;q=0, application/x-ndjson"], 1),
            (&["application/json;q=0, */*"], 1),
            (&["application/json;q=0.000, application/*;q=0.1"], 1),
            (&["application/x-ndjson;q=0, */*"], 0),
            (&["application/*;q=0.2, application/x-ndjson;q=0.1"], 0),
            (&["*/*;q=0.1, application/x-ndjson;q=0.1"], 1),
            (&["text/html", "application/x-ndjson"], 1),
            (&["application/json;q=0.1", "application/x-ndjson;q=0.2"], 1),
            (&["application/x-ndjson;charset=\"a,b;q=0\""], 1),
            (&["text/x;a=\"\\\",application/x-ndjson;\""], 0),
            (&["application/json;charset=utf-8"], 0),
            (&["application/x-ndjson;charset=utf-8;q=1"], 1),
            // Not well-formed, so absent.
            (&["application/x-ndjson;q=2, application/json;q=0.1"], 0),
            (&["application/x-ndjson;q=0.1234"], 0),
            (&["application/x-ndjson;q="], 0),
            (&["application/x-ndjson;q=1.001"], 0),
            // Nothing of it is there.
            (&["text/html"], 0),
            (&["*/*;q=0"], 0),
            (&["text/*, image/png"], 0),
        ] {
            let headers = headers(&ACCEPT, lines);
            assert_eq!(media_type(&headers, &offered), expected, "{lines:?}");
        }
    }

    #[test]
    fn gzip_is_sent_to_those_who_ask_for_it() {
        for (lines, expected) in [
            (&[][..], false),
            (&[""], false),
            (&["gzip"], true),
            (&["GZIP"], true),
            (&["x-gzip"], true),
            (&["br, gzip;q=0.1"], true),
            (&["br", "gzip"], true),
            (&["*"], true),
            (&["*;q=0.1"], true),
            (&["gzip;q=0"], false),
            (&["gzip;q=0, *"], false),
            (&["*;q=0"], false),
            (&["gzip, *;q=0"], true),
            (&["identity"], false),
            (&["identity, gzip"], true),
            (&["identity;q=0.5, gzip"], true),
            (&["identity, gzip;q=0.5"], false),
            (&["identity;q=0, gzip;q=0.001"], true),
            (&["identity;q=0, *"], true),
            (&["br"], false),
            (&["gzip;q=x"], false),
        ] {
            let headers = headers(&ACCEPT_ENCODING, lines);
            assert_eq!(wants_gzip(&headers), expected, "{lines:?}");
        }
    }
}
