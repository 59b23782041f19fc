//! Who is at the other end of a connection, and on whose behalf it asks.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::error::quoted;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    address: IpAddr,
}

impl Peer {
    /// By its address.
    pub fn new(address: SocketAddr) -> Peer {
        Peer {
            address: address.ip().to_canonical(),
        }
    }

    /// Whose request it is.
    pub fn client(&self) -> IpAddr {
        self.address
    }
}

/// The addresses of one proxy or a network of them.
fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse::<IpNet>().ok().or_else(address)
}

/// Whether a text names a proxy; the error says what was expected.
pub fn check_network(text: &str) -> Result<(), String> {
    match network(text) {
        Some(_) => Ok(()),
        None => Err(format!(
            "expected an address like 10.0.0.1 or a network like 10.0.0.0/8, got {}",
            quoted(text)
        )),
    }
}
