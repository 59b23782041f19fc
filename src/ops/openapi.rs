//! `GET /openapi.json`: the OpenAPI document.

use serde_json::json;

use crate::base::error::Result;
use crate::operation::about::{About, Access, Answer, Body, Describe, Needs, Of};
use crate::operation::describe::{Described, answer};
use crate::operation::service::{Answered, Inform, Service};

/// Returns the description of the API in OpenAPI 3.1.
pub struct OpenApi;

impl Inform for OpenApi {
    const ABOUT: &'static About = &About {
        of: Of::Service,
        methods: &[("GET", "openapi")],
        path: "/openapi.json",
        access: Access::Public,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Other,
        needs: Needs::Nothing,
        summary: "Show this description of the API",
        describe: Describe::Plain(|| {
            Described::new("").answers(
                200,
                answer(
                    "OpenAPI 3.1.",
                    json!({
                        "application/json": {"schema": {"type": "object"}},
                    }),
                ),
            )
        }),
        words: None,
    };

    async fn inform(service: &impl Service, _rest: &str) -> Result<Answered> {
        Ok(Answered::json(service.document()))
    }
}
