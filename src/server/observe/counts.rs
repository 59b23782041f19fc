//! All counts of requests, and the line in the log that goes with each.

use prometheus_client::metrics::counter::Counter;

use crate::base::log;
use crate::server::observe::line::RequestLine;
use crate::server::observe::tables::{RequestCounts, RequestTimes};

/// All counts of requests. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) requests: RequestCounts,
    pub(super) times: RequestTimes,
    pub(super) abandoned: Counter,
}

impl Counts {
    /// Counts an answered request, and writes its line to the log.
    pub(super) fn answered(&self, line: &RequestLine<'_>, route: usize) {
        self.requests.count(route, line.method, line.status);
        self.times.add(route, line.method, line.took);
        if let Some(log) = log::current() {
            line.log(log);
        }
    }

    /// Counts a request whose client left before the answer, and writes its line to the log.
    pub(super) fn abandoned(&self, line: &RequestLine<'_>) {
        self.abandoned.inc();
        if let Some(log) = log::current() {
            line.log(log);
        }
    }
}
