//! The primary of a PostgreSQL is killed, again and again, and its synchronous standby takes over, under the writes of
//! clients of three servers. The control: a standby that is not waited for, and held back, loses.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::load::{Book, Load, Wire};
use super::{length, needed, say, signal};
use crate::cluster::{as_postgres, children, programs};
use crate::support::{Home, Server, wait_for};

/// How long the service may take to be back after a promotion.
const BACK: Duration = Duration::from_secs(5);

/// How long an answer may take: the five seconds that are promised, and what this machine is busy with beside it.
const LONGEST: usize = 6_000;

/// Two places for a primary and its standby, in a temporary folder of PostgreSQL's own user.
struct Pair {
    programs: PathBuf,
    folder: PathBuf,
    /// The one that is the primary, 0 or 1.
    primary: usize,
    running: [Option<Child>; 2],
}

impl Pair {
    fn new() -> Option<Pair> {
        let programs = needed(
            "failover",
            programs().ok_or("there is no PostgreSQL".into()),
        )?;
        let mut make = as_postgres("mktemp");
        make.args(["-d", "-t", "crm-pair-XXXXXX"]);
        let folder = String::from_utf8(make.output().unwrap().stdout).unwrap();
        let mut pair = Pair {
            programs,
            folder: folder.trim_end().into(),
            primary: 0,
            running: [None, None],
        };
        let data = pair.data(0);
        pair.run(
            "initdb",
            &[
                "-D",
                &data,
                "-U",
                "crm",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ],
        );
        std::fs::create_dir(pair.place(1)).ok();
        pair.start(0, &[]);
        Some(pair)
    }

    fn place(&self, at: usize) -> PathBuf {
        self.folder.join(["a", "b"][at])
    }

    fn data(&self, at: usize) -> String {
        self.folder.join(["a", "b"][at]).display().to_string()
    }

    /// Runs one of PostgreSQL's programs to its end.
    #[track_caller]
    fn run(&self, program: &str, words: &[&str]) -> String {
        let mut command = as_postgres(self.programs.join(program));
        let done = command
            .args(words)
            .current_dir(&self.folder)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(done.status.success(), "{program}: {}", text(&done.stderr));
        text(&done.stdout)
    }

    fn ask(&self, at: usize, sql: &str) -> String {
        let socket = self.sockets(at);
        let answer = self.run(
            "psql",
            &["-h", &socket, "-U", "crm", "-d", "postgres", "-Atqc", sql],
        );
        answer.trim().to_string()
    }

    /// The folder of a place's socket.
    fn sockets(&self, at: usize) -> String {
        self.folder.join(["sa", "sb"][at]).display().to_string()
    }

