//! `POST /{plural}/bulk`: reads the lines of a request and sends the answers at the same time.
//!
//! Nothing is read for a client that does not take its answers, so it holds one portion of lines and no more. Such a client is
//! cut like any other that does not read, see [`net`](crate::net). No time limit ends a long request, as long as lines come.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use warp::reply::Response;

use super::reply::{self, Pass as _};
use super::request::{CHANGE_GROUP, Request};
use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;
use crate::model::query;
use crate::net::body;
use crate::ops::bulk::{BulkRequest, begin};

/// The types of lines that are taken.
const MEDIA: [&str; 4] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
];

impl Request<'_> {
    /// Begins to do the lines. What refuses the whole request is answered before.
    pub(super) async fn bulk<S, B>(&self, noun: &'static Noun, lines: S) -> Result<Response>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
        B: Buf + Send,
    {
        let headers = self.head.headers;
        self.no_versions()?;
        body::check_media(headers, &MEDIA)?;
        let key = self.keyed()?.map(|keyed| keyed.key(b"")).transpose()?;
        let place = Arc::clone(&self.api.bulks).try_acquire_owned();
        let place = place.map_err(|_| {
            let message =
                "too many requests write many records at once; nothing was saved, try again";
            Error::new(Code::Unavailable, message)
        })?;
        let limits = self.api.limits.of_body();
        let request = BulkRequest {
            noun,
            parameters: query::pairs(self.head.query)?,
            zone: self.api.zone.clone(),
            author: self.author()?,
            key,
            bytes: limits.bytes,
            depth: limits.depth,
        };
        let lines = lines.map(|part| match part {
            Ok(mut part) => Ok(part.copy_to_bytes(part.remaining())),
            Err(_) => Err(Error::invalid("body: it ended too early")),
        });
        let engine = begin(&self.api.store, request, Box::pin(lines)).await?;
        let group = engine.group();
        let pass = Arc::new(self.api.passes.pass(self.token));
        let (bound, tail) = (pass.clone(), self.api.tail.clone());
        let state = (Box::new(engine), place);
        let parts = futures_util::stream::unfold(state, move |(mut engine, place)| {
            let (pass, tail) = (pass.clone(), tail.clone());
            async move {
                let part: Bytes = match pass.check().await {
                    Ok(()) if tail.is_stopped() => engine.stop(Error::new(
                        Code::Unavailable,
                        "the service stops; what was answered is saved, send the rest again",
                    ))?,
                    Ok(()) => engine.next().await?,
                    Err(error) => engine.stop(error)?,
                };
                Some((Ok(part), (engine, place)))
            }
        });
        let mut response = reply::lines(parts);
        bound.attach(&mut response);
        if let Some(group) = group {
            response.headers_mut().insert(&CHANGE_GROUP, group.into());
        }
        Ok(response)
    }
}
