//! Runs the command of any operation.

use std::io::{self, IsTerminal, StdoutLock, Write as _};

use clap::ArgMatches;

use super::columns::columns;
use super::draft::{DraftSource, source};
use super::filters::pairs;
use super::input::{expand, extent};
use super::open::{Wants, open};
use super::operation::{object, parameters, versions};
use super::say::{complain, print, say};
use super::session::{Ended, Session};
use crate::base::error::{Code, Error};
use crate::base::time::Zone;
use crate::config::{Format, Settings};
use crate::model::draft::{Draft, Purpose};
use crate::model::noun::Noun;
use crate::model::query::Query;
use crate::model::shown::Shown;
use crate::model::terms::{Terms, Versions, etag};
use crate::model::token::{Secret, Token};
use crate::operation::about::{About, Answer, Body, CommandPart, Words};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::service::Inform;
use crate::ops::{Op, Visit};
use crate::output::{self, Extent, Look, Printer, Stop};
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// The command of an operation.
pub(super) struct Run<'a> {
    session: &'a Session<'a>,
    matches: &'a ArgMatches,
    noun: Option<&'static Noun>,
    about: &'static About,
}

/// The input of a write from the command line.
struct Given {
    ids: Vec<String>,
    key: String,
    parameters: Vec<(String, String)>,
    source: Option<DraftSource>,
    object: Option<String>,
    versions: Option<Versions>,
    fields: Option<String>,
    yes: bool,
    zone: Zone,
}

impl<'a> Run<'a> {
    /// The command of this operation.
    pub(super) fn new(
        session: &'a Session<'a>,
        op: Op,
        noun: Option<&'static Noun>,
        matches: &'a ArgMatches,
    ) -> Run<'a> {
        Run {
            session,
            matches,
            noun,
            about: op.about(),
        }
    }

    fn words(&self) -> Result<&'static Words, Error> {
        let words = self.about.words.as_ref();
        words.ok_or_else(|| Error::internal("an operation without a command was run"))
    }

    fn noun(&self) -> Result<&'static Noun, Error> {
        self.noun
            .ok_or_else(|| Error::internal("an operation on records has no noun"))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.matches.get_one::<String>(name).cloned()
    }

    fn all(&self, name: &str) -> Vec<String> {
        let all = self.matches.get_many::<String>(name);
        all.into_iter().flatten().cloned().collect()
    }

    fn given(&self, zone: &Zone) -> Result<Given, Error> {
        let words = self.words()?;
        let takes = |word: CommandPart| words.takes.contains(&word);
        let is_key = |word: &CommandPart| matches!(word, CommandPart::Key(_));
        Ok(Given {
            ids: match takes(CommandPart::Ids) {
                true => self.all("ids"),
                false => Vec::new(),
            },
            key: match words.takes.iter().any(is_key) {
                true => self.text("key").unwrap_or_default(),
                false => String::new(),
            },
            parameters: parameters(self.about, self.noun, self.matches),
            source: match (takes(CommandPart::Draft), self.noun) {
                (true, Some(noun)) => Some(source(noun, self.matches, zone)?),
                _ => None,
            },
            object: object(self.about, self.matches),
            versions: match takes(CommandPart::IfMatch) {
                true => versions(self.matches)?,
                false => None,
            },
            fields: match takes(CommandPart::Show) {
                true => self.text("show"),
                false => None,
            },
            yes: takes(CommandPart::Yes) && self.matches.get_flag("yes"),
            zone: zone.clone(),
        })
    }

    /// What the operation needs from a store. An operation that creates something may create the database too.
    fn wants(&self) -> Wants {
        match self.about.writes() {
            false => Wants::Read,
            true if self.is_collection() => Wants::Make,
            true => Wants::Write,
        }
    }

    fn is_collection(&self) -> bool {
        !self.about.at(self.noun, "{}").contains("{}")
    }

    /// Opens the store, calls `act` with it, and closes it.
    async fn with_store(
        &self,
        settings: &Settings,
        act: impl AsyncFnOnce(&AnyStore, Look) -> Ended,
    ) -> Ended {
        let store = open(settings, self.wants()).await?;
        let ended = act(&store, Session::look(settings)).await;
        let closed = store.close().await;
        let code = ended?;
        closed?;
        Ok(code)
    }
}

