//! The accept loop, and what one connection may do.
//!
//! warp's own server sets no timer: an idle connection, a head that drips in or a reader that stops would be held for
//! ever, and a few hundred of them starve the service. So hyper is run here, on HTTP/1.1, under the [`Limits`]. hyper's
//! own timer for heads runs on an idle connection too and cannot tell the two apart; the `watch` module does.
//!
//! The time a request's body may take is no matter of this module: whoever reads the body is able to answer with 408.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Method, Request, Response, Version};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::net::TcpListener;
use tokio::sync::watch::{Receiver, channel};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::base::error::{Code, Error, Result};
use crate::net::burden::Burdened;
use crate::net::door::Door;
use crate::net::hits::Limit;
use crate::net::limits::HYPERS_HEADERS;
use crate::net::meter::Meter;
use crate::net::seats::{Place, Places, spare};
use crate::net::tls::{Certificate, Stream};
use crate::net::watch::{Cut, Shared, Socket};

/// A request that no service sees.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// What it asks with.
    pub method: &'a Method,
    /// What it asks for, which need not be a path.
    pub path: &'a str,
    /// Whence it came.
    pub address: SocketAddr,
}

/// The pause after an accept that failed for want of something (file descriptors, memory), as it would fail at once again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections may be on their way out while others have their places already.
const LEAVING: usize = 64;

/// The least time between two warnings of the accept loop, which a flood would repeat thousands of times a second.
const WARN_PAUSE: Duration = Duration::from_secs(60);

/// Serves HTTP/1.1 on `listener` until `shutdown` resolves.
///
/// `service` makes what answers the requests of a connection from an address; a request that may not reach it, for its
/// Host, is answered by `refuse`; `meter` counts connections. Returns when
/// every request that was read has been answered, or after [`Limits::drain`], when what still runs is cut. Errors of one
/// connection end that connection and go to the log, those of `accept` are waited out.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: impl Fn(SocketAddr) -> S,
    refuse: impl Fn(Error, Refused<'_>) -> Response<B> + Clone + Send + 'static,
    door: impl Into<Door>,
    meter: Meter,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let door = door.into();
    let limits = door.limits;
    let places = Places::default();
    let mut http = http1::Builder::new();
    // A peer that ends its side has gone, as far as can be told: what runs for it is given up.
    http.half_close(false)
        .header_read_timeout(None)
        .max_buf_size(limits.head_bytes);
    // Its own number has a place on hyper's stack; any other, even the same one given, is allocated for every request.
    if limits.headers != HYPERS_HEADERS {
        http.max_headers(limits.headers);
    }

    let (running, stopped) = channel(());
    let mut tasks = JoinSet::new();
    let (mut warned, mut warned_of_one, mut warned_of_room) = (None, None, None);
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
                let counts = !door.proxies.trusts(address.ip());
                let from = counts.then(|| address.ip());
                let most = limits.connections;
                let (all, open) = (tasks.len(), tasks.len() - places.leaving());
                let may_leave = all < most + LEAVING;
                if open >= most - spare(most) || !may_leave {
                    if let Some(greediest) = may_leave.then(|| places.make_room(from)).flatten() {
                        warn(&mut warned_of_room, || {
                            format!(
                                "closing connections of {greediest} for those of others, as {open} are open"
                            )
                        });
                    } else if open >= most || !may_leave || !places.has_none(from) {
                        drop(stream);
                        door.hits.count(Limit::Connections);
                        warn(&mut warned, || {
                            format!("closing new connections, as {open} are open")
                        });
                        continue;
                    }
                }
                let watch = Shared::new(limits);
                let Some(place) = places.take(from, limits.per_address, &watch) else {
                    drop(stream);
                    door.hits.count(Limit::ConnectionsPerAddress);
                    warn(&mut warned_of_one, || {
                        let most = limits.per_address;
                        let address = address.ip().to_canonical();
                        format!("closing new connections of {address}, as {most} of it are open")
                    });
                    continue;
                };
                let service = Watched {
                    service: service(address),
                    refuse: refuse.clone(),
                    watch: watch.clone(),
                    address,
                };
                let http = http.clone();
                let tls = door.tls.clone();
                let (hits, stopped) = (door.hits.clone(), stopped.clone());
                let socket = Socket::new(stream, watch.clone());
                let open = meter.connected();
                tasks.spawn(async move {
                    let _open = open;
                    let ended = connection(http, socket, tls, service, watch, &place, stopped);
                    if let Some(limit) = ended.await {
                        hits.count(limit);
                    }
                });
            }
            Err(error) if is_peers(&error) => {}
            Err(error) => {
                warn(&mut warned, || {
                    format!("cannot accept connections: {error}")
                });
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
        tracing::warn!("cutting {} connections that still run", tasks.len());
        // Waits for their ends, so that nothing of an answer is alive afterwards.
        tasks.shutdown().await;
    }
}

