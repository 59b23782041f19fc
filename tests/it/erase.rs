//! How long changes are kept, and how a person is forgotten: in the tables, and in the bytes of the files.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::cluster;
use crate::http::exchange;
use crate::support::{Home, Server, wait_for};

const NAME: &str = "Zephyrine Quillfeather";
const ADDRESS: &str = "zephyrine@quillfeather.example";

/// Everything that was ever known of the person: no byte of it may stay.
const KNOWN: [&str; 6] = [
    NAME,
    ADDRESS,
    "Zephyrine Oldname",
    "former@quillfeather.example",
    "Prefers Darjeeling",
    "Dislikes Mondays",
];

fn admin(home: &Home) -> String {
    let words = [
        "token", "create", "boss", "--scope", "admin", "--db", "crm.db",
    ];
    home.crm(words).ok().trim().to_string()
}

/// A request with a token, and the JSON that answers it.
fn ask(
    server: &Server,
    token: &str,
    method: &str,
    path: &str,
    more: &str,
    body: &str,
) -> (u16, Value) {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{more}Content-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(server.address(), request.as_bytes(), false);
    (
        answer.status,
        serde_json::from_str(answer.text()).unwrap_or_default(),
    )
}

/// The files of the database, and which of these texts are in which of them.
fn found(home: &Home, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in ["crm.db", "crm.db-wal", "crm.db-shm"] {
        let bytes = std::fs::read(home.path(file)).unwrap_or_default();
        let content = String::from_utf8_lossy(&bytes);
        for text in texts {
            if content.contains(text) {
                found.push(format!("{text} in {file}"));
            }
        }
    }
    found
}

/// Many records, and one person whose rows have moved between pages, were changed and were deleted.
fn life(server: &Server, token: &str) -> i64 {
    let write = |method: &str, path: &str, body: Value| {
        let (status, told) = ask(server, token, method, path, "", &body.to_string());
        assert!(status < 300, "{method} {path}: {status} {told}");
        told["id"].as_i64().unwrap_or_default()
    };
    let pad = |number: usize| "x".repeat(number * 37 % 900);
    let other = |number: usize| {
        let email = format!("u{number}@example.com");
        write(
            "POST",
            "/leads",
            json!({"email": email, "name": "Someone Else", "attributes": {"pad": pad(number)}}),
        );
    };
    (0..40).for_each(other);
    let id = write(
        "POST",
        "/leads",
        json!({"email": KNOWN[3], "name": KNOWN[2], "attributes": {"pad": pad(3)}}),
    );
    let path = format!("/leads/{id}");
    for number in 0..25 {
        other(100 + number);
        write(
            "PATCH",
            &path,
            json!({"attributes": {"pad": pad(number), "tea": KNOWN[4]}}),
        );
    }
    for number in 0..6 {
        let details = format!("{} {}", KNOWN[5], pad(number * 11));
        let action = write(
            "POST",
            "/actions",
            json!({"lead_id": id, "action_type": "call", "details": details}),
        );
        let process = write(
            "POST",
            "/processes",
            json!({"lead_id": id, "name": NAME, "last_action_id": action}),
        );
        if number % 2 == 0 {
            write("DELETE", &format!("/processes/{process}"), json!({}));
            write("DELETE", &format!("/actions/{action}"), json!({}));
        }
    }
    write("PATCH", &path, json!({"email": ADDRESS, "name": NAME}));
    // Rows around it come and go, so that its own move.
    for number in 1..40 {
        write(
            "PATCH",
            &format!("/leads/{number}"),
            json!({"attributes": {"pad": pad(number + 500)}}),
        );
        if number % 3 == 0 {
            write("DELETE", &format!("/leads/{number}"), json!({}));
        }
    }
    id
}

