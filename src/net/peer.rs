//! Finds the client that sent a request: the peer of the connection, or the client that a trusted proxy names.
//!
//! `X-Forwarded-For` counts only when the peer itself is a trusted proxy, and it is read from the right: every proxy
//! appends the address that it saw, so an entry to the left of an untrusted address may be made up by the client.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::HOST;
use ipnet::{IpNet, Ipv4Net};

use crate::base::error::quoted;

/// The proxies whose `X-Forwarded-For` is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Arc<[IpNet]>);

impl Proxies {
    /// Reads addresses and networks, in the form that [`check_network`] accepts. Other texts are left out.
    pub fn new(texts: &[String]) -> Proxies {
        Proxies(texts.iter().filter_map(|text| network(text)).collect())
    }

    /// Whether an address is that of a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    address: IpAddr,
    /// The trusted proxies, if the peer is one of them.
    proxies: Option<Proxies>,
    /// Whether the connection is encrypted.
    is_tls: bool,
}

/// Where a client sent a request to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host, with its port unless it is that of the scheme.
    pub host: Option<&'a str>,
}

impl Peer {
    /// The peer at an address.
    pub fn new(address: SocketAddr, proxies: &Proxies, is_tls: bool) -> Peer {
        let address = address.ip().to_canonical();
        Peer {
            address,
            proxies: proxies.trusts(address).then(|| proxies.clone()),
            is_tls,
        }
    }

    /// Where the client sent a request to. A trusted proxy may say it in `X-Forwarded-Proto` and `X-Forwarded-Host`. If
    /// several proxies have, the first one knows what the client used.
    pub fn asked<'a>(&self, headers: &'a HeaderMap) -> Asked<'a> {
        // Empty elements do not count (RFC 9110, section 5.6.1).
        let said = |name: &str| {
            self.proxies.as_ref()?;
            let lines = headers.get_all(name).into_iter();
            let lines = lines.map_while(|line| line.to_str().ok());
            let mut elements = lines.flat_map(|line| line.split(',')).map(str::trim);
            elements.find(|element| !element.is_empty())
        };
        let own = if self.is_tls { "https" } else { "http" };
        let scheme = match said("x-forwarded-proto") {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => "http",
            _ => own,
        };
        let host = || headers.get(HOST)?.to_str().ok();
        Asked {
            scheme,
            host: said("x-forwarded-host").or_else(host),
        }
    }

    /// The address of the client that sent a request. For a trusted proxy it is the last address in `X-Forwarded-For`
    /// that is not a trusted proxy. A header that is not a list of addresses is ignored.
    pub fn client(&self, headers: &HeaderMap) -> IpAddr {
        match &self.proxies {
            None => self.address,
            Some(proxies) => forwarded(headers, proxies).unwrap_or(self.address),
        }
    }
}

fn forwarded(headers: &HeaderMap, proxies: &Proxies) -> Option<IpAddr> {
    let lines = headers.get_all("x-forwarded-for");
    let lines: Vec<&str> = lines
        .into_iter()
        .map(|line| line.to_str().ok())
        .collect::<Option<_>>()?;
    let mut first = None;
    for text in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let address = address(text.trim())?;
        if !proxies.trusts(address) {
            return Some(address);
        }
        first = Some(address);
    }
    // All of them are trusted proxies, so the first one sent the request.
    first
}

/// Reads an address. Some proxies append a port, and some put IPv6 into brackets.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = plain.or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}

/// Reads an address or a network. An IPv4 network that is written as IPv6 becomes the IPv4 network.
pub fn network(text: &str) -> Option<IpNet> {
    // Programs disagree on what 010.0.0.1 means. The standard library refuses it instead of guessing.
    let network = match text.split_once('/') {
        None => IpNet::from(text.parse::<IpAddr>().ok()?),
        Some((address, bits)) => {
            let bits = Some(bits).filter(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()));
            IpNet::new(address.parse().ok()?, bits?.parse().ok()?).ok()?
        }
    };
    let mapped = network.addr().to_canonical();
    match (network, mapped) {
        // A network wider than all of IPv4 would not even contain the address that it is written with.
        (IpNet::V6(_), IpAddr::V4(inner)) => {
            let bits = network.prefix_len().checked_sub(96)?;
            Ipv4Net::new(inner, bits).ok().map(IpNet::from)
        }
        _ => Some(network),
    }
}

