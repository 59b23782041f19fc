use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{Sqlite, Work};

/// As it is while another process turns the log on: a new file has none yet, and neither has one that was restored.
#[test]
fn a_file_without_a_log_is_opened_while_another_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    drop(Sqlite::open(&path, Work::Command).unwrap());
    let other = Connection::open(&path).unwrap();
    other
        .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| Sqlite::open(&path, Work::Command).map(drop));
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) && !opening.is_finished() {
            std::thread::yield_now();
        }
        other.execute_batch("COMMIT").unwrap();
        opening.join().unwrap().unwrap();
    });
}
