//! How often each limit was reached, as a metric.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::net::hits::Hits;
use crate::store::any::AnyStore;

/// How often each limit was reached, including those of the store.
pub(super) struct LimitHits {
    pub(super) hits: Arc<Hits>,
    /// Counts the writes that it refuses.
    pub(super) store: AnyStore,
}

impl fmt::Debug for LimitHits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LimitHits")
    }
}

impl EncodeMetric for LimitHits {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let writes = ("max_waiting_writes", self.store.refused_writes());
        for (name, count) in self.hits.all().chain([writes]) {
            let labels = [("limit", name)];
            let mut encoder = encoder.encode_family(&labels)?;
            encoder.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}
