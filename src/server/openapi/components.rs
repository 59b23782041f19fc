//! Parts of the document that operations share: parameters, headers and errors.

use serde_json::{Map, Value, json};

use crate::base::error::{Code, Error};
use crate::base::time;
use crate::model::author::LONGEST_NAME;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::query::{END, LARGEST_LIMIT, LONGEST_PATTERN};
use crate::operation::describe::{answer, failure, object, reference};
use crate::operation::fields::id_schema;

/// Schemas that do not belong to a noun.
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
                "merged_into": {
                    "type": "integer",
                    "format": "int64",
                    "description": "Of a lead that is missing because it was merged: the id of the one that it was merged into.",
                },
                "last_backup": {
                    "type": ["string", "null"],
                    "description": "Only from /ready, as in its success. Present if the service makes backups.",
                },
                "backups_failing_since": {
                    "type": ["string", "null"],
                    "description": "Only from /ready, as in its success. Present if the service makes backups.",
                },
            },
            "required": ["error"],
        },
        "Attributes": {
            "type": "object",
            "description": "Your own fields: any JSON values by their keys.",
            "additionalProperties": true,
        },
        "RecordValues": {
            "type": "object",
            "description": "Values of a record by the names of its fields.",
            "additionalProperties": true,
        },
        "Message": {
            "type": "object",
            "description": "What was done.",
            "properties": {"message": {"type": "string"}},
            "required": ["message"],
        },
    });
    object(schemas)
}

/// Parameters that are the same for all nouns.
pub(super) fn parameters() -> Value {
    json!({
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header",
            "description": "With a key, a request is done once, no matter how often it is sent within 24 hours. The same key with the same body gets the first answer again. A key belongs to a token, a method, a path and its parameters. Use a new one for each new request, such as a random UUID.",
            // Without an example: pages that try requests out would send it with every request.
            "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        },
        "OnBehalfOf": {
            "name": "On-Behalf-Of", "in": "header",
            "description": "For whom the caller acts, such as the user of an agent. It is kept with each change and never checked.",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
        },
        "ChangeGroup": {
            "name": "Change-Group", "in": "header",
            "description": "The group that the changes of this request join, from the answer to an earlier request of the same token. They are then taken back together.",
            "schema": id_schema(),
        },
        "IfMatch": {
            "name": "If-Match", "in": "header",
            "description": "Only if the record still has this ETag.",
            "schema": {"type": "string", "pattern": "^(\\*|\"[0-9]{1,19}\")$"},
        },
        "IfNoneMatch": {
            "name": "If-None-Match", "in": "header",
            "description": "Only if the record now has another ETag.",
            "schema": {"type": "string", "pattern": "^(\\*|\"[0-9]{1,19}\")$"},
        },
        "Id": {
            "name": "id", "in": "path", "required": true,
            "description": "The record's id, a whole number of 1 or more.",
            // Without an example: pages that try requests out would fill it in, also for a delete.
            "schema": id_schema(),
        },
        "Search": {
            "name": "q", "in": "query",
            "description": "Only records with this text in one of their text fields or in a value of their `attributes`. Case is ignored. Example: `ada`.",
            "schema": {"type": "string", "maxLength": LONGEST_PATTERN, "examples": ["ada"]},
        },
        "Zone": {
            "name": "tz", "in": "query",
            "description": "The time zone of times without an offset and of days: a name of the IANA database such as `Europe/Berlin`, `UTC`, or an offset such as `+05:30`, whose `+` a URL writes as `%2B`. The default is UTC, unless the service was started with another. A time that the clock skips is taken as much later as the clock was set forward; one that occurs twice is the first of the two. Answers are in UTC.",
            "schema": {"type": "string", "examples": ["Europe/Berlin"]},
        },
        "Limit": {
            "name": "limit", "in": "query",
            "description": "The largest number of records in this page. Without it the whole list is streamed.",
            "schema": {"type": "integer", "format": "int64", "minimum": 1, "maximum": LARGEST_LIMIT, "examples": [100]},
        },
        "After": {
            "name": "after", "in": "query",
            "description": "The cursor from the `Link` header of the page before this one. It is opaque, and only valid with the same `sort`.",
            "schema": {"type": "string"},
        },
        "AfterChange": {
            "name": "after", "in": "query",
            "description": format!("The cursor from the `Link` header of an earlier answer, or `{END}` for the end of the list: the answer has no records, and its `Link` leads to those that are still to come. A cursor does not depend on the filters. It is opaque, and only valid with the same `sort`."),
            "schema": {"type": "string"},
        },
        "Count": {
            "name": "count", "in": "query",
            "description": "Whether `X-Total-Count` has the number of records that match the filters, counted at the start of the answer. The default is `false`.",
            "schema": {"type": "boolean"},
        },
    })
}

