//! The settings of the accept loop.

use std::sync::Arc;

use crate::net::certificate::Certificate;
use crate::net::hits::Hits;
use crate::net::limits::ConnectionLimits;
use crate::net::peer::Proxies;

/// How connections are accepted.
#[derive(Clone, Default)]
pub struct ConnectionSettings {
    /// The limits of connections.
    pub limits: ConnectionLimits,
    /// The certificate for HTTPS. Without one, connections are not encrypted.
    pub tls: Option<Arc<Certificate>>,
    /// The trusted proxies. They are exempt from the limit per address, because they connect on behalf of many clients.
    pub proxies: Proxies,
    /// Counts how often each limit was reached.
    pub hits: Arc<Hits>,
}

impl From<ConnectionLimits> for ConnectionSettings {
    fn from(limits: ConnectionLimits) -> ConnectionSettings {
        ConnectionSettings {
            limits,
            ..ConnectionSettings::default()
        }
    }
}
