//! What is sent by those who do not mean well: bytes on a socket, plain and by TLS, and what the server's memory does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use crate::net::{certificate, serve_tls, tls};
use crate::support::{Home, Server};

/// Longer than any limit of the service.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the server's memory may grow by, in KiB.
const ROOM: u64 = 20 * 1024;

trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

/// A server, and how it is spoken to.
struct Target {
    server: Server,
    trusted: Option<CertificateDer<'static>>,
    _home: Home,
}

impl Target {
    /// One that speaks plainly and one that speaks TLS, warm: what is there once is there before it is measured.
    fn both() -> [Target; 2] {
        let (plain, encrypted) = (Home::new(), Home::new());
        let trusted = certificate(&encrypted, "tls");
        let both = [
            Target {
                server: plain.serve(&["--db", "crm.db"]),
                trusted: None,
                _home: plain,
            },
            Target {
                server: serve_tls(&encrypted, &[]),
                trusted: Some(trusted),
                _home: encrypted,
            },
        ];
        for target in &both {
            for _ in 0..20 {
                target.refused(&json(&[], b"[]"));
            }
        }
        both
    }

    fn connect(&self) -> Box<dyn Wire> {
        let address = self.server.address();
        match &self.trusted {
            Some(trusted) => Box::new(tls(address, trusted).unwrap()),
            None => {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
        }
    }

    /// Sends something and reads until the server closes the connection. It may close it while it is still being sent to.
    fn send<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut wire = self.connect();
        for part in parts {
            if wire.write_all(part).is_err() {
                break;
            }
        }
        let _ = wire.flush();
        let mut answer = Vec::new();
        // An end, with or without the farewell of TLS, or a reset; but no wait without end.
        if let Err(error) = wire.read_to_end(&mut answer) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends something that has to be answered with one 4xx and the end of the connection.
    #[track_caller]
    fn refused(&self, request: &[u8]) -> String {
        let answer = self.send([request]);
        let shown: String = String::from_utf8_lossy(request).chars().take(80).collect();
        assert!(answer.starts_with("HTTP/1.1 4"), "{shown:?}: {answer:?}");
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{shown:?}: {answer}"
        );
        answer
    }

    /// The most memory that the server has had, in KiB.
    fn peak(&self) -> u64 {
        let status = format!("/proc/{}/status", self.server.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let words = line.unwrap().split_whitespace();
        words.clone().nth(1).unwrap().parse().unwrap()
    }
}

/// A create with these further lines of its head.
fn json(lines: &[&str], body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /leads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{}\r\n",
        body.len(),
        lines.concat()
    );
    [head.as_bytes(), body].concat()
}

const LEAD: &[u8] = br#"{"email":"a@example.com"}"#;

#[test]
fn heads_that_may_be_read_in_two_ways_are_refused() {
    let create = |lines: &str| {
        let head = "POST /leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        [head.as_bytes(), lines.as_bytes(), b"\r\n", LEAD].concat()
    };
    let head = |lines: &str| format!("GET /leads HTTP/1.1\r\n{lines}\r\n").into_bytes();
    for target in Target::both() {
        for request in [
            create("Content-Length: 25\r\nContent-Length: 26\r\n"),
            create("Content-Length: 25, 26\r\n"),
            create("Content-Length: +25\r\n"),
            create("Content-Length: -1\r\n"),
            create("Content-Length: 0x19\r\n"),
            create("Content-Length: 25 25\r\n"),
            create("Content-Length: 99999999999999999999\r\n"),
            create("Content-Length:\r\n"),
            create("Transfer-Encoding: gzip\r\n"),
            create("Transfer-Encoding: chunked, gzip\r\n"),
            create("Transfer-Encoding: gzip, chunked\r\n"),
            create("Transfer-Encoding: chunked, chunked\r\n"),
            create("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            head("Host: localhost\r\nFolded: one\r\n two\r\n"),
            head("Host: localhost\r\n folded: first\r\n"),
            head("Host : crm\r\n"),
            head("Host: localhost\r\nNo colon\r\n"),
            head("Host: localhost\r\nNull: a\0b\r\n"),
            head("Host: localhost\r\nLone: a\rb\r\n"),
            head(""),
            head("Host: localhost\r\nHost: localhost\r\n"),
            b"GET /leads\r\n\r\n".to_vec(),
            b"GET /leads HTTP/2.0\r\nHost: localhost\r\n\r\n".to_vec(),
            b"GET  /leads HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            b"\0GET /leads HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            b"CONNECT crm:80 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        ] {
            target.refused(&request);
        }
        // What HTTP/2 begins with is closed without a word, as nobody who says it would read one of HTTP/1.1.
        assert_eq!(target.send([&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..]]), "");
    }
}

