//! The rules of a feed, which is the same for all databases: what a cursor promises, and when it can no longer be kept.
//!
//! Whoever reads on from a cursor sees every change exactly once. So a list ends at the horizon, the last number below
//! which nothing can appear any more, and its cursor says that everything up to there was read, whether or not it passed
//! the filters. A cursor is refused if the database is another one than it came from, or if changes after it were removed.

use crate::base::error::{Code, Error, Result};
use crate::model::query::{Cursor, Query};
use crate::model::value::Value;

/// The state of a feed at the beginning of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Feed {
    /// The name of the sequence. A restored or copied database has another one.
    pub(crate) epoch: String,
    /// No number up to this one can appear any more.
    pub(crate) horizon: i64,
    /// The greatest number that was given.
    pub(crate) newest: i64,
    /// The highest number whose change is not kept any more, 0 if all are.
    pub(crate) removed: i64,
}

impl Feed {
    /// Lets a query end at the horizon. Fails if it cannot be read on from its cursor.
    pub(crate) fn bound(&self, query: &mut Query) -> Result<()> {
        query.up_to = Some(self.horizon);
        let Some(feed) = &mut query.feed else {
            return Ok(());
        };
        let known = feed.epoch.replace(self.epoch.clone());
        if known.is_some_and(|known| known != self.epoch) {
            return Err(gone(
                "the cursor comes from another database, or from before a restore or a copy of this one",
            ));
        }
        if feed.from_end {
            query.after = Some(Cursor(vec![Value::Int(self.horizon)]));
        }
        match place(query) {
            Some(place) if place > self.newest.max(self.horizon) => Err(gone(
                "the cursor comes from a state of the database that was lost since",
            )),
            place => kept(place, self.removed),
        }
    }

    /// The cursor at the end of a list that is read up to the horizon. `None` if the query is no feed.
    pub(crate) fn end(&self, query: &Query) -> Option<String> {
        query.feed.as_ref()?;
        // The horizon may be behind an earlier one while a transaction goes on. Up to the earlier one, all is known.
        let end = self.horizon.max(place(query).unwrap_or(self.horizon));
        query.cursor_by_id(end)
    }
}

/// The number after which a feed is read. `None` for its beginning, which promises nothing.
pub(crate) fn place(query: &Query) -> Option<i64> {
    query.feed.as_ref()?;
    query.after.as_ref()?.0.first()?.int()
}

/// Fails if changes after a place were removed. They are removed from the old end only. Called after reading, because they
/// may have been removed meanwhile.
pub(crate) fn kept(place: Option<i64>, removed: i64) -> Result<()> {
    match place {
        Some(place) if place < removed => Err(gone(
            "the changes that follow the cursor are no longer kept",
        )),
        _ => Ok(()),
    }
}

/// The error for a cursor that cannot be read on from.
fn gone(why: &str) -> Error {
    Error {
        code: Code::Gone,
        ..Error::field(
            "after",
            format!(
                "{why}; take a new cursor with after=end, then read the records themselves, and go on from that cursor"
            ),
        )
    }
}
