//! The limits, over real sockets. They are made small here; no test waits for a time, each waits for what has to happen.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::stream;
use hyper::StatusCode;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use warp::{Filter, Reply};

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::base::error::Error;
use crate::net::accept::serve;
use crate::net::held::{HeldMemory, HoldsMemory};
use crate::net::hits::{Hits, Limit};
use crate::net::limits::ConnectionLimits;
use crate::net::meter::ConnectionMeter;
use crate::net::service::RefusedRequest;
use crate::net::settings::ConnectionSettings;

/// Longer than anything here takes, shorter than the limits a test leaves alone would need to end it.
const GUARD: Duration = Duration::from_secs(20);

const FAR: Duration = Duration::from_secs(600);

/// ConnectionLimits that end nothing within a test.
fn generous() -> ConnectionLimits {
    ConnectionLimits {
        head: FAR,
        idle: FAR,
        rate_window: FAR,
        linger: FAR,
        drain: FAR,
        ..ConnectionLimits::default()
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(GUARD, future).await.expect("in time")
}

/// A server on a port of its own.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    /// A request to `/held` has begun.
    began: Arc<Notify>,
    /// Lets one request to `/held` end.
    release: Arc<Notify>,
    /// Says when the answer of an `/endless` was dropped, or what runs for a `/held`.
    dropped: mpsc::UnboundedReceiver<()>,
    hits: Arc<Hits>,
}

/// A request that may save something, until the test lets it end.
const HELD: &str = "POST /held HTTP/1.1\r\nHost: crm\r\nContent-Length: 0\r\n\r\n";

struct OnDrop(mpsc::UnboundedSender<()>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        // The test may have ended.
        let _ = self.0.send(());
    }
}

