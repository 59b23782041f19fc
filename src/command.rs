//! What each command does with a store, whichever store it is.

use std::io::{self, BufRead, IsTerminal, Read, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap_complete::Shell;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Level;

use crate::base::error::{Code, Error};
use crate::base::log;
use crate::cli::{self, Source, TokenVerb, Verb};
use crate::config::{
    self, Asker, Backups, Flags, Format, Listen, Location, Origin, Service, Settings, Surroundings,
    find_token, parse_end, table, without_password,
};
use crate::manual::{self, topics};
use crate::model::draft::{Draft, Purpose};
use crate::model::lead::OnDuplicate;
use crate::model::query::Query;
use crate::model::record::{LARGEST, Noun, Shown, too_large};
use crate::model::terms::{Terms, Versions, etag};
use crate::model::token::{self, NewToken, Secret, Token};
use crate::net::certificate::{Certificate, CertificateFault};
use crate::net::limits::ConnectionLimits;
use crate::net::peer::Proxies;
use crate::net::settings::ConnectionSettings;
use crate::ops::Records;
use crate::ops::create_token::CreateToken;
use crate::ops::delete::Delete;
use crate::ops::revoke_token::RevokeToken;
use crate::ops::update::Update;
use crate::output::{self, Bar, Extent, Look, Printer, Stop, Terminal};
use crate::server::gate::Policy;
use crate::server::limit::RequestLimits;
use crate::server::{self, cors::Cors};
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use crate::store::copy;
use crate::store::postgres::{self, Postgres};
use crate::store::remote::Remote;
use crate::store::sqlite::backup::{self, Content, Stage};
use crate::store::sqlite::restore;
use crate::store::sqlite::schedule::{self, Schedule};
use crate::store::sqlite::{self, Sqlite, Work, check};

/// How a command ended, when it could say everything itself: its exit code.
pub type Ended = Result<u8, Stop>;

/// A verb on a noun.
pub async fn verb(settings: &Settings, noun: &'static Noun, verb: Verb) -> Ended {
    let does = Doing {
        look: look(settings),
        noun,
    };
    let work = match verb {
        Verb::Create { .. } => Wants::Make,
        Verb::Get { .. } | Verb::List { .. } => Wants::Read,
        Verb::Update { .. } | Verb::Delete { .. } => Wants::Write,
    };
    let store = open(settings, work).await?;
    let ended = match verb {
        Verb::Create {
            source,
            on_duplicate,
            fields,
        } => does.create(&store, source, on_duplicate, fields).await,
        Verb::Get {
            ids, etag: true, ..
        } => does.etags(&store, &ids).await,
        Verb::Get { ids, fields, .. } => does.get(&store, &ids, fields).await,
        Verb::List {
            pairs,
            limit,
            count: true,
            ..
        } => does.count(&store, pairs, limit).await,
        Verb::List {
            pairs,
            limit,
            fields,
            ..
        } => does.list(&store, pairs, limit, fields).await,
        Verb::Update {
            ids,
            source,
            fields,
            versions,
        } => does.update(&store, &ids, source, fields, versions).await,
        Verb::Delete {
            ids,
            yes,
            cascade,
            versions,
        } => does.delete(&store, &ids, yes, cascade, versions).await,
    };
    let closed = store.close().await;
    let code = ended?;
    closed?;
    Ok(code)
}

/// What a command wants of a store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// It may have to be made.
    Make,
    Read,
    Write,
}

/// What a server is shown.
fn secret(settings: &Settings) -> Option<&Secret> {
    settings.token.as_ref().map(|token| &token.value)
}

/// `crm token`
pub async fn token(settings: &Settings, verb: TokenVerb) -> Ended {
    let wants = match verb {
        TokenVerb::Create { .. } => Wants::Make,
        TokenVerb::List => Wants::Read,
        TokenVerb::Revoke(_) => Wants::Write,
    };
    let store = open(settings, wants).await?;
    let look = look(settings);
    let ended = match verb {
        TokenVerb::Create {
            name,
            scope,
            expires,
        } => {
            let new = NewToken {
                name,
                scope,
                expires,
                asker: None,
            };
            store
                .write(CreateToken::new(new), Terms::default())
                .await
                .map_err(Stop::from)
                .and_then(|outcome| show_token(look, outcome.done))
        }
        TokenVerb::List => match store.tokens().await {
            Ok(tokens) => output::tokens(io::stdout().lock(), look, &tokens),
            Err(error) => Err(error.into()),
        },
        TokenVerb::Revoke(name) => match store
            .write(RevokeToken::new(name.clone()), Terms::default())
            .await
        {
            Ok(_) => {
                let said = [("name", name.into()), ("message", "Token revoked".into())];
                output::summary(io::stdout().lock(), look, &said)
            }
            Err(error) => Err(error.into()),
        },
    };
    let closed = store.close().await;
    ended?;
    closed?;
    Ok(0)
}

