//! The store: each call becomes a request.

use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use reqwest::{Body, Method};

use super::client::{RemoteAnswer, RemoteClient};
use super::events::Events;
use super::lines::RecordLines;
use super::retry::SendError;
use crate::base::error::{Error, Result};
use crate::model::author::Author;
use crate::model::find::Find;
use crate::model::found::FOUND;
use crate::model::noun::Noun;
use crate::model::query::{self, Query};
use crate::model::record::Record;
use crate::model::rows::Rows;
use crate::model::terms::{Key, Terms};
use crate::model::token::{Keyring, Secret};
use crate::store::contract::{
    Chunks, Found, Kept, Listed, Listing, Outcome, Ready, Report, Store, UNINDEXED, Write,
};
use crate::store::inquiry::Inquiry;
use crate::store::search::state::IndexGap;

/// Bytes that are sent or come piece by piece.
type Lines = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// The store behind a server. Clones share its connections.
#[derive(Clone)]
pub struct Remote {
    client: RemoteClient,
}

impl Remote {
    /// The store behind the server at `url`, to which this token is sent. Nothing is sent yet.
    pub fn new(url: &str, token: Option<&Secret>) -> Result<Remote> {
        let client = RemoteClient::new(url, token, true)?;
        Ok(Remote { client })
    }

    /// A server on this machine. Its certificate names the host that other machines know it by, so the certificate is not
    /// checked. Any program may be listening there: send it nothing secret.
    pub fn unchecked(url: &str) -> Result<Remote> {
        let client = RemoteClient::new(url, None, false)?;
        Ok(Remote { client })
    }

    /// The address of the server, without a slash at its end.
    pub(crate) fn address(&self) -> &str {
        self.client.address()
    }

    /// The stream of a noun with these filters, after the event with this id.
    pub(crate) async fn events(
        &self,
        noun: &'static Noun,
        filters: &[(String, String)],
        last: &str,
    ) -> Result<Events> {
        Events::ask(self.client.clone(), noun, filters, last).await
    }

    /// Sends lines, and returns the answers as they come. It is sent once: only who has the lines can send them again.
    pub(crate) async fn bulk(
        &self,
        path: &str,
        key: Option<&Key>,
        author: &Author,
        media: &'static str,
        lines: Lines,
    ) -> Result<Lines> {
        let mut request = self
            .client
            .request(Method::POST, path)
            .header("content-type", media)
            .header("accept", media);
        if let Some(key) = key {
            request = request.header("idempotency-key", &*key.text);
        }
        if let Some(name) = &author.on_behalf_of {
            request = request.header("on-behalf-of", &**name);
        }
        if let Some(group) = author.group {
            request = request.header("change-group", group);
        }
        let request = request.body(Body::wrap_stream(lines));
        let response = self.client.send(request).await;
        let response = response.map_err(SendError::of_write)?;
        let header = response.headers().get("content-type");
        let is_it = header.is_some_and(|given| given.as_bytes().starts_with(media.as_bytes()));
        if !is_it {
            let why = format!("its answers are not {media}");
            return Err(self.client.stranger(&why));
        }
        let client = self.client.clone();
        let answers = response.bytes_stream();
        Ok(Box::pin(answers.map(move |part| {
            part.map_err(|error| client.broken_bulk(&error))
        })))
    }

    /// The error for an answer that no crm server sends.
    pub(crate) fn stranger(&self, why: &str) -> Error {
        self.client.stranger(why)
    }

    /// The result of a write, read from the answer. An answer that cannot be read may come from another program.
    fn done<W: Write>(&self, write: &W, answer: &RemoteAnswer) -> Result<W::Done> {
        let kept = Kept {
            word: W::word(answer.status.as_u16()).into(),
            version: answer.version,
            text: String::from_utf8_lossy(&answer.body).into_owned(),
        };
        match write.kept(&kept)? {
            Some(done) => Ok(done),
            None => {
                let error = self.client.stranger("its answer cannot be read");
                let unknown = SendError {
                    perhaps: true,
                    ..error.into()
                };
                Err(unknown.of_write())
            }
        }
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
            .client
            .request(method, &asked.path)
            .header("idempotency-key", key.text);
        if let Some(versions) = &terms.versions {
            request = request.header("if-match", versions.text());
        }
        if let Some(name) = &terms.author.on_behalf_of {
            request = request.header("on-behalf-of", &**name);
        }
        if let Some(group) = terms.author.group {
            request = request.header("change-group", group);
        }
        if let Some(body) = asked.body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let answer = self.client.whole(request).await;
        let answer = answer.map_err(SendError::of_write)?;
        self.done(&write, &answer).map(|done| Outcome {
            done,
            replayed: answer.replayed,
            group: answer.group,
        })
    }

