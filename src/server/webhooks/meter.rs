//! The metrics of deliveries.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::store::meter::Live;

/// The results of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Failed,
    Postponed,
    GivenUp,
}

/// The names of the results, in the order of [`Outcome`].
const OUTCOMES: [&str; 4] = ["delivered", "failed", "postponed", "given_up"];

/// The metrics of deliveries. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeliveryMeter(Arc<Measured>);

#[derive(Debug, Default)]
struct Measured {
    counts: [AtomicU64; 4],
    /// The waiting deliveries of all webhooks.
    waiting: AtomicU64,
    /// When the oldest change that waits was made, in seconds since 1970. 0 if none waits.
    oldest: AtomicU64,
}

impl DeliveryMeter {
    /// Counts a result.
    pub(super) fn count(&self, outcome: Outcome) {
        self.0.counts[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Sets what waits, and the time of the oldest.
    pub(super) fn waits(&self, count: u64, oldest: Option<SystemTime>) {
        let since = oldest.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let since = since.map_or(0, |since| since.as_secs());
        self.0.waiting.store(count, Ordering::Relaxed);
        self.0.oldest.store(since, Ordering::Relaxed);
    }

    /// Registers the metrics.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "crm_webhook_deliveries",
            "Requests to webhooks by their result: delivered, failed, postponed by the receiver; and changes that were given up",
            self.clone(),
        );
        let measured = self.0.clone();
        registry.register_with_unit(
            "crm_webhook_waiting",
            "Changes that have failed and wait for another try, and active webhooks that are behind, each counted once",
            Unit::Other("deliveries".into()),
            Live::new(move || measured.waiting.load(Ordering::Relaxed)),
        );
        let measured = self.0.clone();
        registry.register_with_unit(
            "crm_webhook_oldest_waiting",
            "The age of the oldest change that waits for a webhook",
            Unit::Seconds,
            Live::new(move || match measured.oldest.load(Ordering::Relaxed) {
                0 => 0,
                since => {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH);
                    now.unwrap_or_default().as_secs().saturating_sub(since)
                }
            }),
        );
    }
}

impl EncodeMetric for DeliveryMeter {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (name, count) in OUTCOMES.iter().zip(&self.0.counts) {
            let labels = [("result", *name)];
            let mut encoder = encoder.encode_family(&labels)?;
            let count = count.load(Ordering::Relaxed);
            encoder.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}
