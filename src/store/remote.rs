//! The store behind another `crm serve`, over HTTP.
//!
//! It sends what was given and answers what the server said, so that a command prints the same bytes and exits with the
//! same code as on a file. A list is asked for as one record a line, which needs no parser for half an array and tells a
//! broken answer from a finished one.
//!
//! Each write has an idempotency key, so that one whose answer is lost can be sent again and is done once.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

use crate::base::error::{Code, Error, Result, quoted};
use crate::base::time;
use crate::model::query::{self, Query};
use crate::model::record::{Cell, Noun, Record, Rows, Value};
use crate::model::terms::{self, Key, Terms};
use crate::model::token::{Keyring, Secret, Token};
use crate::store::contract::{Chunks, Kept, Listing, Outcome, Ready, Report, Store, Write};

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a server may say nothing in the middle of an answer. Longer than its own limit of 30 s for a body and the
/// 5 s it waits for a busy database.
const SILENCE: Duration = Duration::from_secs(60);

/// How long a request that is no list may take in all, whatever a server sends meanwhile.
const LONGEST: Duration = Duration::from_secs(300);

/// The largest answer that is taken, and the largest line of a list, in bytes: a record has a mebibyte, each of whose
/// bytes JSON may write as six.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// A server and how to talk to it. Clones share its connections.
#[derive(Clone)]
pub struct Remote {
    client: Client,
    url: String,
    /// What the server said last of its backups.
    backups: Arc<Mutex<Option<Report>>>,
}

/// What the libraries say of a connection, with what may be done about it.
fn explained(causes: String) -> String {
    let advice = if causes.contains("CaUsedAsEndEntity") {
        "its certificate is one for signing others; make it with basicConstraints=CA:FALSE"
    } else if causes.contains("invalid peer certificate") {
        "SSL_CERT_FILE may name the file of the certificate that it is to be trusted by"
    } else if causes.contains("InvalidContentType") {
        "it does not speak HTTPS there; http:// may be meant"
    } else if causes.contains("invalid HTTP version parsed") {
        "it does not speak HTTP there; https:// may be meant"
    } else {
        return causes;
    };
    format!("{causes}; {advice}")
}

impl Remote {
    /// A server by its URL, without a slash at its end, and the token that it is to be shown. Nothing is sent yet.
    pub fn new(url: &str, token: Option<&Secret>) -> Result<Remote> {
        Remote::checking(url, token, true)
    }

    /// The same for a server on this machine whose certificate is for the name that others know it by. Anybody may be
    /// behind it: nothing secret may be sent there.
    pub fn unchecked(url: &str) -> Result<Remote> {
        Remote::checking(url, None, false)
    }

