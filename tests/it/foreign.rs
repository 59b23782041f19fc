//! What another program has written into a database: values that crm would not have written, records that it has replaced,
//! indexes that it has exchanged.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crm::base::error::Code;
use crm::model::action::ACTION;
use crm::model::lead::LEAD;
use crm::model::noun::Noun;
use crm::model::process::PROCESS;
use crm::model::query::{Query, pairs};
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::store::postgres::{CONNECTIONS, Postgres};
use crm::store::sqlite::Work;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::cluster;
use crate::support::{Home, Service, client};

const NOUNS: [&Noun; 3] = [&LEAD, &ACTION, &PROCESS];

/// The columns of a noun's table.
fn columns(noun: &Noun) -> Vec<&'static str> {
    let names = noun.fields.iter().map(|field| field.name);
    names.chain(["version"]).collect()
}

/// Inserts a record whose columns are as crm writes them, except for one.
fn insert(noun: &Noun, id: i64, column: &str, value: &str) -> String {
    let names = columns(noun);
    let values = names.iter().map(|name| match *name {
        name if name == column => value.to_string(),
        "id" => id.to_string(),
        "version" => "1".into(),
        "email" => "'ada@example.com'".into(),
        "lead_id" | "last_action_id" | "cadence_days" | "last_action_at" => "NULL".into(),
        "attributes" => "'{\"company\":\"Acme\"}'".into(),
        "timestamp" | "created_at" | "updated_at" | "next_followup_datetime" => {
            "'2026-02-07 09:00:00'".into()
        }
        name => format!("'{name} {id}'"),
    });
    let values: Vec<String> = values.collect();
    let (table, names) = (noun.plural, names.join(", "));
    format!(
        "INSERT INTO {table} ({names}) VALUES ({});",
        values.join(", ")
    )
}

/// What is written into each column: rubbish in SQL.
const RUBBISH: [&str; 14] = [
    "CAST(x'5a6feb' AS TEXT)",
    "CAST(x'ff00fe' AS TEXT)",
    "x'00ff'",
    "x''",
    "1.5",
    "-7",
    "NULL",
    "''",
    "'a' || char(0) || 'b'",
    "'oops'",
    "'[1,2]'",
    "'{\"a\":'",
    "'{' || char(10) || '\"a\":' || char(13) || char(10) || ' 1}'",
    "printf('%.1100000c', 'x')",
];