/// Whether `accept` failed for a connection that was gone before it was taken, and may go on at once.
fn is_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

fn warn(last: &mut Option<Instant>, message: impl FnOnce() -> String) {
    if last.is_none_or(|last| last.elapsed() >= WARN_PAUSE) {
        *last = Some(Instant::now());
        tracing::warn!("{}", message());
    }
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("a connection ended by a fault of the service: {error}");
    }
}

/// Serves one connection to its end, and answers which limit it met there; `stopped` changes when the service stops.
async fn connection<S, R, B>(
    http: http1::Builder,
    socket: Socket,
    tls: Option<Arc<Certificate>>,
    service: Watched<S, R>,
    watch: Shared,
    place: &Place,
    mut stopped: Receiver<()>,
) -> Option<Limit>
where
    Watched<S, R>: Service<Request<Incoming>, Response = Response<Answer<B>>>,
    <Watched<S, R> as Service<Request<Incoming>>>::Error: Into<Box<dyn StdError + Send + Sync>>,
    B: Body<Data = Bytes> + Unpin + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let mut overdue = pin!(overdue(watch));
    let mut wanted = pin!(place.is_wanted());
    let stream = match tls {
        None => Stream::Plain(socket),
        Some(tls) => tokio::select! {
            biased;
            greeted = Box::pin(async { tls.acceptor().await.accept(socket).await }) => match greeted {
                Ok(stream) => Stream::Tls(Box::new(stream)),
                Err(error) => {
                    tracing::debug!("connection ended before it was encrypted: {error}");
                    return None;
                }
            },
            cut = &mut overdue => return cut_by(cut),
            () = &mut wanted => return cut_by(Cut::Room),
            // Nothing was asked yet.
            _ = stopped.changed() => return None,
        },
    };
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut stopping = false;
    loop {
        tokio::select! {
            // The connection first: what it just did is what `overdue` judges, and a request that is here when the
            // service stops counts as read.
            biased;
            ended = &mut connection => {
                let error = ended.err()?;
                tracing::debug!("connection ended: {error}");
                return error.is_parse_too_large().then_some(Limit::Head);
            }
            cut = &mut overdue => return cut_by(cut),
            () = &mut wanted => return cut_by(Cut::Room),
            _ = stopped.changed(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The limit that ended a connection.
fn cut_by(cut: Cut) -> Option<Limit> {
    tracing::debug!("connection cut: {cut:?}");
    match cut {
        Cut::Idle => Some(Limit::IdleTimeout),
        Cut::Head => Some(Limit::HeadTimeout),
        Cut::Slow | Cut::Burden => Some(Limit::SlowReader),
        Cut::Room => Some(Limit::Connections),
        Cut::Linger => None,
    }
}

/// Resolves when the connection's time is over. It has to be polled after whatever changes the watch, which is the case
/// as all that happens in the connection's own task.
fn overdue(watch: Shared) -> impl Future<Output = Cut> {
    let mut timer = Box::pin(sleep_until(Instant::now()));
    poll_fn(move |cx| {
        loop {
            let next = match watch.lock().check(Instant::now()) {
                Ok(Some(next)) => next,
                Ok(None) => return Poll::Pending,
                Err(cut) => return Poll::Ready(cut),
            };
            // A timer that rings too early costs less than one that is set anew with every request.
            if timer.is_elapsed() || timer.deadline() > next {
                timer.as_mut().reset(next);
            }
            ready!(timer.as_mut().poll(cx));
        }
    })
}

/// A service whose requests and answers the watch sees, and which refuses what HTTP/1.1 forbids.
struct Watched<S, R> {
    service: S,
    refuse: R,
    watch: Shared,
    address: SocketAddr,
}

impl<S, R, B> Service<Request<Incoming>> for Watched<S, R>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    R: Fn(Error, Refused<'_>) -> Response<B>,
{
    type Response = Response<Answer<B>>;
    type Error = S::Error;
    type Future = Answering<S::Future, B>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let body = !request.body().is_end_stream();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let (open, may_begin) = Open::new(self.watch.clone(), body, reads);
        let checked = check_target(&request)
            .and_then(|()| check_host(&request))
            .and_then(|()| check_coding(&request));
        let checked = checked.and_then(|()| match may_begin {
            true => Ok(()),
            false => Err(Error::new(
                Code::Unavailable,
                "the service makes room for others; nothing was done, try again",
            )),
        });
        match checked {
            Ok(()) => {
                let watch = self.watch.clone();
                let request = request.map(|body| RequestBody { body, watch });
                Answering::Serving {
                    answer: self.service.call(request),
                    open: Some(open),
                }
            }
            Err(error) => {
                let refused = Refused {
                    method: request.method(),
                    path: request.uri().path(),
                    address: self.address,
                };
                let mut answer = (self.refuse)(error, refused);
                close_after(&mut answer);
                Answering::Refused {
                    answer: Some(open.answer(answer)),
                }
            }
        }
    }
}

pin_project! {
    /// An answer that is on its way.
    #[project = Projected]
    enum Answering<F, B> {
        Serving { #[pin] answer: F, open: Option<Open> },
        Refused { answer: Option<Response<Answer<B>>> },
    }
}

impl<F, B, E> Future for Answering<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Answer<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        /// A future is not polled again once it was ready.
        const ONCE: &str = "an answer is taken once";
        match self.project() {
            Projected::Serving { answer, open } => {
                let answer = ready!(answer.poll(cx));
                let open = open.take().expect(ONCE);
                Poll::Ready(answer.map(|answer| open.answer(answer)))
            }
            Projected::Refused { answer } => Poll::Ready(Ok(answer.take().expect(ONCE))),
        }
    }
}

/// A request is for a path; that of CONNECT is not, and neither is that of `OPTIONS *`.
fn check_target(request: &Request<impl Body>) -> Result<()> {
    match request.uri().path().starts_with('/') {
        true => Ok(()),
        false => Err(Error::invalid(
            "the request's target: expected a path like /leads",
        )),
    }
}

/// A request has one Host (RFC 9112, 3.2); in HTTP/1.0 it may have none.
fn check_host(request: &Request<impl Body>) -> Result<()> {
    let given = request.headers().get_all(HOST).iter().count();
    if given == 1 || given == 0 && request.version() < Version::HTTP_11 {
        Ok(())
    } else {
        Err(Error::invalid("Host: expected exactly one Host header"))
    }
}

/// A body is coded in one way alone (RFC 9112, 6.1): hyper looks for `chunked` at the end, and what reads the connection
/// before it may see another.
fn check_coding(request: &Request<impl Body>) -> Result<()> {
    let mut given = request.headers().get_all(TRANSFER_ENCODING).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Error::invalid("Transfer-Encoding: expected chunked alone")),
    }
}

