//! Connections to PostgreSQL: what a URL says, TLS, and sessions that are ready for use.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::ready;
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, Object, RecycleError, RecycleResult};
use percent_encoding::percent_decode_str;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::Severity;
use tokio_postgres::{AsyncMessage, Client, Config, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::{Failure, complain, reason, within};
use crate::base::error::{Error, Result, quoted};

/// How long one of the hosts of a URL has to answer before the next is tried, TLS and password included. Two that are
/// gone leave time for a third within the five seconds that a request takes at most.
const HOST_PATIENCE: Duration = Duration::from_millis(1_300);

/// How long what was sent may stay without any answer from the network. A host that vanished would else be waited for
/// by a quarter of an hour of TCP's own.
const NETWORK_PATIENCE: Duration = Duration::from_secs(5);

/// What every session is told. No statement is cancelled by the server: a cancelled wait for a synchronous standby would
/// be told as a success, with a warning that has to come. `synchronous_commit = off` would answer before a commit is on
/// disk. A lock is waited for as long as leaves time to say so, also by the first of two tries to read.
const SETTINGS: &str = "SET statement_timeout = 0; SET lock_timeout = '2s'; SET client_min_messages = 'warning'; \
    SET idle_in_transaction_session_timeout = '10s'; SET standard_conforming_strings = on; \
    SET default_transaction_isolation = 'read committed'; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// The most that `pool_max_conns` may ask for.
const MOST_CONNECTIONS: usize = 1_000;

/// How long the end of what was given up is waited for, twice: until it was asked for, and until it is there.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Statements kept prepared by a session.
const KEPT_STATEMENTS: usize = 64;

/// Where a database is, and how it is spoken to.
pub(super) struct Link {
    /// One a host.
    hosts: Vec<Config>,
    /// The host that answered last.
    last: AtomicUsize,
    tls: MakeRustlsConnect,
}

/// How far the server's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verify {
    Nothing,
    /// That somebody trusted has signed it.
    Authority,
    /// The name as well.
    Full,
}

/// What a URL says.
pub(super) struct Parsed {
    hosts: Vec<Config>,
    verify: Verify,
    /// The file of `sslrootcert`.
    roots: Option<String>,
    /// The number of `pool_max_conns`.
    pub(super) connections: Option<usize>,
}

/// The parameters of a URL that are read here: of the first two the library knows too little, and the third is what
/// other programs call the size of their pool.
#[derive(Default)]
struct Own {
    mode: Option<String>,
    roots: Option<String>,
    connections: Option<String>,
}

/// Reads a URL as libpq does, with `sslmode` up to `verify-full` and `sslrootcert`.
pub(super) fn parse(url: &str) -> Result<Parsed, String> {
    const EXPECTED: &str = "expected a URL like postgres://user@host:5432/crm";
    look_at_user(url)?;
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
        // It repeats the name of an option as it was given.
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
        // libpq tries without TLS first for "allow"; with it first is never less safe.
        None | Some("prefer" | "allow") => Verify::Nothing,
        // As libpq does: a certificate that is given is meant.
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
        // Of several only one takes writes.
        for host in &mut hosts {
            host.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
    }
    Ok(Parsed {
        hosts,
        verify,
        roots,
        connections,
    })
}

impl Link {
    pub(super) fn new(url: &str) -> Result<Link> {
        let refuse = |expected| Error::invalid(format!("the database: {expected}"));
        let Parsed {
            hosts,
            verify,
            roots,
            connections: _,
        } = parse(url).map_err(refuse)?;
        Ok(Link {
            hosts,
            last: AtomicUsize::new(0),
            tls: MakeRustlsConnect::new(tls(verify, roots.as_deref())?),
        })
    }
}

/// Refuses a user or password that ends elsewhere for this program than for others. The library takes all before the first
/// `@` for them.
fn look_at_user(url: &str) -> Result<(), String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    match authority.matches('@').count() {
        0 if !behind.contains('@') => Ok(()),
        1 => Ok(()),
        _ => Err("expected @, / and ? of a user or a password as %40, %2F and %3F".into()),
    }
}

/// A URL without the parameters that are read here, and these.
fn split(url: &str) -> Result<(String, Own), String> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut own, mut rest) = (Own::default(), Vec::new());
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

/// The configuration of each host by itself, so that one that accepts a connection and then says nothing does not keep
/// the next from being tried.
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

