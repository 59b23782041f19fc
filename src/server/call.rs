//! Runs the operation of a request that has passed the gate.
//!
//! All writes go through [`Call::write`], whatever the operation. Reads of records have faster paths: a record by its
//! id comes from the cache, and the text of a list is written directly from the rows of the database.

use std::pin::pin;
use std::sync::LazyLock;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use warp::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH, LINK, LOCATION, VARY};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

use super::conditions::IDEMPOTENCY_KEY;
use super::reply::{Media, Written};
use super::request::{CHANGE_GROUP, Request};
use super::route::{Act, Found};
use super::written::{tagged, tagged_json};
use super::{docs, gate, openapi, preference, reply};
use crate::base::error::{Code, Error, Result, quoted};
use crate::model::find::Find;
use crate::model::found::FOUND;
use crate::model::noun::Noun;
use crate::model::query::{self, Query};
use crate::model::record::Snapshot;
use crate::model::rows::Rows;
use crate::model::shown::Shown;
use crate::model::terms::Terms;
use crate::model::value::{Cell, Value};
use crate::net::body;
use crate::operation::about::Body;
use crate::operation::asked::{Asked, Operation, Survey, Told};
use crate::operation::service::{Answered, DocsFile, Inform, MetricsText, Service};
use crate::ops::story::Timeline;
use crate::ops::{Visit, duplicates, timeline};
use crate::store::contract::{Listed, Listing, Ready, Report, Store, UNINDEXED};
use crate::views::timeline::ENTRY;

/// A request with the noun, the parameter and the body for its operation.
struct Call<'a, S> {
    request: &'a Request<'a>,
    noun: Option<&'static Noun>,
    /// The parameter in the path.
    key: &'a str,
    body: S,
}

