//! A request that was let in: how the operation that it asks for is done.
//!
//! Writes are all done by [`Call::write`], whichever operation it is. Reads of records go their own way: a record by its
//! id is answered from the cache, and a list is written where its rows lie.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::task::Poll;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use tokio::time::timeout;
use warp::http::header::{
    ACCEPT, CACHE_CONTROL, HeaderName, IF_MATCH, IF_NONE_MATCH, LINK, LOCATION, VARY,
};
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode};
use warp::reply::Response;

use super::api::Api;
use super::conditions::IDEMPOTENCY_KEY;
use super::reply::{Media, Written};
use super::route::{Act, Found};
use super::written::tagged;
use super::{docs, gate, openapi, reply};
use crate::base::error::{Code, Error, Result, quoted};
use crate::model::query::{self, Query};
use crate::model::record::{Noun, Shown, Snapshot};
use crate::model::terms::Terms;
use crate::model::token::Token;
use crate::net::body;
use crate::net::hits::Limit;
use crate::operation::about::Body;
use crate::operation::asked::{Asked, Operation, Told, known_parameters};
use crate::operation::service::{Answered, Inform, Page, Service};
use crate::ops::Visit;
use crate::store::contract::{Outcome, Ready, Report, Store, Write};

/// A request without its body.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
}

/// A request that was let in.
pub(super) struct Request<'a> {
    pub(super) api: &'a Api,
    pub(super) head: Head<'a>,
    pub(super) request_id: &'a str,
    /// Whose request it is, where a token says so.
    pub(super) token: Option<&'a Token>,
}

/// A request on the way to its operation.
struct Call<'a, S> {
    request: &'a Request<'a>,
    noun: Option<&'static Noun>,
    /// The parameter in the path.
    key: &'a str,
    body: S,
}

