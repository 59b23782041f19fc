//! A request that was let in, with what every operation may need of it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::time::timeout;
use warp::http::{HeaderMap, Method};

use super::api::Api;
use crate::base::error::{Code, Error, Result};
use crate::model::query;
use crate::model::terms::Terms;
use crate::model::token::Token;
use crate::net::hits::Limit;
use crate::operation::asked::known_parameters;
use crate::store::contract::{Outcome, Store, Write};

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

impl Request<'_> {
    /// Waits for a read no longer than an answer may take to begin. Whoever waited in vain has been told so, and what it
    /// ran is given up.
    pub(super) async fn read<T>(
        &self,
        mut read: Pin<&mut impl Future<Output = Result<T>>>,
    ) -> Result<T> {
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
    pub(super) async fn write<W: Write>(&self, write: W, terms: Terms) -> Result<Outcome<W::Done>> {
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

    /// The parameters of a route that knows only these, each at most once.
    pub(super) fn parameters(&self, known: &[&str]) -> Result<Vec<(String, String)>> {
        let pairs = query::pairs(self.head.query)?;
        known_parameters(&pairs, known)?;
        Ok(pairs)
    }
}
