//! The store behind another `crm serve`, over HTTP.
//!
//! It sends what was given and answers what the server said, so that a command prints the same bytes and exits with the
//! same code as on a file. A list is asked for as one record a line, which needs no parser for half an array and tells a
//! broken answer from a finished one.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};

use crate::draft::Draft;
use crate::error::{Code, Error, Result, quoted};
use crate::lead::OnDuplicate;
use crate::query::{self, Query};
use crate::record::{Cell, Noun, Record, Rows, Value};
use crate::store::{Chunks, Listing, Ready, Report, Saved, Store};

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a server may say nothing in the middle of an answer. Longer than its own limit of 30 s for a body and the
/// 5 s it waits for a busy database.
const SILENCE: Duration = Duration::from_secs(60);

/// A server and how to talk to it. Clones share its connections.
#[derive(Clone)]
pub struct Remote {
    client: Client,
    url: String,
    /// What the server said last of its backups.
    backups: Arc<Mutex<Option<Report>>>,
}

impl Remote {
    /// A server by its URL, without a slash at its end. Nothing is sent yet.
    pub fn new(url: &str) -> Result<Remote> {
        Remote::checking(url, true)
    }

    /// The same for a server on this machine whose certificate is for the name that others know it by. Anybody may be
    /// behind it: nothing secret may be sent there.
    pub fn unchecked(url: &str) -> Result<Remote> {
        Remote::checking(url, false)
    }

