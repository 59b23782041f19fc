//! Backups that restore: under load, under kills, on full disks, and by the clock.

use std::collections::HashSet;
use std::io::{BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crm::base::time;
use crm::store::sqlite::backup::{BackupStage, backup};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::cli::at_terminal;
use crate::http::{Answer, Api, connect};
use crate::process::create;
use crate::support::{Home, Server, wait_for};

/// How an old backup begins, for a schedule that goes by its name.
const OLD: &str = "SQLite format 3\0, and so on";

/// Adds so many leads with names of so many characters to the database, in one transaction past crm.
fn fill(path: &Path, count: usize, length: usize) {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(60)).unwrap();
    connection
        .execute(
            "INSERT INTO leads (email, name, status, attributes, created_at, updated_at)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
             SELECT 'filled' || i || '@example.com', printf('%.*c', $2, 'x'), 'new', '{}',
                    '2026-01-31 09:30:00', '2026-01-31 09:30:00' FROM n",
            [count as i64, length as i64],
        )
        .unwrap();
}

/// A home with a database that has one record of each noun.
pub fn home() -> Home {
    let home = Home::new();
    for line in [
        "lead create --email ada@example.com --db crm.db",
        "action create --type call --lead 1 --db crm.db",
        "process create --name Spring --lead 1 --db crm.db",
    ] {
        home.line(line).ok();
    }
    home
}

/// Copies files by another process: one that closes a file loses SQLite's locks on it.
pub fn copy(home: &Home, from: &str, to: &str, ends: &[&str]) {
    for end in ends {
        let (from, to) = (home.path(from), home.path(to));
        let ended = |path: std::path::PathBuf| format!("{}{end}", path.display());
        let mut cp = Command::new("cp");
        assert!(
            cp.args([ended(from), ended(to)])
                .status()
                .unwrap()
                .success()
        );
    }
}

/// All that the file holds, as commands print it. It is read from a copy: a backup stays as it is.
fn export(home: &Home, file: &str) -> String {
    copy(home, file, "export.db", &[""]);
    ["lead", "action", "process"]
        .map(|noun| {
            home.line(&format!("{noun} list -o ndjson --db export.db"))
                .ok()
        })
        .concat()
}

/// The texts in a column of a database that nobody has open.
fn column(path: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut found = connection.prepare(sql).unwrap();
    let found = found.query_map([], |row| row.get(0)).unwrap();
    found.collect::<rusqlite::Result<_>>().unwrap()
}

