//! The disk fails at one system call of the server, and `strace` makes it: the call is not made and answers an error.
//!
//! Each run takes another call, the N-th. `strace` counts for each thread and each system call by itself, so that N is
//! not the N-th of the server: it is the N-th of the thread that opens the database, which fails the start of a server
//! whose database is still to be made, as that takes more than one call; and it is the N-th of the thread that writes,
//! where N goes through the first commits of a log that is begun: its header, then two writes for each page and a sync
//! for each commit. Where both get that far, both are hit; where the first one fails the start, the second is reached by
//! the calls to one file alone.
//!
//! That they were hit, the trace tells. A write that is cut short is not among the faults: `strace` could only claim one
//! that it has not made, which is what the disk of the control does.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rusqlite::Connection;

use super::load::{Book, Load, Wire};
use super::trace::strace;
use super::{integrity, length, say};
use crate::support::{Home, Run, Server, wait_for};

/// Writes after which a run is over though nothing was hit: at three clients, more than a hundred commits.
const ENOUGH: usize = 400;

/// Answers that are waited for once the fault has hit.
const AFTER: usize = 12;

/// A fault, in the words of `strace`.
#[derive(Clone, Debug)]
struct Fault {
    calls: &'static str,
    outcome: &'static str,
    /// Which of the calls.
    when: String,
    /// Those to the file of this name alone, where there is one.
    file: Option<&'static str>,
    then: Then,
}

/// What the service has to do after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Writes come back by themselves.
    GoOn,
    /// Reads go on, and no write is taken as long as it lasts.
    Refuse,
    /// Reads go on, and no write is taken until it is started again.
    Wait,
    /// Nothing it could: it was lied to.
    Lose,
}

fn full(when: String) -> Fault {
    Fault {
        calls: "pwrite64",
        outcome: "error=ENOSPC",
        when,
        file: None,
        then: Then::GoOn,
    }
}

fn unsynced(when: String) -> Fault {
    Fault {
        calls: "fsync,fdatasync",
        outcome: "error=EIO",
        then: Then::Wait,
        ..full(when)
    }
}

/// Whether the database is there when the server starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Database {
    New,
    Made,
    /// And its log so long that the first write has it moved into the file.
    Long,
}

/// What runs came to.
#[derive(Debug, Default)]
struct Seen {
    runs: usize,
    /// Those that a fault has hit.
    hit: usize,
    /// Those of them that did not start.
    unstarted: usize,
    acknowledged: usize,
    /// Those that were compared with the records.
    changes: usize,
    not_saved: usize,
    full: usize,
    unknown: usize,
    lost: Vec<String>,
}

impl Seen {
    fn say(&self, what: &str, begun: Instant) {
        say(&format!(
            "{what}: {} runs, {} of them hit, {} of these at the start; {} of {} acknowledged writes lost, {} were told \
             503, {} 507, {} 504, integrity ok, {} changes agree with the records ({:.0?})",
            self.runs,
            self.hit,
            self.unstarted,
            self.lost.len(),
            self.acknowledged,
            self.not_saved,
            self.full,
            self.unknown,
            self.changes,
            begun.elapsed()
        ));
    }
}

/// A call that was hit.
struct Hit {
    thread: u32,
    /// Whether it was of the folder, whose sync SQLite asks for and does not wait for: the server has synced it itself
    /// when it started.
    is_of_folder: bool,
}

/// The calls that were hit, by the trace: `12 fdatasync(7</home/crm.db-wal>) = -1 EIO (Input/output error) (INJECTED)`.
fn hits(home: &Home) -> Vec<Hit> {
    let trace = std::fs::read_to_string(home.path("trace")).unwrap_or_default();
    let lines = trace.lines().filter(|line| line.contains("(INJECTED)"));
    let hit = |line: &str| Hit {
        thread: line.split_once(' ').unwrap().0.parse().unwrap(),
        is_of_folder: !line.contains("crm.db") && line.contains('<'),
    };
    lines.map(hit).collect()
}

/// What the server says of itself is sentences, and no fault of its own.
fn is_clear(stderr: &str) {
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(!stderr.contains("RUST_BACKTRACE"), "{stderr}");
}

/// A server under this fault. Where it does not start it has to say why, in one line.
fn start(home: &Home, fault: &Fault) -> Result<Server, Run> {
    let Fault {
        calls,
        outcome,
        when,
        ..
    } = fault;
    let file = fault.file.map(|name| home.path(name));
    let file = file.map_or(String::new(), |path| format!("-P '{}'", path.display()));
    let told = if fault.then == Then::Lose { "-z" } else { "-Z" };
    // The server is the child that it is without a tracer (-D), and only the calls that fail are told of (-Z).
    let line = format!(
        "exec strace -D -f -qq --seccomp-bpf {told} -y -s 0 -e signal=none -o trace {file} -e trace={calls} \
         -e inject={calls}:{outcome}:when={when} crm serve --host 127.0.0.1 --port 0 --db crm.db --quiet"
    );
    Server::attempt(home.shell(&line).command())
}

