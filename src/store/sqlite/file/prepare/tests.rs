use super::*;
use crate::model::nouns::NOUNS;
use crate::store::sqlite::file::refusal::unusable;
use crate::store::sqlite::file::schema::{APPLICATION_ID, STEPS};
use crate::store::sqlite::file::testing::Folder;

const EARLIER: &str = "CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT);
    CREATE TABLE actions (id INTEGER PRIMARY KEY, action_type TEXT);
    CREATE TABLE processes (id INTEGER PRIMARY KEY, name TEXT);";

#[test]
fn a_new_file_gets_the_schema_and_is_ready_from_then_on() {
    let folder = Folder::new();
    assert_eq!(folder.prepare(), Ok(None));
    let conn = folder.open();
    let read = |pragma: &str| -> i32 { conn.pragma_query_one(None, pragma).unwrap() };
    assert_eq!(read("application_id"), APPLICATION_ID);
    assert_eq!(read("user_version"), STEPS.len() as i32);
    for noun in NOUNS {
        let names: Vec<&str> = noun.fields.iter().map(|field| field.name).collect();
        let sql = format!("SELECT {} FROM {}", names.join(", "), noun.plural);
        assert!(!conn.prepare(&sql).unwrap().exists([]).unwrap());
    }
    drop(conn);
    let before = folder.files();
    assert_eq!(folder.prepare(), Ok(None));
    assert!(before == folder.files());
}

#[test]
fn the_settings_of_the_connection_come_back() {
    for sql in ["", EARLIER, "CREATE TABLE other (x)"] {
        let folder = Folder::with(sql);
        let mut conn = folder.open();
        conn.busy_timeout(Duration::from_millis(1234)).unwrap();
        let _ = prepare(
            &folder.path(),
            FileId::of(&folder.path()),
            &mut conn,
            Schema::of(&NOUNS),
        );
        let read = |pragma: &str| -> i32 { conn.pragma_query_one(None, pragma).unwrap() };
        assert_eq!(read("busy_timeout"), 1234);
        assert_eq!(read("foreign_keys"), 1);
        assert_eq!(read("legacy_alter_table"), 0);
        assert!(conn.is_autocommit());
    }
}

#[test]
fn missing_steps_are_done_in_one_transaction() {
    let folder = Folder::new();
    assert_eq!(folder.prepare(), Ok(None));
    let add = "ALTER TABLE leads ADD COLUMN a TEXT; INSERT INTO leads VALUES
        (1, 'a@b.de', NULL, 'new', '{}', '', '', 1, NULL, 'x');";
    let more = "ALTER TABLE leads RENAME COLUMN a TO b";
    let run = |steps: &[&str]| {
        let (path, steps) = (folder.path(), [STEPS, steps].concat());
        let schema = Schema {
            steps: &steps,
            nouns: &NOUNS,
        };
        prepare(&path, FileId::of(&path), &mut folder.open(), schema)
    };

    let before = folder.files()["crm.db"].0.clone();
    let error = run(&[add, "CREATE TABLE broken ("]).unwrap_err();
    assert!(
        error.message.ends_with("SQLite says: incomplete input"),
        "{error}"
    );
    let dangling = "INSERT INTO actions VALUES (1, 7, 'call', NULL, '', '{}', '', '', 1)";
    let error = run(&[add, dangling]).unwrap_err();
    assert!(
        error.message.contains("records that no longer exist"),
        "{error}"
    );
    assert!(before == folder.files()["crm.db"].0);
    // If the file were refused because of references that were already broken, nobody could repair them.
    let before = "PRAGMA foreign_keys = OFF;
        INSERT INTO actions VALUES (9, 7, 'call', NULL, '', '{}', '', '', 1)";
    folder.open().execute_batch(before).unwrap();

    let today = STEPS.len();
    let line = run(&[add, more]).unwrap().unwrap();
    assert!(
        line.ends_with(&format!("from schema {today} to schema {}", today + 2)),
        "{line}"
    );
    assert_eq!(run(&[add, more]), Ok(None));
    let conn = folder.open();
    let b: String = conn
        .query_one("SELECT b FROM leads", [], |row| row.get(0))
        .unwrap();
    assert_eq!(b, "x");
    drop(conn);
    folder.refused(&["newer", &format!("schema {}", today + 2)]);
}

