//! The service: routes, limits, the accept loop.

pub mod connection;