/// Makes the log long, as one that was written beside the server.
fn lengthen(database: &Path) {
    let connection = Connection::open(database).unwrap();
    let settings = "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0";
    connection.execute_batch(settings).unwrap();
    let beat = "INSERT INTO heartbeat (id, at) VALUES (1, $1)
                ON CONFLICT (id) DO UPDATE SET at = excluded.at";
    for at in 0..4_200 {
        connection.execute(beat, [format!("{at}")]).unwrap();
    }
}

fn ask(server: &Server, path: &str) -> (u16, String) {
    Wire::open(server.address()).ask("GET", path, "").unwrap()
}

/// Runs a server under this fault, ends it, starts it again without, and compares.
fn run(seen: &mut Seen, fault: &Fault, database: Database, killed: bool) {
    let home = Home::new();
    if database != Database::New {
        home.serve(&["--db", "crm.db"]).stop();
    }
    let what = format!("{fault:?}, {database:?}, killed: {killed}");
    let mut book = Book::default();
    seen.runs += 1;
    match start(&home, fault) {
        Err(run) => {
            assert_eq!(run.code, Some(1), "{what}: {run:?}");
            assert_eq!(run.stderr.lines().count(), 1, "{what}: {run:?}");
            let named = run.stderr.starts_with("error: ") && run.stderr.contains(": ");
            assert!(named, "{what}: {run:?}");
            assert!(!hits(&home).is_empty(), "{what}: {run:?}");
            seen.unstarted += 1;
            seen.hit += 1;
        }
        Ok(server) => under(seen, fault, &home, server, &mut book, database, killed),
    }
    // What is left has to be fit for use by itself.
    let server = home.serve(&["--db", "crm.db"]);
    let (status, ready) = ask(&server, "/ready");
    assert_eq!(status, 200, "{what}: {ready}");
    let lost = match fault.then {
        // Even the file may be damaged then.
        Then::Lose => book.settle(&home, "crm.db"),
        _ => book.compare(&home, "crm.db"),
    };
    assert!(
        lost.is_empty() || fault.then == Then::Lose,
        "{what}: {lost:?}"
    );
    assert_eq!(server.stop().0.code(), Some(0), "{what}");
    if fault.then != Then::Lose {
        assert_eq!(integrity(&home.path("crm.db")), "ok", "{what}");
    }
    seen.acknowledged += book.acknowledged();
    seen.changes += book.changes();
    seen.lost.extend(lost);
}

/// The load on a server that has started.
fn under(
    seen: &mut Seen,
    fault: &Fault,
    home: &Home,
    mut server: Server,
    book: &mut Book,
    database: Database,
    killed: bool,
) {
    let what = format!("{fault:?}, {database:?}");
    if database == Database::Long {
        lengthen(&home.path("crm.db"));
    }
    let main = server.child.id();
    let counts = |hit: &Hit| hit.thread != main && !hit.is_of_folder;
    let hit = || hits(home).iter().any(counts);
    let load = Load::patient(server.address(), 3, "i");
    let mut has_hit = false;
    wait_for("the fault", || {
        has_hit = hit();
        has_hit || load.progress() >= ENOUGH
    });
    if has_hit {
        let (progress, refusals) = (load.progress(), load.refusals().count());
        let taken = || load.progress() >= progress + AFTER;
        let refused = || load.refusals().count() >= refusals + AFTER;
        match fault.then {
            Then::GoOn => wait_for("writes to come back", taken),
            Then::Lose => wait_for("answers", || taken() || refused()),
            Then::Refuse | Then::Wait => {
                wait_for(&format!("refusals, {what}"), refused);
                let taken = load.progress();
                let (status, ready) = ask(&server, "/ready");
                let expected = if fault.outcome.contains("ENOSPC") {
                    507
                } else {
                    503
                };
                assert_eq!(status, expected, "{what}: {ready}");
                let is_final = ready.contains("start") && ready.contains("again");
                assert_eq!(is_final, fault.then == Then::Wait, "{what}: {ready}");
                for path in ["/leads?limit=5", "/leads?limit=5&sort=-name", "/leads/1"] {
                    let (status, read) = ask(&server, path);
                    let gone = path == "/leads/1" && status == 404;
                    assert!(status == 200 || gone, "{what}: {path}: {status} {read}");
                }
                assert_eq!(load.progress(), taken, "{what}");
            }
        }
    }
    let refusals = [
        (&mut seen.not_saved, &load.refusals().not_saved),
        (&mut seen.full, &load.refusals().full),
        (&mut seen.unknown, &load.refusals().unknown),
    ];
    for (sum, count) in refusals {
        *sum += count.load(Ordering::Relaxed);
    }
    match killed {
        true => server.child.kill().unwrap(),
        false => server.signal("TERM"),
    }
    book.enter(load.end());
    // It ends when strace does, and then the trace is whole.
    let mut stderr = String::new();
    let mut pipe = server.child.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    is_clear(&stderr);
    let code = server.child.wait().unwrap().code();
    // At its end too it may be hit, and then has to say so.
    let said = stderr.lines().any(|line| line.starts_with("error: "));
    assert_eq!(code == Some(1), said, "{what}: {code:?} {stderr}");
    assert!(killed || matches!(code, Some(0 | 1)), "{what}: {code:?}");
    seen.hit += usize::from(!hits(home).is_empty());
}