    fn checking(url: &str, checks: bool) -> Result<Remote> {
        // Whoever comes second finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder();
        if !checks {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if url.starts_with("http://") || !checks {
            // The system's certificates are for https alone. Reading them takes longer than all else that a command does,
            // and a small container has none, which would be an error.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(url) {
            // A proxy for the world outside cannot reach this machine's own services.
            builder = builder.no_proxy();
        }
        let client = builder
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            // A record is where it is: a redirect would be another server's, or a login page.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("crm/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::failed(format!("the HTTP client: {}", causes(&error))))?;
        Ok(Remote {
            client,
            url: url.trim_end_matches('/').to_string(),
            backups: Arc::default(),
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Sends a request; what is not a success becomes the error that the server had.
    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let code = match status {
            // Of a proxy that asks who is there.
            StatusCode::UNAUTHORIZED => Some(Code::Denied),
            status => Code::from_status(status.as_u16()),
        };
        let body = response
            .bytes()
            .await
            .map_err(|error| self.unreachable(&error))?;
        // `/ready` tells it whether it takes writes or not.
        *self.told() = Report::from_json(&body);
        let error = code.and_then(|code| Error::from_json(code, &body));
        Err(error.unwrap_or_else(|| match code {
            Some(Code::Denied) => Error::new(
                Code::Denied,
                format!("{} does not let you: it answered {status}", self.url),
            ),
            _ => self.stranger(&format!("it answered {status}")),
        }))
    }

    fn told(&self) -> MutexGuard<'_, Option<Report>> {
        self.backups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn record(
        &self,
        noun: &'static Noun,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Record)> {
        let response = self.send(request).await?;
        let status = response.status();
        let body = response
            .bytes()
            .await
            .map_err(|error| self.unreachable(&error))?;
        match Record::from_json(noun, &body).filter(|record| record.id() >= 1) {
            Some(record) => Ok((status, record)),
            None => Err(self.stranger("its answer is no record")),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::new(
            Code::Unreachable,
            format!("cannot reach {}: {}", self.url, causes(error)),
        )
    }

    fn broken(&self, error: &reqwest::Error) -> Error {
        let message = format!("the list from {} broke off: {}", self.url, causes(error));
        Error::new(Code::Unreachable, message)
    }

    fn stranger(&self, why: &str) -> Error {
        Error::new(
            Code::Unreachable,
            format!("{} does not answer as a crm server does: {why}", self.url),
        )
    }
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

/// An error with all that caused it, as reqwest's own text leaves the reason out.
fn causes(error: &reqwest::Error) -> String {
    let mut last = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        last = cause.to_string();
        source = cause.source();
    }
    last
}

fn json(request: RequestBuilder, draft: &Draft) -> RequestBuilder {
    request
        .header("content-type", "application/json")
        .body(draft.to_json())
}

impl Store for Remote {
    async fn create(&self, draft: Draft, on_duplicate: OnDuplicate) -> Result<Saved> {
        let noun = draft.noun;
        let path = match on_duplicate {
            OnDuplicate::Create => format!("/{}", noun.plural),
            other => format!("/{}?on_duplicate={}", noun.plural, other.word()),
        };
        let request = json(self.request(Method::POST, &path), &draft);
        let (status, record) = self.record(noun, request).await?;
        Ok(Saved {
            record,
            created: status == StatusCode::CREATED,
        })
    }

    async fn get(&self, noun: &'static Noun, id: i64) -> Result<Record> {
        let request = self.request(Method::GET, &format!("/{}/{id}", noun.plural));
        Ok(self.record(noun, request).await?.1)
    }

    async fn update(&self, id: i64, draft: Draft) -> Result<Record> {
        let noun = draft.noun;
        let request = json(
            self.request(Method::PUT, &format!("/{}/{id}", noun.plural)),
            &draft,
        );
        Ok(self.record(noun, request).await?.1)
    }

    async fn delete(&self, noun: &'static Noun, id: i64, cascade: bool) -> Result<()> {
        let query = if cascade { "?cascade=true" } else { "" };
        let request = self.request(Method::DELETE, &format!("/{}/{id}{query}", noun.plural));
        let response = self.send(request).await?;
        let body = response
            .bytes()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let body: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        match body.is_some_and(|body| body.get("message").is_some()) {
            true => Ok(()),
            false => Err(self.stranger("its answer does not say that it deleted anything")),
        }
    }

    async fn list_into<R: Rows>(&self, query: Query, rows: R) -> Result<Listing<R>> {
        let noun = query.noun;
        let mut path = format!("/{}", noun.plural);
        for (index, (name, value)) in query.pairs.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            let name = query::escape(name);
            path.push_str(&format!("{mark}{name}={}", query::escape(value)));
        }
        let request = self
            .request(Method::GET, &path)
            .header("accept", "application/x-ndjson");
        let response = self.send(request).await?;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        if !header("content-type").is_some_and(|media| media.starts_with("application/x-ndjson")) {
            return Err(self.stranger("its list is not application/x-ndjson"));
        }
        let total = header("x-total-count").and_then(|count| count.parse().ok());
        let next = header("link").and_then(next_cursor);
        let whole = query
            .shown
            .as_ref()
            .is_none_or(|shown| shown.0.iter().any(|field| field.at == 0));
        let first = rows.empty();
        let lines = Lines {
            store: self.clone(),
            rows,
            noun,
            whole,
            partial: BytesMut::new(),
        };
        let rest = Some(Box::pin(lines.chunks(response.bytes_stream())) as Chunks<R>);
        Ok(Listing {
            total,
            next,
            first,
            rest,
        })
    }

    async fn ready(&self) -> Result<Ready> {
        let response = self.send(self.request(Method::GET, "/ready")).await?;
        let body = response
            .bytes()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let ready = Ready::from_json(&body);
        let ready = ready.ok_or_else(|| self.stranger("its readiness names no commit"))?;
        *self.told() = ready.backups.clone();
        Ok(ready)
    }

    fn backups(&self) -> Option<Report> {
        self.told().clone()
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// The cursor in `<…&after=CURSOR>; rel="next"`.
fn next_cursor(link: &str) -> Option<String> {
    let target = link.strip_prefix('<')?.split_once('>')?.0;
    let pairs = query::pairs(target.split_once('?')?.1).ok()?;
    pairs
        .into_iter()
        .find(|pair| pair.0 == "after")
        .map(|pair| pair.1)
}

/// Records out of lines out of bytes.
struct Lines<R> {
    store: Remote,
    /// An empty one.
    rows: R,
    noun: &'static Noun,
    /// Whether each record has an id, as it has unless other fields were asked for.
    whole: bool,
    /// A line whose end has not come yet.
    partial: BytesMut,
}

impl<R: Rows> Lines<R> {
    fn chunks<S>(self, bytes: S) -> impl Stream<Item = Result<R>> + Send
    where
        S: Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
    {
        let state = Some((self, Box::pin(bytes)));
        stream::unfold(state, |state| async move {
            let (mut lines, mut bytes) = state?;
            let read = match bytes.next().await {
                Some(Ok(part)) => lines.records(&part),
                Some(Err(error)) => Err(lines.store.broken(&error)),
                None if lines.partial.is_empty() => return None,
                None => Err(lines
                    .store
                    .stranger("its list ends in the middle of a record")),
            };
            match read {
                Ok(records) => Some((Ok(records), Some((lines, bytes)))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    fn records(&mut self, part: &[u8]) -> Result<R> {
        self.partial.extend_from_slice(part);
        let mut records = self.rows.empty();
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line = self.partial.split_to(end + 1);
            let record = Record::from_json(self.noun, &line[..end]);
            let record = record.filter(|record| !self.whole || record.id() >= 1);
            let record = record.ok_or_else(|| {
                let line = String::from_utf8_lossy(&line[..end]);
                self.store
                    .stranger(&format!("{} is no record", quoted(&line)))
            })?;
            let cells: Vec<Cell> = record.values.iter().map(Value::cell).collect();
            records.push(self.noun, &cells);
        }
        Ok(records)
    }
}
