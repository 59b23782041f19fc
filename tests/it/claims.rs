//! Due follow-ups: how urgent they are, and who has claimed which. Some tests run on every store, see
//! [`contract`](crate::contract).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crm::base::error::Code;
use crm::base::time::{self, Zone, read_stored};
use crm::model::draft::{Draft, Purpose};
use crm::model::due::Due;
use crm::model::lead::{LEAD, OnDuplicate};
use crm::model::lease::Claimed;
use crm::model::process::PROCESS;
use crm::model::query::Query;
use crm::model::record::Record;
use crm::model::terms::{Key, Terms};
use crm::ops::Records;
use crm::ops::claim::Claim;
use crm::ops::complete::Complete;
use crm::ops::log::Log;
use crm::ops::release::Release;
use crm::ops::renew::Renew;
use crm::ops::snooze::Snooze;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::views::followups::FOLLOWUP;
use serde_json::{Value, json};

use crate::cli::Both;
use crate::cluster;
use crate::support::{Home, Server, client};

/// So many seconds from now, in the stored form.
fn from_now(seconds: i64) -> String {
    let by = Duration::from_secs(seconds.unsigned_abs());
    let now = SystemTime::now();
    time::nearest(if seconds < 0 { now - by } else { now + by })
}

/// A lead, and a process of it for each of these times.
async fn with_processes(store: &AnyStore, times: &[Option<String>]) -> Vec<i64> {
    let draft = Draft::from_json(&LEAD, br#"{"email": "ada@example.com"}"#, Purpose::Create);
    let lead = store.create(draft.unwrap(), OnDuplicate::Create).await;
    let lead = lead.unwrap().record.id();
    let mut ids = Vec::new();
    for next in times {
        let json = json!({"name": "Spring", "lead_id": lead, "next_followup_datetime": next});
        ids.push(create(store, &json).await);
    }
    ids
}

async fn create(store: &AnyStore, process: &Value) -> i64 {
    let draft = Draft::from_json(&PROCESS, process.to_string().as_bytes(), Purpose::Create);
    let saved = store.create(draft.unwrap(), OnDuplicate::Create).await;
    saved.unwrap().record.id()
}

async fn update(store: &AnyStore, id: i64, fields: &Value) {
    let draft = Draft::from_json(&PROCESS, fields.to_string().as_bytes(), Purpose::Update);
    store.update(id, draft.unwrap()).await.unwrap();
}

async fn claim(store: &AnyStore, body: &Value) -> Vec<Claimed> {
    let claim = Claim::of(body.to_string().as_bytes(), &Zone::UTC).unwrap();
    store.write(claim, Terms::default()).await.unwrap().done
}

fn ids(claimed: &[Claimed]) -> Vec<i64> {
    claimed.iter().map(|one| one.followup.id()).collect()
}

/// The follow-ups of a list with these parameters.
async fn list(store: &AnyStore, pairs: &[(&str, &str)]) -> Vec<Record> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    let query = Query::new(&FOLLOWUP, pairs.collect()).unwrap();
    let mut listing = store.list(query).await.unwrap();
    let mut all = Vec::new();
    while let Some(records) = listing.next_chunk().await.unwrap() {
        all.extend(records);
    }
    all
}

fn text<'r>(record: &'r Record, name: &str) -> &'r str {
    record.get(name).text().unwrap_or_default()
}

/// The workers of all follow-ups, in the order of the processes.
async fn workers(store: &AnyStore) -> Vec<String> {
    let all = list(store, &[("sort", "id")]).await;
    all.iter().map(|one| text(one, "worker").into()).collect()
}

