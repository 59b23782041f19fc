//! What can happen to the disk, the file and the process of a running server, each by its own cause: what writes are told,
//! what `/ready` says, that reads go on where they can, that writes come back when the cause is gone, and that nothing is
//! lost that was acknowledged.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::load::{Wire, place};
use super::power::{Disk, run};
use super::{integrity, needed};
use crate::http::connect;
use crate::ledger;
use crate::support::{Home, Server, wait_for};

/// A client that remembers the leads whose creates were acknowledged.
struct Client {
    wire: Wire,
    acknowledged: Vec<(i64, String)>,
    sent: usize,
}

impl Client {
    fn new(server: &Server) -> Client {
        Client {
            wire: Wire::open(server.address()),
            acknowledged: Vec::new(),
            sent: 0,
        }
    }

    /// Creates a lead with a name of its own, and a note of so many letters. Answers the status and the text.
    fn create(&mut self, letters: usize) -> (u16, String) {
        self.sent += 1;
        let name = format!("name-{}-of-its-own", self.sent);
        let note = "x".repeat(letters);
        let lead =
            json!({ "email": "a@example.com", "name": name, "attributes": { "note": note } });
        let (status, text) = self.wire.ask("POST", "/leads", &lead.to_string()).unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        if status == 201 {
            self.acknowledged
                .push((answer["id"].as_i64().unwrap(), name));
        } else {
            assert!(answer["error"].is_string(), "{text}");
            assert_eq!(self.wire.retry_after, status == 503, "{text}");
        }
        (status, text)
    }

    /// Creates leads until one is refused.
    fn until_refused(&mut self, letters: usize) -> (u16, String) {
        for _ in 0..10_000 {
            let told = self.create(letters);
            if told.0 != 201 {
                return told;
            }
        }
        panic!("nothing is refused");
    }

    #[track_caller]
    fn creates(&mut self) {
        let (status, text) = self.create(10);
        assert_eq!(status, 201, "{text}");
    }

    fn get(&mut self, path: &str) -> (u16, String) {
        self.wire.ask("GET", path, "").unwrap()
    }

