//! Telephone numbers. They are attributes of a lead under one of the usual names, the same everywhere.

use super::attributes::Entries;
use crate::base::text::fold;

/// The names of attributes that hold a telephone number, in any case of letters, the best first. They come before all others
/// that name one.
const PHONES: [&str; 6] = [
    "phone",
    "mobile",
    "tel",
    "telephone",
    "cell",
    "phone_number",
];

/// What the names of attributes that hold a telephone number have in them.
const PARTS: [&str; 6] = ["phone", "mobil", "telefon", "handy", "cell", "whatsapp"];

/// The fewest digits of a telephone number. A shorter one is an extension, which many share.
const FEWEST_DIGITS: usize = 7;

/// The most digits of a telephone number (E.164), with two for a prefix that is dialled before it.
const MOST_DIGITS: usize = 17;

/// Whether an attribute holds a telephone number, by its name.
pub fn is_phone(name: &str) -> bool {
    let name: String = name.chars().map(fold).collect();
    name == "tel" || PARTS.iter().any(|part| name.contains(part)) && !name.contains("fax")
}

/// The telephone number in attributes, if there is one.
pub fn phone(attributes: &str) -> Option<String> {
    // Of any other name, only what is a number: `cell` is also in `cancelled`.
    let other = || {
        first(attributes, |name, text| {
            is_phone(name) && digits(text).is_some()
        })
    };
    attribute(attributes, &PHONES).or_else(other)
}

/// The digits of a telephone number. `None` if it is none. `+49 (0)30 123456`, `0049 30 123456` and `4930123456` are the same.
pub fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let plain = text.replace("(0)", "");
    let is_international = text.starts_with('+') || text.starts_with("00");
    let text = if is_international { &plain } else { text };
    let is_number = |letter: char| {
        letter.is_ascii_digit() || letter.is_whitespace() || "+-./()\u{a0}\u{2011}".contains(letter)
    };
    // An extension after it is not a part of the number.
    let number: String = text
        .chars()
        .take_while(|letter| is_number(*letter))
        .collect();
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let digits = match is_international {
        true => digits.trim_start_matches("00"),
        false => &digits,
    };
    (FEWEST_DIGITS..=MOST_DIGITS)
        .contains(&digits.len())
        .then(|| digits.to_string())
}

/// The first of these attributes that is a text or a number and not blank. The case of letters makes no difference.
pub fn attribute(attributes: &str, names: &[&str]) -> Option<String> {
    let mut names = names.iter();
    names.find_map(|name| first(attributes, |key, _| key.eq_ignore_ascii_case(name)))
}

/// The first attribute with such a name and text that is a text or a number and not blank.
fn first(attributes: &str, is_wanted: impl Fn(&str, &str) -> bool) -> Option<String> {
    let entries = serde_json::from_str::<Entries<'_>>(attributes).ok()?.0;
    let text = |raw: &str| match serde_json::from_str(raw).ok()? {
        serde_json::Value::String(text) => Some(text.trim().to_string()),
        // As it is written, with all its digits.
        serde_json::Value::Number(_) => Some(raw.to_string()),
        _ => None,
    };
    let texts = entries
        .iter()
        .filter_map(|(name, raw)| Some((name, text(raw.get())?)));
    let mut wanted = texts.filter(|(name, text)| !text.is_empty() && is_wanted(name, text));
    wanted.next().map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_its_digits() {
        for same in [
            "+49 30 1234567",
            "0049-30/1234567",
            "49301234567",
            "+49 (0)30 1234567 ext. 12",
        ] {
            assert_eq!(digits(same).as_deref(), Some("49301234567"), "{same}");
        }
        assert_eq!(digits("030 1234567").as_deref(), Some("0301234567"));
        for none in ["", "123", "n/a", "ask him", "123456789012345678"] {
            assert_eq!(digits(none), None, "{none}");
        }
        assert!(is_phone("Mobile Phone Number") && is_phone("tel") && !is_phone("hotel"));
    }

    #[test]
    fn a_number_is_found_under_its_usual_names() {
        for (attributes, number) in [
            (r#"{"Phone": "+49 30 1"}"#, Some("+49 30 1")),
            (r#"{"tel": "2", "MOBILE": "1"}"#, Some("1")),
            (r#"{"phone": "", "tel": 42}"#, Some("42")),
            (r#"{"phone": null, "Phone": "1", "cell": "2"}"#, Some("1")),
            (
                r#"{"phone_number": 493012345678901234567890}"#,
                Some("493012345678901234567890"),
            ),
            (
                r#"{"Fax Phone": "030 1234561", "cancelled": "yes", "Business Phone": "030 1234562"}"#,
                Some("030 1234562"),
            ),
            (r#"{"Handy privat": "0171 1234567", "tel": "2"}"#, Some("2")),
            (r#"{"phone": null}"#, None),
            (r#"{"phone": ["1"]}"#, None),
            (r#"{"company": "Acme"}"#, None),
            ("", None),
        ] {
            assert_eq!(phone(attributes).as_deref(), number, "{attributes}");
        }
    }
}
