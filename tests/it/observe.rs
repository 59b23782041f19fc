//! What a service tells of itself: its log and its numbers.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ChildStderr;
use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;

use crate::http::Answer;
use crate::support::{Home, Server, wait_for};

/// Requests on one connection.
struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    fn new(server: &Server) -> Client {
        let stream = TcpStream::connect(server.address()).unwrap();
        // Longer than any limit of the service.
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Client {
            reader: BufReader::new(stream),
        }
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Answer {
        self.write(&format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        Answer::read(&mut self.reader, method == "HEAD")
    }

    fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    fn write(&mut self, text: &str) {
        self.reader.get_mut().write_all(text.as_bytes()).unwrap();
    }
}

/// The samples of `/metrics` by name and labels.
fn metrics(client: &mut Client) -> BTreeMap<String, f64> {
    let answer = client.get("/metrics");
    assert_eq!(answer.status, 200);
    let media = answer.header("content-type").unwrap();
    assert_eq!(
        media,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_string(), value.parse().unwrap())
    });
    samples.collect()
}

fn requests(method: &str, route: &str, status: u16) -> String {
    format!("crm_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
}

#[test]
fn the_numbers_are_those_of_what_happened() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--quiet"]);
    let mut client = Client::new(&server);
    let large = format!(
        r#"{{"email": "a@example.com", "name": "{}"}}"#,
        "x".repeat(1 << 20)
    );
    let email = |at: usize| format!(r#"{{"email": "a{at}@example.com"}}"#);
    let mut asked = Vec::new();
    for at in 0..30 {
        asked.push(("POST", "/leads", "/leads", email(at), 201));
    }
    for _ in 0..200 {
        asked.push((
            "GET",
            "/leads/1?fields=id",
            "/leads/{id}",
            String::new(),
            200,
        ));
    }
    for _ in 0..7 {
        asked.push(("GET", "/leads/999", "/leads/{id}", String::new(), 404));
        asked.push(("GET", "/wp-login.php", "unknown", String::new(), 404));
        asked.push(("GET", "/docs/no-such", "/docs", String::new(), 404));
    }
    for _ in 0..3 {
        asked.push(("HEAD", "/leads", "/leads", String::new(), 200));
        asked.push(("GET", "/leads", "/leads", String::new(), 200));
        asked.push((
            "PATCH",
            "/leads/2",
            "/leads/{id}",
            r#"{"name": "B"}"#.into(),
            200,
        ));
        asked.push(("POST", "/leads", "/leads", "{".into(), 400));
        asked.push(("FROB", "/health", "/health", String::new(), 405));
        asked.push((
            "DELETE",
            "/leads/3?cascade=x",
            "/leads/{id}",
            String::new(),
            400,
        ));
    }
    asked.push(("DELETE", "/leads/3", "/leads/{id}", String::new(), 200));
    let mut expected = BTreeMap::new();
    for (method, path, route, body, status) in &asked {
        let answer = client.ask(method, path, body);
        assert_eq!(answer.status, *status, "{method} {path}");
        let method = if *method == "FROB" { "other" } else { method };
        *expected
            .entry(requests(method, route, *status))
            .or_insert(0.0) += 1.0;
    }
    // These close their connections: a body that is not read, and no Host.
    assert_eq!(
        Client::new(&server)
            .ask("POST", "/leads", &large[..2 << 10])
            .status,
        400
    );
    let mut other = Client::new(&server);
    other.write(&format!(
        "POST /leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        large.len()
    ));
    assert_eq!(Answer::read(&mut other.reader, false).status, 413);
    let mut other = Client::new(&server);
    other.write("GET /leads HTTP/1.1\r\n\r\n");
    assert_eq!(Answer::read(&mut other.reader, false).status, 400);
    *expected.get_mut(&requests("POST", "/leads", 400)).unwrap() += 1.0;
    expected.insert(requests("POST", "/leads", 413), 1.0);
    expected.insert(requests("GET", "/leads", 400), 1.0);

    let mut shown = BTreeMap::new();
    // An answer is there before its connection is seen to be closed.
    wait_for("the other connections to end", || {
        shown = metrics(&mut client);
        shown["crm_connections"] == 1.0
    });
    let counted: BTreeMap<_, _> = shown
        .iter()
        .filter(|(name, _)| name.starts_with("crm_http_requests_total{"))
        .filter(|(name, _)| !name.contains("/metrics"))
        .map(|(name, count)| (name.clone(), *count))
        .collect();
    assert_eq!(counted, expected);

    // Each is in a histogram as well, and no answer took longer than all of them.
    let labels = "method=\"GET\",route=\"/leads/{id}\"";
    let times = |suffix: &str| shown[&format!("crm_http_request_duration_seconds_{suffix}")];
    assert_eq!(times(&format!("count{{{labels}}}")), 207.0);
    assert_eq!(times(&format!("bucket{{le=\"+Inf\",{labels}}}")), 207.0);
    let sum = times(&format!("sum{{{labels}}}"));
    assert!(sum > 0.0 && sum < 60.0, "{sum}");

    // 30 creates, three updates of which one changed something, a delete.
    let writes = shown["crm_commit_writes_sum"];
    assert_eq!(writes, 34.0);
    let commits = shown["crm_commit_writes_count"];
    assert!((1.0..=34.0).contains(&commits), "{commits}");
    assert_eq!(shown["crm_commit_duration_seconds_count"], commits);
    assert!(shown["crm_commit_duration_seconds_sum"] > 0.0);
    assert_eq!(shown["crm_waiting_writes"], 0.0);
    let log = std::fs::metadata(home.path("crm.db-wal")).unwrap().len();
    assert_eq!(shown["crm_wal_bytes"], log as f64);
    assert_eq!(shown["crm_connections_accepted_total"], 4.0);
    let limit = |name: &str| shown[&format!("crm_limits_hit_total{{limit=\"{name}\"}}")];
    assert_eq!((limit("max_body"), limit("max_waiting_writes")), (1.0, 0.0));
    assert_eq!(shown["crm_log_lines_dropped_total"], 0.0);
    assert_eq!(shown["crm_idempotent_replays_total"], 0.0);
    assert_eq!(shown["crm_http_requests_abandoned_total"], 0.0);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(shown[&format!("crm_info{{version=\"{version}\"}}")], 1.0);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let age = now.as_secs_f64() - shown["crm_start_time_seconds"];
    assert!((0.0..600.0).contains(&age), "{age}");
}

#[test]
fn writes_that_share_a_commit_are_counted_with_it() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--quiet"]);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let server = &server;
            scope.spawn(move || {
                let mut own = Client::new(server);
                for at in 0..25 {
                    let body = format!(r#"{{"email": "c{client}-{at}@example.com"}}"#);
                    assert_eq!(own.ask("POST", "/leads", &body).status, 201);
                }
            });
        }
    });
    let shown = metrics(&mut Client::new(&server));
    assert_eq!(shown["crm_commit_writes_sum"], 200.0);
    let commits = shown["crm_commit_writes_count"];
    assert_eq!(shown["crm_commit_writes_bucket{le=\"+Inf\"}"], commits);
    // No batch has more writes than there are clients.
    assert_eq!(shown["crm_commit_writes_bucket{le=\"8.0\"}"], commits);
    assert!((25.0..=200.0).contains(&commits), "{commits}");
}

