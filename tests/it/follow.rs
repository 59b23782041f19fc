//! `crm changes --follow`, `--exec` and `--cursor`: on a file, and on a server that goes away and comes back.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

use serde_json::Value;

use crate::support::{Home, wait_for};

/// A command that follows.
struct Following {
    child: Child,
    lines: BufReader<ChildStdout>,
    said: BufReader<ChildStderr>,
}

impl Following {
    fn start(home: &Home, line: &str) -> Following {
        let mut command = home.line(line).command();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Following {
            lines: BufReader::new(child.stdout.take().unwrap()),
            said: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }

    /// The next line of its output.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut said = String::new();
            self.said.read_to_string(&mut said).unwrap();
            panic!("it ended: {said}");
        }
        line
    }

    fn change(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Ends it with a signal. Answers its exit code, or the signal, and what it said.
    fn stop(mut self, signal: rustix::process::Signal) -> (Option<i32>, Option<i32>, String) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        (status.code(), status.signal(), said)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn create(home: &Home, name: &str) {
    home.line(&format!(
        "lead create --email {name}@example.com --name {name} --db crm.db -o id"
    ))
    .ok();
}

/// The cursor at the end.
fn end(home: &Home) -> String {
    home.line("changes --exec false --cursor end --after end --db crm.db")
        .ok();
    std::fs::read_to_string(home.path("end"))
        .unwrap()
        .trim()
        .into()
}

#[test]
fn each_change_is_printed_as_it_is_made() {
    let home = Home::new();
    create(&home, "before");
    let after = end(&home);
    let server = home.serve(&["--db", "crm.db"]);
    let port = server.address().rsplit_once(':').unwrap().1.to_string();
    let line =
        |target: &str, more: &str| format!("changes --follow --after {after} {target} {more}");
    let url = format!("--url {}", server.url);
    let mut local = Following::start(&home, &line("--db crm.db", "-o ndjson"));
    let mut remote = Following::start(&home, &line(&url, "-o ndjson"));
    let mut table = Following::start(&home, &line("--db crm.db", "--fields type,id"));
    let mut filtered = Following::start(
        &home,
        &line(&url, "--type lead.deleted -o csv --fields type,id"),
    );
    create(&home, "one");
    create(&home, "two");
    for name in ["one", "two"] {
        let change = local.change();
        assert_eq!(change["record"]["name"], name);
        assert_eq!(change, remote.change());
        let id = change["id"].as_i64().unwrap();
        assert_eq!(table.line(), format!("lead.created  {id}\n"));
    }
    // The server goes and comes back.
    server.stop();
    let mut note = String::new();
    remote.said.read_line(&mut note).unwrap();
    assert!(
        note.starts_with("note: ") && note.contains("trying again"),
        "{note}"
    );
    create(&home, "three");
    let words = [
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        &port,
        "--db",
        "crm.db",
    ];
    let server = crate::support::Server::start(home.crm(words).command());
    assert_eq!(remote.change()["record"]["name"], "three");
    assert_eq!(local.change()["record"]["name"], "three");
    home.line("lead delete 1 --yes --db crm.db").ok();
    assert_eq!(remote.change()["type"], "lead.deleted");
    assert_eq!(
        [filtered.line(), filtered.line()],
        ["type,id\n", "lead.deleted,1\n"]
    );
    let (_, signal, said) = remote.stop(rustix::process::Signal::INT);
    assert_eq!(signal, Some(2));
    assert_eq!(said, "", "it said so once");
    // Its reader is gone: it ends quietly at the next change.
    let Following { child, lines, said } = &mut local;
    let (_, mut rest) = (
        std::mem::replace(lines, BufReader::new(child_out())),
        String::new(),
    );
    create(&home, "four");
    let status = child.wait().unwrap();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""));
    drop(server);
}

/// Some output of a process.
fn child_out() -> ChildStdout {
    let mut command = std::process::Command::new("true");
    command
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
        .stdout
        .take()
        .unwrap()
}