/// Prints a new token: for people and scripts the secret alone.
fn show_token(look: Look, (token, secret): (Token, Secret)) -> output::Result {
    match look.format {
        Format::Table | Format::Id => {
            print(format!("{}\n", secret.text()).as_bytes())?;
            // Nobody has to be told who has it in a file.
            if !io::stdout().is_terminal() {
                return Ok(());
            }
            let until = token
                .expires_at
                .as_ref()
                .map_or_else(String::new, |at| format!(" until {at} UTC"));
            say(&format!(
                "the token {} of the scope {} is valid{until}; it is shown this once",
                token.name,
                token.scope.word()
            ));
            Ok(())
        }
        Format::Json | Format::Ndjson | Format::Csv => {
            let said = [
                ("name", (&*token.name).into()),
                ("scope", token.scope.word().into()),
                ("start", token.start.into()),
                ("created_at", token.created_at.into()),
                ("expires_at", token.expires_at.into()),
                ("token", secret.text().into()),
            ];
            output::summary(io::stdout().lock(), look, &said)
        }
    }
}

/// Opens the store that the settings name.
async fn open(settings: &Settings, wants: Wants) -> Result<AnyStore, Stop> {
    match &settings.target.value {
        Location::Url(url) => Ok(AnyStore::connect(url, secret(settings))?),
        // As with a file below: a name with a slip in it would look like an empty database.
        Location::Postgres(url) if wants == Wants::Make => {
            Ok(AnyStore::Postgres(Postgres::open(url, 1).await?))
        }
        Location::Postgres(url) => Ok(AnyStore::Postgres(Postgres::open_existing(url, 1).await?)),
        Location::Database(path) => {
            if settings.explicit() && wants != Wants::Make {
                // A name with a slip in it would otherwise look like an empty database.
                there(path)?;
            }
            settings.create_default_folder()?;
            let work = match wants {
                Wants::Read => Work::Reading,
                Wants::Make | Wants::Write => Work::Command,
            };
            let (store, notice) = AnyStore::open(path, work)?;
            if let Some(notice) = notice {
                say(&notice);
            }
            Ok(store)
        }
    }
}

/// The terms of a write that is asked for under these versions.
fn under(versions: &Option<Versions>) -> Terms {
    Terms {
        versions: versions.clone(),
        key: None,
    }
}

/// Fails where there is no such database.
fn there(path: &Path) -> Result<(), Error> {
    match path.exists() {
        true => Ok(()),
        false => Err(Error::failed(format!(
            "{}: there is no such database; `crm serve` and the create commands make one",
            path.display()
        ))),
    }
}

