//! The search: what it finds, in which order, and that it sees every write, on every store.

use std::collections::BTreeSet;

use crm::base::error::Code;
use crm::model::action::ACTION;
use crm::model::find::Find;
use crm::model::lead::LEAD;
use crm::model::nouns::NOUNS;
use crm::model::process::PROCESS;
use crm::model::record::Record;
use crm::ops::Records;
use crm::ops::delete::Delete;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::cli::at_terminal;
use crate::contract::{all, create, update};
use crate::http::exchange;
use crate::support::{Home, wait_for};

fn asked(pairs: &[(&str, &str)]) -> Find {
    let pairs: Vec<(String, String)> = pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    Find::new(&pairs).unwrap()
}

/// What is found, as `lead 7`.
async fn find_with(store: &AnyStore, pairs: &[(&str, &str)]) -> Vec<String> {
    let found = store.find(asked(pairs)).await.unwrap();
    assert_eq!(found.gap.records, 0);
    let name = |record: &Record| format!("{} {}", record.get("type"), record.id());
    found.records.iter().map(name).collect()
}

async fn find(store: &AnyStore, text: &str) -> Vec<String> {
    find_with(store, &[("q", text)]).await
}

/// Records with words of all kinds: three leads, two actions and a process.
async fn people(store: &AnyStore) {
    for json in [
        r#"{"email":"ada@acme.example","name":"Jörg Müller","attributes":{"company":"Łódź Ltd","size":120}}"#,
        r#"{"email":"brien@example.com","name":"Ada O'Brien","status":"won"}"#,
        r#"{"email":"hans@strasse.example","name":"Hans Groß"}"#,
    ] {
        create(store, &LEAD, json).await;
    }
    for json in [
        r#"{"lead_id":1,"action_type":"call","details":"Asked for a quote\nHauptstraße 7, Müller himself"}"#,
        r#"{"lead_id":2,"action_type":"mail","details":"Adagio 山田太郎"}"#,
    ] {
        create(store, &ACTION, json).await;
    }
    let process = r#"{"lead_id":1,"name":"Spring quote","channel":"email"}"#;
    create(store, &PROCESS, process).await;
}

pub async fn words_are_found_by_their_beginnings(store: AnyStore) {
    people(&store).await;
    // First by the changes alone, then by the index.
    for _ in 0..2 {
        for (text, expected) in [
            ("muller", vec!["lead 1", "action 1"]),
            ("MÜLLER", vec!["lead 1", "action 1"]),
            ("mull hauptstrasse", vec!["action 1"]),
            ("strasse", vec!["lead 3"]),
            ("acme", vec!["lead 1"]),
            ("lodz 12", vec!["lead 1"]),
            ("o'brien", vec!["lead 2"]),
            ("gross", vec!["lead 3"]),
            ("quote spring", vec!["process 1"]),
            ("won", vec!["lead 2"]),
            ("太郎", vec!["action 2"]),
            ("uller", vec![]),
            ("muller nothing", vec![]),
        ] {
            assert_eq!(find(&store, text).await, expected, "{text}");
        }
        // The name begins with it, then the address, then others.
        assert_eq!(find(&store, "ada").await, ["lead 2", "lead 1", "action 2"]);
        assert_eq!(find(&store, "ada@acme.example").await, ["lead 1"]);
        let pairs = [("q", "quote"), ("type", "process,lead")];
        assert_eq!(find_with(&store, &pairs).await, ["process 1"]);
        let pairs = [("q", "a"), ("limit", "2")];
        assert_eq!(find_with(&store, &pairs).await.len(), 2);
        let found = store.find(asked(&[("q", "himself")])).await.unwrap();
        let found = &found.records[0];
        let text = |name: &str| found.get(name).to_string();
        assert_eq!(
            [text("title"), text("field"), text("lead_id")],
            ["call", "details", "1"]
        );
        assert_eq!(
            text("snippet"),
            "Asked for a quote Hauptstraße 7, Müller himself"
        );
        let record: Json = serde_json::from_str(&text("record")).unwrap();
        assert_eq!(record["action_type"], "call");
        store.fill_index(&mut |_, _| ()).await.unwrap();
    }
}

