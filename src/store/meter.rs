//! The metrics of a store. They consist of counters that many threads increment without a lock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// The upper bounds of the buckets of times, in nanoseconds: from the time of a cached read to the request timeout.
const TIMES: &[u64] = &[
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// The upper bounds of the buckets of batch sizes, in writes.
const SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

/// How many values fell into each bucket. Clones share it.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<HistogramBuckets>);

#[derive(Debug)]
struct HistogramBuckets {
    ends: &'static [u64],
    /// How many of the counted unit make a base unit.
    unit: f64,
    /// One more than there are bounds.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// A histogram of times, shown in seconds.
    pub fn times() -> Histogram {
        Histogram::new(TIMES, 1e9)
    }

    /// A histogram of numbers of writes.
    pub fn sizes() -> Histogram {
        Histogram::new(SIZES, 1.0)
    }

    fn new(ends: &'static [u64], unit: f64) -> Histogram {
        Histogram(Arc::new(HistogramBuckets {
            ends,
            unit,
            counts: (0..=ends.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }))
    }

    /// Adds a value.
    pub fn add(&self, value: u64) {
        let buckets = &*self.0;
        let at = buckets.ends.iter().position(|end| value <= *end);
        buckets.counts[at.unwrap_or(buckets.ends.len())].fetch_add(1, Ordering::Relaxed);
        buckets.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Adds a time.
    pub fn add_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        let mut counts = self.0.counts.iter();
        counts.all(|count| count.load(Ordering::Relaxed) == 0)
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let buckets = &*self.0;
        let ends = buckets.ends.iter().map(|end| *end as f64 / buckets.unit);
        let counts = buckets.counts.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        let counts: Vec<(f64, u64)> = ends.chain([f64::INFINITY]).zip(counts).collect();
        // The sum of the buckets shown, so that the two agree while others add values.
        let count = counts.iter().map(|bucket| bucket.1).sum();
        let sum = buckets.sum.load(Ordering::Relaxed) as f64 / buckets.unit;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &counts, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// A gauge whose value is computed when the metrics are read.
pub(crate) struct Live(Box<dyn Fn() -> u64 + Send + Sync>);

impl Live {
    pub(crate) fn new(read: impl Fn() -> u64 + Send + Sync + 'static) -> Live {
        Live(Box::new(read))
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

impl EncodeMetric for Live {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&(self.0)())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

/// The metrics of a store that writes to a database itself.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    /// The times of commits, with their sync.
    pub(crate) times: Histogram,
    /// The numbers of writes that share a commit.
    pub(crate) sizes: Histogram,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter {
            times: Histogram::times(),
            sizes: Histogram::sizes(),
        }
    }
}

impl Meter {
    /// Registers the metrics that every such store has.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "crm_commit_duration",
            "How long successful commits took, with their sync",
            Unit::Seconds,
            self.times.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_in_the_bucket_that_ends_with_them() {
        let (times, sizes) = (Histogram::times(), Histogram::sizes());
        assert!(times.is_empty());
        times.add_time(Duration::from_micros(50));
        times.add_time(Duration::from_micros(51));
        times.add_time(Duration::from_secs(11));
        assert!(!times.is_empty());
        sizes.add(1);
        sizes.add(1_025);
        let live = Live::new(|| 7);
        let mut registry = Registry::default();
        registry.register_with_unit("t", "Times", Unit::Seconds, times);
        registry.register("s", "Sizes", sizes);
        registry.register("l", "Live", live);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "t_seconds_sum 11.000101",
            "t_seconds_count 3",
            "t_seconds_bucket{le=\"0.00005\"} 1",
            "t_seconds_bucket{le=\"0.0001\"} 2",
            "t_seconds_bucket{le=\"10.0\"} 2",
            "t_seconds_bucket{le=\"+Inf\"} 3",
            "s_sum 1026.0",
            "s_bucket{le=\"1.0\"} 1",
            "s_bucket{le=\"1024.0\"} 1",
            "s_bucket{le=\"+Inf\"} 2",
            "l 7",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
        }
    }
}