/// A line on standard error. Nobody may be reading it, which stops nothing. That of a service goes into its log.
pub fn say(line: &str) {
    if let Some(log) = log::current() {
        return log.say(line);
    }
    // In one write, or the lines of commands that run side by side would get into one another.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Prints an error to standard error.
pub fn complain(format: Format, error: &Error) {
    match log::current().filter(|log| log.form() == log::Form::Json) {
        Some(log) => log.message(Level::ERROR, &error.message),
        None => {
            let text = output::error(format, Terminal::stderr().color, error);
            // A token that was given in the wrong place is not to be shown to whoever looks on.
            say(&token::hidden(&text));
        }
    }
}

/// A command on a noun.
struct Doing {
    look: Look,
    noun: &'static Noun,
}

impl Doing {
    fn shown(&self, fields: Option<&str>) -> Result<Option<Shown>, Error> {
        fields
            .map(|fields| Shown::parse(self.noun, fields))
            .transpose()
    }

    fn printer(&self, shown: Option<Shown>, extent: Extent) -> Printer<io::StdoutLock<'static>> {
        Printer::records(io::stdout().lock(), self.look, self.noun, shown, extent)
    }

    async fn create(
        &self,
        store: &AnyStore,
        source: Source,
        on_duplicate: OnDuplicate,
        fields: Option<String>,
    ) -> Ended {
        let shown = self.shown(fields.as_deref())?;
        let draft = self.draft(source, Purpose::Create)?;
        let saved = store.create(draft, on_duplicate).await?;
        let mut printer = self.printer(shown, Extent::One);
        printer.record(&saved.record)?;
        printer.end()?;
        Ok(0)
    }

    fn draft(&self, source: Source, purpose: Purpose) -> Result<Draft, Error> {
        let draft = match source {
            Source::Flags(draft) if purpose == Purpose::Update && draft.is_empty() => {
                return Err(Error::invalid(
                    "nothing to change: expected a field's flag, --set, --unset, --clear or --json",
                ));
            }
            Source::Flags(draft) => draft,
            Source::Json(path) => Draft::from_json(self.noun, &read(&path)?, purpose)?,
        };
        draft.readable(purpose)?;
        match draft.to_json().len() > LARGEST {
            true => Err(too_large(LARGEST)),
            false => Ok(draft),
        }
    }

    /// Does something with each id by itself, in order, and goes on after a failure. Ends with the first failure's code.
    async fn each<W: io::Write>(
        &self,
        ids: &[String],
        mut printer: Printer<W>,
        mut act: impl AsyncFnMut(i64, &mut Printer<W>) -> Result<(), Stop>,
    ) -> Ended {
        let mut code = 0;
        for given in ids {
            let acted = match self.noun.parse_id(given) {
                Ok(id) => act(id, &mut printer).await,
                Err(error) => Err(error.into()),
            };
            match acted {
                Ok(()) => {}
                Err(Stop::ClosedPipe) => return Err(Stop::ClosedPipe),
                Err(Stop::Failed(mut error)) => {
                    printer.flush()?;
                    if ids.len() > 1 {
                        error.message = format!("{} {given}: {}", self.noun.name, error.message);
                    }
                    complain(self.look.format, &error);
                    if code == 0 {
                        code = error.code.exit();
                    }
                    // Nothing that follows could be reached either.
                    if error.code == Code::Unreachable {
                        break;
                    }
                }
            }
        }
        printer.end()?;
        Ok(code)
    }

    async fn get(&self, store: &AnyStore, ids: &[String], fields: Option<String>) -> Ended {
        let shown = self.shown(fields.as_deref())?;
        let ids = expand(ids)?;
        let printer = self.printer(shown, extent(&ids));
        self.each(&ids, printer, async |id, printer| {
            printer.record(&store.get(self.noun, id).await?)
        })
        .await
    }

    async fn etags(&self, store: &AnyStore, ids: &[String]) -> Ended {
        let ids = expand(ids)?;
        let printer = Printer::etags(io::stdout().lock(), self.look, self.noun, extent(&ids));
        self.each(&ids, printer, async |id, printer| {
            let record = store.get(self.noun, id).await?;
            printer.etag(id, &etag(record.version()))
        })
        .await
    }

    async fn update(
        &self,
        store: &AnyStore,
        ids: &[String],
        source: Source,
        fields: Option<String>,
        versions: Option<Versions>,
    ) -> Ended {
        if matches!(&source, Source::Json(path) if path.as_os_str() == "-")
            && ids.iter().any(|id| id == "-")
        {
            return Err(Error::invalid(
                "--json: standard input can be read for the ids or for the record, not for both",
            )
            .into());
        }
        let shown = self.shown(fields.as_deref())?;
        let draft = self.draft(source, Purpose::Update)?;
        let ids = expand(ids)?;
        let printer = self.printer(shown, extent(&ids));
        self.each(&ids, printer, async |id, printer| {
            let write = Update::new(id, draft.clone());
            let outcome = store.write(write, under(&versions)).await?;
            printer.record(&outcome.done.record)
        })
        .await
    }

    async fn delete(
        &self,
        store: &AnyStore,
        ids: &[String],
        yes: bool,
        cascade: bool,
        versions: Option<Versions>,
    ) -> Ended {
        let piped = ids.iter().any(|id| id == "-");
        if !yes {
            if piped || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
                return Err(Error::invalid(
                    "delete: expected --yes, as there is no terminal to ask on",
                )
                .into());
            }
            if !self.confirmed(ids, cascade)? {
                say("nothing was deleted");
                return Ok(1);
            }
        }
        let ids = expand(ids)?;
        let printer = Printer::deletions(io::stdout().lock(), self.look, self.noun, extent(&ids));
        self.each(&ids, printer, async |id, printer| {
            let delete = Delete::new(self.noun, id, cascade);
            store.write(delete, under(&versions)).await?;
            printer.deleted(id)
        })
        .await
    }

    fn confirmed(&self, ids: &[String], cascade: bool) -> Result<bool, Stop> {
        let what = match ids {
            [id] => format!("{} {id}", self.noun.name),
            ids => format!("{} {} ({})", ids.len(), self.noun.plural, ids.join(", ")),
        };
        let with = if cascade {
            " with all actions and processes"
        } else {
            ""
        };
        // Terminal escapes have no place in a question that is answered with y.
        let what: String = what.chars().filter(|letter| !letter.is_control()).collect();
        let _ = write!(io::stderr(), "Delete {what}{with}? [y/N] ");
        let mut answer = String::new();
        io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Error::failed(format!("standard input: {error}")))?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    async fn count(
        &self,
        store: &AnyStore,
        mut pairs: Vec<(String, String)>,
        limit: Option<String>,
    ) -> Ended {
        if limit.is_some() || pairs.iter().any(|pair| pair.0 == "after") {
            return Err(Error::invalid(
                "--count: expected no --limit or --after beside it, it counts all pages",
            )
            .into());
        }
        pairs.push(("count".into(), "true".into()));
        pairs.push(("limit".into(), "1".into()));
        let listing = store.list(Query::new(self.noun, pairs)?).await?;
        let count = listing
            .total
            .ok_or_else(|| Error::internal("a list was not counted"))?;
        output::count(io::stdout().lock(), self.look.format, count)?;
        Ok(0)
    }

    async fn list(
        &self,
        store: &AnyStore,
        mut pairs: Vec<(String, String)>,
        limit: Option<String>,
        fields: Option<String>,
    ) -> Ended {
        let shown = self.shown(fields.as_deref())?;
        // The id alone needs no fields, and may not be among those that are asked for.
        if let (Some(fields), true) = (fields, self.look.format != Format::Id) {
            pairs.push(("fields".into(), fields));
        }
        let mut printer = self.printer(shown, Extent::Many);
        if let Some(limit) = limit {
            pairs.push(("limit".into(), limit));
        }
        let mut listing = store.list(Query::new(self.noun, pairs)?).await?;
        while let Some(records) = listing.next_chunk().await? {
            records
                .iter()
                .try_for_each(|record| printer.record(record))?;
        }
        let count = printer.end()?;
        self.epilogue(count, listing.next);
        Ok(0)
    }

    /// What a person at a terminal would miss: that there was nothing, or that there is more.
    fn epilogue(&self, count: u64, next: Option<String>) {
        if self.look.terminal.width.is_none() || self.look.format != Format::Table {
            return;
        }
        if count == 0 {
            say(&format!("no {}", self.noun.plural));
        }
        if let Some(next) = next {
            say(&format!("there are more: --after {next}"));
        }
    }
}

