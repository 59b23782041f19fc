//! Which hosts and which pages a service answers, and what its answers tell browsers and caches.

use crate::http::{Answer, exchange};
use crate::net::{certificate, serve_tls, tls};
use crate::support::{Home, Server};

const LEAD: &str = r#"{"email":"a@example.com"}"#;

/// `crm serve` on this address and a free port with these further words.
fn serve(home: &Home, host: &str, words: &[&str]) -> Server {
    let first = ["serve", "--host", host, "--port", "0", "--db", "crm.db"];
    Server::start(home.crm([&first, words].concat()).command())
}

/// A request with these lines in its head and this body.
fn request(method: &str, target: &str, lines: &[&str], body: &str) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "{method} {target} HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{lines}\r\n{body}",
        body.len()
    )
}

fn ask(server: &Server, method: &str, target: &str, lines: &[&str]) -> Answer {
    let body = if method == "GET" { "" } else { LEAD };
    let request = request(method, target, lines, body);
    exchange(server.address(), request.as_bytes(), false)
}

/// How many leads there are.
fn leads(server: &Server) -> usize {
    let list = ask(server, "GET", "/leads", &["Host: localhost"]);
    list.json().as_array().unwrap().len()
}

#[test]
fn an_open_local_service_answers_for_its_own_hosts_alone() {
    let home = Home::new();
    let server = serve(
        &home,
        "127.0.0.1",
        &["--allowed-host", "crm.example.com,[2001:db8::7]"],
    );
    let port = server.address().rsplit_once(':').unwrap().1.to_string();
    for host in [
        server.address(),
        &format!("LOCALHOST.:{port}"),
        "localhost",
        "[::1]:8000",
        "Crm.Example.com.:443",
        "[2001:db8:0::7]",
        "",
    ] {
        let host = format!("Host: {host}");
        assert_eq!(
            ask(&server, "GET", "/leads", &[&host]).status,
            200,
            "{host}"
        );
    }
    for (method, path) in [
        ("GET", "/leads"),
        ("POST", "/leads"),
        ("GET", "/health"),
        ("GET", "/docs"),
        ("GET", "/nothing"),
        ("OPTIONS", "/leads"),
    ] {
        for host in ["evil.com", &format!("evil.com:{port}"), "0.0.0.0", "crm"] {
            let answer = ask(&server, method, path, &[&format!("Host: {host}")]);
            let sentence = answer.error(421);
            assert!(
                sentence.starts_with("Host: expected localhost"),
                "{sentence}"
            );
            assert!(sentence.contains("--allowed-host"), "{sentence}");
        }
    }
    // A whole URL as the target counts instead of the header.
    let own = "Host: localhost";
    assert_eq!(
        ask(&server, "GET", "http://evil.com/leads", &[own]).status,
        421
    );
    let mine = ask(
        &server,
        "GET",
        "http://localhost/leads",
        &["Host: evil.com"],
    );
    assert_eq!(mine.status, 200);
    let twice = ask(&server, "GET", "/leads", &[own, "Host: evil.com"]);
    assert_eq!(twice.status, 400);
    // What is not a browser may leave the header out, as HTTP/1.0 allows.
    let bare = exchange(server.address(), b"GET /leads HTTP/1.0\r\n\r\n", false);
    assert_eq!(bare.status, 200);
    assert_eq!(leads(&server), 0);
    // From the first token on, every host is answered.
    home.line("token create first --scope read --db crm.db")
        .warned();
    crate::support::wait_for("the first token", || {
        ask(&server, "GET", "/leads", &["Host: evil.com"]).status == 401
    });
    assert_eq!(
        ask(&server, "GET", "/health", &["Host: evil.com"]).status,
        200
    );
}

#[test]
fn other_services_answer_for_every_host() {
    let home = Home::new();
    for (host, words) in [("0.0.0.0", &[][..]), ("127.0.0.1", &["--require-token"])] {
        let server = serve(&home, host, words);
        for host in ["evil.com", "crm:8000"] {
            let host = format!("Host: {host}");
            let expected = if words.is_empty() { 200 } else { 401 };
            assert_eq!(ask(&server, "GET", "/leads", &[&host]).status, expected);
            assert_eq!(ask(&server, "GET", "/ready", &[&host]).status, 200);
        }
    }
    home.line("token create first --scope read --db crm.db")
        .warned();
    // Open although there is a token.
    let server = serve(&home, "localhost", &["--open"]);
    assert_eq!(
        ask(&server, "GET", "/leads", &["Host: evil.com"]).status,
        421
    );
}

