//! The OpenAPI 3.1 document of the HTTP API, made from the list of operations and the nouns' tables of fields.
//!
//! A new field and a new operation show up here by themselves. What is said of a request is never stricter than what the
//! service does, so that a generated client refuses nothing the service would take, and a fuzzer that sends what the
//! document forbids must be refused. Answers are described exactly, so that a field which is not documented is a failed
//! test.

use serde_json::{Map, Value, json};

use crate::base::error::Code;
use crate::model::nouns::NOUNS;
use crate::model::record::Noun;
use crate::model::token::Scope;
use crate::operation::about::{About, Access, Answer, Body, Describe, Of, Parameter, Takes, fill};
use crate::operation::describe::{Described, reference};
use crate::ops::{Route, routes};
use crate::views::VIEWS;

mod components;
mod schemas;
#[cfg(test)]
mod tests;

const ESSENTIALS: &str = "\
Leads, what was done with them (actions), and what is due next (processes).

**Times** are answered as `YYYY-MM-DD HH:MM:SS` in UTC. Taken in are that form, RFC 3339 with any offset, and a date alone; \
what has no offset is UTC, fractions of a second are cut off.

**Attributes** are your own fields, a JSON object. Key order and the digits of numbers are kept. In an update its top-level \
keys merge and a null removes one: `{\"attributes\": {\"company\": \"Acme\", \"phone\": null}}`.

**Updates** change the fields given. PUT and PATCH are the same, and what was read can be put back whole: `id` (if equal), \
`created_at` and `updated_at` are taken and ignored. Any other unknown field or parameter is refused by name. `null` clears \
a field that may be null. A value that does not change is always accepted.

**Lists** are answered whole and streamed unless there is a `limit`. A page that is not the last has a \
`Link: <…>; rel=\"next\"` header; its cursor is opaque. A whole list is no point in time, but each record that is not changed \
meanwhile comes exactly once. A failure midway breaks the connection and never closes the array.

**Filters** are parameters of the field's name: `status=new`, or with an operator, `field=op:value`:

| operator | holds when the field is | example |
|---|---|---|
| `eq` | equal; the same as no operator, but also for values that look like one | `name=eq:in:box` |
| `ne` | not equal, or null | `status=ne:lost` |
| `gt` `gte` `lt` `lte` | greater, at least, less, at most | `next_followup_datetime=lte:2026-01-01` |
| `in` | one of several; `\\,` is a comma in a value | `status=in:new,contacted` |
| `is` | `null` or `notnull` | `name=is:null` |
| `like` | like a pattern: `%` any text, `_` any letter, `\\` before one of them the letter itself; upper and lower case are the same | `email=like:%@example.com` |

Only these words before the first colon are operators. A date means its whole day. The same field twice means both \
(`created_at=gte:2026-01-01&created_at=lt:2026-02-01`). Custom fields are filtered by key, numbers as numbers: \
`attributes.company=Acme`.

**Errors** are always JSON, `{\"error\": \"…\"}`, with all refused fields at once under `fields` (of more than 50 \
the first). Beside those listed with each operation, an unknown path is 404 and a method that a path does not have is 405 with `Allow`. What is no HTTP request \
at all (400), or has a head that is too large (431), is refused without a body.

A trailing slash changes nothing. Every answer has an `X-Request-Id`, which also stands in the log; a request may bring its \
own, of 1 to 128 printable ASCII letters without a space. HEAD answers as GET does, without the body.";

/// The whole document as JSON text.
pub fn document() -> String {
    let mut paths = Map::new();
    let mut schemas = components::common_schemas();
    let mut responses = components::common_responses();
    let mut tags = Vec::new();
    for noun in NOUNS.iter().chain(VIEWS) {
        tags.push(json!({"name": noun.plural, "description": format!("{}.", noun.about)}));
        schemas.extend(schemas::noun_schemas(noun));
        if !noun.is_view() {
            let name = format!("{}NotFound", noun.title);
            responses.insert(name, components::not_found(noun));
        }
    }
    tags.push(json!({"name": "service", "description": "The service itself."}));
    tags.push(json!({"name": "tokens", "description": "Who may use the service."}));
    for route in routes() {
        if let Some(operation) = operation(&route) {
            let path = route.path.strip_suffix("/{rest}").unwrap_or(&route.path);
            let item = paths.entry(path).or_insert_with(|| json!({}));
            item[route.method.to_ascii_lowercase()] = operation;
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "crm",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "description": ESSENTIALS,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        // Relative to where this document is, so that it holds behind a proxy that puts a prefix before the paths.
        "servers": [{"url": "./"}],
        "security": [],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": components::parameters(),
            "headers": components::headers(),
            "responses": responses,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token as `crm token create` prints it: `crm_` and 32 letters and digits.",
                },
            },
        },
    })
    .to_string()
}