#[test]
fn no_byte_of_an_erased_lead_is_in_the_files() {
    let home = Home::new();
    let token = admin(&home);
    let server = home.serve(&["--db", "crm.db"]);
    let id = life(&server, &token);
    // An answer that is kept for a request that comes again, and a name in a header.
    let keyed = "Idempotency-Key: once\r\nOn-Behalf-Of: Zephyrine Quillfeather\r\n";
    let body = json!({"lead_id": id, "action_type": "mail", "details": NAME}).to_string();
    assert_eq!(
        ask(&server, &token, "POST", "/actions", keyed, &body).0,
        201
    );
    assert_eq!(
        ask(&server, &token, "POST", "/actions", keyed, &body).0,
        201
    );
    let before = found(&home, &KNOWN);
    assert!(before.len() >= KNOWN.len(), "the control: {before:?}");
    let (status, told) = ask(
        &server,
        &token,
        "DELETE",
        &format!("/leads/{id}?erase=true"),
        "",
        "",
    );
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        told["message"],
        "Lead erased; no trace is left in the database and its log"
    );
    assert_eq!(found(&home, &KNOWN), Vec::<String>::new());
    assert_eq!(
        ask(&server, &token, "GET", &format!("/leads/{id}"), "", "").0,
        404
    );
    assert_eq!(ask(&server, &token, "GET", "/leads/41", "", "").0, 404);
    assert_eq!(ask(&server, &token, "GET", "/leads/1", "", "").0, 200);
    // A request that comes again does not bring it back.
    let (status, told) = ask(&server, &token, "POST", "/actions", keyed, &body);
    assert_eq!(status, 409, "{told}");
    let told = told["error"].as_str().unwrap();
    assert!(told.contains("was erased since"), "{told}");
    let connection = Connection::open(home.path("crm.db")).unwrap();
    let count = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    // The changes are all there, and only those of others have contents.
    let gaps = "SELECT max(seq) - count(*) FROM crm_changes";
    assert_eq!(count(gaps), 0);
    let bare = format!(
        "SELECT count(*) FROM crm_changes WHERE record = '{{\"id\":{id}}}' AND type LIKE 'lead.%' AND previous IS NULL"
    );
    // Created, 25 and one updates, erased.
    assert_eq!(count(&bare), 28);
    let erased = format!(
        "SELECT count(*) FROM crm_changes WHERE type = 'lead.erased' AND record_id = {id} AND author = 'boss'"
    );
    assert_eq!(count(&erased), 1);
    assert_eq!(
        count(
            "SELECT count(*) FROM crm_changes WHERE type LIKE 'action.%' AND length(record) > 20"
        ),
        0
    );
    assert_eq!(count("SELECT count(*) FROM crm_residue"), 0);
    drop(connection);
    let (status, _) = server.stop();
    assert!(status.success());
    assert_eq!(found(&home, &KNOWN), Vec::<String>::new());
    assert_eq!(home.crm(["check", "crm.db"]).ok(), "ok\n");
}

