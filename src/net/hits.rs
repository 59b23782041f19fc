//! How often each limit was met.

use std::sync::atomic::{AtomicU64, Ordering};

/// A limit, by which it is counted how often it was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The size of a body.
    Body,
    /// The size of a head, or its number of lines.
    Head,
    /// The length of a path with its parameters.
    Url,
    /// The levels of a body.
    Depth,
    /// Connections in all.
    Connections,
    /// Connections of one address.
    ConnectionsPerAddress,
    /// The time for a head.
    HeadTimeout,
    /// The time for a body.
    BodyTimeout,
    /// The time until an answer begins.
    RequestTimeout,
    /// The time without a request, at which a connection is closed.
    IdleTimeout,
    /// The rate at which an answer is taken.
    SlowReader,
    /// Requests of a token in a second.
    RatePerToken,
    /// Requests of an address in a second.
    RatePerAddress,
}

impl Limit {
    /// All of them with their names: those of their settings, where they have one.
    pub const ALL: [(Limit, &'static str); 13] = [
        (Limit::Body, "max_body"),
        (Limit::Head, "max_head"),
        (Limit::Url, "max_url"),
        (Limit::Depth, "max_depth"),
        (Limit::Connections, "max_connections"),
        (Limit::ConnectionsPerAddress, "max_connections_per_address"),
        (Limit::HeadTimeout, "head_timeout"),
        (Limit::BodyTimeout, "body_timeout"),
        (Limit::RequestTimeout, "request_timeout"),
        (Limit::IdleTimeout, "idle_timeout"),
        (Limit::SlowReader, "slow_reader"),
        (Limit::RatePerToken, "rate_per_token"),
        (Limit::RatePerAddress, "rate_per_address"),
    ];
}

/// How often each limit was met since the start. What the store refuses, the store counts.
#[derive(Debug, Default)]
pub struct Hits([AtomicU64; Limit::ALL.len()]);

impl Hits {
    /// Counts one.
    pub fn count(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often one was met.
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize].load(Ordering::Relaxed)
    }

    /// Each limit's name with its number.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        Limit::ALL.iter().map(|(_, name)| *name).zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_its_own_number() {
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
