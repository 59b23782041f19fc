//! The OpenAPI 3.1 document of the HTTP API, made from the nouns' tables of fields.
//!
//! A new field shows up here by itself. What is said of a request is never stricter than what the service does, so that a
//! generated client refuses nothing the service would take, and a fuzzer that sends what the document forbids must be
//! refused. Answers are described exactly, so that a field which is not documented is a failed test.

use serde_json::{Map, Value, json};

use super::gate::Access;
use super::route::{self, Route};
use crate::base::error::{Code, Error};
use crate::base::time;
use crate::model::draft::{Draft, Purpose};
use crate::model::lead::{LEAD, OnDuplicate};
use crate::model::nouns::NOUNS;
use crate::model::query::{LARGEST_LIMIT, LONGEST_PATTERN};
use crate::model::record::{Field, Kind, Noun, Presence};
use crate::model::token::Scope;

/// A text without NUL, which no database column of ours takes.
const NO_NUL: &str = r"^[^\u0000]*$";

/// White space as Rust trims it, the `White_Space` of Unicode, for a class of a regular expression: `\s` differs from one
/// language to the next.
const WHITE: &str =
    r"\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";

/// A text without NUL and with something else than white space.
fn not_blank() -> String {
    format!(r"^[^\u0000]*[^\u0000{WHITE}][^\u0000]*$")
}

/// The forms of a time that [`crate::base::time::parse`] takes, white space around it included.
fn time_taken() -> String {
    const DATE: &str = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
    const CLOCK: &str = r"([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)(\.[0-9]+)?)?";
    const OFFSET: &str = "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?";
    format!("^[{WHITE}]*{DATE}([Tt ]{CLOCK}{OFFSET})?[{WHITE}]*$")
}

