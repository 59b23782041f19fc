//! A server, and requests to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};

use super::connection::{self, causes, explain};
use super::retry::{Retries, SendError};
use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::terms::Tag;
use crate::model::token::Secret;
use crate::store::contract::Report;

/// The longest total time of a request, whatever the server sends in the meantime. Lists have no such limit.
const LONGEST: Duration = Duration::from_secs(300);

/// The largest accepted answer, and the largest line of a list, in bytes. A record has up to a mebibyte, and JSON may need
/// six bytes for each of them.
pub(super) const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// A server. Clones share its connections.
#[derive(Clone)]
pub(super) struct RemoteClient {
    http: Client,
    url: String,
    /// The last report of the server on its backups.
    backups: Arc<Mutex<Option<Report>>>,
}

/// An answer with its whole body.
pub(super) struct RemoteAnswer {
    pub(super) status: StatusCode,
    /// The version of the record, 0 if there is none.
    pub(super) version: i64,
    pub(super) replayed: bool,
    /// The group of the changes, if there are any.
    pub(super) group: Option<i64>,
    /// The header `Link`.
    pub(super) link: Option<String>,
    pub(super) body: Bytes,
}

impl RemoteClient {
    pub(super) fn new(url: &str, token: Option<&Secret>, checks: bool) -> Result<RemoteClient> {
        Ok(RemoteClient {
            http: connection::build(url, token, checks)?,
            url: url.trim_end_matches('/').to_string(),
            backups: Arc::default(),
        })
    }

    /// The address of the server, without a slash at its end.
    pub(super) fn address(&self) -> &str {
        &self.url
    }

    /// A request for this path.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Sends a request once. An answer without success becomes the error that the server reported.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, SendError> {
        let sent = request.send().await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let code = Code::from_status(status.as_u16());
        let after = response.headers().get(RETRY_AFTER);
        let after = after.and_then(|after| time::read_delay(after.to_str().ok()?.trim()));
        let body = self.body(response).await?;
        // `/ready` has the report even if the server accepts no writes.
        *self.backups() = Report::from_json(&body);
        let told = code.and_then(|code| Error::from_json(code, &body));
        // A proxy in between may have passed the request on.
        let perhaps = told.is_none() && status.is_server_error();
        let error = told.unwrap_or_else(|| match code {
            // A proxy asks for authentication.
            Some(code @ (Code::Denied | Code::Unauthenticated)) => Error::new(
                code,
                format!("access denied by {}: it answered {status}", self.url),
            ),
            _ => self.stranger(&format!("it answered {status}")),
        });
        let again = match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                Some(after.unwrap_or_default())
            }
            _ => None,
        };
        Err(SendError {
            error,
            again,
            perhaps,
        })
    }

    /// Sends a request and reads the whole answer. A request that is lost on the way, or that the server cannot handle at
    /// the moment, is sent again.
    pub(super) async fn whole(&self, request: RequestBuilder) -> Result<RemoteAnswer, SendError> {
        let mut tries = Retries::default();
        let mut perhaps = false;
        loop {
            let again = request.try_clone().map(|next| next.timeout(LONGEST));
            let next = again.ok_or_else(|| Error::internal("a request cannot be sent again"))?;
            let told = async {
                let response = self.send(next).await?;
                let header = |name: &str| response.headers().get(name)?.to_str().ok();
                let version = header("etag").and_then(Tag::parse).map(|tag| tag.version);
                let group = header("change-group").and_then(|text| text.parse().ok());
                let link = header("link").map(str::to_string);
                let (status, replayed) = (
                    response.status(),
                    header("idempotent-replayed") == Some("true"),
                );
                Ok::<_, SendError>(RemoteAnswer {
                    status,
                    version: version.unwrap_or_default(),
                    replayed,
                    group,
                    link,
                    body: self.body(response).await?,
                })
            };
            match told.await {
                Ok(answer) => return Ok(answer),
                Err(failed) => {
                    perhaps |= failed.perhaps;
                    if !tries.again(&failed).await {
                        return Err(SendError { perhaps, ..failed });
                    }
                }
            }
        }
    }

    /// The body of an answer that is not a list.
    pub(super) async fn body(&self, mut response: Response) -> Result<Bytes, SendError> {
        let mut body = BytesMut::new();
        loop {
            let part = response.chunk().await;
            let Some(part) = part.map_err(|error| self.unreachable(&error))? else {
                return Ok(body.freeze());
            };
            if body.len() + part.len() > LARGEST_ANSWER {
                // If this is a crm server at all, the answer may be the success of a write.
                return Err(SendError {
                    perhaps: true,
                    ..self.too_large().into()
                });
            }
            body.extend_from_slice(&part);
        }
    }

    /// The last report of the server on its backups.
    pub(super) fn backups(&self) -> MutexGuard<'_, Option<Report>> {
        self.backups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreachable(&self, error: &reqwest::Error) -> SendError {
        let message = format!("cannot reach {}: {}", self.url, explain(error));
        SendError {
            error: Error::new(Code::Unreachable, message),
            again: Some(Duration::ZERO),
            perhaps: !error.is_connect(),
        }
    }

    /// The error for a list that ended too early.
    pub(super) fn broken(&self, error: &reqwest::Error) -> Error {
        let message = format!("the list from {} broke off: {}", self.url, causes(error));
        Error::new(Code::Unreachable, message)
    }

    /// The error for answers to many lines that ended too early.
    pub(super) fn broken_bulk(&self, error: &reqwest::Error) -> Error {
        let message = format!(
            "the answers from {} broke off: {}; what was answered is saved",
            self.url,
            causes(error)
        );
        Error::new(Code::Unreachable, message)
    }

    /// The error for an answer that is too large.
    pub(super) fn too_large(&self) -> Error {
        let most = LARGEST_ANSWER >> 20;
        self.stranger(&format!("its answer is larger than {most} MiB"))
    }

    /// The error for an answer that no crm server sends.
    pub(super) fn stranger(&self, why: &str) -> Error {
        Error::new(
            Code::Unreachable,
            format!("{} does not answer like a crm server: {why}", self.url),
        )
    }
}
