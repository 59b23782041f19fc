//! What is counted of requests.

use prometheus_client::metrics::counter::Counter;

use crate::base::log;
use crate::server::observe::line::Line;
use crate::server::observe::tables::{Requests, Times};

/// What is counted of requests. Clones share the counts.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) requests: Requests,
    pub(super) times: Times,
    pub(super) abandoned: Counter,
}

impl Counts {
    /// Counts an answered request, and writes its line in the log.
    pub(super) fn answered(&self, line: &Line<'_>, route: usize) {
        self.requests.count(route, line.method, line.status);
        self.times.add(route, line.method, line.took);
        if let Some(log) = log::current() {
            line.log(log);
        }
    }

    /// Counts a request whose client left before its answer, and writes its line in the log.
    pub(super) fn abandoned(&self, line: &Line<'_>) {
        self.abandoned.inc();
        if let Some(log) = log::current() {
            line.log(log);
        }
    }
}
