//! Reads the URL of a database: the form that libpq reads, including `sslmode` and `sslrootcert`, and the size of the pool.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::failure::reason;
use super::tls::Verify;
use crate::base::error::{Error, Result, quoted};

/// The most connections that a server opens if the URL does not say. The connections of ten replicas fit into the hundred
/// that PostgreSQL accepts by default, with some left for people.
pub const CONNECTIONS: usize = 8;

/// The largest accepted value of `pool_max_conns`.
const MOST_CONNECTIONS: usize = 1_000;

/// How long sent data may stay unacknowledged by the network. TCP alone would wait a quarter of an hour for a vanished
/// host.
const NETWORK_PATIENCE: Duration = Duration::from_secs(5);

/// The most connections that a server opens, from `pool_max_conns` of the URL.
pub fn connections(url: &str) -> Result<usize> {
    let parsed =
        parse(url).map_err(|expected| Error::invalid(format!("the database: {expected}")))?;
    Ok(parsed.connections.unwrap_or(CONNECTIONS))
}

/// Whether a URL can be read. The error says what was expected, and never repeats a password.
pub fn check_url(url: &str) -> Result<(), String> {
    parse(url).map(drop)
}

/// The parts of a URL.
pub(super) struct ParsedUrl {
    /// One for each host.
    pub(super) hosts: Vec<Config>,
    pub(super) verify: Verify,
    /// The file of `sslrootcert`.
    pub(super) roots: Option<String>,
    /// The value of `pool_max_conns`.
    pub(super) connections: Option<usize>,
}

/// The parameters that are read here. The library does not know all values of the first two. The third has the name that
/// other programs use for the size of their pool.
#[derive(Default)]
struct OwnParams {
    mode: Option<String>,
    roots: Option<String>,
    connections: Option<String>,
}

/// Reads a URL as libpq does, with `sslmode` up to `verify-full` and `sslrootcert`.
pub(super) fn parse(url: &str) -> Result<ParsedUrl, String> {
    const EXPECTED: &str = "expected a URL like postgres://user@host:5432/crm";
    check_user(url)?;
    let (plain, own) = split(url)?;
    let (mode, roots) = (own.mode, own.roots);
    let connections = own
        .connections
        .map(|given| match given.parse() {
            Ok(most) if (1..=MOST_CONNECTIONS).contains(&most) => Ok(most),
            _ => Err(format!(
                "pool_max_conns: expected a number from 1 to {MOST_CONNECTIONS}, got {}",
                quoted(&given)
            )),
        })
        .transpose()?;
    let mut config: Config = plain.parse().map_err(|error: tokio_postgres::Error| {
        // The text repeats the name of an option as the user wrote it.
        let why = quoted(&reason(&error));
        format!(
            "{EXPECTED}, got one that cannot be read: {}",
            &why[1..why.len() - 1]
        )
    })?;
    let verify = match mode.as_deref() {
        Some("disable") => {
            config.ssl_mode(SslMode::Disable);
            Verify::Nothing
        }
        // For "allow", libpq tries without TLS first. Trying with TLS first is never less safe.
        None | Some("prefer" | "allow") => Verify::Nothing,
        // As in libpq: a given certificate is checked.
        Some("require") if roots.is_none() => Verify::Nothing,
        Some("require" | "verify-ca") => Verify::Authority,
        Some("verify-full") => Verify::Full,
        Some(other) => {
            return Err(format!(
                "sslmode: expected disable, allow, prefer, require, verify-ca or verify-full, got {}",
                quoted(other)
            ));
        }
    };
    if matches!(
        mode.as_deref(),
        Some("require" | "verify-ca" | "verify-full")
    ) {
        config.ssl_mode(SslMode::Require);
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(format!("{EXPECTED}, got one without a host"));
    }
    if config.get_application_name().is_none() {
        config.application_name("crm");
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(NETWORK_PATIENCE);
    }
    if !plain.contains("keepalives_idle=") {
        config.keepalives_idle(NETWORK_PATIENCE);
    }
    let mut hosts = hosts(&config);
    if hosts.len() > 1 && !plain.contains("target_session_attrs=") {
        // Only one of several hosts accepts writes.
        for host in &mut hosts {
            host.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
    }
    Ok(ParsedUrl {
        hosts,
        verify,
        roots,
        connections,
    })
}

/// Refuses a user or password that other programs would read differently. The library reads everything before the first `@`
/// as user and password.
fn check_user(url: &str) -> Result<(), String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    match authority.matches('@').count() {
        0 if !behind.contains('@') => Ok(()),
        1 => Ok(()),
        _ => Err("expected @, / and ? of a user or a password as %40, %2F and %3F".into()),
    }
}

/// Splits a URL into the URL without the parameters that are read here, and those parameters.
fn split(url: &str) -> Result<(String, OwnParams), String> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut own, mut rest) = (OwnParams::default(), Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "sslmode" => &mut own.mode,
            "sslrootcert" => &mut own.roots,
            "pool_max_conns" => &mut own.connections,
            _ => {
                rest.push(pair);
                continue;
            }
        };
        let value = percent_decode_str(value)
            .decode_utf8()
            .map_err(|_| format!("{name}: expected percent-encoded UTF-8"))?;
        if place.replace(value.into_owned()).is_some() {
            return Err(format!("{name} is given twice"));
        }
    }
    let mark = if rest.is_empty() { "" } else { "?" };
    Ok((format!("{base}{mark}{}", rest.join("&")), own))
}

/// A separate configuration for each host. So a host that accepts a connection and then stays silent does not keep the next
/// host from being tried.
fn hosts(config: &Config) -> Vec<Config> {
    let (names, addresses, ports) = (
        config.get_hosts(),
        config.get_hostaddrs(),
        config.get_ports(),
    );
    let count = names.len().max(addresses.len());
    (0..count)
        .map(|at| {
            let mut one = Config::new();
            match names.get(at) {
                Some(Host::Tcp(name)) => {
                    one.host(name);
                }
                Some(Host::Unix(path)) => {
                    one.host_path(path);
                }
                None => {}
            }
            if let Some(address) = addresses.get(at) {
                one.hostaddr(*address);
            }
            if let Some(port) = ports.get(at).or_else(|| ports.first()) {
                one.port(*port);
            }
            config.get_user().map(|user| one.user(user));
            config.get_password().map(|password| one.password(password));
            config.get_dbname().map(|name| one.dbname(name));
            config.get_options().map(|options| one.options(options));
            config
                .get_application_name()
                .map(|name| one.application_name(name));
            config
                .get_connect_timeout()
                .map(|patience| one.connect_timeout(*patience));
            config
                .get_tcp_user_timeout()
                .map(|patience| one.tcp_user_timeout(*patience));
            config
                .get_keepalives_interval()
                .map(|interval| one.keepalives_interval(interval));
            config
                .get_keepalives_retries()
                .map(|retries| one.keepalives_retries(retries));
            one.keepalives(config.get_keepalives())
                .keepalives_idle(config.get_keepalives_idle())
                .ssl_mode(config.get_ssl_mode())
                .ssl_negotiation(config.get_ssl_negotiation())
                .target_session_attrs(config.get_target_session_attrs())
                .channel_binding(config.get_channel_binding());
            one
        })
        .collect()
}
