//! Changes the versions, ids and numbers of changes of a restored database, so that none is reused that the old database may
//! have shown to somebody. Its changes get a new epoch, so that a reader of the old ones notices. What the old database has
//! announced is not announced again.

use rusqlite::{Connection, params};

use crate::base::time;
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
        // A change has the version that its record got.
        let changes = "UPDATE crm_changes SET version = version + ?1";
        new.execute(changes, [jump])?;
        let epoch = "UPDATE crm_epoch SET epoch = lower(hex(randomblob(8)))";
        new.execute(epoch, [])?;
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

/// The change that stands for a restore, of the database, which is the only one and so has the id 1. No token and no user has
/// the name of its author, so nobody takes it back.
const RESTORED: &str = "INSERT INTO crm_changes (seq, record_id, at, author, operation, type, version, record) \
     VALUES (?1, 1, ?2, 'crm restore', 'restore', 'database.restored', 1, '{\"id\":1}')";

/// The highest number of a change. 0 without changes, and before there was a table of them.
fn highest_change(of: &Connection) -> i64 {
    let highest = "SELECT coalesce(max(seq), 0) FROM crm_changes";
    of.query_row(highest, [], |row| row.get(0))
        .unwrap_or_default()
}

/// Keeps the new database from assigning an id, or a number of a change, that the old one has assigned. SQLite gives a change
/// the number after the highest, so a change that tells of the restore stands above those of the old database.
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
        let last = highest_change(old);
        if last > 0 && last >= highest_change(new) {
            new.execute(RESTORED, params![last.saturating_add(1), time::now()])?;
        }
        announced(new, old)
    })
}

/// Notes in the new database which follow-ups the old one has announced since the backup, so that nobody is told again.
fn announced(new: &Connection, old: &Connection) -> rusqlite::Result<()> {
    // A database from before there were announcements has no such table.
    let Ok(mut all) = old.prepare("SELECT process_id, due FROM crm_announced") else {
        return Ok(());
    };
    let note = "INSERT INTO crm_announced (process_id, due) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let mut note = new.prepare(note)?;
    let mut rows = all.query([])?;
    // What cannot be read of an old database does not keep the new one from being restored.
    while let Ok(Some(row)) = rows.next() {
        if let (Ok(process), Ok(due)) = (row.get::<_, i64>(0), row.get::<_, String>(1)) {
            note.execute(params![process, due])?;
        }
    }
    Ok(())
}
