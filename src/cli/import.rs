//! `crm NOUN import`: makes records of the rows of a file.
//!
//! It is one stream of lines of a bulk request, so each row is done by itself, all changes are one group that one `crm undo`
//! takes back, and what is done stays done if the command is interrupted. The same command then goes on.

use std::io::{self, IsTerminal, Write as _};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::ArgMatches;
use tokio::sync::watch;

use super::open::{Wants, open};
use super::say::{complain, say};
use super::session::{Ended, OfNoun, Session};
use super::signals;
use crate::base::error::{Code, Error, Result};
use crate::config::{Format, Location, Settings, without_password};
use crate::import::draft::{Key, Refusal};
use crate::import::format::FileFormat;
use crate::import::mapping::Target;
use crate::import::opened::Opened;
use crate::import::rejects::Rejects;
use crate::model::lead::OnDuplicate;
use crate::model::noun::Noun;
use crate::ops::bulk::End;
use crate::output::{self, Bar, Look, Stop};
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use asked::Import;
use dry::Dry;
use resume::Resume;
use round::Round;
use tally::{NO_ADDRESS, Tally, grouped};

mod asked;
mod dry;
mod feed;
mod resume;
mod round;
mod tally;
mod words;

pub(super) const IMPORT: OfNoun = OfNoun {
    name: "import",
    words: words::command,
    run,
};

/// The exit code if some rows were refused.
const SOME_REFUSED: u8 = 8;

/// With more rows than this without an address, the command asks at a terminal.
const FEW: u64 = 10;

/// How often an import over a network goes on by itself after the connection has broken.
const TRIES: u32 = 5;