/// The lines of a log about requests, without the time.
fn request_lines(log: &str) -> Vec<&str> {
    let lines = log.lines().filter_map(|line| line.split_once("Z  INFO "));
    lines.map(|(_, request)| request).collect()
}

#[test]
fn each_request_has_its_line() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    let mut client = Client::new(&server);
    let secret = format!("crm_{}", "s3cret0".repeat(5));
    let created = client.ask("POST", "/leads", r#"{"email": "ada@example.com"}"#);
    let got = client.get("/leads/1?fields=id");
    let missing = client.get(&format!("/leads/{secret}?token={secret}"));
    let head = client.ask("HEAD", "/leads/1", "");
    client.write("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: my-own\r\n\r\n");
    assert_eq!(Answer::read(&mut client.reader, false).status, 200);
    client.write("GET /health HTTP/1.1\r\n\r\n");
    let hostless = Answer::read(&mut client.reader, false);
    assert_eq!((missing.status, hostless.status), (400, 400));
    let (status, log) = server.stop();
    assert!(status.success());
    assert!(!log.contains("cret0s3cret0"), "{log}");
    assert!(!log.contains('?'), "{log}");

    let words = |line: &str| line.split(' ').map(str::to_string).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = request_lines(&log).into_iter().map(words).collect();
    let id = |answer: &Answer| answer.header("x-request-id").unwrap().to_string();
    let shown: Vec<String> = lines
        .iter()
        .map(|line| {
            let [method, path, status, took, bytes, client, id, who] = &line[..] else {
                panic!("{line:?}");
            };
            let took = took.strip_suffix("ms").unwrap();
            assert_eq!(took.split_once('.').unwrap().1.len(), 3, "{took}");
            assert!(took.parse::<f64>().unwrap() < 60_000.0, "{took}");
            format!("{method} {path} {status} {bytes} {client} {id} {who}")
        })
        .collect();
    let expected = [
        format!(
            "POST /leads 201 {}B 127.0.0.1 {} -",
            created.body.len(),
            id(&created)
        ),
        format!(
            "GET /leads/1 200 {}B 127.0.0.1 {} -",
            got.body.len(),
            id(&got)
        ),
        format!(
            "GET /leads/crm_s3cr… 400 {}B 127.0.0.1 {} -",
            missing.body.len(),
            id(&missing)
        ),
        format!("HEAD /leads/1 200 0B 127.0.0.1 {} -", id(&head)),
        "GET /health 200 15B 127.0.0.1 my-own -".into(),
        format!(
            "GET /health 400 {}B 127.0.0.1 {} -",
            hostless.body.len(),
            id(&hostless)
        ),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_log_in_json_is_one_object_a_line_from_start_to_end() {
    let home = Home::new();
    let server = home.serve(&[
        "--db",
        "crm.db",
        "--log",
        "json",
        "--url",
        "http://localhost:1",
    ]);
    let mut client = Client::new(&server);
    let created = client.ask("POST", "/leads", r#"{"email": "ada@example.com"}"#);
    rusqlite::Connection::open(home.path("crm.db"))
        .unwrap()
        .execute_batch("ALTER TABLE leads RENAME TO elsewhere")
        .unwrap();
    assert_eq!(client.get("/leads?q=a").status, 500);
    let (status, log) = server.stop();
    assert!(status.success());
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &lines {
        let time = line["time"].as_str().unwrap();
        assert_eq!((time.len(), &time[23..]), (24, "Z"), "{time}");
    }
    let [note, first, fault, second] = &lines[..] else {
        panic!("{log}");
    };
    let message = |line: &Value| line["message"].as_str().unwrap().to_string();
    assert!(message(note).contains("--url is ignored"), "{note}");
    assert_eq!(
        (&fault["level"], &first["level"]),
        (&"ERROR".into(), &"INFO".into())
    );
    assert!(message(fault).contains("no such table"), "{fault}");
    assert_eq!(message(first), "request");
    assert_eq!(first["method"], "POST");
    assert_eq!(first["path"], "/leads");
    assert_eq!(
        (first["status"].as_u64(), second["status"].as_u64()),
        (Some(201), Some(500))
    );
    assert_eq!(first["bytes"].as_u64(), Some(created.body.len() as u64));
    assert!(first["duration_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(first["client"], "127.0.0.1");
    assert_eq!(first["request_id"], created.header("x-request-id").unwrap());
    assert_eq!(
        (&first["token"], &first["broken"]),
        (&Value::Null, &false.into())
    );
}

#[test]
fn a_quiet_log_has_warnings_and_errors_alone() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--quiet"]);
    let mut client = Client::new(&server);
    assert_eq!(client.get("/leads").status, 200);
    rusqlite::Connection::open(home.path("crm.db"))
        .unwrap()
        .execute_batch("ALTER TABLE leads RENAME TO elsewhere")
        .unwrap();
    assert_eq!(client.get("/leads?q=a").status, 500);
    let (status, log) = server.stop();
    assert!(status.success());
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("Z ERROR request "), "{log}");
}

#[test]
fn a_streamed_list_is_logged_at_its_end_with_what_was_sent() {
    let api = crate::http::Api::start();
    api.fill();
    let whole = api.get("/leads");
    // More than all between the two buffer, so that it is not sent when the client goes.
    let mut other = Client::new(&api.server);
    other.write("GET /leads HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: left\r\n\r\n");
    other.reader.read_exact(&mut [0; 100]).unwrap();
    drop(other);
    let mut client = Client::new(&api.server);
    let ended = requests("GET", "/leads", 200);
    wait_for("both to end", || {
        metrics(&mut client).get(&ended) == Some(&2.0)
    });
    let (status, log) = api.server.stop();
    assert!(status.success());
    let lines = request_lines(&log);
    let line = |word: &str| lines.iter().find(|line| line.contains(word)).unwrap();
    let first = line(whole.header("x-request-id").unwrap());
    assert!(
        first.contains(&format!("ms {}B ", whole.body.len())),
        "{first}"
    );
    assert!(!first.contains("broke off"), "{first}");
    let left = line(" left ");
    assert!(left.ends_with(" - broke off"), "{left}");
    let sent = left.split(' ').nth(4).unwrap().trim_end_matches('B');
    let sent: usize = sent.parse().unwrap();
    assert!(sent > 100 && sent < whole.body.len(), "{left}");
}

/// A server whose log nobody reads, and what would.
fn unread(home: &Home) -> (Server, ChildStderr) {
    let mut server = home.serve(&["--db", "crm.db"]);
    let stderr = server.child.stderr.take().unwrap();
    (server, stderr)
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_what_is_dropped_is_counted() {
    let home = Home::new();
    let (mut server, mut stderr) = unread(&home);
    let mut client = Client::new(&server);
    let dropped = |client: &mut Client| metrics(client)["crm_log_lines_dropped_total"];
    let path = format!("/{}", "x".repeat(500));
    let mut asked = 0;
    while dropped(&mut client) == 0.0 {
        assert!(asked < 100_000, "nothing was dropped");
        for _ in 0..100 {
            assert_eq!(client.get(&path).status, 404);
        }
        asked += 100;
    }
    // Now that all is full, it goes on, also with what is logged otherwise.
    let before = dropped(&mut client);
    for _ in 0..50 {
        assert_eq!(client.get(&path).status, 404);
    }
    // The numbers are asked for by requests that are logged themselves, in shorter lines.
    let after = dropped(&mut client) - before;
    assert!((50.0..=51.0).contains(&after), "{after}");
    server.signal("TERM");
    wait_for("the end of the service", || {
        server.child.try_wait().unwrap().is_some()
    });
    assert!(server.child.wait().unwrap().success());
    let mut log = String::new();
    stderr.read_to_string(&mut log).unwrap();
    assert!(request_lines(&log).len() > 10);
}

#[test]
fn a_log_that_is_read_again_is_whole_but_for_what_is_counted() {
    let home = Home::new();
    let (server, mut stderr) = unread(&home);
    let mut client = Client::new(&server);
    let path = format!("/{}", "x".repeat(500));
    let mut dropped = 0.0;
    let mut asked = 0.0;
    while dropped == 0.0 {
        for _ in 0..100 {
            assert_eq!(client.get(&path).status, 404);
        }
        asked += 101.0;
        dropped = metrics(&mut client)["crm_log_lines_dropped_total"];
    }
    let reader = std::thread::spawn(move || {
        let mut log = String::new();
        stderr.read_to_string(&mut log).unwrap();
        log
    });
    drop(client);
    server.signal("TERM");
    let log = reader.join().unwrap();
    drop(server);
    // Between the last number and the reader at most the line of the last number itself was dropped.
    let lines = request_lines(&log);
    let missing = asked - lines.len() as f64;
    assert!(
        missing == dropped || missing == dropped + 1.0,
        "{missing} {dropped}"
    );
    assert!(
        lines.iter().all(|line| line.ends_with(" -")),
        "every line is whole"
    );
    let told = format!(" WARN {missing} lines of the log were dropped");
    assert!(log.contains(&told), "{told}");
}

#[test]
fn a_log_that_was_closed_stops_nothing() {
    let home = Home::new();
    let (server, stderr) = unread(&home);
    drop(stderr);
    let mut client = Client::new(&server);
    for _ in 0..20 {
        assert_eq!(client.get("/health").status, 200);
    }
    wait_for("the lines to be counted", || {
        metrics(&mut client)["crm_log_lines_dropped_total"] >= 20.0
    });
    let mut server = server;
    server.signal("TERM");
    assert!(server.child.wait().unwrap().success());
}

/// The families of `/metrics`, as the lines about their types name them.
fn families(client: &mut Client) -> Vec<String> {
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.map(|line| match line.split_once(' ').unwrap() {
        (name, "counter") => format!("{name}_total"),
        (name, "info") => format!("{name}_info"),
        (name, _) => name.to_string(),
    });
    names.collect()
}

#[test]
fn the_manual_names_every_metric_and_no_other() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    let families = families(&mut Client::new(&server));
    let page = crm::manual::topics::find("logs").unwrap().text;
    let lines = page.lines().filter(|line| line.starts_with("| `crm_"));
    // Those of PostgreSQL are not here.
    let lines = lines.filter(|line| !line.contains("| PostgreSQL: "));
    let cells = lines.map(|line| line.split('|').nth(1).unwrap());
    let named = cells.flat_map(|cell| cell.split('`').filter(|part| part.starts_with("crm_")));
    let mut named: Vec<&str> = named.map(|name| name.split('{').next().unwrap()).collect();
    named.sort_unstable();
    let mut families: Vec<&str> = families.iter().map(String::as_str).collect();
    families.sort_unstable();
    assert_eq!(named, families);
}

#[test]
fn a_request_whose_client_has_gone_is_told_without_a_status() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    let other = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut client = Client::new(&server);
    let mut leaves = Client::new(&server);
    let body = r#"{"email": "ada@example.com"}"#;
    let length = body.len();
    leaves.write(&format!(
        "POST /leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nX-Request-Id: gone\r\n\r\n{body}"
    ));
    wait_for("the write to wait", || {
        metrics(&mut client)["crm_waiting_writes"] == 1.0
    });
    // It resets the connection. The end of its side alone would not say that it has gone.
    SockRef::from(leaves.reader.get_ref())
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(leaves);
    wait_for("the request to be given up", || {
        metrics(&mut client)["crm_http_requests_abandoned_total"] == 1.0
    });
    other.execute_batch("ROLLBACK").unwrap();
    let shown = metrics(&mut client);
    assert!(!shown.contains_key(&requests("POST", "/leads", 201)));
    let (status, log) = server.stop();
    assert!(status.success());
    let lines = request_lines(&log);
    let line = lines.iter().find(|line| line.starts_with("POST")).unwrap();
    assert!(line.starts_with("POST /leads - "), "{line}");
    assert!(line.ends_with("ms 0B 127.0.0.1 gone -"), "{line}");
}
