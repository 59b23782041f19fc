//! Limits the requests a second of each token and each address.
//!
//! Each has a token bucket, which holds the requests of one second. Every response says in its headers what is left, so
//! that a client can slow down before it is refused.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use quick_cache::sync::Cache;

use crate::base::error::{Code, Error, Result};
use crate::net::address::counted_address;
use crate::net::hits::{Hits, Limit};

/// How many tokens and how many addresses have a bucket. Beyond that the least recently used bucket is dropped, and its
/// owner starts with a full one. A bucket is full again after a second anyway.
const BUCKETS: usize = 16 * 1024;

/// Limits the requests a second of tokens and of addresses.
pub struct Rates {
    per_token: Option<Buckets<i64>>,
    per_address: Option<Buckets<IpAddr>>,
    hits: Arc<Hits>,
}

/// The information about rates that the response to one request carries.
#[derive(Debug, Default)]
pub struct RateNotice {
    address: OnceLock<RateState>,
    token: OnceLock<RateState>,
}

impl Rates {
    /// Limits each token and each address to these numbers of requests a second; `None` means no limit.
    pub fn new(per_token: Option<u32>, per_address: Option<u32>, hits: Arc<Hits>) -> Rates {
        Rates {
            per_token: per_token.map(Buckets::new),
            per_address: per_address.map(Buckets::new),
            hits,
        }
    }

    /// Counts a request of the token with this id.
    ///
    /// # Errors
    ///
    /// [`Code::Limited`] if there were too many in this second.
    pub fn take_token(&self, id: i64, notice: &RateNotice) -> Result<()> {
        let Some(buckets) = &self.per_token else {
            return Ok(());
        };
        self.take(Limit::RatePerToken, buckets, id, &notice.token)
    }

    /// Counts a request of an address.
    ///
    /// # Errors
    ///
    /// [`Code::Limited`] if there were too many in this second.
    pub fn take_address(
        &self,
        address: impl FnOnce() -> IpAddr,
        notice: &RateNotice,
    ) -> Result<()> {
        let Some(buckets) = &self.per_address else {
            return Ok(());
        };
        let address = counted_address(address());
        self.take(Limit::RatePerAddress, buckets, address, &notice.address)
    }

    fn take<K: Hash + Eq + Clone>(
        &self,
        limit: Limit,
        buckets: &Buckets<K>,
        key: K,
        notice: &OnceLock<RateState>,
    ) -> Result<()> {
        let taken = buckets.take(key, buckets.start.elapsed());
        // Each is set once per request.
        let _ = notice.set(taken);
        if taken.granted {
            return Ok(());
        }
        self.hits.count(limit);
        let (whose, rate) = (whose(limit), taken.rate);
        let message = format!("too many requests: expected at most {rate} a second per {whose}");
        Err(Error::new(Code::Limited, message))
    }
}

fn whose(limit: Limit) -> &'static str {
    match limit {
        Limit::RatePerToken => "token",
        _ => "address",
    }
}

impl RateNotice {
    /// Writes the headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): the quota with its
    /// window, and what is left of the quota with the seconds until it is full again.
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

/// The state of a bucket after one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RateState {
    /// Whether the request is allowed.
    granted: bool,
    /// Requests a second.
    rate: u32,
    /// How many of these requests are left.
    left: u64,
}

/// A token bucket for each key. A bucket is stored as one number: when it will be full again, in nanoseconds since `start`
/// (the "generic cell rate algorithm" of ATM).
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
            full_at: Cache::new(BUCKETS),
            start: Instant::now(),
        }
    }

    fn take(&self, key: K, now: Duration) -> RateState {
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
        RateState {
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
            // Another key has its own bucket.
            assert!(buckets.take(2, start).granted);
            let one = Duration::from_nanos(SECOND.div_ceil(rate.into()));
            assert!(buckets.take(1, start + one).granted, "{rate}");
            assert!(!buckets.take(1, start + one).granted, "{rate}");
            let later = start + Duration::from_secs(60);
            assert_eq!(buckets.take(1, later).left, u64::from(rate) - 1);
        }
    }

    #[test]
    fn many_addresses_take_no_more_memory() {
        let buckets = Buckets::new(1);
        for key in 0..BUCKETS as u64 * 10 {
            buckets.take(key, Duration::ZERO);
        }
        assert!(buckets.full_at.len() <= BUCKETS);
    }

    #[test]
    fn a_request_too_many_is_refused_counted_and_announced() {
        let hits = Arc::new(Hits::default());
        let rates = Rates::new(Some(1), None, hits.clone());
        let address = || panic!("nobody asks for it");
        rates.take_address(address, &RateNotice::default()).unwrap();
        rates.take_token(7, &RateNotice::default()).unwrap();
        let notice = RateNotice::default();
        let error = rates.take_token(7, &notice).unwrap_err();
        assert_eq!(error.code, Code::Limited);
        let mut headers = HeaderMap::new();
        notice.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"token\";q=1;w=1");
        assert_eq!(headers["ratelimit"], "\"token\";r=0;t=1");
        assert!(hits.all().any(|hit| hit == ("rate_per_token", 1)));
    }
}
