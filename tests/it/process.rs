//! The program as the system sees it: signals, crashes, several processes on one file.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::http::{Answer, Api, connect};
use crate::support::{Home, Run, Server, resolved, wait_for};

/// A create of a lead with this address, on a connection that stays open.
pub fn create(address: &str) -> Vec<u8> {
    let body = format!(r#"{{"email": "{address}"}}"#);
    let length = body.len();
    format!(
        "POST /leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends creates of leads one after the other until the connection ends. Answers the addresses that were acknowledged.
fn write_until_the_end(server: &str, name: &str, progress: &AtomicUsize) -> Vec<String> {
    let mut stream = connect(server);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let email = format!("{name}-{number}@example.com");
        if stream.write_all(&create(&email)).is_err() {
            return acknowledged;
        }
        // An answer that was cut is none.
        if reader.fill_buf().map_or(true, <[u8]>::is_empty) {
            return acknowledged;
        }
        let answer = Answer::read(&mut reader, false);
        assert_eq!(answer.status, 201, "{answer:?}");
        acknowledged.push(email);
        progress.fetch_add(1, Ordering::Relaxed);
    }
    unreachable!()
}

/// How often each address is in the database.
fn stored(home: &Home) -> HashMap<String, usize> {
    let mut count = HashMap::new();
    let listed = home
        .line("lead list -o csv --fields email --db crm.db")
        .ok();
    for email in listed.lines().skip(1) {
        *count.entry(email.to_string()).or_default() += 1;
    }
    count
}

#[test]
fn the_ready_line_shows_the_real_address_and_the_database() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    let port = server.url.rsplit(':').next().unwrap();
    assert_ne!(port.parse::<u16>().unwrap(), 0);
    assert!(server.line.contains("http://127.0.0.1:"), "{}", server.line);
    let path = home.path("crm.db").canonicalize().unwrap();
    assert!(
        server.line.ends_with(&format!("{}\n", path.display())),
        "{}",
        server.line
    );
    // Whoever has read the line is answered.
    assert_eq!(home.crm(["health", "--url", &server.url]).ok(), "ok\n");
}

#[test]
fn a_signal_ends_it_with_what_was_accepted_answered_and_a_tidy_file() {
    for signal in ["TERM", "INT"] {
        let home = Home::new();
        let mut server = home.serve(&["--db", "crm.db", "--quiet"]);
        let progress = AtomicUsize::new(0);
        let address = server.address().to_string();
        let acknowledged = std::thread::scope(|scope| {
            let clients = [0, 1, 2, 3].map(|client| {
                let (address, progress) = (&address, &progress);
                scope.spawn(move || write_until_the_end(address, &format!("c{client}"), progress))
            });
            wait_for("some writes", || progress.load(Ordering::Relaxed) > 50);
            server.signal(signal);
            clients.map(|client| client.join().unwrap())
        });
        let status = server.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{signal}");
        let mut log = String::new();
        server
            .child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        assert_eq!(log, "");
        for end in ["-wal", "-shm", "-journal"] {
            assert!(
                !home.path(&format!("crm.db{end}")).exists(),
                "{signal} left {end}"
            );
        }
        let stored = stored(&home);
        for email in acknowledged.iter().flatten() {
            assert_eq!(stored.get(email), Some(&1), "{signal}: {email}");
        }
        // What was read was answered: there is nothing in the file that nobody heard of.
        assert_eq!(
            stored.len(),
            acknowledged.iter().flatten().count(),
            "{signal}"
        );
    }
}

#[test]
fn a_request_whose_body_is_on_its_way_is_answered() {
    let api = Api::start();
    let request = create("late@example.com");
    let (start, end) = request.split_at(request.len() - 5);
    let mut stream = connect(api.server.address());
    stream.write_all(start).unwrap();
    // Connections are accepted in their order: that a later one was answered shows that this one was accepted.
    assert_eq!(api.get("/health").status, 200);
    api.server.signal("TERM");
    wait_for("the listener to close", || {
        std::net::TcpStream::connect(api.server.address()).is_err()
    });
    stream.write_all(end).unwrap();
    let answer = Answer::read(&mut BufReader::new(stream), false);
    assert_eq!(answer.status, 201);
    let Api { home, mut server } = api;
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert_eq!(stored(&home).len(), 1);
}

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let api = Api::start();
    let _silent = connect(api.server.address());
    let mut kept = connect(api.server.address());
    kept.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut reader = BufReader::new(kept);
    assert_eq!(Answer::read(&mut reader, false).status, 200);
    let start = Instant::now();
    let Api { server, .. } = api;
    let (status, _) = server.stop();
    assert_eq!(status.code(), Some(0));
    // Far less than the 8 s for answers that run.
    assert!(start.elapsed() < Duration::from_secs(4));
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
}

