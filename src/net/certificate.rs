//! The certificate for HTTPS, which is read again when its files change.
//!
//! A changed certificate needs no restart: a new connection looks at the files, at most once a second. A broken or
//! half-replaced pair of files leads to a warning in the log, and the old certificate stays.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// The shortest time between two checks of the files.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a new connection waits for such a check. A working disk is faster, and a disk that hangs must not stop anybody.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The most that is read of a file, in bytes. A chain of certificates takes a few kilobytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Which of the two files cannot be used, and why.
#[derive(Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// The file of the certificate.
    Certificate(String),
    /// The file of the key.
    Key(String),
}

impl CertificateFault {
    fn why(&self) -> &str {
        match self {
            CertificateFault::Certificate(why) | CertificateFault::Key(why) => why,
        }
    }
}

/// A certificate and its private key, in two files.
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    state: Mutex<LoadedCertificate>,
}

/// The certificate as it was last read.
struct LoadedCertificate {
    config: Arc<ServerConfig>,
    /// The stamps of the files from before they were last read.
    seen: [Option<Stamp>; 2],
    /// When the files were last checked.
    checked: Instant,
    /// Whether a check is running.
    checking: bool,
}

/// Identifies a file's content: device, inode, length and time of modification. One of them changes when the content does.
type Stamp = (u64, u64, u64, i64, i64);

fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some((
        file.dev(),
        file.ino(),
        file.len(),
        file.mtime(),
        file.mtime_nsec(),
    ))
}

impl Certificate {
    /// Reads both files, PEM each.
    ///
    /// # Errors
    ///
    /// A sentence that names the file: it cannot be read, it holds no certificate or key, or the key does not belong to
    /// the certificate.
    pub fn read(certificate: PathBuf, key: PathBuf) -> Result<Certificate, CertificateFault> {
        // Taken before the files are read, so that a change in between is seen.
        let seen = [stamp(&certificate), stamp(&key)];
        let state = LoadedCertificate {
            config: config(&certificate, &key)?,
            seen,
            checked: Instant::now(),
            checking: false,
        };
        Ok(Certificate {
            certificate,
            key,
            state: Mutex::new(state),
        })
    }

    /// The encryption of a new connection. If the files have changed but are broken, or do not match yet, the old
    /// certificate stays; the log says so, once for each change.
    pub(super) async fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        if self.starts_check() {
            let own = self.clone();
            // Not on the threads that serve requests: the files may be on a network disk.
            let check = tokio::task::spawn_blocking(move || own.check());
            let _ = timeout(CHECK_TIMEOUT, check).await;
        }
        self.state().config.clone().into()
    }

    fn state(&self) -> MutexGuard<'_, LoadedCertificate> {
        // The configuration is replaced as a whole, so a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a check is due. If so, it counts as running, and the caller must do it.
    fn starts_check(&self) -> bool {
        let mut state = self.state();
        let is_due = !state.checking && state.checked.elapsed() >= CHECK_INTERVAL;
        state.checking |= is_due;
        is_due
    }

    fn check(&self) {
        let seen = [stamp(&self.certificate), stamp(&self.key)];
        let has_changed = seen != self.state().seen;
        let read = has_changed.then(|| config(&self.certificate, &self.key));
        let mut state = self.state();
        state.seen = seen;
        match read {
            None => {}
            Some(Ok(config)) => {
                state.config = config;
                let path = self.certificate.display();
                tracing::info!("the certificate was read again: {path}");
            }
            Some(Err(fault)) => {
                tracing::warn!("the certificate stays as it was: {}", fault.why());
            }
        }
        state.checked = Instant::now();
        state.checking = false;
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe would block the open until somebody writes. It is opened without blocking, and then refused.
    let mut open = OpenOptions::new();
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = open.read(true).custom_flags(nonblocking).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// TLS 1.2 and 1.3 with the default ciphers of rustls, for HTTP/1.1.
fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, CertificateFault> {
    let (certificate_name, key_name) = (certificate.display(), key.display());
    let no_chain = |why: String| {
        CertificateFault::Certificate(format!(
            "expected a certificate in PEM in {certificate_name}, {why}"
        ))
    };
    let pem = read(certificate).map_err(|error| no_chain(format!("got: {error}")))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| no_chain(format!("got: {error}")))?;
    if chain.is_empty() {
        return Err(no_chain("got none".into()));
    }
    let no_key = |why: String| {
        CertificateFault::Key(format!(
            "expected a private key in PEM in {key_name}, {why}"
        ))
    };
    let pem = read(key).map_err(|error| no_key(format!("got: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => no_key("got none".into()),
        error => no_key(format!("got: {error}")),
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| no_key(error.to_string()))?;
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => CertificateFault::Key(format!(
                "expected the key of the certificate in {certificate_name}, got another in {key_name}"
            )),
            rustls::Error::InvalidCertificate(_) => no_chain(format!("got: {error}")),
            error => no_key(format!("got: {error}")),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
