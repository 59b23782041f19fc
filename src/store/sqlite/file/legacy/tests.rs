use proptest::prelude::*;
use rusqlite::types::Value as Sql;

use super::carry::{json, text, whole};
use super::*;
use crate::model::attributes::Attributes;
use crate::store::sqlite::file::testing::Folder;
use rusqlite::types::ValueRef;
use std::fs;

/// The schema as it was documented.
const DOCUMENTED: &str = "
    CREATE TABLE leads (id INTEGER PRIMARY KEY AUTOINCREMENT, email VARCHAR(255) NOT NULL UNIQUE, name VARCHAR(255),
        status VARCHAR(50) NOT NULL DEFAULT 'new', created_at DATETIME, updated_at DATETIME);
    CREATE INDEX leads_by_email ON leads (email);
    CREATE INDEX ix_leads_status ON leads (status);
    CREATE TABLE actions (id INTEGER PRIMARY KEY AUTOINCREMENT, lead_id INTEGER REFERENCES leads (id),
        action_type VARCHAR(50), description TEXT, created_at DATETIME, updated_at DATETIME);
    CREATE TABLE processes (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(255), description TEXT,
        status VARCHAR(50), created_at DATETIME, updated_at DATETIME);
    CREATE TABLE alembic_version (version_num VARCHAR(32));
    INSERT INTO alembic_version VALUES ('a1b2');
    INSERT INTO leads VALUES (1, 'Ada@Example.com', 'Ada', 'won', '2024-05-01 10:00:00.123456', '2024-05-02T12:00:00+02:00');
    INSERT INTO leads VALUES (4, 'not an address', NULL, '', '2024-05-01', NULL);
    INSERT INTO leads VALUES (9, 'gone@example.com', NULL, 'new', NULL, NULL);
    DELETE FROM leads WHERE id = 9;
    INSERT INTO actions VALUES (1, 4, 'call', 'Asked', '2024-05-03 08:00:00', '2024-05-03 08:00:00');
    INSERT INTO processes VALUES (2, 'Spring', 'All of them', NULL, NULL, '2024-05-04 08:00:00');
";

/// A later schema, with more columns for processes. All columns are nullable.
const NULLABLE: &str = "
    CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT, name TEXT, status TEXT, created_at TEXT, updated_at TEXT);
    CREATE TABLE actions (id INTEGER PRIMARY KEY, lead_id INTEGER, action_type TEXT, details TEXT, description TEXT,
        created_at TEXT, updated_at TEXT);
    CREATE TABLE processes (id INTEGER PRIMARY KEY, name TEXT, lead_id INTEGER, channel TEXT, last_action_id INTEGER,
        next_followup_datetime TEXT, status TEXT, created_at TEXT, updated_at TEXT);
    INSERT INTO leads (id) VALUES (3);
    INSERT INTO actions VALUES (1, 3, NULL, 'Yes', 'No', '2024-01-01 00:00:00', '2024-01-01 00:00:00');
    INSERT INTO actions VALUES (2, 17, '', NULL, 'Old', '2024-01-01 00:00:00', '2024-01-01 00:00:00');
    INSERT INTO actions VALUES (5, 'nobody', '', 'Same', 'Same', '2024-01-01 00:00:00', '2024-01-01 00:00:00');
    INSERT INTO processes VALUES (1, NULL, 3, NULL, 2, '2026-01-01', NULL, '2024-01-01 00:00:00', '2024-01-01 00:00:00');
    INSERT INTO processes VALUES (2, 'P', 99, 'email', 77, 'soon', 'paused', 'once', '2024-01-01 00:00:00');
";

