//! Proof of what is promised of writes: what was acknowledged is there, whatever happens next.
//!
//! | module | what is tried |
//! |---|---|
//! | `load` | clients that write, and the book of what each was told: the measure of the others |
//! | `kill` | the server is killed under load |
//! | `power` | the power goes: what the disk has at some moment is all that is left |
//! | `trace` | the order of system calls: log, sync, answer |
//! | `faults` | what makes a disk or a file fail, each by its own cause and in a running server: the answers, and the way back |
//! | `inject` | the disk fails at one call after the other: full, and with I/O errors |
//! | `contention` | a saturated server and commands share the file |
//! | `reader` | a client that reads slowly while others write |
//! | `queue` | more writes than may wait, and one that fails among those that share a commit |
//! | `failover` | the primary of a PostgreSQL is killed, and its standby takes over |
//! | `control` | the server without syncs that `power` and `trace` must find out, or they prove nothing |
//!
//! All of them run briefly with the other tests. `durability/README.md` says how they run at length, and what was
//! seen.

mod contention;
mod control;
mod failover;
mod faults;
mod inject;
mod kill;
mod load;
mod power;
mod queue;
mod reader;
mod trace;

pub use load::place;

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The one of the two that was asked for: the brief one, or the full one where `CRM_TEST_LENGTH` is `full`.
fn length<T>(brief: T, full: T) -> T {
    match std::env::var("CRM_TEST_LENGTH").as_deref() {
        Ok("full") => full,
        Ok(other) => panic!("CRM_TEST_LENGTH: expected full, got {other:?}"),
        Err(_) => brief,
    }
}

/// Says a line past the test harness, which keeps what a test prints to itself unless it fails.
fn say(line: &str) {
    let line = format!("durability: {line}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// What a test needs of the machine, or `None` where it is not to be had: then the test is skipped and says so. CI has to
/// have it, or a proof could be missing there unnoticed.
fn needed<T>(test: &str, ability: Result<T, String>) -> Option<T> {
    let reason = match ability {
        Ok(ability) => return Some(ability),
        Err(reason) => reason.trim().replace('\n', "; "),
    };
    assert!(
        std::env::var_os("CI").is_none(),
        "CI has to be able to run {test}: {reason}"
    );
    say(&format!("{test} is skipped: {reason}"));
    None
}

/// Sends a signal to processes. One that is gone already is no failure.
pub fn signal(name: &str, processes: &[u32]) {
    let processes = processes.iter().map(u32::to_string);
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}"))
        .args(processes)
        .stderr(Stdio::null());
    let _ = kill.status();
}

/// Below `bound`, any with the same likelihood.
fn random(bound: u64) -> u64 {
    // Every new state has keys of its own.
    RandomState::new().hash_one(bound) % bound
}

/// What SQLite itself finds wrong with a database: `ok` if nothing.
fn integrity(database: &Path) -> String {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap()
}
