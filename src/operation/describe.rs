//! Helpers with which an operation describes its answers in the OpenAPI document.

use serde_json::{Map, Value, json};

use super::fields::{example, record};
pub use super::reference::reference;
use crate::base::error::Error;
use crate::model::draft::{Draft, Purpose};
use crate::model::field::Field;
use crate::model::noun::Noun;

/// The description of an operation that its [`About`](super::about::About) does not have.
#[derive(Debug, Default)]
pub struct Described {
    /// The description.
    pub description: String,
    /// Parameters that are made from the fields of the noun.
    pub parameters: Vec<Value>,
    /// The schema of its body, with examples.
    pub body: Option<Value>,
    /// Its answers by status. Errors that operations share are added later.
    pub answers: Map<String, Value>,
}

impl Described {
    /// Only a description.
    pub fn new(description: impl Into<String>) -> Described {
        Described {
            description: description.into(),
            ..Described::default()
        }
    }

    /// Adds an answer.
    pub fn answers(mut self, status: u16, answer: Value) -> Described {
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// Sets the body: a schema with examples.
    pub fn body(mut self, body: Value) -> Described {
        self.body = Some(body);
        self
    }

    /// Sets the parameters.
    pub fn parameters(mut self, parameters: Vec<Value>) -> Described {
        self.parameters = parameters;
        self
    }
}

/// The map of a JSON object. Empty for other values.
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A JSON body with a schema and examples.
pub fn media(schema: Value, examples: Value) -> Value {
    json!({"application/json": {"schema": schema, "examples": examples}})
}

/// An answer with the header that every answer has.
pub fn answer(description: &str, content: Value) -> Value {
    json!({
        "description": description,
        "headers": {"X-Request-Id": reference("headers", "RequestId")},
        "content": content,
    })
}

/// An error and its examples.
pub fn failure(description: &str, examples: &[(&str, Error)]) -> Value {
    let examples: Map<String, Value> = examples
        .iter()
        .map(|(name, error)| {
            let body: Value = serde_json::from_str(&error.to_json()).unwrap_or_default();
            (name.to_string(), json!({"value": body}))
        })
        .collect();
    answer(
        description,
        media(reference("schemas", "Error"), examples.into()),
    )
}

/// The examples of these fields as a request's body.
pub fn given(fields: impl Iterator<Item = &'static Field>) -> Value {
    Value::Object(
        fields
            .map(|field| (field.name.into(), example(field)))
            .collect(),
    )
}

/// The body of a request, with a schema of the document.
pub fn body(schema: &str, examples: Value) -> Value {
    json!({
        "required": true,
        "description": "At most 1 MiB and 127 levels, unless the service has lower limits.",
        "content": media(reference("schemas", schema), examples),
    })
}

/// The 400 of a create or an update, with the messages of the real checks.
pub fn refused(noun: &'static Noun) -> Value {
    let mut examples = Vec::new();
    let create = |body: &[u8]| {
        let draft = Draft::from_json(noun, body, Purpose::Create);
        draft.and_then(|draft| draft.row().map_err(Error::fields))
    };
    for (name, body) in [
        ("missing", r#"{}"#),
        ("unknown", r#"{"colour": "red"}"#),
        ("broken", "{"),
    ] {
        if let Err(error) = create(body.as_bytes()) {
            examples.push((name, error));
        }
    }
    failure(
        "The body, a field, the id or a parameter was refused; nothing was changed. The error names every refused field.",
        &examples,
    )
}

/// An answer that is a whole record.
pub fn whole(noun: &'static Noun, description: &str) -> Value {
    answer(
        description,
        media(
            reference("schemas", noun.title),
            json!({"record": {"value": record(noun)}}),
        ),
    )
}

/// An answer that is one sentence.
pub fn message(description: &str, example: &str, text: &str) -> Value {
    answer(
        description,
        media(
            reference("schemas", "Message"),
            json!({example: {"value": {"message": text}}}),
        ),
    )
}

/// `{"status": …}` with more fields. A field that may be null may also be left out.
pub fn status(word: &str, more: Value) -> Value {
    let mut properties = json!({"status": {"type": "string", "const": word}});
    let mut example = json!({"status": word});
    let mut required = vec![json!("status")];
    for (name, schema) in object(more) {
        example[&name] = schema["examples"][0].clone();
        if schema["type"].is_string() {
            required.push(name.clone().into());
        }
        properties[&name] = schema;
    }
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
    });
    media(schema, json!({word: {"value": example}}))
}