/// The calls that are hit: a few, or each of the first hundred.
fn numbers(few: &[usize]) -> Vec<usize> {
    length(few.to_vec(), (1..=100).collect())
}

fn run_all(fault: impl Fn(String) -> Fault, new: &[usize], made: &[usize]) -> Seen {
    let mut seen = Seen::default();
    for (database, few) in [(Database::New, new), (Database::Made, made)] {
        for number in numbers(few) {
            let killed = (number % 2 == 0) == (database == Database::New);
            run(&mut seen, &fault(number.to_string()), database, killed);
        }
    }
    seen
}

#[test]
fn a_full_disk_at_any_write_loses_nothing() {
    if strace("a_full_disk_at_any_write_loses_nothing").is_none() {
        return;
    }
    let begun = Instant::now();
    let seen = run_all(full, &[1, 30], &[1, 9, 12, 34, 99]);
    seen.say("ENOSPC at the Nth pwrite64", begun);
    assert!(seen.hit * 10 >= seen.runs * 9, "{seen:?}");
    assert!(seen.unstarted > 0 && seen.full > 0, "{seen:?}");
}

#[test]
fn an_error_of_any_sync_loses_nothing() {
    if strace("an_error_of_any_sync_loses_nothing").is_none() {
        return;
    }
    let begun = Instant::now();
    let seen = run_all(unsynced, &[1, 9], &[1, 2, 3, 22, 90]);
    seen.say("EIO at the Nth fsync or fdatasync", begun);
    assert!(seen.hit * 10 >= seen.runs * 9, "{seen:?}");
    assert!(seen.unstarted > 0 && seen.unknown > 0, "{seen:?}");
}

/// What is not one call of a hundred: those of a checkpoint, all from one on, and some in a row.
#[test]
fn other_faults_of_the_disk_lose_nothing() {
    if strace("other_faults_of_the_disk_lose_nothing").is_none() {
        return;
    }
    let begun = Instant::now();
    let mut seen = Seen::default();
    let failing = |when: &str| Fault {
        outcome: "error=EIO",
        ..full(when.into())
    };
    let lasting = |fault: Fault| Fault {
        then: Then::Refuse,
        ..fault
    };
    let few = length(vec![17], (1..=100).collect());
    for (number, killed) in few.into_iter().zip([true, false].into_iter().cycle()) {
        let (first, last) = (number, number + 9);
        let spell = format!("{first}..{last}");
        let on = format!("{first}+");
        for fault in [
            failing(&number.to_string()),
            full(spell),
            lasting(full(on.clone())),
            lasting(failing(&on)),
            unsynced(on),
        ] {
            run(&mut seen, &fault, Database::Made, killed);
        }
    }
    let of_file = |fault: Fault| Fault {
        file: Some("crm.db"),
        ..fault
    };
    // At the start the index of the log takes the first eight writes; these are the first of the log itself.
    for number in 1..=length(3, 12) {
        let fault = Fault {
            file: Some("crm.db-wal"),
            ..full(number.to_string())
        };
        run(&mut seen, &fault, Database::Made, number % 2 == 0);
    }
    for killed in [false, true] {
        for fault in [
            of_file(full("1".into())),
            of_file(failing("2")),
            of_file(unsynced("1".into())),
            of_file(Fault {
                calls: "ftruncate",
                ..failing("1")
            }),
        ] {
            run(&mut seen, &fault, Database::Long, killed);
        }
    }
    seen.say("other faults", begun);
    assert!(seen.hit * 10 >= seen.runs * 9, "{seen:?}");
}

/// The control: a disk that claims to have written what it has not is found out.
#[test]
fn a_disk_that_lies_is_found_out() {
    if strace("a_disk_that_lies_is_found_out").is_none() {
        return;
    }
    let lie = Fault {
        outcome: "retval=4096",
        file: Some("crm.db-wal"),
        then: Then::Lose,
        ..full("60+".into())
    };
    let mut seen = Seen::default();
    run(&mut seen, &lie, Database::Made, true);
    say(&format!(
        "the control, writes that are claimed and not made: {} of {} acknowledged writes lost",
        seen.lost.len(),
        seen.acknowledged
    ));
    assert!(!seen.lost.is_empty(), "{seen:?}");
}
