//! `GET /health`: whether the process runs.

use serde_json::json;

use crate::base::error::Result;
use crate::operation::about::{About, Access, Answer, Body, Describe, Needs, Of};
use crate::operation::describe::{Described, answer, status};
use crate::operation::service::{Answered, Inform, Service};

/// Whether the process runs. It asks nothing of the database.
pub struct Health;

impl Inform for Health {
    const ABOUT: &'static About = &About {
        of: Of::Service,
        methods: &[("GET", "health")],
        path: "/health",
        access: Access::Public,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Other,
        needs: Needs::NothingAlways,
        summary: "Is it alive?",
        describe: Describe::Plain(|| {
            Described::new("Answers while the process runs, whatever the database does.")
                .answers(200, answer("It is.", status("ok", json!({}))))
        }),
        words: None,
    };

    async fn inform(_service: &impl Service, _rest: &str) -> Result<Answered> {
        Ok(Answered::json(r#"{"status":"ok"}"#).uncached())
    }
}
