//! JSON as text: checked, read without changing a digit, and written.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Checks one JSON text: it is well-formed, has no key twice, no NUL, no number outside the range of a double, and at most
/// 127 levels (the limit of serde_json). The error says what was expected.
pub fn check(text: &str) -> Result<(), String> {
    serde_json::from_str::<Checked>(text)
        .map(drop)
        .map_err(|e| sentence(&e))
}

/// Says what is wrong with a JSON text. The name of the text goes before it.
pub(crate) fn unreadable(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            format!("must not contain {}", without_position(error))
        }
        _ => format!("is not well-formed JSON ({error})"),
    }
}

/// The same for a part of a text. It leaves out the position, which would be relative to the part and mislead.
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

/// Removes the white space between the tokens of a well-formed JSON text.
pub(super) fn compact(json: &str) -> String {
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

/// A key of an object. It is borrowed from the text unless it has escapes.
pub(super) struct ObjectKey<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for ObjectKey<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = ObjectKey<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<ObjectKey<'de>, E> {
                Ok(ObjectKey(key.into()))
            }
            fn visit_str<E>(self, key: &str) -> Result<ObjectKey<'de>, E> {
                Ok(ObjectKey(key.to_string().into()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The keys of an object with their raw values. A key that occurs twice is refused, because one of the two values would be
/// lost.
pub(crate) struct Entries<'de>(pub(crate) Vec<(Cow<'de, str>, &'de RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor { once: true })
    }
}

/// Reads [`Entries`].
pub(super) struct ObjectVisitor {
    /// Whether a key that occurs twice is refused.
    pub(super) once: bool,
}

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Entries<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
        let mut entries = Vec::new();
        let mut seen = SeenKeys::default();
        while let Some((ObjectKey(key), value)) = map.next_entry()? {
            if self.once {
                seen.insert::<A::Error>(key.clone())?;
            }
            entries.push((key, value));
        }
        Ok(Entries(entries))
    }
}

/// The keys of one object that were read so far.
#[derive(Default)]
struct SeenKeys<'de> {
    /// The first keys. Comparing a few keys is faster than hashing them.
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> SeenKeys<'de> {
    const FEW: usize = 16;

    /// Adds a key. Refuses one that is there already.
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
    format!("the key {} twice", crate::base::error::quoted(key))
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
                while let Some(ObjectKey(key)) = map.next_key()? {
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

/// Appends a text as a JSON string.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    // Nearly no text needs an escape. Looking at every byte without a branch lets the compiler check many at once.
    let escaped = text.bytes().fold(false, |escaped, byte| {
        escaped | (byte < 0x20) | (byte == b'"') | (byte == b'\\')
    });
    if !escaped {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    // Writing a str to memory does not fail.
    let _ = serde_json::to_writer(out, text);
}