fn emails(path: &Path) -> Vec<String> {
    column(path, "SELECT email FROM leads ORDER BY id")
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Those that a backup or a restore leaves when it is killed.
fn parts(folder: &Path) -> Vec<String> {
    let mut names = names(folder);
    names.retain(|name| name.contains(".part-"));
    names
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_backup_holds_all_and_is_one_plain_file() {
    let home = home();
    let told = home.line("backup b.db --db crm.db").ok();
    let bytes = home.path("b.db").metadata().unwrap().len();
    assert_eq!(
        told,
        format!("backup     b.db\nleads      1\nactions    1\nprocesses  1\nbytes      {bytes}\n")
    );
    assert_eq!(names(&home.path("")), ["b.db", "crm.db"]);
    // Not in the write-ahead mode: whoever opens it from a disk that cannot be written to finds all of it.
    let connection = Connection::open(home.path("b.db")).unwrap();
    let mode: String = connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "delete");
    drop(connection);
    assert_eq!(export(&home, "b.db"), export(&home, "crm.db"));
    let told = json_of(&home.line("backup c.db --db crm.db -o json").ok());
    assert_eq!(
        told,
        json!({"backup": "c.db", "leads": 1, "actions": 1, "processes": 1, "bytes": bytes})
    );
    assert_eq!(home.line("backup d.db --db crm.db -o id").ok(), "d.db\n");
    let csv = home.line("backup e.db --db crm.db -o csv").ok();
    assert_eq!(
        csv,
        format!("backup,leads,actions,processes,bytes\ne.db,1,1,1,{bytes}\n")
    );
}

#[test]
fn a_backup_is_not_open_to_more_people_than_the_database() {
    let home = home();
    let mode = |name: &str| home.path(name).metadata().unwrap().permissions().mode() & 0o777;
    for (database, expected) in [(0o600, 0o600), (0o640, 0o640), (0o666, 0o644)] {
        let open = std::fs::Permissions::from_mode(database);
        std::fs::set_permissions(home.path("crm.db"), open).unwrap();
        home.line("backup b.db --force --db crm.db").ok();
        // The process's mask may make it narrower.
        assert_eq!(mode("b.db") & !expected, 0, "{database:o}");
        // A restore keeps those that the database has.
        home.line("restore b.db --db crm.db").ok();
        assert_eq!(mode("crm.db"), database);
    }
}

#[test]
fn a_backup_that_makes_no_sense_is_refused_and_changes_nothing() {
    let home = home();
    home.write("taken.db", "taken");
    home.write("logged.db-wal", "a log of another database");
    std::fs::create_dir(home.path("folder")).unwrap();
    home.write("text.db", "no database");
    home.write("empty.db", "");
    let before = names(&home.path(""));
    for (words, code, says) in [
        ("backup taken.db --db crm.db", 5, "--force"),
        ("backup logged.db --db crm.db", 5, "logged.db-wal"),
        ("backup crm.db --db crm.db", 2, "the database itself"),
        (
            "backup ./crm.db --force --db crm.db",
            2,
            "the database itself",
        ),
        (
            "backup crm.db-wal --force --db crm.db",
            2,
            "the database itself",
        ),
        ("backup folder --force --db crm.db", 1, "is a folder"),
        ("backup nowhere/b.db --db crm.db", 1, "nowhere/b.db"),
        ("backup - --db crm.db", 2, "standard output"),
        ("backup b.db --db none.db", 1, "there is no such database"),
        ("backup b.db --db text.db", 1, "is not a SQLite database"),
        ("backup b.db --db empty.db", 1, "holds nothing"),
        (
            "backup b.db --url http://localhost:1",
            2,
            "where the database is",
        ),
        (
            "restore taken.db --url http://localhost:1",
            2,
            "where the database is",
        ),
        ("check --url http://localhost:1", 2, "where the database is"),
    ] {
        let told = home.line(words).fails(code);
        assert!(told.starts_with("error: ") && told.contains(says), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert_eq!(names(&home.path("")), before, "{words}");
    }
    let told = home.line("backup taken.db --db crm.db -o json").fails(5);
    assert!(json_of(&told)["error"].is_string(), "{told}");
    assert_eq!(std::fs::read(home.path("taken.db")).unwrap(), b"taken");
    home.line("backup taken.db --force --db crm.db").ok();
    assert_eq!(emails(&home.path("taken.db")), ["ada@example.com"]);
}

/// Without care, the log of the file that is replaced would be replayed into the new one.
#[test]
fn a_file_that_is_replaced_takes_its_log_with_it() {
    let home = home();
    home.line("lead create --email other@example.com --db live.db")
        .ok();
    let other = Connection::open(home.path("live.db")).unwrap();
    other
        .execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE leads SET name = 'logged'")
        .unwrap();
    copy(&home, "live.db", "b.db", &["", "-wal"]);
    home.line("backup b.db --force --db crm.db").ok();
    assert!(!home.path("b.db-wal").exists());
    assert_eq!(emails(&home.path("b.db")), ["ada@example.com"]);
    // One that is in use is left alone.
    let told = home.line("backup live.db --force --db crm.db").fails(5);
    assert!(told.contains("in use"), "{told}");
    drop(other);
    assert_eq!(emails(&home.path("live.db")), ["other@example.com"]);
}

#[test]
fn a_database_that_is_damaged_is_not_backed_up() {
    let home = home();
    fill(&home.path("crm.db"), 2_000, 100);
    damage(&home.path("crm.db"));
    let told = home.line("backup b.db --db crm.db").fails(1);
    assert!(told.contains("crm check"), "{told}");
    assert_eq!(names(&home.path("")), ["crm.db"]);
}

/// Zeroes a page in the middle of a file.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 8_192 * 4_096;
    bytes[middle..middle + 4_096].fill(0);
    std::fs::write(path, bytes).unwrap();
}

/// A bar on a terminal, and nothing of it elsewhere: the other tests would fail for a single byte on standard error.
#[test]
fn progress_is_shown_on_a_terminal_unless_told_otherwise() {
    let home = home();
    let (shown, code) = at_terminal(
        home.line("backup b.db --db crm.db").env("TERM", "xterm"),
        80,
        "",
    );
    assert_eq!(code, Some(0));
    assert!(shown.contains("copying ["), "{shown:?}");
    assert!(!shown.contains("0 B of 0 B"), "{shown:?}");
    let (shown, code) = at_terminal(
        home.line("restore b.db -q --db crm.db")
            .env("TERM", "xterm"),
        80,
        "",
    );
    assert_eq!(code, Some(0));
    assert!(!shown.contains("copying"), "{shown:?}");
}

/// Every step would begin anew, and the copy never end, if it did not hold one state of the database.
#[test]
fn writes_of_other_processes_do_not_make_it_start_again() {
    const STEP: u64 = 1_024 * 4_096;
    let home = home();
    fill(&home.path("crm.db"), 4_000, 4_000);
    let mut last = 0;
    let mut steps = 0;
    let mut of_all = 0;
    let mut watch = |stage| {
        if let BackupStage::Copied { done, of } = stage {
            assert!(done > last, "it fell back from {last} to {done} of {of}");
            assert!(of_all == 0 || of_all == of, "its end moved to {of}");
            (last, of_all, steps) = (done, of, steps + 1);
            let line = format!("lead create --email during{steps}@example.com --db crm.db");
            home.line(&line).ok();
        }
    };
    let (from, to) = (home.path("crm.db"), home.path("b.db"));
    let content = backup(&from, &to, false, &mut watch).unwrap();
    assert_eq!(content.bytes, of_all);
    assert_eq!(steps, of_all.div_ceil(STEP));
    assert!(steps > 3, "{steps}");
    // It is as it was at the start, and the writes are where they belong.
    assert_eq!(emails(&to).len(), 4_001);
    assert_eq!(emails(&from).len() as u64, 4_001 + steps);
}

/// Another backup into the same file removes what was left over, but not what is being made.
#[test]
fn two_backups_into_one_file_do_not_disturb_each_other() {
    let home = home();
    let mut other = None;
    let mut watch = |stage| {
        if stage == BackupStage::Checking {
            let mine = parts(&home.path(""));
            assert!(!mine.is_empty());
            other = Some(home.line("backup b.db --db crm.db").ok());
            assert_eq!(parts(&home.path("")), mine);
        }
    };
    let (from, to) = (home.path("crm.db"), home.path("b.db"));
    let late = backup(&from, &to, false, &mut watch).unwrap_err();
    assert!(late.message.contains("in the meantime"), "{late}");
    assert!(other.is_some());
    assert_eq!(names(&home.path("")), ["b.db", "crm.db"]);
    assert_eq!(emails(&to), ["ada@example.com"]);
}

/// What a writer was told that it is saved.
#[derive(Default)]
struct Acknowledged {
    leads: Mutex<Vec<String>>,
    actions: Mutex<Vec<String>>,
}

impl Acknowledged {
    /// All of it up to now.
    fn now(&self) -> (Vec<String>, Vec<String>) {
        let read = |texts: &Mutex<Vec<String>>| texts.lock().unwrap().clone();
        (read(&self.leads), read(&self.actions))
    }
}

/// Writes one record after the other over HTTP until it is over.
fn write_over_http(server: &str, name: &str, told: &Acknowledged, over: &AtomicBool) {
    let mut stream = connect(server);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let text = format!("{name}-{number}@example.com");
        let lead = number % 2 == 0;
        let request = match lead {
            true => create(&text),
            false => {
                let body = format!(r#"{{"action_type": "call", "details": "{text}"}}"#);
                format!(
                    "POST /actions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
                .into_bytes()
            }
        };
        stream.write_all(&request).unwrap();
        let answer = Answer::read(&mut reader, false);
        assert_eq!(answer.status, 201, "{answer:?}");
        let list = if lead { &told.leads } else { &told.actions };
        list.lock().unwrap().push(text);
    }
}

#[test]
fn twenty_backups_under_load_hold_what_was_acknowledged_and_restore_to_the_same() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--quiet"]);
    let api = Api { home, server };
    let home = &api.home;
    // Pages that hold nothing, but are copied like others: a backup takes its time, and much is written meanwhile.
    fill(&home.path("crm.db"), 5_000, 4_000);
    let connection = Connection::open(home.path("crm.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(60)).unwrap();
    connection.execute("DELETE FROM leads", []).unwrap();
    drop(connection);
    let told = Acknowledged::default();
    let over = AtomicBool::new(false);
    let mut before = Vec::new();
    std::thread::scope(|scope| {
        for client in ["one", "two", "three"] {
            let (server, told, over) = (api.server.address(), &told, &over);
            scope.spawn(move || write_over_http(server, client, told, over));
        }
        scope.spawn(|| {
            for number in 0.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let email = format!("command-{number}@example.com");
                home.crm(["lead", "create", "--email", &email, "--db", "crm.db"])
                    .ok();
                told.leads.lock().unwrap().push(email);
            }
        });
        for number in 0..20 {
            let before_it = told.now().0.len();
            wait_for("a write", || told.now().0.len() > before_it);
            let acknowledged = told.now();
            home.line(&format!("backup b{number}.db --db crm.db")).ok();
            before.push(acknowledged);
        }
        over.store(true, Ordering::Relaxed);
    });
    let mut last = 0;
    for (number, (leads, actions)) in before.into_iter().enumerate() {
        let file = format!("b{number}.db");
        let found = emails(&home.path(&file));
        let details = column(&home.path(&file), "SELECT details FROM actions");
        for (expected, found) in [(&leads, &found), (&actions, &details)] {
            let once: HashSet<&String> = found.iter().collect();
            assert_eq!(once.len(), found.len(), "{file} has a record twice");
            for text in expected {
                assert!(once.contains(text), "{file} lacks {text}");
            }
        }
        assert!(found.len() > last, "{file} has nothing new");
        last = found.len();
        let restored = format!("restore {file} --db r{number}.db -o json");
        let told = json_of(&home.line(&restored).ok());
        assert_eq!(told["leads"], found.len());
        assert_eq!(told["kept"], Value::Null);
        let of_backup = export(home, &file);
        assert_eq!(of_backup.lines().count(), found.len() + details.len());
        assert!(
            of_backup == export(home, &format!("r{number}.db")),
            "{file} and what it restores to differ"
        );
    }
    let Api { server, .. } = api;
    let (status, log) = server.stop();
    assert_eq!((status.code(), log.as_str()), (Some(0), ""));
}

/// Starts it without waiting for it, and without anyone who reads what it prints.
fn start(home: &Home, line: &str) -> Child {
    let mut command = home.line(line).command();
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// Kills it after this share of the time that a whole run takes, or when it has ended.
fn kill_after(mut child: Child, wait: Duration) {
    let start = Instant::now();
    while start.elapsed() < wait && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn a_kill_during_a_backup_leaves_no_file_or_a_whole_one() {
    const MOMENTS: u32 = 24;
    let home = home();
    fill(&home.path("crm.db"), 3_000, 2_000);
    let began = Instant::now();
    home.line("backup whole.db --db crm.db").ok();
    let whole = began.elapsed();
    let (mut killed, mut left) = (0, 0);
    for moment in 0..MOMENTS {
        kill_after(
            start(&home, "backup b.db --db crm.db"),
            whole * moment / MOMENTS,
        );
        left += parts(&home.path("")).len();
        if home.path("b.db").exists() {
            assert_eq!(emails(&home.path("b.db")).len(), 3_001);
            std::fs::remove_file(home.path("b.db")).unwrap();
        } else {
            killed += 1;
        }
    }
    assert!(killed > 5 && left > 0, "{killed} kills left {left} parts");
    // The next one removes what they left.
    home.line("backup b.db --db crm.db").ok();
    assert_eq!(names(&home.path("")), ["b.db", "crm.db", "whole.db"]);
}

#[test]
fn what_was_left_of_other_backups_is_removed_in_time_and_what_only_looks_so_is_not() {
    let home = home();
    let digits = "0123456789abcdef";
    let dated = format!("to/crm-20260102T030405Z.db.part-{digits}");
    let new = format!("to/monday.db.part-{digits}");
    let old = format!("to/tuesday.db.part-{digits}");
    let empty = format!("to/wednesday.db.part-{digits}");
    let live = format!("to/thursday.db.part-{digits}");
    let foreign = format!("to/film.part-{digits}");
    let capitals = format!("to/a.db.part-{}", digits.to_uppercase());
    for name in [&dated, &new, &old, &live, &capitals] {
        home.write(name, OLD);
    }
    home.write(&empty, "");
    home.write(&foreign, "a part of a film");
    for name in [&old, &empty, &live, &foreign, &capitals] {
        let file = std::fs::File::options().write(true).open(home.path(name));
        let hours = SystemTime::now() - Duration::from_secs(7_200);
        file.unwrap().set_modified(hours).unwrap();
    }
    std::os::unix::fs::symlink("crm.db", home.path("to/link.db.part-0123456789abcdef")).unwrap();
    // Its maker has it locked.
    let mut writing = std::fs::File::options();
    let file = writing.write(true).open(home.path(&live)).unwrap();
    rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    home.line("backup -q to/friday.db --db crm.db").ok();
    let short = |name: &String| name.trim_start_matches("to/").to_string();
    let mut expected = vec!["friday.db".into(), format!("link.db.part-{digits}")];
    expected.extend([&new, &live, &foreign, &capitals].map(short));
    expected.sort();
    assert_eq!(names(&home.path("to")), expected);
}

#[test]
fn what_a_killed_restore_left_is_removed_by_the_next_command_that_writes() {
    let home = home();
    let digits = "0123456789abcdef";
    std::os::unix::fs::symlink("crm.db", home.path("link.db")).unwrap();
    let (mine, kept) = (
        format!("crm.db.part-{digits}"),
        format!("crm.db.before-restore-2.part-{digits}"),
    );
    let live = format!("crm.db.part-{}", digits.replace('0', "f"));
    let others = [
        format!("other.db.part-{digits}"),
        format!("crm.db.part-{digits}x"),
    ];
    home.write(&live, "");
    // Its maker has it locked.
    let mut writing = std::fs::File::options();
    let file = writing.write(true).open(home.path(&live)).unwrap();
    rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let left = || {
        let mut left = names(&home.path(""));
        left.retain(|name| name.contains(".part-") && *name != live);
        left
    };
    for name in &others {
        home.write(name, OLD);
    }
    let serve = |db: &'static str| drop(home.serve(&["--db", db]));
    let command = |line: &'static str| drop(home.line(line).warned());
    for write in [
        &(|| command("lead update 1 --name Ada --db crm.db")) as &dyn Fn(),
        &|| command("lead create --email b@example.com --db link.db"),
        &|| command("token create ci --scope read --db crm.db"),
        &|| serve("crm.db"),
        &|| serve("link.db"),
    ] {
        home.write(&mine, "");
        home.write(&format!("{mine}-journal"), "");
        home.write(&kept, OLD);
        // Who only reads leaves the folder as it is.
        command("lead list --db crm.db");
        assert_eq!(left().len(), 5);
        write();
        let mut expected = others.to_vec();
        expected.sort();
        assert_eq!(left(), expected);
    }
    assert!(home.path(&live).exists());
}

#[test]
fn a_kill_during_a_restore_leaves_the_old_database_or_the_new_one() {
    const MOMENTS: u32 = 24;
    let home = home();
    home.line("lead create --email new@example.com --db new.db")
        .ok();
    fill(&home.path("new.db"), 3_000, 2_000);
    home.line("backup new-backup.db --db new.db").ok();
    home.line("backup old-backup.db --db crm.db").ok();
    let began = Instant::now();
    home.line("restore new-backup.db --db new.db").ok();
    let whole = began.elapsed();
    let mut seen = HashSet::new();
    for moment in 0..=MOMENTS {
        kill_after(
            start(&home, "restore new-backup.db --db crm.db"),
            whole * moment / MOMENTS,
        );
        let count = home.line("lead list --count --db crm.db").ok();
        assert_eq!(home.line("check --db crm.db").ok(), "ok\n");
        match count.trim() {
            "1" => {}
            "3001" => {
                home.line("restore old-backup.db --db crm.db").ok();
            }
            other => panic!("{other} leads"),
        }
        seen.insert(count);
    }
    assert!(seen.contains("1\n"));
    let kept = json_of(&home.line("restore new-backup.db --db crm.db -o json").ok());
    assert_eq!(parts(&home.path("")), [""; 0]);
    assert_eq!(emails(Path::new(kept["kept"].as_str().unwrap())).len(), 1);
}

#[test]
fn a_restore_keeps_what_was_there_and_leaves_the_backup_as_it_is() {
    let home = home();
    home.line("backup b.db --db crm.db").ok();
    let bytes = std::fs::read(home.path("b.db")).unwrap();
    let changed = home.path("b.db").metadata().unwrap().modified().unwrap();
    home.line("lead create --email later@example.com --db crm.db")
        .ok();
    let told = home.line("restore b.db --db crm.db").ok();
    let kept = home.path("crm.db.before-restore").canonicalize().unwrap();
    assert!(
        told.ends_with(&format!("kept       {}\n", kept.display())),
        "{told}"
    );
    assert_eq!(emails(&home.path("crm.db")), ["ada@example.com"]);
    assert_eq!(emails(&kept), ["ada@example.com", "later@example.com"]);
    // What was kept is a backup like any other, and each is kept by itself.
    home.line("restore crm.db.before-restore --db crm.db").ok();
    assert_eq!(emails(&home.path("crm.db")).len(), 2);
    // As it is restored under a link to the file.
    std::os::unix::fs::symlink("crm.db", home.path("link.db")).unwrap();
    home.line("restore b.db --db link.db").ok();
    assert_eq!(
        names(&home.path("")),
        [
            "b.db",
            "crm.db",
            "crm.db.before-restore",
            "crm.db.before-restore-2",
            "crm.db.before-restore-3",
            "link.db"
        ]
    );
    assert_eq!(emails(&home.path("crm.db")).len(), 1);
    // A backup that nobody may write to, in the place of nothing.
    let read_only = std::fs::Permissions::from_mode(0o400);
    std::fs::set_permissions(home.path("b.db"), read_only).unwrap();
    home.line("restore b.db --db new.db").ok();
    home.line("lead create --email more@example.com --db new.db")
        .ok();
    let mode = home.path("new.db").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(std::fs::read(home.path("b.db")).unwrap() == bytes);
    let after = home.path("b.db").metadata().unwrap().modified().unwrap();
    assert_eq!(after, changed);
}

#[test]
fn a_restore_that_makes_no_sense_is_refused_and_changes_nothing() {
    let home = home();
    home.line("backup good.db --db crm.db").ok();
    home.write("text.db", "no database");
    home.write("empty.db", "");
    std::fs::create_dir(home.path("folder")).unwrap();
    std::fs::hard_link(home.path("crm.db"), home.path("same.db")).unwrap();
    let made = |name: &str, sql: &str| {
        std::fs::copy(home.path("good.db"), home.path(name)).unwrap();
        let connection = Connection::open(home.path(name)).unwrap();
        connection
            .execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}"))
            .unwrap();
    };
    made("newer.db", "PRAGMA user_version = 99");
    made("other.db", "PRAGMA application_id = 7");
    made("lacking.db", "DROP INDEX leads_by_status");
    fill(&home.path("good.db"), 2_000, 100);
    std::fs::copy(home.path("good.db"), home.path("damaged.db")).unwrap();
    damage(&home.path("damaged.db"));
    home.line("lead create --email a@example.com --db used.db")
        .ok();
    let user = home.serve(&["--db", "used.db"]);
    let before = names(&home.path(""));
    let bytes = std::fs::read(home.path("crm.db")).unwrap();
    for (file, code, says) in [
        ("none.db", 1, "No such file"),
        ("folder", 1, "is not a file"),
        ("text.db", 1, "is not a SQLite database"),
        ("empty.db", 1, "is empty"),
        ("newer.db", 1, "from a newer crm"),
        ("other.db", 1, "another program's database"),
        ("lacking.db", 1, "index leads_by_status is missing"),
        ("damaged.db", 1, "is damaged"),
        ("used.db", 5, "in use"),
        ("crm.db", 2, "the database itself"),
        ("same.db", 2, "the database itself"),
    ] {
        let told = home
            .line(&format!("restore {file} --db crm.db"))
            .fails(code);
        assert!(told.contains(says), "{told}");
        assert!(told.contains(file), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert_eq!(names(&home.path("")), before, "{file}");
    }
    assert!(std::fs::read(home.path("crm.db")).unwrap() == bytes);
    drop(user);
}

#[test]
fn nothing_is_restored_over_a_database_that_is_in_use() {
    let api = Api::start();
    let home = &api.home;
    assert_eq!(
        api.post("/leads", r#"{"email": "a@example.com"}"#).status,
        201
    );
    home.line("backup b.db --db crm.db").ok();
    let before = names(&home.path(""));
    let told = home.line("restore b.db --db crm.db").fails(5);
    assert!(told.contains("in use"), "{told}");
    assert_eq!(names(&home.path("")), before);
    // Nor over one that was just begun, by a server that has neither read nor written.
    let fresh = home.serve(&["--db", "fresh.db"]);
    home.line("restore b.db --db fresh.db").fails(5);
    // What is wrong with the backup is told first: to stop the server for it would be in vain.
    home.write("text.db", "no database");
    let told = home.line("restore text.db --db fresh.db").fails(1);
    assert!(told.contains("text.db: is not a SQLite database"), "{told}");
    // Nor over one that another program reads.
    let reader = Connection::open(home.path("read.db")).unwrap();
    reader
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE a (x); BEGIN; SELECT * FROM a")
        .unwrap();
    home.line("restore b.db --db read.db").fails(5);
    drop((reader, fresh));
    let Api { server, home } = api;
    assert_eq!(server.stop().0.code(), Some(0));
    home.line("restore b.db --db crm.db").ok();
    assert_eq!(emails(&home.path("crm.db")), ["a@example.com"]);
}

/// Commands that open the database at the very moment at which it is exchanged find the old one or the new one, and what
/// they are told is saved is in one of those.
#[test]
fn commands_that_start_during_restores_lose_nothing_and_damage_nothing() {
    let home = home();
    home.line("backup b.db --db crm.db").ok();
    let over = AtomicBool::new(false);
    let told = Mutex::new(Vec::new());
    let (mut done, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        for client in 0..2 {
            let (home, over, told) = (&home, &over, &told);
            scope.spawn(move || {
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let email = format!("c{client}-{number}@example.com");
                    home.crm(["lead", "create", "--email", &email, "--db", "crm.db"])
                        .ok();
                    told.lock().unwrap().push(email);
                }
            });
        }
        for _ in 0..2 {
            let (home, over) = (&home, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    home.line("lead list -o id --db crm.db").ok();
                }
            });
        }
        let start = Instant::now();
        while (start.elapsed() < Duration::from_secs(3) || done < 5)
            && start.elapsed() < Duration::from_secs(30)
        {
            match home.line("restore b.db --db crm.db").run().code {
                Some(0) => done += 1,
                Some(5) => refused += 1,
                code => panic!("a restore ended with {code:?}"),
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(done >= 5, "{done} restores, {refused} refused");
    let mut found = HashSet::new();
    for name in names(&home.path("")) {
        if name.starts_with("crm.db") && !name.ends_with("-wal") && !name.ends_with("-shm") {
            let checked = home.line(&format!("check --db {name}")).ok();
            assert_eq!(checked, "ok\n", "{name}");
            found.extend(emails(&home.path(&name)));
        }
    }
    for email in told.into_inner().unwrap() {
        assert!(
            found.contains(&email),
            "{email} is in none of the databases"
        );
    }
}

#[test]
fn the_database_of_the_earlier_service_is_backed_up_as_it_is_and_brought_up_to_date_when_restored()
{
    let home = Home::new();
    let old = Connection::open(home.path("old.db")).unwrap();
    old.execute_batch(
        "CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT, company TEXT);
         CREATE TABLE actions (id INTEGER PRIMARY KEY, action_type TEXT, lead_id INTEGER);
         CREATE TABLE processes (id INTEGER PRIMARY KEY, name TEXT);
         INSERT INTO leads VALUES (1, 'ada@example.com', 'Acme');
         INSERT INTO actions VALUES (1, 'call', 77);",
    )
    .unwrap();
    drop(old);
    let bytes = std::fs::read(home.path("old.db")).unwrap();
    assert_eq!(home.line("check --db old.db").ok(), "ok\n");
    home.line("backup b.db --db old.db").ok();
    assert!(std::fs::read(home.path("old.db")).unwrap() == bytes);
    let columns = column(&home.path("b.db"), "SELECT company FROM leads");
    assert_eq!(columns, ["Acme"]);
    let run = home.line("restore b.db --db crm.db -o json").run();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("brought up to date"), "{run:?}");
    assert_eq!(json_of(&run.stdout)["leads"], 1);
    assert_eq!(names(&home.path("")), ["b.db", "crm.db", "old.db"]);
    let lead = json_of(&home.line("lead get 1 -o json --db crm.db").ok());
    assert_eq!(lead["attributes"]["company"], "Acme");
    // What could not be brought up to date is refused, by its name.
    Connection::open(home.path("b.db"))
        .unwrap()
        .execute_batch("UPDATE leads SET id = -1")
        .unwrap();
    let told = home.line("restore b.db --db crm.db").fails(1);
    assert!(told.starts_with("error: b.db: "), "{told}");
    assert!(told.contains("id -1"), "{told}");
    assert_eq!(names(&home.path("")), ["b.db", "crm.db", "old.db"]);
}

/// A backup that somebody has opened and left with a log, or copied together with it, is whole with it alone.
#[test]
fn the_log_beside_a_backup_is_part_of_it() {
    let home = home();
    let live = Connection::open(home.path("crm.db")).unwrap();
    live.execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE leads SET email = 'b@example.com'")
        .unwrap();
    copy(&home, "crm.db", "b.db", &["", "-wal"]);
    drop(live);
    let before = ["b.db", "b.db-wal"].map(|name| std::fs::read(home.path(name)).unwrap());
    home.line("restore b.db --db new.db").ok();
    assert_eq!(emails(&home.path("new.db")), ["b@example.com"]);
    let after = ["b.db", "b.db-wal"].map(|name| std::fs::read(home.path(name)).unwrap());
    assert!(before == after);
    assert!(!home.path("b.db-shm").exists());
}

/// The shell's line in a place of its own where `disk` is a disk of so many KiB; `None` where the system does not allow
/// that.
pub fn with_small_disk(home: &Home, kib: usize, line: &str) -> Option<(String, Option<i32>)> {
    std::fs::create_dir_all(home.path("disk")).unwrap();
    let run = |line: &str| {
        let inner = format!("mount -t tmpfs -o size={kib}k none disk || exit 99; {line}");
        let mut outer = Command::new("unshare");
        outer.args(["--user", "--map-root-user", "--mount", "sh", "-c", &inner]);
        outer.current_dir(home.path("")).stdin(Stdio::null());
        // With crm on its path.
        let inside = home.shell("true").command();
        outer.env_clear();
        outer.envs(
            inside
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        outer.output()
    };
    let possible = run("exit 7").is_ok_and(|output| output.status.code() == Some(7));
    if !possible {
        return None;
    }
    let output = run(line).unwrap();
    let text = [output.stdout, output.stderr].concat();
    Some((String::from_utf8(text).unwrap(), output.status.code()))
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "who reads the tests' log should know what was not tested"
)]
fn a_full_disk_is_told_and_nothing_is_left_on_it() {
    let home = home();
    home.line("backup small.db --db crm.db").ok();
    fill(&home.path("crm.db"), 2_000, 2_000);
    let line = "crm backup disk/b.db --db crm.db; echo $?; ls -A disk";
    let Some((told, _)) = with_small_disk(&home, 2_000, line) else {
        eprintln!("skipped: a small disk cannot be made here");
        return;
    };
    assert!(told.starts_with("1\n"), "{told}");
    assert!(
        told.contains("error: disk/b.db: the disk is full"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 2, "{told}");
    // One that was there stays.
    let line = "cp small.db disk/b.db; crm backup disk/b.db --force --db crm.db; echo $?; \
                cmp small.db disk/b.db && ls -A disk";
    let (told, _) = with_small_disk(&home, 2_000, line).unwrap();
    assert!(told.starts_with("1\nb.db\nerror: "), "{told}");
    // A restore onto it leaves what was there.
    home.line("backup big.db --db crm.db").ok();
    let line = "cp small.db disk/crm.db; crm restore big.db --db disk/crm.db; echo $?; \
                crm lead list --count --db disk/crm.db; ls -A disk";
    let (told, _) = with_small_disk(&home, 2_000, line).unwrap();
    assert!(told.starts_with("1\n1\ncrm.db\nerror: "), "{told}");
    assert!(told.contains("o space left"), "{told}");
}

/// SQLite says "disk I/O error" and "unable to open database file", but not of which file, nor why.
#[test]
fn what_keeps_a_log_from_being_made_is_named() {
    let home = home();
    home.line("backup small.db --db crm.db").ok();
    // `head` ends at the full disk.
    // A change gives it a log.
    let line = "cp small.db disk/crm.db; crm lead update 1 --name Ada -o id --db disk/crm.db; \
                head -c 1000000 /dev/zero > disk/fill; crm lead list --db disk/crm.db; \
                crm check disk/crm.db; crm backup b.db --db disk/crm.db; \
                timeout 60 crm serve --host 127.0.0.1 --port 0 --db disk/crm.db; \
                rm disk/fill; crm lead list --count --db disk/crm.db";
    let Some((told, _)) = with_small_disk(&home, 400, line) else {
        return;
    };
    let told = told.replace(
        "head: error writing 'standard output': No space left on device\n",
        "",
    );
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..2], ["1", "1"], "{told}");
    assert_eq!(lines.len(), 6, "{told}");
    for line in &lines[2..] {
        assert!(
            line.contains("the disk is full") && line.contains("make room"),
            "{line}"
        );
        assert!(line.contains("crm.db-wal and crm.db-shm"), "{line}");
    }
}

/// However far it comes.
#[test]
fn a_database_that_finds_no_room_is_not_left_half_made() {
    let home = Home::new();
    let line = "for free in 0 4 8 16 32 48 64 72 80 96 112 400; do \
                head -c $((400 - free))k /dev/zero > disk/fill; \
                crm lead create --email a@example.com --db disk/crm.db > out 2> err; \
                echo $? $(ls disk) $(grep -c full err); rm -f disk/*; done; \
                head -c 400k /dev/zero > disk/fill; : > disk/crm.db; \
                crm lead create --email a@example.com --db disk/crm.db 2> err; ls disk";
    let Some((told, _)) = with_small_disk(&home, 400, line) else {
        return;
    };
    let refused = "1 fill 1\n".repeat(11);
    // One that was there stays.
    assert_eq!(told, format!("{refused}0 crm.db fill 0\ncrm.db\nfill\n"));
}

#[test]
fn a_server_that_takes_no_writes_tells_of_its_backups_all_the_same() {
    let home = Home::new();
    let line = "crm serve --host 127.0.0.1 --port 0 --db disk/crm.db --backup-dir back > out 2> log & \
                until grep -qs listens out; do kill -0 $! || exit; done; url=$(grep -o 'http://[0-9.:]*' out); \
                until grep -qs 'INFO backup' log; do kill -0 $! || exit; done; \
                head -c 1000000 /dev/zero > disk/fill 2> /dev/null; \
                while crm health -o json --url $url > /dev/null 2> err; do :; done; cat err; \
                crm health --url $url; echo $?; kill -9 $!";
    let Some((told, _)) = with_small_disk(&home, 400, line) else {
        return;
    };
    let (first, second) = told.split_once('\n').unwrap();
    let json = json_of(first.trim());
    let lines: Vec<&str> = second.lines().collect();
    // Standard output comes first.
    let (json, code) = match json.is_object() {
        true => (json, lines[0]),
        false => (json_of(lines[0]), first),
    };
    assert_eq!(code, "1", "{told}");
    assert!(
        json["error"].as_str().unwrap().contains("disk is full"),
        "{told}"
    );
    assert!(json["last_backup"].is_string(), "{told}");
    assert_eq!(json["backups_failing_since"], Value::Null, "{told}");
}

#[test]
fn a_server_that_ends_on_a_full_disk_says_that_nothing_is_lost() {
    let home = Home::new();
    let line = "crm serve --quiet --host 127.0.0.1 --port 0 --db disk/crm.db > out & \
                until grep -qs listens out; do kill -0 $! || exit; done; url=$(grep -o 'http://[0-9.:]*' out); \
                name=$(head -c 20000 /dev/zero | tr '\\0' x); saved=0; \
                while crm lead create --email a@example.com --name $name --url $url > /dev/null 2>&1; do \
                saved=$((saved + 1)); done; head -c 1000000 /dev/zero > disk/fill 2> /dev/null; \
                kill $!; wait $!; echo $?; mount -o remount,size=4m disk; \
                echo $saved; crm lead list --count --db disk/crm.db; crm check disk/crm.db";
    let Some((told, _)) = with_small_disk(&home, 600, line) else {
        return;
    };
    let lines: Vec<&str> = told.lines().collect();
    let [code, saved, found, checked, warned, said] = lines[..] else {
        panic!("{told}");
    };
    assert!(
        warned.contains("WARN writes fail: the disk is full"),
        "{told}"
    );
    assert_eq!((code, checked), ("1", "ok"), "{told}");
    assert!(saved != "0" && saved == found, "{told}");
    assert!(said.contains("disk/crm.db: the disk is full"), "{told}");
    assert!(said.contains("nothing that was saved is lost"), "{told}");
}

#[test]
fn a_check_tells_what_is_wrong_in_a_line_each() {
    let home = home();
    fill(&home.path("crm.db"), 2_000, 100);
    home.line("backup good.db --db crm.db").ok();
    assert_eq!(home.line("check --db good.db").ok(), "ok\n");
    assert_eq!(
        json_of(&home.line("check -o json --db good.db").ok()),
        json!({"ok": true, "findings": []})
    );
    let made = |name: &str, sql: &str| {
        std::fs::copy(home.path("good.db"), home.path(name)).unwrap();
        let connection = Connection::open(home.path(name)).unwrap();
        connection
            .execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}"))
            .unwrap();
    };
    made("newer.db", "PRAGMA user_version = 99");
    made("other.db", "PRAGMA application_id = 7");
    made(
        "dangling.db",
        "UPDATE actions SET lead_id = 7777; UPDATE processes SET last_action_id = 8888",
    );
    made(
        "changed.db",
        "DROP INDEX leads_by_status; CREATE INDEX leads_by_status ON leads (name); DROP TABLE heartbeat",
    );
    // More than crm knows is nobody's fault.
    made(
        "more.db",
        "CREATE TABLE notes (x); CREATE INDEX mine ON leads (name)",
    );
    assert_eq!(home.line("check --db more.db").ok(), "ok\n");
    std::fs::copy(home.path("good.db"), home.path("damaged.db")).unwrap();
    damage(&home.path("damaged.db"));
    home.write("text.db", "no database");
    home.write("empty.db", "");
    for (file, lines) in [
        ("newer.db", &["schema: is from a newer crm"][..]),
        ("other.db", &["schema: is another program's database"]),
        (
            "dangling.db",
            &[
                "reference: actions 1: lead_id is 7777, which does not exist; `crm action update 1 --clear lead_id` ",
                "reference: processes 1: last_action_id is 8888, which does not exist; ",
            ],
        ),
        (
            "changed.db",
            &[
                "schema: table heartbeat is missing",
                "schema: index leads_by_status is not as crm made it",
            ],
        ),
        ("damaged.db", &["integrity: "]),
        ("text.db", &["integrity: file is not a database"]),
        ("empty.db", &["schema: is empty"]),
    ] {
        let before = std::fs::read(home.path(file)).unwrap();
        let run = home.line(&format!("check --db {file}")).run();
        assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "{file}");
        for line in lines {
            let found = run.stdout.lines().any(|found| found.starts_with(line));
            assert!(found, "{file}: {}", run.stdout);
        }
        let told = home.line(&format!("check -o json --db {file}")).run();
        let told = json_of(&told.stdout);
        assert_eq!(told["ok"], false);
        let findings = told["findings"].as_array().unwrap();
        assert_eq!(findings.len(), run.stdout.lines().count());
        assert!(before == std::fs::read(home.path(file)).unwrap(), "{file}");
    }
    for (words, says) in [
        ("check --db none.db", "there is no such database"),
        ("check --db .", "is a folder"),
    ] {
        let told = home.line(words).fails(1);
        assert!(told.contains(says), "{told}");
    }
}

#[test]
fn a_check_works_beside_a_server() {
    let api = Api::start();
    let progress = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let told = Acknowledged::default();
    std::thread::scope(|scope| {
        scope.spawn(|| write_over_http(api.server.address(), "w", &told, &over));
        for _ in 0..5 {
            assert_eq!(api.home.line("check --db crm.db").ok(), "ok\n");
            progress.fetch_add(1, Ordering::Relaxed);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(!told.now().0.is_empty());
}

/// The names of a folder's backups.
fn made(folder: &Path) -> Vec<String> {
    let mut names = names(folder);
    names.retain(|name| name.starts_with("crm-20") && name.ends_with("Z.db"));
    names
}

fn stamp(name: &str) -> SystemTime {
    let stamp = name.trim_start_matches("crm-").trim_end_matches(".db");
    time::read_stamp(stamp).unwrap()
}

#[test]
fn a_server_makes_backups_by_the_clock_and_keeps_the_newest() {
    let home = Home::new();
    let folder = home.path("backups");
    home.write("backups/notes.txt", "mine");
    home.write("backups/other-20200101T000000Z.db", "another's");
    home.write("backups/crm-20200101T000000Z.db", OLD);
    home.write(
        "backups/crm-20200101T000000Z.db.part-0123456789abcdef",
        "left over",
    );
    let server = home.serve(&[
        "--db",
        "crm.db",
        "--backup-dir",
        "backups",
        "--backup-every",
        "1s",
        "--backup-keep",
        "2",
    ]);
    let api = Api { home, server };
    let mut seen = HashSet::new();
    wait_for("four backups", || {
        seen.extend(made(&folder));
        seen.len() > 4
    });
    wait_for("the old ones to go", || made(&folder).len() <= 2);
    let ready = api.get("/ready").json();
    let last = ready["last_backup"].as_str().unwrap();
    assert!(time::parse(last).is_some(), "{ready}");
    assert_eq!(ready["backups_failing_since"], Value::Null);
    // A command tells the same; the times may be those of a moment later.
    let health = |api: &Api| {
        let line = format!("health -o json --url {}", api.server.url);
        json_of(&api.home.line(&line).ok())
    };
    let told = health(&api);
    assert!(told["last_backup"].as_str().unwrap() >= last, "{told}");
    assert_eq!(told["backups_failing_since"], Value::Null);
    let keys = |json: &Value| Vec::from_iter(json.as_object().unwrap().keys().cloned());
    assert_eq!(keys(&told), keys(&ready));
    // A folder that is gone is said and told, and tried again; the service goes on.
    std::fs::rename(&folder, api.home.path("away")).unwrap();
    wait_for("a failure", || {
        !api.get("/ready").json()["backups_failing_since"].is_null()
    });
    assert!(health(&api)["backups_failing_since"].is_string());
    let asked = api
        .home
        .line(&format!("health --url {}", api.server.url))
        .run();
    assert_eq!((asked.code, asked.stdout.as_str()), (Some(0), "ok\n"));
    assert!(
        asked
            .stderr
            .starts_with("warning: the service's backups have failed since "),
        "{}",
        asked.stderr
    );
    assert_eq!(asked.stderr.lines().count(), 1, "{}", asked.stderr);
    assert_eq!(
        api.post("/leads", r#"{"email": "a@example.com"}"#).status,
        201
    );
    std::fs::rename(api.home.path("away"), &folder).unwrap();
    wait_for("the end of the failures", || {
        api.get("/ready").json()["backups_failing_since"].is_null()
    });
    let Api { home, server } = api;
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("INFO backup"), "{log}");
    assert!(log.contains("ERROR the backup failed"), "{log}");
    let left = names(&folder);
    let foreign: Vec<&String> = left
        .iter()
        .filter(|name| !name.starts_with("crm-"))
        .collect();
    assert_eq!(foreign, ["notes.txt", "other-20200101T000000Z.db"]);
    assert_eq!(left.len(), 4, "{left:?}");
    let newest = made(&folder).pop().unwrap();
    home.line(&format!("restore backups/{newest} --db crm.db"))
        .ok();
    assert_eq!(emails(&home.path("crm.db")), ["a@example.com"]);
}

#[test]
fn a_server_that_is_started_anew_goes_on_with_the_schedule() {
    let home = home();
    let folder = home.path("backups");
    // Two seconds before an hour ago: the next is due two seconds from now, and not at once, and not in an hour.
    let old = SystemTime::now() - Duration::from_secs(3_598);
    let name = time::stored(old).unwrap();
    let name: String = name.chars().filter(char::is_ascii_digit).collect();
    let name = format!("crm-{}T{}Z.db", &name[..8], &name[8..]);
    home.write(&format!("backups/{name}"), OLD);
    // By the environment, as a container would have it.
    let server = Server::start(
        home.line("serve --host 127.0.0.1 --port 0 --db crm.db")
            .env("CRM_BACKUP_DIR", "backups")
            .env("CRM_BACKUP_EVERY", "1h")
            .command(),
    );
    let api = Api { home, server };
    wait_for("the schedule to begin", || {
        !api.get("/ready").json()["last_backup"].is_null()
    });
    wait_for("the next one", || made(&folder).len() == 2);
    let made = made(&folder);
    let between = stamp(&made[1]).duration_since(stamp(&made[0])).unwrap();
    assert!(between >= Duration::from_secs(3_600), "{between:?}");
    assert!(between < Duration::from_secs(3_660), "{between:?}");
}

#[test]
fn the_end_of_a_server_ends_a_backup_and_leaves_no_part_of_it() {
    let home = home();
    let folder = home.path("backups");
    std::fs::create_dir(&folder).unwrap();
    fill(&home.path("crm.db"), 10_000, 4_000);
    for moment in 0..4 {
        let server = home.serve(&[
            "--db",
            "crm.db",
            "--backup-dir",
            "backups",
            "--backup-every",
            "1s",
        ]);
        wait_for("a backup to begin", || !parts(&folder).is_empty());
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(10) * moment {
            std::thread::yield_now();
        }
        let (status, log) = server.stop();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{log}");
        assert!(!log.contains("ERROR"), "{log}");
        assert_eq!(parts(&folder), [""; 0], "{log}");
        assert!(!home.path("crm.db-wal").exists());
        for name in made(&folder) {
            assert_eq!(emails(&folder.join(&name)).len(), 10_001);
            std::fs::remove_file(folder.join(name)).unwrap();
        }
    }
}

#[test]
fn a_schedule_that_makes_no_sense_is_refused() {
    let home = Home::new();
    for (words, says) in [
        ("serve --port 0 --backup-every 1h", "--backup-dir"),
        ("serve --port 0 --backup-keep 3", "--backup-dir"),
        (
            "serve --port 0 --backup-dir b --backup-every 0s",
            "--backup-every: ",
        ),
        (
            "serve --port 0 --backup-dir b --backup-every soon",
            "30s, 15m, 1h or 1d",
        ),
        (
            "serve --port 0 --backup-dir b --backup-keep 0",
            "from 1 to 10000",
        ),
    ] {
        let told = home.line(words).fails(2);
        assert!(told.contains(says), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    assert_eq!(names(&home.path("")), [""; 0]);
}

#[test]
fn a_folder_that_takes_no_backups_is_refused_at_the_start() {
    let home = Home::new();
    home.write("file", "in the way");
    for (folder, why) in [
        ("file", "not a directory"),
        ("file/backups", "Not a directory"),
        ("no/backups", "No such file"),
    ] {
        let told = home
            .shell(&format!(
                "timeout 60 crm serve --host 127.0.0.1 --port 0 --db crm.db --backup-dir {folder}"
            ))
            .fails(2);
        let begin = "error: --backup-dir: expected a folder that backups can be written to, ";
        assert!(told.starts_with(begin), "{told}");
        assert!(told.contains(&format!("/{folder}: {why}")), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let serve = home.shell("timeout 60 crm serve --host 127.0.0.1 --port 0 --db crm.db");
    let told = serve.env("CRM_BACKUP_DIR", "file").fails(2);
    assert!(told.starts_with("error: CRM_BACKUP_DIR: "), "{told}");
    // Not even the database was made.
    assert_eq!(names(&home.path("")), ["file"]);
    let line = "mkdir disk/backups; mount -o remount,ro disk; \
                timeout 60 crm serve --host 127.0.0.1 --port 0 --db crm.db --backup-dir disk/backups; \
                echo $?";
    if let Some((told, _)) = with_small_disk(&home, 100, line) {
        assert!(told.starts_with("2\nerror: --backup-dir: "), "{told}");
        assert!(told.contains("Read-only file system"), "{told}");
    }
    // What the look at it has made is gone again.
    let server = home.serve(&["--db", "crm.db", "--backup-dir", "good"]);
    wait_for("the first backup", || !made(&home.path("good")).is_empty());
    assert_eq!(server.stop().0.code(), Some(0));
    assert_eq!(names(&home.path("good")), made(&home.path("good")));
}

#[test]
fn a_quiet_command_says_nothing_of_a_success() {
    let home = home();
    for line in [
        "backup b.db -q --db crm.db",
        "check -q --db crm.db",
        "restore b.db -q --db crm.db",
        "backup b.db -q --force -o json --db crm.db",
        "restore b.db --quiet -o json --db new.db",
        "check --quiet -o json --db crm.db",
    ] {
        assert_eq!(home.line(line).ok(), "", "{line}");
    }
    let told = home.line("backup b.db -q --db crm.db").fails(5);
    assert!(told.contains("--force"), "{told}");
    home.write("text.db", "no database");
    let told = home.line("restore text.db -q --db crm.db").fails(1);
    assert!(told.contains("is not a SQLite database"), "{told}");
    let run = home.line("check -q --db text.db").run();
    assert_eq!(run.code, Some(1));
    assert!(run.stdout.starts_with("integrity: "), "{run:?}");
}

#[test]
fn a_check_takes_its_database_as_a_word_too() {
    let home = home();
    home.line("backup b.db --db crm.db").ok();
    home.write("text.db", "no database");
    let before = names(&home.path(""));
    assert_eq!(home.line("check b.db").ok(), "ok\n");
    assert_eq!(home.line("check ./b.db --db b.db").ok(), "ok\n");
    // It goes before what the environment says, as a flag does.
    let check = home.line("check b.db").env("DATABASE_URL", "text.db");
    assert_eq!(check.env("CRM_URL", "http://localhost:1").ok(), "ok\n");
    assert!(home.line("check text.db").run().stdout.contains("database"));
    assert!(home.line("check none.db").fails(1).contains("none.db"));
    for (line, says) in [
        ("check b.db --db crm.db", "FILE and --db: expected one"),
        ("check b.db --db none.db", "FILE and --db: expected one"),
        ("check b.db --url http://h", "FILE and --url: expected one"),
    ] {
        let told = home.line(line).fails(2);
        assert!(told.contains(says) && told.lines().count() == 1, "{told}");
    }
    assert_eq!(names(&home.path("")), before);
}

/// SQLite would undo it as soon as it reads the file, which a check must not change.
#[test]
fn a_check_of_half_a_write_changes_nothing() {
    let home = home();
    home.line("backup b.db --db crm.db").ok();
    fill(&home.path("b.db"), 500, 1_000);
    let writer = Connection::open(home.path("b.db")).unwrap();
    writer
        .execute_batch("PRAGMA cache_size = 1; BEGIN; UPDATE leads SET name = upper(name)")
        .unwrap();
    copy(&home, "b.db", "half.db", &["", "-journal"]);
    drop(writer);
    let files =
        || ["half.db", "half.db-journal"].map(|name| std::fs::read(home.path(name)).unwrap());
    let before = files();
    let told = home.line("check --db half.db").fails(1);
    assert!(
        told.contains("half.db: a program ended in the middle"),
        "{told}"
    );
    assert!(before == files());
    assert_eq!(home.line("lead list --count --db half.db").ok(), "501\n");
    assert_eq!(home.line("check half.db").ok(), "ok\n");
}

/// References can come from a program that does not enforce them. Whoever has some still wants backups.
#[test]
fn references_to_nothing_are_backed_up_with_a_warning_and_can_be_repaired() {
    let home = home();
    let dangle = Connection::open(home.path("crm.db")).unwrap();
    dangle
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             UPDATE processes SET last_action_id = 88, lead_id = 66;
             INSERT INTO actions (lead_id, action_type, timestamp, attributes, created_at, updated_at)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 11)
             SELECT 77, 'call', '2026-01-31 09:30:00', '{}', '2026-01-31 09:30:00', '2026-01-31 09:30:00' FROM n",
        )
        .unwrap();
    drop(dangle);
    let warns = |line: &str| {
        let run = home.line(line).run();
        assert_eq!(run.code, Some(0), "{line}: {run:?}");
        assert!(
            run.stderr
                .starts_with("warning: b.db: 13 references lead to records"),
            "{run:?}"
        );
        assert!(run.stderr.contains("`crm check`"), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    };
    warns("backup b.db --db crm.db");
    warns("backup b.db --force -q --db crm.db");
    warns("restore b.db --db crm.db");
    let server = home.serve(&["--db", "crm.db", "--backup-dir", "backups"]);
    let folder = home.path("backups");
    wait_for("a backup", || !made(&folder).is_empty());
    let (_, log) = server.stop();
    assert!(
        log.contains(" WARN backup ") && log.contains("13 references"),
        "{log}"
    );
    // The check names ten, and what it says of repairs is true.
    let check = || home.line("check --db crm.db").run();
    let told = check();
    assert_eq!((told.code, told.stderr.as_str()), (Some(1), ""));
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(lines.len(), 11, "{lines:?}");
    assert!(
        lines[0].starts_with("reference: actions 2: lead_id is 77"),
        "{lines:?}"
    );
    assert_eq!(lines[10], "reference: and 3 more");
    let database = format!(
        "--db {}",
        home.path("crm.db").canonicalize().unwrap().display()
    );
    let commands = |line: &str| -> Vec<String> {
        assert!(line.contains(&database), "{line}");
        let quoted = line.split('`').skip(1).step_by(2);
        quoted
            .map(|command| format!("{command} {database}").replace(" ID ", " 1 "))
            .collect()
    };
    home.shell(&commands(lines[0])[0]).ok();
    home.shell(&commands(lines[1])[1]).ok();
    home.shell(&format!("{} --yes", commands(lines[2])[2])).ok();
    let mut rounds = 0;
    while check().code == Some(1) {
        let told = check().stdout;
        for line in told.lines().filter(|line| line.contains('`')) {
            home.shell(&commands(line)[0]).ok();
        }
        rounds += 1;
        assert!(rounds < 3, "{told}");
    }
    assert_eq!(home.line("backup clean.db -q --db crm.db").ok(), "");
    assert_eq!(home.line("action list --count --db crm.db").ok(), "11\n");
}

#[test]
fn a_backup_and_a_restore_that_are_stopped_leave_nothing() {
    let home = home();
    fill(&home.path("crm.db"), 20_000, 4_000);
    home.line("backup b.db --db crm.db").ok();
    let left = ["b.db", "crm.db"];
    for (signal, code, line) in [
        ("INT", 130, "backup c.db --db crm.db"),
        ("TERM", 143, "backup c.db --db crm.db"),
        ("INT", 130, "restore b.db --db new.db"),
    ] {
        let mut command = home.line(line).command();
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        wait_for("a part", || !parts(&home.path("")).is_empty());
        let kill = format!("kill -{signal} {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {told}");
        assert!(
            told.starts_with(&format!("error: stopped by SIG{signal}: ")),
            "{told}"
        );
        assert_eq!(names(&home.path("")), left, "{line}");
    }
}

/// Neither a device nor a pipe becomes a backup, nor is one read as a database: the one would be gone, the other waited for.
#[test]
fn what_is_no_ordinary_file_is_refused_and_stays() {
    let home = Home::new();
    home.line("lead create --email ada@example.com --db crm.db")
        .ok();
    home.line("backup saved.db --db crm.db").ok();
    assert!(home.shell("mkfifo pipe").run().code == Some(0));
    for (line, what) in [
        (
            "backup pipe --force --db crm.db",
            "pipe: is not an ordinary file",
        ),
        ("backup b.db --db pipe", "pipe: is not an ordinary file"),
        ("check pipe", "pipe: is not an ordinary file"),
        ("restore pipe --db crm.db", "pipe: is not a file"),
        (
            "restore saved.db --db pipe",
            "pipe: is not an ordinary file",
        ),
        ("lead list --db pipe", "pipe: is not an ordinary file"),
    ] {
        let run = home.line(line).run();
        assert!(
            run.code != Some(0) && run.stderr.contains(what),
            "{line}: {run:?}"
        );
    }
    let kind = std::fs::metadata(home.path("pipe")).unwrap().file_type();
    assert!(!kind.is_file());
}

/// A backup in the place of a live log would take what was acknowledged with it, whatever the database is called.
#[test]
fn the_log_of_a_database_is_no_place_for_a_backup() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    std::os::unix::fs::symlink("crm.db", home.path("link.db")).unwrap();
    let create = format!("lead create --email ada@example.com --url {}", server.url);
    home.line(&create).ok();
    home.line("lead create --email eve@example.com --db other.db")
        .ok();
    for line in [
        "backup crm.db-wal --force --db crm.db",
        "backup crm.db-wal --force --db link.db",
        "backup crm.db-wal --force --db other.db",
    ] {
        assert!(home.line(line).run().code != Some(0), "{line}");
    }
    // Whether the other one is in use or not.
    for line in [
        "backup crm.db-shm --db other.db",
        "restore crm.db-wal --db other.db",
        "restore crm.db-shm --db other.db",
        "check crm.db-shm",
    ] {
        assert_eq!(home.line(line).run().code, Some(1), "{line}");
    }
    drop(server);
    assert_eq!(home.line("lead list -o id --db crm.db").ok(), "1\n");
}
