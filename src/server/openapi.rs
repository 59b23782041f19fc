//! The OpenAPI 3.1 document of the HTTP API. It is made from the list of operations and from the fields of the nouns.
//!
//! A new field or a new operation appears here without further work. The description of a request is never stricter than
//! the service, so that a generated client refuses nothing that the service accepts. It is not looser either: the service
//! must refuse everything that the document forbids. Answers are described exactly, so that an undocumented field makes a
//! test fail.

use serde_json::{Map, Value, json};

use crate::base::error::Code;
use crate::model::found::FOUND;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::token::Scope;
use crate::operation::about::{About, Access, Answer, Body, Describe, Of, Parameter, Takes, fill};
use crate::operation::describe::{Described, reference};
use crate::ops::{Route, routes};
use crate::views::VIEWS;
use crate::views::timeline::ENTRY;

mod components;
mod markdown;
mod schemas;
#[cfg(test)]
mod tests;

pub use markdown::markdown;

const ESSENTIALS: &str = "\
Leads, what was done with them (actions), and what is due next (processes).

**Times** are answered as `YYYY-MM-DD HH:MM:SS` in UTC. Requests may use this form, RFC 3339 with any offset, or a date. \
A time without an offset, or a day, is read in the zone that `tz` names: `tz=Europe/Berlin`. Without `tz` it is UTC, unless the \
service was started with another zone. Fractions of a second are cut off. In a filter a time may also be one from now: \
`-30d`, `today`, `lte:next week`.

**Attributes** are your own fields, a JSON object. The order of keys and the digits of numbers are kept. An update merges \
the top-level keys, and null removes a key: `{\"attributes\": {\"company\": \"Acme\", \"phone\": null}}`.

**Updates** change the given fields. PUT and PATCH are the same. A record that was read can be put back as a whole: `id` (if \
it is equal), `created_at`, `updated_at` and `last_action_at` are accepted and ignored. Any other unknown field or parameter is refused by \
name. `null` clears a field that may be null. A value that does not change is always accepted. Answers may get further fields \
in later versions.

**Lists** are streamed as a whole unless there is a `limit`. Every page except the last has a header \
`Link: <…>; rel=\"next\"`; its cursor is opaque. A whole list is not a snapshot, but it has every record that does not change \
in the meantime exactly once. A failure in the middle, or the end of the token, breaks the connection and never closes the array.

**Filters** are parameters with the name of a field: `status=new`, or with an operator, `field=op:value`:

| operator | the field is | example |
|---|---|---|
| `eq` | equal; the same as no operator, but also for values that look like one | `name=eq:in:box` |
| `ne` | not equal, or null | `status=ne:lost` |
| `gt` `gte` `lt` `lte` | greater, at least, less, at most | `next_followup_datetime=lte:2026-01-01` |
| `in` | one of several comma-separated values; `\\,` is a comma in a value | `status=in:new,contacted` |
| `is` | `null` or `notnull` | `name=is:null` |
| `like` | like a pattern: `%` is any text, `_` any character, `\\` before one of them the character itself; case is ignored | `email=like:%@example.com` |

Only these words before the first colon are operators. A date means its whole day. If a field is given twice, a record has to \
meet both filters (`created_at=gte:2026-01-01&created_at=lt:2026-02-01`). Your own fields are filtered by key, and numbers \
are compared as numbers: `attributes.company=Acme`.

**Errors** are always JSON, `{\"error\": \"…\"}`. `fields` has all refused fields, at most the first 50. In addition to the \
errors of each operation, an unknown path gets 404, and a method that a path does not have gets 405 with `Allow`. A request that \
is not HTTP (400) or whose head is too large (431) is refused without a body.

A trailing slash makes no difference. Every answer has an `X-Request-Id`, which is also in the log. A request may bring its \
own, of 1 to 128 printable ASCII characters without a space. HEAD is the same as GET without the body.";

/// Makes the document as JSON text.
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
    tags.push(json!({"name": "search", "description": format!("{}.", FOUND.about)}));
    schemas.extend(schemas::noun_schemas(&ENTRY));
    tags.push(json!({"name": "service", "description": "The service itself."}));
    tags.push(json!({"name": "tokens", "description": "Who may use the service."}));
    tags.push(json!({"name": "webhooks", "description": "Where the changes are sent."}));
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
        // Relative to this document, so that it works behind a proxy that adds a prefix to the paths.
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

/// Describes one operation. `None` if it is not in the document. The header `X-Request-Id` of a request is only mentioned in
/// the text of the document. It is not an input of an operation, and as a parameter a fuzzer that follows ids would fill it
/// with the id of a record.
fn operation(route: &Route) -> Option<Value> {
    let (about, noun) = (route.op.about(), route.noun);
    let described = match (about.describe, noun) {
        (Describe::Noun(describe), Some(noun)) => describe(noun),
        (Describe::Plain(describe), _) => describe(),
        (Describe::Noun(_) | Describe::Hidden, _) => return None,
    };
    let tag = match (about.of, noun) {
        (Of::Tokens, _) => "tokens",
        (Of::Changes, _) => "changes",
        (Of::Webhooks, _) => "webhooks",
        (Of::Found, _) => "search",
        (_, Some(noun)) => noun.plural,
        (_, None) => "service",
    };
    let summary = fill(about.summary, noun);
    let mut operation = json!({"operationId": route.id, "tags": [tag], "summary": summary});
    let description = match about.access {
        Access::Public | Access::InPath(_) => described.description.clone(),
        Access::Token(scope) => format!(
            "{} Requires a token with the scope `{}`.",
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
        Access::Public | Access::InPath(_) => json!([]),
        Access::Token(Scope::Admin) => json!([{"token": []}]),
        // The empty requirement stands for a service that is open.
        Access::Token(Scope::Calendar | Scope::Read | Scope::Write) => json!([{"token": []}, {}]),
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
    if about.reads_times(noun) {
        parameters.push(reference("parameters", "Zone"));
    }
    if about.writes() {
        parameters.push(reference("parameters", "IdempotencyKey"));
        parameters.push(reference("parameters", "OnBehalfOf"));
        parameters.push(reference("parameters", "ChangeGroup"));
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
    let (schema, default) = match parameter.takes {
        Takes::Switch | Takes::SwitchFor(_) => (json!({"type": "boolean"}), Some("false")),
        Takes::Word(_, words) => (
            json!({"type": "string", "enum": words}),
            words.first().copied(),
        ),
        Takes::Text(_) | Takes::List(_) | Takes::Days(_) | Takes::Time => {
            (json!({"type": "string"}), None)
        }
    };
    let mut about = fill(parameter.about, noun);
    if let Takes::SwitchFor(scope) = parameter.takes {
        let scope = scope.word();
        about.push_str(&format!(" Requires a token with the scope `{scope}`."));
    }
    if let Some(default) = default {
        about.push_str(&format!(" The default is `{default}`."));
    }
    json!({
        "name": parameter.name,
        "in": "query",
        "description": about,
        "schema": schema,
    })
}

/// The answers of an operation: its own, and the errors that operations share.
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
    add("Misdirected", Code::Misdirected);
    add("Internal", Code::Internal);
    if about.needs.limited() {
        add("Limited", Code::Limited);
    }
    if matches!(about.access, Access::Token(_)) {
        add("Unauthenticated", Code::Unauthenticated);
        add("Denied", Code::Denied);
    }
    if about.access != Access::Public {
        // The service reads the tokens.
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
            answer["headers"]["Change-Group"] = reference("headers", "ChangeGroup");
        }
    }
    let mut sorted: Vec<(String, Value)> = answers.into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted.into_iter().collect()
}
