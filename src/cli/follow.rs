//! `crm changes --follow`: prints each change as it is made. `--exec` runs a command for each instead.
//!
//! A command gets a change as one line of JSON on its standard input, and the next one begins when it has ended. After each, the
//! cursor is written to the file of `--cursor` and synced. So after a crash at any moment, at most one change is
//! repeated and none is left out. Without a command, `--cursor` remembers what was printed.

use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches};
use tokio::time::sleep;

use super::cursor_file::CursorFile;
use super::ids::in_filters;
use super::say::say;
use super::session::Ended;
use super::several::shown;
use super::signals::stopped;
use crate::base::error::{Code, Error, Result, quoted};
use crate::base::time::Zone;
use crate::config::Format;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::output::{Extent, Look, Page, Printer};
use crate::store::any::AnyStore;
use crate::store::follow::{Followed, Follower};

/// The longest pause before a lost connection is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often the cursor is written while no change meets the filters.
const PLACE_INTERVAL: Duration = Duration::from_secs(15);

/// The flags.
pub(super) fn args() -> [Arg; 3] {
    [
        Arg::new("follow")
            .long("follow")
            .action(ArgAction::SetTrue)
            .help("Wait for further changes and print each as it is made, from the end on unless --after is given"),
        Arg::new("exec")
            .long("exec")
            .value_name("CMD")
            .help("Run this shell command for each change, with the change as a line of JSON on its standard input; stop when it fails"),
        Arg::new("cursor")
            .long("cursor")
            .value_name("FILE")
            .value_parser(ValueParser::path_buf())
            .help("Remember in this file up to which change all were printed, or the command of --exec has succeeded, and begin there"),
    ]
}

/// What is to be followed, and how.
pub(super) struct Follow {
    noun: &'static Noun,
    pairs: Vec<(String, String)>,
    after: Option<String>,
    fields: Option<String>,
    limit: Option<u64>,
    waits: bool,
    /// The command for each change.
    command: Option<String>,
    cursor: Option<PathBuf>,
}

impl Follow {
    /// Reads the flags. `None` if a list is asked for.
    pub(super) fn read(
        noun: &'static Noun,
        matches: &ArgMatches,
        pairs: &[(String, String)],
    ) -> Result<Option<Follow>> {
        if !noun.is_feed() {
            return Ok(None);
        }
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        let (waits, command) = (matches.get_flag("follow"), text("exec"));
        let cursor = matches.get_one::<PathBuf>("cursor").cloned();
        let flag = match (waits, &command, &cursor) {
            (true, ..) => "--follow",
            (_, Some(_), _) => "--exec",
            (_, _, Some(_)) => "--cursor",
            (false, None, None) => return Ok(None),
        };
        let refuse = |other: &str| {
            Err(Error::invalid(format!(
                "{flag}: expected no {other} with it"
            )))
        };
        if matches.get_flag("count") {
            return refuse("--count");
        }
        if pairs.iter().any(|pair| pair.0 == "sort") {
            return refuse("--sort");
        }
        let limit = text("limit");
        if waits && limit.is_some() {
            return refuse("--limit");
        }
        let limit = limit.map(|text| {
            let limit = text.parse().ok().filter(|limit| *limit > 0);
            limit.ok_or_else(|| {
                let got = quoted(&text);
                Error::field(
                    "limit",
                    format!("expected a whole number from 1, got {got}"),
                )
            })
        });
        let (after, pairs): (Vec<_>, Vec<_>) =
            pairs.iter().cloned().partition(|pair| pair.0 == "after");
        Ok(Some(Follow {
            noun,
            pairs,
            after: after.into_iter().next().map(|pair| pair.1),
            fields: text("show"),
            limit: limit.transpose()?,
            waits,
            command,
            cursor,
        }))
    }

