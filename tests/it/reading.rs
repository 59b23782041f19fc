//! Reading changes nothing, and works where nothing may be changed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

use crate::backup::{copy, home, names, with_small_disk};
use crate::support::{Crm, Home, Run};

/// What commands read, each with what it prints of a database with one lead.
const READS: [(&str, &str); 5] = [
    ("lead get 1 -o id --db FILE", "1\n"),
    ("lead list --count --db FILE", "1\n"),
    ("lead list -o id --sort -email --db FILE", "1\n"),
    ("check FILE", "ok\n"),
    ("backup -q --force read.db --db FILE", ""),
];

/// A database with a write-ahead log and a backup of it, which has none, in a folder of their own.
fn both(home: &Home) -> [&'static str; 2] {
    std::fs::create_dir(home.path("in")).unwrap();
    home.line("backup -q in/backup.db --db crm.db").ok();
    copy(home, "crm.db", "in/crm.db", &[""]);
    ["in/crm.db", "in/backup.db"]
}

/// The same without the rights that root has over files of others.
fn unprivileged(crm: Crm) -> Command {
    let crm = crm.command();
    if !rustix::process::geteuid().is_root() {
        return crm;
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all"]);
    command.arg(crm.get_program()).args(crm.get_args());
    command.env_clear();
    let set = crm
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command.envs(set);
    command.current_dir(crm.get_current_dir().unwrap());
    command
}

fn run(mut command: Command) -> Run {
    let output = command.output().unwrap();
    Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

/// The content of a file and the names of its folder.
fn state(path: &Path) -> (Vec<u8>, Vec<String>) {
    (std::fs::read(path).unwrap(), names(path.parent().unwrap()))
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Gives a folder that a test closed back to whoever removes it.
struct Closed(PathBuf);

impl Closed {
    fn new(path: PathBuf) -> Closed {
        set_mode(&path, 0o555);
        Closed(path)
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        set_mode(&self.0, 0o755);
    }
}

fn ok(home: &Home, line: &str) -> String {
    let ran = run(unprivileged(home.line(line)));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}");
    ran.stdout
}

fn fails(home: &Home, line: &str) -> String {
    let ran = run(unprivileged(home.line(line)));
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(1), ""),
        "{line}: {ran:?}"
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    ran.stderr
}

#[test]
fn reading_leaves_a_file_as_it_is() {
    let home = home();
    for file in both(&home) {
        let before = state(&home.path(file));
        for (line, told) in READS {
            assert_eq!(home.line(&line.replace("FILE", file)).ok(), told, "{line}");
            assert!(state(&home.path(file)) == before, "{line}: {file}");
        }
        let line = format!("copy -q {file} copy-of-{}", file.replace('/', "-"));
        home.line(&line).run();
        assert!(state(&home.path(file)) == before, "{line}");
    }
}

#[test]
fn a_log_that_was_left_behind_stays() {
    let home = home();
    let server = home.serve(&["--db", "crm.db"]);
    let create = format!("lead create --email b@example.com --url {}", server.url);
    home.line(&create).ok();
    server.signal("KILL");
    drop(server);
    let ends = ["", "-wal"];
    let state = || ends.map(|end| std::fs::read(home.path(&format!("crm.db{end}"))).unwrap());
    let before = state();
    assert!(!before[1].is_empty());
    for (line, told) in [
        ("lead list -o id", "1\n2\n"),
        ("lead get 2 -o id", "2\n"),
        ("lead list -o id --sort -email --q example", "2\n1\n"),
        ("token list -o id", ""),
        ("check -q", ""),
        ("backup -q b.db", ""),
    ] {
        assert_eq!(home.line(&format!("{line} --db crm.db")).ok(), told);
        assert!(state() == before, "{line}");
    }
    home.line("copy -q crm.db c.db").ok();
    assert!(state() == before);
    // Nor do several at once.
    for _ in 0..4 {
        std::thread::scope(|scope| {
            for line in [
                "lead list -o json",
                "check -q",
                "backup -q --force b.db",
                "lead get 2",
            ] {
                let command = home.line(&format!("{line} --db crm.db"));
                scope.spawn(move || command.ok());
            }
        });
        assert!(state() == before);
    }
    // Who writes writes it into the file.
    home.line("lead update 2 --name b --db crm.db").ok();
    assert!(!home.path("crm.db-wal").exists());
    // Where nobody has ended in the middle none stays, whoever read beside the service.
    let server = home.serve(&["--db", "crm.db"]);
    home.line(&format!("lead update 2 --name c --url {}", server.url))
        .ok();
    home.line("lead get 2 --db crm.db").ok();
    server.stop();
    assert!(!home.path("crm.db-wal").exists());
    home.line("lead get 2 --db crm.db").ok();
    assert!(!home.path("crm.db-wal").exists());
}

#[test]
fn a_file_that_may_not_be_written_is_read_and_not_written() {
    let home = home();
    for file in both(&home) {
        let path = home.path(file);
        for (mode, is_closed) in [(0o444, false), (0o444, true), (0o644, true)] {
            set_mode(&path, mode);
            let closed = is_closed.then(|| Closed::new(home.path("in")));
            let before = state(&path);
            for (line, told) in READS {
                assert_eq!(ok(&home, &line.replace("FILE", file)), told, "{line}");
            }
            for line in [
                "lead create --email b@example.com --db FILE",
                "lead update 1 --name b --db FILE",
                "lead delete 1 --yes --cascade --db FILE",
                "serve --host 127.0.0.1 --port 0 --db FILE",
            ] {
                let told = fails(&home, &line.replace("FILE", file));
                let named = told.contains(&format!("{file}: "));
                assert!(named && told.contains("may not be written to"), "{told}");
                assert!(!told.contains("read-only"), "{told}");
            }
            assert!(state(&path) == before, "{file} {mode:o} {is_closed}");
            drop(closed);
        }
    }
    // The backup of a file that nobody may write is made, and is its maker's to write.
    let backup = home.path("read.db");
    assert_eq!(
        backup.metadata().unwrap().permissions().mode() & 0o777,
        0o644
    );
}

#[test]
fn what_cannot_be_read_without_a_write_is_told() {
    let home = home();
    both(&home);
    let open = || Connection::open(home.path("in/backup.db")).unwrap();
    open()
        .execute_batch(
            "PRAGMA user_version = 2; DROP TRIGGER leads_start_version; DROP TRIGGER actions_start_version;
             DROP TRIGGER processes_start_version; DROP TRIGGER leads_count_version; DROP TRIGGER actions_count_version;
             DROP TRIGGER processes_count_version; DROP TABLE crm_tokens; DROP TABLE crm_idempotency_keys;
             DROP INDEX leads_by_last_action; DROP INDEX processes_by_due;
             ALTER TABLE leads DROP COLUMN last_action_at; ALTER TABLE processes DROP COLUMN cadence_days;
             ALTER TABLE processes DROP COLUMN due_seen; ALTER TABLE leads DROP COLUMN version; ALTER TABLE actions DROP COLUMN version;
             ALTER TABLE processes DROP COLUMN version;",
        )
        .unwrap();
    set_mode(&home.path("in/backup.db"), 0o444);
    let told = fails(&home, "lead list --db in/backup.db");
    assert!(
        told.contains("in/backup.db: has to be brought up to date before it can be read, but"),
        "{told}"
    );
    // What is read page by page needs no upgrade.
    assert_eq!(ok(&home, "backup -q old.db --db in/backup.db"), "");
    home.write("in/empty.db", "");
    set_mode(&home.path("in/empty.db"), 0o444);
    let told = fails(&home, "lead list --db in/empty.db");
    assert!(told.contains("in/empty.db: is empty"), "{told}");
    // A log whose index is gone.
    let server = home.serve(&["--db", "in/crm.db"]);
    home.line(&format!(
        "lead create --email b@example.com --url {}",
        server.url
    ))
    .ok();
    copy(&home, "in/crm.db", "in/log.db", &["", "-wal"]);
    set_mode(&home.path("in/log.db"), 0o444);
    for line in ["lead list --db FILE", "check FILE", "backup b.db --db FILE"] {
        let told = fails(&home, &line.replace("FILE", "in/log.db"));
        assert!(told.contains("in/log.db-wal: holds writes that"), "{told}");
    }
    assert!(!home.path("in/log.db-shm").exists());
}

/// A server of another user, whose file this one may read.
#[test]
fn what_a_server_writes_is_read_by_who_may_not_write() {
    let home = home();
    both(&home);
    let server = home.serve(&["--db", "in/crm.db"]);
    let create = format!(
        "lead create --email b@example.com -o id --url {}",
        server.url
    );
    home.line(&create).ok();
    for end in ["", "-wal", "-shm"] {
        set_mode(&home.path(&format!("in/crm.db{end}")), 0o444);
    }
    let _closed = Closed::new(home.path("in"));
    for (line, told) in [
        ("lead list --count --db in/crm.db", "2\n"),
        ("check in/crm.db", "ok\n"),
        ("backup -q b.db --db in/crm.db", ""),
    ] {
        assert_eq!(ok(&home, line), told, "{line}");
    }
    home.line(&create).ok();
    assert_eq!(ok(&home, "lead list --count --db in/crm.db"), "3\n");
    assert_eq!(home.line("lead list --count --db b.db").ok(), "2\n");
}

#[test]
fn a_read_only_file_system_is_read_and_named() {
    let home = home();
    both(&home);
    let reads = READS.map(|(line, _)| format!("crm {}; ", line.replace("FILE", "$f")));
    let line = format!(
        "cp in/* disk; mount -o remount,ro disk; for f in disk/crm.db disk/backup.db; do {} done; \
         cmp in/crm.db disk/crm.db; cmp in/backup.db disk/backup.db; ls -A disk",
        reads.concat()
    );
    let Some((told, _)) = with_small_disk(&home, 600, &line) else {
        return;
    };
    let each = READS.map(|(_, told)| told).concat();
    assert_eq!(told, format!("{each}{each}backup.db\ncrm.db\n"));
    let line = "cp in/* disk; mount -o remount,ro disk; \
                crm lead update 1 --name b --db disk/crm.db; \
                crm lead create --email b@example.com --db disk/backup.db; \
                crm lead create --email b@example.com --db disk/new.db; \
                timeout 60 crm serve --host 127.0.0.1 --port 0 --db disk/crm.db";
    let (told, _) = with_small_disk(&home, 600, line).unwrap();
    assert_eq!(told.lines().count(), 4, "{told}");
    for (line, file) in told.lines().zip(["crm", "backup", "new", "crm"]) {
        let names = format!("disk/{file}.db: its file system is mounted read-only, expected");
        assert!(line.contains(&names), "{line}");
    }
}
