//! Which addresses webhooks may reach.
//!
//! Whoever sets a webhook chooses where the service connects to, so it must not reach what only the service can reach: the
//! machine itself, the network behind it, the metadata of a cloud. An address is checked when the connection is made. A name
//! may stand for another address each time that it is looked up, so a check at an earlier time would prove nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::net::peer::network;

/// The networks that are refused unless they are allowed, as the registries of special addresses list them.
const REFUSED_V4: [(Ipv4Addr, u8); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Of IPv6, only the global unicast addresses are public, and of these not the following.
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const REFUSED_V6: [(Ipv6Addr, u8); 5] = [
    // Teredo, benchmarks, ORCHID, and the rest of the special assignments.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // 6to4: it holds an IPv4 address.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
];

/// The prefix of NAT64: it holds an IPv4 address. The public one may lead anywhere, also into the network of the service.
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// The networks that are allowed although they are not public.
#[derive(Clone, Debug, Default)]
pub struct AllowedNetworks(Vec<IpNet>);

impl AllowedNetworks {
    /// Reads networks. They were checked.
    pub fn new(texts: &[String]) -> AllowedNetworks {
        AllowedNetworks(texts.iter().filter_map(|text| network(text)).collect())
    }

    /// Whether a webhook may reach an address.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        let address = meant(address);
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }
}

/// The address that is reached: an IPv4 address that is written as IPv6 is that IPv4 address.
fn meant(address: IpAddr) -> IpAddr {
    let address = address.to_canonical();
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let octets = v6.octets();
    let within = |(prefix, length): (Ipv6Addr, u8)| {
        Ipv6Net::new(prefix, length).is_ok_and(|network| network.contains(&v6))
    };
    let part = |at: usize| {
        IpAddr::V4(Ipv4Addr::new(
            octets[at],
            octets[at + 1],
            octets[at + 2],
            octets[at + 3],
        ))
    };
    match () {
        () if within(NAT64) => part(12),
        // IPv4-compatible, which is no longer used. The loopback and the unspecified address look the same.
        () if v6.segments()[..6] == [0; 6] && !v6.is_loopback() && !v6.is_unspecified() => part(12),
        () => address,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !REFUSED_V4.iter().any(|(prefix, length)| {
            Ipv4Net::new(*prefix, *length).is_ok_and(|network| network.contains(&address))
        }),
        IpAddr::V6(address) => {
            let within = |(prefix, length): &(Ipv6Addr, u8)| {
                Ipv6Net::new(*prefix, *length).is_ok_and(|network| network.contains(&address))
            };
            within(&PUBLIC_V6) && !REFUSED_V6.iter().any(within)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_reached() {
        let none = AllowedNetworks::default();
        for address in [
            "93.184.216.34",
            "1.1.1.1",
            "172.32.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
        ] {
            assert!(none.has(address.parse().unwrap()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001:db8::1",
            "2001:2::1",
            "2001::1",
            "3fff::1",
            "5f00::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
        ] {
            assert!(!none.has(address.parse().unwrap()), "{address}");
        }
        let some = AllowedNetworks::new(&["10.0.0.0/8".into(), "::1".into(), "127.0.0.1".into()]);
        for (address, allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("64:ff9b::a00:1", true),
            ("::1", true),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("192.168.1.1", false),
        ] {
            assert_eq!(some.has(address.parse().unwrap()), allowed, "{address}");
        }
    }
}
