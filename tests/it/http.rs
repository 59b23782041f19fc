//! The HTTP API as its clients meet it: the real binary, and bytes on a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Home, Server, resolved};

/// Longer than any limit of the service: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server over an empty database.
pub struct Api {
    pub home: Home,
    pub server: Server,
}

impl Api {
    pub fn start() -> Api {
        let home = Home::new();
        let server = home.serve(&["--db", "crm.db"]);
        Api { home, server }
    }

    /// A server with a lead, an action and a process of that lead, each with the id 1.
    fn with_one_of_each() -> Api {
        let api = Api::start();
        for (path, body) in [
            (
                "/leads",
                r#"{"email": "ada@example.com", "name": "Ada Lovelace"}"#,
            ),
            (
                "/actions",
                r#"{"lead_id": 1, "action_type": "call", "details": "Asked for a quote"}"#,
            ),
            (
                "/processes",
                r#"{"name": "Spring campaign", "lead_id": 1, "channel": "email"}"#,
            ),
        ] {
            assert_eq!(api.post(path, body).status, 201);
        }
        api
    }

    /// Sends a request of these header lines, each ended by CR LF, and this body. What every answer must be is checked
    /// here.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n",
            self.server.address()
        )
        .into_bytes();
        request.extend_from_slice(body);
        let answer = exchange(self.server.address(), &request, method == "HEAD");
        assert!(answer.header("x-request-id").is_some(), "{answer:?}");
        if answer.header("content-type") == Some("application/json") {
            let caches = match answer.header("etag") {
                Some(_) => "private, no-cache",
                None => "no-store",
            };
            assert_eq!(answer.header("cache-control"), Some(caches));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        }
        if answer.status >= 400 {
            assert_eq!(
                answer.header("content-type"),
                Some("application/json"),
                "{answer:?}"
            );
            if method != "HEAD" {
                let error = answer.json()["error"].as_str().unwrap().to_string();
                assert!(!error.is_empty() && !error.contains('\n'), "{error}");
            }
        }
        answer
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", b"")
    }

    #[track_caller]
    fn write(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let headers = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        self.send(method, path, &headers, body)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.write("POST", path, body.as_bytes())
    }

    #[track_caller]
    fn put(&self, path: &str, body: &str) -> Answer {
        self.write("PUT", path, body.as_bytes())
    }

    #[track_caller]
    fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "", b"")
    }

    /// The database, past the server.
    fn database(&self) -> Connection {
        let connection = Connection::open(self.home.path("crm.db")).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection
    }

    /// Leads that together are larger than what all buffers between server and client hold.
    pub fn fill(&self) -> Connection {
        let connection = self.database();
        connection
            .execute_batch(
                "INSERT INTO leads (email, name, status, attributes, created_at, updated_at)
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
                 SELECT 'a' || i || '@example.com', printf('%.*c', 8000, 'x'), 'new', '{}',
                        '2026-01-31 09:30:00', '2026-01-31 09:30:00' FROM n",
            )
            .unwrap();
        connection
    }
}

/// What came back on a connection.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether all of the body came: as many bytes as announced, or the last chunk.
    pub whole: bool,
}

impl Answer {
    /// Reads one answer; to a `HEAD` where `bodiless`.
    pub fn read(reader: &mut impl BufRead, bodiless: bool) -> Answer {
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line.trim_end().to_string()
        };
        let first = line();
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {first:?}"));
        let mut headers = Vec::new();
        loop {
            let line = line();
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
            whole: true,
        };
        if bodiless || matches!(status, 100 | 304) {
            return answer;
        }
        if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            let read = reader.take(length).read_to_end(&mut answer.body);
            answer.whole = read.is_ok_and(|read| read as u64 == length);
        } else if answer.header("transfer-encoding") == Some("chunked") {
            answer.whole = read_chunks(reader, &mut answer.body).is_some();
        } else {
            panic!("neither a length nor chunks: {answer:?}");
        }
        answer
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.0 == name);
        found.map(|header| header.1.as_str())
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        assert!(self.whole);
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(self.text()).unwrap()
    }

    /// The error's sentence, after its status was compared.
    #[track_caller]
    pub fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()["error"].as_str().unwrap().to_string()
    }

    /// The fields that were refused.
    #[track_caller]
    pub fn refused(&self) -> Vec<String> {
        assert_eq!(self.status, 400, "{}", self.text());
        let fields = &self.json()["fields"];
        fields.as_object().unwrap().keys().cloned().collect()
    }

    /// The ids of a list.
    #[track_caller]
    pub fn ids(&self) -> Vec<i64> {
        assert_eq!(self.status, 200, "{}", self.text());
        let records = self.json();
        let records = records.as_array().unwrap().iter();
        records
            .map(|record| record["id"].as_i64().unwrap())
            .collect()
    }
}

/// The chunks of a body up to the last one, `None` where the connection ended before it.
fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = u64::from_str_radix(line.trim_end(), 16).ok()?;
        let read = reader.take(length).read_to_end(body).ok()?;
        let mut end = [0; 2];
        reader.read_exact(&mut end).ok()?;
        if read as u64 != length {
            return None;
        }
        if length == 0 {
            return Some(());
        }
    }
}

pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends these bytes on a connection of their own and reads one answer.
pub fn exchange(address: &str, request: &[u8], bodiless: bool) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    Answer::read(&mut BufReader::new(stream), bodiless)
}

const PLURALS: [(&str, &str); 3] = [
    ("leads", "Lead"),
    ("actions", "Action"),
    ("processes", "Process"),
];