#[test]
fn hosts_that_never_match_are_refused() {
    let home = Home::new();
    for (flag, value) in [
        ("--allowed-host", "*.example.com"),
        ("--allowed-host", "http://crm"),
        ("--allowed-host", "crm:8000"),
        ("--allowed-host", ""),
        ("--cors-origin", "https://*.example.com"),
        ("--cors-origin", "*"),
        ("--cors-origin", "https://.example.com"),
        ("--cors-origin", "https://a..b"),
        ("--cors-origin", "https://app.example.com:443"),
        ("--cors-origin", "https://a!b"),
        ("--cors-origin", "null"),
    ] {
        let told = home.crm(["serve", "--port", "0", flag, value]).fails(2);
        let sentence = format!("error: {flag}: expected ");
        assert!(told.starts_with(&sentence), "{told}");
        assert_eq!(
            told.contains("without *"),
            flag != "--cors-origin" || value.contains('*')
        );
    }
    let told = home.line("serve --port 0").env("CRM_ALLOWED_HOST", "a,b/");
    assert!(
        told.fails(2)
            .contains("CRM_ALLOWED_HOST: expected a host name")
    );
    let server = Server::start(
        home.crm([
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--db",
            "c.db",
        ])
        .env("CRM_ALLOWED_HOST", " a, b.example.com\n")
        .command(),
    );
    assert_eq!(
        ask(&server, "GET", "/leads", &["Host: B.example.com"]).status,
        200
    );
}

