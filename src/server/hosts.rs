//! The hosts that a request may name, where only this machine reaches the service and everyone there may use it.
//!
//! A page of another site can give its own name the address 127.0.0.1 (DNS rebinding). For the browser, requests to that name
//! are then requests to the page's own site, so the page may send anything and read every answer. Only `Host` tells such a
//! request apart. A page cannot get a token this way, so a service that asks for tokens answers every name, as does a
//! service that others reach, whose names it cannot know.

use std::net::IpAddr;

use warp::http::HeaderMap;
use warp::http::header::HOST;

use crate::base::error::{Code, Error, quoted};

/// The hosts that a service answers for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Whether the service listens on a loopback address.
    pub is_local: bool,
    /// Hosts in addition to `localhost` and the loopback addresses, in the form that [`check_host`] accepts.
    pub allowed: Vec<String>,
}

impl Hosts {
    /// The refusal of a request to a service that is open, if its host is not one of these.
    pub(super) fn refused(&self, headers: &HeaderMap) -> Option<Error> {
        if !self.is_local {
            return None;
        }
        // HTTP/1.0 may leave the header out and HTTP/1.1 may send an empty one. No browser does either.
        let given = headers.get(HOST)?;
        let text = given.to_str().unwrap_or_default();
        if given.is_empty() || split(text).is_some_and(|(host, _)| self.has(host)) {
            return None;
        }
        let message = format!(
            "Host: expected localhost, a loopback address or a host that --allowed-host names, got {}",
            quoted(&String::from_utf8_lossy(given.as_bytes()))
        );
        Some(Error::new(Code::Misdirected, message))
    }

    fn has(&self, host: &str) -> bool {
        let mut allowed = self.allowed.iter();
        match address(host) {
            Some(ip) => ip.is_loopback() || allowed.any(|allowed| address(allowed) == Some(ip)),
            None => is_same_name(host, "localhost") || allowed.any(|name| is_same_name(host, name)),
        }
    }
}

/// Whether two hosts are the same, in any spelling.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    match (address(one), address(other)) {
        (None, None) => is_same_name(one, other),
        (one, other) => one == other,
    }
}

/// Whether two names are the same. The dot at the end of a name makes no difference.
fn is_same_name(one: &str, other: &str) -> bool {
    let absolute = |name| str::strip_suffix(name, '.').unwrap_or(name);
    absolute(one).eq_ignore_ascii_case(absolute(other))
}

/// Reads an address; IPv6 is in brackets or not.
fn address(host: &str) -> Option<IpAddr> {
    let inner = |host: &str| host.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = match host.starts_with('[') {
        true => inner(host).map(IpAddr::V6),
        false => host.parse().ok(),
    };
    address.map(|address| address.to_canonical())
}

/// Splits `host:port` as it is in `Host` and in an origin. IPv6 is in brackets. `None` if the text is neither of them.
pub(super) fn split(text: &str) -> Option<(&str, Option<u16>)> {
    let end = match text.starts_with('[') {
        true => text.find(']')? + 1,
        false => text
            .bytes()
            .position(|byte| byte == b':')
            .unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(end);
    let is_host = match host.starts_with('[') {
        true => address(host).is_some(),
        false => is_name(host),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return None,
        // The port may be left out after the colon (RFC 3986, section 3.2.3).
        Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok()?)
        }
        Some(_) => return None,
    };
    is_host.then_some((host, port))
}

/// Whether a text is the name of a host: letters, digits, hyphens and underscores between dots. It may end in a dot.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // Every request is checked, so the labels are not searched first.
    let mut is_begun = false;
    for byte in text.strip_suffix('.').unwrap_or(text).bytes() {
        if !plain(byte) && (byte != b'.' || !is_begun) {
            return false;
        }
        is_begun = byte != b'.';
    }
    is_begun
}

/// Checks that a text is a host without a port. The error says what was expected.
pub fn check_host(text: &str) -> Result<(), String> {
    match address(text).is_some() || is_name(text) {
        true => Ok(()),
        false => Err(format!(
            "expected a host name like crm.example.com or an address, without a port and without *, got {}",
            quoted(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    fn is_refused(hosts: &Hosts, host: &[u8]) -> bool {
        let host = HeaderValue::from_bytes(host).unwrap();
        let refused = hosts.refused(&HeaderMap::from_iter([(HOST, host)]));
        refused.is_some_and(|error| {
            assert_eq!((error.code, error.code.status()), (Code::Misdirected, 421));
            true
        })
    }

    #[test]
    fn a_local_service_answers_for_its_own_hosts() {
        let allowed = ["crm.example.com", "10.0.0.7", "2001:db8::7"];
        let hosts = Hosts {
            is_local: true,
            allowed: allowed.map(str::to_string).to_vec(),
        };
        for host in [
            "",
            "localhost",
            "localhost:8000",
            "LocalHost.:8000",
            "127.0.0.1",
            "127.0.0.1:",
            "127.9.9.9:65535",
            "[::1]",
            "[::1]:8000",
            "[0:0:0:0:0:0:0:1]:8000",
            "[::ffff:127.0.0.1]:8000",
            "crm.example.com",
            "CRM.example.com.:443",
            "10.0.0.7:80",
            "[2001:DB8:0::7]:80",
        ] {
            assert!(!is_refused(&hosts, host.as_bytes()), "{host}");
        }
        for host in [
            &b"crm"[..],
            b"example.com",
            b"crm.example.com.evil.com:8000",
            b"localhost.evil.com",
            b"127.0.0.1.nip.io",
            b"evil.com:8000",
            b"localhost:8000@evil.com",
            b"evil.com@localhost",
            b"localhost, evil.com",
            b"localhost..",
            b"localhost:99999",
            b"localhost:-1",
            b"::1",
            b"[::1",
            b"[::1]x",
            b"[fe80::1%eth0]",
            b"[127.0.0.1]",
            b"192.168.0.1:8000",
            b"0.0.0.0",
            b"[::]",
            b"\xe9vil",
            b"localhost\xe9",
            b"http://localhost",
        ] {
            assert!(is_refused(&hosts, host), "{}", host.escape_ascii());
            assert!(!is_refused(&Hosts::default(), host));
        }
        assert!(hosts.refused(&HeaderMap::new()).is_none());
    }

    #[test]
    fn allowed_hosts_are_checked() {
        for text in ["crm", "crm.example.com.", "10.0.0.1", "::1", "[::1]", "a_b"] {
            assert_eq!(check_host(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "*",
            "*.example.com",
            ".example.com",
            "a..b",
            "crm:8000",
            "[::1]:80",
            "http://crm",
            "crm/",
            "bücher.de",
            "a b",
        ] {
            assert!(check_host(text).is_err(), "{text}");
        }
    }
}
