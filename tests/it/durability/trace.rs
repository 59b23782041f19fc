//! The order of what the server asks of the system, as `strace` sees it: a write goes into the log, the log is synced, the
//! write is answered.
//!
//! The trace shows the bytes, and the words of a write are the same in the log and in its answer. That ties the two
//! together, whichever writes shared a commit.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::process::Command;

use super::load::Load;
use super::{control, length, needed, say};
use crate::support::{Home, Server, wait_for};

/// A system call of the trace, between these two of its lines.
struct Call {
    begun: usize,
    /// Never, where the server was killed first.
    ended: usize,
    what: What,
}

enum What {
    /// Bytes went to the write-ahead log.
    Log(Vec<u8>),
    /// The write-ahead log was synced.
    Sync,
    /// Bytes went to a client.
    Answer(Vec<u8>),
}

/// The calls of a trace that succeeded, in the order of their beginnings.
fn calls(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    // The call that each thread is in, where another thread's comes between its beginning and its end.
    let mut open = HashMap::new();
    for (at, line) in trace.lines().enumerate() {
        let (thread, line) = line.split_once(' ').unwrap();
        let line = line.trim_start();
        if line.starts_with("<... ") {
            if let Some(call) = open.remove(thread).filter(|_| succeeded(line)) {
                let call: &mut Call = &mut calls[call];
                call.ended = at;
            }
        } else if let Some(what) = what(line) {
            // A server that is killed within a call may have sent an answer that its client has read: the call has begun.
            let cut = line.ends_with(" = ?");
            let unfinished = line.ends_with("<unfinished ...>");
            if unfinished {
                open.insert(thread, calls.len());
            } else if !cut && !succeeded(line) {
                continue;
            }
            let ended = if unfinished || cut { usize::MAX } else { at };
            calls.push(Call {
                begun: at,
                ended,
                what,
            });
        }
    }
    calls
}

#[test]
fn a_call_that_a_kill_has_cut_has_begun() {
    let trace = r#"7 sendto(9<\x73\x6f\x63\x6b\x65\x74\x3a>, "\x61", 1, 0, NULL, 0) = ?
8 fdatasync(5<\x2d\x77\x61\x6c> <unfinished ...>
9 sendto(9<\x73\x6f\x63\x6b\x65\x74\x3a>, "\x62", 1, 0, NULL, 0) = -1 EPIPE (Broken pipe)
8 <... fdatasync resumed>) = ?
9 sendto(9<\x73\x6f\x63\x6b\x65\x74\x3a>, "\x63", 1, 0, NULL, 0 <unfinished ...>) = ?
8 +++ killed by SIGKILL +++
"#;
    let calls = calls(trace);
    let ended: Vec<usize> = calls.iter().map(|call| call.ended).collect();
    let begun: Vec<usize> = calls.iter().map(|call| call.begun).collect();
    assert_eq!((begun, ended), (vec![0, 1, 4], vec![usize::MAX; 3]));
}

fn succeeded(line: &str) -> bool {
    let result = line.rsplit_once(" = ").map(|(_, result)| result);
    result.is_some_and(|result| !result.starts_with(['-', '?']))
}

/// What a call does that begins like this: `pwrite64(7<\x61\x62>, "\x63\x64", 2, 32) = 2`.
fn what(line: &str) -> Option<What> {
    let (call, rest) = line.split_once('(')?;
    let (_, path) = rest.split_once('<')?;
    let (path, rest) = path.split_once('>')?;
    let path = bytes(path);
    if path.ends_with(b"-wal") {
        return Some(match call {
            "fsync" | "fdatasync" => What::Sync,
            _ => What::Log(bytes(rest)),
        });
    }
    path.starts_with(b"socket:")
        .then(|| What::Answer(bytes(rest)))
}

/// The bytes that a text has in hexadecimal digits, which may be several strings, as in `writev`.
fn bytes(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1).map(|rest| &rest[..2]);
    digits
        .map(|digits| u8::from_str_radix(digits, 16).unwrap())
        .collect()
}

/// The words of all writes that are in these bytes.
fn words(bytes: &[u8]) -> Vec<String> {
    const BEGIN: &[u8] = br#""write":""#;
    let mut found = Vec::new();
    for at in 0..bytes.len().saturating_sub(BEGIN.len()) {
        if let Some(rest) = bytes[at..].strip_prefix(BEGIN) {
            let word = rest.split(|byte| *byte == b'"').next().unwrap();
            found.push(String::from_utf8_lossy(word).into_owned());
        }
    }
    found
}

