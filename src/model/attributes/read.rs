//! Some keys of stored attributes, for what is shown and for the order of a list.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::de::Deserializer;
use serde_json::value::RawValue;

use super::json::{Entries, Object};
use super::number::Number;

/// The entries of an object as it is shown. None for other texts, which are never shown.
fn entries(stored: &str) -> Entries<'_> {
    read(stored).unwrap_or_else(|| Entries(Vec::new()))
}

/// The entries of a stored object. `None` if another program stored something else.
fn read(stored: &str) -> Option<Entries<'_>> {
    let mut json = serde_json::Deserializer::from_str(stored);
    let entries = json.deserialize_map(Object { once: false }).ok()?;
    json.end().ok().map(|()| entries)
}

/// Appends an object with only these keys, in this order. Keys that the stored object does not have are left out.
pub fn pick(stored: &str, keys: &[String], out: &mut Vec<u8>) {
    /// A look through the entries for each key is faster than a map if the keys are this few.
    const FEW: usize = 8;
    let entries = entries(stored).0;
    let by_key: HashMap<&str, &RawValue> = match keys.len() > FEW {
        true => entries.iter().map(|(key, json)| (&**key, *json)).collect(),
        false => HashMap::new(),
    };
    out.push(b'{');
    let mut is_first = true;
    for wanted in keys {
        let found = match keys.len() > FEW {
            true => by_key.get(&**wanted).copied(),
            false => {
                let entry = entries.iter().rev().find(|entry| entry.0 == *wanted);
                entry.map(|entry| entry.1)
            }
        };
        let Some(json) = found else {
            continue;
        };
        if !std::mem::replace(&mut is_first, false) {
            out.push(b',');
        }
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut *out, wanted);
        out.push(b':');
        out.extend_from_slice(json.get().as_bytes());
    }
    out.push(b'}');
}

/// The keys of a stored object, in order.
pub fn keys(stored: &str) -> impl Iterator<Item = Cow<'_, str>> {
    entries(stored).0.into_iter().map(|entry| entry.0)
}

/// The values of a stored object by their keys: a text without its quotes, anything else as JSON, null as the empty text.
pub fn texts(stored: &str) -> HashMap<Cow<'_, str>, Cow<'_, str>> {
    let entries = entries(stored).0.into_iter();
    entries.map(|(key, json)| (key, text(json.get()))).collect()
}

/// A value as text.
fn text(json: &str) -> Cow<'_, str> {
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str(json).map_or(json.into(), Cow::Owned),
        Some(b'n') => "".into(),
        _ => json.into(),
    }
}

/// A text by which lists are sorted by the value of a key. The order of these texts by bytes is: numbers by their value,
/// then everything else as text. `None` if there is no value. It has at most `letters` characters, and no NUL. A stored
/// text that is no object is sorted as it is shown, under the empty key.
pub fn order_text(stored: &str, key: &str, letters: usize) -> Option<String> {
    let Some(Entries(entries)) = read(stored) else {
        return key.is_empty().then(|| order_of_text(stored, letters));
    };
    let json = entries.iter().rev().find(|entry| entry.0 == key)?.1.get();
    if json == "null" {
        return None;
    }
    if let Some(number) = Number::parse(json) {
        return Some(number.order_text(letters));
    }
    Some(order_of_text(&text(json), letters))
}

fn order_of_text(text: &str, letters: usize) -> String {
    let plain = |letter| match letter {
        '\0' => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    let mut order = String::from("3");
    order.extend(text.chars().take(letters - 1).map(plain));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_one_order() {
        let values = [
            "-1e400",
            "-2",
            "0",
            "1",
            "2",
            "10",
            "1e400",
            "\"\"",
            "\"10\"",
            "\"9\"",
            "\"A\"",
            "[1]",
            "\"a\"",
            "true",
            "\"ä\"",
            "{\"b\":1}",
        ];
        let order = |value: &str| order_text(&format!("{{\"x\":0,\"k\":{value}}}"), "k", 256);
        let mut texts: Vec<String> = values
            .iter()
            .map(|value| order(value).expect(value))
            .collect();
        // An object as text comes before other letters.
        let object = texts.pop();
        texts.insert(14, object.unwrap_or_default());
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(order("null"), None);
        assert_eq!(order_text("{}", "k", 256), None);
        assert_eq!(order_text("rubbish", "k", 256), None);
        let shown = order_text(r#"{"":"rubbish"}"#, "", 256);
        assert_eq!(order_text("rubbish", "", 256), shown);
        let long = order(&format!("\"{}\"", "ä".repeat(1000))).map(|text| text.chars().count());
        assert_eq!(long, Some(256));
    }

    #[test]
    fn keys_are_picked_in_the_order_requested() {
        let stored = r#"{"a":1.50,"b":null,"c":{"d":"e"},"f":"","g\"":[1]}"#;
        let few = ["c", "x", "g\"", "a"];
        let many = ["c", "x", "g\"", "a", "1", "2", "3", "4", "5"];
        for keys in [&few[..], &many] {
            let keys: Vec<String> = keys.iter().map(|key| key.to_string()).collect();
            let mut out = Vec::new();
            pick(stored, &keys, &mut out);
            let picked = r#"{"c":{"d":"e"},"g\"":[1],"a":1.50}"#;
            assert_eq!(String::from_utf8(out).as_deref(), Ok(picked));
        }
    }

    #[test]
    fn values_are_shown_as_text() {
        let stored = r#"{"t":"a\"b","n":1.50,"o":{"x":[1]},"e":"","z":null}"#;
        let texts = texts(stored);
        let shown = |key: &str| texts.get(key).map(|text| text.to_string());
        assert_eq!(shown("t").as_deref(), Some("a\"b"));
        assert_eq!(shown("n").as_deref(), Some("1.50"));
        assert_eq!(shown("o").as_deref(), Some(r#"{"x":[1]}"#));
        assert_eq!(
            (shown("e").as_deref(), shown("z").as_deref()),
            (Some(""), Some(""))
        );
        assert_eq!(shown("x"), None);
        assert!(keys(stored).eq(["t", "n", "o", "e", "z"]));
    }
}