/// Runs the command.
fn run(session: &Session<'_>, noun: &'static Noun, matches: &ArgMatches) -> Ended {
    let import = Import::read(noun, matches)?;
    let settings = session.settings()?;
    let zone = settings.zone()?;
    if let Some(rejects) = &import.rejects
        && same_file(rejects, &import.path)
    {
        return Err(Error::invalid(
            "--rejects: expected a file other than the one that is imported",
        )
        .into());
    }
    let opened = Opened::open(&import.path, noun, &import.said, zone)?;
    import.check(&opened)?;
    let look = Session::look(&settings);
    if !import.quiet {
        say(&format!("note: {}; its columns become:", opened.told()));
        for line in opened.mapping.lines(&opened.columns) {
            say(&format!("  {line}"));
        }
    }
    if !import.dry_run && !import.yes && !import.asks(&opened)? {
        say("nothing was changed");
        return Ok(1);
    }
    let data_folder = session.around.data_folder.clone();
    session.block_on(async {
        let wants = match import.dry_run {
            true => Wants::Read,
            false => Wants::Make,
        };
        let store = open(&settings, wants).await?;
        let ended = match import.dry_run {
            true => import.plan(opened, &store, look).await,
            false => {
                let target = target(&settings);
                let parts = [
                    &opened.source.digest[..],
                    import.identity.as_bytes(),
                    target.as_bytes(),
                    zone.name().as_bytes(),
                ];
                let resume = Resume::find(data_folder.as_deref(), &parts, import.anew)?;
                import.apply(opened, &store, &settings, look, resume).await
            }
        };
        let closed = store.close().await;
        let code = ended?;
        closed?;
        Ok(code)
    })
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// The name of the database, by which an interrupted import is found again.
fn target(settings: &Settings) -> String {
    match &settings.target.value {
        Location::Database(path) => match path.canonicalize() {
            Ok(path) => path.display().to_string(),
            Err(_) => std::path::absolute(path)
                .unwrap_or_else(|_| path.clone())
                .display()
                .to_string(),
        },
        Location::Postgres(url) => without_password(url),
        Location::Url(url) => url.clone(),
    }
}

impl Import {
    /// Refuses a file that cannot have what is needed.
    fn check(&self, opened: &Opened) -> Result<()> {
        let mapping = &opened.mapping;
        let is_table = matches!(opened.format, FileFormat::Csv(_));
        let is_missing = match &self.key {
            Key::None => None,
            Key::Email => {
                let at = self
                    .noun
                    .email()
                    .and_then(|field| self.noun.position(field.name));
                at.filter(|at| !mapping.has(&Target::Field(*at)))
                    .map(|_| "an e-mail address".to_string())
            }
            Key::Own(key) => {
                let targets = [false, true].map(|is_json| Target::Own {
                    key: key.clone(),
                    is_json,
                });
                (!targets.iter().any(|target| mapping.has(target)))
                    .then(|| format!("attributes.{key}"))
            }
            Key::Id => (!mapping.has(&Target::Id)).then(|| "the id".to_string()),
        };
        match is_missing.filter(|_| is_table) {
            None => Ok(()),
            Some(what) => Err(Error::invalid(format!(
                "{}: no column has {what}; name it with --map 'COLUMN={}'; the columns are {}",
                opened.source.name,
                match &self.key {
                    Key::Own(key) => format!("attributes.{key}"),
                    Key::Id => "id".into(),
                    _ => "email".into(),
                },
                opened.columns.names().join(", ")
            ))),
        }
    }

    /// Asks at a terminal, if many rows have no address. Returns whether to go on.
    fn asks(&self, opened: &Opened) -> Result<bool> {
        let is_asked =
            self.key == Key::Email && io::stdin().is_terminal() && io::stderr().is_terminal();
        if !is_asked || self.path.as_os_str() == "-" {
            return Ok(true);
        }
        let mut again = Opened::open(&self.path, self.noun, &self.said, &opened.mapping.zone)?;
        let mut rows = again.rows()?;
        let (mut all, mut without) = (0, 0);
        while let Some(row) = rows.next_row()? {
            all += 1;
            let made = again.make(rows.columns(), &self.key, &row);
            without += u64::from(matches!(made, Err(Refusal::NoAddress)));
        }
        if without <= FEW {
            return Ok(true);
        }
        let kept = match &self.rejects {
            Some(path) => format!("they go to {}", path.display()),
            None => "--rejects FILE keeps them".into(),
        };
        say(&format!(
            "{} of {} rows have {NO_ADDRESS} and will be refused; {kept}",
            grouped(without),
            grouped(all)
        ));
        let _ = write!(io::stderr(), "Import the others? [y/N] ");
        let mut answer = String::new();
        io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Error::failed(format!("standard input: {error}")))?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Says what would be done.
    async fn plan(&self, opened: Opened, store: &AnyStore, look: Look) -> Ended {
        let size = opened.source.size;
        let mut rejects = self
            .rejects
            .as_ref()
            .map(|path| Rejects::new(path, opened.format));
        let columns = opened.columns.clone();
        let mut reading = feed::read(opened, self.manner());
        let mut dry = Dry::new(
            store.clone(),
            self.noun,
            self.key.clone(),
            self.on_duplicate,
        );
        let bar = Bar::telling(!self.quiet);
        let mut tally = Tally::default();
        while let Some(batch) = reading.batches.recv().await {
            let mut items = batch?;
            dry.plan(&mut items, &mut tally).await?;
            for item in &items {
                if let (Some(rejects), Err(refusal)) = (&mut rejects, &item.made) {
                    rejects.add(&columns, &item.row, refusal.told())?;
                }
            }
            let told = format!("looking at {} rows", grouped(tally.rows));
            bar.tell(told, reading.position.load(Ordering::Relaxed), size);
        }
        drop(bar);
        if let Some(rejects) = &mut rejects {
            rejects.end()?;
        }
        if look.format == Format::Table {
            let mut out = io::stdout().lock();
            for (word, first) in &tally.first {
                for (line, what) in first {
                    output::line(&mut out, &format!("{word}: line {line}: {what}"))?;
                }
            }
            for (kind, (count, first)) in &tally.reasons {
                for (line, told) in first {
                    output::line(&mut out, &format!("refused: line {line}: {told}"))?;
                }
                if *count > first.len() as u64 {
                    let more = grouped(*count - first.len() as u64);
                    output::line(&mut out, &format!("refused: and {more} more: {kind}"))?;
                }
            }
        }
        self.report(&tally, look, None, None, rejects.as_ref())?;
        Ok(code(&tally))
    }

    /// Does it.
    async fn apply(
        &self,
        opened: Opened,
        store: &AnyStore,
        settings: &Settings,
        look: Look,
        mut resume: Resume,
    ) -> Ended {
        if resume.goes_on && resume.is_old {
            if self.on_duplicate == OnDuplicate::Create {
                return Err(Error::new(
                    Code::Conflict,
                    "an import of this file was interrupted more than a day ago, and what it has done is no longer known; \
                     undo that, and begin with --anew",
                )
                .into());
            }
            resume.begin()?;
        }
        if resume.goes_on && !self.quiet {
            say(
                "note: this goes on with an import of the same file that was interrupted; --anew does not",
            );
        }
        let (stop, stopped) = watch::channel(false);
        let signal = signals::stopped()?;
        let (tell, mut told) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let code = signal.await;
            let _ = tell.send(code);
            let _ = stop.send(true);
            // Keeps the channel open.
            std::future::pending::<()>().await;
        });
        let mut tries = 0;
        let mut opened = Some(opened);
        loop {
            let file = match opened.take() {
                Some(opened) => opened,
                None => Opened::open(&self.path, self.noun, &self.said, settings.zone()?)?,
            };
            let mut round = Round::new(self, &file);
            let ended = round
                .run(file, store, settings, &resume, stopped.clone())
                .await;
            let by_signal = told.try_recv().ok();
            let Round {
                tally, mut rejects, ..
            } = round;
            if let Some(rejects) = &mut rejects {
                rejects.end()?;
            }
            let (end, error) = match ended {
                Ok(mut end) => {
                    let error = end.error.take();
                    (end, error)
                }
                Err(error) => (End::default(), Some(error)),
            };
            let group = end.group;
            // Whether this run has only heard again what an interrupted one has done.
            let is_old_news = resume.goes_on && end.counts.replayed == end.counts.lines;
            let Some(error) = error else {
                // The interrupted one was done, and may have been taken back since.
                let is_harmless =
                    matches!(self.on_duplicate, OnDuplicate::Update | OnDuplicate::Skip);
                if is_old_news && is_harmless && !matches!(self.key, Key::None) {
                    resume.begin()?;
                    continue;
                }
                resume.done();
                self.report(&tally, look, group, None, rejects.as_ref())?;
                return Ok(code(&tally));
            };
            if let Some(code) = by_signal {
                let why =
                    Error::failed("stopped: what is done stays, and the same command goes on");
                self.report(&tally, look, group, Some(&why), rejects.as_ref())?;
                return Ok(code);
            }
            // Its group was taken back, or the rows are made in another way today.
            let is_foreign = matches!(error.code, Code::Conflict | Code::KeyReused);
            if is_old_news && is_foreign {
                say(&format!(
                    "note: the interrupted import cannot go on ({}); it begins anew",
                    error.message
                ));
                resume.begin()?;
                continue;
            }
            let is_passing = matches!(
                error.code,
                Code::Unreachable | Code::Unavailable | Code::Unknown
            );
            let can_repeat = self.path.as_os_str() != "-";
            if is_passing && can_repeat && tally.rows > 0 && tries < TRIES {
                tries += 1;
                let pause = Duration::from_millis(500 << tries);
                tokio::time::sleep(pause).await;
                continue;
            }
            if tally.rows == 0 {
                if !is_passing {
                    resume.done();
                }
                return Err(error.into());
            }
            self.report(&tally, look, group, Some(&error), rejects.as_ref())?;
            return Ok(error.code.exit());
        }
    }

    /// Says what was done, or would be. The last line has the counts, and the command that takes it back.
    fn report(
        &self,
        tally: &Tally,
        look: Look,
        group: Option<i64>,
        error: Option<&Error>,
        rejects: Option<&Rejects>,
    ) -> Result<(), Stop> {
        if !self.dry_run && !self.quiet {
            for line in tally.reasons() {
                say(&line);
            }
        }
        let kept = rejects.filter(|rejects| rejects.count() > 0);
        if let Some(error) = error {
            complain(look.format, error);
        }
        if look.format != Format::Table {
            let reasons: serde_json::Map<String, serde_json::Value> = tally
                .reasons
                .iter()
                .map(|(kind, (count, _))| (kind.clone(), (*count).into()))
                .collect();
            let mut said: Vec<(&str, serde_json::Value)> = vec![
                ("group", group.into()),
                ("rows", tally.rows.into()),
                ("created", tally.created.into()),
                ("updated", tally.updated.into()),
                ("unchanged", tally.unchanged.into()),
                ("skipped", tally.skipped.into()),
                ("refused", tally.refused.into()),
                ("reasons", reasons.into()),
            ];
            if self.dry_run {
                said[0] = ("dry_run", true.into());
            }
            return output::summary(io::stdout().lock(), look, &said);
        }
        let mut line = tally.told(self.dry_run);
        match kept {
            Some(rejects) => line += &format!(" (see {})", rejects.path().display()),
            None if tally.refused > 0 => line += " (--rejects FILE keeps those rows)",
            None => {}
        }
        if let Some(group) = group {
            line += &format!("; take it back with: crm undo {group}");
        }
        output::line(io::stdout().lock(), &line)
    }
}

fn code(tally: &Tally) -> u8 {
    match tally.refused {
        0 => 0,
        _ => SOME_REFUSED,
    }
}
