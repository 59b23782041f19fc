//! `GET /calendar/{file}`: the follow-ups as a calendar that apps subscribe to.

use serde_json::json;

use crate::base::error::{Code, Error, Result};
use crate::model::token::Scope;
use crate::operation::about::{About, Access, Describe, Needs};
use crate::operation::describe::{Described, answer, failure, reference};
use crate::operation::service::{Answered, Inform, Service};
use crate::store::sql::calendar::{MOST_COMING, MOST_OVERDUE};

/// Returns the follow-ups as a calendar. The token is in the path, because calendar apps send nothing else.
pub struct Calendar;

/// The path of the calendar of a token, for the person who made it.
pub fn path(secret: &str) -> String {
    Calendar::ABOUT.at(None, &format!("{secret}{END}"))
}

/// The end of the path, by which apps know what it is.
pub const END: &str = ".ics";

impl Inform for Calendar {
    const ABOUT: &'static About = &About {
        methods: &[("GET", "calendar")],
        path: "/calendar/{file}",
        access: Access::InPath(Scope::Calendar),
        needs: Needs::Database,
        summary: "Get the follow-ups as a calendar",
        describe: Describe::Plain(describe),
        ..About::SERVICE
    };

    async fn inform(service: &impl Service, _rest: &str) -> Result<Answered> {
        service.calendar().await
    }
}

/// The error for a path that is not that of a calendar. It does not tell why.
pub fn unknown() -> Error {
    let message = "no calendar has this address: its token is unknown, was revoked or has expired, or has another scope \
                   than calendar; create a new one: crm token create NAME --scope calendar";
    Error::new(Code::NotFound, message)
}

fn describe() -> Described {
    let file = json!({
        "name": "file",
        "in": "path",
        "required": true,
        "description": "The token, followed by `.ics`.",
        "schema": {"type": "string", "pattern": "^crm_[0-9A-Za-z]{32}\\.ics$"},
    });
    let condition = |name: &str, about: &str| json!({"name": name, "in": "header", "description": about, "schema": {"type": "string"}});
    let calendar = json!({
        "description": "The calendar.",
        "headers": {
            "X-Request-Id": reference("headers", "RequestId"),
            "ETag": {"description": "Stands for exactly this calendar.", "schema": {"type": "string"}},
            "Last-Modified": {"description": "When a record was changed last.", "schema": {"type": "string"}},
        },
        "content": {"text/calendar": {"schema": {"type": "string"}}},
    });
    let parameters = vec![
        file,
        condition(
            "If-None-Match",
            "The ETag of the calendar that the client has.",
        ),
        condition(
            "If-Modified-Since",
            "The Last-Modified of the calendar that the client has.",
        ),
    ];
    let mut unchanged = answer("The client has it already.", json!({}));
    if let Some(parts) = unchanged.as_object_mut() {
        // It has no body.
        parts.remove("content");
    }
    Described::new(format!(
        "iCalendar (RFC 5545) for apps that subscribe to it: an event of 15 minutes with an alarm for each follow-up of an open \
         process, at most the {MOST_OVERDUE} that were due last and the {MOST_COMING} that come next. The token in the path is \
         one with the scope `calendar`; the path is in the answer that creates it. No other token opens it, and that token \
         opens nothing else."
    ))
    .answers(200, calendar)
    .answers(304, unchanged)
    .answers(404, failure("No token with the scope `calendar` is valid here.", &[("unknown", unknown())]))
    .parameters(parameters)
}