impl Request<'_> {
    /// Runs the operation. The error says why there is none.
    pub(super) async fn answer<S, B>(
        &self,
        found: Option<Found<'_>>,
        act: Option<Act>,
        body: S,
    ) -> Result<Response>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
        B: Buf + Send,
    {
        let Some(found) = found else {
            let message = format!(
                "{} is not a path of this service; GET /docs shows all paths",
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

    async fn list(&self, noun: &'static Noun) -> Result<Response> {
        let query = Query::in_zone(noun, query::pairs(self.head.query)?, &self.api.zone)?;
        let pairs = query.pairs.clone();
        let media = Media::asked(self.head.headers);
        let rows = Written::new(query.shown.clone(), media);
        let listing = self.api.store.list_into(query, rows).await?;
        self.listed(noun, listing, &pairs)
    }

    /// The response of a list with these parameters.
    fn listed(
        &self,
        noun: &'static Noun,
        mut listing: Listing<Written>,
        pairs: &[(String, String)],
    ) -> Result<Response> {
        let media = Media::asked(self.head.headers);
        let (total, next) = (listing.total, listing.next.take());
        let pass = || self.api.passes.pass(self.token);
        let mut response = reply::list(listing, media, &self.api.answers, pass, self.request_id)?;
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept"));
        if let Some(total) = total {
            headers.insert("x-total-count", total.into());
        }
        if let Some(link) =
            next.and_then(|next| next_link(last_segment(self.head.path, noun), pairs, &next))
        {
            headers.insert(LINK, link);
        }
        Ok(response)
    }

    async fn search(&self) -> Result<Response> {
        let find = Find::new(&query::pairs(self.head.query)?)?;
        let media = Media::asked(self.head.headers);
        let found = self.api.store.find(find).await?;
        let mut rows = Written::new(None, media);
        for record in &found.records {
            let cells: Vec<Cell<'_>> = record.values.iter().map(Value::cell).collect();
            rows.push(&FOUND, &cells);
        }
        let listing = Listing {
            total: None,
            next: None,
            is_behind: false,
            first: rows,
            rest: None,
        };
        let pass = || self.api.passes.pass(self.token);
        let mut response = reply::list(listing, media, &self.api.answers, pass, self.request_id)?;
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept"));
        if found.gap.records > 0 {
            headers.insert(UNINDEXED, found.gap.records.into());
        }
        Ok(response)
    }

    async fn timeline(&self, noun: &'static Noun, id: &str) -> Result<Response> {
        let id = noun.parse_id(id)?;
        let pairs = query::pairs(self.head.query)?;
        let timeline = Timeline::new(id, pairs, &self.api.zone, timeline::PORTION)?;
        let (pairs, shown) = (timeline.query.pairs.clone(), timeline.query.shown.clone());
        let rows = Written::new(shown, Media::asked(self.head.headers));
        let listing = timeline::list(&self.api.store, timeline, rows).await?;
        self.listed(&ENTRY, listing, &pairs)
    }

    async fn duplicates(&self) -> Result<Response> {
        let pairs = query::pairs(self.head.query)?;
        let wanted = duplicates::Wanted::of(&pairs)?;
        let mut page = duplicates::find(&self.api.store, wanted).await?;
        let next = page.next.take();
        let json = self.api.answers.hold(page.to_json().into())?;
        let mut response = json.respond(|json| reply::json(StatusCode::OK, json));
        let path = self.head.path.trim_end_matches('/');
        let begin = match self.head.path.ends_with('/') {
            true => "",
            false => path.rsplit('/').next().unwrap_or_default(),
        };
        if let Some(link) = next.and_then(|next| next_link(begin, &pairs, &next)) {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }

    async fn get(&self, noun: &'static Noun, id: &str) -> Result<Response> {
        let id = noun.parse_id(id)?;
        let parameters = self.parameters(&["fields"])?;
        let read = match query::list_of(&parameters, "fields") {
            Some(fields) => {
                let shown = Shown::parse(noun, &fields)?;
                let record = self.api.store.get(noun, id).await?;
                let mut json = Vec::with_capacity(256);
                record.write_json(&shown, &mut json);
                Snapshot {
                    json: json.into(),
                    tag: record.tag(),
                }
            }
            None => self.api.store.get_json(noun, id).await?,
        };
        let expected = self.versions(&IF_MATCH, false)?;
        let known = self.versions(&IF_NONE_MATCH, true)?;
        // The order of RFC 9110, section 13.2.2.
        if let Some(versions) = expected {
            versions.hold(read.tag.version)?;
        }
        if known.is_some_and(|known| known.know(read.tag)) {
            let mut response = Response::new(Bytes::new().into());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(tagged(response, read.tag));
        }
        let json = self.api.answers.hold(read.json)?;
        Ok(json.respond(|json| tagged_json(StatusCode::OK, json, read.tag)))
    }

    async fn all<L: Listed>(&self) -> Result<Response> {
        self.parameters(&[])?;
        let all = self.api.store.all::<L>().await?;
        let all: Vec<serde_json::Value> = all.iter().map(L::to_json).collect();
        let json = serde_json::Value::Array(all).to_string();
        Ok(reply::json(StatusCode::OK, json))
    }
}

impl<S, B> Call<'_, S>
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    /// Runs a write. It checks the path, the parameters, the conditions and the body, in this order.
    async fn run<T: Operation>(self) -> Result<Response> {
        let request = self.request;
        let head = request.head;
        // An id is digits alone. A name may need escapes.
        let key = match T::ABOUT.has_id() {
            true => self.key.into(),
            false => percent_encoding::percent_decode_str(self.key).decode_utf8_lossy(),
        };
        let parameters = query::pairs(head.query)?;
        let mut asked = Asked::new(T::ABOUT, self.noun, &key, &parameters)?;
        if head.headers.contains_key(&IDEMPOTENCY_KEY) {
            asked.asker = gate::presented(head.headers);
        }
        if !asked.is_zone_named {
            asked.zone = request.api.zone.clone();
        }
        let author = request.author()?;
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
            Body::Object(inputs)
                if inputs.iter().all(|input| !input.required) && body::is_none(head.headers) =>
            {
                operation.body(b"")?;
                (operation, request.key(self.body).await?)
            }
            Body::Draft(_) | Body::Object(_) | Body::Lines => {
                let keyed = request.keyed()?;
                let parse = move |body: &[u8]| {
                    operation.body(body)?;
                    Ok((operation, keyed.map(|keyed| keyed.key(body)).transpose()?))
                };
                body::read(&request.api.bodies, head.headers, self.body, parse).await?
            }
        };
        let terms = Terms {
            versions,
            key,
            author,
        };
        let outcome = request.write(operation, terms).await?;
        let response = match T::told(self.noun, outcome.done) {
            Told::Saved(saved) => {
                let status = match saved.created {
                    true => StatusCode::CREATED,
                    false => StatusCode::OK,
                };
                let record = saved.record;
                let location = location(head.path, record.noun, record.id());
                let mut response = request.written(status, record).await;
                if let Some(location) = location {
                    response.headers_mut().insert(LOCATION, location);
                }
                response
            }
            Told::Record(record) => request.written(StatusCode::OK, record).await,
            Told::Message(message) => {
                let message = serde_json::json!({ "message": message }).to_string();
                reply::json(StatusCode::OK, message)
            }
            Told::Json(json) => reply::json(StatusCode::OK, json),
            Told::Merged(merged) => {
                let json = reply::json(StatusCode::OK, merged.to_json());
                tagged(json, merged.lead.tag())
            }
            Told::Undone(undone) => reply::json(StatusCode::OK, undone.to_json().to_string()),
            Told::Logged(logged) => {
                let location = relative(head.path, logged.action.noun, logged.action.id());
                let mut response = reply::json(StatusCode::CREATED, logged.to_json());
                if let Some(location) = location {
                    response.headers_mut().insert(LOCATION, location);
                }
                response
            }
            Told::Secret(shown) => {
                let status = match shown.created {
                    true => StatusCode::CREATED,
                    false => StatusCode::OK,
                };
                reply::json(status, shown.json.to_string())
            }
        };
        let mut response = request.marked(response, outcome.replayed);
        if let Some(group) = outcome.group {
            response.headers_mut().insert(&CHANGE_GROUP, group.into());
        }
        Ok(response)
    }
}

// Large futures are boxed. Otherwise every request would move a future with room for the largest one.
impl<S, B> Visit for Call<'_, S>
where
    S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
    B: Buf + Send,
{
    type Out = Result<Response>;

    async fn list(self) -> Result<Response> {
        let (request, noun) = (self.request, noun(self.noun)?);
        Box::pin(async move { request.read(pin!(request.list(noun))).await }).await
    }

    async fn stream(self) -> Result<Response> {
        let (request, noun) = (self.request, noun(self.noun)?);
        Box::pin(async move { request.read(pin!(request.stream(noun))).await }).await
    }

    async fn search(self) -> Result<Response> {
        let request = self.request;
        Box::pin(async move { request.read(pin!(request.search())).await }).await
    }

    async fn get(self) -> Result<Response> {
        let (request, noun) = (self.request, noun(self.noun)?);
        request.read(pin!(request.get(noun, self.key))).await
    }

    async fn survey<T: Survey>(self) -> Result<Response> {
        let (request, noun, key) = (self.request, self.noun, self.key);
        let answered = async move {
            let parameters = query::pairs(request.head.query)?;
            let mut asked = Asked::new(T::ABOUT, noun, key, &parameters)?;
            if !asked.is_zone_named {
                asked.zone = request.api.zone.clone();
            }
            let survey = T::ask(&asked)?;
            let found = request.api.store.inquire(survey).await?;
            let json = request.api.answers.hold(T::told(found).to_json().into())?;
            Ok(json.respond(|json| reply::json(StatusCode::OK, json)))
        };
        Box::pin(async move { request.read(pin!(answered)).await }).await
    }

    async fn timeline(self) -> Result<Response> {
        let (request, noun, key) = (self.request, noun(self.noun)?, self.key);
        Box::pin(async move { request.read(pin!(request.timeline(noun, key))).await }).await
    }

    async fn duplicates(self) -> Result<Response> {
        let request = self.request;
        Box::pin(async move { request.read(pin!(request.duplicates())).await }).await
    }

    async fn list_all<L: Listed>(self) -> Result<Response> {
        Box::pin(self.request.all::<L>()).await
    }

    async fn bulk(self) -> Result<Response> {
        let (request, noun) = (self.request, noun(self.noun)?);
        Box::pin(request.bulk(noun, self.body)).await
    }

    async fn write<T: Operation>(self) -> Result<Response> {
        Box::pin(self.run::<T>()).await
    }

    async fn inform<T: Inform>(self) -> Result<Response> {
        let (request, rest) = (self.request, self.key);
        let answered = T::inform(request, rest);
        let answered = Box::pin(async move { request.read(pin!(answered)).await }).await?;
        request.told(answered)
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
                let message = "the service accepts no writes; the log says why";
                Err(Error::new(Code::Unavailable, message))
            }
            told => told,
        }
    }

    fn backups(&self) -> Option<Report> {
        self.api.store.backups()
    }

    async fn metrics(&self) -> MetricsText {
        self.api.store.measure().await;
        let observer = &self.api.observer;
        let offered = ["application/openmetrics-text", "text/plain"];
        match preference::media_type(self.head.headers, &offered) {
            0 => MetricsText {
                content_type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
                text: observer.open_metrics(),
            },
            _ => MetricsText {
                content_type: "text/plain; version=0.0.4; charset=utf-8",
                text: observer.plain_metrics(),
            },
        }
    }

    fn document(&self) -> Bytes {
        static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi::document().into());
        DOCUMENT.clone()
    }

    async fn calendar(&self) -> Result<Answered> {
        self.calendar_file().await
    }

    fn page(&self, path: &str) -> Option<DocsFile> {
        docs::file(path, preference::wants_gzip(self.head.headers))
    }
}