/// The last schema, with more columns and with other types.
const LATER: &str = "
    CREATE TABLE Leads (ID INT PRIMARY KEY, Email, name, status, url, score REAL, visits INT, photo BLOB, attributes,
        created_at, updated_at);
    CREATE TABLE actions (id TEXT PRIMARY KEY, lead_id TEXT, action_type, timestamp, details) WITHOUT ROWID;
    CREATE TABLE processes (id INTEGER PRIMARY KEY, name, last_action_id REAL);
    INSERT INTO leads VALUES (2, 'a@example.com', 42, 1.5, 'http://a.de', 2.5, 9007199254740993, x'ff00',
        '{\"url\": \"mine\", \"n\": 1.10}', '2024-01-01 00:00:00', '2024-01-01 00:00:00');
    INSERT INTO leads VALUES (1, 'b' || char(0) || 'c', NULL, NULL, '', 9e999, NULL, CAST('text' AS BLOB),
        'none', '2024-01-01 00:00:00', '2024-01-01 00:00:00');
    INSERT INTO actions VALUES ('10', '2', 'mail', '2024-02-02T10:00:00Z', NULL), ('11', '02', 'mail', 1700000000, '');
    INSERT INTO processes VALUES (1, 'P', 10);
";

/// All rows of all tables as text. Times of the upgrade are shown as `now`.
fn dump(conn: &Connection) -> Vec<String> {
    let today = &time::now()[..10];
    let mut lines = Vec::new();
    for (noun, _) in EARLIER {
        let names: Vec<&str> = noun.fields.iter().map(|field| field.name).collect();
        let names = names.join(", ");
        let sql = format!("SELECT {names} FROM {} ORDER BY id", noun.plural);
        let mut rows = conn.prepare(&sql).unwrap();
        let count = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..count).map(|at| match row.get(at).unwrap() {
                Sql::Null => "null".to_string(),
                Sql::Integer(int) => int.to_string(),
                Sql::Text(text) if text.starts_with(today) => "now".into(),
                Sql::Text(text) => text,
                other => format!("{other:?}"),
            });
            let values: Vec<String> = values.collect();
            lines.push(format!("{} {}", noun.name, values.join(" | ")));
        }
    }
    lines
}

