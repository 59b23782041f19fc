use super::*;
use crate::store::sqlite::file::paths::{live_sides, with_end};
use crate::store::sqlite::file::place::FileId;
use crate::store::sqlite::opening::Work;
use crate::store::sqlite::store::Sqlite;
use rusqlite::config::DbConfig;
use std::process::Command;
use tempfile::TempDir;

/// A folder with a backup that holds one lead, `new@example.com`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    database(&folder.path().join("backup.db"), "new@example.com");
    folder
}

fn database(path: &Path, email: &str) {
    drop(Sqlite::open(path, Work::Command).unwrap());
    let conn = Connection::open(path).unwrap();
    insert(&conn, email);
    conn.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .unwrap();
}

fn insert(conn: &Connection, email: &str) {
    let sql = "INSERT INTO leads (email, status, attributes, created_at, updated_at)
               VALUES (?1, 'new', '{}', '2026-01-31 09:30:00', '2026-01-31 09:30:00')";
    conn.execute(sql, [email]).unwrap();
}

/// The addresses of the leads as a command finds them. A log beside the file would be replayed at the first access.
fn emails(path: &Path) -> Vec<String> {
    drop(Sqlite::open(path, Work::Command).unwrap());
    let conn = Connection::open(path).unwrap();
    let whole: String = conn
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok");
    let mut emails = conn.prepare("SELECT email FROM leads ORDER BY id").unwrap();
    let emails = emails.query_map([], |row| row.get(0)).unwrap();
    emails.collect::<rusqlite::Result<_>>().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A copy of a folder as it is now, with its links. Another process makes the copy, because closing a file would end this
/// process's locks on it.
fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let from = format!("{}/.", folder.display());
    let done = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(copy.path())
        .status();
    assert!(done.unwrap().success());
    copy
}

/// The folder that a kill right after each step would leave.
fn at_each_step(folder: &Path) -> Vec<(RestoreStep, TempDir)> {
    let mut left = Vec::new();
    let (path, backup) = (folder.join("crm.db"), folder.join("backup.db"));
    let mut look = |step| left.push((step, copy(folder)));
    restore_with(&path, &backup, Schema::of(&NOUNS), &mut |_| {}, &mut look).unwrap();
    left
}

fn steps(left: &[(RestoreStep, TempDir)]) -> Vec<RestoreStep> {
    left.iter().map(|(step, _)| *step).collect()
}

/// A database that a program left without closing it: its last lead is only in the log.
fn crashed(folder: &Path) {
    let made = tempfile::tempdir().unwrap();
    let path = made.path().join("crm.db");
    database(&path, "old@example.com");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0")
        .unwrap();
    insert(&conn, "logged@example.com");
    for file in ["crm.db", "crm.db-wal", "crm.db-shm"] {
        fs::copy(made.path().join(file), folder.join(file)).unwrap();
    }
    drop(conn);
}

#[test]
fn a_kill_at_any_step_leaves_the_old_database_or_the_new_one() {
    let folder = folder();
    crashed(folder.path());
    let (old, new) = (
        ["old@example.com", "logged@example.com"],
        ["new@example.com"],
    );
    let all = at_each_step(folder.path());
    use RestoreStep::{Kept, Placed, Ready};
    assert_eq!(steps(&all), [Ready, Kept, Placed]);
    for (step, left) in all {
        let path = left.path().join("crm.db");
        let found = emails(&path);
        match step {
            Placed => assert_eq!(found, new),
            _ => assert_eq!(found, old, "{step:?}"),
        }
        // The next restore keeps the database again, and leaves nothing of the restore before it.
        restore(&path, &left.path().join("backup.db"), &mut |_| {}).unwrap();
        assert_eq!(emails(&path), new, "{step:?}");
        let kept = left.path().join("crm.db.before-restore");
        assert_eq!(emails(&kept), old, "{step:?}");
        let mut expected = vec!["backup.db", "crm.db", "crm.db.before-restore"];
        if step != Ready {
            expected.push("crm.db.before-restore-2");
        }
        assert_eq!(names(left.path()), expected, "{step:?}");
        assert!(!FileId::same(&path, &kept), "{step:?}");
    }
    assert_eq!(emails(&folder.path().join("crm.db")), new);
}

#[test]
fn a_damaged_database_is_kept_with_its_log() {
    let folder = folder();
    crashed(folder.path());
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    // Neither the file nor the log has the first page any more.
    fs::write(folder.path().join("crm.db"), "x".repeat(5_000)).unwrap();
    let mut log = read("crm.db-wal");
    log[..32].fill(b'y');
    fs::write(folder.path().join("crm.db-wal"), &log).unwrap();
    let all = at_each_step(folder.path());
    use RestoreStep::{Cleared, Kept, Placed, Ready};
    assert_eq!(steps(&all), [Ready, Kept, Cleared, Placed]);
    for (step, left) in all {
        let path = left.path().join("crm.db");
        if step == Placed {
            assert_eq!(emails(&path), ["new@example.com"], "{step:?}");
        } else {
            assert_eq!(fs::read(&path).unwrap(), "x".repeat(5_000).as_bytes());
        }
        restore(&path, &left.path().join("backup.db"), &mut |_| {}).unwrap();
        assert_eq!(emails(&path), ["new@example.com"], "{step:?}");
        let kept = |end: &str| {
            let name = format!("crm.db.before-restore{end}");
            fs::read(left.path().join(name)).unwrap()
        };
        assert_eq!(kept(""), "x".repeat(5_000).as_bytes(), "{step:?}");
        assert!(kept("-wal") == log, "{step:?}");
        assert!(!FileId::same(
            &path,
            &left.path().join("crm.db.before-restore")
        ));
    }
}

