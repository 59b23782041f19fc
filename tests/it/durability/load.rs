//! Clients that write, and the book of what each was told.
//!
//! Every write carries words that no other has: the mark of its lead and a number, `"write":"r1c2n3/4"`, in the attributes
//! of what it writes. So the book can tell what has to be there, what may be, and what must not.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::random;
use crate::http::connect;
use crate::ledger;
use crate::support::{Home, wait_for};

/// A connection that stays open.
pub struct Wire {
    stream: BufReader<TcpStream>,
    /// Whether the last answer said when to try again.
    pub retry_after: bool,
}

impl Wire {
    pub fn open(address: &str) -> Wire {
        Wire {
            stream: BufReader::new(connect(address)),
            retry_after: false,
        }
    }

    /// Sends a request and reads the status and the body of its answer. `None` where the connection ended first: an
    /// answer that was cut is none.
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).ok()?;
        let status = self.line()?.split(' ').nth(1)?.parse().ok()?;
        let mut length = None;
        self.retry_after = false;
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok();
            }
            self.retry_after |= name.eq_ignore_ascii_case("retry-after");
        }
        let mut body = vec![0; length.expect("answers to writes have a length")];
        self.stream.read_exact(&mut body).ok()?;
        Some((status, String::from_utf8(body).unwrap()))
    }

    /// A line without its end, unless it was cut.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        line.strip_suffix("\r\n").map(str::to_string)
    }
}

/// What a client knows of one of its leads and of the action with it.
pub struct Lead {
    mark: String,
    /// Known once the create was acknowledged.
    id: Option<i64>,
    /// The number of the last write of the lead that was acknowledged; its create is 0.
    heard: u32,
    /// The number of the last one that was sent.
    sent: u32,
    /// Whether its create was answered with "nothing was saved".
    refused: bool,
    action: Fate,
    /// With its action.
    deletion: Fate,
}

/// How far a write that is sent once has come, as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unsent,
    Sent,
    Acknowledged,
}

impl Lead {
    /// One whose create was sent.
    fn new(mark: String) -> Lead {
        Lead {
            mark,
            id: None,
            heard: 0,
            sent: 0,
            refused: false,
            action: Fate::Unsent,
            deletion: Fate::Unsent,
        }
    }

    /// One whose create was acknowledged.
    pub fn created(mark: String, id: i64) -> Lead {
        Lead {
            id: Some(id),
            ..Lead::new(mark)
        }
    }

    /// What the next update is to write; it counts as sent.
    pub fn next(&mut self) -> String {
        self.sent += 1;
        write(&self.mark, self.sent)
    }

    /// The update that was sent last was acknowledged.
    pub fn updated(&mut self) {
        self.heard = self.sent;
    }

    /// The words of each write that was acknowledged; a deletion has none.
    pub fn acknowledged(&self) -> Vec<String> {
        let own = self.id.map(|_| 0..=self.heard).into_iter().flatten();
        let action = Some(format!("{}/action", self.mark));
        let action = action.filter(|_| self.action == Fate::Acknowledged);
        own.map(|number| write(&self.mark, number))
            .chain(action)
            .collect()
    }
}

/// The address of the lead with this mark.
pub fn email(mark: &str) -> String {
    format!("{mark}@example.com")
}

/// The words of the write with this number of the lead with this mark.
pub fn write(mark: &str, number: u32) -> String {
    format!("{mark}/{number}")
}

/// Clients that write, each on a connection of its own and one request after the other.
pub struct Load {
    clients: Vec<JoinHandle<Vec<Lead>>>,
    progress: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    refusals: Arc<Refusals>,
}

/// What clients were told while the database was away, or its disk failed.
#[derive(Default)]
pub struct Refusals {
    /// How often that nothing was saved.
    pub not_saved: AtomicUsize,
    /// How often that, as the disk is full.
    pub full: AtomicUsize,
    /// How often that nobody knows.
    pub unknown: AtomicUsize,
    /// How long the longest answer took, in milliseconds.
    pub longest: AtomicUsize,
}

impl Refusals {
    /// How many there were.
    pub fn count(&self) -> usize {
        let counts = [&self.not_saved, &self.full, &self.unknown];
        counts
            .map(|count| count.load(Ordering::Relaxed))
            .iter()
            .sum()
    }
}

/// How a request ended that was not acknowledged.
enum Told {
    /// With its connection.
    Nothing,
    /// 503, or 507
    NotSaved,
    /// 504
    Unknown,
}

impl Load {
    /// `name` is the beginning of all marks.
    pub fn start(address: &str, clients: usize, name: &str) -> Load {
        Load::begin(address, clients, name, false)
    }

    /// Clients that go on when they are told that the database is away, or its disk full.
    pub fn patient(address: &str, clients: usize, name: &str) -> Load {
        Load::begin(address, clients, name, true)
    }

