//! References within the API's document.

use serde_json::{Value, json};

/// A reference to a component of the document.
pub fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}
