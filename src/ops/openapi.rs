//! `GET /openapi.json`: the OpenAPI document.

use serde_json::json;

use crate::base::error::Result;
use crate::operation::about::{About, Access, Describe};
use crate::operation::describe::{Described, answer};
use crate::operation::service::{Answered, Inform, Service};

/// Returns the description of the API in OpenAPI 3.1.
pub struct OpenApi;

impl Inform for OpenApi {
    const ABOUT: &'static About = &About {
        methods: &[("GET", "openapi")],
        path: "/openapi.json",
        access: Access::Public,
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
        ..About::SERVICE
    };

    async fn inform(service: &impl Service, _rest: &str) -> Result<Answered> {
        Ok(Answered::json(service.document()))
    }
}
