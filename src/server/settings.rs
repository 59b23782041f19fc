//! The settings of the HTTP service.

use super::cors::Cors;
use super::gate::Policy;
use super::hosts::Hosts;
use super::limit::RequestLimits;
use super::webhooks::networks::AllowedNetworks;
use crate::base::time::Zone;
use crate::net::settings::ConnectionSettings;

/// The settings of the service. The defaults are the documented ones.
#[derive(Clone, Default)]
pub struct ServerSettings {
    /// How connections are accepted.
    pub connections: ConnectionSettings,
    /// The limits of one request.
    pub requests: RequestLimits,
    /// Which pages of other sites may use the API.
    pub cors: Cors,
    /// Which hosts requests may name.
    pub hosts: Hosts,
    /// Whether requests need a token.
    pub policy: Policy,
    /// Which addresses webhooks may reach besides the public ones.
    pub webhooks: AllowedNetworks,
    /// The zone of times without an offset in requests that name none.
    pub zone: Zone,
}