#[test]
fn a_write_from_a_page_of_another_site_is_refused_everywhere() {
    let home = Home::new();
    let token = home.line("token create a --scope write --db crm.db").ok();
    let bearer = format!("Authorization: Bearer {}", token.trim());
    for host in ["127.0.0.1", "0.0.0.0"] {
        let server = serve(&home, host, &["--cors-origin", "https://app.example.com"]);
        let before = {
            let list = ask(&server, "GET", "/leads", &["Host: a", &bearer]);
            list.text().to_string()
        };
        for (method, path) in [
            ("POST", "/leads"),
            ("PUT", "/leads/1"),
            ("PATCH", "/leads/1"),
            ("DELETE", "/leads/1"),
            ("POST", "/tokens"),
            ("POST", "/nothing"),
        ] {
            for lines in [
                &["Origin: null"][..],
                &["Origin:"],
                &["Origin: http://evil.com"],
                &["Origin: https://crm.example.com:8000"],
                &["Origin: http://crm.example.com"],
                &["Origin: http://crm.example.com:8001"],
                &["Origin: http://crm.example.com:8000.evil.com"],
                &["Origin: http://user@crm.example.com:8000"],
                &["Origin: crm.example.com:8000"],
                &["Origin: chrome-extension://abc"],
                &["Origin: https://app.example.com", "Origin: http://evil.com"],
                // Only a trusted proxy is believed.
                &[
                    "Origin: https://evil.com",
                    "X-Forwarded-Host: evil.com",
                    "X-Forwarded-Proto: https",
                ],
            ] {
                let all = [&["Host: crm.example.com:8000", &bearer], lines].concat();
                let sentence = ask(&server, method, path, &all).error(403);
                let start =
                    "Origin: expected the origin of this service or one that --cors-origin names";
                assert!(sentence.starts_with(start), "{sentence}");
                let is_behind = lines.len() == 3;
                assert_eq!(
                    sentence.contains("--trusted-proxy"),
                    is_behind,
                    "{sentence}"
                );
            }
        }
        let list = ask(
            &server,
            "GET",
            "/leads",
            &["Host: a", &bearer, "Origin: http://evil.com"],
        );
        assert_eq!((list.status, list.text()), (200, before.as_str()));
        for (at, origin) in [
            "https://app.example.com",
            "http://crm.example.com:8000",
            "http://CRM.example.com:8000",
        ]
        .into_iter()
        .enumerate()
        {
            let body = format!(r#"{{"email":"{at}-{}@example.com"}}"#, host.len());
            let origin = format!("Origin: {origin}");
            let lines = ["Host: crm.example.com:8000", &bearer, &origin];
            let request = request("POST", "/leads", &lines, &body);
            let answer = exchange(server.address(), request.as_bytes(), false);
            assert_eq!(answer.status, 201, "{origin}: {}", answer.text());
        }
    }
}

#[test]
fn the_own_origin_is_what_the_browser_sees() {
    let home = Home::new();
    let server = serve(
        &home,
        "127.0.0.1",
        &["--trusted-proxy", "127.0.0.1", "--allowed-host", "crm"],
    );
    let mut number = 0;
    let mut status = |lines: &[&str]| {
        number += 1;
        let body = format!(r#"{{"email":"{number}@example.com"}}"#);
        let request = request("POST", "/leads", lines, &body);
        exchange(server.address(), request.as_bytes(), false).status
    };
    for (expected, lines) in [
        (201, &["Host: localhost", "Origin: http://localhost"][..]),
        (201, &["Host: localhost:80", "Origin: http://localhost"]),
        (201, &["Host: [::1]:9", "Origin: http://[0::1]:9"]),
        (403, &["Host: localhost:8000", "Origin: http://localhost"]),
        (403, &["Host: localhost", "Origin: https://localhost"]),
        (
            201,
            &[
                "Host: crm",
                "Origin: https://crm",
                "X-Forwarded-Proto: https",
            ],
        ),
        (
            403,
            &[
                "Host: crm",
                "Origin: http://crm",
                "X-Forwarded-Proto: https",
            ],
        ),
        (
            201,
            &[
                "Host: localhost:8000",
                "Origin: https://crm.example.com",
                "X-Forwarded-Proto: https, http",
                "X-Forwarded-Host: crm.example.com:443",
            ],
        ),
        // Of several proxies, the first one knows where the request was sent to.
        (
            201,
            &[
                "Host: localhost:8000",
                "Origin: https://crm.example.com",
                "X-Forwarded-Proto: https , http",
                "X-Forwarded-Host: , crm.example.com ,internal:80, localhost",
            ],
        ),
        (
            201,
            &[
                "Host: localhost:8000",
                "Origin: http://crm.example.com:8080",
                "X-Forwarded-Host: crm.example.com:8080",
                "X-Forwarded-Host: internal",
            ],
        ),
        (
            403,
            &[
                "Host: localhost:8000",
                "Origin: http://internal",
                "X-Forwarded-Host: crm.example.com, internal",
            ],
        ),
        // Whoever is let in by another host than its own does not get there by a proxy's header.
        (
            421,
            &[
                "Host: evil.com",
                "Origin: http://localhost",
                "X-Forwarded-Host: localhost",
            ],
        ),
    ] {
        assert_eq!(status(lines), expected, "{lines:?}");
    }
    let home = Home::new();
    let trusted = certificate(&home, "tls");
    let server = serve_tls(&home, &[]);
    for (origin, expected) in [("https://localhost", 201), ("http://localhost", 403)] {
        use std::io::Write;
        let origin = format!("Origin: {origin}");
        let request = request("POST", "/leads", &["Host: localhost", &origin], LEAD);
        let mut stream = tls(server.address(), &trusted).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let answer = Answer::read(&mut std::io::BufReader::new(stream), false);
        assert_eq!(answer.status, expected, "{origin}");
    }
}

#[test]
fn nothing_is_stored_by_caches_unless_it_can_be_checked() {
    let home = Home::new();
    let server = serve(&home, "127.0.0.1", &[]);
    let own = "Host: localhost";
    let checked = Some("private, no-cache");
    let none = Some("no-store");
    for (method, path, line, status, expected) in [
        ("POST", "/leads", "A: b", 201, checked),
        ("GET", "/leads/1", "A: b", 200, checked),
        ("GET", "/leads/1?fields=id", "A: b", 200, checked),
        ("GET", "/leads/1", "If-None-Match: \"1\"", 304, checked),
        ("GET", "/leads/1", "If-Match: \"2\"", 412, none),
        ("GET", "/leads", "A: b", 200, none),
        ("GET", "/leads", "Accept: application/x-ndjson", 200, none),
        ("GET", "/followups", "A: b", 200, none),
        ("GET", "/leads/9", "A: b", 404, none),
        ("GET", "/nothing", "A: b", 404, none),
        ("PUT", "/leads", "A: b", 405, none),
        ("GET", "/tokens", "A: b", 401, none),
        ("GET", "/leads", "Host: a", 400, none),
        ("GET", "/health", "A: b", 200, none),
        ("GET", "/ready", "A: b", 200, none),
        ("GET", "/metrics", "A: b", 200, none),
        ("GET", "/openapi.json", "A: b", 200, none),
        ("GET", "/docs", "A: b", 200, None),
    ] {
        let answer = ask(&server, method, path, &[own, line]);
        assert_eq!(answer.status, status, "{method} {path} {line}");
        assert_eq!(answer.header("cache-control"), expected, "{method} {path}");
        if status != 304 {
            let guess = answer.header("x-content-type-options");
            assert_eq!(guess, Some("nosniff"), "{method} {path}");
        }
    }
}

#[test]
fn a_form_is_chosen_by_what_the_client_accepts() {
    let home = Home::new();
    let server = serve(&home, "127.0.0.1", &[]);
    ask(&server, "POST", "/leads", &["Host: localhost"]);
    let (json, ndjson) = ("application/json", "application/x-ndjson");
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let plain = "text/plain; version=0.0.4; charset=utf-8";
    // As Prometheus 2 and 3 send it.
    let prometheus = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,\
                      application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for (path, lines, expected) in [
        (
            "/leads",
            &["Accept: application/json;q=0, application/x-ndjson"][..],
            ndjson,
        ),
        (
            "/leads",
            &[
                "Accept: application/json;q=0.1",
                "Accept: APPLICATION/X-NDJSON",
            ],
            ndjson,
        ),
        ("/leads", &["Accept: application/x-ndjson;q=0.1, */*"], json),
        ("/leads", &["Accept: text/html"], json),
        ("/metrics", &[], open),
        ("/metrics", &["Accept: */*"], open),
        ("/metrics", &[prometheus], open),
        ("/metrics", &["Accept: Text/Plain"], plain),
        (
            "/metrics",
            &["Accept: text/plain;version=0.0.4;q=0.5, */*;q=0.1"],
            plain,
        ),
        (
            "/metrics",
            &["Accept: application/openmetrics-text;q=0, */*"],
            plain,
        ),
    ] {
        let answer = ask(
            &server,
            "GET",
            path,
            &[&["Host: localhost"], lines].concat(),
        );
        assert_eq!(answer.header("content-type"), Some(expected), "{lines:?}");
        assert_eq!(answer.header("vary"), Some("accept"));
    }
    let metrics = |accept: &str| {
        let answer = ask(&server, "GET", "/metrics", &["Host: localhost", accept]);
        answer.text().to_string()
    };
    let plain = metrics("Accept: text/plain");
    for line in [
        "# TYPE crm_http_requests_total counter",
        "# TYPE crm_info gauge",
        "# TYPE crm_http_request_duration_seconds histogram",
    ] {
        assert!(plain.lines().any(|known| known == line), "{line}: {plain}");
    }
    assert!(
        !plain.contains("# EOF") && !plain.contains("# UNIT"),
        "{plain}"
    );
    // Every sample belongs to the family before it.
    let mut family = "";
    for line in plain.lines() {
        if let Some(named) = line.strip_prefix("# TYPE ") {
            family = named.split(' ').next().unwrap();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(family), "{family}: {line}");
        }
    }
    let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(&plain), samples(&metrics("Accept: */*")));
}

