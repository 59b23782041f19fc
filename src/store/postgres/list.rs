//! Lists: pages, and whole lists in chunks.
//!
//! As on SQLite, no chunk outlives its statement, so a slow reader holds no connection, no snapshot and little memory.
//! Between two chunks, a page keeps the ids of its other records. A whole list by id keeps the last id, and the highest id
//! at the start. A whole list in another order keeps all of its ids, in a local temporary file if they are many.

pub(super) mod feed;
mod page;
mod rows;
mod sorted;
mod spool;

pub(super) use feed::{horizon, state_text};

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;

use super::cells::cell;
use super::database::{LIST_PATIENCE, PgDatabase};
use super::residue::Residue;
use crate::base::error::{Error, Result};
use crate::model::query::Query;
use crate::model::rows::Rows;
use crate::model::value::{Cell, Value};
use crate::store::budget::{SHORT, too_long};
use crate::store::chunk::{CHUNK, Chunk, REMEMBERED};
use crate::store::contract::{Chunks, Listing};
use crate::store::feed::{Feed, kept, place};
use crate::store::sql::faults::{Dangling, Faults, Repairs};
use crate::store::sql::select::{Dialect, Select};
use crate::store::sql::statements;
use page::PageRequest;
use rows::{cells_of, number, read, record, with_cells};
use sorted::SortedIds;
use spool::SpooledIds;

/// How many records are requested while their size is unknown.
const FIRST_ROWS: u64 = 100;

/// The most records that are requested at once.
const MOST_ROWS: u64 = 4_000;

