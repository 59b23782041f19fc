//! Own fields as columns, and addresses with several spellings, as a command and a client meet them. What works on records
//! is run on a file and over a server.

use rusqlite::Connection;

use crate::support::{Crm, Home, Server, client};

/// A home with a server over a file that commands use too.
struct Both {
    home: Home,
    server: Server,
}

impl Both {
    fn start() -> Both {
        let home = Home::new();
        let server = home.serve(&["--db", "crm.db"]);
        Both { home, server }
    }

    /// With leads that have own fields.
    fn with_leads() -> Both {
        let both = Both::start();
        for line in [
            "--email ada@example.com --set 'company=Acme, \"Inc\"' --set size:=120",
            "--email bob@example.com --set 'first name=Bob' --set 'tags:=[1,\"a\"]' --set 'a,b=x'",
            "--email eve@example.com --set size:=9 --set 'esc=a\u{1b}[2Jb'",
        ] {
            both.home
                .shell(&format!("crm lead create --db crm.db {line} -o id"))
                .ok();
        }
        both
    }

    /// A line of the shell on the file and over the server.
    fn each(&self, line: &str) -> [Crm; 2] {
        let here = self
            .home
            .shell(line)
            .env("DATABASE_URL", "sqlite:///crm.db");
        let there = self.home.shell(line).env("CRM_URL", &self.server.url);
        [here, there]
    }

    #[track_caller]
    fn ok(&self, line: &str) -> String {
        let [here, there] = self.each(line).map(Crm::ok);
        assert_eq!(here, there, "a file and a server differ: {line}");
        here
    }

    #[track_caller]
    fn fails(&self, line: &str, code: i32) -> String {
        let [here, there] = self.each(line).map(|crm| crm.fails(code));
        assert_eq!(here, there, "a file and a server differ: {line}");
        here
    }
}

#[test]
fn own_fields_are_columns() {
    let both = Both::with_leads();
    assert_eq!(
        both.ok("crm lead list -o csv --fields id,attributes.company,attributes.size"),
        "id,attributes.company,attributes.size\n1,\"Acme, \"\"Inc\"\"\",120\n2,,\n3,,9\n"
    );
    assert_eq!(
        both.ok("crm lead list -o csv --fields 'attributes.first name, attributes.a\\,b,attributes.tags,id' --limit 2"),
        "attributes.first name,\"attributes.a,b\",attributes.tags,id\n,,,1\nBob,x,\"[1,\"\"a\"\"]\",2\n"
    );
    assert_eq!(
        both.ok("crm lead list -o ndjson --fields id,attributes.size,attributes.company"),
        "{\"id\":1,\"attributes\":{\"size\":120,\"company\":\"Acme, \\\"Inc\\\"\"}}\n\
         {\"id\":2,\"attributes\":{}}\n{\"id\":3,\"attributes\":{\"size\":9}}\n"
    );
    assert_eq!(
        both.ok("crm lead get 3 --fields id,attributes.size,attributes.esc"),
        "id               3\nattributes.size  9\nattributes.esc   a\\u{1b}[2Jb\n"
    );
    assert_eq!(
        both.ok("crm lead list --sort -attributes.size --fields id,attributes.size"),
        "id  attributes.size\n──  ───────────────\n 1  120\n 3  9\n 2\n"
    );
    assert_eq!(
        both.ok("crm lead list --sort attributes.size -o id"),
        "2\n3\n1\n"
    );
    assert_eq!(both.ok("crm lead list --q acme -o id"), "1\n");
    for wrong in [
        "--fields attributes.company,attributes.company",
        "--fields attribute.company",
        "--sort attributes",
        "--sort attributes.*,attributes.*",
    ] {
        both.fails(&format!("crm lead list {wrong}"), 2);
    }
    let told = both.fails("crm lead list --fields company", 2);
    assert!(
        told.contains("attributes.KEY, attributes.*, got \"company\""),
        "{told}"
    );
    let told = both.fails("crm lead list --sort company", 2);
    assert!(told.contains("attributes.KEY"), "{told}");
    // A view without own fields.
    both.fails("crm followups --fields attributes.a", 2);
}

