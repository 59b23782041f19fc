//! Follow-ups whose time comes: announced once each, whatever is done to them, to the server and to its clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crm::base::time;
use crm::store::any::AnyStore;
use crm::store::postgres::{CONNECTIONS, Postgres};
use serde_json::{Value, json};

use crate::cluster;
use crate::support::{Home, Server, Service, client, wait_for, with_json};

/// A service, with requests to it.
struct Asked(String);

impl Asked {
    async fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = client().request(method, format!("{}{path}", self.0));
        if !body.is_null() {
            request = with_json(request, body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let json: Value =
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
        assert!(
            status.is_success() || status == 409,
            "{path}: {status} {json}"
        );
        json
    }

    async fn get(&self, path: &str) -> Value {
        self.send("GET", path, &Value::Null).await
    }

    async fn process(&self, body: Value) -> i64 {
        let made = self.send("POST", "/processes", &body).await;
        made["id"].as_i64().unwrap()
    }

    async fn set(&self, id: i64, body: Value) {
        self.send("PUT", &format!("/processes/{id}"), &body).await;
    }

    /// The process and the time of each announcement, in their order.
    async fn announced(&self) -> Vec<(i64, String)> {
        let changes = self.get("/changes?type=process.due&limit=1000").await;
        let change = |change: &Value| {
            let due = change["record"]["next_followup_datetime"].as_str();
            (
                change["id"].as_i64().unwrap(),
                due.unwrap_or_default().to_string(),
            )
        };
        changes.as_array().unwrap().iter().map(change).collect()
    }

    /// Waits until a follow-up was announced that is due now. Then everything before it was looked at.
    async fn settle(&self) -> i64 {
        let id = self
            .process(json!({"name": "now", "next_followup_datetime": ago(0)}))
            .await;
        let began = Instant::now();
        while !self.announced().await.iter().any(|one| one.0 == id) {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "nothing was announced"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        id
    }
}

/// The time so many seconds ago.
fn ago(seconds: u64) -> String {
    time::stored(SystemTime::now() - Duration::from_secs(seconds)).unwrap()
}

/// The time in so many seconds.
fn hence(seconds: u64) -> String {
    time::stored(SystemTime::now() + Duration::from_secs(seconds)).unwrap()
}

async fn over_postgres() -> Option<(Service, String)> {
    let url = cluster::schema().await?;
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    Some((Service::over(store).await, url))
}

async fn each_time_is_announced_once(service: &Service) {
    let api = Asked(service.url.clone());
    let lead = api
        .send("POST", "/leads", &json!({"email": "a@b.cc"}))
        .await["id"]
        .clone();
    let past = ago(3600);
    let id = api
        .process(json!({"name": "p", "lead_id": lead, "next_followup_datetime": past}))
        .await;
    let finished = api
        .process(json!({"name": "f", "status": "Done", "next_followup_datetime": past}))
        .await;
    let later = api
        .process(json!({"name": "l", "next_followup_datetime": hence(86_400)}))
        .await;
    let none = api.process(json!({"name": "n"})).await;
    let first = api.settle().await;
    assert_eq!(
        api.announced().await,
        [(id, past.clone()), (first, ago_of(&api, first).await)]
    );

    // The change has the process as it is.
    let change = &api.get("/changes?type=process.due&limit=1").await[0];
    let record = api.get(&format!("/processes/{id}")).await;
    assert_eq!(change["record"], record);
    assert_eq!(
        (&change["version"], &change["previous"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(change["by"], "crm serve");
    assert_eq!(change["group"], change["seq"]);

    // Moved away and back: announced already. A new time is announced, and so is a process that is open again.
    api.set(id, json!({"next_followup_datetime": hence(3600)}))
        .await;
    api.set(id, json!({"next_followup_datetime": past})).await;
    api.set(finished, json!({"status": "active"})).await;
    let second = api.settle().await;
    let other = ago(1800);
    api.set(id, json!({"next_followup_datetime": other})).await;
    let third = api.settle().await;
    // Also where another time was announced in between, and whatever else changes.
    api.set(id, json!({"next_followup_datetime": past, "name": "q"}))
        .await;
    api.set(id, json!({"status": "done"})).await;
    api.set(
        id,
        json!({"status": "active", "next_followup_datetime": other}),
    )
    .await;
    let fourth = api.settle().await;
    let ids: Vec<i64> = api.announced().await.iter().map(|one| one.0).collect();
    assert_eq!(ids, [id, first, finished, second, id, third, fourth]);
    assert!(!ids.contains(&later) && !ids.contains(&none));

    // The version counts changes alone.
    let last = api
        .get(&format!(
            "/changes?id={id}&type=process.updated&sort=-seq&limit=1"
        ))
        .await;
    let tagged = client().get(format!("{}/processes/{id}", service.url));
    let tagged = tagged.send().await.unwrap();
    let etag = tagged.headers()["etag"].to_str().unwrap().to_string();
    assert_eq!(etag, format!("\"{}\"", last[0]["version"]));
}

async fn ago_of(api: &Asked, id: i64) -> String {
    let record = api.get(&format!("/processes/{id}")).await;
    record["next_followup_datetime"].as_str().unwrap().into()
}

async fn undo_passes_announcements_over(service: &Service) {
    let api = Asked(service.url.clone());
    let id = api.process(json!({"name": "p"})).await;
    let moved = ago(60);
    api.set(id, json!({"next_followup_datetime": moved})).await;
    api.settle().await;
    let changes = api.get(&format!("/changes?id={id}")).await;
    let all = changes.as_array().unwrap();
    let of = |kind: &str| {
        let found = all.iter().find(|change| change["type"] == kind);
        found.unwrap()["seq"].clone()
    };
    // It cannot be taken back itself, and is in nobody's way.
    let refused = api
        .send(
            "POST",
            "/changes/undo",
            &json!({"change": of("process.due")}),
        )
        .await;
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("tells that a follow-up is due"),
        "{refused}"
    );
    let undone = api
        .send(
            "POST",
            "/changes/undo",
            &json!({"change": of("process.updated")}),
        )
        .await;
    assert_eq!(undone["records"][0]["done"], "changed back", "{undone}");
    let again = api
        .send(
            "POST",
            "/changes/undo",
            &json!({"change": undone["change"]}),
        )
        .await;
    assert_eq!(again["records"][0]["done"], "changed back", "{again}");
    // A process that is deleted and restored is announced no more.
    api.send("DELETE", &format!("/processes/{id}"), &Value::Null)
        .await;
    let last = api
        .send("POST", "/changes/undo", &json!({"last": true}))
        .await;
    assert_eq!(last["records"][0]["done"], "restored", "{last}");
    api.settle().await;
    let announced = api.announced().await;
    assert_eq!(announced.iter().filter(|one| one.0 == id).count(), 1);
    let last = api
        .send("POST", "/changes/undo?dry_run=true", &json!({"last": true}))
        .await;
    assert_ne!(last["operation"], "announceDue", "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_time_of_a_follow_up_is_announced_once() {
    let service = Service::start().await;
    each_time_is_announced_once(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_time_of_a_follow_up_is_announced_once_on_postgres() {
    let Some((service, _)) = over_postgres().await else {
        return;
    };
    each_time_is_announced_once(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_passes_announcements_over() {
    let service = Service::start().await;
    undo_passes_announcements_over(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_passes_announcements_over_on_postgres() {
    let Some((service, _)) = over_postgres().await else {
        return;
    };
    undo_passes_announcements_over(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_due_yet_is_announced_when_its_time_comes_and_not_before() {
    let service = Service::start().await;
    let api = Asked(service.url.clone());
    let due = hence(2);
    let id = api
        .process(json!({"name": "p", "next_followup_datetime": due}))
        .await;
    while time::now() < due {
        let before = api.announced().await;
        assert!(before.is_empty() || time::now() >= due, "{before:?}");
    }
    wait_for("the announcement", || {
        let announced = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(api.announced())
        });
        announced == [(id, due.clone())]
    });
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_process_leaves_nothing_in_its_announcement() {
    let service = Service::start().await;
    let api = Asked(service.url.clone());
    let lead = api
        .send("POST", "/leads", &json!({"email": "a@b.cc"}))
        .await["id"]
        .clone();
    let id = api
        .process(json!({"name": "secret plan", "lead_id": lead, "next_followup_datetime": ago(5)}))
        .await;
    api.settle().await;
    // One that was moved to another lead since belonged to the first one when it was announced.
    let other = api
        .send("POST", "/leads", &json!({"email": "b@b.cc"}))
        .await["id"]
        .clone();
    let moved = api
        .process(json!({"name": "moved", "lead_id": lead, "next_followup_datetime": ago(5)}))
        .await;
    api.settle().await;
    api.set(moved, json!({"lead_id": other})).await;
    let erase = format!("lead erase {lead} --yes --db crm.db");
    let erased = service.home.line(&erase).run();
    assert_eq!(erased.code, Some(0), "{erased:?}");
    let was = api
        .get(&format!("/changes?id={moved}&type=process.due"))
        .await;
    assert_eq!(was[0]["record"], json!({"id": moved}), "{was}");
    let due = api.get(&format!("/changes?id={id}&type=process.due")).await;
    assert_eq!(due[0]["record"], json!({"id": id}), "{due}");
    service.stop().await;
}

/// The ids of the processes that were announced, in the order of the changes.
fn announced(home: &Home, database: &str) -> Vec<String> {
    let words = "changes --type process.due -o csv --fields id --db".split(' ');
    let listed = home.crm(words.chain([database])).ok();
    listed.lines().skip(1).map(String::from).collect()
}

#[test]
fn a_restore_and_a_copy_announce_nothing_again() {
    let home = Home::new();
    let created = |name: &str, next: &str, db: &str| {
        home.crm([
            "process", "create", "--name", name, "--next", next, "--db", db,
        ])
        .warned();
    };
    let due = |db: &str| announced(&home, db);
    let serve_until = |db: &str, marker: &str| {
        let server = home.serve(&["--db", db]);
        wait_for("the announcement", || due(db).iter().any(|id| id == marker));
        drop(server);
    };
    created("first", "2026-01-01", "crm.db");
    serve_until("crm.db", "1");
    let backup = home.crm(["backup", "old.db", "--db", "crm.db"]).run();
    assert_eq!(backup.code, Some(0), "{backup:?}");
    // After the backup, it is due at another time. The backup does not know that this is announced.
    home.crm([
        "process",
        "update",
        "1",
        "--next",
        "2026-01-02",
        "--db",
        "crm.db",
    ])
    .warned();
    let server = home.serve(&["--db", "crm.db"]);
    wait_for("the second announcement", || due("crm.db") == ["1", "1"]);
    drop(server);
    let restored = home.crm(["restore", "old.db", "--db", "crm.db"]).run();
    assert_eq!(restored.code, Some(0), "{restored:?}");
    home.crm([
        "process",
        "update",
        "1",
        "--next",
        "2026-01-02",
        "--db",
        "crm.db",
    ])
    .warned();
    created("marker", "2026-01-03", "crm.db");
    serve_until("crm.db", "2");
    assert_eq!(due("crm.db"), ["1", "2"]);

    let copied = home.crm(["copy", "crm.db", "copy.db"]).run();
    assert_eq!(copied.code, Some(0), "{copied:?}");
    created("marker", "2026-01-03", "copy.db");
    serve_until("copy.db", "3");
    assert_eq!(due("copy.db"), ["1", "2", "3"]);

    // A server does not tell what it has announced.
    let server = home.serve(&["--db", "crm.db"]);
    let copied = home.crm(["copy", server.url.as_str(), "far.db"]).run();
    assert_eq!(copied.code, Some(0), "{copied:?}");
    drop(server);
    created("marker", "2026-01-03", "far.db");
    serve_until("far.db", "3");
    assert_eq!(due("far.db"), ["3"]);
}

/// A number from the environment, for a longer run by hand.
fn wanted(name: &str, usual: usize) -> usize {
    let given = std::env::var(name).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The library that fakes the clock of a program, if it is installed.
fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let paths = folders.flatten().map(|folder| folder.path());
    let mut libraries = paths.map(|path| path.join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.exists())
}

/// Two servers over one database, one of which is killed again and again, while their clocks are set back and forward.
fn announces_each_once(home: &Home, database: &str) {
    let follow_ups = wanted("CRM_DUE_FOLLOWUPS", 60);
    let kills = wanted("CRM_DUE_KILLS", 8);
    let clock = home.write("clock", "+0");
    let serve = || {
        let mut command = home
            .crm([
                "serve",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--quiet",
                "--db",
                database,
            ])
            .command();
        if let Some(library) = faketime() {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME_TIMESTAMP_FILE", &clock)
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        Server::start(command)
    };
    let mut servers = [serve(), serve()];
    let span = (kills as u64) / 2 + 1;
    for number in 0..follow_ups {
        let next = hence(number as u64 % span);
        let name = format!("p{number}");
        let words = [
            "process", "create", "--name", &name, "--next", &next, "--db", database,
        ];
        home.crm(words).warned();
    }
    for kill in 0..kills {
        let shift = ["+0", "-30", "+20", "-3600", "+3"][kill % 5];
        // Replaced as a whole: a reader of half of it would stop.
        let next = home.write("clock.new", shift);
        std::fs::rename(next, &clock).unwrap();
        std::thread::sleep(Duration::from_millis(100 + 37 * (kill as u64 % 7)));
        servers[kill % 2] = serve();
    }
    let next = home.write("clock.new", "+7200");
    std::fs::rename(next, &clock).unwrap();
    let count = || {
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for id in announced(home, database) {
            *times.entry(id).or_default() += 1;
        }
        times
    };
    wait_for("all announcements", || count().len() == follow_ups);
    // Once more there and back, and everything that is due before this one was looked at again.
    for shift in ["-7200", "+7200"] {
        let next = home.write("clock.new", shift);
        std::fs::rename(next, &clock).unwrap();
        std::thread::sleep(Duration::from_millis(600));
    }
    home.crm([
        "process",
        "create",
        "--name",
        "last",
        "--next",
        &hence(0),
        "--db",
        database,
    ])
    .warned();
    wait_for("the last announcement", || count().len() == follow_ups + 1);
    let more: Vec<_> = count().into_iter().filter(|one| one.1 != 1).collect();
    assert!(more.is_empty(), "announced more than once: {more:?}");
}

#[test]
fn kills_and_clocks_announce_each_follow_up_once() {
    announces_each_once(&Home::new(), "crm.db");
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_and_clocks_announce_each_follow_up_once_on_postgres() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    tokio::task::spawn_blocking(move || announces_each_once(&Home::new(), &url))
        .await
        .unwrap();
}
