//! The commands at a shell. What works on records is run twice, on a file and over a server, and has to print the same
//! bytes and to exit with the same code.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;

use crate::support::{Crm, Home, Run, Server};

/// A home with a file, and one with a server.
pub struct Both {
    pub local: Home,
    pub remote: Home,
    pub server: Server,
    since: String,
}

impl Both {
    pub fn start() -> Both {
        let (local, remote) = (Home::new(), Home::new());
        let server = remote.serve(&["--db", "crm.db"]);
        Both {
            local,
            remote,
            server,
            since: crm::base::time::now(),
        }
    }

    /// With a lead, an action and a process of that lead, each with the id 1.
    pub fn with_one_of_each() -> Both {
        let both = Both::start();
        both.ok("crm lead create --email ada@example.com --name 'Ada Lovelace' --set company=Acme");
        both.ok(
            "crm action create --lead 1 --type call --details 'Asked for a quote' --at 2026-01-31",
        );
        both.ok("crm process create --name Spring --lead 1 --channel email --next '2099-02-07 09:00:00'");
        both
    }

    /// The line with this on its standard input, here and there.
    fn each(&self, line: &str, stdin: &str) -> [Crm; 2] {
        let here = self
            .local
            .shell(line)
            .env("DATABASE_URL", "sqlite:///crm.db");
        let there = self.remote.shell(line).env("CRM_URL", &self.server.url);
        [here.stdin(stdin), there.stdin(stdin)]
    }

    #[track_caller]
    pub fn fed(&self, line: &str, stdin: &str) -> Run {
        let [local, remote] = self.each(line, stdin).map(Crm::run);
        assert_eq!(
            self.timeless(&local),
            self.timeless(&remote),
            "a file and a server differ: {line}"
        );
        local
    }

    #[track_caller]
    pub fn run(&self, line: &str) -> Run {
        self.fed(line, "")
    }

    /// Its standard output, where it is all there is.
    #[track_caller]
    pub fn ok(&self, line: &str) -> String {
        let run = self.run(line);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{line}");
        run.stdout
    }

    /// Its error, where it is all there is.
    #[track_caller]
    pub fn fails(&self, line: &str, code: i32) -> String {
        let run = self.run(line);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(code), ""),
            "{line}: {run:?}"
        );
        assert!(run.stderr.starts_with("error: "), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        run.stderr
    }

    /// The run with the times hidden that are of now.
    fn timeless(&self, run: &Run) -> Run {
        let now = crm::base::time::now();
        let hide = |text: &str| {
            let mut out = String::new();
            let mut rest = text;
            while let Some(letter) = rest.chars().next() {
                let stamp = rest.get(..19).filter(|text| {
                    (self.since.as_str()..=now.as_str()).contains(text)
                        && crm::base::time::parse(text).as_deref() == Some(*text)
                });
                match stamp {
                    Some(_) => out.push_str("(a moment of this test)"),
                    None => out.push(letter),
                }
                rest = &rest[stamp.map_or(letter.len_utf8(), str::len)..];
            }
            out
        };
        Run {
            stdout: hide(&run.stdout),
            stderr: hide(&run.stderr),
            code: run.code,
        }
    }

    /// Leads with the ids from 1 to `count` in both databases.
    fn fill(&self, count: usize) {
        self.ok("crm lead create --email first@example.com");
        for home in [&self.local, &self.remote] {
            fill(&home.path("crm.db"), count, 1);
        }
    }
}

/// Adds leads up to this id, with names of this length.
fn fill(path: &std::path::Path, count: usize, length: usize) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute(
            "INSERT INTO leads (email, name, status, attributes, created_at, updated_at)
             WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
             SELECT 'a' || i || '@example.com', printf('%.*c', $2, 'x'), 's' || (i % 7), '{}',
                    '2026-01-31 09:30:00', '2026-01-31 09:30:00' FROM n",
            (count as i64, length as i64),
        )
        .unwrap();
}

#[test]
fn every_verb_works_on_every_noun_in_every_format() {
    let both = Both::start();
    for (noun, create, update, filter) in [
        (
            "lead",
            "--email ada@example.com --name 'Ada Lovelace' --status warm --set company=Acme",
            "--status won --unset company",
            "--status won",
        ),
        (
            "action",
            "--lead-id 1 --action-type call --details 'Two\nlines, \"quoted\"' --timestamp 2026-01-31T09:30:00+02:00",
            "--details 'Söhne 東京'",
            "--details like:söhne%",
        ),
        (
            "process",
            "--name Spring --lead-id 1 --channel email --last-action-id 1 --next-followup-datetime 2126-02-07 --status slow",
            "--clear channel",
            "--channel is:null",
        ),
    ] {
        for format in ["table", "json", "ndjson", "csv", "id"] {
            let created = both.ok(&format!("crm {noun} create {create} -o {format}"));
            assert!(!created.is_empty());
            // Several in a line, as starting a command is what takes the time.
            both.ok(&format!(
                "export CRM_OUTPUT={format}; crm {noun} get 1 && crm {noun} update 1 1 {update} && \
                 crm {noun} list {filter} --sort -id && crm {noun} list --where id=gt:99"
            ));
        }
        assert_eq!(both.ok(&format!("crm {noun} list {filter} -o id")), "1\n");
        assert_eq!(
            both.ok(&format!("crm {noun} list -o id")),
            "1\n2\n3\n4\n5\n"
        );
    }
    for noun in ["process", "action", "lead"] {
        for (id, format) in [(5, "table"), (4, "json"), (3, "ndjson"), (2, "csv")] {
            both.ok(&format!("crm {noun} delete {id} --yes -o {format}"));
        }
        assert_eq!(both.ok(&format!("crm {noun} list -o id")), "1\n");
    }
    assert_eq!(
        both.fails("crm lead delete 1 --yes", 5),
        "error: Lead 1 has 1 action and 1 process; delete them first, or all together (--cascade)\n"
    );
    assert_eq!(
        both.ok("crm lead delete 1 --cascade -y -o json"),
        "{\"id\":1,\"message\":\"Lead deleted\"}\n"
    );
    assert_eq!(both.ok("crm process list -o json"), "[]\n");
}

