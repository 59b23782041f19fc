//! A server and its clients for the tests.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use hyper::StatusCode;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use warp::{Filter, Reply};

use crate::base::error::Error;
use crate::net::accept::serve;
use crate::net::held::{HeldMemory, HoldsMemory};
use crate::net::hits::{Hits, Limit};
use crate::net::limits::ConnectionLimits;
use crate::net::meter::ConnectionMeter;
use crate::net::service::RefusedRequest;
use crate::net::settings::ConnectionSettings;

/// Longer than anything here takes, and shorter than the limits that a test does not set.
const GUARD: Duration = Duration::from_secs(20);

const FAR: Duration = Duration::from_secs(600);

/// Limits that end nothing within a test.
pub(super) fn generous() -> ConnectionLimits {
    ConnectionLimits {
        head: FAR,
        idle: FAR,
        rate_window: FAR,
        linger: FAR,
        drain: FAR,
        ..ConnectionLimits::default()
    }
}

pub(super) async fn within<F: Future>(future: F) -> F::Output {
    timeout(GUARD, future).await.expect("in time")
}

/// A server on its own port.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) task: JoinHandle<()>,
    /// A request to `/held` has begun.
    pub(super) began: Arc<Notify>,
    /// Lets one request to `/held` end.
    pub(super) release: Arc<Notify>,
    /// Reports that the response of an `/endless` or the work for a `/held` was dropped.
    pub(super) dropped: mpsc::UnboundedReceiver<()>,
    pub(super) hits: Arc<Hits>,
}

/// A request that may be saving something until the test lets it end.
pub(super) const HELD: &str = "POST /held HTTP/1.1\r\nHost: crm\r\nContent-Length: 0\r\n\r\n";

struct OnDrop(mpsc::UnboundedSender<()>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        // The test may have ended.
        let _ = self.0.send(());
    }
}

/// Memory that is held since the last part was made, and always wanted.
struct WantedMemory(Mutex<Instant>);

impl HeldMemory for WantedMemory {
    fn since(&self) -> Option<Instant> {
        self.0.lock().ok().map(|since| *since)
    }

    fn is_wanted(&self) -> bool {
        true
    }
}

impl Server {
    pub(super) async fn start(limits: ConnectionLimits) -> Server {
        let (began, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (sender, dropped) = mpsc::unbounded_channel();

        let now = warp::path!("now").map(|| "now".into_response());
        let held = {
            let (began, release, sender) = (began.clone(), release.clone(), sender.clone());
            warp::path!("held").then(move || {
                let (began, release) = (began.clone(), release.clone());
                let gone = OnDrop(sender.clone());
                async move {
                    let _gone = gone;
                    began.notify_one();
                    release.notified().await;
                    "held".into_response()
                }
            })
        };
        let length = warp::path!("length")
            .and(warp::body::bytes())
            .map(|body: Bytes| body.len().to_string().into_response());
        let early = warp::path!("early").map(|| {
            warp::reply::with_status("early", StatusCode::PAYLOAD_TOO_LARGE).into_response()
        });
        let endless = move || {
            let guard = OnDrop(sender.clone());
            let held = Arc::new(WantedMemory(Mutex::new(Instant::now())));
            let since = held.clone();
            let chunks = stream::repeat_with(move || {
                let _ = &guard;
                *since.0.lock().expect("no panic") = Instant::now();
                Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 64 * 1024]))
            });
            (warp::reply::stream(chunks).into_response(), held)
        };
        let wanted = {
            let endless = endless.clone();
            warp::path!("wanted").map(move || {
                let (mut response, held) = endless();
                response.extensions_mut().insert(HoldsMemory(held));
                response
            })
        };
        let endless = warp::path!("endless").map(move || endless().0);
        let fails = warp::path!("fails").map(|| {
            let chunks = stream::iter([Ok(Bytes::from_static(b"half")), Err("lost")]);
            warp::reply::stream(chunks).into_response()
        });
        let routes = now.or(held).unify().or(length).unify().or(early).unify();
        let routes = routes.or(endless).unify().or(wanted).unify();
        let routes = routes.or(fails).unify();
        let service = TowerToHyperService::new(warp::service(routes));

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel();
        let refuse = |error: Error, _: RefusedRequest<'_>| {
            warp::reply::with_status(error.to_json(), StatusCode::BAD_REQUEST).into_response()
        };
        let service = move |_| service.clone();
        let settings = ConnectionSettings::from(limits);
        let hits = settings.hits.clone();
        let task = tokio::spawn(serve(
            listener,
            service,
            refuse,
            settings,
            ConnectionMeter::default(),
            async {
                // This also resolves when the test drops the sender.
                let _ = stopped.await;
            },
        ));
        Server {
            address,
            stop,
            task,
            began,
            release,
            dropped,
            hits,
        }
    }

    /// Waits until a limit was reached this many times. A client sees the end of its connection before that is counted.
    pub(super) async fn has_hit(&self, limit: Limit, times: u64) {
        within(async {
            while self.hits.of(limit) < times {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(self.hits.of(limit), times, "{limit:?}");
    }

    pub(super) async fn connect(&self) -> Client {
        let stream = within(TcpStream::connect(self.address)).await;
        Client(stream.expect("the server listens"))
    }

    /// Connects from another loopback address.
    pub(super) async fn connect_from(&self, address: [u8; 4]) -> Client {
        let socket = TcpSocket::new_v4().expect("a socket");
        let from = SocketAddr::from((address, 0));
        socket.bind(from).expect("an address of loopback");
        let stream = within(socket.connect(self.address)).await;
        Client(stream.expect("the server listens"))
    }

    /// Tries until a request is answered. A connection over the limit fails anywhere between writing and reading.
    pub(super) async fn serves_again(&self) -> String {
        within(async {
            loop {
                let Client(mut stream) = self.connect().await;
                let mut answer = String::new();
                if stream.write_all(b"GET /now HTTP/1.0\r\n\r\n").await.is_ok()
                    && stream.read_to_string(&mut answer).await.is_ok()
                    && !answer.is_empty()
                {
                    return answer;
                }
            }
        })
        .await
    }
}

pub(super) struct Client(pub(super) TcpStream);

impl Client {
    pub(super) async fn send(&mut self, text: &str) {
        let written = within(self.0.write_all(text.as_bytes())).await;
        written.expect("the server reads");
    }

    /// Requests a path as an HTTP/1.1 client does.
    pub(super) async fn get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: crm\r\n\r\n"))
            .await;
    }

    /// Reads until the text ends with `end`.
    pub(super) async fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let byte = within(self.0.read_u8()).await;
            let so_far = String::from_utf8_lossy(&text);
            text.push(byte.unwrap_or_else(|error| panic!("{error} after {so_far:?}")));
        }
        String::from_utf8(text).expect("text")
    }

    /// Reads to the end of the connection, which has to be a normal end.
    pub(super) async fn rest(&mut self) -> String {
        let mut text = String::new();
        let read = within(self.0.read_to_string(&mut text)).await;
        read.expect("an end, not a reset");
        text
    }
}
