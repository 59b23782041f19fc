//! The commands as a person meets them: slips, several records, what is shown before a delete, the pager, completions, and
//! data that would control the terminal.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::cli::{Both, at_terminal};
use crate::support::{Home, Server};

/// Characters that would control a terminal: the control sequence introducer in one byte, an escape, an override of the
/// direction of writing.
const RAW: [char; 3] = ['\u{9b}', '\u{1b}', '\u{202e}'];

#[track_caller]
fn is_clean(shown: &str) {
    assert!(!shown.contains(RAW), "{shown:?}");
}

fn with_leads(addresses: &[&str]) -> Both {
    let both = Both::start();
    for address in addresses {
        both.ok(&format!("crm lead create --email {address}"));
    }
    both
}

#[test]
fn a_filter_that_finds_nothing_and_looks_like_a_slip_gets_a_hint() {
    let both = with_leads(&["kate@example.com"]);
    for (flags, hint) in [
        ("--status new,contacted", "--where status=in:new,contacted"),
        ("--status '!=new'", "--where status=ne:new"),
        ("--where status==old", "--where status=old"),
        (
            "--where 'status=old or status=won'",
            "--where status=in:old,won",
        ),
        ("--name 'kate*'", "--where name=like:kate%"),
        (
            "--where attributes.company=Acme,Initech",
            "--where attributes.company=in:Acme,Initech",
        ),
    ] {
        for format in ["table", "json", "csv"] {
            let run = both.run(&format!("crm lead list {flags} -o {format}"));
            assert_eq!(run.code, Some(0), "{run:?}");
            assert_eq!(run.stderr, format!("hint: did you mean {hint}?\n"));
        }
        let run = both.run(&format!("crm lead list {flags} --count"));
        assert_eq!((run.stdout.as_str(), run.code), ("0\n", Some(0)));
        assert!(run.stderr.contains(hint), "{run:?}");
    }
    for (flags, hint) in [
        ("--where company=Acme", "--where attributes.company=Acme"),
        ("--where 'status!=new'", "--where status=ne:new"),
        ("--where 'id>2'", "--where id=gt:2"),
        ("--id 1,2", "--where id=in:1,2"),
        (
            "--created-at '>=yesterday'",
            "--where created_at=gte:yesterday",
        ),
    ] {
        let told = both.fails(&format!("crm lead list {flags}"), 2);
        assert!(told.contains(&format!("did you mean {hint}?")), "{told}");
    }
    // What finds something, or is simply not there, gets none.
    for flags in ["--status new", "--status lost", "--status ne:new"] {
        both.ok(&format!("crm lead list {flags} -o id"));
    }
    assert!(
        both.run("crm followups --name 'x*'")
            .stderr
            .contains("like:x%")
    );
}

#[test]
fn words_of_other_programs_get_a_tip() {
    let home = Home::new();
    for (line, tip) in [
        ("lead add", "`crm lead create`"),
        ("lead new", "`crm lead create`"),
        ("action show 1", "`crm action get`"),
        ("action rm 1", "`crm action delete`"),
        ("process ls", "`crm process list`"),
        ("lead edit 1", "`crm lead update`"),
        ("token rm ci", "`crm token revoke`"),
        ("leads", "`crm lead`"),
        ("leads ls", "`crm lead list`"),
        ("list", "`crm lead list`"),
        ("show 1", "`crm lead show`"),
        ("search x", "`crm find`"),
        ("lead find x", "`crm find --type lead`"),
        ("action search x", "`crm find --type action`"),
        ("snooze 2 tomorrow 9am", "'tomorrow 9am', in quotes"),
        ("log 1 call x --next fri 9am", "'fri 9am', in quotes"),
        ("log 1 call Sent the quote", "in quotes: crm log 1 call"),
        ("lead create name=Ada", "`--name Ada`"),
        ("lead update 1 --company Acme", "`--set company=Acme`"),
        (
            "lead list --company Acme",
            "`--where attributes.company=Acme`",
        ),
        ("lead list status=new", "`--where status=new`"),
        ("lead list ada", "`--q ada`"),
    ] {
        let told = home.line(line).fails(2);
        assert!(told.contains(tip), "{line}: {told}");
        let told = home.line(&format!("{line} -o json")).fails(2);
        let error: Value = serde_json::from_str(&told).unwrap();
        assert!(error["error"].as_str().unwrap().contains(tip), "{told}");
    }
}