/// One operation, `None` for one that is not in the document. The `X-Request-Id` of a request is told in the document's
/// text alone: it is no input of any operation, and as a parameter a fuzzer that follows ids fills it with a record's.
fn operation(route: &Route) -> Option<Value> {
    let (about, noun) = (route.op.about(), route.noun);
    let described = match (about.describe, noun) {
        (Describe::Noun(describe), Some(noun)) => describe(noun),
        (Describe::Plain(describe), _) => describe(),
        (Describe::Noun(_) | Describe::Hidden, _) => return None,
    };
    let tag = match (about.of, noun) {
        (Of::Tokens, _) => "tokens",
        (_, Some(noun)) => noun.plural,
        (_, None) => "service",
    };
    let summary = fill(about.summary, noun);
    let mut operation = json!({"operationId": route.id, "tags": [tag], "summary": summary});
    let description = match about.access {
        Access::Public => described.description.clone(),
        Access::Token(scope) => format!(
            "{} Takes a token of the scope `{}`.",
            described.description,
            scope.word()
        ),
    };
    if !description.is_empty() {
        operation["description"] = description.trim_start().into();
    }
    let parameters = parameters(about, noun, &described);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    operation["responses"] = responses(about, noun, described.answers).into();
    operation["security"] = match about.access {
        Access::Public => json!([]),
        Access::Token(Scope::Admin) => json!([{"token": []}]),
        // An empty one: nothing, while the service is open.
        Access::Token(Scope::Read | Scope::Write) => json!([{"token": []}, {}]),
    };
    if let Some(body) = described.body {
        operation["requestBody"] = body;
    }
    Some(operation)
}

fn parameters(about: &About, noun: Option<&'static Noun>, described: &Described) -> Vec<Value> {
    let mut parameters = Vec::new();
    if about.has_id() {
        parameters.push(reference("parameters", "Id"));
    }
    parameters.extend(described.parameters.iter().cloned());
    parameters.extend(about.parameters(noun).map(|one| parameter(one, noun)));
    if about.writes() {
        parameters.push(reference("parameters", "IdempotencyKey"));
    }
    if about.conditional {
        parameters.push(reference("parameters", "IfMatch"));
        if !about.writes() {
            parameters.push(reference("parameters", "IfNoneMatch"));
        }
    }
    parameters
}

fn parameter(parameter: &Parameter, noun: Option<&'static Noun>) -> Value {
    let schema = match parameter.takes {
        Takes::Switch => json!({"type": "boolean", "default": false}),
        Takes::Word(_, words) => {
            json!({"type": "string", "enum": words, "default": words.first()})
        }
        Takes::Text(_) => json!({"type": "string"}),
    };
    json!({
        "name": parameter.name,
        "in": "query",
        "description": fill(parameter.about, noun),
        "schema": schema,
    })
}

/// The answers of an operation: its own, and the errors that it shares with others.
fn responses(
    about: &About,
    noun: Option<&'static Noun>,
    mut answers: Map<String, Value>,
) -> Map<String, Value> {
    let mut add = |name: &str, code: Code| {
        let status = code.status().to_string();
        answers
            .entry(status)
            .or_insert_with(|| reference("responses", name));
    };
    add("UrlTooLong", Code::UrlTooLong);
    add("Internal", Code::Internal);
    if about.needs.limited() {
        add("Limited", Code::Limited);
    }
    if about.access != Access::Public {
        add("Unauthenticated", Code::Unauthenticated);
        add("Denied", Code::Denied);
        // The tokens are asked for.
        add("Unavailable", Code::Unavailable);
    }
    if about.needs.database() {
        add("Unavailable", Code::Unavailable);
        add("Full", Code::Full);
    }
    if let (true, Some(noun)) = (about.has_id(), noun) {
        add("BadId", Code::Invalid);
        add(&format!("{}NotFound", noun.title), Code::NotFound);
    }
    if !matches!(about.body, Body::None) {
        add("Timeout", Code::Timeout);
        add("TooLarge", Code::TooLarge);
        add("MediaType", Code::MediaType);
    }
    if about.writes() {
        add("KeyReused", Code::KeyReused);
        add("Unknown", Code::Unknown);
    }
    if about.conditional {
        add("Stale", Code::Stale);
        if !about.writes() {
            answers.insert("304".into(), reference("responses", "NotModified"));
        }
    }
    for status in ["200", "201"] {
        let Some(answer) = answers.get_mut(status) else {
            continue;
        };
        if about.answer == Answer::Record {
            answer["headers"]["ETag"] = reference("headers", "ETag");
        }
        if about.writes() {
            answer["headers"]["Idempotent-Replayed"] = reference("headers", "IdempotentReplayed");
        }
    }
    let mut sorted: Vec<(String, Value)> = answers.into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted.into_iter().collect()
}