/// Held since its last piece was made, and wanted all along.
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
    async fn start(limits: ConnectionLimits) -> Server {
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
                // Also when the test drops the sender.
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

    /// A limit was hit so often; the end of a connection is seen before it is counted.
    async fn has_hit(&self, limit: Limit, times: u64) {
        within(async {
            while self.hits.of(limit) < times {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(self.hits.of(limit), times, "{limit:?}");
    }

    async fn connect(&self) -> Client {
        let stream = within(TcpStream::connect(self.address)).await;
        Client(stream.expect("the server listens"))
    }

    /// From an address of this machine's own.
    async fn connect_from(&self, address: [u8; 4]) -> Client {
        let socket = TcpSocket::new_v4().expect("a socket");
        let from = SocketAddr::from((address, 0));
        socket.bind(from).expect("an address of loopback");
        let stream = within(socket.connect(self.address)).await;
        Client(stream.expect("the server listens"))
    }

    /// Tries until a request is answered; a connection over the cap fails anywhere between writing and reading.
    async fn serves_again(&self) -> String {
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

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, text: &str) {
        let written = within(self.0.write_all(text.as_bytes())).await;
        written.expect("the server reads");
    }

    /// Asks for a path, as HTTP/1.1 clients do.
    async fn get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: crm\r\n\r\n"))
            .await;
    }

    /// Reads until the text ends with `end`.
    async fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let byte = within(self.0.read_u8()).await;
            let so_far = String::from_utf8_lossy(&text);
            text.push(byte.unwrap_or_else(|error| panic!("{error} after {so_far:?}")));
        }
        String::from_utf8(text).expect("text")
    }

    /// Reads to the end of the connection, which has to be a good one.
    async fn rest(&mut self) -> String {
        let mut text = String::new();
        let read = within(self.0.read_to_string(&mut text)).await;
        read.expect("an end, not a reset");
        text
    }
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed() {
    let limits = ConnectionLimits {
        idle: Duration::from_millis(150),
        ..generous()
    };
    let server = Server::start(limits).await;
    let start = Instant::now();
    assert_eq!(server.connect().await.rest().await, "");
    assert!(start.elapsed() >= limits.idle);
    server.has_hit(Limit::IdleTimeout, 1).await;
}

#[tokio::test]
async fn a_connection_that_asks_no_more_is_closed() {
    let limits = ConnectionLimits {
        idle: Duration::from_millis(150),
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
    let start = Instant::now();
    assert_eq!(client.rest().await, "");
    // The client may have read the answer a moment after the server was done with it.
    assert!(start.elapsed() >= limits.idle / 2);
}

#[tokio::test]
async fn a_head_that_drips_in_is_cut_while_bytes_still_come() {
    let limits = ConnectionLimits {
        head: Duration::from_millis(200),
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    let start = Instant::now();
    client.send("GET /now HTTP/1.1\r\nHost: ").await;
    let drip = async {
        loop {
            // A failure to write says that the connection is gone, as does the end of reading.
            let _ = client.0.write_all(b"x").await;
            if let Ok(read) = timeout(Duration::from_millis(5), client.0.read_u8()).await {
                return read;
            }
        }
    };
    within(drip).await.expect_err("nothing but the end");
    assert!(start.elapsed() >= limits.head);
    server.has_hit(Limit::HeadTimeout, 1).await;
}

#[tokio::test]
async fn the_time_of_a_head_ends_with_the_head() {
    let limits = ConnectionLimits {
        head: Duration::from_millis(100),
        idle: Duration::from_millis(100),
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nHost: crm\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n")
        .await;
    client.read_until("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send("abc").await;
    // Two that came later are closed for being late.
    assert_eq!(server.connect().await.rest().await, "");
    let mut other = server.connect().await;
    other.send("GET").await;
    assert_eq!(other.rest().await, "");
    client.send("def").await;
    let answer = client.read_until("\r\n\r\n6").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn who_has_none_finds_room_where_others_have_all() {
    let limits = ConnectionLimits {
        connections: 6,
        ..generous()
    };
    let server = Server::start(limits).await;
    // Three of one address and two of another; of the first one is being answered.
    let mut many = Vec::new();
    for _ in 0..3 {
        many.push(server.connect_from([127, 0, 0, 2]).await);
    }
    let mut few = Vec::new();
    for _ in 0..3 {
        few.push(server.connect_from([127, 0, 0, 3]).await);
    }
    for client in few.iter_mut().chain(&mut many[1..]) {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
    many[0].send(HELD).await;
    within(server.began.notified()).await;
    drop(few.pop());
    within(async {
        // The place is free when the server has seen the end.
        loop {
            let mut client = server.connect_from([127, 0, 0, 2]).await;
            client.get("/now").await;
            if client.0.read_u8().await.is_ok() {
                many.push(client);
                return;
            }
        }
    })
    .await;
    many[3].read_until("\r\n\r\nnow").await;
    let refused = server.hits.of(Limit::Connections);

    // Others come: those go that have the most and have waited the longest, none that is at work.
    let mut others = Vec::new();
    for (last, gone) in [(4, 1), (5, 2)] {
        let mut client = server.connect_from([127, 0, 0, last]).await;
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
        others.push(client);
        assert!(within(many[gone].0.read_u8()).await.is_err(), "{gone}");
        server
            .has_hit(Limit::Connections, refused + u64::from(last) - 3)
            .await;
    }
    // Nobody has more than one more than a next one would have.
    for _ in 0..5 {
        assert_eq!(server.connect_from([127, 0, 0, 4]).await.rest().await, "");
    }
    server.release.notify_one();
    many[0].read_until("\r\n\r\nheld").await;
    for client in few.iter_mut().chain(&mut others).chain(&mut many[3..]) {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
}

#[tokio::test]
async fn what_may_be_saved_stays_and_what_waits_for_its_client_goes_first() {
    let limits = ConnectionLimits {
        connections: 6,
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut busy = Vec::new();
    // Also where nobody has asked for the body yet.
    for request in [
        HELD,
        HELD,
        "POST /held HTTP/1.1\r\nHost: crm\r\nContent-Length: 6\r\n\r\n",
    ] {
        let mut client = server.connect_from([127, 0, 0, 2]).await;
        client.send(request).await;
        within(server.began.notified()).await;
        busy.push(client);
    }
    let mut read = server.connect_from([127, 0, 0, 3]).await;
    read.get("/held").await;
    within(server.began.notified()).await;
    let mut slow = server.connect_from([127, 0, 0, 3]).await;
    slow.send(
        "POST /length HTTP/1.1\r\nHost: crm\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n",
    )
    .await;
    slow.read_until("HTTP/1.1 100 Continue\r\n\r\n").await;
    let mut idle = server.connect_from([127, 0, 0, 3]).await;
    idle.get("/now").await;
    idle.read_until("\r\n\r\nnow").await;

    // The longest wait first: what came last is the idle one's answer.
    for (last, gone) in [(4, &mut slow), (5, &mut idle)] {
        let mut other = server.connect_from([127, 0, 0, last]).await;
        other.get("/now").await;
        other.read_until("\r\n\r\nnow").await;
        assert!(within(gone.0.read_u8()).await.is_err(), "{last}");
        server
            .has_hit(Limit::Connections, u64::from(last) - 3)
            .await;
        drop(other);
        // Its place is somebody's again.
        let mut same = server.connect_from([127, 0, 0, 3]).await;
        same.get("/held").await;
        within(server.began.notified()).await;
        std::mem::swap(&mut same, gone);
    }
    // Reads go where nothing waits.
    let before = server.hits.of(Limit::Connections);
    let mut other = server.connect_from([127, 0, 0, 6]).await;
    other.get("/now").await;
    other.read_until("\r\n\r\nnow").await;
    server.has_hit(Limit::Connections, before + 1).await;
    assert!(within(read.0.read_u8()).await.is_err());
    for client in &mut busy {
        server.release.notify_one();
        client.read_until("\r\n\r\nheld").await;
    }
}

#[tokio::test]
async fn writes_at_work_leave_places_for_who_has_none() {
    let limits = ConnectionLimits {
        connections: 32,
        ..generous()
    };
    let server = Server::start(limits).await;
    // All but the last two of 32 are writes at work of two addresses.
    let mut busy = Vec::new();
    for number in 0..30 {
        let mut client = server.connect_from([127, 0, 0, 2 + number % 2]).await;
        client.send(HELD).await;
        within(server.began.notified()).await;
        busy.push(client);
    }
    // These two get no more, nor does one who has one of the last two a second.
    let mut others = Vec::new();
    for (last, full) in [(4, false), (5, false), (6, true)] {
        let known = if full { 5 } else { 3 };
        let refused = server.hits.of(Limit::Connections);
        assert_eq!(
            server.connect_from([127, 0, 0, known]).await.rest().await,
            ""
        );
        server.has_hit(Limit::Connections, refused + 1).await;
        let mut other = server.connect_from([127, 0, 0, last]).await;
        if full {
            assert_eq!(other.rest().await, "");
            continue;
        }
        other.get("/now").await;
        other.read_until("\r\n\r\nnow").await;
        others.push(other);
    }
    for client in &mut busy {
        server.release.notify_one();
        client.read_until("\r\n\r\nheld").await;
    }
    for client in &mut others {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
}

#[tokio::test]
async fn connections_over_the_cap_are_closed_at_once_and_others_served_again_after() {
    let limits = ConnectionLimits {
        connections: 2,
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut open = [server.connect().await, server.connect().await];
    for client in &mut open {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
    for _ in 0..20 {
        assert_eq!(server.connect().await.rest().await, "");
    }
    server.has_hit(Limit::Connections, 20).await;
    for client in &mut open {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
    drop(open);
    let answer = server.serves_again().await;
    assert!(answer.ends_with("\r\n\r\nnow"), "{answer}");
}

#[tokio::test]
async fn a_reader_that_stops_is_cut_and_one_that_reads_is_not() {
    let limits = ConnectionLimits {
        rate_window: Duration::from_millis(300),
        ..generous()
    };
    one_is_cut(limits, "/endless").await;
}

#[tokio::test]
async fn who_keeps_what_others_want_is_cut() {
    let limits = ConnectionLimits {
        hold: Duration::from_secs(1),
        ..generous()
    };
    one_is_cut(limits, "/wanted").await;
}

/// Of two who ask for this path the one is cut that does not read.
async fn one_is_cut(limits: ConnectionLimits, path: &str) {
    let mut server = Server::start(limits).await;
    let mut stopped = server.connect().await;
    let mut reading = server.connect().await;
    stopped.get(path).await;
    reading.get(path).await;
    let mut buffer = vec![0; 64 * 1024];
    within(async {
        loop {
            tokio::select! {
                biased;
                dropped = server.dropped.recv() => return dropped.expect("the server runs"),
                read = reading.0.read(&mut buffer) => assert!(read.is_ok_and(|count| count > 0), "cut the wrong one"),
            }
        }
    })
    .await;
    // The one that was not cut goes on; the other has lost what was on its way.
    for _ in 0..100 {
        let read = within(reading.0.read_exact(&mut buffer)).await;
        read.expect("it goes on");
    }
    let mut rest = Vec::new();
    let end = within(stopped.0.read_to_end(&mut rest)).await;
    assert_eq!(
        end.map_err(|error| error.kind()),
        Err(io::ErrorKind::ConnectionReset)
    );
}

#[tokio::test]
async fn an_answer_that_fails_midway_looks_like_a_failure() {
    let server = Server::start(generous()).await;
    // In HTTP/1.0 the end of the connection is the end of the answer.
    for version in ["1.0", "1.1"] {
        let mut client = server.connect().await;
        client
            .send(&format!("GET /fails HTTP/{version}\r\nHost: crm\r\n\r\n"))
            .await;
        let mut answer = Vec::new();
        let end = within(client.0.read_to_end(&mut answer)).await;
        assert!(end.is_err(), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_reaches_a_client_that_keeps_sending() {
    let server = Server::start(generous()).await;
    let body = "x".repeat(8 * 1024 * 1024);
    for head in [
        format!(
            "POST /early HTTP/1.1\r\nHost: crm\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ),
        "POST /early HTTP/1.1\r\nHost: crm\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n".into(),
    ] {
        let mut client = server.connect().await;
        client.send(&head).await;
        client.send(&body).await;
        let answer = client.read_until("\r\n\r\nearly").await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn a_client_that_never_stops_sending_is_not_listened_to_for_ever() {
    let limits = ConnectionLimits {
        linger: Duration::from_millis(100),
        connections: 1,
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    client
        .send("POST /early HTTP/1.1\r\nHost: crm\r\nContent-Length: 1000000000\r\n\r\n")
        .await;
    client.read_until("\r\n\r\nearly").await;
    let cut = async { while client.0.write_all(b"x").await.is_ok() {} };
    within(cut).await;
}

#[tokio::test]
async fn a_connection_that_ends_well_is_not_lingered_on() {
    // With a linger without end the one place would stay taken.
    let limits = ConnectionLimits {
        connections: 1,
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nHost: crm\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        .await;
    assert!(client.rest().await.ends_with("\r\n\r\n3"));
    // The first client has not closed its side.
    server.serves_again().await;
    drop(client);
}

#[tokio::test]
async fn stopping_answers_what_was_asked() {
    let server = Server::start(generous()).await;
    let mut idle = server.connect().await;
    idle.get("/now").await;
    idle.read_until("\r\n\r\nnow").await;
    let mut fresh = server.connect().await;
    let mut client = server.connect().await;
    client.get("/held").await;
    within(server.began.notified()).await;

    server.stop.send(()).expect("the server runs");
    assert_eq!(idle.rest().await, "");
    assert_eq!(fresh.rest().await, "");
    let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
    within(refused).await;
    assert!(!server.task.is_finished());

    server.release.notify_one();
    let answer = client.rest().await;
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nheld"), "{answer}");
    within(server.task).await.expect("it ends well");
}

#[tokio::test]
async fn stopping_cuts_what_does_not_end() {
    let limits = ConnectionLimits {
        drain: Duration::from_millis(100),
        ..generous()
    };
    let mut server = Server::start(limits).await;
    let mut client = server.connect().await;
    client.get("/endless").await;
    client.read_until("xxxx").await;
    server.stop.send(()).expect("the server runs");
    let reading = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match client.0.read(&mut buffer).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(error.kind()),
            }
        }
    });
    within(server.task).await.expect("it ends well");
    // Nothing of the answer is alive any more.
    server.dropped.try_recv().expect("it was dropped");
    let end = within(reading).await.expect("the client ends well");
    assert_eq!(end, Some(io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_request_has_one_host() {
    let server = Server::start(generous()).await;
    for head in [
        "GET /now HTTP/1.1\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /now HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET http://a/now HTTP/1.1\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(head).await;
        let answer = client.rest().await;
        assert!(answer.contains(" 400 Bad Request\r\n"), "{answer}");
        let expected = "\r\n\r\n{\"error\":\"Host: expected exactly one Host header\"}";
        assert!(answer.ends_with(expected), "{answer}");
    }
    for head in [
        "GET /now HTTP/1.0\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(head).await;
        let answer = client.rest().await;
        assert!(answer.ends_with("\r\n\r\nnow"), "{answer}");
    }
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let server = Server::start(generous()).await;
    let mut client = server.connect().await;
    let body = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
    let plain = "GET /now HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client.send(&[body, plain, body, last].concat()).await;
    let answers = client.rest().await;
    let bodies: Vec<&str> = answers
        .split("\r\n\r\n")
        .skip(1)
        .map(|part| part.split("HTTP/1.1").next().unwrap_or_default())
        .collect();
    assert_eq!(bodies, ["2", "now", "2", "now"]);
}

#[tokio::test]
async fn what_runs_for_a_client_that_has_gone_is_given_up() {
    let mut server = Server::start(generous()).await;
    let mut client = server.connect().await;
    client.get("/held").await;
    within(server.began.notified()).await;
    drop(client);
    assert_eq!(within(server.dropped.recv()).await, Some(()));
}

#[tokio::test]
async fn a_head_too_large_is_refused_and_the_answer_arrives() {
    let server = Server::start(generous()).await;
    let mut client = server.connect().await;
    let line = format!("X: {}\r\n", "x".repeat(1000));
    client.send("GET /now HTTP/1.1\r\nHost: a\r\n").await;
    client.send(&line.repeat(8000)).await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}