#[test]
fn the_documented_schema() {
    let folder = Folder::with(DOCUMENTED);
    let path = folder.path();
    let line = folder.prepare().unwrap().unwrap();
    let path = path.display();
    assert_eq!(
        line,
        format!(
            "{path}: brought up to date from the earlier service: 2 leads, 1 action, 1 process; \
             the file as it was is kept as {path}.before-upgrade"
        )
    );
    let conn = folder.open();
    assert_eq!(
        dump(&conn),
        [
            "lead 1 | Ada@Example.com | Ada | won | {} | null | 2024-05-01 10:00:00 | 2024-05-02 10:00:00",
            "lead 4 | not an address | null |  | {} | 2024-05-03 08:00:00 | 2024-05-01 00:00:00 | 2024-05-01 00:00:00",
            "action 1 | 4 | call | Asked | 2024-05-03 08:00:00 | {} | 2024-05-03 08:00:00 | 2024-05-03 08:00:00",
            "process 2 | Spring | null | null | null | null | null | active | {\"description\":\"All of them\"} | \
             2024-05-04 08:00:00 | 2024-05-04 08:00:00",
        ]
    );
    let version: String = conn
        .query_one("SELECT version_num FROM alembic_version", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(version, "a1b2");
    // The id 9 was given once.
    let next: i64 = conn
        .query_one(
            "INSERT INTO leads (email, status, attributes, created_at, updated_at) VALUES ('', '', '{}', '', '')
             RETURNING id",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(next, 10);
}

#[test]
fn the_variant_with_nullable_columns() {
    let folder = Folder::with(NULLABLE);
    folder.prepare().unwrap().unwrap();
    assert_eq!(
        dump(&folder.open()),
        [
            "lead 3 |  | null | new | {} | 2024-01-01 00:00:00 | now | now",
            "action 1 | 3 |  | Yes | 2024-01-01 00:00:00 | {\"description\":\"No\"} | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
            "action 2 | null |  | Old | 2024-01-01 00:00:00 | {\"lead_id\":17} | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
            "action 5 | null |  | Same | 2024-01-01 00:00:00 | {\"lead_id\":\"nobody\"} | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
            "process 1 |  | 3 | null | 2 | 2026-01-01 00:00:00 | null | active | {} | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
            "process 2 | P | null | email | null | null | null | paused | \
             {\"lead_id\":99,\"last_action_id\":77,\"next_followup_datetime\":\"soon\",\"created_at\":\"once\"} | \
             2024-01-01 00:00:00 | 2024-01-01 00:00:00",
        ]
    );
}

#[test]
fn the_later_schema_with_values_of_any_type() {
    let folder = Folder::with(LATER);
    folder.prepare().unwrap().unwrap();
    assert_eq!(
        dump(&folder.open()),
        [
            "lead 1 | b\u{2400}c | null | new | {\"attributes\":\"none\",\"Email\":\"hex:620063\",\"url\":\"\",\"score\":\"inf\",\
             \"photo\":\"text\"} | null | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
            "lead 2 | a@example.com | 42 | 1.5 | {\"url\":\"mine\",\"n\":1.10,\"url-2\":\"http://a.de\",\"score\":2.5,\
             \"visits\":9007199254740993,\"photo\":\"hex:ff00\"} | 2024-02-02 10:00:00 | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
            "action 10 | 2 | mail | null | 2024-02-02 10:00:00 | {} | now | now",
            "action 11 | null | mail |  | now | {\"lead_id\":\"02\",\"timestamp\":1700000000} | now | now",
            "process 1 | P | null | null | 10 | null | null | active | {} | now | now",
        ]
    );
}

#[test]
fn every_address_is_found_however_it_was_written() {
    let folder = Folder::with(
        "CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT);
        CREATE TABLE actions (id INTEGER PRIMARY KEY, action_type TEXT);
        CREATE TABLE processes (id INTEGER PRIMARY KEY, name TEXT);
        INSERT INTO leads VALUES (1, 'Ada@Example.com'), (2, 'JÖRG@example.com'), (3, ' bob@example.com ');",
    );
    folder.prepare().unwrap().unwrap();
    let leads = dump(&folder.open());
    assert!(
        leads[0].starts_with("lead 1 | Ada@Example.com | null | new | {} |"),
        "{leads:?}"
    );
    assert!(
        leads[1].contains("jörg@example.com | null | new | {\"email\":\"JÖRG@example.com\"}"),
        "{leads:?}"
    );
    assert!(
        leads[2].contains("bob@example.com | null | new | {\"email\":\" bob@example.com \"}"),
        "{leads:?}"
    );
}

#[test]
fn the_copy_is_the_file_as_it_was() {
    for wal in [false, true] {
        let folder = Folder::with(DOCUMENTED);
        let other = folder.open();
        if wal {
            other.pragma_update(None, "journal_mode", "WAL").unwrap();
        }
        // In WAL mode this is only in the log while another connection is open.
        other
            .execute_batch("UPDATE leads SET name = 'Lovelace' WHERE id = 1")
            .unwrap();
        let old = |conn: &Connection| -> (i64, i64, String, String) {
            let sql = "SELECT count(*), max(id), max(name), (SELECT group_concat(name || sql) FROM sqlite_schema)
                FROM leads";
            let row = conn.query_one(sql, [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            });
            row.unwrap()
        };
        let before = old(&other);
        assert_eq!(before.2, "Lovelace");
        let taken = [".before-upgrade", ".before-upgrade-2"].map(|suffix| {
            let name = format!("{}{suffix}", folder.path().display());
            fs::write(&name, "taken").unwrap();
            name
        });
        let line = folder.prepare().unwrap().unwrap();
        let copy = format!("{}.before-upgrade-3", folder.path().display());
        assert!(line.ends_with(&copy), "{line}");
        assert!(
            taken
                .iter()
                .all(|name| fs::read_to_string(name).unwrap() == "taken")
        );
        assert_eq!(old(&Connection::open(&copy).unwrap()), before);
        drop(other);
        assert_eq!(folder.files().len(), 4);
        let name: String = folder
            .open()
            .query_one("SELECT name FROM leads WHERE id = 1", [], |row| row.get(0))
            .unwrap();
        assert_eq!(name, "Lovelace");
    }
}

#[test]
fn the_triggers_that_are_dropped_are_named() {
    let folder = Folder::with(&format!(
        "{DOCUMENTED}; CREATE TRIGGER \"on lead\" AFTER INSERT ON leads BEGIN SELECT 1; END;
        CREATE TRIGGER log AFTER DELETE ON actions BEGIN SELECT 1; END;
        CREATE TABLE own (x); CREATE TRIGGER stays AFTER INSERT ON own BEGIN SELECT 1; END"
    ));
    let line = folder.prepare().unwrap().unwrap();
    assert!(
        line.contains("; the triggers \"on lead\", \"log\" on these tables did not fit"),
        "{line}"
    );
    assert!(!line.contains("stays"), "{line}");
}

#[cfg(unix)]
#[test]
fn a_user_who_may_not_read_the_file_may_not_read_its_copy() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    for mode in [0o600, 0o640, 0o664] {
        let folder = Folder::with(DOCUMENTED);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        let old = fs::metadata(folder.path()).unwrap();
        folder.prepare().unwrap().unwrap();
        let copy = fs::metadata(format!("{}.before-upgrade", folder.path().display())).unwrap();
        assert_eq!(copy.permissions().mode() & 0o777, mode);
        assert_eq!((copy.uid(), copy.gid()), (old.uid(), old.gid()));
    }
}

#[test]
fn an_upgrade_that_fails_midway_leaves_the_file_as_it_was() {
    let tables = "CREATE TABLE leads (id, email); CREATE TABLE actions (id, action_type);
        CREATE TABLE processes (id, name); INSERT INTO leads VALUES (1, 'a');";
    for mode in ["", "PRAGMA journal_mode = WAL;"] {
        let with = |sql: &str| Folder::with(&format!("{mode} {tables} {sql}"));
        with("INSERT INTO processes VALUES (7, 'a'), (7, 'b')")
            .refused(&["processes has the id 7 twice"]);
        with("CREATE TABLE heartbeat (x)").refused(&["table heartbeat already exists"]);
        for (id, shown) in [
            ("NULL", "null"),
            ("0", "0"),
            ("-1", "-1"),
            ("1.5", "1.5"),
            ("'x'", "\"x\""),
        ] {
            with(&format!("INSERT INTO actions VALUES ({id}, 'call')")).refused(&[&format!(
                "table actions has the id {shown}, expected a whole number"
            )]);
        }
    }
}

#[test]
fn other_content_of_the_file_is_left_alone() {
    let others = "PRAGMA foreign_keys = OFF;
        CREATE TABLE notes (id INTEGER PRIMARY KEY, lead_id INTEGER REFERENCES leads (id), text);
        CREATE INDEX notes_by_lead ON notes (lead_id);
        CREATE VIEW won AS SELECT id FROM leads WHERE status = 'won';
        CREATE VIEW broken AS SELECT * FROM gone;
        CREATE TABLE leads_before_upgrade (x);
        INSERT INTO notes VALUES (1, 1, 'a'), (2, 12345, 'b');";
    let own = "CREATE TRIGGER changed AFTER INSERT ON leads BEGIN DELETE FROM notes; END;
        CREATE INDEX leads_by_status ON leads (status, name);";
    let folder = Folder::with(&format!("{DOCUMENTED} {others} {own}"));
    let held = || -> Vec<String> {
        let conn = folder.open();
        let sql = "SELECT sql FROM sqlite_schema
            WHERE name IN ('notes', 'notes_by_lead', 'won', 'broken', 'leads_before_upgrade', 'alembic_version')
            UNION ALL SELECT text FROM notes UNION ALL SELECT id FROM won";
        let mut rows = conn.prepare(sql).unwrap();
        let rows = rows.query_map([], |row| row.get::<_, Sql>(0)).unwrap();
        rows.map(|value| format!("{:?}", value.unwrap())).collect()
    };
    let before = held();
    assert_eq!(before.len(), 9);
    folder.prepare().unwrap().unwrap();
    assert_eq!(held(), before);
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'changed' OR name LIKE '%_upgrade_'";
    let left: i64 = folder.open().query_one(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

fn any_sql() -> impl Strategy<Value = Sql> {
    prop_oneof![
        Just(Sql::Null),
        any::<i64>().prop_map(Sql::Integer),
        (-3_i64..9).prop_map(Sql::Integer),
        any::<f64>().prop_map(Sql::Real),
        ".*".prop_map(Sql::Text),
        "[\0-~]{0,9}".prop_map(Sql::Text),
        "2024-[01][0-9]-[0-3][0-9]( [0-2][0-9]:00:00)?".prop_map(Sql::Text),
        r#"\{("a":[1-9]|)\}"#.prop_map(Sql::Text),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Sql::Blob),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever an old row holds, it becomes a record that crm could have stored, and no value is lost.
    #[test]
    fn nothing_is_lost(rows in prop::collection::vec(prop::collection::vec(any_sql(), 10), 1..5)) {
        let names = ["lead_id", "action_type", "details", "description", "timestamp", "attributes", "created_at",
            "updated_at", "odd name", "url"];
        let folder = Folder::with(&format!(
            "CREATE TABLE leads (id, email); CREATE TABLE processes (id, name); INSERT INTO leads VALUES (1, 'a'), (2, 'b');
             CREATE TABLE actions (id, \"{}\");",
            names.join("\", \"")
        ));
        let conn = folder.open();
        for (id, row) in (1_i64..).zip(&rows) {
            let mut insert = conn.prepare("INSERT INTO actions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").unwrap();
            insert.raw_bind_parameter(1, id).unwrap();
            for (place, value) in (2..).zip(row) {
                insert.raw_bind_parameter(place, value).unwrap();
            }
            insert.raw_execute().unwrap();
        }
        drop(conn);
        folder.prepare().unwrap().unwrap();
        let conn = folder.open();
        let mut records = conn.prepare("SELECT * FROM actions ORDER BY id").unwrap();
        let mut records = records.query([]).unwrap();
        for row in &rows {
            let record = records.next().unwrap().unwrap();
            let attributes: String = record.get("attributes").unwrap();
            let kept = Attributes::parse(&attributes).unwrap();
            for stamp in ["timestamp", "created_at", "updated_at"] {
                let stamp: String = record.get(stamp).unwrap();
                prop_assert_eq!(time::parse(&stamp), Some(stamp));
            }
            for (name, value) in names.iter().zip(row) {
                let given = ValueRef::from(value);
                let field = if *name == "description" { "details" } else { *name };
                let stored = record.get::<_, Sql>(field).unwrap_or(Sql::Null);
                let in_field = match (&stored, text(given)) {
                    // SQLite has no NaN.
                    (_, None) => true,
                    _ if matches!(value, Sql::Real(real) if real.is_nan()) => true,
                    (Sql::Integer(id), _) => whole(given) == Some(*id),
                    (Sql::Text(stored), Some((text, exact))) => {
                        exact && (*stored == text || Some(stored) == time::parse(&text).as_ref())
                    }
                    _ => false,
                };
                let own = Attributes::parse(&text(given).unwrap_or_default().0);
                let merged = *name == "attributes"
                    && own.is_ok_and(|own| own.get("a") == kept.get("a") && (own.is_empty() || own.get("a").is_some()));
                let beside = (1..9).any(|number| {
                    let key = if number == 1 { name.to_string() } else { format!("{name}-{number}") };
                    kept.get(&key) == Some(&json(given))
                });
                prop_assert!(in_field || merged || beside, "{}: {:?} is lost, {} {:?}", name, value, attributes, stored);
            }
        }
        prop_assert!(records.next().unwrap().is_none());
    }
}
