//! `GET /docs/{rest}`: the pages of the documentation.

use serde_json::json;

use crate::base::error::{Code, Error, Result, quoted};
use crate::operation::about::{About, Access, Describe};
use crate::operation::describe::{Described, answer};
use crate::operation::service::{Answered, Inform, Service};

/// Returns the page that shows the OpenAPI document and can send requests, or one of its files.
pub struct Docs;

impl Inform for Docs {
    const ABOUT: &'static About = &About {
        methods: &[("GET", "docs")],
        path: "/docs/{rest}",
        access: Access::Public,
        summary: "Show the documentation as a page",
        describe: Describe::Plain(|| {
            Described::new("").answers(
                200,
                answer(
                    "The page.",
                    json!({
                        "text/html": {"schema": {"type": "string"}},
                    }),
                ),
            )
        }),
        ..About::SERVICE
    };

    async fn inform(service: &impl Service, rest: &str) -> Result<Answered> {
        let page = service.page(rest).ok_or_else(|| {
            let message = format!("the documentation has no file {}", quoted(rest));
            Error::new(Code::NotFound, message)
        })?;
        let mut answered = Answered::ok(page.content_type, page.bytes);
        let headers = page.headers.into_iter();
        answered
            .headers
            .extend(headers.map(|(name, value)| (name, value.into())));
        Ok(answered)
    }
}
