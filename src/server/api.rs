//! The routes, written once for all nouns.
//!
//! warp parses the request and hands it over; which path there is, which methods it has and who may is the table of
//! [`route`]. Where one noun differs, it has a named function beside the generic ones.
//!
//! [`route`]: super::route

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::future::poll_fn;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;

use bytes::{Buf, Bytes};
use futures_util::{FutureExt, Stream};
use tokio::time::timeout;
use warp::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_MATCH, IF_NONE_MATCH, LINK, LOCATION, VARY,
};
use warp::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::cors::Cors;
use super::gate::{self, Policy};
use super::limit::RequestLimits;
use super::observe::{self, Observer};
use super::reply::{self, Media, Written};
use super::route::{self, Act, Does, Place};
use super::tokens::Wanted;
use super::{Settings, docs, openapi};
use crate::base::error::{Code, Error, Result, quoted};
use crate::model::draft::{Draft, Purpose};
use crate::model::lead::OnDuplicate;
use crate::model::nouns::NOUNS;
use crate::model::query::{self, Query, boolean};
use crate::model::record::{Noun, Record, Shown, Snapshot};
use crate::model::terms::{self, Key, Terms, Versions};
use crate::model::token::{NewToken, Token};
use crate::net::body::{self, BodyBudget};
use crate::net::hits::{Hits, Limit};
use crate::net::peer::Peer;
use crate::net::rate::{RateNotice, Rates};
use crate::net::responses::ResponseBudget;
use crate::net::service::RefusedRequest;
use crate::store::any::AnyStore;
use crate::store::contract::{Done, Outcome, Store, Write};

/// The header that names a request in answers and in the log.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What answers the requests of all connections.
pub struct Api {
    store: AnyStore,
    policy: Policy,
    bodies: BodyBudget,
    answers: ResponseBudget,
    pub(super) observer: Observer,
    cors: Cors,
    limits: RequestLimits,
    rates: Rates,
    hits: Arc<Hits>,
}

impl Api {
    /// Over a store.
    pub fn new(store: AnyStore, settings: &Settings) -> Api {
        let (limits, hits) = (settings.requests, settings.connections.hits.clone());
        let mut templates: Vec<String> =
            route::table().into_iter().map(|route| route.path).collect();
        templates.dedup();
        let observer = Observer::new(&store, templates, hits.clone());
        Api {
            store,
            policy: settings.policy,
            bodies: BodyBudget::new(limits.of_body(), hits.clone()),
            answers: ResponseBudget::default(),
            observer,
            cors: settings.cors.clone(),
            limits,
            rates: Rates::new(limits.per_token, limits.per_address, hits.clone()),
            hits,
        }
    }

    /// The answer to a request that no route may see.
    pub(super) fn refuse(&self, error: Error, refused: &RefusedRequest<'_>) -> Response {
        let client = refused.address.ip().to_canonical();
        self.fail(error, client, refused.method, refused.path)
    }

    /// An error as the answer to a request, with an id of its own.
    fn fail(&self, error: Error, client: IpAddr, method: &Method, path: &str) -> Response {
        let route = Place::find(path).map(|place| place.number());
        let id = new_request_id();
        let request_id = id.to_str().unwrap_or_default();
        let seen = self.observer.sees(client, method, path, route, request_id);
        let response = seen.answered(reply::error(&error, request_id), None);
        named(response, id)
    }
    /// What comes before any route: the limits of a request without its body, and whether it only asks what a page of
    /// another site may send, to which this is the answer.
    fn begin(
        &self,
        peer: &Peer,
        asked: Asked<'_>,
        told: &RateNotice,
        place: Option<&Place>,
    ) -> Result<Option<Response>> {
        // Who watches the service is never told to come back later.
        if !matches!(place, Some(Place::Health | Place::Ready)) {
            self.rates
                .take_address(|| peer.client(asked.headers), told)?;
        }
        let mark = usize::from(!asked.query.is_empty());
        if asked.path.len() + mark + asked.query.len() > self.limits.url {
            self.hits.count(Limit::Url);
            let most = self.limits.url;
            let message = format!("the path: expected at most {most} bytes with its parameters");
            return Err(Error::new(Code::UrlTooLong, message));
        }
        let allowed = || place.map(|place| place.allowed());
        Ok(self.cors.preflight(asked.method, asked.headers, allowed))
    }
}

