//! What is recorded about requests: a line in the log for each, and the metrics of `/metrics`.
//!
//! This code runs for every request. So the only lock is that of the log's buffer, and memory is allocated only for
//! streamed answers.
//!
//! | file | what it holds |
//! |---|---|
//! | [`line`](mod@line) | the line of a request in the log |
//! | [`tables`], [`limits`] | metrics by route, method and status; metrics of limits |
//! | [`counts`] | all counts of requests |
//! | [`streamed`], [`seen`] | a streamed answer; a request from its arrival to its answer |
//! | [`observer`], [`plain`](mod@plain) | the observer of all requests, and the registry of metrics; their plain text |

mod counts;
mod limits;
mod line;
mod observer;
mod plain;
mod seen;
mod streamed;
mod tables;

pub(super) use observer::Observer;
