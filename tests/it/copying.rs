//! `crm copy` between all kinds of databases.

use crate::cluster;
use crate::support::{Home, wait_for};

/// A database with records that refer to one another, gaps in its ids, and an id that was given and is gone.
fn fill(home: &Home, database: &str) {
    let crm = |words: &[&str]| home.crm([words, &["--db", database]].concat()).ok();
    for number in 1..=6 {
        let email = format!("{number}@example.com");
        crm(&[
            "lead",
            "create",
            "--email",
            &email,
            "--name",
            "Zoë \"Z\" O'Neil",
            "--set",
            "n:=1.10",
        ]);
    }
    crm(&["lead", "delete", "3", "6", "--yes"]);
    crm(&[
        "action",
        "create",
        "--lead-id",
        "2",
        "--type",
        "call",
        "--details",
        "a,b\n\tc\\d",
    ]);
    crm(&["action", "create", "--type", "mail"]);
    crm(&[
        "process",
        "create",
        "--name",
        "p",
        "--lead-id",
        "2",
        "--last-action",
        "1",
    ]);
}

/// All that a database has, as it is printed.
fn content(home: &Home, database: &str) -> String {
    let nouns = ["lead", "action", "process"].map(|noun| {
        home.crm([noun, "list", "-o", "ndjson", "--db", database])
            .ok()
    });
    nouns.concat()
}

fn etag(home: &Home, database: &str) -> String {
    let told = home.crm(["lead", "get", "1", "--etag", "--db", database]);
    told.ok().trim().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_from_any_to_any_and_ids_go_on() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let Some(other) = cluster::schema().await else {
        return;
    };
    let home = Home::new();
    fill(&home, "a.db");
    let all = content(&home, "a.db");
    home.crm(["copy", "a.db", "b.db"]).ok();
    home.crm(["copy", "a.db", &url]).ok();
    home.crm(["copy", &url, &other]).ok();
    home.crm(["copy", &other, "c.db"]).ok();
    let server = home.serve(&["--db", "a.db"]);
    let summary = home.crm(["copy", &server.url, "d.db", "-o", "json"]).ok();
    let expected = format!(
        r#"{{"from":"{}","to":"{}","leads":4,"actions":2,"processes":1}}"#,
        server.url,
        home.path("d.db").display()
    );
    assert_eq!(summary.trim(), expected);
    for database in ["b.db", &url, &other, "c.db", "d.db"] {
        assert_eq!(content(&home, database), all, "{database}");
    }
    // An ETag goes over too; where it is not known, the copy's is none that the record has had.
    for database in ["b.db", &url, &other, "c.db"] {
        assert_eq!(etag(&home, database), etag(&home, "a.db"), "{database}");
    }
    let new: i64 = etag(&home, "d.db").trim_matches('"').parse().unwrap();
    assert!(new >= 1 << 32, "{new}");
    for database in ["b.db", &url, &other, "c.db"] {
        let words = [
            "lead",
            "create",
            "--email",
            "new@example.com",
            "-o",
            "id",
            "--db",
            database,
        ];
        assert_eq!(home.crm(words).ok(), "7\n", "{database}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_holds_records_is_refused() {
    let home = Home::new();
    fill(&home, "a.db");
    fill(&home, "b.db");
    let before = content(&home, "b.db");
    let told = home.crm(["copy", "a.db", "b.db"]).fails(5);
    assert!(told.contains("holds leads already"), "{told}");
    assert_eq!(content(&home, "b.db"), before);
    let told = home.crm(["copy", "a.db", "./a.db"]).fails(2);
    assert!(told.contains("a database other than FROM"), "{told}");
    let told = home.crm(["copy", "nothing.db", "b.db"]).fails(1);
    assert!(told.contains("nothing.db"), "{told}");
    let told = home.crm(["copy", "a.db", "http://localhost:1"]).fails(2);
    assert!(told.starts_with("error: TO: expected a file"), "{told}");
    if let Some(url) = cluster::schema().await {
        home.crm(["lead", "create", "--email", "x@example.com", "--db", &url])
            .ok();
        let told = home.crm(["copy", "a.db", &url]).fails(5);
        assert!(told.contains("holds leads already"), "{told}");
    }
}

/// A copy that is killed half-way leaves a database that only the same copy finishes.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_is_continued_by_the_same_source_alone() {
    let home = Home::new();
    let mut leads = String::new();
    for number in 0..20_000 {
        leads += &format!(
            "INSERT INTO leads (email, status, attributes, created_at, updated_at) VALUES ('{number}@example.com', 'new', '{{}}', '2026-01-01 00:00:00', '2026-01-01 00:00:00');"
        );
    }
    home.crm(["lead", "create", "--email", "x@example.com", "--db", "a.db"])
        .ok();
    let connection = rusqlite::Connection::open(home.path("a.db")).unwrap();
    connection
        .execute_batch(&format!("BEGIN; {leads} COMMIT"))
        .unwrap();
    drop(connection);
    let mut targets = vec![home.path("b.db").display().to_string()];
    targets.extend(cluster::schema().await);
    for target in &targets {
        let mut copying = home
            .crm(["copy", "a.db", target])
            .command()
            .spawn()
            .unwrap();
        // Its mark is there before its first record.
        wait_for("a copy that has begun", || {
            let run = home.crm(["lead", "list", "--count", "--db", target]).run();
            run.stderr.contains("unfinished") || copying.try_wait().unwrap().is_some()
        });
        copying.kill().unwrap();
        copying.wait().unwrap();
        let told = home.crm(["lead", "list", "--db", target]).fails(1);
        assert!(told.contains("unfinished copy of"), "{told}");
        fill_once(&home, "other.db");
        let told = home.crm(["copy", "other.db", target]).fails(5);
        assert!(told.contains("only that source can continue it"), "{told}");
        home.crm(["copy", "a.db", target]).ok();
        assert_eq!(content(&home, target), content(&home, "a.db"));
    }
}

fn fill_once(home: &Home, database: &str) {
    if !home.path(database).exists() {
        fill(home, database);
    }
}
