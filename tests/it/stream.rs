//! Streams of changes: events, places, filters, ends, limits, and readers that are cut off and resume.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crm::model::query::{Query, pairs};
use crm::server::settings::ServerSettings;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::views::changes::CHANGE;
use serde_json::{Value, json};

use crate::cluster;
use crate::http::Api;
use crate::support::{Home, Server, Service, client, wait_for};

/// Longer than any limit of the service.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream that is being read.
pub struct Stream {
    reader: BufReader<TcpStream>,
    /// The head of the answer, in lower case.
    pub head: String,
    /// What has arrived and was not read.
    text: String,
}

/// A block of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub id: Option<String>,
    pub data: Option<String>,
    /// The other lines.
    rest: Vec<String>,
}

impl Block {
    fn change(&self) -> Value {
        serde_json::from_str(self.data.as_ref().unwrap()).unwrap()
    }

    fn seq(&self) -> i64 {
        self.change()["seq"].as_i64().unwrap()
    }
}

impl Stream {
    /// Asks for a stream with this query and these header lines.
    pub fn ask(address: &str, query: &str, headers: &str) -> Stream {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let path = format!("/changes/stream{query}");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(socket);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        Stream {
            reader,
            head: head.to_lowercase(),
            text: String::new(),
        }
    }

    /// A stream from its beginning, with its first cursor.
    pub fn begin(address: &str, query: &str, headers: &str) -> (Stream, String) {
        let mut stream = Stream::ask(address, query, headers);
        assert!(
            stream.head.starts_with("http/1.1 200 ok\r\n"),
            "{}",
            stream.head
        );
        let first = stream.block().unwrap();
        assert_eq!(first.rest, ["retry: 1000"], "{first:?}");
        assert_eq!(first.data, None);
        (stream, first.id.unwrap())
    }

    /// The next block, `None` at the end of the stream, as an error where it broke off.
    pub fn read(&mut self) -> std::io::Result<Option<Block>> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let mut read = Block::default();
                for line in block.lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => read.id = Some(id.into()),
                        Some(("data", data)) => read.data = Some(data.into()),
                        _ => read.rest.push(line.into()),
                    }
                }
                self.text = rest.into();
                return Ok(Some(read));
            }
            let mut size = String::new();
            if self.reader.read_line(&mut size)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk)?;
            if size == 0 {
                assert_eq!(self.text, "");
                return Ok(None);
            }
            self.text += std::str::from_utf8(&chunk[..size]).unwrap();
        }
    }

    pub fn block(&mut self) -> Option<Block> {
        self.read().unwrap()
    }

    /// The next event. Blocks without data are left out.
    pub fn event(&mut self) -> Block {
        loop {
            let block = self.block().expect("an event");
            if block.data.is_some() {
                return block;
            }
        }
    }
}

fn create(api: &Api, name: &str) {
    let body = json!({"email": format!("{name}@example.com"), "name": name}).to_string();
    assert_eq!(api.post("/leads", &body).status, 201);
}

#[test]
fn each_change_is_an_event_with_the_cursor_after_it() {
    let api = Api::start();
    let address = api.server.address();
    create(&api, "before");
    let (mut stream, begin) = Stream::begin(address, "", "");
    for header in [
        "content-type: text/event-stream\r\n",
        "cache-control: no-store\r\n",
        "x-accel-buffering: no\r\n",
        "connection: close\r\n",
        "x-request-id: ",
    ] {
        assert!(stream.head.contains(header), "{header}: {}", stream.head);
    }
    assert!(!stream.head.contains("content-encoding"), "{}", stream.head);
    for name in ["one", "two", "three"] {
        create(&api, name);
    }
    let events: Vec<Block> = (0..3).map(|_| stream.event()).collect();
    // The data is what the list has.
    let listed = api.get(&format!("/changes?after={begin}"));
    let told: Vec<Value> = events.iter().map(Block::change).collect();
    assert_eq!(listed.json(), Value::from(told));
    assert!(events.iter().all(|event| event.rest.is_empty()));
    let ids: Vec<&str> = events
        .iter()
        .map(|event| event.id.as_deref().unwrap())
        .collect();
    // Whoever reads on from an event gets what follows it, from the list and from a stream; the header comes first.
    let rest = api.get(&format!("/changes?after={}", ids[1]));
    assert_eq!(rest.json(), json!([events[2].change()]));
    let last = format!("Last-Event-ID: {}\r\n", ids[0]);
    for (query, headers) in [
        (format!("?after={}", ids[0]), ""),
        (format!("?after={}", ids[2]), last.as_str()),
        ("?after=end".into(), last.as_str()),
    ] {
        let (mut again, first) = Stream::begin(address, &query, headers);
        assert_eq!(first, ids[0]);
        assert_eq!(
            [again.event(), again.event()],
            [events[1].clone(), events[2].clone()]
        );
    }
    // An empty header is none.
    let (_, end) = Stream::begin(address, "", "Last-Event-ID: \r\n");
    assert_eq!(end, ids[2]);
}