#[test]
fn every_own_field_that_occurs_is_a_column() {
    let both = Both::with_leads();
    assert_eq!(
        both.ok("crm lead list -o csv --fields id,attributes.size,attributes.*"),
        "id,attributes.size,attributes.company,attributes.first name,attributes.tags,\"attributes.a,b\",attributes.esc\n\
         1,120,\"Acme, \"\"Inc\"\"\",,,,\n2,,,Bob,\"[1,\"\"a\"\"]\",x,\n3,9,,,,,a\u{1b}[2Jb\n"
    );
    // The columns are those of the records that are listed.
    assert_eq!(
        both.ok("crm lead list -o csv --fields attributes.*,id --where attributes.size=gt:100"),
        "attributes.company,attributes.size,id\n\"Acme, \"\"Inc\"\"\",120,1\n"
    );
    assert_eq!(
        both.ok("crm lead list --fields id,attributes.* --sort -id --limit 1"),
        "id  attributes.size  attributes.esc\n──  ───────────────  ──────────────\n 3  9                a\\u{1b}[2Jb\n"
    );
    assert_eq!(
        both.ok("crm lead list -o ndjson --fields attributes.* --limit 1 --sort -id"),
        "{\"attributes\":{\"size\":9,\"esc\":\"a\\u001b[2Jb\"}}\n"
    );
    assert_eq!(
        both.ok("crm lead get 1 3 -o csv --fields id,attributes.*"),
        "id,attributes.company,attributes.size,attributes.esc\n1,\"Acme, \"\"Inc\"\"\",120,\n3,,9,a\u{1b}[2Jb\n"
    );
    assert_eq!(
        both.ok("crm lead get 1 --fields id,attributes.*"),
        "id                  1\nattributes.company  Acme, \"Inc\"\nattributes.size     120\n"
    );
    assert_eq!(
        both.ok("crm lead update 3 2 --name X -o csv --fields 'id,attributes.*' | head -1"),
        "id,attributes.size,attributes.esc,attributes.first name,attributes.tags,\"attributes.a,b\"\n"
    );
    assert_eq!(
        both.ok("crm lead list -o csv --fields id,attributes.* --status none"),
        "id\n"
    );
    assert_eq!(
        both.ok("crm lead list -o id --fields attributes.* --limit 1"),
        "1\n"
    );
    // A failure among several ids.
    let [here, there] =
        both.each("crm lead get 1 99 3 -o csv --fields id,attributes.size,attributes.*");
    for run in [here.run(), there.run()] {
        assert_eq!(run.code, Some(3));
        assert!(run.stdout.ends_with("3,9,,a\u{1b}[2Jb\n"), "{run:?}");
        assert!(run.stderr.contains("lead 99: not found"), "{run:?}");
    }
    let many: Vec<String> = (0..1_001).map(|at| format!("\"k{at}\":{at}")).collect();
    let many = format!(
        "{{\"email\":\"m@example.com\",\"attributes\":{{{}}}}}",
        many.join(",")
    );
    both.home
        .crm(["lead", "create", "--json", "-", "--db", "crm.db"])
        .stdin(&many)
        .ok();
    let told = both.fails("crm lead list -o csv --fields id,attributes.*", 2);
    assert!(told.contains("expected at most 1000 keys"), "{told}");
}