    fn checking(url: &str, token: Option<&Secret>, checks: bool) -> Result<Remote> {
        // Whoever comes second finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder();
        if !checks {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if url.starts_with("https://") && checks {
            check_trusted()?;
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
        if let Some(token) = token {
            let header = HeaderValue::from_str(&format!("Bearer {}", token.text()));
            let mut header = header.map_err(Error::internal)?;
            header.set_sensitive(true);
            builder = builder.default_headers(HeaderMap::from_iter([(AUTHORIZATION, header)]));
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
    async fn send(&self, request: RequestBuilder) -> Result<Response, Failed> {
        let sent = request.send().await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let code = Code::from_status(status.as_u16());
        let after = response.headers().get(RETRY_AFTER);
        let after = after.and_then(|after| retry_after(after.to_str().ok()?.trim()));
        let body = self.body(response).await?;
        // `/ready` tells it whether it takes writes or not.
        *self.told() = Report::from_json(&body);
        let told = code.and_then(|code| Error::from_json(code, &body));
        // What stands between may have passed it on.
        let perhaps = told.is_none() && status.is_server_error();
        let error = told.unwrap_or_else(|| match code {
            // Of a proxy that asks who is there.
            Some(code @ (Code::Denied | Code::Unauthenticated)) => Error::new(
                code,
                format!("{} does not let you: it answered {status}", self.url),
            ),
            _ => self.stranger(&format!("it answered {status}")),
        });
        let again = match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                Some(after.unwrap_or_default())
            }
            _ => None,
        };
        Err(Failed {
            error,
            again,
            perhaps,
        })
    }

    /// The body of an answer that is no list.
    async fn body(&self, mut response: Response) -> Result<Bytes, Failed> {
        let mut body = BytesMut::new();
        loop {
            let part = response.chunk().await;
            let Some(part) = part.map_err(|error| self.unreachable(&error))? else {
                return Ok(body.freeze());
            };
            if body.len() + part.len() > LARGEST_ANSWER {
                // It was a success that it told of, if it is a server of crm's at all.
                return Err(Failed {
                    perhaps: true,
                    ..self.too_large().into()
                });
            }
            body.extend_from_slice(&part);
        }
    }

    fn too_large(&self) -> Error {
        let most = LARGEST_ANSWER >> 20;
        self.stranger(&format!("its answer is larger than {most} MiB"))
    }

    fn told(&self) -> MutexGuard<'_, Option<Report>> {
        self.backups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer with all of its body. What is lost on the way, or not taken at the moment, is asked for again.
    async fn whole(&self, request: RequestBuilder) -> Result<Whole, Failed> {
        let mut tries = Tries::default();
        let mut perhaps = false;
        loop {
            let again = request.try_clone().map(|next| next.timeout(LONGEST));
            let next = again.ok_or_else(|| Error::internal("a request cannot be sent again"))?;
            let told = async {
                let response = self.send(next).await?;
                let header = |name: &str| response.headers().get(name)?.to_str().ok();
                let version = header("etag").and_then(terms::parse_etag);
                let (status, replayed) = (
                    response.status(),
                    header("idempotent-replayed") == Some("true"),
                );
                Ok::<_, Failed>(Whole {
                    status,
                    version: version.unwrap_or_default(),
                    replayed,
                    body: self.body(response).await?,
                })
            };
            match told.await {
                Ok(whole) => return Ok(whole),
                Err(failed) => {
                    perhaps |= failed.perhaps;
                    if !tries.again(&failed).await {
                        return Err(Failed { perhaps, ..failed });
                    }
                }
            }
        }
    }

    /// What was done, read from the answer. An answer that cannot be read may be another program's.
    fn done<W: Write>(&self, write: &W, whole: &Whole) -> Result<W::Done> {
        let kept = Kept {
            word: W::word(whole.status.as_u16()).into(),
            version: whole.version,
            text: String::from_utf8_lossy(&whole.body).into_owned(),
        };
        match write.kept(&kept)? {
            Some(done) => Ok(done),
            None => {
                let error = self.stranger("its answer cannot be read");
                Err(Failed {
                    perhaps: true,
                    ..error.into()
                }
                .of_write())
            }
        }
    }

    fn record(&self, noun: &'static Noun, whole: &Whole) -> Result<Record> {
        match Record::from_json(noun, &whole.body).filter(|record| record.id() >= 1) {
            Some(record) => Ok(record.with_version(whole.version)),
            None => Err(self.stranger("its answer is no record")),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failed {
        let message = format!("cannot reach {}: {}", self.url, explained(causes(error)));
        Failed {
            error: Error::new(Code::Unreachable, message),
            again: Some(Duration::ZERO),
            perhaps: !error.is_connect(),
        }
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

/// Refuses a file of certificates that is to be trusted and cannot be: the library would go on without it.
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

/// An answer.
struct Whole {
    status: StatusCode,
    /// Of the record, 0 where there is none.
    version: i64,
    replayed: bool,
    body: Bytes,
}

/// How often a request is sent that is lost or turned away: a server that is started again takes about a second.
const MOST_TRIES: u32 = 5;

/// How long the first pause is at most.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// How long a pause is at most: who asks for a longer one is told to the user instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What `Retry-After` asks for (RFC 9110, section 10.2.3): seconds, or the time of a clock. Anything else asks for nothing.
fn retry_after(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = time::read_http(text)?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Why a request failed.
struct Failed {
    error: Error,
    /// Where it may be sent again, after what time at the earliest: it was lost on the way, or the server was not able to
    /// do it at the moment.
    again: Option<Duration>,
    /// Whether the server may have done it all the same, in this try or in one before it.
    perhaps: bool,
}

impl Failed {
    /// What it means for a write.
    fn of_write(mut self) -> Error {
        if self.perhaps {
            self.error.message +=
                "; what was sent may have been saved all the same, look before trying again";
        }
        self.error
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed {
            error,
            again: None,
            perhaps: false,
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Error {
        failed.error
    }
}

/// The tries of one request.
#[derive(Default)]
struct Tries(u32);

impl Tries {
    /// Waits, and answers whether the request is to be sent again.
    async fn again(&mut self, failed: &Failed) -> bool {
        self.0 += 1;
        let after = failed.again.filter(|after| *after <= LONGEST_PAUSE);
        let Some(after) = after.filter(|_| self.0 < MOST_TRIES) else {
            return false;
        };
        // Twice as long each time, and each time by chance up to half less, so that many who were turned away together do
        // not come back together.
        let longest = (FIRST_PAUSE * 2_u32.pow(self.0 - 1)).min(LONGEST_PAUSE);
        let chance = RandomState::new().hash_one(self.0) % 1_000;
        tokio::time::sleep(after + longest / 2 + longest / 2 * chance as u32 / 1_000).await;
        true
    }
}

impl Store for Remote {
    async fn write<W: Write>(&self, write: W, terms: Terms) -> Result<Outcome<W::Done>> {
        let asked = write.request();
        let method = Method::from_bytes(asked.method.as_bytes()).map_err(Error::internal)?;
        let key = match terms.key {
            Some(key) => key,
            None => Key::new()?,
        };
        let mut request = self
            .request(method, &asked.path)
            .header("idempotency-key", key.text);
        if let Some(versions) = &terms.versions {
            request = request.header("if-match", versions.text());
        }
        if let Some(body) = asked.body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let whole = self.whole(request).await.map_err(Failed::of_write)?;
        self.done(&write, &whole).map(|done| Outcome {
            done,
            replayed: whole.replayed,
        })
    }

    async fn get(&self, noun: &'static Noun, id: i64) -> Result<Record> {
        let request = self.request(Method::GET, &format!("/{}/{id}", noun.plural));
        self.record(noun, &self.whole(request).await?)
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let whole = self.whole(self.request(Method::GET, "/tokens")).await?;
        let json: serde_json::Value = serde_json::from_slice(&whole.body).unwrap_or_default();
        let tokens = json
            .as_array()
            .map(|all| all.iter().map(Token::from_json).collect());
        let tokens: Option<Option<Vec<Token>>> = tokens;
        tokens
            .flatten()
            .ok_or_else(|| self.stranger("its answer is no list of tokens"))
    }

    async fn keyring(&self) -> Result<Arc<Keyring>> {
        Err(Error::internal("the tokens of another server are its own"))
    }

    async fn keyring_anew(&self) -> Result<Arc<Keyring>> {
        self.keyring().await
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
        let body = self.body(response).await?;
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
        if self.partial.len() > LARGEST_ANSWER {
            return Err(self.store.too_large());
        }
        Ok(records)
    }
}