#[test]
fn a_stream_that_begins_far_back_catches_up_and_goes_on() {
    let api = Api::start();
    let (_, begin) = Stream::begin(api.server.address(), "", "");
    for number in 0..250 {
        create(&api, &format!("n{number}"));
    }
    let query = format!("?after={begin}");
    let (mut stream, _) = Stream::begin(api.server.address(), &query, "");
    for number in 0..250 {
        assert_eq!(
            stream.event().change()["record"]["name"],
            format!("n{number}")
        );
    }
    create(&api, "last");
    assert_eq!(stream.event().change()["record"]["name"], "last");
}

#[tokio::test]
async fn filters_hold_and_the_place_moves_on_without_events() {
    let mut settings = ServerSettings::default();
    settings.requests.heartbeat = Duration::from_millis(20);
    let service = Service::with(settings).await;
    let url = service.url.clone();
    let address = url.strip_prefix("http://").unwrap().to_string();
    let http = client();
    let post = async |name: &str| {
        let lead = json!({"email": format!("{name}@example.com"), "name": name});
        let post = http.post(format!("{url}/leads"));
        let post = post.header("content-type", "application/json");
        let sent = post.body(lead.to_string()).send().await;
        assert_eq!(sent.unwrap().status(), 201);
    };
    let asked = address.clone();
    let (mut stream, begin) = tokio::task::spawn_blocking(move || {
        Stream::begin(
            &asked,
            "?type=lead.*&record=like:%25four%25&fields=seq,type",
            "",
        )
    })
    .await
    .unwrap();
    for name in ["one", "two", "three"] {
        post(name).await;
    }
    let read = tokio::task::spawn_blocking(move || {
        // A heartbeat has no id. Once the place has moved, a block with an id alone comes before it.
        let mut last = None;
        loop {
            let block = stream.block().unwrap();
            assert_eq!(block.data, None);
            match block.id {
                Some(id) => {
                    assert!(block.rest.is_empty());
                    last = Some(id);
                }
                None => assert_eq!(block.rest, [":"]),
            }
            if let Some(last) = &last
                && *last != begin
            {
                return (stream, last.clone());
            }
        }
    });
    let (mut stream, mut place) = read.await.unwrap();
    let seq = async |cursor: &str| {
        let list = http.get(format!("{url}/changes?after={cursor}"));
        let text = list.send().await.unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    // It moves up to the newest one.
    while seq(&place).await != json!([]) {
        let read = tokio::task::spawn_blocking(move || {
            loop {
                if let Some(id) = stream.block().unwrap().id {
                    return (stream, id);
                }
            }
        });
        (stream, place) = read.await.unwrap();
    }
    post("four").await;
    let event = tokio::task::spawn_blocking(move || stream.event())
        .await
        .unwrap();
    let change = event.change();
    assert_eq!(change["type"], "lead.created");
    assert_eq!(change.as_object().unwrap().len(), 2, "{change}");
    service.stop().await;
}

#[test]
fn what_cannot_be_streamed_is_refused_before_it_begins() {
    let api = Api::start();
    create(&api, "one");
    let other = Api::start();
    let (_, foreign) = Stream::begin(other.server.address(), "", "");
    let get = |query: &str, headers: &str| {
        api.send("GET", &format!("/changes/stream{query}"), headers, b"")
    };
    for (query, field) in [
        ("?sort=seq", "sort"),
        ("?limit=5", "limit"),
        ("?count=true", "count"),
        ("?colour=red", "colour"),
        ("?seq=x", "seq"),
        ("?after=x", "after"),
    ] {
        let refused = get(query, "");
        assert_eq!(refused.status, 400, "{query}");
        assert!(refused.json()["fields"][field].is_string(), "{refused:?}");
    }
    let refused = get("", "Last-Event-ID: x\r\n");
    assert_eq!(refused.status, 400);
    let error = refused.json();
    assert!(
        error["error"]
            .as_str()
            .unwrap()
            .starts_with("Last-Event-ID: "),
        "{error}"
    );
    assert!(error["fields"]["Last-Event-ID"].is_string(), "{error}");
    let twice = get("", "Last-Event-ID: x\r\nLast-Event-ID: x\r\n");
    assert_eq!(twice.status, 400);
    // A cursor of another database.
    assert_eq!(get(&format!("?after={foreign}"), "").status, 410);
    let gone = get("", &format!("Last-Event-ID: {foreign}\r\n"));
    assert_eq!(gone.status, 410);
    assert!(
        gone.json()["fields"]["Last-Event-ID"].is_string(),
        "{gone:?}"
    );
    let head = api.send("HEAD", "/changes/stream", "", b"");
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(api.post("/changes/stream", "{}").status, 405);
}

#[test]
fn a_stream_ends_with_its_token_and_with_the_service() {
    let api = Api::start();
    let address = api.server.address().to_string();
    let token = |name: &str| {
        let line = format!("token create {name} --scope read --db crm.db");
        api.home.line(&line).warned().trim().to_string()
    };
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let other = token("other");
    let refused = {
        let token = token("first");
        let (mut stream, _) = Stream::begin(&address, "", &bearer(&token));
        api.home.line("token revoke first --db crm.db").ok();
        // It is idle, and ends all the same.
        stream.read().unwrap_err().kind()
    };
    assert!(
        matches!(
            refused,
            ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
        ),
        "{refused}"
    );
    let (mut stream, begin) = Stream::begin(&address, "", &bearer(&other));
    // A filter that nothing meets: the place is told at the end.
    let (mut filtered, _) = Stream::begin(&address, "?type=process.deleted", &bearer(&other));
    let line = "lead create --email a@example.com --db crm.db";
    api.home.line(line).ok();
    let id = stream.event().id.unwrap();
    assert_ne!(id, begin);
    let (status, log) = api.server.stop();
    assert!(status.success());
    assert_eq!(stream.block(), None, "the stream has a normal end");
    assert_eq!(filtered.block().and_then(|block| block.id), Some(id));
    assert_eq!(filtered.block(), None);
    assert!(
        !log.contains("broke off") && !log.contains("cutting"),
        "{log}"
    );
}

#[test]
fn streams_keep_no_request_out() {
    let home = Home::new();
    let words = [
        "--db",
        "crm.db",
        "--max-connections",
        "3",
        "--max-streams",
        "8",
        "--max-connections-per-address",
        "7",
    ];
    let api = Api {
        server: home.serve(&words),
        home,
    };
    let address = api.server.address();
    let mut streams: Vec<Stream> = (0..7).map(|_| Stream::begin(address, "", "").0).collect();
    let refused = api.get("/changes/stream");
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    // All connections are free.
    let idle: Vec<TcpStream> = (0..2)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    // That of the refused stream may be held for another moment.
    wait_for("a free connection", || {
        let create = std::panic::AssertUnwindSafe(|| create(&api, "one"));
        std::panic::catch_unwind(create).is_ok()
    });
    drop(idle);
    for stream in &mut streams {
        assert_eq!(stream.event().change()["type"], "lead.created");
    }
    let metrics = |name: &str| {
        let text = String::from_utf8(api.get("/metrics").body).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap().rsplit_once(' ').unwrap().1.to_string()
    };
    assert_eq!(metrics("crm_streams"), "7");
    let hits = r#"crm_limits_hit_total{limit="max_connections_per_address"}"#;
    assert_eq!(metrics(hits), "1");
    // A place is free again when its reader is gone, which shows when something is sent.
    drop(streams);
    wait_for("the ends of the streams", || {
        create(&api, &format!("n{}", std::process::id()));
        api.send("DELETE", "/leads/2", "", b"");
        metrics("crm_streams") == "0"
    });
    Stream::begin(address, "", "");
}

/// A stream is an answer like any other: who does not take it is cut, once the system takes no more for them. Others go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_read_is_cut() {
    let mut settings = ServerSettings::default();
    settings.connections.limits.rate_window = Duration::from_millis(300);
    // So that what the systems take gives it no more than moments.
    settings.connections.limits.rate = 1 << 30;
    let service = Service::with(settings).await;
    let url = service.url.clone();
    let address = url.strip_prefix("http://").unwrap().to_string();
    let http = client();
    let post = async |number: usize, size: usize| {
        let lead = json!({"email": format!("u{number}@example.com"), "attributes": {"pad": "x".repeat(size)}});
        let post = http.post(format!("{url}/leads"));
        let post = post.header("content-type", "application/json");
        let sent = post.body(lead.to_string()).send().await;
        assert_eq!(sent.unwrap().status(), 201);
    };
    let streams = async || {
        let metrics = http.get(format!("{url}/metrics")).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("crm_streams "));
        line.unwrap().to_string()
    };
    let asked = address.clone();
    let (stopped, mut reading) = tokio::task::spawn_blocking(move || {
        let begin = |_| Stream::begin(&asked, "?fields=seq,record", "").0;
        (begin(0), begin(1))
    })
    .await
    .unwrap();
    let (seen, is_over) = (
        Arc::new(AtomicI64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (count, stop) = (seen.clone(), is_over.clone());
    let reader = tokio::task::spawn_blocking(move || {
        while !stop.load(Ordering::SeqCst) {
            count.store(reading.event().seq(), Ordering::SeqCst);
        }
        reading
    });
    let mut number = 0;
    while streams().await == "2" {
        number += 1;
        assert!(number < 200, "more than 100 MiB were taken for it");
        post(number, 512 * 1024).await;
        // The one that reads keeps up.
        while seen.load(Ordering::SeqCst) < number as i64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(streams().await, "1");
    is_over.store(true, Ordering::SeqCst);
    post(number + 1, 10).await;
    let reading = reader.await.unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), number as i64 + 1);
    // It has lost what was in flight.
    let mut rest = Vec::new();
    let mut socket = stopped.reader.into_inner();
    let end = tokio::task::spawn_blocking(move || socket.read_to_end(&mut rest));
    let end = end.await.unwrap();
    assert_eq!(
        end.map_err(|error| error.kind()),
        Err(ErrorKind::ConnectionReset)
    );
    drop(reading);
    service.stop().await;
}

