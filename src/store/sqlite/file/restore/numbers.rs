//! Changes the versions and ids of a restored database, so that none is reused that the old database may have shown to
//! somebody.

use rusqlite::{Connection, params};

use crate::store::sqlite::file::schema::{FileState, Schema};

/// Adds a random number, which is unlikely to be drawn twice, to all versions. So an ETag from the time between backup and
/// restore does not match a later state of its record.
pub(crate) fn renumber(new: &Connection, schema: Schema<'_>) -> rusqlite::Result<()> {
    // 2^32 to 2^48 leaves room for thousands of restores and for the changes between them.
    let jump = "SELECT 4294967296 + abs(random() % 281470681743360)";
    let jump: i64 = new.query_row(jump, [], |row| row.get(0))?;
    unjournaled(new, || {
        for noun in schema.tables() {
            let sql = format!("UPDATE {} SET version = version + ?1", noun.plural);
            new.execute(&sql, [jump])?;
        }
        // The kept results of requests hold the versions of their records.
        let kept = "UPDATE crm_idempotency_keys SET version = version + ?1 WHERE version > 0";
        new.execute(kept, [jump])?;
        Ok(())
    })
}

/// Changes a database that has no final name yet, without a journal: an interruption leaves a part that nobody uses.
fn unjournaled(
    new: &Connection,
    change: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    new.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(()))?;
    new.execute_batch("BEGIN")?;
    change()?;
    new.execute_batch("COMMIT")?;
    new.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
}

/// Keeps the new database from assigning an id that the old one has assigned.
pub(crate) fn spare_ids(
    new: &Connection,
    old: &Connection,
    schema: Schema<'_>,
) -> rusqlite::Result<()> {
    let given = |old: &Connection| {
        let mut all = old.prepare("SELECT name, seq FROM sqlite_sequence")?;
        let all = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        all.collect::<rusqlite::Result<Vec<(String, i64)>>>()
    };
    // The ids of another program's database do not count, nor does a file that is not a database.
    let given = match schema.state(old) {
        Ok(FileState::Ready | FileState::Older(_) | FileState::Earlier) => {
            given(old).unwrap_or_default()
        }
        _ => return Ok(()),
    };
    let ours = schema.model(usize::MAX)?;
    let is_ours = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    unjournaled(new, || {
        for (table, last) in given {
            if ours.query_row(is_ours, [&table], |row| row.get::<_, i64>(0))? == 0 {
                continue;
            }
            let forward = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
            if new.execute(forward, params![table, last])? == 0 {
                let begin = "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";
                new.execute(begin, params![table, last])?;
            }
        }
        Ok(())
    })
}