fn tls(verify: Verify, roots: Option<&str>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusted: Option<Arc<dyn ServerCertVerifier>> = match (verify, roots) {
        (Verify::Nothing, _) => None,
        (_, None | Some("system")) => {
            let system = rustls_platform_verifier::Verifier::new(provider.clone());
            let system = system.map_err(|error| {
                Error::failed(format!(
                    "the certificates of this system cannot be read: {error}; name a file with sslrootcert"
                ))
            })?;
            Some(Arc::new(system))
        }
        (_, Some(file)) => {
            let refuse =
                |error: &dyn Display| Error::failed(format!("sslrootcert: {file:?}: {error}"));
            let mut store = RootCertStore::empty();
            for certificate in certificates(file)? {
                store.add(certificate).map_err(|error| refuse(&error))?;
            }
            let built = WebPkiServerVerifier::builder_with_provider(store.into(), provider.clone());
            Some(built.build().map_err(|error| refuse(&error))?)
        }
    };
    let verifier = Look {
        verify,
        trusted,
        provider: provider.clone(),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?;
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>> {
    let refuse = |reason: String| {
        let expected = "expected a file of certificates in PEM form";
        Error::failed(format!("sslrootcert: {file:?}: {expected}: {reason}"))
    };
    let read = CertificateDer::pem_file_iter(file).map_err(|error| refuse(error.to_string()))?;
    let found: Result<Vec<_>, _> = read.collect();
    let found = found.map_err(|error| refuse(error.to_string()))?;
    match found.is_empty() {
        true => Err(refuse("it has none".into())),
        false => Ok(found),
    }
}

/// Looks at a certificate as far as `sslmode` asks for. That the server has its key is looked at always; with
/// `sslmode=require` and no `sslrootcert` nothing else is, which is against those who listen, and not against those who
/// answer in the server's place.
#[derive(Debug)]
struct Look {
    verify: Verify,
    /// Who signs; `None` where nobody has to.
    trusted: Option<Arc<dyn ServerCertVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Look {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(trusted) = &self.trusted else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = trusted.verify_server_cert(certificate, between, name, ocsp, now);
        match verified {
            // The name is looked at last, when all else has been found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.verify == Verify::Authority => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// A connection that is ready for use.
pub(super) struct Session {
    pub(super) client: Arc<Client>,
    statements: HashMap<String, Statement>,
    /// Whether the server has warned of anything since this was last set to false.
    pub(super) warned: Arc<AtomicBool>,
    /// Whether a transaction is open that nobody may go on with but who began it.
    pub(super) in_transaction: bool,
    task: JoinHandle<()>,
}

impl Session {
    /// A statement that comes again and again, prepared once.
    pub(super) async fn prepared(&mut self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        if self.statements.len() < KEPT_STATEMENTS {
            self.statements.insert(sql.to_string(), statement.clone());
        }
        Ok(statement)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What may still run is not waited for: the server ends it when the connection is gone, but for a commit, which
        // it finishes.
        self.task.abort();
    }
}

impl Link {
    async fn connect(&self, host: &Config) -> Result<Session, Failure> {
        let connecting = async {
            let (client, mut connection) = host.connect(self.tls.clone()).await?;
            let warned: Arc<AtomicBool> = Arc::default();
            let seen = warned.clone();
            let task = tokio::spawn(poll_fn(move |context| {
                loop {
                    match ready!(connection.poll_message(context)) {
                        Some(Ok(AsyncMessage::Notice(notice))) => {
                            if notice.parsed_severity() == Some(Severity::Warning) {
                                complain(format_args!("{notice}"));
                                seen.store(true, Ordering::Relaxed);
                            }
                        }
                        Some(Ok(_)) => {}
                        // Whoever uses the connection is told.
                        Some(Err(_)) | None => return std::task::Poll::Ready(()),
                    }
                }
            }));
            let session = Session {
                client: Arc::new(client),
                statements: HashMap::new(),
                warned,
                in_transaction: false,
                task,
            };
            session.client.batch_execute(SETTINGS).await?;
            Ok(session)
        };
        within(HOST_PATIENCE, connecting).await
    }
}

/// A host as a URL names it.
fn named(host: &Config) -> String {
    let port = host.get_ports().first().copied().unwrap_or(5432);
    match (host.get_hosts().first(), host.get_hostaddrs().first()) {
        (Some(Host::Tcp(name)), _) => format!("{name}:{port}"),
        (Some(Host::Unix(path)), _) => path.display().to_string(),
        (None, Some(address)) => format!("{address}:{port}"),
        (None, None) => port.to_string(),
    }
}

/// Why a host could not be connected to, and whether that may pass.
fn unreachable(failure: &Failure) -> (String, bool) {
    let error = match failure {
        Failure::Told(error) => error,
        Failure::Late => return ("no answer in time".into(), true),
        Failure::Unreachable { why, passes } => return (why.clone(), *passes),
    };
    let why = reason(error);
    if why == "password missing" {
        let why = "the URL has no password; PGPASSWORD and .pgpass are not read".into();
        return (why, false);
    }
    let cause = std::error::Error::source(error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    (
        why,
        cause.is_some_and(|cause| cause.raw_os_error().is_some()),
    )
}

/// Ends what may still run on a connection whose user has gone. It keeps its place in the pool until then, so that there
/// are never more than the pool may have.
pub(super) fn give_up(session: Object<Link>, cancels: bool) {
    let ending = async move {
        if cancels && let Some(pool) = Object::pool(&session) {
            let token = session.client.cancel_token();
            let _ = within(END_PATIENCE, token.cancel_query(pool.manager().tls.clone())).await;
        }
        // Answered when all before it is. Then it is not used again: the cancel might still be on its way.
        let _ = within(END_PATIENCE, session.client.batch_execute("")).await;
        drop(Object::take(session));
    };
    // Without a runtime the program ends, and the connection with it.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(ending);
    }
}

impl Manager for Link {
    type Type = Session;
    type Error = Failure;

    /// Connects to the host that answered last, or to the next that does.
    async fn create(&self) -> Result<Session, Failure> {
        let first = self.last.load(Ordering::Relaxed);
        let (mut refused, mut missed, mut passes) = (None, Vec::new(), false);
        for at in 0..self.hosts.len() {
            let at = (first + at) % self.hosts.len();
            // Boxed, as are the waits for it: what a request waits for is not to have room for the way to a new connection.
            match Box::pin(self.connect(&self.hosts[at])).await {
                Ok(session) => {
                    self.last.store(at, Ordering::Relaxed);
                    return Ok(session);
                }
                Err(Failure::Told(error)) if error.as_db_error().is_some() => {
                    refused = Some(Failure::Told(error));
                }
                Err(failure) => {
                    let (why, may_pass) = unreachable(&failure);
                    passes |= may_pass;
                    missed.push(format!("{}: {why}", named(&self.hosts[at])));
                }
            }
        }
        // What a server says itself is the better answer.
        Err(refused.unwrap_or(Failure::Unreachable {
            why: missed.join("; "),
            passes,
        }))
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<Failure> {
        match session.client.is_closed() || session.in_transaction {
            true => Err(RecycleError::message("given up")),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        match Link::new(url) {
            Ok(_) => panic!("{url} was taken"),
            Err(error) => error.message,
        }
    }

    #[test]
    fn every_host_has_its_own_port_and_all_else_alike() {
        let link =
            Link::new("postgres://me:secret@one:5433,two:5434/crm?application_name=a").unwrap();
        let seen: Vec<_> = link
            .hosts
            .iter()
            .map(|host| {
                let attributes = host.get_target_session_attrs();
                (
                    host.get_hosts().to_vec(),
                    host.get_ports().to_vec(),
                    attributes,
                )
            })
            .collect();
        let expected = |name: &str, port: u16| {
            let host = vec![Host::Tcp(name.into())];
            (host, vec![port], TargetSessionAttrs::ReadWrite)
        };
        assert_eq!(seen, [expected("one", 5433), expected("two", 5434)]);
        assert!(link.hosts.iter().all(|host| {
            (host.get_user(), host.get_password()) == (Some("me"), Some(b"secret".as_slice()))
        }));
        let any = Link::new("postgres://one,two/crm?target_session_attrs=any").unwrap();
        let attributes = any.hosts[0].get_target_session_attrs();
        assert_eq!(attributes, TargetSessionAttrs::Any);
    }

    #[test]
    fn a_url_that_is_wrong_is_refused_and_its_password_is_not_shown() {
        for (url, named) in [
            ("postgres://me:secret@host/crm?sslmode=maybe", "sslmode"),
            (
                "postgres://me:secret@host/crm?sslmode=require&sslmode=disable",
                "sslmode",
            ),
            ("postgres://me:secret@host/crm?nope=1", "nope"),
            ("postgres://me:secret@host/crm?no\u{1b}pe=1", r"no\u{1b}pe"),
            (
                "postgres://me:secret@host/crm?pool_max_conns=0",
                "pool_max_conns",
            ),
            (
                "postgres://me:secret@host/crm?pool_max_conns=many",
                "pool_max_conns",
            ),
            ("postgres://me:secret@host:x/crm", "port"),
            ("postgres:///crm", "host"),
            ("postgres://me:se/secret@host/crm", "%2F"),
            ("postgres://me:secret@x@host/crm", "%40"),
            ("postgres://me:secret?@host/crm", "%3F"),
            (
                "postgres://me:secret@host/crm?sslmode=verify-ca&sslrootcert=/none.pem",
                "/none.pem",
            ),
            (
                "postgres://me:secret@host/crm?sslmode=verify-ca&sslrootcert=/no%0Ane.pem",
                r"/no\nne.pem",
            ),
        ] {
            let message = refusal(url);
            assert!(message.contains(named), "{url}: {message}");
            assert!(!message.contains("secret"), "{url}: {message}");
            assert!(!message.contains(char::is_control), "{url}: {message}");
        }
    }
}
