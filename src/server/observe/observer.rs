//! The observer of all requests, and the registry of metrics.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use warp::http::Method;

use crate::base::log;
use crate::net::hits::Hits;
use crate::net::meter::ConnectionMeter;
use crate::net::streams::Streams;
use crate::server::observe::counts::Counts;
use crate::server::observe::limits::LimitHits;
use crate::server::observe::plain::plain;
use crate::server::observe::seen::Seen;
use crate::server::observe::tables::{RequestCounts, RequestTimes};
use crate::server::webhooks::meter::DeliveryMeter;
use crate::store::any::AnyStore;

/// Observes all requests. Clones share the metrics.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    registry: Arc<Registry>,
    counts: Counts,
    replays: Counter,
    /// The metrics of connections.
    pub(crate) meter: ConnectionMeter,
    /// The metrics of deliveries to webhooks.
    pub(crate) deliveries: DeliveryMeter,
}

impl Observer {
    /// Makes the observer of a service on this store. `routes` are the templates of its routes.
    pub(crate) fn new(
        store: &AnyStore,
        mut routes: Vec<String>,
        hits: Arc<Hits>,
        streams: &Streams,
    ) -> Observer {
        // All paths that do not exist share one row, because their number has no bound.
        routes.push("unknown".into());
        let routes: Arc<[String]> = routes.into();
        let mut registry = Registry::default();
        let requests = RequestCounts::new(&routes);
        let times = RequestTimes::new(&routes);
        registry.register(
            "crm_http_requests",
            "Requests that were answered, by method, route and status",
            requests.clone(),
        );
        registry.register_with_unit(
            "crm_http_request_duration",
            "Time from the head of a request to its answer; for a streamed list to its end",
            Unit::Seconds,
            times.clone(),
        );
        let (abandoned, replays) = (Counter::default(), Counter::default());
        registry.register(
            "crm_http_requests_abandoned",
            "Requests whose connection ended before their answer began",
            abandoned.clone(),
        );
        registry.register(
            "crm_idempotent_replays",
            "Requests that got the answer to an earlier request with the same Idempotency-Key",
            replays.clone(),
        );
        store.register(&mut registry);
        let meter = ConnectionMeter::default();
        meter.register(&mut registry);
        streams.register(&mut registry);
        let deliveries = DeliveryMeter::default();
        deliveries.register(&mut registry);
        registry.register(
            "crm_limits_hit",
            "How often a limit refused or ended something",
            LimitHits {
                hits,
                store: store.clone(),
            },
        );
        registry.register(
            "crm_log_lines_dropped",
            "Lines of the log that were dropped because they were not written in time",
            log::dropped(),
        );
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        registry.register_with_unit(
            "crm_start_time",
            "When the service started, in seconds since 1970-01-01 UTC",
            Unit::Seconds,
            ConstGauge::new(started.unwrap_or_default().as_secs_f64()),
        );
        registry.register(
            "crm",
            "The version of crm",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        Observer {
            registry: Arc::new(registry),
            counts: Counts {
                requests,
                times,
                abandoned,
            },
            replays,
            meter,
            deliveries,
        }
    }

    /// All metrics as OpenMetrics.
    pub(crate) fn open_metrics(&self) -> String {
        let mut shown = String::with_capacity(16 * 1024);
        // Writing to memory does not fail.
        let _ = text::encode(&mut shown, &self.registry);
        shown
    }

    /// All metrics in the older text format of Prometheus.
    pub(crate) fn plain_metrics(&self) -> String {
        plain(&self.open_metrics())
    }

    /// Counts an answer that repeats the one to an earlier request with the same Idempotency-Key.
    pub(crate) fn replayed(&self) {
        self.replays.inc();
    }

    /// Starts to observe a request. `route` is the place of its route among those that the observer was made with; `None`
    /// means that the path does not exist. `id` is the id of the request.
    pub(crate) fn sees<'a>(
        &'a self,
        client: IpAddr,
        method: &'a Method,
        path: &'a str,
        route: Option<usize>,
        id: &'a str,
    ) -> Seen<'a> {
        Seen::new(&self.counts, client, method, path, route, id)
    }
}
