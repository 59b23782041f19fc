//! What is told of requests: a line of the log each, and the numbers of `/metrics`.
//!
//! Every request comes by here, so that there is no lock but that of the log's buffer, and nothing is allocated but for
//! lists that are streamed.

use std::fmt;
use std::io::Write as _;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::Stream;
use hyper::body::Body as _;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use warp::Reply;
use warp::http::Method;
use warp::reply::Response;

use crate::base::log::{self, Form, Log};
use crate::model::token;
use crate::net::hits::Hits;
use crate::net::meter::ConnectionMeter;
use crate::store::any::AnyStore;
use crate::store::meter::Histogram;

/// The longest path that the log shows, in bytes; longer ones are cut.
const LONGEST_PATH: usize = 512;

/// The longest method that the log shows, in bytes; HTTP bounds none.
const LONGEST_METHOD: usize = 16;

/// What metrics call methods. The last stands for all others, which are as many as somebody cares to send.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other",
];

/// What metrics call the statuses that the service answers with. The last stands for all others.
const STATUSES: [&str; 26] = [
    "200", "201", "204", "304", "400", "401", "403", "404", "405", "406", "408", "409", "412",
    "413", "414", "415", "422", "428", "429", "431", "500", "501", "503", "504", "507", "other",
];

/// Where each status stands among [`STATUSES`].
static STATUS_PLACES: [u8; 600] = status_places();

const fn status_places() -> [u8; 600] {
    let others = STATUSES.len() - 1;
    let mut places = [others as u8; 600];
    let mut at = 0;
    while at < others {
        let digits = STATUSES[at].as_bytes();
        let number = (digits[0] - b'0') as usize * 100
            + (digits[1] - b'0') as usize * 10
            + (digits[2] - b'0') as usize;
        places[number] = at as u8;
        at += 1;
    }
    places
}

fn method_place(method: &Method) -> usize {
    let name = method.as_str();
    let known = METHODS.iter().position(|known| *known == name);
    known.unwrap_or(METHODS.len() - 1)
}

/// How often each limit was met, those of the store among them.
struct Met {
    hits: Arc<Hits>,
    /// It counts the writes that it refuses.
    store: AnyStore,
}

impl fmt::Debug for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Met")
    }
}

