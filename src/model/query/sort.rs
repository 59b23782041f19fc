//! The order of a list.

use crate::base::error::{Error, Result, quoted};
use crate::model::attributes;
use crate::model::kind::Kind;
use crate::model::names::{escaped, names};
use crate::model::noun::Noun;
use crate::model::query::limits::{MOST_SORTED, SORTED_LETTERS};
use crate::model::value::Value;

/// One sort key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The position of the field.
    pub at: usize,
    /// The key of the attributes, if they are sorted by one.
    pub key: Option<String>,
    /// Whether the order is descending. Null is less than every value.
    pub descending: bool,
    /// Whether null is greater than every value instead. It is for the times of a view: whatever has no time comes last.
    pub null_is_greatest: bool,
}

impl Sort {
    /// Whether null comes after all values in this order.
    pub fn ends_with_null(&self) -> bool {
        self.descending != self.null_is_greatest
    }

    /// Whether its values may be null.
    pub fn nullable(&self, noun: &Noun) -> bool {
        self.key.is_some() || noun.fields[self.at].nullable()
    }

    /// The value that a record is sorted by, from the value of the field. A long text is cut.
    pub fn value(&self, stored: &Value) -> Value {
        match (stored, &self.key) {
            (Value::Text(stored), Some(key)) => {
                let text = attributes::order_text(stored, key, SORTED_LETTERS);
                text.map_or(Value::Null, Value::Text)
            }
            (Value::Text(text), None) => {
                let letters = text.chars().take(SORTED_LETTERS);
                Value::Text(letters.map(plain).collect())
            }
            (value, _) => value.clone(),
        }
    }
}

/// A letter as it is written into a cursor.
fn plain(letter: char) -> char {
    match letter {
        '\0' => char::REPLACEMENT_CHARACTER,
        letter => letter,
    }
}

/// Writes the order as the parameter `sort` does. A cursor carries this text, because it is only valid with its order.
pub(super) fn order_text(noun: &Noun, order: &[Sort]) -> String {
    let keys: Vec<String> = order
        .iter()
        .map(|sort| {
            let sign = if sort.descending { "-" } else { "" };
            let name = noun.fields[sort.at].name;
            match &sort.key {
                None => format!("{sign}{name}"),
                Some(key) => format!("{sign}{name}.{}", escaped(key)),
            }
        })
        .collect();
    keys.join(",")
}

/// The order of a list without the parameter `sort`.
pub(super) fn default_order(noun: &'static Noun) -> Result<Vec<Sort>> {
    order(noun, noun.default_order())
}

/// Reads an order, `name,-created_at`. The id is added where it is missing, so that the order is total.
pub(super) fn order(noun: &'static Noun, list: &str) -> Result<Vec<Sort>> {
    let mut order: Vec<Sort> = Vec::new();
    let names = names(list);
    if names.len() > MOST_SORTED {
        let got = names.len();
        let expected = format!("expected at most {MOST_SORTED} names, got {got}");
        return Err(Error::field("sort", expected));
    }
    for mut name in names {
        let given = name.text.clone();
        let descending = name.text.starts_with('-');
        if descending {
            name.text.remove(0);
        }
        let attributes = noun
            .fields
            .iter()
            .position(|field| field.kind == Kind::Attributes);
        let found = match (name.key(), attributes) {
            (Some(key), Some(at)) => Some((at, Some(key.to_string()))),
            _ => noun
                .position(&name.text)
                .filter(|at| noun.fields[*at].kind.is_sortable())
                .map(|at| (at, None)),
        };
        let Some((at, key)) = found else {
            let known = noun.fields.iter().filter(|field| field.kind.is_sortable());
            let mut known: Vec<&str> = known.map(|field| field.name).collect();
            if attributes.is_some() {
                known.push("attributes.KEY");
            }
            let known = known.join(", ");
            return Err(Error::field(
                "sort",
                format!(
                    "expected comma-separated names out of {known}, each with a - before it for descending order, got {}",
                    quoted(&given)
                ),
            ));
        };
        if order.iter().any(|sort| sort.at == at && sort.key == key) {
            let twice = format!("{} is given twice", name.text);
            return Err(Error::field("sort", twice));
        }
        let is_time = noun.fields[at].kind.tense().is_some();
        order.push(Sort {
            at,
            key,
            descending,
            null_is_greatest: noun.is_view() && is_time,
        });
    }
    // Ids are unique, so a key after the id has no effect.
    match order.iter().position(|sort| sort.at == 0) {
        Some(id) => order.truncate(id + 1),
        None => order.push(Sort {
            at: 0,
            key: None,
            descending: false,
            null_is_greatest: false,
        }),
    }
    Ok(order)
}
