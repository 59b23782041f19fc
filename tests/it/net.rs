//! HTTPS, CORS, proxies, and the limits that have a setting, on the real binary.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rusqlite::Connection;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::{Home, Server, wait_for};

/// Longer than any limit that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes a new certificate for `localhost` and its key, and returns the certificate.
pub fn certificate(home: &Home, name: &str) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_string()]).unwrap();
    home.write(&format!("{name}.pem"), &cert.pem());
    home.write(&format!("{name}.key"), &signing_key.serialize_pem());
    CertificateDer::from_pem_slice(cert.pem().as_bytes()).unwrap()
}

/// A server with the certificate in `tls.pem`.
pub fn serve_tls(home: &Home, words: &[&str]) -> Server {
    let tls = [
        "--db",
        "crm.db",
        "--tls-cert",
        "tls.pem",
        "--tls-key",
        "tls.key",
    ];
    home.serve(&[&tls, words].concat())
}

fn tcp(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A TLS connection that trusts only this certificate.
pub fn tls(
    address: &str,
    trusted: &CertificateDer<'static>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    tls_over(tcp(address), trusted)
}

/// The same over a connection that is open.
pub fn tls_over(
    mut stream: TcpStream,
    trusted: &CertificateDer<'static>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// Sends a request and reads to the end of the connection.
fn exchange(mut stream: impl Read + Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

fn post(body: &str) -> String {
    format!(
        "POST /leads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The value of a header of a response.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap();
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|line| line.0 == name).map(|line| line.1)
}

#[test]
fn https_is_served_and_the_certificate_is_read_again() {
    let home = Home::new();
    let first = certificate(&home, "tls");
    let mut server = serve_tls(&home, &[]);
    let log = Arc::new(Mutex::new(String::new()));
    let (lines, written) = (server.child.stderr.take().unwrap(), log.clone());
    std::thread::spawn(move || {
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            written.lock().unwrap().push_str(&line);
        }
    });
    assert!(server.line.contains("listens on https://127.0.0.1:"));
    let answer = exchange(tls(server.address(), &first).unwrap(), &get("/leads", ""));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n[]"), "{answer}");

    // A broken certificate changes nothing, and neither does half of a new pair.
    let second = certificate(&home, "new");
    let put = |name: &str, bytes: &[u8]| std::fs::write(home.path(name), bytes).unwrap();
    let read = |name: &str| std::fs::read(home.path(name)).unwrap();
    put("tls.pem", b"no certificate");
    let broken = "the certificate stays as it was: expected a certificate in PEM in ";
    wait_for("the warning", || {
        tls(server.address(), &first).unwrap();
        log.lock().unwrap().contains(broken)
    });
    put("tls.pem", &read("new.pem"));
    put("tls.key", &read("new.key"));
    wait_for("the new certificate", || {
        tls(server.address(), &second).is_ok()
    });
    tls(server.address(), &first).unwrap_err();
    // A pipe that nobody writes into blocks no connection, and it does not block the end of the service.
    home.shell("rm tls.key && mkfifo tls.key").ok();
    let pipe = "the certificate stays as it was: expected a private key in PEM";
    wait_for("the warning of a pipe", || {
        tls(server.address(), &second).unwrap();
        log.lock().unwrap().contains(pipe)
    });
    // The file was checked again since, without a second warning.
    let log = log.lock().unwrap();
    assert_eq!(log.matches(broken).count(), 1, "{log}");
}

#[test]
fn files_that_do_not_match_are_refused_at_the_start() {
    let home = Home::new();
    certificate(&home, "tls");
    certificate(&home, "other");
    home.write("empty", "");
    for (certificate, key, expected) in [
        (
            "tls.pem",
            "other.key",
            "--tls-key: expected the key of the certificate in ",
        ),
        (
            "tls.pem",
            "tls.pem",
            "--tls-key: expected a private key in PEM in ",
        ),
        (
            "tls.key",
            "tls.key",
            "--tls-cert: expected a certificate in PEM in ",
        ),
        (
            "empty",
            "tls.key",
            "--tls-cert: expected a certificate in PEM in ",
        ),
        (
            "nowhere",
            "tls.key",
            "--tls-cert: expected a certificate in PEM in ",
        ),
    ] {
        let words = ["serve", "--tls-cert", certificate, "--tls-key", key];
        let error = home.crm(words).fails(2);
        assert!(error.contains(expected), "{error}");
        let file = if expected.contains("-key") {
            key
        } else {
            certificate
        };
        assert!(error.contains(home.path(file).to_str().unwrap()), "{error}");
    }
    // A pipe would make the service wait, so it is refused.
    home.shell("mkfifo pipe").ok();
    for (certificate, key) in [("pipe", "tls.key"), ("tls.pem", "pipe")] {
        let words = ["serve", "--tls-cert", certificate, "--tls-key", key];
        let error = home.crm(words).fails(2);
        assert!(error.contains("it is not a regular file"), "{error}");
    }
    assert!(!home.path("crm.db").exists());
    let run = home.crm(["serve", "--tls-key", "tls.key"]);
    let error = run.env("CRM_TLS_CERT", "nowhere").fails(2);
    assert!(error.contains("CRM_TLS_CERT: "), "{error}");
}

#[test]
fn a_client_without_tls_is_cut_at_once() {
    let home = Home::new();
    let trusted = certificate(&home, "tls");
    let server = serve_tls(&home, &["--head-timeout", "1s"]);
    let mut plain = tcp(server.address());
    plain.write_all(get("/leads", "").as_bytes()).unwrap();
    let mut answer = Vec::new();
    // An alert, and then an end or a reset.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    assert_ne!(answer.len(), 0, "the alert");

    // The handshake counts towards the time for a head.
    let mut slow = tcp(server.address());
    slow.write_all(&[22, 3, 1]).unwrap();
    let start = Instant::now();
    let _ = slow.read_to_end(&mut Vec::new());
    assert!(start.elapsed() >= Duration::from_millis(900));
    let mut slow = tls(server.address(), &trusted).unwrap();
    let start = Instant::now();
    let _ = slow.read_to_end(&mut Vec::new());
    assert!(start.elapsed() >= Duration::from_millis(900));
}

#[test]
fn commands_reach_a_server_whose_certificate_they_trust() {
    let home = Home::new();
    certificate(&home, "tls");
    let server = serve_tls(&home, &[]);
    let port = server.address().rsplit(':').next().unwrap();
    let url = format!("https://localhost:{port}");
    let list = || home.crm(["lead", "list", "--url", &url, "-o", "json"]);
    let trust = home.path("tls.pem");
    let trusting = list().env("SSL_CERT_FILE", trust.to_str().unwrap()).ok();
    assert_eq!(trusting, "[]\n");
    certificate(&home, "other");
    let other = home.path("other.pem");
    list()
        .env("SSL_CERT_FILE", other.to_str().unwrap())
        .fails(6);
    // The health command asks the server at its address, so it does not check the name in the certificate.
    let health = home
        .line("health")
        .env("HOST", "127.0.0.1")
        .env("PORT", port);
    let health = health.env("CRM_TLS_CERT", "tls.pem");
    let health = health.env("CRM_TLS_KEY", "tls.key");
    assert_eq!(health.ok(), "ok\n");
}

#[test]
fn a_broken_file_of_certificates_is_named() {
    let home = Home::new();
    home.write("words.pem", "no certificate");
    for file in ["words.pem", "nowhere.pem"] {
        let list = home.crm(["lead", "list", "--url", "https://127.0.0.1:9"]);
        let told = list.env("SSL_CERT_FILE", file).fails(2);
        let expected =
            format!("error: SSL_CERT_FILE: expected a file of certificates in PEM, {file}: ");
        assert!(told.starts_with(&expected), "{told}");
    }
}

#[test]
fn only_pages_of_listed_origins_may_use_the_api() {
    let home = Home::new();
    let page = "https://app.example.com";
    let words = [
        "--db",
        "crm.db",
        "--cors-origin",
        page,
        "--cors-origin",
        "http://localhost:3000",
    ];
    let server = home.serve(&words);
    let ask = |request: &str| exchange(tcp(server.address()), request);
    let preflight = |path: &str, origin: &str| {
        ask(&format!(
            "OPTIONS {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n"
        ))
    };
    for origin in [page, "http://localhost:3000"] {
        for (path, methods) in [
            ("/leads", "GET, HEAD, POST"),
            ("/leads/1", "GET, HEAD, PUT, PATCH, DELETE"),
            ("/openapi.json", "GET, HEAD"),
        ] {
            let answer = preflight(path, origin);
            assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
            assert_eq!(header(&answer, "access-control-allow-origin"), Some(origin));
            assert_eq!(
                header(&answer, "access-control-allow-methods"),
                Some(methods)
            );
            let headers = header(&answer, "access-control-allow-headers").unwrap();
            for name in [
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-Match",
            ] {
                assert!(headers.contains(name), "{headers}");
            }
        }
        for path in ["/leads", "/leads/1", "/leads?x=1"] {
            let answer = ask(&get(path, &format!("Origin: {origin}\r\n")));
            assert_eq!(header(&answer, "access-control-allow-origin"), Some(origin));
            let exposed = header(&answer, "access-control-expose-headers").unwrap();
            assert!(exposed.contains("ETag, Location, Link"), "{exposed}");
            assert!(answer.contains("\r\nvary: origin\r\n"), "{answer}");
        }
    }
    for origin in [
        "https://app.example.com.evil.com",
        "http://app.example.com",
        "null",
        "",
    ] {
        let answer = preflight("/leads", origin);
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
        for answer in [
            answer,
            ask(&get("/leads", &format!("Origin: {origin}\r\n"))),
        ] {
            assert_eq!(header(&answer, "access-control-allow-origin"), None);
            assert!(answer.contains("\r\nvary: origin\r\n"), "{answer}");
        }
    }
    let closed = home.serve(&["--db", "other.db"]);
    let answer = exchange(
        tcp(closed.address()),
        &get("/leads", &format!("Origin: {page}\r\n")),
    );
    assert!(
        !answer.contains("access-control") && !answer.contains("origin"),
        "{answer}"
    );
    let options = "OPTIONS /leads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = exchange(tcp(closed.address()), options);
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}

#[test]
fn the_documentation_forbids_foreign_scripts() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db"]);
    for path in ["/docs", "/docs/", "/docs/start.js"] {
        let answer = exchange(tcp(server.address()), &get(path, ""));
        let policy = header(&answer, "content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'; script-src 'self';"));
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src 'unsafe"));
        assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
        assert_eq!(header(&answer, "referrer-policy"), Some("no-referrer"));
        assert_eq!(header(&answer, "x-frame-options"), Some("DENY"));
    }
}

