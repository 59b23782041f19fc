//! Lists: pages, and whole lists in chunks.
//!
//! Each chunk is read in a read transaction of its own and is bounded in bytes, so that neither a long list nor a slow
//! reader holds memory or keeps the write-ahead log from being checkpointed. What a list remembers between two chunks:
//!
//! - a page: the ids that are still to come, as its cursor had to be known before its first byte;
//! - a whole list by id: the last id, and the highest there was at the start, or writers faster than the reader would
//!   make it endless;
//! - one in another order, or a very large page: its ids in a temporary table, which SQLite keeps in a file.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use rusqlite::Connection;

use super::cache::{self, Cache};
use super::{Inner, Reader, Seen, Work, map_err, record, stop, with_cells};
use crate::base::error::Result;
use crate::model::query::Query;
use crate::model::record::{Noun, Record, Rows, Snapshot, Value};
use crate::store::chunk::{CHUNK, Chunk, MOST_ORDERED, REMEMBERED, too_many_ordered};
use crate::store::contract::{Chunks, Listing};
use crate::store::sql::select::{Dialect, Select};
use crate::store::sql::statements;

/// The largest page that may be read on a thread that serves.
const SHORT: u64 = 100;

/// Starts a list.
pub(super) async fn list<R: Rows>(inner: Arc<Inner>, query: Query, rows: R) -> Result<Listing<R>> {
    let (mut listing, reading) = begin(&inner, query, rows).await?;
    listing.rest = reading.map(|reading| {
        let rest = stream::unfold(Some(reading), move |reading| async move {
            let mut reading = reading?;
            let inner = reading.inner.clone();
            let read = inner.beside(move || {
                let chunk = reading.next()?;
                Ok((chunk, reading))
            });
            match read.await {
                Ok((chunk, _)) if chunk.last => Some((Ok(chunk.rows), None)),
                Ok((chunk, reading)) => Some((Ok(chunk.rows), Some(reading))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Box::pin(rest) as Chunks<R>
    });
    Ok(listing)
}

/// Begins a list: a short page right here, as the way to another thread and back takes longer than reading it, and beside
/// the threads that serve what is long or turns out to be.
async fn begin<R: Rows>(
    inner: &Arc<Inner>,
    query: Query,
    rows: R,
) -> Result<(Listing<R>, Option<Reading<R>>)> {
    let own = inner.clone();
    let is_short = query.limit.is_some_and(|limit| limit <= SHORT);
    if is_short && inner.work == Work::Server {
        let (query, rows) = (query.clone(), rows.empty());
        if let Some(begun) = stop::briefly(|| Reading::begin(inner.clone(), query, rows)) {
            return begun;
        }
    }
    inner.beside(move || Reading::begin(own, query, rows)).await
}

/// Puts a row of [`statements::columns`] into a chunk.
fn push<R: Rows>(chunk: &mut Chunk<R>, noun: &'static Noun, row: &rusqlite::Row<'_>) -> Result<()> {
    with_cells(noun, row, |cells| chunk.push(noun, cells))
}

/// A list between two chunks.
struct Reading<R> {
    inner: Arc<Inner>,
    query: Query,
    /// An empty one.
    rows: R,
    rest: Rest,
}

/// What is still to come.
enum Rest {
    /// The records with these ids, in this order.
    Ids(std::vec::IntoIter<i64>),
    /// The records from one id to another.
    Between(i64, i64),
    /// The records of a temporary table behind this place.
    Ordered(Ordered, i64),
}

/// A connection with the ids of a list in order.
struct Ordered {
    connection: Connection,
    inner: Arc<Inner>,
}

impl Drop for Ordered {
    fn drop(&mut self) {
        self.inner
            .ordered
            .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

impl<R: Rows> Reading<R> {
    /// The listing without its rest, and what reads the rest if there is one.
    fn begin(inner: Arc<Inner>, query: Query, rows: R) -> Result<(Listing<R>, Option<Reading<R>>)> {
        let mut listing = Listing {
            total: None,
            next: None,
            first: rows.empty(),
            rest: None,
        };
        let mut rest = None;
        inner.read(|connection| {
            if query.count {
                listing.total = Some(
                    number(connection, &Select::count(Dialect::Sqlite, &query))?.unsigned_abs(),
                );
            }
            match query.limit {
                Some(limit) if limit <= REMEMBERED => {
                    let ids = match inner.cache.as_deref().filter(|_| limit <= SHORT) {
                        Some(cache) if rows.is_json() && !query.noun.is_view() => {
                            kept_page(&inner, cache, connection, &query, limit, &mut listing)?
                        }
                        _ => page(connection, &query, limit, &mut listing, |_, _, _| {})?,
                    };
                    rest = Some(Rest::Ids(ids.into_iter()));
                }
                None if query.by_id() => {
                    let table = statements::table(query.noun);
                    let text = format!("SELECT coalesce(max(id), 0) FROM {table}");
                    let highest = number(connection, &Select::of(text, Vec::new()))?;
                    rest = Some(Rest::Between(1, highest));
                }
                _ => {}
            }
            Ok(())
        })?;
        let is_page = query.limit.is_some_and(|limit| limit <= REMEMBERED);
        let rest = match rest {
            Some(rest) => rest,
            None => Rest::Ordered(order(&inner, &query, &mut listing)?, 0),
        };
        let is_over = matches!(&rest, Rest::Ids(ids) if ids.len() == 0);
        let mut reading = Reading {
            inner,
            query,
            rows,
            rest,
        };
        if is_page {
            return Ok((listing, Some(reading).filter(|_| !is_over)));
        }
        let chunk = reading.next()?;
        listing.first = chunk.rows;
        Ok((listing, Some(reading).filter(|_| !chunk.last)))
    }

    fn next(&mut self) -> Result<Chunk<R>> {
        let Reading {
            inner,
            query,
            rows,
            rest,
        } = self;
        let mut chunk = Chunk::new(rows.empty());
        match rest {
            Rest::Ids(ids) => {
                inner.read(|connection| by_ids(connection, query, ids, &mut chunk))?
            }
            Rest::Between(low, high) => {
                // Millions of rows go this way, and each column is time.
                let columns = match rows.wants_versions() {
                    true => statements::columns(query.noun),
                    false => statements::fields(query.noun),
                };
                let select = Select::between(Dialect::Sqlite, query, &columns, (*low, *high));
                inner.read(|connection| {
                    fill(connection, query.noun, &select, &mut chunk, |_| Ok(()))
                })?;
                if let Some(end) = chunk.end {
                    let next = match query.order[0].descending {
                        true => end.checked_sub(1).map(|id| *high = id),
                        false => end.checked_add(1).map(|id| *low = id),
                    };
                    chunk.last |= next.is_none();
                }
            }
            Rest::Ordered(ordered, place) => {
                next_ordered(&ordered.connection, query, place, &mut chunk)?
            }
        }
        Ok(chunk)
    }
}

/// Reads a short page whose records may be kept as JSON, or else keeps them.
///
/// The ids are read from the file as it is, and the records have to be of the same state of it: a record that is a moment
/// older could be one that the filter does not find. So what is kept is used only where the file has the version that
/// this connection saw before the last look at it. That look has dropped whatever was older than the version, and nothing
/// was committed since.
fn kept_page<R: Rows>(
    inner: &Inner,
    cache: &Cache,
    reader: &mut Reader,
    query: &Query,
    limit: u64,
    listing: &mut Listing<R>,
) -> Result<Vec<i64>> {
    let generation = cache.generation();
    let known = reader.seen.filter(|seen| cache.looked_after(seen.at));
    if let Some(seen) = known.filter(|_| inner.is_trusted(cache)) {
        let mut ids = Vec::with_capacity(limit as usize + 1);
        let select = Select::ids(Dialect::Sqlite, query).limit(limit + 1);
        rows(reader, &select, |row| {
            ids.push(id(row)?);
            Ok(true)
        })?;
        let follows = ids.len() as u64 > limit;
        ids.truncate(limit as usize);
        let kept = ids.iter().map_while(|id| cache.get(query.noun, *id));
        let kept: Vec<Snapshot> = kept.collect();
        let size: usize = kept.iter().map(|kept| kept.json.len()).sum();
        let is_whole = kept.len() == ids.len() && size < CHUNK;
        if is_whole && cache.is_still(generation) && reader.version()? == seen.version {
            for kept in &kept {
                listing.first.push_json(&kept.json);
            }
            if let Some(last) = kept.last().filter(|_| follows) {
                listing.next =
                    Record::from_json(query.noun, &last.json).map(|last| query.cursor(&last));
            }
            return Ok(Vec::new());
        }
    }
    let version = reader.version()?;
    if reader.seen.is_none_or(|seen| seen.version != version) {
        let at = cache.now();
        reader.seen = Some(Seen { version, at });
    }
    if known.is_none() {
        // Asks for the look that is missing.
        inner.is_trusted(cache);
    }
    page(reader, query, limit, listing, |id, version, json| {
        if json.len() <= cache::LARGEST_KEPT {
            let json = Bytes::copy_from_slice(json);
            cache.keep(generation, query.noun, id, &Snapshot { json, version });
        }
    })
}

/// Reads a page: its records as far as a chunk goes and the cursor into the listing. Answers the ids of the others, and
/// shows `see` the id, the version and the JSON of each record, where it is written as that.
fn page<R: Rows>(
    connection: &Connection,
    query: &Query,
    limit: u64,
    listing: &mut Listing<R>,
    mut see: impl FnMut(i64, i64, &[u8]),
) -> Result<Vec<i64>> {
    let select = Select::page(Dialect::Sqlite, query, limit + 1);
    let mut ids = Vec::new();
    let mut last = None;
    let mut first = Chunk::new(listing.first.empty());
    let mut count = 0;
    rows(connection, &select, |row| {
        count += 1;
        if count > limit {
            listing.next = last.take().map(|last| query.cursor(&last));
            return Ok(false);
        }
        if count == limit {
            last = Some(record(query.noun, row)?);
        }
        match first.is_full() {
            true => ids.push(id(row)?),
            false => {
                push(&mut first, query.noun, row)?;
                if let Some(id) = first.end.filter(|_| first.rows.is_json()) {
                    let version = row.get(query.noun.fields.len());
                    let version = version.map_err(|error| map_err(&error))?;
                    see(id, version, first.rows.last_json());
                }
            }
        }
        Ok(true)
    })?;
    listing.first = first.rows;
    Ok(ids)
}

/// The records with the next ids; one that is gone meanwhile is left out.
fn by_ids<R: Rows>(
    connection: &Connection,
    query: &Query,
    ids: &mut std::vec::IntoIter<i64>,
    chunk: &mut Chunk<R>,
) -> Result<()> {
    let mut select = Select::of(
        statements::statements(query.noun).select.clone(),
        Vec::new(),
    );
    for id in ids.by_ref() {
        select.params = vec![Value::Int(id)];
        rows(connection, &select, |row| {
            push(chunk, query.noun, row).map(|()| true)
        })?;
        if chunk.is_full() {
            break;
        }
    }
    chunk.last = ids.len() == 0;
    Ok(())
}

/// Fills a chunk with the records of a select, and shows `see` each row of them.
fn fill<R: Rows>(
    connection: &Connection,
    noun: &'static Noun,
    select: &Select,
    chunk: &mut Chunk<R>,
    mut see: impl FnMut(&rusqlite::Row<'_>) -> Result<()>,
) -> Result<()> {
    rows(connection, select, |row| {
        see(row)?;
        push(chunk, noun, row)?;
        Ok(!chunk.is_full())
    })?;
    chunk.last = !chunk.is_full();
    Ok(())
}

/// Puts the ids of a list into a temporary table, in the list's order; with a limit so many of them, and the cursor into
/// the listing.
fn order<R>(inner: &Arc<Inner>, query: &Query, listing: &mut Listing<R>) -> Result<Ordered> {
    use std::sync::atomic::Ordering::Relaxed;
    if inner.ordered.fetch_add(1, Relaxed) >= MOST_ORDERED {
        inner.ordered.fetch_sub(1, Relaxed);
        return Err(too_many_ordered());
    }
    let reserved = match inner.connect() {
        Ok(connection) => Ordered {
            connection,
            inner: inner.clone(),
        },
        Err(error) => {
            inner.ordered.fetch_sub(1, Relaxed);
            return Err(error);
        }
    };
    let limit = query.limit.unwrap_or(u64::MAX);
    let fill = || -> rusqlite::Result<usize> {
        let connection = &reserved.connection;
        connection.execute_batch(
            "CREATE TEMP TABLE ordered (place INTEGER PRIMARY KEY, id INTEGER NOT NULL)",
        )?;
        let select = Select::ids(Dialect::Sqlite, query).limit(limit.saturating_add(1));
        let sql = format!("INSERT INTO temp.ordered (id) {}", select.text);
        connection.execute(&sql, rusqlite::params_from_iter(&select.params))
    };
    let count = fill().map_err(|error| map_err(&error))?;
    if count as u64 > limit {
        let mut place = i64::try_from(limit).unwrap_or(i64::MAX) - 1;
        let mut last = Chunk::new(Vec::<Record>::new());
        next_ordered(&reserved.connection, query, &mut place, &mut last)?;
        listing.next = last.rows.first().map(|last| query.cursor(last));
        let cut = "DELETE FROM temp.ordered WHERE place > $1";
        reserved
            .connection
            .execute(cut, [limit as i64])
            .map_err(|error| map_err(&error))?;
    }
    Ok(reserved)
}

/// The next records of a list in order, and the place of the last of them.
fn next_ordered<R: Rows>(
    connection: &Connection,
    query: &Query,
    place: &mut i64,
    chunk: &mut Chunk<R>,
) -> Result<()> {
    if query.noun.is_view() {
        return next_of_view(connection, query, place, chunk);
    }
    let table = query.noun.plural;
    // CROSS JOIN keeps SQLite from turning the two around.
    let text = format!(
        "SELECT {}, ordered.place FROM temp.ordered CROSS JOIN {table} ON {table}.id = ordered.id \
         WHERE ordered.place > $1 ORDER BY ordered.place",
        statements::columns(query.noun)
    );
    let select = Select::of(text, vec![Value::Int(*place)]);
    fill(connection, query.noun, &select, chunk, |row| {
        *place = row
            .get(query.noun.fields.len() + 1)
            .map_err(|error| map_err(&error))?;
        Ok(())
    })
}

/// The next records of a view in order. Each is read by its id: SQLite would make the whole view anew to join it.
fn next_of_view<R: Rows>(
    connection: &Connection,
    query: &Query,
    place: &mut i64,
    chunk: &mut Chunk<R>,
) -> Result<()> {
    /// As many as are looked up in one step.
    const STEP: i64 = 1_000;
    let text = "SELECT id, place FROM temp.ordered WHERE place > $1 ORDER BY place LIMIT $2";
    let select = Select::of(text.into(), vec![Value::Int(*place), Value::Int(STEP)]);
    let mut next: Vec<(i64, i64)> = Vec::new();
    rows(connection, &select, |row| {
        let at = row.get(1).map_err(|error| map_err(&error))?;
        next.push((id(row)?, at));
        Ok(true)
    })?;
    let is_end = (next.len() as i64) < STEP;
    let text = &statements::statements(query.noun).select;
    let mut select = Select::of(text.clone(), Vec::new());
    let mut left = next.len();
    for (id, at) in next {
        select.params = vec![Value::Int(id)];
        rows(connection, &select, |row| {
            push(chunk, query.noun, row).map(|()| true)
        })?;
        *place = at;
        left -= 1;
        if chunk.is_full() {
            break;
        }
    }
    chunk.last = is_end && left == 0;
    Ok(())
}

/// Runs a select and hands over its rows for as long as `each` answers true.
fn rows(
    connection: &Connection,
    select: &Select,
    mut each: impl FnMut(&rusqlite::Row<'_>) -> Result<bool>,
) -> Result<()> {
    let mut statement = connection
        .prepare_cached(&select.text)
        .map_err(|error| map_err(&error))?;
    let params = rusqlite::params_from_iter(&select.params);
    let mut rows = statement.query(params).map_err(|error| map_err(&error))?;
    while let Some(row) = rows.next().map_err(|error| map_err(&error))? {
        if !each(row)? {
            break;
        }
    }
    Ok(())
}

/// The number that a select answers.
fn number(connection: &Connection, select: &Select) -> Result<i64> {
    let mut number = 0;
    rows(connection, select, |row| {
        number = id(row)?;
        Ok(false)
    })?;
    Ok(number)
}

fn id(row: &rusqlite::Row<'_>) -> Result<i64> {
    row.get(0).map_err(|error| map_err(&error))
}
