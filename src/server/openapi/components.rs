//! The parts of the document that operations share: parameters, headers, and the errors that more than one can answer.

use serde_json::{Map, Value, json};

use crate::base::error::{Code, Error};
use crate::base::time;
use crate::model::nouns::NOUNS;
use crate::model::query::{LARGEST_LIMIT, LONGEST_PATTERN};
use crate::model::record::Noun;
use crate::operation::describe::{answer, failure, media, object, reference};
use crate::operation::fields::id_schema;

/// Schemas that no noun has alone.
pub(super) fn common_schemas() -> Map<String, Value> {
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

/// The parameters that are alike for all nouns.
pub(super) fn parameters() -> Value {
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
    })
}

/// Headers of answers.
pub(super) fn headers() -> Value {
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

/// The 404 of a noun.
pub(super) fn not_found(noun: &'static Noun) -> Value {
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
pub(super) fn common_responses() -> Map<String, Value> {
    let error = Error::new;
    let mut responses = Map::new();
    let mut add = |name: &str, response: Value| responses.insert(name.into(), response);
    add(
        "BadId",
        failure(
            "The id or a parameter was refused.",
            &[
                ("id", NOUNS[0].bad_id("abc")),
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
            error(
                Code::Method,
                "method not allowed; this path takes GET, HEAD, POST",
            ),
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
                "authentication required; send a token as Authorization: Bearer crm_…; commands take it from CRM_TOKEN or --token-file",
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
                "access denied: the token ci has the scope read; expected a token with the scope write",
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
                    "internal error; the log of the service has the details under the request id 4f1d8a2b90c35e67",
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