/// All routes, for one connection.
pub fn routes(
    api: Arc<Api>,
    peer: Peer,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let peer = Arc::new(peer);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(
            move |method, path: FullPath, query: String, headers, body| {
                let (api, peer) = (api.clone(), peer.clone());
                async move {
                    let asked = Asked {
                        method: &method,
                        path: path.as_str(),
                        query: &query,
                        headers: &headers,
                    };
                    // A defect of ours, said in the log by the hook for panics; the client still gets an answer.
                    let answered = AssertUnwindSafe(answer(&api, &peer, asked, body))
                        .catch_unwind()
                        .await;
                    let mut response = answered.unwrap_or_else(|_| {
                        let error = Error::internal("an answer panicked");
                        api.fail(error, peer.client(&headers), &method, path.as_str())
                    });
                    api.cors.open(&headers, &mut response);
                    response
                }
            },
        )
}

/// A request without its body.
#[derive(Clone, Copy)]
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
}

async fn answer<S, B>(api: &Api, peer: &Peer, asked: Asked<'_>, body: S) -> Response
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let id = request_id(asked.headers);
    // It came as text and was made of text.
    let request_id = id.to_str().unwrap_or_default();
    let place = Place::find(asked.path);
    let route = place.as_ref().map(|place| place.number());
    let observer = &api.observer;
    let client = peer.client(asked.headers);
    let seen = observer.sees(client, asked.method, asked.path, route, request_id);
    let act = place.as_ref().and_then(|place| place.act(asked.method));
    // What there is, and what not, is nobody's business who may not even read.
    let access = act.map_or(route::READ, |act| act.access);
    let told = RateNotice::default();
    let mut token = None;
    let mut response = match api.begin(peer, asked, &told, place.as_ref()) {
        Ok(Some(preflight)) => preflight,
        Err(error) => reply::error(&error, request_id),
        Ok(None) => match gate::admit(&api.store, api.policy, access, asked.headers).await {
            Err(refusal) => {
                let response = refusal.respond(request_id);
                token = refusal.who;
                response
            }
            Ok(admitted) => {
                token = admitted;
                let request = Request {
                    api,
                    store: &api.store,
                    bodies: &api.bodies,
                    answers: &api.answers,
                    observer,
                    asked,
                    request_id,
                    token: token.as_deref(),
                };
                let rated = match &token {
                    Some(token) => api.rates.take_token(token.id, &told),
                    None => Ok(()),
                };
                let answered = match rated {
                    Ok(()) => request.answer(place, act, body).await,
                    Err(error) => Err(error),
                };
                answered.unwrap_or_else(|error| reply::error(&error, request_id))
            }
        },
    };
    told.write(response.headers_mut());
    let response = seen.answered(response, token.as_ref().map(|token| &token.name));
    named(response, id)
}

/// The answer with the id of its request.
fn named(mut response: Response, id: HeaderValue) -> Response {
    response.headers_mut().insert(&REQUEST_ID, id);
    response
}

/// The client's own id of a request, if it is a plain word, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    const LONGEST: usize = 128;
    let plain = |id: &&HeaderValue| {
        (1..=LONGEST).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    let given = headers.get(&REQUEST_ID).filter(plain);
    given.cloned().unwrap_or_else(new_request_id)
}

/// 16 hexadecimal digits, not the same twice in a run and hardly ever between two.
fn new_request_id() -> HeaderValue {
    /// Odd, so that every number has its own product, and a number and the next share no digits to be mixed up by.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| RandomState::new().hash_one(()).into());
    let id = NEXT.fetch_add(STEP, Ordering::Relaxed);
    let digits: [u8; 16] =
        std::array::from_fn(|at| b"0123456789abcdef"[(id >> (60 - 4 * at)) as usize & 0xf]);
    HeaderValue::from_bytes(&digits).unwrap_or_else(|_| HeaderValue::from(id))
}