#[test]
fn old_addresses_get_their_one_form() {
    let folder = Folder::new();
    let mut conn = folder.open();
    let run = |conn: &mut Connection, steps| {
        let schema = Schema {
            steps,
            nouns: &NOUNS,
        };
        prepare(&folder.path(), FileId::of(&folder.path()), conn, schema).unwrap()
    };
    assert_eq!(run(&mut conn, &STEPS[..5]), None);
    let rows = [
        ("max@xn--mstermann-07a.de", "max@möstermann.de", 2),
        ("ａｄａ@example.com", "ada@example.com", 2),
        ("XN--X@XN--MSTERMANN-07A.DE", "xn--x@möstermann.de", 2),
        ("max@möstermann.de", "max@möstermann.de", 1),
        ("Plain@Example.com", "Plain@Example.com", 1),
        ("no address é", "no address é", 1),
        ("a@xn--a.com", "a@xn--a.com", 1),
    ];
    for (email, ..) in rows {
        let insert = "INSERT INTO leads (email, status, attributes, created_at, updated_at)
            VALUES (?1, 'new', '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00')";
        conn.execute(insert, [email]).unwrap();
    }
    // What another program stored and is no text of UTF-8.
    let damaged = "INSERT INTO leads (email, status, attributes, created_at, updated_at)
        VALUES (cast(x'5a6feb' as text), 'new', '{}', '', '')";
    conn.execute_batch(damaged).unwrap();
    let line = run(&mut conn, STEPS).unwrap();
    assert!(line.contains("from schema 5"), "{line}");
    for ((_, email, version), id) in rows.into_iter().zip(1..) {
        let select = "SELECT email, version, updated_at <> created_at FROM leads WHERE id = ?1";
        let read: (String, i64, bool) = conn
            .query_one(select, [id], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(read, (email.into(), version, version > 1));
    }
    let kept: Vec<u8> = conn
        .query_one(
            "SELECT cast(email AS blob) FROM leads WHERE id = 8",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(kept, b"Zo\xeb");
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = Folder::new();
    assert_eq!(folder.prepare(), Ok(None));
    folder
        .open()
        .pragma_update(None, "user_version", STEPS.len() as i32 + 1)
        .unwrap();
    folder.refused(&["newer"]);
    Folder::with(&format!("{EARLIER} PRAGMA user_version = 99;")).refused(&["newer"]);
    Folder::with("PRAGMA user_version = 99;").refused(&["newer"]);
    Folder::with("PRAGMA application_id = 6517357;").refused(&["damaged"]);
}

#[test]
fn another_programs_database_is_refused() {
    Folder::with("CREATE TABLE a (x); CREATE VIEW \"b\nb\" AS SELECT 1; CREATE TABLE c (x); CREATE TABLE d (x);")
        .refused(&[r#"another program's database (it holds "a", "b\nb", "c", …)"#]);
    Folder::with("CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT)").refused(&["leads"]);
    let without_mark = EARLIER.replace("action_type", "kind");
    Folder::with(&without_mark).refused(&["another program's"]);
    Folder::with(&format!("{EARLIER} PRAGMA application_id = 7;")).refused(&["another program's"]);
    Folder::with(&format!("{EARLIER} PRAGMA user_version = 1;")).refused(&["another program's"]);
    Folder::with("PRAGMA application_id = 7;").refused(&["another program's"]);
    Folder::with("PRAGMA journal_mode = WAL; CREATE TABLE a (x);").refused(&["\"a\""]);
}

/// A program that ends without closing its database leaves a log with the last pages.
#[test]
fn a_log_beside_another_programs_database_stays() {
    let made = Folder::with("PRAGMA journal_mode = WAL; CREATE TABLE a (x);");
    let writer = made.open();
    writer.execute_batch("INSERT INTO a VALUES (1)").unwrap();
    let folder = Folder::new();
    for file in ["crm.db", "crm.db-wal", "crm.db-shm"] {
        let (from, to) = (made.path(), folder.path());
        std::fs::copy(from.with_file_name(file), to.with_file_name(file)).unwrap();
    }
    let logged = |folder: &Folder| -> Vec<Vec<u8>> {
        let mut files = folder.files();
        ["crm.db", "crm.db-wal"]
            .map(|file| files.remove(file).unwrap().0)
            .into()
    };
    let before = logged(&folder);
    assert!(!before[1].is_empty());
    assert!(folder.prepare().is_err());
    assert!(before == logged(&folder));
}

#[test]
fn a_file_that_is_not_a_database_is_refused() {
    for content in ["\n", "id,email\n1,a@b.de\n", &"x".repeat(9000)] {
        let folder = Folder::new();
        std::fs::write(folder.path(), content).unwrap();
        folder.refused(&["is not a SQLite database"]);
    }
    let folder = Folder::new();
    std::fs::create_dir(folder.path()).unwrap();
    let error = Connection::open(folder.path()).unwrap_err();
    let error = unusable(&folder.path(), &error).message;
    assert!(
        error.ends_with("is a folder, expected a database file"),
        "{error}"
    );
    let missing = folder.path().join("missing/crm.db");
    let error = Connection::open(&missing).unwrap_err();
    let error = unusable(&missing, &error).message;
    assert!(error.contains("check that its folder exists"), "{error}");
}

#[test]
fn a_damaged_file_is_refused() {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO leads SELECT i, i || '@example.com' FROM n;";
    let sql = format!("{EARLIER} {rows}");
    // Cut off; a page in the middle overwritten; the schema overwritten.
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| {
            let middle = bytes.len() / 8192 * 4096;
            bytes[middle..middle + 4096].fill(0);
        },
        |bytes| bytes[100..4096].fill(0xff),
    ];
    for damage in damages {
        let folder = Folder::with(&sql);
        let mut bytes = std::fs::read(folder.path()).unwrap();
        damage(&mut bytes);
        std::fs::write(folder.path(), bytes).unwrap();
        folder.refused(&["is damaged"]);
    }
}

#[test]
fn a_file_that_may_not_be_written_is_refused_only_if_it_has_to_be() {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let folder = Folder::with(EARLIER);
    let before = folder.files();
    let mut conn = Connection::open_with_flags(folder.path(), flags).unwrap();
    let id = FileId::of(&folder.path());
    let error = prepare(&folder.path(), id, &mut conn, Schema::of(&NOUNS)).unwrap_err();
    assert!(error.message.contains("check its permissions"), "{error}");
    drop(conn);
    assert!(before == folder.files());
    folder.prepare().unwrap();
    let mut conn = Connection::open_with_flags(folder.path(), flags).unwrap();
    let id = FileId::of(&folder.path());
    assert_eq!(
        prepare(&folder.path(), id, &mut conn, Schema::of(&NOUNS)),
        Ok(None)
    );
}

#[test]
fn when_many_open_a_file_at_once_only_one_changes_it() {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO leads SELECT i, i || '@example.com' FROM n;";
    for (sql, lines) in [
        (String::new(), 0),
        (format!("{EARLIER} {rows}"), 1),
        (format!("PRAGMA journal_mode = WAL; {EARLIER} {rows}"), 1),
    ] {
        let folder = Folder::with(&sql);
        let start = std::sync::Barrier::new(4);
        let done: Vec<Option<String>> = std::thread::scope(|scope| {
            let run = || {
                let mut conn = folder.open();
                start.wait();
                prepare(
                    &folder.path(),
                    FileId::of(&folder.path()),
                    &mut conn,
                    Schema::of(&NOUNS),
                )
                .unwrap()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(done.iter().flatten().count(), lines);
        assert_eq!(folder.prepare(), Ok(None));
        // The last connection to close removes the log. When four close at once, each may assume that another is the last.
        assert_eq!(folder.files().len(), 1 + lines);
    }
}

#[test]
fn what_another_did_meanwhile_is_not_done_again() {
    let folder = Folder::with(EARLIER);
    folder.prepare().unwrap().unwrap();
    // As if the first check had still found the old tables.
    assert_eq!(
        change(
            &folder.path(),
            FileId::of(&folder.path()),
            &mut folder.open(),
            Schema::of(&NOUNS),
            Keep::Copy
        )
        .unwrap(),
        None
    );
    assert_eq!(folder.files().len(), 2);
}

/// Otherwise the first transaction would write to a file that has lost its name, with its journal beside the file that
/// took the name.
#[test]
fn a_file_that_was_replaced_by_now_is_not_changed() {
    let folder = Folder::new();
    let mut conn = folder.open();
    let id = FileId::of(&folder.path());
    std::fs::write(folder.path().with_file_name("other"), "").unwrap();
    std::fs::rename(folder.path().with_file_name("other"), folder.path()).unwrap();
    let error = prepare(&folder.path(), id, &mut conn, Schema::of(&NOUNS)).unwrap_err();
    assert!(error.message.contains("being replaced"), "{error}");
    assert_eq!(folder.files().len(), 1);
    assert_eq!(folder.files()["crm.db"].0, b"");
}