#[tokio::test]
async fn own_fields_are_part_of_their_object_in_answers() {
    let both = Both::with_leads();
    let get = async |path: &str| {
        let answer = client()
            .get(format!("{}{path}", both.server.url))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for (path, expected) in [
        (
            "/leads?fields=id,attributes.size&limit=2",
            r#"[{"id":1,"attributes":{"size":120}},{"id":2,"attributes":{}}]"#,
        ),
        (
            "/leads?fields=attributes.size,id,attributes.company&limit=1",
            r#"[{"attributes":{"size":120,"company":"Acme, \"Inc\""},"id":1}]"#,
        ),
        (
            "/leads/2?fields=attributes.first%20name,attributes.a%5C,b",
            r#"{"attributes":{"first name":"Bob","a,b":"x"}}"#,
        ),
        (
            "/leads/2?fields=attributes.*",
            r#"{"attributes":{"first name":"Bob","tags":[1,"a"],"a,b":"x"}}"#,
        ),
        (
            "/leads?fields=id&sort=-attributes.size",
            r#"[{"id":1},{"id":3},{"id":2}]"#,
        ),
        (
            "/leads?fields=id&q=BOB&sort=attributes.a%5C,b",
            r#"[{"id":2}]"#,
        ),
    ] {
        assert_eq!(get(path).await, (200, expected.into()), "{path}");
    }
    for path in [
        "/leads?fields=attributes.a,attributes.a",
        "/leads?sort=attributes",
        "/followups?fields=attributes.a",
    ] {
        assert_eq!(get(path).await.0, 400, "{path}");
    }
}

#[test]
fn numbers_are_kept_to_the_digit() {
    let both = Both::start();
    let digits = "7".repeat(400);
    for line in [
        format!("crm lead create --email a@example.com --set n:=1e400 --set 'd:={digits}' -o ndjson --fields attributes"),
        "crm lead list --where attributes.n=10e399 --where attributes.d=gt:1e399 -o ndjson --fields attributes --limit 1".into(),
        "crm lead update 1 --set m=1 -o ndjson --fields attributes.n,attributes.d".into(),
    ] {
        let expected = format!("{{\"attributes\":{{\"n\":1e400,\"d\":{digits}}}}}\n");
        assert_eq!(both.ok(&line), expected, "{line}");
    }
    let expected = format!("attributes.n,attributes.d\n1e400,{digits}\n");
    assert_eq!(
        both.ok("crm lead get 1 -o csv --fields attributes.n,attributes.d"),
        expected
    );
}

/// An older crm, or another program, stores an address as it was given.
#[test]
fn an_address_is_found_in_each_stored_spelling() {
    let both = Both::start();
    both.home
        .line("lead create --email max@möstermann.example.भारत --db crm.db")
        .ok();
    let stored = Connection::open(both.home.path("crm.db")).unwrap();
    for spelling in [
        "max@xn--mstermann-07a.example.xn--h2brj9c",
        "max@möstermann.example.xn--h2brj9c",
        "max@xn--mstermann-07a.example.भारत",
    ] {
        stored
            .execute(
                "UPDATE leads SET email = ?1, version = version + 1",
                [spelling],
            )
            .unwrap();
        for given in [spelling, "MAX@möstermann.example.भारत"] {
            for filter in [
                format!("--email {given}"),
                format!("--email 'in:x@y.zz,{given}' --limit 3"),
            ] {
                assert_eq!(
                    both.ok(&format!("crm lead list {filter} -o id")),
                    "1\n",
                    "{spelling}"
                );
            }
            assert_eq!(
                both.ok(&format!("crm lead list --email ne:{given} -o id")),
                ""
            );
            let told = both.fails(
                &format!("crm lead create --email {given} --on-duplicate reject"),
                5,
            );
            assert!(
                told.contains("lead 1 already has the address max@möstermann.example.भारत"),
                "{told}"
            );
        }
    }
    let updated = "crm lead create --email max@möstermann.example.भारत --on-duplicate update -o csv --fields id,email";
    for run in both.each(updated).map(Crm::run) {
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stderr.contains("it was updated"), "{run:?}");
        assert_eq!(run.stdout, "id,email\n1,max@möstermann.example.भारत\n");
    }
}