/// An action that was moved to another lead stays, but not what it was while it belonged to the erased one.
#[test]
fn what_was_moved_away_keeps_nothing_of_before() {
    let home = Home::new();
    let token = admin(&home);
    let server = home.serve(&["--db", "crm.db"]);
    let text = "about somebody who is forgotten";
    let ask = |method: &str, path: &str, more: &str, body: &str| {
        ask(&server, &token, method, path, more, body)
    };
    for address in ["v@example.com", "o@example.com"] {
        let body = format!(r#"{{"email": "{address}"}}"#);
        assert_eq!(ask("POST", "/leads", "", &body).0, 201);
    }
    let body = format!(r#"{{"lead_id": 1, "action_type": "call", "details": "{text}"}}"#);
    let key = "Idempotency-Key: c1\r\n";
    assert_eq!(ask("POST", "/actions", key, &body).0, 201);
    let moves = r#"{"lead_id": 2, "details": "clean"}"#;
    assert_eq!(ask("PATCH", "/actions/1", "", moves).0, 200);
    assert_ne!(found(&home, &[text]), Vec::<String>::new());
    assert_eq!(ask("DELETE", "/leads/1?erase=true", "", "").0, 200);
    assert_eq!(found(&home, &[text]), Vec::<String>::new());
    assert_eq!(ask("POST", "/actions", key, &body).0, 409);
    assert_eq!(ask("GET", "/actions/1", "", "").1["details"], "clean");
    // What is erased does not keep older changes from being taken back: that is the other lead.
    let last = ask(
        "POST",
        "/changes/undo?dry_run=true",
        "",
        r#"{"last": true}"#,
    );
    assert_eq!((last.0, last.1["error"].as_str().is_some()), (409, true));
    let told = last.1["error"].as_str().unwrap();
    assert!(
        told.contains("lead 2") && !told.contains("erased"),
        "{told}"
    );
}

/// The command does the same, on the database and through a service, and to a lead that is gone already.
#[test]
fn the_command_erases_by_address_and_by_id() {
    let home = Home::new();
    let token = admin(&home);
    std::fs::write(home.path("token"), &token).unwrap();
    let server = home.serve(&["--db", "crm.db"]);
    for way in [
        &["--db", "crm.db"][..],
        &["--url", &server.url, "--token-file", "token"],
    ] {
        let crm = |words: &[&str]| home.crm([words, way].concat());
        let id = crm(&[
            "lead", "create", "--email", ADDRESS, "--name", NAME, "-o", "id",
        ])
        .ok();
        let told = crm(&["lead", "erase", ADDRESS]).fails(2);
        assert!(told.contains("erase: expected --yes"), "{told}");
        let told = crm(&["lead", "erase", ADDRESS, "--yes"]).ok();
        assert!(told.contains("no trace is left"), "{told}");
        assert_eq!(found(&home, &KNOWN), Vec::<String>::new());
        let told = crm(&["lead", "erase", id.trim(), "--yes"]).fails(3);
        assert!(told.contains("Lead not found"), "{told}");
        let id = crm(&[
            "lead", "create", "--email", ADDRESS, "--name", NAME, "-o", "id",
        ])
        .ok();
        crm(&["lead", "delete", id.trim(), "--yes"]).ok();
        assert_ne!(found(&home, &KNOWN), Vec::<String>::new());
        crm(&["lead", "erase", id.trim(), "--yes"]).ok();
        assert_eq!(found(&home, &KNOWN), Vec::<String>::new());
    }
    // What it does not reach is named.
    std::fs::write(home.path("crm.db.before-restore"), "").unwrap();
    home.crm(["lead", "create", "--email", ADDRESS, "--db", "crm.db"])
        .ok();
    let told = home
        .crm(["lead", "erase", ADDRESS, "--yes", "--db", "crm.db"])
        .ok();
    assert!(
        told.contains("not changed, and to be deleted by you: crm.db.before-restore"),
        "{told}"
    );
}

/// While something reads an older state, the answer says so, and the server does the rest as soon as it can.
#[test]
fn traces_that_a_reader_holds_are_told_and_removed_later() {
    let home = Home::new();
    let token = admin(&home);
    let server = home.serve(&["--db", "crm.db"]);
    let lead = json!({"email": ADDRESS, "name": NAME}).to_string();
    assert_eq!(ask(&server, &token, "POST", "/leads", "", &lead).0, 201);
    let reader = Connection::open(home.path("crm.db")).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM leads")
        .unwrap();
    let (status, told) = ask(&server, &token, "DELETE", "/leads/1?erase=true", "", "");
    assert_eq!(status, 200, "{told}");
    let told = told["message"].as_str().unwrap();
    assert!(
        told.contains("still have traces of it: its log is in use"),
        "{told}"
    );
    assert_ne!(found(&home, &KNOWN), Vec::<String>::new());
    reader.execute_batch("COMMIT").unwrap();
    drop(reader);
    wait_for("the end of the traces", || found(&home, &KNOWN).is_empty());
}

/// A service that was killed before it wrote the file anew leaves a note to the next one.
#[test]
fn an_erasure_that_was_interrupted_is_finished_by_the_next_service() {
    let home = Home::new();
    leads(&home, "crm.db", 20);
    let words = [
        "lead", "create", "--email", ADDRESS, "--name", NAME, "--db", "crm.db",
    ];
    home.crm(words).ok();
    leads(&home, "crm.db", 20);
    let connection = Connection::open(home.path("crm.db")).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA secure_delete = OFF; DELETE FROM leads WHERE email = '{ADDRESS}';
             UPDATE crm_changes SET record = '{{\"id\":' || record_id || '}}' WHERE record_id = 21;
             INSERT INTO crm_residue VALUES ('2026-01-01 00:00:00')"
        ))
        .unwrap();
    drop(connection);
    assert_ne!(found(&home, &KNOWN), Vec::<String>::new());
    let _server = home.serve(&["--db", "crm.db"]);
    wait_for("the end of the traces", || found(&home, &KNOWN).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_no_row_with_the_contents() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let home = Home::new();
    let words = ["token", "create", "boss", "--scope", "admin", "--db", &url];
    let token = home.crm(words).ok().trim().to_string();
    let server = home.serve(&["--db", &url]);
    let id = life(&server, &token);
    let keyed = "Idempotency-Key: once\r\n";
    let body = json!({"lead_id": id, "action_type": "mail", "details": NAME}).to_string();
    assert_eq!(
        ask(&server, &token, "POST", "/actions", keyed, &body).0,
        201
    );
    let (status, told) = ask(
        &server,
        &token,
        "DELETE",
        &format!("/leads/{id}?erase=true"),
        "",
        "",
    );
    assert_eq!(status, 200, "{told}");
    let told = told["message"].as_str().unwrap();
    assert!(
        told.contains("were vacuumed; PostgreSQL's own log"),
        "{told}"
    );
    let (status, _) = ask(&server, &token, "POST", "/actions", keyed, &body);
    assert_eq!(status, 409);
    let schema = url.rsplit("%3D").next().unwrap();
    let mut checks = String::new();
    for known in KNOWN {
        for table in [
            "crm_changes",
            "crm_idempotency_keys",
            "leads",
            "actions",
            "processes",
        ] {
            checks += &format!(
                "ASSERT NOT EXISTS (SELECT 1 FROM {schema}.{table} AS t WHERE t::text LIKE '%{known}%'), '{table} {known}'; "
            );
        }
    }
    checks += &format!(
        "ASSERT (SELECT count(*) FROM {schema}.crm_changes WHERE record = '{{\"id\":{id}}}' AND type LIKE 'lead.%') = 28; "
    );
    let cluster = cluster::shared().await.unwrap();
    cluster.run(&format!("DO $$ BEGIN {checks} END $$")).await;
}

/// Changes with times of our own: those of the first `old` are from long ago.
fn aged(old: i64) -> String {
    format!("UPDATE crm_changes SET at = '2020-01-01 00:00:00' WHERE seq <= {old}")
}

fn leads(home: &Home, database: &str, count: usize) {
    let lines: Vec<String> = (0..count)
        .map(|number| format!("{{\"email\": \"u{number}@example.com\"}}"))
        .collect();
    home.crm(["lead", "create", "--json", "-", "--db", database])
        .stdin(&lines.join("\n"))
        .ok();
}

fn seqs(home: &Home) -> Vec<i64> {
    let connection = Connection::open(home.path("crm.db")).unwrap();
    let mut select = connection
        .prepare("SELECT seq FROM crm_changes ORDER BY seq")
        .unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_service_removes_the_old_end_of_the_changes_and_a_command_nothing() {
    let home = Home::new();
    leads(&home, "crm.db", 120);
    let connection = Connection::open(home.path("crm.db")).unwrap();
    connection.execute_batch(&aged(90)).unwrap();
    // One of them was made while the clock was ahead: it keeps those after it.
    connection
        .execute_batch("UPDATE crm_changes SET at = '2100-01-01 00:00:00' WHERE seq = 80")
        .unwrap();
    drop(connection);
    home.crm([
        "lead",
        "create",
        "--email",
        "x@example.com",
        "--db",
        "crm.db",
    ])
    .ok();
    assert_eq!(seqs(&home), (1..=121).collect::<Vec<_>>());
    let server = home.serve(&["--db", "crm.db", "--keep-changes", "forever"]);
    let (status, _) = ask(&server, "", "GET", "/leads/1", "", "");
    assert_eq!(status, 200);
    drop(server);
    assert_eq!(seqs(&home).len(), 121);
    let server = home.serve(&["--db", "crm.db"]);
    wait_for("the removal", || seqs(&home).first() == Some(&80));
    assert_eq!(seqs(&home), (80..=121).collect::<Vec<_>>());
    let asked = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for line in [
        "crm_changes_removed_total 79",
        "crm_changes_oldest_timestamp_seconds 4102444800",
    ] {
        // It is counted right after the commit.
        wait_for(line, || {
            let metrics = exchange(server.address(), asked, false);
            metrics.text().lines().any(|shown| shown == line)
        });
    }
    drop(server);
    // The newest stays, and the numbers go on.
    let connection = Connection::open(home.path("crm.db")).unwrap();
    connection.execute_batch(&aged(1_000)).unwrap();
    drop(connection);
    let server = home.serve(&["--db", "crm.db", "--keep-changes", "0"]);
    wait_for("the removal", || seqs(&home) == [121]);
    let lead = json!({"email": "y@example.com"}).to_string();
    assert_eq!(ask(&server, "", "POST", "/leads", "", &lead).0, 201);
    assert_eq!(seqs(&home).last(), Some(&122));
    drop(server);
    assert_eq!(home.crm(["check", "crm.db"]).ok(), "ok\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_service_at_a_time_removes_changes_from_postgres() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let home = Home::new();
    leads(&home, &url, 100);
    let cluster = cluster::shared().await.unwrap();
    let schema = url.rsplit("%3D").next().unwrap();
    let at = format!("SET search_path = {schema}; ");
    cluster.run(&format!("{at}{}", aged(70))).await;
    let servers = [home.serve(&["--db", &url]), home.serve(&["--db", &url])];
    let removed = || -> u64 {
        let count = |server: &Server| {
            let asked = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            let metrics = exchange(server.address(), asked, false);
            let line = metrics
                .text()
                .lines()
                .find_map(|line| line.strip_prefix("crm_changes_removed_total "));
            line.unwrap().parse::<u64>().unwrap()
        };
        servers.iter().map(count).sum()
    };
    wait_for("the removal", || removed() == 70);
    cluster
        .run(&format!("{at}DO $$ BEGIN ASSERT (SELECT min(seq) FROM crm_changes) = 71; ASSERT (SELECT count(*) FROM crm_changes) = 30; END $$"))
        .await;
}

#[test]
fn a_wrong_time_to_keep_changes_is_refused() {
    let home = Home::new();
    for wrong in ["", "never", "1", "100000w", "0s"] {
        let words = ["serve", "--db", "crm.db", "--keep-changes", wrong];
        let told = home.crm(words).fails(2);
        assert!(
            told.contains("--keep-changes: expected a time from 1s to 7300d"),
            "{told}"
        );
    }
    let shown = home
        .crm(["config", "-o", "ndjson"])
        .env("CRM_KEEP_CHANGES", "forever")
        .ok();
    assert!(shown.contains("forever"), "{shown}");
}

fn epoch(home: &Home, database: &str) -> String {
    let connection = Connection::open(home.path(database)).unwrap();
    connection
        .query_row("SELECT epoch FROM crm_epoch", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_restore_gives_a_new_epoch_and_no_number_twice() {
    let home = Home::new();
    leads(&home, "crm.db", 3);
    home.crm(["backup", "backup.db", "--db", "crm.db"]).ok();
    assert_eq!(epoch(&home, "backup.db"), epoch(&home, "crm.db"));
    leads(&home, "crm.db", 5);
    let before = epoch(&home, "crm.db");
    home.crm(["restore", "backup.db", "--db", "crm.db"]).ok();
    assert_ne!(epoch(&home, "crm.db"), before);
    // Eight were given, and the ninth tells of the restore.
    assert_eq!(seqs(&home), [1, 2, 3, 9]);
    home.crm([
        "lead",
        "create",
        "--email",
        "x@example.com",
        "--db",
        "crm.db",
    ])
    .ok();
    assert_eq!(seqs(&home).last(), Some(&10));
    let connection = Connection::open(home.path("crm.db")).unwrap();
    // A change has the version that its record got.
    let same: i64 = connection
        .query_row("SELECT count(*) FROM leads JOIN crm_changes ON record_id = id AND crm_changes.version = leads.version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(same, 4);
    drop(connection);
    assert_eq!(home.crm(["check", "crm.db"]).ok(), "ok\n");
    home.crm(["restore", "backup.db", "--db", "new.db"]).ok();
    assert_ne!(epoch(&home, "new.db"), epoch(&home, "backup.db"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_the_changes_along() {
    let home = Home::new();
    leads(&home, "crm.db", 7);
    home.crm(["lead", "update", "2", "--name", "Ada", "--db", "crm.db"])
        .ok();
    home.crm(["lead", "delete", "7", "--yes", "--db", "crm.db"])
        .ok();
    let all = |database: &str| {
        let connection = Connection::open(home.path(database)).unwrap();
        let mut select = connection
            .prepare("SELECT * FROM crm_changes ORDER BY seq")
            .unwrap();
        let width = select.column_count();
        let rows = select.query_map([], |row| {
            let cells = (0..width).map(|at| row.get::<_, rusqlite::types::Value>(at));
            cells.collect::<rusqlite::Result<Vec<_>>>()
        });
        rows.unwrap()
            .map(|row| format!("{:?}", row.unwrap()))
            .collect::<Vec<_>>()
    };
    home.crm(["copy", "crm.db", "copy.db"]).ok();
    assert_eq!(all("copy.db"), all("crm.db"));
    assert_ne!(epoch(&home, "copy.db"), epoch(&home, "crm.db"));
    if let Some(url) = cluster::schema().await {
        home.crm(["copy", "crm.db", &url]).ok();
        home.crm(["copy", &url, "back.db"]).ok();
        assert_eq!(all("back.db"), all("crm.db"));
        // The numbers go on there.
        home.crm(["lead", "create", "--email", "x@example.com", "--db", &url])
            .ok();
        home.crm(["copy", &url, "more.db"]).ok();
        let more = all("more.db");
        assert_eq!(more.len(), 10);
        assert!(more[9].starts_with("[Integer(10), "), "{}", more[9]);
        assert_ne!(epoch(&home, "back.db"), epoch(&home, "more.db"));
    }
    // A service does not hand out all of its changes, so the copy begins without.
    let server = home.serve(&["--db", "crm.db"]);
    home.crm(["copy", &server.url, "from.db"]).ok();
    assert_eq!(all("from.db"), Vec::<String>::new());
    drop(server);
    // A target whose records are gone has their changes.
    home.crm([
        "lead",
        "create",
        "--email",
        "x@example.com",
        "--db",
        "used.db",
    ])
    .ok();
    home.crm(["lead", "delete", "1", "--yes", "--db", "used.db"])
        .ok();
    let told = home.crm(["copy", "crm.db", "used.db"]).fails(5);
    assert!(told.contains("holds changes of records already"), "{told}");
}

#[test]
fn check_finds_changes_that_crm_would_not_append() {
    let home = Home::new();
    leads(&home, "crm.db", 3);
    let connection = Connection::open(home.path("crm.db")).unwrap();
    for (wrong, told) in [
        (
            "record = '{' WHERE seq = 2",
            "change 2: its record is not a JSON object",
        ),
        (
            "record = '{\"id\":7}' WHERE seq = 2",
            "change 2: its record has another id",
        ),
        (
            "previous = '[]' WHERE seq = 2",
            "change 2: its earlier values are not a JSON object",
        ),
        (
            "first = 9 WHERE seq = 3",
            "change 3: its group begins after it",
        ),
    ] {
        connection
            .execute_batch(&format!(
                "SAVEPOINT here; UPDATE crm_changes SET {wrong}; RELEASE here"
            ))
            .unwrap();
        let found = home.crm(["check", "crm.db"]).run();
        assert_eq!(found.code, Some(1));
        assert!(found.stdout.contains(told), "{found:?}");
        connection
            .execute_batch("UPDATE crm_changes SET record = '{\"id\":' || record_id || '}', previous = NULL, first = NULL")
            .unwrap();
    }
    // A group whose beginning was removed is as it has to be.
    connection
        .execute_batch(
            "UPDATE crm_changes SET first = 1 WHERE seq > 1; DELETE FROM crm_changes WHERE seq = 1",
        )
        .unwrap();
    assert_eq!(home.crm(["check", "crm.db"]).ok(), "ok\n");
    connection.execute_batch("UPDATE crm_changes SET first = 2 WHERE seq = 3; INSERT INTO crm_changes SELECT 9, record_id, at, author, NULL, NULL, 5, NULL, operation, type, version, record, NULL FROM crm_changes WHERE seq = 3").unwrap();
    let found = home.crm(["check", "crm.db"]).run();
    assert!(
        found
            .stdout
            .contains("change 9: the first change of its group is missing"),
        "{found:?}"
    );
    connection
        .execute_batch("DELETE FROM crm_changes WHERE seq = 9; UPDATE crm_epoch SET epoch = 'x'")
        .unwrap();
    let found = home.crm(["check", "crm.db"]).run();
    assert!(
        found.stdout.contains("crm_epoch: expected one row"),
        "{found:?}"
    );
}