#[test]
fn all_ids_are_read_before_the_first_is_changed() {
    let both = with_leads(&["a@example.com", "b@example.com"]);
    let before = both.ok("crm lead list -o ndjson");
    for (line, told) in [
        (
            "crm lead update 2 status=contacted",
            "did you mean --status contacted?",
        ),
        ("crm lead update 1 2 x --name y", "got \"x\""),
        ("crm lead update 1,x --name y", "got \"1,x\""),
        (
            "printf '1\\nx\\n' | crm lead update - --name y",
            "got \"x\"",
        ),
        ("crm lead delete 1 2x --yes", "got \"2x\""),
        ("crm lead get 1 x", "got \"x\""),
        ("crm lead update 1-1000000000 --name y", "at most 1000 ids"),
        (
            "crm lead delete 1-9223372036854775807 --yes",
            "at most 1000 ids",
        ),
        (
            "crm lead update 1 nobody@example.com --name y",
            "no lead has the address",
        ),
        (
            "crm lead update 1 --set status=won",
            "did you mean --status won?",
        ),
        (
            "crm lead update 1 --set 'Name=Ada L'",
            "did you mean --name 'Ada L'?",
        ),
        ("crm lead update 1 --set id=3", "crm sets itself"),
        (
            "crm lead update 1 --set attributes.company=A",
            "did you mean company=A?",
        ),
        (
            "crm lead update 1 --unset name",
            "did you mean --clear name?",
        ),
        (
            "crm lead create --email c@example.com --set status=won",
            "--status won",
        ),
        (
            "crm action create --lead 1 --type call --at yesterday 14:30",
            "did you mean 'yesterday 14:30', in quotes?",
        ),
    ] {
        let run = both.run(line);
        assert!(matches!(run.code, Some(2 | 3)), "{line}: {run:?}");
        assert!(
            run.stdout.is_empty() && run.stderr.contains(told),
            "{line}: {run:?}"
        );
    }
    assert_eq!(both.ok("crm lead list -o ndjson"), before);
}

#[test]
fn records_are_named_by_lists_ranges_and_addresses() {
    let both = with_leads(&[
        "a@example.com",
        "b@example.com",
        "b@example.com",
        "d@example.com",
    ]);
    both.ok("crm lead update 1,3-4 --status won");
    assert_eq!(both.ok("crm lead list --status won -o id"), "1\n3\n4\n");
    assert_eq!(
        both.ok("crm lead get D@example.com -o json --fields id"),
        "{\"id\":4}\n"
    );
    let told = both.fails("crm lead get b@example.com", 5);
    assert!(told.contains("2, 3"), "{told}");
    both.ok("crm action create --type call --lead a@example.com");
    both.ok("crm process create --name p --lead d@example.com");
    assert_eq!(
        both.ok("crm action list --lead a@example.com -o csv --fields lead_id"),
        "lead_id\n1\n"
    );
    assert_eq!(
        both.ok("crm process list --lead in:9,d@example.com -o id"),
        "1\n"
    );
    assert_eq!(
        both.ok("crm process list --lead ne:a@example.com --count"),
        "1\n"
    );
    both.fails("crm action create --type call --lead b@example.com", 5);
    both.fails("crm action create --type call --lead x@example.com", 3);
    // A program that gives a list gets a list, whatever its length.
    for ids in ["1,1", "1-1", "1 1"] {
        let got: Value =
            serde_json::from_str(&both.ok(&format!("crm lead get {ids} -o json"))).unwrap();
        assert!(got.is_array(), "{ids}: {got}");
    }
    let piped = both.fed("crm lead get - -o json --fields id", "1\n");
    assert_eq!(piped.stdout, "[\n{\"id\":1}\n]\n");
    let run = both.run("crm lead delete 2-3,9 --yes");
    assert_eq!(
        (run.stdout.as_str(), run.code),
        ("Lead 2 deleted\nLead 3 deleted\n", Some(3))
    );
}

