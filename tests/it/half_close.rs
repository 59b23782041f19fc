//! Clients that end their side of a connection before they read: each gets its whole answer, plain and by TLS.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use crate::net::{certificate, serve_tls, tls};
use crate::support::{Home, Server};

/// Longer than any limit of the service.
const PATIENCE: Duration = Duration::from_secs(60);

const LEAD: &str = r#"{"email":"a@example.com"}"#;

/// How a client ends its side.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Of a connection without TLS.
    Plain,
    /// With the end of TLS, and with that of TCP.
    Both,
    /// With the end of TLS alone.
    OfTls,
    /// With the end of TCP alone.
    OfTcp,
}

/// Sends this, ends the side of the client, and reads to the end, which must not be a reset.
fn send(server: &Server, trusted: &CertificateDer<'static>, request: &str, end: End) -> String {
    let mut answer = Vec::new();
    let read = if let End::Plain = end {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        stream.read_to_end(&mut answer)
    } else {
        let mut stream = tls(server.address(), trusted).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        if let End::Both | End::OfTls = end {
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
        if let End::Both | End::OfTcp = end {
            // The server may have answered and closed before.
            let _ = stream.sock.shutdown(Shutdown::Write);
        }
        stream.read_to_end(&mut answer)
    };
    read.unwrap_or_else(|error| panic!("{end:?}: {error} after {} bytes", answer.len()));
    String::from_utf8(answer).unwrap()
}

fn post(head: &str, body: &str) -> String {
    format!(
        "POST /leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}\r\n\r\n{body}"
    )
}

#[test]
fn a_client_that_ends_its_side_gets_its_whole_answer() {
    let (plain, encrypted) = (Home::new(), Home::new());
    let trusted = certificate(&encrypted, "tls");
    let unencrypted = plain.serve(&["--db", "crm.db"]);
    let encrypted = serve_tls(&encrypted, &[]);
    let chunked = format!("{:x}\r\n{LEAD}\r\n0\r\n\r\n", LEAD.len());
    let sized = format!("Content-Length: {}", LEAD.len());
    let write = post(&sized, LEAD);
    let get = "GET /leads/1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let list = "GET /leads HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // More than all buffers between the two.
    let large = format!(
        r#"{{"email":"b@example.com","name":"{}"}}"#,
        "x".repeat(1_000_000)
    );
    let large = post(&format!("Content-Length: {}", large.len()), &large);

    for end in [End::Plain, End::Both, End::OfTls, End::OfTcp] {
        let server = match end {
            End::Plain => &unencrypted,
            _ => &encrypted,
        };
        let check = |request: &str, answers: &[&str], ending: &str| {
            let answer = send(server, &trusted, request, end);
            let starts: Vec<&str> = answer
                .split("HTTP/1.1 ")
                .skip(1)
                .map(|answer| &answer[..3])
                .collect();
            let shown: String = answer.chars().take(300).collect();
            assert_eq!(starts, answers, "{end:?}: {request:.60}: {shown}");
            assert!(answer.ends_with(ending), "{end:?}: {request:.60}: {shown}");
        };
        for _ in 0..2 {
            check(&large, &["201"], "}");
        }
        for _ in 0..40 {
            check(&write, &["201"], "}");
            check(&post("Transfer-Encoding: chunked", &chunked), &["201"], "}");
            check(get, &["200"], "}");
        }
        for _ in 0..4 {
            check(list, &["200"], "]\r\n0\r\n\r\n");
            let pipelined = [get, &write, list, get].concat();
            check(&pipelined, &["200", "201", "200", "200"], "}");
        }
        // An answer in HTTP/1.0 ends with the connection, which has to be a normal end here too.
        let answer = send(server, &trusted, "GET /leads HTTP/1.0\r\n\r\n", end);
        assert!(answer.starts_with("HTTP/1.0 200 ") && answer.ends_with(']'));

        let before = send(server, &trusted, list, end);
        // A request that is not whole is refused, and nothing is saved.
        check(&write[..write.len() - 1], &["400"], "}");
        let part = &chunked[..chunked.len() - 5];
        check(&post("Transfer-Encoding: chunked", part), &["400"], "}");
        check("", &[], "");
        // Half a head is not answered, and TLS is not ended either.
        if let End::Plain = end {
            check("GET /leads HTTP/1.1\r\nHo", &[], "");
        }
        let count = |answer: &str| answer.matches("created_at").count();
        let after = send(server, &trusted, list, end);
        assert_eq!(count(&after), count(&before), "{end:?}");
    }
}
