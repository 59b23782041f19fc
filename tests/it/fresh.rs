//! What a server keeps of the file to answer from is never older than it may be: what the server itself has acknowledged
//! is in its next answer, and what others have committed in every answer asked for 5 ms later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::Service;

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
            client: Client::builder().no_proxy().build().unwrap(),
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