#[test]
fn several_tokens_are_revoked_at_once() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    for name in ["a", "b", "c", "d", "e", "f"] {
        let line = format!("crm token create {name} --scope admin > token-{name}");
        home.shell(&line).ok();
    }
    let remote = home.line("token revoke a,b c --token-file token-d");
    assert_eq!(
        remote.env("CRM_URL", &server.url).ok(),
        "a: Token revoked\nb: Token revoked\nc: Token revoked\n"
    );
    home.line("token revoke f,not/a/name").fails(2);
    let run = home.line("token revoke - -o csv").stdin("e,zz\n").run();
    assert_eq!(
        (run.stdout.as_str(), run.code),
        ("name,message\ne,Token revoked\n", Some(3)),
        "{run:?}"
    );
    assert_eq!(home.line("token list -o id").ok(), "d\nf\n");
    assert_eq!(
        home.line("token revoke f").ok(),
        "name     f\nmessage  Token revoked\n"
    );
}

#[test]
fn a_text_may_begin_with_a_hyphen_but_a_flag_is_no_text() {
    let both = with_leads(&["a@example.com"]);
    both.ok("crm action create --type call --details '- wants a quote' --lead 1");
    both.ok("crm lead update 1 --name -x --status=--");
    assert_eq!(
        both.ok("crm action list --details '- wants a quote' -o csv --fields details"),
        "details\n- wants a quote\n"
    );
    assert_eq!(both.ok("crm action list --q '- wants' --count"), "1\n");
    let before = both.ok("crm lead get 1 -o json");
    for line in [
        "crm lead update 1 --name --status won",
        "crm lead update 1 --name -o json",
        "crm lead create --name --email b@example.com",
    ] {
        let told = both.fails(line, 2);
        assert!(
            told.contains("--name: expected a value, got the flag"),
            "{told}"
        );
    }
    assert_eq!(both.ok("crm lead get 1 -o json"), before);
    both.ok("crm lead update 1 --name=--status");
    assert_eq!(both.ok("crm lead list --name=--status -o id"), "1\n");
}

#[test]
fn what_was_read_can_be_created_again() {
    let both = with_leads(&["a@example.com", "b@example.com"]);
    both.ok("crm lead get 1 -o json | crm lead create --json - -o id");
    assert_eq!(
        both.ok("crm lead list -o ndjson | crm lead create --json - -o id"),
        "4\n5\n6\n"
    );
    both.ok("crm lead list --id 2 -o ndjson > b.json; crm lead create --json b.json -o id");
    assert_eq!(
        both.ok("crm lead list --email b@example.com --count"),
        "3\n"
    );
    let before = both.ok("crm lead list --count");
    for (text, told) in [
        ("[{}]", "x.json: line 1: email: is required"),
        ("", "x.json: expected a JSON object, got nothing"),
        (
            "\u{feff}{}",
            "x.json: expected a JSON object, got a byte order mark",
        ),
        (
            "id,email\n",
            "x.json: expected a JSON object, got what looks like CSV",
        ),
        ("{\"email\": 1}", "x.json: email: "),
        (
            "{\"email\": \"c@example.com\", \"id\": \"x\"}",
            "x.json: id: ",
        ),
    ] {
        for home in [&both.local, &both.remote] {
            home.write("x.json", text);
        }
        let run = both.run("crm lead create --json x.json");
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
        assert!(run.stderr.starts_with(&format!("error: {told}")), "{run:?}");
    }
    for home in [&both.local, &both.remote] {
        home.write("x.json", "{\"name\": \"a\"}\n{\"name\": \"b\"}\n");
    }
    assert!(
        both.fails("crm lead update 1 --json x.json", 2)
            .contains("got 2")
    );
    assert_eq!(both.ok("crm lead list --count"), before);
    // Of several records each is done by itself.
    for home in [&both.local, &both.remote] {
        home.write("x.json", "{\"email\": \"c@example.com\"}\n{\"email\": 1}\n");
    }
    let run = both.run("crm lead create --json x.json -o id");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), "8\n"), "{run:?}");
    assert!(
        run.stderr.starts_with("error: x.json: line 2: email: "),
        "{run:?}"
    );
}