fn extent(ids: &[String]) -> Extent {
    if ids.len() == 1 {
        Extent::One
    } else {
        Extent::Many
    }
}

/// The ids, with those on standard input in the place of `-`.
fn expand(ids: &[String]) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for id in ids {
        if id != "-" {
            all.push(id.clone());
            continue;
        }
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|error| Error::failed(format!("standard input: {error}")))?;
            all.extend(line.split_whitespace().map(str::to_string));
        }
    }
    Ok(all)
}

/// A file, or standard input for `-`.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().read_to_end(&mut bytes),
        false => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    let name = if path.as_os_str() == "-" {
        "standard input".into()
    } else {
        path.display().to_string()
    };
    read.map_err(|error| Error::failed(format!("{name}: {error}")))?;
    Ok(bytes)
}

/// The database's file, for a command that works on the file itself.
fn file_of<'a>(settings: &'a Settings, command: &str) -> Result<&'a Path, Error> {
    match &settings.target.value {
        Location::Database(path) => Ok(path),
        Location::Postgres(_) => {
            let tools = match command {
                "check" => "pg_amcheck",
                _ => "pg_dump and pg_restore",
            };
            Err(Error::invalid(format!(
                "{command}: expected a SQLite file; PostgreSQL has tools of its own for it, such as {tools}"
            )))
        }
        Location::Url(url) => Err(Error::invalid(format!(
            "{command}: expected a database and no URL ({url}); run it on the machine where the database is"
        ))),
    }
}

/// Shows how far a backup or a restore is.
fn progress(quiet: bool) -> impl FnMut(Stage) {
    let bar = Bar::new(!quiet);
    move |stage| match stage {
        Stage::Copied { done, of } => bar.show("copying", done, of),
        Stage::Checking => bar.say("checking"),
    }
}

/// What a file holds, for a summary.
fn content(content: &Content) -> impl Iterator<Item = (&'static str, serde_json::Value)> {
    let records = content.records.iter();
    let records = records.map(|(noun, count)| (noun.plural, (*count).into()));
    records.chain([("bytes", content.bytes.into())])
}

