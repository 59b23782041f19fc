//! `GET /`: redirects to the documentation.

use crate::base::error::Result;
use crate::operation::about::{About, Access};
use crate::operation::service::{Answered, Inform, Service};

/// Redirects a browser to the documentation. The location is relative, so that it works behind a proxy that adds a prefix
/// to the paths.
pub struct Home;

impl Inform for Home {
    const ABOUT: &'static About = &About {
        methods: &[("GET", "home")],
        path: "/",
        access: Access::Public,
        summary: "Redirect to the documentation",
        ..About::SERVICE
    };

    async fn inform(_service: &impl Service, _rest: &str) -> Result<Answered> {
        let text = "The documentation is at /docs.\n";
        let mut answered =
            Answered::ok("text/plain; charset=utf-8", text).header("location", "docs");
        answered.status = 302;
        Ok(answered)
    }
}