#[test]
fn the_api_takes_a_record_that_was_read_in_a_post() {
    let api = crate::http::Api::start();
    let body = json!({
        "id": 7, "email": "a@example.com", "name": null, "status": "new", "attributes": {},
        "created_at": "2001-01-31 09:30:00", "updated_at": "2001-01-31 09:30:00",
    });
    let answer = api.post("/leads", &body.to_string());
    assert_eq!(answer.status, 201, "{answer:?}");
    let made: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(made["id"], 1);
    assert_ne!(made["created_at"], body["created_at"]);
    assert_eq!(
        api.post("/leads", r#"{"id": "x", "email": "a@example.com"}"#)
            .status,
        400
    );
}

#[test]
fn a_create_that_updated_says_so() {
    let both = with_leads(&["a@example.com"]);
    let run =
        both.run("crm lead create --email a@example.com --status won --on-duplicate update -o id");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "1\n"));
    assert_eq!(
        run.stderr,
        "note: lead 1 had the address already; it was updated, none was created\n"
    );
}

#[test]
fn a_delete_shows_what_it_deletes_and_asks_nothing_about_the_rest() {
    let home = Home::new();
    home.crm([
        "lead",
        "create",
        "--email",
        "ada@example.com",
        "--name",
        "Ada\u{9b}2J",
    ])
    .ok();
    home.line("lead create --email bob@example.com").ok();
    home.line("action create --type call --lead 1").ok();
    home.line("action create --type call --lead 1").ok();
    home.line("process create --name p --lead 1 --last-action 1")
        .ok();
    let (shown, code) = at_terminal(home.line("lead delete 1 --cascade"), 80, "n\n");
    assert!(
        shown.contains("lead 1: ada@example.com, Ada\\u{9b}2J, new, 2 actions, 1 process\n"),
        "{shown}"
    );
    assert!(
        shown.contains("Delete lead 1 with all actions and processes? [y/N]"),
        "{shown}"
    );
    assert_eq!(code, Some(1));
    is_clean(&shown);
    // Neither what is not there nor what cannot be deleted.
    for (line, told, exit) in [
        ("lead delete 9", "Lead not found", 3),
        (
            "lead delete 1",
            "2 actions and 1 process; delete them first, or all together (--cascade)",
            5,
        ),
        ("lead delete 8 9", "lead 9: not found", 3),
    ] {
        let (shown, code) = at_terminal(home.line(line), 80, "");
        assert!(shown.contains(told) && !shown.contains("[y/N]"), "{shown}");
        assert_eq!(code, Some(exit), "{shown}");
    }
    let (shown, code) = at_terminal(home.line("lead delete 9 2"), 80, "y\n");
    assert!(shown.contains("Delete lead 2? [y/N]"), "{shown}");
    assert_eq!(
        (code, home.line("lead list -o id").ok().as_str()),
        (Some(3), "1\n")
    );
    let (shown, _) = at_terminal(home.line("action delete 1"), 80, "n\n");
    assert!(shown.contains("lead 1, call, "), "{shown}");
    assert!(shown.contains("the last_action_id of 1 process"), "{shown}");
}

#[test]
fn an_empty_list_of_tokens_is_told() {
    let home = Home::new();
    home.line("lead create --email a@example.com").ok();
    let run = home.line("token list").run();
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""));
    assert!(run.stderr.starts_with("no tokens: "), "{run:?}");
    assert_eq!(home.line("token list -o json").ok(), "[]\n");
}

#[test]
fn help_and_version_that_cannot_be_written_fail() {
    let home = Home::new();
    for words in [
        "--version",
        "--help",
        "lead list --help",
        "help",
        "help api",
        "man",
    ] {
        let run = home.shell(&format!("crm {words} > /dev/full")).run();
        assert_eq!(run.code, Some(1), "{words}: {run:?}");
        assert!(run.stderr.contains("standard output"), "{run:?}");
    }
}