#[test]
fn files_of_the_documentation_are_compressed_for_those_who_ask() {
    let home = Home::new();
    let server = serve(&home, "127.0.0.1", &[]);
    let path = "/docs/swagger-ui-bundle.js";
    let get = |line: &str| ask(&server, "GET", path, &["Host: localhost", line]);
    for line in ["A: b", "Accept-Encoding: gzip;q=0", "Accept-Encoding: br"] {
        let plain = get(line);
        assert_eq!(plain.header("content-encoding"), None, "{line}");
        assert_eq!(plain.header("vary"), Some("accept-encoding"));
        assert!(plain.text().contains("SwaggerUIBundle"));
    }
    for line in ["Accept-Encoding: GZIP", "Accept-Encoding: identity;q=0, *"] {
        let packed = get(line);
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{line}");
        assert!(packed.body.starts_with(&[0x1f, 0x8b]));
    }
}

#[test]
fn a_weak_condition_is_told_as_what_it_is() {
    let home = Home::new();
    let server = serve(&home, "127.0.0.1", &[]);
    ask(&server, "POST", "/leads", &["Host: localhost"]);
    let change = |condition: &str| {
        let lines = ["Host: localhost", condition];
        let request = request("PATCH", "/leads/1", &lines, r#"{"name":"B"}"#);
        exchange(server.address(), request.as_bytes(), false)
    };
    let sentence = change("If-Match: W/\"1\"").error(412);
    assert!(
        sentence.contains("expected a strong ETag, got W/\"1\", which is weak")
            && sentence.contains("is \"1\" now"),
        "{sentence}"
    );
    let local = home
        .line("lead update 1 --name B --if-match W/\"1\" --db crm.db")
        .fails(5);
    assert_eq!(local, format!("error: {sentence}\n"));
    let remote = home.line("lead update 1 --name B --if-match W/\"1\"");
    assert_eq!(remote.env("CRM_URL", &server.url).fails(5), local);
    let sentence = change("If-Match: \"1-gzip\"").error(412);
    assert!(sentence.contains("a proxy may have changed"), "{sentence}");
    let sentence = change("If-Match: W/\"1\", \"7\"").error(412);
    assert!(sentence.contains("has changed meanwhile"), "{sentence}");
    assert_eq!(change("If-Match: W/\"1\", \"1\"").status, 200);
}