impl Request<'_> {
    /// The response of an operation that reports on the service.
    fn told(&self, answered: Answered) -> Result<Response> {
        let mut response = match &answered.error {
            None => {
                let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
                let held = self.api.answers.hold(answered.body)?;
                held.respond(|body| match answered.content_type {
                    reply::JSON => reply::json(status, body),
                    other => reply::bytes(status, other, body),
                })
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
            let value = HeaderValue::try_from(&*value).map_err(Error::internal)?;
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
        Ok(response)
    }
}

/// How a relative reference (RFC 3986, section 4.2) from the path of a noun to something below it begins. A client resolves
/// the reference against the URL that it used itself, so it is right behind a proxy that adds a prefix to the path or has
/// another name. It begins with the last segment of the path: `leads` for `/leads`, and nothing for `/leads/`. A reference
/// that is only a query, `?limit=50`, would do for both, but some clients resolve it wrongly, such as that of Java.
fn last_segment<'a>(path: &str, noun: &'a Noun) -> &'a str {
    match path.ends_with('/') {
        true => "",
        false => noun.plural,
    }
}

/// The reference to a record that was saved: `leads/7`.
fn location(path: &str, noun: &Noun, id: i64) -> Option<HeaderValue> {
    let mut digits = itoa::Buffer::new();
    let (begin, digits) = (last_segment(path, noun), digits.format(id));
    let slash = if begin.is_empty() { "" } else { "/" };
    HeaderValue::try_from([begin, slash, digits].concat()).ok()
}

