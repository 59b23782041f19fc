//! Addresses as they are counted.

use std::net::{IpAddr, Ipv6Addr};

/// Whom an address stands for where it is counted: itself, or its /64, which is what one customer of a provider has of
/// IPv6 (RFC 6177) and can take any address of.
pub(super) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_and_ipv4_is_itself_in_both_forms() {
        let counted = |text: &str| household(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("10.1.2.3"), "10.1.2.3");
        assert_eq!(counted("::ffff:10.1.2.3"), "10.1.2.3");
    }
}
