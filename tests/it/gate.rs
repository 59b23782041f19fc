//! Who is let in to what, from the table of routes itself; tokens, keys and versions over HTTP.

use crm::model::draft::Purpose;
use crm::model::field::Presence;
use crm::model::nouns::NOUNS;
use crm::model::token::Scope;
use crm::operation::about::{Access, Body, Takes};
use crm::ops::{Route, routes};

use std::io::{BufReader, Read, Write};

use crate::cluster;
use crate::http::{Answer, Api, connect};
use crate::support::{Home, client, wait_for};

fn token(home: &Home, name: &str, scope: &str) -> String {
    let line = ["token", "create", name, "--scope", scope, "--db", "crm.db"];
    home.crm(line).warned().trim().to_string()
}

/// The token in the path of a calendar.
fn in_path(path: &str) -> String {
    let file = path.strip_prefix("/calendar/").unwrap();
    file.strip_suffix(".ics").unwrap().into()
}

/// A request to a route, whose record is there.
async fn ask(url: &str, route: &Route, token: Option<&str>) -> (u16, Option<String>) {
    // What is deleted is not there.
    let id = if route.method == "DELETE" { "999" } else { "1" };
    let path = route.path.replace("{id}", id).replace("{name}", "nobody");
    let path = path.replace("/{rest}", "");
    let method = reqwest::Method::from_bytes(route.method.as_bytes()).unwrap();
    let mut request = client().request(method, format!("{url}{path}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if !matches!(route.op.about().body, Body::None) {
        let (kind, body) = match route.op.about().body {
            // No line at all.
            Body::Lines => ("application/x-ndjson", String::new()),
            _ => ("application/json", body(route).to_string()),
        };
        request = request.header("content-type", kind).body(body);
    }
    let answer = request.send().await.unwrap();
    let challenge = answer.headers().get("www-authenticate");
    let challenge = challenge.map(|value| value.to_str().unwrap().to_string());
    let status = answer.status().as_u16();
    if matches!(status, 401 | 403) {
        let json: serde_json::Value =
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert!(json["error"].is_string());
    }
    (status, challenge)
}

/// The fields that a new record has to have; no field of anything else.
fn body(route: &Route) -> serde_json::Value {
    let mut body = serde_json::json!({});
    if let (Body::Draft(Purpose::Create), Some(noun)) = (route.op.about().body, route.noun) {
        let fields = noun.fields.iter();
        for field in fields.filter(|field| field.presence == Presence::Required) {
            body[field.name] = field.example.into();
        }
    }
    body
}

/// What a route answers whoever is let in.
fn expected(route: &Route) -> u16 {
    match (route.op.about().body, route.method) {
        // A follow-up is claimed and completed without any field.
        (Body::Object(fields), _)
            if route.path.starts_with("/followups")
                && fields.iter().all(|field| !field.required) =>
        {
            200
        }
        // Fields are missing.
        (Body::Object(_), _) => 400,
        _ if route.path == "/search" => 400,
        (Body::Draft(Purpose::Create), _) => 201,
        (_, "DELETE") => 404,
        // There is none of this name.
        _ if route.path.contains("{name}") || route.path.contains("{file}") => 404,
        _ => 200,
    }
}

fn records(home: &Home) {
    home.crm([
        "lead",
        "create",
        "--email",
        "a@example.com",
        "--db",
        "crm.db",
    ])
    .ok();
    home.crm(["action", "create", "--type", "call", "--db", "crm.db"])
        .ok();
    home.crm(["process", "create", "--name", "n", "--db", "crm.db"])
        .ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_whom_its_entry_says() {
    let home = Home::new();
    records(&home);
    let known = [
        (
            Some(Scope::Calendar),
            in_path(&token(&home, "c", "calendar")),
        ),
        (Some(Scope::Read), token(&home, "r", "read")),
        (Some(Scope::Write), token(&home, "w", "write")),
        (Some(Scope::Admin), token(&home, "a", "admin")),
        (None, token(&home, "gone", "admin")),
        (None, format!("crm_{}", "0".repeat(32))),
        (None, "crm_short".into()),
        (None, "another".into()),
    ];
    home.crm(["token", "revoke", "gone", "--db", "crm.db"]).ok();
    let server = home.serve(&["--db", "crm.db"]);
    let routes = routes();
    assert!(routes.len() >= 2 * NOUNS.len() + 4, "{routes:?}");
    let mut links = 0;
    for route in &routes {
        let place = format!("{} {}", route.method, route.path);
        if let Access::InPath(needed) = route.access {
            for (scope, token) in &known {
                let at = Route {
                    path: route.path.replace("{file}", &format!("{token}.ics")),
                    ..route.clone()
                };
                // What is in the header makes no difference.
                for header in [None, Some(known[3].1.as_str())] {
                    let wanted = if *scope == Some(needed) { 200 } else { 404 };
                    let (status, challenge) = ask(&server.url, &at, header).await;
                    assert_eq!((status, challenge), (wanted, None), "{place} {scope:?}");
                }
            }
            links += 1;
            continue;
        }
        let Access::Token(needed) = route.access else {
            let named = ["/health", "/ready", "/openapi.json", "/docs/{rest}", "/"];
            assert!(named.contains(&route.path.as_str()), "{place}");
            assert_eq!(ask(&server.url, route, None).await.0, 200, "{place}");
            continue;
        };
        let (status, challenge) = ask(&server.url, route, None).await;
        assert_eq!(status, 401, "{place}");
        assert_eq!(challenge.as_deref(), Some("Bearer realm=\"crm\""));
        for (scope, token) in &known {
            let (status, challenge) = ask(&server.url, route, Some(token)).await;
            let challenge = challenge.unwrap_or_default();
            match scope {
                None => {
                    assert_eq!(status, 401, "{place}");
                    assert!(challenge.contains("invalid_token"), "{challenge}");
                }
                Some(scope) if *scope < needed => {
                    assert_eq!(status, 403, "{place} {scope:?}");
                    assert!(challenge.contains(&format!("scope=\"{}\"", needed.word())));
                }
                Some(_) => assert_eq!(
                    (status, challenge.as_str()),
                    (expected(route), ""),
                    "{place}"
                ),
            }
        }
    }
    assert_eq!(links, 1);
    // A parameter may need more than its path, also where it is off, and however it is written.
    let mut guarded = 0;
    for route in &routes {
        for one in route.op.about().parameters(route.noun) {
            let Takes::SwitchFor(needed) = one.takes else {
                continue;
            };
            let spelled = one.name.replacen(&one.name[..1], "%65", 1);
            for query in [
                format!("{}=true", one.name),
                format!("{}=false", one.name),
                one.name.to_string(),
                format!("{spelled}=true"),
                format!("cascade=true&{}=true", one.name),
            ] {
                let guard = Route {
                    path: format!("{}?{query}", route.path),
                    ..route.clone()
                };
                for (scope, token) in &known {
                    let (status, challenge) = ask(&server.url, &guard, Some(token)).await;
                    let challenge = challenge.unwrap_or_default();
                    match scope {
                        Some(scope) if *scope < needed => {
                            assert_eq!(status, 403, "{query} {scope:?}");
                            let told = format!("scope=\"{}\"", needed.word());
                            assert!(challenge.contains(&told), "{challenge}");
                        }
                        Some(_) => assert!([400, 404].contains(&status), "{query} {status}"),
                        None => assert_eq!(status, 401, "{query}"),
                    }
                }
                guarded += 1;
            }
        }
    }
    assert!(guarded >= 5, "{guarded}");
    // Unknown paths need read access too, so that they reveal nothing.
    for (method, path) in [
        ("GET", "/nothing"),
        ("PUT", "/leads"),
        ("OPTIONS", "/leads"),
    ] {
        let route = Route {
            method,
            path: path.into(),
            ..routes[0].clone()
        };
        assert_eq!(
            ask(&server.url, &route, None).await.0,
            401,
            "{method} {path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_service_is_closed_by_its_first_token_and_by_settings() {
    let home = Home::new();
    records(&home);
    let server = home.serve(&["--db", "crm.db"]);
    let routes = routes();
    for route in &routes {
        let wanted = match route.access {
            // Nobody claims it from outside.
            Access::Token(Scope::Admin) => 401,
            _ => expected(route),
        };
        assert_eq!(ask(&server.url, route, None).await.0, wanted, "{route:?}");
    }
    let list = routes.iter().find(|route| route.path == "/leads").unwrap();
    let secret = token(&home, "first", "read");
    let start = std::time::Instant::now();
    while ask(&server.url, list, None).await.0 != 401 {
        assert!(
            start.elapsed().as_secs() < 5,
            "the first token was not seen"
        );
    }
    assert_eq!(ask(&server.url, list, Some(&secret)).await.0, 200);
    // Without the last one the service would be open again.
    let revoke = ["token", "revoke", "first", "--db", "crm.db"];
    let refused = home.crm(revoke).run();
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("last token"), "{}", refused.stderr);
    assert_eq!(ask(&server.url, list, Some(&secret)).await.0, 200);
    token(&home, "other", "read");
    // One that a command revokes beside the service stops working at once.
    home.crm(revoke).ok();
    let start = std::time::Instant::now();
    while ask(&server.url, list, Some(&secret)).await.0 != 401 {
        assert!(
            start.elapsed().as_secs() < 5,
            "the end of the token was not seen"
        );
    }
    assert_eq!(ask(&server.url, list, None).await.0, 401);
    drop(server);
    let closed = home.serve(&["--db", "crm.db", "--require-token"]);
    assert_eq!(ask(&closed.url, list, None).await.0, 401);
    drop(closed);
    token(&home, "second", "read");
    let open = home.serve(&["--db", "crm.db", "--open"]);
    assert_eq!(ask(&open.url, list, None).await.0, 200);
    assert_eq!(ask(&open.url, list, Some(&secret)).await.0, 401);
    // Half of a token is a slip, what is for a proxy is not.
    assert_eq!(ask(&open.url, list, Some(&secret[..20])).await.0, 401);
    assert_eq!(ask(&open.url, list, Some("eyJhbGciOi")).await.0, 200);
    let lines = async |lines: &[&[u8]]| {
        let mut request = client().get(format!("{}/leads", open.url));
        for line in lines {
            let value = reqwest::header::HeaderValue::from_bytes(line).unwrap();
            request = request.header("authorization", value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    for wrong in [
        &[&b"Bearer crm_\xe9"[..]][..],
        &[b"bearer\tcrm_1"],
        &[b"Basic YTpi", b"Bearer crm_1"],
        &[b"Bearer crm_1", b"Bearer eyJ"],
    ] {
        assert_eq!(lines(wrong).await, 401, "{wrong:?}");
    }
    assert_eq!(lines(&[b"Basic YTpi", b"Bearer eyJ"]).await, 200);
}

/// A list that has begun ends in the middle when its reader is no longer let in.
#[test]
fn a_list_ends_with_the_token_that_reads_it() {
    let api = Api::start();
    api.fill();
    let read = |headers: &str, ends: &dyn Fn()| {
        let address = api.server.address();
        let mut stream = connect(address);
        let request = format!("GET /leads HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut first = [0; 15];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        ends();
        let answer = first.chain(BufReader::new(stream));
        Answer::read(&mut BufReader::new(answer), false).whole
    };
    let stays = || ();
    assert!(read("", &stays));
    // The service was open.
    let other = || drop(token(&api.home, "other", "read"));
    assert!(!read("", &other));
    let secret = token(&api.home, "reader", "read");
    let bearer = format!("Authorization: Bearer {secret}\r\n");
    assert!(read(&bearer, &stays));
    let revoke = ["token", "revoke", "reader", "--db", "crm.db"];
    assert!(!read(&bearer, &|| drop(api.home.crm(revoke).ok())));
    let line = "token create short --scope read --expires 10s --db crm.db";
    let secret = api.home.line(line).ok();
    let bearer = format!("Authorization: Bearer {}\r\n", secret.trim());
    let expires = || {
        wait_for("the end of the token", || {
            api.send("GET", "/tokens/none", &bearer, b"").status == 401
        });
    };
    assert!(!read(&bearer, &expires));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_who_was_let_in_and_who_was_not() {
    let home = Home::new();
    let reader = token(&home, "reader", "read");
    let server = home.serve(&["--db", "crm.db", "--log", "json"]);
    let ask = async |method: reqwest::Method, token: &str| {
        let request = client().request(method, format!("{}/leads/1", server.url));
        let answer = request.bearer_auth(token).send().await.unwrap();
        answer.status().as_u16()
    };
    let stranger = format!("crm_{:032}", 1);
    assert_eq!(ask(reqwest::Method::GET, &reader).await, 404);
    assert_eq!(ask(reqwest::Method::DELETE, &reader).await, 403);
    assert_eq!(ask(reqwest::Method::DELETE, &stranger).await, 401);
    let (_, log) = server.stop();
    let lines = log.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (line["status"].clone(), line["token"].clone())
    });
    let lines: Vec<_> = lines.collect();
    let reader = serde_json::Value::from("reader");
    let expected = [
        (404.into(), reader.clone()),
        (403.into(), reader),
        (401.into(), serde_json::Value::Null),
    ];
    assert_eq!(lines, expected, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_over_one_database_let_in_the_same() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let home = Home::new();
    let create = |name: &str, scope: &str| {
        let line = ["token", "create", name, "--scope", scope, "--db", &url];
        home.crm(line).ok().trim().to_string()
    };
    let admin = create("admin", "admin");
    let services = [home.serve(&["--db", &url]), home.serve(&["--db", &url])];
    let status = async |service: usize, token: &str| {
        let request = client().get(format!("{}/leads", services[service].url));
        let answer = request.bearer_auth(token).send().await.unwrap();
        answer.status().as_u16()
    };
    // Both know the tokens as they are now, and need not ask for the next seconds.
    for service in [0, 1] {
        assert_eq!(status(service, &admin).await, 200);
    }
    let mut new = Vec::new();
    for number in 0..4 {
        // By a command, or over the first one.
        new.push(match number % 2 {
            0 => create(&format!("new-{number}"), "read"),
            _ => {
                let made = client()
                    .post(format!("{}/tokens", services[0].url))
                    .bearer_auth(&admin)
                    .header("content-type", "application/json")
                    .body(format!(r#"{{"name":"new-{number}","scope":"read"}}"#))
                    .send()
                    .await
                    .unwrap();
                assert_eq!(made.status(), 201);
                let made: serde_json::Value =
                    serde_json::from_slice(&made.bytes().await.unwrap()).unwrap();
                made["token"].as_str().unwrap().to_string()
            }
        });
        for service in [1, 0] {
            assert_eq!(status(service, &new[number]).await, 200, "{number}");
        }
    }
    // Wrong ones are refused, many at once too, and keep nobody out.
    let wrong = (0..64).map(|number| format!("crm_{number:032}"));
    let wrong: Vec<String> = wrong.collect();
    let asked = wrong.iter().map(|token| status(1, token));
    let (refused, right) = tokio::join!(futures_util::future::join_all(asked), status(1, &new[0]));
    assert!(refused.iter().all(|status| *status == 401), "{refused:?}");
    assert_eq!(right, 200);

    // What one of them revokes, the other one lets in for 5 s at most; nothing is promised of how soon it learns.
    let revoked = client()
        .delete(format!("{}/tokens/new-0", services[0].url))
        .bearer_auth(&admin)
        .send()
        .await
        .unwrap();
    assert_eq!(revoked.status(), 200);
    assert_eq!(status(0, &new[0]).await, 401);
    let since = std::time::Instant::now();
    while status(1, &new[0]).await != 401 {
        assert!(since.elapsed().as_secs() < 5, "still let in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_managed_over_http_and_a_key_shows_the_same_secret_again() {
    let home = Home::new();
    let admin = token(&home, "admin", "admin");
    let server = home.serve(&["--db", "crm.db"]);
    let post_to = async |path: &str, key: &str, body: &str| {
        let request = client()
            .post(format!("{}{path}", server.url))
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        let answer = request.body(body.to_string()).send().await.unwrap();
        let replayed = answer.headers().contains_key("idempotent-replayed");
        let status = answer.status().as_u16();
        let json: serde_json::Value =
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (status, replayed, json)
    };
    let post = async |key: &str, body: &str| post_to("/tokens", key, body).await;
    let body = r#"{"name":"ci","scope":"read","expires":"90d"}"#;
    let (status, replayed, first) = post("k", body).await;
    assert_eq!((status, replayed), (201, false), "{first}");
    let (status, replayed, second) = post("k", body).await;
    assert_eq!((status, replayed), (201, true));
    assert_eq!(first, second);
    assert_eq!(post("k", r#"{"name":"ci2","scope":"read"}"#).await.0, 422);
    assert_eq!(post("other", body).await.0, 409);
    // Nothing of a secret is in the file.
    let secret = first["token"].as_str().unwrap();
    for name in ["crm.db", "crm.db-wal"] {
        let bytes = std::fs::read(home.path(name)).unwrap();
        for secret in [secret, admin.as_str()] {
            let part = &secret.as_bytes()[8..];
            assert!(
                !bytes.windows(part.len()).any(|window| window == part),
                "{name}"
            );
        }
    }
    let ended = client()
        .delete(format!("{}/tokens/ci", server.url))
        .header("authorization", format!("Bearer {admin}"))
        .send()
        .await
        .unwrap();
    assert_eq!(ended.status(), 200);
    let list = routes().remove(0);
    assert_eq!((list.method, list.path.as_str()), ("GET", "/leads"));
    assert_eq!(ask(&server.url, &list, Some(secret)).await.0, 401);
    // It stays revoked, whoever asks for what made it: the key is known, by either path, or was forgotten.
    for path in ["/tokens", "/tokens/"] {
        let (status, replayed, again) = post_to(path, "k", body).await;
        assert_eq!((status, replayed), (201, true), "{path}: {again}");
        assert_eq!(first, again);
        assert_eq!(ask(&server.url, &list, Some(secret)).await.0, 401);
    }
    let database = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    let outlived = "UPDATE crm_idempotency_keys SET at = '2020-01-01 00:00:00'";
    assert_eq!(database.execute(outlived, []).unwrap(), 1);
    let (status, replayed, anew) = post("k", body).await;
    assert_eq!((status, replayed), (201, false), "{anew}");
    assert_eq!(ask(&server.url, &list, Some(secret)).await.0, 401);
    let anew = anew["token"].as_str().unwrap();
    assert_eq!(ask(&server.url, &list, Some(anew)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_show_their_token_and_take_none_from_the_command_line() {
    let home = Home::new();
    let secret = token(&home, "w", "write");
    let server = home.serve(&["--db", "crm.db"]);
    let create = [
        "lead",
        "create",
        "--email",
        "a@example.com",
        "--url",
        &server.url,
    ];
    let refused = home.crm(create).run();
    assert_eq!(refused.code, Some(4), "{refused:?}");
    std::fs::write(home.path("token"), format!("{secret}\n")).unwrap();
    let with_file = [&create[..], &["--token-file", "token"]].concat();
    home.crm(&with_file).ok();
    home.crm(create).env("CRM_TOKEN", &secret).ok();
    for given in [&["--token", secret.as_str()][..], &["--token"][..]] {
        let told = home.crm([&create[..], given].concat()).run();
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(
            told.stderr.contains("--token: ") && !told.stderr.contains(&secret),
            "{told:?}"
        );
    }
    let wrong = home.crm(create).env("CRM_TOKEN", &secret[1..]).run();
    assert_eq!(wrong.code, Some(2));
    assert!(!wrong.stderr.contains(&secret[8..]), "{wrong:?}");
    let denied = home
        .crm(["token", "list", "--url", &server.url])
        .env("CRM_TOKEN", &secret)
        .run();
    assert_eq!(denied.code, Some(4));
    let (_, log) = server.stop();
    assert!(log.contains(" w\n") && !log.contains(&secret[8..]), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_moved_on_is_not_overwritten() {
    let home = Home::new();
    records(&home);
    let server = home.serve(&["--db", "crm.db"]);
    let url = format!("{}/leads/1", server.url);
    let get = async |known: Option<&str>| {
        let mut request = client().get(&url);
        if let Some(known) = known {
            request = request.header("if-none-match", known);
        }
        let answer = request.send().await.unwrap();
        let etag = answer.headers()["etag"].to_str().unwrap().to_string();
        let status = answer.status().as_u16();
        (status, etag, answer.text().await.unwrap())
    };
    let put = async |etag: &str, body: &'static str| {
        let request = client()
            .put(&url)
            .header("content-type", "application/json");
        let answer = request
            .header("if-match", etag)
            .body(body)
            .send()
            .await
            .unwrap();
        answer.status().as_u16()
    };
    let (_, first, _) = get(None).await;
    assert_eq!(first, "\"1\"");
    let (status, _, text) = get(Some(&first)).await;
    assert_eq!((status, text.as_str()), (304, ""));
    assert_eq!(put(&first, r#"{"name":"x"}"#).await, 200);
    assert_eq!(put(&first, r#"{"name":"y"}"#).await, 412);
    // What would be refused without a condition is refused for what it is (RFC 9110, section 13.2.1).
    assert_eq!(put(&first, r#"{"email":"nobody"}"#).await, 400);
    let both = client().get(&url).header("if-match", &first);
    let both = both.header("if-none-match", "2").send().await.unwrap();
    assert_eq!(both.status(), 400);
    assert_eq!(put("W/\"2\"", r#"{"name":"y"}"#).await, 412);
    assert_eq!(put("2", r#"{"name":"y"}"#).await, 400);
    let (status, second, text) = get(Some(&first)).await;
    assert_eq!((status, second.as_str()), (200, "\"2\""));
    assert!(text.contains("\"name\":\"x\""), "{text}");
    assert_eq!(put("*", r#"{"name":"x"}"#).await, 200);
    // Nothing was changed.
    assert_eq!(get(None).await.1, second);
    let shown = home
        .crm(["lead", "get", "1", "--etag", "--url", &server.url])
        .ok();
    assert_eq!(shown, "\"2\"\n");
    let update = |etag: &str| {
        home.crm([
            "lead",
            "update",
            "1",
            "--name",
            "z",
            "--if-match",
            etag,
            "--url",
            &server.url,
        ])
        .run()
    };
    assert_eq!(update("\"1\"").code, Some(5));
    assert_eq!(update("\"2\"").code, Some(0));
    assert_eq!(update("nonsense").code, Some(2));
    // Another program knows of no versions.
    let (_, third, _) = get(None).await;
    let database = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    let past_crm = "UPDATE leads SET name = 'theirs' WHERE id = 1";
    assert_eq!(database.execute(past_crm, []).unwrap(), 1);
    assert_eq!(put(&third, r#"{"name":"y"}"#).await, 412);
    wait_for("the change of another program", || {
        let shown = home.crm(["lead", "get", "1", "--etag", "--url", &server.url]);
        shown.ok() == "\"4\"\n"
    });
    assert_eq!(put("\"4\"", r#"{"name":"y"}"#).await, 200);
    // Whoever writes a whole row back writes back the version that it had.
    let whole = "UPDATE leads SET name = 'theirs', version = 4 WHERE id = 1";
    assert_eq!(database.execute(whole, []).unwrap(), 1);
    assert_eq!(put("\"4\"", r#"{"name":"z"}"#).await, 412);
    assert_eq!(put("\"5\"", r#"{"name":"z"}"#).await, 412);
    assert_eq!(put("\"6\"", r#"{"name":"z"}"#).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restore_takes_back_leaves_no_etag_and_no_id() {
    let home = Home::new();
    let email = |name: &str| format!("{name}@example.com");
    let create = |name: &str| {
        home.crm(
            ["lead", "create", "--db", "crm.db", "-o", "id", "--email"]
                .map(String::from)
                .into_iter()
                .chain([email(name)]),
        )
        .ok()
    };
    let etag = |id: &str| {
        home.crm(["lead", "get", id, "--etag", "--db", "crm.db"])
            .ok()
    };
    let change = |name: &str| {
        home.crm(["lead", "update", "1", "--name", name, "--db", "crm.db"])
            .ok()
    };
    create("a");
    home.line("backup b.db --db crm.db").ok();
    home.line("token create of-the-backup --scope admin --db crm.db")
        .ok();
    home.line("backup with-token.db --db crm.db").ok();
    home.line("token create later --scope read --db crm.db")
        .ok();
    home.line("token revoke of-the-backup --db crm.db").ok();
    let told = home.line("restore with-token.db --db crm.db").run();
    let back = "valid now, as in the backup: of-the-backup";
    assert!(told.stderr.contains(back), "{told:?}");
    let told = home.line("restore b.db --db crm.db").run();
    assert!(
        told.stderr.contains("warning: the backup has no token"),
        "{told:?}"
    );
    let mut seen = vec![etag("1")];
    for round in 0..3 {
        change(&format!("lost{round}"));
        seen.push(etag("1"));
        assert_eq!(create("lost"), format!("{}\n", 2 + round));
        home.line("restore b.db --db crm.db").ok();
        home.line("check --db crm.db").ok();
        for _ in 0..2 {
            let now = etag("1");
            assert!(!seen.contains(&now), "{now} of {seen:?}");
            seen.push(now);
            change(&format!("kept{round}"));
        }
    }
    assert_eq!(create("next"), "5\n");
    let exact = home.crm([
        "lead",
        "update",
        "1",
        "--name",
        "x",
        "--db",
        "crm.db",
        "--if-match",
        etag("1").trim(),
    ]);
    exact.ok();
}

#[tokio::test]
async fn a_key_counts_for_the_whole_request() {
    let home = Home::new();
    records(&home);
    let server = home.serve(&["--db", "crm.db"]);
    let delete = async |path: &str, body: &'static str| {
        let request = client().delete(format!("{}{path}", server.url));
        let answer = request.header("idempotency-key", "k").body(body);
        let answer = answer.send().await.unwrap();
        let replayed = answer.headers().contains_key("idempotent-replayed");
        (answer.status().as_u16(), replayed)
    };
    assert_eq!(delete("/actions/1", "").await, (200, false));
    assert_eq!(delete("/actions/1", "").await, (200, true));
    assert_eq!(delete("/actions/1/", "").await, (200, true));
    assert_eq!(delete("/actions/1", "{}").await, (422, false));
    // Another record is another request.
    assert_eq!(delete("/actions/77", "").await, (404, false));
    // Without a key nobody asks what a DELETE may mean by its body.
    let request = client().delete(format!("{}/processes/1", server.url));
    assert_eq!(request.body("{}").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_token_in_the_wrong_place_is_not_repeated() {
    let home = Home::new();
    let secret = token(&home, "one", "admin");
    let server = home.serve(&["--db", "crm.db"]);
    for path in [
        format!("leads/{secret}"),
        secret.clone(),
        format!("leads?sort={secret}"),
        format!("tokens/{secret}"),
    ] {
        let request = client().get(format!("{}/{path}", server.url));
        let answer = request.bearer_auth(&secret).send().await.unwrap();
        assert!(answer.status().is_client_error());
        let text = answer.text().await.unwrap();
        assert!(!text.contains(&secret), "{text}");
    }
    for words in [
        vec!["lead", "get", &secret],
        vec![
            "lead",
            "list",
            "--token-file",
            &secret,
            "--url",
            &server.url,
        ],
        vec!["token", "revoke", &secret],
        vec!["lead", "list", "--db", &secret],
        vec![&secret],
        vec!["lead", "list", &secret],
    ] {
        let refused = home.crm(&words).run();
        assert_ne!(refused.code, Some(0), "{words:?}");
        assert!(!refused.stderr.contains(&secret), "{}", refused.stderr);
        assert!(refused.stderr.contains("crm_"), "{}", refused.stderr);
    }
}
