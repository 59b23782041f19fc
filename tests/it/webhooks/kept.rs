//! How long changes are kept for webhooks and for requests that come again, and what is sent of large ones.

use super::*;

/// The numbers of the changes that are kept.
fn seqs(home: &Home, db: &str) -> Vec<i64> {
    let listed = home.crm(["changes", "-o", "id", "--db", db]).ok();
    listed.lines().map(|line| line.parse().unwrap()).collect()
}

fn numbers(range: std::ops::RangeInclusive<i64>) -> Vec<i64> {
    range.collect()
}

/// How many changes a service has removed.
async fn removed(server: &Server) -> u64 {
    let metrics = client().get(format!("{}/metrics", server.url));
    let text = metrics.send().await.unwrap().text().await.unwrap();
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix("crm_changes_removed_total "));
    line.unwrap().parse().unwrap()
}

/// Nothing of what a paused webhook waits for is removed, however old it is, and all of it once the webhook is deleted.
async fn paused(db: &str) {
    let home = Home::new();
    let make = |from: usize, to: usize| {
        let lines: Vec<String> = (from..to)
            .map(|number| format!(r#"{{"email": "u{number}@example.com"}}"#))
            .collect();
        home.crm(["lead", "create", "--json", "-", "--db", db])
            .stdin(&lines.join("\n"))
            .ok();
    };
    make(0, 50);
    webhook(&home, db, "http://127.0.0.1:9/", &[]);
    home.crm(["webhook", "pause", "hook", "--db", db]).ok();
    make(50, 70);
    let server = home.serve(&["--db", db, "--keep-changes", "0"]);
    while removed(&server).await < 50 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(seqs(&home, db), numbers(51..=70));
    assert_eq!(hook(&home, db)["waiting"], 20);
    home.crm(["webhook", "delete", "hook", "--db", db]).ok();
    // The newest one stays.
    until("the removal", || seqs(&home, db) == [70]).await;
    assert_eq!(removed(&server).await, 69);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_paused_webhook_waits_for_is_kept_in_a_file() {
    paused("crm.db").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_paused_webhook_waits_for_is_kept_in_postgres() {
    if let Some(url) = cluster::schema().await {
        paused(&url).await;
    }
}

/// A change that could not be delivered is kept with all after it, until it is given up: four days after its first try.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_failing_webhook_waits_for_is_kept_until_it_is_given_up() {
    let home = Home::new();
    let receiver = Receiver::start(|got| match got.seq() {
        2 => head("500 No"),
        _ => ok(),
    })
    .await;
    webhook(&home, "crm.db", &receiver.url, &[]);
    let words = [
        "--db",
        "crm.db",
        "--keep-changes",
        "0",
        "--webhook-allow",
        "127.0.0.0/8",
    ];
    let server = home.serve(&words);
    for number in 0..6 {
        assert!(lead(&server.url, number).await);
    }
    // All the others are delivered, and only what comes before the failed one is removed.
    until("the deliveries", || {
        receiver.got().iter().filter(|got| got.delivered).count() >= 5
    })
    .await;
    until("the removal", || seqs(&home, "crm.db").first() == Some(&2)).await;
    assert_eq!(hook(&home, "crm.db")["waiting"], 1);
    drop(server);
    let file = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    let aged = "UPDATE crm_deliveries SET since = '2020-01-01 00:00:00', due = '2020-01-01 00:00:00', tries = 9 WHERE seq = 2";
    assert_eq!(file.execute(aged, []).unwrap(), 1);
    drop(file);
    let _server = home.serve(&words);
    until("the end", || seqs(&home, "crm.db") == [6]).await;
    let hook = hook(&home, "crm.db");
    assert_eq!(
        (&hook["given_up"], &hook["waiting"]),
        (&1.into(), &0.into())
    );
}

/// A kept answer does not need its change.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_is_answered_without_its_change() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--keep-changes", "0"]);
    let keyed = async |method: reqwest::Method, path: &str, body: &str| {
        let request = client().request(method, format!("{}{path}", server.url));
        let request = request
            .header("content-type", "application/json")
            .header("idempotency-key", "k")
            .body(body.to_string());
        let answer = request.send().await.unwrap();
        let replayed = answer.headers().contains_key("idempotent-replayed");
        (
            answer.status().as_u16(),
            replayed,
            answer.text().await.unwrap(),
        )
    };
    let (post, patch) = (reqwest::Method::POST, reqwest::Method::PATCH);
    let body = r#"{"email":"ada@example.com"}"#;
    let made = keyed(post.clone(), "/leads", body).await;
    let changed = keyed(patch.clone(), "/leads/1", r#"{"name":"Ada"}"#).await;
    assert_eq!(
        (made.0, made.1, changed.0, changed.1),
        (201, false, 200, false)
    );
    assert!(lead(&server.url, 1).await);
    until("the removal", || seqs(&home, "crm.db") == [3]).await;
    let again = keyed(post, "/leads", body).await;
    assert_eq!((again.0, again.1, &again.2), (201, true, &made.2));
    let again = keyed(patch, "/leads/1", r#"{"name":"Ada"}"#).await;
    assert_eq!((again.0, again.1, &again.2), (200, true, &changed.2));
}

/// Earlier values that are too large are left out, and not told as none.
async fn large(db: &str) {
    let home = Home::new();
    let receiver = Receiver::start(|_| ok()).await;
    webhook(&home, db, &receiver.url, &["--type", "lead.updated"]);
    let pad = "x".repeat(25_000);
    let words = ["lead", "create", "--email", "a@example.com", "--db", db];
    home.crm(
        [
            &words[..],
            &["--attributes", &format!(r#"{{"n":"{pad}"}}"#)],
        ]
        .concat(),
    )
    .ok();
    for change in ["attributes.n=short", "attributes.n=shorter"] {
        let (name, value) = change.split_once('=').unwrap();
        let json = format!(r#"{{"attributes":{{"{}":"{value}"}}}}"#, &name[11..]);
        home.crm(["lead", "update", "1", "--json", "-", "--db", db])
            .stdin(&json)
            .ok();
    }
    let _server = serve(&home, db);
    until("both", || receiver.count() == 2).await;
    let got = receiver.got();
    let data: Vec<serde_json::Value> = got.iter().map(|got| got.json()["data"].clone()).collect();
    assert!(data[0].get("previous").is_none(), "{}", data[0]);
    assert_eq!(data[0]["record"]["attributes"]["n"], "short");
    assert_eq!(data[1]["previous"]["attributes"]["n"], "short");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_earlier_values_are_left_out_of_a_file() {
    large("crm.db").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_earlier_values_are_left_out_of_postgres() {
    if let Some(url) = cluster::schema().await {
        large(&url).await;
    }
}