#[test]
fn a_create_answers_201_with_the_record_and_its_location() {
    let api = Api::start();
    for (path, body, member, value) in [
        (
            "/leads",
            r#"{"email": "Ada@Example.com"}"#,
            "email",
            "ada@example.com",
        ),
        (
            "/actions",
            r#"{"action_type": "call", "lead_id": 1}"#,
            "action_type",
            "call",
        ),
        (
            "/processes",
            r#"{"name": "Spring", "lead_id": null}"#,
            "name",
            "Spring",
        ),
    ] {
        let created = api.post(path, body);
        assert_eq!(created.status, 201, "{}", created.text());
        let location = created.header("location").unwrap();
        assert_eq!(location, format!("{}/1", &path[1..]));
        assert_eq!(created.json()[member], value);
        let read = api.get(&resolved(path, location));
        assert_eq!((read.status, read.text()), (200, created.text()));
    }
}

#[test]
fn a_record_has_all_of_its_fields_in_order() {
    let api = Api::with_one_of_each();
    for (path, fields) in [
        (
            "/leads/1",
            &[
                "id",
                "email",
                "name",
                "status",
                "attributes",
                "last_action_at",
                "created_at",
                "updated_at",
            ][..],
        ),
        (
            "/actions/1",
            &[
                "id",
                "lead_id",
                "action_type",
                "details",
                "description",
                "timestamp",
                "attributes",
                "created_at",
                "updated_at",
            ],
        ),
        (
            "/processes/1",
            &[
                "id",
                "name",
                "lead_id",
                "channel",
                "last_action_id",
                "next_followup_datetime",
                "cadence_days",
                "status",
                "attributes",
                "created_at",
                "updated_at",
            ],
        ),
    ] {
        let record = api.get(path).json();
        assert!(record.as_object().unwrap().keys().eq(fields), "{record}");
    }
    assert_eq!(api.get("/leads/1").json()["status"], "new");
    assert_eq!(api.get("/processes/1").json()["status"], "active");
    assert_eq!(
        api.get("/actions/1").json()["description"],
        "Asked for a quote"
    );
}