#[test]
fn sizes_are_refused_by_their_settings() {
    let home = Home::new();
    let server = home.serve(&[
        "--db",
        "crm.db",
        "--max-body",
        "2k",
        "--max-url",
        "1k",
        "--max-depth",
        "4",
    ]);
    let ask = |request: &str| exchange(tcp(server.address()), request);
    let text = |length| {
        format!(
            r#"{{"email":"a@example.com","name":"{}"}}"#,
            "x".repeat(length)
        )
    };
    assert!(ask(&post(&text(1_900))).starts_with("HTTP/1.1 201 "));
    let answer = ask(&post(&text(2_100)));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("expected at most 2048 bytes"), "{answer}");

    let path = |length| format!("/leads?q={}", "x".repeat(length - "/leads?q=".len()));
    assert!(ask(&get(&path(1_000), "")).starts_with("HTTP/1.1 200 "));
    let answer = ask(&get(&path(1_025), ""));
    assert!(answer.starts_with("HTTP/1.1 414 "), "{answer}");
    assert!(answer.contains(r#"{"error":"the path: expected at most 1024 bytes"#));

    let nested = |levels: usize| {
        let inner = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"email":"a@example.com","attributes":{{"deep":{inner}}}}}"#)
    };
    assert!(ask(&post(&nested(2))).starts_with("HTTP/1.1 201 "));
    let answer = ask(&post(&nested(3)));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("expected at most 4 levels"), "{answer}");
}

