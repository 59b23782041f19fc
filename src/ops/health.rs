//! `GET /health`: reports that the process runs.

use serde_json::json;

use crate::base::error::Result;
use crate::operation::about::{About, Access, Describe, Needs};
use crate::operation::describe::{Described, answer, status};
use crate::operation::service::{Answered, Inform, Service};

/// Reports that the process runs. It does not use the database.
pub struct Health;

impl Inform for Health {
    const ABOUT: &'static About = &About {
        methods: &[("GET", "health")],
        path: "/health",
        access: Access::Public,
        needs: Needs::NothingAlways,
        summary: "Show that the process runs",
        describe: Describe::Plain(|| {
            Described::new(
                "Answers as long as the process runs, whatever the state of the database.",
            )
            .answers(200, answer("It runs.", status("ok", json!({}))))
        }),
        ..About::SERVICE
    };

    async fn inform(_service: &impl Service, _rest: &str) -> Result<Answered> {
        Ok(Answered::json(r#"{"status":"ok"}"#).uncached())
    }
}
