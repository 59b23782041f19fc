//! Reading JSON objects: keys in their order, raw values, and the checks of what comes in.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::base::error::quoted;

/// Checks one JSON text: it must be well formed, without a repeated key, without NUL, and at most 127 levels deep (the limit
/// of serde_json). The error says what is wrong.
pub fn check(text: &str) -> Result<(), String> {
    let mut checked = serde_json::from_str::<Checked>(text);
    if checked.as_ref().is_err_and(is_range) && serde_json::from_str::<IgnoredAny>(text).is_ok() {
        checked = serde_json::from_str(&without_numbers(text));
    }
    checked.map(drop).map_err(|e| sentence(&e))
}

/// Whether the error is about a number beyond the range of a double. serde_json refuses it where it reads a value, but not
/// where it skips one.
fn is_range(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

/// A well-formed text with a 0 in place of each number. All that is checked besides the numbers is the same.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_text, mut escaped, mut in_number) = (false, false, false);
    for c in text.chars() {
        if in_text {
            (in_text, escaped) = match c {
                '"' if !escaped => (false, false),
                '\\' => (true, !escaped),
                _ => (true, false),
            };
            out.push(c);
            continue;
        }
        in_text = c == '"';
        let was_number = in_number;
        in_number = match was_number {
            true => matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'),
            false => matches!(c, '0'..='9' | '-'),
        };
        match (was_number, in_number) {
            (_, false) => out.push(c),
            (false, true) => out.push('0'),
            (true, true) => {}
        }
    }
    out
}

/// Whether a text is one well-formed JSON object in one line, so that it can be written into an answer as it is. A list
/// calls this for each row, and nearly all attributes are flat, so these are looked at first and eight bytes at a time.
pub fn is_object(text: &str) -> bool {
    // No control character is allowed in a JSON string, so one is white space between the tokens, or wrong.
    let has_controls = || text.bytes().any(|byte| byte < 0x20);
    text == "{}"
        || is_flat(text.as_bytes()).is_some()
        || text.starts_with('{')
            && !has_controls()
            && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Reads an object of texts without escapes, whole numbers, booleans and nulls. `None` if it is anything else.
fn is_flat(json: &[u8]) -> Option<()> {
    let [b'{', rest @ ..] = json else {
        return None;
    };
    let mut rest = rest;
    loop {
        let [b':', value @ ..] = after_text(rest)? else {
            return None;
        };
        let after = match value {
            [b'"', ..] => after_text(value)?,
            [b'1'..=b'9', digits @ ..] => {
                let plain = digits.iter().take_while(|byte| byte.is_ascii_digit());
                &digits[plain.count()..]
            }
            [b't', b'r', b'u', b'e', after @ ..] => after,
            [b'n', b'u', b'l', b'l', after @ ..] => after,
            [b'f', b'a', b'l', b's', b'e', after @ ..] => after,
            _ => return None,
        };
        rest = match after {
            [b',', rest @ ..] => rest,
            [b'}'] => return Some(()),
            _ => return None,
        };
    }
}

/// What follows the text that a piece of JSON begins with.
#[inline]
fn after_text(json: &[u8]) -> Option<&[u8]> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let [b'"', rest @ ..] = json else {
        return None;
    };
    let mut rest = rest;
    while let Some(eight) = rest.first_chunk() {
        let eight = u64::from_le_bytes(*eight);
        // The highest bit of a byte becomes 1 where the byte is below a number. Bytes after the first such may be wrong.
        let below = |bytes: u64, number: u8| {
            let less = bytes.wrapping_sub(LOW * u64::from(number));
            less & !bytes & HIGH
        };
        // Flipping the second bit puts the quotation mark, 0x22, right after the control characters, and keeps those.
        let ends = below(eight ^ (LOW * 0x02), 0x21) | below(eight ^ (LOW * u64::from(b'\\')), 1);
        if ends != 0 {
            rest = &rest[ends.trailing_zeros() as usize / 8..];
            break;
        }
        rest = &rest[8..];
    }
    loop {
        match rest {
            [b'"', after @ ..] => return Some(after),
            [] | [b'\\' | 0..0x20, ..] => return None,
            [_, more @ ..] => rest = more,
        }
    }
}

/// What is wrong with a JSON text, as the rest of a sentence that begins with the text's name.
pub(crate) fn unreadable(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            format!("must not contain {}", without_position(error))
        }
        _ => format!("is not well-formed JSON ({error})"),
    }
}

/// The same for a part of a text. It names no position, because that would be counted from the beginning of the part
/// and mislead.
pub(super) fn sentence(error: &serde_json::Error) -> String {
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

/// A key. It is borrowed unless it has to be unescaped.
pub(super) struct KeyText<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for KeyText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = KeyText<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<KeyText<'de>, E> {
                Ok(KeyText(key.into()))
            }
            fn visit_str<E>(self, key: &str) -> Result<KeyText<'de>, E> {
                Ok(KeyText(key.to_string().into()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The keys of an object with their raw values. A repeated key is refused: one of the two values would be lost.
pub(crate) struct Entries<'de>(pub(crate) Vec<(Cow<'de, str>, &'de RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object { once: true })
    }
}

/// Reads [`Entries`].
pub(super) struct Object {
    /// Whether a repeated key is refused.
    pub(super) once: bool,
}

impl<'de> Visitor<'de> for Object {
    type Value = Entries<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
        let mut entries = Vec::new();
        let mut seen = SeenKeys::default();
        while let Some((KeyText(key), value)) = map.next_entry()? {
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
struct SeenKeys<'de> {
    /// The first keys: comparing a few is faster than hashing.
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> SeenKeys<'de> {
    const FEW: usize = 16;

    /// Refuses a repeated key.
    fn insert<E: serde::de::Error>(&mut self, key: Cow<'de, str>) -> Result<(), E> {
        if self.few.contains(&key) {
            return Err(E::custom(twice(&key)));
        }
        if self.few.len() < SeenKeys::FEW {
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
    format!("the key {} twice", quoted(key))
}

/// Reads a value without keeping it, and refuses what crm cannot store.
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
                let mut seen = SeenKeys::default();
                while let Some(KeyText(key)) = map.next_key()? {
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_flat_is_an_object(text in r#"\{("[a-zä\\"\x01]{0,20}":("[a-z{},:\\ü\x1f]{0,20}"|[0-9.e-]{1,4}|true|nul|\{\}|)?,?){0,3}\}?"#) {
            let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            if is_flat(text.as_bytes()).is_some() {
                prop_assert!(is_json, "{}", text);
            }
            prop_assert_eq!(is_object(&text), is_json);
        }
    }

    #[test]
    fn usual_attributes_are_flat() {
        for text in [
            r#"{"company":"Acme","city":"München-Obermenzing","score":42}"#,
            r#"{"a":true,"b":false,"c":null,"d":""}"#,
        ] {
            assert!(is_flat(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            r#"{"a":01}"#,
            r#"{"a":1,}"#,
            r#"{"a":1}x"#,
            r#"{"a":tru}"#,
            r#"{"a" :1}"#,
            "{\"a\":\"\n\"}",
            "{\"aaaaaaaa\n\":1}",
            r#"{"a\":1}"#,
            r#"{oops}"#,
            "{",
            "{}",
        ] {
            assert!(is_flat(text.as_bytes()).is_none(), "{text}");
        }
    }
}
