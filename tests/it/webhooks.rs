//! Webhooks: what the operations do on every store, and what the real binary sends to a real receiver.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crm::base::error::Code;
use crm::model::terms::Terms;
use crm::model::token::{NewToken, Scope};
use crm::model::webhook::{ChangeTypes, SigningSecret, Webhook, WebhookState, signature};
use crm::ops::create_token::CreateToken;
use crm::ops::create_webhook::CreateWebhook;
use crm::ops::delete_webhook::DeleteWebhook;
use crm::ops::pause_webhook::PauseWebhook;
use crm::ops::redeliver_webhook::{After, RedeliverWebhook};
use crm::ops::resume_webhook::ResumeWebhook;
use crm::ops::rotate_webhook::RotateWebhook;
use crm::ops::test_webhook::TestWebhook;
use crm::store::any::AnyStore;
use crm::store::contract::{Store, Write};
use crm::store::postgres::Postgres;
use crm::store::sqlite::Work;

use crate::cluster;
use crate::support::{Home, Server, Service, client};

mod kept;
mod receiver;

use receiver::{Got, Receiver, Reply, head, ok};

/// Waits until something is so, while the receivers of the same runtime answer.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed().as_secs() < 120, "waited for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn write<W: Write>(store: &AnyStore, write: W) -> Result<W::Done, Code> {
    let done = store.write(write, Terms::default()).await;
    done.map(|outcome| outcome.done).map_err(|error| error.code)
}

async fn one(store: &AnyStore, name: &str) -> Webhook {
    let all: Vec<Webhook> = store.all().await.unwrap();
    all.into_iter()
        .find(|webhook| webhook.name == name)
        .unwrap()
}