#[test]
fn formats_are_these_bytes() {
    let both = Both::with_one_of_each();
    both.ok("crm lead create --email jörg@müller.de --name 'Jörg, \"J\"'");
    let shown = "--fields id,email,name,attributes";
    for (format, expected) in [
        (
            "json",
            "[\n\
             {\"id\":1,\"email\":\"ada@example.com\",\"name\":\"Ada Lovelace\",\"attributes\":{\"company\":\"Acme\"}},\n\
             {\"id\":2,\"email\":\"jörg@müller.de\",\"name\":\"Jörg, \\\"J\\\"\",\"attributes\":{}}\n\
             ]\n",
        ),
        (
            "ndjson",
            "{\"id\":1,\"email\":\"ada@example.com\",\"name\":\"Ada Lovelace\",\"attributes\":{\"company\":\"Acme\"}}\n\
             {\"id\":2,\"email\":\"jörg@müller.de\",\"name\":\"Jörg, \\\"J\\\"\",\"attributes\":{}}\n",
        ),
        (
            "csv",
            "id,email,name,attributes\n\
             1,ada@example.com,Ada Lovelace,\"{\"\"company\"\":\"\"Acme\"\"}\"\n\
             2,jörg@müller.de,\"Jörg, \"\"J\"\"\",{}\n",
        ),
        ("id", "1\n2\n"),
    ] {
        assert_eq!(
            both.ok(&format!("crm lead list {shown} -o {format}")),
            expected
        );
        assert_eq!(
            both.ok(&format!("crm lead get 1 2 {shown} -o {format}")),
            expected
        );
    }
    let table = both.ok(&format!("crm lead list {shown}"));
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 4, "{table}");
    // Every column begins in the same place of each row.
    for (text, row) in [("email", 0), ("ada@", 2), ("jörg@", 3)] {
        assert_eq!(rows[row].find(text), rows[0].find("email"), "{table}");
    }
    assert_eq!(
        both.ok("crm lead get 1 --fields id,email -o json"),
        "{\"id\":1,\"email\":\"ada@example.com\"}\n"
    );
    assert_eq!(
        both.ok("crm lead list --where id=9 -o csv --fields id,email"),
        "id,email\n"
    );
    let action: Value = serde_json::from_str(&both.ok("crm action get 1 -o json")).unwrap();
    assert_eq!(action["details"], action["description"]);
    for format in ["table", "csv"] {
        assert!(
            !both
                .ok(&format!("crm action get 1 -o {format}"))
                .contains("description")
        );
    }
    assert!(
        both.fails("crm lead get 1 --fields id,colour", 2)
            .contains("email")
    );
}

#[test]
fn without_a_terminal_nothing_is_cut_wrapped_or_coloured() {
    let both = Both::start();
    let long = "a long name ".repeat(40);
    both.ok(&format!(
        "crm lead create --email a@example.com --name '{long}'"
    ));
    both.ok("crm lead create --email b@example.com");
    for line in ["crm lead list", "crm lead get 1", "crm lead get 1 2"] {
        let shown = both.ok(line);
        assert!(shown.contains(long.trim_end()), "{shown}");
        assert!(!shown.contains('\u{1b}') && !shown.contains('…'), "{shown}");
    }
}

#[test]
fn flags_have_second_names() {
    let both = Both::with_one_of_each();
    both.ok(
        "crm action create --lead-id 1 --action-type mail --description old --timestamp 2026-01-31",
    );
    assert_eq!(
        both.ok("crm action get 2 -o json --fields lead_id,action_type,details,timestamp"),
        "{\"lead_id\":1,\"action_type\":\"mail\",\"details\":\"old\",\"timestamp\":\"2026-01-31 00:00:00\"}\n"
    );
    both.ok("crm process update 1 --last-action 2 --next 2126-03-01 --lead 1");
    assert_eq!(
        both.ok("crm process list --last-action 2 --next 2126-03-01 --lead 1 -o id"),
        "1\n"
    );
    assert_eq!(
        both.ok("crm action list --type mail --at 2026-01-31 --description old -o id"),
        "2\n"
    );
    assert_eq!(
        both.ok("crm process update 1 --clear next --clear last-action -o ndjson --fields last_action_id,next_followup_datetime"),
        "{\"last_action_id\":null,\"next_followup_datetime\":null}\n"
    );
}

#[test]
fn attributes_are_set_and_unset() {
    let both = Both::start();
    let shown = "-o json --fields attributes";
    assert_eq!(
        both.ok(&format!(
            "crm lead create --email a@example.com --set company=Acme --set 'employees:=120.50' \
             --set 'url=https://a.example/?b=c' --set empty= --set 'tags:=[\"a\", {{\"z\":1,\"y\":2}}]' {shown}"
        )),
        "{\"attributes\":{\"company\":\"Acme\",\"employees\":120.50,\"url\":\"https://a.example/?b=c\",\"empty\":\"\",\
         \"tags\":[\"a\",{\"z\":1,\"y\":2}]}}\n"
    );
    assert_eq!(
        both.ok(&format!(
            "crm lead update 1 --set company=120 --unset employees --unset nothing --set 'n:=12345678901234567890.10' \
             --set 'url:=null' --unset tags {shown}"
        )),
        "{\"attributes\":{\"company\":\"120\",\"empty\":\"\",\"n\":12345678901234567890.10}}\n"
    );
    assert_eq!(
        both.ok(&format!(
            "crm lead update 1 --attributes '{{\"b\": true}}' --set c=d {shown}"
        )),
        "{\"attributes\":{\"company\":\"120\",\"empty\":\"\",\"n\":12345678901234567890.10,\"b\":true,\"c\":\"d\"}}\n"
    );
    for wrong in [
        "--set company",
        "--set 'n:=1e'",
        "--set 'n:='",
        "--set 'n:={\"a\":1,\"a\":2}'",
        "--attributes '[1]'",
    ] {
        both.fails(&format!("crm lead update 1 {wrong}"), 2);
        both.fails(&format!("crm lead create --email b@example.com {wrong}"), 2);
    }
    for (filter, expected) in [
        ("attributes.company=120", "1\n"),
        ("attributes.b=true", "1\n"),
        ("attributes.company=121", ""),
    ] {
        assert_eq!(
            both.ok(&format!("crm lead list --where {filter} -o id")),
            expected
        );
    }
}

#[test]
fn clear_sets_null() {
    let both = Both::with_one_of_each();
    assert_eq!(
        both.ok("crm process update 1 --clear lead-id --clear channel --clear next_followup_datetime -o json \
                 --fields lead_id,channel,next_followup_datetime"),
        "{\"lead_id\":null,\"channel\":null,\"next_followup_datetime\":null}\n"
    );
    for wrong in [
        "--clear status",
        "--clear name",
        "--clear colour",
        "--clear id",
        "--clear channel --channel x",
    ] {
        both.fails(&format!("crm process update 1 {wrong}"), 2);
    }
    both.fails("crm process update 1", 2);
}