/// Headers of answers.
pub(super) fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "The id of the request, which is also in the log: the one that you sent, or one from crm.",
            "required": true,
            "schema": {"type": "string", "minLength": 1},
        },
        "Link": {
            "description": "The next page, if there is a `limit` and there are more records: `<…>; rel=\"next\"`. It is relative to the URL of the request.",
            "schema": {"type": "string"},
            "example": "<leads?limit=100&after=WyJpZCIsMTAwXQ>; rel=\"next\"",
        },
        "NextLink": {
            "description": "What comes next: `<…>; rel=\"next\"`. In the order of the numbers it is always there, at the end too, and leads to the records that are still to come. It is relative to the URL of the request.",
            "schema": {"type": "string"},
            "example": "<changes?limit=100&after=N2Y2YjE0YzQ0ZTJkM2IwYTo4MTI>; rel=\"next\"",
        },
        "TotalCount": {
            "description": "With `count=true`: the number of records that match the filters.",
            "schema": {"type": "integer", "format": "int64", "minimum": 0},
            "example": 42,
        },
        "UnindexedCount": {
            "description": "Present if the index of the search is being made: at most how many records are not found by it yet.",
            "schema": {"type": "integer", "format": "int64", "minimum": 1},
            "example": 120000,
        },
        "RetryAfter": {
            "description": "When to try again, in seconds.",
            "schema": {"type": "integer", "minimum": 0},
            "example": 1,
        },
        "RateLimitPolicy": {
            "description": "For each limit the allowed requests (`q`) in a number of seconds (`w`). Every answer to a client with a limit has it.",
            "schema": {"type": "string"},
            "example": "\"address\";q=100;w=1",
        },
        "ETag": {
            "description": "The version of the record, which increases with each change.",
            "schema": {"type": "string"},
            "example": "\"3\"",
        },
        "ChangeGroup": {
            "description": "The group of the changes of this request: the number of its first change. An answer without it changed no record.",
            "schema": {"type": "integer", "minimum": 1},
            "example": 812,
        },
        "IdempotentReplayed": {
            "description": "`true` if this is the answer to an earlier request with the same Idempotency-Key. Nothing was done again.",
            "schema": {"type": "string", "const": "true"},
        },
        "WwwAuthenticate": {
            "description": "How to authenticate (RFC 6750).",
            "schema": {"type": "string"},
            "example": "Bearer realm=\"crm\"",
        },
        "RateLimit": {
            "description": "For each limit the requests that are left (`r`), and the seconds until all are allowed again (`t`).",
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
    if *noun == LEAD {
        return lead_not_found();
    }
    failure(
        &format!("No {} has this id.", noun.name),
        &[("missing", noun.not_found())],
    )
}

/// The 404 of leads, which may have been merged.
fn lead_not_found() -> Value {
    failure(
        "No lead has this id. If it was merged into another one, `merged_into` is the id of that.",
        &[
            ("missing", LEAD.not_found()),
            ("merged", LEAD.not_found().merged(LEAD.name, 5)),
        ],
    )
}

/// Errors that several operations share.
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
            "The body did not arrive within 30 seconds, or the configured time; nothing was changed.",
            &[(
                "slow",
                error(Code::Timeout, "body: expected all of it within 30 seconds"),
            )],
        ),
    );
    add(
        "TooLarge",
        failure(
            "The body is larger than 1 MiB, or the configured size; nothing was changed.",
            &[(
                "large",
                error(Code::TooLarge, "body: expected at most 1048576 bytes"),
            )],
        ),
    );
    add(
        "UrlTooLong",
        failure(
            "The path with its parameters is longer than 63 KiB, or the configured size.",
            &[(
                "long",
                error(
                    Code::UrlTooLong,
                    "the path: expected at most 64512 bytes with its parameters",
                ),
            )],
        ),
    );
    add(
        "Misdirected",
        failure(
            "`Host` names a host that the service does not answer for; nothing was done. This is only possible if it listens on a loopback address and has no token.",
            &[(
                "host",
                error(
                    Code::Misdirected,
                    "Host: expected localhost, a loopback address or a host that --allowed-host names, got \"crm.example.com\"",
                ),
            )],
        ),
    );
    let mut unauthenticated = failure(
        "A token is required, or the given token is not valid; nothing was done.",
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
        "The scope of the token does not allow this, or a write is from a page of another site; nothing was done.",
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
        "Gone",
        failure(
            "The list cannot be read on from the cursor: what follows it is no longer kept, or the database was restored or copied since.",
            &[(
                "removed",
                Error {
                    code: Code::Gone,
                    ..Error::field(
                        "after",
                        "the changes that follow the cursor are no longer kept; take a new cursor with after=end, then read the records themselves, and go on from that cursor",
                    )
                },
            )],
        ),
    );
    add(
        "KeyReused",
        failure(
            "The Idempotency-Key was already used for this path with another body; nothing was changed.",
            &[(
                "reused",
                error(
                    Code::KeyReused,
                    "Idempotency-Key: it was used for this path with another body; expected a new key for a new request",
                ),
            )],
        ),
    );
    let mut not_modified = answer(
        "The record still has an ETag that `If-None-Match` names.",
        json!({}),
    );
    if let Some(answer) = not_modified.as_object_mut() {
        answer.remove("content");
    }
    not_modified["headers"]["ETag"] = reference("headers", "ETag");
    add("NotModified", not_modified);
    let mut limited = failure(
        "Too many requests from this address or token within a second; nothing was done. This is only possible if the service has such a limit.",
        &[(
            "often",
            error(
                Code::Limited,
                "too many requests: expected at most 100 a second per address",
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
            "An internal error. The log has the details under the id of the request.",
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
        "The service cannot do this now; nothing was saved. The same request may succeed soon.",
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
            "It is unknown whether the database saved this, for example in a failover of PostgreSQL, or if the disk fails during a commit.",
            &[(
                "lost",
                error(
                    Code::Unknown,
                    "the database did not confirm whether it saved this: it may have been saved; check before you try again",
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