impl EncodeMetric for Met {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let writes = ("max_waiting_writes", self.store.refused_writes());
        for (name, count) in self.hits.all().chain([writes]) {
            let labels = [("limit", name)];
            let mut encoder = encoder.encode_family(&labels)?;
            encoder.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// Counts of one thing each, by route and method.
#[derive(Debug)]
struct Table<T> {
    routes: Arc<[String]>,
    /// By route, then by method.
    cells: Box<[T]>,
}

impl<T> Table<T> {
    fn new(routes: &Arc<[String]>, cell: impl Fn() -> T) -> Table<T> {
        let cells = (0..routes.len() * METHODS.len()).map(|_| cell());
        Table {
            cells: cells.collect(),
            routes: routes.clone(),
        }
    }

    fn at(&self, route: usize, method: usize) -> &T {
        let route = route.min(self.routes.len() - 1);
        &self.cells[route * METHODS.len() + method]
    }

    /// Each with its method and its route.
    fn all(&self) -> impl Iterator<Item = (&'static str, &str, &T)> {
        self.cells.iter().enumerate().map(|(at, cell)| {
            let (route, method) = (at / METHODS.len(), at % METHODS.len());
            (METHODS[method], self.routes[route].as_str(), cell)
        })
    }
}

/// Answers, counted by their status.
type Statuses = [AtomicU64; STATUSES.len()];

/// How many requests were answered, and how.
#[derive(Clone, Debug)]
struct Requests(Arc<Table<Statuses>>);

impl EncodeMetric for Requests {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (method, route, statuses) in self.0.all() {
            for (status, count) in STATUSES.iter().zip(statuses) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [("method", method), ("route", route), ("status", *status)];
                    let mut encoder = encoder.encode_family(&labels)?;
                    encoder.encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
                }
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// How long the answers took.
#[derive(Clone, Debug)]
struct Times(Arc<Table<Histogram>>);

impl EncodeMetric for Times {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (method, route, times) in self.0.all() {
            if !times.is_empty() {
                let labels = [("method", method), ("route", route)];
                times.encode(encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// What sees all requests. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Observer {
    registry: Arc<Registry>,
    requests: Requests,
    times: Times,
    gone: Counter,
    replays: Counter,
    /// What is measured of connections and limits.
    pub(super) meter: ConnectionMeter,
}

impl Observer {
    /// Of a service over this store, whose routes have these templates.
    pub(super) fn new(store: &AnyStore, mut routes: Vec<String>, hits: Arc<Hits>) -> Observer {
        // Of paths that do not exist there is no end.
        routes.push("unknown".into());
        let routes: Arc<[String]> = routes.into();
        let mut registry = Registry::default();
        let requests = Requests(Arc::new(Table::new(&routes, Statuses::default)));
        let times = Times(Arc::new(Table::new(&routes, Histogram::times)));
        registry.register(
            "crm_http_requests",
            "Requests that were answered, by method, route and status",
            requests.clone(),
        );
        registry.register_with_unit(
            "crm_http_request_duration",
            "How long requests took, from their head to their answer; streamed lists to their end",
            Unit::Seconds,
            times.clone(),
        );
        let (gone, replays) = (Counter::default(), Counter::default());
        registry.register(
            "crm_http_requests_abandoned",
            "Requests whose connection ended before their answer began",
            gone.clone(),
        );
        registry.register(
            "crm_idempotent_replays",
            "Requests that were answered with the answer to an earlier one of the same Idempotency-Key",
            replays.clone(),
        );
        store.register(&mut registry);
        let meter = ConnectionMeter::default();
        meter.register(&mut registry);
        registry.register(
            "crm_limits_hit",
            "How often a limit refused or ended something",
            Met {
                hits,
                store: store.clone(),
            },
        );
        registry.register(
            "crm_log_lines_dropped",
            "Lines of the log that were dropped, as nobody took them in time",
            log::dropped(),
        );
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        registry.register_with_unit(
            "crm_start_time",
            "When the service was started, since 1970 in UTC",
            Unit::Seconds,
            ConstGauge::new(started.unwrap_or_default().as_secs_f64()),
        );
        registry.register(
            "crm",
            "Which crm this is",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        Observer {
            registry: Arc::new(registry),
            requests,
            times,
            gone,
            replays,
            meter,
        }
    }

    /// All numbers, as `/metrics` answers them.
    pub(super) fn metrics(&self) -> String {
        let mut shown = String::with_capacity(16 * 1024);
        // Memory takes all that is written to it.
        let _ = text::encode(&mut shown, &self.registry);
        shown
    }

    /// An answer was that to an earlier request with the same Idempotency-Key.
    pub(super) fn replayed(&self) {
        self.replays.inc();
    }

    /// The request of this id has come, to the route of this number among those that the observer was given; `None` for a
    /// path that does not exist.
    pub(super) fn sees<'a>(
        &'a self,
        client: IpAddr,
        method: &'a Method,
        path: &'a str,
        route: Option<usize>,
        id: &'a str,
    ) -> Seen<'a> {
        Seen {
            observer: self,
            method,
            path,
            route: route.unwrap_or(usize::MAX),
            client,
            id,
            began: Instant::now(),
            answered: false,
        }
    }

    fn ended(&self, line: &Line<'_>, route: usize) {
        let method = method_place(line.method);
        let status = line.status.unwrap_or_default();
        let place = STATUS_PLACES.get(usize::from(status));
        let place = place.map_or(STATUSES.len() - 1, |place| usize::from(*place));
        self.requests.0.at(route, method)[place].fetch_add(1, Ordering::Relaxed);
        self.times.0.at(route, method).add_time(line.took);
        if let Some(log) = log::current() {
            line.log(log);
        }
    }
}

/// A request that is being answered. Where it is dropped before it is, its client has gone.
pub(super) struct Seen<'a> {
    observer: &'a Observer,
    method: &'a Method,
    path: &'a str,
    route: usize,
    client: IpAddr,
    id: &'a str,
    began: Instant,
    answered: bool,
}

impl Seen<'_> {
    /// It is answered with this, for the token of this name. What is answered at once is told at once, what is streamed
    /// when it ends.
    pub(super) fn answered(mut self, response: Response, who: Option<&Arc<str>>) -> Response {
        self.answered = true;
        let status = response.status().as_u16();
        // A HEAD is answered without the body.
        let size = match self.method {
            &Method::HEAD => Some(0),
            _ => response.body().size_hint().exact(),
        };
        let Some(bytes) = size else {
            let told = Box::new(Told {
                observer: self.observer.clone(),
                method: self.method.clone(),
                path: self.path.into(),
                route: self.route,
                client: self.client,
                began: self.began,
                status,
                id: self.id.into(),
                who: who.cloned(),
                bytes: 0,
                whole: false,
            });
            return told.with(response);
        };
        let line = Line {
            status: Some(status),
            bytes,
            who: who.map(AsRef::as_ref),
            ..self.line()
        };
        self.observer.ended(&line, self.route);
        response
    }

    fn line(&self) -> Line<'_> {
        Line {
            method: self.method,
            path: self.path,
            status: None,
            took: self.began.elapsed(),
            bytes: 0,
            client: self.client,
            id: self.id,
            who: None,
            broken: false,
        }
    }
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        // One that panicked is answered all the same, and told there.
        if self.answered || std::thread::panicking() {
            return;
        }
        self.observer.gone.inc();
        if let Some(log) = log::current() {
            self.line().log(log);
        }
    }
}

/// An answer that is streamed. It is told when this is dropped.
struct Told {
    observer: Observer,
    method: Method,
    path: String,
    route: usize,
    client: IpAddr,
    began: Instant,
    status: u16,
    id: String,
    who: Option<Arc<str>>,
    /// What was sent.
    bytes: u64,
    /// Whether all was.
    whole: bool,
}

impl Told {
    fn with(self: Box<Told>, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let body = Watched { body, told: self };
        let body = warp::reply::stream(body).into_response().into_body();
        Response::from_parts(parts, body)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let line = Line {
            method: &self.method,
            path: &self.path,
            status: Some(self.status),
            took: self.began.elapsed(),
            bytes: self.bytes,
            client: self.client,
            id: &self.id,
            who: self.who.as_deref(),
            broken: !self.whole,
        };
        self.observer.ended(&line, self.route);
    }
}

/// A body whose bytes are counted.
struct Watched<B> {
    body: B,
    told: Box<Told>,
}

impl<B: hyper::body::Body<Data = Bytes> + Unpin> Stream for Watched<B> {
    type Item = Result<Bytes, B::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            return Poll::Ready(match frame {
                Some(Ok(frame)) => {
                    // Our bodies have no trailers.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    self.told.bytes += data.len() as u64;
                    Some(Ok(data))
                }
                Some(Err(error)) => Some(Err(error)),
                None => {
                    self.told.whole = true;
                    None
                }
            });
        }
    }
}

