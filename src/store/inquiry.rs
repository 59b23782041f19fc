//! Reads of several things at one moment.
//!
//! An [`Inquiry`] is to reading what a [`Write`](super::contract::Write) is to writing: its rule is written once, over a
//! [`Reading`]. All that it reads is the state after one and the same commit, so that a summary never shows an action and not
//! the process that moved with it. Another `crm serve` is asked with one request.

use super::sql::row::mend;
use super::sql::select::{Dialect, Select};
use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::model::value::Value;

/// The state of a database at one moment.
pub trait Reading: Send {
    /// The database.
    const DIALECT: Dialect;

    /// The rows of a select.
    fn rows(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> impl Future<Output = Result<Vec<Vec<Value>>>> + Send;

    /// The records of a list in its order, at most so many. On PostgreSQL there may be some that do not meet a filter with
    /// `like`.
    fn records(
        &mut self,
        query: &Query,
        most: u64,
    ) -> impl Future<Output = Result<Vec<Record>>> + Send {
        let select = Select::page(Self::DIALECT, query, most);
        let noun = query.noun;
        async move {
            let rows = self.rows(&select.text, &select.params).await?;
            let records = rows.into_iter().map(|mut values| {
                mend(noun, &mut values);
                Record { noun, values }
            });
            Ok(records.collect())
        }
    }

    /// One record.
    fn record(
        &mut self,
        noun: &'static Noun,
        id: i64,
    ) -> impl Future<Output = Result<Record>> + Send {
        async move {
            let pairs = vec![(noun.key().name.to_string(), id.to_string())];
            let found = self.records(&Query::new(noun, pairs)?, 1).await?;
            found.into_iter().next().ok_or_else(|| noun.not_found())
        }
    }

    /// The number in the only row of a select.
    fn number(&mut self, sql: &str, params: &[Value]) -> impl Future<Output = Result<i64>> + Send {
        let rows = self.rows(sql, params);
        async move {
            let rows = rows.await?;
            let number = rows.first().and_then(|row| row.first()?.int());
            Ok(number.unwrap_or_default())
        }
    }
}

/// A read of several things. All of them are of the same moment.
pub trait Inquiry: Send + Sync + 'static {
    /// What it finds.
    type Found: Send + 'static;

    /// The record that it is about, if it is about one that has to be there.
    fn of(&self) -> Option<(&'static Noun, i64)> {
        None
    }

    /// The rule.
    fn run<R: Reading>(&self, reading: &mut R) -> impl Future<Output = Result<Self::Found>> + Send;

    /// The path, with its parameters, at which another server is asked.
    fn path(&self) -> String;

    /// Reads that server's answer. `next` is the cursor in its `Link`. `None` if it is something else.
    fn found(&self, answer: &[u8], next: Option<String>) -> Option<Self::Found>;
}
