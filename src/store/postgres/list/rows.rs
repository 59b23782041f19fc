//! The rows of a select, one after the other.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt, pin_mut};
use tokio_postgres::{Client, Row, Statement};

use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::stored::Stored;
use crate::model::value::{Cell, Value};
use crate::store::postgres::cells::{cell, slice, stored};
use crate::store::postgres::database::{LIST_PATIENCE, PATIENCE, PgDatabase};
use crate::store::postgres::failure::{Failure, within};
use crate::store::postgres::link::PgSession;
use crate::store::postgres::reading::ReadSession;
use crate::store::sql::row;
use crate::store::sql::select::Select;

/// A select with more parameters is not kept prepared: there are too many such selects.
const MOST_KEPT_PARAMS: usize = 12;

/// How many bytes of rows are searched without a pause.
const TURN: usize = 256 * 1024;

/// Runs a select and passes its rows to `each` as long as that returns true. If the connection is lost before the first
/// row, tries once more on another connection. Fails if it takes longer than `pace`.
pub(super) async fn read(
    database: &PgDatabase,
    pace: Duration,
    select: &Select,
    each: impl FnMut(&Row) -> Result<bool> + Send,
) -> Result<()> {
    database.paced(pace, read_all(database, select, each)).await
}

async fn read_all(
    database: &PgDatabase,
    select: &Select,
    mut each: impl FnMut(&Row) -> Result<bool> + Send,
) -> Result<()> {
    let mut is_first = true;
    loop {
        let mut session = ReadSession::new(Box::pin(database.session(PATIENCE)).await?);
        let (mut seen, mut failed) = (false, None);
        let asked = read_over(&mut session, select, |row| {
            seen = true;
            match each(row) {
                Ok(goes_on) => goes_on,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            }
        });
        let asked = asked.await;
        match (asked, failed) {
            (asked, Some(error)) => {
                if asked.is_ok() {
                    session.done();
                }
                return Err(error);
            }
            (Ok(()), None) => {
                session.done();
                return Ok(());
            }
            (Err(failure), None) => {
                session.failed(database, &failure);
                let is_late = matches!(failure, Failure::Late);
                if !failure.is_lost() || is_late || seen || !is_first {
                    return Err(failure.error());
                }
                is_first = false;
            }
        }
    }
}

/// Runs a select on one connection. Rows after the one that `each` refuses are still received, and dropped. So a select
/// needs a limit unless all of its rows are wanted.
pub(super) async fn read_over(
    session: &mut PgSession,
    select: &Select,
    each: impl FnMut(&Row) -> bool + Send,
) -> Result<(), Failure> {
    let prepare = async {
        // Selects that are repeated have few parameters.
        match select.params.len() <= MOST_KEPT_PARAMS {
            true => session.prepared(&select.text).await,
            false => session.client.prepare(&select.text).await,
        }
    };
    let statement = within(LIST_PATIENCE, prepare).await?;
    stream(&session.client, &statement, &select.params, each).await
}

/// Runs a prepared select and passes its rows to `each` as long as that returns true.
pub(super) async fn stream(
    client: &Client,
    statement: &Statement,
    params: &[Value],
    mut each: impl FnMut(&Row) -> bool + Send,
) -> Result<(), Failure> {
    let rows = within(LIST_PATIENCE, client.query_raw(statement, slice(params))).await?;
    pin_mut!(rows);
    let mut handled = 0;
    loop {
        if handled > TURN {
            // Others use this thread, too, and a time limit is looked at only when it is their turn.
            handled = 0;
            tokio::task::yield_now().await;
        }
        // Most rows have been received with the one before. They need no timer.
        let row = match rows.next().now_or_never() {
            Some(row) => row.transpose()?,
            None => within(LIST_PATIENCE, rows.next().map(Option::transpose)).await?,
        };
        match row {
            Some(row) if each(&row) => handled += row.raw_size_bytes(),
            _ => return Ok(()),
        }
    }
}

/// The number in the single row of a select.
pub(super) async fn number(database: &PgDatabase, pace: Duration, select: &Select) -> Result<i64> {
    let mut number = 0;
    read(database, pace, select, |row| {
        if let Cell::Int(found) = cell(row, 0) {
            number = found;
        }
        Ok(true)
    })
    .await?;
    Ok(number)
}

/// Passes on a row of [`columns`](crate::store::sql::statements::columns) without copying it.
pub(super) fn with_cells(noun: &Noun, row: &Row, take: impl FnOnce(&[Cell<'_>])) {
    let width = noun.fields.len() + 1;
    row::with_cells(noun, width, |at| Some(cell(row, at)), cells_of(row), take);
}

/// The values of a row as the database has them.
pub(super) fn cells_of<'row>(row: &'row Row) -> impl Fn(usize) -> Stored<'row> {
    |at| stored(cell(row, at))
}

/// The record that these cells hold.
pub(super) fn record(noun: &'static Noun, cells: &[Cell<'_>]) -> Record {
    let values = cells.iter().map(|cell| Value::from(*cell)).collect();
    Record { noun, values }
}
