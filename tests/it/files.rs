//! The file of a database: its links, its names, who may read it, and who else has it open.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rusqlite::Connection;

use crate::backup::{home, names};
use crate::support::Home;

fn emails(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let whole: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok", "{}", path.display());
    let mut found = connection
        .prepare("SELECT email FROM leads ORDER BY id")
        .unwrap();
    let found = found.query_map([], |row| row.get(0)).unwrap();
    found.collect::<rusqlite::Result<_>>().unwrap()
}

fn insert(connection: &Connection, email: &str) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO leads (email, status, name, attributes, created_at, updated_at)
               VALUES (?1, 'new', printf('%.*c', 20000, 'x'), '{}', '2026-01-31 09:30:00', '2026-01-31 09:30:00')";
    connection.execute(sql, [email])
}

/// A home whose database has one lead more than its backup, `b.db`.
fn with_backup() -> Home {
    let home = home();
    home.line("backup b.db --db crm.db").ok();
    home.line("lead create --email later@example.com --db crm.db")
        .ok();
    home
}

/// SQLite opens a file long before it locks it. If the restore put another file under the name, such a program would have
/// the old one, and would take the journal of the new one for its own.
#[test]
fn a_program_that_opened_the_database_before_a_restore_takes_no_journal_for_its_own() {
    let home = with_backup();
    let early = Connection::open(home.path("crm.db")).unwrap();
    home.line("restore b.db --db crm.db").ok();
    let writer = Connection::open(home.path("crm.db")).unwrap();
    writer
        .execute_batch("PRAGMA cache_size = 1; BEGIN IMMEDIATE")
        .unwrap();
    for number in 0..100 {
        insert(&writer, &format!("new{number}@example.com")).unwrap();
    }
    let journal = home.path("crm.db-journal").metadata().unwrap().len();
    assert!(journal > 512, "{journal}");
    let count = "SELECT count(*) FROM leads";
    let read = |_: &()| early.query_row(count, [], |row| row.get::<_, i64>(0));
    let busy = read(&()).unwrap_err();
    let code = busy.sqlite_error_code();
    assert_eq!(code, Some(rusqlite::ErrorCode::DatabaseBusy), "{busy}");
    writer.execute_batch("COMMIT").unwrap();
    drop(writer);
    assert_eq!(read(&()), Ok(101));
    drop(early);
    let kept = home.path("crm.db.before-restore");
    assert_eq!(emails(&kept), ["ada@example.com", "later@example.com"]);
    assert_eq!(emails(&home.path("crm.db")).len(), 101);
}

#[test]
fn a_program_that_opened_the_database_before_a_restore_writes_into_the_new_one() {
    let home = with_backup();
    let early = Connection::open(home.path("crm.db")).unwrap();
    home.line("restore b.db --db crm.db").ok();
    // The two files would differ in many pages.
    let writer = Connection::open(home.path("crm.db")).unwrap();
    for number in 0..50 {
        insert(&writer, &format!("new{number}@example.com")).unwrap();
    }
    drop(writer);
    let server = home.serve(&["--db", "crm.db"]);
    let create = |email: &str| {
        let line = format!("lead create --email {email} -o id --url {}", server.url);
        home.line(&line).ok()
    };
    assert_eq!(create("served@example.com"), "53\n");
    insert(&early, "early@example.com").unwrap();
    drop(early);
    assert_eq!(create("again@example.com"), "55\n");
    server.stop();
    let found = emails(&home.path("crm.db"));
    assert_eq!(found.len(), 54);
    assert_eq!(
        found[51..],
        [
            "served@example.com",
            "early@example.com",
            "again@example.com"
        ]
    );
    let kept = home.path("crm.db.before-restore");
    assert_eq!(emails(&kept), ["ada@example.com", "later@example.com"]);
}

/// The file stays, and with it all that belongs to it: its owner, its permissions, its links.
#[test]
fn a_restore_leaves_the_file_in_its_place() {
    let home = with_backup();
    let before = home.path("crm.db").metadata().unwrap();
    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(home.path("crm.db"), mode).unwrap();
    home.line("restore b.db --db crm.db").ok();
    for name in ["crm.db", "crm.db.before-restore"] {
        let found = home.path(name).metadata().unwrap();
        let (owner, group) = (found.uid(), found.gid());
        assert_eq!((owner, group), (before.uid(), before.gid()), "{name}");
        assert_eq!(found.mode() & 0o777, 0o640, "{name}");
        assert_eq!(found.ino() == before.ino(), name == "crm.db");
        assert_eq!(found.nlink(), 1);
    }
}

