//! Conditions on the version of a record (`If-Match`, `If-None-Match`), and the idempotency key.

use bytes::Buf;
use futures_util::Stream;
use warp::http::HeaderName;
use warp::http::header::{IF_MATCH, IF_NONE_MATCH};

use super::request::{Head, Request};
use super::single::single;
use crate::base::error::{Error, Result};
use crate::model::terms::{Key, Versions};
use crate::net::body;

impl Request<'_> {
    /// The idempotency key of the request, whose body has not been read yet.
    pub(super) fn keyed(&self) -> Result<Option<Keyed>> {
        let Some(text) = single(self.head.headers, &IDEMPOTENCY_KEY, "Idempotency-Key")? else {
            return Ok(None);
        };
        let caller = self.token.map_or(0, |token| token.id);
        let Head {
            method,
            path,
            query,
            ..
        } = self.head;
        Ok(Some(Keyed {
            text: text.into(),
            request: [
                caller.to_string(),
                method.to_string(),
                // A trailing slash makes no difference.
                path.strip_suffix('/').unwrap_or(path).into(),
                query.into(),
            ],
        }))
    }

    /// The idempotency key of an operation without a body. A body that is sent anyway counts: a different body makes it
    /// a different request.
    pub(super) async fn key<S, B>(&self, body: S) -> Result<Option<Key>>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        let Some(keyed) = self.keyed()? else {
            return Ok(None);
        };
        let (body, _held) = body::whole(&self.api.bodies, self.head.headers, body).await?;
        keyed.key(&body).map(Some)
    }

    /// Reads the versions that a condition names.
    pub(super) fn versions(&self, name: &HeaderName, weak: bool) -> Result<Option<Versions>> {
        let mut lines = self.head.headers.get_all(name).iter().peekable();
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

    /// Refuses conditions if the operation is not on one record.
    pub(super) fn no_versions(&self) -> Result<()> {
        match self.head.headers.contains_key(&IF_MATCH) {
            true => Err(Error::invalid(
                "If-Match: expected it only with the path of a record",
            )),
            false => self.no_known_versions(),
        }
    }

    /// Refuses `If-None-Match`, which is for reads.
    pub(super) fn no_known_versions(&self) -> Result<()> {
        match self.head.headers.contains_key(&IF_NONE_MATCH) {
            true => Err(Error::invalid("If-None-Match: expected it only with GET")),
            false => Ok(()),
        }
    }
}

/// A request with an idempotency key, whose body has not been read yet.
pub(super) struct Keyed {
    text: String,
    request: [String; 4],
}

impl Keyed {
    /// The key with the identity of its request.
    pub(super) fn key(self, body: &[u8]) -> Result<Key> {
        let request = self.request.each_ref().map(String::as_str);
        Key::parse(&self.text, &request, body)
            .map_err(|expected| Error::invalid(format!("Idempotency-Key: {expected}")))
    }
}

pub(super) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