#[test]
fn records_are_read_as_json() {
    let both = Both::start();
    let run = both.fed(
        "crm lead create --json - -o json --fields id,email,name,attributes",
        r#"{"email": " ADA@example.com", "name": null, "attributes": {"z": 1.0, "a": null}}"#,
    );
    assert_eq!(
        run.stdout,
        "{\"id\":1,\"email\":\"ada@example.com\",\"name\":null,\"attributes\":{\"z\":1.0}}\n"
    );
    both.fed("crm lead update 1 --json -", r#"{"status": "won"}"#);
    assert_eq!(both.ok("crm lead list --status won -o id"), "1\n");
    // What was read can be put back whole.
    let before = both.ok("crm lead get 1 -o json");
    assert_eq!(
        both.ok("crm lead get 1 -o json | crm lead update 1 --json - -o json"),
        before
    );
    both.ok("echo '{\"name\": \"Ada\"}' > lead.json; crm lead update 1 --json lead.json");
    assert_eq!(
        both.ok("crm lead get 1 -o csv --fields name"),
        "name\nAda\n"
    );
    for (stdin, field) in [
        ("", "standard input: expected a JSON object, got nothing"),
        ("[1]", "standard input: line 1: expected a JSON object"),
        ("{\"email\": \"a@example.com\", \"colour\": 1}", "colour"),
        ("{\"email\": \"nobody\", \"status\": \" \"}", "status"),
        ("{\"email\": 1}", "email"),
        (
            "{\"email\": \"a@example.com\", \"email\": \"b@example.com\"}",
            "email",
        ),
        ("{\"name\": \"Ada\"}", "email"),
    ] {
        let run = both.fed("crm lead create --json -", stdin);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
        assert!(run.stderr.contains(field), "{run:?}");
    }
    both.fails("crm lead create --json nothing.json", 1);
    both.fails("crm lead update - --json -", 2);
    assert_eq!(
        both.run("crm lead create --json - --email a@example.com")
            .code,
        Some(2)
    );
    assert_eq!(both.ok("crm lead list -o id"), "1\n");
}

#[test]
fn several_ids_are_done_in_order_going_on_after_a_failure() {
    let both = Both::start();
    for name in ["a", "b", "c"] {
        both.ok(&format!("crm lead create --email {name}@example.com"));
    }
    both.ok("crm action create --type call --lead 2");
    let run = both.run("crm lead get 3 9 1 -o json --fields id");
    assert_eq!(run.stdout, "[\n{\"id\":3}\n,{\"id\":1}\n]\n");
    let errors: Vec<Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(errors[0]["error"], "lead 9: not found");
    assert_eq!(run.code, Some(3));
    let run = both.run("crm lead update 1 9 2 --status won -o id");
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(3), "1\n2\n"),
        "{run:?}"
    );
    let run = both.run("crm lead delete 1 2 9 3 --yes");
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(5), "Lead 1 deleted\nLead 3 deleted\n"),
        "{run:?}"
    );
    assert_eq!(run.stderr.lines().count(), 2);
    assert_eq!(both.ok("crm lead list -o id"), "2\n");
    // The same id twice is done twice.
    let run = both.run("crm lead delete 2 2 --yes --cascade");
    assert_eq!(run.code, Some(3));
}

#[test]
fn ids_are_read_from_standard_input() {
    let both = Both::start();
    for name in ["a", "b", "c"] {
        both.ok(&format!("crm lead create --email {name}@example.com"));
    }
    let all = both.ok("crm lead list -o ndjson");
    assert_eq!(
        both.ok("crm lead list -o id | crm lead get - -o ndjson"),
        all
    );
    let run = both.fed("crm lead get 3 - 1 -o id", "2\n\n 9  2\r\n");
    assert_eq!((run.code, run.stdout.as_str()), (Some(3), "3\n2\n2\n1\n"));
    both.ok("crm lead list --email like:b% -o id | crm lead update - --status won");
    assert_eq!(both.ok("crm lead list --status won -o id"), "2\n");
    assert_eq!(both.ok("crm lead get - -o json < /dev/null"), "[]\n");
    both.ok("crm lead list -o id | crm lead delete - --yes");
    assert_eq!(both.ok("crm lead list --count"), "0\n");
}

#[test]
fn a_delete_without_a_terminal_has_to_be_meant() {
    let both = Both::with_one_of_each();
    for line in [
        "crm action delete 1",
        "echo 1 | crm action delete -",
        "echo y | crm action delete 1",
    ] {
        assert!(both.fails(line, 2).contains("--yes"));
    }
    assert_eq!(both.ok("crm action list -o id"), "1\n");
    assert_eq!(both.ok("crm action delete 1 --yes"), "Action 1 deleted\n");
}

#[test]
fn lists_take_the_filters_of_the_api() {
    let both = Both::start();
    for (email, name, status) in [
        ("ada@example.com", "Ada Lovelace", "new"),
        ("bob@example.com", "Bob", "contacted"),
        ("jörg@müller.de", "JÖRG", "won"),
    ] {
        both.ok(&format!(
            "crm lead create --email {email} --name '{name}' --status {status}"
        ));
    }
    both.ok("crm lead create --email z@example.com");
    for (flags, expected) in [
        ("--status new", "1\n4\n"),
        ("--status in:contacted,won", "2\n3\n"),
        ("--status ne:new --name is:notnull", "2\n3\n"),
        ("--name is:null", "4\n"),
        ("--id gte:2 --id lt:4", "2\n3\n"),
        ("--where status=new --where name=is:null", "4\n"),
        ("--where 'name=like:a%'", "1\n"),
        ("--q jörg", "3\n"),
        ("--q EXAMPLE --status new", "1\n4\n"),
        ("--sort -email", "4\n3\n2\n1\n"),
        ("--sort name,-id", "4\n1\n2\n3\n"),
        ("--created-at gte:today", "1\n2\n3\n4\n"),
        ("--created-at lt:today", ""),
        ("--updated-at in:2020-01-01,today", "1\n2\n3\n4\n"),
    ] {
        assert_eq!(
            both.ok(&format!("crm lead list {flags} -o id")),
            expected,
            "{flags}"
        );
    }
    assert_eq!(both.ok("crm lead list --status ne:new --count"), "2\n");
    assert_eq!(
        both.ok("crm lead list --status new --count -o json"),
        "{\"count\":2}\n"
    );
    for wrong in [
        "--where status",
        "--where colour=red",
        "--sort colour",
        "--id x",
        "--created-at lte:soon",
        "--after nonsense",
        "--count --limit 1",
    ] {
        both.fails(&format!("crm lead list {wrong}"), 2);
    }
    for wrong in ["--limit 0", "--limit x", "--colour red"] {
        assert_eq!(both.run(&format!("crm lead list {wrong}")).code, Some(2));
    }
}

