//! `GET /metrics`: the metrics of the service.

use serde_json::json;

use crate::base::error::Result;
use crate::operation::about::{About, Describe, READ};
use crate::operation::describe::{Described, answer};
use crate::operation::service::{Answered, Inform, Service};

/// Returns the metrics of the service for Prometheus.
pub struct Metrics;

impl Inform for Metrics {
    const ABOUT: &'static About = &About {
        methods: &[("GET", "metrics")],
        path: "/metrics",
        access: READ,
        summary: "Show the metrics, for Prometheus",
        describe: Describe::Plain(|| {
            Described::new(
                "For Prometheus, as OpenMetrics, or in its older text format if `Accept` prefers `text/plain`.",
            )
            .answers(
                200,
                answer(
                    "All metrics.",
                    json!({
                        "application/openmetrics-text": {"schema": {"type": "string"}},
                        "text/plain": {"schema": {"type": "string"}},
                    }),
                ),
            )
        }),
        ..About::SERVICE
    };

    async fn inform(service: &impl Service, _rest: &str) -> Result<Answered> {
        let metrics = service.metrics().await;
        let answered = Answered::ok(metrics.content_type, metrics.text);
        Ok(answered.uncached().header("vary", "accept"))
    }
}
