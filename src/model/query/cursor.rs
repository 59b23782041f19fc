//! Cursors: where a page of a list ended.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::noun::Noun;
use crate::model::query::sort::{Sort, order_text};
use crate::model::record::Record;
use crate::model::value::Value;

/// Where a page ended: the sorted values of its last record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub Vec<Value>);

impl Cursor {
    /// The cursor of a page that ends with the record `last`. A NUL, which only another program stores, becomes U+FFFD: a
    /// text with one is read from its record (see [`select`](crate::store::sql::select)).
    pub fn of(order: &[Sort], last: &Record) -> Cursor {
        Cursor(
            order
                .iter()
                .map(|sort| sort.value(&last.values[sort.at]))
                .collect(),
        )
    }

    /// Reads the text of a cursor. `None` if it is not a cursor of a list with this order.
    pub(super) fn decode(noun: &Noun, order: &[Sort], text: &str) -> Option<Cursor> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let parts: Vec<serde_json::Value> = serde_json::from_slice(&json).ok()?;
        let (first, values) = parts.split_first()?;
        if first.as_str()? != order_text(noun, order) || values.len() != order.len() {
            return None;
        }
        let values = values.iter().zip(order).map(|(value, sort)| {
            let field = &noun.fields[sort.at];
            match value {
                serde_json::Value::Null if sort.nullable(noun) => Some(Value::Null),
                serde_json::Value::String(text)
                    if !field.kind.is_number() && !text.contains('\0') =>
                {
                    Some(Value::Text(text.clone()))
                }
                value if field.kind.is_number() => value.as_i64().map(Value::Int),
                _ => None,
            }
        });
        values.collect::<Option<Vec<Value>>>().map(Cursor)
    }

    /// The text of the cursor, which [`Cursor::decode`] reads.
    pub(super) fn encode(self, noun: &Noun, order: &[Sort]) -> String {
        let mut parts = vec![serde_json::Value::from(order_text(noun, order))];
        for value in self.0 {
            parts.push(match value {
                Value::Null => serde_json::Value::Null,
                Value::Int(int) => int.into(),
                Value::Text(text) => text.into(),
            });
        }
        URL_SAFE_NO_PAD.encode(serde_json::Value::from(parts).to_string())
    }
}
