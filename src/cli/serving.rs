//! Makes the settings of the server from those of the service.

use std::sync::Arc;

use crate::base::error::Error;
use crate::base::time::Zone;
use crate::config::{ServiceSettings, table};
use crate::net::certificate::{Certificate, CertificateFault};
use crate::net::limits::ConnectionLimits;
use crate::net::peer::Proxies;
use crate::net::settings::ConnectionSettings;
use crate::server::cors::Cors;
use crate::server::gate::Policy;
use crate::server::hosts::Hosts;
use crate::server::limit::{HEARTBEAT, RequestLimits};
use crate::server::settings::ServerSettings;
use crate::server::webhooks::networks::AllowedNetworks;

/// When a token is required.
fn policy(service: &ServiceSettings) -> Policy {
    match (
        service.is_on(&table::OPEN),
        service.is_on(&table::REQUIRE_TOKEN),
    ) {
        (true, _) => Policy::Open,
        (_, true) => Policy::Required,
        (false, false) => Policy::FromFirstToken,
    }
}

/// Makes the settings of the server.
pub(super) fn serving(service: &ServiceSettings, zone: Zone) -> Result<ServerSettings, Error> {
    let rate = |knob| match service.number(knob) {
        0 => None,
        rate => u32::try_from(rate).ok(),
    };
    let tls = match (
        service.file(&table::TLS_CERT),
        service.file(&table::TLS_KEY),
    ) {
        (Some(certificate), Some(key)) => {
            let read = Certificate::read(certificate.into(), key.into());
            let read = read.map_err(|fault| {
                let (knob, why) = match fault {
                    CertificateFault::Certificate(why) => (&table::TLS_CERT, why),
                    CertificateFault::Key(why) => (&table::TLS_KEY, why),
                };
                service.setting(knob).origin.refuse(why)
            })?;
            Some(Arc::new(read))
        }
        _ => None,
    };
    Ok(ServerSettings {
        connections: ConnectionSettings {
            limits: ConnectionLimits {
                connections: service.number(&table::MAX_CONNECTIONS),
                per_address: service.number(&table::MAX_CONNECTIONS_PER_ADDRESS),
                streams: service.number(&table::MAX_STREAMS),
                head: service.time(&table::HEAD_TIMEOUT),
                head_bytes: service.number(&table::MAX_HEAD),
                idle: service.time(&table::IDLE_TIMEOUT),
                ..ConnectionLimits::default()
            },
            tls,
            proxies: Proxies::new(service.many(&table::TRUSTED_PROXY)),
            hits: Arc::default(),
        },
        requests: RequestLimits {
            body: service.number(&table::MAX_BODY),
            url: service.number(&table::MAX_URL),
            depth: service.number(&table::MAX_DEPTH),
            body_time: service.time(&table::BODY_TIMEOUT),
            time: service.time(&table::REQUEST_TIMEOUT),
            heartbeat: HEARTBEAT,
            per_token: rate(&table::RATE_PER_TOKEN),
            per_address: rate(&table::RATE_PER_ADDRESS),
        },
        cors: Cors::new(service.many(&table::CORS_ORIGIN)),
        hosts: Hosts {
            allowed: service.many(&table::ALLOWED_HOST).to_vec(),
            ..Hosts::default()
        },
        webhooks: AllowedNetworks::new(service.many(&table::WEBHOOK_ALLOW)),
        policy: policy(service),
        zone,
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Flags, Surroundings};

    #[test]
    fn the_documented_defaults_are_those_of_the_code() {
        let around = Surroundings {
            environment: &|_| None,
            folder: PathBuf::new(),
            config_folder: None,
            data_folder: None,
        };
        let service = ServiceSettings::find(&Flags::default(), &around);
        let made = serving(&service.unwrap(), Zone::UTC).unwrap();
        let own = ServerSettings::default();
        assert_eq!(made.connections.limits, own.connections.limits);
        assert_eq!(made.requests, own.requests);
        assert_eq!(made.connections.proxies, own.connections.proxies);
        assert_eq!(made.cors, own.cors);
        assert_eq!(made.hosts, own.hosts);
        assert!(made.connections.tls.is_none() && own.connections.tls.is_none());
    }
}