/// The stored form of a time.
const TIME_STORED: &str =
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]) ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$";

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
pub fn document(nouns: &[&'static Noun]) -> String {
    let mut paths = Map::new();
    let mut schemas = common_schemas();
    let mut responses = common_responses();
    let mut tags = Vec::new();
    for noun in nouns {
        tags.push(json!({"name": noun.plural, "description": format!("{}.", noun.about)}));
        paths.insert(format!("/{}", noun.plural), collection(noun));
        paths.insert(format!("/{}/{{id}}", noun.plural), item(noun));
        schemas.extend(noun_schemas(noun));
        responses.insert(format!("{}NotFound", noun.title), not_found(noun));
    }
    tags.push(json!({"name": "service", "description": "The service itself."}));
    tags.push(json!({"name": "tokens", "description": "Who may use the service."}));
    paths.extend(token_paths());
    paths.extend(service_paths());
    for route in route::table() {
        guard(&mut paths, &route);
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
            "parameters": parameters(),
            "headers": headers(),
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

/// Adds to an operation what the gate and the conditions of a request have to do with it.
fn guard(paths: &mut Map<String, Value>, route: &Route) {
    let method = route.method.to_ascii_lowercase();
    let Some(operation) = paths
        .get_mut(&route.path)
        .and_then(|path| path.get_mut(&method))
    else {
        return;
    };
    let Access::Token(scope) = route.access else {
        operation["security"] = json!([]);
        return;
    };
    // An empty one: nothing, while the service is open.
    operation["security"] = match scope {
        Scope::Admin => json!([{"token": []}]),
        Scope::Read | Scope::Write => json!([{"token": []}, {}]),
    };
    let about = operation["description"].as_str().unwrap_or_default();
    let about = format!("{about} Takes a token of the scope `{}`.", scope.word());
    operation["description"] = about.trim_start().into();
    let mut parameters = match operation.get_mut("parameters").map(Value::take) {
        Some(Value::Array(parameters)) => parameters,
        _ => Vec::new(),
    };
    let mut responses = object(operation["responses"].take());
    let mut add = |name: &str, code: Code| {
        responses.insert(code.status().to_string(), reference("responses", name));
    };
    add("Unauthenticated", Code::Unauthenticated);
    add("Denied", Code::Denied);
    // The tokens are asked for.
    add("Unavailable", Code::Unavailable);
    let is_write = route.method != "GET";
    let is_record = route.path.ends_with("{id}");
    if is_write {
        parameters.push(reference("parameters", "IdempotencyKey"));
        add("KeyReused", Code::KeyReused);
    }
    if is_record {
        parameters.push(reference("parameters", "IfMatch"));
        add("Stale", Code::Stale);
    }
    if is_record && !is_write {
        parameters.push(reference("parameters", "IfNoneMatch"));
        responses.insert("304".into(), reference("responses", "NotModified"));
    }
    let of_record = NOUNS
        .iter()
        .any(|noun| route.path[1..].starts_with(noun.plural));
    for status in ["200", "201"] {
        let Some(response) = responses.get_mut(status) else {
            continue;
        };
        if of_record && (is_record && route.method != "DELETE" || route.method == "POST") {
            response["headers"]["ETag"] = reference("headers", "ETag");
        }
        if is_write {
            response["headers"]["Idempotent-Replayed"] = reference("headers", "IdempotentReplayed");
        }
    }
    let mut sorted: Vec<(String, Value)> = responses.into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let sorted: Map<String, Value> = sorted.into_iter().collect();
    operation["responses"] = sorted.into();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
}

/// `/tokens` and `/tokens/{name}`.
fn token_paths() -> Map<String, Value> {
    let known = json!({
        "name": {"type": "string", "description": "Given by people, the only one of its kind."},
        "scope": {"enum": Scope::WORDS.map(|known| known.0)},
        "start": {"type": "string", "description": "The first letters of the secret."},
        "created_at": {"type": "string", "pattern": TIME_STORED},
        "expires_at": {"type": ["string", "null"], "pattern": TIME_STORED},
    });
    let whole = |properties: &Value| {
        let names: Vec<&String> = properties
            .as_object()
            .into_iter()
            .flatten()
            .map(|one| one.0)
            .collect();
        json!({"type": "object", "required": names, "properties": properties, "additionalProperties": false})
    };
    let mut made = known.clone();
    made["token"] = json!({"type": "string", "pattern": "^crm_[0-9A-Za-z]{32}$", "description": "The secret, shown this once."});
    let example = json!({
        "name": "ci",
        "scope": "write",
        "start": "crm_4f1d",
        "created_at": "2026-01-31 09:30:00",
        "expires_at": null,
    });
    let list = operation(
        "listTokens".into(),
        "tokens",
        "List the tokens".into(),
        "All of them, by name, without their secrets.",
        Vec::new(),
        errors(
            json!({
                "200": answer(
                    "The tokens.",
                    media(
                        json!({"type": "array", "items": whole(&known)}),
                        json!({"tokens": {"value": [example]}}),
                    ),
                ),
                "400": failure("A parameter was given.", &[]),
            }),
            &READING,
        ),
    );
    let name = json!({"type": "string", "pattern": "^[a-zA-Z0-9_.@-]{1,64}$"});
    let wanted = json!({
        "type": "object",
        "required": ["name", "scope"],
        "properties": {
            "name": name,
            "scope": {"enum": Scope::WORDS.map(|known| known.0)},
            "expires": {
                "type": ["string", "null"],
                "description": "When it expires: a time from now like `90d`, `12h` or `2w`, or a time; never, where it is left out.",
            },
        },
        "additionalProperties": false,
    });
    let mut create = operation(
        "createToken".into(),
        "tokens",
        "Make a token".into(),
        "The secret is in the answer, this once. The first token is made on the database itself, by `crm token create NAME --scope admin`.",
        Vec::new(),
        errors(
            json!({
                "201": answer("The token.", media(whole(&made), json!({}))),
                "400": failure("The body or a field was refused; nothing was changed.", &[]),
                "409": failure(
                    "There is a token of this name.",
                    &[("taken", Error::new(Code::Conflict, "name: a token is called ci already"))],
                ),
            }),
            &WRITING,
        ),
    );
    let examples = json!({"ci": {"value": {"name": "ci", "scope": "write", "expires": "90d"}}});
    create["requestBody"] = json!({"required": true, "content": media(wanted, examples)});
    let revoke = operation(
        "revokeToken".into(),
        "tokens",
        "Revoke a token".into(),
        "It stops working at once, and within 5 seconds on other servers of the same database.",
        vec![json!({"name": "name", "in": "path", "required": true, "schema": name})],
        errors(
            json!({
                "200": answer(
                    "It is gone.",
                    media(
                        reference("schemas", "Message"),
                        json!({"revoked": {"value": {"message": "Token revoked"}}}),
                    ),
                ),
                "400": failure("A parameter was given.", &[]),
                "404": failure(
                    "No token has this name.",
                    &[("missing", Error::new(Code::NotFound, "no token has the name \"ci\""))],
                ),
                "409": failure(
                    "It is the last token, and stays: without one everybody could read and write.",
                    &[("last", Error::new(Code::Conflict, "ci is the last token, and without one everybody could read and write; make another first, then revoke this one"))],
                ),
            }),
            &[&["Unknown"][..], &READING].concat(),
        ),
    );
    Map::from_iter([
        ("/tokens".to_string(), json!({"get": list, "post": create})),
        ("/tokens/{name}".to_string(), json!({"delete": revoke})),
    ])
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

// Fields

/// What a request may give for a field. A create and an update take the same, as an update never clears what is required.
fn taken(field: &Field) -> Value {
    let mut schema = match field.kind {
        Kind::Id | Kind::Reference(_) => id_schema(),
        Kind::Text => json!({"type": "string", "pattern": NO_NUL}),
        Kind::Word => json!({"type": "string", "minLength": 1, "pattern": not_blank()}),
        // `email` would be the addresses of RFC 5321 alone; this is RFC 6531, which has them all.
        Kind::Email => json!({"type": "string", "format": "idn-email"}),
        Kind::Time | Kind::Stamp => json!({"type": "string", "pattern": time_taken()}),
        Kind::Attributes => json!({"type": "object", "propertyNames": {"pattern": NO_NUL}}),
    };
    let mut about = format!("{}.", field.about);
    match field.kind {
        Kind::Email => about.push_str(" The domain has a dot; at most 254 bytes."),
        Kind::Word => about.push_str(" Not blank."),
        Kind::Time => about.push_str(
            " Such as `2026-01-31 09:30:00`, `2026-01-31T09:30:00+02:00` or `2026-01-31`, the years 0001 to 9999; UTC without an offset.",
        ),
        Kind::Reference(target) => about.push_str(&format!(" There has to be such {} {}.", article(target.name), target.name)),
        _ => {}
    }
    if field.kind == Kind::Attributes {
        about.push_str(" `null` is the same as `{}`.");
    }
    if field.nullable() || field.kind == Kind::Attributes {
        schema["type"] = json!([schema["type"], "null"]);
    }
    if let Presence::Default(text) = field.presence {
        schema["default"] = match field.kind {
            Kind::Attributes => json!({}),
            _ => text.into(),
        };
    }
    schema["description"] = about.into();
    schema["examples"] = json!([example(field)]);
    schema
}

fn article(name: &str) -> &'static str {
    if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

/// What an answer holds for a field. Texts have no pattern: they may be older than the rules.
fn answered(field: &Field) -> Value {
    let mut schema = match field.kind {
        Kind::Id | Kind::Reference(_) => id_schema(),
        Kind::Text | Kind::Word | Kind::Email => json!({"type": "string"}),
        Kind::Time | Kind::Stamp => json!({"type": "string", "pattern": TIME_STORED}),
        Kind::Attributes => json!({"type": "object"}),
    };
    if field.nullable() {
        schema["type"] = json!([schema["type"], "null"]);
    }
    schema["description"] = format!("{}.", field.about).into();
    schema["examples"] = json!([example(field)]);
    schema
}

fn id_schema() -> Value {
    json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX})
}

fn example(field: &Field) -> Value {
    match field.kind {
        Kind::Id | Kind::Reference(_) | Kind::Attributes => {
            serde_json::from_str(field.example).unwrap_or_default()
        }
        _ => field.example.into(),
    }
}

/// A field under each of its names.
fn names(field: &'static Field) -> impl Iterator<Item = &'static str> {
    std::iter::once(field.name).chain(field.old_name)
}

fn automatic(field: &Field) -> bool {
    field.presence == Presence::Automatic
}

// Schemas

fn noun_schemas(noun: &'static Noun) -> Map<String, Value> {
    let fields = noun.fields.iter();
    let all: Vec<&str> = fields.clone().flat_map(names).collect();
    let properties = |of: fn(&Field) -> Value, fields: &mut dyn Iterator<Item = &'static Field>| {
        let pairs = fields.flat_map(|field| names(field).map(move |name| (name.into(), of(field))));
        pairs.collect::<Map<String, Value>>()
    };
    let answer = properties(answered, &mut fields.clone());
    let writable = properties(taken, &mut fields.clone().filter(|field| !automatic(field)));
    let required: Vec<&str> = fields
        .clone()
        .filter(|field| field.presence == Presence::Required)
        .map(|field| field.name)
        .collect();

    let mut update = writable.clone();
    for field in fields.filter(|field| automatic(field)) {
        let put_back = match field.kind {
            Kind::Id => {
                let mut schema = id_schema();
                schema["description"] =
                    "The record's own id, so that what was read can be put back.".into();
                schema
            }
            _ => {
                json!({"description": "Taken and ignored, so that what was read can be put back."})
            }
        };
        update.insert(field.name.into(), put_back);
    }

    let (title, name) = (noun.title, noun.name);
    let mut schemas = Map::new();
    let mut add = |name: String, schema: Value| schemas.insert(name, schema);
    add(
        format!("{title}Part"),
        json!({
            "type": "object",
            "description": format!("{} {name} with the fields that were asked for with `fields`; all of them without it.", capital(noun.article())),
            "properties": answer,
            "minProperties": 1,
            "additionalProperties": false,
            "examples": [record(noun)],
        }),
    );
    add(
        title.into(),
        json!({
            "description": format!("{}.", noun.about),
            "allOf": [reference("schemas", &format!("{title}Part"))],
            "type": "object",
            "required": all,
            "examples": [record(noun)],
        }),
    );
    add(
        format!("{title}Create"),
        json!({
            "type": "object",
            "description": format!("A new {name}."),
            "properties": writable,
            "required": required,
            "additionalProperties": false,
        }),
    );
    add(
        format!("{title}Update"),
        json!({
            "type": "object",
            "description": format!("What changes in {} {name}; what is left out stays.", noun.article()),
            "properties": update,
            "additionalProperties": false,
        }),
    );
    schemas
}

fn capital(article: &str) -> &'static str {
    if article == "an" { "An" } else { "A" }
}

/// A record with the example of every field.
fn record(noun: &'static Noun) -> Value {
    let fields = noun.fields.iter();
    let pairs =
        fields.flat_map(|field| names(field).map(move |name| (name.into(), example(field))));
    Value::Object(pairs.collect())
}

fn common_schemas() -> Map<String, Value> {
    let schemas = json!({
        "Error": {
            "type": "object",
            "description": "What was wrong.",
            "properties": {
                "error": {"type": "string", "minLength": 1, "description": "One sentence that names the field and what was expected."},
                "fields": {
                    "type": "object",
                    "description": "Every refused field or parameter, with what was expected of it.",
                    "minProperties": 1,
                    "additionalProperties": {"type": "string"},
                },
                "last_backup": {
                    "type": ["string", "null"],
                    "description": "Of /ready alone, as where it succeeds. There where the service makes backups.",
                },
                "backups_failing_since": {
                    "type": ["string", "null"],
                    "description": "Of /ready alone, as where it succeeds. There where the service makes backups.",
                },
            },
            "required": ["error"],
            "additionalProperties": false,
        },
        "Message": {
            "type": "object",
            "description": "What was done.",
            "properties": {"message": {"type": "string"}},
            "required": ["message"],
            "additionalProperties": false,
        },
    });
    object(schemas)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

// Parameters and headers

/// The parameters that are alike for all nouns.
fn parameters() -> Value {
    let words: Vec<&str> = OnDuplicate::WORDS.iter().map(|word| word.0).collect();
    json!({
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header",
            "description": "Makes the request be done once, however often it is sent within 24 hours: the same key with the same body answers what it answered first. Keys are apart by token, method, path and parameters.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
        },
        "IfMatch": {
            "name": "If-Match", "in": "header",
            "description": "Only if the record has this ETag still.",
            "schema": {"type": "string", "pattern": "^(\\*|\"[0-9]{1,19}\")$"},
        },
        "IfNoneMatch": {
            "name": "If-None-Match", "in": "header",
            "description": "Only if the record has another ETag by now.",
            "schema": {"type": "string", "pattern": "^(\\*|\"[0-9]{1,19}\")$"},
        },
        "Id": {
            "name": "id", "in": "path", "required": true,
            "description": "The record's id, a whole number of 1 or more.",
            "schema": id_schema(),
            "example": 1,
        },
        "Search": {
            "name": "q", "in": "query",
            "description": "Only records with this text in one of their text fields, upper and lower case being the same. Example: `ada`.",
            "schema": {"type": "string", "maxLength": LONGEST_PATTERN, "examples": ["ada"]},
        },
        "Limit": {
            "name": "limit", "in": "query",
            "description": "The most records of this page. Without it the whole list is answered, streamed.",
            "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "examples": [100]},
        },
        "After": {
            "name": "after", "in": "query",
            "description": "Where the page before this one ended: the cursor in its `Link` header, opaque, for the same `sort` only.",
            "schema": {"type": "string"},
        },
        "Count": {
            "name": "count", "in": "query",
            "description": "Whether `X-Total-Count` says how many records the filters match, as at the start of the answer.",
            "schema": {"type": "boolean", "default": false},
        },
        "Cascade": {
            "name": "cascade", "in": "query",
            "description": "Whether the lead's actions and processes are deleted with it, in one transaction. Otherwise a lead that has some is not deleted: 409.",
            "schema": {"type": "boolean", "default": false},
        },
        "OnDuplicate": {
            "name": "on_duplicate", "in": "query",
            "description": "What to do when the address is there already: `create` another lead; `reject` with 409, naming the id that has it; `update` that lead (the lowest id where there are several), answered with 200.",
            "schema": {"type": "string", "enum": words, "default": OnDuplicate::default().word()},
        },
    })
}

fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "The request's id, also in the log: the one you sent, or one that crm gave.",
            "required": true,
            "schema": {"type": "string", "minLength": 1},
        },
        "Link": {
            "description": "The next page, where there is a `limit` and more records: `<…>; rel=\"next\"`.",
            "schema": {"type": "string"},
            "example": "</leads?limit=100&after=WyJpZCIsMTAwXQ>; rel=\"next\"",
        },
        "TotalCount": {
            "description": "With `count=true`: how many records the filters match.",
            "schema": {"type": "integer", "minimum": 0},
            "example": 42,
        },
        "RetryAfter": {
            "description": "When to try again, in seconds.",
            "schema": {"type": "integer", "minimum": 0},
            "example": 1,
        },
        "RateLimitPolicy": {
            "description": "For each limit its requests (`q`) in a number of seconds (`w`). With every answer to one who is limited.",
            "schema": {"type": "string"},
            "example": "\"address\";q=100;w=1",
        },
        "ETag": {
            "description": "The record's version: it goes up with each change.",
            "schema": {"type": "string"},
            "example": "\"3\"",
        },
        "IdempotentReplayed": {
            "description": "`true` where this is the answer to an earlier request with the same Idempotency-Key, and nothing was done again.",
            "schema": {"const": "true"},
        },
        "WwwAuthenticate": {
            "description": "How to say who asks (RFC 6750).",
            "schema": {"type": "string"},
            "example": "Bearer realm=\"crm\"",
        },
        "RateLimit": {
            "description": "For each limit the requests that are left (`r`), all of them again after some seconds (`t`).",
            "schema": {"type": "string"},
            "example": "\"address\";r=0;t=1",
        },
        "Allow": {
            "description": "The methods that the path has.",
            "required": true,
            "schema": {"type": "string"},
            "example": "GET, HEAD, POST",
        },
    })
}

