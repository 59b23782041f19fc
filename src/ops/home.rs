//! `GET /`: where a browser begins.

use crate::base::error::Result;
use crate::operation::about::{About, Access, Answer, Body, Describe, Needs, Of};
use crate::operation::service::{Answered, Inform, Service};

/// Leads a browser to the documentation. The reference is a relative one, so that it holds behind a proxy that puts a
/// prefix before the paths.
pub struct Home;

impl Inform for Home {
    const ABOUT: &'static About = &About {
        of: Of::Service,
        methods: &[("GET", "home")],
        path: "/",
        access: Access::Public,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Other,
        needs: Needs::Nothing,
        summary: "Where a browser begins",
        describe: Describe::Hidden,
        words: None,
    };

    async fn inform(_service: &impl Service, _rest: &str) -> Result<Answered> {
        let text = "The documentation is at /docs.\n";
        let mut answered = Answered::ok("text/plain; charset=utf-8", text).header("location", "docs");
        answered.status = 302;
        Ok(answered)
    }
}
