//! Lists: pages, and whole lists in chunks.
//!
//! As on SQLite no chunk outlives its statement, so that a slow reader holds no connection, no snapshot and little memory.
//! A page has the ids of what is still to come; a whole list by id the last id and the highest there was; one in another
//! order all of its ids, in a file of this machine when they are many.
//!
//! Where crm has the last word on what fits (`residue`), a page that the first records do not fill goes through all that
//! come after them, in one snapshot.

use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt, pin_mut, stream};
use tokio_postgres::{Client, Row, Statement};

use super::cells::{cell, slice};
use super::failure::{Failure, within};
use super::link::Session;
use super::residue::Residue;
use super::{Busy, Inner, PATIENCE, left};
use crate::base::error::{Code, Error, Result};
use crate::model::query::{Cursor, Query};
use crate::model::record::{Cell, Noun, Record, Rows, Value};
use crate::store::chunk::{CHUNK, Chunk, MOST_ORDERED, REMEMBERED, too_many_ordered};
use crate::store::contract::{Chunks, Listing};
use crate::store::sql::select::{Dialect, Select};
use crate::store::sql::statements;

/// The records that are asked for where their size is not known yet.
const FIRST_ROWS: u64 = 100;

/// The records that are taken at once from a select that goes through all of them.
const FETCHED: u64 = 5_000;

/// The most that are asked for at once.
const MOST_ROWS: u64 = 4_000;

/// How long the database may take to the next row of a list; its first may come after a sort of millions.
pub(super) const LIST_PATIENCE: Duration = Duration::from_secs(30);

/// A select of more parameters is not kept prepared: there are too many such.
const MOST_KEPT_PARAMS: usize = 12;

/// The ids of a list that are held in memory, in bytes; more are in a file.
const IDS_IN_MEMORY: usize = 1024 * 1024;

