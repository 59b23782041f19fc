//! The names and values of parameters as text, and as the query part of a URL.

use std::borrow::Cow;

use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, utf8_percent_encode,
};

use crate::base::error::{Error, Result, quoted};

/// The parameters that are not filters.
pub const CONTROLS: [&str; 7] = ["q", "sort", "limit", "after", "fields", "count", "tz"];

/// Those of them that what is [composed](crate::model::noun::Relation::Composed) does not take: it has one order alone, and is
/// not counted.
pub const UNORDERED: [&str; 2] = ["sort", "count"];

/// The parameters that are lists. Generated clients repeat such a parameter for each item, `fields=id&fields=email`. It means
/// the same as the items with commas between them.
pub const LISTS: [&str; 2] = ["sort", "fields"];

/// Everything except the characters that the query of a URL needs no escape for (RFC 3986, section 2.3).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The number of bytes of a name or a value in a URL.
pub(super) fn written(text: &str) -> usize {
    escape(text).map(str::len).sum()
}

/// Writes a name or a value for the query part of a URL.
pub fn escape(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, PLAIN)
}

/// Reads the query part of a URL, `a=1&b=two+words`.
pub fn pairs(query: &str) -> Result<Vec<(String, String)>> {
    let decode = |part: &str| {
        let part = part.replace('+', " ");
        let decoded = percent_decode_str(&part)
            .decode_utf8()
            .map(|text| text.into_owned());
        decoded.map_err(|_| {
            Error::invalid(format!(
                "the URL's query: expected percent-encoded UTF-8, got {}",
                quoted(&part)
            ))
        })
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

/// The value of a parameter that may be repeated: all its values as one list, in the order given.
pub fn list_of<'a>(pairs: &'a [(String, String)], name: &str) -> Option<Cow<'a, str>> {
    let mut values = pairs.iter().filter(|pair| pair.0 == name);
    let mut list = Cow::Borrowed(values.next()?.1.as_str());
    for (_, value) in values {
        let list = list.to_mut();
        list.push(',');
        list.push_str(value);
    }
    Some(list)
}

/// Reads `true` or `false` in any case. Clients in Python and R send `True` and `TRUE`.
pub fn boolean(name: &str, text: &str) -> Result<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Ok(true),
        _ if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Error::field(
            name,
            format!("expected true or false, got {}", quoted(text)),
        )),
    }
}