/// Runs long work on a file beside a wait for SIGINT and SIGTERM, at which it is given up: it then removes what it
/// has half made, and the command ends as one does that the signal has killed, by the shell's count. `lost` says what has
/// not come of it. A second signal ends the process at once.
async fn unless_stopped<R: Send + 'static>(
    settings: &Settings,
    lost: &str,
    work: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<Result<R, u8>, Stop> {
    // Not SIGHUP: `nohup` has it ignored, which listening would undo.
    let kinds = [
        ("SIGINT", SignalKind::interrupt()),
        ("SIGTERM", SignalKind::terminate()),
    ];
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for (name, kind) in kinds {
        let mut signals = listen(kind)?;
        let tell = tell.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                // Nobody listens any more once the work is done.
                let _ = tell.send((name, kind.as_raw_value()));
            }
        });
    }
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let mut task = tokio::task::spawn_blocking(move || sqlite::unless(stopped, work));
    let mut by = None;
    let done = loop {
        tokio::select! {
            done = &mut task => break done.map_err(Error::internal)?,
            Some((name, number)) = told.recv() => {
                // As shells count what a signal has ended: 128 and its number.
                let code = u8::try_from(128 + number).unwrap_or(1);
                if by.is_some() {
                    std::process::exit(code.into());
                }
                by = Some((name, code));
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    match (done, by) {
        (Err(_), Some((name, code))) => {
            let why = Error::failed(format!("stopped by {name}: {lost}"));
            complain(settings.output.value, &why);
            Ok(Err(code))
        }
        (done, _) => Ok(Ok(done?)),
    }
}

/// `crm backup`
pub async fn back_up(settings: &Settings, file: PathBuf, force: bool, quiet: bool) -> Ended {
    let path = file_of(settings, "backup")?;
    no_url(&file)?;
    there(path)?;
    let (from, to) = (path.to_path_buf(), file.clone());
    let work = move || backup::backup(&from, &to, force, &mut progress(quiet));
    let made = match unless_stopped(settings, "no backup was made", work).await? {
        Ok(made) => made,
        Err(code) => return Ok(code),
    };
    warn(made.warning(&file));
    if quiet {
        return Ok(0);
    }
    let said: Vec<_> = std::iter::once(("backup", file.to_string_lossy().into()))
        .chain(content(&made))
        .collect();
    output::summary(io::stdout().lock(), look(settings), &said)?;
    Ok(0)
}

/// What is to be told though all went well, and of a quiet command too.
fn warn(warning: Option<String>) {
    if let Some(warning) = warning {
        say(&format!("warning: {warning}"));
    }
}

/// `crm restore`
pub async fn restore(settings: &Settings, file: PathBuf, quiet: bool) -> Ended {
    let path = file_of(settings, "restore")?;
    no_url(&file)?;
    settings.create_default_folder()?;
    let (to, from) = (path.to_path_buf(), file.clone());
    let work = move || restore::restore(&to, &from, &mut progress(quiet));
    let done = match unless_stopped(settings, "nothing was restored", work).await? {
        Ok(done) => done,
        Err(code) => return Ok(code),
    };
    warn(done.content.warning(&file));
    done.warnings.into_iter().for_each(|line| warn(Some(line)));
    if quiet {
        return Ok(0);
    }
    if done.upgraded {
        say(&format!(
            "{}: brought up to date from an older schema",
            path.display()
        ));
    }
    let kept = done.kept.map(|kept| kept.to_string_lossy().into_owned());
    let said: Vec<_> = std::iter::once(("database", path.to_string_lossy().into()))
        .chain(content(&done.content))
        .chain([("kept", kept.into())])
        .collect();
    output::summary(io::stdout().lock(), look(settings), &said)?;
    Ok(0)
}

/// Refuses what is no file's name before a sentence about files repeats it: a URL may hold a password.
fn no_url(file: &Path) -> Result<(), Error> {
    match file.to_string_lossy().contains("://") {
        true => Err(Error::invalid(
            "FILE: expected the name of a file, got a URL",
        )),
        false => Ok(()),
    }
}

/// `crm copy`
pub async fn copy(
    settings: &Settings,
    flags: &Flags,
    around: &Surroundings<'_>,
    from: &str,
    to: &str,
    quiet: bool,
) -> Ended {
    if let Origin::Flag(name) = settings.target.origin {
        let why = format!("{name}: not for copy, which takes both databases as FROM and TO");
        return Err(Error::invalid(why).into());
    }
    let end = |name: &str, text: &str| {
        let end = parse_end(text, &around.folder);
        end.map_err(|expected| Error::invalid(format!("{name}: {expected}")))
    };
    let (from, to) = (end("FROM", from)?, end("TO", to)?);
    if from == to {
        return Err(Error::invalid("TO: expected another database than FROM").into());
    }
    if flags.get(&table::TOKEN_FILE).is_some() && !matches!(from, Location::Url(_)) {
        say(NO_TOKEN);
    }
    // Another server shows its tokens to an admin alone; that it was shown one tells enough.
    let mut has_tokens = false;
    let source = match &from {
        Location::Url(url) => {
            let token = find_token(flags, around)?;
            has_tokens = token.is_some();
            AnyStore::connect(url, token.as_ref().map(|token| &token.value))?
        }
        Location::Postgres(url) => AnyStore::Postgres(Postgres::open_existing(url, COPYING).await?),
        Location::Database(path) => {
            there(path)?;
            let (store, notice) = AnyStore::open(path, Work::Reading)?;
            notice.iter().for_each(|notice| say(notice));
            store
        }
    };
    let target = match &to {
        Location::Url(_) => {
            let why = "TO: expected a file or a postgres:// URL; a server cannot be copied to";
            return Err(Error::invalid(why).into());
        }
        Location::Postgres(url) => AnyStore::Postgres(Postgres::open_for_copy(url, COPYING).await?),
        Location::Database(path) => AnyStore::Sqlite(Sqlite::open_for_copy(path)?),
    };
    let bar = Bar::counting(!quiet);
    let mut watch = |stage| match stage {
        copy::Stage::Copied(noun, done, of) => bar.show(noun.plural, done, of),
        copy::Stage::Compared(_, done, of) => bar.show("comparing", done, of),
        copy::Stage::Checked(_, done, of) => bar.show("looking again", done, of),
    };
    let copied = copy::copy(&source, &target, &name_of(&from), &mut watch).await;
    drop(bar);
    if !matches!(source, AnyStore::Remote(_)) {
        has_tokens = !source.tokens().await.unwrap_or_default().is_empty();
    }
    if has_tokens && copied.is_ok() {
        let open = "tokens are not copied: a service over the copy is open to everybody until it has one of its own";
        warn(Some(open.into()));
    }
    let closed = (source.close().await, target.close().await);
    let copied = copied?;
    closed.0.and(closed.1)?;
    let counts = copied
        .iter()
        .map(|(noun, count)| (noun.plural, (*count).into()));
    let said: Vec<_> = [("from", shown(&from).into()), ("to", shown(&to).into())]
        .into_iter()
        .chain(counts)
        .collect();
    output::summary(io::stdout().lock(), look(settings), &said)?;
    Ok(0)
}

/// What is said of a token beside a database.
pub const NO_TOKEN: &str = "note: a database takes no token; --token-file is ignored";

/// Connections of a copy: two lists are read side by side.
const COPYING: usize = 2;

/// What the target of a copy remembers its source by: a file's name from the root, as another time it may be called
/// otherwise.
fn name_of(source: &Location) -> String {
    match source {
        Location::Database(path) => match path.canonicalize() {
            Ok(path) => path.display().to_string(),
            Err(_) => shown(source),
        },
        source => shown(source),
    }
}

/// A target as it may be shown.
fn shown(target: &Location) -> String {
    match target {
        Location::Database(path) => path.display().to_string(),
        Location::Postgres(url) => without_password(url),
        Location::Url(url) => url.clone(),
    }
}

/// `crm check`
pub fn check(settings: &Settings, quiet: bool) -> Ended {
    let path = file_of(settings, "check")?;
    there(path)?;
    let found = check::check(path)?;
    if quiet && found.is_empty() {
        return Ok(0);
    }
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|finding| (finding.kind, finding.what.as_str()))
        .collect();
    output::findings(io::stdout().lock(), look(settings), &found)?;
    Ok(match found.is_empty() {
        true => 0,
        false => Code::Failed.exit(),
    })
}

fn look(settings: &Settings) -> Look {
    Look {
        format: settings.output.value,
        terminal: Terminal::stdout(),
    }
}

/// `crm config`
pub fn config(flags: &Flags, around: &Surroundings) -> Ended {
    let settings = Settings::find(flags, around, Asker::Command)?;
    let rows = config::rows(
        &settings,
        &Listen::find(flags, around)?,
        &Backups::find(flags, around)?,
        &Service::find(flags, around)?,
    );
    output::settings(io::stdout().lock(), look(&settings), &rows)?;
    Ok(0)
}

/// `crm health`
pub async fn health(flags: &Flags, around: &Surroundings<'_>) -> Ended {
    let settings = Settings::find(flags, around, Asker::Command)?;
    let store = match settings.target.value {
        Location::Url(url) => AnyStore::connect(&url, None)?,
        Location::Database(_) | Location::Postgres(_) => {
            let listen = Listen::find(flags, around)?;
            // What listens everywhere listens here too.
            let host = match listen.host.value.as_str() {
                "0.0.0.0" => "127.0.0.1".to_string(),
                "::" => "[::1]".to_string(),
                host if host.contains(':') => format!("[{host}]"),
                host => host.to_string(),
            };
            let service = Service::find(flags, around)?;
            let port = listen.port.value;
            match service.file(&table::TLS_CERT) {
                None => AnyStore::connect(&format!("http://{host}:{port}"), None)?,
                Some(_) => AnyStore::Remote(Remote::unchecked(&format!("https://{host}:{port}"))?),
            }
        }
    };
    let ready = store.ready().await;
    let report = store.backups();
    let is_json = matches!(settings.output.value, Format::Json | Format::Ndjson);
    let code = match (ready, &report) {
        (Ok(ready), _) => {
            match is_json {
                true => print(format!("{}\n", ready.to_json()).as_bytes())?,
                false => print(b"ok\n")?,
            }
            0
        }
        (Err(error), Some(report)) if is_json => {
            say(&report.beside(&error.to_json()));
            error.code.exit()
        }
        (Err(error), _) => {
            complain(settings.output.value, &error);
            error.code.exit()
        }
    };
    // In JSON it has been told.
    warn(
        report
            .and_then(|report| report.warning())
            .filter(|_| !is_json),
    );
    Ok(code)
}

fn print(bytes: &[u8]) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// `crm completions`
pub fn completions(shell: Shell) -> Ended {
    print(&completion(shell))?;
    Ok(0)
}

/// The completion script of a shell.
pub fn completion(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "crm", &mut script);
    script
}

