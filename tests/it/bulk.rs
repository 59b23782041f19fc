//! Many records in one request: in order, each by itself, each once, and taken back together.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use bytes::Bytes;
use crm::base::error::{Code, Error};
use crm::base::time::Zone;
use crm::model::action::ACTION;
use crm::model::author::Author;
use crm::model::lead::LEAD;
use crm::model::noun::Noun;
use crm::model::query::{Query, pairs};
use crm::model::record::{LARGEST, Record};
use crm::model::terms::{Key, Terms};
use crm::ops::bulk::{BulkRequest, Done, End, LineAnswer, Told, open};
use crm::ops::undo::Undo;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::views::changes::CHANGE;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::contract::{create, ids, update};
use crate::support::{Home, client};

fn request(noun: &'static Noun, query: &str, key: Option<&str>) -> BulkRequest {
    BulkRequest {
        noun,
        parameters: pairs(query).unwrap(),
        zone: Zone::UTC,
        author: Author::default(),
        key: key.map(|text| Key::parse(text, &["bulk", query], b"").unwrap()),
        bytes: LARGEST,
        depth: 127,
    }
}

/// What was answered: the lines, and the end if it came.
#[derive(Default)]
struct Answered {
    lines: Vec<LineAnswer>,
    end: Option<End>,
}

impl Answered {
    fn end(&self) -> &End {
        self.end.as_ref().unwrap()
    }

    /// Each line in a few words.
    fn told(&self) -> Vec<String> {
        let told = self.lines.iter().map(|one| match &one.result {
            Ok(done) => format!(
                "{} {} {}",
                one.line,
                done.word(),
                one.id.unwrap_or_default()
            ),
            Err(error) => format!("{} {} {}", one.line, one.status(), error.message),
        });
        told.collect()
    }
}

/// Sends parts of a text, and takes at most so many bytes of the answer. An error in the parts breaks the request off.
async fn send(
    store: &AnyStore,
    request: BulkRequest,
    parts: Vec<Result<Bytes, Error>>,
    most: usize,
) -> Result<Answered, Error> {
    let input = Box::pin(stream::iter(parts));
    let mut parts = open(store, request, input).await?;
    let (mut text, mut answered) = (Vec::new(), Answered::default());
    while text.len() < most
        && let Some(Ok(part)) = parts.next().await
    {
        text.extend_from_slice(&part);
    }
    text.truncate(most);
    let end = text
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap_or_default();
    for line in text[..end].split(|byte| *byte == b'\n') {
        match Told::parse(line) {
            Some(Told::Line(line)) => answered.lines.push(line),
            Some(Told::End(end)) => answered.end = Some(end),
            None => assert!(line.is_empty(), "{}", String::from_utf8_lossy(line)),
        }
    }
    Ok(answered)
}

/// Sends lines and takes all answers.
async fn try_bulk(
    store: &AnyStore,
    noun: &'static Noun,
    query: &str,
    key: Option<&str>,
    lines: &[Value],
) -> Result<Answered, Error> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    send(
        store,
        request(noun, query, key),
        vec![Ok(text.into())],
        usize::MAX,
    )
    .await
}

async fn bulk(store: &AnyStore, query: &str, lines: &[Value]) -> Answered {
    try_bulk(store, &LEAD, query, None, lines).await.unwrap()
}

async fn records(store: &AnyStore, noun: &'static Noun, query: &str) -> Vec<Record> {
    let mut listing = store
        .list(Query::new(noun, pairs(query).unwrap()).unwrap())
        .await
        .unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = listing.next_chunk().await.unwrap() {
        all.extend(chunk);
    }
    all
}

async fn undo(store: &AnyStore, group: i64) {
    let write = Undo::new(Some(group), false);
    store.write(write, Terms::default()).await.unwrap();
}

