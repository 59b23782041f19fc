//! Responses to writes.

use bytes::Bytes;
use warp::http::StatusCode;
use warp::http::header::{CACHE_CONTROL, ETAG, HeaderValue};
use warp::reply::Response;

use super::reply;
use super::request::Request;
use crate::base::error::{Code, Error};
use crate::model::noun::Noun;
use crate::model::record::{Record, Snapshot};
use crate::model::terms::Tag;
use crate::store::contract::Store;

impl Request<'_> {
    /// Marks a response that repeats the one to an earlier request.
    pub(super) fn marked(&self, mut response: Response, replayed: bool) -> Response {
        if replayed {
            self.api.observer.replayed();
            let headers = response.headers_mut();
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        response
    }

    /// The response to a write. The write is saved, so it is too late to refuse it. If memory has no room for a large
    /// record, the record is dropped and read again when there is room. If it has changed by then, the connection breaks.
    pub(super) async fn written(&self, status: StatusCode, record: Record) -> Response {
        let written = Snapshot::from(&record);
        match self.api.answers.hold_written(written.json) {
            Ok(json) => json.respond(|json| tagged_json(status, json, written.tag)),
            Err(_) => {
                let (noun, id) = (record.noun, record.id());
                let version = written.tag.version;
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
            let turn = self.api.answers.turn().await?;
            let read = self.api.store.get_json(noun, id).await?;
            if read.tag.version != version {
                // The change of another client is not the response to this write.
                let why = format!(
                    "{} {id} was changed by another client in the meantime",
                    noun.title
                );
                return Err(Error::new(Code::Stale, why));
            }
            let memory = self.api.answers.memory();
            Ok((turn.hold(&memory, read.json).await?, read.tag, memory))
        };
        match read.await {
            Ok((json, tag, memory)) => {
                let mut response = tagged_json(status, json, tag);
                memory.attach(&mut response);
                response
            }
            Err(error) => reply::broken(status, error, self.request_id),
        }
    }
}

/// A response in JSON with an ETag. Only such a response in JSON may be stored at all.
pub(super) fn tagged_json(status: StatusCode, json: Bytes, tag: Tag) -> Response {
    tagged(reply::bytes(status, reply::JSON, json), tag)
}

/// Adds an ETag. The client's own cache may store the response, but has to ask each time whether it is still
/// right.
pub(super) fn tagged(mut response: Response, tag: Tag) -> Response {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag.text()) {
        headers.insert(ETAG, tag);
    }
    let checked = HeaderValue::from_static("private, no-cache");
    headers.insert(CACHE_CONTROL, checked);
    response
}
