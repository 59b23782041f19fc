//! Long lists that are not in the order of ids: their ids are in a temporary table, which SQLite keeps in a file.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::rows::{each_row, fill, int, push};
use crate::base::error::Result;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::model::rows::Rows;
use crate::model::value::Value;
use crate::store::chunk::{Chunk, MOST_ORDERED, too_many_ordered};
use crate::store::contract::Listing;
use crate::store::sql::select::{Dialect, Select};
use crate::store::sql::statements;
use crate::store::sqlite::database::Database;
use crate::store::sqlite::error::map_err;

/// How many records of a view are looked up in one step.
const STEP: i64 = 1_000;

/// A connection with the ids of a list in order.
pub(crate) struct OrderedIds {
    connection: Connection,
    _permit: OrderedPermit,
}

/// One of the [`MOST_ORDERED`] lists that may be read at once.
struct OrderedPermit(Arc<Database>);

impl OrderedPermit {
    fn take(database: &Arc<Database>) -> Result<OrderedPermit> {
        let before = database.ordered.fetch_add(1, Ordering::Relaxed);
        let permit = OrderedPermit(database.clone());
        match before < MOST_ORDERED {
            true => Ok(permit),
            false => Err(too_many_ordered()),
        }
    }
}

impl Drop for OrderedPermit {
    fn drop(&mut self) {
        self.0.ordered.fetch_sub(1, Ordering::Relaxed);
    }
}

impl OrderedIds {
    /// Puts the ids of a list into a temporary table, in the list's order. If the query has a limit, reads only that many,
    /// and puts the cursor into the listing.
    pub(crate) fn read<R>(
        database: &Arc<Database>,
        query: &Query,
        listing: &mut Listing<R>,
    ) -> Result<OrderedIds> {
        let _permit = OrderedPermit::take(database)?;
        let connection = database.connect()?;
        let ids = OrderedIds {
            connection,
            _permit,
        };
        let limit = query.limit.unwrap_or(u64::MAX);
        let count = ids.fill(query, limit).map_err(|error| map_err(&error))?;
        if count as u64 > limit {
            let mut place = i64::try_from(limit).unwrap_or(i64::MAX) - 1;
            let mut last = Chunk::new(Vec::<Record>::new());
            ids.next(query, &mut place, &mut last)?;
            listing.next = last.rows.first().map(|last| query.cursor(last));
            ids.connection
                .execute("DELETE FROM temp.ordered WHERE place > $1", [limit as i64])
                .map_err(|error| map_err(&error))?;
        }
        Ok(ids)
    }

    fn fill(&self, query: &Query, limit: u64) -> rusqlite::Result<usize> {
        self.connection.execute_batch(
            "CREATE TEMP TABLE ordered (place INTEGER PRIMARY KEY, id INTEGER NOT NULL)",
        )?;
        let select = Select::ids(Dialect::Sqlite, query).limit(limit.saturating_add(1));
        let sql = format!("INSERT INTO temp.ordered (id) {}", select.text);
        self.connection
            .execute(&sql, rusqlite::params_from_iter(&select.params))
    }

    /// Reads the records after a place in the order, and moves the place to the last of them.
    pub(crate) fn next<R: Rows>(
        &self,
        query: &Query,
        place: &mut i64,
        chunk: &mut Chunk<R>,
    ) -> Result<()> {
        let noun = query.noun;
        if noun.is_view() {
            return self.next_of_view(query, place, chunk);
        }
        let table = noun.plural;
        // CROSS JOIN keeps SQLite from swapping the two tables.
        let text = format!(
            "SELECT {}, ordered.place FROM temp.ordered CROSS JOIN {table} ON {table}.id = ordered.id \
             WHERE ordered.place > $1 ORDER BY ordered.place",
            statements::columns(noun)
        );
        let select = Select::of(text, vec![Value::Int(*place)]);
        fill(&self.connection, noun, &select, chunk, |row| {
            *place = int(row, noun.fields.len() + 1);
        })
    }

    /// The same for a view. Each record is read by its id, because a join would make SQLite compute the whole view again.
    fn next_of_view<R: Rows>(
        &self,
        query: &Query,
        place: &mut i64,
        chunk: &mut Chunk<R>,
    ) -> Result<()> {
        // These are the columns of the temporary table, not those of the view.
        let text = "SELECT id, place FROM temp.ordered WHERE place > $1 ORDER BY place LIMIT $2";
        let select = Select::of(text.into(), vec![Value::Int(*place), Value::Int(STEP)]);
        let mut next: Vec<(i64, i64)> = Vec::new();
        each_row(&self.connection, &select, |row| {
            next.push((int(row, 0), int(row, 1)));
            Ok(true)
        })?;
        let is_end = (next.len() as i64) < STEP;
        let text = &statements::statements(query.noun).select;
        let mut select = Select::of(text.clone(), Vec::new());
        let mut left = next.len();
        for (id, at) in next {
            select.params = vec![Value::Int(id)];
            each_row(&self.connection, &select, |row| {
                push(chunk, query.noun, row);
                Ok(true)
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
}