#[test]
fn help_shows_the_global_flags_that_mean_something() {
    let home = Home::new();
    for (command, shown, hidden) in [
        (
            "man",
            "--help",
            &["--db", "--url", "--output", "--token-file", "--no-pager"][..],
        ),
        ("completions", "--help", &["--db", "--url", "--output"]),
        ("serve", "--db", &["--url", "--token-file"]),
        ("backup", "--db", &["--url", "--token-file"]),
        ("copy", "--token-file", &["--db", "--url"]),
        ("lead", "--url", &[]),
    ] {
        let help = home.crm([command, "--help"]).ok();
        assert!(help.contains(shown), "{help}");
        for flag in hidden {
            assert!(
                !help.contains(&format!("{flag} ")),
                "{command} {flag}: {help}"
            );
        }
    }
    // They are accepted as before.
    home.line("man --db x.db --url http://localhost:1 -o json")
        .ok();
    home.line("lead create --email a@example.com --db other.db")
        .ok();
    home.line("backup b.db --db other.db --token-file none -q")
        .run();
    assert!(home.path("b.db").exists());
}

#[test]
fn config_is_never_cut() {
    let home = Home::new();
    let (shown, code) = at_terminal(home.line("config --no-pager"), 40, "");
    assert_eq!(code, Some(0));
    assert!(
        !shown.contains('…') && shown.contains(".local/share/crm/crm.db"),
        "{shown}"
    );
}

#[test]
fn a_long_table_goes_through_the_pager() {
    let home = Home::new();
    let many: String = (0..40)
        .map(|at| format!("{{\"email\": \"a{at}@example.com\"}}"))
        .collect();
    home.line("lead create --json -").stdin(&many).ok();
    let path = "/usr/local/bin:/usr/bin:/bin";
    let list = |words: &str| home.line(words).env("PATH", path).env("TERM", "xterm");
    let mark = "sed 's/^/P:/'";
    let paged = |shown: &str| shown.starts_with("P:id") && shown.contains("P:40");
    let (shown, code) = at_terminal(list("lead list").env("PAGER", mark), 80, "");
    assert!(paged(&shown) && code == Some(0), "{shown}");
    let crm_first = list("lead list").env("PAGER", "cat").env("CRM_PAGER", mark);
    assert!(paged(&at_terminal(crm_first, 80, "").0));
    home.write(".config/crm/config.toml", &format!("pager = \"{mark}\""));
    let (shown, _) = at_terminal(list("lead list").env("PAGER", "cat"), 80, "");
    assert!(paged(&shown), "{shown}");
    fs::remove_file(home.path(".config/crm/config.toml")).unwrap();
    // The exit code is that of the command, whatever the pager does, and nothing is lost if there is none.
    let (shown, code) = at_terminal(
        list("lead get 1-40 99").env("PAGER", "head -2; exit 9"),
        80,
        "",
    );
    assert!(
        shown.contains("lead 99: not found") && !shown.contains("a30@"),
        "{shown}"
    );
    assert_eq!(code, Some(3));
    let (shown, code) = at_terminal(list("lead list").env("PAGER", "no-such-pager"), 80, "");
    assert!(shown.contains("a39@example.com"), "{shown}");
    assert_eq!(code, Some(0));
    for crm in [
        list("lead list --no-pager").env("PAGER", mark),
        list("lead list").env("PAGER", mark).env("TERM", "dumb"),
        list("lead list --limit 5").env("PAGER", mark),
        list("lead list -o csv").env("PAGER", mark),
        list("lead list").env("PAGER", mark).env("CRM_PAGER", ""),
    ] {
        let (shown, code) = at_terminal(crm, 80, "");
        assert!(!shown.contains("P:") && code == Some(0), "{shown}");
    }
    assert!(!list("lead list").env("PAGER", mark).ok().contains("P:"));
    for words in ["help", "help backups", "help lead list"] {
        let (shown, code) = at_terminal(list(words).env("PAGER", mark), 80, "");
        assert!(shown.starts_with("P:") && code == Some(0), "{shown}");
    }
}