    /// Follows until it is stopped, or up to the end.
    pub(super) async fn run(mut self, store: &AnyStore, look: Look, zone: &Zone) -> Ended {
        if self.waits && self.command.is_none() && look.format == Format::Json {
            return Err(Error::invalid(
                "--follow: expected another format than json, whose array has an end; -o ndjson prints one change a line",
            )
            .into());
        }
        let shown = shown(self.noun, self.fields.as_deref())?;
        in_filters(store, self.noun, &mut self.pairs).await?;
        let mut file = None;
        if let Some(path) = &self.cursor {
            let (opened, cursor) = CursorFile::open(path)?;
            file = Some(opened);
            self.after = cursor.or(self.after.take());
        }
        let begun = Follower::begin(
            store.clone(),
            self.noun,
            std::mem::take(&mut self.pairs),
            self.after.take(),
            self.waits,
        );
        let follower = begun.await.map_err(|error| gone(error, file.as_ref()))?;
        match self.command.take() {
            Some(command) => self.execute(follower, &command, file, shown).await,
            None => self.print(follower, file, look, zone, shown).await,
        }
    }

    /// Prints each change.
    async fn print(
        self,
        mut follower: Follower,
        mut file: Option<CursorFile>,
        look: Look,
        zone: &Zone,
        shown: Option<Shown>,
    ) -> Ended {
        let page = Page::new(look, None);
        let printer = Printer::records(page, look, self.noun, shown, Extent::Many).in_zone(zone);
        let mut printer = match self.waits {
            true => printer.line_by_line(),
            false => printer,
        };
        if self.waits {
            save(file.as_mut(), follower.cursor())?;
        }
        let (mut lost, mut saved, mut count) = (Lost::default(), Instant::now(), 0);
        loop {
            let next = lost.next(&mut follower).await;
            match next.map_err(|error| gone(error, file.as_ref()))? {
                Some(Followed::Change(record, cursor)) => {
                    printer.record(&record)?;
                    count += 1;
                    if self.waits {
                        printer.flush()?;
                        save(file.as_mut(), Some(&cursor))?;
                        saved = Instant::now();
                    }
                    if self.limit == Some(count) {
                        break;
                    }
                }
                Some(Followed::Place(cursor)) => {
                    if self.waits && saved.elapsed() >= PLACE_INTERVAL {
                        save(file.as_mut(), Some(&cursor))?;
                        saved = Instant::now();
                    }
                }
                None => break,
            }
        }
        // Only what has left this process counts as printed.
        let (_, page) = printer.finish()?;
        page.end().await?;
        save(file.as_mut(), follower.cursor())?;
        Ok(0)
    }

    /// Runs the command for each change.
    async fn execute(
        self,
        mut follower: Follower,
        command: &str,
        mut file: Option<CursorFile>,
        shown: Option<Shown>,
    ) -> Ended {
        let shown = shown.unwrap_or_else(|| Shown::all(self.noun));
        let mut stopped = pin!(stopped()?);
        // Without a place, a crash before the first change would leave out what is changed meanwhile.
        save(file.as_mut(), follower.cursor())?;
        let (mut lost, mut saved, mut count) = (Lost::default(), Instant::now(), 0);
        loop {
            let next = tokio::select! {
                biased;
                code = &mut stopped => {
                    save(file.as_mut(), follower.cursor())?;
                    return Ok(code);
                }
                next = lost.next(&mut follower) => next,
            };
            match next.map_err(|error| gone(error, file.as_ref()))? {
                Some(Followed::Change(record, cursor)) => {
                    let ran = run(command, &record, &shown, stopped.as_mut()).await?;
                    if let Ran::Stopped(code) = ran {
                        return Ok(code);
                    }
                    save(file.as_mut(), Some(&cursor))?;
                    saved = Instant::now();
                    count += 1;
                    if let Ran::DoneAndStopped(code) = ran {
                        return Ok(code);
                    }
                    if self.limit == Some(count) {
                        return Ok(0);
                    }
                }
                Some(Followed::Place(cursor)) => {
                    if !self.waits || saved.elapsed() >= PLACE_INTERVAL {
                        save(file.as_mut(), Some(&cursor))?;
                        saved = Instant::now();
                    }
                }
                None => return Ok(0),
            }
        }
    }
}