/// Writes all rubbish into a file: a row for each column and each value. Answers the ids of each noun's rows with their
/// columns. The tables are strict again afterwards.
fn write_rubbish(path: &Path) -> BTreeMap<&'static str, Vec<(i64, &'static str)>> {
    let schema = |connection: &Connection| -> Vec<(String, String)> {
        let sql = "SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'trigger') AND sql IS NOT NULL";
        let mut rows = connection.prepare(sql).unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    };
    let connection = Connection::open(path).unwrap();
    let before = schema(&connection);
    let edit = |edits: &dyn Fn(&Connection)| {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch("PRAGMA writable_schema = ON; BEGIN")
            .unwrap();
        edits(&connection);
        let version: i64 = connection
            .query_row("PRAGMA schema_version", [], |row| row.get(0))
            .unwrap();
        let bump = format!("PRAGMA schema_version = {}; COMMIT", version + 1);
        connection.execute_batch(&bump).unwrap();
    };
    edit(&|connection| {
        connection
            .execute_batch(
                "UPDATE sqlite_schema SET sql = replace(replace(sql, ' NOT NULL', ''), ') STRICT', ')')
                 WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
            )
            .unwrap();
    });
    drop(connection);
    let connection = Connection::open(path).unwrap();
    let triggers = before
        .iter()
        .filter(|(_, sql)| sql.starts_with("CREATE TRIGGER"));
    for (name, _) in triggers.clone() {
        connection
            .execute_batch(&format!("DROP TRIGGER {name}"))
            .unwrap();
    }
    let mut rows: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; BEGIN")
        .unwrap();
    for noun in NOUNS {
        let mut id = 10;
        for column in columns(noun) {
            for value in RUBBISH {
                id += 1;
                let value = match (column, value) {
                    // SQLite itself keeps every id a whole number.
                    ("id", "-7") => "-7",
                    ("id", _) => continue,
                    (_, value) => value,
                };
                connection
                    .execute_batch(&insert(noun, id, column, value))
                    .unwrap();
                let id = if column == "id" { -7 } else { id };
                rows.entry(noun.plural).or_default().push((id, column));
            }
        }
        connection.execute_batch(&insert(noun, 5, "", "")).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    for (_, sql) in triggers {
        connection.execute_batch(sql).unwrap();
    }
    drop(connection);
    edit(&|connection| {
        for (name, sql) in &before {
            let sql = [sql, name];
            let back = "UPDATE sqlite_schema SET sql = ?1 WHERE name = ?2 AND type = 'table'";
            connection.execute(back, sql).unwrap();
        }
    });
    rows
}

/// The list at a path, which every client can read.
async fn list(url: &str, path: &str) -> Vec<Value> {
    let answer = client().get(format!("{url}{path}")).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let text = answer.text().await.unwrap();
    let found: Vec<Value> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    found
}

fn ids(found: &[Value]) -> Vec<i64> {
    found
        .iter()
        .map(|one| one["id"].as_i64().unwrap())
        .collect()
}

/// Every record is in every list, and has the kinds of values that the description promises.
async fn all_are_shown(service: &Service, rows: &BTreeMap<&str, Vec<(i64, &'static str)>>) {
    let url = &service.url;
    for noun in NOUNS {
        let table = noun.plural;
        let mut expected: Vec<i64> = rows[table].iter().map(|row| row.0).chain([5]).collect();
        expected.sort_unstable();
        let all = list(url, &format!("/{table}")).await;
        assert_eq!(ids(&all), expected, "{table}");
        for one in &all {
            assert!(one["attributes"].is_object(), "{one}");
            for field in noun.fields {
                let value = &one[field.name];
                let fits = match field.kind.is_number() {
                    true => value.is_i64(),
                    false => value.is_string() || value.is_object(),
                };
                assert!(
                    fits || field.nullable() && value.is_null(),
                    "{} {one}",
                    field.name
                );
            }
        }
        let request = client()
            .get(format!("{url}/{table}"))
            .header("Accept", "application/x-ndjson");
        let lines = request.send().await.unwrap().text().await.unwrap();
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines, all);
        let good = all.iter().find(|one| one["id"] == 5).unwrap();
        assert_eq!(good["attributes"], json!({"company": "Acme"}));
        for one in all.iter().filter(|one| one["id"].as_i64() > Some(0)) {
            let id = &one["id"];
            let alone = client().get(format!("{url}/{table}/{id}")).send().await;
            let alone = alone.unwrap();
            assert_eq!(alone.status(), 200);
            let alone: Value = serde_json::from_str(&alone.text().await.unwrap()).unwrap();
            assert_eq!(alone, *one);
        }
        let fields = noun.fields.iter().filter(|field| !field.nullable());
        let fields: Vec<&str> = fields.map(|field| field.name).collect();
        let empty = |id: i64, column: &str| {
            let found = all.iter().find(|one| one["id"] == id);
            found.is_some_and(|one| one[column] == "")
        };
        let nulls: Vec<(i64, &str)> = rows[table]
            .iter()
            .filter(|(id, column)| fields.contains(column) && empty(*id, column))
            .copied()
            .collect();
        let sorts = noun
            .fields
            .iter()
            .filter(|field| field.name != "attributes");
        for sort in sorts.flat_map(|field| ["", "-"].map(|sign| format!("{sign}{}", field.name))) {
            let whole = list(url, &format!("/{table}?sort={sort}&fields=id")).await;
            assert_eq!(whole.len(), expected.len(), "{table} {sort}");
            // A page ends at each of them. A reference is a number or null unless its table is not strict.
            if sort.ends_with("lead_id") || sort.ends_with("last_action_id") {
                continue;
            }
            let Some(AnyStore::Sqlite(_) | AnyStore::Postgres(_)) = Some(&service.store) else {
                continue;
            };
            let mut paged = Vec::new();
            let mut after = String::new();
            loop {
                let query = format!("sort={sort}&limit=20{after}");
                let query = Query::new(noun, pairs(&query).unwrap()).unwrap();
                let mut page = service.store.list(query).await.unwrap();
                while let Some(chunk) = page.next_chunk().await.unwrap() {
                    paged.extend(chunk.iter().map(|record| record.id()));
                }
                assert!(paged.len() <= whole.len(), "{table} {sort} does not end");
                match page.next {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
            }
            // A column that must not be null is shown as the empty text if it is, and a page does not look for nulls there.
            let at = sort.trim_start_matches('-');
            let is_null = |id: &i64| nulls.contains(&(*id, at));
            paged.retain(|id| !is_null(id));
            let mut whole = ids(&whole);
            whole.retain(|id| !is_null(id));
            assert_eq!(paged, whole, "{table} {sort}");
        }
        list(url, &format!("/{table}?q=oops&attributes.company=Acme")).await;
    }
    list(url, "/followups").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_in_any_column_hides_no_record() {
    let home = Home::new();
    home.line("lead create --email ada@example.com --db crm.db")
        .ok();
    home.line("lead delete 1 --yes --db crm.db").ok();
    let rows = write_rubbish(&home.path("crm.db"));
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
    let service = Service::over(store).await;
    all_are_shown(&service, &rows).await;
    service.stop().await;
    for format in ["table", "csv", "json", "ndjson", "id"] {
        for noun in NOUNS {
            let line = format!("{} list -o {format} --db crm.db", noun.name);
            home.line(&line).ok();
        }
    }
    // A change of one field leaves the others as they are stored.
    let raw = |noun: &Noun, id: i64| -> Vec<String> {
        let kept = columns(noun).into_iter();
        let kept = kept.filter(|name| !["attributes", "updated_at", "version"].contains(name));
        let quoted: Vec<String> = kept
            .map(|name| format!("typeof({name}) || hex({name})"))
            .collect();
        let connection = Connection::open(home.path("crm.db")).unwrap();
        let sql = format!(
            "SELECT {} FROM {} WHERE id = {id}",
            quoted.join(", "),
            noun.plural
        );
        let row = |row: &rusqlite::Row<'_>| (0..quoted.len()).map(|at| row.get(at)).collect();
        connection.query_row(&sql, [], row).unwrap()
    };
    for noun in NOUNS {
        let at = &rows[noun.plural];
        let some = at
            .iter()
            .filter(|(id, column)| *id > 0 && *column != "version");
        for (id, column) in some.step_by(3) {
            let before = raw(noun, *id);
            let line = format!("{} update {id} --set k=v -o json --db crm.db", noun.name);
            let run = home.line(&line).run();
            assert_eq!(raw(noun, *id), before, "{column}");
            match run.code {
                Some(0) => {
                    let after: Value = serde_json::from_str(&run.stdout).unwrap();
                    assert_eq!(after["attributes"]["k"], "v");
                    if *column == "attributes" {
                        let kept = after["attributes"].as_object().unwrap();
                        assert!(kept.contains_key("") || kept.len() < 3, "{kept:?}");
                    }
                }
                // A record that is too large does not grow. SQLite checks the kinds of all values of a row.
                code => {
                    let (told, expected) = match code {
                        Some(2) => (code, "expected at most 1048576 bytes"),
                        _ => (Some(5), "value of a wrong kind"),
                    };
                    assert_eq!(code, told, "{run:?}");
                    assert!(run.stderr.contains(expected), "{run:?}");
                }
            }
        }
    }
}

#[test]
fn a_check_names_what_is_wrong_and_how_to_repair_it() {
    let home = Home::new();
    for _ in 0..5 {
        home.line("lead create --email ada@example.com --name Ada --set a=b --db crm.db")
            .ok();
    }
    Connection::open(home.path("crm.db"))
        .unwrap()
        .execute_batch(
            "UPDATE leads SET name = CAST(x'5a6feb' AS TEXT) WHERE id = 2;
             UPDATE leads SET attributes = 'oops' WHERE id = 3;
             UPDATE leads SET created_at = 'yesterday', name = 'a' || char(0) WHERE id = 4;",
        )
        .unwrap();
    let run = home.line("check --db crm.db").run();
    assert_eq!(run.code, Some(1));
    let db = home.path("crm.db");
    let db = db.display();
    let now = |line: &str| {
        line.split(" SET created_at = '")
            .next()
            .unwrap()
            .to_string()
    };
    let lines: Vec<String> = run.stdout.lines().map(now).collect();
    let expected = [
        format!(
            "value: leads 2: name is not UTF-8, shown as \"Zo\u{fffd}\"; `crm lead update 2 --name TEXT --db {db}` or \
                 `crm lead update 2 --clear name --db {db}` gives it another value"
        ),
        format!(
            "value: leads 3: attributes is not well-formed JSON (expected value): \"oops\"; \
                 `crm lead update 3 --unset '' --set NAME=TEXT --db {db}` keeps the text as an attribute"
        ),
        format!(
            "value: leads 4: name contains a NUL character: \"a\\u{{0}}\"; `crm lead update 4 --name TEXT --db {db}` or \
                 `crm lead update 4 --clear name --db {db}` gives it another value"
        ),
        format!(
            "value: leads 4: created_at is \"yesterday\", expected a time like 2026-02-07 09:00:00; \
                 `sqlite3 {db} \"UPDATE leads"
        ),
    ];
    assert_eq!(lines, expected);
    // A backup keeps the values, a copy has them as they are shown; both say so.
    let run = home.line("backup b.db --quiet --db crm.db").run();
    assert_eq!(run.code, Some(0));
    assert!(
        run.stderr
            .contains("b.db: 4 values were stored by another program"),
        "{run:?}"
    );
    let run = home.line("copy crm.db c.db --quiet").run();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stderr
            .contains("copied as it is shown: leads 2: name is not UTF-8"),
        "{run:?}"
    );
    assert!(run.stderr.contains("and 3 more"), "{run:?}");
    let copied: Value =
        serde_json::from_str(&home.line("lead list -o json --db c.db").ok()).unwrap();
    assert_eq!(copied[1]["name"], "Zo\u{fffd}");
    assert_eq!(copied[2]["attributes"], json!({"": "oops"}));
    assert_eq!(copied[3]["name"], "a\u{fffd}");
    // The commands that it names repair the records.
    for line in [
        "update 2 --name Zoek",
        "update 4 --clear name",
        "update 3 --set company=Acme",
    ] {
        home.line(&format!("lead {line} --db crm.db")).ok();
    }
    home.crm([
        "lead",
        "update",
        "3",
        "--unset",
        "",
        "--set",
        "note=oops",
        "--db",
        "crm.db",
    ])
    .ok();
    Connection::open(home.path("crm.db"))
        .unwrap()
        .execute_batch("UPDATE leads SET created_at = '2026-02-07 09:00:00' WHERE id = 4")
        .unwrap();
    assert_eq!(home.line("check --db crm.db").ok(), "ok\n");
    let third: Value =
        serde_json::from_str(&home.line("lead get 3 -o json --db crm.db").ok()).unwrap();
    assert_eq!(
        third["attributes"],
        json!({"company": "Acme", "note": "oops"})
    );
}

/// What another program may write and the API never does: the table's noun, the column, the value in SQL, what a check says
/// of it. The value is in the column of the row with an id of 10 and its place in this list.
fn never_written() -> Vec<(&'static Noun, &'static str, String, &'static str)> {
    let text = |text: &str| format!("'{text}'");
    let mut all = Vec::new();
    let one_form = [
        (" sp@x.org ", "\" sp@x.org \" with spaces around it"),
        ("\tsp@x.org", "\"\\tsp@x.org\" with spaces around it"),
        ("Ada@X.org", "\"Ada@X.org\" with capital letters"),
        ("MÜLLER@x.org", "\"MÜLLER@x.org\" with capital letters"),
        ("ａｄａ＠ｘ．ｏｒｇ", "with fullwidth or halfwidth letters"),
        (
            "jo\u{308}rg@x.org",
            "with letters that are not composed (NFC)",
        ),
        (
            "a@xn--bcher-kva.com",
            "with its domain in Punycode, expected its one form \"a@bücher.com\"",
        ),
        (
            "a@XN--Bcher-KVA.com",
            "with capital letters, with its domain in Punycode",
        ),
        (
            "o''Neil@x.org",
            "expected its one form \"o'neil@x.org\"; `crm lead update",
        ),
    ];
    all.extend(one_form.map(|(email, told)| (&LEAD, "email", text(email), told)));
    for (noun, column, value, told) in [
        (
            &LEAD,
            "id",
            "-7",
            "id is -7, expected a whole number of 1 or more",
        ),
        (
            &LEAD,
            "id",
            "0",
            "id is 0, expected a whole number of 1 or more",
        ),
        (
            &LEAD,
            "email",
            "''",
            "email is empty, expected an e-mail address",
        ),
        (
            &LEAD,
            "email",
            "'  '",
            "email is \"  \", expected an e-mail address",
        ),
        (
            &LEAD,
            "email",
            "'nobody'",
            "email is \"nobody\", expected an e-mail address",
        ),
        (
            &LEAD,
            "email",
            "'a@xn--a.com'",
            "\"xn--a\" in its domain is not valid Punycode",
        ),
        (&LEAD, "status", "''", "status is empty, expected text"),
        (
            &LEAD,
            "status",
            "'  '",
            "status is blank, expected text: \"  \"",
        ),
        (
            &LEAD,
            "attributes",
            "'{\"a\":1,\"a\":2}'",
            "must not contain the key \"a\" twice",
        ),
        (&LEAD, "attributes", "'[]'", "is no JSON object"),
        (
            &LEAD,
            "attributes",
            "''",
            "attributes is not well-formed JSON",
        ),
        (
            &LEAD,
            "created_at",
            "''",
            "created_at is \"\", expected a time",
        ),
        (
            &LEAD,
            "created_at",
            "'0000-01-01 00:00:00'",
            "created_at is \"0000-",
        ),
        (
            &LEAD,
            "created_at",
            "'10000-01-01 00:00:00'",
            "created_at is \"10000-",
        ),
        (
            &LEAD,
            "updated_at",
            "'2026-02-30 00:00:00'",
            "updated_at is \"2026-02-30",
        ),
        (
            &LEAD,
            "updated_at",
            "'2026-02-07T09:00:00Z'",
            "updated_at is \"2026-02-07T",
        ),
        (
            &LEAD,
            "version",
            "0",
            "version is 0, expected a whole number of 1 or more",
        ),
        (
            &LEAD,
            "version",
            "-1",
            "version is -1, expected a whole number of 1 or more",
        ),
        (
            &LEAD,
            "version",
            "4611686018427387905",
            "version is 4611686018427387905, expected at most",
        ),
        (&ACTION, "id", "-1", "id is -1, expected"),
        (
            &ACTION,
            "lead_id",
            "990",
            "lead_id is 990, which does not exist",
        ),
        (
            &ACTION,
            "lead_id",
            "-990",
            "lead_id is -990, which does not exist",
        ),
        (
            &ACTION,
            "action_type",
            "''",
            "action_type is empty, expected text",
        ),
        (
            &ACTION,
            "timestamp",
            "'2026-02-07'",
            "timestamp is \"2026-02-07\", expected a time",
        ),
        (
            &ACTION,
            "version",
            "0",
            "version is 0, expected a whole number of 1 or more",
        ),
        (&PROCESS, "name", "' '", "name is blank, expected text"),
        (
            &PROCESS,
            "lead_id",
            "-3",
            "lead_id is -3, which does not exist",
        ),
        (&PROCESS, "channel", "''", "channel is empty, expected text"),
        (
            &PROCESS,
            "last_action_id",
            "990",
            "last_action_id is 990, which does not exist",
        ),
        (
            &PROCESS,
            "next_followup_datetime",
            "''",
            "next_followup_datetime is \"\", expected a time",
        ),
        (&PROCESS, "status", "''", "status is empty, expected text"),
        (
            &PROCESS,
            "version",
            "-9",
            "version is -9, expected a whole number of 1 or more",
        ),
    ] {
        all.push((noun, column, value.into(), told));
    }
    let long = text(&"x".repeat(1_100_000));
    all.push((
        &LEAD,
        "name",
        long,
        "name is 1100000 bytes long, expected at most 1048576",
    ));
    let long = format!("'{{\"a\": \"{}\"}}'", "x".repeat(1_100_000));
    all.push((
        &LEAD,
        "attributes",
        long,
        "attributes is 1100009 bytes long",
    ));
    let long = text(&"x".repeat(1_048_576));
    all.push((
        &ACTION,
        "details",
        long,
        "details is 1048576 bytes long and the whole record",
    ));
    all
}

/// The statements that write all of it, and rows that the API may write, which no check names.
fn write_never_written() -> String {
    let mut sql: String = NOUNS.map(|noun| insert(noun, 1, "", "")).concat();
    for (at, (noun, column, value, _)) in never_written().iter().enumerate() {
        sql += &insert(noun, 10 + at as i64, column, value);
    }
    // Each of the two texts may be that long alone.
    let more = "x".repeat(2_000);
    sql += &format!(
        "UPDATE actions SET attributes = '{{\"a\":\"{more}\"}}' WHERE details LIKE 'xxx%';"
    );
    for (noun, column, value) in [
        (&LEAD, "name", "''"),
        (&LEAD, "name", "' '"),
        (&LEAD, "status", "' new '"),
        (
            &LEAD,
            "attributes",
            "'{ \"a\" : null, \"b\": {\"c\": [1.50]} }'",
        ),
        (&LEAD, "email", "'संपर्क@डाटामेल.भारत'"),
        (&LEAD, "created_at", "'0001-01-01 00:00:00'"),
        (&LEAD, "updated_at", "'9999-12-31 23:59:59'"),
        (&LEAD, "version", "4611686018427387904"),
        (&ACTION, "details", "''"),
        (&PROCESS, "lead_id", "1"),
        (&PROCESS, "next_followup_datetime", "NULL"),
        (&PROCESS, "channel", "NULL"),
    ] {
        let id = 200 + sql.matches("INSERT").count() as i64;
        sql += &insert(noun, id, column, value);
    }
    sql
}

/// Runs what a check says until it finds nothing more. `run` runs a statement.
fn repair_all(home: &Home, db: &str, run: impl Fn(&str)) {
    let mut told = String::new();
    for _ in 0..10 {
        let check = home.crm(["check", "--db", db]).run();
        told += &check.stdout;
        if check.code == Some(0) {
            assert_eq!(check.stdout, "ok\n");
            for (noun, column, _, expected) in never_written() {
                let line = told.lines().find(|line| {
                    line.contains(&format!(" {} ", noun.plural)) && line.contains(expected)
                });
                assert!(
                    line.is_some(),
                    "{} {column} {expected}: {told}",
                    noun.plural
                );
            }
            let ids = told
                .lines()
                .filter_map(|line| line.split([' ', ':']).nth(3));
            let ids: Vec<i64> = ids.filter_map(|id| id.parse().ok()).collect();
            assert!(ids.len() > 40 && ids.iter().all(|id| *id < 200), "{ids:?}");
            return;
        }
        for line in check.stdout.lines().filter(|line| line.contains('`')) {
            let command = line.split('`').nth(1).unwrap();
            // The words that stand for something.
            let mut command = command
                .replace(" ADDRESS", " new@example.com")
                .replace(" KEY=TEXT", " a=word")
                .replace(" TEXT", " word")
                .replace(" NAME=TEXT", " kept=text")
                .replace(" TIME", " 2026-01-01");
            if let Some((_, statement)) = command.split_once(" \"") {
                run(statement.strip_suffix('"').unwrap());
                continue;
            }
            if !command.contains("--db") {
                command += &format!(" --db '{}'", db.replace('\'', r"'\''"));
            }
            let ran = home.shell(&command).run();
            assert!(ran.code == Some(0), "{line}: {ran:?}");
        }
    }
    panic!("{told}");
}

#[test]
fn a_check_names_all_that_the_api_never_writes_and_its_commands_repair_it() {
    let home = Home::new();
    let db = home.path("a folder/it's.db");
    std::fs::create_dir(home.path("a folder")).unwrap();
    let name = db.to_str().unwrap();
    home.crm(["lead", "create", "--email", "a@x.org", "--db", name])
        .ok();
    home.crm(["lead", "delete", "1", "--yes", "--db", name])
        .ok();
    let other = Connection::open(&db).unwrap();
    let triggers: Vec<(String, String)> = {
        let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'";
        let mut rows = other.prepare(sql).unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    };
    other
        .execute_batch("PRAGMA foreign_keys = OFF; BEGIN")
        .unwrap();
    for (name, _) in &triggers {
        other
            .execute_batch(&format!("DROP TRIGGER {name}"))
            .unwrap();
    }
    other.execute_batch(&write_never_written()).unwrap();
    for (_, sql) in &triggers {
        other.execute_batch(sql).unwrap();
    }
    other.execute_batch("COMMIT").unwrap();
    repair_all(&home, name, |statement| {
        other.execute_batch(statement).unwrap()
    });
    // The next backup has nothing to say of it.
    let run = home.crm(["backup", "b.db", "--quiet", "--db", name]).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_postgres_names_all_that_the_api_never_writes() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let cluster = cluster::shared().await.unwrap();
    let name = url.rsplit("%3D").next().unwrap();
    let home = Home::new();
    home.crm(["lead", "create", "--email", "a@x.org", "--db", &url])
        .ok();
    home.crm(["lead", "delete", "1", "--yes", "--db", &url])
        .ok();
    // As a program that loads data does: neither triggers nor constraints.
    let begin = format!("SET search_path = {name}; SET session_replication_role = replica;");
    cluster.run(&(begin + &write_never_written())).await;
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        repair_all(&home, &url, |statement| {
            let sql = format!("SET search_path = {name}; {statement}");
            runtime.block_on(cluster.run(&sql));
        });
    });
}

