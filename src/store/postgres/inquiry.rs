//! Inquiries: several selects in one read transaction.

use super::cells::{slice, values};
use super::database::{LIST_PATIENCE, PATIENCE, PgDatabase};
use super::failure::{Failure, within};
use super::link::PgSession;
use super::reading::ReadSession;
use crate::base::error::{Error, Result};
use crate::model::value::Value;
use crate::store::budget::{SHORT, too_long};
use crate::store::inquiry::{Inquiry, Reading};
use crate::store::sql::select::Dialect;

/// All selects of such a transaction see the state at its first one.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A read transaction on a connection.
struct PgReading<'s> {
    session: &'s mut PgSession,
    /// Why a select has failed.
    failure: Option<Failure>,
}

impl PgReading<'_> {
    async fn ask(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>, Failure> {
        let statement = within(LIST_PATIENCE, self.session.prepared(sql)).await?;
        let params = slice(params);
        let rows = within(
            LIST_PATIENCE,
            self.session.client.query(&statement, &params),
        )
        .await?;
        Ok(rows.iter().map(values).collect())
    }
}

impl Reading for PgReading<'_> {
    const DIALECT: Dialect = Dialect::Postgres;

    async fn rows(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        self.ask(sql, params).await.map_err(|failure| {
            let error = failure.error();
            self.failure = Some(failure);
            error
        })
    }
}

/// Runs an inquiry. It begins as a short one, and again as a long one if it is not done after a moment.
pub(super) async fn inquire<I: Inquiry>(database: &PgDatabase, inquiry: &I) -> Result<I::Found> {
    match database.paced(SHORT, twice(database, inquiry)).await {
        Err(error) if error == too_long(SHORT) => {
            let permits = database.queries.permits();
            let _permit = permits.acquire_owned().await.map_err(Error::internal)?;
            let longest = database.queries.longest();
            database.paced(longest, twice(database, inquiry)).await
        }
        found => found,
    }
}

/// Runs an inquiry. If the connection is lost, tries once more on another one.
async fn twice<I: Inquiry>(database: &PgDatabase, inquiry: &I) -> Result<I::Found> {
    match Box::pin(once(database, inquiry)).await? {
        Some(found) => found,
        None => match Box::pin(once(database, inquiry)).await? {
            Some(found) => found,
            None => Err(Failure::Late.error()),
        },
    }
}

/// Runs an inquiry on one connection. `None` if that was lost.
async fn once<I: Inquiry>(database: &PgDatabase, inquiry: &I) -> Result<Option<Result<I::Found>>> {
    let mut session = ReadSession::new(Box::pin(database.session(PATIENCE)).await?);
    // A connection that is dropped from here on is not used again.
    session.in_transaction = true;
    let read = async {
        within(LIST_PATIENCE, session.client.batch_execute(BEGIN)).await?;
        let mut reading = PgReading {
            session: &mut session,
            failure: None,
        };
        let found = inquiry.run(&mut reading).await;
        match reading.failure {
            Some(failure) if failure.is_lost() => return Err(failure),
            _ => within(LIST_PATIENCE, session.client.batch_execute("ROLLBACK")).await?,
        }
        Ok(found)
    };
    let read = read.await;
    match read {
        Ok(found) => {
            session.in_transaction = false;
            session.done();
            Ok(Some(found))
        }
        Err(failure) => {
            let is_lost = failure.is_lost();
            let error = failure.error();
            session.failed(database, &failure);
            if is_lost { Ok(None) } else { Err(error) }
        }
    }
}