pub async fn a_follow_up_is_claimed_by_one_worker(store: AnyStore) {
    let times = [-3_600, -86_400 * 2, 86_400 * 30].map(|at| Some(from_now(at)));
    let all = with_processes(&store, &times).await;
    let mine = claim(&store, &json!({"limit": 5, "worker": "anna"})).await;
    assert_eq!(
        ids(&mine),
        [all[1], all[0]],
        "the one that is due first, first"
    );
    assert_eq!(text(&mine[0].followup, "worker"), "anna");
    assert_eq!(text(&mine[0].followup, "due"), "overdue");
    assert!(text(&mine[0].followup, "lease_until") > from_now(590).as_str());
    assert_eq!(text(&mine[0].followup, "lead_email"), "ada@example.com");
    assert_eq!(claim(&store, &json!({"worker": "ben"})).await, []);
    assert_eq!(workers(&store).await, ["anna", "anna", ""]);
    let by_worker = list(&store, &[("worker", "anna"), ("due", "overdue")]).await;
    assert_eq!(by_worker.len(), 2);

    // The lease of another follow-up is none of this one.
    let (first, second) = (mine[0].lease.clone(), mine[1].lease.clone());
    let release = Release::new(all[0], first.clone());
    let refused = store.write(release, Terms::default()).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert!(refused.message.contains("anna has it until"), "{refused}");

    let release = Release::new(all[0], second.clone());
    store
        .write(release.clone(), Terms::default())
        .await
        .unwrap();
    let refused = store.write(release, Terms::default()).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    let others = claim(&store, &json!({"worker": "ben"})).await;
    assert_eq!(ids(&others), [all[0]]);

    let done = Complete::new(all[1], Some(first.clone()));
    let done = store.write(done, Terms::default()).await.unwrap().done;
    assert_eq!(text(&done.record, "status"), "completed");
    assert_eq!(text(&done.record, "next_followup_datetime"), "");
    let again = Complete::new(all[1], Some(first));
    let refused = store.write(again, Terms::default()).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    // Whoever works without a lease is not stopped.
    let free = Complete::new(all[0], None);
    store.write(free, Terms::default()).await.unwrap();
    let lost = Renew::new(all[0], others[0].lease.clone(), None);
    let refused = store.write(lost, Terms::default()).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    // No lease is a change, and no version counts it.
    let versions = [all[0], all[1], all[2]];
    for (id, expected) in versions.into_iter().zip([2, 2, 1]) {
        assert_eq!(store.get(&PROCESS, id).await.unwrap().version(), expected);
    }
}

pub async fn a_moved_follow_up_has_no_lease(store: AnyStore) {
    let times = [-4, -3, -2, -1].map(|days| Some(from_now(days * 86_400)));
    let all = with_processes(&store, &times).await;
    let mine = claim(&store, &json!({"limit": 4, "worker": "anna"})).await;
    assert_eq!(ids(&mine), all);
    update(&store, all[0], &json!({"name": "Autumn"})).await;
    assert_eq!(
        workers(&store).await,
        ["anna"; 4],
        "only what moves it ends a lease"
    );
    update(
        &store,
        all[0],
        &json!({"next_followup_datetime": from_now(-60)}),
    )
    .await;
    let next = from_now(86_400 * 3);
    let snoozed = Snooze::new(all[1], next.clone(), None);
    let snoozed = store.write(snoozed, Terms::default()).await.unwrap().done;
    assert_eq!(text(&snoozed.record, "next_followup_datetime"), next);
    update(&store, all[2], &json!({"status": "Lost"})).await;
    store.delete(&PROCESS, all[3], false).await.unwrap();
    assert_eq!(workers(&store).await, ["", ""]);
    for one in &mine {
        let renew = Renew::new(one.followup.id(), one.lease.clone(), Some(60));
        let refused = store.write(renew, Terms::default()).await.unwrap_err();
        let expected = match one.followup.id() == all[3] {
            true => Code::NotFound,
            false => Code::Conflict,
        };
        assert_eq!(refused.code, expected, "{refused}");
    }
    let again = claim(&store, &json!({"limit": 9, "worker": "ben"})).await;
    assert_eq!(ids(&again), [all[0]]);

    // What is taken back does not bring a lease back.
    update(&store, all[0], &json!({"status": "done"})).await;
    update(&store, all[0], &json!({"status": "active"})).await;
    let renew = Renew::new(all[0], again[0].lease.clone(), Some(60));
    let refused = store.write(renew, Terms::default()).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict, "{refused}");
    assert!(refused.message.contains("moved or finished"), "{refused}");
    assert_eq!(workers(&store).await, ["", ""]);

    let past = Snooze::new(all[0], from_now(-1), None);
    let refused = store.write(past, Terms::default()).await.unwrap_err();
    assert_eq!(refused.problems[0].field, "next");
    let finished = Snooze::new(all[2], next, None);
    let refused = store.write(finished, Terms::default()).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert!(refused.message.contains("Lost"), "{refused}");
    // One that is finished keeps its status.
    let done = Complete::new(all[2], None);
    let done = store.write(done, Terms::default()).await.unwrap().done;
    assert_eq!(text(&done.record, "status"), "Lost");
}