#[test]
fn a_server_that_wrote_nothing_leaves_a_whole_file_too() {
    let api = Api::start();
    let other = Connection::open(api.home.path("crm.db")).unwrap();
    other
        .execute_batch(
            "PRAGMA wal_autocheckpoint = 0;
             INSERT INTO leads (email, status, attributes, created_at, updated_at)
             VALUES ('a@example.com', 'new', '{}', '2026-01-31 09:30:00', '2026-01-31 09:30:00')",
        )
        .unwrap();
    let wal = api.home.path("crm.db-wal");
    assert!(wal.metadata().unwrap().len() > 0);
    let Api { server, home } = api;
    assert_eq!(server.stop().0.code(), Some(0));
    // The log stays for the other, but holds nothing that the file lacks.
    assert_eq!(home.path("crm.db-wal").metadata().unwrap().len(), 0);
    drop(other);
}

#[test]
fn a_second_server_on_a_port_is_told_so() {
    let home = Home::new();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let told = home
        .crm([
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--db",
            "crm.db",
        ])
        .fails(1);
    assert!(
        told.starts_with("error: ") && told.contains(&port),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    for end in ["-wal", "-shm"] {
        assert!(!home.path(&format!("crm.db{end}")).exists(), "left {end}");
    }
}

#[test]
fn a_start_that_fails_is_one_line_and_leaves_no_process() {
    let home = Home::new();
    std::fs::create_dir(home.path("folder")).unwrap();
    for (words, code) in [
        (&["--db", "folder"][..], 1),
        (&["--db", "nowhere/crm.db"], 1),
        (&["--db", "mysql://a/b"], 2),
        (&["--port", "70000"], 2),
        (&["--host", "not a host"], 2),
        (&["--host", "192.0.2.1", "--port", "0", "--db", "crm.db"], 1),
        (&["--config", "nothing.toml"], 2),
    ] {
        // It ends by itself, or this would not.
        let told = home.crm(["serve"].iter().chain(words)).fails(code);
        assert!(told.starts_with("error: "), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn too_few_open_files_are_told_in_a_line() {
    let home = Home::new();
    home.line("lead create --email a@example.com --db crm.db")
        .ok();
    let clear = |most: u64, run: Run| {
        let told = &run.stderr;
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(1), ""),
            "{most}: {run:?}"
        );
        assert!(
            told.starts_with("error: ") && told.lines().count() == 1,
            "{most}: {told}"
        );
        assert!(
            told.contains("open files") || told.contains("no more files"),
            "{most}: {told}"
        );
    };
    let with = |most: u64, command: &str| {
        home.shell(&format!("ulimit -n {most}; exec crm {command}"))
            .run()
    };
    // How many are enough differs by those that crm inherits from whoever runs the tests: so one more each time, until
    // it is enough. Each of the fewer must be told, whichever file it was that could not be opened.
    for command in [
        "lead create --email a@example.com --db crm.db",
        "backup b.db --db crm.db",
    ] {
        let mut refused = 0;
        let enough = (4..64).find(|&most| {
            let run = with(most, command);
            if run.code == Some(0) {
                return true;
            }
            clear(most, run);
            refused += 1;
            false
        });
        assert!(enough.is_some() && refused > 4, "{command}: {enough:?}");
    }
    // A service asks for more than it opens at first.
    for most in 4..32 {
        clear(
            most,
            with(most, "serve --host 127.0.0.1 --port 0 --db crm.db"),
        );
    }
    // What was refused saved nothing, and what was backed up is whole.
    for file in ["crm.db", "b.db"] {
        let ids = home.line(&format!("lead list -o id --db {file}")).ok();
        assert_eq!(ids, "1\n2\n", "{file}");
    }
}

#[test]
fn a_server_and_commands_share_a_file() {
    let api = Api::start();
    let home = &api.home;
    home.line("lead create --email a@example.com --db crm.db")
        .ok();
    assert_eq!(api.get("/leads/1").json()["email"], "a@example.com");
    assert_eq!(
        api.post("/leads", r#"{"email": "b@example.com"}"#).status,
        201
    );
    assert_eq!(
        home.line("lead get 2 -o csv --fields email --db crm.db")
            .ok(),
        "email\nb@example.com\n"
    );
    home.line("lead update 2 --status won --db crm.db").ok();
    assert_eq!(api.get("/leads/2").json()["status"], "won");
    home.line("lead delete 1 --yes --db crm.db").ok();
    assert_eq!(api.get("/leads/1").status, 404);
    // A second server is one more process on the file.
    let second = home.serve(&["--db", "crm.db"]);
    let url = second.url.as_str();
    home.crm(["lead", "create", "--email", "c@example.com", "--url", url])
        .ok();
    assert_eq!(api.get("/leads/3").json()["email"], "c@example.com");
    // Ids go on over all of them.
    assert_eq!(
        home.line("lead create --email d@example.com -o id --db crm.db")
            .ok(),
        "4\n"
    );
}

#[test]
fn a_server_and_commands_write_at_once() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--quiet"]);
    let progress = AtomicUsize::new(0);
    let address = server.address().to_string();
    let (served, commanded) = std::thread::scope(|scope| {
        let client = scope.spawn(|| write_until_the_end(&address, "served", &progress));
        let commands = [0, 1].map(|number| {
            let home = &home;
            scope.spawn(move || {
                for write in 0..10 {
                    let email = format!("command-{number}-{write}@example.com");
                    home.crm(["lead", "create", "--email", &email, "--db", "crm.db"])
                        .ok();
                }
            })
        });
        for command in commands {
            command.join().unwrap();
        }
        let (status, log) = server.stop();
        assert_eq!((status.code(), log.as_str()), (Some(0), ""));
        (client.join().unwrap().len(), 20)
    });
    assert!(served > 0);
    assert_eq!(stored(&home).len(), served + commanded);
}

#[test]
fn duplicates_are_refused_between_processes() {
    let api = Api::start();
    let codes = std::thread::scope(|scope| {
        let creates = [0, 1, 2, 3, 4, 5].map(|number| {
            let (home, url) = (&api.home, api.server.url.as_str());
            scope.spawn(move || {
                let words = [
                    "lead",
                    "create",
                    "--email",
                    "ada@example.com",
                    "--on-duplicate",
                    "reject",
                ];
                let place = if number % 2 == 0 {
                    ["--url", url]
                } else {
                    ["--db", "crm.db"]
                };
                home.crm(words.iter().chain(&place)).run().code
            })
        });
        creates.map(|create| create.join().unwrap())
    });
    let count = |code| codes.iter().filter(|found| **found == Some(code)).count();
    assert_eq!((count(0), count(5)), (1, 5), "{codes:?}");
}

#[test]
fn a_whole_list_stays_correct_while_writes_go_on() {
    const COUNT: usize = 20_000;
    let api = Api::start();
    Connection::open(api.home.path("crm.db"))
        .unwrap()
        .execute(
            "INSERT INTO leads (email, name, status, attributes, created_at, updated_at)
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
             SELECT 'kept' || i || '@example.com', printf('%.*c', 500, 'x'), 'kept', '{}',
                    '2026-01-31 09:30:00', '2026-01-31 09:30:00' FROM n",
            [COUNT as i64],
        )
        .unwrap();
    let progress = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let address = api.server.address().to_string();
    std::thread::scope(|scope| {
        // One makes leads, one deletes those that were made.
        scope.spawn(|| {
            let mut stream = connect(&address);
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while !over.load(Ordering::Relaxed) {
                stream.write_all(&create("new@example.com")).unwrap();
                let made = Answer::read(&mut reader, false);
                assert_eq!(made.status, 201);
                let made = resolved("/leads", made.header("location").unwrap());
                let delete = format!("DELETE {made} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                stream.write_all(delete.as_bytes()).unwrap();
                assert_eq!(Answer::read(&mut reader, false).status, 200);
                progress.fetch_add(1, Ordering::Relaxed);
            }
        });
        for path in [
            "/leads?fields=id,status",
            "/leads?fields=id,status&sort=-id",
            "/leads?fields=id,status&sort=-name,email",
        ] {
            let before = progress.load(Ordering::Relaxed);
            wait_for("the writer", || progress.load(Ordering::Relaxed) > before);
            let answer = api.get(path);
            assert_eq!(answer.status, 200);
            let leads: Vec<Value> = serde_json::from_str(answer.text()).unwrap();
            let mut kept: Vec<i64> = leads
                .iter()
                .filter(|lead| lead["status"] == "kept")
                .map(|lead| lead["id"].as_i64().unwrap())
                .collect();
            if path.ends_with("-id") {
                assert!(kept.is_sorted_by(|one, other| one > other));
            }
            kept.sort_unstable();
            assert!(kept.into_iter().eq(1..=COUNT as i64), "{path}");
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_stream_that_nobody_takes_is_cut_at_the_end() {
    let api = Api::start();
    drop(api.fill());
    let mut stream = connect(api.server.address());
    stream
        .write_all(b"GET /leads HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");
    let Api { home, server } = api;
    let start = Instant::now();
    let (status, _) = server.stop();
    assert_eq!(status.code(), Some(0));
    // 8 s, and some for a busy machine.
    assert!(start.elapsed() < Duration::from_secs(20));
    let mut rest = Vec::new();
    let _ = reader.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"));
    assert!(!home.path("crm.db-wal").exists());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let api = Api::start();
    drop(api.fill());
    let mut stream = connect(api.server.address());
    stream
        .write_all(b"GET /leads HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let Api { home, mut server } = api;
    server.signal("INT");
    wait_for("the listener to close", || {
        std::net::TcpStream::connect(server.address()).is_err()
    });
    server.signal("INT");
    assert_eq!(server.child.wait().unwrap().code(), Some(1));
    // Nothing is lost with it: the next one finds all that was written.
    let server: Server = home.serve(&["--db", "crm.db"]);
    assert_eq!(stored(&home).len(), 1_500);
    drop(server);
}