impl Visit for Run<'_> {
    type Out = Ended;

    async fn list(self) -> Ended {
        let noun = self.noun()?;
        let settings = self.session.settings()?;
        let zone = settings.zone()?;
        let pairs = pairs(noun, self.matches, zone)?;
        let (limit, fields) = (self.text("limit"), self.text("show"));
        let is_count = self.matches.get_flag("count");
        self.with_store(&settings, async |store, look| match is_count {
            true => count(store, look, noun, pairs, limit).await,
            false => list(store, look, zone, noun, pairs, limit, fields).await,
        })
        .await
    }

    async fn get(self) -> Ended {
        let noun = self.noun()?;
        let (ids, fields) = (self.all("ids"), self.text("show"));
        let is_etag = self.matches.get_flag("etag");
        let settings = self.session.settings()?;
        let zone = settings.zone()?;
        self.with_store(&settings, async |store, look| {
            let shown = shown(noun, fields.as_deref())?;
            let ids = expand(&ids)?;
            let printer = match is_etag {
                true => Printer::etags(io::stdout().lock(), look, noun, extent(&ids)),
                false => Printer::records(io::stdout().lock(), look, noun, shown, extent(&ids))
                    .in_zone(zone),
            };
            each(look, noun, &ids, printer, async |id, printer| {
                let record = store.get(noun, noun.parse_id(id)?).await?;
                match is_etag {
                    true => printer.etag(record.id(), &etag(record.version())),
                    false => printer.record(&record),
                }
            })
            .await
        })
        .await
    }

    async fn tokens(self) -> Ended {
        let settings = self.session.settings()?;
        let zone = settings.zone()?;
        self.with_store(&settings, async |store, look| {
            output::tokens(io::stdout().lock(), look, zone, &store.tokens().await?)?;
            Ok(0)
        })
        .await
    }

    async fn write<T: Operation>(self) -> Ended {
        let settings = self.session.settings()?;
        let given = self.given(settings.zone()?)?;
        let words = self.words()?;
        let noun = self.noun;
        self.with_store(&settings, async |store, look| match noun {
            Some(noun) => on_records::<T>(store, look, words, noun, given).await,
            None => alone::<T>(store, look, given).await,
        })
        .await
    }

    async fn inform<T: Inform>(self) -> Ended {
        Err(Error::internal("an operation without a command was run").into())
    }
}

/// Runs a write on records: once for each id, or once if it takes no id.
async fn on_records<T: Operation>(
    store: &AnyStore,
    look: Look,
    words: &'static Words,
    noun: &'static Noun,
    mut given: Given,
) -> Ended {
    let is_piped = given.ids.iter().any(|id| id == "-");
    let from_input = given
        .source
        .as_ref()
        .is_some_and(DraftSource::is_standard_input);
    if from_input && is_piped {
        return Err(Error::invalid(
            "--json: standard input can be read for the ids or for the record, not for both",
        )
        .into());
    }
    if let Some(confirm) = words.confirm
        && !given.yes
    {
        if is_piped || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            let verb = words.verb;
            let why = format!("{verb}: expected --yes, because there is no terminal to ask at");
            return Err(Error::invalid(why).into());
        }
        if !confirmed(
            words.verb,
            noun,
            &given.ids,
            &confirm(noun, &given.parameters),
        )? {
            say("nothing was changed");
            return Ok(1);
        }
    }
    let shown = shown(noun, given.fields.as_deref())?;
    let purpose = match T::ABOUT.body {
        Body::Draft(purpose) => purpose,
        Body::None | Body::Object(_) => Purpose::Create,
    };
    let source = given.source.take();
    let draft = source
        .map(|source| source.draft(noun, purpose))
        .transpose()?;
    let takes_ids = words.takes.contains(&CommandPart::Ids);
    let ids = match takes_ids {
        true => expand(&given.ids)?,
        false => vec![String::new()],
    };
    let extent = match takes_ids {
        true => extent(&ids),
        false => Extent::One,
    };
    let out = io::stdout().lock();
    let printer = match T::ABOUT.answer {
        Answer::Message => Printer::messages(out, look, noun, extent),
        _ => Printer::records(out, look, noun, shown, extent).in_zone(&given.zone),
    };
    each(look, noun, &ids, printer, async |id, printer| {
        let told = one::<T>(store, Some(noun), id, &given, draft.clone()).await?;
        match told {
            Told::Saved(saved) => printer.record(&saved.record),
            Told::Record(record) => printer.record(&record),
            Told::Message(message) => printer.message(noun.parse_id(id)?, &message),
            Told::Token(..) => Err(Error::internal("a write on a record returned a token").into()),
        }
    })
    .await
}

/// Runs a write that is not on records.
async fn alone<T: Operation>(store: &AnyStore, look: Look, given: Given) -> Ended {
    let told = one::<T>(store, None, &given.key, &given, None).await?;
    match told {
        Told::Token(token, secret) => show_token(look, &given.zone, token, secret)?,
        Told::Message(message) => {
            let said = [("name", given.key.into()), ("message", message.into())];
            output::summary(io::stdout().lock(), look, &said)?;
        }
        Told::Saved(_) | Told::Record(_) => {
            return Err(Error::internal("a write on no record returned one").into());
        }
    }
    Ok(0)
}

/// Runs one write.
async fn one<T: Operation>(
    store: &AnyStore,
    noun: Option<&'static Noun>,
    key: &str,
    given: &Given,
    draft: Option<Draft>,
) -> Result<Told, Stop> {
    let mut asked = Asked::new(T::ABOUT, noun, key, &given.parameters)?;
    asked.zone = given.zone.clone();
    let mut operation = T::ask(&asked)?;
    if let Some(draft) = draft {
        operation.draft(draft);
    }
    if let Some(object) = &given.object {
        operation.body(object.as_bytes())?;
    }
    let terms = Terms {
        versions: given.versions.clone(),
        key: None,
    };
    let outcome = store.write(operation, terms).await?;
    Ok(T::told(noun, outcome.done))
}