/// The parameter that filters by a field.
fn filter(name: &str, field: &Field) -> Value {
    let examples = filter_examples(field);
    let shown: Vec<String> = examples
        .iter()
        .map(|value| format!("`{name}={value}`"))
        .collect();
    let operators = match field.kind.is_id() {
        true => "`eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in`, `is`",
        false => "`eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in`, `is`, `like`",
    };
    let what = match field.kind {
        Kind::Id | Kind::Reference(_) => "a whole number",
        Kind::Time | Kind::Stamp => "a time, or a date for its whole day",
        Kind::Attributes => {
            "text, compared with the whole object as text; for one key see `attributes.KEY`"
        }
        Kind::Text | Kind::Word | Kind::Email => "text",
    };
    json!({
        "name": name,
        "in": "query",
        "description": format!("Filter: `value` or `op:value` with {operators}, where the value is {what}. Examples: {}.", shown.join(", ")),
        "schema": {"type": "string", "examples": examples},
    })
}

fn filter_examples(field: &Field) -> Vec<String> {
    let value = field.example;
    let mut examples: Vec<String> = match field.kind {
        Kind::Id | Kind::Reference(_) => vec![value.into(), "in:1,2,3".into(), "gt:100".into()],
        Kind::Time | Kind::Stamp => vec!["lte:2026-01-01".into(), "2026-01-31".into()],
        Kind::Email => vec![value.into(), "like:%@example.com".into()],
        Kind::Text => vec![value.into(), "like:a%".into()],
        Kind::Word => vec![
            value.into(),
            match field.presence {
                Presence::Default(_) => format!("in:{value},won"),
                _ => "like:%a%".into(),
            },
            format!("ne:{value}"),
        ],
        Kind::Attributes => vec!["ne:{}".into()],
    };
    if field.nullable() {
        examples.extend(["is:null".into(), "is:notnull".into()]);
    }
    examples
}