pub async fn lines_are_done_in_order_each_by_itself(store: AnyStore) {
    create(
        &store,
        &LEAD,
        r#"{"email": "old@example.com", "name": "Old"}"#,
    )
    .await;
    create(&store, &ACTION, r#"{"lead_id": 1, "action_type": "call"}"#).await;
    let lines = [
        json!({"op": "create", "data": {"email": "a@example.com"}}),
        json!({"op": "create", "data": {"email": "nobody", "colour": 1}}),
        json!({"op": "update", "id": 1, "data": {"name": "New"}, "if_match": 1}),
        json!({"op": "update", "id": 1, "data": {"name": "Newer"}, "if_match": "\"1\""}),
        json!({"op": "update", "id": 1, "data": {"name": "New"}, "if_match": "*"}),
        json!({"op": "delete", "id": 1}),
        json!({"op": "delete", "id": 99}),
        json!({"op": "create", "data": {"email": "b@example.com"}}),
        json!({"op": "delete", "id": 3, "if_match": 1}),
        json!({"op": "create", "data": {"email": "c@example.com"}}),
        json!({"op": "merge"}),
        json!({"op": "create", "id": 5, "data": {}}),
    ];
    let answered = bulk(&store, "", &lines).await;
    let told = answered.told();
    let expected = [
        "1 created 2",
        "2 400 ",
        "3 updated 1",
        "4 412 if_match: the record has changed meanwhile",
        "5 unchanged 1",
        "6 409 Lead 1 has 1 action",
        "7 404 Lead not found",
        "8 created 3",
        "9 deleted 3",
        "10 created 4",
        "11 400 op: expected one of create, update, upsert, delete, got \"merge\"",
        "12 400 id: expected none",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}");
    }
    let refused = answered.lines[1].result.as_ref().unwrap_err();
    let fields: Vec<&str> = refused.problems.iter().map(|one| &*one.field).collect();
    assert_eq!(fields, ["colour", "email"]);
    let counts = answered.end().counts;
    assert_eq!((counts.lines, counts.created, counts.updated), (12, 3, 1));
    assert_eq!(
        (counts.unchanged, counts.deleted, counts.refused),
        (1, 1, 6)
    );
    assert_eq!(ids(&store, &LEAD, "").await, [1, 2, 4]);
    // One group: the changes of the lines that were done, and no other.
    let group = answered.end().group.unwrap();
    let changes = records(&store, &CHANGE, "").await;
    let of_group = changes
        .iter()
        .filter(|one| one.get("group").int() == Some(group));
    let types: Vec<&str> = of_group.filter_map(|one| one.get("type").text()).collect();
    let expected = [
        "lead.created",
        "lead.updated",
        "lead.created",
        "lead.deleted",
        "lead.created",
    ];
    assert_eq!(types, expected);
    undo(&store, group).await;
    assert_eq!(ids(&store, &LEAD, "").await, [1]);
    assert_eq!(ids(&store, &LEAD, "name=Old").await, [1]);
}

