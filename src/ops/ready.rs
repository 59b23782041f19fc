//! `GET /ready`: reports whether the service accepts writes.

use serde_json::json;

use crate::base::error::Result;
use crate::operation::about::{About, Access, Describe, Needs};
use crate::operation::describe::{Described, answer, status};
use crate::operation::fields::TIME_STORED;
use crate::operation::service::{Answered, Inform, Service};

/// Reports whether the service accepts writes. The answer is based on a real commit to the database.
pub struct Readiness;

impl Inform for Readiness {
    const ABOUT: &'static About = &About {
        methods: &[("GET", "ready")],
        path: "/ready",
        access: Access::Public,
        needs: Needs::DatabaseAlways,
        summary: "Show whether the service accepts writes",
        describe: Describe::Plain(describe),
        ..About::SERVICE
    };

    async fn inform(service: &impl Service, _rest: &str) -> Result<Answered> {
        let error = match service.ready().await {
            Ok(ready) => return Ok(Answered::json(ready.to_json()).uncached()),
            Err(error) => error,
        };
        let body = match service.backups() {
            Some(report) => report.beside(&error.to_json()),
            None => String::new(),
        };
        Ok(Answered::error(error, body).uncached())
    }
}

fn describe() -> Described {
    let more = json!({
        "last_commit": {
            "type": "string",
            "pattern": TIME_STORED,
            "description": "The time of the last commit to the database, UTC; at most 5 seconds ago.",
            "examples": ["2026-01-31 09:30:00"],
        },
        "last_backup": {
            "type": ["string", "null"],
            "pattern": TIME_STORED,
            "description": "The time of the newest backup, UTC. Present if the service makes backups.",
            "examples": ["2026-01-31 09:00:00"],
        },
        "backups_failing_since": {
            "type": ["string", "null"],
            "pattern": TIME_STORED,
            "description": "The time of the first backup that failed after the newest one, UTC; null while backups succeed. Present if the service makes backups.",
            "examples": [null],
        },
        "search_unindexed": {
            "type": ["integer", "null"],
            "minimum": 1,
            "description": "At most how many records a search does not find yet, because its index is being made. Present until it is done.",
            "examples": [null],
        },
    });
    Described::new("The answer is based on a real commit to the database.")
        .answers(200, answer("It accepts writes.", status("ready", more)))
}