    async fn get(&self, noun: &'static Noun, id: i64) -> Result<Record> {
        let path = format!("/{}/{id}", noun.plural);
        let request = self.client.request(Method::GET, &path);
        let answer = self.client.whole(request).await?;
        let record = Record::from_json(noun, &answer.body);
        match record.filter(|record| record.id() >= 1) {
            Some(record) => Ok(record.with_version(answer.version)),
            None => Err(self.client.stranger("its answer is not a record")),
        }
    }

    async fn inquire<I: Inquiry>(&self, inquiry: I) -> Result<I::Found> {
        let request = self.client.request(Method::GET, &inquiry.path());
        let answer = self.client.whole(request).await?;
        let next = answer.link.as_deref().and_then(next_cursor);
        inquiry
            .found(&answer.body, next)
            .ok_or_else(|| self.client.stranger("its answer cannot be read"))
    }

    async fn all<L: Listed>(&self) -> Result<Vec<L>> {
        let request = self.client.request(Method::GET, L::PATH);
        let answer = self.client.whole(request).await?;
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let all = json
            .as_array()
            .map(|all| all.iter().map(L::from_json).collect());
        let all: Option<Option<Vec<L>>> = all;
        all.flatten().ok_or_else(|| {
            let why = format!("its answer is not a list of {}", L::PLURAL);
            self.client.stranger(&why)
        })
    }

    async fn keyring(&self) -> Result<Arc<Keyring>> {
        Err(Error::internal(
            "the tokens of another server cannot be read",
        ))
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
        let request = self.client.request(Method::GET, &path);
        let request = request.header("accept", "application/x-ndjson");
        let response = self.client.send(request).await?;
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.and_then(|value| value.to_str().ok())
        };
        if !header("content-type").is_some_and(|media| media.starts_with("application/x-ndjson")) {
            let why = "its list is not application/x-ndjson";
            return Err(self.client.stranger(why));
        }
        let total = header("x-total-count").and_then(|count| count.parse().ok());
        let next = header("link").and_then(next_cursor);
        let first = rows.empty();
        let lines = RecordLines {
            client: self.client.clone(),
            rows,
            noun,
            has_ids: query
                .shown
                .as_ref()
                .is_none_or(|shown| shown.columns().iter().any(|field| field.at == 0)),
            partial: BytesMut::new(),
        };
        let rest = Some(Box::pin(lines.chunks(response.bytes_stream())) as Chunks<R>);
        Ok(Listing {
            total,
            next,
            is_behind: false,
            first,
            rest,
        })
    }

    async fn find(&self, find: Find) -> Result<Found> {
        let mut path = String::from("/search?");
        for (name, value) in find.parameters() {
            path.push_str(&format!("{name}={}&", query::escape(&value)));
        }
        let request = self.client.request(Method::GET, path.trim_end_matches('&'));
        let request = request.header("accept", "application/x-ndjson");
        let response = self.client.send(request).await?;
        let missing = response.headers().get(UNINDEXED);
        let missing = missing.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = self.client.body(response).await?;
        let mut found = Found {
            gap: IndexGap {
                records: missing.unwrap_or_default(),
                ..IndexGap::default()
            },
            ..Found::default()
        };
        let lines = body.split(|byte| *byte == b'\n');
        for line in lines.filter(|line| !line.is_empty()) {
            let record = Record::from_json(&FOUND, line);
            let record = record.filter(|record| record.id() >= 1);
            let record = record.ok_or_else(|| {
                self.client
                    .stranger("its answer is not what a search finds")
            });
            found.records.push(record?);
        }
        Ok(found)
    }

    async fn ready(&self) -> Result<Ready> {
        let request = self.client.request(Method::GET, "/ready");
        let response = self.client.send(request).await?;
        let body = self.client.body(response).await?;
        let ready = Ready::from_json(&body);
        let ready =
            ready.ok_or_else(|| self.client.stranger("its answer to /ready names no commit"))?;
        *self.client.backups() = ready.backups.clone();
        Ok(ready)
    }

    fn backups(&self) -> Option<Report> {
        self.client.backups().clone()
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