    fn start(&mut self, at: usize, settings: &[&str]) {
        let sockets = self.sockets(at);
        let mut make = as_postgres("mkdir");
        assert!(make.args(["-p", &sockets]).status().unwrap().success());
        // A process that is killed loses nothing of what it has written: syncs are for the power, not for this.
        let mut command = as_postgres(self.programs.join("postgres"));
        command.args([
            "-D",
            &self.data(at),
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
        ]);
        command.args(["-c", &format!("unix_socket_directories={sockets}")]);
        // A standby that has lost its primary else sleeps for 5 s now and then, and is promoted no sooner.
        command.args(["-c", "wal_retrieve_retry_interval=100ms"]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        let log = std::fs::File::create(self.folder.join(["a.log", "b.log"][at])).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running[at] = Some(child);
        wait_for("PostgreSQL", || {
            let mut ready = as_postgres(self.programs.join("pg_isready"));
            ready
                .args(["-q", "-h", &sockets])
                .status()
                .unwrap()
                .success()
        });
    }

    /// Gives the primary a standby that has all it has, which it waits for if it is to be synchronous.
    fn follow(&mut self, synchronous: bool) {
        let (primary, standby) = (self.primary, 1 - self.primary);
        let mut clear = as_postgres("rm");
        clear.args(["-rf", &self.data(standby)]);
        assert!(clear.status().unwrap().success());
        let (from, to) = (self.sockets(primary), self.data(standby));
        self.run(
            "pg_basebackup",
            &[
                "-h", &from, "-U", "crm", "-D", &to, "-R", "-c", "fast", "-N",
            ],
        );
        self.start(standby, &[]);
        wait_for("the standby", || {
            self.ask(
                primary,
                "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'",
            ) == "1"
        });
        let names = if synchronous { "*" } else { "" };
        self.ask(
            primary,
            &format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"),
        );
        self.ask(primary, "SELECT pg_reload_conf()");
        if synchronous {
            wait_for("a synchronous standby", || {
                self.ask(
                    primary,
                    "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'",
                ) == "1"
            });
        }
    }

    /// Kills the primary and all of its processes, without any end of theirs.
    fn kill(&mut self) {
        let mut child = self.running[self.primary].take().unwrap();
        let children = children(child.id());
        signal("KILL", &[vec![child.id()], children].concat());
        child.wait().unwrap();
    }

    /// Makes the standby the primary, which waits for no other. Answers when it was asked to be.
    fn promote(&mut self) -> Instant {
        let standby = 1 - self.primary;
        let at = Instant::now();
        self.run("pg_ctl", &["promote", "-w", "-D", &self.data(standby)]);
        self.ask(standby, "ALTER SYSTEM SET synchronous_standby_names = ''");
        self.ask(standby, "SELECT pg_reload_conf()");
        self.primary = standby;
        at
    }

    /// The URL of both.
    fn url(&self) -> String {
        let host = |at| self.sockets(at).replace('/', "%2F");
        format!("postgres://crm@{},{}/postgres", host(0), host(1))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for mut child in self.running.iter_mut().filter_map(Option::take) {
            signal("KILL", &[vec![child.id()], children(child.id())].concat());
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Three servers over both places.
fn replicas(home: &Home, url: &str) -> Vec<Server> {
    (0..3).map(|_| home.serve(&["--db", url])).collect()
}

#[test]
fn what_was_acknowledged_survives_a_failover() {
    let rounds = length(2, 20);
    let Some(mut pair) = Pair::new() else {
        return;
    };
    let begun = Instant::now();
    let home = Home::new();
    let mut book = Book::default();
    let (mut not_saved, mut unknown, mut longest, mut slowest) = (0, 0, 0, Duration::ZERO);
    let servers = replicas(&home, &pair.url());
    for round in 0..rounds {
        pair.follow(true);
        let loads: Vec<Load> = servers
            .iter()
            .enumerate()
            .map(|(at, server)| Load::patient(server.address(), 8, &format!("r{round}s{at}")))
            .collect();
        for load in &loads {
            load.until_some_moment(length(200, 1_000));
        }
        pair.kill();
        let promoted = pair.promote();
        for server in &servers {
            wait_for("the service to be back", || is_back(server));
            slowest = slowest.max(promoted.elapsed());
        }
        // And the clients go on as they were.
        for load in &loads {
            let before = load.progress();
            wait_for("clients that go on", || load.progress() > before + 10);
        }
        for load in loads {
            let refusals = load.refusals();
            not_saved += refusals.not_saved.load(Ordering::Relaxed);
            unknown += refusals.unknown.load(Ordering::Relaxed);
            longest = longest.max(refusals.longest.load(Ordering::Relaxed));
            book.enter(load.end());
        }
        let lost = book.compare(&home, &pair.url());
        assert!(lost.is_empty(), "failover {round} has lost {lost:?}");
    }
    assert!(slowest <= BACK, "back after {slowest:?}");
    assert!(longest <= LONGEST, "an answer took {longest} ms");
    assert!(not_saved + unknown > 0, "no client met a failover");
    say(&format!(
        "{rounds} failovers under load: 0 of {} acknowledged writes lost, none doubled; back at the latest {:.1?} after the \
         promotion was asked for; {not_saved} answers 503, {unknown} answers 504, the longest after {longest} ms; {} changes \
         agree with the records ({:.0?})",
        book.acknowledged(),
        slowest,
        book.changes(),
        begun.elapsed()
    ));
}

/// Whether a server takes a write.
fn is_back(server: &Server) -> bool {
    let body = r#"{"name":"p"}"#;
    let answer = Wire::open(server.address()).ask("POST", "/processes", body);
    answer.is_some_and(|(status, _)| status == 201)
}

#[test]
fn a_failover_finds_a_standby_that_is_not_waited_for() {
    let Some(mut pair) = Pair::new() else {
        return;
    };
    let home = Home::new();
    let mut book = Book::default();
    pair.follow(false);
    let servers = replicas(&home, &pair.url());
    let loads: Vec<Load> = servers
        .iter()
        .enumerate()
        .map(|(at, server)| Load::patient(server.address(), 4, &format!("s{at}")))
        .collect();
    loads[0].until_some_moment(100);
    // What is written from here on does not reach the standby.
    let senders: Vec<u32> = pair
        .ask(pair.primary, "SELECT pid FROM pg_stat_replication")
        .lines()
        .map(|id| id.parse().unwrap())
        .collect();
    signal("STOP", &senders);
    let before = loads[0].progress();
    wait_for("writes", || loads[0].progress() > before + 100);
    pair.kill();
    // Before the promotion: a client that goes on would find that its lead is gone.
    loads.into_iter().for_each(|load| book.enter(load.end()));
    pair.promote();
    for server in &servers {
        wait_for("the service to be back", || is_back(server));
    }
    let acknowledged = book.acknowledged();
    let lost = book.compare(&home, &pair.url()).len();
    assert!(
        lost > 0,
        "nothing was lost: the test of failovers proves nothing"
    );
    say(&format!(
        "the control, a standby that is held back and not waited for: a failover has taken {lost} of {acknowledged} acknowledged writes"
    ));
}
