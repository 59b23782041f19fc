//! What is told of requests: a line of the log each, and the numbers of `/metrics`.
//!
//! Every request comes by here, so that there is no lock but that of the log's buffer, and nothing is allocated but for
//! lists that are streamed.
//!
//! | file | what it holds |
//! |---|---|
//! | [`line`] | the line of the log that a request gets |
//! | [`tables`], [`limits`] | metrics by route, method and status; metrics of limits |
//! | [`counts`] | what is counted of requests |
//! | [`streamed`], [`seen`] | a streamed answer; a request from its arrival to its answer |
//! | [`observer`] | what sees all requests |

mod counts;
mod limits;
mod line;
mod observer;
mod seen;
mod streamed;
mod tables;

pub(super) use observer::Observer;