/// Reads with a consumer that is cut off again and again and resumes, while writers write. Each change is there once and in
/// order.
fn is_complete(servers: &[&Server], database: &str) {
    const WRITERS: usize = 8;
    const CUTS: usize = 50;
    let (mut stream, mut last) = Stream::begin(servers[0].address(), "", "");
    let begin = last.clone();
    let done = AtomicBool::new(false);
    let mut got = Vec::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (address, done) = (servers[writer % servers.len()].address(), &done);
                scope.spawn(move || {
                    let mut number = 0;
                    while !done.load(Ordering::Relaxed) {
                        let email = format!("w{writer}n{number}@example.com");
                        let body = json!({ "email": email }).to_string();
                        let head = format!(
                            "POST /leads HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        let answer = crate::http::exchange(address, head.as_bytes(), false);
                        assert_eq!(answer.status, 201);
                        number += 1;
                    }
                    number
                })
            })
            .collect();
        for cut in 0..CUTS {
            // A few events, then the connection is gone, perhaps in the middle of one.
            for _ in 0..=cut % 7 {
                let event = stream.event();
                got.push(event.seq());
                last = event.id.unwrap();
            }
            let server = servers[cut % servers.len()];
            let resumed = format!("Last-Event-ID: {last}\r\n");
            stream = Stream::begin(server.address(), "", &resumed).0;
        }
        done.store(true, Ordering::Relaxed);
        let written: usize = writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum();
        while got.len() < written {
            got.push(stream.event().seq());
        }
        assert_eq!(got.len(), written);
    });
    let list = format!(
        "GET /changes?after={begin}&fields=seq HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        servers[0].address()
    );
    let listed = crate::http::exchange(servers[0].address(), list.as_bytes(), false).json();
    let listed = listed.as_array().unwrap().iter();
    let listed: Vec<i64> = listed
        .map(|change| change["seq"].as_i64().unwrap())
        .collect();
    assert_eq!(got, listed);
    crate::ledger::agree(database);
}

