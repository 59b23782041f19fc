//! Values that another program has stored and that crm would not have written.
//!
//! A record with such a value is shown like any other, so that one wrong value hides no record: a text that is not UTF-8
//! has U+FFFD in place of the wrong bytes, attributes that are no JSON object are shown as a text under the empty key.
//! What is shown always fits the description of its field. The stored value stays as it is until a change names its field.

use crate::model::attributes;
use crate::model::field::Field;
use crate::model::kind::Kind;
use crate::model::value::{Cell, Value};

/// A stored value as a database has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stored<'a> {
    /// SQL's null.
    Null,
    /// A whole number.
    Int(i64),
    /// Another number.
    Real(f64),
    /// A text, which may be in any encoding.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

/// Whether a value can be shown as it is. `field` is `None` for the version.
#[inline]
pub fn is_plain(field: Option<&Field>, cell: Cell<'_>) -> bool {
    let is_id = || field.is_none_or(|field| field.kind.is_number());
    match cell {
        Cell::Text(text) => match field.map(|field| field.kind) {
            Some(kind) if kind.is_json() => attributes::is_object(text),
            _ => !is_id(),
        },
        Cell::Int(_) => is_id(),
        Cell::Null => field.is_some_and(Field::nullable),
    }
}

/// The value that is shown for a stored one. `field` is `None` for the version.
pub fn shown(field: Option<&Field>, stored: Stored<'_>) -> Value {
    let kind = field.map_or(Kind::Id, |field| field.kind);
    let nullable = field.is_some_and(Field::nullable);
    let text = match stored {
        Stored::Null if nullable => return Value::Null,
        Stored::Null => String::new(),
        Stored::Int(int) if kind.is_number() => return Value::Int(int),
        Stored::Int(int) => int.to_string(),
        Stored::Real(real) => real.to_string(),
        Stored::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        // Text fields are sorted by their first letters, which an empty blob does not have: SQLite says null.
        Stored::Blob([]) if field.is_some_and(Field::searchable) => match nullable {
            true => return Value::Null,
            false => String::new(),
        },
        // U+FFFD tells it from a text, so that a page that ends here looks at what is stored.
        Stored::Blob(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            match kind.is_number() || text.contains(char::REPLACEMENT_CHARACTER) {
                true => text.into_owned(),
                false => format!("{text}{}", char::REPLACEMENT_CHARACTER),
            }
        }
    };
    match kind {
        Kind::Id | Kind::Reference(_) | Kind::Count(..) => match text.trim().parse() {
            Ok(int) => Value::Int(int),
            Err(_) if nullable => Value::Null,
            Err(_) => Value::Int(0),
        },
        kind if kind.is_json() && text.is_empty() => Value::Text("{}".into()),
        kind if kind.is_json() && attributes::is_object(&text) => Value::Text(text),
        kind if kind.is_json() => Value::Text(attributes::shown(&text)),
        _ => Value::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;
    use crate::model::process::PROCESS;

    #[test]
    fn what_is_shown_fits_its_field() {
        let stored = [
            Stored::Null,
            Stored::Int(-5),
            Stored::Int(7),
            Stored::Real(1.5),
            Stored::Text(b"Zo\xebk"),
            Stored::Text(b"oops"),
            Stored::Text(b"a\0b"),
            Stored::Text(b""),
            Stored::Text(b"{}"),
            Stored::Text(b"7"),
            Stored::Blob(b"\x00\xff"),
        ];
        for noun in [&LEAD, &PROCESS] {
            let fields = noun.fields.iter().map(Some).chain([None]);
            for (field, stored) in fields.flat_map(|field| stored.map(|stored| (field, stored))) {
                let value = shown(field, stored);
                assert!(
                    is_plain(field, value.cell()),
                    "{field:?} {stored:?} {value:?}"
                );
                // What fits already is shown as it is.
                let plain = match stored {
                    Stored::Null => Some(Value::Null),
                    Stored::Int(int) => Some(Value::Int(int)),
                    Stored::Text(text) => std::str::from_utf8(text).ok().map(Value::from),
                    Stored::Real(_) | Stored::Blob(_) => None,
                };
                if let Some(plain) = plain.filter(|plain| is_plain(field, plain.cell())) {
                    assert_eq!(value, plain);
                }
            }
        }
        let name = LEAD.fields.iter().find(|field| field.name == "name");
        assert_eq!(shown(name, Stored::Text(b"Zo\xebk")), "Zo\u{fffd}k".into());
        let attributes = LEAD.fields.iter().find(|field| field.name == "attributes");
        assert_eq!(
            shown(attributes, Stored::Text(b"oops")),
            r#"{"":"oops"}"#.into()
        );
        let reference = PROCESS.fields.iter().find(|field| field.name == "lead_id");
        assert_eq!(shown(reference, Stored::Text(b"7")), Value::Int(7));
        assert_eq!(shown(reference, Stored::Text(b"x")), Value::Null);
    }
}