/// Checks that a text is an address or a network.
///
/// # Errors
///
/// A sentence that says what was expected.
pub fn check_network(text: &str) -> Result<(), String> {
    match network(text) {
        Some(_) => Ok(()),
        None => Err(format!(
            "expected an address like 10.0.0.1 or a network like 10.0.0.0/8, got {}",
            quoted(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        let proxies = ["10.0.0.0/8", "2001:db8::1", "::ffff:192.168.0.0/112"];
        let proxies = Proxies::new(&proxies.map(str::to_string));
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
        }
        let address = SocketAddr::new(peer.parse().unwrap(), 1);
        let peer = Peer::new(address, &proxies, false);
        peer.client(&headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        for (peer, expected) in [
            ("10.1.2.3", "203.0.113.7"),
            ("::ffff:10.1.2.3", "203.0.113.7"),
            ("192.168.3.4", "203.0.113.7"),
            ("2001:db8::1", "203.0.113.7"),
            ("2001:db8::2", "2001:db8::2"),
            ("203.0.113.99", "203.0.113.99"),
            ("::ffff:11.0.0.1", "11.0.0.1"),
        ] {
            assert_eq!(client(peer, &["203.0.113.7"]), expected);
        }
    }

    #[test]
    fn the_header_is_read_from_the_right_past_trusted_proxies() {
        for (lines, expected) in [
            (&["1.1.1.1, 203.0.113.7"][..], "203.0.113.7"),
            (&["1.1.1.1, 203.0.113.7,10.9.9.9"], "203.0.113.7"),
            (&["1.1.1.1", "203.0.113.7 , 10.9.9.9"], "203.0.113.7"),
            (
                &["203.0.113.7", "::ffff:10.9.9.9, 2001:db8::1"],
                "203.0.113.7",
            ),
            (&["made up, 203.0.113.7"], "203.0.113.7"),
            (&["203.0.113.7:4711"], "203.0.113.7"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["::ffff:203.0.113.7"], "203.0.113.7"),
            (&["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        ] {
            assert_eq!(client("10.1.2.3", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_broken_header_is_ignored() {
        for lines in [
            &[][..],
            &[""],
            &["203.0.113.7, unknown"],
            &["203.0.113.7,"],
            &["203.0.113.7", "1.2.3"],
            &["203.0.113.7 10.0.0.1"],
        ] {
            assert_eq!(client("10.1.2.3", lines), "10.1.2.3", "{lines:?}");
        }
    }

    #[test]
    fn a_trusted_proxy_says_where_a_request_was_sent_to() {
        let proxies = Proxies::new(&["10.0.0.0/8".to_string()]);
        let asked = |peer: &str, is_tls, lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let address = SocketAddr::new(peer.parse().unwrap(), 1);
            let peer = Peer::new(address, &proxies, is_tls);
            let asked = peer.asked(&headers);
            format!("{}://{}", asked.scheme, asked.host.unwrap_or("-"))
        };
        let all = [
            ("host", "crm:8000"),
            ("x-forwarded-proto", "HTTPS , http"),
            ("x-forwarded-host", "crm.example.com, crm:80"),
        ];
        for (peer, is_tls, lines, expected) in [
            ("10.1.2.3", false, &all[..], "https://crm.example.com"),
            ("10.1.2.3", false, &all[..2], "https://crm:8000"),
            ("10.1.2.3", true, &all[..1], "https://crm:8000"),
            ("11.1.2.3", false, &all[..], "http://crm:8000"),
            ("11.1.2.3", true, &all[..], "https://crm:8000"),
            (
                "10.1.2.3",
                true,
                &[("x-forwarded-proto", "http")],
                "http://-",
            ),
            (
                "10.1.2.3",
                true,
                &[("x-forwarded-proto", "wss")],
                "https://-",
            ),
            ("10.1.2.3", false, &[("x-forwarded-host", "")], "http://-"),
            (
                "10.1.2.3",
                false,
                &[("x-forwarded-host", " , ,crm.example.com:8443 ,b")],
                "http://crm.example.com:8443",
            ),
            (
                "10.1.2.3",
                false,
                &[
                    ("x-forwarded-host", ","),
                    ("x-forwarded-host", "crm.example.com,b"),
                    ("x-forwarded-host", "c"),
                ],
                "http://crm.example.com",
            ),
            (
                "10.1.2.3",
                false,
                &[
                    ("x-forwarded-host", "\u{e9}"),
                    ("x-forwarded-host", "b"),
                    ("host", "crm"),
                ],
                "http://crm",
            ),
        ] {
            assert_eq!(asked(peer, is_tls, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn networks_are_checked() {
        for text in ["10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"] {
            assert_eq!(check_network(text), Ok(()));
        }
        for text in [
            "",
            "10.0.0",
            "10.0.0.0/33",
            "localhost",
            "010.0.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "::ffff:192.168.0.0/91",
        ] {
            check_network(text).unwrap_err();
        }
    }
}
