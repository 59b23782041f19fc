//! The state of the sequence of changes. There is one writer, so the changes are in the order of their commits.

use rusqlite::Connection;

use super::rows::each_row;
use crate::base::error::{Error, Result};
use crate::store::feed::Feed;
use crate::store::sql::select::Select;
use crate::store::sqlite::error::map_err;

/// The state at the beginning of a list.
pub(super) fn state(connection: &Connection) -> Result<Feed> {
    let text = "SELECT (SELECT epoch FROM crm_epoch), (SELECT max(seq) FROM crm_changes), (SELECT removed FROM crm_epoch)";
    let mut feed = None;
    each_row(connection, &Select::of(text.into(), Vec::new()), |row| {
        let read = || {
            let horizon = row.get::<_, Option<i64>>(1)?.unwrap_or_default();
            Ok(Feed {
                epoch: row.get(0)?,
                horizon,
                newest: horizon,
                removed: row.get::<_, Option<i64>>(2)?.unwrap_or_default(),
            })
        };
        feed = Some(read().map_err(|error| map_err(&error))?);
        Ok(false)
    })?;
    feed.ok_or_else(|| Error::internal("the sequence of changes has no state"))
}

/// The highest number whose change is not kept any more.
pub(super) fn removed(connection: &Connection) -> Result<i64> {
    let mut removed = 0;
    let select = Select::of("SELECT removed FROM crm_epoch".into(), Vec::new());
    each_row(connection, &select, |row| {
        removed = row.get(0).map_err(|error| map_err(&error))?;
        Ok(false)
    })?;
    Ok(removed)
}