/// The parameters of a list, besides the header.
fn list_parameters(noun: &'static Noun) -> Vec<Value> {
    let mut list: Vec<Value> = Vec::new();
    for field in noun.fields {
        list.extend(names(field).map(|name| filter(name, field)));
    }
    // The name of an exploded object is never sent, only the names of its keys: the one way to describe a family of
    // parameters.
    list.push(json!({
        "name": "attributes.KEY",
        "in": "query",
        "description": "Filter by your own fields: one parameter `attributes.KEY` for each key, with `value` or `op:value` as for a text field. Numbers are compared as numbers, else as text; a record without the key is as one with null. Examples: `attributes.company=Acme`, `attributes.size=gte:50`, `attributes.company=is:null`.",
        "style": "form",
        "explode": true,
        "schema": {
            "type": "object",
            "propertyNames": {"pattern": r"^attributes\."},
            "additionalProperties": {"type": "string"},
        },
        "examples": {
            "none": {"summary": "No such filter", "value": {}},
            "text": {"summary": "One company", "value": {"attributes.company": "Acme"}},
            "number": {"summary": "A number", "value": {"attributes.size": "gte:50"}},
        },
    }));
    list.push(reference("parameters", "Search"));
    let sortable: Vec<String> = noun
        .fields
        .iter()
        .filter(|field| field.kind != Kind::Attributes)
        .flat_map(names)
        .flat_map(|name| [name.to_string(), format!("-{name}")])
        .collect();
    let text = noun.fields.iter().find(|field| field.searchable());
    let text = text.map_or("id", |field| field.name);
    list.push(json!({
        "name": "sort",
        "in": "query",
        "style": "form",
        "explode": false,
        "description": format!("The order: fields parted by commas, a `-` before one turns it around. Null sorts first, ties go by id. By id without it. Example: `sort=-created_at,{text}`."),
        "schema": {
            "type": "array",
            "items": {"type": "string", "enum": sortable},
            "minItems": 1,
            "uniqueItems": true,
            "examples": [["-created_at", text]],
        },
    }));
    for name in ["Limit", "After"] {
        list.push(reference("parameters", name));
    }
    list.push(fields_parameter(noun));
    list.push(reference("parameters", "Count"));
    list
}

fn fields_parameter(noun: &'static Noun) -> Value {
    let all: Vec<&str> = noun.fields.iter().flat_map(names).collect();
    let text = noun.fields.iter().find(|field| field.searchable());
    let text = text.map_or("id", |field| field.name);
    json!({
        "name": "fields",
        "in": "query",
        "style": "form",
        "explode": false,
        "description": format!("The fields to answer, in this order, parted by commas; all of them without it. Example: `fields=id,{text}`."),
        "schema": {
            "type": "array",
            "items": {"type": "string", "enum": all},
            "minItems": 1,
            "uniqueItems": true,
            "examples": [["id", text]],
        },
    })
}

// Answers

fn media(schema: Value, examples: Value) -> Value {
    json!({"application/json": {"schema": schema, "examples": examples}})
}

/// An answer with the header that all have.
fn answer(description: &str, content: Value) -> Value {
    json!({
        "description": description,
        "headers": {"X-Request-Id": reference("headers", "RequestId")},
        "content": content,
    })
}

