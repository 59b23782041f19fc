//! Clients that read a streamed list slowly while others write: the write-ahead log is checkpointed all the same.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use super::load::Load;
use super::{length, say};
use crate::http::{Answer, connect, exchange};
use crate::support::{Home, Server, wait_for};

/// Leads that are never changed, each with a name of its own and of many letters.
fn fill(connection: &Connection, count: i64) {
    let filled = connection.execute(
        "INSERT INTO leads (email, name, status, attributes, created_at, updated_at)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
         SELECT 'a' || i || '@example.com', printf('%08d%.*c', i, 500, 'x'), 'kept', '{}',
                '2026-01-31 09:30:00', '2026-01-31 09:30:00' FROM n",
        [count],
    );
    assert_eq!(filled, Ok(count as usize));
}

/// A list that is read at 1,024 bytes a second until it is over, and then as fast as it comes.
fn read_slowly(server: &Server, path: &str, over: &AtomicBool) -> Answer {
    /// In a second.
    const STEPS: u32 = 16;
    let mut stream: TcpStream = connect(server.address());
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut read = Vec::new();
    let start = Instant::now();
    for step in 1.. {
        let mut some = [0; 1_024 / STEPS as usize];
        stream.read_exact(&mut some).unwrap();
        read.extend(some);
        if over.load(Ordering::Relaxed) {
            break;
        }
        let next = start + Duration::from_secs(1) / STEPS * step;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Answer::read(&mut BufReader::new(read.chain(stream)), false)
}

#[test]
fn slow_readers_do_not_hold_back_checkpoints() {
    // The promise is 64 MiB; the brief run could not write enough to break it, and is held to less.
    let bound = length(24 << 20, 64 << 20);
    let time = length(Duration::from_secs(5), Duration::from_secs(60));
    let count = length(20_000, 200_000);
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    let connection = Connection::open(home.path("crm.db")).unwrap();
    fill(&connection, count);
    // The index of the search takes over these records now, and not while the log is measured.
    wait_for("the index of the search", || {
        let request =
            b"GET /search?q=kept&limit=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let found = exchange(server.address(), request, false);
        found.status == 200 && found.header("x-unindexed-count").is_none()
    });
    let log = home.path("crm.db-wal");
    let size = || log.metadata().unwrap().len();
    let empty = || {
        wait_for("the log to be emptied", || {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            let busy: bool = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            !busy && size() == 0
        });
    };

    // The control: how many writes are enough where one snapshot is held.
    empty();
    connection
        .execute_batch("BEGIN; SELECT count(*) FROM leads")
        .unwrap();
    let load = Load::start(server.address(), 8, "control");
    wait_for("the log to grow beside a snapshot", || size() > bound);
    let enough = load.progress();
    drop(load.end());
    connection.execute_batch("COMMIT").unwrap();
    empty();

    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let lists = ["/leads?status=kept", "/leads?status=kept&sort=-name"];
        let readers = lists.map(|path| {
            let (server, over) = (&server, &over);
            scope.spawn(move || read_slowly(server, path, over))
        });
        let load = Load::start(server.address(), 8, "beside");
        let start = Instant::now();
        let mut largest = 0;
        while largest <= bound && (start.elapsed() < time || load.progress() < 2 * enough) {
            largest = largest.max(size());
            assert!(
                start.elapsed() < time + Duration::from_secs(60),
                "only {} writes",
                load.progress()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        let writes = load.progress();
        drop(load.end());
        over.store(true, Ordering::Relaxed);
        assert!(largest <= bound, "the log has grown to {largest} bytes");
        for (reader, path) in readers.into_iter().zip(lists) {
            let answer = reader.join().unwrap();
            let leads: Vec<Value> = serde_json::from_str(answer.text()).unwrap();
            let ids = leads.iter().map(|lead| lead["id"].as_i64().unwrap());
            let expected = 1..=count;
            match path.contains("sort") {
                true => assert!(ids.eq(expected.rev()), "{path}"),
                false => assert!(ids.eq(expected), "{path}"),
            }
        }
        say(&format!(
            "{:.0?} of slow readers of {count} leads: the log has grown to {} KiB in {writes} writes; beside a held \
             snapshot, the control, {enough} are enough for {} MiB",
            start.elapsed(),
            largest >> 10,
            bound >> 20
        ));
    });
}