    fn begin(address: &str, clients: usize, name: &str, patient: bool) -> Load {
        let refusals: Arc<Refusals> = Arc::default();
        let progress = Arc::new(AtomicUsize::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let clients = (0..clients).map(|number| {
            let mut client = Client {
                // Here, so that all are connected when the load has begun.
                wire: Wire::open(address),
                leads: Vec::new(),
                progress: progress.clone(),
                refusals: patient.then(|| refusals.clone()),
            };
            let name = format!("{name}c{number}");
            let over = over.clone();
            std::thread::spawn(move || {
                for number in 0.. {
                    let ended = client.lead(format!("{name}n{number}")).is_none();
                    if ended || over.load(Ordering::Relaxed) {
                        break;
                    }
                }
                client.leads
            })
        });
        Load {
            clients: clients.collect(),
            progress,
            over,
            refusals,
        }
    }

    /// What they were told while the database was away.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// How many writes were acknowledged so far.
    pub fn progress(&self) -> usize {
        self.progress.load(Ordering::Relaxed)
    }

    /// Waits until some writes were acknowledged, how many is chance. Half of the time the moment is the one after an
    /// answer, where one that went out too early is found; else it is any part of a commit.
    pub fn until_some_moment(&self, most: u64) {
        let enough = 20 + random(most) as usize;
        wait_for("writes", || self.progress() >= enough);
        let next = self.progress();
        while self.progress() == next && !self.clients.iter().any(JoinHandle::is_finished) {
            std::hint::spin_loop();
        }
        if random(2) == 0 {
            std::thread::sleep(Duration::from_micros(random(3_000)));
        }
    }

    /// What the clients know, once they have ended by themselves or by the server's end.
    pub fn end(self) -> Vec<Lead> {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.clients.into_iter().map(|client| client.join());
        ended.flat_map(|leads| leads.unwrap()).collect()
    }
}

struct Client {
    wire: Wire,
    leads: Vec<Lead>,
    progress: Arc<AtomicUsize>,
    /// Where one that is told that the database is away goes on.
    refusals: Option<Arc<Refusals>>,
}

impl Client {
    /// Creates a lead, updates it, creates an action with it, updates it again, and deletes every third. `None` where the
    /// connection ended.
    fn lead(&mut self, mark: String) -> Option<()> {
        let at = self.leads.len();
        self.leads.push(Lead::new(mark));
        match self.steps(at) {
            Err(Told::Nothing) => None,
            Ok(()) | Err(Told::NotSaved | Told::Unknown) => Some(()),
        }
    }

    fn steps(&mut self, at: usize) -> Result<(), Told> {
        let mark = self.leads[at].mark.clone();
        let attributes = json!({ "write": write(&mark, 0) });
        let lead = json!({ "email": email(&mark), "attributes": attributes });
        let told = self.tell("POST", "/leads", lead);
        self.leads[at].refused = matches!(told, Err(Told::NotSaved));
        let id = told?;
        self.leads[at].id = Some(id);
        self.update(at, id)?;
        let attributes = json!({ "write": format!("{mark}/action") });
        let action = json!({ "lead_id": id, "action_type": "call", "attributes": attributes });
        self.leads[at].action = Fate::Sent;
        let told = self.tell("POST", "/actions", action);
        if let Err(Told::NotSaved) = told {
            self.leads[at].action = Fate::Unsent;
        }
        told?;
        self.leads[at].action = Fate::Acknowledged;
        self.update(at, id)?;
        if at % 3 != 2 {
            return Ok(());
        }
        self.leads[at].deletion = Fate::Sent;
        let path = format!("/leads/{id}?cascade=true");
        let told = self.tell("DELETE", &path, Value::Null);
        if let Err(Told::NotSaved) = told {
            self.leads[at].deletion = Fate::Unsent;
        }
        told?;
        self.leads[at].deletion = Fate::Acknowledged;
        Ok(())
    }

    fn update(&mut self, at: usize, id: i64) -> Result<(), Told> {
        let body = json!({ "attributes": { "write": self.leads[at].next() } });
        let told = self.tell("PUT", &format!("/leads/{id}"), body);
        if let Err(Told::NotSaved) = told {
            self.leads[at].sent -= 1;
        }
        told?;
        self.leads[at].updated();
        Ok(())
    }