pub async fn a_lease_ends_by_itself_and_can_be_renewed(store: AnyStore) {
    let all = with_processes(&store, &[Some(from_now(-60))]).await;
    let mine = claim(&store, &json!({"lease": "1s", "worker": "anna"})).await;
    let begun = Instant::now();
    let others = loop {
        let others = claim(&store, &json!({"worker": "ben"})).await;
        if !others.is_empty() {
            break others;
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
    };
    assert!(
        begun.elapsed() >= Duration::from_millis(900),
        "it was too short"
    );
    for stale in [
        store
            .write(
                Renew::new(all[0], mine[0].lease.clone(), None),
                Terms::default(),
            )
            .await
            .err(),
        store
            .write(
                Complete::new(all[0], Some(mine[0].lease.clone())),
                Terms::default(),
            )
            .await
            .err(),
    ] {
        let stale = stale.unwrap();
        assert_eq!(stale.code, Code::Conflict);
        assert!(stale.message.contains("ben has it until"), "{stale}");
    }
    let until = text(&others[0].followup, "lease_until");
    let renew = Renew::new(all[0], others[0].lease.clone(), Some(7_200));
    let renewed = store.write(renew, Terms::default()).await.unwrap().done;
    assert!(renewed.lease_until.as_str() > until && renewed.worker == "ben");
    let followup = &list(&store, &[]).await[0];
    assert_eq!(text(followup, "lease_until"), renewed.lease_until);

    // A log with the lease ends it, and without one it logs nothing.
    let lead = followup.get("lead_id").int().unwrap();
    let body = json!({"action_type": "call", "lease": others[0].lease.text(), "next": null});
    let log = Log::new(lead, &body.to_string(), Zone::UTC).unwrap();
    let logged = store.write(log.clone(), Terms::default()).await.unwrap();
    let process = logged.done.process.unwrap();
    assert_eq!(process.id(), all[0]);
    let refused = store.write(log, Terms::default()).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert_eq!(refused.problems[0].field, "lease");
    assert_eq!(workers(&store).await, [""]);
}

pub async fn a_claim_with_a_key_is_done_once(store: AnyStore) {
    let times: Vec<Option<String>> = (0..4).map(|_| Some(from_now(-60))).collect();
    with_processes(&store, &times).await;
    let terms = Terms {
        key: Some(Key::new().unwrap()),
        ..Terms::default()
    };
    let body = br#"{"limit": 2, "worker": "anna"}"#;
    let claim = Claim::of(body, &Zone::UTC).unwrap();
    let first = store.write(claim.clone(), terms.clone()).await.unwrap();
    let second = store.write(claim, terms).await.unwrap();
    assert!(!first.replayed && second.replayed);
    assert_eq!(first.done, second.done);
    let taken = workers(&store).await;
    assert_eq!(taken.iter().filter(|worker| *worker == "anna").count(), 2);
    let one = &second.done[0];
    let done = Complete::new(one.followup.id(), Some(one.lease.clone()));
    store.write(done, Terms::default()).await.unwrap();
}

pub async fn filters_by_urgency_find_what_is_shown(store: AnyStore) {
    let hours = [-400, -49, -25, -13, -1, 1, 13, 25, 49, 170, 190, 400];
    let mut times: Vec<Option<String>> = hours.map(|at| Some(from_now(at * 3_600))).into();
    // Midnight in UTC, which is no time of day there.
    times.push(Some(format!("{} 00:00:00", &from_now(0)[..10])));
    times.push(None);
    with_processes(&store, &times).await;
    for zone in ["UTC", "+14:00", "-12:00", "Asia/Kathmandu", "Europe/Berlin"] {
        let shown = list(&store, &[("tz", zone)]).await;
        assert_eq!(shown.len(), times.len());
        let words: Vec<&str> = shown.iter().map(|one| text(one, "due")).collect();
        assert_eq!(*words.last().unwrap(), "unscheduled", "{zone}");
        for word in Due::WORDS {
            let found = list(&store, &[("tz", zone), ("due", word)]).await;
            let expected = words.iter().filter(|shown| **shown == word).count();
            assert_eq!(found.len(), expected, "{word} in {zone}: {words:?}");
            assert!(found.iter().all(|one| text(one, "due") == word));
            let others = list(&store, &[("tz", zone), ("due", &format!("ne:{word}"))]).await;
            assert_eq!(others.len(), times.len() - expected, "{word} in {zone}");
        }
        let some = list(&store, &[("tz", zone), ("due", "overdue,unscheduled")]).await;
        assert!(
            some.iter()
                .all(|one| ["overdue", "unscheduled"].contains(&text(one, "due")))
        );
        let limited = [("tz", zone), ("due", "in:overdue,today"), ("limit", "1")];
        assert_eq!(list(&store, &limited).await.len(), 1);
    }
    for (name, value) in [
        ("due", "late"),
        ("due", "gt:today"),
        ("due", "is:null"),
        ("sort", "due"),
    ] {
        let pairs = vec![(name.to_string(), value.to_string())];
        let refused = Query::new(&FOLLOWUP, pairs).unwrap_err();
        assert_eq!(refused.problems[0].field, name, "{value}");
    }
}

/// A request with this body, or without one if it is null.
fn asked(client: &reqwest::Client, url: &str, body: &Value) -> reqwest::RequestBuilder {
    let request = client.post(url);
    match body {
        Value::Null => request,
        body => request
            .header("content-type", "application/json")
            .body(body.to_string()),
    }
}

async fn post(url: &str, path: &str, body: &Value) -> (u16, Value) {
    let answer = asked(&client(), &format!("{url}{path}"), body);
    let answer = answer.send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.text().await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_claim_log_and_end_leases() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    let url = server.url.as_str();
    post(url, "/leads", &json!({"email": "ada@example.com"})).await;
    for name in ["One", "Two", "Three"] {
        let process = json!({"name": name, "lead_id": 1, "next_followup_datetime": "2026-01-31"});
        assert_eq!(post(url, "/processes", &process).await.0, 201);
    }
    // Without a body it claims one, in the name of nobody, as the service is open.
    let answer = client()
        .post(format!("{url}/followups/claim"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let one: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(
        (one[0]["id"].as_i64(), one[0]["worker"].as_str()),
        (Some(1), Some("-"))
    );
    let wrong = json!({"limit": 0, "lease": "25h", "due": ["late"], "worker": " ", "x": 1});
    let (status, told) = post(url, "/followups/claim", &wrong).await;
    assert_eq!(status, 400);
    for (field, expected) in [
        ("limit", "from 1 to 100"),
        ("lease", "from 1s to 24h"),
        ("due", "overdue, today, soon, scheduled or unscheduled"),
        ("worker", "a name of 1 to 200 characters"),
        ("x", "no such field"),
    ] {
        let told = told["fields"][field].as_str().unwrap_or_default();
        assert!(told.contains(expected), "{field}: {told}");
    }
    let (_, two) = post(url, "/followups/claim", &json!({"worker": "anna"})).await;
    let lease = &two[0]["lease"];
    // Nothing is logged with a lease that does not count.
    let stale = json!({"action_type": "call", "lease": one[0]["lease"], "process_id": 2});
    assert_eq!(post(url, "/leads/1/log", &stale).await.0, 400);
    let (status, logged) = post(
        url,
        "/leads/1/log",
        &json!({"action_type": "call", "lease": lease}),
    )
    .await;
    assert_eq!((status, logged["process"]["id"].as_i64()), (201, Some(2)));
    for (path, body) in [
        (
            "/leads/1/log",
            json!({"action_type": "call", "lease": lease}),
        ),
        ("/followups/2/complete", json!({"lease": lease})),
        ("/followups/2/release", json!({"lease": lease})),
        ("/followups/2/renew", json!({"lease": lease})),
        (
            "/followups/2/snooze",
            json!({"lease": lease, "next": "2126-01-01"}),
        ),
    ] {
        let (status, told) = post(url, path, &body).await;
        assert_eq!(status, 409, "{path}: {told}");
        assert!(told["fields"]["lease"].is_string(), "{path}: {told}");
    }
    let actions = client().get(format!("{url}/actions")).send().await.unwrap();
    let actions: Value = serde_json::from_str(&actions.text().await.unwrap()).unwrap();
    assert_eq!(actions.as_array().unwrap().len(), 1);
    for (path, body, status) in [
        ("/followups/9/complete", json!({}), 404),
        ("/followups/x/complete", json!({}), 400),
        ("/followups/2/release", json!({}), 400),
        ("/followups/2/renew", json!({"lease": "crm_0123"}), 400),
        ("/followups/2/snooze", json!({"next": "soon"}), 400),
        ("/followups/2/snooze", json!({"next": "2026-01-01"}), 400),
        (
            "/followups/2/snooze?tz=Mars",
            json!({"next": "2126-01-01"}),
            400,
        ),
        ("/followups/claim?tz=Europe/Berlin", json!({}), 200),
    ] {
        let (got, told) = post(url, path, &body).await;
        assert_eq!(got, status, "{path} {body}: {told}");
    }
    let (status, process) = post(url, "/followups/3/complete", &Value::Null).await;
    assert_eq!(
        (status, process["status"].as_str()),
        (200, Some("completed")),
        "{process}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_survives_the_end_of_its_server() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    post(&server.url, "/leads", &json!({"email": "ada@example.com"})).await;
    let process = json!({"name": "One", "lead_id": 1, "next_followup_datetime": "2026-01-31"});
    post(&server.url, "/processes", &process).await;
    let (_, claimed) = post(&server.url, "/followups/claim", &json!({})).await;
    server.signal("KILL");
    drop(server);
    let server = home.serve(&["--db", "crm.db"]);
    assert_eq!(
        post(&server.url, "/followups/claim", &json!({})).await,
        (200, json!([]))
    );
    let lease = json!({"lease": claimed[0]["lease"]});
    assert_eq!(post(&server.url, "/followups/1/renew", &lease).await.0, 200);
    // The database has no secret that could be read.
    let lease = claimed[0]["lease"].as_str().unwrap();
    for file in ["crm.db", "crm.db-wal"] {
        let bytes = std::fs::read(home.path(file)).unwrap_or_default();
        let found = bytes
            .windows(lease.len())
            .any(|part| part == lease.as_bytes());
        assert!(!found, "{file}");
    }
}

/// How long the leases of the claimers are, in seconds.
const LEASE: i64 = 2;

/// What one claimer was given: the follow-up, and the end of its lease.
type Given = (i64, String);

/// What the claimers share.
struct Claimers {
    servers: Vec<Server>,
    given: std::sync::Mutex<Vec<Given>>,
    completed: std::sync::Mutex<BTreeMap<i64, usize>>,
    left: AtomicUsize,
    failed: AtomicBool,
}

impl Claimers {
    /// Works until nothing is left. A worker that is `killed` drops dead after its third claim, with follow-ups in its hands
    /// and a request under way, and another one begins in its place.
    async fn work(self: Arc<Self>, number: usize, killed: bool) {
        let client = client();
        let url = self.servers[number % self.servers.len()].url.clone();
        let body =
            json!({"limit": 3, "lease": format!("{LEASE}s"), "worker": format!("w{number}")});
        let mut claims = 0;
        while self.left.load(Ordering::SeqCst) > 0 && !self.failed.load(Ordering::SeqCst) {
            let request = asked(&client, &format!("{url}/followups/claim"), &body);
            if killed && claims == 3 {
                // The request is on its way, and nobody waits for its answer.
                let sent = tokio::spawn(request.send());
                tokio::task::yield_now().await;
                sent.abort();
                return;
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            let claimed = answer.as_array().unwrap();
            claims += usize::from(!claimed.is_empty());
            for one in claimed {
                let until = one["lease_until"].as_str().unwrap().to_string();
                self.given
                    .lock()
                    .unwrap()
                    .push((one["id"].as_i64().unwrap(), until));
            }
            for (at, one) in claimed.iter().enumerate() {
                if killed && claims == 3 && at > 0 {
                    break;
                }
                let id = one["id"].as_i64().unwrap();
                let url = format!("{url}/followups/{id}/complete");
                let answer = asked(&client, &url, &json!({"lease": one["lease"]}));
                match answer.send().await.unwrap().status().as_u16() {
                    200 => {
                        *self.completed.lock().unwrap().entry(id).or_default() += 1;
                        self.left.fetch_sub(1, Ordering::SeqCst);
                    }
                    // The machine was slow, and the lease has ended.
                    409 => {}
                    other => panic!("{other}"),
                }
            }
        }
    }
}

/// Sixteen claimers over these servers complete all of so many follow-ups. No follow-up is given twice within a lease, and none
/// is lost, although every fifth of the claimers drops dead.
async fn claimers(servers: Vec<Server>, count: usize) {
    let url = servers[0].url.clone();
    post(&url, "/leads", &json!({"email": "ada@example.com"})).await;
    for at in 0..count {
        let next = format!("2026-01-{:02} 09:{:02}:00", at % 31 + 1, at % 60);
        let process =
            json!({"name": format!("P{at}"), "lead_id": 1, "next_followup_datetime": next});
        assert_eq!(post(&url, "/processes", &process).await.0, 201);
    }
    let shared = Arc::new(Claimers {
        servers,
        given: std::sync::Mutex::default(),
        completed: std::sync::Mutex::default(),
        left: AtomicUsize::new(count),
        failed: AtomicBool::new(false),
    });
    let workers = (0..16).map(|number| {
        let shared = shared.clone();
        tokio::spawn(async move {
            if number % 5 == 0 {
                shared.clone().work(number, true).await;
            }
            shared.work(number + 16, false).await;
        })
    });
    let workers: Vec<_> = workers.collect();
    let begun = Instant::now();
    for worker in workers {
        let patience = Duration::from_secs(300).saturating_sub(begun.elapsed());
        tokio::time::timeout(patience, worker)
            .await
            .unwrap()
            .unwrap();
    }
    let completed = shared.completed.lock().unwrap();
    assert_eq!(completed.len(), count, "some are lost");
    assert!(
        completed.values().all(|times| *times == 1),
        "some are done twice"
    );
    let seconds = |stored: &str| {
        let at = read_stored(stored).unwrap();
        at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64
    };
    let mut leases: HashMap<i64, Vec<i64>> = HashMap::new();
    for (id, until) in shared.given.lock().unwrap().iter() {
        leases.entry(*id).or_default().push(seconds(until));
    }
    let mut again = 0;
    for (id, mut ends) in leases {
        ends.sort_unstable();
        again += ends.len() - 1;
        for two in ends.windows(2) {
            // A lease is rounded up to the next second.
            assert!(
                two[1] - LEASE > two[0],
                "follow-up {id} was given twice: {ends:?}"
            );
        }
    }
    assert!(again > 0, "the follow-ups of the dead are given again");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_follow_up_is_claimed_twice_on_sqlite() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    claimers(vec![server], 150).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_follow_up_is_claimed_twice_over_three_replicas() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let home = Home::new();
    let servers = (0..3).map(|_| home.serve(&["--db", &url])).collect();
    claimers(servers, 150).await;
}

/// The same with a thousand follow-ups, for a run by hand: `cargo test --test it thousand -- --ignored`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute"]
async fn a_thousand_follow_ups_are_claimed_once_each() {
    let home = Home::new();
    claimers(vec![home.serve(&["--db", "crm.db"])], 1_000).await;
    if let Some(url) = cluster::schema().await {
        let servers = (0..3).map(|_| home.serve(&["--db", &url])).collect();
        claimers(servers, 1_000).await;
    }
}

#[test]
fn commands_show_and_move_what_is_due() {
    let both = Both::start();
    both.ok("crm lead create --email ada@example.com --name 'Ada Lovelace' --set Phone='+49 30 1'");
    both.ok("crm lead create --email bob@example.com");
    assert_eq!(both.run("crm due").stderr, "nothing is due\n");
    for format in ["table", "json", "ndjson", "csv", "id"] {
        assert_eq!(both.ok(&format!("crm due --overdue -q -o {format}")), "");
    }
    assert_eq!(both.ok("crm due -o json"), "[]\n");
    let run =
        both.run("crm process create --name Spring --lead 1 --next '2026-01-31 09:00:00' -o id");
    let noted = |at: &str| {
        format!("note: --next: {at} is in the past, so the follow-up is overdue at once\n")
    };
    assert_eq!(
        (run.stdout, run.stderr),
        ("1\n".into(), noted("2026-01-31 09:00"))
    );
    both.ok("crm process create --name Summer --lead 1 --next today -o id");
    both.ok("crm process create --name Autumn --lead 2 --next '+3d 9am' -o id");
    both.ok("crm process create --name Winter --lead 2 --next '+30d 9am' -o id");
    both.ok("crm process create --name Never --lead 2 -o id");
    let table = both.ok("crm due");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 8, "{table}");
    assert_eq!(lines[2], "Overdue: 1");
    let first = lines[3]
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty());
    let first: Vec<&str> = first.collect();
    let expected = [
        "1",
        "2026-01-31 09:00",
        "1",
        "Ada Lovelace",
        "+49 30 1",
        "ada@example.com",
        "Spring",
        "never",
    ];
    assert_eq!(first, expected);
    assert_eq!((lines[4], lines[6]), ("Today: 1", "Soon: 1"));
    let table = both.ok("crm due --all");
    assert!(
        table.contains("\nLater: 1\n") && table.contains("\nWithout a date: 1\n"),
        "{table}"
    );
    assert_eq!(both.ok("crm due --overdue -o id"), "1\n");
    assert_eq!(both.ok("crm due -o id"), "1\n2\n3\n");
    assert_eq!(both.ok("crm due --limit 1 -o id"), "1\n");
    assert_eq!(
        both.ok("crm due -q -o csv --fields id,due"),
        "id,due\n1,overdue\n2,today\n3,soon\n"
    );
    assert_eq!(both.ok("crm followups --due overdue,today -o id"), "1\n2\n");
    let run = both.run("crm log 1 call 'Asked for a quote' --process 1 --next 2026-02-01");
    assert_eq!((run.code, run.stderr), (Some(0), noted("2026-02-01")));
    assert!(both.ok("crm due").contains(", call"));

    let told = both.ok("crm snooze 1 '2126-02-01 09:00:00'");
    assert_eq!(
        told,
        "The follow-up of process 1 (Spring) is now due 2126-02-01 09:00:00\n"
    );
    assert!(
        both.fails("crm snooze 1 2026-01-01", 2)
            .contains("WHEN: expected a time to come")
    );
    assert!(
        both.fails("crm snooze 1 someday", 2)
            .contains("WHEN: expected a time like")
    );
    assert!(
        both.fails("crm snooze x +3d", 2)
            .contains("or the e-mail address of a lead")
    );
    assert!(
        both.fails("crm snooze none@example.com +3d", 3)
            .contains("no lead has the address")
    );
    let run = both.run("crm done bob@example.com");
    assert_eq!(run.stdout, "Process 3 (Autumn) is completed\n");
    assert!(
        run.stderr.contains("lead 2 has several open processes"),
        "{run:?}"
    );
    both.ok("crm done 5");
    assert_eq!(
        both.ok("crm done 2 --lead"),
        "Process 4 (Winter) is completed\n"
    );
    assert!(
        both.fails("crm done bob@example.com", 3)
            .contains("lead 2 has no open process")
    );
    assert!(
        both.fails("crm snooze 4 +3d", 5)
            .contains("is finished (completed)")
    );
    assert!(
        both.ok("crm done 4 -o json")
            .contains("\"status\":\"completed\"")
    );
}

#[test]
fn commands_claim_renew_and_give_back() {
    let home = Home::new();
    let crm = |line: &str| home.shell(line).env("DATABASE_URL", "sqlite:///crm.db");
    crm("crm lead create --email ada@example.com --name Ada --set phone=1").ok();
    crm("crm action create --lead 1 --type call --details 'Asked for a quote' --at 2026-01-31")
        .ok();
    crm("crm process create --name Spring --lead 1 --channel email --next 2026-01-31").warned();
    let card = crm("crm next --worker anna --lease 30m").ok();
    for part in [
        "Ada",
        "ada@example.com",
        "call: Asked for a quote",
        "to anna until",
        "crm log 1 email",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
    let lease = card.lines().find_map(|line| line.strip_prefix("lease "));
    let lease = lease.unwrap().trim();
    let run = crm("crm next").run();
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (Some(0), "nothing is due that is free\n")
    );
    assert_eq!(crm("crm next -o json").ok(), "[]\n");
    assert_eq!(crm("crm due --mine anna -o id").ok(), "1\n");
    assert_eq!(crm("crm due --mine ben -q").ok(), "");
    assert!(crm("crm due").ok().contains("anna until"));
    let renewed = crm(&format!("crm renew 1 --lease {lease} --duration 1h")).ok();
    assert!(
        renewed.starts_with("Process 1 is leased to anna until "),
        "{renewed}"
    );
    assert!(
        crm("crm renew 1 --lease x")
            .fails(2)
            .contains("--lease: expected the lease")
    );
    assert!(
        crm("crm next --lease 2d --limit x --due late")
            .fails(2)
            .contains("--limit: expected a whole number from 1 to 100, got \"x\"")
    );
    let released = crm(&format!("crm release 1 --lease {lease}")).ok();
    assert_eq!(released, "Process 1 is free again\n");
    assert!(
        crm(&format!("crm release 1 --lease {lease}"))
            .fails(5)
            .contains("was released or has ended")
    );
    let claimed = crm("crm next -o ndjson").ok();
    let claimed: Value = serde_json::from_str(&claimed).unwrap();
    assert!(claimed["worker"].as_str().unwrap().starts_with("local:"));
    let lease = claimed["lease"].as_str().unwrap();
    crm(&format!(
        "crm log 1 call 'Will sign' --next '2126-01-01' --lease {lease}"
    ))
    .ok();
    let stale = crm(&format!("crm log 1 call Again --lease {lease}")).fails(5);
    assert!(stale.starts_with("error: --lease: "), "{stale}");
    assert_eq!(crm("crm action list --count").ok(), "2\n");
}

#[test]
fn mine_is_what_was_claimed_for_me() {
    let home = Home::new();
    let crm = |line: &str| home.shell(&format!("crm {line} --db crm.db"));
    crm("lead create --email ada@example.com -o id").ok();
    crm("process create --lead 1 --name Spring --next today -o id").ok();
    crm("process create --lead 1 --name Summer --next today -o id").ok();
    crm("action create --lead 1 --type 'site visit' -o id").ok();
    let user = crm("changes --limit 1 -o csv --fields by").ok();
    let user = user.lines().nth(1).unwrap().to_string();
    let nobody = |line: &str, worker: &str| {
        let run = crm(line).run();
        let none = format!("{worker} has claimed nothing that is due\n");
        assert_eq!((run.code, run.stderr), (Some(0), none), "{line}");
    };
    nobody("due --mine", &user);
    let card = crm("next").ok();
    // What was done last is proposed where the process has no channel.
    let proposed = "crm log 1 'site visit' 'What it was about' --next +3d";
    assert!(card.contains(proposed), "{card}");
    assert!(card.contains(" (today)\n"), "{card}");
    assert_eq!(crm("due --mine -o id").ok(), "1\n");
    assert_eq!(crm("due -o id --mine").ok(), "1\n");
    assert_eq!(crm(&format!("due --mine {user} -o id")).ok(), "1\n");
    nobody("due --mine anna", "anna");
    let refused = home.line("due --mine --url http://localhost:1").fails(2);
    assert!(
        refused.contains("--mine: expected a worker with --url: the name of your token"),
        "{refused}"
    );
}

#[test]
fn slips_of_every_day_are_noted() {
    let home = Home::new();
    let crm = |line: &str| home.shell(&format!("crm {line} --db crm.db"));
    crm("lead create --email ada@example.com -o id").ok();
    crm("process create --lead 1 --name Spring -o id").ok();
    assert_eq!(crm("done 1").ok(), "Process 1 (Spring) is completed\n");
    assert_eq!(
        crm("done 1").ok(),
        "Process 1 (Spring) was completed already\n"
    );
    let missing = crm("done 7").fails(3);
    assert_eq!(missing, "error: Process not found\n");
    // The type was forgotten.
    let run = crm("log 1 'Sent the quote' -o id").run();
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (
            Some(0),
            "note: the type of the action is \"Sent the quote\"; what it was about comes after the type, as in: crm log 1 call \
             'Sent the quote'\n"
        )
    );
    crm("log 1 'site visit' 'Saw the machine' -o id").ok();
    // The same address once more. A script is told nothing.
    crm("lead create --email Ada@example.com -o id").ok();
    let third = home.line("lead create --email ada@example.com --db crm.db");
    let (shown, code) = crate::cli::at_terminal(third, 120, "");
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("note: leads 1, 2 have this address too; --on-duplicate update"),
        "{shown}"
    );
    let new = home.line("lead create --email bob@example.com --db crm.db");
    let (shown, _) = crate::cli::at_terminal(new, 120, "");
    assert!(!shown.contains("note"), "{shown}");
}