/// `crm help`: a topic of the manual or the help of a command; without a word, both lists.
pub fn help(words: &[String]) -> Ended {
    let text = match words {
        [] => format!("{}\n{}", cli::help(words)?, topics::index()),
        [word] => match topics::find(word) {
            Some(topic) => {
                let terminal = Terminal::stdout();
                let text = manual::in_terminal(topic, terminal.width, terminal.color);
                if terminal.width.is_some() {
                    // It does not return where there is a pager; without one the page is printed.
                    let _ = manual::pager::show(&text);
                }
                text
            }
            None => cli::help(words)?.to_string(),
        },
        words => cli::help(words)?.to_string(),
    };
    print(text.as_bytes())?;
    Ok(0)
}

/// `crm man`
pub fn man(folder: Option<&Path>) -> Ended {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        let written = clap_mangen::Man::new(cli::spelled_out()).render(&mut page);
        written.map_err(Error::internal)?;
        print(&page)?;
        return Ok(0);
    };
    let made = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(cli::spelled_out(), folder))
        .and_then(|()| manual::write_pages(folder));
    made.map_err(|error| {
        Error::failed(format!(
            "{}: expected a folder to write to: {error}",
            folder.display()
        ))
    })?;
    Ok(0)
}

/// Begins the log of a service. It is on standard error: standard output has the one line that says that the service is
/// ready, for who waits for it.
pub fn begin_log(service: &Service) -> Result<(), Error> {
    log::begin(log::Options {
        form: match service.word(&table::LOG) {
            "json" => log::Form::Json,
            _ => log::Form::Text,
        },
        quiet: service.is_on(&table::QUIET),
        redact: token::redacted,
    })
}