/// The spellings of `jörg@möst.de` that another program may have stored and a search finds.
const FOUND: [&str; 5] = [
    "jörg@möst.de",
    "JöRG@XN--MST-SNA.de",
    "jo\u{308}rg@mo\u{308}st.de",
    "Jo\u{308}rg@xn--mst-sna.de",
    "jörg@xn--mst-sna.DE",
];

async fn spellings_are_found(store: &AnyStore, ids: std::ops::Range<i64>) {
    for given in FOUND.iter().chain(&[" jörg@ｍöｓｔ.de "]) {
        let query = [("email".to_string(), given.to_string())];
        let query = Query::new(&LEAD, query.into()).unwrap();
        let mut page = store.list(query).await.unwrap();
        let mut found = Vec::new();
        while let Some(chunk) = page.next_chunk().await.unwrap() {
            found.extend(chunk.iter().map(|record| record.id()));
        }
        assert_eq!(found, ids.clone().collect::<Vec<i64>>(), "{given}");
    }
    for id in ids {
        let draft = crm::model::draft::Draft::from_json(
            &LEAD,
            r#"{"email":"jörg@möst.de"}"#.as_bytes(),
            crm::model::draft::Purpose::Create,
        );
        let on_duplicate = crm::model::lead::OnDuplicate::Reject;
        let create = crm::ops::create::Create::new(draft.unwrap(), on_duplicate);
        let error = store.write(create, Default::default()).await.map(drop);
        let told = error.unwrap_err().message;
        assert!(told.contains(&format!("lead {id} already has")), "{told}");
        let delete = crm::ops::delete::Delete::new(&LEAD, id, false);
        store.write(delete, Default::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spellings_of_another_program_are_found() {
    let home = Home::new();
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Command).unwrap();
    let rows = FOUND.iter().zip(1..);
    let sql = rows.map(|(email, id)| insert(&LEAD, id, "email", &format!("'{email}'")));
    let sql: String = sql.collect();
    Connection::open(home.path("crm.db"))
        .unwrap()
        .execute_batch(&sql)
        .unwrap();
    spellings_are_found(&store, 1..6).await;
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let name = url.rsplit("%3D").next().unwrap();
    let cluster = cluster::shared().await.unwrap();
    cluster
        .run(&format!("SET search_path = {name}; {sql}"))
        .await;
    spellings_are_found(&store, 1..6).await;
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_in_postgres_hides_no_record() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let cluster = cluster::shared().await.unwrap();
    let name = url.rsplit("%3D").next().unwrap();
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let mut rows: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
    let mut sql = format!("SET search_path = {name}; SET client_min_messages = warning;");
    for noun in NOUNS {
        let mut id = 10;
        for field in noun.fields {
            let rubbish: &[&str] = match field.kind.is_number() {
                true if field.name == "id" => &["-7"],
                true => &[],
                false => &[
                    "''",
                    "'oops'",
                    "'[1,2]'",
                    "'{\"a\":'",
                    "chr(7) || chr(133)",
                    "repeat('x', 1100000)",
                    "'{' || chr(10) || '\"a\":1}'",
                ],
            };
            for value in rubbish {
                id += 1;
                // An index on a time takes no long text.
                if value.starts_with("repeat") && field.kind.expected().contains("time") {
                    continue;
                }
                sql += &insert(noun, id, field.name, value);
                let id = if field.name == "id" { -7 } else { id };
                rows.entry(noun.plural).or_default().push((id, field.name));
            }
        }
        sql += &insert(noun, 5, "", "");
        sql += &insert(noun, 6, "version", "-7");
        rows.entry(noun.plural).or_default().push((6, "version"));
    }
    cluster.run(&sql).await;
    let service = Service::over(store).await;
    all_are_shown(&service, &rows).await;
    service.stop().await;
    let home = Home::new();
    let run = home.crm(["check", "--db", &url]).run();
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("value: leads -7: id is -7"), "{run:?}");
    assert!(
        run.stdout.contains("attributes is not well-formed JSON"),
        "{run:?}"
    );
    assert!(run.stdout.contains("`crm lead update 17 "), "{run:?}");
}

/// Exchanges the root pages of two indexes.
fn exchange(path: &Path, one: &str, other: &str) {
    let connection = Connection::open(path).unwrap();
    let root = |name: &str| -> i64 {
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        connection.query_row(sql, [name], |row| row.get(0)).unwrap()
    };
    let roots = [root(one), root(other)];
    connection
        .execute_batch("PRAGMA writable_schema = ON")
        .unwrap();
    let set = "UPDATE sqlite_schema SET rootpage = ?1 WHERE name = ?2";
    connection.execute(set, (roots[1], one)).unwrap();
    connection.execute(set, (roots[0], other)).unwrap();
}

#[test]
fn indexes_with_each_others_pages_are_found_and_not_backed_up() {
    let home = Home::new();
    for at in 0..3 {
        home.line(&format!(
            "lead create --email {at}@example.com --db ours.db"
        ))
        .ok();
    }
    exchange(
        &home.path("ours.db"),
        "leads_by_status",
        "leads_by_created_at",
    );
    let earlier = Connection::open(home.path("earlier.db")).unwrap();
    earlier
        .execute_batch(
            "CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT NOT NULL, status TEXT);
             CREATE INDEX leads_by_email ON leads (email);
             CREATE INDEX ix_leads_status ON leads (status);
             CREATE TABLE actions (id INTEGER PRIMARY KEY, action_type TEXT);
             CREATE TABLE processes (id INTEGER PRIMARY KEY, name TEXT);
             INSERT INTO leads VALUES (1, 'ada@example.com', 'won'), (2, 'bob@example.com', 'new');",
        )
        .unwrap();
    drop(earlier);
    assert_eq!(home.line("check --db earlier.db").ok(), "ok\n");
    exchange(
        &home.path("earlier.db"),
        "leads_by_email",
        "ix_leads_status",
    );
    for file in ["ours.db", "earlier.db"] {
        let run = home.line(&format!("check --db {file}")).run();
        assert_eq!(run.code, Some(1), "{file}");
        assert!(
            run.stdout.contains("integrity: row 1 missing from index"),
            "{run:?}"
        );
        let told = home.line(&format!("backup b.db --db {file}")).fails(1);
        assert!(told.contains("no backup was kept"), "{told}");
        assert!(!home.path("b.db").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_record_has_another_version() {
    let home = Home::new();
    for at in 1..=3 {
        home.line(&format!("lead create --email {at}@example.com --db crm.db"))
            .ok();
    }
    let other = Connection::open(home.path("crm.db")).unwrap();
    let version = |id: i64| -> i64 {
        let sql = "SELECT version FROM leads WHERE id = ?1";
        other.query_row(sql, [id], |row| row.get(0)).unwrap()
    };
    let row = "'x@example.com', 'new', '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00'";
    let names = "id, email, status, attributes, created_at, updated_at";
    let replace = |sql: String, id: i64, seen: &mut Vec<i64>| {
        other.execute_batch(&sql).unwrap();
        let now = version(id);
        assert!(now > 1 && !seen.contains(&now), "{sql}: {now}");
        seen.push(now);
    };
    let mut seen = vec![1];
    let short = format!("REPLACE INTO leads ({names}) VALUES (3, {row})");
    replace(short.clone(), 3, &mut seen);
    replace(short, 3, &mut seen);
    replace(
        "REPLACE INTO leads SELECT * FROM leads WHERE id = 3".into(),
        3,
        &mut seen,
    );
    let again =
        format!("DELETE FROM leads WHERE id = 3; INSERT INTO leads ({names}) VALUES (3, {row})");
    replace(again, 3, &mut seen);
    replace(
        "UPDATE OR REPLACE leads SET id = 3 WHERE id = 2".into(),
        3,
        &mut seen,
    );
    replace(
        "UPDATE leads SET version = 9223372036854775807 WHERE id = 3".into(),
        3,
        &mut seen,
    );
    // A new id begins at 1, as crm's own records do.
    other
        .execute_batch(&format!("INSERT INTO leads ({names}) VALUES (9, {row})"))
        .unwrap();
    assert_eq!(version(9), 1);
    drop(other);
    home.line("lead create --email ada@example.com --db crm.db")
        .ok();
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
    let service = Service::over(store).await;
    let put = |tag: String| {
        let request = client().put(format!("{}/leads/3", service.url));
        request
            .header("Content-Type", "application/json")
            .header("If-Match", tag)
            .body("{\"status\":\"won\"}")
            .send()
    };
    for version in &seen[..seen.len() - 1] {
        assert_eq!(put(format!("\"{version}\"")).await.unwrap().status(), 412);
    }
    let last = seen.last().unwrap();
    assert_eq!(put(format!("\"{last}\"")).await.unwrap().status(), 200);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_made_anew_in_postgres_has_another_version() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let cluster = cluster::shared().await.unwrap();
    let name = url.rsplit("%3D").next().unwrap();
    let home = Home::new();
    let crm = |line: &str| home.crm(line.split(' ').chain(["--db", &url])).ok();
    crm("lead create --email ada@example.com");
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    assert_eq!(store.get(&LEAD, 1).await.unwrap().version(), 1);
    cluster
        .run(&format!(
            "DELETE FROM {name}.leads WHERE id = 1;
             INSERT INTO {name}.leads (id, email, status, attributes, created_at, updated_at)
             VALUES (1, 'x', 'new', '{{}}', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
        ))
        .await;
    assert!(store.get(&LEAD, 1).await.unwrap().version() > 1 << 32);
    // The highest id has its own message, and is not a full disk.
    cluster
        .run(&format!(
            "INSERT INTO {name}.leads (id, email, status, attributes, created_at, updated_at)
             VALUES (9223372036854775807, 'x', 'new', '{{}}', '2026-01-01 00:00:00', '2026-01-01 00:00:00');
             SELECT setval(pg_get_serial_sequence('{name}.leads', 'id'), 9223372036854775807)"
        ))
        .await;
    let told = home
        .crm(["lead", "create", "--email", "b@example.com", "--db", &url])
        .fails(5);
    assert!(told.contains("no id is left for a new record"), "{told}");
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_highest_id_is_told_and_stops_no_other_write() {
    let home = Home::new();
    home.line("lead create --email ada@example.com --db crm.db")
        .ok();
    let highest = "INSERT INTO leads (id, email, status, attributes, created_at, updated_at)
         VALUES (9223372036854775807, 'x', 'new', '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00')";
    let other = Connection::open(home.path("crm.db")).unwrap();
    other.execute_batch(highest).unwrap();
    let told = home
        .line("lead create --email b@example.com --db crm.db")
        .fails(5);
    assert!(told.contains("no id is left for a new record"), "{told}");
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
    let service = Service::over(store).await;
    let post = |path: &str, body: &'static str| {
        let request = client().post(format!("{}{path}", service.url));
        let request = request.header("Content-Type", "application/json");
        let sent = request.body(body).send();
        async { sent.await.unwrap().status().as_u16() }
    };
    let both = (0..20).map(|_| async {
        tokio::join!(
            post("/leads", "{\"email\":\"b@example.com\"}"),
            post("/actions", "{\"action_type\":\"call\"}")
        )
    });
    for answers in futures_util::future::join_all(both).await {
        assert_eq!(answers, (409, 201));
    }
    let found = list(&service.url, "/leads?fields=id&sort=-id").await;
    assert_eq!(ids(&found), [i64::MAX, 1]);
    other
        .execute_batch(
            "DELETE FROM leads WHERE id > 1; UPDATE sqlite_sequence SET seq = 1 WHERE name = 'leads'",
        )
        .unwrap();
    assert_eq!(post("/leads", "{\"email\":\"b@example.com\"}").await, 201);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_beyond_its_budget_is_ended_and_others_go_on() {
    let home = Home::new();
    home.line("lead create --email ada@example.com --db crm.db")
        .ok();
    Connection::open(home.path("crm.db"))
        .unwrap()
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
             INSERT INTO leads (email, name, status, attributes, created_at, updated_at)
             SELECT 'u' || i, printf('%.300000c', 'a'), 'new', '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00' FROM n",
        )
        .unwrap();
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
    store.limit_queries(Duration::from_millis(1_000));
    let service = Service::over(store).await;
    let path = format!("/leads?fields=id&name=like:%25{}b%25", "a_".repeat(450));
    let slow = (0..24).map(|_| client().get(format!("{}{path}", service.url)).send());
    let slow = tokio::spawn(futures_util::future::join_all(slow.collect::<Vec<_>>()));
    for _ in 0..5 {
        assert_eq!(list(&service.url, "/leads?fields=id").await.len(), 301);
        assert_eq!(list(&service.url, "/leads?limit=1").await.len(), 1);
    }
    for answer in slow.await.unwrap() {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 503);
        let text = answer.text().await.unwrap();
        assert!(text.contains("the query took longer than 1 s"), "{text}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_beyond_its_budget_is_ended_in_postgres_too() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = Postgres::open(&url, CONNECTIONS).await.unwrap();
    store.limit_queries(Duration::from_millis(700));
    let name = url.rsplit("%3D").next().unwrap();
    let cluster = cluster::shared().await.unwrap();
    let base = cluster.url("");
    let (other, connection) = tokio_postgres::connect(&base, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let lock = format!("BEGIN; LOCK TABLE {name}.leads IN ACCESS EXCLUSIVE MODE");
    other.batch_execute(&lock).await.unwrap();
    for query in ["", "limit=3", "sort=name", "count=true&limit=1"] {
        let query = Query::new(&LEAD, pairs(query).unwrap()).unwrap();
        let error = store.list(query).await.map(drop).unwrap_err();
        assert_eq!(error.code, Code::Unavailable);
        assert!(
            error.message.contains("the query took longer than 0.7 s"),
            "{error}"
        );
    }
    let query = Query::new(&ACTION, Vec::new()).unwrap();
    assert!(store.list(query).await.is_ok());
    other.batch_execute("ROLLBACK").await.unwrap();
    let query = Query::new(&LEAD, Vec::new()).unwrap();
    assert!(store.list(query).await.is_ok());
    store.close().await.unwrap();
}

/// The runtime of this test has one thread, so nothing of the store runs while the connections are ended.
#[tokio::test]
async fn a_connection_that_was_ended_in_a_pause_costs_no_write() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let url = format!("{url}&application_name=paused");
    let store = Postgres::open(&url, 1).await.unwrap();
    let home = Home::new();
    let base = cluster::shared().await.unwrap().url("");
    for at in 0..3 {
        let draft = crm::model::draft::Draft::from_json(
            &LEAD,
            br#"{"email":"ada@example.com"}"#,
            crm::model::draft::Purpose::Create,
        );
        let create = crm::ops::create::Create::new(draft.unwrap(), Default::default());
        let made = store.write(create, Default::default()).await;
        made.unwrap_or_else(|error| panic!("{at}: {error}"));
        let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'paused'";
        let began = std::time::Instant::now();
        let mut psql = std::process::Command::new("psql");
        let ended = psql
            .args(["-qAt", &base, "-c", end])
            .env("HOME", home.path(""))
            .output();
        assert!(ended.unwrap().status.success());
        // The pause after which a connection is looked at.
        while began.elapsed() < Duration::from_millis(600) {
            std::thread::yield_now();
        }
    }
    store.close().await.unwrap();
}
