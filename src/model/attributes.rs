//! The user's own fields: a JSON object whose key order and whose digits are kept exactly.
//!
//! The top level is a list of keys with the raw text of their values, never a `serde_json::Value`, which would round
//! `12345678901234567890.10`. Text is checked once, when it comes in: one object, no key twice at any depth, no NUL,
//! numbers that an IEEE double can hold the size of.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;

use bigdecimal::BigDecimal;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON object, its keys in the order they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    entries: Vec<(String, String)>,
}

impl Attributes {
    /// Reads an object; the error says what was expected.
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

    /// Sets one key to a JSON text that [`check`] took; a key that is there keeps its place.
    pub fn set(&mut self, key: &str, json: &str) {
        let json = compact(json);
        match self.entries.iter_mut().find(|entry| entry.0 == key) {
            Some(entry) => entry.1 = json,
            None => self.entries.push((key.to_string(), json)),
        }
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

    /// Roughly the bytes that it holds.
    pub fn size(&self) -> usize {
        let texts = self
            .entries
            .iter()
            .map(|(key, json)| key.len() + json.len());
        texts.sum::<usize>() + self.entries.len() * size_of::<(String, String)>()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Merges a change into what is stored, as RFC 7396 does at the top level: a key of the change replaces, a null
    /// removes, other keys stay. A null is never stored, so that what was read can be put back without a change. Takes time
    /// in proportion to both together, as each may have a hundred thousand keys.
    pub fn merge(&mut self, change: &Attributes) {
        // By the keys of the change, as these are mostly few.
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

    /// Compact JSON without the keys whose value is null, which are never stored.
    pub fn without_nulls(&self) -> String {
        write(self.entries.iter().filter(|entry| entry.1 != "null"))
    }

    /// The stored text of an object; what crm stored is always one.
    pub fn stored(text: &str) -> Attributes {
        Self::parse_checked(text).unwrap_or_default()
    }
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
        // Writing to memory does not fail, and neither does a str.
        let _ = serde_json::to_writer(&mut out, key);
        out.push(b':');
        out.extend_from_slice(json.as_bytes());
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

/// The value of one key of a stored object as a list filter sees it: a text without its quotes, `None` where there is no
/// value.
pub fn lookup(stored: &str, key: &str) -> Option<String> {
    Found::read(stored, key).map(|found| found.text)
}

/// How the value of a key compares with what a filter gave: as numbers where both are, exactly and not as doubles, else
/// as text.
pub fn compare(stored: &str, key: &str, given: &str) -> Option<Ordering> {
    Found::read(stored, key).map(|found| found.compare(given))
}

/// Whether the value of a key is equal to one of several. `given` is a JSON array of texts.
pub fn any(stored: &str, key: &str, given: &str) -> Option<bool> {
    let found = Found::read(stored, key)?;
    let given: Vec<String> = serde_json::from_str(given).ok()?;
    Some(
        given
            .iter()
            .any(|given| found.compare(given) == Ordering::Equal),
    )
}

/// The value of a key.
struct Found {
    text: String,
    number: Option<BigDecimal>,
}

impl Found {
    /// Reads one key and passes over the others.
    fn read(stored: &str, key: &str) -> Option<Found> {
        struct Wanted<'k>(&'k str);
        impl<'de> Visitor<'de> for Wanted<'_> {
            type Value = Option<&'de RawValue>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = None;
                while let Some(Key(key)) = map.next_key()? {
                    let value = map.next_value::<&'de RawValue>()?;
                    if key == self.0 {
                        found = Some(value);
                    }
                }
                Ok(found)
            }
        }
        let mut json = serde_json::Deserializer::from_str(stored);
        let json = json.deserialize_map(Wanted(key)).ok()??.get();
        if json == "null" {
            return None;
        }
        match json.starts_with('"') {
            true => Some(Found {
                text: serde_json::from_str(json).ok()?,
                number: None,
            }),
            false => Some(Found {
                text: json.to_string(),
                number: number(json),
            }),
        }
    }

    fn compare(&self, given: &str) -> Ordering {
        match self
            .number
            .as_ref()
            .and_then(|stored| Some((stored, number(given)?)))
        {
            Some((stored, given)) => stored.cmp(&given),
            None => self.text.as_str().cmp(given),
        }
    }
}

fn number(text: &str) -> Option<BigDecimal> {
    // Exact comparison writes out every digit between the two exponents, so that what a number may cost is bounded here:
    // beyond it, as for "1e-999999999", text decides.
    const LONGEST: usize = 1_000;
    if text.len() > LONGEST {
        return None;
    }
    // What JSON calls a number, so that a text like "1_000" or "inf" is not one.
    serde_json::from_str::<f64>(text).ok()?;
    let number: BigDecimal = text.parse().ok()?;
    (number.fractional_digit_count().unsigned_abs() <= LONGEST as u64).then_some(number)
}

/// Checks one JSON text: well formed, no key twice, no NUL, no number beyond a double's size, not too deep (127 levels,
/// serde_json's own limit). The error says what was expected.
pub fn check(text: &str) -> Result<(), String> {
    serde_json::from_str::<Checked>(text)
        .map(drop)
        .map_err(|e| sentence(&e))
}

/// What is wrong with a JSON text, to follow the name of what it is.
pub(crate) fn unreadable(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            format!("must not contain {}", without_position(error))
        }
        _ => format!("is not well-formed JSON ({error})"),
    }
}

