//! placeholder
use crate::error::{Error, Result};
pub(crate) fn prepare(
    _path: &std::path::Path,
    conn: &mut rusqlite::Connection,
) -> Result<Option<String>> {
    let v: i64 = conn
        .query_row("PRAGMA user_version", [], |r| r.get(0))
        .map_err(Error::internal)?;
    if v == 0 {
        conn.execute_batch(concat!(
            "BEGIN;",
            include_str!("../schema/0001_records.sql"),
            ";PRAGMA user_version=1; COMMIT"
        ))
        .map_err(Error::internal)?;
    }
    Ok(None)
}
