//! A page: its first records, and the ids of the others.
//!
//! If crm itself decides which records fit (`residue`), a page that the first records do not fill goes through all records
//! after them, in one snapshot.

use std::time::Duration;

use super::rows::{read_over, record, stream, with_cells};
use crate::base::error::Result;
use crate::model::query::{Cursor, Query};
use crate::model::record::Record;
use crate::model::rows::Rows;
use crate::model::value::Cell;
use crate::store::chunk::Chunk;
use crate::store::postgres::cells::slice;
use crate::store::postgres::database::PgDatabase;
use crate::store::postgres::failure::Failure;
use crate::store::postgres::link::PgSession;
use crate::store::postgres::residue::Residue;
use crate::store::sql::select::{Dialect, Select};

/// How many records are requested first for a page with a residue.
const FILLED_FIRST: u64 = 100;

/// How many records are fetched at once from a select that goes through all of them.
const FETCHED: u64 = 5_000;

/// A page.
pub(super) struct ListPage<R> {
    pub(super) first: Chunk<R>,
    /// The ids of the other records.
    pub(super) ids: Vec<i64>,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
}

/// The request for a page.
pub(super) struct PageRequest<'q, R> {
    pub(super) query: &'q Query,
    pub(super) residue: Option<&'q Residue>,
    /// The most records of the page.
    pub(super) limit: u64,
    /// An empty value of the page's rows.
    pub(super) rows: &'q R,
    /// How long it may take.
    pub(super) pace: Duration,
}

impl<R: Rows> PageRequest<'_, R> {
    /// Reads the page.
    pub(super) async fn read(&self, database: &PgDatabase) -> Result<ListPage<R>> {
        let page = database.read(self.pace, self, |request, session| {
            Box::pin(request.read_over(session))
        });
        database.paced(self.pace, page).await
    }

    async fn read_over(&self, session: &mut PgSession) -> Result<ListPage<R>, Failure> {
        let Some(residue) = self.residue else {
            let select = Select::page(Dialect::Postgres, self.query, self.limit + 1);
            let mut page = PageBuilder::new(self);
            read_over(session, &select, |row| {
                with_cells(self.query.noun, row, |cells| page.take(cells));
                true
            })
            .await?;
            return Ok(page.page);
        };
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        session.in_transaction = true;
        session.client.batch_execute(begin).await?;
        let filled = self.fill(session, residue).await;
        let ended = session.client.batch_execute("COMMIT").await;
        let filled = filled?;
        ended?;
        session.in_transaction = false;
        Ok(filled)
    }

    /// Fills a page with the records that fit. A few records are usually enough. If not, one select goes through all
    /// records after them, because each further select would sort the rest again.
    async fn fill(
        &self,
        session: &mut PgSession,
        residue: &Residue,
    ) -> Result<ListPage<R>, Failure> {
        let noun = self.query.noun;
        let mut query = self.query.clone();
        let mut page = PageBuilder::new(self);
        let asked = FILLED_FIRST.max(self.limit + 1);
        let select = Select::page(Dialect::Postgres, &query, asked);
        let (mut seen, mut last) = (0, None);
        read_over(session, &select, |row| {
            seen += 1;
            with_cells(noun, row, |cells| {
                page.take_if(residue, cells);
                if seen == asked {
                    last = Some(record(noun, cells));
                }
            });
            true
        })
        .await?;
        let Some(last) = last.filter(|_| !page.is_over()) else {
            return Ok(page.page);
        };
        query.after = Some(Cursor::of(&query.order, &last));
        let select = Select::page(Dialect::Postgres, &query, u64::MAX);
        let client = &session.client;
        let declare = format!("DECLARE page NO SCROLL CURSOR FOR {}", select.text);
        let declare = client.prepare(&declare).await?;
        client.execute(&declare, &slice(&select.params)).await?;
        // Not kept prepared: the next page has another cursor of this name.
        let fetch = format!("FETCH FORWARD {FETCHED} FROM page");
        let fetch = client.prepare(&fetch).await?;
        loop {
            let mut seen = 0;
            stream(client, &fetch, &[], |row| {
                seen += 1;
                with_cells(noun, row, |cells| page.take_if(residue, cells));
                true
            })
            .await?;
            if seen < FETCHED || page.is_over() {
                return Ok(page.page);
            }
        }
    }
}

/// A page that is being filled.
struct PageBuilder<'q, R> {
    query: &'q Query,
    limit: u64,
    count: u64,
    last: Option<Record>,
    page: ListPage<R>,
}

impl<'q, R: Rows> PageBuilder<'q, R> {
    fn new(request: &PageRequest<'q, R>) -> PageBuilder<'q, R> {
        PageBuilder {
            query: request.query,
            limit: request.limit,
            count: 0,
            last: None,
            page: ListPage {
                first: Chunk::new(request.rows.empty()),
                ids: Vec::new(),
                next: None,
            },
        }
    }

    /// Whether more records were found than the page can hold.
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
