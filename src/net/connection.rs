//! One connection, from its TLS handshake to its end.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use crate::net::certificate::Certificate;
use crate::net::clock;
use crate::net::exchange::ResponseBody;
use crate::net::hits::Limit;
use crate::net::seats::Seat;
use crate::net::service::WatchedService;
use crate::net::socket::WatchedSocket;
use crate::net::transport::Transport;
use crate::net::watch::{CutReason, SharedWatch};

/// A connection that was admitted.
pub(super) struct Connection<S, R> {
    pub(super) http: http1::Builder,
    pub(super) socket: WatchedSocket,
    pub(super) tls: Option<Arc<Certificate>>,
    pub(super) service: WatchedService<S, R>,
    pub(super) watch: SharedWatch,
    pub(super) seat: Seat,
    /// Changes when the service stops.
    pub(super) stopped: Receiver<()>,
}

impl<S, R> Connection<S, R> {
    /// Serves the connection to its end, and returns the limit that it reached, if any.
    pub(super) async fn run<B>(self) -> Option<Limit>
    where
        WatchedService<S, R>: Service<Request<Incoming>, Response = Response<ResponseBody<B>>>,
        <WatchedService<S, R> as Service<Request<Incoming>>>::Error:
            Into<Box<dyn StdError + Send + Sync>>,
        B: Body<Data = Bytes> + Unpin + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        if !clock::is_usable() {
            return None;
        }
        let (seat, socket, mut stopped) = (self.seat, self.socket, self.stopped);
        let watch = self.watch.clone();
        let mut overdue = pin!(overdue(self.watch, &seat));
        let mut evicted = pin!(seat.evicted());
        let transport = match self.tls {
            None => Transport::Plain(socket),
            Some(tls) => tokio::select! {
                biased;
                handshake = Box::pin(async { tls.acceptor().await.accept(socket).await }) => match handshake {
                    Ok(stream) => Transport::Tls(Box::new(stream)),
                    Err(error) => {
                        tracing::debug!("connection ended in its TLS handshake: {error}");
                        return None;
                    }
                },
                reason = &mut overdue => return cut(reason),
                () = &mut evicted => return cut(CutReason::Evicted),
                // Nothing has been requested yet.
                _ = stopped.changed() => return None,
            },
        };
        let connection = self
            .http
            .serve_connection(TokioIo::new(transport), self.service);
        let mut connection = pin!(connection);
        let mut stopping = false;
        loop {
            tokio::select! {
                // hyper comes first: `overdue` judges what hyper has just done, and a request that is here when the
                // service stops counts as read.
                biased;
                ended = &mut connection => {
                    let error = ended.err()?;
                    tracing::debug!("connection ended: {error}");
                    return error.is_parse_too_large().then_some(Limit::Head);
                }
                reason = &mut overdue => return cut(reason),
                () = &mut evicted => return cut(CutReason::Evicted),
                _ = stopped.changed(), if !stopping => {
                    stopping = true;
                    watch.lock().stops(Instant::now());
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Logs a cut, and returns the limit that was reached.
fn cut(reason: CutReason) -> Option<Limit> {
    tracing::debug!("connection cut: {reason:?}");
    match reason {
        CutReason::Idle => Some(Limit::IdleTimeout),
        CutReason::Head => Some(Limit::HeadTimeout),
        CutReason::Slow | CutReason::Hold => Some(Limit::SlowReader),
        CutReason::Evicted => Some(Limit::Connections),
        CutReason::Linger | CutReason::Lease => None,
    }
}

/// Resolves when a time limit of the connection is reached, or a lease of its responses ends. Gives the seat back when the
/// connection becomes a stream. It must be polled after everything that changes the watch. It is, because all of that happens
/// in the connection's own task.
fn overdue(watch: SharedWatch, seat: &Seat) -> impl Future<Output = CutReason> {
    let mut timer = Box::pin(sleep_until(Instant::now()));
    poll_fn(move |cx| {
        loop {
            let mut watch = watch.lock();
            if watch.poll_lease_ended(cx).is_ready() {
                return Poll::Ready(CutReason::Lease);
            }
            let (next, is_stream) = (watch.check(Instant::now()), watch.is_stream());
            drop(watch);
            if is_stream {
                seat.give_back();
            }
            let next = match next {
                Ok(Some(next)) => next,
                Ok(None) => return Poll::Pending,
                Err(reason) => return Poll::Ready(reason),
            };
            // A timer that fires too early costs less than one that is reset with every request.
            if timer.is_elapsed() || timer.deadline() > next {
                timer.as_mut().reset(next);
            }
            ready!(timer.as_mut().poll(cx));
        }
    })
}