    #[track_caller]
    fn is_ready(&mut self, status: u16) {
        let (found, text) = self.get("/ready");
        assert_eq!(found, status, "{text}");
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["error"].is_string(), status != 200, "{text}");
    }

    #[track_caller]
    fn reads(&mut self) {
        for path in [
            "/leads?limit=5",
            "/leads/1",
            "/leads?limit=3&sort=-name&count=true",
        ] {
            let (status, text) = self.get(path);
            assert_eq!(status, 200, "{path}: {text}");
        }
    }

    /// That all that was acknowledged is there.
    #[track_caller]
    fn finds_all(&mut self, server: &Server) {
        self.wire = Wire::open(server.address());
        for (id, name) in std::mem::take(&mut self.acknowledged) {
            let (status, text) = self.get(&format!("/leads/{id}?fields=name"));
            assert_eq!((status, text), (200, format!(r#"{{"name":"{name}"}}"#)));
        }
    }
}

/// Starts the server again, and looks whether it takes writes and has all that it acknowledged.
#[track_caller]
fn again(home: &Home, database: &str, client: &mut Client) {
    let server = home.serve(&["--db", database]);
    client.finds_all(&server);
    client.creates();
    client.is_ready(200);
    assert_eq!(server.stop().0.code(), Some(0));
    assert_eq!(integrity(&home.path(database)), "ok");
    ledger::agree(&place(home, database));
}

/// A server whose database is on a disk of so many KiB, and where this process finds that disk.
fn on_small_disk(home: &Home, kib: usize) -> Result<(Server, PathBuf), String> {
    std::fs::create_dir(home.path("disk")).unwrap();
    let line = format!(
        "mount -t tmpfs -o size={kib}k none disk && \
         exec crm serve --host 127.0.0.1 --port 0 --db disk/crm.db --quiet"
    );
    let inside = home.shell(&line).command();
    let mut outer = Command::new("unshare");
    outer.args(["--user", "--map-root-user", "--mount"]);
    outer.arg(inside.get_program()).args(inside.get_args());
    outer.env_clear().current_dir(home.path(""));
    let set = inside.get_envs();
    outer.envs(set.filter_map(|(name, value)| Some((name, value?))));
    let server = Server::attempt(outer).map_err(|run| run.stderr)?;
    let disk = home.path("disk");
    let root = format!("/proc/{}/root", server.child.id());
    let disk = Path::new(&root).join(disk.strip_prefix("/").unwrap());
    Ok((server, disk))
}

#[test]
fn a_full_disk_is_507_until_there_is_room() {
    let home = Home::new();
    let made = on_small_disk(&home, 4_096);
    let Some((server, disk)) = needed("a_full_disk_is_507_until_there_is_room", made) else {
        return;
    };
    std::fs::write(disk.join("fill"), vec![0; 2 << 20]).unwrap();
    let mut client = Client::new(&server);
    client.creates();
    // Small ones and such as take many pages, so that the end of the room falls on all kinds of writes.
    for round in 0..3 {
        let (status, text) = client.until_refused(round * 9_000);
        assert_eq!(status, 507, "{text}");
        assert!(text.contains("nothing was saved"), "{text}");
        // Where there is no room for that there may be for less, and for the one page that shows that writes are taken.
        wait_for("the disk to be full", || {
            client.until_refused(0);
            client.get("/ready").0 == 507
        });
        client.is_ready(507);
        client.reads();
        // A part of the room comes back each time.
        let fill = std::fs::OpenOptions::new();
        let fill = fill.clone().write(true).open(disk.join("fill")).unwrap();
        fill.set_len((2 << 20) - (round as u64 + 1) * (512 << 10))
            .unwrap();
        client.creates();
        client.is_ready(200);
    }
    std::fs::remove_file(disk.join("fill")).unwrap();
    client.creates();
    let mut kept = std::mem::take(&mut client.acknowledged);
    client.acknowledged = kept.clone();
    client.finds_all(&server);
    // What a kill now would leave.
    for end in ["", "-wal"] {
        let name = format!("crm.db{end}");
        std::fs::copy(disk.join(&name), home.path(&name)).unwrap();
    }
    client.acknowledged.append(&mut kept);
    again(&home, "crm.db", &mut client);
    assert_eq!(server.stop().0.code(), Some(0));
}

/// As a kernel makes a file system that has met errors (`errors=remount-ro`).
#[test]
fn a_disk_that_turns_read_only_is_503() {
    let home = Home::new();
    let disk = Disk::format(&home.path(""));
    let Some(disk) = needed("a_disk_that_turns_read_only_is_503", disk) else {
        return;
    };
    let database = disk.database();
    let server = home.serve(&["--db", database.to_str().unwrap()]);
    let mut client = Client::new(&server);
    (0..20).for_each(|_| client.creates());
    let mut abort = Command::new("mount");
    run(abort.args(["-o", "remount,abort"]).arg(&disk.mount)).unwrap();
    let (status, text) = client.create(10);
    assert!(matches!(status, 503 | 504), "{status}: {text}");
    assert_eq!(client.create(10).0, 503);
    client.is_ready(503);
    client.reads();
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("crm.db-wal"), "{log}");
    // The way back is a mount.
    let (image, mount) = (disk.image.clone(), disk.mount.clone());
    drop(disk);
    std::fs::remove_dir(mount).unwrap();
    let disk = Disk::mount(image).unwrap();
    again(&home, disk.database().to_str().unwrap(), &mut client);
}

/// A file that nothing may be written to any more, and may again: the nearest thing to a disk that is read-only for a
/// while, as no file system becomes that by command while a file on it is open for writing.
#[test]
fn a_log_that_cannot_be_written_is_503_until_it_can() {
    let home = Home::new();
    let disk = Disk::format(&home.path(""));
    let Some(disk) = needed("a_log_that_cannot_be_written_is_503_until_it_can", disk) else {
        return;
    };
    let database = disk.database();
    let server = home.serve(&["--db", database.to_str().unwrap()]);
    let mut client = Client::new(&server);
    (0..20).for_each(|_| client.creates());
    let change = |how: &str| {
        let mut chattr = Command::new("chattr");
        run(chattr.arg(how).arg(database.with_extension("db-wal"))).unwrap();
    };
    change("+i");
    let (status, text) = client.create(10);
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("nothing was saved"), "{text}");
    client.is_ready(503);
    client.reads();
    change("-i");
    client.creates();
    client.is_ready(200);
    assert_eq!(server.stop().0.code(), Some(0));
    again(&home, database.to_str().unwrap(), &mut client);
}