fn close_after<B>(answer: &mut Response<B>) {
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

/// A request whose answer has not ended; it ends where this is dropped.
struct Open(Shared);

impl Open {
    /// And whether it may be served.
    fn new(watch: Shared, body: bool, reads: bool) -> (Open, bool) {
        let may_begin = watch.lock().request_begins(body, reads);
        (Open(watch), may_begin)
    }

    fn answer<B>(self, mut answer: Response<B>) -> Response<Answer<B>> {
        // hyper closes a connection whose body was not read. Without this line the client would learn of that when it
        // sends its next request.
        if self.0.lock().unread() {
            close_after(&mut answer);
        }
        if let Some(Burdened(burden)) = answer.extensions_mut().remove() {
            self.0.lock().carry(burden);
        }
        answer.map(|body| Answer { body, open: self })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().answer_ends(Instant::now());
    }
}

/// The body of an answer, which ends its request.
struct Answer<B> {
    body: B,
    open: Open,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Err(_)) = frame {
            self.open.0.lock().answer_fails();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request, as it comes in.
pub struct RequestBody {
    body: Incoming,
    watch: Shared,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => {
                self.watch.lock().wants_body(true);
                return Poll::Pending;
            }
            Poll::Ready(frame) => frame,
        };
        let mut watch = self.watch.lock();
        if watch.leaves() {
            // Whoever waits for the body is let go of before it is whole: nothing is done that nobody would be told of.
            return Poll::Pending;
        }
        match frame.is_none() || self.body.is_end_stream() {
            true => watch.body_read(),
            false => watch.wants_body(false),
        }
        drop(watch);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