/// The two that HTTP/1.1 leaves to whoever reads, and that hyper reads in one way only (RFC 9112, 2.2 and 6.3): nothing
/// follows on the connection that somebody in between could have taken for a request.
#[test]
fn what_one_way_of_reading_is_left_for_is_read_in_that_way() {
    for target in Target::both() {
        let answer =
            target.send([&b"GET /leads HTTP/1.1\nHost: localhost\nConnection: close\n\n"[..]]);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

        let smuggled = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
        for lines in [
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        ] {
            let request = format!(
                "POST /leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lines}\r\n\
                 19\r\n{}\r\n0\r\n\r\n{smuggled}",
                String::from_utf8_lossy(LEAD)
            );
            let answer = target.send([request.as_bytes()]);
            let answers = answer.matches("HTTP/1.1 ").count();
            assert_eq!(answers, 1, "{lines:?}: {answer}");
        }
        // A chunk's size is hexadecimal and nothing else.
        for size in ["+19", "-1", "0x19", "19 19", "ffffffffffffffffff", ""] {
            let request = format!(
                "POST /leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 Transfer-Encoding: chunked\r\n\r\n{size}\r\n{}\r\n0\r\n\r\n",
                String::from_utf8_lossy(LEAD)
            );
            target.refused(request.as_bytes());
        }
    }
}

#[test]
fn bodies_that_are_no_record_are_refused() {
    let nested = |levels: usize| {
        let inner = [vec![b'['; levels], vec![b']'; levels]].concat();
        let (start, end) = (
            &br#"{"email":"a@example.com","attributes":{"a":"#[..],
            &b"}}"[..],
        );
        [start, &inner, end].concat()
    };
    for target in Target::both() {
        let before = target.peak();
        for body in [
            nested(100_000),
            nested(126),
            vec![b'['; 100_000],
            br#"{"a":"#.repeat(100_000),
            br#"{"email":"a@example.com","email":"b@example.com"}"#.to_vec(),
            br#"{"email":"a@example.com","attributes":{"a":1,"a":2}}"#.to_vec(),
            br#"{"email":"a@example.com","attributes":{"a":{"b":1,"b":2}}}"#.to_vec(),
            br#"{"email":"a@example.com","name":"a\u0000b"}"#.to_vec(),
            b"{\"email\":\"a@example.com\",\"name\":\"a\0b\"}".to_vec(),
            br#"{"email":"a@example.com","attributes":{"a":"\u0000"}}"#.to_vec(),
            b"{\"email\":\"a@example.com\",\"name\":\"\xff\xfe\"}".to_vec(),
            b"{\"email\":\"a@example.com\",\"name\":\"\xc0\x80\"}".to_vec(),
            b"{\"email\":\"a@example.com\",\"name\":\"\xed\xa0\x80\"}".to_vec(),
            br#"{"email":"a@example.com","name":"\ud800"}"#.to_vec(),
            br#"{"email":"a@example.com","name":9223372036854775808}"#.to_vec(),
            br#"{"email":1e400}"#.to_vec(),
            br#"{"email":"a@example.com","attributes":{"a":1e400,"a":1}}"#.to_vec(),
            b"\xef\xbb\xbf{}".to_vec(),
            b"".to_vec(),
        ] {
            let answer = target.refused(&json(&[], &body));
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        }
        // Where a number belongs.
        for id in ["9223372036854775808", "1e400", "-1e400", "1.5"] {
            let body = format!(r#"{{"lead_id":{id},"action_type":"call"}}"#);
            let request = json(&[], body.as_bytes());
            let request = String::from_utf8(request).unwrap();
            target.refused(request.replace("/leads", "/actions").as_bytes());
        }
        for path in [
            "/leads/9223372036854775808",
            "/leads/1e400",
            "/leads/%00",
            "/leads/%ff",
        ] {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            target.refused(request.as_bytes());
        }
        // The digits of a number are the user's own matter.
        let kept = br#"{"email":"a@example.com","attributes":{"a":9223372036854775808,"b":1e400}}"#;
        let answer = target.send([&json(&[], kept)[..]]);
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        assert!(
            answer.contains(r#"{"a":9223372036854775808,"b":1e400}"#),
            "{answer}"
        );
        let grown = target.peak() - before;
        assert!(grown < ROOM, "{grown} KiB more");
    }
}

#[test]
fn what_is_too_much_is_refused_and_not_kept() {
    for target in Target::both() {
        let before = target.peak();
        let line = format!("X: {}\r\n", "x".repeat(1_000));
        let start = "GET /leads HTTP/1.1\r\nHost: localhost\r\n";
        let many = [start, &line.repeat(500), "\r\n"].concat();
        let answer = target.refused(many.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        let one = format!("{start}X: {}\r\n\r\n", "x".repeat(500_000));
        let answer = target.refused(one.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        let short = [start, &"X: y\r\n".repeat(200), "\r\n"].concat();
        let answer = target.refused(short.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        let long = format!(
            "GET /leads?q={} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "x".repeat(64_600)
        );
        let answer = target.refused(long.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 414 "), "{answer}");

        // 300 MB of a body that does not say how long it is.
        let head = "POST /leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
        let chunks = std::iter::repeat_n(&chunk[..], 300);
        let answer = target.send(std::iter::once(head.as_bytes()).chain(chunks));
        // The answer is lost where the server has closed while more was being sent; it is there where that was read.
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 413 "),
            "{answer}"
        );
        // Two mebibytes are let in before the connection ends.
        let answer = target.send([head.as_bytes(), &chunk, &chunk]);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        let head = head.replace("Transfer-Encoding: chunked", "Content-Length: 300000000");
        let answer = target.send([head.as_bytes()]);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        let grown = target.peak() - before;
        assert!(grown < ROOM, "{grown} KiB more");
    }
}
