//! `GET /ready`: whether writes are taken.

use serde_json::json;

use crate::base::error::Result;
use crate::operation::about::{About, Access, Answer, Body, Describe, Needs, Of};
use crate::operation::describe::{Described, answer, status};
use crate::operation::fields::TIME_STORED;
use crate::operation::service::{Answered, Inform, Service};

/// Whether writes are taken. It shows a real commit to the database.
pub struct Readiness;

impl Inform for Readiness {
    const ABOUT: &'static About = &About {
        of: Of::Service,
        methods: &[("GET", "ready")],
        path: "/ready",
        access: Access::Public,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Other,
        needs: Needs::DatabaseAlways,
        summary: "Can it do its work?",
        describe: Describe::Plain(describe),
        words: None,
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
    Described::new("Shows a real commit to the database.")
        .answers(200, answer("It can.", status("ready", more)))
}
