//! What sees all requests, and the numbers of `/metrics`.

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
use crate::server::observe::counts::Counts;
use crate::server::observe::limits::LimitHits;
use crate::server::observe::seen::Seen;
use crate::server::observe::tables::{Requests, Times};
use crate::store::any::AnyStore;

/// What sees all requests. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::server) struct Observer {
    registry: Arc<Registry>,
    counts: Counts,
    replays: Counter,
    /// What is measured of connections and limits.
    pub(in crate::server) meter: ConnectionMeter,
}

impl Observer {
    /// Of a service over this store, whose routes have these templates.
    pub(in crate::server) fn new(
        store: &AnyStore,
        mut routes: Vec<String>,
        hits: Arc<Hits>,
    ) -> Observer {
        // Of paths that do not exist there is no end.
        routes.push("unknown".into());
        let routes: Arc<[String]> = routes.into();
        let mut registry = Registry::default();
        let requests = Requests::new(&routes);
        let times = Times::new(&routes);
        registry.register(
            "crm_http_requests",
            "Requests that were answered, by method, route and status",
            requests.clone(),
        );
        registry.register_with_unit(
            "crm_http_request_duration",
            "How long requests took, from their head to their answer; streamed lists to their end",
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
            "Requests that were answered with the answer to an earlier one of the same Idempotency-Key",
            replays.clone(),
        );
        store.register(&mut registry);
        let meter = ConnectionMeter::default();
        meter.register(&mut registry);
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
            "Lines of the log that were dropped, as nobody took them in time",
            log::dropped(),
        );
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        registry.register_with_unit(
            "crm_start_time",
            "When the service was started, since 1970 in UTC",
            Unit::Seconds,
            ConstGauge::new(started.unwrap_or_default().as_secs_f64()),
        );
        registry.register(
            "crm",
            "Which crm this is",
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
        }
    }

    /// All numbers, as `/metrics` answers them.
    pub(in crate::server) fn metrics(&self) -> String {
        let mut shown = String::with_capacity(16 * 1024);
        // Memory takes all that is written to it.
        let _ = text::encode(&mut shown, &self.registry);
        shown
    }

    /// An answer was that to an earlier request with the same Idempotency-Key.
    pub(in crate::server) fn replayed(&self) {
        self.replays.inc();
    }

    /// The request of this id has come, to the route of this number among those that the observer was given; `None` for a
    /// path that does not exist.
    pub(in crate::server) fn sees<'a>(
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