/// What every route has at hand.
struct Request<'a> {
    api: &'a Api,
    store: &'a AnyStore,
    bodies: &'a BodyBudget,
    answers: &'a ResponseBudget,
    asked: Asked<'a>,
    observer: &'a Observer,
    request_id: &'a str,
    /// Whose request it is, where a token says so.
    token: Option<&'a Token>,
}

impl Request<'_> {
    async fn answer<S, B>(
        &self,
        place: Option<Place<'_>>,
        act: Option<&Act>,
        body: S,
    ) -> Result<Response>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        let Some(place) = place else {
            let message = format!(
                "{} is no path of this service; GET /docs shows them",
                quoted(self.asked.path)
            );
            return Err(Error::new(Code::NotFound, message));
        };
        let Some(act) = act else {
            return Ok(reply::not_allowed(&place.allowed(), self.request_id));
        };
        // The routes that are large as futures are boxed, as what waits for the small ones would be moved about with room
        // for the largest.
        match (act.does, place) {
            (Does::List, Place::All(noun)) => {
                Box::pin(async { self.read(pin!(self.list(noun))).await }).await
            }
            (Does::Create, Place::All(noun)) => Box::pin(self.create(noun, body)).await,
            (Does::Get, Place::One(noun, id)) => self.read(pin!(self.get(noun, id))).await,
            (Does::Update, Place::One(noun, id)) => Box::pin(self.update(noun, id, body)).await,
            (Does::Delete, Place::One(noun, id)) => Box::pin(self.delete(noun, id, body)).await,
            (Does::Tokens, _) => Box::pin(self.tokens()).await,
            (Does::CreateToken, _) => Box::pin(self.create_token(body)).await,
            (Does::RevokeToken, Place::Token(name)) => {
                Box::pin(self.revoke_token(name, body)).await
            }
            (Does::Health, _) => Ok(health()),
            (Does::Ready, _) => Box::pin(async { self.read(pin!(self.ready())).await }).await,
            (Does::Metrics, _) => Ok(metrics(self.observer)),
            (Does::OpenApi, _) => Ok(openapi()),
            (Does::Docs, Place::Docs(file)) => docs_file(file),
            (does, _) => Err(Error::internal(format!("{does:?} has no place"))),
        }
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
    async fn write(&self, write: Write, terms: Terms) -> Result<Outcome> {
        let store = self.store.clone();
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
        let query = Query::new(noun, query::pairs(self.asked.query)?)?;
        let pairs = query.pairs.clone();
        let media = Media::asked(self.asked.headers.get(ACCEPT));
        let rows = Written::new(noun, query.shown.clone(), media);
        let mut listing = self.store.list_into(query, rows).await?;
        let (total, next) = (listing.total, listing.next.take());
        let mut response = reply::list(listing, media, self.answers, self.request_id)?;
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

    async fn create<S, B>(&self, noun: &'static Noun, body: S) -> Result<Response>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        let on_duplicate = match noun.name {
            "lead" => on_duplicate(&self.parameters(&["on_duplicate"])?)?,
            _ => self.parameters(&[]).map(|_| OnDuplicate::Create)?,
        };
        self.no_versions()?;
        let (draft, key) = self.draft(noun, body, Purpose::Create).await?;
        let terms = Terms {
            versions: None,
            key,
        };
        let outcome = self
            .write(Write::Create(draft, on_duplicate), terms)
            .await?;
        let replayed = outcome.replayed;
        let saved = outcome.saved()?;
        let status = if saved.created {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        let location = format!("/{}/{}", noun.plural, saved.record.id());
        let mut response = self.written(status, saved.record).await;
        if let Ok(location) = HeaderValue::from_str(&location) {
            response.headers_mut().insert(LOCATION, location);
        }
        Ok(self.marked(response, replayed))
    }

    async fn get(&self, noun: &'static Noun, id: &str) -> Result<Response> {
        let id = noun.parse_id(id)?;
        let read = match self.parameters(&["fields"])?.first() {
            Some((_, fields)) => {
                let shown = Shown::parse(noun, fields)?;
                let record = self.store.get(noun, id).await?;
                let mut json = Vec::with_capacity(256);
                record.write_json(&shown, &mut json);
                Snapshot {
                    json: json.into(),
                    version: record.version(),
                }
            }
            None => self.store.get_json(noun, id).await?,
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
        let json = self.answers.hold(read.json)?;
        let response = json.respond(|json| reply::json(StatusCode::OK, json));
        Ok(tagged(response, read.version))
    }

    async fn update<S, B>(&self, noun: &'static Noun, id: &str, body: S) -> Result<Response>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        let id = noun.parse_id(id)?;
        self.parameters(&[])?;
        let versions = self.versions(&IF_MATCH, false)?;
        self.no_known_versions()?;
        let (draft, key) = self.draft(noun, body, Purpose::Update).await?;
        let terms = Terms { versions, key };
        let outcome = self.write(Write::Update(id, draft), terms).await?;
        let replayed = outcome.replayed;
        let response = self.written(StatusCode::OK, outcome.saved()?.record).await;
        Ok(self.marked(response, replayed))
    }

    /// Reads a draft, and the key of the request if it has one.
    async fn draft<S, B>(
        &self,
        noun: &'static Noun,
        body: S,
        purpose: Purpose,
    ) -> Result<(Draft, Option<Key>)>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        let keyed = self.keyed()?;
        let parse = move |body: &[u8]| {
            let draft = Draft::from_json(noun, body, purpose)?;
            Ok((draft, keyed.map(|keyed| keyed.key(body)).transpose()?))
        };
        body::read(self.bodies, self.asked.headers, body, parse).await
    }

    /// The key of the request, whose body is still to come.
    fn keyed(&self) -> Result<Option<Keyed>> {
        let Some(text) = single(self.asked.headers, &IDEMPOTENCY_KEY)? else {
            return Ok(None);
        };
        let caller = self.token.map_or(0, |token| token.id);
        let Asked {
            method,
            path,
            query,
            ..
        } = self.asked;
        Ok(Some(Keyed {
            text: text.into(),
            request: [
                caller.to_string(),
                method.to_string(),
                // A slash at its end changes nothing.
                path.strip_suffix('/').unwrap_or(path).into(),
                query.into(),
            ],
        }))
    }

    /// The key of a request that does not say what is to be done in its body. That counts all the same: another body is
    /// another request.
    async fn key<S, B>(&self, body: S) -> Result<Option<Key>>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        let Some(keyed) = self.keyed()? else {
            return Ok(None);
        };
        let (body, _held) = body::whole(self.bodies, self.asked.headers, body).await?;
        keyed.key(&body).map(Some)
    }

    /// The versions that a condition names.
    fn versions(&self, name: &HeaderName, weak: bool) -> Result<Option<Versions>> {
        let mut lines = self.asked.headers.get_all(name).iter().peekable();
        if lines.peek().is_none() {
            return Ok(None);
        }
        let lines: Option<Vec<&str>> = lines.map(|line| line.to_str().ok()).collect();
        let named = if *name == IF_MATCH {
            "If-Match"
        } else {
            "If-None-Match"
        };
        let versions = Versions::parse(&lines.unwrap_or_default().join(","), weak);
        let versions = versions.map_err(|expected| Error::invalid(format!("{named}: {expected}")));
        versions.map(Some)
    }

    /// Refuses conditions on what has no version yet.
    fn no_versions(&self) -> Result<()> {
        match self.asked.headers.contains_key(&IF_MATCH) {
            true => Err(Error::invalid(
                "If-Match: expected it with a record's own path alone",
            )),
            false => self.no_known_versions(),
        }
    }

    fn no_known_versions(&self) -> Result<()> {
        match self.asked.headers.contains_key(&IF_NONE_MATCH) {
            true => Err(Error::invalid(
                "If-None-Match: not for a write; expected it with GET",
            )),
            false => Ok(()),
        }
    }

    /// The answer, which says where it is that to an earlier request.
    fn marked(&self, mut response: Response, replayed: bool) -> Response {
        if replayed {
            self.observer.replayed();
            let headers = response.headers_mut();
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        response
    }

    async fn tokens(&self) -> Result<Response> {
        self.parameters(&[])?;
        let tokens = self.store.tokens().await?;
        let tokens: Vec<serde_json::Value> = tokens.iter().map(Token::to_json).collect();
        let json = serde_json::Value::Array(tokens).to_string();
        Ok(uncached(reply::json(StatusCode::OK, json)))
    }

    async fn create_token<S, B>(&self, body: S) -> Result<Response>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        self.parameters(&[])?;
        self.no_versions()?;
        let keyed = self.keyed()?;
        let parse = move |body: &[u8]| {
            let wanted = Wanted::parse(body)?;
            Ok((wanted, keyed.map(|keyed| keyed.key(body)).transpose()?))
        };
        let (wanted, key) = body::read(self.bodies, self.asked.headers, body, parse).await?;
        let asker = key
            .as_ref()
            .and_then(|_| gate::presented(self.asked.headers));
        let new = NewToken {
            name: wanted.name,
            scope: wanted.scope,
            expires: wanted.expires,
            asker,
        };
        let terms = Terms {
            versions: None,
            key,
        };
        let outcome = self.write(Write::CreateToken(new), terms).await?;
        let Done::Token(token, secret) = outcome.done else {
            return Err(Error::internal("expected a token"));
        };
        let mut json = token.to_json();
        json["token"] = secret.text().into();
        let response = reply::json(StatusCode::CREATED, json.to_string());
        Ok(self.marked(uncached(response), outcome.replayed))
    }

    async fn revoke_token<S, B>(&self, name: &str, body: S) -> Result<Response>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        self.parameters(&[])?;
        self.no_versions()?;
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        let terms = Terms {
            versions: None,
            key: self.key(body).await?,
        };
        let revoke = Write::RevokeToken(name.into_owned());
        let outcome = self.write(revoke, terms).await?;
        let response = reply::json(StatusCode::OK, r#"{"message":"Token revoked"}"#);
        Ok(self.marked(response, outcome.replayed))
    }

    /// The answer to a write. That has happened and cannot be refused any more: where there is no room for a large record,
    /// it is let go of and read again when there is, if it is the same still; else the answer breaks off.
    async fn written(&self, status: StatusCode, record: Record) -> Response {
        let written = Snapshot::from(&record);
        match self.answers.hold_written(written.json) {
            Ok(json) => {
                let response = json.respond(|json| reply::json(status, json));
                tagged(response, written.version)
            }
            Err(_) => {
                let (noun, id) = (record.noun, record.id());
                let version = written.version;
                drop(record);
                Box::pin(self.read_again(status, noun, id, version)).await
            }
        }
    }

    async fn read_again(
        &self,
        status: StatusCode,
        noun: &'static Noun,
        id: i64,
        version: i64,
    ) -> Response {
        let read = async {
            let turn = self.answers.turn().await?;
            let read = self.store.get_json(noun, id).await?;
            if read.version != version {
                // Somebody else's change is not the answer to this write.
                let why = format!("{} {id} was changed by others meanwhile", noun.title);
                return Err(Error::new(Code::Stale, why));
            }
            let memory = self.answers.memory();
            Ok((turn.hold(&memory, read.json).await?, read.version, memory))
        };
        match read.await {
            Ok((json, version, memory)) => {
                let mut response = reply::json(status, json);
                memory.attach(&mut response);
                tagged(response, version)
            }
            Err(error) => reply::broken(status, error, self.request_id),
        }
    }

    async fn delete<S, B>(&self, noun: &'static Noun, id: &str, body: S) -> Result<Response>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        let id = noun.parse_id(id)?;
        let cascade = match noun.name {
            "lead" => self.parameters(&["cascade"])?,
            _ => self.parameters(&[])?,
        };
        let cascade = cascade
            .first()
            .map(|(name, value)| boolean(name, value))
            .transpose()?;
        self.no_known_versions()?;
        let terms = Terms {
            versions: self.versions(&IF_MATCH, false)?,
            key: self.key(body).await?,
        };
        let cascade = cascade.unwrap_or(false);
        let delete = Write::Delete { noun, id, cascade };
        let outcome = self.write(delete, terms).await?;
        let message = format!("{{\"message\":\"{} deleted\"}}", noun.title);
        let response = reply::json(StatusCode::OK, message);
        Ok(self.marked(response, outcome.replayed))
    }

    async fn ready(&self) -> Result<Response> {
        let error = match self.store.ready().await {
            Ok(ready) => return Ok(uncached(reply::json(StatusCode::OK, ready.to_json()))),
            Err(error) if error.code == Code::Internal => {
                tracing::error!("request {}: not ready: {error}", self.request_id);
                Error::new(Code::Unavailable, "no writes are taken; the log says why")
            }
            Err(error) => error,
        };
        let mut response = reply::error(&error, self.request_id);
        if let Some(report) = self.store.backups() {
            *response.body_mut() = report.beside(&error.to_json()).into();
        }
        Ok(uncached(response))
    }

    /// The parameters of a route that knows only these, each at most once.
    fn parameters(&self, known: &[&str]) -> Result<Vec<(String, String)>> {
        let pairs = query::pairs(self.asked.query)?;
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = match known {
                    [] => "none".to_string(),
                    known => known.join(", "),
                };
                return Err(Error::field(
                    name.chars().take(60).collect::<String>(),
                    format!("no such parameter; this path takes {known}"),
                ));
            }
            if pairs[..at].iter().any(|pair| pair.0 == *name) {
                return Err(Error::field(name, "is given twice"));
            }
        }
        Ok(pairs)
    }
}

