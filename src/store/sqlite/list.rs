//! Lists: pages, and whole lists in chunks.
//!
//! Each chunk is read in its own read transaction and is bounded in bytes. So neither a long list nor a slow client holds
//! memory or keeps the write-ahead log from being checkpointed. Between two chunks a list remembers:
//!
//! - for a page, the ids of the remaining records, because its cursor had to be known before its first byte;
//! - for a whole list by id, the last id, and the highest id at the start. Without the latter, writers faster than the
//!   reader would make the list endless;
//! - for a list in another order or a very large page, its ids in a temporary table.

mod feed;
mod ordered;
mod page;
mod progress;
mod rows;

use std::sync::Arc;

use futures_util::stream;

use super::cancel;
use super::database::{Database, Pace};
use crate::base::error::Result;
use crate::model::query::Query;
use crate::model::rows::Rows;
use crate::store::contract::{Chunks, Listing};
use progress::{Begun, ListProgress, SHORT};

/// Starts a list.
pub(crate) async fn list<R: Rows>(
    database: Arc<Database>,
    query: Query,
    rows: R,
) -> Result<Listing<R>> {
    let mut pace = Pace::Short;
    let (mut listing, progress) = begin(&database, query, rows, &mut pace).await?;
    listing.rest = progress.map(|progress| {
        let rest = stream::unfold(Some((progress, pace)), move |state| async move {
            let (progress, mut pace) = state?;
            let database = progress.database.clone();
            let read = database.beside(&mut pace, progress, |progress| progress.next());
            match read.await {
                Ok((chunk, _)) if chunk.last => Some((Ok(chunk.rows), None)),
                Ok((chunk, progress)) => Some((Ok(chunk.rows), Some((progress, pace)))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Box::pin(rest) as Chunks<R>
    });
    Ok(listing)
}

/// Begins a list. A short page is read on the calling thread, because switching to another thread and back takes longer
/// than reading it. Everything that is long, or turns out to be, is read on a thread that does not serve.
async fn begin<R: Rows>(
    database: &Arc<Database>,
    query: Query,
    rows: R,
    pace: &mut Pace,
) -> Result<Begun<R>> {
    let begin = |(database, query, rows): &mut (Arc<Database>, Query, R)| {
        ListProgress::begin(database.clone(), query.clone(), rows.empty())
    };
    let mut state = (database.clone(), query, rows);
    let is_short = state.1.limit.is_some_and(|limit| limit <= SHORT);
    if is_short
        && database.is_server
        && let Some(begun) = cancel::briefly(|| begin(&mut state))
    {
        return begun;
    }
    Ok(database.beside(pace, state, begin).await?.0)
}
