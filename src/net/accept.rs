//! The accept loop: accepts connections, runs each in its own task, and ends them all when the service stops.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::watch::channel;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::base::error::Error;
use crate::net::admission::{Admission, RareWarning};
use crate::net::connection::Connection;
use crate::net::exchange::RequestBody;
use crate::net::limits::{ConnectionLimits, DEFAULT_HEADERS};
use crate::net::meter::ConnectionMeter;
use crate::net::service::{RefusedRequest, WatchedService};
use crate::net::settings::ConnectionSettings;
use crate::net::socket::WatchedSocket;

/// The pause after an accept that failed because something ran out, such as file descriptors or memory. The next accept
/// would fail at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves HTTP/1.1 on `listener` until `shutdown` resolves.
///
/// `service` makes the service for a connection from an address. A request that must not reach it, for example one with
/// two Host headers, gets its response from `refuse`. `meter` counts connections.
///
/// Returns when every request that was read has been answered, or after [`ConnectionLimits::drain`]; requests that still
/// run then are cut. An error of one connection ends that connection and is logged. After an error of `accept` the loop
/// waits and continues.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: impl Fn(SocketAddr) -> S,
    refuse: impl Fn(Error, RefusedRequest<'_>) -> Response<B> + Clone + Send + 'static,
    settings: impl Into<ConnectionSettings>,
    meter: ConnectionMeter,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let settings = settings.into();
    let limits = settings.limits;
    let hits = settings.hits;
    let mut admission = Admission::new(limits, settings.proxies, hits.clone());
    let http = http(&limits);
    let (running, stopped) = channel(());
    let mut tasks = JoinSet::new();
    let mut cannot_accept = RareWarning::default();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next() => {
                log_panic(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let Some((seat, watch)) = admission.admit(address, tasks.len()) else {
                    continue;
                };
                let connection = Connection {
                    http: http.clone(),
                    socket: WatchedSocket::new(stream, watch.clone()),
                    tls: settings.tls.clone(),
                    service: WatchedService {
                        service: service(address),
                        refuse: refuse.clone(),
                        watch: watch.clone(),
                        address,
                    },
                    watch,
                    seat,
                    stopped: stopped.clone(),
                };
                let (hits, counted) = (hits.clone(), meter.count());
                tasks.spawn(async move {
                    let _counted = counted;
                    if let Some(limit) = connection.run().await {
                        hits.count(limit);
                    }
                });
            }
            Err(error) if is_of_peer(&error) => {}
            Err(error) => {
                cannot_accept.warn(|| format!("cannot accept connections: {error}"));
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    drop(listener);
    drop(running);
    let drained = timeout(limits.drain, async {
        while let Some(ended) = tasks.join_next().await {
            log_panic(ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!("cutting {} connections that are still busy", tasks.len());
        // Waits until they have ended, so that no part of a response is alive afterwards.
        tasks.shutdown().await;
    }
}

/// The settings of hyper.
fn http(limits: &ConnectionLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // A peer that ends its side after a request still gets its response. The socket looks for a peer that is really gone.
    http.half_close(true)
        .header_read_timeout(None)
        .max_buf_size(limits.head_bytes);
    // hyper parses its default number of headers on the stack. With any other number, and also with the same number given
    // here, it allocates for every request.
    if limits.headers != DEFAULT_HEADERS {
        http.max_headers(limits.headers);
    }
    http
}

/// Whether `accept` failed because a connection was gone before it was accepted. Then the next one can be accepted at once.
fn is_of_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("a connection ended by an error in the service: {error}");
    }
}