/// `crm serve`, which has a log.
pub async fn serve(
    settings: &Settings,
    listen: &Listen,
    backups: Backups,
    service: &Service,
) -> Ended {
    let mut serving = serving(service)?;
    let connections = &mut serving.connections.limits.connections;
    // A connection that finds no descriptor would wait in the kernel's queue instead of being refused.
    let wanted = OPEN_FILES.max(*connections as u64 + OTHER_FILES);
    let files = rlimit::increase_nofile_limit(wanted).unwrap_or(wanted);
    if files < LEAST_FILES {
        return Err(Error::failed(format!(
            "cannot start: expected the system to allow at least {LEAST_FILES} open files (ulimit -n), it allows {files}"
        ))
        .into());
    }
    // Where there are few, both have to make do.
    let others = OTHER_FILES.min(files / 3 * 2);
    let fit = usize::try_from(files - others).unwrap_or(usize::MAX);
    if *connections > fit.max(1) {
        *connections = fit.max(1);
        tracing::warn!(
            "{connections} connections at most, as the system allows {files} open files"
        );
    }
    let place = (listen.host.value.as_str(), listen.port.value);
    let listener = TcpListener::bind(place).await.map_err(|error| {
        Error::failed(format!(
            "cannot listen on {} port {}: {error}",
            place.0, place.1
        ))
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::failed(format!("cannot listen: {error}")))?;
    // After the port is ours: a start that fails for want of it leaves all else alone.
    if let (Some(folder), Location::Database(path)) = (&backups.folder, &settings.target.value) {
        schedule::check_folder(path, &folder.value).map_err(|error| {
            let folder_name = folder.value.display();
            let expected =
                format!("expected a folder that backups can be written to, {folder_name}: {error}");
            folder.origin.refuse(expected)
        })?;
    }
    settings.create_default_folder()?;
    let (store, database) = match &settings.target.value {
        Location::Url(_) => return Err(Error::internal("serve was given a URL").into()),
        Location::Postgres(_) if backups.folder.is_some() => {
            let why = "--backup-dir: expected a SQLite file as the database; PostgreSQL has tools of its own for backups";
            return Err(Error::invalid(why).into());
        }
        Location::Postgres(url) => {
            let store = Postgres::open(url, postgres::connections(url)?).await?;
            (AnyStore::Postgres(store), without_password(url))
        }
        Location::Database(path) => {
            let (store, notice) = AnyStore::open(path, Work::Server)?;
            if let Some(notice) = notice {
                say(&notice);
            }
            (store, path.display().to_string())
        }
    };
    let schedule = backups.folder.map(|folder| Schedule {
        folder: folder.value,
        every: backups.every.value,
        keep: backups.keep.value,
    });
    let scheduler = match (&store, schedule) {
        (AnyStore::Sqlite(store), Some(schedule)) => Some(store.back_up(schedule)?),
        _ => None,
    };
    let stopper = scheduler.as_ref().map(|scheduler| scheduler.stopper());
    store.limit_waiting_writes(service.number(&table::MAX_WAITING_WRITES));
    let signal = ended()?;
    let shutdown = async move {
        signal.await;
        // A backup that runs has that long to end until the store is closed.
        if let Some(stopper) = stopper {
            stopper.stop();
        }
    };
    tell_of_tokens(&store, serving.policy, address).await?;
    let version = env!("CARGO_PKG_VERSION");
    let scheme = match serving.connections.tls {
        Some(_) => "https",
        None => "http",
    };
    let line = format!("crm {version} listens on {scheme}://{address}, database {database}\n");
    // Nobody may be reading it, which is no reason not to serve.
    let _ = print(line.as_bytes());
    let served = server::serve(listener, store, serving, shutdown).await;
    if let Some(scheduler) = scheduler {
        scheduler.end();
    }
    served?;
    Ok(0)
}

/// Whether tokens are asked for.
fn policy(service: &Service) -> Policy {
    match (
        service.is_on(&table::OPEN),
        service.is_on(&table::REQUIRE_TOKEN),
    ) {
        (true, _) => Policy::Open,
        (_, true) => Policy::Required,
        (false, false) => Policy::FromFirstToken,
    }
}

/// Says who may use the service, where that is everybody or nobody.
async fn tell_of_tokens(
    store: &AnyStore,
    policy: Policy,
    address: SocketAddr,
) -> Result<(), Error> {
    let is_empty = store.keyring().await?.is_empty();
    let is_beyond = !address.ip().to_canonical().is_loopback();
    match policy {
        Policy::Required if is_empty => say(
            "warning: nobody is let in, as there is no token yet: make the first by `crm token create NAME --scope admin`",
        ),
        Policy::Open if is_beyond => say(&format!(
            "warning: THE SERVICE IS OPEN: everybody who reaches {address} may read, change and delete all records, as it \
             runs with --open"
        )),
        Policy::FromFirstToken if is_empty && is_beyond => say(&format!(
            "warning: THE SERVICE IS OPEN: everybody who reaches {address} may read, change and delete all records, as \
             there is no token yet; make the first by `crm token create NAME --scope admin`, or listen on this machine \
             alone by --host 127.0.0.1"
        )),
        Policy::Required | Policy::Open | Policy::FromFirstToken => {}
    }
    Ok(())
}

/// What the service goes by, of what its settings say.
fn serving(service: &Service) -> Result<server::Settings, Error> {
    let rate = |knob| match service.number(knob) {
        0 => None,
        rate => u32::try_from(rate).ok(),
    };
    let tls = match (
        service.file(&table::TLS_CERT),
        service.file(&table::TLS_KEY),
    ) {
        (Some(certificate), Some(key)) => {
            let read = Certificate::read(certificate.into(), key.into());
            let read = read.map_err(|fault| {
                let (knob, why) = match fault {
                    CertificateFault::Certificate(why) => (&table::TLS_CERT, why),
                    CertificateFault::Key(why) => (&table::TLS_KEY, why),
                };
                service.setting(knob).origin.refuse(why)
            })?;
            Some(Arc::new(read))
        }
        _ => None,
    };
    Ok(server::Settings {
        connections: ConnectionSettings {
            limits: ConnectionLimits {
                connections: service.number(&table::MAX_CONNECTIONS),
                per_address: service.number(&table::MAX_CONNECTIONS_PER_ADDRESS),
                head: service.time(&table::HEAD_TIMEOUT),
                head_bytes: service.number(&table::MAX_HEAD),
                idle: service.time(&table::IDLE_TIMEOUT),
                ..ConnectionLimits::default()
            },
            tls,
            proxies: Proxies::new(service.many(&table::TRUSTED_PROXY)),
            hits: Arc::default(),
        },
        requests: RequestLimits {
            body: service.number(&table::MAX_BODY),
            url: service.number(&table::MAX_URL),
            depth: service.number(&table::MAX_DEPTH),
            body_time: service.time(&table::BODY_TIMEOUT),
            time: service.time(&table::REQUEST_TIMEOUT),
            per_token: rate(&table::RATE_PER_TOKEN),
            per_address: rate(&table::RATE_PER_ADDRESS),
        },
        cors: Cors::new(service.many(&table::CORS_ORIGIN)),
        policy: policy(service),
    })
}

/// Open files that a server asks the system for, or more where it may have more connections: the default of those, and
/// [`OTHER_FILES`] with much to spare.
const OPEN_FILES: u64 = 4_096;

/// With fewer a server does not get so far as to take one connection.
const LEAST_FILES: u64 = 32;

/// Open files that are no connections of clients: those of the database's connections, three each, for chunks of lists
/// and sorted lists.
const OTHER_FILES: u64 = 300;

fn listen(kind: SignalKind) -> Result<Signal, Error> {
    signal(kind).map_err(|error| Error::failed(format!("cannot listen for signals: {error}")))
}

/// Done at the first SIGTERM or SIGINT. A second one ends the process at once.
fn ended() -> Result<impl Future<Output = ()>, Error> {
    let (mut term, mut int) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        tokio::spawn(async move {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            std::process::exit(1);
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_defaults_are_those_of_the_code() {
        let around = Surroundings {
            environment: &|_| None,
            folder: PathBuf::new(),
            config_folder: None,
            data_folder: None,
        };
        let service = Service::find(&Flags::default(), &around);
        let made = serving(&service.unwrap()).unwrap();
        let own = server::Settings::default();
        assert_eq!(made.connections.limits, own.connections.limits);
        assert_eq!(made.requests, own.requests);
        assert_eq!(made.connections.proxies, own.connections.proxies);
        assert_eq!(made.cors, own.cors);
        assert!(made.connections.tls.is_none() && own.connections.tls.is_none());
    }
}