    /// The id in the acknowledgement; 0 for a deletion, which has none. Nothing but that may come, or that the database is
    /// away.
    fn tell(&mut self, method: &str, path: &str, body: Value) -> Result<i64, Told> {
        let asked = Instant::now();
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let answer = self.wire.ask(method, path, &body);
        let (status, answer) = answer.ok_or(Told::Nothing)?;
        if let Some(refusals) = &self.refusals {
            let took = asked.elapsed().as_millis() as usize;
            refusals.longest.fetch_max(took, Ordering::Relaxed);
            let (count, outcome) = match status {
                503 => (&refusals.not_saved, Told::NotSaved),
                507 => (&refusals.full, Told::NotSaved),
                _ => (&refusals.unknown, Told::Unknown),
            };
            if matches!(status, 503 | 504 | 507) {
                assert_eq!(self.wire.retry_after, status == 503, "{status}: {answer}");
                let told: Value = serde_json::from_str(&answer).unwrap();
                assert!(told["error"].is_string(), "{status}: {answer}");
                count.fetch_add(1, Ordering::Relaxed);
                // As a client does that is told to try again later.
                std::thread::sleep(Duration::from_millis(20));
                return Err(outcome);
            }
        }
        let expected = if method == "POST" { 201 } else { 200 };
        assert_eq!(status, expected, "{method} {path}: {answer}");
        self.progress.fetch_add(1, Ordering::Relaxed);
        let record: Value = serde_json::from_str(&answer).unwrap();
        if method == "DELETE" {
            return Ok(0);
        }
        record["id"].as_i64().ok_or(Told::Nothing)
    }
}

/// What all clients together know.
#[derive(Default)]
pub struct Book {
    leads: HashMap<String, Lead>,
    acknowledged: usize,
    changes: usize,
}

impl Book {
    pub fn enter(&mut self, leads: Vec<Lead>) {
        for lead in leads {
            self.acknowledged += lead.acknowledged().len();
            self.acknowledged += usize::from(lead.deletion == Fate::Acknowledged);
            let before = self.leads.insert(lead.mark.clone(), lead);
            assert!(before.is_none(), "two clients use one mark");
        }
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Compares the book with the database as crm reads it, and the records with their changes. Answers what is lost of
    /// what was acknowledged; anything doubled, changed or made up is a failed test, and so is a record without its
    /// change. What was in flight is settled by this: it has to stay as it was found.
    pub fn compare(&mut self, home: &Home, database: &str) -> Vec<String> {
        let lost = self.settle(home, database);
        self.changes = ledger::agree(&place(home, database));
        lost
    }

    /// How many changes the last comparison has replayed.
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// Compares the book alone with a database that may be damaged.
    pub fn settle(&mut self, home: &Home, database: &str) -> Vec<String> {
        let mut lost = Vec::new();
        let mut found = HashMap::new();
        for stored in records(home, database, "lead", "id,email,attributes") {
            let (mark, number) = words(&stored);
            let id = stored["id"].as_i64().unwrap();
            let Some(lead) = self.leads.get_mut(&mark) else {
                panic!("nobody has sent {stored}");
            };
            assert!(!lead.refused, "was told not to be saved: {stored}");
            assert_eq!(stored["email"], email(&mark).as_str(), "{stored}");
            assert_eq!(*lead.id.get_or_insert(id), id, "another id: {stored}");
            let number: u32 = number.parse().unwrap();
            assert!(number <= lead.sent, "nobody has sent {stored}");
            if number < lead.heard {
                lost.push(write(&mark, lead.heard));
            }
            (lead.heard, lead.sent) = (number, number);
            if lead.deletion == Fate::Acknowledged {
                lost.push(format!("{mark}/deleted"));
            }
            lead.deletion = Fate::Unsent;
            assert_eq!(found.insert(mark, id), None, "doubled: {stored}");
        }
        let mut actions = HashSet::new();
        for stored in records(home, database, "action", "id,lead_id,attributes") {
            let (mark, number) = words(&stored);
            assert_eq!(number, "action", "{stored}");
            let lead = stored["lead_id"].as_i64();
            assert!(lead.is_some(), "without its lead: {stored}");
            assert_eq!(found.get(&mark).copied(), lead, "of another lead: {stored}");
            assert_ne!(self.leads[&mark].action, Fate::Unsent, "{stored}");
            assert!(actions.insert(mark), "doubled: {stored}");
        }
        self.leads.retain(|mark, lead| {
            let is_there = found.contains_key(mark);
            let acted = actions.contains(mark);
            if !is_there {
                if lead.deletion == Fate::Unsent {
                    lost.extend(lead.acknowledged());
                }
            } else if !acted && lead.action == Fate::Acknowledged {
                lost.push(format!("{mark}/action"));
            }
            lead.action = match acted {
                true => Fate::Acknowledged,
                false => Fate::Unsent,
            };
            is_there
        });
        lost
    }
}

/// A database of this home, by its path or its URL.
pub fn place(home: &Home, database: &str) -> String {
    match database.starts_with("postgres") {
        true => database.into(),
        false => home.path(database).to_str().unwrap().into(),
    }
}

/// The mark and the number that a record was written with last.
fn words(stored: &Value) -> (String, String) {
    let words = stored["attributes"]["write"].as_str();
    let (mark, number) = words
        .unwrap_or_default()
        .split_once('/')
        .unwrap_or_else(|| {
            panic!("no client writes such a record: {stored}");
        });
    (mark.into(), number.into())
}

/// All records of a noun, read by a command.
fn records(
    home: &Home,
    database: &str,
    noun: &str,
    fields: &str,
) -> impl Iterator<Item = Value> + use<> {
    let listed = home
        .crm([
            noun, "list", "-o", "ndjson", "--fields", fields, "--db", database,
        ])
        .ok();
    let lines: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    lines.into_iter()
}
