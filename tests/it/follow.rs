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
            "--cursor: empty: it is empty; expected a cursor that this command has written; delete the file to begin",
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
        (
            "--cursor c --count",
            2,
            "--cursor: expected no --count with it",
        ),
        (
            "--cursor c --sort -seq",
            2,
            "--cursor: expected no --sort with it",
        ),
        (
            "--cursor none/c",
            1,
            "--cursor: none/c: No such file or directory",
        ),
        ("--cursor c --after x", 2, "after: expected a cursor"),
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
        assert!(!said.contains("crm-cursor"), "{line}: {said}");
    }
    assert!(!home.path("c").exists());
    // Only changes are followed.
    home.line("lead list --follow --db crm.db").fails(2);
}

#[test]
fn a_script_goes_on_from_what_was_printed() {
    let home = Home::new();
    for name in ["one", "two", "three"] {
        create(&home, name);
    }
    let read = || std::fs::read_to_string(home.path("c")).unwrap();
    let printed = |more: &str| {
        home.line(&format!("changes --db crm.db --cursor c {more}"))
            .ok()
    };
    assert_eq!(printed("-o id --limit 2"), "1\n2\n");
    assert_eq!(printed("-o id"), "3\n");
    assert_eq!(printed("-o json"), "[]\n");
    create(&home, "four");
    let json: Value = serde_json::from_str(&printed("-o json")).unwrap();
    assert_eq!(json[0]["record"]["name"], "four");
    // What does not pass the filters is passed over.
    create(&home, "five");
    let before = read();
    assert_eq!(printed("-o id --type lead.deleted"), "");
    assert_ne!(read(), before);
    assert_eq!(printed("-o id"), "");
    // The same through a service, which may be the next one to ask.
    let server = home.serve(&["--db", "crm.db"]);
    create(&home, "six");
    let remote = format!("changes --url {} --cursor c -o id", server.url);
    assert_eq!(home.line(&remote).ok(), "6\n");
    create(&home, "seven");
    assert_eq!(
        printed("-o csv --fields seq,type"),
        "seq,type\n7,lead.created\n"
    );
    // What cannot be printed does not count as printed.
    create(&home, "eight");
    let before = read();
    home.shell("crm changes --db crm.db --cursor c -o ndjson >/dev/full")
        .fails(1);
    assert_eq!(read(), before);
    // While it follows, each change counts once it is printed.
    let mut follow = Following::start(&home, "changes --db crm.db --cursor c --follow -o id");
    assert_eq!(follow.line(), "8\n");
    create(&home, "nine");
    assert_eq!(follow.line(), "9\n");
    create(&home, "ten");
    assert_eq!(follow.line(), "10\n");
    let after = end(&home);
    wait_for("the cursor", || read().trim() == after);
    follow.stop(rustix::process::Signal::KILL);
    assert_eq!(printed("-o id"), "");
}

#[test]
fn a_cursor_is_for_one_process_at_a_time() {
    let home = Home::new();
    create(&home, "one");
    let line = "changes --db crm.db --follow --cursor c --exec cat";
    let mut first = Following::start(&home, line);
    wait_for("its cursor", || home.path("c").exists());
    create(&home, "two");
    assert_eq!(first.change()["record"]["name"], "two");
    // Whether or not the file was written anew since.
    for other in [
        line,
        "changes --db crm.db --cursor c",
        "changes --db crm.db --cursor ./c --exec true",
    ] {
        let said = home.line(other).fails(5);
        assert!(
            said.contains("another crm is using it")
                && said.contains("/c: ") | said.contains(" c: "),
            "{said}"
        );
    }
    create(&home, "three");
    assert_eq!(first.change()["record"]["name"], "three");
    // A kill releases it.
    first.stop(rustix::process::Signal::KILL);
    let mut second = Following::start(&home, line);
    create(&home, "four");
    // The cursor of the third may not have been written before the kill.
    let mut name = second.change()["record"]["name"].to_string();
    if name == "\"three\"" {
        name = second.change()["record"]["name"].to_string();
    }
    assert_eq!(name, "\"four\"");
    let (code, _, said) = second.stop(rustix::process::Signal::TERM);
    assert_eq!((code, said.as_str()), (Some(143), ""));
    home.line("changes --db crm.db --cursor c --exec true").ok();
}

/// A shell without job control lets what a script starts in the background ignore SIGINT.
#[cfg(target_os = "linux")]
#[test]
fn in_the_background_of_a_script_only_sigterm_ends_it() {
    let home = Home::new();
    create(&home, "one");
    for (more, ended) in [
        ("--exec cat --cursor c", (Some(143), None)),
        ("-o ndjson", (None, Some(15))),
    ] {
        let script = format!("trap '' INT; exec crm changes --db crm.db --follow {more}");
        let mut child = home.shell(&script).command();
        let mut child = child
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut follow = Following {
            lines: BufReader::new(child.stdout.take().unwrap()),
            said: BufReader::new(child.stderr.take().unwrap()),
            child,
        };
        // It follows from the first change that it prints.
        let mut number = 0;
        let seen = std::thread::scope(|scope| {
            let seen = scope.spawn(|| follow.change()["record"]["name"].to_string());
            while !seen.is_finished() {
                create(&home, &format!("{number}{}", more.len()));
                number += 1;
            }
            seen.join().unwrap()
        });
        assert_ne!(seen, "null");
        let id = rustix::process::Pid::from_child(&follow.child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        create(&home, &format!("last{}", more.len()));
        while follow.change()["record"]["name"] != format!("last{}", more.len()) {}
        let (code, signal, _) = follow.stop(rustix::process::Signal::TERM);
        assert_eq!((code, signal), ended, "{more}");
    }
}
