//! What is counted and limited beside what a connection does: how often each limit was met, and requests a second.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use quick_cache::sync::Cache;

use crate::base::error::{Code, Error, Result};
use crate::net::address::household;
use crate::net::hits::{Hits, Limit};

/// The most tokens and the most addresses that are kept apart. Of more the one is forgotten that has not asked for the
/// longest time, and may ask as if it were new: a bucket is full again after a second anyway.
const KEPT: usize = 16 * 1024;

/// Requests a second, of tokens and of addresses.
pub struct Rates {
    per_token: Option<Buckets<i64>>,
    per_address: Option<Buckets<IpAddr>>,
    hits: Arc<Hits>,
}

/// What the answer to one request says of the rates that it counts for.
#[derive(Debug, Default)]
pub struct Told {
    address: OnceLock<Taken>,
    token: OnceLock<Taken>,
}

impl Rates {
    /// Requests a second of a token and of an address, none where it is not limited.
    pub fn new(per_token: Option<u32>, per_address: Option<u32>, hits: Arc<Hits>) -> Rates {
        Rates {
            per_token: per_token.map(Buckets::new),
            per_address: per_address.map(Buckets::new),
            hits,
        }
    }

    /// Counts a request of a token, by its id.
    ///
    /// # Errors
    ///
    /// [`Code::Limited`] where it is one too many.
    pub fn take_token(&self, id: i64, told: &Told) -> Result<()> {
        let Some(buckets) = &self.per_token else {
            return Ok(());
        };
        self.take(Limit::RatePerToken, buckets, id, &told.token)
    }

    /// Counts a request of an address.
    ///
    /// # Errors
    ///
    /// [`Code::Limited`] where it is one too many.
    pub fn take_address(&self, address: impl FnOnce() -> IpAddr, told: &Told) -> Result<()> {
        let Some(buckets) = &self.per_address else {
            return Ok(());
        };
        let address = household(address());
        self.take(Limit::RatePerAddress, buckets, address, &told.address)
    }

    fn take<K: Hash + Eq + Clone>(
        &self,
        limit: Limit,
        buckets: &Buckets<K>,
        key: K,
        told: &OnceLock<Taken>,
    ) -> Result<()> {
        let taken = buckets.take(key, buckets.start.elapsed());
        // Once a request.
        let _ = told.set(taken);
        if taken.granted {
            return Ok(());
        }
        self.hits.count(limit);
        let (whose, rate) = (whose(limit), taken.rate);
        let message = format!("too many requests: expected at most {rate} a second of {whose}");
        Err(Error::new(Code::Limited, message))
    }
}

fn whose(limit: Limit) -> &'static str {
    match limit {
        Limit::RatePerToken => "a token",
        _ => "an address",
    }
}

impl Told {
    /// Says it in `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): quota and window, and what
    /// is left of it with the seconds after which it is whole again.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
        static LIMIT: HeaderName = HeaderName::from_static("ratelimit");
        let both = [("token", self.token.get()), ("address", self.address.get())];
        for (name, taken) in both {
            let Some(taken) = taken else {
                continue;
            };
            let policy = format!("\"{name}\";q={};w=1", taken.rate);
            let left = format!("\"{name}\";r={};t=1", taken.left);
            for (header, text) in [(&POLICY, policy), (&LIMIT, left)] {
                if let Ok(text) = HeaderValue::from_str(&text) {
                    headers.append(header, text);
                }
            }
        }
    }
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    granted: bool,
    /// Requests a second.
    rate: u32,
    /// What is left of them.
    left: u64,
}

/// A token bucket for each key, which holds the requests of one second. Of a bucket its time of arrival is kept: when it
/// will be full again, in nanoseconds since `start` (the "generic cell rate algorithm" of ATM).
struct Buckets<K> {
    rate: u32,
    full_at: Cache<K, Arc<AtomicU64>>,
    start: Instant,
}

const SECOND: u64 = 1_000_000_000;

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(rate: u32) -> Buckets<K> {
        Buckets {
            rate: rate.max(1),
            full_at: Cache::new(KEPT),
            start: Instant::now(),
        }
    }

    fn take(&self, key: K, now: Duration) -> Taken {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let one = SECOND / u64::from(self.rate);
        let bucket = self
            .full_at
            .get_or_insert_with(&key, || Ok::<_, Error>(Arc::default()))
            .unwrap_or_default();
        let whole = one * u64::from(self.rate);
        let room = |full: u64| whole.saturating_sub(full.saturating_sub(now)) / one;
        let taken = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| {
            (room(full) > 0).then(|| full.max(now) + one)
        });
        Taken {
            granted: taken.is_ok(),
            rate: self.rate,
            left: taken.map_or(0, |before| room(before) - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_a_second_and_fills_at_its_rate() {
        for rate in [1, 3, 7, 1_000, 1_000_000] {
            let buckets = Buckets::new(rate);
            let start = Duration::from_secs(5);
            for left in (0..u64::from(rate)).rev() {
                let taken = buckets.take(1, start);
                assert_eq!((taken.granted, taken.left), (true, left), "{rate}");
            }
            assert!(!buckets.take(1, start).granted, "{rate}");
            // Another's is its own.
            assert!(buckets.take(2, start).granted);
            let one = Duration::from_nanos(SECOND.div_ceil(rate.into()));
            assert!(buckets.take(1, start + one).granted, "{rate}");
            assert!(!buckets.take(1, start + one).granted, "{rate}");
            let later = start + Duration::from_secs(60);
            assert_eq!(buckets.take(1, later).left, u64::from(rate) - 1);
        }
    }

    #[test]
    fn many_addresses_are_no_more_memory() {
        let buckets = Buckets::new(1);
        for key in 0..KEPT as u64 * 10 {
            buckets.take(key, Duration::ZERO);
        }
        assert!(buckets.full_at.len() <= KEPT);
    }

    #[test]
    fn a_request_too_many_is_refused_counted_and_told() {
        let hits = Arc::new(Hits::default());
        let rates = Rates::new(Some(1), None, hits.clone());
        let address = || panic!("nobody asks for it");
        rates.take_address(address, &Told::default()).unwrap();
        rates.take_token(7, &Told::default()).unwrap();
        let told = Told::default();
        let error = rates.take_token(7, &told).unwrap_err();
        assert_eq!(error.code, Code::Limited);
        let mut headers = HeaderMap::new();
        told.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"token\";q=1;w=1");
        assert_eq!(headers["ratelimit"], "\"token\";r=0;t=1");
        assert!(hits.all().any(|hit| hit == ("rate_per_token", 1)));
    }
}