/// A request with an idempotency key, whose body is still to come.
struct Keyed {
    text: String,
    request: [String; 4],
}

impl Keyed {
    fn key(self, body: &[u8]) -> Result<Key> {
        let request = self.request.each_ref().map(String::as_str);
        Key::parse(&self.text, &request, body)
            .map_err(|expected| Error::invalid(format!("Idempotency-Key: {expected}")))
    }
}

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The value of a header that may be there once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>> {
    let mut given = headers.get_all(name).iter();
    let refuse = |expected: &str| {
        let expected = format!("Idempotency-Key: expected {expected}");
        Err(Error::invalid(expected))
    };
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => refuse("one of them, got several"),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => refuse("visible characters of ASCII"),
        },
    }
}

/// The answer with its record's ETag.
fn tagged(mut response: Response, version: i64) -> Response {
    if let Ok(tag) = HeaderValue::try_from(terms::etag(version)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

fn on_duplicate(parameters: &[(String, String)]) -> Result<OnDuplicate> {
    let Some((name, word)) = parameters.first() else {
        return Ok(OnDuplicate::Create);
    };
    OnDuplicate::parse(word).ok_or_else(|| {
        let known = OnDuplicate::WORDS.map(|known| known.0).join(", ");
        Error::field(
            name,
            format!("expected one of {known}, got {}", quoted(word)),
        )
    })
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

fn uncached(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn health() -> Response {
    uncached(reply::json(StatusCode::OK, r#"{"status":"ok"}"#))
}

fn metrics(observer: &Observer) -> Response {
    uncached(reply::bytes(
        StatusCode::OK,
        observe::MEDIA,
        observer.metrics(),
    ))
}

fn openapi() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi::document(&NOUNS).into());
    reply::json(StatusCode::OK, DOCUMENT.clone())
}

fn docs_file(path: &str) -> Result<Response> {
    let file = docs::file(path).ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("the documentation has no file {}", quoted(path)),
        )
    })?;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let mut response = reply::bytes(StatusCode::OK, file.content_type, bytes);
    for (name, value) in docs::SAFE {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    if file.gzip {
        response
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