/// The reference to a record from a path below the one of another record: `../../actions/12` from `/leads/7/log`.
fn relative(path: &str, noun: &Noun, id: i64) -> Option<HeaderValue> {
    // The last segment is not part of what a reference is relative to.
    let up = path.matches('/').count().saturating_sub(1);
    HeaderValue::try_from(format!("{}{}/{id}", "../".repeat(up), noun.plural)).ok()
}

/// The link to the next page: `<leads?limit=50&after=…>; rel="next"`.
fn next_link(begin: &str, pairs: &[(String, String)], next: &str) -> Option<HeaderValue> {
    let mut link = ["<", begin, "?"].concat();
    for (name, value) in pairs.iter().filter(|pair| pair.0 != "after") {
        let (name, value) = (query::escape(name), query::escape(value));
        link.push_str(&format!("{name}={value}&"));
    }
    link.push_str(&format!("after={}>; rel=\"next\"", query::escape(next)));
    HeaderValue::try_from(link).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;
    use crate::model::nouns::NOUNS;

    /// What a client makes of a reference in the answer to a request that it sent to `asked`, which reached the service as
    /// `path`.
    fn resolved(asked: &str, reference: &HeaderValue) -> String {
        let asked = Url::parse(asked).unwrap();
        asked.join(reference.to_str().unwrap()).unwrap().into()
    }

    #[test]
    fn references_are_right_below_any_prefix() {
        let lead = NOUNS[0];
        for host in ["http://h:8000", "https://h/crm", "https://h/a/b%2Fc"] {
            for path in ["/leads", "/leads/"] {
                for query in ["", "?on_duplicate=update", "?q=a/b", "?"] {
                    let asked = format!("{host}{path}{query}");
                    let location = location(path, lead, 7).unwrap();
                    assert_eq!(resolved(&asked, &location), format!("{host}/leads/7"));
                    let pairs = [("q".to_string(), "a/b:?".to_string())];
                    let link = next_link(last_segment(path, lead), &pairs, "x=").unwrap();
                    let link = link.to_str().unwrap().strip_prefix('<').unwrap();
                    let target = link.strip_suffix(">; rel=\"next\"").unwrap();
                    let target = HeaderValue::from_str(target).unwrap();
                    let next = format!("{host}{path}?q=a%2Fb%3A%3F&after=x%3D");
                    assert_eq!(resolved(&asked, &target), next);
                }
            }
        }
    }
}
