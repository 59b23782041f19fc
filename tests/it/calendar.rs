//! The calendar of follow-ups: what is in it, who opens it, and what is never said of its address.

use std::time::{Duration, SystemTime};

use crm::base::time;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::store::postgres::{CONNECTIONS, Postgres};
use reqwest::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use serde_json::{Value, json};

use crate::cluster;
use crate::support::{Home, Service, client, with_json};

/// The token of a service that asks for one.
async fn admin(service: &Service) -> String {
    use crm::model::terms::Terms;
    use crm::model::token::{NewToken, Scope};
    use crm::ops::create_token::CreateToken;
    let new = NewToken {
        name: "admin".into(),
        scope: Scope::Admin,
        expires: None,
        asker: None,
    };
    let made = service
        .store
        .write(CreateToken::new(new), Terms::default())
        .await
        .unwrap();
    made.done.1.text().into()
}

async fn post(service: &Service, token: &str, path: &str, body: Value) -> Value {
    let request = client().post(format!("{}{path}", service.url));
    let request = with_json(request.bearer_auth(token), &body);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{path} {body}");
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// A process with a follow-up in so many days.
async fn process(service: &Service, token: &str, name: &str, days: i64, more: Value) -> i64 {
    let day = Duration::from_secs(86_400);
    let span = day * u32::try_from(days.unsigned_abs()).unwrap();
    let now = SystemTime::now();
    let at = if days < 0 { now - span } else { now + span };
    let mut body = json!({"name": name, "next_followup_datetime": time::stored(at).unwrap()});
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    let made = post(service, token, "/processes", body).await;
    made["id"].as_i64().unwrap()
}

/// The values of a property, in the order of the events.
fn values<'a>(text: &'a str, property: &str) -> Vec<&'a str> {
    let begin = format!("{property}:");
    let lines = text.split("\r\n");
    lines.filter_map(|line| line.strip_prefix(&begin)).collect()
}