pub async fn a_record_is_found_by_its_address(store: AnyStore) {
    create(
        &store,
        &LEAD,
        r#"{"email": "jö@müller.example", "name": "Jö"}"#,
    )
    .await;
    create(&store, &LEAD, r#"{"email": "twice@example.com"}"#).await;
    create(&store, &LEAD, r#"{"email": "twice@example.com"}"#).await;
    let upsert =
        |email: &str, name: &str| json!({"op": "upsert", "data": {"email": email, "name": name}});
    let lines = [
        upsert("Jö@xn--mller-kva.example", "Jö"),
        upsert("TWICE@example.com", "Two"),
        upsert("new@example.com", "One"),
        upsert("new@example.com", "Two"),
        json!({"op": "create", "data": {"email": "new@example.com"}}),
        json!({"op": "update", "id": 4, "data": {"email": "moved@example.com"}}),
        upsert("moved@example.com", "Moved"),
        upsert("new@example.com", "Other"),
        json!({"op": "delete", "id": 4}),
        upsert("moved@example.com", "Again"),
        upsert("nobody", "x"),
    ];
    let told = bulk(&store, "", &lines).await.told();
    let expected = [
        "1 unchanged 1",
        "2 updated 2",
        "3 created 4",
        "4 updated 4",
        "5 created 5",
        "6 updated 4",
        "7 updated 4",
        "8 updated 5",
        "9 deleted 4",
        "10 created 6",
    ];
    assert_eq!(told[..10], expected);
    assert!(told[10].starts_with("11 400 email: "), "{}", told[10]);
    // The same again changes nothing.
    let again = [
        upsert("twice@example.com", "Two"),
        upsert("new@example.com", "Other"),
    ];
    let before = records(&store, &CHANGE, "").await.len();
    let answered = bulk(&store, "", &again).await;
    assert_eq!(answered.told(), ["1 unchanged 2", "2 unchanged 5"]);
    assert_eq!(answered.end().group, None);
    assert_eq!(records(&store, &CHANGE, "").await.len(), before);
    let both = [
        upsert("twice@example.com", "x"),
        upsert("fresh@example.com", "x"),
    ];
    assert_eq!(
        bulk(&store, "on_duplicate=skip", &both).await.told(),
        ["1 skipped 2", "2 created 7"]
    );
    let rejected = bulk(&store, "on_duplicate=reject", &both[..1]).await;
    assert_eq!(
        (rejected.lines[0].id, rejected.lines[0].status()),
        (Some(2), 409)
    );
    assert_eq!(
        bulk(&store, "on_duplicate=create", &both[..1]).await.told(),
        ["1 created 8"]
    );
}

pub async fn a_record_is_found_by_a_field_of_ones_own(store: AnyStore) {
    create(
        &store,
        &LEAD,
        r#"{"email": "a@example.com", "attributes": {"no": "77"}}"#,
    )
    .await;
    create(
        &store,
        &LEAD,
        r#"{"email": "b@example.com", "attributes": {"no": 78}}"#,
    )
    .await;
    let upsert = |email: &str, number: Value| json!({"op": "upsert", "data": {"email": email, "attributes": {"no": number}}});
    let lines = [
        upsert("a@example.com", json!("77")),
        upsert("b@example.com", json!(78)),
        upsert("a2@example.com", json!(77)),
        upsert("c@example.com", json!("x\"1")),
        upsert("c2@example.com", json!("x\"1")),
        json!({"op": "upsert", "data": {"email": "d@example.com"}}),
        json!({"op": "update", "id": 2, "data": {"attributes": {"no": "79"}}}),
        upsert("b3@example.com", json!("79")),
        upsert("b4@example.com", json!("78")),
    ];
    let told = bulk(&store, "key=attributes.no", &lines).await.told();
    let expected = [
        "1 unchanged 1",
        "2 unchanged 2",
        "3 updated 1",
        "4 created 3",
        "5 updated 3",
        "6 400 attributes.no: is required as a text or a number, because records are found by it",
        "7 updated 2",
        "8 updated 2",
        "9 created 4",
    ];
    assert_eq!(told, expected);
    // What others write while a request goes on is found, too.
    let (send_line, lines) = tokio::sync::mpsc::channel::<Value>(1);
    let input = stream::unfold(lines, |mut lines| async move {
        let line = lines.recv().await?;
        Some((Ok(Bytes::from(format!("{line}\n"))), lines))
    });
    let asked = request(&LEAD, "key=attributes.no", None);
    send_line
        .send(upsert("e@example.com", json!("90")))
        .await
        .unwrap();
    let mut parts = open(&store, asked, Box::pin(input)).await.unwrap();
    let mut next = async || {
        let part = parts.next().await.unwrap().unwrap();
        let line = part.strip_suffix(b"\n").unwrap();
        match Told::parse(line).unwrap() {
            Told::Line(line) => (line.result.unwrap(), line.id.unwrap()),
            Told::End(end) => panic!("{end:?}"),
        }
    };
    assert_eq!(next().await, (Done::Created, 5));
    create(
        &store,
        &LEAD,
        r#"{"email": "f@example.com", "attributes": {"no": 91}}"#,
    )
    .await;
    update(&store, &LEAD, 4, r#"{"attributes": {"no": "92"}}"#).await;
    send_line
        .send(upsert("f@example.com", json!("91")))
        .await
        .unwrap();
    assert_eq!(next().await, (Done::Updated, 6));
    send_line
        .send(upsert("b4@example.com", json!("92")))
        .await
        .unwrap();
    assert_eq!(next().await, (Done::Unchanged, 4));
    send_line
        .send(upsert("e@example.com", json!("90")))
        .await
        .unwrap();
    assert_eq!(next().await, (Done::Unchanged, 5));
}

pub async fn lines_refer_to_what_is_there(store: AnyStore) {
    create(&store, &LEAD, r#"{"email": "a@example.com"}"#).await;
    create(&store, &LEAD, r#"{"email": "b@example.com"}"#).await;
    let call = |lead: i64, at: &str| json!({"op": "create", "data": {"lead_id": lead, "action_type": "call", "timestamp": at}});
    let lines = [
        call(1, "2026-01-01 09:00:00"),
        call(9, "2026-01-01 09:00:00"),
        call(2, "2026-01-02T09:00:00+01:00"),
        json!({"op": "update", "id": 1, "data": {"timestamp": "2026-01-03 09:00:00"}}),
        json!({"op": "update", "id": 1, "data": {"lead_id": 9}}),
        json!({"op": "upsert", "data": {"lead_id": 1, "action_type": "call"}}),
        json!({"op": "delete", "id": 2}),
    ];
    let answered = try_bulk(&store, &ACTION, "", None, &lines).await.unwrap();
    let told = answered.told();
    let expected = [
        "1 created 1",
        "2 400 lead_id: no lead has the id 9",
        "3 created 2",
        "4 updated 1",
        "5 400 lead_id: no lead has the id 9",
        "6 400 op: expected the parameter key",
        "7 deleted 2",
    ];
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told:#?}");
    }
    let newest = records(&store, &LEAD, "fields=id,last_action_at").await;
    let times: Vec<Option<&str>> = newest
        .iter()
        .map(|one| one.get("last_action_at").text())
        .collect();
    assert_eq!(times, [Some("2026-01-03 09:00:00"), None]);
    let delete = [
        json!({"op": "delete", "id": 1}),
        json!({"op": "delete", "id": 2}),
    ];
    let told = bulk(&store, "", &delete).await.told();
    assert!(
        told[0].starts_with("1 409 ") && told[1] == "2 deleted 2",
        "{told:?}"
    );
    assert_eq!(
        bulk(&store, "cascade=true", &delete[..1]).await.told(),
        ["1 deleted 1"]
    );
    assert!(ids(&store, &ACTION, "").await.is_empty());
}

pub async fn all_or_nothing_is_done_on_demand(store: AnyStore) {
    let good = |at: usize| json!({"op": "create", "data": {"email": format!("u{at}@example.com")}});
    let mut lines: Vec<Value> = (0..1_200).map(good).collect();
    lines.push(json!({"op": "update", "id": 900_000, "data": {"name": "x"}}));
    lines.push(json!({"op": "create", "data": {"email": "x"}}));
    let refused = try_bulk(&store, &LEAD, "atomic=true", None, &lines)
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code, Code::NotFound);
    let told = "line 1201: Lead not found; one more line was refused; nothing was saved";
    assert_eq!(refused.message, told);
    assert_eq!(refused.problems.len(), 2);
    assert!(ids(&store, &LEAD, "").await.is_empty());
    lines.truncate(1_200);
    for _ in 0..2 {
        let answered = try_bulk(&store, &LEAD, "atomic=true", Some("all"), &lines)
            .await
            .unwrap();
        assert_eq!(answered.end().counts.created, 1_200);
    }
    assert_eq!(ids(&store, &LEAD, "").await.len(), 1_200);
    let many: Vec<Value> = (0..10_001).map(good).collect();
    let refused = try_bulk(&store, &LEAD, "atomic=true", None, &many)
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code, Code::TooLarge);
    let parameter = try_bulk(&store, &LEAD, "atomic=perhaps", None, &many).await;
    assert_eq!(parameter.err().unwrap().code, Code::Invalid);
}

/// A number from a sequence that looks random.
fn random(state: &mut u64, below: usize) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % below
}

/// How often the connection is cut. `CRM_BULK_CUTS` sets another number.
fn cuts() -> usize {
    let given = std::env::var("CRM_BULK_CUTS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(8)
}

pub async fn a_request_that_breaks_off_is_continued_by_its_key(store: AnyStore) {
    const LINES: usize = 1_700;
    let line = |at: usize| match at % 5 {
        0 => "{\"op\":\"create\",\"data\":{\"email\":\"wrong\"}}\n".to_string(),
        1 => "\n".into(),
        _ => format!("{{\"op\":\"create\",\"data\":{{\"email\":\"u{at}@example.com\"}}}}\n"),
    };
    let text: String = (0..LINES).map(line).collect();
    let mut state = 7;
    let mut told: Vec<Option<LineAnswer>> = vec![None; LINES + 1];
    let mut note = |answered: &Answered| {
        for answer in &answered.lines {
            let known = &mut told[answer.line as usize];
            assert!(
                known.is_none() || known.as_ref() == Some(answer),
                "{answer:?}"
            );
            *known = Some(answer.clone());
        }
    };
    for _ in 0..cuts() {
        let at = random(&mut state, text.len());
        let mut parts: Vec<Result<Bytes, Error>> = text.as_bytes()[..at]
            .chunks(1 + random(&mut state, 40_000))
            .map(|part| Ok(Bytes::copy_from_slice(part)))
            .collect();
        parts.push(Err(Error::failed("cut")));
        let most = random(&mut state, 120_000);
        // What is cut early has no answer at all.
        if let Ok(answered) = send(&store, request(&LEAD, "", Some("cut")), parts, most).await {
            note(&answered);
        }
    }
    let whole = || vec![Ok(Bytes::from(text.clone()))];
    let answered = send(&store, request(&LEAD, "", Some("cut")), whole(), usize::MAX).await;
    let answered = answered.unwrap();
    note(&answered);
    let end = answered.end();
    assert_eq!(end.error, None);
    assert_eq!((end.counts.created, end.counts.refused), (1_020, 340));
    // Each line once, in the table and in the ledger, and in one group.
    let leads = records(&store, &LEAD, "fields=email").await;
    let mut addresses: Vec<&str> = leads
        .iter()
        .filter_map(|one| one.get("email").text())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!((leads.len(), addresses.len()), (1_020, 1_020));
    let changes = records(&store, &CHANGE, "").await;
    assert_eq!(changes.len(), 1_020);
    let group = end.group.unwrap();
    assert!(
        changes
            .iter()
            .all(|one| one.get("group").int() == Some(group))
    );
    // Once more: everything is known.
    let again = send(&store, request(&LEAD, "", Some("cut")), whole(), usize::MAX)
        .await
        .unwrap();
    assert_eq!(again.lines, answered.lines);
    assert_eq!(
        (again.end().counts.replayed, again.end().group),
        (1_360, Some(group))
    );
    // Other lines under the same key are refused, and so are fewer or more of them.
    let other = text.replace("u1602@", "other@");
    let short = text.lines().take(1_000).collect::<Vec<_>>().join("\n");
    let long = format!("{text}{}", line(2));
    for wrong in [other, short, long] {
        let parts = vec![Ok(Bytes::from(wrong))];
        let refused = send(&store, request(&LEAD, "", Some("cut")), parts, usize::MAX).await;
        let error = refused.unwrap().end.unwrap().error.unwrap();
        assert_eq!(error.code, Code::KeyReused);
    }
    let first = vec![Ok(Bytes::from("{\"op\":\"delete\",\"id\":1}\n"))];
    let refused = send(&store, request(&LEAD, "", Some("cut")), first, usize::MAX).await;
    assert_eq!(refused.err().unwrap().code, Code::KeyReused);
    undo(&store, group).await;
    assert!(ids(&store, &LEAD, "").await.is_empty());
}

pub async fn two_requests_with_one_key_do_each_line_once(store: AnyStore) {
    let line = |at: usize| json!({"op": "create", "data": {"email": format!("u{at}@example.com")}});
    let lines: Vec<Value> = (0..1_300).map(line).collect();
    let both = [(); 2].map(|()| try_bulk(&store, &LEAD, "", Some("both"), &lines));
    let both = futures_util::future::join_all(both).await;
    for answered in both {
        let answered = answered.unwrap();
        assert_eq!(answered.end().counts.created, 1_300);
        assert_eq!(answered.end().error, None);
    }
    assert_eq!(ids(&store, &LEAD, "").await.len(), 1_300);
    assert_eq!(records(&store, &CHANGE, "").await.len(), 1_300);
}

/// Reads a line of a chunked answer: chunks of one line each, as they are when lines come one by one.
fn answer_line(reader: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.starts_with('{') {
            return line;
        }
        assert!(!line.is_empty(), "the answer ended");
    }
}

#[test]
fn a_line_is_answered_before_the_next_one_is_sent() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    let mut connection = TcpStream::connect(server.address()).unwrap();
    let head = "POST /leads/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    for at in 1..=3 {
        let line = format!("{{\"op\":\"create\",\"data\":{{\"email\":\"u{at}@example.com\"}}}}\n");
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        connection.write_all(chunk.as_bytes()).unwrap();
        let answer: Value = serde_json::from_str(&answer_line(&mut reader)).unwrap();
        assert_eq!((&answer["line"], &answer["id"]), (&json!(at), &json!(at)));
        // What is answered is saved.
        let saved = home
            .crm(["lead", "list", "--db", "crm.db", "-o", "id"])
            .ok();
        assert_eq!(saved.lines().count(), at);
    }
    connection.write_all(b"0\r\n\r\n").unwrap();
    let end: Value = serde_json::from_str(&answer_line(&mut reader)).unwrap();
    assert_eq!(end["end"]["created"], 3);
    // The connection is kept for the next request.
    connection
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut reader, &mut rest).unwrap();
    assert!(rest.contains("HTTP/1.1 200 OK"), "{rest}");
}