#[test]
fn every_command_works_on_a_link_to_a_database() {
    // The link, and what leads to the file `data/crm.db`.
    type Prepare = fn(&Home);
    let links: [(&str, Prepare); 6] = [
        ("link.db", |home| link("data/crm.db", home, "link.db")),
        ("link.db", |home| {
            symlink(home.path("data/crm.db"), home.path("link.db")).unwrap();
        }),
        ("one.db", |home| {
            link("two/two.db", home, "one.db");
            std::fs::create_dir(home.path("two")).unwrap();
            link("../data/crm.db", home, "two/two.db");
        }),
        ("folder/crm.db", |home| link("data", home, "folder")),
        ("folder/link.db", |home| {
            link("data", home, "folder");
            link("crm.db", home, "data/link.db");
        }),
        ("folder/link.db", |home| {
            link("data/deep", home, "folder");
            std::fs::create_dir(home.path("data/deep")).unwrap();
            link("../crm.db", home, "data/deep/link.db");
        }),
    ];
    for (db, make) in links {
        let home = Home::new();
        std::fs::create_dir(home.path("data")).unwrap();
        make(&home);
        let run = |line: &str| home.line(&format!("{line} --db {db}")).ok();
        // The file does not exist yet.
        let told = home.line(&format!("lead list --db {db}")).fails(1);
        assert!(told.contains("there is no such database"), "{told}");
        assert_eq!(run("lead create --email ada@example.com -o id"), "1\n");
        assert_eq!(run("lead update 1 --name Ada -o id"), "1\n");
        assert_eq!(run("lead list --fields name -o id"), "1\n");
        assert_eq!(run("check"), "ok\n");
        run("backup b.db");
        let server = home.serve(&["--db", db]);
        let create = "lead create --email eve@example.com -o id";
        assert_eq!(
            home.line(&format!("{create} --url {}", server.url)).ok(),
            "2\n"
        );
        assert!(home.path("data/crm.db-wal").exists(), "{db}");
        // A command beside it, under the other name.
        let beside = "lead create --email bob@example.com -o id --db data/crm.db";
        assert_eq!(home.line(beside).ok(), "3\n");
        assert_eq!(
            home.line(&format!("lead list --count --url {}", server.url))
                .ok(),
            "3\n"
        );
        assert_eq!(server.stop().0.code(), Some(0));
        assert_eq!(run("lead delete 3 --yes -o id"), "3\n");
        run("restore b.db");
        assert_eq!(run("lead list -o id"), "1\n");
        home.line(&format!("copy {db} copy.db")).ok();
        std::fs::remove_file(home.path("data/crm.db")).unwrap();
        run("restore b.db");
        assert_eq!(run("lead list -o id"), "1\n");
        for folder in ["", "data", "two", "data/deep"] {
            for name in names_of(&home.path(folder)) {
                let is_side = name.contains("db-") || name.contains(".part-");
                assert!(!is_side, "{db}: {folder}/{name}");
                let is_kept = name.contains(".before-restore");
                assert!(!is_kept || folder == "data", "{db}: {folder}/{name}");
            }
        }
        let is_link = |path: &Path| path.symlink_metadata().unwrap().is_symlink();
        assert!(
            is_link(&home.path(db)) || is_link(&home.path("folder")),
            "{db}"
        );
    }
}

fn link(target: &str, home: &Home, name: &str) {
    symlink(target, home.path(name)).unwrap();
}

fn names_of(folder: &Path) -> Vec<String> {
    match folder.is_dir() {
        true => names(folder),
        false => Vec::new(),
    }
}

#[test]
fn a_backup_is_read_and_written_through_a_link_too() {
    let home = with_backup();
    // Its last write is only in its log, which lies beside the file.
    home.line("lead create --email logged@example.com --db live.db")
        .ok();
    let live = Connection::open(home.path("live.db")).unwrap();
    live.execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE leads SET name = 'logged'")
        .unwrap();
    std::fs::create_dir(home.path("saved")).unwrap();
    crate::backup::copy(&home, "live.db", "saved/live.db", &["", "-wal"]);
    drop(live);
    link("saved/live.db", &home, "latest.db");
    home.line("restore latest.db --db other.db").ok();
    let list = "lead list --name logged --count --db other.db";
    assert_eq!(home.line(list).ok(), "1\n");
    std::fs::remove_file(home.path("saved/live.db-wal")).unwrap();
    home.line("backup latest.db --db crm.db").fails(5);
    home.line("backup latest.db --force --db crm.db").ok();
    assert!(
        home.path("latest.db")
            .symlink_metadata()
            .unwrap()
            .is_symlink()
    );
    assert_eq!(emails(&home.path("saved/live.db")).len(), 2);
    link("loop.db", &home, "loop.db");
    for line in [
        "check loop.db",
        "lead create --email a@example.com --db loop.db",
    ] {
        assert_eq!(home.line(line).run().code, Some(1), "{line}");
    }
}