#[test]
fn a_limit_may_be_more_than_a_page() {
    let both = Both::start();
    both.fill(20_500);
    for (flags, first, last, count) in [
        ("--limit 20300", "1", "20300", 20_300),
        ("--sort -id --limit 10001", "20500", "10500", 10_001),
        ("", "1", "20500", 20_500),
        ("--sort=-created_at,id", "1", "20500", 20_500),
    ] {
        let listed = both.ok(&format!("crm lead list {flags} -o id"));
        let ids: Vec<&str> = listed.lines().collect();
        assert_eq!(
            (ids.len(), ids[0], ids[ids.len() - 1]),
            (count, first, last),
            "{flags}"
        );
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), count, "{flags}");
    }
    assert_eq!(both.ok("crm lead list --count"), "20500\n");
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let both = Both::with_one_of_each();
    for (line, code) in [
        ("crm lead get 9", 3),
        ("crm lead get 0", 2),
        ("crm lead get 9223372036854775807", 3),
        ("crm lead get 9223372036854775808", 2),
        ("crm lead update 9 --name x", 3),
        ("crm action delete 9 --yes", 3),
        ("crm lead create --email nobody", 2),
        ("crm lead create --name Ada", 2),
        ("crm action create --type call --lead 9", 2),
        ("crm lead delete 1 --yes", 5),
        (
            "crm lead create --email ADA@example.com --on-duplicate reject",
            5,
        ),
        ("crm process create --name ' '", 2),
        ("crm process update 1 --next soon", 2),
    ] {
        let told = both.fails(line, code);
        assert!(!told.contains("panicked"), "{told}");
        // As JSON it is the same sentence.
        let run = both.run(&format!("{line} -o json"));
        assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""));
        let error: Value = serde_json::from_str(&run.stderr).unwrap();
        assert_eq!(
            format!("error: {}\n", error["error"].as_str().unwrap()),
            told
        );
    }
    let run = both.run("crm process create --channel ' ' --lead 9 -o json");
    let error: Value = serde_json::from_str(&run.stderr).unwrap();
    assert!(
        error["fields"]
            .as_object()
            .unwrap()
            .keys()
            .eq(["channel", "name", "lead_id"])
            || error["fields"].as_object().unwrap().len() == 3,
        "{error}"
    );
    let run = both
        .run("crm lead create --email ADA@example.com --on-duplicate update --status won -o id");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "1\n"));
    for usage in [
        "crm",
        "crm lead",
        "crm lead get",
        "crm nothing",
        "crm lead list --colour red",
        "crm lead list -o yaml",
        "crm lead create --on-duplicate maybe --email a@example.com",
        "crm --db a.db --url http://localhost:1 lead list",
    ] {
        let run = both.run(usage);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{usage}");
        assert!(!run.stderr.is_empty());
    }
    let run = both.run("crm lead list --colour red -o json");
    let error: Value = serde_json::from_str(&run.stderr).unwrap();
    assert!(error["error"].as_str().unwrap().contains("--colour"));
}

#[test]
fn words_that_are_no_text_are_refused() {
    let home = Home::new();
    let odd = std::ffi::OsStr::from_bytes(b"\xff@example.com");
    let words = ["lead".as_ref(), "create".as_ref(), "--email".as_ref(), odd];
    let told = home.crm::<&std::ffi::OsStr>(words).fails(2);
    assert!(told.starts_with("error: "), "{told}");
}

/// An address where nothing listens.
fn nowhere() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The end of a command against a server that answers every request with this.
pub fn answered(answer: &str) -> Run {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&stream);
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
            (&stream).write_all(answer.as_bytes()).unwrap();
        });
        Home::new()
            .crm(["lead", "list", "-o", "json", "--url", &url])
            .run()
    })
}

#[test]
fn controls_are_no_filters() {
    let both = Both::start();
    both.ok("crm lead create --email a@example.com");
    for (control, flag) in [
        ("fields=email", "--fields"),
        ("count=true", "--count"),
        ("limit=1", "--limit"),
    ] {
        let run = both.run(&format!("crm lead list --where {control}"));
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
        assert!(run.stderr.contains(flag), "{}", run.stderr);
    }
}

#[test]
fn a_record_too_large_is_refused_by_a_file_too() {
    let both = Both::start();
    let name = "x".repeat(1024 * 1024);
    let line = "(printf '{\"email\": \"a@example.com\", \"name\": \"'; cat name; printf '\"}') | crm lead create --json -";
    for home in [&both.local, &both.remote] {
        home.write("name", &name);
    }
    let run = both.run(line);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (
            Some(2),
            "error: standard input: expected at most 1048576 bytes\n"
        )
    );
}