/// What holds for the operations on every store.
async fn operations(store: AnyStore) {
    let url = "https://hooks.example.com/crm?key=1";
    let create = |types: &str, name: Option<&str>| {
        let types = ChangeTypes::parse(types).unwrap();
        CreateWebhook::new(url.into(), types, name.map(str::to_string))
    };
    let (made, secret) = write(&store, create("lead.*,process.updated", Some("b")))
        .await
        .unwrap();
    assert_eq!((made.name.as_str(), made.url.as_str()), ("b", url));
    assert_eq!(made.state, WebhookState::Active);
    assert_eq!(
        write(&store, create("*", Some("b"))).await,
        Err(Code::Conflict)
    );
    let first = write(&store, create("*", None)).await.unwrap().0;
    let second = write(&store, create("*", None)).await.unwrap().0;
    assert_eq!(first.name, "hooks.example.com");
    assert_eq!(second.name, "hooks.example.com-2");
    let all: Vec<Webhook> = store.all().await.unwrap();
    let names: Vec<&str> = all.iter().map(|webhook| webhook.name.as_str()).collect();
    assert_eq!(names, ["b", "hooks.example.com", "hooks.example.com-2"]);
    assert_eq!(all[0], made);

    // What waits is counted by the types.
    for email in ["ada@example.com", "bob@example.com"] {
        let noun = crm::model::nouns::NOUNS[0];
        let json = format!(r#"{{"email":"{email}"}}"#);
        let draft = crm::model::draft::Draft::from_json(
            noun,
            json.as_bytes(),
            crm::model::draft::Purpose::Create,
        );
        let on_duplicate = crm::model::lead::OnDuplicate::Create;
        let create = crm::ops::create::Create::new(draft.unwrap(), on_duplicate);
        write(&store, create).await.unwrap();
    }
    write(&store, create("process.*,action.created", Some("others")))
        .await
        .unwrap();
    write(&store, create("process.*", Some("later")))
        .await
        .unwrap();
    assert_eq!(one(&store, "b").await.waiting, 2);
    assert_eq!(one(&store, "hooks.example.com").await.waiting, 2);
    assert_eq!(one(&store, "later").await.waiting, 0);

    let (rotated, new) = write(&store, RotateWebhook::new("b".into())).await.unwrap();
    assert!(rotated.old_secret_until.is_some() && new != secret);
    write(&store, PauseWebhook::new("b".into())).await.unwrap();
    assert_eq!(one(&store, "b").await.state, WebhookState::Paused);
    write(&store, TestWebhook::new("b".into())).await.unwrap();
    write(&store, TestWebhook::new("b".into())).await.unwrap();
    // A test is no change.
    assert_eq!(one(&store, "b").await.waiting, 2);
    write(&store, ResumeWebhook::new("b".into())).await.unwrap();
    assert_eq!(one(&store, "b").await.state, WebhookState::Active);
    let again = |after| RedeliverWebhook::new("b".into(), after);
    write(&store, again(After::Beginning)).await.unwrap();
    let other = After::Cursor("0123456789abcdef".into(), 0);
    assert_eq!(write(&store, again(other)).await, Err(Code::Gone));
    write(&store, DeleteWebhook::new("b".into())).await.unwrap();
    let none = || "b".to_string();
    assert_eq!(
        write(&store, DeleteWebhook::new(none())).await,
        Err(Code::NotFound)
    );
    assert_eq!(
        write(&store, PauseWebhook::new(none())).await,
        Err(Code::NotFound)
    );
    assert_eq!(
        write(&store, ResumeWebhook::new(none())).await,
        Err(Code::NotFound)
    );
    assert_eq!(
        write(&store, TestWebhook::new(none())).await,
        Err(Code::NotFound)
    );
    assert_eq!(
        write(&store, again(After::Beginning)).await,
        Err(Code::NotFound)
    );
    assert!(write(&store, RotateWebhook::new(none())).await.is_err());
}

/// Runs it through a service over the store, with a token.
async fn over(store: AnyStore) {
    let new = NewToken {
        name: "admin".into(),
        scope: Scope::Admin,
        expires: None,
        asker: None,
    };
    let (_, secret) = write(&store, CreateToken::new(new)).await.unwrap();
    let service = Service::over(store).await;
    operations(AnyStore::connect(&service.url, Some(&secret)).unwrap()).await;
    service.stop().await;
}

#[tokio::test]
async fn operations_on_a_file() {
    let home = Home::new();
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
    operations(store.clone()).await;
    store.close().await.unwrap();
    let (store, _) = AnyStore::open(&home.path("other.db"), Work::Command).unwrap();
    operations(store.clone()).await;
    store.close().await.unwrap();
    let (store, _) = AnyStore::open(&home.path("served.db"), Work::Server).unwrap();
    over(store).await;
}

#[tokio::test]
async fn operations_on_postgres() {
    for served in [false, true] {
        let Some(url) = cluster::schema().await else {
            return;
        };
        let store = AnyStore::Postgres(Postgres::open(&url, 4).await.unwrap());
        match served {
            true => over(store).await,
            false => operations(store).await,
        }
    }
}

/// Creates a webhook by a command and returns its secret.
fn webhook(home: &Home, db: &str, url: &str, more: &[&str]) -> SigningSecret {
    let mut words = vec!["webhook", "create", url, "--name", "hook", "--db", db];
    words.extend(more);
    SigningSecret::parse(home.crm(words).ok().trim()).unwrap()
}

fn hook(home: &Home, db: &str) -> serde_json::Value {
    let listed = home.crm(["webhook", "list", "-o", "json", "--db", db]).ok();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    listed[0].clone()
}

fn serve(home: &Home, db: &str) -> Server {
    home.serve(&["--db", db, "--webhook-allow", "127.0.0.0/8"])
}

async fn lead(url: &str, number: usize) -> bool {
    let sent = client()
        .post(format!("{url}/leads"))
        .header("content-type", "application/json")
        .body(format!(r#"{{"email":"p{number}@example.com"}}"#))
        .send()
        .await;
    sent.is_ok_and(|answer| answer.status() == 201)
}

/// The signature of a request is right.
fn check(got: &Got, secrets: &[&SigningSecret]) {
    let seconds = got.timestamp.parse().unwrap();
    let expected = signature(
        secrets.iter().copied(),
        &got.id,
        seconds,
        got.text.as_bytes(),
    );
    assert_eq!(got.signature, expected);
}

/// The changes of a file, as the API shows them.
async fn changes(url: &str) -> Vec<serde_json::Value> {
    let answer = client().get(format!("{url}/changes")).send().await.unwrap();
    let text = answer.text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_signed_in_order_as_the_api_shows_them() {
    let home = Home::new();
    let receiver = Receiver::start(|_| ok()).await;
    let secret = webhook(
        &home,
        "crm.db",
        &receiver.url,
        &["--type", "lead.*, process.created"],
    );
    let server = serve(&home, "crm.db");
    for number in 0..5 {
        assert!(lead(&server.url, number).await);
    }
    home.line("action create --lead 1 --type call --db crm.db")
        .run();
    home.line("lead update 1 --status won --name Ada --db crm.db")
        .ok();
    let large = format!(
        r#"{{"email":"large@example.com","attributes":{{"n":"{}"}}}}"#,
        "x".repeat(21_000)
    );
    let sent = client()
        .post(format!("{}/leads", server.url))
        .header("content-type", "application/json")
        .body(large);
    assert_eq!(sent.send().await.unwrap().status(), 201);
    home.line("lead delete 2 --yes --db crm.db").ok();
    until("eight changes", || receiver.count() >= 8).await;
    let got = receiver.got();
    let all = changes(&server.url).await;
    let wanted: Vec<&serde_json::Value> = all
        .iter()
        .filter(|change| change["type"].as_str().unwrap().starts_with("lead."))
        .collect();
    assert_eq!(got.len(), 8);
    let mut ids = BTreeSet::new();
    for (got, change) in got.iter().zip(wanted) {
        check(got, &[&secret]);
        assert!(ids.insert(got.id.clone()));
        let json = got.json();
        assert_eq!(json["type"], change["type"]);
        let at = change["at"].as_str().unwrap().replace(' ', "T");
        assert_eq!(json["timestamp"], format!("{at}Z"));
        let mut change = change.clone();
        if json["data"].get("record").is_none() {
            assert!(change["record"].to_string().len() > 20_480);
            change.as_object_mut().unwrap().remove("record");
        }
        assert_eq!(json["data"], change);
    }
    let without = got
        .iter()
        .filter(|got| got.json()["data"].get("record").is_none());
    assert_eq!(without.count(), 1);
    until("the state", || {
        hook(&home, "crm.db")["last_answer"] == "204"
    })
    .await;
    until("all", || hook(&home, "crm.db")["waiting"] == 0).await;
    assert_eq!(
        hook(&home, "crm.db")["failing_since"],
        serde_json::Value::Null
    );
    let (ended, log) = server.stop();
    assert!(ended.success());
    assert!(!log.contains("whsec_") && !log.contains("/hook"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_while_the_rest_goes_on() {
    let home = Home::new();
    // The second change fails once, by a redirect.
    let mut failed = false;
    let receiver = Receiver::start(move |got| {
        if got.seq() == 2 && !std::mem::replace(&mut failed, true) {
            return head("307 Elsewhere\r\nlocation: /elsewhere");
        }
        ok()
    })
    .await;
    let secret = webhook(&home, "crm.db", &receiver.url, &[]);
    let server = serve(&home, "crm.db");
    for number in 0..4 {
        assert!(lead(&server.url, number).await);
    }
    until("the rest", || receiver.count() >= 4).await;
    until("the failure", || hook(&home, "crm.db")["waiting"] == 1).await;
    until("another try", || receiver.count() >= 5).await;
    let got = receiver.got();
    let order: Vec<i64> = got.iter().map(Got::seq).collect();
    assert_eq!(order, [1, 2, 3, 4, 2]);
    assert_eq!(got[1].id, got[4].id);
    assert_eq!(got[1].text, got[4].text);
    assert!(
        got[4].timestamp.parse::<u64>().unwrap() >= got[1].timestamp.parse::<u64>().unwrap() + 4
    );
    check(&got[4], &[&secret]);
    until("nothing that waits", || {
        hook(&home, "crm.db")["waiting"] == 0
    })
    .await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_can_ask_for_time_and_can_end_it() {
    let home = Home::new();
    let mut first = true;
    let receiver = Receiver::start(move |_| match std::mem::replace(&mut first, false) {
        true => head("429 Slow\r\nretry-after: 2"),
        false => ok(),
    })
    .await;
    webhook(&home, "crm.db", &receiver.url, &[]);
    let server = serve(&home, "crm.db");
    for number in 0..3 {
        assert!(lead(&server.url, number).await);
    }
    until("all", || receiver.count() >= 4).await;
    let got = receiver.got();
    let order: Vec<i64> = got.iter().map(Got::seq).collect();
    // It is no failure, so the order stays.
    assert_eq!(order, [1, 1, 2, 3]);
    let seconds = |at: usize| got[at].timestamp.parse::<u64>().unwrap();
    assert!(seconds(1) > seconds(0));
    receiver.answers(|_| head("410 Gone"));
    assert!(lead(&server.url, 3).await);
    until("the end", || hook(&home, "crm.db")["state"] == "gone").await;
    let told = home.line("webhook test hook --db crm.db").fails(5);
    assert!(told.contains("is gone"), "{told}");
    assert!(lead(&server.url, 4).await);
    receiver.answers(|_| ok());
    home.line("webhook resume hook --db crm.db").ok();
    // The answer that has ended it says nothing of what it does now.
    let resumed = hook(&home, "crm.db");
    assert_eq!(resumed["state"], "active");
    assert!(resumed["last_answer"].is_null(), "{resumed}");
    assert!(resumed["last_answer_at"].is_null(), "{resumed}");
    assert!(lead(&server.url, 5).await);
    until("what came later", || {
        receiver.got().iter().any(|got| got.seq() == 6)
    })
    .await;
    assert!(receiver.got().iter().all(|got| got.seq() != 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_test_rotate_and_redeliver() {
    let home = Home::new();
    let receiver = Receiver::start(|_| ok()).await;
    let old = webhook(&home, "crm.db", &receiver.url, &[]);
    let server = serve(&home, "crm.db");
    assert!(lead(&server.url, 0).await);
    until("the first", || receiver.count() == 1).await;
    home.line("webhook pause hook --db crm.db").ok();
    home.line("webhook test hook --db crm.db").ok();
    until("the test", || receiver.count() == 2).await;
    // The worker knows of the pause now, because it has sent the test.
    assert!(lead(&server.url, 1).await);
    let test = receiver.got()[1].clone();
    assert_eq!(
        (
            test.kind().as_str(),
            test.json()["data"]["webhook"].as_str()
        ),
        ("webhook.test", Some("hook"))
    );
    check(&test, &[&old]);
    let new = home.line("webhook rotate hook --db crm.db").ok();
    let new = SigningSecret::parse(new.trim()).unwrap();
    home.line("webhook resume hook --db crm.db").ok();
    until("the second", || receiver.count() >= 3).await;
    let second = receiver.got()[2].clone();
    assert_eq!(second.seq(), 2);
    check(&second, &[&new, &old]);
    until("its save", || hook(&home, "crm.db")["waiting"] == 0).await;
    home.line("webhook redeliver hook --after 0 --db crm.db")
        .ok();
    until("both again", || receiver.count() >= 5).await;
    let ids = |from: usize| {
        receiver.got()[from..]
            .iter()
            .map(|got| got.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(3), [receiver.got()[0].id.clone(), second.id.clone()]);
    let page = home.line("changes --limit 1 -o json --db crm.db").run();
    assert_eq!(page.code, Some(0));
    let answer = client()
        .get(format!("{}/changes?limit=1", server.url))
        .send()
        .await
        .unwrap();
    let link = answer.headers()["link"].to_str().unwrap().to_string();
    let cursor = link
        .split("after=")
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap();
    until("its save", || hook(&home, "crm.db")["waiting"] == 0).await;
    home.crm([
        "webhook",
        "redeliver",
        "hook",
        "--after",
        cursor,
        "--db",
        "crm.db",
    ])
    .ok();
    until("the second again", || receiver.count() >= 6).await;
    assert_eq!(ids(5), [second.id]);
    // The number of a change does the same as a cursor.
    until("its save", || hook(&home, "crm.db")["waiting"] == 0).await;
    home.line("webhook redeliver hook --after 1 --db crm.db")
        .ok();
    until("the second once more", || receiver.count() >= 7).await;
    assert_eq!(ids(6), [receiver.got()[1 + 1].id.clone()]);
    for (after, code) in [
        ("x", 2),
        ("-1", 2),
        ("99", 5),
        ("MDEyMzQ1Njc4OWFiY2RlZjoz", 7),
    ] {
        home.crm([
            "webhook",
            "redeliver",
            "hook",
            "--after",
            after,
            "--db",
            "crm.db",
        ])
        .fails(code);
    }
    home.line("webhook delete hook --db crm.db").ok();
    assert_eq!(
        home.line("webhook list -o json --db crm.db").ok().trim(),
        "[]"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_refused_unless_they_are_allowed() {
    let home = Home::new();
    let receiver = Receiver::start(|_| ok()).await;
    webhook(&home, "crm.db", &receiver.url, &[]);
    let server = home.serve(&["--db", "crm.db"]);
    assert!(lead(&server.url, 0).await);
    until("the refusal", || {
        let answer = hook(&home, "crm.db")["last_answer"].to_string();
        answer.contains("127.0.0.1 is not a public address")
    })
    .await;
    assert_eq!(receiver.count(), 0);
    drop(server);
    for wrong in ["10.0.0.0/33", "example.com"] {
        let told = home
            .crm(["serve", "--port", "0", "--webhook-allow", wrong])
            .fails(2);
        assert!(told.contains("--webhook-allow"), "{told}");
    }
}

/// How often the sender is killed. `CRM_KILLS` sets another number.
fn kills() -> usize {
    std::env::var("CRM_KILLS").map_or(2, |number| number.parse().unwrap())
}

/// A sender that is killed over and over, and a receiver that fails at random, is slow, and cuts connections.
async fn killed(db: &str, home: &Home) {
    let (mut random, mut failed) = (1_u64, BTreeSet::new());
    let receiver = Receiver::start(move |got| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let late = std::time::Duration::from_millis(100);
        match random >> 60 {
            // A change that fails twice waits for minutes.
            0 if failed.insert(got.id.clone()) => head("500 No"),
            1 if failed.insert(got.id.clone()) => Reply::Cut,
            2 => Reply::Late(late, "204 No Content".into()),
            _ => ok(),
        }
    })
    .await;
    let secret = webhook(home, db, &receiver.url, &[]);
    let mut made = 0;
    for round in 0..kills() {
        let mut server = serve(home, db);
        let before = receiver.count();
        let mut number = 0;
        while receiver.count() < before + 30 {
            lead(&server.url, round * 100_000 + number).await;
            number += 1;
        }
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        made += number;
    }
    receiver.answers(|_| ok());
    let server = serve(home, db);
    assert!(made > 0);
    let all: BTreeSet<i64> = changes(&server.url)
        .await
        .iter()
        .map(|change| change["seq"].as_i64().unwrap())
        .collect();
    let arrived = || {
        let got = receiver.got().into_iter().filter(|got| got.delivered);
        got.map(|got| got.seq()).collect::<BTreeSet<i64>>()
    };
    until("every change", || arrived() == all).await;
    until("nothing that waits", || hook(home, db)["waiting"] == 0).await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for got in receiver.got() {
        check(&got, &[&secret]);
        if got.delivered {
            *times.entry(got.id).or_default() += 1;
        }
    }
    assert_eq!(times.len(), all.len());
    // Each kill repeats at most what was not saved.
    let repeated: usize = times.values().map(|times| times - 1).sum();
    assert!(repeated <= kills() * 55, "{repeated}");
    drop(server);
    crate::ledger::agrees(&crate::durability::place(home, db)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sender_loses_nothing() {
    killed("crm.db", &Home::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sender_over_postgres_loses_nothing() {
    if let Some(url) = cluster::schema().await {
        killed(&url, &Home::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_services_delivers_and_another_takes_over() {
    let Some(db) = cluster::schema().await else {
        return;
    };
    let home = Home::new();
    let receiver = Receiver::start(|_| ok()).await;
    webhook(&home, &db, &receiver.url, &[]);
    let mut services: Vec<Server> = (0..3).map(|_| serve(&home, &db)).collect();
    for number in 0..60 {
        assert!(lead(&services[number % 3].url, number).await);
    }
    until("all", || receiver.count() >= 60).await;
    until("their save", || hook(&home, &db)["waiting"] == 0).await;
    let ids: BTreeSet<String> = receiver.got().iter().map(|got| got.id.clone()).collect();
    assert_eq!((ids.len(), receiver.count()), (60, 60));
    // Whichever of them delivers, the one that is left does in the end.
    for left in [2, 1] {
        let mut service = services.remove(0);
        service.child.kill().unwrap();
        service.child.wait().unwrap();
        let before = receiver.count();
        assert!(lead(&services[0].url, 100 + left).await);
        until("the next", || receiver.count() > before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_are_away_hold_up_nobody() {
    let home = Home::new();
    let receiver = Receiver::start(|_| ok()).await;
    webhook(&home, "crm.db", &receiver.url, &[]);
    // One port is closed, another one never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [&silent, &closed].map(|listener| listener.local_addr().unwrap().port());
    drop(closed);
    for number in 0..8 {
        let url = format!("http://127.0.0.1:{}/x", ports[number % 2]);
        home.crm(["webhook", "create", &url, "--db", "crm.db"]).ok();
    }
    let server = serve(&home, "crm.db");
    for number in 0..100 {
        assert!(lead(&server.url, number).await);
    }
    until("all", || receiver.count() >= 100).await;
    let order: Vec<i64> = receiver.got().iter().map(Got::seq).collect();
    assert_eq!(order, (1..=100).collect::<Vec<i64>>());
    let metrics = client()
        .get(format!("{}/metrics", server.url))
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(value("crm_webhook_deliveries_total{result=\"delivered\"}") >= 100.0);
    assert!(value("crm_webhook_deliveries_total{result=\"failed\"}") >= 1.0);
    assert!(Path::new(&home.path("crm.db")).exists());
    let _ = value("crm_webhook_waiting_deliveries");
    let _ = value("crm_webhook_oldest_waiting_seconds");
}

#[test]
fn commands_say_what_is_wrong() {
    let home = Home::new();
    let secret = "https://ada:s3cret@hooks.example.com/";
    for (words, field) in [
        (vec!["create", secret], "url: "),
        (vec!["create", "hooks.example.com"], "url: "),
        (
            vec!["create", "https://a.example", "--type", "leads.*"],
            "types: ",
        ),
        (
            vec!["create", "https://a.example", "--name", "a b"],
            "name: ",
        ),
    ] {
        let told = home.crm([&["webhook"], &words[..]].concat()).fails(2);
        assert!(told.contains(field) && !told.contains("s3cret"), "{told}");
    }
    home.line("webhook create https://a.example --type lead.* --type process.updated")
        .ok();
    let listed = home.line("webhook list -o json").ok();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        listed[0]["types"],
        serde_json::json!(["lead.*", "process.updated"])
    );
    assert!(!listed.to_string().contains("whsec_"));
    assert!(
        home.line("webhook pause none")
            .fails(3)
            .contains("\"none\"")
    );
    let told = home
        .line("webhook create https://a.example --name a.example")
        .fails(5);
    assert!(
        told.contains("another webhook is called a.example"),
        "{told}"
    );
}