#[test]
fn data_reaches_no_terminal_raw() {
    let home = Home::new();
    let bad = "x\u{9b}2J\u{202e}y\u{1b}[31m";
    let record =
        json!({"email": "a@example.com", "name": bad, "status": bad, "attributes": {bad: bad}});
    home.line("lead create --json -")
        .stdin(&record.to_string())
        .ok();
    home.line("token create ci --scope read").warned();
    Connection::open(home.path(".local/share/crm/crm.db"))
        .unwrap()
        .execute("UPDATE crm_tokens SET name = $1", [bad])
        .unwrap();
    for format in ["table", "json", "ndjson", "csv", "id"] {
        for line in [
            "lead list",
            "lead get 1",
            "lead get 1,1",
            "lead update 1 --set a=b",
            "token list",
        ] {
            let line = home.line(&format!("{line} -o {format}"));
            let (shown, code) = at_terminal(line.env("TERM", "dumb"), 200, "");
            assert_eq!(code, Some(0), "{shown}");
            is_clean(&shown);
        }
    }
    // It is still the same JSON, and programs get the data as it is.
    let (shown, _) = at_terminal(home.line("lead get 1 -o json"), 80, "");
    let got: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&got["name"], &got["attributes"][bad]),
        (&json!(bad), &json!(bad))
    );
    assert!(home.line("lead get 1 -o csv").ok().contains(bad));
    for format in ["table", "json"] {
        for words in [
            &["lead", "get", bad][..],
            &["lead", bad],
            &["lead", "list", "--where", bad],
            &["check", bad],
            &["help", bad],
            &["--db", bad, "lead", "list"],
        ] {
            let crm = home.crm(words.iter().chain(&["-o", format]));
            let (shown, code) = at_terminal(crm.env("TERM", "dumb"), 80, "");
            assert_ne!(code, Some(0));
            is_clean(&shown);
        }
    }
}

#[test]
fn the_words_of_a_server_reach_no_terminal_raw() {
    let said = "no\u{9b}2J\u{202e}";
    for words in ["lead list", "lead get 1", "health", "token list"] {
        for format in ["table", "json", "csv"] {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let body = json!({"error": said, "status": said, "last_commit": said}).to_string();
            let answer = format!(
                "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let serving = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
                stream.write_all(answer.as_bytes()).unwrap();
            });
            let line = format!("{words} --url {url} -o {format}");
            let (shown, code) = at_terminal(Home::new().line(&line).env("TERM", "dumb"), 80, "");
            serving.join().unwrap();
            assert_ne!(code, Some(0), "{shown}");
            assert!(shown.contains("no\\u"), "{shown}");
            is_clean(&shown);
        }
    }
}

/// What is offered for the last word of a line.
fn offered(home: &Home, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let answer = home.crm(["__complete", "zsh"].iter().chain(&words)).ok();
    let values = answer
        .lines()
        .map(|line| line.split('\t').next().unwrap_or_default());
    values.map(str::to_string).collect()
}

#[test]
fn completions_offer_what_fits() {
    let home = Home::new();
    for (at, status) in ["new", "on hold", "$(touch pwned)", "x\u{1b}[31m"]
        .iter()
        .enumerate()
    {
        let address = format!("a{at}@example.com");
        home.crm(["lead", "create", "--email", &address, "--status", status])
            .ok();
    }
    let folder = home.path(".local/share/crm");
    let files = || fs::read_dir(&folder).unwrap().count();
    let before = files();
    for (line, expected) in [
        ("crm help l", &["log", "lead", "limits", "logs"][..]),
        ("crm help token cr", &["create"]),
        ("crm lead list --fields id,em", &["id,email"]),
        ("crm lead list --sort -cr", &["-created_at"]),
        ("crm process update 1 --clear ne", &["next"]),
        ("crm lead list --where st", &["status="]),
        ("crm lead list --where status=on", &["status=on hold"]),
        ("crm lead update 1 --status n", &["new"]),
        ("crm lead list --status in:on", &["in:on hold"]),
        ("crm lead list --tok", &["--token-file"]),
        ("crm backup x", &["/files"]),
        ("crm man x", &["/folders"]),
        ("crm lead create --name x", &[]),
        (
            "crm lead update 1 --status n --url http://localhost:1 --status n",
            &[],
        ),
    ] {
        assert_eq!(offered(&home, line), expected, "{line}");
    }
    let statuses = offered(&home, "crm lead update 1 --status ");
    assert_eq!(statuses, ["$(touch pwned)", "new", "on hold"]);
    assert_eq!(files(), before);
    assert_eq!(
        offered(&home, "crm lead list --db none.db --status n"),
        ["ne:"]
    );
    assert!(!home.path("none.db").exists());
    let all = offered(&home, "crm lead list --");
    assert!(
        all.contains(&"--status".into()) && !all.contains(&"--token".into()),
        "{all:?}"
    );
}

