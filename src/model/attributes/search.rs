//! Searches the values of stored attributes for a text.

use std::borrow::Cow;

use super::json::is_object;
use crate::base::text::Pattern;

/// Whether a value of stored attributes matches, at any depth. Keys are not searched: most records have the same keys, so
/// each of them would be found.
///
/// Nearly always the first look at the whole text decides. It is as dear as a look at a text field of this length.
pub fn search(stored: &str, pattern: &Pattern, stop: impl Fn() -> bool) -> bool {
    if stored == "{}" {
        return false;
    }
    // A value that is stored with an escape looks different. The pattern is that of a text which may be anywhere.
    if !stored.contains('\\') && !pattern.matches(stored, &stop) {
        return false;
    }
    if !is_object(stored) {
        // It is shown as a text under the empty key.
        return pattern.matches(stored, &stop);
    }
    let mut rest = stored;
    while let Some(at) = rest
        .find(|c: char| !matches!(c, '{' | '}' | '[' | ']' | ':' | ',') && !c.is_ascii_whitespace())
    {
        rest = &rest[at..];
        let end = match rest.starts_with('"') {
            true => end_of_text(rest),
            false => rest
                .find(|c: char| matches!(c, '}' | ']' | ',') || c.is_ascii_whitespace())
                .unwrap_or(rest.len()),
        };
        let (token, next) = rest.split_at(end);
        rest = next;
        let is_key = token.starts_with('"') && next.trim_ascii_start().starts_with(':');
        if is_key || token == "null" {
            continue;
        }
        let text: Cow<'_, str> = match token
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
        {
            Some(text) if !text.contains('\\') => text.into(),
            Some(_) => serde_json::from_str(token).map_or(token.into(), Cow::Owned),
            None => token.into(),
        };
        if pattern.matches(&text, &stop) {
            return true;
        }
    }
    false
}

/// The length of the quoted text that a JSON text begins with.
fn end_of_text(json: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_at_any_depth_and_keys_are_not() {
        let stored = r#"{"company":"Acme, \"Inc\"","size":1.50,"tags":["VIP",{"city":"L\u00f6ndon"}],"ok":true,"e":""}"#;
        let finds = |text: &str| {
            let pattern = Pattern::parse(&Pattern::containing(text)).unwrap();
            search(stored, &pattern, || false)
        };
        for found in [
            "acme",
            "ACME, \"inc\"",
            "vip",
            "lönd",
            "1.5",
            "true",
            "",
            "me, \"",
        ] {
            assert!(finds(found), "{found}");
        }
        for not in [
            "company", "city", "tags", "{", "[", "\":\"", "VIP\"", "u00f6", "\\", "x", "1.50,",
        ] {
            assert!(!finds(not), "{not}");
        }
        let pattern = Pattern::parse("%oops%").unwrap();
        assert!(search("oops", &pattern, || false));
        assert!(search(
            "[1, oops",
            &Pattern::parse("%1, o%").unwrap(),
            || false
        ));
        assert!(!search("{}", &pattern, || false));
        assert!(!search(
            r#"{"oops"#,
            &Pattern::parse("%x%").unwrap(),
            || false
        ));
    }
}