#[test]
fn a_locked_file_is_503_after_a_bounded_wait() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    let mut client = Client::new(&server);
    client.creates();
    let other = Connection::open(home.path("crm.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let (status, text) = client.create(10);
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("busy"), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{begun:?}");
    client.reads();
    client.is_ready(503);
    other.execute_batch("ROLLBACK").unwrap();
    client.creates();
    client.is_ready(200);
    assert_eq!(server.stop().0.code(), Some(0));
    again(&home, "crm.db", &mut client);
}

/// The page of the file that holds this text.
fn page(database: &Path, text: &str) -> u64 {
    let bytes = std::fs::read(database).unwrap();
    let mut places = bytes.windows(text.len());
    places.position(|found| found == text.as_bytes()).unwrap() as u64 / 4_096
}

fn damage(database: &Path, page: u64) {
    let file = std::fs::OpenOptions::new();
    let file = file.clone().write(true).open(database).unwrap();
    file.write_all_at(&[0xff; 4_096], page * 4_096).unwrap();
}

#[test]
fn damage_is_told_and_what_is_whole_is_read() {
    for is_running in [false, true] {
        let home = Home::new();
        let database = home.path("crm.db");
        let server = home.serve(&["--db", "crm.db"]);
        let mut client = Client::new(&server);
        // Some three to a page, and few enough that the search index, which would read the damage, does not follow them yet.
        (0..200).for_each(|_| drop(client.create(1_000)));
        assert_eq!(server.stop().0.code(), Some(0));
        let server = is_running.then(|| home.serve(&["--db", "crm.db"]));
        let (id, name) = client.acknowledged[150].clone();
        damage(&database, page(&database, &name));
        // Nothing tells it before it is read.
        let server = server.unwrap_or_else(|| home.serve(&["--db", "crm.db"]));
        client.wire = Wire::open(server.address());
        client.creates();
        client.is_ready(200);
        let (status, text) = client.get(&format!("/leads/{id}"));
        assert_eq!(status, 503, "{text}");
        assert!(
            text.contains("damaged") && text.contains("backup"),
            "{text}"
        );
        assert_eq!(client.get("/leads?name=none&limit=5").0, 503);
        client.is_ready(503);
        let (status, text) = client.create(10);
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("damaged"), "{text}");
        let (status, text) = client.get("/leads/1");
        assert_eq!(status, 200, "{text}");
        let (status, text) = client.get("/leads?limit=5&sort=-id");
        assert_eq!(status, 200, "{text}");
        let (status, log) = server.stop();
        assert_eq!(status.code(), Some(1), "{log}");
        let error = log.lines().last().unwrap();
        assert!(
            error.contains("keep") && error.contains("crm.db-wal"),
            "{log}"
        );
        // The check has what is wrong, also of the part in the log.
        let told = home.line("check crm.db").run();
        assert_eq!(told.code, Some(1), "{told:?}");
    }
}

/// The server goes on with the file that it has open, which nobody would find again.
#[test]
fn nothing_is_acknowledged_into_a_file_that_lost_its_name() {
    for gone in ["crm.db", "crm.db-wal", "crm.db-shm"] {
        for replaced in [false, true] {
            let home = Home::new();
            let server = home.serve(&["--db", "crm.db"]);
            let mut client = Client::new(&server);
            (0..20).for_each(|_| client.creates());
            let (path, kept) = (home.path(gone), home.path("kept"));
            std::fs::rename(&path, &kept).unwrap();
            if replaced {
                std::fs::copy(&kept, &path).unwrap();
            }
            let (status, text) = client.create(10);
            assert_eq!(status, 503, "{text}");
            assert!(text.contains("renamed or replaced"), "{text}");
            client.is_ready(503);
            // What is kept of it is read, and what would have to be opened anew is refused and not mixed up.
            for _ in 0..20 {
                let (status, text) = client.get("/leads?limit=5");
                let moved = status == 503 && text.contains("renamed or replaced");
                assert!(status == 200 || moved, "{status} {text}");
            }
            std::fs::rename(&kept, &path).unwrap();
            client.creates();
            client.is_ready(200);
            client.reads();
            assert_eq!(server.stop().0.code(), Some(0));
            again(&home, "crm.db", &mut client);
        }
    }
}

/// How long the processors have worked for a process.
fn worked(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let counts = stat.rsplit(") ").next().unwrap().split(' ');
    // In ticks, of which Linux shows a hundred a second (proc_pid_stat(5), utime and stime).
    let ticks = counts
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

#[test]
fn without_descriptors_what_is_open_goes_on_and_the_rest_comes_back() {
    let home = Home::new();
    let mut server = home.serve(&["--db", "crm.db", "--quiet"]);
    let mut client = Client::new(&server);
    client.creates();
    client.reads();
    let process = server.child.id();
    let open = std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .count();
    let limit = open + 8;
    let mut bound = Command::new("prlimit");
    bound.arg(format!("--pid={process}"));
    run(bound.arg(format!("--nofile={limit}:{limit}"))).unwrap();
    let others: Vec<TcpStream> = (0..32).map(|_| connect(server.address())).collect();
    let mut told = [0; 1];
    let stderr = server.child.stderr.as_mut().unwrap();
    let mut log = String::new();
    while !log.ends_with('\n') {
        stderr.read_exact(&mut told).unwrap();
        log.push(char::from(told[0]));
    }
    assert!(
        log.contains("WARN") && log.contains("cannot accept connections"),
        "{log}"
    );
    // It waits between two tries, and does not turn round and round.
    let (begun, before) = (Instant::now(), worked(process));
    while begun.elapsed() < Duration::from_millis(1_500) {
        client.creates();
        client.reads();
        std::thread::sleep(Duration::from_millis(100));
    }
    let worked = worked(process) - before;
    assert!(
        worked < Duration::from_millis(500),
        "{worked:?} of {:?}",
        begun.elapsed()
    );
    // What needs a file of its own says so.
    let (status, text) = client.get("/leads?sort=-name");
    assert!(matches!(status, 200 | 503), "{status}: {text}");
    client.is_ready(200);
    drop(others);
    wait_for("connections to be taken again", || {
        let mut stream = connect(server.address());
        let asked = stream
            .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        asked.is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    });
    client.reads();
    assert_eq!(server.stop().0.code(), Some(0));
    again(&home, "crm.db", &mut client);
}
