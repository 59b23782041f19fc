//! The history of records: several at once, by address, and of those whose changes are not kept.

use rusqlite::Connection;

use crate::support::Home;

fn home() -> Home {
    let home = Home::new();
    for name in ["ada", "bob", "eve"] {
        let line = format!("lead create --email {name}@example.com --name {name} --db crm.db");
        home.line(&line).ok();
    }
    home.line("lead update 1-3 --status won --db crm.db").ok();
    home
}

fn ids(home: &Home, line: &str) -> String {
    let words = format!("{line} -o csv --fields seq,id --db crm.db");
    let shown = home.line(&words).ok();
    let lines: Vec<&str> = shown.lines().skip(1).collect();
    lines.join(" ")
}

#[test]
fn a_history_takes_lists_ranges_and_addresses() {
    let home = home();
    assert_eq!(ids(&home, "lead history 2"), "2,2 5,2");
    assert_eq!(ids(&home, "lead history 1,3"), "1,1 3,3 4,1 6,3");
    assert_eq!(ids(&home, "lead history 3 1-2"), "1,1 2,2 3,3 4,1 5,2 6,3");
    assert_eq!(
        ids(&home, "lead history ada@example.com,EVE@example.com"),
        "1,1 3,3 4,1 6,3"
    );
    // The newest ones of all of them, the newest last.
    assert_eq!(ids(&home, "lead history 1-3 --limit 2"), "5,2 6,3");
    let piped = home
        .line("lead history - -o id --db crm.db")
        .stdin("2\n3 bob@example.com\n")
        .ok();
    assert_eq!(piped, "2\n3\n5\n6\n");
    // One that was deleted is known by its address too, until another one has it.
    home.line("lead delete 2 --yes --db crm.db").ok();
    assert_eq!(ids(&home, "lead history bob@example.com"), "2,2 5,2 7,2");
    home.line("lead create --email bob@example.com --db crm.db")
        .ok();
    assert_eq!(ids(&home, "lead history bob@example.com"), "8,4");
    // What does not exist is told, and the others are shown.
    let run = home.line("lead history 1 77 -o id --db crm.db").run();
    assert_eq!(
        (run.code, &*run.stdout, &*run.stderr),
        (Some(3), "1\n4\n", "error: lead 77: not found\n")
    );
    for (line, code, expected) in [
        ("lead history 77", 3, "Lead not found"),
        ("lead history x@example.com", 3, "no lead has the address"),
        ("lead history 1-1001", 2, "at most 1000 ids"),
        ("lead history 1,x", 2, "id: expected the id of a lead"),
        (
            "action history a@b.cc",
            2,
            "id: expected the id of an action",
        ),
    ] {
        let said = home.line(&format!("{line} --db crm.db")).fails(code);
        assert!(said.contains(expected), "{line}: {said}");
    }
    let many: Vec<String> = (1..=1001).map(|id: i32| id.to_string()).collect();
    let said = home
        .line("lead history - --db crm.db")
        .stdin(&many.join("\n"))
        .fails(2);
    assert!(
        said.contains("id: expected at most 1000 leads, got 1001"),
        "{said}"
    );
}

#[test]
fn a_history_says_what_is_not_kept() {
    let home = home();
    let file = Connection::open(home.path("crm.db")).unwrap();
    let remove = |seq: i64| {
        let sql = format!(
            "DELETE FROM crm_changes WHERE seq <= {seq}; UPDATE crm_epoch SET removed = {seq}"
        );
        file.execute_batch(&sql).unwrap();
    };
    remove(4);
    let run = home.line("lead history 1-2 -o id --db crm.db").run();
    assert_eq!((run.code, &*run.stdout), (Some(0), "5\n"));
    assert_eq!(
        run.stderr,
        "note: no changes of lead 1 are kept\nnote: earlier changes of lead 2 are not kept\n"
    );
    // With a filter or a limit, what is not shown need not be gone.
    for line in [
        "lead history 2 --limit 1 -o id",
        "lead history 2 --type lead.updated -o id",
        "lead history 2 --by nobody -o id",
    ] {
        home.line(&format!("{line} --db crm.db")).ok();
    }
    // In JSON the array is whole, and the note is beside it.
    let run = home.line("lead history 1 -o json --db crm.db").run();
    assert_eq!((&*run.stdout, run.code), ("[]\n", Some(0)));
    assert!(
        run.stderr.contains("no changes of lead 1 are kept"),
        "{run:?}"
    );
}

#[test]
fn a_filter_that_is_none_is_hinted_at() {
    let home = Home::new();
    let made = "lead create --email ada@example.com --on-behalf-of Grace --db crm.db";
    home.line(made).ok();
    home.line("lead update 1 --name Ada --db crm.db").ok();
    for line in ["changes", "lead history 1", "changes --exec true"] {
        let run = home
            .line(&format!("{line} --on-behalf-of Grace -o id --db crm.db"))
            .run();
        assert_eq!(run.code, Some(0));
        assert!(
            run.stderr.starts_with("hint: ") && run.stderr.contains("--for Grace"),
            "{run:?}"
        );
        let filtered = home
            .line(&format!("{line} --for Grace -o id --db crm.db"))
            .ok();
        assert_eq!(filtered, if line.ends_with("true") { "" } else { "1\n" });
    }
    // A variable is for all commands of a session, and says nothing about this one.
    home.line("changes -o id --db crm.db")
        .env("CRM_ON_BEHALF_OF", "Grace")
        .ok();
}