#[test]
fn a_server_out_of_reach_is_6_and_one_that_forbids_is_4() {
    let home = Home::new();
    let url = nowhere();
    for line in [
        "lead list",
        "lead get 1 2",
        "lead create --email a@example.com",
    ] {
        let told = home.line(line).env("CRM_URL", &url).fails(6);
        assert!(told.contains(&url) && told.lines().count() == 1, "{told}");
    }
    let answer = |status: &str, media: &str, body: &str| {
        answered(&format!(
            "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ))
    };
    let run = answer("403 Forbidden", "application/json", r#"{"error": "no"}"#);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (Some(4), "{\"error\":\"no\"}\n")
    );
    for (status, media, body) in [
        ("200 OK", "text/html", "<html>"),
        ("200 OK", "application/x-ndjson", "{\"id\":1"),
        (
            "200 OK",
            "application/x-ndjson",
            "{\"error\":\"no entry\"}\n",
        ),
        ("200 OK", "application/x-ndjson", "<html>\n"),
        ("302 Found", "text/plain", ""),
        ("502 Bad Gateway", "text/html", "<html>"),
        ("404 Not Found", "text/html", "<html>"),
    ] {
        let run = answer(status, media, body);
        assert_eq!(run.code, Some(6), "{run:?}");
        assert!(!run.stdout.contains(']'), "{run:?}");
    }
    // Half of a list is no list.
    let run = answered(
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n\
         9\r\n{\"id\":1}\n\r\n",
    );
    assert_eq!((run.code, run.stdout.contains(']')), (Some(6), false));
}

/// The end of a command against a server that gives each request the next of these answers, and how many it asked for.
fn answered_in_turn(words: &[&str], answers: &[&str]) -> (Run, usize) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut asked = 0;
            for answer in answers.iter().chain(std::iter::repeat(&"")) {
                let (stream, _) = listener.accept().unwrap();
                if over.load(Ordering::SeqCst) {
                    break;
                }
                asked += 1;
                let mut reader = BufReader::new(&stream);
                let (mut line, mut length) = (String::new(), 0);
                while line != "\r\n" {
                    line.clear();
                    reader.read_line(&mut line).unwrap();
                    let header = line.to_ascii_lowercase();
                    if let Some(given) = header.strip_prefix("content-length: ") {
                        length = given.trim().parse().unwrap();
                    }
                }
                reader.read_exact(&mut vec![0; length]).unwrap();
                (&stream).write_all(answer.as_bytes()).unwrap();
            }
            asked
        });
        let url = format!("http://{address}");
        let run = Home::new().crm([words, &["--url", &url]].concat()).run();
        over.store(true, Ordering::SeqCst);
        TcpStream::connect(address).unwrap();
        (run, server.join().unwrap())
    })
}

#[test]
fn what_passes_is_asked_for_again_and_what_does_not_is_told() {
    let answer = |status: &str, headers: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
        )
    };
    let busy = answer(
        "503 Service Unavailable",
        "Retry-After: 0\r\n",
        r#"{"error":"busy"}"#,
    );
    let limited = answer("429 Too Many Requests", "", r#"{"error":"slowly"}"#);
    let lead = r#"{"id":7,"email":"a@example.com","status":"new","attributes":{},"created_at":"2026-01-01 00:00:00","updated_at":"2026-01-01 00:00:00"}"#;
    let made = answer("201 Created", "ETag: \"1\"\r\n", lead);
    let create = ["lead", "create", "--email", "a@example.com", "-o", "id"];
    // A lost connection, a busy server, one that is asked too often.
    let (run, asked) = answered_in_turn(&create, &["", &busy, &limited, &made]);
    assert_eq!(
        (run.code, run.stdout.as_str(), asked),
        (Some(0), "7\n", 4),
        "{run:?}"
    );
    let all = [busy.as_str(); 9];
    let (run, asked) = answered_in_turn(&create, &all);
    assert_eq!((run.code, asked), (Some(1), 5), "{run:?}");
    assert_eq!(run.stderr, "error: busy\n");
    // Who has heard nothing after sending a write knows nothing of it; a read is only not answered.
    let nobody = answer("401 Unauthorized", "", r#"{"error":"who"}"#);
    let between = answer("502 Bad Gateway", "", "<html>");
    let odd = answer("201 Created", "", "<html>");
    let perhaps = "may have been saved anyway; check before you try again\n";
    for (words, answers, code, told) in [
        (&create[..], &[""; 9][..], 6, true),
        (&create, &[&["", ""][..], &all].concat(), 1, true),
        (&["lead", "get", "1"], &[""; 9], 6, false),
        // What comes after is about the last try alone, and what stands between may have passed it on.
        (&create, &["", &nobody], 4, true),
        (&create, &[&nobody], 4, false),
        (&create, &[&between], 6, true),
        (&["lead", "get", "1"], &[&between], 6, false),
        (&create, &[&odd], 6, true),
    ] {
        let (run, asked) = answered_in_turn(words, answers);
        let most = answers.len().min(5);
        assert_eq!((run.code, asked), (Some(code), most), "{run:?}");
        assert_eq!(run.stderr.ends_with(perhaps), told, "{run:?}");
    }
    // What will be the same the next time, and what will be long in coming.
    let later = answer(
        "503 Service Unavailable",
        "Retry-After: 3600\r\n",
        r#"{"error":"later"}"#,
    );
    for (status, code) in [
        ("302 Found", 6),
        ("418 I'm a teapot", 6),
        ("502 Bad Gateway", 6),
        ("", 1),
    ] {
        let once = match status {
            "" => later.clone(),
            status => answer(status, "", ""),
        };
        let (run, asked) = answered_in_turn(&create, &[&once, &made]);
        assert_eq!((run.code, asked), (Some(code), 1), "{status}: {run:?}");
    }
    // As much as somebody cares to send.
    let endless = answer("200 OK", "", &"x".repeat(17 << 20));
    let (run, asked) = answered_in_turn(&["lead", "get", "1"], &[&endless]);
    assert_eq!((run.code, asked), (Some(6), 1), "{run:?}");
    assert!(run.stderr.contains("larger than 16 MiB"), "{run:?}");
}

/// Starts it and answers its standard output after the first line was read from it.
fn begun(crm: Crm) -> (Child, BufReader<std::process::ChildStdout>, String) {
    let mut command = crm.command();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (child, reader, line)
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let both = Both::start();
    both.fill(20_000);
    for format in ["table", "json", "csv"] {
        let line = format!("exec crm lead list -o {format}");
        for crm in both.each(&line, "") {
            let (child, reader, line) = begun(crm);
            assert!(!line.is_empty());
            drop(reader);
            let output = child.wait_with_output().unwrap();
            assert_eq!(
                (
                    output.status.code(),
                    String::from_utf8(output.stderr).unwrap().as_str()
                ),
                (Some(0), ""),
                "{format}"
            );
        }
    }
}

#[test]
fn a_list_that_breaks_is_never_closed() {
    for format in ["json", "ndjson", "csv"] {
        let both = Both::start();
        both.ok("crm lead create --email first@example.com");
        let line = format!("exec crm lead list -o {format}");
        for (home, crm) in [&both.local, &both.remote]
            .into_iter()
            .zip(both.each(&line, ""))
        {
            let path = home.path("crm.db");
            fill(&path, 2_000, 8_000);
            let (mut child, mut reader, _) = begun(crm);
            Connection::open(&path)
                .unwrap()
                .execute_batch("PRAGMA foreign_keys = OFF; DROP TABLE leads")
                .unwrap();
            let mut rest = String::new();
            reader.read_to_string(&mut rest).unwrap();
            let mut stderr = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut stderr)
                .unwrap();
            let code = child.wait().unwrap().code();
            assert!(matches!(code, Some(1 | 6)), "{code:?} {stderr}");
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
            assert!(!rest.trim_end().ends_with(']'));
        }
    }
}

