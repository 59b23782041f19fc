//! A lead that was deleted, and only later is to be forgotten.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::cluster;
use crate::http::exchange;
use crate::support::{Home, Server};

const ADDRESS: &str = "zephyrine@quillfeather.example";
const SECRET: &str = "Prefers Darjeeling";

fn admin(home: &Home, db: &str) -> String {
    let words = ["token", "create", "boss", "--scope", "admin", "--db", db];
    home.crm(words).ok().trim().to_string()
}

fn ask(server: &Server, token: &str, asked: &str, key: &str, body: &Value) -> (u16, Value) {
    let key = match key {
        "" => String::new(),
        key => format!("Idempotency-Key: {key}\r\n"),
    };
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let request = format!(
        "{asked} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{key}Content-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(server.address(), request.as_bytes(), false);
    (
        answer.status,
        serde_json::from_str(answer.text()).unwrap_or_default(),
    )
}

/// The files that have one of the texts.
fn found(home: &Home) -> Vec<&'static str> {
    let mut files = vec!["crm.db", "crm.db-wal", "crm.db-shm"];
    files.retain(|file| {
        let bytes = std::fs::read(home.path(file)).unwrap_or_default();
        let content = String::from_utf8_lossy(&bytes);
        content.contains(ADDRESS) || content.contains(SECRET)
    });
    files
}

/// One lead that was deleted with its records, of which only kept answers are left. `remove` removes all changes.
async fn of_answers(home: &Home, db: &str, remove: impl AsyncFn()) {
    let token = admin(home, db);
    let server = home.serve(&["--db", db]);
    let lead = json!({"email": ADDRESS, "name": "Zephyrine"});
    let action = json!({"lead_id": 1, "action_type": "call", "details": SECRET});
    let process = json!({"lead_id": 1, "name": SECRET});
    assert_eq!(ask(&server, &token, "POST /leads", "k", &lead).0, 201);
    assert_eq!(ask(&server, &token, "POST /actions", "k", &action).0, 201);
    assert_eq!(
        ask(&server, &token, "POST /processes", "k", &process).0,
        201
    );
    let gone = ask(
        &server,
        &token,
        "DELETE /leads/1?cascade=true",
        "",
        &Value::Null,
    );
    assert_eq!(gone.0, 200, "{}", gone.1);
    // Another one, whose answer stays.
    let other = json!({"email": "other@example.com"});
    assert_eq!(ask(&server, &token, "POST /leads", "o", &other).0, 201);
    remove().await;
    let erase = || {
        ask(
            &server,
            &token,
            "DELETE /leads/1?erase=true",
            "",
            &Value::Null,
        )
    };
    let (status, told) = erase();
    assert_eq!(status, 200, "{told}");
    // What was answered then is not done again.
    for (path, body) in [
        ("POST /leads", &lead),
        ("POST /actions", &action),
        ("POST /processes", &process),
    ] {
        let (status, told) = ask(&server, &token, path, "k", body);
        assert_eq!(status, 409, "{path}: {told}");
        assert!(
            told["error"].as_str().unwrap().contains("was erased"),
            "{told}"
        );
    }
    assert_eq!(ask(&server, &token, "POST /leads", "o", &other).0, 201);
    let (status, changes) = ask(
        &server,
        &token,
        "GET /changes?type=lead.erased",
        "",
        &Value::Null,
    );
    assert_eq!(status, 200);
    assert_eq!(changes[0]["record"], json!({"id": 1}), "{changes}");
    // Nothing is left, and there never was a third one.
    assert_eq!(erase().0, 404);
    let none = ask(
        &server,
        &token,
        "DELETE /leads/99?erase=true",
        "",
        &Value::Null,
    );
    assert_eq!(none.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_kept_answers_have_is_erased_from_a_file() {
    let home = Home::new();
    of_answers(&home, "crm.db", async || {
        let file = Connection::open(home.path("crm.db")).unwrap();
        file.execute_batch(
            "DELETE FROM crm_changes WHERE seq < (SELECT max(seq) FROM crm_changes)",
        )
        .unwrap();
        assert_ne!(found(&home), Vec::<&str>::new());
    })
    .await;
    assert_eq!(found(&home), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_kept_answers_have_is_erased_from_postgres() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let schema = url.rsplit("%3D").next().unwrap();
    let cluster = cluster::shared().await.unwrap();
    of_answers(&Home::new(), &url, async || {
        let table = format!("{schema}.crm_changes");
        let sql = format!("DELETE FROM {table} WHERE seq < (SELECT max(seq) FROM {table})");
        cluster.run(&sql).await;
    })
    .await;
    let left =
        format!("SELECT 1 FROM {schema}.crm_idempotency_keys AS t WHERE t::text LIKE '%{SECRET}%'");
    cluster
        .run(&format!("DO $$ BEGIN ASSERT NOT EXISTS ({left}); END $$"))
        .await;
}

/// An address stands for the lead that has it and for those that had it when they were deleted.
#[test]
fn a_deleted_lead_is_erased_by_its_address() {
    let home = Home::new();
    let token = admin(&home, "crm.db");
    std::fs::write(home.path("token"), &token).unwrap();
    let server = home.serve(&["--db", "crm.db"]);
    for way in [
        &["--db", "crm.db"][..],
        &["--url", &server.url, "--token-file", "token"],
    ] {
        let crm = |words: &[&str]| home.crm([words, way].concat());
        let create = |address: &str| {
            let made = crm(&[
                "lead", "create", "--email", address, "--name", SECRET, "-o", "id",
            ]);
            made.ok().trim().to_string()
        };
        let (first, second, other) = (create(ADDRESS), create(ADDRESS), create("o@example.com"));
        for id in [&first, &second, &other] {
            crm(&["lead", "delete", id, "--yes"]).ok();
        }
        let back = create(ADDRESS);
        assert_ne!(found(&home), Vec::<&str>::new());
        // Another spelling of the same address.
        let told = crm(&["lead", "erase", "Zephyrine@Quillfeather.example", "--yes"]).ok();
        for id in [&first, &second, &back] {
            assert!(told.contains(&format!("Lead {id} erased")), "{told}");
        }
        assert!(!told.contains(&format!("Lead {other} ")), "{told}");
        let told = crm(&["lead", "erase", ADDRESS, "--yes"]).fails(3);
        assert!(
            told.contains("no deleted lead whose changes are kept had it"),
            "{told}"
        );
        crm(&["lead", "erase", &other, "--yes"]).ok();
        assert_eq!(found(&home), Vec::<&str>::new());
        // One that was restored is there, and has the address that it has now.
        let id = create(ADDRESS);
        crm(&["lead", "delete", &id, "--yes"]).ok();
        crm(&["undo", "--yes"]).ok();
        crm(&["lead", "update", &id, "--email", "now@example.com"]).ok();
        crm(&["lead", "erase", ADDRESS, "--yes"]).fails(3);
        let told = crm(&["lead", "erase", "now@example.com", "--yes", "-o", "json"]).ok();
        assert!(told.starts_with('{'), "{told}");
        assert_eq!(found(&home), Vec::<&str>::new());
    }
}
