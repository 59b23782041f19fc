//! The state of a list between two chunks: how far it was read, and where the rest comes from.

use std::sync::Arc;

use super::feed;
use super::ordered::OrderedIds;
use super::page::{by_ids, cached_page, page};
use super::rows::{fill, number};
use crate::base::error::Result;
use crate::model::query::Query;
use crate::model::rows::Rows;
use crate::store::chunk::{Chunk, REMEMBERED};
use crate::store::contract::Listing;
use crate::store::feed::{kept, place};
use crate::store::sql::select::{Dialect, Select};
use crate::store::sql::statements;
use crate::store::sqlite::database::Database;

/// The largest page that may be read on a serving thread.
pub(crate) const SHORT: u64 = 100;

/// A list between two chunks.
pub(crate) struct ListProgress<R> {
    pub(crate) database: Arc<Database>,
    query: Query,
    /// An empty one.
    rows: R,
    rest: Remaining,
    /// Of a feed: up to where it was read.
    read_to: Option<i64>,
}

/// The remaining records of a list.
enum Remaining {
    /// The records with these ids, in this order.
    Ids(std::vec::IntoIter<i64>),
    /// The records from one id to another.
    Between(i64, i64),
    /// The records of a temporary table after this place.
    Ordered(OrderedIds, i64),
}

/// A listing without its rest, and the reader of the rest if there is one.
pub(crate) type Begun<R> = (Listing<R>, Option<ListProgress<R>>);

impl<R: Rows> ListProgress<R> {
    /// Begins a list and reads its first records.
    pub(crate) fn begin(database: Arc<Database>, mut query: Query, rows: R) -> Result<Begun<R>> {
        let mut listing = Listing {
            total: None,
            next: None,
            is_behind: false,
            first: rows.empty(),
            rest: None,
        };
        let mut rest = None;
        let mut end = None;
        database.read(|reader| {
            if query.noun.is_feed() {
                let feed = feed::state(reader)?;
                feed.bound(&mut query)?;
                end = feed.end(&query);
            }
            if query.count {
                let count = Select::count(Dialect::Sqlite, &query);
                listing.total = Some(number(reader, &count)?.unsigned_abs());
            }
            match query.limit {
                Some(limit) if limit <= REMEMBERED => {
                    let cache = database.cache.as_deref();
                    let ids = match cache.filter(|_| limit <= SHORT && !query.noun.is_view()) {
                        Some(cache) if rows.is_json() => {
                            cached_page(&database, cache, reader, &query, limit, &mut listing)?
                        }
                        _ => page(reader, &query, limit, &mut listing, |_, _, _| {})?,
                    };
                    rest = Some(Remaining::Ids(ids.into_iter()));
                }
                None if query.by_id() => {
                    let highest = match query.up_to {
                        Some(last) => last,
                        None => {
                            let (id, table) =
                                (statements::key(query.noun), statements::table(query.noun));
                            let text = format!("SELECT coalesce(max({id}), 0) FROM {table}");
                            number(reader, &Select::of(text, Vec::new()))?
                        }
                    };
                    let (low, high) = query.between(highest);
                    rest = Some(Remaining::Between(low, high));
                }
                _ => {}
            }
            Ok(())
        })?;
        let is_page = query.limit.is_some_and(|limit| limit <= REMEMBERED);
        let rest = match rest {
            Some(rest) => rest,
            None => Remaining::Ordered(OrderedIds::read(&database, &query, &mut listing)?, 0),
        };
        let is_over = matches!(&rest, Remaining::Ids(ids) if ids.len() == 0);
        let mut progress = ListProgress {
            database,
            rows,
            read_to: place(&query),
            query,
            rest,
        };
        listing.next = listing.next.or(end);
        let is_over = match is_page {
            true => {
                progress.check_kept()?;
                if let Remaining::Ids(ids) = &progress.rest {
                    progress.read_to = ids.as_slice().first().map(|id| id - 1);
                }
                is_over
            }
            false => {
                let chunk = progress.next()?;
                listing.first = chunk.rows;
                chunk.last
            }
        };
        Ok((listing, Some(progress).filter(|_| !is_over)))
    }

    /// Reads the next chunk. If this fails, the next call reads the same chunk.
    pub(crate) fn next(&mut self) -> Result<Chunk<R>> {
        let ListProgress {
            database,
            query,
            rows,
            rest,
            read_to,
        } = self;
        let mut chunk = Chunk::new(rows.empty());
        match rest {
            Remaining::Ids(ids) => {
                let mut left = ids.clone();
                database.read(|reader| by_ids(reader, query, &mut left, &mut chunk))?;
                check_kept(database, query, *read_to)?;
                *ids = left;
            }
            Remaining::Between(low, high) => {
                // Millions of rows are read here, and each column takes time.
                let columns = match rows.wants_versions() {
                    true => statements::columns(query.noun),
                    false => statements::fields(query.noun),
                };
                let select = Select::between(Dialect::Sqlite, query, &columns, (*low, *high));
                database.read(|reader| fill(reader, query.noun, &select, &mut chunk, |_| {}))?;
                check_kept(database, query, *read_to)?;
                if let Some(end) = chunk.end {
                    let next = match query.order[0].descending {
                        true => end.checked_sub(1).map(|id| *high = id),
                        false => end.checked_add(1).map(|id| *low = id),
                    };
                    chunk.last |= next.is_none();
                }
            }
            Remaining::Ordered(ids, place) => {
                let mut at = *place;
                ids.next(query, &mut at, &mut chunk)?;
                check_kept(database, query, *read_to)?;
                *place = at;
            }
        }
        *read_to = chunk.end.or(*read_to);
        Ok(chunk)
    }

    fn check_kept(&self) -> Result<()> {
        check_kept(&self.database, &self.query, self.read_to)
    }
}

/// Fails if changes after a place in a feed were removed while it was read.
fn check_kept(database: &Database, query: &Query, place: Option<i64>) -> Result<()> {
    match query.reads_feed() && place.is_some() {
        true => database.read(|reader| kept(place, feed::removed(reader)?)),
        false => Ok(()),
    }
}
