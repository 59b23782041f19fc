//! The user's own fields: a JSON object whose key order and whose digits are kept exactly.
//!
//! The top level is a list of keys with the raw text of their values, never a `serde_json::Value`, which would round
//! `12345678901234567890.10`. A text is checked once, when it comes in: it must be one object without a repeated key at any
//! depth, and without NUL. A number may have any size and any number of digits.

mod compare;
mod json;
mod number;
mod read;
mod search;

use std::collections::HashMap;
use std::fmt;

use serde::de::Deserializer;

use json::{Object, sentence};

pub use compare::{Given, GivenOneOf, lookup};
pub(crate) use json::{Entries, unreadable};
pub use json::{check, is_object};
pub use read::{keys, order_text, pick, texts};
pub use search::search;

/// A JSON object with its keys in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    entries: Vec<(String, String)>,
}

impl Attributes {
    /// Reads an object. The error says what was expected.
    pub fn parse(text: &str) -> Result<Attributes, String> {
        if !text.trim_start().starts_with('{') {
            return Err("expected a JSON object like {\"company\": \"Acme\"}".into());
        }
        check(text)?;
        Self::parse_checked(text)
    }

    /// Reads an object that was checked when it was stored.
    fn parse_checked(text: &str) -> Result<Attributes, String> {
        let mut json = serde_json::Deserializer::from_str(text);
        let entries = json
            .deserialize_map(Object { once: false })
            .and_then(|entries| json.end().map(|()| entries))
            .map_err(|e| sentence(&e))?;
        let entries = entries.0.into_iter();
        Ok(Attributes {
            entries: entries
                .map(|(key, value)| (key.into_owned(), compact(value.get())))
                .collect(),
        })
    }

    /// Sets one key to a JSON text that [`check`] accepted. An existing key keeps its place.
    pub fn set(&mut self, key: &str, json: &str) {
        let json = compact(json);
        match self.entries.iter_mut().find(|entry| entry.0 == key) {
            Some(entry) => entry.1 = json,
            None => self.entries.push((key.to_string(), json)),
        }
    }

    /// Adds a key that it does not have, with the raw JSON of another object.
    pub fn push(&mut self, key: &str, json: &str) {
        self.entries.push((key.to_string(), json.to_string()));
    }

    /// Sets one key to a text.
    pub fn set_text(&mut self, key: &str, text: &str) {
        self.set(key, &serde_json::Value::from(text).to_string());
    }

    /// The raw JSON of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let entry = self.entries.iter().find(|entry| entry.0 == key);
        entry.map(|entry| entry.1.as_str())
    }

    /// The keys with the raw JSON of their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.entries.iter();
        entries.map(|(key, json)| (key.as_str(), json.as_str()))
    }

    /// Its approximate size in bytes.
    pub fn size(&self) -> usize {
        let texts = self
            .entries
            .iter()
            .map(|(key, json)| key.len() + json.len());
        texts.sum::<usize>() + self.entries.len() * size_of::<(String, String)>()
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Merges a change as RFC 7396 does at the top level: a key of the change replaces the stored one, a null removes it,
    /// other keys stay. A null is never stored, so that an object that was read can be written back without a change. The
    /// time is linear in the size of both, since each may have a hundred thousand keys.
    pub fn merge(&mut self, change: &Attributes) {
        // The map has the keys of the change, which are usually few.
        let mut changed: HashMap<&str, Option<&str>> = change
            .entries
            .iter()
            .map(|(key, json)| (key.as_str(), Some(json.as_str())))
            .collect();
        self.entries
            .retain_mut(|(key, json)| match changed.get_mut(key.as_str()) {
                None => true,
                Some(new) => match new.take() {
                    None | Some("null") => false,
                    Some(new) => {
                        *json = new.to_string();
                        true
                    }
                },
            });
        let new = change.entries.iter().filter(|(key, json)| {
            json != "null" && changed.get(key.as_str()).is_some_and(Option::is_some)
        });
        self.entries.extend(new.cloned());
    }

    /// Compact JSON without the keys whose value is null.
    pub fn without_nulls(&self) -> String {
        write(self.entries.iter().filter(|entry| entry.1 != "null"))
    }

    /// Reads a stored object. It was checked before it was stored. A text of another program that is no object is kept
    /// under the empty key, as [`shown`] shows it, so that no change drops it.
    pub fn stored(text: &str) -> Attributes {
        Self::parse_checked(text).unwrap_or_else(|_| Attributes {
            entries: vec![(String::new(), as_text(text))],
        })
    }
}

/// Whether stored attributes are shown and changed key by key, and not as one text under the empty key.
pub fn is_read(text: &str) -> bool {
    Attributes::parse_checked(text).is_ok()
}

/// The object that is shown for stored attributes that [`is_object`] refuses: an object in several lines in one line, and
/// any other text under the empty key.
pub fn shown(text: &str) -> String {
    let shown = Attributes::stored(text).to_string();
    match is_object(&shown) {
        true => shown,
        // Unreachable while the two readers of JSON agree.
        false => format!("{{\"\":{}}}", as_text(text)),
    }
}

