//! HTTPS: the certificate, read again when its files change, and the stream that a connection runs over.
//!
//! TLS lies between hyper and the watched [`Socket`], so that the limits see the bytes that cross the wire: the time of a
//! first head counts from the first byte of the handshake, and who reads slowly is slow however it is encrypted.

use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::net::watch::Socket;

/// The least time between two looks at whether the files have changed.
const LOOK: Duration = Duration::from_secs(1);

/// How long a connection waits for such a look: a disk takes less, and one that hangs is to keep nobody.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most that is read of a file, in bytes: a chain of certificates is some kilobytes.
const LARGEST: u64 = 1024 * 1024;

/// Which of the two files is at fault, and why.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// The certificate's.
    Certificate(String),
    /// The key's.
    Key(String),
}

impl Fault {
    fn why(&self) -> &str {
        match self {
            Fault::Certificate(why) | Fault::Key(why) => why,
        }
    }
}

/// A certificate and its key in two files.
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    state: Mutex<State>,
}

struct State {
    config: Arc<ServerConfig>,
    /// The files as they were before they were last read.
    seen: [Option<Stamp>; 2],
    /// When they were last looked at.
    looked: Instant,
    /// Whether somebody is looking.
    looking: bool,
}

/// What tells one content of a file from another without reading it: device, inode, length, and when it was changed.
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
    /// Which file is at fault, in a sentence that names it: it cannot be read, holds nothing of the kind, or the two do not
    /// belong together.
    pub fn read(certificate: PathBuf, key: PathBuf) -> Result<Certificate, Fault> {
        // Before they are read: what changes while they are is read again.
        let seen = [stamp(&certificate), stamp(&key)];
        let state = State {
            config: config(&certificate, &key)?,
            seen,
            looked: Instant::now(),
            looking: false,
        };
        Ok(Certificate {
            certificate,
            key,
            state: Mutex::new(state),
        })
    }

    /// What a new connection is encrypted by. Files that have changed and are broken, or do not fit each other yet, leave
    /// all as it was; the log says so, once for each change.
    pub(super) async fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        if self.is_to_look() {
            let own = self.clone();
            // Beside the threads that serve: the files may be on another machine's disk.
            let look = tokio::task::spawn_blocking(move || own.look());
            let _ = timeout(PATIENCE, look).await;
        }
        self.state().config.clone().into()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is replaced is replaced as a whole, so that a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody has looked for a while, and whoever asks is to.
    fn is_to_look(&self) -> bool {
        let mut state = self.state();
        let is_due = !state.looking && state.looked.elapsed() >= LOOK;
        state.looking |= is_due;
        is_due
    }

    fn look(&self) {
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
        state.looked = Instant::now();
        state.looking = false;
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // What waits for a writer when it is opened, a pipe, is refused and not waited for.
    let mut open = OpenOptions::new();
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = open.read(true).custom_flags(nonblocking).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// TLS 1.2 and 1.3 by rustls' own choice of ciphers, for HTTP/1.1.
fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Fault> {
    let (certificate_name, key_name) = (certificate.display(), key.display());
    let no_chain = |why: String| {
        Fault::Certificate(format!(
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
        Fault::Key(format!(
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
            rustls::Error::InconsistentKeys(_) => Fault::Key(format!(
                "expected the key of the certificate in {certificate_name}, got another in {key_name}"
            )),
            rustls::Error::InvalidCertificate(_) => no_chain(format!("got: {error}")),
            error => no_key(format!("got: {error}")),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// What a connection runs over.
pub(super) enum Stream {
    Plain(Socket),
    /// Boxed, as its state is large and most services have a proxy that does this for them.
    Tls(Box<TlsStream<Socket>>),
}

macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Stream::Tls($stream) => {
                let $stream = Pin::new($stream.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_shutdown(cx))
    }
}