/// Starts a list.
pub(super) async fn list<R: Rows>(inner: Arc<Inner>, query: Query, rows: R) -> Result<Listing<R>> {
    let mut listing = Listing {
        total: None,
        next: None,
        first: rows.empty(),
        rest: None,
    };
    if query.count {
        listing.total = Some(count(&inner, &query).await?);
    }
    let mut reading = Reading {
        rest: Rest::Ids(Vec::new().into_iter()),
        rows: rows.empty(),
        residue: Residue::of(&query),
        asked: FIRST_ROWS,
        inner,
        query,
    };
    match reading.query.limit {
        Some(limit) if limit <= REMEMBERED => {
            let page = reading.page(limit).await?;
            listing.first = page.first.rows;
            listing.next = page.next;
            if page.ids.is_empty() {
                return Ok(listing);
            }
            reading.rest = Rest::Ids(page.ids.into_iter());
        }
        limit => {
            reading.rest = match limit {
                None if reading.query.by_id() => Rest::Between(1, reading.highest().await?),
                _ => Rest::Ordered(reading.order(&mut listing.next).await?),
            };
            let chunk = reading.next().await?;
            listing.first = chunk.rows;
            if chunk.last {
                return Ok(listing);
            }
        }
    }
    let rest = stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.next().await {
            Ok(chunk) if chunk.last => Some((Ok(chunk.rows), None)),
            Ok(chunk) => Some((Ok(chunk.rows), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    });
    listing.rest = Some(Box::pin(rest) as Chunks<R>);
    Ok(listing)
}

/// A page: its first records, the ids of the others, and the cursor of the next.
struct Page<R> {
    first: Chunk<R>,
    ids: Vec<i64>,
    next: Option<String>,
}

/// A list between two chunks.
struct Reading<R> {
    inner: Arc<Inner>,
    query: Query,
    /// An empty one.
    rows: R,
    residue: Option<Residue>,
    /// How many records were asked for.
    asked: u64,
    rest: Rest,
}

/// What is still to come.
enum Rest {
    /// The records with these ids, in this order.
    Ids(std::vec::IntoIter<i64>),
    /// The records from one id to another.
    Between(i64, i64),
    /// The records of remembered ids.
    Ordered(Ordered),
}

/// The ids of a list in order.
struct Ordered {
    inner: Arc<Inner>,
    ids: tempfile::SpooledTempFile,
    left: u64,
}

impl Drop for Ordered {
    fn drop(&mut self) {
        self.inner.ordered.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ordered {
    fn new(inner: Arc<Inner>) -> Result<Ordered> {
        let before = inner.ordered.fetch_add(1, Ordering::Relaxed);
        let ordered = Ordered {
            inner,
            ids: tempfile::SpooledTempFile::new(IDS_IN_MEMORY),
            left: 0,
        };
        match before >= MOST_ORDERED {
            true => Err(too_many_ordered()),
            false => Ok(ordered),
        }
    }

    fn push(&mut self, id: i64) -> Result<()> {
        self.left += 1;
        self.ids.write_all(&id.to_le_bytes()).map_err(unspooled)
    }

    fn rewind(&mut self) -> Result<()> {
        self.ids
            .seek(SeekFrom::Start(0))
            .map(drop)
            .map_err(unspooled)
    }

    fn take(&mut self, most: u64) -> Result<Vec<i64>> {
        let count = most.min(self.left);
        let mut bytes = [0; 8];
        let mut ids = Vec::new();
        for _ in 0..count {
            self.ids.read_exact(&mut bytes).map_err(unspooled)?;
            ids.push(i64::from_le_bytes(bytes));
        }
        self.left -= count;
        Ok(ids)
    }

    /// Puts back what was taken last, as many as these.
    fn put_back(&mut self, count: u64) -> Result<()> {
        let bytes = i64::try_from(count * 8).unwrap_or(0);
        self.left += count;
        let moved = self.ids.seek(SeekFrom::Current(-bytes));
        moved.map(drop).map_err(unspooled)
    }
}

fn unspooled(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Error::new(
            Code::Full,
            "the disk for temporary files is full: a sorted list keeps its ids there",
        ),
        _ => Error::internal(format!("the temporary file of a sorted list: {error}")),
    }
}

impl<R: Rows> Reading<R> {
    async fn next(&mut self) -> Result<Chunk<R>> {
        match &mut self.rest {
            Rest::Ids(ids) => {
                let batch: Vec<i64> = ids
                    .as_slice()
                    .iter()
                    .take(self.asked as usize)
                    .copied()
                    .collect();
                let (mut chunk, used) = self.by_ids(&batch).await?;
                if let Rest::Ids(ids) = &mut self.rest {
                    ids.by_ref().take(used).for_each(drop);
                    chunk.last = ids.len() == 0;
                }
                Ok(chunk)
            }
            Rest::Ordered(ordered) => {
                let batch = ordered.take(self.asked)?;
                let (mut chunk, used) = self.by_ids(&batch).await?;
                if let Rest::Ordered(ordered) = &mut self.rest {
                    ordered.put_back((batch.len() - used) as u64)?;
                    chunk.last = ordered.left == 0;
                }
                Ok(chunk)
            }
            Rest::Between(low, high) => {
                let (low, high) = (*low, *high);
                self.between(low, high).await
            }
        }
    }

    /// Asks for about as many records next time as a chunk holds.
    fn learn(&mut self, chunk: &Chunk<R>) {
        if let Some(one) = (chunk.size as u64).checked_div(chunk.count) {
            self.asked = (CHUNK as u64 / one.max(1) + 1).clamp(1, MOST_ROWS);
        }
    }

    /// The records of a list by id from one to another.
    async fn between(&mut self, low: i64, high: i64) -> Result<Chunk<R>> {
        let columns = statements::columns(self.query.noun);
        let select = Select::between(Dialect::Postgres, &self.query, &columns, (low, high));
        let select = select.limit(self.asked);
        let mut chunk = Chunk::new(self.rows.empty());
        let mut seen = 0;
        let mut end = None;
        let (noun, residue) = (self.query.noun, &self.residue);
        rows(&self.inner, &select, |row| {
            seen += 1;
            with_cells(noun, row, |cells| {
                if let Some(Cell::Int(id)) = cells.first() {
                    end = Some(*id);
                }
                if residue.as_ref().is_none_or(|residue| residue.holds(cells)) {
                    chunk.push(noun, cells);
                }
            });
            Ok(!chunk.is_full())
        })
        .await?;
        let is_over = seen < self.asked && !chunk.is_full();
        let next = match (end, self.query.order[0].descending) {
            (Some(end), true) => end.checked_sub(1).map(|end| (low, end)),
            (Some(end), false) => end.checked_add(1).map(|end| (end, high)),
            (None, _) => None,
        };
        match next {
            Some((low, high)) => self.rest = Rest::Between(low, high),
            None => chunk.last = true,
        }
        chunk.last |= is_over;
        self.learn(&chunk);
        if self.residue.is_some() {
            // Few of them may fit.
            self.asked = MOST_ROWS;
        }
        Ok(chunk)
    }

    /// The records with these ids in their order, and how many of the ids were used; one that is gone is left out.
    async fn by_ids(&mut self, ids: &[i64]) -> Result<(Chunk<R>, usize)> {
        let noun = self.query.noun;
        let mut select = Select::of(
            format!(
                "SELECT {} FROM {} JOIN unnest($1::text::bigint[]) WITH ORDINALITY AS wanted (id, place) \
                 ON wanted.id = {}.id ORDER BY wanted.place",
                statements::columns(noun),
                noun.plural,
                noun.plural
            ),
            Vec::new(),
        );
        let list: Vec<String> = ids.iter().map(i64::to_string).collect();
        select
            .params
            .push(Value::Text(format!("{{{}}}", list.join(","))));
        let mut chunk = Chunk::new(self.rows.empty());
        let mut used = ids.len();
        rows(&self.inner, &select, |row| {
            with_cells(noun, row, |cells| {
                chunk.push(noun, cells);
                if chunk.is_full()
                    && let Some(Cell::Int(id)) = cells.first()
                {
                    let place = ids.iter().position(|wanted| wanted == id);
                    used = place.map_or(ids.len(), |place| place + 1);
                }
            });
            Ok(!chunk.is_full())
        })
        .await?;
        self.learn(&chunk);
        Ok((chunk, used))
    }

    async fn highest(&self) -> Result<i64> {
        let text = format!(
            "SELECT coalesce(max(id), 0) FROM {}",
            self.query.noun.plural
        );
        number(&self.inner, &Select::of(text, Vec::new())).await
    }

    /// A page of at most `limit` records.
    async fn page(&self, limit: u64) -> Result<Page<R>> {
        let until = Instant::now() + LIST_PATIENCE;
        let _leave = self.inner.leave_to_list().await?;
        let page = self
            .inner
            .read(left(until), (self, limit), |(reading, limit), session| {
                Box::pin(reading.page_of(session, *limit))
            });
        page.await
    }

    async fn page_of(&self, session: &mut Session, limit: u64) -> Result<Page<R>, Failure> {
        let Some(residue) = &self.residue else {
            let select = Select::page(Dialect::Postgres, &self.query, limit + 1);
            let mut filling = Filling::new(self, limit);
            stream_rows(session, &select, |row| {
                with_cells(self.query.noun, row, |cells| filling.take(cells));
                true
            })
            .await?;
            return Ok(filling.page);
        };
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        session.in_transaction = true;
        session.client.batch_execute(begin).await?;
        let filled = self.fill(session, residue, limit).await;
        let ended = session.client.batch_execute("COMMIT").await;
        let filled = filled?;
        ended?;
        session.in_transaction = false;
        Ok(filled)
    }

    /// Fills a page with what fits: a few records are mostly enough, and then one select goes through all behind them.
    /// Asking for more and more would sort what is left every time.
    async fn fill(
        &self,
        session: &mut Session,
        residue: &Residue,
        limit: u64,
    ) -> Result<Page<R>, Failure> {
        let noun = self.query.noun;
        let mut query = self.query.clone();
        let mut filling = Filling::new(self, limit);
        let asked = FIRST_ROWS.max(limit + 1);
        let select = Select::page(Dialect::Postgres, &query, asked);
        let (mut seen, mut last) = (0, None);
        stream_rows(session, &select, |row| {
            seen += 1;
            with_cells(noun, row, |cells| {
                filling.take_if(residue, cells);
                if seen == asked {
                    last = Some(record(noun, cells));
                }
            });
            true
        })
        .await?;
        let Some(last) = last.filter(|_| !filling.is_over()) else {
            return Ok(filling.page);
        };
        query.after = Some(Cursor::of(&query, &last));
        let select = Select::page(Dialect::Postgres, &query, u64::MAX);
        let client = &session.client;
        let declare = format!("DECLARE page NO SCROLL CURSOR FOR {}", select.text);
        let declare = client.prepare(&declare).await?;
        client.execute(&declare, &slice(&select.params)).await?;
        // Not to be kept: the next page has another cursor of this name.
        let fetch = format!("FETCH FORWARD {FETCHED} FROM page");
        let fetch = client.prepare(&fetch).await?;
        loop {
            let mut seen = 0;
            stream(client, &fetch, &[], |row| {
                seen += 1;
                with_cells(noun, row, |cells| filling.take_if(residue, cells));
                true
            })
            .await?;
            if seen < FETCHED || filling.is_over() {
                return Ok(filling.page);
            }
        }
    }

    /// Remembers the ids of a list in its order; with a limit so many of them, and the cursor of the next page.
    async fn order(&self, next: &mut Option<String>) -> Result<Ordered> {
        let mut ordered = Ordered::new(self.inner.clone())?;
        let noun = self.query.noun;
        let limit = self.query.limit.unwrap_or(u64::MAX);
        let mut select = match self.residue {
            None => Select::ids(Dialect::Postgres, &self.query),
            Some(_) => Select::page(Dialect::Postgres, &self.query, u64::MAX),
        };
        if self.residue.is_none() {
            select = select.limit(limit.saturating_add(1));
        }
        let mut beyond = false;
        let mut last = 0;
        rows(&self.inner, &select, |row| {
            let mut id = match cell(row, 0) {
                Cell::Int(id) => Some(id),
                _ => None,
            };
            if let Some(residue) = &self.residue {
                with_cells(noun, row, |cells| id = id.filter(|_| residue.holds(cells)));
            }
            if let Some(id) = id {
                if ordered.left == limit {
                    beyond = true;
                    // All of an answer without an end is taken: the next to use the connection would have to.
                    return Ok(self.residue.is_some());
                }
                ordered.push(id)?;
                last = id;
            }
            Ok(true)
        })
        .await?;
        if beyond {
            let select = Select::of(
                statements::statements(noun).select.clone(),
                vec![last.into()],
            );
            let query = &self.query;
            rows(&self.inner, &select, |row| {
                with_cells(noun, row, |cells| {
                    *next = Some(query.cursor(&record(noun, cells)));
                });
                Ok(true)
            })
            .await?;
        }
        ordered.rewind()?;
        Ok(ordered)
    }
}

/// A page that is being filled.
struct Filling<'q, R> {
    query: &'q Query,
    limit: u64,
    count: u64,
    last: Option<Record>,
    page: Page<R>,
}

impl<'q, R: Rows> Filling<'q, R> {
    fn new(reading: &'q Reading<R>, limit: u64) -> Filling<'q, R> {
        Filling {
            query: &reading.query,
            limit,
            count: 0,
            last: None,
            page: Page {
                first: Chunk::new(reading.rows.empty()),
                ids: Vec::new(),
                next: None,
            },
        }
    }

    /// Whether there is more than the page.
    fn is_over(&self) -> bool {
        self.count > self.limit
    }

    fn take_if(&mut self, residue: &Residue, cells: &[Cell<'_>]) {
        if !self.is_over() && residue.holds(cells) {
            self.take(cells);
        }
    }

    fn take(&mut self, cells: &[Cell<'_>]) {
        self.count += 1;
        if self.is_over() {
            self.page.next = self.last.take().map(|last| self.query.cursor(&last));
            return;
        }
        if self.count == self.limit {
            self.last = Some(record(self.query.noun, cells));
        }
        match (self.page.first.is_full(), cells.first()) {
            (true, Some(Cell::Int(id))) => self.page.ids.push(*id),
            _ => self.page.first.push(self.query.noun, cells),
        }
    }
}

/// Counts the records of all pages.
async fn count(inner: &Inner, query: &Query) -> Result<u64> {
    let Some(residue) = Residue::of(query) else {
        let count = number(inner, &Select::count(Dialect::Postgres, query)).await?;
        return Ok(count.unsigned_abs());
    };
    let select = Select::unordered(Dialect::Postgres, query);
    let mut count = 0;
    rows(inner, &select, |row| {
        with_cells(query.noun, row, |cells| {
            count += u64::from(residue.holds(cells));
        });
        Ok(true)
    })
    .await?;
    Ok(count)
}

/// Runs a select and hands over its rows for as long as `each` answers true. Tries once more over another connection where
/// the first is lost before its first row.
async fn rows(
    inner: &Inner,
    select: &Select,
    mut each: impl FnMut(&Row) -> Result<bool> + Send,
) -> Result<()> {
    let _leave = inner.leave_to_list().await?;
    let mut is_first = true;
    loop {
        let mut session = Busy::new(Box::pin(inner.session(PATIENCE)).await?);
        let (mut seen, mut failed) = (false, None);
        let asked = stream_rows(&mut session, select, |row| {
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
                session.failed(inner, &failure);
                let is_late = matches!(failure, Failure::Late);
                if !failure.is_lost() || is_late || seen || !is_first {
                    return Err(failure.error());
                }
                is_first = false;
            }
        }
    }
}

/// The same over one connection. What is not taken of an answer is read and forgotten, so that a select has to have a
/// limit unless all of it is wanted.
async fn stream_rows(
    session: &mut Session,
    select: &Select,
    each: impl FnMut(&Row) -> bool + Send,
) -> Result<(), Failure> {
    let prepare = async {
        // Those that come again and again have few parameters.
        match select.params.len() <= MOST_KEPT_PARAMS {
            true => session.prepared(&select.text).await,
            false => session.client.prepare(&select.text).await,
        }
    };
    let statement = within(LIST_PATIENCE, prepare).await?;
    stream(&session.client, &statement, &select.params, each).await
}

async fn stream(
    client: &Client,
    statement: &Statement,
    params: &[Value],
    mut each: impl FnMut(&Row) -> bool + Send,
) -> Result<(), Failure> {
    let rows = within(LIST_PATIENCE, client.query_raw(statement, slice(params))).await?;
    pin_mut!(rows);
    while let Some(row) = within(LIST_PATIENCE, rows.next().map(Option::transpose)).await? {
        if !each(&row) {
            break;
        }
    }
    Ok(())
}

/// The number that a select answers.
async fn number(inner: &Inner, select: &Select) -> Result<i64> {
    let mut number = 0;
    rows(inner, select, |row| {
        if let Cell::Int(found) = cell(row, 0) {
            number = found;
        }
        Ok(true)
    })
    .await?;
    Ok(number)
}

/// Hands over a row of [`statements::columns`] without a copy of it.
fn with_cells(noun: &Noun, row: &Row, take: impl FnOnce(&[Cell<'_>])) {
    let cells: Vec<Cell<'_>> = (0..=noun.fields.len()).map(|at| cell(row, at)).collect();
    take(&cells);
}

fn record(noun: &'static Noun, cells: &[Cell<'_>]) -> Record {
    let values = cells.iter().map(|cell| Value::from(*cell)).collect();
    Record { noun, values }
}