/// What the log tells of a request.
struct Line<'a> {
    method: &'a Method,
    path: &'a str,
    /// `None` where nobody waited for it.
    status: Option<u16>,
    took: Duration,
    bytes: u64,
    client: IpAddr,
    id: &'a str,
    who: Option<&'a str>,
    broken: bool,
}

impl Line<'_> {
    fn log(&self, log: &Log) {
        log.request(|form, line| self.write(form, line));
    }

    fn write(&self, form: Form, line: &mut Vec<u8>) {
        let method = cut(self.method.as_str(), LONGEST_METHOD);
        let path = cut(self.path, LONGEST_PATH);
        let more = if path.len() < self.path.len() {
            "…"
        } else {
            ""
        };
        let (path, id) = (token::redacted(path), token::redacted(self.id));
        match form {
            Form::Text => self.text(method, &path, more, &id, line),
            Form::Json => self.json(method, &path, more, &id, line),
        }
    }

    fn text(&self, method: &str, path: &str, more: &str, id: &str, line: &mut Vec<u8>) {
        let mut numbers = itoa::Buffer::new();
        line.push(b' ');
        line.extend_from_slice(method.as_bytes());
        line.push(b' ');
        log::plain(line, path);
        line.extend_from_slice(more.as_bytes());
        line.push(b' ');
        match self.status {
            Some(status) => line.extend_from_slice(numbers.format(status).as_bytes()),
            None => line.push(b'-'),
        }
        line.push(b' ');
        milliseconds(self.took, line);
        line.extend_from_slice(b"ms ");
        line.extend_from_slice(numbers.format(self.bytes).as_bytes());
        line.extend_from_slice(b"B ");
        address(self.client, line);
        line.push(b' ');
        line.extend_from_slice(id.as_bytes());
        line.push(b' ');
        line.extend_from_slice(self.who.unwrap_or("-").as_bytes());
        if self.broken {
            line.extend_from_slice(b" broke off");
        }
    }

    fn json(&self, method: &str, path: &str, more: &str, id: &str, line: &mut Vec<u8>) {
        let mut numbers = itoa::Buffer::new();
        log::member(line, "message", "request");
        log::member(line, "method", method);
        log::member(line, "path", path);
        if !more.is_empty() {
            // Before the quote that ends it.
            line.pop();
            line.extend_from_slice(more.as_bytes());
            line.push(b'"');
        }
        line.extend_from_slice(b",\"status\":");
        match self.status {
            Some(status) => line.extend_from_slice(numbers.format(status).as_bytes()),
            None => line.extend_from_slice(b"null"),
        }
        line.extend_from_slice(b",\"duration_ms\":");
        milliseconds(self.took, line);
        line.extend_from_slice(b",\"bytes\":");
        line.extend_from_slice(numbers.format(self.bytes).as_bytes());
        line.extend_from_slice(b",\"client\":\"");
        address(self.client, line);
        line.push(b'"');
        log::member(line, "request_id", id);
        match self.who {
            Some(name) => log::member(line, "token", name),
            None => line.extend_from_slice(b",\"token\":null"),
        }
        line.extend_from_slice(match self.broken {
            true => b",\"broken\":true",
            false => b",\"broken\":false",
        });
    }
}