/// An error and its examples.
fn failure(description: &str, examples: &[(&str, Error)]) -> Value {
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

fn not_found(noun: &'static Noun) -> Value {
    let error = noun.not_found();
    let schema = json!({
        "type": "object",
        "properties": {"error": {"const": error.message}},
        "required": ["error"],
        "additionalProperties": false,
    });
    let example = json!({"missing": {"value": {"error": error.message}}});
    answer(
        &format!("No {} has this id.", noun.name),
        media(schema, example),
    )
}

/// The errors that more than one operation answers.
fn common_responses() -> Map<String, Value> {
    let error = Error::new;
    let mut responses = Map::new();
    let mut add = |name: &str, response: Value| responses.insert(name.into(), response);
    add(
        "BadId",
        failure(
            "The id or a parameter was refused.",
            &[
                ("id", LEAD.bad_id("abc")),
                (
                    "parameter",
                    Error::field("colour", "no such parameter; this path takes fields"),
                ),
            ],
        ),
    );
    add(
        "BadList",
        failure(
            "A parameter was refused.",
            &[
                (
                    "limit",
                    Error::field(
                        "limit",
                        "expected a whole number of 1 or more, or nothing for the whole list, got \"0\"",
                    ),
                ),
                (
                    "time",
                    Error::field("created_at", format!("{}, got \"soon\"", time::EXPECTED)),
                ),
            ],
        ),
    );
    let mut method = failure(
        "The path does not have this method.",
        &[(
            "method",
            error(Code::Method, "this path takes GET, HEAD, POST"),
        )],
    );
    method["headers"]["Allow"] = reference("headers", "Allow");
    add("MethodNotAllowed", method);
    add(
        "Timeout",
        failure(
            "The body did not arrive within 30 seconds, or what the service is set to; nothing was changed.",
            &[(
                "slow",
                error(Code::Timeout, "body: expected all of it within 30 seconds"),
            )],
        ),
    );
    add(
        "TooLarge",
        failure(
            "The body is larger than 1 MiB, or what the service is set to; nothing was changed.",
            &[(
                "large",
                error(Code::TooLarge, "body: expected at most 1048576 bytes"),
            )],
        ),
    );
    add(
        "UrlTooLong",
        failure(
            "The path is longer than the service takes, with its parameters: 63 KiB unless it is set otherwise.",
            &[(
                "long",
                error(
                    Code::UrlTooLong,
                    "the path: expected at most 64512 bytes with its parameters",
                ),
            )],
        ),
    );
    let mut unauthenticated = failure(
        "A token was expected, or the one that was given is not valid; nothing was done.",
        &[(
            "nobody",
            error(
                Code::Unauthenticated,
                "expected a token: Authorization: Bearer crm_…, for commands CRM_TOKEN or --token-file",
            ),
        )],
    );
    unauthenticated["headers"]["WWW-Authenticate"] = reference("headers", "WwwAuthenticate");
    add("Unauthenticated", unauthenticated);
    let mut denied = failure(
        "The token's scope does not reach so far; nothing was done.",
        &[(
            "scope",
            error(
                Code::Denied,
                "the token ci has the scope read; expected one of the scope write",
            ),
        )],
    );
    denied["headers"]["WWW-Authenticate"] = reference("headers", "WwwAuthenticate");
    add("Denied", denied);
    add(
        "Stale",
        failure(
            "The record has another ETag than `If-Match` names; nothing was changed.",
            &[(
                "changed",
                error(
                    Code::Stale,
                    "If-Match: the record has changed meanwhile, its ETag is \"4\" now; nothing was saved",
                ),
            )],
        ),
    );
    add(
        "KeyReused",
        failure(
            "The Idempotency-Key was used for this path with another body; nothing was changed.",
            &[(
                "reused",
                error(
                    Code::KeyReused,
                    "Idempotency-Key: it was used for this path with another body; expected a new key for a new request",
                ),
            )],
        ),
    );
    let mut not_modified = answer("The record is as `If-None-Match` knows it.", json!({}));
    if let Some(answer) = not_modified.as_object_mut() {
        answer.remove("content");
    }
    not_modified["headers"]["ETag"] = reference("headers", "ETag");
    add("NotModified", not_modified);
    let mut limited = failure(
        "There were too many requests of this address or token within a second; this one did nothing. Only where the service limits them.",
        &[(
            "often",
            error(
                Code::Limited,
                "too many requests: expected at most 100 a second of an address",
            ),
        )],
    );
    limited["headers"]["Retry-After"] = reference("headers", "RetryAfter");
    limited["headers"]["RateLimit-Policy"] = reference("headers", "RateLimitPolicy");
    limited["headers"]["RateLimit"] = reference("headers", "RateLimit");
    add("Limited", limited);
    add(
        "MediaType",
        failure(
            "The body is not `application/json`; nothing was changed.",
            &[(
                "form",
                error(
                    Code::MediaType,
                    "Content-Type: expected application/json, got \"text/plain\"",
                ),
            )],
        ),
    );
    add(
        "Internal",
        failure(
            "A fault of the service. What it was stands in the log, beside the request's id.",
            &[(
                "fault",
                error(
                    Code::Internal,
                    "the service failed; its log says more beside the request id 4f1d8a2b90c35e67",
                ),
            )],
        ),
    );
    let mut unavailable = failure(
        "The service cannot do this now; nothing was saved, and the same request may succeed in a moment.",
        &[(
            "busy",
            error(
                Code::Unavailable,
                "the database is busy: another program has been writing to it for seconds; nothing was saved, try again",
            ),
        )],
    );
    unavailable["headers"]["Retry-After"] = reference("headers", "RetryAfter");
    add("Unavailable", unavailable);
    add(
        "Unknown",
        failure(
            "The database has not told whether it saved this, as in a failover of PostgreSQL or where the disk fails in a commit: the write may have been saved, or not.",
            &[(
                "lost",
                error(
                    Code::Unknown,
                    "the database has not told whether it saved this: it may have been saved; look before you try again",
                ),
            )],
        ),
    );
    add(
        "Full",
        failure(
            "The disk is full; nothing was saved.",
            &[(
                "full",
                error(
                    Code::Full,
                    "the disk is full: nothing was saved; make room and try again",
                ),
            )],
        ),
    );
    responses
}

/// An operation's errors: those of its own, and by their names those it shares with others.
fn errors(own: Value, shared: &[&str]) -> Map<String, Value> {
    let mut all = object(own);
    for name in shared {
        let code = match *name {
            "BadId" | "BadList" => Code::Invalid,
            "Timeout" => Code::Timeout,
            "TooLarge" => Code::TooLarge,
            "UrlTooLong" => Code::UrlTooLong,
            "MediaType" => Code::MediaType,
            "Limited" => Code::Limited,
            "Unavailable" => Code::Unavailable,
            "Unknown" => Code::Unknown,
            "Full" => Code::Full,
            "Internal" => Code::Internal,
            _ => Code::NotFound,
        };
        all.insert(code.status().to_string(), reference("responses", name));
    }
    all
}

/// What may go wrong with any request that asks the database.
const READING: [&str; 3] = ["Internal", "Unavailable", "Full"];

/// What may go wrong with any request that has a body.
const WRITING: [&str; 7] = [
    "Timeout",
    "TooLarge",
    "MediaType",
    "Internal",
    "Unavailable",
    "Unknown",
    "Full",
];

// Paths

/// An operation; its answers stand in the order of their status. The `X-Request-Id` of a request is told in the document's
/// text alone: it is no input of any operation, and as a parameter a fuzzer that follows ids fills it with a record's.
fn operation(
    id: String,
    tag: &str,
    summary: String,
    description: &str,
    parameters: Vec<Value>,
    responses: Map<String, Value>,
) -> Value {
    let mut responses: Vec<(String, Value)> = responses.into_iter().collect();
    responses.extend(errors(json!({}), &["UrlTooLong"]));
    // Who watches the service is never told to come back later.
    if !["health", "ready"].contains(&id.as_str()) {
        responses.extend(errors(json!({}), &["Limited"]));
    }
    responses.sort_by(|a, b| a.0.cmp(&b.0));
    let responses: Map<String, Value> = responses.into_iter().collect();
    let mut operation = json!({"operationId": id, "tags": [tag], "summary": summary});
    if !description.is_empty() {
        operation["description"] = description.into();
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    operation["responses"] = responses.into();
    operation
}

fn collection(noun: &'static Noun) -> Value {
    json!({"get": list(noun), "post": create(noun)})
}

fn item(noun: &'static Noun) -> Value {
    json!({
        "get": get(noun),
        "put": update(noun, "update", ""),
        "patch": update(noun, "patch", " The same as PUT."),
        "delete": delete(noun),
    })
}

/// The plural as it stands in an operation's id.
fn plural_title(noun: &Noun) -> String {
    format!("{}{}", &noun.title[..1], &noun.plural[1..])
}

fn list(noun: &'static Noun) -> Value {
    let part = reference("schemas", &format!("{}Part", noun.title));
    let line = format!("{}\n", record(noun));
    let mut content = media(
        json!({"type": "array", "items": part}),
        json!({
            "records": {"value": [record(noun)]},
            "none": {"value": []},
        }),
    );
    content["application/x-ndjson"] = json!({
        "schema": {"type": "string", "description": format!("One {}Part a line.", noun.title)},
        "examples": {"records": {"value": line}},
    });
    let mut listed = answer(
        &format!(
            "The {}, in id order unless there is a `sort`. With `Accept: application/x-ndjson` one a line, else an array.",
            noun.plural
        ),
        content,
    );
    listed["headers"]["Link"] = reference("headers", "Link");
    listed["headers"]["X-Total-Count"] = reference("headers", "TotalCount");
    let errors = errors(
        json!({"200": listed}),
        &[&["BadList"][..], &READING].concat(),
    );
    let reference = noun
        .fields
        .iter()
        .find(|field| matches!(field.kind, Kind::Reference(_)));
    let status = noun
        .fields
        .iter()
        .find(|field| field.kind == Kind::Word && matches!(field.presence, Presence::Default(_)));
    let filters: Vec<String> = [reference, status]
        .into_iter()
        .flatten()
        .map(|field| format!("{}={}", field.name, field.example))
        .collect();
    operation(
        format!("list{}", plural_title(noun)),
        noun.plural,
        format!("List {}", noun.plural),
        &format!(
            "All filters have to hold: `GET /{}?{}`. Any parameter that is not listed here is refused; for your own fields there are `attributes.KEY` parameters, such as `attributes.company=Acme`.",
            noun.plural,
            filters.join("&")
        ),
        list_parameters(noun),
        errors,
    )
}

fn create(noun: &'static Noun) -> Value {
    let whole = reference("schemas", noun.title);
    let example = json!({"record": {"value": record(noun)}});
    let mut created = answer(
        &format!("The new {}.", noun.name),
        media(whole.clone(), example.clone()),
    );
    let location = json!({
        "description": format!("The path of the {}.", noun.name),
        "required": true,
        "schema": {"type": "string"},
        "example": format!("/{}/1", noun.plural),
    });
    created["headers"]["Location"] = location.clone();
    let links = [("Get", "get"), ("Update", "update"), ("Delete", "delete")].map(|(name, verb)| {
        (
            format!("{name}{}", noun.title),
            json!({
                "operationId": format!("{verb}{}", noun.title),
                "parameters": {"id": "$response.body#/id"},
            }),
        )
    });
    created["links"] = Value::Object(links.into_iter().collect());

    let mut own = json!({"201": created, "400": refused(noun)});
    let mut parameters = Vec::new();
    let mut description = format!("Creates {} {}.", noun.article(), noun.name);
    if *noun == LEAD {
        parameters.push(reference("parameters", "OnDuplicate"));
        description.push_str(
            " An address may be there several times, unless `on_duplicate` asks otherwise.",
        );
        own["200"] = answer(
            "With `on_duplicate=update`: the lead that had the address, changed.",
            media(whole, example),
        );
        own["200"]["headers"]["Location"] = location;
        own["409"] = failure(
            "With `on_duplicate=reject`: another lead has the address.",
            &[(
                "duplicate",
                Error::new(
                    Code::Conflict,
                    "email: lead 1 has the address ada@example.com already",
                ),
            )],
        );
    }
    let required = noun
        .fields
        .iter()
        .filter(|field| field.presence == Presence::Required);
    let whole = noun.fields.iter().filter(|field| !automatic(field));
    let examples = json!({
        "required": {"summary": "What is required", "value": given(required)},
        "whole": {"summary": "Every field", "value": given(whole)},
    });
    let mut operation = operation(
        format!("create{}", noun.title),
        noun.plural,
        format!("Create {} {}", noun.article(), noun.name),
        &description,
        parameters,
        errors(own, &WRITING),
    );
    operation["requestBody"] = body(&format!("{}Create", noun.title), examples);
    operation
}

/// The examples of these fields as a request's body.
fn given(fields: impl Iterator<Item = &'static Field>) -> Value {
    Value::Object(
        fields
            .map(|field| (field.name.into(), example(field)))
            .collect(),
    )
}

fn body(schema: &str, examples: Value) -> Value {
    json!({
        "required": true,
        "description": "At most 1 MiB and 127 levels, unless the service is set to less.",
        "content": media(reference("schemas", schema), examples),
    })
}

/// The 400 of a create or an update, with what the checks themselves say.
fn refused(noun: &'static Noun) -> Value {
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
        "The body, a field, the id or a parameter was refused; nothing was changed. All refused fields are named at once.",
        &examples,
    )
}

fn get(noun: &'static Noun) -> Value {
    let part = reference("schemas", &format!("{}Part", noun.title));
    let found = answer(
        &format!("The {}.", noun.name),
        media(part, json!({"record": {"value": record(noun)}})),
    );
    let missing = format!("{}NotFound", noun.title);
    operation(
        format!("get{}", noun.title),
        noun.plural,
        format!("Get {} {}", noun.article(), noun.name),
        "",
        vec![reference("parameters", "Id"), fields_parameter(noun)],
        errors(
            json!({"200": found}),
            &[&["BadId", &missing][..], &READING].concat(),
        ),
    )
}

fn update(noun: &'static Noun, verb: &str, note: &str) -> Value {
    let changed = answer(
        &format!("The whole {} as it is now.", noun.name),
        media(
            reference("schemas", noun.title),
            json!({"record": {"value": record(noun)}}),
        ),
    );
    let missing = format!("{}NotFound", noun.title);
    let attributes = json!({"company": "Acme", "phone": null});
    let mut examples = json!({
        "attributes": {
            "summary": "Set one of your own fields, remove another",
            "value": {"attributes": attributes},
        },
    });
    let clearable = noun
        .fields
        .iter()
        .find(|field| field.nullable() && field.searchable());
    if let Some(field) = clearable {
        examples["change"] =
            json!({"summary": "Change a field", "value": {field.name: example(field)}});
        examples["clear"] = json!({"summary": "Clear a field", "value": {field.name: null}});
    }
    let mut operation = operation(
        format!("{verb}{}", noun.title),
        noun.plural,
        format!("Change {} {}", noun.article(), noun.name),
        &format!(
            "Changes the fields given. Attributes merge by their top-level keys.{}{note}",
            old_name_note(noun)
        ),
        vec![reference("parameters", "Id")],
        errors(
            json!({"200": changed, "400": refused(noun)}),
            &[&[missing.as_str()][..], &WRITING].concat(),
        ),
    );
    operation["requestBody"] = body(&format!("{}Update", noun.title), examples);
    operation
}

fn old_name_note(noun: &'static Noun) -> String {
    let renamed = noun.fields.iter().filter_map(|field| {
        let old = field.old_name?;
        Some(format!(
            " Where both `{name}` and `{old}` are given, the one that differs from what is stored counts, and `{name}` if both do.",
            name = field.name
        ))
    });
    renamed.collect()
}

fn delete(noun: &'static Noun) -> Value {
    let done = format!("{} deleted", noun.title);
    let deleted = answer(
        "It is gone; its id is never given again.",
        media(
            reference("schemas", "Message"),
            json!({"deleted": {"value": {"message": done}}}),
        ),
    );
    let missing = format!("{}NotFound", noun.title);
    let mut own = json!({"200": deleted});
    let mut parameters = vec![reference("parameters", "Id")];
    let mut description = String::new();
    if *noun == LEAD {
        parameters.push(reference("parameters", "Cascade"));
        description =
            "A lead that has actions or processes is not deleted, unless `cascade=true`.".into();
        own["409"] = failure(
            "The lead has actions or processes; nothing was deleted.",
            &[(
                "in_use",
                Error::new(
                    Code::Conflict,
                    "Lead 1 has 2 actions and 1 process; delete them first, or all together (?cascade=true, --cascade)",
                ),
            )],
        );
    } else if noun.name == "action" {
        description = "A process that names it as its last action has none then.".into();
    }
    operation(
        format!("delete{}", noun.title),
        noun.plural,
        format!("Delete {} {}", noun.article(), noun.name),
        &description,
        parameters,
        errors(
            own,
            &[&["BadId", &missing, "Unknown"][..], &READING].concat(),
        ),
    )
}

fn service_paths() -> Map<String, Value> {
    let get = |id: &str, summary: &str, description: &str, responses: Map<String, Value>| json!({"get": operation(id.into(), "service", summary.into(), description, Vec::new(), responses)});
    let status = |word: &str, more: Value| {
        let mut properties = json!({"status": {"const": word}});
        let mut example = json!({"status": word});
        let mut required = vec![json!("status")];
        for (name, schema) in object(more) {
            example[&name] = schema["examples"][0].clone();
            // What may be null comes only where there is a schedule of backups.
            if schema["type"].is_string() {
                required.push(name.clone().into());
            }
            properties[&name] = schema;
        }
        let schema = json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        });
        media(schema, json!({word: {"value": example}}))
    };
    let readiness = json!({
        "last_commit": {
            "type": "string",
            "pattern": TIME_STORED,
            "description": "When the database was last written, UTC; no older than 5 seconds.",
            "examples": ["2026-01-31 09:30:00"],
        },
        "last_backup": {
            "type": ["string", "null"],
            "pattern": TIME_STORED,
            "description": "When the newest backup was made, UTC. There where the service makes backups.",
            "examples": ["2026-01-31 09:00:00"],
        },
        "backups_failing_since": {
            "type": ["string", "null"],
            "pattern": TIME_STORED,
            "description": "When the first backup failed after the newest one, UTC; null while they succeed. There where the service makes backups.",
            "examples": [null],
        },
    });
    let mut paths = Map::new();
    paths.insert(
        "/health".into(),
        get(
            "health",
            "Is it alive?",
            "Answers while the process runs, whatever the database does.",
            errors(
                json!({"200": answer("It is.", status("ok", json!({})))}),
                &["Internal"],
            ),
        ),
    );
    paths.insert(
        "/ready".into(),
        get(
            "ready",
            "Can it do its work?",
            "Shows a real commit to the database.",
            errors(
                json!({"200": answer("It can.", status("ready", readiness))}),
                &READING,
            ),
        ),
    );
    paths.insert(
        "/metrics".into(),
        get(
            "metrics",
            "What it does, in numbers",
            "For Prometheus, in the text form of OpenMetrics.",
            errors(
                json!({"200": answer("All numbers.", json!({"application/openmetrics-text": {"schema": {"type": "string", "pattern": "# EOF\n$"}}}))}),
                &["Internal"],
            ),
        ),
    );
    paths.insert(
        "/openapi.json".into(),
        get(
            "openapi",
            "This document",
            "",
            errors(
                json!({"200": answer("OpenAPI 3.1.", json!({"application/json": {"schema": {"type": "object"}}}))}),
                &["Internal"],
            ),
        ),
    );
    paths.insert(
        "/docs".into(),
        get(
            "docs",
            "This document as a page that can try it out",
            "",
            errors(
                json!({"200": answer("The page.", json!({"text/html": {"schema": {"type": "string"}}}))}),
                &["Internal"],
            ),
        ),
    );
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::email;

    fn parsed() -> Value {
        serde_json::from_str(&document(&NOUNS)).unwrap()
    }

    /// The value at a `$ref`.
    fn resolve<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(path) => root.pointer(path.strip_prefix('#').unwrap()).unwrap(),
            None => value,
        }
    }

    fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Map<String, Value>)) {
        match value {
            Value::Object(map) => {
                visit(map);
                map.values().for_each(|value| walk(value, visit));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, visit)),
            _ => {}
        }
    }

    fn operations(root: &Value) -> Vec<(String, &Value)> {
        let mut all = Vec::new();
        for (path, item) in root["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                all.push((format!("{method} {path}"), operation));
            }
        }
        all
    }

    #[test]
    fn every_reference_resolves_and_every_component_is_used() {
        let root = parsed();
        let mut used = Vec::new();
        walk(&root, &mut |map| {
            if let Some(path) = map.get("$ref") {
                let path = path.as_str().unwrap();
                assert!(root.pointer(&path[1..]).is_some(), "{path}");
                used.push(path.to_string());
            }
        });
        let components = root["components"].as_object().unwrap();
        // These are named by the operations' `security`.
        let referred = components.iter().filter(|one| one.0 != "securitySchemes");
        for (kind, components) in referred {
            for name in components.as_object().unwrap().keys() {
                let path = format!("#/components/{kind}/{name}");
                // A method that a path does not have is no operation, so that none can refer to its answer.
                assert!(used.contains(&path) || name == "MethodNotAllowed", "{path}");
            }
        }
    }

    #[test]
    fn what_an_operation_has_not_is_not_there() {
        let root = parsed();
        for operations in root["paths"].as_object().unwrap().values() {
            for operation in operations.as_object().unwrap().values() {
                for (name, value) in operation.as_object().unwrap() {
                    assert!(!value.is_null(), "{name} of {operation}");
                }
            }
        }
    }

    #[test]
    fn every_field_is_in_the_schemas_and_a_list_parameter() {
        let root = parsed();
        for noun in NOUNS {
            let list = &root["paths"][format!("/{}", noun.plural)]["get"]["parameters"];
            let listed: Vec<&str> = list
                .as_array()
                .unwrap()
                .iter()
                .map(|parameter| resolve(&root, parameter)["name"].as_str().unwrap())
                .collect();
            let schema =
                |suffix: &str| &root["components"]["schemas"][format!("{}{suffix}", noun.title)];
            for field in noun.fields {
                for name in names(field) {
                    assert!(listed.contains(&name), "{} {name}", noun.name);
                    assert!(schema("Part")["properties"][name].is_object(), "{name}");
                    assert!(
                        schema("")["required"]
                            .as_array()
                            .unwrap()
                            .contains(&name.into())
                    );
                    assert!(schema("Update")["properties"][name].is_object(), "{name}");
                }
            }
            let create: Vec<&String> = schema("Create")["properties"]
                .as_object()
                .unwrap()
                .keys()
                .collect();
            assert_eq!(create, noun.writable());
            for name in [
                "q",
                "sort",
                "limit",
                "after",
                "fields",
                "count",
                "attributes.KEY",
            ] {
                assert!(listed.contains(&name), "{} {name}", noun.name);
            }
        }
    }

    #[test]
    fn every_operation_is_there_with_the_errors_it_can_answer() {
        let root = parsed();
        let mut ids = Vec::new();
        for (place, operation) in operations(&root) {
            ids.push(operation["operationId"].as_str().unwrap());
            for (status, response) in operation["responses"].as_object().unwrap() {
                let response = resolve(&root, response);
                assert!(
                    response["headers"]["X-Request-Id"].is_object(),
                    "{place} {status}"
                );
                assert_ne!(response["content"], json!({}), "{place} {status}");
            }
            let statuses: Vec<&String> =
                operation["responses"].as_object().unwrap().keys().collect();
            let expected = match place.as_str() {
                "get /leads" | "get /actions" | "get /processes" | "get /tokens" => {
                    "200 400 401 403 414 429 500 503 507"
                }
                "post /leads" => "200 201 400 401 403 408 409 413 414 415 422 429 500 503 504 507",
                "post /actions" | "post /processes" => {
                    "201 400 401 403 408 413 414 415 422 429 500 503 504 507"
                }
                "post /tokens" => "201 400 401 403 408 409 413 414 415 422 429 500 503 504 507",
                "delete /tokens/{name}" => "200 400 401 403 404 409 414 422 429 500 503 504 507",
                "delete /leads/{id}" => "200 400 401 403 404 409 412 414 422 429 500 503 504 507",
                "get /ready" => "200 414 500 503 507",
                place if place.starts_with("put") || place.starts_with("patch") => {
                    "200 400 401 403 404 408 412 413 414 415 422 429 500 503 504 507"
                }
                place if place.starts_with("delete") => {
                    "200 400 401 403 404 412 414 422 429 500 503 504 507"
                }
                place if place.ends_with("{id}") => {
                    "200 304 400 401 403 404 412 414 429 500 503 507"
                }
                "get /health" => "200 414 500",
                "get /metrics" => "200 401 403 414 429 500 503",
                _ => "200 414 429 500",
            };
            let statuses: Vec<&str> = statuses.into_iter().map(String::as_str).collect();
            assert_eq!(statuses.join(" "), expected, "{place}");
        }
        assert_eq!(
            ids.join(" "),
            "listLeads createLead getLead updateLead patchLead deleteLead \
             listActions createAction getAction updateAction patchAction deleteAction \
             listProcesses createProcess getProcess updateProcess patchProcess deleteProcess \
             listTokens createToken revokeToken health ready metrics openapi docs"
        );
    }

    #[test]
    fn the_examples_are_taken_by_the_checks() {
        let root = parsed();
        for noun in NOUNS {
            let post = &root["paths"][format!("/{}", noun.plural)]["post"];
            let examples = &post["requestBody"]["content"]["application/json"]["examples"];
            for example in examples.as_object().unwrap().values() {
                let body = example["value"].to_string();
                let draft = Draft::from_json(noun, body.as_bytes(), Purpose::Create).unwrap();
                assert!(draft.row().is_ok(), "{body}");
            }
            for field in noun.fields {
                match field.kind {
                    Kind::Email => assert_eq!(email(field.example).as_deref(), Some(field.example)),
                    Kind::Time | Kind::Stamp => {
                        assert_eq!(time::parse(field.example).as_deref(), Some(field.example));
                    }
                    _ => assert!(!example(field).is_null(), "{}", field.name),
                }
            }
        }
    }

    #[test]
    fn a_record_as_crm_writes_it_has_the_documented_fields_in_their_order() {
        let root = parsed();
        for noun in NOUNS {
            let schema = &root["components"]["schemas"][noun.title];
            let example = schema["examples"][0].to_string();
            let record = crate::model::record::Record::from_json(noun, example.as_bytes()).unwrap();
            assert_eq!(record.to_json(), example);
        }
    }

    #[test]
    fn the_refusals_shown_are_those_of_the_checks() {
        let text = document(&NOUNS);
        for shown in [
            r#"{"error":"Lead not found"}"#,
            r#"{"error":"Action not found"}"#,
            r#"{"error":"Process not found"}"#,
            r#""email":"is required; expected an e-mail address like ada@example.com""#,
        ] {
            assert!(text.contains(shown), "{shown}");
        }
    }
}
