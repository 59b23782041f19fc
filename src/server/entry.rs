//! The steps before every operation: the id of the request, the limits, the gate, and the route.
//!
//! warp parses the request and hands it over. [`route`] finds the operation of its path and method, and
//! [`call`](super::call) runs it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Buf;
use futures_util::{FutureExt, Stream};
use warp::http::{HeaderMap, HeaderName, HeaderValue, Method};
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::api::Api;
use super::gate::{self, Refusal};
use super::reply;
use super::request::{Head, Request};
use super::route::{self, Found};
use super::site;
use crate::base::error::{Code, Error, Result};
use crate::model::token::Token;
use crate::net::hits::Limit;
use crate::net::peer::Peer;
use crate::net::rate::RateNotice;
use crate::net::service::RefusedRequest;
use crate::operation::about::{Access, READ};

/// The header that names a request in answers and in the log.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Api {
    /// The response to a request that is refused before the routes.
    pub(super) fn refuse(&self, error: Error, refused: &RefusedRequest<'_>) -> Response {
        let client = refused.address.ip().to_canonical();
        self.fail(error, client, refused.method, refused.path)
    }

    /// The response with an error to a request that has no id yet.
    fn fail(&self, error: Error, client: IpAddr, method: &Method, path: &str) -> Response {
        let route = route::find(path).map(|found| found.path.number);
        let id = new_request_id();
        let request_id = id.to_str().unwrap_or_default();
        let seen = self.observer.sees(client, method, path, route, request_id);
        let response = seen.answered(reply::error(&error, request_id), None);
        named(response, id)
    }

    /// The steps before every route: the rate limit of the address and the length of the path. Returns the response if the
    /// request is a CORS preflight.
    fn begin(
        &self,
        peer: &Peer,
        asked: Head<'_>,
        told: &RateNotice,
        found: Option<Found<'_>>,
    ) -> Result<Option<Response>> {
        // Monitoring has no rate limit.
        if !found.is_some_and(|found| found.path.is_unlimited()) {
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
        let allowed = || found.map(|found| found.path.allowed());
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
                    let asked = Head {
                        method: &method,
                        path: path.as_str(),
                        query: &query,
                        headers: &headers,
                    };
                    // A panic is a defect of crm. The panic hook logs it, and the client still gets a response.
                    let answered = AssertUnwindSafe(answer(&api, &peer, asked, body))
                        .catch_unwind()
                        .await;
                    let mut response = answered.unwrap_or_else(|_| {
                        let error = Error::internal("answering a request panicked");
                        api.fail(error, peer.client(&headers), &method, path.as_str())
                    });
                    api.cors.open(&headers, &mut response);
                    response
                }
            },
        )
}

async fn answer<S, B>(api: &Api, peer: &Peer, asked: Head<'_>, body: S) -> Response
where
    S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
    B: Buf + Send,
{
    let id = request_id(asked.headers);
    // The id is visible ASCII, so this never fails.
    let request_id = id.to_str().unwrap_or_default();
    let found = route::find(asked.path);
    let route = found.map(|found| found.path.number);
    let observer = &api.observer;
    let client = peer.client(asked.headers);
    let seen = observer.sees(client, asked.method, asked.path, route, request_id);
    let act = found.and_then(|found| found.path.act(asked.method));
    // Unknown paths need read access too, so that they reveal nothing.
    let access = act.map_or(READ, |act| act.op.about().access);
    let guarded = act.and_then(|act| act.op.about().guarded(asked.query));
    let access = guarded.map_or(access, |(_, scope)| Access::Token(scope));
    let told = RateNotice::default();
    let mut token = None;
    let mut response = match api.begin(peer, asked, &told, found) {
        Ok(Some(preflight)) => preflight,
        Err(error) => reply::error(&error, request_id),
        Ok(None) => match admit(api, peer, access, asked, found).await {
            Err(mut refusal) => {
                if let Some((parameter, _)) = guarded {
                    refusal.names(parameter);
                }
                let response = refusal.respond(request_id);
                token = refusal.who;
                response
            }
            Ok(admitted) => {
                token = admitted;
                let request = Request {
                    api,
                    head: asked,
                    request_id,
                    client,
                    token: token.as_ref(),
                    operation: act.map_or("", |act| act.id),
                };
                let rated = match &token {
                    Some(token) => api.rates.take_token(token.id, &told),
                    None => Ok(()),
                };
                let answered = match rated {
                    Ok(()) => request.answer(found, act, body).await,
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

async fn admit(
    api: &Api,
    peer: &Peer,
    access: Access,
    asked: Head<'_>,
    found: Option<Found<'_>>,
) -> Result<Option<Arc<Token>>, Refusal> {
    site::admit(api, peer, access, asked.method, asked.headers).await?;
    if let Access::InPath(scope) = access {
        let key = found.map_or("", |found| found.key);
        return gate::admit_path(&api.store, scope, key).await.map(Some);
    }
    gate::admit(&api.store, api.policy, access, asked.headers).await
}

/// Adds the id of the request to its response.
fn named(mut response: Response, id: HeaderValue) -> Response {
    response.headers_mut().insert(&REQUEST_ID, id);
    response
}

/// The id that the client gave the request, if it is a plain word, or else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    const LONGEST: usize = 128;
    let plain = |id: &&HeaderValue| {
        (1..=LONGEST).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    let given = headers.get(&REQUEST_ID).filter(plain);
    given.cloned().unwrap_or_else(new_request_id)
}

/// Makes an id of 16 hexadecimal digits. It is unique in one run of the service, and nearly always between two runs.
fn new_request_id() -> HeaderValue {
    /// An odd number, so that no id repeats before all 2^64 are used. It is large, so that two ids in a row look different.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| RandomState::new().hash_one(()).into());
    let id = NEXT.fetch_add(STEP, Ordering::Relaxed);
    let digits: [u8; 16] =
        std::array::from_fn(|at| b"0123456789abcdef"[(id >> (60 - 4 * at)) as usize & 0xf]);
    HeaderValue::from_bytes(&digits).unwrap_or_else(|_| HeaderValue::from(id))
}
