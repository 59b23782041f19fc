//! Counts how often each limit was reached, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

/// A limit of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The size of a body.
    Body,
    /// The size of a head, or the number of its lines.
    Head,
    /// The length of a path, including its parameters.
    Url,
    /// The nesting depth of a body.
    Depth,
    /// All connections.
    Connections,
    /// Connections of one address.
    ConnectionsPerAddress,
    /// All streams.
    Streams,
    /// The time for a head.
    HeadTimeout,
    /// The time for a body.
    BodyTimeout,
    /// The time until a response begins.
    RequestTimeout,
    /// The time that a connection may stay open without a request.
    IdleTimeout,
    /// The rate at which a client has to take a response.
    SlowReader,
    /// Requests a second of a token.
    RatePerToken,
    /// Requests a second of an address.
    RatePerAddress,
}

impl Limit {
    /// All limits with their names in metrics. A limit that has a setting has the name of that setting.
    pub const ALL: [(Limit, &'static str); 14] = [
        (Limit::Body, "max_body"),
        (Limit::Head, "max_head"),
        (Limit::Url, "max_url"),
        (Limit::Depth, "max_depth"),
        (Limit::Connections, "max_connections"),
        (Limit::ConnectionsPerAddress, "max_connections_per_address"),
        (Limit::Streams, "max_streams"),
        (Limit::HeadTimeout, "head_timeout"),
        (Limit::BodyTimeout, "body_timeout"),
        (Limit::RequestTimeout, "request_timeout"),
        (Limit::IdleTimeout, "idle_timeout"),
        (Limit::SlowReader, "slow_reader"),
        (Limit::RatePerToken, "rate_per_token"),
        (Limit::RatePerAddress, "rate_per_address"),
    ];
}

/// How often each limit was reached since the start. The limits of the store are counted by the store.
#[derive(Debug, Default)]
pub struct Hits([AtomicU64; Limit::ALL.len()]);

impl Hits {
    /// Counts one more for a limit.
    pub fn count(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often a limit was reached.
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize].load(Ordering::Relaxed)
    }

    /// The name of each limit with its count.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        Limit::ALL.iter().map(|(_, name)| *name).zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_its_own_count() {
        let hits = Hits::default();
        for (at, (limit, _)) in Limit::ALL.into_iter().enumerate() {
            for _ in 0..at {
                hits.count(limit);
            }
        }
        let names: Vec<&str> = Limit::ALL.iter().map(|(_, name)| *name).collect();
        let expected: Vec<(&str, u64)> = names.into_iter().zip(0..).collect();
        assert_eq!(hits.all().collect::<Vec<_>>(), expected);
    }
}