/// Sends a request on a new connection, and returns whether there was a response.
fn is_served(address: &str) -> bool {
    let mut stream = tcp(address);
    let mut byte = [0];
    let asked = stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    asked.is_ok() && matches!(stream.read(&mut byte), Ok(1))
}

#[test]
fn one_address_cannot_take_every_connection() {
    let home = Home::new();
    let words = [
        "--db",
        "crm.db",
        "--max-connections-per-address",
        "3",
        "--max-connections",
        "50",
    ];
    let server = home.serve(&words);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = tcp(server.address());
        stream
            .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        stream.read_exact(&mut [0]).unwrap();
        open.push(stream);
    }
    for _ in 0..5 {
        assert!(!is_served(server.address()));
    }
    // Another address has a limit of its own.
    let from = SocketAddr::new(IpAddr::from([127, 0, 0, 2]), 0);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&from.into()).unwrap();
    let to: SocketAddr = server.address().parse().unwrap();
    socket.connect(&to.into()).unwrap();
    let other = TcpStream::from(socket);
    other.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(exchange(other, &get("/health", "")).starts_with("HTTP/1.1 200 "));
    drop(open);
    wait_for("room", || is_served(server.address()));
    let (_, log) = server.stop();
    let warning = "closing new connections of 127.0.0.1, because it has 3 open";
    assert_eq!(log.matches(warning).count(), 1, "{log}");

    let words = [&words[..], &["--trusted-proxy", "127.0.0.0/8"]].concat();
    let server = home.serve(&words);
    let open: Vec<TcpStream> = (0..10).map(|_| tcp(server.address())).collect();
    assert!(is_served(server.address()));
    drop(open);
}

