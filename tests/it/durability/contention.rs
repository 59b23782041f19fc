//! A saturated server and commands, all on one file.

use std::time::{Duration, Instant};

use super::load::{Book, Lead, Load, email, write};
use super::{integrity, length, say};
use crate::support::{Home, Run};

/// The longest that a command's write may take beside a saturated server, from the start of its process to its end.
const LONGEST: Duration = Duration::from_secs(1);

/// What the runs of a looping command came to.
#[derive(Default)]
struct Runs {
    leads: Vec<Lead>,
    times: Vec<Duration>,
    failures: Vec<Run>,
}

impl Runs {
    /// Runs a command once. Answers what it printed, if it succeeded.
    fn run<const N: usize>(&mut self, home: &Home, words: [&str; N]) -> Option<String> {
        let start = Instant::now();
        let run = home.crm(words.into_iter().chain(["--db", "crm.db"])).run();
        self.times.push(start.elapsed());
        if run.code == Some(0) && run.stderr.is_empty() {
            return Some(run.stdout);
        }
        self.failures.push(run);
        None
    }

    fn create(&mut self, home: &Home, mark: String) {
        let (email, attribute) = (email(&mark), format!("write={}", write(&mark, 0)));
        let words = [
            "lead", "create", "--email", &email, "--set", &attribute, "-o", "id",
        ];
        if let Some(id) = self.run(home, words) {
            self.leads
                .push(Lead::created(mark, id.trim().parse().unwrap()));
        }
    }

    /// Updates the lead that was created first.
    fn update(&mut self, home: &Home, id: &str) {
        let attribute = format!("write={}", self.leads[0].next());
        let updated = self.run(
            home,
            ["lead", "update", id, "--set", &attribute, "-o", "id"],
        );
        if updated.is_some() {
            self.leads[0].updated();
        }
    }
}

/// The median, the 99th percentile and the longest.
fn distribution(times: &mut [Duration]) -> (String, Duration) {
    times.sort_unstable();
    let of = |part: usize| times[(times.len() - 1) * part / 100];
    let [median, p99, longest] = [50, 99, 100].map(|part| of(part).as_millis());
    let text = format!("median {median} ms, p99 {p99} ms, longest {longest} ms");
    (text, of(100))
}

#[test]
fn a_saturated_server_and_commands_share_the_file() {
    let time = length(Duration::from_secs(4), Duration::from_secs(60));
    let home = Home::new();
    let server = home.serve(&["--db", "crm.db", "--quiet"]);
    let mut updating = Runs::default();
    updating.create(&home, "update".into());
    let first = home.line("lead list -o id --db crm.db").ok();
    let load = Load::start(server.address(), 64, "s");
    let end = Instant::now() + time;
    let is_on = || Instant::now() < end;
    let (creating, updating, listing) = std::thread::scope(|scope| {
        let home = &home;
        let creating = [0, 1, 2, 3].map(|number| {
            scope.spawn(move || {
                let mut runs = Runs::default();
                for count in 0.. {
                    runs.create(home, format!("k{number}n{count}"));
                    if !is_on() {
                        break;
                    }
                }
                runs
            })
        });
        let updating = scope.spawn(move || {
            while is_on() {
                updating.update(home, first.trim());
            }
            updating
        });
        let listing = scope.spawn(move || {
            let mut runs = Runs::default();
            while is_on() {
                runs.run(home, ["lead", "list", "--sort", "-id", "--limit", "50"]);
            }
            runs
        });
        (
            creating.map(|runs| runs.join().unwrap()),
            updating.join().unwrap(),
            listing.join().unwrap(),
        )
    });
    let served = load.progress();
    let mut book = Book::default();
    book.enter(load.end());
    let mut writing = creating.into_iter().fold(updating, |mut all, runs| {
        all.leads.extend(runs.leads);
        all.times.extend(runs.times);
        all.failures.extend(runs.failures);
        all
    });
    let mut reading = listing;
    let (written, longest) = distribution(&mut writing.times);
    say(&format!(
        "{time:?} of contention: {served} writes served, {} written by commands ({written}), {} lists by commands ({})",
        writing.times.len(),
        reading.times.len(),
        distribution(&mut reading.times).0
    ));
    let failures = writing.failures.iter().chain(&reading.failures);
    let failures: Vec<&Run> = failures.collect();
    assert!(
        failures.is_empty(),
        "{} commands failed: {failures:#?}",
        failures.len()
    );
    book.enter(writing.leads);
    let lost = book.compare(&home, "crm.db");
    assert!(lost.is_empty(), "lost {lost:?}");
    assert_eq!(integrity(&home.path("crm.db")), "ok");
    let (status, log) = server.stop();
    assert_eq!((status.code(), log.as_str()), (Some(0), ""));
    assert!(longest <= LONGEST, "a command's write took {longest:?}");
}