/// Somebody removed a database and forgot its log. SQLite would replay that into the next file of this name.
#[test]
fn a_log_without_its_database_is_moved_out_of_the_way() {
    let folder = folder();
    crashed(folder.path());
    fs::remove_file(folder.path().join("crm.db")).unwrap();
    let all = at_each_step(folder.path());
    use RestoreStep::{Kept, Placed, Ready};
    assert_eq!(steps(&all), [Ready, Kept, Placed]);
    for (step, left) in all {
        let path = left.path().join("crm.db");
        assert_eq!(path.exists(), step == Placed, "{step:?}");
        if step == RestoreStep::Placed {
            assert_eq!(emails(&path), ["new@example.com"]);
        }
        restore(&path, &left.path().join("backup.db"), &mut |_| {}).unwrap();
        assert_eq!(emails(&path), ["new@example.com"], "{step:?}");
        assert!(left.path().join("crm.db.before-restore-wal").exists());
    }
}

#[test]
fn a_journal_of_the_old_database_does_not_meet_the_new_one() {
    let folder = folder();
    let made = tempfile::tempdir().unwrap();
    let path = made.path().join("crm.db");
    database(&path, "old@example.com");
    // A kill cut off a transaction that had written pages into the file. Only the journal has their previous content.
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA cache_size = 1; BEGIN").unwrap();
    for number in 0..500 {
        insert(&conn, &format!("unfinished-{number}@example.com"));
    }
    for file in ["crm.db", "crm.db-journal"] {
        fs::copy(made.path().join(file), folder.path().join(file)).unwrap();
    }
    drop(conn);
    assert!(!live_sides(&folder.path().join("crm.db")).is_empty());
    let (path, backup) = (
        folder.path().join("crm.db"),
        folder.path().join("backup.db"),
    );
    let kept = restore(&path, &backup, &mut |_| {}).unwrap().kept.unwrap();
    assert_eq!(emails(&path), ["new@example.com"]);
    assert_eq!(emails(&kept), ["old@example.com"]);
}

/// The new content is written in several steps, and the old pages are in a journal meanwhile.
#[test]
fn a_kill_in_the_middle_of_the_writing_is_rolled_back() {
    let folder = folder();
    let path = folder.path().join("crm.db");
    let big = |path: &Path, letter: &str| {
        let conn = Connection::open(path).unwrap();
        let sql = "UPDATE leads SET name = printf('%.*c', 9000000, ?1)";
        conn.execute(sql, [letter]).unwrap();
    };
    database(&path, "old@example.com");
    big(&path, "o");
    big(&folder.path().join("backup.db"), "n");
    let old = fs::read(&path).unwrap();
    let mut begun = 0;
    for (step, left) in at_each_step(folder.path()) {
        let path = left.path().join("crm.db");
        if step == RestoreStep::Begun {
            begun += 1;
            assert_eq!(live_sides(&path), ["-journal"]);
            assert!(fs::read(&path).unwrap() != old);
            // A command that only reads rolls it back as well.
            drop(Sqlite::open(&path, Work::Reading).unwrap());
            assert!(fs::read(&path).unwrap() == old);
        }
        let expected = match step {
            RestoreStep::Placed => "new@example.com",
            _ => "old@example.com",
        };
        assert_eq!(emails(&path), [expected], "{step:?}");
    }
    assert!(begun > 1, "{begun}");
}

#[test]
fn what_fails_in_the_middle_is_undone() {
    let folder = folder();
    crashed(folder.path());
    let path = folder.path().join("crm.db");
    let backup = folder.path().join("backup.db");
    fs::write(&path, "x".repeat(5_000)).unwrap();
    let log = folder.path().join("crm.db-wal");
    fs::write(&log, "y".repeat(5_000)).unwrap();
    // Another program begins to write to the file after its log was cleared, and SQLite cannot lock it.
    let mut step = |step| {
        if step == RestoreStep::Cleared {
            let conn = Connection::open(&path).unwrap();
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true)
                .unwrap();
            conn.execute_batch("BEGIN IMMEDIATE").unwrap();
            std::mem::forget(conn);
        }
    };
    let done = restore_with(&path, &backup, Schema::of(&NOUNS), &mut |_| {}, &mut step);
    assert_eq!(done.unwrap_err().code, Code::Conflict);
    // The journal is that program's.
    assert_eq!(
        names(folder.path()),
        ["backup.db", "crm.db", "crm.db-journal", "crm.db-wal"]
    );
    assert_eq!(fs::read(log).unwrap(), "y".repeat(5_000).as_bytes());
}

#[test]
fn a_part_that_was_left_over_is_removed() {
    let folder = folder();
    let path = folder.path().join("crm.db");
    let other = folder.path().join("other.db.part-0123456789abcdef");
    let odd = folder.path().join("crm.db.part-1");
    let left = folder.path().join("crm.db.part-0123456789abcdef");
    for file in [&other, &odd, &left, &with_end(&left, "-journal")] {
        fs::write(file, "left over").unwrap();
    }
    sweep(&path, |of| of == "crm.db");
    assert_eq!(
        names(folder.path()),
        [
            "backup.db",
            "crm.db.part-1",
            "other.db.part-0123456789abcdef"
        ]
    );
}
