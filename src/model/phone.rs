//! Telephone numbers. They are attributes of a lead under one of the usual names, the same everywhere.

use super::attributes::Entries;

/// The names of attributes that hold a telephone number, in any case of letters, the best first.
const PHONES: [&str; 6] = [
    "phone",
    "mobile",
    "tel",
    "telephone",
    "cell",
    "phone_number",
];

/// The telephone number in attributes, if there is one.
pub fn phone(attributes: &str) -> Option<String> {
    attribute(attributes, &PHONES)
}

/// The first of these attributes that is a text or a number and not blank. The case of letters makes no difference.
pub fn attribute(attributes: &str, names: &[&str]) -> Option<String> {
    let entries = serde_json::from_str::<Entries<'_>>(attributes).ok()?.0;
    let text = |raw: &str| match serde_json::from_str(raw).ok()? {
        serde_json::Value::String(text) => Some(text.trim().to_string()),
        // As it is written, with all its digits.
        serde_json::Value::Number(_) => Some(raw.to_string()),
        _ => None,
    };
    names.iter().find_map(|name| {
        let named = entries
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let mut texts = named.filter_map(|(_, raw)| text(raw.get()));
        texts.find(|text| !text.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (r#"{"phone": null}"#, None),
            (r#"{"phone": ["1"]}"#, None),
            (r#"{"company": "Acme"}"#, None),
            ("", None),
        ] {
            assert_eq!(phone(attributes).as_deref(), number, "{attributes}");
        }
    }
}