pub async fn a_search_sees_every_write(store: AnyStore) {
    for round in 0..2 {
        let lead = create(
            &store,
            &LEAD,
            r#"{"email":"eve@example.com","name":"Zelda"}"#,
        )
        .await;
        let id = lead.id();
        let is = vec![format!("lead {id}")];
        assert_eq!(find(&store, "zelda").await, is);
        if round == 1 {
            store.fill_index(&mut |_, _| ()).await.unwrap();
        }
        update(&store, &LEAD, id, r#"{"name":"Yvonne"}"#).await;
        assert_eq!(find(&store, "zelda").await, Vec::<String>::new());
        assert_eq!(find(&store, "yvo").await, is);
        if round == 1 {
            store.fill_index(&mut |_, _| ()).await.unwrap();
        }
        update(&store, &LEAD, id, r#"{"name":"Zelda"}"#).await;
        assert_eq!(find(&store, "zelda").await, is);
        store.delete(&LEAD, id, false).await.unwrap();
        assert_eq!(find(&store, "zelda").await, Vec::<String>::new());
        store.fill_index(&mut |_, _| ()).await.unwrap();
        assert_eq!(find(&store, "zelda").await, Vec::<String>::new());
    }
}

/// The index of many random writes finds exactly what a look at each record finds.
pub async fn the_index_finds_what_is_there(store: AnyStore) {
    const WORDS: [&str; 12] = [
        "Anna",
        "Ann",
        "Müller",
        "Mull",
        "Łódź",
        "straße",
        "o'brien",
        "new",
        "lead12",
        "lead123",
        "東京",
        "überlangeswort",
    ];
    let mut seed = 11_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    let mut ids: Vec<i64> = Vec::new();
    for round in 0..3 {
        for at in 0..40 {
            let words: Vec<&str> = (0..3).map(|_| WORDS[random(WORDS.len())]).collect();
            let body = json!({
                "email": format!("{round}x{at}@{}.example", ["acme", "ann", "lead1"][random(3)]),
                "name": words[0], "status": words[1].to_lowercase(), "attributes": {"note": words[2]},
            });
            match random(4) {
                0 if !ids.is_empty() => {
                    let id = ids.swap_remove(random(ids.len()));
                    store.delete(&LEAD, id, false).await.unwrap();
                }
                1 if !ids.is_empty() => {
                    let id = ids[random(ids.len())];
                    update(&store, &LEAD, id, &body.to_string()).await;
                }
                _ => ids.push(create(&store, &LEAD, &body.to_string()).await.id()),
            }
        }
        if round == 1 {
            // All from the records.
            if !matches!(store, AnyStore::Remote(_)) {
                store.empty_index().await.unwrap();
            }
        }
        store.fill_index(&mut |_, _| ()).await.unwrap();
        let records = all(&store, &LEAD).await;
        for word in WORDS.iter().chain(&["acme", "x", "0x1", "example lead1"]) {
            for text in [
                word.to_string(),
                word.chars().take(1).collect(),
                word.chars().take(2).collect(),
                word.chars().take(4).collect(),
                format!("{word} a"),
                format!("{word} new"),
            ] {
                let find = asked(&[("q", &text), ("limit", "100"), ("type", "lead")]);
                let there = records.iter().filter(|record| find.rank(record).is_some());
                let there: BTreeSet<i64> = there.map(Record::id).collect();
                let found = store.find(find).await.unwrap();
                let found: BTreeSet<i64> = found.records.iter().map(Record::id).collect();
                assert_eq!(found, there, "{round} {text}");
            }
        }
    }
}

pub async fn an_erased_lead_is_not_found(store: AnyStore) {
    people(&store).await;
    store.fill_index(&mut |_, _| ()).await.unwrap();
    let erase = Delete::erasing(&LEAD, 1);
    match store.write(erase, Default::default()).await {
        Ok(_) => {}
        // An open service erases nothing.
        Err(error) => return assert_eq!(error.code, Code::Unauthenticated),
    }
    for _ in 0..2 {
        for text in ["muller", "acme", "quote", "lodz"] {
            assert_eq!(find(&store, text).await, Vec::<String>::new(), "{text}");
        }
        assert_eq!(find(&store, "brien").await, ["lead 2"]);
        store.fill_index(&mut |_, _| ()).await.unwrap();
    }
}

/// All rows of the index. A word of more than three letters is in the row of its first three, without them.
fn words(home: &Home) -> Vec<String> {
    let connection = Connection::open(home.path("crm.db")).unwrap();
    let mut select = connection
        .prepare("SELECT word || ' ' || docs FROM crm_search")
        .unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn an_erasure_leaves_no_byte_of_its_words() {
    let home = Home::new();
    let crm = |line: &str| home.line(&format!("{line} --db crm.db")).ok();
    crm("lead create --email ada@qxyzzy.example --name Jabberwock");
    crm("action create --lead 1 --type call --details Bandersnatch");
    crm("lead create --email eve@example.com --name Jabbing");
    let rebuild = home.line("find --rebuild --db crm.db");
    let (shown, code) = at_terminal(rebuild, 80, "");
    assert!(
        shown.contains("the index of the search was made anew"),
        "{shown}"
    );
    assert_eq!(code, Some(0));
    let has = |word: &str| words(&home).iter().any(|known| known.contains(word));
    assert!(has("zzy\t") && has("berwock\t") && has("dersnatch\t"));
    home.line("lead erase 1 --yes --db crm.db").run();
    for word in [
        "qxyzzy",
        "jabberwo",
        "bandersn",
        "zzy\t",
        "berwock\t",
        "dersnatch\t",
    ] {
        assert!(!has(word), "{word}");
        for file in std::fs::read_dir(home.path("")).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let is_there = bytes
                    .windows(word.len())
                    .any(|part| part == word.as_bytes());
                assert!(!is_there, "{word} in {}", path.display());
            }
        }
    }
    assert!(has("bing\t"));
    assert_eq!(crm("check"), "ok\n");
    assert_eq!(crm("find jab --type lead -o id"), "2\n");
}

#[test]
fn a_check_finds_what_a_search_cannot() {
    let home = Home::new();
    let crm = |line: &str| home.line(&format!("{line} --db crm.db")).ok();
    crm("lead create --email ada@example.com --name Ada");
    crm("lead create --email eve@example.com --name Eve");
    home.line("find --rebuild --db crm.db").run();
    assert_eq!(crm("check"), "ok\n");
    // Another program changes a record.
    let connection = Connection::open(home.path("crm.db")).unwrap();
    let change = "UPDATE leads SET name = 'Zora' WHERE id = 1";
    connection.execute_batch(change).unwrap();
    drop(connection);
    // Its old word is not shown, its new one is not found.
    assert_eq!(crm("find ada --type lead -o id"), "1\n");
    let found = home.line("find zora --type lead --db crm.db -o id").run();
    assert_eq!(found.stdout, "");
    let checked = home.line("check --db crm.db").run();
    assert!(
        checked
            .stdout
            .contains("lead 1 is not found by all of its words"),
        "{checked:?}"
    );
    assert!(checked.stdout.contains("crm find --rebuild"));
    let found = home
        .line("find zora --type lead --rebuild --db crm.db -o id")
        .run();
    assert_eq!((found.stdout.as_str(), found.code), ("1\n", Some(0)));
    assert_eq!(crm("check"), "ok\n");
    // A damaged row.
    let connection = Connection::open(home.path("crm.db")).unwrap();
    let damage = "UPDATE crm_search SET docs = '!' WHERE word LIKE '%eve%'";
    connection.execute_batch(damage).unwrap();
    drop(connection);
    let checked = home.line("check --db crm.db").run();
    assert!(
        checked.stdout.contains("not as crm writes it"),
        "{checked:?}"
    );
    // A record that is not there any more.
    let connection = Connection::open(home.path("crm.db")).unwrap();
    connection
        .execute_batch("DELETE FROM leads WHERE id = 1")
        .unwrap();
    drop(connection);
    let left = home.line("check --db crm.db").run();
    let words = "words of lead 1, which does not exist, are left in the search";
    assert!(left.stdout.contains(words), "{left:?}");
    let found = home.line("find eve --db crm.db").fails(1);
    assert!(
        found.contains("`crm find --rebuild` makes it anew"),
        "{found}"
    );
}

#[test]
fn a_copy_and_a_restored_backup_are_searched() {
    let home = Home::new();
    let crm = |line: &str| home.line(line).run().stdout;
    crm("lead create --email ada@example.com --name Ada --db crm.db");
    crm("find --rebuild --db crm.db");
    crm("backup crm.backup --db crm.db");
    crm("lead create --email eve@example.com --name Eve --db crm.db");
    crm("copy crm.db other.db");
    assert_eq!(crm("find eve --type lead --db other.db -o id"), "2\n");
    assert_eq!(crm("find e ada --type lead --db other.db -o id"), "1\n");
    crm("restore crm.backup --db crm.db");
    assert_eq!(crm("find ada --type lead --db crm.db -o id"), "1\n");
    assert_eq!(crm("find eve --type lead --db crm.db -o id"), "");
    assert_eq!(crm("check crm.db"), "ok\n");
    assert_eq!(crm("check other.db"), "ok\n");
}

#[test]
fn a_service_takes_over_the_records_from_before_the_index() {
    let home = Home::new();
    let lines: Vec<String> = (0..1_500)
        .map(|at| format!(r#"{{"email":"u{at}@example.com","name":"Person {at}"}}"#))
        .collect();
    home.line("lead create --json - --db crm.db")
        .stdin(&lines.join("\n"))
        .ok();
    let server = home.serve(&["--db", "crm.db"]);
    let get = |path: &str| {
        let asked = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        exchange(server.address(), asked.as_bytes(), false)
    };
    wait_for("the index", || {
        let metrics = get("/metrics").text().to_string();
        let line = "crm_search_unindexed_records 0";
        metrics.lines().any(|shown| shown == line) && words(&home).len() > 1_000
    });
    wait_for("the end of it", || {
        !get("/ready").text().contains("search_unindexed")
            && get("/search?q=u7").header("x-unindexed-count").is_none()
    });
    let answer = get("/search?q=person+1499");
    assert_eq!(answer.status, 200);
    let found: Json = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(
        (found[0]["id"].as_i64(), found.as_array().unwrap().len()),
        (Some(1_500), 1)
    );
    // More of them than are compared: the exact address is there however old it is.
    let found: Json = serde_json::from_str(get("/search?q=u1@example.com").text()).unwrap();
    assert_eq!(found[0]["record"]["email"], "u1@example.com");
    assert_eq!(found.as_array().unwrap().len(), 20);
    for (path, expected) in [
        ("/search", "q: is required"),
        (
            "/search?q=%20",
            "q: expected a word with a letter or a digit",
        ),
        (
            "/search?q=a&limit=101",
            "limit: expected a whole number from 1 to 100, got",
        ),
        (
            "/search?q=a&type=leads",
            "type: expected comma-separated words out of lead, action, process",
        ),
        (
            "/search?q=a&after=x",
            "after: no such parameter; this path takes q, type, limit",
        ),
    ] {
        let answer = get(path);
        assert_eq!(answer.status, 400, "{path}");
        let told: Json = serde_json::from_str(answer.text()).unwrap();
        assert!(told["error"].as_str().unwrap().contains(expected), "{told}");
    }
}

#[test]
fn a_command_completes_the_index_and_tells_what_is_not_there() {
    let home = Home::new();
    let lines: Vec<String> = (0..1_200)
        .map(|at| format!(r#"{{"email":"u{at}@example.com","name":"Person {at}"}}"#))
        .collect();
    home.line("lead create --json - --db crm.db")
        .stdin(&lines.join("\n"))
        .ok();
    assert_eq!(words(&home).len(), 0);
    assert_eq!(
        home.line("find person 7 u77 --type lead --db crm.db -o id")
            .ok()
            .lines()
            .count(),
        11
    );
    assert!(words(&home).len() > 1_000);
    for (line, expected) in [
        ("find zzz --db crm.db", "hint: no word begins with \"zzz\";"),
        (
            "find person zzz --db crm.db",
            "hint: no word begins with \"zzz\"",
        ),
        ("find u1 u2 --db crm.db", "hint: each of the words is there"),
    ] {
        assert_eq!(home.line(line).ok(), "", "{line}");
        let (shown, code) = at_terminal(home.line(line), 80, "");
        assert_eq!(code, Some(0), "{line}");
        assert!(shown.starts_with("nothing found"), "{shown}");
        assert!(shown.contains(expected), "{shown}");
    }
    // A match is bold.
    let (shown, _) = at_terminal(
        home.line("find u77 --type lead --limit 1 --db crm.db"),
        80,
        "",
    );
    assert!(shown.contains("\u{1b}[1mu77\u{1b}[22m"), "{shown:?}");
    let wrong = home
        .line("find a --type leads --limit 0 --db crm.db")
        .fails(2);
    assert!(
        wrong.contains("--type: expected") && wrong.contains("--limit: expected"),
        "{wrong}"
    );
    let wrong = home
        .line("find --rebuild --url http://localhost:1")
        .fails(2);
    assert!(
        wrong.contains("--rebuild: expected a database, not a URL"),
        "{wrong}"
    );
    let wrong = home.line("find person --db crm.db -o id").fails(2);
    assert!(
        wrong.contains("-o id: expected one --type of lead, action, process"),
        "{wrong}"
    );
    // A table says who it is about.
    home.line("action create --lead 7 --type call --details sesame --db crm.db")
        .ok();
    home.line("process create --name sesame --db crm.db").ok();
    home.line("lead create --email sesame@example.com --db crm.db")
        .ok();
    let table = home.line("find sesame --db crm.db").ok();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(2)
        .map(|line| line.split("  ").map(str::trim).collect())
        .map(|cells: Vec<&str>| cells.into_iter().filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(
        rows,
        [
            vec!["process", "1", "sesame", "name", "sesame"],
            vec![
                "lead",
                "1201",
                "sesame@example.com",
                "email",
                "sesame@example.com"
            ],
            vec!["action", "1", "call", "7 Person 6", "details", "sesame"],
        ]
    );
    // Another noun has none of these.
    for noun in &NOUNS[1..] {
        let line = format!("find u77 --type {} --db crm.db -o id", noun.name);
        assert_eq!(home.line(&line).run().stdout, "");
    }
}

/// A word of its own for each of thousands of records, all with the same beginning, so that their leaf is divided.
#[test]
fn many_words_with_one_beginning_are_found_one_by_one() {
    let home = Home::new();
    let crm = |line: &str| home.line(&format!("{line} --db crm.db")).ok();
    crm("lead create --email ada@example.com --name Ada");
    let connection = Connection::open(home.path("crm.db")).unwrap();
    connection
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
             INSERT INTO leads (id, email, name, status, attributes, created_at, updated_at) \
             SELECT i, 'a@b.cc', printf('Inv%05d', i * 7 % 1201), 'new', '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00' FROM n",
        )
        .unwrap();
    home.line("find --rebuild --db crm.db").run();
    let parts = "SELECT count(*) FROM crm_search WHERE word LIKE 'dinv%'";
    let count = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert!(count(parts) > 3, "{}", count(parts));
    let found = |text: &str| {
        let found = crm(&format!("find {text} --type lead --limit 100 -o id"));
        let mut ids: Vec<i64> = found.lines().map(|id| id.parse().unwrap()).collect();
        ids.sort_unstable();
        ids
    };
    let named = |is: &dyn Fn(i64) -> bool| -> Vec<i64> {
        (2..=1200).filter(|id| is(id * 7 % 1201)).collect()
    };
    for at in [0, 1, 7, 234, 1199, 1200] {
        assert_eq!(
            found(&format!("inv{at:05}")),
            named(&|number| number == at),
            "{at}"
        );
    }
    for tens in [0, 1, 17, 99, 119] {
        let wanted = named(&|number| number / 10 == tens);
        assert_eq!(found(&format!("inv{tens:04}")), wanted, "{tens}");
    }
    assert_eq!(crm("check"), "ok\n");
    // Words come and go in the middle and at the borders of parts.
    crm("lead delete 2-600 --yes");
    for id in 601..620 {
        crm(&format!("lead update {id} --name Moved{id}"));
    }
    home.line("lead erase 1150-1199 --yes --db crm.db").run();
    home.line("find ada --db crm.db").run();
    let is_left = |id: i64| (620..1150).contains(&id) || id == 1200;
    for tens in 0..120 {
        let wanted = named(&|number| number / 10 == tens);
        let wanted: Vec<i64> = wanted.into_iter().filter(|id| is_left(*id)).collect();
        if tens % 10 == 0 {
            assert_eq!(found(&format!("inv{tens:04}")), wanted, "{tens}");
        }
    }
    assert_eq!(found("moved610"), [610]);
    assert_eq!(crm("check"), "ok\n");
    crm("lead delete 601-1149,1200 --yes");
    home.line("find --rebuild --db crm.db").run();
    assert_eq!(found("inv"), Vec::<i64>::new());
    assert_eq!(
        count("SELECT count(*) FROM crm_search WHERE word LIKE '%inv%'"),
        0
    );
}