/// What bash would complete a line to.
fn in_bash(home: &Home, line: &str) -> Option<String> {
    let script = format!(
        "{}\nCOMP_LINE=$LINE; COMP_POINT=${{#LINE}}; _crm crm \"$REPLACED\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        home.line("completions bash").ok()
    );
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_crm"))
        .parent()
        .unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", binary.display());
    let replaced = line.rsplit([' ', ':', '=']).next().unwrap_or_default();
    let output = Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("HOME", home.path(""))
        .env("PATH", path)
        .env("LINE", line)
        .env("REPLACED", replaced)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    Some(
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_string(),
    )
}

#[test]
fn bash_inserts_words_that_are_only_words() {
    let home = Home::new();
    for (at, status) in ["on hold", "$(touch pwned)"].iter().enumerate() {
        let address = format!("a{at}@example.com");
        home.crm(["lead", "create", "--email", &address, "--status", status])
            .ok();
    }
    // A machine may have no bash.
    if in_bash(&home, "crm help ba").is_none() {
        return;
    }
    for (line, expected) in [
        ("crm help ba", "backup\nbackups"),
        (
            "crm lead update 1 --status ",
            "\\$\\(touch\\ pwned\\)\non\\ hold",
        ),
        ("crm lead list --status=on", "on\\ hold"),
        ("crm lead list --where status=in:on", "on\\ hold"),
        ("true; crm lead list --fields id,em", "id,email"),
    ] {
        assert_eq!(in_bash(&home, line).as_deref(), Some(expected), "{line}");
    }
    assert!(!home.path("pwned").exists());
}

#[test]
fn the_log_of_a_service_is_safe_at_a_terminal() {
    let home = Home::new();
    for form in ["text", "json"] {
        let server: Server = home.serve(&["--db", "b\u{202e}.db", "--log", form]);
        let answer = std::net::TcpStream::connect(server.address()).map(|mut stream| {
            stream
                .write_all(
                    "GET /l\u{9b}\u{202e} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                        .as_bytes(),
                )
                .unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        });
        answer.unwrap();
        let (_, log) = server.stop();
        is_clean(&log);
    }
}

#[test]
fn a_narrow_list_of_calls_says_why_to_call() {
    let home = Home::new();
    let crm = |line: &str| home.shell(&format!("crm {line} --db crm.db")).warned();
    crm(
        "lead create --email ada.lovelace@analytical-engines.example --name 'Ada Lovelace, Countess' --set Cell=+44201234567 -o id",
    );
    crm("lead create --email bob@example.com --set tel= --set phone_number:=4930 -o id");
    crm(
        "process create --lead 1 --name 'Renewal of the yearly contract' --next '2026-01-02 09:30' -o id",
    );
    crm("process create --lead 2 --name Newsletter --next 2026-01-03 -o id");
    crm("process create --name Alone --next 2026-01-04 -o id");
    crm("log 1 call 'Wants a quote' --next '2026-01-02 09:30' -o id");
    crm("next --worker anna -o id");
    let (shown, code) = at_terminal(home.line("due --db crm.db"), 80, "");
    assert_eq!(code, Some(0), "{shown}");
    for part in [
        "Renewal",
        "2026-01-02 09:30",
        "+44201234567",
        "anna",
        "bob@",
        "no room for",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains("lovelace@"), "{shown}");
    let (shown, _) = at_terminal(home.line("due --db crm.db"), 200, "");
    for part in ["+44201234567", "4930", "lovelace@analytical", "contract"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    // For scripts, too.
    assert_eq!(
        crm("due -o csv --fields id,lead_phone,lead_name"),
        "id,lead_phone,lead_name\n1,+44201234567,\"Ada Lovelace, Countess\"\n2,4930,\n3,,\n"
    );
    let json: serde_json::Value = serde_json::from_str(&crm("due -o json")).unwrap();
    assert_eq!(json[0]["lead_phone"], "+44201234567");
    assert_eq!(json[2]["lead_phone"], serde_json::Value::Null);
    assert_eq!(json[0]["name"], "Renewal of the yearly contract");
    assert_eq!(crm("due -o id"), "1\n2\n3\n");
    let wrong = home.line("due --fields phone --db crm.db").fails(2);
    assert!(wrong.contains("lead_email, lead_phone, name"), "{wrong}");
}
