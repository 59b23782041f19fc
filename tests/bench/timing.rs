//! Whether the time of a refusal tells how much of a token is right: `cargo bench --bench timing`.
//!
//! 10,000 wrong tokens whose first letter is wrong and 10,000 whose last letter alone is wrong are tried in random order,
//! once by themselves and once with the service over one connection, and the two are compared by Welch's t-test. Below 4.5
//! nothing is to be seen (the bound of Goodwill, Jun, Jaffe and Rohatgi, "A testing methodology for side-channel
//! resistance validation", 2011). A comparison that stops at the first wrong letter has to be found out by the same means,
//! or the test proves nothing. Ends with exit code 1 where a time tells something.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and one that cannot go on ends with the place where it could not"
)]

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use crm::model::token::{Keyring, Scope, Secret, Token};

/// Wrong tokens of each of the two kinds.
const TRIES: usize = 10_000;
/// Those before, which are not counted: caches and branch predictors have seen nothing yet.
const BEFORE: usize = 1_000;
/// What tells nothing.
const BOUND: f64 = 4.5;
/// Times that a token is tried for one figure where there is no network about it: a clock's tick is longer than one.
const REPEATED: usize = 16;

fn main() -> ExitCode {
    // `cargo test --benches` and the like only want to see it run.
    let tries = match std::env::args().any(|word| word == "--bench") {
        true => TRIES,
        false => 100,
    };
    let folder = tempfile::tempdir().unwrap();
    let real = made_token(&folder.path().join("crm.db"));
    let naive = measured(&real, tries, |wrong| {
        let start = Instant::now();
        for _ in 0..REPEATED {
            black_box(stops_early(black_box(wrong.text()), black_box(real.text())));
        }
        start.elapsed().as_nanos() as f64 / REPEATED as f64
    });
    let keyring = Keyring::new([(real.hash(), token(&real))]);
    let found = measured(&real, tries, |wrong| {
        let start = Instant::now();
        for _ in 0..REPEATED {
            black_box(keyring.find(black_box(wrong)).is_some());
        }
        start.elapsed().as_nanos() as f64 / REPEATED as f64
    });
    let mut served = Served::start(&folder.path().join("crm.db"));
    let asked = measured(&real, tries, |wrong| served.refused(wrong));
    drop(served);
    let rows = [
        ("stops at the first wrong letter (control)", naive),
        ("looks a token up", found),
        ("the service's 401", asked),
    ];
    println!(
        "{:42} {:>12} {:>12} {:>12} {:>8}",
        "mean, ns", "first wrong", "last wrong", "would see", "t"
    );
    for (name, welch) in &rows {
        let Welch {
            first, last, error, ..
        } = welch;
        println!(
            "{name:42} {first:12.1} {last:12.1} {:12.1} {:8.2}",
            BOUND * error,
            welch.t()
        );
    }
    let tells = rows[1..].iter().any(|(_, welch)| welch.t().abs() >= BOUND);
    let blind = rows[0].1.t().abs() < BOUND;
    match tries == TRIES && (tells || blind) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

/// What an attacker hopes for.
fn stops_early(one: &str, other: &str) -> bool {
    one.bytes()
        .zip(other.bytes())
        .all(|(one, other)| black_box(one) == black_box(other))
}

fn token(secret: &Secret) -> Token {
    Token {
        id: 1,
        name: "real".into(),
        scope: Scope::Read,
        start: secret.start().into(),
        created_at: String::new(),
        expires_at: None,
    }
}

/// What two kinds of wrong token took.
struct Welch {
    /// Means in nanoseconds.
    first: f64,
    last: f64,
    /// The standard error of their difference.
    error: f64,
}

impl Welch {
    fn t(&self) -> f64 {
        (self.first - self.last) / self.error
    }
}

/// Times wrong tokens of both kinds in random order. The slowest twentieth of all is left out: interrupts, which know
/// nothing of tokens and hide what there is to see.
fn measured(real: &Secret, tries: usize, mut time: impl FnMut(&Secret) -> f64) -> Welch {
    // All made before the first is tried, as making them is not the same work for both kinds.
    let before = BEFORE.min(tries);
    let mut wrongs: Vec<(usize, Secret)> = (0..before + 2 * tries)
        .map(|at| (at % 2, wrong(real, at % 2)))
        .collect();
    for at in (1..wrongs.len()).rev() {
        wrongs.swap(at, random(at + 1));
    }
    let mut times = [Vec::new(), Vec::new()];
    for (at, (kind, wrong)) in wrongs.iter().enumerate() {
        let took = time(wrong);
        if at >= before {
            times[*kind].push(took);
        }
    }
    let mut all = times.concat();
    all.sort_by(f64::total_cmp);
    let most = all[all.len() * 19 / 20];
    let [first, last] = times.map(|mut times| {
        times.retain(|time| *time <= most);
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    Welch {
        first: first.0,
        last: last.0,
        error: (first.1 + last.1).sqrt(),
    }
}

/// A token that has no letter of the real one in its place, or all but the last.
fn wrong(real: &Secret, kind: usize) -> Secret {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let other = |letter: u8| loop {
        let drawn = LETTERS[random(LETTERS.len())];
        if drawn != letter {
            return char::from(drawn);
        }
    };
    let text = real.text();
    let same = if kind == 0 {
        "crm_".len()
    } else {
        text.len() - 1
    };
    let rest = text[same..].bytes().map(other);
    Secret::parse(&text[..same].chars().chain(rest).collect::<String>()).unwrap()
}

fn random(below: usize) -> usize {
    RandomState::new().hash_one(below) as usize % below
}

/// A new database with one token.
fn made_token(database: &Path) -> Secret {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crm"));
    command
        .args(["token", "create", "real", "--scope", "read", "--db"])
        .arg(database);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{made:?}");
    Secret::parse(std::str::from_utf8(&made.stdout).unwrap().trim()).unwrap()
}

/// The service, and a connection to it.
struct Served {
    child: Child,
    connection: BufReader<TcpStream>,
}

impl Served {
    fn start(database: &Path) -> Served {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crm"));
        command
            .args([
                "serve",
                "--quiet",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--db",
            ])
            .arg(database);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let rest = line
            .split("http://")
            .nth(1)
            .unwrap_or_else(|| panic!("{line}"));
        let address: SocketAddr = rest.split(',').next().unwrap().trim().parse().unwrap();
        let connection = TcpStream::connect(address).unwrap();
        connection.set_nodelay(true).unwrap();
        Served {
            child,
            connection: BufReader::new(connection),
        }
    }

    /// How long it takes to refuse a token, in nanoseconds.
    fn refused(&mut self, wrong: &Secret) -> f64 {
        let request = format!(
            "GET /leads/1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            wrong.text()
        );
        let start = Instant::now();
        self.connection
            .get_mut()
            .write_all(request.as_bytes())
            .unwrap();
        let mut line = String::new();
        self.connection.read_line(&mut line).unwrap();
        let took = start.elapsed().as_nanos() as f64;
        assert!(line.starts_with("HTTP/1.1 401 "), "{line}");
        let mut length = 0;
        while !line.trim().is_empty() {
            line.clear();
            self.connection.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        self.connection.read_exact(&mut vec![0; length]).unwrap();
        took
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
