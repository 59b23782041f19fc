//! The statements on the table that finds the changes of a record.

use rusqlite::Connection;

/// How many changes are not in the table.
pub(super) fn rest(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(seq), 0) - (SELECT changes FROM crm_indexed) FROM crm_changes";
    let mut rest = connection.prepare_cached(sql)?;
    rest.query_row([], |row| row.get(0))
}

/// Adds all changes to the table, in the transaction that is open.
pub(super) fn fill(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO crm_record_changes SELECT record_id, seq FROM crm_changes \
         WHERE seq > (SELECT changes FROM crm_indexed) ORDER BY record_id, seq",
        )?
        .execute([])?;
    let mut mark = connection.prepare_cached(
        "UPDATE crm_indexed SET changes = (SELECT coalesce(max(seq), 0) FROM crm_changes)",
    )?;
    mark.execute([]).map(drop)
}