/// The same for a part of a text, where a position would be counted inside of the part and mislead.
fn sentence(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => unreadable(error),
        _ => format!("is not well-formed JSON ({})", without_position(error)),
    }
}

fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let end = message.rfind(" at line ").unwrap_or(message.len());
    message[..end].to_string()
}

/// Drops the white space between tokens of a well-formed JSON text.
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

/// A key, where it lies unless it has to be unescaped.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(key.into()))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(key.to_string().into()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The keys of an object with their raw values. A key that comes twice is refused: one of the two would be lost.
pub(crate) struct Entries<'de>(pub(crate) Vec<(Cow<'de, str>, &'de RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object { once: true })
    }
}

/// Reads [`Entries`].
struct Object {
    /// Whether a key that comes twice is looked for.
    once: bool,
}

impl<'de> Visitor<'de> for Object {
    type Value = Entries<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
        let mut entries = Vec::new();
        let mut seen = Seen::default();
        while let Some((Key(key), value)) = map.next_entry()? {
            if self.once {
                seen.insert::<A::Error>(key.clone())?;
            }
            entries.push((key, value));
        }
        Ok(Entries(entries))
    }
}

/// The keys of one object.
#[derive(Default)]
struct Seen<'de> {
    /// As long as they are few: comparing them is faster than hashing.
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Seen<'de> {
    const FEW: usize = 16;

    /// Refuses a key that is not a new one.
    fn insert<E: serde::de::Error>(&mut self, key: Cow<'de, str>) -> Result<(), E> {
        if self.few.contains(&key) {
            return Err(E::custom(twice(&key)));
        }
        if self.few.len() < Seen::FEW {
            self.few.push(key);
            return Ok(());
        }
        match self.many.replace(key) {
            Some(key) => Err(E::custom(twice(&key))),
            None => Ok(()),
        }
    }
}

fn twice(key: &str) -> String {
    format!("the key {} twice", crate::base::error::quoted(key))
}

/// Walks a value, keeps nothing, and refuses what crm cannot keep.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        fn text<E: serde::de::Error>(text: &str) -> Result<Checked, E> {
            match text.contains('\0') {
                true => Err(E::custom("a NUL character")),
                false => Ok(Checked),
            }
        }
        impl<'de> Visitor<'de> for Any {
            type Value = Checked;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Checked, E> {
                text(value)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Checked, A::Error> {
                while seq.next_element::<Checked>()?.is_some() {}
                Ok(Checked)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Checked, A::Error> {
                let mut seen = Seen::default();
                while let Some(Key(key)) = map.next_key()? {
                    text::<A::Error>(&key)?;
                    map.next_value::<Checked>()?;
                    seen.insert::<A::Error>(key)?;
                }
                Ok(Checked)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_are_kept() {
        let text = r#"{"z":12345678901234567890.10,"a":[1.0, 2e5],"m":{"y":-0,"x":"a b"}}"#;
        let kept = r#"{"z":12345678901234567890.10,"a":[1.0,2e5],"m":{"y":-0,"x":"a b"}}"#;
        assert_eq!(Attributes::parse(text).unwrap().to_string(), kept);
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
            r#"{"a":1e400}"#,
            r#"{"a":"\u0000"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":01}"#,
            r#"{} x"#,
        ] {
            assert!(Attributes::parse(text).is_err(), "{text}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        assert!(Attributes::parse(&deep).is_err());
    }

    #[test]
    fn numbers_compare_as_numbers_and_exactly() {
        let stored = r#"{"n":12345678901234567890,"t":"10","b":true}"#;
        assert_eq!(
            compare(stored, "n", "12345678901234567891"),
            Some(Ordering::Less)
        );
        assert_eq!(
            compare(stored, "n", "1.2345678901234567890e19"),
            Some(Ordering::Equal)
        );
        assert_eq!(compare(stored, "t", "10"), Some(Ordering::Equal));
        assert_eq!(compare(stored, "t", "9"), Some(Ordering::Less));
        assert_eq!(compare(stored, "b", "true"), Some(Ordering::Equal));
        assert_eq!(compare(stored, "x", "1"), None);
        assert_eq!(lookup(stored, "t").as_deref(), Some("10"));
    }
}