fn shown(noun: &'static Noun, fields: Option<&str>) -> Result<Option<Shown>, Error> {
    fields.map(|fields| Shown::parse(noun, fields)).transpose()
}

/// Calls `act` with each id, in order, and continues after a failure. Returns the exit code of the first failure.
async fn each(
    look: Look,
    noun: &'static Noun,
    ids: &[String],
    mut printer: Printer<StdoutLock<'static>>,
    mut act: impl AsyncFnMut(&str, &mut Printer<StdoutLock<'static>>) -> Result<(), Stop>,
) -> Ended {
    let mut code = 0;
    for given in ids {
        match act(given, &mut printer).await {
            Ok(()) => {}
            Err(Stop::ClosedPipe) => return Err(Stop::ClosedPipe),
            Err(Stop::Failed(error)) if given.is_empty() => return Err(error.into()),
            Err(Stop::Failed(mut error)) => {
                printer.flush()?;
                if ids.len() > 1 {
                    error.message = format!("{} {given}: {}", noun.name, error.message);
                }
                complain(look.format, &error);
                if code == 0 {
                    code = error.code.exit();
                }
                // The server cannot be reached for the other ids either.
                if error.code == Code::Unreachable {
                    break;
                }
            }
        }
    }
    printer.end()?;
    Ok(code)
}

/// Asks for confirmation at the terminal.
fn confirmed(verb: &str, noun: &Noun, ids: &[String], with: &str) -> Result<bool, Stop> {
    let what = match ids {
        [id] => format!("{} {id}", noun.name),
        ids => format!("{} {} ({})", ids.len(), noun.plural, ids.join(", ")),
    };
    // Terminal escapes could make the question look different from what is confirmed.
    let what: String = what.chars().filter(|letter| !letter.is_control()).collect();
    let (first, rest) = verb.split_at(1);
    let verb = format!("{}{rest}", first.to_uppercase());
    let _ = write!(io::stderr(), "{verb} {what}{with}? [y/N] ");
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::failed(format!("standard input: {error}")))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

async fn count(
    store: &AnyStore,
    look: Look,
    noun: &'static Noun,
    mut pairs: Vec<(String, String)>,
    limit: Option<String>,
) -> Ended {
    if limit.is_some() || pairs.iter().any(|pair| pair.0 == "after") {
        return Err(Error::invalid(
            "--count: expected no --limit or --after with it, because it counts all pages",
        )
        .into());
    }
    pairs.push(("count".into(), "true".into()));
    pairs.push(("limit".into(), "1".into()));
    let listing = store.list(Query::new(noun, pairs)?).await?;
    let count = listing
        .total
        .ok_or_else(|| Error::internal("a list was not counted"))?;
    output::count(io::stdout().lock(), look.format, count)?;
    Ok(0)
}

async fn list(
    store: &AnyStore,
    look: Look,
    zone: &Zone,
    noun: &'static Noun,
    mut pairs: Vec<(String, String)>,
    limit: Option<String>,
    fields: Option<String>,
) -> Ended {
    let shown = shown(noun, fields.as_deref())?;
    let (shown, keys) = columns(store, look, shown, (noun, &pairs), limit.as_deref()).await?;
    // The id format needs no other field, and the requested fields may not include the id.
    if let (Some(fields), true) = (fields, look.format != Format::Id) {
        pairs.push(("fields".into(), fields));
    }
    let mut printer = Printer::records(io::stdout().lock(), look, noun, shown, Extent::Many);
    printer = printer.in_zone(zone);
    if let Some(limit) = limit {
        pairs.push(("limit".into(), limit));
    }
    let mut listing = store.list(Query::new(noun, pairs)?).await?;
    while let Some(records) = listing.next_chunk().await? {
        for record in &records {
            if let Some(keys) = &keys {
                keys.check(record)?;
            }
            printer.record(record)?;
        }
    }
    let count = printer.end()?;
    epilogue(look, noun, count, listing.next);
    Ok(0)
}

/// Tells a person at a terminal that the list is empty, or that there are more records.
fn epilogue(look: Look, noun: &Noun, count: u64, next: Option<String>) {
    if look.terminal.width.is_none() || look.format != Format::Table {
        return;
    }
    if count == 0 {
        say(&format!("no {}", noun.plural));
    }
    if let Some(next) = next {
        say(&format!("there are more: --after {next}"));
    }
}

/// Prints a new token. As a table or an id it is only the secret, so that scripts can use it.
fn show_token(look: Look, zone: &Zone, token: Token, secret: Secret) -> output::Result {
    match look.format {
        Format::Table | Format::Id => {
            print(format!("{}\n", secret.text()).as_bytes())?;
            // The note is only for a person who sees the token at a terminal.
            if !io::stdout().is_terminal() {
                return Ok(());
            }
            let until = token.expires_at.as_ref().map_or_else(String::new, |at| {
                format!(" until {} ({})", zone.show(at), zone.name())
            });
            say(&format!(
                "the token {} with the scope {} is valid{until}; it is shown only this once",
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
