//! One key of stored attributes, as a list filter sees it.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::KeyText;
use super::number::Number;

/// The value of one key of a stored object as a list filter sees it: a text without its quotes, `None` if there is no
/// value.
pub fn lookup(stored: &str, key: &str) -> Option<String> {
    AttributeValue::read(stored, key).map(|found| found.text)
}

/// The value that a filter compares with. It is read once for a query, and not for each record.
#[derive(Debug)]
pub struct Given {
    text: String,
    number: Option<Number>,
}

impl Given {
    /// Reads the value of a filter.
    pub fn new(text: &str) -> Given {
        Given {
            text: text.to_string(),
            number: Number::parse(text),
        }
    }

    /// Compares the value of a key with this one: as numbers if both are numbers, exactly and not as doubles, otherwise as
    /// text.
    pub fn compare(&self, stored: &str, key: &str) -> Option<Ordering> {
        let found = AttributeValue::read(stored, key)?;
        Some(match (found.number(), &self.number) {
            (Some(found), Some(given)) => found.cmp(given),
            _ => found.text.as_str().cmp(&self.text),
        })
    }
}

/// The values of the filter `in`. They are read once for a query, and a record is looked up among them.
#[derive(Debug)]
pub struct GivenOneOf {
    texts: HashSet<String>,
    /// In order.
    numbers: Vec<Number>,
}

impl GivenOneOf {
    /// Reads the values of a filter.
    pub fn new<'t>(texts: impl Iterator<Item = &'t str>) -> GivenOneOf {
        let texts: HashSet<String> = texts.map(str::to_string).collect();
        let numbers = texts.iter().filter_map(|text| Number::parse(text));
        let mut numbers: Vec<Number> = numbers.collect();
        numbers.sort_unstable();
        GivenOneOf { texts, numbers }
    }

    /// The same from a JSON array of texts.
    pub fn from_json(texts: &str) -> Option<GivenOneOf> {
        let texts: Vec<String> = serde_json::from_str(texts).ok()?;
        Some(GivenOneOf::new(texts.iter().map(String::as_str)))
    }

    /// Whether the value of a key equals one of these.
    pub fn has(&self, stored: &str, key: &str) -> Option<bool> {
        let found = AttributeValue::read(stored, key)?;
        Some(
            self.texts.contains(&found.text)
                || !self.numbers.is_empty()
                    && found
                        .number()
                        .is_some_and(|number| self.numbers.binary_search(&number).is_ok()),
        )
    }
}

/// The value of a key.
struct AttributeValue {
    text: String,
    /// Whether it was stored as text, so that it is no number even if it looks like one.
    is_text: bool,
}

impl AttributeValue {
    /// Reads one key and skips the others.
    fn read(stored: &str, key: &str) -> Option<AttributeValue> {
        struct KeyVisitor<'k>(&'k str);
        impl<'de> Visitor<'de> for KeyVisitor<'_> {
            type Value = Option<&'de RawValue>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = None;
                while let Some(KeyText(key)) = map.next_key()? {
                    let value = map.next_value::<&'de RawValue>()?;
                    if key == self.0 {
                        found = Some(value);
                    }
                }
                Ok(found)
            }
        }
        let mut json = serde_json::Deserializer::from_str(stored);
        let found = json.deserialize_map(KeyVisitor(key));
        let Ok(found) = found.and_then(|found| json.end().map(|()| found)) else {
            // Another program stored a text that is no object. It is found where it is shown.
            return key.is_empty().then(|| AttributeValue {
                text: stored.to_string(),
                is_text: true,
            });
        };
        let json = found?.get();
        if json == "null" {
            return None;
        }
        let is_text = json.starts_with('"');
        Some(AttributeValue {
            text: match is_text {
                true => serde_json::from_str(json).ok()?,
                false => json.to_string(),
            },
            is_text,
        })
    }

    fn number(&self) -> Option<Number> {
        Number::parse(&self.text).filter(|_| !self.is_text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_as_numbers_and_exactly() {
        let stored = r#"{"n":12345678901234567890,"t":"10","b":true}"#;
        let compare = |stored, key, given| Given::new(given).compare(stored, key);
        assert_eq!(
            compare(stored, "n", "12345678901234567891"),
            Some(Ordering::Less)
        );
        assert_eq!(
            compare(stored, "n", "1.2345678901234567890e19"),
            Some(Ordering::Equal)
        );
        let large = format!(r#"{{"n":1e400,"d":{}}}"#, "7".repeat(400));
        assert_eq!(compare(&large, "n", "9e399"), Some(Ordering::Greater));
        assert_eq!(compare(&large, "n", "10e399"), Some(Ordering::Equal));
        assert_eq!(compare(&large, "d", "1e400"), Some(Ordering::Less));
        assert_eq!(compare(&large, "d", "1e399"), Some(Ordering::Greater));
        assert_eq!(compare(stored, "t", "10"), Some(Ordering::Equal));
        assert_eq!(compare(stored, "t", "9"), Some(Ordering::Less));
        assert_eq!(compare(stored, "b", "true"), Some(Ordering::Equal));
        assert_eq!(compare(stored, "x", "1"), None);
        assert_eq!(lookup(stored, "t").as_deref(), Some("10"));
    }
    #[test]
    fn a_value_is_among_several_where_it_equals_one_of_them() {
        let stored = r#"{"n":10,"t":"10","big":1e999999999,"long":12345678901234567890.10}"#;
        let given = GivenOneOf::from_json(r#"["x","10.0","1e999999999","12345678901234567890.1"]"#);
        let given = given.unwrap();
        assert_eq!(given.has(stored, "n"), Some(true));
        assert_eq!(given.has(stored, "t"), Some(false));
        assert_eq!(given.has(stored, "big"), Some(true));
        assert_eq!(given.has(stored, "long"), Some(true));
        assert_eq!(given.has(stored, "none"), None);
        for key in ["n", "t", "big", "long"] {
            let one = |text: &str| Given::new(text).compare(stored, key) == Some(Ordering::Equal);
            let any = ["x", "10.0", "1e999999999", "12345678901234567890.1"].map(one);
            assert_eq!(given.has(stored, key), Some(any.contains(&true)), "{key}");
        }
    }

    #[test]
    fn a_text_that_is_no_object_is_found_under_the_empty_key() {
        for stored in ["oops", "[1]", r#"{"a":1} x"#, ""] {
            assert_eq!(lookup(stored, "").as_deref(), Some(stored));
            assert_eq!(lookup(stored, "a"), None);
        }
        assert_eq!(lookup(r#"{"":"x"}"#, "").as_deref(), Some("x"));
    }
}