/// The call that ends the commit of the log's bytes in `calls[at]`: the page behind the first header of a frame from
/// there on that says how large the database is after a commit (<https://www.sqlite.org/fileformat2.html#walformat>).
fn commit(calls: &[Call], at: usize) -> Option<usize> {
    const HEADER: usize = 24;
    let mut logged = calls
        .iter()
        .enumerate()
        .filter_map(|(at, call)| match &call.what {
            What::Log(bytes) => Some((at, bytes)),
            _ => None,
        });
    let mut commits = false;
    logged.find_map(|(page, bytes)| {
        if bytes.len() == HEADER {
            commits = bytes[4..8] != [0; 4];
            return None;
        }
        (std::mem::take(&mut commits) && page >= at).then_some(page)
    })
}

/// What a trace shows of writes that were acknowledged.
#[derive(Debug, Default)]
struct Seen {
    answers: usize,
    /// How many commits they shared.
    commits: usize,
    /// Those that are not in the log, or whose answer is not in the trace.
    missing: Vec<String>,
    /// Those in the log that were answered before they were synced.
    unsynced: Vec<String>,
}

fn look(calls: &[Call], acknowledged: &[String]) -> Seen {
    let (mut logged, mut answered) = (HashMap::new(), HashMap::new());
    for (at, call) in calls.iter().enumerate() {
        let (first, bytes) = match &call.what {
            What::Log(bytes) => (&mut logged, bytes),
            What::Answer(bytes) => (&mut answered, bytes),
            What::Sync => continue,
        };
        for word in words(bytes) {
            first.entry(word).or_insert(at);
        }
    }
    let syncs = || calls.iter().filter(|call| matches!(call.what, What::Sync));
    let mut commits = HashSet::new();
    let mut seen = Seen {
        answers: acknowledged.len(),
        ..Seen::default()
    };
    for write in acknowledged {
        let committed = logged.get(write).and_then(|at| commit(calls, *at));
        let (Some(commit), Some(answer)) = (committed, answered.get(write)) else {
            seen.missing.push(write.clone());
            continue;
        };
        commits.insert(commit);
        let (commit, answer) = (calls[commit].ended, calls[*answer].begun);
        if !syncs().any(|sync| commit < sync.begun && sync.ended < answer) {
            seen.unsynced.push(format!(
                "{write}: in the log by line {commit}, answered in line {answer}"
            ));
        }
    }
    seen.commits = commits.len();
    seen
}

/// Writes to a server under `strace`, and looks at the trace. `line` is the shell's for the server.
fn traced(home: &Home, line: &str) -> Seen {
    // -D leaves the server the child that it is without a tracer; -y shows files beside their numbers, -xx bytes in
    // hexadecimal digits, 4,096 of them: a page, or all of an answer to a write.
    let strace = "strace -D -f -y -xx -s 4096 -o trace -e trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,fsync,fdatasync";
    let server = home.shell(&format!("exec {strace} {line}"));
    let database = home.path("crm.db");
    let server = server.env(control::DATABASE, database.to_str().unwrap());
    let mut server = Server::start(server.command());
    let load = Load::start(server.address(), 8, "t");
    let enough = length(300, 3_000);
    wait_for("writes", || load.progress() >= enough);
    server.child.kill().unwrap();
    let leads = load.end();
    let acknowledged: Vec<String> = leads.iter().flat_map(|lead| lead.acknowledged()).collect();
    // It ends when strace does, and then the trace is whole.
    server
        .child
        .stderr
        .take()
        .unwrap()
        .read_to_end(&mut Vec::new())
        .unwrap();
    let trace = std::fs::read_to_string(home.path("trace")).unwrap();
    look(&calls(&trace), &acknowledged)
}

pub fn strace(test: &str) -> Option<()> {
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let ability = match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("strace: {error}")),
    };
    needed(test, ability)
}

#[test]
fn an_answer_goes_out_after_the_sync_of_its_commit() {
    if strace("an_answer_goes_out_after_the_sync_of_its_commit").is_none() {
        return;
    }
    let home = Home::new();
    let line = "crm serve --host 127.0.0.1 --port 0 --db crm.db";
    let seen = traced(&home, line);
    assert!(
        seen.missing.is_empty() && seen.unsynced.is_empty(),
        "{seen:#?}"
    );
    // They come from 8 clients at a time.
    assert!(seen.commits < seen.answers, "no two share a commit");
    say(&format!(
        "the trace shows log, sync, answer in this order for {} answers in {} commits",
        seen.answers, seen.commits
    ));
}

/// The control: a server that answers before it has synced is found out.
#[test]
fn a_trace_finds_a_server_that_does_not_sync() {
    if strace("a_trace_finds_a_server_that_does_not_sync").is_none() {
        return;
    }
    let home = Home::new();
    let seen = traced(&home, &control::line());
    assert!(
        seen.missing.is_empty() && !seen.unsynced.is_empty(),
        "{seen:#?}"
    );
    say(&format!(
        "the control, synchronous=NORMAL: the trace shows {} of {} answers before a sync",
        seen.unsynced.len(),
        seen.answers
    ));
}