#[tokio::test]
async fn lines_have_limits_and_a_request_has_none() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--max-body", "2000"]);
    let url = format!("http://{}/leads/bulk", server.address());
    let ask = |media: &str, query: &str, body: String| {
        let request = client().post(format!("{url}{query}"));
        let request = request.header("content-type", media.to_string()).body(body);
        async move {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    let line = |name: &str| {
        format!(
            "{{\"op\":\"create\",\"data\":{{\"email\":\"a@example.com\",\"name\":\"{name}\"}}}}\n"
        )
    };
    // Far more than one body may have, in lines that each are small enough.
    let mut text: String = (0..300).map(|_| line("Ada")).collect();
    text.push_str(&line(&"x".repeat(3_000)));
    text.push_str("{\"op\":\"create\",\"data\":");
    text.push_str(&"[".repeat(200));
    text.push('\n');
    text.push_str("\u{fffd}\n");
    text.push_str(&line("last"));
    let (status, told) = ask("application/x-ndjson", "?answers=refused", text).await;
    let told: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(status, 200);
    let refused: Vec<(u64, u64)> = told[..told.len() - 1]
        .iter()
        .map(|line| {
            (
                line["line"].as_u64().unwrap(),
                line["status"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(refused, [(301, 413), (302, 400), (303, 400)]);
    assert_eq!(told[3]["end"]["created"], 301);
    let (status, told) = ask("application/json", "", line("Ada")).await;
    assert_eq!(status, 415, "{told}");
    let (status, told) = ask("application/x-ndjson", "?colour=red", line("Ada")).await;
    assert_eq!(status, 400, "{told}");
    let (status, told) = ask("application/x-ndjson", "?key=name", line("Ada")).await;
    assert_eq!(status, 400, "{told}");
    let (status, told) = ask("application/x-ndjson", "?answers=records", line("Bob")).await;
    let first: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!((status, &first["data"]["name"]), (200, &json!("Bob")));
}

#[test]
fn a_file_of_many_records_is_one_request() {
    let home = Home::new();
    let text = "{\"email\": \"a@example.com\"}\n{\"email\": \"wrong\"}\n{\n\"email\": \"c@example.com\"}\n";
    home.write("many.ndjson", text);
    let run = home
        .line("lead create --json many.ndjson -o id --db crm.db")
        .run();
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(2), "1\n2\n"),
        "{run:?}"
    );
    assert!(
        run.stderr.contains("many.ndjson: line 2: email: expected"),
        "{run:?}"
    );
    assert!(
        run.stderr
            .contains("created 2, refused 1; take it back with: crm undo 1"),
        "{run:?}"
    );
    let array = "[{\"id\": 1, \"name\": \"A\"}, {\"id\": 2, \"name\": \"C\"}, {\"name\": \"x\"}, {\"id\": 9, \"name\": \"x\"}]";
    home.write("array.json", array);
    let run = home
        .line("lead update --json array.json -o csv --fields name --db crm.db")
        .run();
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(2), "name\nA\nC\n"),
        "{run:?}"
    );
    assert!(run.stderr.contains("line 1: id: is required"), "{run:?}");
    // What is listed can be written back, and changes nothing.
    let back = "lead list -o ndjson --db crm.db > all.ndjson; crm lead update --json all.ndjson --db crm.db -o id";
    let run = home.shell(&format!("crm {back}")).run();
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), "1\n2\n"),
        "{run:?}"
    );
    assert!(run.stderr.contains("unchanged 2"), "{run:?}");
    assert!(!run.stderr.contains("undo"), "{run:?}");
    home.write("none.json", "[]");
    assert_eq!(
        home.line("lead create --json none.json -o json --db crm.db")
            .ok(),
        "[]\n"
    );
    home.line("lead update --db crm.db --name x").fails(2);
    home.line("lead update --json array.json --if-match 1 --db crm.db")
        .fails(2);
    home.line("lead update 1 --json array.json --db crm.db")
        .fails(2);
}

#[test]
fn why_lines_were_refused_is_forgotten_with_an_erased_record() {
    let home = Home::new();
    let secret = "quillfeather";
    let (line, server) = (
        format!("{{\"op\":\"create\",\"data\":{{\"email\":\"{secret}\"}}}}\n"),
        home.serve(&["--db", "crm.db"]),
    );
    let head = format!(
        "POST /leads/bulk HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{line}",
        line.len()
    );
    let ask = || {
        let answer = crate::http::exchange(server.address(), head.as_bytes(), false);
        answer.text().to_string()
    };
    assert!(ask().contains(secret) && ask().contains(secret));
    home.line("lead create --email other@example.com --db crm.db")
        .ok();
    home.line("lead erase 1 --yes --db crm.db").ok();
    let told = ask();
    assert!(
        !told.contains(secret) && told.contains("\"status\":400"),
        "{told}"
    );
    assert!(told.contains("\"replayed\":1"), "{told}");
}
