//! The lines of a bulk request and its answers, in the description of the API.

use serde_json::{Value as Json, json};

use super::answer::{Counts, Done};
use super::line::OPS;
use crate::model::draft::Purpose;
use crate::model::noun::Noun;
use crate::operation::describe::reference;
use crate::operation::fields::id_schema;

/// The name of the schema of a line.
fn line_schema(noun: &Noun) -> String {
    format!("{}BulkLine", noun.title)
}

/// The name of the schema of an answer.
fn answer_schema(noun: &Noun) -> String {
    format!("{}BulkAnswer", noun.title)
}

/// The names of the schemas of the last answer, of what it counts, and of refused fields. An object within an object would be
/// named after its place by generators.
const END: &str = "BulkEnd";
const COUNTS: &str = "BulkCounts";
const FIELDS: &str = "BulkFields";

/// The content of a request. A schema of a text cannot say what is in its lines, so its description does, and an extension
/// refers to it, as `itemSchema` of OpenAPI 3.2 does.
pub(super) fn lines(noun: &Noun, example: String) -> Json {
    let line = line_schema(noun);
    text(format!("One {line} per line."), &[&line], example)
}

/// The content of the answers.
pub(super) fn answers(noun: &Noun, example: String) -> Json {
    let answer = answer_schema(noun);
    let said = format!("One {answer} per line, and a {END} as the last one.");
    text(said, &[&answer, END], example)
}

fn text(description: String, schemas: &[&str], example: String) -> Json {
    let items: Vec<Json> = schemas
        .iter()
        .map(|name| reference("schemas", name))
        .collect();
    json!({
        "schema": {"type": "string", "format": "binary", "description": description},
        "x-itemSchema": {"anyOf": items},
        "examples": {"lines": {"value": example}},
    })
}

/// The schemas of a noun's lines and answers, by their names.
pub fn schemas(noun: &'static Noun) -> [(String, Json); 5] {
    [
        (line_schema(noun), line(noun)),
        (answer_schema(noun), answer(noun)),
        (END.into(), end()),
        (COUNTS.into(), counts()),
        (FIELDS.into(), fields()),
    ]
}

fn line(noun: &'static Noun) -> Json {
    let draft = |purpose: Purpose| {
        let word = match purpose {
            Purpose::Create => "Create",
            Purpose::Update => "Update",
        };
        reference("schemas", &format!("{}{word}", noun.title))
    };
    let condition = json!({
        "type": ["integer", "string", "null"],
        "description": "The version that the record must have: a number, an ETag, or `*` for any.",
    });
    json!({
        "type": "object",
        "description": "A line of a bulk request.",
        "required": ["op"],
        "properties": {
            "op": {"type": "string", "enum": OPS},
            "id": {"type": "integer", "minimum": 1, "description": "Of `update` and `delete`."},
            "data": {"anyOf": [draft(Purpose::Create), draft(Purpose::Update)], "description": "Of all but `delete`."},
            "if_match": condition,
        },
        "additionalProperties": false,
    })
}

fn answer(noun: &'static Noun) -> Json {
    let words: Vec<&str> = Done::words().collect();
    json!({
        "type": "object",
        "description": "The answer to a line of a bulk request.",
        "required": ["line", "status"],
        "properties": {
            "line": {"type": "integer", "minimum": 1, "description": "The number of the line, from 1. Empty lines count."},
            "status": {"type": "integer", "description": "The status that a request for this line alone would have."},
            "id": id_schema(),
            "version": {"type": "integer", "minimum": 1, "description": "The version of the record after it, for `if_match`."},
            "done": {"type": "string", "enum": words},
            "error": {"type": "string"},
            "fields": reference("schemas", FIELDS),
            "data": {"anyOf": [reference("schemas", noun.title), {"type": "null"}], "description": "With `answers=records`: the record."},
        },
    })
}

fn end() -> Json {
    json!({
        "type": "object",
        "description": "The last answer of a bulk request. Without it the answer broke off.",
        "required": ["end", "group"],
        "properties": {
            "end": reference("schemas", COUNTS),
            "group": {"type": ["integer", "null"], "description": "The group of all changes, which one undo takes back."},
            "status": {"type": "integer", "description": "Only if it had to stop before the last line."},
            "error": {"type": "string"},
            "fields": reference("schemas", FIELDS),
        },
    })
}

fn counts() -> Json {
    let counts: serde_json::Map<String, Json> = Counts::NAMES
        .iter()
        .map(|name| (name.to_string(), json!({"type": "integer", "minimum": 0})))
        .collect();
    json!({
        "type": "object",
        "description": "How many lines were answered, and how. `replayed` are those that an earlier request with the same key has done.",
        "required": Counts::NAMES,
        "properties": counts,
    })
}

fn fields() -> Json {
    json!({
        "type": "object",
        "description": "The refused fields, each with what was expected.",
        "additionalProperties": {"type": "string"},
    })
}