fn as_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Display for Attributes {
    /// Compact JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write(self.entries.iter()))
    }
}

fn write<'a>(entries: impl Iterator<Item = &'a (String, String)>) -> String {
    let mut out = vec![b'{'];
    for (key, json) in entries {
        if out.len() > 1 {
            out.push(b',');
        }
        // Writing a str to memory does not fail.
        let _ = serde_json::to_writer(&mut out, key);
        out.push(b':');
        out.extend_from_slice(json.as_bytes());
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

/// Removes the white space between the tokens of a well-formed JSON text.
fn compact(json: &str) -> String {
    if !json.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return json.to_string();
    }
    let mut out = String::with_capacity(json.len());
    let (mut in_text, mut escaped) = (false, false);
    for c in json.chars() {
        if in_text {
            match (escaped, c) {
                (false, '\\') => escaped = true,
                (false, '"') => in_text = false,
                _ => escaped = false,
            }
        } else if c == '"' {
            in_text = true;
        } else if c.is_ascii_whitespace() {
            continue;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_are_kept() {
        let text = r#"{"z":12345678901234567890.10,"a":[1.0, 2e5],"m":{"y":-0,"x":"a b"}}"#;
        let kept = r#"{"z":12345678901234567890.10,"a":[1.0,2e5],"m":{"y":-0,"x":"a b"}}"#;
        assert_eq!(Attributes::parse(text).unwrap().to_string(), kept);
        let digits = "9".repeat(400);
        let large = format!(r#"{{"e":[1e400,-1E-400],"t":"\"1e400","d":{digits},"f":0.{digits}}}"#);
        assert_eq!(Attributes::parse(&large).unwrap().to_string(), large);
    }

    #[test]
    fn merging_replaces_adds_and_removes() {
        let mut stored = Attributes::parse(r#"{"a":1,"b":2}"#).unwrap();
        stored.merge(&Attributes::parse(r#"{"c":3,"a":null,"b":"x"}"#).unwrap());
        assert_eq!(stored.to_string(), r#"{"b":"x","c":3}"#);
    }

    #[test]
    fn a_change_of_many_keys_replaces_adds_and_removes() {
        let object = |keys: std::ops::Range<u32>, value: &str| {
            let entries: Vec<String> = keys.map(|key| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", entries.join(","))
        };
        let mut stored = Attributes::parse(&object(0..100, "1")).unwrap();
        stored.merge(&Attributes::parse(&object(50..150, "2")).unwrap());
        stored.merge(&Attributes::parse(&object(10..200, "null")).unwrap());
        assert_eq!(stored.to_string(), object(0..10, "1"));
        let escaped = r#"{"\u0061":1,"q\"":2,"ä":3}"#;
        let kept = Attributes::parse(escaped).unwrap();
        assert_eq!(kept.to_string(), r#"{"a":1,"q\"":2,"ä":3}"#);
        assert_eq!(kept.without_nulls(), kept.to_string());
        let many = object(0..30, "1").replacen("29", "1\\u0032", 1);
        assert!(
            Attributes::parse(&many)
                .unwrap_err()
                .contains("\"12\" twice")
        );
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        for text in [
            "1",
            "[]",
            "null",
            "",
            "{",
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":1e}"#,
            r#"{"a":1e400,"a":2}"#,
            r#"{"a":[1e400,{"b":"\u0000"}]}"#,
            r#"{"a":1e400,"b":01}"#,
            r#"{"a":1e400,"b":}"#,
            r#"{"a":1e400e1}"#,
            r#"{"a":"\u0000"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":01}"#,
            r#"{} x"#,
        ] {
            assert!(Attributes::parse(text).is_err(), "{text}");
        }
        let deep = format!("{{\"a\":{}1e400{}}}", "[".repeat(200), "]".repeat(200));
        assert!(Attributes::parse(&deep).is_err());
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        assert!(Attributes::parse(&deep).is_err());
    }

    #[test]
    fn what_is_no_object_is_shown_and_kept_under_the_empty_key() {
        for text in [
            "oops",
            "[1,2]",
            "",
            "{",
            "{oops}",
            "{} x",
            "{\"a\":\u{1}}",
            "\"t\"",
        ] {
            assert!(!is_object(text), "{text}");
            let shown = shown(text);
            assert!(is_object(&shown), "{shown}");
            let mut stored = Attributes::stored(text);
            assert_eq!(stored.to_string(), shown);
            assert_eq!(Attributes::stored(&shown), stored);
            stored.merge(&Attributes::parse(r#"{"a":1}"#).unwrap());
            assert_eq!(stored.get(""), Some(as_text(text).as_str()));
        }
        for text in ["{}", "{ } ", r#"{"a":{"b":[1,null,"\u00e4"]}}"#] {
            assert!(is_object(text), "{text}");
        }
        let lines = " {\n \"a\": [1,\r\n2]\n}";
        assert!(!is_object(lines));
        assert_eq!(shown(lines), r#"{"a":[1,2]}"#);
    }
}