#[test]
fn a_reader_that_is_cut_off_misses_nothing() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--quiet"]);
    is_complete(&[&server], home.path("crm.db").to_str().unwrap());
}

#[tokio::test]
async fn a_reader_of_three_replicas_misses_nothing() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let test = tokio::task::spawn_blocking(move || {
        let home = Home::new();
        let serve = || home.serve(&["--db", &url, "--quiet"]);
        let servers = [serve(), serve(), serve()];
        is_complete(&servers.each_ref(), &url);
    });
    test.await.unwrap();
}

/// The conditions of a stream are those of the database.
pub async fn changes_meet_conditions_as_the_database_has_it(store: AnyStore) {
    use crm::model::draft::{Draft, Purpose};
    use crm::model::lead::{LEAD, OnDuplicate};
    use crm::ops::Records;
    let draft = |json: &str, purpose| Draft::from_json(&LEAD, json.as_bytes(), purpose).unwrap();
    for (email, name) in [
        ("ada@example.com", "Ada"),
        ("émile@example.com", "ÉMILE_%"),
        ("c@example.com", "x"),
    ] {
        let body = json!({"email": email, "name": name}).to_string();
        let lead = draft(&body, Purpose::Create);
        store.create(lead, OnDuplicate::Reject).await.unwrap();
    }
    let update = draft(r#"{"status": "won"}"#, Purpose::Update);
    store.update(2, update).await.unwrap();
    store.delete(&LEAD, 1, false).await.unwrap();
    let read = async |text: &str| {
        let query = Query::new(&CHANGE, pairs(text).unwrap()).unwrap();
        let mut listing = store.list(query).await.unwrap();
        let mut records = Vec::new();
        while let Some(more) = listing.next_chunk().await.unwrap() {
            records.extend(more);
        }
        records
    };
    let all = read("").await;
    assert_eq!(all.len(), 5);
    let seq = all[2].id();
    let at = all[3].get("at").text().unwrap().to_string();
    let mut found = 0;
    for text in [
        "type=lead.created",
        "type=ne:lead.created",
        "type=lead.*",
        "type=ne:lead.*",
        "type=in:lead.deleted,action.*",
        "type=gt:lead.created",
        "type=like:%25.DELETED",
        "type=gte:lead.*",
        "type=lt:lead.*",
        "id=2",
        "id=ne:2",
        "id=in:1,3",
        "id=gt:1",
        "id=lte:2",
        "id=is:null",
        &format!("seq={seq}"),
        &format!("seq=gt:{seq}"),
        &format!("seq=lte:{seq}"),
        &format!("group=in:{seq},99"),
        &format!("at={}", at.replace(' ', "T")),
        &format!("at=gte:{}", &at[..10]),
        &format!("at=lt:{}", &at[..10]),
        &format!("at=ne:{}", &at[..10]),
        &format!("at=gt:{}", &at[..10]),
        "previous=is:null",
        "previous=is:notnull",
        "previous=ne:x",
        "previous=like:%25new%25",
        "record=like:%25émile%25",
        "record=like:%25\\_\\%25%25",
        "record=gt:a",
        "on_behalf_of=is:null",
        "on_behalf_of=ne:ada",
        "on_behalf_of=ada",
        "by=is:notnull",
        "by=ne:-",
        "version=2",
        "version=gte:2",
        "operation=like:%25lead%25",
        "q=LEAD.DEL",
        "q=émile",
        "q=lead&type=like:lead.u%25&id=2",
    ] {
        let query = Query::new(&CHANGE, pairs(text).unwrap()).unwrap();
        let conditions = query.conditions();
        let met: Vec<i64> = all
            .iter()
            .filter(|one| conditions.are_met(one))
            .map(|one| one.id())
            .collect();
        let listed: Vec<i64> = read(text).await.iter().map(|one| one.id()).collect();
        assert_eq!(met, listed, "{text}");
        found += usize::from(!met.is_empty() && met.len() < all.len());
    }
    assert!(found > 15, "{found}");
}
