//! What is PostgreSQL's alone: TLS, starts of many at once, connections that are lost, servers that do not answer.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cluster::{self, Cluster, as_postgres};
use crate::durability::signal;
use crate::http::{Answer, exchange};
use crate::support::{Home, wait_for};

fn ask(address: &str, method: &str, path: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\
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
async fn what_is_not_crms_or_newer_is_refused() {
    let Some(cluster) = cluster::shared().await else {
        return;
    };
    let home = Home::new();
    let url = cluster::schema().await.unwrap();
    home.crm(["lead", "list", "--db", &url]).ok();
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
        told.contains("a table leads is there that is not crm's"),
        "{told}"
    );
    let nowhere = cluster.url("options=-csearch_path%3Dnowhere");
    let told = home.crm(["lead", "list", "--db", &nowhere]).fails(1);
    assert!(told.contains("search_path"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_on_files_and_bad_urls_are_refused_without_a_password() {
    let home = Home::new();
    let url = "postgres://me:secret@127.0.0.1:1/crm";
    for command in ["backup x.db", "restore x.db", "check"] {
        let told = home.line(&format!("{command} --db {url}")).fails(2);
        assert!(told.contains("expected a SQLite file"), "{told}");
    }
    let told = home.line(&format!("lead list --db {url}")).fails(1);
    assert!(told.contains("cannot be reached"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    let told = home
        .line(&format!("lead list --db {url}?sslmode=maybe"))
        .fails(2);
    assert!(told.contains("--db: sslmode: expected disable"), "{told}");
    assert!(!told.contains("secret"), "{told}");
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
            .run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lost'")
            .await;
        let answer = ask(server.address(), "GET", path, "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.text().contains("ada@example.com"), "{path}");
    }
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
}

/// A cluster that stands still, as where its machine is gone: everything is answered in time, and truly.
#[test]
fn a_database_that_does_not_answer_is_said_in_time() {
    let Some(cluster) = Cluster::start(&[]) else {
        return;
    };
    let home = Home::new();
    let server = home.serve(&["--db", &cluster.url("")]);
    assert_eq!(ask(server.address(), "POST", "/leads", LEAD).status, 201);
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

/// PostgreSQL tells a wait for a standby that was cancelled as a success, with a warning. What it has not said of the
/// standby, crm does not say either.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_waits_for_no_standby_any_more_is_no_success() {
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(&[]))
        .await
        .unwrap();
    let Some(cluster) = cluster else {
        return;
    };
    let home = Home::new();
    let server = home.serve(&["--db", &cluster.url("")]);
    cluster
        .run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        .await;
    cluster.run("SELECT pg_reload_conf()").await;
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
            "" => assert_eq!(run.stdout, "0\n", "{url}: {}", run.stderr),
            expected => assert!(run.stderr.contains(expected), "{url}: {run:?}"),
        }
    }
}