#[test]
fn put_and_patch_change_what_is_given_and_answer_the_whole_record() {
    let api = Api::with_one_of_each();
    for method in ["PUT", "PATCH"] {
        let body = format!(r#"{{"status": "{method}", "attributes": {{"{method}": 1.50}}}}"#);
        let changed = api.write(method, "/leads/1", body.as_bytes());
        assert_eq!(changed.status, 200);
        let record = changed.json();
        assert_eq!(
            (
                &record["status"],
                &record["email"],
                &record["name"],
                &record["id"]
            ),
            (
                &json!(method),
                &json!("ada@example.com"),
                &json!("Ada Lovelace"),
                &json!(1)
            )
        );
        assert_eq!(api.get("/leads/1").text(), changed.text());
    }
    assert!(
        api.get("/leads/1")
            .text()
            .contains(r#""attributes":{"PUT":1.50,"PATCH":1.50}"#)
    );
    let cleared = api.put("/leads/1", r#"{"name": null}"#);
    assert_eq!(
        (cleared.status, &cleared.json()["name"]),
        (200, &Value::Null)
    );
    assert_eq!(
        api.put("/leads/1", r#"{"status": null}"#).refused(),
        ["status"]
    );
    assert_eq!(api.put("/leads/1", "{}").text(), cleared.text());
}

#[test]
fn what_was_read_can_be_put_back_whole() {
    let api = Api::with_one_of_each();
    for path in ["/leads/1", "/actions/1", "/processes/1"] {
        let read = api.get(path);
        let put = api.put(path, read.text());
        assert_eq!((put.status, put.text()), (200, read.text()));
    }
    assert_eq!(api.put("/leads/1", r#"{"id": 2}"#).refused(), ["id"]);
    // An old client reads whole, edits the field under the name it knows, and puts all of it back.
    let mut action = api.get("/actions/1").json();
    action["description"] = json!("Sent the quote");
    let put = api.put("/actions/1", &action.to_string()).json();
    assert_eq!(
        (&put["details"], &put["description"]),
        (&action["description"], &action["description"])
    );
}

#[test]
fn a_delete_says_what_is_deleted() {
    let api = Api::with_one_of_each();
    for (plural, title) in PLURALS.iter().rev() {
        let path = format!("/{plural}/1");
        let deleted = api.delete(&path);
        assert_eq!(
            (deleted.status, deleted.json()),
            (200, json!({"message": format!("{title} deleted")}))
        );
        assert_eq!(api.get(&path).status, 404);
    }
}

#[test]
fn lists_are_arrays_in_id_order() {
    let api = Api::start();
    for (plural, _) in PLURALS {
        let empty = api.get(&format!("/{plural}"));
        assert_eq!((empty.status, empty.text()), (200, "[]"));
    }
    for name in ["c", "a", "b"] {
        api.post("/leads", &format!(r#"{{"email": "{name}@example.com"}}"#));
    }
    assert_eq!(api.get("/leads").ids(), [1, 2, 3]);
    assert_eq!(api.get("/leads?sort=email").ids(), [2, 3, 1]);
    assert_eq!(api.get("/leads?sort=-email&limit=2").ids(), [1, 3]);
    assert_eq!(api.get("/leads?email=in:a@example.com,X").ids(), [2]);
}

#[test]
fn a_trailing_slash_changes_nothing() {
    let api = Api::with_one_of_each();
    for path in [
        "/leads",
        "/leads/1",
        "/leads/9",
        "/actions",
        "/actions/1",
        "/processes/1",
        "/health",
        "/openapi.json",
    ] {
        let (without, with) = (api.get(path), api.get(&format!("{path}/")));
        assert_eq!(
            (without.status, without.text()),
            (with.status, with.text()),
            "{path}"
        );
    }
    assert_eq!(api.get("/leads/?status=none").text(), "[]");
    let created = api.post("/leads/", r#"{"email": "b@example.com"}"#);
    assert_eq!(
        (created.status, created.header("location")),
        (201, Some("2"))
    );
    let page = api.get("/leads/?limit=1");
    let link = page.header("link").unwrap();
    assert!(link.starts_with("<?limit=1&after="), "{link}");
    assert_eq!(api.put("/leads/2/", r#"{"name": "B"}"#).status, 200);
    assert_eq!(api.delete("/leads/2/").status, 200);
}

#[test]
fn a_missing_record_is_exactly_404() {
    let api = Api::start();
    for (plural, title) in PLURALS {
        for id in ["1", "9223372036854775807"] {
            let path = format!("/{plural}/{id}");
            for answer in [
                api.get(&path),
                api.put(&path, "{}"),
                api.write("PATCH", &path, b"{}"),
                api.delete(&path),
            ] {
                assert_eq!(
                    (answer.status, answer.json()),
                    (404, json!({"error": format!("{title} not found")}))
                );
            }
        }
    }
}

#[test]
fn other_paths_are_404_by_name() {
    let api = Api::start();
    for path in [
        "//",
        "/lead",
        "/Leads",
        "/leads/1/actions",
        "//leads",
        "/health/x",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = api.send(method, path, "", b"");
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
        }
    }
}

#[test]
fn a_method_that_a_path_does_not_have_is_405_with_those_it_has() {
    let api = Api::start();
    for (path, methods, allowed) in [
        (
            "/leads",
            &["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"][..],
            "GET, HEAD, POST",
        ),
        (
            "/actions/1",
            &["POST", "OPTIONS", "FOO"],
            "GET, HEAD, PUT, PATCH, DELETE",
        ),
        ("/health", &["POST", "DELETE"], "GET, HEAD"),
        ("/ready", &["POST"], "GET, HEAD"),
        ("/metrics", &["POST"], "GET, HEAD"),
        ("/openapi.json", &["PUT"], "GET, HEAD"),
        ("/docs", &["POST"], "GET, HEAD"),
    ] {
        for method in methods {
            let answer = api.send(method, path, "", b"");
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some(allowed)),
                "{method} {path}"
            );
        }
    }
}

#[test]
fn a_lead_with_records_is_409_and_goes_with_cascade() {
    let api = Api::with_one_of_each();
    api.post("/actions", r#"{"lead_id": 1, "action_type": "mail"}"#);
    let sentence = api.delete("/leads/1").error(409);
    assert!(sentence.contains("2 actions and 1 process"), "{sentence}");
    assert_eq!(api.delete("/leads/1?cascade=false").status, 409);
    assert_eq!(api.delete("/leads/1?cascade=yes").refused(), ["cascade"]);
    assert_eq!(api.delete("/leads/1?cascade=true").status, 200);
    for (plural, _) in PLURALS {
        assert_eq!(api.get(&format!("/{plural}")).text(), "[]");
    }
}

#[test]
fn a_duplicate_does_what_on_duplicate_says() {
    let api = Api::with_one_of_each();
    let again = r#"{"email": "ADA@example.com", "status": "won"}"#;
    let sentence = api.post("/leads?on_duplicate=reject", again).error(409);
    assert!(sentence.contains("lead 1"), "{sentence}");
    let updated = api.post("/leads?on_duplicate=update", again);
    assert_eq!(
        (
            updated.status,
            &updated.json()["id"],
            &updated.json()["status"]
        ),
        (200, &json!(1), &json!("won"))
    );
    for query in ["", "?on_duplicate=create"] {
        assert_eq!(api.post(&format!("/leads{query}"), again).status, 201);
    }
    assert_eq!(
        api.post("/leads?on_duplicate=maybe", again).refused(),
        ["on_duplicate"]
    );
    assert_eq!(
        api.post("/actions?on_duplicate=reject", r#"{"action_type": "call"}"#)
            .refused(),
        ["on_duplicate"]
    );
    assert_eq!(api.get("/leads").ids(), [1, 2, 3]);
}

/// A body for `POST /leads` of exactly this many bytes.
fn lead_of(length: usize) -> String {
    let (start, end) = (r#"{"email": "a@example.com", "name": ""#, r#""}"#);
    format!(
        "{start}{}{end}",
        "x".repeat(length - start.len() - end.len())
    )
}

/// A body in chunks of 64 KiB.
fn chunked(body: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for part in body.as_bytes().chunks(64 * 1024) {
        out.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

#[test]
fn a_body_has_at_most_a_mebibyte() {
    const MEBIBYTE: usize = 1024 * 1024;
    const CHUNKED: &str = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    let api = Api::start();
    let (fits, over, far_over) = (
        lead_of(MEBIBYTE),
        lead_of(MEBIBYTE + 1),
        lead_of(3 * MEBIBYTE),
    );
    assert_eq!(api.post("/leads", &fits).status, 201);
    assert_eq!(
        api.send("POST", "/leads", CHUNKED, &chunked(&fits)).status,
        201
    );
    // Who still sends gets the answer all the same, and not a reset connection.
    for body in [&over, &far_over] {
        api.post("/leads", body).error(413);
        api.send("POST", "/leads", CHUNKED, &chunked(body))
            .error(413);
        api.put("/leads/1", body).error(413);
    }
    assert_eq!(api.get("/leads?fields=id").ids(), [1, 2]);
}

#[test]
fn a_connection_ends_with_a_body_that_was_not_read_and_with_no_other() {
    let api = Api::start();
    assert_eq!(api.post("/leads", &lead_of(1024 * 1024)).status, 201);
    let patch = |media: &str, announced: usize, body: &str| {
        format!(
            "PATCH /leads/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media}\r\n\
             Content-Length: {announced}\r\n\r\n{body}"
        )
    };
    for (request, status) in [
        (patch("application/json", 5_000_000, ""), 413),
        (patch("text/plain", 2, "{}"), 415),
    ] {
        let refused = exchange(api.server.address(), request.as_bytes(), false);
        assert_eq!(refused.header("connection"), Some("close"));
        refused.error(status);
    }
    // The body is read, and the record it would make is too large.
    let body = json!({ "attributes": { "note": "x".repeat(2_000) } }).to_string();
    let mut stream = connect(api.server.address());
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..2 {
        let request = patch("application/json", body.len(), &body);
        stream.write_all(request.as_bytes()).unwrap();
        let refused = Answer::read(&mut reader, false);
        assert_eq!(refused.header("connection"), None);
        refused.error(413);
    }
}

#[test]
fn a_client_that_asks_before_it_sends_a_body_is_answered() {
    let api = Api::start();
    let head = |length: usize| {
        format!(
            "POST /leads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let body = lead_of(100);
    let mut stream = connect(api.server.address());
    stream.write_all(head(body.len()).as_bytes()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    assert_eq!(Answer::read(&mut reader, true).status, 100);
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut reader, false).status, 201);
    let refused = exchange(api.server.address(), head(5_000_000).as_bytes(), false);
    assert_eq!(refused.status, 413);
}

#[test]
fn a_body_is_application_json() {
    let api = Api::start();
    let body = br#"{"email": "a@example.com"}"#;
    let length = format!("Content-Length: {}\r\n", body.len());
    for headers in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/jsonx\r\n",
        "Content-Type: application/json; charset=latin1\r\n",
        "Content-Type: application/json; profile=x; charset=latin1\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
    ] {
        let headers = format!("{length}{headers}");
        for (method, path) in [
            ("POST", "/leads"),
            ("PUT", "/leads/1"),
            ("PATCH", "/leads/1"),
        ] {
            let answer = api.send(method, path, &headers, body);
            assert_eq!(answer.status, 415, "{method} {headers}: {}", answer.text());
        }
    }
    for media in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
    ] {
        let headers = format!("{length}Content-Type: {media}\r\n");
        assert_eq!(
            api.send("POST", "/leads", &headers, body).status,
            201,
            "{media}"
        );
    }
}

#[test]
fn a_body_that_is_wrong_is_refused() {
    let api = Api::with_one_of_each();
    let deep = |depth: usize| {
        format!(
            r#"{{"email": "a@example.com", "attributes": {{"a": {}1{}}}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    let (deep, deepest) = (deep(1_000), deep(100_000));
    let bodies: [&[u8]; 29] = [
        b"",
        b" ",
        b"{",
        b"[]",
        b"null",
        b"1",
        b"\"text\"",
        b"{} {}",
        b"{'email': 'a@example.com'}",
        b"{\"email\": \"\xff@example.com\"}",
        b"\xff\xfe{\0}\0",
        b"\xef\xbb\xbf{\"email\": \"a@example.com\"}",
        br#"{"email": "a@example.com", "email": "b@example.com"}"#,
        br#"{"email": "a@example.com", "attributes": {"k": 1, "k": 2}}"#,
        br#"{"email": "a@example.com", "attributes": {"k": {"l": 1, "l": 2}}}"#,
        br#"{"email": "a@example.com", "attributes": {"k": 1e}}"#,
        br#"{"email": "a@example.com", "attributes": {"k": 1e400, "k": 1}}"#,
        br#"{"email": "a@example.com", "attributes": {"k": NaN}}"#,
        br#"{"email": "a@example.com", "attributes": {"k": "\u0000"}}"#,
        br#"{"email": "a@example.com", "attributes": {"\u0000": 1}}"#,
        br#"{"email": "a@example.com", "attributes": {"k": "\ud800"}}"#,
        br#"{"email": "a@example.com", "attributes": [1]}"#,
        br#"{"email": "a@example.com", "name": "a\u0000b"}"#,
        br#"{"email": "a@example.com", "name": "\ud800"}"#,
        br#"{"email": "a@example.com", "name": 1e400}"#,
        br#"{"email": "a@example.com", "status": " "}"#,
        br#"{"email": 9223372036854775808}"#,
        deep.as_bytes(),
        deepest.as_bytes(),
    ];
    for body in bodies {
        for (method, path) in [("POST", "/leads"), ("PUT", "/leads/1")] {
            let answer = api.write(method, path, body);
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]);
            assert_eq!(answer.status, 400, "{method} {shown}: {}", answer.text());
        }
    }
    for id in [
        "0",
        "-1",
        "1.0",
        "1e0",
        "\"1\"",
        "true",
        "[1]",
        "9223372036854775807",
        "9223372036854775808",
        "1e400",
        "123456789012345678901234567890",
    ] {
        let body = format!(r#"{{"action_type": "call", "lead_id": {id}}}"#);
        assert_eq!(api.post("/actions", &body).refused(), ["lead_id"], "{id}");
    }
    for (plural, _) in PLURALS {
        assert_eq!(api.get(&format!("/{plural}")).ids(), [1]);
    }
}

#[test]
fn all_failing_fields_are_told_at_once() {
    let api = Api::start();
    let body = r#"{"channel": "", "lead_id": 7, "status": null, "colour": 1, "attributes": 2}"#;
    let mut refused = api.post("/processes", body).refused();
    refused.sort_unstable();
    assert_eq!(
        refused,
        [
            "attributes",
            "channel",
            "colour",
            "lead_id",
            "name",
            "status"
        ]
    );
}

#[test]
fn an_unknown_field_or_parameter_is_refused_with_those_that_are_known() {
    let api = Api::with_one_of_each();
    for answer in [
        api.post("/leads", r#"{"email": "a@example.com", "colour": "red"}"#),
        api.put("/leads/1", r#"{"colour": "red"}"#),
    ] {
        assert_eq!(answer.refused(), ["colour"]);
        let sentence = answer.error(400);
        for known in ["email", "name", "status", "attributes"] {
            assert!(sentence.contains(known), "{sentence}");
        }
    }
    assert!(
        api.post("/actions", r#"{"action_type": "call", "colour": 1}"#)
            .error(400)
            .contains("description")
    );
    let answer = api.get("/processes?colour=red&limit=0&next_followup_datetime=lte:soon");
    assert_eq!(
        answer.refused(),
        ["colour", "limit", "next_followup_datetime"]
    );
    let sentence = answer.error(400);
    for known in [
        "channel",
        "attributes.KEY",
        "q",
        "sort",
        "after",
        "fields",
        "count",
    ] {
        assert!(sentence.contains(known), "{sentence}");
    }
    // A client that does not write an object as the description says is refused, and does not filter by something else.
    for path in [
        "/leads?own_fields=%7Battributes.company%3DAcme%7D",
        "/leads?own_fields%5Battributes.company%5D=Acme",
    ] {
        api.get(path).error(400);
    }
    for answer in [
        api.get("/leads/1?colour=red"),
        api.post("/leads?colour=red", r#"{"email": "a@example.com"}"#),
        api.put("/leads/1?colour=red", "{}"),
        api.delete("/leads/1?colour=red"),
        api.delete("/actions/1?colour=true"),
    ] {
        assert_eq!(answer.refused(), ["colour"]);
    }
    assert!(
        api.delete("/leads/1?colour=red")
            .error(400)
            .contains("cascade")
    );
}

#[test]
fn an_id_is_a_whole_number_of_one_or_more() {
    let api = Api::with_one_of_each();
    for id in [
        "0",
        "-1",
        "+1",
        "1.0",
        "abc",
        "1x",
        "9223372036854775808",
        "99999999999999999999999",
        "%00",
        "%FF",
        "١",
    ] {
        // A request line is ASCII.
        if !id.is_ascii() {
            continue;
        }
        let path = format!("/leads/{id}");
        for answer in [api.get(&path), api.put(&path, "{}"), api.delete(&path)] {
            assert_eq!(answer.refused(), ["id"], "{id}");
        }
    }
}

#[test]
fn a_query_is_percent_encoded_utf_8() {
    let api = Api::start();
    let body = r#"{"email": "a@example.com", "name": "Jörg & Söhne + 50%", "attributes": {"the key": "a=b"}}"#;
    api.post("/leads", body);
    for query in [
        "name=J%C3%B6rg+%26+S%C3%B6hne+%2B+50%25",
        "n%61me=like:j%C3%96RG%25",
        "q=S%C3%96HNE",
        "attributes.the+key=a=b",
        "&name=is:notnull&",
    ] {
        assert_eq!(api.get(&format!("/leads?{query}")).ids(), [1], "{query}");
    }
    for query in ["name=%FF", "%FF=1", "name=a%00b", "q=%00"] {
        assert_eq!(api.get(&format!("/leads?{query}")).status, 400, "{query}");
    }
}

#[test]
fn every_answer_names_its_request() {
    let api = Api::start();
    let id = |answer: Answer| answer.header("x-request-id").unwrap().to_string();
    let sent = |sent: &str| {
        let headers = format!("X-Request-Id: {sent}\r\n");
        id(api.send("GET", "/nothing", &headers, b""))
    };
    assert_eq!(sent("my-request:7"), "my-request:7");
    // One that is no plain word is replaced.
    for odd in ["two words", &"x".repeat(500), ""] {
        assert_ne!(sent(odd), odd);
    }
    assert_ne!(id(api.get("/health")), id(api.get("/health")));
}

#[test]
fn a_request_has_one_host() {
    let api = Api::start();
    for (hosts, status) in [
        ("Host: localhost\r\n", 200),
        ("", 400),
        ("Host: localhost\r\nHost: b\r\n", 400),
    ] {
        let request = format!("GET /health HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answer = exchange(api.server.address(), request.as_bytes(), false);
        assert_eq!(answer.status, status, "{hosts}");
        assert!(answer.header("x-request-id").is_some());
        assert_eq!(answer.json().get("error").is_some(), status == 400);
    }
}

#[test]
fn a_request_line_and_headers_are_bounded() {
    let api = Api::start();
    let long = "x".repeat(300_000);
    for (request, statuses) in [
        // Which of the two depends on whether the line or the buffer is full first.
        (
            format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            &[414, 431][..],
        ),
        (
            format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}\r\n\r\n"),
            &[431],
        ),
        ("this is no HTTP\r\n\r\n".to_string(), &[400]),
    ] {
        let answer = exchange(api.server.address(), request.as_bytes(), true);
        assert!(statuses.contains(&answer.status), "{answer:?}");
    }
    assert_eq!(api.get("/health").status, 200);
}

#[test]
fn a_connection_takes_one_request_after_the_other() {
    let api = Api::start();
    let mut stream = connect(api.server.address());
    let body = lead_of(100);
    let create = format!(
        "POST /leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // Three in one piece.
    let three = format!("{create}GET /leads/7 HTTP/1.1\r\nHost: localhost\r\n\r\n{create}");
    stream.write_all(three.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let statuses = [(); 3].map(|()| Answer::read(&mut reader, false).status);
    assert_eq!(statuses, [201, 404, 201]);
}

#[test]
fn fields_are_shown_as_asked() {
    let api = Api::with_one_of_each();
    assert_eq!(
        api.get("/leads?fields=email,id").text(),
        r#"[{"email":"ada@example.com","id":1}]"#
    );
    assert_eq!(
        api.get("/actions/1?fields=description").text(),
        r#"{"description":"Asked for a quote"}"#
    );
    // Generated clients repeat the parameter.
    for query in [
        "fields=email&fields=id",
        "fields=email&count=True&fields=id&sort=-id&sort=email",
    ] {
        assert_eq!(
            api.get(&format!("/leads?{query}")).text(),
            r#"[{"email":"ada@example.com","id":1}]"#
        );
    }
    assert_eq!(
        api.get("/actions/1?fields=description&fields=id,lead_id")
            .text(),
        r#"{"description":"Asked for a quote","id":1,"lead_id":1}"#
    );
    for query in [
        "fields=colour",
        "fields=",
        "fields=id,id",
        "fields=id,",
        "fields=id&fields=id",
        "fields=id&fields=",
    ] {
        for path in ["/leads", "/leads/1"] {
            assert_eq!(
                api.get(&format!("{path}?{query}")).refused(),
                ["fields"],
                "{query}"
            );
        }
    }
}

#[test]
fn links_lead_through_all_pages_and_counts_count_them_all() {
    let api = Api::start();
    for number in 0..7 {
        let body = format!(
            r#"{{"email": "a{number}@example.com", "name": "Jörg & {}", "status": "{}"}}"#,
            number % 3,
            if number == 3 { "lost" } else { "new" }
        );
        assert_eq!(api.post("/leads", &body).status, 201);
    }
    for query in [
        "limit=2",
        "limit=6&count=true",
        "limit=7",
        "limit=2&sort=-name&status=new&count=true",
        "limit=1&q=j%C3%B6rg+%26&sort=name,-id&fields=id",
        "limit=2&sort=name&fields=id&sort=-id&fields=name",
    ] {
        let whole: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.starts_with("limit="))
            .collect();
        let whole = api.get(&format!("/leads?{}", whole.join("&"))).ids();
        assert!(whole.len() >= 6);
        let mut path = format!("/leads?{query}");
        let mut found = Vec::new();
        loop {
            let page = api.get(&path);
            found.extend(page.ids());
            assert!(found.len() <= whole.len(), "{query} repeats");
            let total = page.header("x-total-count").map(str::to_string);
            assert_eq!(
                total,
                query
                    .contains("count=true")
                    .then(|| whole.len().to_string())
            );
            let Some(link) = page.header("link") else {
                break;
            };
            let (target, relation) = link.split_once('>').unwrap();
            assert_eq!(relation, "; rel=\"next\"");
            let target = target.strip_prefix('<').unwrap();
            assert!(target.starts_with("leads?"), "{target}");
            path = resolved(&path, target);
        }
        assert_eq!(found, whole, "{query}");
    }
    assert_eq!(
        api.get("/leads?status=lost&count=true")
            .header("x-total-count"),
        Some("1")
    );
    for (query, field) in [
        ("after=nonsense", "after"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("count=yes", "count"),
        ("sort=colour", "sort"),
        ("sort=attributes", "sort"),
    ] {
        assert_eq!(
            api.get(&format!("/leads?{query}")).refused(),
            [field],
            "{query}"
        );
    }
}

#[test]
fn a_list_comes_one_record_a_line_where_that_is_accepted() {
    let api = Api::with_one_of_each();
    api.post("/leads", r#"{"email": "b@example.com"}"#);
    let ndjson = |path: &str| api.send("GET", path, "Accept: application/x-ndjson\r\n", b"");
    let lines = ndjson("/leads?fields=id");
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(lines.text(), "{\"id\":1}\n{\"id\":2}\n");
    assert_eq!(ndjson("/leads?status=none").text(), "");
    let whole: Vec<Value> = ndjson("/leads")
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(Value::from(whole), api.get("/leads").json());
    for accept in ["*/*", "text/html", "application/json, application/x-ndjson"] {
        let headers = format!("Accept: {accept}\r\n");
        let answer = api.send("GET", "/leads", &headers, b"");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[test]
fn head_is_get_without_its_body() {
    let api = Api::with_one_of_each();
    for path in [
        "/leads",
        "/leads?limit=1&count=true",
        "/leads/1",
        "/leads/9",
        "/leads/x",
        "/nothing",
        "/health",
        "/ready",
        "/metrics",
        "/openapi.json",
        "/docs",
    ] {
        let (get, head) = (api.get(path), api.send("HEAD", path, "", b""));
        assert_eq!(get.status, head.status, "{path}");
        for name in ["content-type", "x-total-count", "link", "vary"] {
            assert_eq!(get.header(name), head.header(name), "{path} {name}");
        }
    }
    // What follows the head on a connection is the next answer, not a body.
    let mut stream = connect(api.server.address());
    let requests = ["HEAD /leads/1", "GET /leads/9"]
        .map(|start| format!("{start} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    stream.write_all(requests.concat().as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    assert_eq!(Answer::read(&mut reader, true).status, 200);
    assert_eq!(Answer::read(&mut reader, false).status, 404);
}

#[test]
fn a_request_may_name_the_zone_of_its_times() {
    let api = Api::start();
    let action = |path: &str, at: &str| {
        let answer = api.post(
            path,
            &format!(r#"{{"action_type": "call", "timestamp": "{at}"}}"#),
        );
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["timestamp"].as_str().unwrap().to_string()
    };
    // In UTC it would be in the year 10000.
    let refused = api.post(
        "/actions?tz=America/New_York",
        r#"{"action_type": "call", "timestamp": "9999-12-31 22:00:00"}"#,
    );
    assert_eq!(refused.status, 400, "{refused:?}");
    for (path, at, stored) in [
        ("/actions", "2026-11-27 09:00", "2026-11-27 09:00:00"),
        (
            "/actions?tz=America/New_York",
            "2026-11-27 09:00",
            "2026-11-27 14:00:00",
        ),
        (
            "/actions?tz=america%2Fnew_york",
            "2026-11-27",
            "2026-11-27 05:00:00",
        ),
        (
            "/actions?tz=%2B05:30",
            "2026-11-27T09:00:00",
            "2026-11-27 03:30:00",
        ),
        (
            "/actions?tz=America/New_York",
            "2026-11-27T09:00Z",
            "2026-11-27 09:00:00",
        ),
        (
            "/actions?tz=UTC",
            "2026-11-27T09:00[Asia/Tokyo]",
            "2026-11-27 00:00:00",
        ),
    ] {
        assert_eq!(action(path, at), stored, "{path} {at}");
    }
    let changed = api.put(
        "/actions/1?tz=Asia/Kathmandu",
        r#"{"timestamp": "2026-11-27 00:00"}"#,
    );
    assert_eq!(changed.json()["timestamp"], "2026-11-26 18:15:00");
    // A client that names its zone means it, even if the text is the stored one.
    let changed = api.put(
        "/actions/1?tz=Asia/Kathmandu",
        r#"{"timestamp": "2026-11-26 18:15:00"}"#,
    );
    assert_eq!(changed.json()["timestamp"], "2026-11-26 12:30:00");
    let listed = |query: &str| {
        let list = api.get(&format!("/actions?fields=id&{query}")).json();
        let ids = list
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["id"].as_i64().unwrap());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(listed("timestamp=2026-11-27"), [2, 3, 4, 5, 6]);
    assert_eq!(
        listed("tz=America/New_York&timestamp=2026-11-27"),
        [2, 3, 5]
    );
    assert_eq!(
        listed("timestamp=ne:2026-11-27&tz=America/New_York"),
        [1, 4, 6]
    );
    assert_eq!(listed("timestamp=2026-11-27T05:00Z/2026-11-28"), [2, 3, 5]);
    // The next page is of the same zone.
    let page = api.get("/actions?tz=America/New_York&timestamp=2026-11-27&limit=1");
    let link = page.header("link").unwrap();
    let next = link.trim_start_matches('<').split('>').next().unwrap();
    assert!(next.contains("tz=America%2FNew_York"), "{next}");
    // It is relative to the path of the request.
    assert_eq!(api.get(&format!("/{next}")).json()[0]["id"], 3);
    for path in [
        "/actions?tz=Europe/Berln",
        "/leads?tz=Europe/Berln&status=new",
    ] {
        let answer = api.get(path);
        assert_eq!(
            answer.error(400),
            "tz: expected a time zone like Europe/Berlin, UTC or +05:30, got \"Europe/Berln\"; did you mean Europe/Berlin?"
        );
    }
    let both = api.get("/actions?tz=UTC&tz=UTC").error(400);
    assert_eq!(both, "tz: is given twice");
    api.post("/actions?tz=Mars", r#"{"action_type": "call"}"#)
        .error(400);
    api.put("/actions/1?tz=", r#"{"details": "x"}"#).error(400);
    // A request without times has no zone.
    let sentence = api.post("/leads?tz=UTC", r#"{"email": "a@example.com"}"#);
    let sentence = sentence.error(400);
    assert!(sentence.starts_with("tz: no such parameter"), "{sentence}");
    assert!(
        api.get("/actions/1?tz=UTC")
            .error(400)
            .starts_with("tz: no such parameter")
    );
    let interval = api
        .get("/actions?timestamp=2026-11-28/2026-11-27")
        .error(400);
    assert!(
        interval.starts_with("timestamp: expected a time like"),
        "{interval}"
    );
}

#[test]
fn a_service_may_have_a_default_zone() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--tz", "Europe/Berlin"]);
    let api = Api { home, server };
    let made = api.post(
        "/processes",
        r#"{"name": "p", "next_followup_datetime": "2026-11-27 09:00"}"#,
    );
    assert_eq!(made.json()["next_followup_datetime"], "2026-11-27 08:00:00");
    // A record can be sent back as it was read.
    for method in ["PUT", "PATCH"] {
        let record = api.get("/processes/1").text().to_string();
        let headers = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            record.len()
        );
        let same = api.send(method, "/processes/1", &headers, record.as_bytes());
        assert_eq!(same.text(), record);
    }
    let moved = api.put(
        "/processes/1",
        r#"{"next_followup_datetime": "2026-11-28"}"#,
    );
    assert_eq!(
        moved.json()["next_followup_datetime"],
        "2026-11-27 23:00:00"
    );
    let found = |query: &str| {
        let list = api
            .get(&format!("/processes?next_followup_datetime={query}"))
            .json();
        list.as_array().unwrap().len()
    };
    assert_eq!(found("2026-11-28"), 1);
    assert_eq!(found("2026-11-28&tz=UTC"), 0);
    assert_eq!(found("2026-11-27&tz=UTC"), 1);
}

#[test]
fn health_and_readiness_are_told() {
    let api = Api::start();
    assert_eq!(api.get("/health").json(), json!({"status": "ok"}));
    let before = crm::base::time::now();
    let ready = api.get("/ready").json();
    assert_eq!(ready["status"], "ready");
    assert!(ready["last_commit"].as_str().unwrap() >= before.as_str());
}

#[test]
fn the_description_and_every_file_of_its_page_are_served() {
    let api = Api::start();
    let document = api.get("/openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in document["paths"].as_object().unwrap().keys() {
        let path = path.replace("{id}", "1");
        // A stream has no end. No operation knows the parameter, so none begins.
        let answer = api.get(&format!("{path}?unknown=1"));
        let sentence = String::from_utf8_lossy(&answer.body);
        assert!(!sentence.contains("not a path of this service"), "{path}");
    }
    for (page, folder) in [("/docs", "/"), ("/docs/", "/docs/")] {
        let html = api.get(page);
        assert_eq!(html.status, 200);
        assert!(
            html.header("content-type")
                .unwrap()
                .starts_with("text/html")
        );
        let mut files = 0;
        for mark in ["src=\"", "href=\""] {
            for part in html.text().split(mark).skip(1) {
                let file = part.split('"').next().unwrap();
                let answer = api.get(&format!("{folder}{file}"));
                assert_eq!(answer.status, 200, "{page} refers to {file}");
                assert!(!answer.body.is_empty());
                files += 1;
            }
        }
        assert!(files >= 3, "{}", html.text());
    }
}

#[test]
fn a_fault_is_500_without_inner_detail_which_the_log_has() {
    let api = Api::start();
    api.database()
        .execute_batch("ALTER TABLE leads RENAME TO elsewhere")
        .unwrap();
    let answer = api.get("/leads");
    let sentence = answer.error(500);
    let request_id = answer.header("x-request-id").unwrap();
    assert!(sentence.contains(request_id), "{sentence}");
    assert!(
        !sentence.contains("leads") && !sentence.to_lowercase().contains("sql"),
        "{sentence}"
    );
    let (status, log) = api.server.stop();
    assert!(status.success());
    let line = log.lines().find(|line| line.contains(request_id));
    assert!(
        line.is_some_and(|line| line.contains("no such table")),
        "{log}"
    );
}

#[test]
fn a_list_that_breaks_is_never_closed() {
    for accept in ["application/json", "application/x-ndjson"] {
        for sort in ["", "?sort=-email"] {
            let api = Api::start();
            let database = api.fill();
            let mut stream = connect(api.server.address());
            write!(
                stream,
                "GET /leads{sort} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
            )
            .unwrap();
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert_eq!(line, "HTTP/1.1 200 OK\r\n");
            // The server is in the middle of it: the reader has taken next to nothing.
            database
                .execute_batch("PRAGMA foreign_keys = OFF; DROP TABLE leads")
                .unwrap();
            let mut rest = Vec::new();
            // Whether the connection ends or is reset, it does not stay open.
            if let Err(error) = reader.read_to_end(&mut rest) {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            }
            // It broke in the middle and was not refused at once.
            assert!(rest.len() > 10_000, "{}", rest.len());
            assert!(!rest.ends_with(b"0\r\n\r\n"));
            let end = String::from_utf8_lossy(&rest[rest.len() - 200..]).into_owned();
            assert!(!end.contains(']'), "{end}");
            let (_, log) = api.server.stop();
            assert!(log.contains("a list failed in the middle"), "{log}");
        }
    }
}

#[test]
fn large_answers_that_nobody_reads_share_their_room() {
    let api = Api::start();
    for _ in 0..3 {
        assert_eq!(api.post("/leads", &lead_of(1024 * 1024)).status, 201);
    }
    // Asks, and reads no more of the answer than its beginning.
    let ask = |request: &str| {
        let mut stream = connect(api.server.address());
        stream.write_all(request.as_bytes()).unwrap();
        BufReader::with_capacity(256, stream)
    };
    let get = |path: &str| ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    for path in ["/leads/1", "/leads/1?fields=id,name", "/leads?limit=2"] {
        let mut list = get("/leads");
        assert!(list.fill_buf().unwrap().starts_with(b"HTTP/1.1 200"));
        let mut held = Vec::new();
        let refused = loop {
            let mut reader = get(path);
            if !reader.fill_buf().unwrap().starts_with(b"HTTP/1.1 200") {
                break Answer::read(&mut reader, false);
            }
            held.push(reader);
            assert!(held.len() < 64, "{path}: nothing is refused");
        };
        assert!(held.len() > 32, "{path}: {} are answered", held.len());
        assert_eq!(refused.header("retry-after"), Some("1"));
        refused.error(503);

        // What is small is answered, and so is a write.
        let status = format!("seen by {}", path.len());
        let change = json!({ "status": status }).to_string();
        let mut written = ask(&format!(
            "PATCH /leads/2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{change}",
            change.len()
        ));
        let written = Answer::read(&mut written, false);
        assert_eq!(written.status, 200);
        assert_eq!(written.json()["status"], *status);
        let small = api.get("/leads/2?fields=status");
        assert_eq!(small.json()["status"], *status);
        drop(held);
        // A list that had begun goes on.
        assert_eq!(Answer::read(&mut list, false).ids(), [1, 2, 3]);
    }
}

#[test]
fn duplicates_are_refused_under_concurrent_requests() {
    let api = Api::start();
    let statuses = std::thread::scope(|scope| {
        let clients = [(); 8].map(|()| {
            scope.spawn(|| {
                api.post(
                    "/leads?on_duplicate=reject",
                    r#"{"email": "ada@example.com"}"#,
                )
                .status
            })
        });
        clients.map(|client| client.join().unwrap())
    });
    let created = statuses.iter().filter(|status| **status == 201).count();
    let refused = statuses.iter().filter(|status| **status == 409).count();
    assert_eq!((created, refused), (1, 7));
}

#[test]
fn a_target_that_is_no_path_is_refused() {
    let api = Api::start();
    for head in [
        "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut stream = connect(api.server.address());
        stream.write_all(head.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 400 Bad Request\r\n", "{head}");
    }
}

/// What somebody would read of it, and not megabytes for each of many who send such.
#[test]
fn however_much_is_wrong_the_answer_is_short() {
    let api = Api::start();
    let keys: Vec<String> = (0..80_000).map(|at| format!("\"k{at}\":1")).collect();
    let answer = api.post("/leads", &format!("{{{}}}", keys.join(",")));
    let error = answer.error(400);
    assert!(error.starts_with("k0: no such field"), "{error:.200}");
    // The address that is missing is one of them.
    assert!(error.ends_with("; and 79951 more"), "{error}");
    assert!(answer.body.len() < 32 * 1024, "{} bytes", answer.body.len());
    let parameters: Vec<String> = (0..5_000).map(|at| format!("z{at}=1")).collect();
    let answer = api.get(&format!("/leads?{}", parameters.join("&")));
    assert_eq!(
        answer.error(400),
        "parameters: expected at most 107, got 5000"
    );
}