impl Request<'_> {
    /// Does what is asked for.
    pub(super) async fn answer<S, B>(
        &self,
        found: Option<Found<'_>>,
        act: Option<Act>,
        body: S,
    ) -> Result<Response>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        let Some(found) = found else {
            let message = format!(
                "{} is no path of this service; GET /docs shows them",
                quoted(self.head.path)
            );
            return Err(Error::new(Code::NotFound, message));
        };
        let Some(act) = act else {
            return Ok(reply::not_allowed(&found.path.allowed(), self.request_id));
        };
        let call = Call {
            request: self,
            noun: act.noun,
            key: found.key,
            body,
        };
        act.op.visit(call).await
    }

    /// Waits for a read no longer than an answer may take to begin. Whoever waited in vain has been told so, and what it
    /// ran is given up.
    async fn read<T>(&self, mut read: Pin<&mut impl Future<Output = Result<T>>>) -> Result<T> {
        // What is kept in memory is there at once, and a timer would be a good part of what it costs.
        if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await
        {
            return done;
        }
        match timeout(self.api.limits.time, read).await {
            Ok(done) => done,
            Err(_) => Err(self.late(
                Code::Unavailable,
                "the answer took too long and was given up; ask for less, or try again",
            )),
        }
    }

    /// Waits for a write no longer than an answer may take to begin. The write goes on and may succeed yet: nobody may be
    /// told that it has not.
    async fn write<W: Write>(&self, write: W, terms: Terms) -> Result<Outcome<W::Done>> {
        let store = self.api.store.clone();
        let mut write = Box::pin(async move { store.write(write, terms).await });
        match timeout(self.api.limits.time, &mut write).await {
            Ok(done) => done,
            Err(_) => {
                tokio::spawn(write);
                Err(self.late(
                    Code::Unknown,
                    "the database has not answered in time, this may have been saved; look before trying again",
                ))
            }
        }
    }

    fn late(&self, code: Code, message: &str) -> Error {
        self.api.hits.count(Limit::RequestTimeout);
        Error::new(code, message)
    }

    async fn list(&self, noun: &'static Noun) -> Result<Response> {
        let query = Query::new(noun, query::pairs(self.head.query)?)?;
        let pairs = query.pairs.clone();
        let media = Media::asked(self.head.headers.get(ACCEPT));
        let rows = Written::new(noun, query.shown.clone(), media);
        let mut listing = self.api.store.list_into(query, rows).await?;
        let (total, next) = (listing.total, listing.next.take());
        let mut response = reply::list(listing, media, &self.api.answers, self.request_id)?;
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept"));
        if let Some(total) = total {
            headers.insert("x-total-count", total.into());
        }
        if let Some(link) = next.and_then(|next| next_link(noun, &pairs, &next)) {
            headers.insert(LINK, link);
        }
        Ok(response)
    }

    /// The parameters of a route that knows only these, each at most once.
    fn parameters(&self, known: &[&str]) -> Result<Vec<(String, String)>> {
        let pairs = query::pairs(self.head.query)?;
        known_parameters(&pairs, known)?;
        Ok(pairs)
    }

    async fn get(&self, noun: &'static Noun, id: &str) -> Result<Response> {
        let id = noun.parse_id(id)?;
        let read = match self.parameters(&["fields"])?.first() {
            Some((_, fields)) => {
                let shown = Shown::parse(noun, fields)?;
                let record = self.api.store.get(noun, id).await?;
                let mut json = Vec::with_capacity(256);
                record.write_json(&shown, &mut json);
                Snapshot {
                    json: json.into(),
                    version: record.version(),
                }
            }
            None => self.api.store.get_json(noun, id).await?,
        };
        let expected = self.versions(&IF_MATCH, false)?;
        let known = self.versions(&IF_NONE_MATCH, true)?;
        // In this order (RFC 9110, section 13.2.2).
        if let Some(versions) = expected {
            versions.hold(read.version)?;
        }
        if known.is_some_and(|known| known.have(read.version)) {
            let mut response = Response::new(Bytes::new().into());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(tagged(response, read.version));
        }
        let json = self.api.answers.hold(read.json)?;
        let response = json.respond(|json| reply::json(StatusCode::OK, json));
        Ok(tagged(response, read.version))
    }

    async fn tokens(&self) -> Result<Response> {
        self.parameters(&[])?;
        let tokens = self.api.store.tokens().await?;
        let tokens: Vec<serde_json::Value> = tokens.iter().map(Token::to_json).collect();
        let json = serde_json::Value::Array(tokens).to_string();
        Ok(uncached(reply::json(StatusCode::OK, json)))
    }
}

impl<S, B> Call<'_, S>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    /// Does a write. What is wrong is told in this order: the path, the parameters, the conditions, the body.
    async fn run<T: Operation>(self) -> Result<Response> {
        let request = self.request;
        let head = request.head;
        let key = percent_encoding::percent_decode_str(self.key).decode_utf8_lossy();
        let parameters = query::pairs(head.query)?;
        let mut asked = Asked::new(T::ABOUT, self.noun, &key, &parameters)?;
        if head.headers.contains_key(&IDEMPOTENCY_KEY) {
            asked.asker = gate::presented(head.headers);
        }
        let mut operation = T::ask(&asked)?;
        let versions = match T::ABOUT.conditional {
            true => {
                request.no_known_versions()?;
                request.versions(&IF_MATCH, false)?
            }
            false => request.no_versions().map(|()| None)?,
        };
        let (operation, key) = match T::ABOUT.body {
            Body::None => (operation, request.key(self.body).await?),
            Body::Draft(_) | Body::Object(_) => {
                let keyed = request.keyed()?;
                let parse = move |body: &[u8]| {
                    operation.body(body)?;
                    Ok((operation, keyed.map(|keyed| keyed.key(body)).transpose()?))
                };
                body::read(&request.api.bodies, head.headers, self.body, parse).await?
            }
        };
        let outcome = request.write(operation, Terms { versions, key }).await?;
        let response = match T::told(self.noun, outcome.done) {
            Told::Saved(saved) => {
                let status = match saved.created {
                    true => StatusCode::CREATED,
                    false => StatusCode::OK,
                };
                let record = saved.record;
                let location = format!("/{}/{}", record.noun.plural, record.id());
                let mut response = request.written(status, record).await;
                if let Ok(location) = HeaderValue::from_str(&location) {
                    response.headers_mut().insert(LOCATION, location);
                }
                response
            }
            Told::Record(record) => request.written(StatusCode::OK, record).await,
            Told::Message(message) => {
                let message = serde_json::json!({ "message": message }).to_string();
                reply::json(StatusCode::OK, message)
            }
            Told::Token(token, secret) => {
                let mut json = token.to_json();
                json["token"] = secret.text().into();
                uncached(reply::json(StatusCode::CREATED, json.to_string()))
            }
        };
        Ok(request.marked(response, outcome.replayed))
    }
}

