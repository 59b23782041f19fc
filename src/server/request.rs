//! A request that has passed the gate, and what every operation may need of it.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::timeout;
use warp::http::{HeaderMap, HeaderName, Method};

use super::api::Api;
use super::single::single;
use crate::base::error::{Code, Error, Result, quoted};
use crate::model::author::{Author, NOBODY, check_name};
use crate::model::noun::parse_id;
use crate::model::query;
use crate::model::terms::Terms;
use crate::model::token::Token;
use crate::net::hits::Limit;
use crate::operation::asked::known_parameters;
use crate::store::contract::{Outcome, Store, Write};

/// For whom the client acts.
static ON_BEHALF_OF: HeaderName = HeaderName::from_static("on-behalf-of");

/// The group that the changes of a request join, and in a response the group of its changes.
pub(super) static CHANGE_GROUP: HeaderName = HeaderName::from_static("change-group");

/// A request without its body.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
}

/// A request that has passed the gate.
pub(super) struct Request<'a> {
    pub(super) api: &'a Api,
    pub(super) head: Head<'a>,
    pub(super) request_id: &'a str,
    /// The address of the client.
    pub(super) client: IpAddr,
    /// The token of the request, if it has one.
    pub(super) token: Option<&'a Arc<Token>>,
    /// The id of the operation in the OpenAPI document.
    pub(super) operation: &'static str,
}

impl Request<'_> {
    /// Waits for a read, at most for the time until a response has to begin. A read that takes longer is cancelled, and the
    /// client gets an error.
    pub(super) async fn read<T>(
        &self,
        mut read: Pin<&mut impl Future<Output = Result<T>>>,
    ) -> Result<T> {
        // A read from memory is ready at once. A timer would be a large part of its cost.
        if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await
        {
            return done;
        }
        match timeout(self.api.limits.time, read).await {
            Ok(done) => done,
            Err(_) => Err(self.late(
                Code::Unavailable,
                "the request took too long and was cancelled; request less, or try again",
            )),
        }
    }

    /// Waits for a write, at most for the time until a response has to begin. A write that takes longer goes on and may
    /// still succeed, so the error must not say that it failed.
    pub(super) async fn write<W: Write>(&self, write: W, terms: Terms) -> Result<Outcome<W::Done>> {
        let store = self.api.store.clone();
        let mut write = Box::pin(async move { store.write(write, terms).await });
        match timeout(self.api.limits.time, &mut write).await {
            Ok(done) => done,
            Err(_) => {
                tokio::spawn(write);
                Err(self.late(
                    Code::Unknown,
                    "the database did not answer in time, so this may have been saved; check before you try again",
                ))
            }
        }
    }

    /// Who makes the changes of this request.
    pub(super) fn author(&self) -> Result<Author> {
        let on_behalf_of = single(self.head.headers, &ON_BEHALF_OF, "On-Behalf-Of")?;
        if let Some(name) = on_behalf_of {
            check_name(name).map_err(|why| Error::invalid(format!("On-Behalf-Of: {why}")))?;
        }
        let group = single(self.head.headers, &CHANGE_GROUP, "Change-Group")?;
        let group = group.map(|text| {
            parse_id(text).ok_or_else(|| {
                let got = quoted(text);
                Error::invalid(format!(
                    "Change-Group: expected the number of a change, got {got}"
                ))
            })
        });
        Ok(Author {
            by: self
                .token
                .map_or_else(|| NOBODY.into(), |token| token.name.clone()),
            on_behalf_of: on_behalf_of.map(Arc::from),
            request_id: Some(self.request_id.into()),
            operation: self.operation.into(),
            group: group.transpose()?,
        })
    }

    fn late(&self, code: Code, message: &str) -> Error {
        self.api.hits.count(Limit::RequestTimeout);
        Error::new(code, message)
    }

    /// Reads parameters. Refuses any that is not known, and any that is given twice and is no list.
    pub(super) fn parameters(&self, known: &[&str]) -> Result<Vec<(String, String)>> {
        let pairs = query::pairs(self.head.query)?;
        known_parameters(&pairs, known)?;
        Ok(pairs)
    }
}
