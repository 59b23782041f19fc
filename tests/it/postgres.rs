//! What is PostgreSQL's alone: TLS, starts of many at once, connections that are lost, servers that do not answer.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crm::model::draft::{Draft, Purpose};
use crm::model::field::{ATTRIBUTES, CREATED_AT, Field, ID, LEAD_ID, Presence, UPDATED_AT};
use crm::model::kind::{Kind, OnDelete, Target};
use crm::model::lead::{self, OnDuplicate};
use crm::model::noun::{Examples, Noun, Relation};
use crm::model::query::{self, Query};
use crm::ops::Records;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::store::copy::copy;
use crm::store::postgres::{CONNECTIONS, Postgres, PostgresOptions};

use crate::cluster::{self, Cluster, as_postgres};
use crate::durability::signal;
use crate::http::{Answer, exchange};
use crate::support::{Home, wait_for};

fn ask(address: &str, method: &str, path: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    exchange(address, request.as_bytes(), false)
}

const LEAD: &str = r#"{"email":"ada@example.com"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn many_start_at_once_over_an_empty_schema() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let home = Home::new();
    let words = [
        "lead",
        "create",
        "--email",
        "ada@example.com",
        "-o",
        "id",
        "--db",
        &url,
    ];
    let children: Vec<_> = (0..10)
        .map(|_| {
            let mut command = home.crm(words).command();
            command
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut ids: Vec<String> = children
        .into_iter()
        .map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
        .collect();
    ids.sort_by_key(|id| id.trim().parse::<i64>().ok());
    let expected: Vec<String> = (1..=10).map(|id| format!("{id}\n")).collect();
    assert_eq!(ids, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_addresses_get_their_one_form_and_others_are_found() {
    let Some(cluster) = cluster::shared().await else {
        return;
    };
    let home = Home::new();
    let url = cluster::schema().await.unwrap();
    let name = url.rsplit("%3D").next().unwrap();
    let crm = |line: &str| {
        let words = line.split_whitespace().chain(["--db", &url]);
        home.crm(words)
    };
    crm("lead create --email plain@example.com").ok();
    // More than one step of the migration.
    cluster
        .run(&format!(
            "INSERT INTO {name}.leads (email, status, attributes, created_at, updated_at, version)
             SELECT 'max' || n || '@xn--mstermann-07a.de', 'new', '{{}}', '2026-01-01 00:00:00', '2026-01-01 00:00:00', 1
             FROM generate_series(2, 2200) AS n;
             INSERT INTO {name}.leads (email, status, attributes, created_at, updated_at, version)
             VALUES ('ａｄａ@example.com', 'new', '{{}}', '', '', 1), ('no address é', 'new', '{{}}', '', '', 1);
             DROP VIEW {name}.crm_changes_of;
             DROP TABLE {name}.crm_changes, {name}.crm_epoch, {name}.crm_webhooks, {name}.crm_deliveries,
                 {name}.crm_leases, {name}.crm_announced, {name}.crm_dismissed;
             DROP INDEX {name}.actions_by_lead_and_time;
             ALTER TABLE {name}.leads DROP COLUMN last_action_at;
             ALTER TABLE {name}.processes DROP COLUMN cadence_days;
             ALTER TABLE {name}.processes DROP COLUMN due_seen CASCADE;
             CREATE TRIGGER processes_count_version BEFORE UPDATE ON {name}.processes FOR EACH ROW
                 WHEN (NEW.version <= OLD.version) EXECUTE FUNCTION {name}.crm_count_version();
             DROP TABLE {name}.crm_search, {name}.crm_search_blocks, {name}.crm_search_nouns, {name}.crm_search_state,
                 {name}.crm_bulk_portions, {name}.crm_bulk_runs;
             DROP SEQUENCE {name}.crm_changes_seq;
             DROP FUNCTION {name}.crm_now();
             UPDATE {name}.crm_schema SET number = 4"
        ))
        .await;
    assert_eq!(
        crm("lead get 2200 --fields email -o csv").ok(),
        "email\nmax2200@möstermann.de\n"
    );
    assert_eq!(crm("lead get 2200 --etag").ok(), "\"2\"\n");
    assert_eq!(crm("lead get 1 --etag").ok(), "\"1\"\n");
    assert_eq!(
        crm("lead list --email ada@example.com -o id").ok(),
        "2201\n"
    );
    assert_eq!(crm("lead list --email like:%xn--% --count").ok(), "0\n");
    assert_eq!(
        crm("lead get 2202 --fields email -o csv").ok(),
        "email\nno address é\n"
    );
    // An older crm beside this one.
    cluster
        .run(&format!(
            "UPDATE {name}.leads SET email = 'max@xn--mstermann-07a.de' WHERE id = 5"
        ))
        .await;
    assert_eq!(crm("lead list --email MAX@möstermann.de -o id").ok(), "5\n");
    let told = crm("lead create --email max@möstermann.de --on-duplicate reject").fails(5);
    assert!(
        told.contains("lead 5 already has the address max@möstermann.de"),
        "{told}"
    );
    let updated =
        crm("lead create --email max@möstermann.de --on-duplicate update -o csv --fields id,email")
            .run();
    assert!(updated.stderr.contains("it was updated"), "{updated:?}");
    assert_eq!(updated.stdout, "id,email\n5,max@möstermann.de\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_crms_or_newer_is_refused() {
    let Some(cluster) = cluster::shared().await else {
        return;
    };
    let home = Home::new();
    let url = cluster::schema().await.unwrap();
    let told = home.crm(["lead", "list", "--db", &url]).fails(1);
    assert!(told.contains("crm's tables are missing"), "{told}");
    home.crm(["lead", "create", "--email", "ada@example.com", "--db", &url])
        .ok();
    let name = url.rsplit("%3D").next().unwrap();
    cluster
        .run(&format!("UPDATE {name}.crm_schema SET number = 99"))
        .await;
    let told = home.crm(["lead", "list", "--db", &url]).fails(1);
    assert!(told.contains("schema 99, which is newer"), "{told}");
    let url = cluster::schema().await.unwrap();
    let name = url.rsplit("%3D").next().unwrap();
    cluster
        .run(&format!("CREATE TABLE {name}.leads (id int)"))
        .await;
    let told = home.crm(["lead", "list", "--db", &url]).fails(1);
    assert!(
        told.contains("a table leads exists that is not crm's"),
        "{told}"
    );
    let ours = cluster::schema().await.unwrap();
    home.crm([
        "lead",
        "create",
        "--email",
        "ada@example.com",
        "--db",
        &ours,
    ])
    .ok();
    let behind = ours.rsplit("%3D").next().unwrap();
    let both = cluster.url(&format!("options=-csearch_path%3D{name},{behind}"));
    let told = home.crm(["lead", "list", "--db", &both]).fails(1);
    assert!(told.contains("comes before crm's own"), "{told}");
    let both = cluster.url(&format!("options=-csearch_path%3Dnone,{behind},{name}"));
    let listed = home.crm(["lead", "list", "-o", "id", "--db", &both]).ok();
    assert_eq!(listed, "1\n");
    let nowhere = cluster.url("options=-csearch_path%3Dnowhere");
    let told = home.crm(["lead", "list", "--db", &nowhere]).fails(1);
    assert!(told.contains("search_path"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_on_files_and_bad_urls_are_refused_without_a_password() {
    let home = Home::new();
    let url = "postgres://me:secret@127.0.0.1:1/crm";
    for command in ["backup x.db", "restore x.db"] {
        let told = home.line(&format!("{command} --db {url}")).fails(2);
        assert!(told.contains("expected a SQLite file"), "{told}");
    }
    let told = home.line(&format!("check --db {url}")).fails(1);
    assert!(told.contains("cannot be reached"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    for command in ["lead list", "check"] {
        let told = home.line(&format!("{command} --db {url}")).fails(1);
        assert!(told.contains("cannot be reached"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    let told = home
        .line(&format!("lead list --db {url}?sslmode=maybe"))
        .fails(2);
    assert!(told.contains("--db: sslmode: expected disable"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    for command in ["backup", "restore"] {
        let told = home.line(&format!("{command} {url}")).fails(2);
        assert!(told.contains("FILE: expected the name"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    for slip in [
        "postgres://me:se/secret@127.0.0.1:1/crm",
        "postgres:/me:secret@127.0.0.1/crm",
        "postgres//me:secret@127.0.0.1/crm",
        "host=127.0.0.1 user=me password=secret",
    ] {
        let told = home.crm(["lead", "list", "--db", slip]).fails(2);
        assert!(told.contains("--db: expected "), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    let shown = home.line(&format!("config --db {url}")).ok();
    assert!(shown.contains("postgres://me@127.0.0.1:1/crm"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    let told = home
        .line(&format!("serve --port 0 --backup-dir b --db {url}"))
        .fails(2);
    assert!(told.contains("--backup-dir"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_finds_another_connection_where_one_was_lost() {
    let Some(cluster) = cluster::shared().await else {
        return;
    };
    let url = cluster::schema().await.unwrap();
    let home = Home::new();
    let server = home.serve(&["--db", &format!("{url}&application_name=lost")]);
    assert_eq!(ask(server.address(), "POST", "/leads", LEAD).status, 201);
    for path in [
        "/leads/1",
        "/leads?limit=5",
        "/leads",
        "/leads?q=ada",
        "/leads?sort=name",
    ] {
        cluster
            .run("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'lost'")
            .await;
        let answer = ask(server.address(), "GET", path, "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.text().contains("ada@example.com"), "{path}");
    }
}

/// What another changes at the same moment is not undone, and what another deletes is not missed.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_by_sql_has_another_version() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = Postgres::open(&url, CONNECTIONS).await.unwrap();
    let json = br#"{"email":"ada@example.com"}"#;
    let draft = Draft::from_json(&lead::LEAD, json, Purpose::Create).unwrap();
    store.create(draft, OnDuplicate::Create).await.unwrap();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let sql = "UPDATE leads SET name = 'theirs'";
    assert_eq!(client.execute(sql, &[]).await.unwrap(), 1);
    let lead = store.get(&lead::LEAD, 1).await.unwrap();
    assert_eq!(lead.version(), 2);
    // Whoever writes a whole row back writes back the version that it had.
    let sql = "UPDATE leads SET name = 'theirs again', version = 1";
    assert_eq!(client.execute(sql, &[]).await.unwrap(), 1);
    let lead = store.get(&lead::LEAD, 1).await.unwrap();
    assert_eq!(lead.version(), 3);
    let draft = Draft::from_json(&lead::LEAD, br#"{"name":"ours"}"#, Purpose::Update).unwrap();
    assert_eq!(store.update(1, draft).await.unwrap().version(), 4);
    drop(client);
    connection.await.unwrap().unwrap();
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_updated_only_while_it_is_one() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let home = Home::new();
    let server = home.serve(&["--db", &url]);
    let address = server.address();
    let update = |email: &str| {
        let body = format!(r#"{{"email":"{email}","name":"n"}}"#);
        ask(address, "POST", "/leads?on_duplicate=update", &body).status
    };
    for round in 0..60 {
        let old = format!("old{round}@example.com");
        let made = ask(
            address,
            "POST",
            "/leads",
            &format!(r#"{{"email":"{old}"}}"#),
        );
        let path = format!("/leads/{}", made.json()["id"]);
        std::thread::scope(|scope| {
            let updated = scope.spawn(|| update(&old));
            if round % 2 == 0 {
                let moved = format!(r#"{{"email":"new{round}@example.com"}}"#);
                assert_eq!(ask(address, "PUT", &path, &moved).status, 200);
            } else {
                assert_eq!(ask(address, "DELETE", &path, "").status, 200);
            }
            let updated = updated.join().unwrap();
            assert!([200, 201].contains(&updated), "{updated}");
        });
        if round % 2 == 0 {
            let lead = ask(address, "GET", &path, "").json();
            assert_eq!(lead["email"], format!("new{round}@example.com"));
        }
    }
}

/// As PostgreSQL itself says it: a disk that is full, a database that takes no writes, a disk that fails, damage.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_the_database_has_the_answers_that_it_has_in_a_file() {
    let Some(cluster) = cluster::shared().await else {
        return;
    };
    let url = cluster::schema().await.unwrap();
    let home = Home::new();
    let server = home.serve(&["--db", &url, "--quiet"]);
    let ask = |method: &str, path: &str| ask(server.address(), method, path, LEAD);
    assert_eq!(ask("POST", "/leads").status, 201);
    let name = url.rsplit("%3D").next().unwrap();
    for (state, expected) in [
        ("53100", 507),
        ("25006", 503),
        ("58030", 503),
        ("XX001", 503),
    ] {
        let fail = format!(
            "SET search_path = {name};
             CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'a fault' USING ERRCODE = '{state}'; END $$;
             CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON leads EXECUTE FUNCTION fail();
             CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON heartbeat EXECUTE FUNCTION fail()"
        );
        cluster.run(&fail).await;
        let answer = ask("POST", "/leads");
        assert_eq!(answer.status, expected, "{state}: {}", answer.text());
        assert!(
            answer.text().contains("nothing was saved"),
            "{}",
            answer.text()
        );
        // What was committed within 5 s shows that writes are taken; one wait for its end is enough.
        if state == "53100" {
            wait_for("the service not to be ready", || {
                ask("GET", "/ready").status == expected
            });
        }
        assert_eq!(
            ask("GET", "/leads?limit=5")
                .json()
                .as_array()
                .unwrap()
                .len(),
            1
        );
        let heal = format!("SET search_path = {name}; DROP FUNCTION fail CASCADE");
        cluster.run(&heal).await;
        assert_eq!(ask("GET", "/ready").status, 200);
    }
    assert_eq!(ask("POST", "/leads").status, 201);
    assert_eq!(
        ask("GET", "/leads?limit=5")
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

/// Where crm has the last word on what fits, a page may lie behind thousands of records that do not.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_found_behind_many_records() {
    let Some(cluster) = cluster::shared().await else {
        return;
    };
    let url = cluster::schema().await.unwrap();
    let home = Home::new();
    let server = home.serve(&["--db", &url]);
    let name = url.rsplit("%3D").next().unwrap();
    let fill = format!(
        "INSERT INTO {name}.leads (email, name, status, attributes, created_at, updated_at) \
         SELECT i || '@example.com', CASE WHEN i % 4000 = 0 THEN 'Ünique ' ELSE 'other ' END || i, 'new', '{{}}', \
         '2026-01-01 00:00:00', '2026-01-01 00:00:00' FROM generate_series(1, 13000) i"
    );
    cluster.run(&fill).await;
    let ids = |query: &str| {
        let answer = ask(server.address(), "GET", &format!("/leads?{query}"), "");
        let next = answer.header("link").map(|link| {
            let end = link.find('>').unwrap();
            // Relative to the URL of the request.
            link[link.find('?').unwrap() + 1..end].to_string()
        });
        (answer.ids(), next)
    };
    for (sort, expected) in [("email", [12000, 4000, 8000]), ("-id", [12000, 8000, 4000])] {
        let (first, next) = ids(&format!("sort={sort}&q=%C3%BCNIQUE&limit=2"));
        assert_eq!(first, expected[..2]);
        let (last, next) = ids(&next.unwrap());
        assert_eq!((last, next), (vec![expected[2]], None));
    }
}

/// Others wait for a lock meanwhile, as behind searches through millions.
#[tokio::test(flavor = "multi_thread")]
async fn lists_leave_connections_to_others_and_end_with_their_clients() {
    let Some(cluster) = cluster::shared().await else {
        return;
    };
    let url = cluster::schema().await.unwrap();
    let home = Home::new();
    let server = home.serve(&["--db", &format!("{url}&application_name=busy")]);
    assert_eq!(ask(server.address(), "POST", "/leads", LEAD).status, 201);
    let name = url.rsplit("%3D").next().unwrap();
    let hold = format!("BEGIN; LOCK TABLE {name}.actions; SELECT pg_sleep(6); COMMIT");
    let held = tokio::spawn(async move { cluster.run(&hold).await });
    // The lists alone: the index of the search also asks for the newest of each table now and then.
    let waits =
        "application_name = 'busy' AND wait_event_type = 'Lock' AND query NOT LIKE '%max(id)%'";
    let begun = format!(
        "DO $$ BEGIN WHILE (SELECT count(*) FROM pg_stat_activity WHERE {waits}) = 0 LOOP PERFORM pg_sleep(0.01); \
         PERFORM pg_stat_clear_snapshot(); END LOOP; END $$"
    );
    let address = server.address().to_string();
    let lists: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(&address).unwrap();
            std::io::Write::write_all(
                &mut stream,
                b"GET /actions?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            )
            .unwrap();
            // Its close is a reset. A plain close may come from a client that still reads its answer.
            socket2::SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            stream
        })
        .collect();
    cluster.run(&begun).await;
    let start = Instant::now();
    assert_eq!(ask(&address, "GET", "/leads/1", "").status, 200);
    assert_eq!(ask(&address, "POST", "/leads", LEAD).status, 201);
    assert_eq!(ask(&address, "GET", "/ready", "").status, 200);
    assert!(!held.is_finished(), "{:?}", start.elapsed());
    drop(lists);
    // A lock is given up after two seconds anyway.
    let is_left = format!(
        "DO $$ DECLARE left_over text; BEGIN FOR i IN 1..190 LOOP \
         SELECT string_agg(query || ' since ' || (clock_timestamp() - query_start), '; ') INTO left_over FROM pg_stat_activity \
         WHERE {waits}; EXIT WHEN left_over IS NULL; PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot(); END LOOP; \
         ASSERT left_over IS NULL, left_over; END $$"
    );
    cluster.run(&is_left).await;
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'busy'";
    cluster
        .run(&format!("DO $$ BEGIN ASSERT ({open}) <= 8; END $$"))
        .await;
    held.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_makes_do_with_the_connections_it_gets() {
    let Some(cluster) = cluster::shared().await else {
        return;
    };
    let url = cluster::schema().await.unwrap();
    let name = url.rsplit("%3D").next().unwrap();
    cluster
        .run(&format!(
            "CREATE ROLE few LOGIN CONNECTION LIMIT 2; GRANT ALL ON SCHEMA {name} TO few"
        ))
        .await;
    let home = Home::new();
    let server = home.serve(&["--db", &url.replacen("crm@", "few@", 1)]);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let answer = ask(server.address(), "POST", "/leads", LEAD);
                    assert_eq!(answer.status, 201, "{}", answer.text());
                }
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_opens_as_many_connections_as_the_url_says() {
    let Some(cluster) = cluster::shared().await else {
        return;
    };
    let url = cluster::schema().await.unwrap();
    let home = Home::new();
    let url = format!("{url}&application_name=few&pool_max_conns=2");
    let server = home.serve(&["--db", &url]);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(ask(server.address(), "POST", "/leads", LEAD).status, 201);
                }
            });
        }
    });
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'few'";
    cluster
        .run(&format!("DO $$ BEGIN ASSERT ({open}) = 2; END $$"))
        .await;
    let shown = ask(server.address(), "GET", "/metrics", "");
    for line in [
        "crm_pool_connections 2",
        "crm_pool_idle_connections 2",
        "crm_pool_max_connections 2",
        "crm_pool_waiting 0",
        "crm_commit_duration_seconds_count 160",
    ] {
        let text = shown.text();
        assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
    }
}

/// A cluster that stands still, as where its machine is gone: everything is answered in time, and truly.
/// A delete of many records gets the time that it takes, more than other writes have.
#[tokio::test]
async fn a_delete_of_many_takes_its_time() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let lead = Draft::from_json(&lead::LEAD, LEAD.as_bytes(), Purpose::Create).unwrap();
    store.create(lead, OnDuplicate::Create).await.unwrap();
    // As with a database that is slow: five seconds for a thousand changes.
    let slow = "INSERT INTO actions (lead_id, action_type, timestamp, attributes, created_at, updated_at, version) \
                SELECT 1, 'call', '2026-01-02 03:04:05', '{}', '2026-01-02 03:04:05', '2026-01-02 03:04:05', 1 \
                FROM generate_series(1, 1000); \
                CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
                $$ BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END $$; \
                CREATE TRIGGER slow BEFORE INSERT ON crm_changes FOR EACH ROW EXECUTE FUNCTION slow()";
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(slow).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    store.delete(&lead::LEAD, 1, true).await.unwrap();
    store.close().await.unwrap();
}

#[test]
fn a_database_that_does_not_answer_is_said_in_time() {
    let Some(cluster) = Cluster::start(&[]) else {
        return;
    };
    let home = Home::new();
    let server = home.serve(&["--db", &cluster.url("")]);
    // The service's own tasks may have opened connections too. Each gets to know the statement, in turn.
    for _ in 0..8 {
        assert_eq!(ask(server.address(), "POST", "/leads", LEAD).status, 201);
    }
    assert_eq!(ask(server.address(), "GET", "/ready", "").status, 200);
    let processes = cluster.processes();
    signal("STOP", &processes);
    let timed = |method: &str, path: &str, body: &str| {
        let start = Instant::now();
        let answer = ask(server.address(), method, path, body);
        let took = start.elapsed();
        assert!(
            took < Duration::from_secs(6),
            "{method} {path} took {took:?}"
        );
        (answer.status, answer.header("retry-after").is_some())
    };
    // The statement of a create is sent at once over the connection that is there, and commits by itself.
    assert_eq!(timed("POST", "/leads", LEAD), (504, false));
    assert_eq!(timed("GET", "/ready", ""), (503, true));
    // What comes after it finds no connection, and has not begun.
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(timed("PUT", "/leads/1", r#"{"name":"x"}"#), (503, true)));
        scope.spawn(|| assert_eq!(timed("DELETE", "/leads/1", ""), (503, true)));
        scope.spawn(|| assert_eq!(timed("GET", "/leads/1", ""), (503, true)));
        scope.spawn(|| assert_eq!(timed("GET", "/health", ""), (200, false)));
    });
    signal("CONT", &processes);
    wait_for("the database to be back", || {
        ask(server.address(), "PUT", "/leads/1", r#"{"name":"y"}"#).status == 200
    });
    let name = ask(server.address(), "GET", "/leads/1", "").json()["name"].clone();
    assert_eq!(name, "y");
}

/// Makes every commit wait for a standby that is not there, from when this answers.
async fn wait_for_nobody(cluster: &Cluster) {
    cluster
        .run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        .await;
    cluster.run("SELECT pg_reload_conf()").await;
    // PostgreSQL looks at its settings when it comes to it. A commit that waits shows that it has.
    let commit = || cluster.run("SELECT pg_logical_emit_message(true, 'crm', 'commit')");
    while tokio::time::timeout(Duration::from_millis(300), commit())
        .await
        .is_ok()
    {}
}

/// PostgreSQL tells a wait for a standby that was cancelled as a success, with a warning. What it has not said of the
/// standby, crm does not say either.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_waits_for_no_standby_any_more_is_no_success() {
    let Some(cluster) = cluster::own().await else {
        return;
    };
    let home = Home::new();
    // The warning has to come, whoever asked for none.
    let url = cluster.url("options=-cclient_min_messages%3Derror");
    let server = home.serve(&["--db", &url]);
    wait_for_nobody(&cluster).await;
    let address = server.address().to_string();
    for (method, path, body) in [
        ("POST", "/leads", LEAD),
        ("PUT", "/leads/1", r#"{"name":"x"}"#),
    ] {
        let (address, start) = (address.clone(), Instant::now());
        let asked = tokio::task::spawn_blocking(move || ask(&address, method, path, body));
        while !asked.is_finished() {
            let cancel =
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            cluster.run(cancel).await;
        }
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, 504, "{}", answer.text());
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "it was cancelled, and not only late"
        );
    }
}

/// Writes that no standby confirms keep their connections, but not all, and no more than there may be.
#[tokio::test(flavor = "multi_thread")]
async fn writes_that_nobody_confirms_leave_room_for_reads() {
    let Some(cluster) = cluster::own().await else {
        return;
    };
    let home = Home::new();
    let url = cluster.url("application_name=waits&pool_max_conns=4");
    let server = home.serve(&["--db", &url]);
    let address = server.address();
    assert_eq!(ask(address, "POST", "/leads", LEAD).status, 201);
    wait_for_nobody(&cluster).await;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(ask(address, "POST", "/leads", LEAD).status, 504));
        }
    });
    let refused = ask(address, "POST", "/leads", LEAD);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.status, 503);
    assert_eq!(ask(address, "GET", "/leads/1", "").status, 200);
    assert_eq!(ask(address, "GET", "/leads?limit=1", "").status, 200);
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waits'";
    cluster
        .run(&format!("DO $$ BEGIN ASSERT ({open}) <= 4; END $$"))
        .await;
    cluster
        .run("ALTER SYSTEM RESET synchronous_standby_names")
        .await;
    cluster.run("SELECT pg_reload_conf()").await;
    wait_for("writes to be taken", || {
        ask(address, "POST", "/leads", LEAD).status == 201
    });
}

/// A server that takes no writes any more is left for the other host of the URL.
#[tokio::test(flavor = "multi_thread")]
async fn writes_go_to_the_host_that_takes_them() {
    let (Some(first), Some(second)) = (cluster::own().await, cluster::own().await) else {
        return;
    };
    let home = Home::new();
    for (cluster, email) in [
        (&first, "first@example.com"),
        (&second, "second@example.com"),
    ] {
        let url = cluster.url("");
        home.crm(["lead", "create", "--email", email, "--db", &url])
            .ok();
    }
    let (one, other) = (first.url(""), second.url(""));
    let (at, rest) = one.split_once("/postgres?").unwrap();
    let other = other.split_once('@').unwrap().1.split('/').next().unwrap();
    let server = home.serve(&["--db", &format!("{at},{other}/postgres?{rest}")]);
    let address = server.address();
    let create = || ask(address, "POST", "/leads", LEAD).status;
    assert_eq!(create(), 201);
    first
        .run("ALTER SYSTEM SET default_transaction_read_only = on")
        .await;
    first.run("SELECT pg_reload_conf()").await;
    wait_for("the other to be found", || {
        create();
        ask(address, "GET", "/leads/1", "").json()["email"] == "second@example.com"
    });
    assert_eq!(create(), 201);
    assert_eq!(ask(address, "GET", "/ready", "").status, 200);
}

/// A folder of PostgreSQL's user that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn openssl(folder: &Path, line: &str) {
    let mut command = as_postgres("openssl");
    let done = command
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn tls_looks_at_the_certificate_as_far_as_it_is_asked_to() {
    if cluster::programs().is_none() {
        // Says so, or fails.
        Cluster::start(&[]);
        return;
    }
    let made = as_postgres("mktemp")
        .args(["-d", "-t", "crm-tls-XXXXXX"])
        .output()
        .unwrap();
    let folder = Folder(String::from_utf8(made.stdout).unwrap().trim_end().into());
    for name in ["ca", "other"] {
        openssl(
            &folder.0,
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
            ),
        );
    }
    openssl(
        &folder.0,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout server.key -out server.csr",
    );
    openssl(
        &folder.0,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy -out server.pem",
    );
    let hba =
        "local all all trust\nhostssl all all 127.0.0.1/32 trust\nhostssl all all ::1/128 trust\n";
    let file = |name: &str| folder.0.join(name).display().to_string();
    std::fs::write(file("hba"), hba).unwrap();
    Command::new("chmod")
        .args(["a+r", &file("hba")])
        .status()
        .unwrap();
    // PostgreSQL takes no port 0.
    let port = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let settings = [
        "ssl=on",
        &format!("ssl_cert_file={}", file("server.pem")),
        &format!("ssl_key_file={}", file("server.key")),
        &format!("hba_file={}", file("hba")),
        "listen_addresses=localhost",
    ];
    let _cluster = Cluster::start_at(port, &settings).unwrap();
    let home = Home::new();
    let url = format!("postgres://crm@localhost:{port}/postgres");
    home.crm(["lead", "create", "--email", "ada@example.com", "--db", &url])
        .ok();
    let (ca, other) = (file("ca.pem"), file("other.pem"));
    for (host, parameters, expected) in [
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={ca}"),
            "",
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={ca}"),
            "certificate",
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={ca}"),
            "",
        ),
        (
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={other}"),
            "certificate",
        ),
        ("localhost", "sslmode=verify-full".into(), "certificate"),
        (
            "localhost",
            format!("sslmode=require&sslrootcert={other}"),
            "certificate",
        ),
        ("localhost", "sslmode=require".into(), ""),
        ("localhost", "sslmode=prefer".into(), ""),
        ("localhost", String::new(), ""),
        (
            "localhost",
            "sslmode=disable".into(),
            "no pg_hba.conf entry",
        ),
    ] {
        let url = format!("postgres://crm@{host}:{port}/postgres?{parameters}");
        let run = home.crm(["lead", "list", "--count", "--db", &url]).run();
        match expected {
            "" => assert_eq!(run.stdout, "1\n", "{url}: {}", run.stderr),
            expected => assert!(run.stderr.contains(expected), "{url}: {run:?}"),
        }
    }
}

const NOTED_LEAD: Field = Field {
    name: "lead_id",
    kind: Kind::Reference(Target {
        name: "lead",
        plural: "leads",
        on_delete: OnDelete::SetNull,
    }),
    ..LEAD_ID
};

/// A noun that no migration knows.
static NOTE: Noun = Noun {
    name: "note",
    plural: "notes",
    title: "Note",
    about: "A note",
    fields: &[
        ID,
        NOTED_LEAD,
        Field {
            name: "text",
            old_name: None,
            flag: None,
            kind: Kind::Text,
            presence: Presence::Required,
            about: "Its text",
            example: "Hello",
        },
        ATTRIBUTES,
        CREATED_AT,
        UPDATED_AT,
    ],
    relation: Relation::Table,
    examples: Examples {
        create: &[],
        get: &[],
        list: &[],
        update: &[],
        delete: &[],
    },
};

/// A noun that is only read.
static NOTED: Noun = Noun {
    name: "noted",
    plural: "noteds",
    title: "Noted",
    about: "A lead with a note",
    fields: &[
        ID,
        Field {
            name: "email",
            old_name: None,
            flag: None,
            kind: Kind::Email,
            presence: Presence::Required,
            about: "The lead's address",
            example: "ada@example.com",
        },
    ],
    relation: Relation::View {
        select: "SELECT notes.id, leads.email, notes.version FROM notes JOIN leads ON leads.id = notes.lead_id",
        order: "email",
        feed: false,
        lookup: None,
    },
    examples: Examples {
        create: &[],
        get: &[],
        list: &[],
        update: &[],
        delete: &[],
    },
};

static NOUNS: [&Noun; 5] = [
    &lead::LEAD,
    &crm::model::action::ACTION,
    &crm::model::process::PROCESS,
    &NOTE,
    &NOTED,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_noun_that_no_migration_knows_has_a_table_and_a_view_has_none() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let options = PostgresOptions {
        nouns: &NOUNS,
        ..PostgresOptions::default()
    };
    // A database without the table gets it.
    Postgres::open(&url, CONNECTIONS).await.unwrap();
    let store = Postgres::open(&url, options).await.unwrap();
    let create = async |noun, json: String| {
        let draft = Draft::from_json(noun, json.as_bytes(), Purpose::Create).unwrap();
        let created = store.create(draft, OnDuplicate::Create).await.unwrap();
        created.record.id()
    };
    for name in ["eve", "bob", "ada"] {
        let id = create(&lead::LEAD, format!(r#"{{"email":"{name}@example.com"}}"#)).await;
        let text = "x".repeat(100_000);
        let note = create(&NOTE, format!(r#"{{"lead_id":{id},"text":"{text}"}}"#)).await;
        assert_eq!(note, id);
    }
    let list = async |noun, parameters: &str| {
        let query = Query::new(noun, query::pairs(parameters).unwrap()).unwrap();
        let mut listing = store.list(query).await.unwrap();
        let mut ids = Vec::new();
        while let Some(chunk) = listing.next_chunk().await.unwrap() {
            ids.extend(chunk.iter().map(|record| record.id()));
        }
        (ids, listing.total, listing.next.is_some())
    };
    assert_eq!(list(&NOTE, "").await, (vec![1, 2, 3], None, false));
    assert_eq!(list(&NOTED, "").await, (vec![3, 2, 1], None, false));
    for noun in [&NOTE, &NOTED] {
        assert_eq!(list(noun, "sort=id").await, (vec![1, 2, 3], None, false));
        let page = list(noun, "sort=-id&limit=2&count=true").await;
        assert_eq!(page, (vec![3, 2], Some(3), true));
    }
    assert_eq!(list(&NOTED, "sort=email").await.0, [3, 2, 1]);
    assert_eq!(list(&NOTED, "sort=email&limit=2000").await.0, [3, 2, 1]);
    assert_eq!(
        list(&NOTED, "q=EVE&count=true").await,
        (vec![1], Some(1), false)
    );
    let like = list(&NOTED, "email=like:B%25&limit=1").await;
    assert_eq!(like, (vec![2], None, false));
    assert_eq!(
        store.get(&NOTED, 2).await.unwrap().get("email").text(),
        Some("bob@example.com")
    );

    // The view has no attributes to filter by.
    let pairs = query::pairs("attributes.x=1").unwrap();
    let refused = Query::new(&NOTED, pairs).unwrap_err();
    assert_eq!(refused.problems[0].field, "attributes.x");

    let other = cluster::schema().await.unwrap();
    let target = Postgres::open_for_copy(&other, options).await.unwrap();
    let (from, to) = (
        AnyStore::Postgres(store.clone()),
        AnyStore::Postgres(target),
    );
    let copied = copy(&from, &to, "the test", &mut |_| {}).await.unwrap();
    let counts: Vec<_> = copied
        .iter()
        .map(|(noun, count)| (noun.name, *count))
        .collect();
    assert_eq!(
        counts,
        [("lead", 3), ("action", 0), ("process", 0), ("note", 3)]
    );

    store.delete(&lead::LEAD, 1, false).await.unwrap();
    let note = store.get(&NOTE, 1).await.unwrap();
    assert_eq!((note.get("lead_id").int(), note.version()), (None, 2));
    assert_eq!(list(&NOTED, "").await.0, [3, 2]);
}

/// PostgreSQL has no statistics of the index of addresses, and knows an order by its name alone. Without care it walks through
/// whole tables.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_and_what_is_due_are_found_by_their_indexes() {
    let Some(cluster) = cluster::shared().await else {
        return;
    };
    let home = Home::new();
    let url = cluster::schema().await.unwrap();
    let name = url.rsplit("%3D").next().unwrap().to_string();
    let url = format!("{url}&application_name=indexed");
    let crm = |line: &str| home.line(&format!("{line} --db {url}")).run();
    assert_eq!(crm("lead create --email eve@example.com").code, Some(0));
    let made = "'2026-01-01 00:00:00', '2026-01-01 00:00:00'";
    cluster
        .run(&format!(
            "INSERT INTO {name}.leads (email, status, attributes, created_at, updated_at) \
             SELECT i || '@example.com', 'new', '{{}}', {made} FROM generate_series(1, 30000) i; \
             INSERT INTO {name}.processes (name, lead_id, status, attributes, next_followup_datetime, created_at, updated_at) \
             SELECT 'x', i, 'active', '{{}}', '2026-01-01 00:00:00', {made} FROM generate_series(1, 30000) i; \
             ANALYZE {name}.leads; ANALYZE {name}.processes"
        ))
        .await;
    let found = crm("find eve@example.com -o id --type lead");
    assert_eq!(found.stdout, "1\n", "{found:?}");
    // The first search made the index of words, and read all records for it.
    let few = |table: &str| {
        format!(
            "DO $$ DECLARE n bigint; BEGIN SELECT coalesce(idx_tup_fetch, 0) + seq_tup_read INTO n FROM pg_stat_user_tables \
             WHERE schemaname = '{name}' AND relname = '{table}'; ASSERT n < 1000, '{table}: ' || n; END $$"
        )
    };
    let reset = format!(
        "SELECT pg_stat_reset_single_table_counters(oid) FROM pg_class WHERE relnamespace = '{name}'::regnamespace"
    );
    // A connection counts what it has read when it ends.
    let ended = "DO $$ BEGIN WHILE EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = 'indexed') LOOP \
                 PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot(); END LOOP; END $$";
    cluster.run(ended).await;
    cluster.run(&reset).await;
    let found = crm("find eve@example.com -o id --type lead");
    assert_eq!(found.stdout, "1\n", "{found:?}");
    let listed = crm("lead list --email eve@example.com --limit 5 -o id");
    assert_eq!(listed.stdout, "1\n", "{listed:?}");
    let listed = crm("lead list --email eve@example.com --sort -created_at --limit 5 -o id");
    assert_eq!(listed.stdout, "1\n", "{listed:?}");
    let taken = crm("lead create --email eve@example.com --on-duplicate reject");
    assert_eq!(taken.code, Some(5), "{taken:?}");
    let next = crm("next -o id");
    assert_eq!(next.stdout, "1\n", "{next:?}");
    cluster.run(ended).await;
    cluster.run(&few("leads")).await;
    cluster.run(&few("processes")).await;
}
