//! One key of stored attributes, as a list filter sees it.

use std::cmp::Ordering;
use std::fmt;

use bigdecimal::BigDecimal;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::KeyText;

/// The value of one key of a stored object as a list filter sees it: a text without its quotes, `None` if there is no
/// value.
pub fn lookup(stored: &str, key: &str) -> Option<String> {
    AttributeValue::read(stored, key).map(|found| found.text)
}

/// Compares the value of a key with the value of a filter: as numbers if both are numbers, exactly and not as doubles,
/// otherwise as text.
pub fn compare(stored: &str, key: &str, given: &str) -> Option<Ordering> {
    AttributeValue::read(stored, key).map(|found| found.compare(given))
}

/// Whether the value of a key equals one of several. `given` is a JSON array of texts.
pub fn any(stored: &str, key: &str, given: &str) -> Option<bool> {
    let found = AttributeValue::read(stored, key)?;
    let given: Vec<String> = serde_json::from_str(given).ok()?;
    Some(
        given
            .iter()
            .any(|given| found.compare(given) == Ordering::Equal),
    )
}

/// The value of a key.
struct AttributeValue {
    text: String,
    number: Option<BigDecimal>,
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
        let json = json.deserialize_map(KeyVisitor(key)).ok()??.get();
        if json == "null" {
            return None;
        }
        match json.starts_with('"') {
            true => Some(AttributeValue {
                text: serde_json::from_str(json).ok()?,
                number: None,
            }),
            false => Some(AttributeValue {
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
    // An exact comparison writes out every digit between the two exponents. This limit bounds its cost: a number beyond
    // it, such as "1e-999999999", is compared as text.
    const LONGEST: usize = 1_000;
    if text.len() > LONGEST {
        return None;
    }
    // Only what JSON calls a number: "1_000" and "inf" are not.
    serde_json::from_str::<f64>(text).ok()?;
    let number: BigDecimal = text.parse().ok()?;
    (number.fractional_digit_count().unsigned_abs() <= LONGEST as u64).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

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