#[test]
fn an_output_that_takes_nothing_is_a_failure() {
    let both = Both::with_one_of_each();
    for line in [
        "crm lead list",
        "crm lead list -o json",
        "crm lead get 1 -o id",
        "crm lead list --count",
        "crm lead update 1 --name x",
        "crm completions bash",
    ] {
        let run = both.run(&format!("{line} > /dev/full"));
        assert_eq!(run.code, Some(1), "{line}: {run:?}");
        assert!(run.stderr.contains("standard output"), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    }
}

/// A file in New York, and a server in Tokyo that is used from New York.
fn in_new_york() -> Both {
    let (local, remote) = (Home::new(), Home::new());
    let server = remote.serve(&["--db", "crm.db", "--tz", "Asia/Tokyo"]);
    let zone = "timezone = 'America/New_York'";
    for home in [&local, &remote] {
        home.write(".config/crm/config.toml", zone);
    }
    Both {
        local,
        remote,
        server,
        since: crm::base::time::now(),
    }
}

#[test]
fn words_stand_for_times() {
    let both = in_new_york();
    let zone = crm::base::time::Zone::named("America/New_York").unwrap();
    let point = |word: &str, tense| {
        let point = crm::base::time::point(word, &zone, tense).unwrap();
        point.trim_end_matches('Z').to_string()
    };
    use crm::base::time::Tense::{Future, Past};
    for word in [
        "now",
        "today",
        "tomorrow",
        "yesterday",
        "+3d",
        "-2h",
        "fri",
        "+90m",
        "+1week",
        "14:30",
        "yesterday 14:30",
        "next week",
        "27.11.2026",
        "noon",
        "tomorrow 9am",
        "monday 9:00",
        "in 3 days",
        "2 weeks ago",
        "last month",
    ] {
        for (command, tense) in [
            (
                "crm process create --name p --fields next_followup_datetime -o csv --next",
                Future,
            ),
            (
                "crm action create --type call --fields timestamp -o csv --at",
                Past,
            ),
        ] {
            for crm in both.each(&format!("{command} '{word}'"), "") {
                let before = point(word, tense);
                let csv = crm.warned();
                let stored = csv.lines().nth(1).unwrap().to_string();
                let after = point(word, tense);
                assert!((before..=after).contains(&stored), "{word} gave {stored}");
            }
        }
    }
    for (word, hint) in [
        ("soon", "got \"soon\"\n"),
        ("11/27/2026", "write 2026-11-27\n"),
        ("05/06/2026", "write 2026-05-06 or 2026-06-05\n"),
        ("3d", "did you mean +3d or -3d?\n"),
    ] {
        let error = both.fails(&format!("crm process create --name p --next '{word}'"), 2);
        assert!(
            error.starts_with("error: next_followup_datetime: expected a time like"),
            "{error}"
        );
        assert!(error.ends_with(hint), "{error}");
        let error = both.fails(&format!("crm process list --next 'gte:{word}'"), 2);
        assert!(
            error.starts_with("error: next_followup_datetime: expected a time like"),
            "{error}"
        );
        assert!(error.ends_with(hint), "{error}");
    }
}

#[test]
fn times_are_read_and_shown_in_the_zone() {
    let both = in_new_york();
    // A table would show when it was made, in New York.
    both.ok("crm lead create --email ada@example.com -o id");
    for at in [
        "2026-11-27 09:00",
        "2026-11-26 23:30",
        "2026-11-28",
        "2026-11-01 01:30",
        "2026-11-01 01:30-05:00",
        "2026-03-08 02:30",
        "2026-11-27T09:00Z",
    ] {
        both.ok(&format!(
            "crm action create --type call --lead 1 -o id --at '{at}'"
        ));
    }
    let shown = both.ok("crm action list --fields id,timestamp");
    let lines: Vec<&str> = shown.lines().skip(2).map(|line| line.trim()).collect();
    assert_eq!(
        lines,
        [
            "1  2026-11-27 09:00:00",
            "2  2026-11-26 23:30:00",
            "3  2026-11-28 00:00:00",
            "4  2026-11-01 01:30:00",
            "5  2026-11-01 01:30:00-05:00",
            "6  2026-03-08 03:30:00",
            "7  2026-11-27 04:00:00",
        ]
    );
    // What is shown is read back as the same time.
    for (id, line) in (1..).zip(&lines) {
        let shown = line.split_once("  ").unwrap().1;
        let found = both.ok(&format!("crm action list --at '{shown}' -o id"));
        assert_eq!(found.trim(), id.to_string(), "{line}");
    }
    // Programs get what is stored.
    let stored = "2026-11-27 14:00:00";
    for format in ["json", "ndjson", "csv"] {
        let out = both.ok(&format!("crm action get 1 -o {format}"));
        assert!(out.contains(stored), "{out}");
    }
    let out = both.ok("crm action get 1 --tz Asia/Kolkata --fields timestamp");
    assert_eq!(out, "timestamp  2026-11-27 19:30:00\n");
    let listed = |filter: &str| {
        let ids = both.ok(&format!("crm action list --at '{filter}' -o id"));
        ids.lines().collect::<Vec<_>>().join(" ")
    };
    for (filter, ids) in [
        ("2026-11-27", "1 7"),
        ("eq:27.11.2026", "1 7"),
        ("ne:2026-11-27", "2 3 4 5 6"),
        ("in:2026-11-26,27.11.2026", "1 2 7"),
        ("in:nov 26\\, 2026,2026-11-28", "2 3"),
        ("gte:2026-11-27", "1 3 7"),
        ("gt:2026-11-27", "3"),
        ("lte:2026-11-26", "2 4 5 6"),
        ("lt:2026-11-26", "4 5 6"),
        ("lt:2026-11-27 09:00", "2 4 5 6 7"),
        ("lt:2026-11-27 09:00[Europe/Berlin]", "2 4 5 6"),
        ("2026-11-26/2026-11-28", "1 2 7"),
        ("is:null", ""),
        ("like:2026-11-28%", "3"),
    ] {
        assert_eq!(listed(filter), ids, "{filter}");
        let filter = format!("crm action list --where 'timestamp={filter}' -o id");
        assert_eq!(
            both.ok(&filter).lines().collect::<Vec<_>>().join(" "),
            ids,
            "{filter}"
        );
    }
    // JSON is UTC where it is printed and where it is read.
    both.ok("crm action get 1 -o json | crm action update 1 -o id --json -");
    assert!(both.ok("crm action get 1 -o json").contains(stored));
    both.ok("crm action update 1 -o id --at '2026-11-27 10:00'");
    assert!(
        both.ok("crm action get 1 -o json")
            .contains("2026-11-27 15:00:00")
    );
    let shown = both.ok("crm config | grep -o 'timezone *America/New_York'");
    assert!(shown.starts_with("timezone"), "{shown}");
    // The first token is made where the database is.
    for home in [&both.local, &both.remote] {
        let first = "crm token create first --scope admin --db crm.db > token";
        home.shell(first).ok();
    }
    let with_token = |line: &str| both.ok(&format!("CRM_TOKEN=$(cat token) crm token {line}"));
    with_token("create second --scope read --expires '2027-01-01 00:00' > second");
    assert_eq!(with_token("list | grep -c '2027-01-01 00:00:00$'"), "1\n");
    assert_eq!(
        with_token("list -o csv | grep -c '2027-01-01 05:00:00$'"),
        "1\n"
    );
}

#[test]
fn a_wrong_zone_is_refused_with_a_near_one() {
    let both = Both::with_one_of_each();
    let error = both.fails("crm lead list --tz Europe/Berln", 2);
    assert_eq!(
        error,
        "error: --tz: expected a time zone like Europe/Berlin, UTC or +05:30, got \"Europe/Berln\"; did you mean Europe/Berlin?\n"
    );
    // An offset may begin with a hyphen.
    let west = both.ok("crm action get 1 --tz -05:00 -o id");
    assert_eq!(west, "1\n");
    let error = both.fails("TZ=Mars/Phobos crm action get 1", 2);
    assert!(
        error.starts_with("error: TZ: expected a time zone"),
        "{error}"
    );
    // What needs no zone works.
    let home = &both.local;
    home.shell("crm backup b.db --db crm.db -o id")
        .env("TZ", "Mars/Phobos")
        .ok();
    let shown = home.shell("crm config").env("TZ", "Mars/Phobos").ok();
    assert!(shown.contains("TZ: expected a time zone"), "{shown}");
    for (zone, time) in [
        ("", "2026-01-31 00:00:00"),
        (":", "2026-01-31 00:00:00"),
        (":Asia/Tokyo", "2026-01-31 09:00:00"),
        ("JST-9", "2026-01-31 09:00:00"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-01-31 01:00:00"),
    ] {
        let out = both.ok(&format!("TZ='{zone}' crm action get 1 --fields timestamp"));
        assert_eq!(out, format!("timestamp  {time}\n"), "{zone}");
    }
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let home = Home::new();
    for name in ["flag", "environment", "file", "here"] {
        let db = format!("{}/{name}.db", home.path("").display());
        for _ in 0..name.len() {
            home.crm(["lead", "create", "--email", "a@example.com", "--db", &db])
                .ok();
        }
    }
    let served = Home::new();
    let server = served.serve(&["--db", "served.db"]);
    let count = |words: &[&str], environment: &[(&str, &str)]| {
        let mut crm = home.crm(["lead", "list", "--count"].iter().chain(words));
        for (name, value) in environment {
            crm = crm.env(name, value);
        }
        crm.ok().trim().parse::<usize>().unwrap()
    };
    // In the user's data folder, which is empty.
    assert_eq!(count(&[], &[]), 0);
    assert!(home.path(".local/share/crm/crm.db").exists());
    std::fs::rename(home.path("here.db"), home.path("crm.db")).unwrap();
    assert_eq!(count(&[], &[]), "here".len());
    home.write(
        ".config/crm/config.toml",
        "database = '../../file.db'\noutput = 'json'",
    );
    let output = |words: &[&str], environment: &[(&str, &str)]| {
        let mut crm = home.crm(["lead", "get", "1", "--fields", "id"].iter().chain(words));
        for (name, value) in environment {
            crm = crm.env(name, value);
        }
        crm.ok()
    };
    assert_eq!(output(&[], &[]), "{\"id\":1}\n");
    assert_eq!(output(&[], &[("CRM_OUTPUT", "csv")]), "id\n1\n");
    assert_eq!(output(&["-o", "id"], &[("CRM_OUTPUT", "csv")]), "1\n");
    std::fs::remove_file(home.path(".config/crm/config.toml")).unwrap();
    home.write(".config/crm/config.toml", "database = '../../file.db'");
    assert_eq!(count(&[], &[]), "file".len());
    let environment = [("DATABASE_URL", "sqlite:///environment.db")];
    assert_eq!(count(&[], &environment), "environment".len());
    assert_eq!(count(&["--db", "flag.db"], &environment), "flag".len());
    // A URL hides a database at a lower level, and the other way round.
    assert_eq!(count(&[], &[("CRM_URL", &server.url)]), 0);
    assert_eq!(count(&["--url", &server.url], &environment), 0);
    assert_eq!(
        count(&["--db", "flag.db"], &[("CRM_URL", &server.url)]),
        "flag".len()
    );
    home.write("other.toml", &format!("url = '{}/'", server.url));
    assert_eq!(count(&["--config", "other.toml"], &[]), 0);
    assert_eq!(
        count(&["--config", "other.toml"], &environment),
        "environment".len()
    );
    for (words, environment) in [
        (
            &["--db", "flag.db", "--url", "http://localhost:1"][..],
            &[][..],
        ),
        (
            &[],
            &[("DATABASE_URL", "a.db"), ("CRM_URL", "http://localhost:1")],
        ),
        (&["--config", "nothing.toml"], &[]),
        (&["--db", "mysql://localhost/crm"], &[]),
        (&["--url", "localhost:8000"], &[]),
        (&[], &[("CRM_OUTPUT", "yaml")]),
    ] {
        let mut crm = home.crm(["lead", "list"].iter().chain(words));
        for (name, value) in environment {
            crm = crm.env(name, value);
        }
        crm.fails(2);
    }
    // The server follows the same rule, but for URLs.
    let line = |words: &[&str], environment: &[(&str, &str)]| {
        let words = ["serve", "--host", "127.0.0.1", "--port", "0"]
            .iter()
            .chain(words);
        let mut crm = home.crm(words);
        for (name, value) in environment {
            crm = crm.env(name, value);
        }
        Server::start(crm.command()).line.clone()
    };
    assert!(line(&[], &[("CRM_URL", "http://localhost:1")]).contains("file.db"));
    assert!(line(&["--url", "http://localhost:1"], &environment).contains("environment.db"));
    assert!(line(&["--db", "flag.db"], &environment).contains("flag.db"));
}

#[test]
fn config_shows_each_setting_and_where_it_comes_from() {
    let home = Home::new();
    home.write(
        ".config/crm/config.toml",
        "output = 'ndjson'\nurl = 'http://localhost:1'",
    );
    let shown = home
        .line("config")
        .env("DATABASE_URL", "a.db")
        .env("PORT", "9000")
        .ok();
    let rows: Vec<Value> = shown
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let row = |name: &str| rows.iter().find(|row| row["setting"] == name).unwrap();
    assert!(
        row("database")["value"]
            .as_str()
            .unwrap()
            .ends_with("/a.db")
    );
    assert_eq!(row("database")["source"], "environment DATABASE_URL");
    assert_eq!(row("url")["value"], Value::Null);
    assert!(
        row("output")["source"]
            .as_str()
            .unwrap()
            .ends_with("config.toml")
    );
    assert_eq!(row("port")["value"], "9000");
    assert_eq!(row("host")["value"], "0.0.0.0");
    assert_eq!(row("host")["source"], "default");
    assert_eq!(
        home.line("--version").ok(),
        format!("crm {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn health_asks_a_server() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    assert_eq!(home.crm(["health", "--url", &server.url]).ok(), "ok\n");
    let port = server.url.rsplit(':').next().unwrap();
    assert_eq!(home.line("health").env("PORT", port).ok(), "ok\n");
    // A small container has no certificates, and plain HTTP needs none.
    let bare = home.crm(["health", "--url", &server.url]);
    let bare = bare.env("SSL_CERT_FILE", "/nothing");
    assert_eq!(bare.env("SSL_CERT_DIR", "/nothing").ok(), "ok\n");
    home.line("health").env("CRM_URL", &nowhere()).fails(6);
}

#[test]
fn a_database_that_is_not_there_is_made_by_creates_alone() {
    let home = Home::new();
    for line in [
        "lead list --db slip.db",
        "lead get 1 --db slip.db",
        "lead delete 1 --yes --db slip.db",
    ] {
        assert!(home.line(line).fails(1).contains("slip.db"));
        assert!(!home.path("slip.db").exists());
    }
    home.line("lead create --email a@example.com --db slip.db")
        .ok();
    assert_eq!(home.line("lead list -o id --db slip.db").ok(), "1\n");
    home.line("lead create --email a@example.com --db nowhere/crm.db")
        .fails(1);
    home.line("lead create --email a@example.com --db .")
        .fails(1);
}

/// What a command shows on a terminal of this many columns where this is typed, and its exit code.
pub fn at_terminal(crm: Crm, columns: u16, typed: &str) -> (String, Option<i32>) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let open = || {
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap()
    };
    let mut terminal = std::fs::File::from(terminal);
    let mut command = crm.command();
    let mut child = command
        .stdin(open())
        .stdout(open())
        .stderr(open())
        .spawn()
        .unwrap();
    // It holds the other end too, and the terminal would not end with the command.
    drop(command);
    terminal.write_all(typed.as_bytes()).unwrap();
    let mut shown = Vec::new();
    let mut part = [0; 4096];
    // The end of a terminal is an error on Linux.
    while let Ok(read @ 1..) = terminal.read(&mut part) {
        shown.extend_from_slice(&part[..read]);
    }
    let code = child.wait().unwrap().code();
    (
        String::from_utf8(shown).unwrap().replace("\r\n", "\n"),
        code,
    )
}

#[test]
fn a_delete_asks_on_a_terminal() {
    let home = Home::new();
    for _ in 0..3 {
        home.line("lead create --email a@example.com").ok();
    }
    for answer in ["n\n", "\n", "\u{4}"] {
        let (shown, code) = at_terminal(home.line("lead delete 1"), 80, answer);
        assert!(
            shown.contains("lead 1: a@example.com, new\nDelete lead 1? [y/N]"),
            "{shown}"
        );
        assert!(shown.contains("nothing was changed"), "{shown}");
        assert_eq!(code, Some(1));
    }
    assert_eq!(home.line("lead list --count").ok(), "3\n");
    let (shown, code) = at_terminal(home.line("lead delete 1 3 --cascade"), 80, "y\n");
    assert!(
        shown.contains("Delete these 2 leads with all actions and processes? [y/N]"),
        "{shown}"
    );
    assert_eq!(
        (code, home.line("lead list -o id").ok().as_str()),
        (Some(0), "2\n")
    );
    let (shown, code) = at_terminal(home.line("lead delete 2 -y"), 80, "");
    // A person is told how to get it back.
    let expected = "Lead 2 deleted\nnote: crm undo takes it back\n";
    assert_eq!((shown.as_str(), code), (expected, Some(0)));
}

#[test]
fn a_table_fits_the_terminal() {
    let home = Home::new();
    for name in [
        "東京タワー ".repeat(30),
        "plain ".repeat(30),
        "é\u{301} 👩‍👩‍👧 ".repeat(30),
    ] {
        home.crm([
            "lead",
            "create",
            "--email",
            "a@example.com",
            "--name",
            &name,
        ])
        .ok();
    }
    for columns in [40, 80, 137] {
        let (shown, code) = at_terminal(home.line("lead list").env("NO_COLOR", "1"), columns, "");
        assert_eq!(code, Some(0));
        assert!(!shown.contains('\u{1b}'), "{shown}");
        for line in shown.lines() {
            let width = unicode_width::UnicodeWidthStr::width(line);
            assert!(width <= columns.into(), "{width} > {columns}: {line}");
        }
        assert!(shown.contains('…'), "{shown}");
    }
    let (coloured, _) = at_terminal(home.line("lead list").env("TERM", "xterm"), 80, "");
    assert!(coloured.contains("\u{1b}["), "{coloured}");
    let (json, _) = at_terminal(home.line("lead get 1 -o json --fields id"), 80, "");
    assert_eq!(json, "{\"id\":1}\n");
    let (error, code) = at_terminal(home.line("lead get 9").env("TERM", "xterm"), 80, "");
    assert_eq!(code, Some(3));
    assert!(
        error.contains("\u{1b}[") && error.contains("Lead not found"),
        "{error}"
    );
}