/// Adds what to do about a cursor that can no longer be read on from.
fn gone(mut error: Error, file: Option<&CursorFile>) -> Error {
    if let (Code::Gone, Some(file)) = (error.code, file) {
        let file = file.path().display();
        error.message = format!(
            "{file}: {}; delete the file to begin without a cursor",
            error.message
        );
    }
    error
}

/// A connection that is tried again when it is lost.
#[derive(Default)]
struct Lost {
    /// How often in a row.
    tries: u32,
}

impl Lost {
    /// The next step of a follower. Waits and tries again if the store cannot be reached at the moment. Says so once.
    async fn next(&mut self, follower: &mut Follower) -> Result<Option<Followed>> {
        loop {
            match follower.next().await {
                Err(error) if is_passing(error.code) => {
                    if self.tries == 0 {
                        say(&format!("note: {error}; trying again until it works"));
                    }
                    // The first pause is as short as the restart of a server.
                    let pause = Duration::from_millis(500) * 2_u32.pow(self.tries.min(6));
                    self.tries += 1;
                    sleep(pause.min(LONGEST_PAUSE)).await;
                }
                next => {
                    if next.is_ok() {
                        self.tries = 0;
                    }
                    return next;
                }
            }
        }
    }
}

/// Whether the store may be reached later.
fn is_passing(code: Code) -> bool {
    matches!(code, Code::Unreachable | Code::Unavailable | Code::Limited)
}

/// How the command for a change ended.
enum Ran {
    /// It succeeded.
    Done,
    /// It succeeded, and a signal ends this process with this exit code.
    DoneAndStopped(u8),
    /// It failed by a signal that ends this process, too.
    Stopped(u8),
}

/// Runs the command with a change. Once it runs, it is waited for: a signal ends this process after it.
async fn run(
    command: &str,
    change: &Record,
    shown: &Shown,
    mut stopped: Pin<&mut impl Future<Output = u8>>,
) -> Result<Ran> {
    let mut line = Vec::new();
    change.write_json(shown, &mut line);
    line.push(b'\n');
    let shell = command.to_string();
    let mut ended = tokio::task::spawn_blocking(move || with_input(&shell, &line));
    let mut code = None;
    let status = loop {
        tokio::select! {
            ended = &mut ended => break ended.map_err(Error::internal)?,
            by = stopped.as_mut(), if code.is_none() => code = Some(by),
        }
    };
    let why = match (status, code) {
        (Ok(status), None) if status.success() => return Ok(Ran::Done),
        (Ok(status), Some(code)) if status.success() => return Ok(Ran::DoneAndStopped(code)),
        // Ctrl-C reaches the command, too.
        (_, Some(code)) => return Ok(Ran::Stopped(code)),
        (Ok(status), None) => format!("the command ended with {status}"),
        (Err(error), None) => format!("the command cannot be run: {error}"),
    };
    let seq = change.id();
    Err(Error::failed(format!(
        "--exec: {why} at the change {seq}, which counts as not done"
    )))
}

/// Runs a shell command with this on its standard input. It need not read it.
fn with_input(command: &str, input: &[u8]) -> std::io::Result<ExitStatus> {
    let mut shell = Command::new("sh");
    let mut child = shell.args(["-c", command]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // It may end without reading.
        let _ = pipe.write_all(input);
    }
    child.wait()
}

/// Writes a cursor to the file, if there are both.
fn save(file: Option<&mut CursorFile>, cursor: Option<&str>) -> Result<()> {
    match (file, cursor) {
        (Some(file), Some(cursor)) => file.save(cursor),
        _ => Ok(()),
    }
}
