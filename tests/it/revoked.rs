//! Streamed answers end when their reader is no longer let in, although nobody reads them: by a command on the file, over
//! TLS, by another service over PostgreSQL, by the time, and where the tokens cannot be read. Other answers stay.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::cluster::{self, Cluster};
use crate::durability::signal;
use crate::http::{Answer, Api, exchange};
use crate::net::{certificate, serve_tls, tls_over};
use crate::support::{Home, Server, wait_for};

/// Longer than any limit of the service.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection whose system takes few bytes that the test does not read.
fn connect(address: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let address: SocketAddr = address.parse().unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A client that has read the beginning of a list, and reads no further.
struct Stopped {
    name: &'static str,
    socket: TcpStream,
    wire: Wire,
}

/// How it reads.
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(buffer),
            Wire::Tls(stream) => stream.read(buffer),
        }
    }
}

const BEGIN: &[u8] = b"HTTP/1.1 200 OK\r\n";

impl Stopped {
    /// Asks for the whole list with a token, or without one if it is empty.
    fn new(
        name: &'static str,
        server: &Server,
        trusted: Option<&CertificateDer<'static>>,
        token: &str,
    ) -> Stopped {
        let socket = connect(server.address());
        let ours = socket.try_clone().unwrap();
        let mut wire = match trusted {
            None => Wire::Plain(ours),
            Some(trusted) => Wire::Tls(Box::new(tls_over(ours, trusted).unwrap())),
        };
        let header = match token {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let request = format!("GET /leads HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
        match &mut wire {
            Wire::Plain(stream) => stream.write_all(request.as_bytes()).unwrap(),
            Wire::Tls(stream) => stream.write_all(request.as_bytes()).unwrap(),
        }
        let mut begin = [0; BEGIN.len()];
        wire.read_exact(&mut begin).unwrap();
        assert_eq!(begin, BEGIN, "{name}");
        // The server waits for this client when its system has taken nothing more for a while.
        let (mut taken, mut looks) = (0, 0);
        wait_for("a client whose system is full", || {
            let mut waiting = [0; 64 * 1024];
            let now = socket.peek(&mut waiting).unwrap();
            looks = if now == taken { looks + 1 } else { 0 };
            taken = now;
            looks > 50
        });
        Stopped { name, socket, wire }
    }

    /// Waits until the server has ended the connection, without reading from it.
    #[track_caller]
    fn ends(self) {
        let mut error = None;
        wait_for(self.name, || {
            error = self.socket.take_error().unwrap();
            error.is_some()
        });
        let error = error.map(|error| error.kind());
        assert_eq!(error, Some(std::io::ErrorKind::ConnectionReset));
        let rest = self.rest();
        // The first part had begun, and far from all has come.
        assert!(!rest.whole);
        assert!(rest.body.len() < 8_000_000, "{} bytes", rest.body.len());
    }

    /// Its connection is open, and the whole list comes.
    #[track_caller]
    fn stays(self) {
        let (name, rest) = (self.name, self.rest());
        assert!(rest.whole, "{name}: {} bytes", rest.body.len());
        assert!(rest.body.len() > 10_000_000, "{} bytes", rest.body.len());
    }

    fn rest(self) -> Answer {
        Answer::read(&mut BufReader::new(BEGIN.chain(self.wire)), false)
    }
}

/// Makes a token with these words after its name, and returns it.
fn create(home: &Home, db: &str, words: &str) -> String {
    let line = format!("token create {words} --db {db}");
    home.line(&line).warned().trim().to_string()
}

#[test]
fn whoever_stops_reading_ends_with_the_token() {
    let api = Api::start();
    api.fill();
    let Api { home, server } = api;
    let revoke = |name: &str| home.line(&format!("token revoke {name} --db crm.db")).ok();
    let stopped = |name, token: &str| Stopped::new(name, &server, None, token);
    // The service is open until its first token.
    let open = stopped("the end of a list without a token", "");
    let other = create(&home, "crm.db", "other --scope read");
    open.ends();

    let reader = create(&home, "crm.db", "reader --scope read");
    let answered = {
        // This one has its whole answer, and its connection stays open.
        let mut whole = stopped("a whole list", &reader);
        let socket = whole.socket.try_clone().unwrap();
        let answer = Answer::read(&mut BufReader::new(BEGIN.chain(&mut whole.wire)), false);
        assert!(answer.whole);
        socket
    };
    let control = stopped("another token", &other);
    let cut = [
        stopped("the end of a revoked token", &reader),
        stopped("the end of a revoked token, again", &reader),
    ];
    revoke("reader");
    cut.into_iter().for_each(Stopped::ends);

    let short = create(&home, "crm.db", "short --scope read --expires 5s");
    stopped("the end of an expired token", &short).ends();

    control.stays();
    let mut wire = &answered;
    wire.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let answer = Answer::read(&mut BufReader::new(wire), false);
    assert_eq!(answer.status, 200);

    let (_, log) = server.stop();
    for line in [
        "ended all streamed answers without a token: it has no token, and one is needed now",
        "ended all streamed answers to the token reader: its token was revoked",
        "ended all streamed answers to the token short: its token has expired",
    ] {
        assert_eq!(log.matches(line).count(), 1, "{line}: {log}");
    }
    assert_eq!(log.matches("broke off").count(), 4, "{log}");
}

#[test]
fn so_it_is_over_tls() {
    let home = Home::new();
    let trusted = certificate(&home, "tls");
    let server = serve_tls(&home, &[]);
    let api = Api { home, server };
    api.fill();
    let other = create(&api.home, "crm.db", "other --scope read");
    let reader = create(&api.home, "crm.db", "reader --scope read");
    let stopped = |name, token: &str| Stopped::new(name, &api.server, Some(&trusted), token);
    let control = stopped("another token", &other);
    let cut = stopped("the end of a revoked token", &reader);
    api.home.line("token revoke reader --db crm.db").ok();
    cut.ends();
    control.stays();
}

/// Creates leads of 12 MB.
fn fill(server: &Server, token: &str) {
    for number in 0..120 {
        let details = "x".repeat(100_000);
        let lead = format!(
            r#"{{"email":"a{number}@example.com","attributes":{{"details":"{details}"}}}}"#
        );
        let request = format!(
            "POST /leads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{lead}",
            lead.len()
        );
        let answer = exchange(server.address(), request.as_bytes(), false);
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_service_over_the_database_revokes_too() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let home = Home::new();
    let admin = create(&home, &url, "admin --scope admin");
    let reader = create(&home, &url, "reader --scope read");
    let [one, two] = [(); 2].map(|()| home.serve(&["--db", &url]));
    fill(&one, &admin);
    let control = Stopped::new("another token", &two, None, &admin);
    let cut = Stopped::new("the end of a revoked token", &two, None, &reader);
    let request = format!(
        "DELETE /tokens/reader HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {admin}\r\n\r\n"
    );
    let revoked = exchange(one.address(), request.as_bytes(), false);
    assert_eq!(revoked.status, 200);
    cut.ends();
    control.stays();
}

#[test]
fn nobody_reads_on_where_the_tokens_cannot_be_read() {
    let Some(cluster) = Cluster::start(&["fsync=off"]) else {
        return;
    };
    let (home, url) = (Home::new(), cluster.url(""));
    let admin = create(&home, &url, "admin --scope admin");
    let server = home.serve(&["--db", &url]);
    fill(&server, &admin);
    let cut = Stopped::new("the end without tokens", &server, None, &admin);
    let processes = cluster.processes();
    signal("STOP", &processes);
    cut.ends();
    signal("CONT", &processes);
}