/// Each name would have its own log, and ids would be given twice.
#[test]
fn a_database_with_two_names_is_only_read() {
    let home = with_backup();
    std::fs::hard_link(home.path("crm.db"), home.path("other.db")).unwrap();
    let before = std::fs::read(home.path("crm.db")).unwrap();
    for db in ["crm.db", "other.db"] {
        let named = if db == "crm.db" { "other.db" } else { "crm.db" };
        for line in [
            "lead create --email a@example.com",
            "lead update 1 --name Ada",
            "serve --port 0",
            "restore b.db",
        ] {
            let told = home.line(&format!("{line} --db {db}")).fails(1);
            let names = "has 2 names (hard links, another is ";
            assert!(told.contains(names) && told.contains(named), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
        for line in ["lead list -o id", "check", "backup c.db --force"] {
            let run = home.line(&format!("{line} --db {db}")).run();
            assert_eq!(run.code, Some(0), "{run:?}");
            let warned = run.stderr.starts_with("warning: ") && run.stderr.contains("has 2 names");
            assert!(warned, "{run:?}");
        }
    }
    assert!(std::fs::read(home.path("crm.db")).unwrap() == before);
    std::fs::remove_file(home.path("other.db")).unwrap();
    let create = "lead create --email a@example.com -o id --db crm.db";
    assert_eq!(home.line(create).ok(), "3\n");
    assert_eq!(home.line("lead list --count --db crm.db").run().stderr, "");
}

#[test]
fn a_new_database_is_closed_to_others() {
    let home = home();
    home.line("backup b.db --db crm.db").ok();
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(home.path("b.db"), open).unwrap();
    for (mask, expected) in [
        ("0022", 0o600),
        ("0002", 0o600),
        ("0000", 0o600),
        ("0077", 0o600),
        ("0027", 0o640),
        ("0007", 0o660),
    ] {
        for line in [
            "crm lead create --email a@example.com --db new.db",
            "crm restore b.db --db new.db",
            "crm copy crm.db new.db",
        ] {
            home.shell(&format!("umask {mask}; {line}")).ok();
            let mode = home.path("new.db").metadata().unwrap().mode() & 0o777;
            assert_eq!(mode, expected, "{mask} {line}: {mode:o}");
            std::fs::remove_file(home.path("new.db")).unwrap();
        }
    }
    // A backup that only the group may read is restored like that.
    let group = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(home.path("b.db"), group).unwrap();
    home.line("restore b.db --db new.db").ok();
    assert_eq!(
        home.path("new.db").metadata().unwrap().mode() & 0o777,
        0o640
    );
}

#[test]
fn a_backup_does_not_become_the_database_of_its_folder() {
    let home = home();
    std::fs::create_dir(home.path("empty")).unwrap();
    let before = names(&home.path(""));
    for line in [
        "backup empty/crm.db --db crm.db",
        "backup empty/crm.db --force --db crm.db",
    ] {
        let told = home.line(line).fails(2);
        assert!(
            told.contains("empty/crm.db: commands in that folder"),
            "{told}"
        );
        assert!(told.contains("such as crm-backup.db"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    assert_eq!(names(&home.path("empty")), [""; 0]);
    // A link that leads to the name makes such a file too.
    symlink("crm.db", home.path("empty/link.db")).unwrap();
    let told = home.line("backup empty/link.db --db crm.db").fails(2);
    assert!(told.contains("such as crm-backup.db"), "{told}");
    std::fs::remove_file(home.path("empty/link.db")).unwrap();
    assert_eq!(names(&home.path("")), before);
    let help = home.line("copy --help").ok();
    assert!(!help.contains("backup crm.db"), "{help}");
    // One that is there is replaced on request.
    home.line("lead create --email a@example.com --db empty/crm.db")
        .ok();
    home.line("backup empty/crm.db --force --db crm.db").ok();
}

/// A part of a backup or of a restore was without a lock at moments, and another one took it for left over.
#[test]
fn backups_and_restores_at_once_in_one_folder_leave_each_other_alone() {
    let home = home();
    std::fs::create_dir(home.path("saved")).unwrap();
    home.line("backup b.db --db crm.db").ok();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let home = &home;
            scope.spawn(move || {
                for round in 0..25 {
                    let name = format!("crm-202601{:02}T00{round:02}00Z.db", worker + 1);
                    home.line(&format!("backup -q saved/{name} --db crm.db"))
                        .ok();
                }
            });
            scope.spawn(move || {
                for round in 0..10 {
                    home.line(&format!("restore -q b.db --db {worker}.db")).ok();
                    // All four restore the same database: one after the other, or told to try again.
                    let same = format!("restore -q b.db --db same{round}.db");
                    let run = home.line(&same).run();
                    let waits = run.code == Some(5) && run.stderr.contains("try again");
                    assert!(run.code == Some(0) || waits, "{run:?}");
                }
            });
        }
    });
    assert_eq!(names(&home.path("saved")).len(), 100);
    for name in names(&home.path("")) {
        assert!(!name.contains(".part-"), "{name}");
    }
    assert_eq!(emails(&home.path("same0.db")), ["ada@example.com"]);
}
