//! Streams: responses that last as long as their peers want, such as streams of events. They are counted apart from requests.
//!
//! The code that makes such a response takes a [`StreamPlace`] and attaches it. The connection then gives its seat among
//! the connections back, so that streams never keep requests out, and it can no longer be evicted for a request. It ends with
//! its stream. An address may have as many streams as it may have connections, and the last sixteenth of all streams is
//! for addresses that have none, so a few addresses cannot have them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Response;
use hyper::header::{CONNECTION, HeaderValue};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::base::error::{Code, Error, Result};
use crate::net::address::counted_address;
use crate::net::hits::{Hits, Limit};
use crate::net::limits::{ConnectionLimits, reserved};

/// All open streams. Clones share them.
#[derive(Clone)]
pub struct Streams(Arc<Shared>);

struct Shared {
    most: usize,
    per_address: usize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    open: Gauge,
    hits: Arc<Hits>,
}

impl Shared {
    fn by_address(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    /// No streams yet, with these limits.
    pub fn new(limits: &ConnectionLimits, hits: Arc<Hits>) -> Streams {
        Streams(Arc::new(Shared {
            most: limits.streams,
            per_address: limits.per_address,
            by_address: Mutex::default(),
            open: Gauge::default(),
            hits,
        }))
    }

    /// Adds the count to `/metrics`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "crm_streams",
            "Open streams of changes, which are among the open connections",
            self.0.open.clone(),
        );
    }

    /// The place of one more stream to this client.
    ///
    /// # Errors
    ///
    /// [`Code::Unavailable`] if there are too many.
    pub fn begin(&self, client: IpAddr) -> Result<StreamPlace> {
        let address = counted_address(client);
        let mut by_address = self.0.by_address();
        let open: usize = by_address.values().sum();
        let own = by_address.get(&address).copied().unwrap_or_default();
        let most = match own {
            0 => self.0.most,
            _ => self.0.most - reserved(self.0.most),
        };
        let why = if own >= self.0.per_address {
            self.0.hits.count(Limit::ConnectionsPerAddress);
            format!("this address has {own} streams open already, as many as one address may have")
        } else if open >= most {
            self.0.hits.count(Limit::Streams);
            format!("{open} streams are open already, as many as there may be")
        } else {
            *by_address.entry(address).or_default() += 1;
            self.0.open.inc();
            let streams = self.0.clone();
            return Ok(StreamPlace {
                _held: Arc::new(HeldPlace { streams, address }),
            });
        };
        Err(Error::new(
            Code::Unavailable,
            format!("{why}; try again later"),
        ))
    }
}

/// The place of one stream, until the last clone is dropped.
#[derive(Clone)]
pub struct StreamPlace {
    _held: Arc<HeldPlace>,
}

struct HeldPlace {
    streams: Arc<Shared>,
    address: IpAddr,
}

impl StreamPlace {
    /// Makes this response a stream, with which its connection ends.
    pub fn attach<B>(self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response.extensions_mut().insert(self);
    }
}

impl Drop for HeldPlace {
    fn drop(&mut self) {
        self.streams.open.dec();
        let mut by_address = self.streams.by_address();
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_addresses_cannot_have_all_streams() {
        let hits = Arc::new(Hits::default());
        let limits = ConnectionLimits {
            streams: 32,
            per_address: 20,
            ..ConnectionLimits::default()
        };
        let streams = Streams::new(&limits, hits.clone());
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let open = |last| streams.begin(address(last));
        let mut held: Vec<StreamPlace> = (0..20).map(|_| open(1).unwrap()).collect();
        let error = open(1).err().unwrap();
        assert_eq!(error.code, Code::Unavailable);
        assert!(error.message.contains("this address has 20"), "{error}");
        held.extend((0..10).map(|_| open(2).unwrap()));
        // The last two are for addresses that have none.
        assert!(open(2).is_err());
        held.extend([open(3).unwrap(), open(4).unwrap()]);
        assert!(open(5).is_err() && open(3).is_err());
        assert_eq!(hits.of(Limit::Streams), 3);
        assert_eq!(hits.of(Limit::ConnectionsPerAddress), 1);
        // A clone is the same stream.
        drop(held[0].clone());
        assert!(open(5).is_err());
        held.truncate(29);
        assert_eq!(streams.0.open.get(), 29);
        assert!(open(2).is_ok() && open(5).is_ok());
        drop(held);
        assert_eq!(streams.0.open.get(), 0);
        assert!(streams.0.by_address().is_empty());
    }
}
