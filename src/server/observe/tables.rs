//! Metrics by route, method and status. They are fixed arrays of atomic numbers, so counting takes no lock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use warp::http::Method;

use crate::store::meter::Histogram;

/// The methods in metrics. The last stands for all others, because a client can invent any number of them.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other",
];

/// The statuses in metrics, which are those that the service answers with. The last stands for all others.
const STATUSES: [&str; 28] = [
    "200", "201", "204", "304", "400", "401", "403", "404", "405", "406", "408", "409", "410",
    "412", "413", "414", "415", "421", "422", "428", "429", "431", "500", "501", "503", "504",
    "507", "other",
];

/// The place of each status in [`STATUSES`].
static STATUS_PLACES: [u8; 600] = status_places();

const fn status_places() -> [u8; 600] {
    let others = STATUSES.len() - 1;
    let mut places = [others as u8; 600];
    let mut at = 0;
    while at < others {
        let digits = STATUSES[at].as_bytes();
        let number = (digits[0] - b'0') as usize * 100
            + (digits[1] - b'0') as usize * 10
            + (digits[2] - b'0') as usize;
        places[number] = at as u8;
        at += 1;
    }
    places
}

fn method_place(method: &Method) -> usize {
    let name = method.as_str();
    let known = METHODS.iter().position(|known| *known == name);
    known.unwrap_or(METHODS.len() - 1)
}

/// One cell for each route and method.
#[derive(Debug)]
struct RouteTable<T> {
    routes: Arc<[String]>,
    /// Ordered by route, then by method.
    cells: Box<[T]>,
}

impl<T> RouteTable<T> {
    fn new(routes: &Arc<[String]>, cell: impl Fn() -> T) -> RouteTable<T> {
        let cells = (0..routes.len() * METHODS.len()).map(|_| cell());
        RouteTable {
            cells: cells.collect(),
            routes: routes.clone(),
        }
    }

    fn at(&self, route: usize, method: usize) -> &T {
        let route = route.min(self.routes.len() - 1);
        &self.cells[route * METHODS.len() + method]
    }

    /// All cells, each with its method and its route.
    fn all(&self) -> impl Iterator<Item = (&'static str, &str, &T)> {
        self.cells.iter().enumerate().map(|(at, cell)| {
            let (route, method) = (at / METHODS.len(), at % METHODS.len());
            (METHODS[method], self.routes[route].as_str(), cell)
        })
    }
}

/// Numbers of answers by status.
type StatusCounts = [AtomicU64; STATUSES.len()];

/// How many requests were answered, by route, method and status.
#[derive(Clone, Debug)]
pub(super) struct RequestCounts(Arc<RouteTable<StatusCounts>>);

impl RequestCounts {
    /// All counts are 0.
    pub(super) fn new(routes: &Arc<[String]>) -> RequestCounts {
        RequestCounts(Arc::new(RouteTable::new(routes, StatusCounts::default)))
    }

    /// Counts an answer.
    pub(super) fn count(&self, route: usize, method: &Method, status: Option<u16>) {
        let place = STATUS_PLACES.get(usize::from(status.unwrap_or_default()));
        let place = place.map_or(STATUSES.len() - 1, |place| usize::from(*place));
        self.0.at(route, method_place(method))[place].fetch_add(1, Ordering::Relaxed);
    }
}

impl EncodeMetric for RequestCounts {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (method, route, statuses) in self.0.all() {
            for (status, count) in STATUSES.iter().zip(statuses) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [("method", method), ("route", route), ("status", *status)];
                    let mut encoder = encoder.encode_family(&labels)?;
                    encoder.encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
                }
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// How long answers took, by route and method.
#[derive(Clone, Debug)]
pub(super) struct RequestTimes(Arc<RouteTable<Histogram>>);

impl RequestTimes {
    /// No times yet.
    pub(super) fn new(routes: &Arc<[String]>) -> RequestTimes {
        RequestTimes(Arc::new(RouteTable::new(routes, Histogram::times)))
    }

    /// Adds the time of an answer.
    pub(super) fn add(&self, route: usize, method: &Method, took: Duration) {
        self.0.at(route, method_place(method)).add_time(took);
    }
}

impl EncodeMetric for RequestTimes {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (method, route, times) in self.0.all() {
            if !times.is_empty() {
                let labels = [("method", method), ("route", route)];
                times.encode(encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_every_error_has_a_count() {
        let known = crate::base::error::Code::TABLE
            .iter()
            .filter_map(|row| row.1);
        for status in known.chain([200, 201, 204, 304, 401, 422, 429, 431]) {
            let place = usize::from(STATUS_PLACES[usize::from(status)]);
            assert_eq!(STATUSES[place], status.to_string());
        }
        assert_eq!(STATUSES[usize::from(STATUS_PLACES[299])], "other");
    }
}