async fn has_what_is_due(service: &Service) {
    let token = &admin(service).await;
    let made = post(
        service,
        token,
        "/tokens",
        json!({"name": "phone", "scope": "calendar"}),
    )
    .await;
    let path = made["path"].as_str().unwrap();
    assert_eq!(
        path,
        format!("/calendar/{}.ics", made["token"].as_str().unwrap())
    );
    let url = format!("{}{path}", service.url);
    let lead =
        json!({"email": "ada@example.com", "name": "Ada, Countess", "attributes": {"Mobile": 441}});
    let lead = post(service, token, "/leads", lead).await["id"].clone();
    let action = json!({"lead_id": lead, "action_type": "call", "details": "Wants;\na quote"});
    post(service, token, "/actions", action).await;
    process(service, token, "Later", 3, json!({"lead_id": lead})).await;
    process(service, token, "Overdue", -40, json!({})).await;
    process(service, token, "Over", -1, json!({"status": "Won"})).await;
    post(service, token, "/processes", json!({"name": "Never"})).await;

    let answer = client().get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_string();
    assert_eq!(header("content-type"), "text/calendar; charset=utf-8");
    assert_eq!(header("cache-control"), "private, no-cache");
    let (etag, modified) = (header("etag"), header("last-modified"));
    assert!(time::read_http(&modified).unwrap() <= SystemTime::now());
    let text = answer.text().await.unwrap();
    assert_eq!(
        values(&text, "SUMMARY"),
        ["Overdue", r"Ada\, Countess: Later"]
    );
    assert_eq!(values(&text, "SEQUENCE"), ["1", "1"]);
    let unfolded = text.replace("\r\n ", "");
    let about = values(&unfolded, "DESCRIPTION")[1];
    assert!(
        about.starts_with(r"ada@example.com\nPhone: 441\nLast: call\, "),
        "{about}"
    );
    assert!(about.ends_with(r"UTC: Wants\;\na quote"), "{about}");

    // HEAD is the same without a body, and nothing is sent twice.
    let head = client().head(&url).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["etag"], etag);
    assert_eq!(head.text().await.unwrap(), "");
    let ask = async |name, value: &str| {
        let answer = client().get(&url).header(name, value).send().await.unwrap();
        (answer.status().as_u16(), answer.headers()[ETAG] == etag)
    };
    for known in [etag.as_str(), "*", &format!("W/\"x\", W/{etag}")] {
        assert_eq!(ask(IF_NONE_MATCH, known).await, (304, true), "{known}");
    }
    assert_eq!(ask(IF_NONE_MATCH, "\"x\"").await, (200, true));
    assert_eq!(
        ask(IF_MODIFIED_SINCE, "Thu, 01 Jan 2026 00:00:00 GMT")
            .await
            .0,
        200
    );

    // A change of a lead is a change of its event, and a process that is finished is gone.
    let changed = client()
        .put(format!("{}/leads/{lead}", service.url))
        .bearer_auth(token);
    let changed = with_json(changed, &json!({"name": "Ada"}));
    assert!(changed.send().await.unwrap().status().is_success());
    let finished = client()
        .put(format!("{}/processes/2", service.url))
        .bearer_auth(token);
    let finished = with_json(finished, &json!({"status": "done"}));
    assert!(finished.send().await.unwrap().status().is_success());
    let answer = client()
        .get(&url)
        .header(IF_NONE_MATCH, &etag)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let again = answer.headers()[LAST_MODIFIED]
        .to_str()
        .unwrap()
        .to_string();
    let text = answer.text().await.unwrap();
    assert_eq!(values(&text, "SUMMARY"), ["Ada: Later"]);
    let known = client()
        .get(&url)
        .header(IF_MODIFIED_SINCE, again)
        .send()
        .await
        .unwrap();
    assert!([200, 304].contains(&known.status().as_u16()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_has_the_follow_ups_and_says_whether_they_changed() {
    let service = Service::start().await;
    has_what_is_due(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_has_the_follow_ups_on_postgres() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let service = Service::over(store).await;
    has_what_is_due(&service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_is_bounded_and_in_order() {
    let service = Service::start().await;
    let file = rusqlite::Connection::open(service.home.path("crm.db")).unwrap();
    file.execute_batch(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1700)
         INSERT INTO processes (name, status, next_followup_datetime, attributes, created_at, updated_at)
         SELECT 'p' || i, 'active', strftime('%Y-%m-%d %H:%M:%S', 'now', (i - 600) || ' hours'), '{}',
         '2026-01-01 00:00:00', '2026-01-01 00:00:00' FROM n",
    )
    .unwrap();
    let token = &admin(&service).await;
    let made = post(
        &service,
        token,
        "/tokens",
        json!({"name": "p", "scope": "calendar"}),
    )
    .await;
    let url = format!("{}{}", service.url, made["path"].as_str().unwrap());
    let text = client()
        .get(url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let found = values(&text, "SUMMARY");
    // The 600th is due now: the last 500 of those, and the first 1,000 of the others.
    let wanted: Vec<String> = (101..=1600).map(|number| format!("p{number}")).collect();
    assert_eq!(found, wanted);
    let begins = values(&text, "DTSTART");
    assert!(begins.is_sorted());
    service.stop().await;
}

#[test]
fn the_address_is_printed_once_and_never_logged() {
    let home = Home::new();
    let created = |name: &str, more: &[&str]| {
        let words = ["token", "create", name, "--scope", "calendar"];
        home.crm(words.iter().chain(more))
            .warned()
            .trim()
            .to_string()
    };
    let path = created("phone", &["--db", "crm.db"]);
    assert!(
        path.starts_with("/calendar/crm_") && path.ends_with(".ics"),
        "{path}"
    );
    let admin = home
        .line("token create admin --scope admin --db crm.db")
        .ok();
    home.write("token", admin.trim());
    let server = home.serve(&["--db", "crm.db", "--log", "json"]);
    let far = ["--url", &server.url, "--token-file", "token"];
    let full = created("laptop", &far);
    let begin = format!("{}/calendar/crm_", server.url);
    assert!(full.starts_with(&begin), "{full}");
    let json = home.crm(
        ["token", "create", "tv", "--scope", "calendar", "-o", "json"]
            .iter()
            .chain(&far),
    );
    let json: Value = serde_json::from_str(&json.ok()).unwrap();
    assert_eq!(
        json["url"],
        format!("{}{}", server.url, json["path"].as_str().unwrap())
    );
    let secret = path
        .trim_start_matches("/calendar/")
        .trim_end_matches(".ics");
    let encoded = path.replacen('c', "%63", 2).replace('_', "%5F");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ask = |method: &str, path: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = client().request(method, format!("{}{path}", server.url));
        runtime.block_on(async { request.send().await.unwrap().status().as_u16() })
    };
    let of = |path: &str| ask("GET", path);
    assert_eq!(
        (of(&path), of(full.strip_prefix(&server.url).unwrap())),
        (200, 200)
    );
    for wrong in [
        format!("{path}x"),
        format!("/calendar/{secret}"),
        format!("{path}/"),
        format!("/leads{path}"),
        format!("/nothing?x={path}"),
        encoded,
    ] {
        let status = of(&wrong);
        assert!([200, 401, 404].contains(&status), "{wrong} {status}");
    }
    for nothing in ["/calendar", "/calendar/"] {
        assert_eq!(of(nothing), 404, "{nothing}");
    }
    assert_eq!(ask("DELETE", &path), 401);
    let metrics = client()
        .get(format!("{}/metrics", server.url))
        .bearer_auth(admin.trim());
    let metrics = runtime.block_on(async { metrics.send().await.unwrap().text().await.unwrap() });
    assert!(metrics.contains("/calendar/{file}"), "{metrics}");
    assert!(!metrics.contains(&secret[..12]), "{metrics}");
    // Revoked, it is as unknown as any other.
    home.line("token revoke phone --db crm.db").ok();
    let began = std::time::Instant::now();
    while of(&path) != 404 {
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    let listed = home.line("token list --db crm.db -o csv").ok();
    assert!(listed.contains("laptop,calendar,crm_"), "{listed}");
    let (_, log) = server.stop();
    assert!(log.contains("/calendar/crm_"), "{log}");
    assert!(!log.contains(&secret[8..]), "{log}");
}

#[test]
fn a_first_token_that_locks_its_owner_out_is_warned_of() {
    let home = Home::new();
    let create = |name: &str, scope: &str, format: &str| {
        let line =
            format!("crm token create {name} --scope {scope} --db {name}.db -o {format} 2> said");
        home.shell(&line).ok();
        std::fs::read_to_string(home.path("said")).unwrap()
    };
    for (scope, format) in [("calendar", "table"), ("read", "json")] {
        assert_eq!(
            create(scope, scope, format),
            format!(
                "warning: {scope} is the first token of this database, so from now on a service on it lets nobody in without a \
                 token, and the scope of this one is only {scope}; make one for yourself: crm token create me --scope admin\n"
            )
        );
        // It is not the first one any more.
        home.line(&format!("token create me --scope admin --db {scope}.db"))
            .ok();
        let next = format!("crm token create tv --scope calendar --db {scope}.db 2>&1");
        assert_eq!(home.shell(&next).ok().lines().count(), 1);
    }
    for scope in ["write", "admin"] {
        assert_eq!(create(scope, scope, "table"), "");
    }
}

#[test]
fn a_calendar_ends_with_its_token() {
    let home = Home::new();
    let path = home
        .line("token create p --scope calendar --expires 2s --db crm.db")
        .warned();
    let server = home.serve(&["--db", "crm.db"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = format!("{}{}", server.url, path.trim());
    let of =
        || runtime.block_on(async { client().get(&url).send().await.unwrap().status().as_u16() });
    let began = std::time::Instant::now();
    while of() != 404 {
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}
