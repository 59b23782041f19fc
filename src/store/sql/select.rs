//! The selects of a list: filters, order and cursor as SQL. Where the databases differ, `Dialect` says for which one the
//! text is.

mod text;

mod filters;
mod order;

use filters::Walk;

use super::statements::{columns, key};
use crate::model::query::Query;

pub(crate) use filters::LONGEST_INDEXED;
pub use text::Dialect;
pub(crate) use text::Select;

impl Select {
    /// The number of records on all pages.
    pub(crate) fn count(dialect: Dialect, query: &Query) -> Select {
        let mut select = Select::from(dialect, query.noun, "count(*)");
        select.conditions(query, Walk::Once, false);
        select
    }

    /// The records in order after the cursor, at most `limit`.
    pub(crate) fn page(dialect: Dialect, query: &Query, limit: u64) -> Select {
        let mut select = Select::from(dialect, query.noun, &columns(query.noun));
        select.conditions(query, Walk::Once, true);
        select.order(query);
        select.limit(limit)
    }

    /// The records on all pages, in any order.
    pub(crate) fn unordered(dialect: Dialect, query: &Query) -> Select {
        let mut select = Select::from(dialect, query.noun, &columns(query.noun));
        select.conditions(query, Walk::Once, false);
        select
    }

    /// The ids in order after the cursor.
    pub(crate) fn ids(dialect: Dialect, query: &Query) -> Select {
        let mut select = Select::from(dialect, query.noun, &key(query.noun));
        select.conditions(query, Walk::Once, true);
        select.order(query);
        select
    }

    /// These [`columns`] of the records from one id to another, in the query's order of ids. The cursor is not looked at,
    /// because the ids [begin after it](Query::between).
    pub(crate) fn between(
        dialect: Dialect,
        query: &Query,
        columns: &str,
        (low, high): (i64, i64),
    ) -> Select {
        let id = key(query.noun);
        let mut select = Select::from(dialect, query.noun, columns);
        select.conditions(query, Walk::ById, false);
        select.push(" AND ").push(&id).push(" >= ").value(low);
        select.push(" AND ").push(&id).push(" <= ").value(high);
        select.order(query);
        select
    }
}
