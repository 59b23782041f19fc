//! The HTTP client for one server: its certificates, its token, its time limits, and the explanations of its errors.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

use crate::base::error::{Error, Result};
use crate::model::token::Secret;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a server may be silent in the middle of an answer. It is longer than the server's own limit of 30 s for a body
/// plus the 5 s that the server waits for a busy database.
const SILENCE: Duration = Duration::from_secs(60);

/// A client for the server at `url`, which sends this token. Without `checks`, any certificate is accepted.
pub(super) fn build(url: &str, token: Option<&Secret>, checks: bool) -> Result<Client> {
    // An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder();
    if !checks {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if url.starts_with("https://") && checks {
        check_trusted()?;
    }
    if url.starts_with("http://") || !checks {
        // Only https needs the system's certificates. Reading them takes longer than the rest of a command, and a small
        // container has none, which would be an error.
        builder = builder.tls_certs_only([]);
    }
    if is_loopback(url) {
        // A proxy for the outside world cannot reach the services of this machine.
        builder = builder.no_proxy();
    }
    if let Some(token) = token {
        let header = HeaderValue::from_str(&format!("Bearer {}", token.text()));
        let mut header = header.map_err(Error::internal)?;
        header.set_sensitive(true);
        builder = builder.default_headers(HeaderMap::from_iter([(AUTHORIZATION, header)]));
    }
    builder
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        // crm never redirects: a redirect would lead to another server, or to a login page.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("crm/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::failed(format!("the HTTP client: {}", causes(&error))))
}

/// Refuses a file of trusted certificates that cannot be used. The library would ignore it and continue.
fn check_trusted() -> Result<()> {
    let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let why = match CertificateDer::pem_file_iter(&path) {
        Ok(mut all) => match all.next() {
            Some(Ok(_)) => return Ok(()),
            Some(Err(error)) => error.to_string(),
            None => "it has none".into(),
        },
        Err(pem::Error::Io(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(Error::invalid(format!(
        "SSL_CERT_FILE: expected a file of certificates in PEM, {}: {why}",
        path.display()
    )))
}

/// Whether a URL's host is this machine.
fn is_loopback(url: &str) -> bool {
    let url = reqwest::Url::parse(url).ok();
    let Some(host) = url.as_ref().and_then(|url| url.host_str()) else {
        return false;
    };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The cause of a failed connection, with advice if there is any.
pub(super) fn explain(error: &reqwest::Error) -> String {
    let causes = causes(error);
    let advice = if causes.contains("CaUsedAsEndEntity") {
        "its certificate is a CA certificate; make one with basicConstraints=CA:FALSE"
    } else if causes.contains("invalid peer certificate") {
        "if you trust its certificate, name the certificate's file in SSL_CERT_FILE"
    } else if causes.contains("InvalidContentType") {
        "the server does not speak HTTPS there; try http://"
    } else if causes.contains("invalid HTTP version parsed") {
        "the server does not speak HTTP there; try https://"
    } else {
        return causes;
    };
    format!("{causes}; {advice}")
}

/// The innermost cause of an error: reqwest's own text leaves it out.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut last = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        last = cause.to_string();
        source = cause.source();
    }
    last
}
