//! What connections are taken by.

use std::sync::Arc;

use crate::net::hits::Hits;
use crate::net::limits::Limits;
use crate::net::peer::Proxies;
use crate::net::tls::Certificate;

/// What connections are taken by.
#[derive(Clone, Default)]
pub struct Door {
    /// What they may use.
    pub limits: Limits,
    /// What they are encrypted by, where they are.
    pub tls: Option<Arc<Certificate>>,
    /// Who may have more of them than other addresses, as it asks for many.
    pub proxies: Proxies,
    /// Where it is counted which limits were met.
    pub hits: Arc<Hits>,
}

impl From<Limits> for Door {
    fn from(limits: Limits) -> Door {
        Door {
            limits,
            ..Door::default()
        }
    }
}
