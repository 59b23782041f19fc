//! The store behind another `crm serve`, over HTTP.
//!
//! It sends what was given and answers what the server said, so that a command prints the same bytes and exits with the
//! same code as on a file. A list is asked for as one record a line. That needs no parser for half an array, and it tells a
//! broken answer from a finished one.
//!
//! Each write has an idempotency key. If its answer is lost, it is sent again, and the server does it only once.
//!
//! [`connection`] makes the HTTP client, [`client`] sends requests with it and sends them again as [`retry`] says,
//! [`lines`] reads lists, and [`store`] is the store made of that.

mod connection;
mod retry;

mod client;

mod lines;

mod store;

pub use store::Remote;