#[test]
fn a_command_is_run_for_each_change_and_goes_on_after_a_failure() {
    let home = Home::new();
    let read = |name: &str| std::fs::read_to_string(home.path(name)).unwrap_or_default();
    let names = |name: &str| {
        let text = read(name);
        let changes = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let names = changes.map(|change| change["record"]["name"].as_str().unwrap().to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    for name in ["one", "two", "three"] {
        create(&home, name);
    }
    let script = "cat >last; cat last >>got; ! grep -q two last || [ -e fine ]";
    let words = [
        "changes", "--db", "crm.db", "--cursor", "c", "--exec", script,
    ];
    // Without --follow it begins at the beginning, and ends.
    let said = home.crm(words).fails(1);
    assert!(
        said.contains("--exec: the command ended with exit status: 1 at the change "),
        "{said}"
    );
    assert_eq!(names("got"), "one two");
    let before = read("c");
    home.crm(words).fails(1);
    assert_eq!(read("c"), before);
    std::fs::write(home.path("fine"), "").unwrap();
    assert_eq!(home.crm(words).ok(), "");
    assert_eq!(names("got"), "one two two two three");
    // Nothing is new.
    home.crm(words).ok();
    assert_eq!(names("got"), "one two two two three");
    // With a limit, and from what a server has.
    for name in ["four", "five"] {
        create(&home, name);
    }
    home.crm([&words[..], &["--limit", "1"]].concat()).ok();
    assert_eq!(names("last"), "four");
    let server = home.serve(&["--db", "crm.db"]);
    let remote = [
        "changes",
        "--url",
        &server.url,
        "--cursor",
        "c",
        "--exec",
        script,
    ];
    home.crm(remote).ok();
    assert_eq!(names("last"), "five");
    // It waits for more; a signal ends it after the command that runs.
    let slow = "cat >last; touch begun; while [ ! -e go ]; do sleep 0.01; done; cat last >>got";
    let remote = [
        "changes",
        "--follow",
        "--url",
        &server.url,
        "--cursor",
        "c",
        "--exec",
        slow,
    ];
    let child = home
        .crm(remote)
        .command()
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    create(&home, "six");
    wait_for("the command", || home.path("begun").exists());
    let before = read("c");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    std::fs::write(home.path("go"), "").unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), &*ended.stderr), (Some(143), &b""[..]));
    assert!(names("got").ends_with("five six"), "{}", names("got"));
    assert_ne!(read("c"), before);
    home.crm(words).ok();
    assert!(names("got").ends_with("five six"), "{}", names("got"));
    // Nothing is left beside the file.
    let left = std::fs::read_dir(home.path(".")).unwrap();
    let left = left.filter(|one| {
        one.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("crm-cursor")
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let home = Home::new();
    create(&home, "one");
    let other = Home::new();
    create(&other, "one");
    home.write("rubbish", "what\n");
    home.write("empty", "");
    home.write("foreign", &end(&other));
    for (line, code, expected) in [
        (
            "--exec true --cursor rubbish",
            2,
            "--cursor: rubbish: expected a cursor that this command has written, got \"what\"",
        ),
        (
            "--exec true --cursor empty",
            2,
            "--cursor: empty: expected a cursor",
        ),
        ("--exec true --cursor .", 2, "--cursor: .: "),
        (
            "--exec true --cursor foreign",
            7,
            "foreign: after: the cursor comes from another database",
        ),
        (
            "--follow --exec true --cursor foreign",
            7,
            "delete the file to begin without a cursor",
        ),
        (
            "--exec true --cursor none/c --after end",
            1,
            "--cursor: none/c: ",
        ),
        ("--cursor c", 2, "--exec <CMD>"),
        (
            "--follow --count",
            2,
            "--follow: expected no --count with it",
        ),
        (
            "--follow --sort -seq",
            2,
            "--follow: expected no --sort with it",
        ),
        (
            "--follow --limit 3",
            2,
            "--follow: expected no --limit with it",
        ),
        (
            "--exec true --limit 0",
            2,
            "limit: expected a whole number from 1, got \"0\"",
        ),
        (
            "--exec true --count",
            2,
            "--exec: expected no --count with it",
        ),
        (
            "--follow -o json",
            2,
            "--follow: expected another format than json",
        ),
        ("--follow --after x", 2, "after: expected a cursor"),
        ("--follow --fields colour", 2, "colour"),
    ] {
        let said = home
            .line(&format!("changes --db crm.db {line}"))
            .fails(code);
        assert!(said.contains(expected), "{line}: {said}");
    }
    assert!(!home.path("c").exists());
    // Only changes are followed.
    home.line("lead list --follow --db crm.db").fails(2);
}
