//! What a server keeps of the file to answer from is never older than it may be: what the server itself has acknowledged
//! is in its next answer, and what others have committed in every answer asked for 5 ms later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Service, client, resolved};

/// The documented bound.
const BOUND: Duration = Duration::from_millis(5);

struct Api {
    service: Service,
    client: Client,
}

impl Api {
    async fn start() -> Api {
        Api {
            service: Service::start().await,
            client: client(),
        }
    }

    async fn create(&self, email: &str) -> i64 {
        let url = format!("{}/leads", self.service.url);
        let made = send(self.client.post(url), json!({ "email": email })).await;
        made["id"].as_i64().unwrap()
    }

    /// Reads the same again and again, so that it is kept, until the switch is off.
    fn keep_reading(&self, path: &str, on: &Arc<AtomicBool>) -> JoinSet<()> {
        let mut readers = JoinSet::new();
        for _ in 0..2 {
            let (client, on) = (self.client.clone(), on.clone());
            let url = format!("{}{path}", self.service.url);
            readers.spawn(async move {
                while on.load(Ordering::Relaxed) {
                    // What it says is no matter here, and the lead may be gone.
                    client
                        .get(&url)
                        .send()
                        .await
                        .unwrap()
                        .bytes()
                        .await
                        .unwrap();
                }
            });
        }
        readers
    }
}

/// Turns the switch off, also where a test fails: what runs beside it would else go on for ever.
struct Off(Arc<AtomicBool>);