/// Starts a list. It begins as a short one, and again as a long one if it is not done after a moment.
pub(super) async fn list<R: Rows>(
    database: Arc<PgDatabase>,
    query: Query,
    rows: R,
) -> Result<Listing<R>> {
    let begun = begin(&database, query.clone(), rows.empty(), SHORT).await;
    let (mut listing, reader) = match begun {
        Err(error) if error == too_long(SHORT) => {
            let longest = database.queries.longest();
            let permits = database.queries.permits();
            let _permit = permits.acquire_owned().await.map_err(Error::internal)?;
            let begun = Box::pin(begin(&database, query, rows, longest));
            let begun = tokio::time::timeout(longest, begun).await;
            begun.unwrap_or_else(|_| Err(too_long(longest)))?
        }
        begun => begun?,
    };
    if reader.is_none() {
        return Ok(listing);
    }
    let rest = stream::unfold(reader, |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(chunk) if chunk.last => Some((Ok(chunk.rows), None)),
            Ok(chunk) => Some((Ok(chunk.rows), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    });
    listing.rest = Some(Box::pin(rest) as Chunks<R>);
    Ok(listing)
}

/// Reads the first records of a list. Returns the reader of the others, if there are any. Each statement takes at most
/// `pace`.
async fn begin<R: Rows>(
    database: &Arc<PgDatabase>,
    mut query: Query,
    rows: R,
    pace: Duration,
) -> Result<(Listing<R>, Option<ListReader<R>>)> {
    let mut listing = Listing {
        total: None,
        next: None,
        is_behind: false,
        first: rows.empty(),
        rest: None,
    };
    let mut end = None;
    if query.noun.is_feed() {
        // Before the rows, in a statement of its own: they need a later snapshot.
        let feed = feed::state(database, pace).await?;
        feed.bound(&mut query)?;
        listing.is_behind = feed.horizon < feed.newest;
        end = feed.end(&query);
    }
    if query.count {
        listing.total = Some(count(database, pace, &query).await?);
    }
    let mut reader = ListReader {
        rest: RestOfList::Ids(Vec::new().into_iter()),
        rows,
        residue: Residue::of(&query),
        asked: FIRST_ROWS,
        pace,
        database: database.clone(),
        read_to: place(&query),
        query,
    };
    match reader.query.limit {
        Some(limit) if limit <= REMEMBERED && !reader.query.by_attributes() => {
            let request = PageRequest {
                query: &reader.query,
                residue: reader.residue.as_ref(),
                limit,
                rows: &reader.rows,
                pace,
            };
            let page = request.read(&reader.database).await?;
            listing.first = page.first.rows;
            listing.next = page.next.or(end);
            reader.check_kept().await?;
            if page.ids.is_empty() {
                return Ok((listing, None));
            }
            reader.read_to = page.ids.first().map(|id| id - 1);
            reader.rest = RestOfList::Ids(page.ids.into_iter());
        }
        limit => {
            reader.rest = match limit {
                None if reader.query.by_id() => {
                    let highest = match reader.query.up_to {
                        Some(last) => last,
                        None => reader.highest().await?,
                    };
                    let (low, high) = reader.query.between(highest);
                    RestOfList::Between(low, high)
                }
                _ if reader.query.by_attributes() => {
                    RestOfList::Ordered(reader.order_by_attributes(&mut listing.next).await?)
                }
                _ => RestOfList::Ordered(reader.order(&mut listing.next).await?),
            };
            listing.next = listing.next.or(end);
            let chunk = reader.read_next().await?;
            listing.first = chunk.rows;
            if chunk.last {
                return Ok((listing, None));
            }
        }
    }
    Ok((listing, Some(reader)))
}

/// A list between two chunks.
struct ListReader<R> {
    database: Arc<PgDatabase>,
    query: Query,
    /// An empty value of the list's rows.
    rows: R,
    residue: Option<Residue>,
    /// How many records are requested for the next chunk.
    asked: u64,
    /// How long one statement may take.
    pace: Duration,
    rest: RestOfList,
    /// Of a feed: up to where it was read.
    read_to: Option<i64>,
}

/// The records that are still to come.
enum RestOfList {
    /// The records with these ids, in this order.
    Ids(std::vec::IntoIter<i64>),
    /// The records from one id to another.
    Between(i64, i64),
    /// The records of remembered ids.
    Ordered(SpooledIds),
}

impl<R: Rows> ListReader<R> {
    /// Reads the next chunk, as a long one if it is not done after a moment.
    async fn next(&mut self) -> Result<Chunk<R>> {
        if self.pace == SHORT {
            match self.read_next().await {
                // Only a search fails so, and it has changed nothing. Records are looked up by their ids at once.
                Err(error) if error == too_long(SHORT) => {}
                read => return read,
            }
        }
        self.pace = self.database.queries.longest();
        let permits = self.database.queries.permits();
        let _permit = permits.acquire_owned().await.map_err(Error::internal)?;
        self.read_next().await
    }

    async fn read_next(&mut self) -> Result<Chunk<R>> {
        match &mut self.rest {
            RestOfList::Ids(ids) => {
                let batch: Vec<i64> = ids
                    .as_slice()
                    .iter()
                    .take(self.asked as usize)
                    .copied()
                    .collect();
                let (mut chunk, used) = self.by_ids(&batch).await?;
                if let RestOfList::Ids(ids) = &mut self.rest {
                    ids.by_ref().take(used).for_each(drop);
                    chunk.last = ids.len() == 0;
                }
                Ok(chunk)
            }
            RestOfList::Ordered(ordered) => {
                let batch = ordered.take(self.asked)?;
                let (mut chunk, used) = self.by_ids(&batch).await?;
                if let RestOfList::Ordered(ordered) = &mut self.rest {
                    ordered.put_back((batch.len() - used) as u64)?;
                    chunk.last = ordered.left() == 0;
                }
                Ok(chunk)
            }
            RestOfList::Between(low, high) => {
                let (low, high) = (*low, *high);
                self.between(low, high).await
            }
        }
    }

    /// Fails if changes after a place in a feed were removed while it was read.
    async fn check_kept(&self) -> Result<()> {
        match self.query.reads_feed() && self.read_to.is_some() {
            true => {
                let removed = feed::removed(&self.database, LIST_PATIENCE).await?;
                kept(self.read_to, removed)
            }
            false => Ok(()),
        }
    }

    /// Sets the next request to about as many records as fit into a chunk.
    fn learn(&mut self, chunk: &Chunk<R>) {
        if let Some(one) = (chunk.size as u64).checked_div(chunk.count) {
            self.asked = (CHUNK as u64 / one.max(1) + 1).clamp(1, MOST_ROWS);
        }
    }

    /// The next records of a list by id, from one id to another.
    async fn between(&mut self, low: i64, high: i64) -> Result<Chunk<R>> {
        let columns = statements::columns(self.query.noun);
        let select = Select::between(Dialect::Postgres, &self.query, &columns, (low, high));
        let select = select.limit(self.asked);
        let mut chunk = Chunk::new(self.rows.empty());
        let mut seen = 0;
        let mut end = None;
        let (noun, residue) = (self.query.noun, &self.residue);
        read(&self.database, self.pace, &select, |row| {
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
        self.check_kept().await?;
        self.read_to = end.or(self.read_to);
        let is_over = seen < self.asked && !chunk.is_full();
        let next = match (end, self.query.order[0].descending) {
            (Some(end), true) => end.checked_sub(1).map(|end| (low, end)),
            (Some(end), false) => end.checked_add(1).map(|end| (end, high)),
            (None, _) => None,
        };
        match next {
            Some((low, high)) => self.rest = RestOfList::Between(low, high),
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

    /// The records with these ids in this order, and how many of the ids were used. A deleted record is left out.
    async fn by_ids(&mut self, ids: &[i64]) -> Result<(Chunk<R>, usize)> {
        let noun = self.query.noun;
        let mut select = Select::of(
            format!(
                "SELECT {} FROM {} JOIN unnest($1::text::bigint[]) WITH ORDINALITY AS wanted (id, place) \
                 ON wanted.id = {} ORDER BY wanted.place",
                statements::columns(noun),
                statements::table(noun),
                statements::key(noun)
            ),
            Vec::new(),
        );
        let list: Vec<String> = ids.iter().map(i64::to_string).collect();
        select
            .params
            .push(Value::Text(format!("{{{}}}", list.join(","))));
        let mut chunk = Chunk::new(self.rows.empty());
        let mut used = ids.len();
        // These are few, and looked up by an index. A long wait for them is no search.
        read(&self.database, LIST_PATIENCE, &select, |row| {
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
        self.check_kept().await?;
        self.read_to = chunk.end.or(self.read_to);
        self.learn(&chunk);
        Ok((chunk, used))
    }

    async fn highest(&self) -> Result<i64> {
        let noun = self.query.noun;
        let text = format!(
            "SELECT coalesce(max({}), 0) FROM {}",
            statements::key(noun),
            statements::table(noun)
        );
        number(&self.database, self.pace, &Select::of(text, Vec::new())).await
    }

    /// Remembers the ids of a list in its order, at most as many as its limit, and the cursor of the next page.
    async fn order(&self, next: &mut Option<String>) -> Result<SpooledIds> {
        let mut ordered = SpooledIds::new(self.database.clone())?;
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
        read(&self.database, self.pace, &select, |row| {
            let mut id = match cell(row, 0) {
                Cell::Int(id) => Some(id),
                _ => None,
            };
            if let Some(residue) = &self.residue {
                with_cells(noun, row, |cells| id = id.filter(|_| residue.holds(cells)));
            }
            if let Some(id) = id {
                if ordered.left() == limit {
                    beyond = true;
                    // A select without a limit is read to its end here. Otherwise the next user of the connection would
                    // have to do that.
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
            read(&self.database, LIST_PATIENCE, &select, |row| {
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

    /// The same for a list in the order of attributes: crm reads all records that match, and sorts them.
    async fn order_by_attributes(&self, next: &mut Option<String>) -> Result<SpooledIds> {
        let mut ordered = SpooledIds::new(self.database.clone())?;
        let (noun, residue) = (self.query.noun, self.residue.as_ref());
        let mut sorted = SortedIds::new(&self.query);
        let select = Select::unordered(Dialect::Postgres, &self.query);
        read(&self.database, self.pace, &select, |row| {
            let mut pushed = Ok(());
            with_cells(noun, row, |cells| {
                if residue.is_none_or(|residue| residue.holds(cells)) {
                    pushed = sorted.push(&self.query.order, cells);
                }
            });
            pushed.map(|()| true)
        })
        .await?;
        let limit = self.query.limit.unwrap_or(u64::MAX);
        let mut last = Vec::new();
        sorted.each(|key, id| {
            let is_beyond = ordered.left() == limit;
            if is_beyond {
                let values = sorted::values(noun, &self.query.order, &last);
                *next = Some(self.query.cursor_of(values));
            } else {
                ordered.push(id)?;
                last = key;
            }
            Ok(!is_beyond)
        })?;
        ordered.rewind()?;
        Ok(ordered)
    }
}

/// The state of the sequence of changes, and for how long the oldest unfinished write has held its horizon back.
pub(super) async fn feed_state(database: &PgDatabase, pace: Duration) -> Result<(Feed, Duration)> {
    let held = feed::held(database, pace).await?;
    Ok((feed::state(database, pace).await?, held))
}

/// Counts the records of all pages.
async fn count(database: &PgDatabase, pace: Duration, query: &Query) -> Result<u64> {
    let Some(residue) = Residue::of(query) else {
        let count = number(database, pace, &Select::count(Dialect::Postgres, query)).await?;
        return Ok(count.unsigned_abs());
    };
    let select = Select::unordered(Dialect::Postgres, query);
    let mut count = 0;
    read(database, pace, &select, |row| {
        with_cells(query.noun, row, |cells| {
            count += u64::from(residue.holds(cells));
        });
        Ok(true)
    })
    .await?;
    Ok(count)
}

/// A check takes as long as it takes.
const CHECK_PACE: Duration = Duration::from_secs(1 << 30);

/// Looks at every value of every record for those that crm would not have written. `url` is shown in the commands that
/// repair a value.
pub(super) async fn faults(database: &PgDatabase, url: &str) -> Result<Faults> {
    let repairs = Repairs::of_postgres(url);
    let mut faults = Faults::default();
    for noun in database.nouns.iter().filter(|noun| !noun.is_view()) {
        let (columns, table) = (statements::columns(noun), noun.plural);
        let text = format!("SELECT {columns} FROM {table} ORDER BY {table}.id");
        read(database, CHECK_PACE, &Select::of(text, Vec::new()), |row| {
            faults.look(noun, &repairs, cells_of(row));
            Ok(true)
        })
        .await?;
    }
    Ok(faults)
}

/// Finds the references to missing records, one line each. The database refuses them, unless its constraints were turned
/// off meanwhile, as a program that loads data does.
pub(super) async fn dangling(database: &PgDatabase, url: &str) -> Result<Vec<String>> {
    let mut found = Dangling::default();
    for &noun in database.nouns.iter().filter(|noun| !noun.is_view()) {
        for (field, text) in Dangling::selects(noun, "$ IS NOT NULL") {
            read(database, CHECK_PACE, &Select::of(text, Vec::new()), |row| {
                if let (Cell::Int(id), Cell::Int(missing)) = (cell(row, 0), cell(row, 1)) {
                    found.add(noun, id, field, missing);
                }
                Ok(true)
            })
            .await?;
        }
    }
    Ok(found.lines(&Repairs::of_postgres(url)))
}