#[test]
fn an_address_is_limited_to_its_rate_and_sees_it_in_headers() {
    let home = Home::new();
    let words = [
        "--db",
        "crm.db",
        "--rate-per-address",
        "2",
        "--trusted-proxy",
        "127.0.0.1",
    ];
    let server = home.serve(&words);
    let ask = |path: &str, client: &str| {
        let headers = format!("X-Forwarded-For: {client}\r\n");
        exchange(tcp(server.address()), &get(path, &headers))
    };
    let answer = ask("/leads", "203.0.113.1");
    assert_eq!(
        header(&answer, "ratelimit-policy"),
        Some("\"address\";q=2;w=1")
    );
    assert_eq!(header(&answer, "ratelimit"), Some("\"address\";r=1;t=1"));
    wait_for("a refusal", || {
        let answer = ask("/leads", "203.0.113.1");
        if answer.starts_with("HTTP/1.1 200 ") {
            return false;
        }
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
        assert_eq!(header(&answer, "retry-after"), Some("1"));
        assert_eq!(header(&answer, "ratelimit"), Some("\"address\";r=0;t=1"));
        let expected = r#"{"error":"too many requests: expected at most 2 a second per address"}"#;
        assert!(answer.ends_with(expected), "{answer}");
        true
    });
    // Other clients have limits of their own, and health checks are never refused.
    for client in 2..20 {
        let answer = ask("/leads", &format!("1.1.1.1, 203.0.113.{client}"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    for _ in 0..20 {
        let answer = ask("/health", "203.0.113.1");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(header(&answer, "ratelimit"), None);
    }
}

#[test]
fn timeouts_differ_for_bodies_and_writes() {
    let home = Home::new();
    let words = [
        "--db",
        "crm.db",
        "--body-timeout",
        "1s",
        "--request-timeout",
        "1s",
    ];
    let server = home.serve(&words);
    let slow = post("{}").replace("{}", "");
    let slow = slow.replace("Content-Length: 2", "Content-Length: 20");
    let answer = exchange(tcp(server.address()), &slow);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("within 1 seconds"), "{answer}");

    // A write that waits for another program may still be saved, so its response must not say that it was not.
    let file: PathBuf = home.path("crm.db");
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = exchange(
        tcp(server.address()),
        &post(r#"{"email":"late@example.com"}"#),
    );
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert!(answer.contains("this may have been saved"), "{answer}");
    let answer = exchange(tcp(server.address()), &get("/ready", ""));
    assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
    other.execute_batch("ROLLBACK").unwrap();
    wait_for("the write that went on", || {
        exchange(tcp(server.address()), &get("/leads", "")).contains("late@example.com")
    });
}

#[test]
fn the_number_of_waiting_writes_is_limited() {
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--max-waiting-writes", "2"]);
    let other = Connection::open(home.path("crm.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    for _ in 0..5 {
        let (address, tell) = (server.address().to_string(), tell.clone());
        std::thread::spawn(move || {
            let answer = exchange(tcp(&address), &post(r#"{"email":"a@example.com"}"#));
            tell.send(answer).unwrap();
        });
    }
    for _ in 0..3 {
        let answer = told.recv_timeout(PATIENCE).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        let refused = "too many writes are waiting already; nothing was saved, try again";
        assert!(answer.contains(refused), "{answer}");
    }
    other.execute_batch("ROLLBACK").unwrap();
    for _ in 0..2 {
        let answer = told.recv_timeout(PATIENCE).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }
}
