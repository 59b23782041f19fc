//! The store behind another `crm serve`, over HTTP.
//!
//! It passes requests to the server and returns the server's answers unchanged, so that a command prints the same bytes and
//! exits with the same code as on a file. A list is requested as one record per line. That needs no parser for incomplete
//! arrays, and it distinguishes a broken answer from a finished one.
//!
//! Each write has an idempotency key. If its answer is lost, it is sent again, and the server does it only once.
//!
//! `connection` makes the HTTP client, `client` sends requests with it, and again as `retry` decides, `lines` reads lists, `events` reads streams,
//! and `store` builds the store from these parts.

mod connection;
mod retry;

mod client;

mod events;

mod lines;

mod store;

pub(crate) use events::Events;
pub use store::Remote;