// What is large as a future is boxed: what waits for a small one would be moved about with room for the largest.
impl<S, B> Visit for Call<'_, S>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    type Out = Result<Response>;

    async fn list(self) -> Result<Response> {
        let (request, noun) = (self.request, noun(self.noun)?);
        Box::pin(async move { request.read(pin!(request.list(noun))).await }).await
    }

    async fn get(self) -> Result<Response> {
        let (request, noun) = (self.request, noun(self.noun)?);
        request.read(pin!(request.get(noun, self.key))).await
    }

    async fn tokens(self) -> Result<Response> {
        Box::pin(self.request.tokens()).await
    }

    async fn write<T: Operation>(self) -> Result<Response> {
        Box::pin(self.run::<T>()).await
    }

    async fn inform<T: Inform>(self) -> Result<Response> {
        let (request, rest) = (self.request, self.key);
        let answered = T::inform(request, rest);
        let answered = Box::pin(async move { request.read(pin!(answered)).await }).await?;
        Ok(request.told(answered))
    }
}

/// The noun of an operation on records.
fn noun(noun: Option<&'static Noun>) -> Result<&'static Noun> {
    noun.ok_or_else(|| Error::internal("an operation on records has no noun"))
}

impl Service for Request<'_> {
    async fn ready(&self) -> Result<Ready> {
        match self.api.store.ready().await {
            Err(error) if error.code == Code::Internal => {
                tracing::error!("request {}: not ready: {error}", self.request_id);
                let message = "no writes are taken; the log says why";
                Err(Error::new(Code::Unavailable, message))
            }
            told => told,
        }
    }

    fn backups(&self) -> Option<Report> {
        self.api.store.backups()
    }

    fn metrics(&self) -> String {
        self.api.observer.metrics()
    }

    fn document(&self) -> Bytes {
        static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi::document().into());
        DOCUMENT.clone()
    }

    fn page(&self, path: &str) -> Option<Page> {
        docs::file(path)
    }
}

impl Request<'_> {
    /// What the service tells of itself, as an answer.
    fn told(&self, answered: Answered) -> Response {
        let mut response = match &answered.error {
            None => {
                let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
                reply::bytes(status, answered.content_type, answered.body)
            }
            Some(error) => {
                let mut response = reply::error(error, self.request_id);
                if !answered.body.is_empty() {
                    *response.body_mut() = answered.body.into();
                }
                response
            }
        };
        for (name, value) in answered.headers {
            let value = HeaderValue::from_static(value);
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
        response
    }
}

fn uncached(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `</leads?limit=50&after=…>; rel="next"`, relative to the server, as only a proxy knows what it is called outside.
fn next_link(noun: &Noun, pairs: &[(String, String)], next: &str) -> Option<HeaderValue> {
    let mut link = format!("</{}?", noun.plural);
    for (name, value) in pairs.iter().filter(|pair| pair.0 != "after") {
        link.push_str(&format!(
            "{}={}&",
            query::escape(name),
            query::escape(value)
        ));
    }
    link.push_str(&format!("after={}>; rel=\"next\"", query::escape(next)));
    HeaderValue::from_str(&link).ok()
}