impl Drop for Off {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

async fn get(client: &Client, url: &str) -> Value {
    let answer = client.get(url).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

async fn send(request: RequestBuilder, body: Value) -> Value {
    let request = request.header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

/// The name of the lead in a record, or in a list of which it is the first.
fn name(answer: &Value) -> &str {
    let record = answer.get(0).unwrap_or(answer);
    record["name"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_the_next_answer() {
    let api = Api::start().await;
    let on = Arc::new(AtomicBool::new(true));
    let mut readers = Vec::new();
    let mut writers = JoinSet::new();
    for number in 0..4 {
        let id = api.create(&format!("{number}@example.com")).await;
        let one = format!("/leads/{id}");
        let page = format!("/leads?limit=10&email={number}@example.com");
        readers.push(api.keep_reading(&one, &on));
        readers.push(api.keep_reading(&page, &on));
        let client = api.client.clone();
        let [one, page] = [one, page].map(|path| format!("{}{path}", api.service.url));
        writers.spawn(async move {
            for write in 0..60 {
                let new = format!("n{write}");
                send(client.patch(&one), json!({ "name": new })).await;
                assert_eq!(name(&get(&client, &one).await), new);
                assert_eq!(name(&get(&client, &page).await), new);
            }
            let answer = client.delete(&one).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(get(&client, &page).await, json!([]));
        });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    on.store(false, Ordering::Relaxed);
    for reader in readers {
        reader.join_all().await;
    }
    api.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_commit_is_in_every_answer_5_ms_later() {
    let api = Api::start().await;
    let id = api.create("ada@example.com").await;
    let other = Connection::open(api.service.home.path("crm.db")).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    let on = Arc::new(AtomicBool::new(true));
    let [one, page] = [format!("/leads/{id}"), "/leads?limit=10".to_string()];
    let readers = [api.keep_reading(&one, &on), api.keep_reading(&page, &on)];
    let [one, page] = [one, page].map(|path| format!("{}{path}", api.service.url));
    for write in 0..100 {
        let new = format!("n{write}");
        other.execute("UPDATE leads SET name = $1", [&new]).unwrap();
        let committed = Instant::now();
        for url in [&one, &page] {
            loop {
                let asked = committed.elapsed();
                let answer = get(&api.client, url).await;
                assert!(
                    asked < BOUND || name(&answer) == new,
                    "{answer} was asked for {asked:?} after the commit of {new}"
                );
                if asked >= BOUND {
                    break;
                }
            }
        }
    }
    on.store(false, Ordering::Relaxed);
    for reader in readers {
        reader.join_all().await;
    }
    api.service.stop().await;
}

/// crm's own triggers are for the changes of others, and are not run for its own; those of others are.
#[tokio::test(flavor = "multi_thread")]
async fn triggers_of_others_are_run_from_when_they_are_made() {
    let api = Api::start().await;
    let id = api.create("ada@example.com").await;
    let other = Connection::open(api.service.home.path("crm.db")).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    let url = format!("{}/leads/{id}", api.service.url);
    let put = async |name: &str| {
        send(api.client.put(&url), json!({ "name": name })).await;
    };
    let noted = || {
        let all = "SELECT coalesce(group_concat(name), '') FROM noted";
        other
            .query_row(all, [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    put("before").await;
    other
        .execute_batch(
            "CREATE TABLE noted (name TEXT);
             CREATE TRIGGER note AFTER UPDATE ON leads BEGIN INSERT INTO noted VALUES (NEW.name); END",
        )
        .unwrap();
    put("one").await;
    put("two").await;
    assert_eq!(noted(), "one,two");
    other.execute_batch("DROP TRIGGER note").unwrap();
    put("after").await;
    assert_eq!(noted(), "one,two");
    let etag = async || {
        let answer = api.client.get(&url).send().await.unwrap();
        answer.headers()["etag"].to_str().unwrap().to_string()
    };
    assert_eq!(etag().await, "\"5\"");
    other
        .execute("UPDATE leads SET name = 'theirs'", [])
        .unwrap();
    put("last").await;
    assert_eq!(etag().await, "\"7\"");
    api.service.stop().await;
}

/// A page is of one state of the file: what others write just now makes no record appear where its filter does not find it,
/// and moves no other out of a walk from page to page.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_of_one_state_of_the_file() {
    let api = Api::start().await;
    for number in 0..20 {
        api.create(&format!("{number}@example.com")).await;
    }
    let other = Connection::open(api.service.home.path("crm.db")).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other
        .execute(
            "UPDATE leads SET status = 'a', name = printf('%02d', id)",
            [],
        )
        .unwrap();
    let on = Arc::new(AtomicBool::new(true));
    let off = Off(on.clone());
    let writing = on.clone();
    let writer = tokio::task::spawn_blocking(move || {
        let change = |status: &str, name: &str| {
            let sql = "UPDATE leads SET status = $1, name = $2 WHERE id = 5";
            other.execute(sql, [status, name]).unwrap();
            // Long enough for pages to be kept, short enough to come between two.
            std::thread::sleep(Duration::from_micros(1_500));
        };
        while writing.load(Ordering::Relaxed) {
            change("b", "99");
            change("a", "05");
        }
    });
    let url = format!("{}/leads", api.service.url);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1_500) {
        let found = get(&api.client, &format!("{url}?status=a&limit=30")).await;
        let found = found.as_array().unwrap();
        assert!(found.iter().all(|lead| lead["status"] == "a"), "{found:?}");
        let mut names = Vec::new();
        for whole in [true, false] {
            // With all fields and with one: only the former are kept.
            let path = match whole {
                true => "/leads?sort=name&limit=5",
                false => "/leads?sort=name&limit=5&fields=id,name",
            };
            let mut page = Some(path.to_string());
            names.clear();
            while let Some(path) = page.take() {
                let request = api.client.get(format!("{}{path}", api.service.url));
                let answer = request.send().await.unwrap();
                page = answer.headers().get("link").map(|link| {
                    let link = link.to_str().unwrap();
                    resolved(&path, &link[1..link.find('>').unwrap()])
                });
                let leads: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
                for lead in leads.as_array().unwrap() {
                    names.push(lead["name"].as_str().unwrap().to_string());
                }
            }
            names.retain(|name| name != "05" && name != "99");
            let all = (1..=20).filter(|id| *id != 5).map(|id| format!("{id:02}"));
            assert_eq!(names, all.collect::<Vec<_>>());
        }
    }
    drop(off);
    writer.await.unwrap();
    api.service.stop().await;
}

/// A change that reaches records by a rule of the schema or of crm's, and not by their own id.
#[tokio::test]
async fn what_changes_along_with_another_record_is_not_kept() {
    let api = Api::start().await;
    let lead = api.create("ada@example.com").await;
    let post = async |path: &str, body: Value| {
        let url = format!("{}{path}", api.service.url);
        let made = send(api.client.post(url), body).await;
        made["id"].as_i64().unwrap()
    };
    let action = post("/actions", json!({"action_type": "call", "lead_id": lead})).await;
    let process = json!({"name": "p", "last_action_id": action});
    let process = post("/processes", process).await;
    let process = format!("{}/processes/{process}", api.service.url);
    // More often than once, and longer than a look takes: it is kept.
    let start = Instant::now();
    while start.elapsed() < 2 * BOUND {
        assert_eq!(get(&api.client, &process).await["last_action_id"], action);
    }
    let action = format!("{}/actions/{action}", api.service.url);
    assert_eq!(
        api.client.delete(action).send().await.unwrap().status(),
        200
    );
    assert_eq!(
        get(&api.client, &process).await["last_action_id"],
        Value::Null
    );
    api.service.stop().await;
}