/// The beginning of a text, of at most so many bytes.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A time in milliseconds, with three digits after the point.
fn milliseconds(time: Duration, line: &mut Vec<u8>) {
    let micros = time.as_micros();
    let micros = u64::try_from(micros).unwrap_or(u64::MAX);
    let mut numbers = itoa::Buffer::new();
    line.extend_from_slice(numbers.format(micros / 1_000).as_bytes());
    let rest = (micros % 1_000) as u16;
    let digit = |by: u16| b'0' + (rest / by % 10) as u8;
    line.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
}

fn address(client: IpAddr, line: &mut Vec<u8>) {
    match client {
        // Most are, and a format takes longer than all the rest of the line.
        IpAddr::V4(client) => {
            let mut numbers = itoa::Buffer::new();
            for (at, part) in client.octets().into_iter().enumerate() {
                if at > 0 {
                    line.push(b'.');
                }
                line.extend_from_slice(numbers.format(part).as_bytes());
            }
        }
        IpAddr::V6(client) => {
            let _ = write!(line, "{client}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_that_an_error_has_is_counted_under_it() {
        let known = crate::base::error::Code::TABLE
            .iter()
            .filter_map(|row| row.1);
        for status in known.chain([200, 201, 204, 304, 401, 422, 429, 431]) {
            let place = usize::from(STATUS_PLACES[usize::from(status)]);
            assert_eq!(STATUSES[place], status.to_string());
        }
        assert_eq!(STATUSES[usize::from(STATUS_PLACES[299])], "other");
    }

    fn line<'a>(method: &'a Method, path: &'a str) -> Line<'a> {
        Line {
            method,
            path,
            status: Some(200),
            took: Duration::from_nanos(12_045_999),
            bytes: 1_234,
            client: IpAddr::from([192, 0, 2, 1]),
            id: "0123456789abcdef",
            who: None,
            broken: false,
        }
    }

    fn written(form: Form, line: &Line<'_>) -> String {
        let mut out = Vec::new();
        line.write(form, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_line_of_a_request_in_text() {
        let one = line(&Method::GET, "/leads/1");
        assert_eq!(
            written(Form::Text, &one),
            " GET /leads/1 200 12.045ms 1234B 192.0.2.1 0123456789abcdef -"
        );
        let other = Line {
            status: None,
            took: Duration::ZERO,
            client: std::net::Ipv6Addr::LOCALHOST.into(),
            who: Some("ci"),
            broken: true,
            ..line(&Method::POST, "/leads")
        };
        assert_eq!(
            written(Form::Text, &other),
            " POST /leads - 0.000ms 1234B ::1 0123456789abcdef ci broke off"
        );
    }

    #[test]
    fn the_line_of_a_request_in_json() {
        let json = |line: &Line<'_>| {
            let text = format!("{{\"level\":\"INFO\"{}}}", written(Form::Json, line));
            serde_json::from_str::<serde_json::Value>(&text).unwrap()
        };
        let one = Line {
            id: "a\"\\b",
            ..line(&Method::GET, "/leads/\"1\"")
        };
        let expected = serde_json::json!({
            "level": "INFO", "message": "request", "method": "GET", "path": "/leads/\"1\"",
            "status": 200, "duration_ms": 12.045, "bytes": 1234, "client": "192.0.2.1",
            "request_id": "a\"\\b", "token": null, "broken": false,
        });
        assert_eq!(json(&one), expected);
        let long = "/é".repeat(LONGEST_PATH);
        let other = Line {
            status: None,
            who: Some("ci"),
            broken: true,
            ..line(&Method::GET, &long)
        };
        let other = json(&other);
        assert_eq!(other["status"], serde_json::Value::Null);
        assert_eq!(
            (&other["token"], &other["broken"]),
            (&"ci".into(), &true.into())
        );
        let path = other["path"].as_str().unwrap();
        assert!(
            path.ends_with("…") && path.len() <= LONGEST_PATH + 3,
            "{path}"
        );
    }

    #[test]
    fn what_misleads_and_what_is_secret_is_not_in_a_line() {
        let secret = token::Secret::new().unwrap();
        let path = format!("/leads/{}\u{85}\u{202e}x", secret.text());
        let method = Method::from_bytes(&[b'M'; 100]).unwrap();
        let one = Line {
            id: secret.text(),
            ..line(&method, &path)
        };
        for form in [Form::Text, Form::Json] {
            let written = written(form, &one);
            assert!(!written.contains(&secret.text()[12..]), "{written}");
            assert!(written.contains(secret.start()), "{written}");
            assert!(!written.contains(&"M".repeat(LONGEST_METHOD + 1)));
        }
        let text = written(Form::Text, &one);
        assert!(text.contains(r"\u{85}\u{202e}x"), "{text}");
    }
}
