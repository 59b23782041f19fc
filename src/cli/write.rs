//! Runs the writes: on records, and on tokens.

use std::cell::Cell;
use std::io::{self, IsTerminal};

use serde_json::Value as Json;

use super::bulk::{BulkCommand, InFile, RecordFile, bulk};
use super::confirm::{Question, confirmed};
use super::draft::DraftSource;
use super::ids::Named;
use super::names::kebab;
use super::say::{complain, print, say, warn};
use super::session::Ended;
use super::several::{each, shown};
use crate::base::error::{Code, Error, quoted};
use crate::base::time::Zone;
use crate::config::Format;
use crate::model::author::Author;
use crate::model::draft::{Draft, Purpose};
use crate::model::noun::Noun;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::model::terms::{Terms, Versions};
use crate::model::token::Scope;
use crate::operation::about::{About, Answer, Body, CommandPart, Of, Takes, Words, fill};
use crate::operation::asked::{Asked, Operation, ShownSecret, Told};
use crate::ops::create_token::PATH;
use crate::ops::delete::Delete;
use crate::output::{self, Extent, Look, Printer, Stop};
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// The input of a write from the command line.
pub(super) struct Given {
    pub(super) ids: Vec<String>,
    pub(super) keys: Vec<String>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) source: Option<DraftSource>,
    pub(super) object: Option<String>,
    pub(super) versions: Option<Versions>,
    pub(super) fields: Option<String>,
    pub(super) yes: bool,
    pub(super) zone: Zone,
    /// Who makes the changes.
    pub(super) author: Author,
    /// The group that all changes of the command share, once there is one.
    pub(super) group: Cell<Option<i64>>,
}

/// One write on a record: the id of the record, 0 for a create, and the fields that are written.
struct RecordWrite {
    id: i64,
    draft: Option<Draft>,
    /// Its number among several records that are created.
    number: usize,
}

/// Runs a write on records: once for each id, or once for each record that is created.
pub(super) async fn on_records<T: Operation>(
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
    let asks = words.confirm.filter(|_| !given.yes);
    if asks.is_some() && (is_piped || !io::stdin().is_terminal() || !io::stderr().is_terminal()) {
        let verb = words.verb;
        let why = format!("{verb}: expected --yes, because there is no terminal to ask at");
        return Err(Error::invalid(why).into());
    }
    let shown = shown(noun, given.fields.as_deref())?;
    let purpose = match T::ABOUT.body {
        Body::Draft(purpose) => purpose,
        Body::None | Body::Object(_) | Body::Lines => Purpose::Create,
    };
    let takes_ids = words.takes.contains(&CommandPart::Ids);
    let erases = matches!(T::ABOUT.of, Of::Command(_));
    let mut extent = Extent::One;
    let mut ids = Vec::new();
    if takes_ids && !given.ids.is_empty() {
        let named = Named::read(noun, &given.ids, matches!(T::ABOUT.body, Body::Draft(_)))?;
        extent = named.extent;
        ids = match erases {
            true => named.ids_to_erase(store, noun).await?,
            false => named.ids(store, noun).await?,
        };
        if ids.len() > 1 {
            extent = Extent::Many;
        }
    }
    let is_list = takes_ids && given.ids.is_empty();
    let drafts = match given.source.take() {
        // An update with ids has one record, which is read as a whole.
        Some(source) if !takes_ids || is_list => match source.file() {
            Some(path) => match RecordFile::open(noun, path, purpose, is_list)? {
                InFile::One(draft) => vec![draft],
                InFile::Many(file) => {
                    if given.versions.is_some() {
                        let why = "--if-match: expected the id of one record with it";
                        return Err(Error::invalid(why).into());
                    }
                    let command = BulkCommand {
                        noun,
                        purpose,
                        parameters: &given.parameters,
                        author: &given.author,
                        format: look.format,
                    };
                    let printer =
                        Printer::records(io::stdout().lock(), look, noun, shown, Extent::Many);
                    return bulk(store, command, file, printer.in_zone(&given.zone)).await;
                }
            },
            None => source.drafts(store, noun, purpose).await?,
        },
        Some(source) => source.drafts(store, noun, purpose).await?,
        None => Vec::new(),
    };
    let mut code = 0;
    if let Some(confirm) = asks {
        let is_on = |one: &(String, String)| one.1 == "true";
        let question = Question {
            verb: words.verb,
            with: confirm(noun, &given.parameters),
            cascades: erases || given.parameters.iter().any(is_on),
            erases,
            zone: &given.zone,
        };
        let asked = confirmed(store, look, noun, ids, &question).await?;
        (ids, code) = (asked.ids, asked.code);
        if ids.is_empty() {
            return Ok(code);
        }
    }
    let writes: Vec<RecordWrite> = match takes_ids {
        true => ids
            .into_iter()
            .map(|id| RecordWrite {
                id,
                draft: drafts.first().cloned(),
                number: 0,
            })
            .collect(),
        false => {
            if drafts.len() > 1 {
                extent = Extent::Many;
            }
            let drafts = drafts.into_iter().enumerate();
            drafts
                .map(|(at, draft)| RecordWrite {
                    id: 0,
                    draft: Some(draft),
                    number: at + 1,
                })
                .collect()
        }
    };
    let out = io::stdout().lock();
    let printer = match T::ABOUT.answer {
        Answer::Message => Printer::messages(out, look, noun, extent),
        _ => Printer::records(out, look, noun, shown, extent).in_zone(&given.zone),
    };
    let name = |write: &RecordWrite| match write.id {
        0 => format!("record {}", write.number),
        id => format!("{} {id}", noun.name),
    };
    let (ended, _) = each(look, &writes, name, printer, async |write, printer| {
        let key = match write.id {
            0 => String::new(),
            id => id.to_string(),
        };
        let told = one::<T>(store, Some(noun), &key, &given, write.draft.clone()).await;
        match told.map_err(|stop| in_flags(T::ABOUT, noun, stop))? {
            Told::Saved(saved) => {
                printer.record(&saved.record)?;
                if !saved.created {
                    let id = saved.record.id();
                    printer.flush()?;
                    say(&format!(
                        "note: {} {id} had the address already; it was updated, none was created",
                        noun.name
                    ));
                } else if T::ABOUT.methods[0].0 == "POST"
                    && look.format == Format::Table
                    && look.terminal.width.is_some()
                {
                    printer.flush()?;
                    say_same_address(store, &saved.record).await?;
                }
                Ok(())
            }
            Told::Record(record) => printer.record(&record),
            Told::Message(message) => printer.message(write.id, &message),
            Told::Secret(_)
            | Told::Undone(_)
            | Told::Logged(_)
            | Told::Merged(_)
            | Told::Json(_) => {
                Err(Error::internal("a write on a record returned something else").into())
            }
        }
    })
    .await?;
    let is_delete = std::ptr::eq(T::ABOUT, Delete::ABOUT);
    if is_delete && ended == 0 && look.terminal.width.is_some() && look.format == Format::Table {
        say("note: crm undo takes it back");
    }
    Ok(if code == 0 { ended } else { code })
}

/// Names a parameter of the API in an error by its flag: `--cascade` instead of `?cascade=true`.
fn in_flags(about: &'static About, noun: &'static Noun, stop: Stop) -> Stop {
    let Stop::Failed(mut error) = stop else {
        return stop;
    };
    for one in about.parameters(Some(noun)) {
        if one.takes == Takes::Switch {
            let (in_url, flag) = (format!("?{}=true", one.name), kebab(one.name));
            // Servers before this one named both.
            for told in [format!("{in_url}, --{flag}"), in_url] {
                error.message = error.message.replace(&told, &format!("--{flag}"));
            }
        }
    }
    Stop::Failed(error)
}

/// How many records with the same address are told.
const MOST_TOLD: usize = 10;

/// Says that other records have the address of a new one, which is allowed and often a slip. It is for a person at a terminal: a
/// program decides by `--on-duplicate`.
async fn say_same_address(store: &AnyStore, new: &Record) -> Result<(), Stop> {
    let noun = new.noun;
    let Some(field) = noun.email() else {
        return Ok(());
    };
    let address = new.get(field.name).text().unwrap_or_default();
    let pairs = vec![
        (field.name.to_string(), format!("eq:{address}")),
        ("fields".to_string(), noun.key().name.to_string()),
        ("limit".to_string(), MOST_TOLD.to_string()),
    ];
    let mut listing = store.list(Query::new(noun, pairs)?).await?;
    let mut others = Vec::new();
    while let Some(records) = listing.next_chunk().await? {
        let ids = records.iter().map(Record::id);
        others.extend(ids.filter(|id| *id != new.id()).map(|id| id.to_string()));
    }
    if let [_, more @ ..] = others.as_slice() {
        let (plural, have) = if more.is_empty() {
            ("", "has")
        } else {
            ("s", "have")
        };
        let all = others.join(", ");
        say(&format!(
            "note: {}{plural} {all} {have} this address too; --on-duplicate update changes the one that is there",
            noun.name
        ));
    }
    Ok(())
}

/// Runs a write that is not on records: once for each of its keys, or once.
pub(super) async fn alone<T: Operation>(store: &AnyStore, look: Look, given: Given) -> Ended {
    let keys = match given.keys.is_empty() {
        true => vec![String::new()],
        false => super::keys::read(&given.keys)?,
    };
    let is_many = keys.len() > 1;
    let (mut code, mut said) = (0, Vec::new());
    for key in keys {
        match one::<T>(store, None, &key, &given, None).await {
            Ok(Told::Secret(shown)) => {
                let warning = closes(store, &shown.json).await;
                show_secret(look, &given.zone, addressed(store, shown))?;
                warn(warning);
            }
            Ok(Told::Message(message)) => said.push((key, message)),
            Ok(
                Told::Saved(_)
                | Told::Record(_)
                | Told::Undone(_)
                | Told::Logged(_)
                | Told::Merged(_)
                | Told::Json(_),
            ) => {
                return Err(Error::internal("a write on no record returned one").into());
            }
            Err(Stop::Failed(mut error)) if is_many => {
                // Some messages name the key themselves.
                if !error.message.contains(&quoted(&key)) {
                    error.message = format!("{key}: {}", error.message);
                }
                complain(look.format, &error);
                code = if code == 0 { error.code.exit() } else { code };
                if error.code == Code::Unreachable {
                    break;
                }
            }
            Err(stop) => return Err(stop),
        }
    }
    let out = io::stdout().lock();
    match said.first() {
        _ if is_many => output::messages(out, look, &said)?,
        Some((name, message)) => {
            let said = [
                ("name", name.as_str().into()),
                ("message", message.as_str().into()),
            ];
            output::summary(out, look, &said)?;
        }
        None => {}
    }
    Ok(code)
}

/// Runs one write.
pub(super) async fn one<T: Operation>(
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
        author: Author {
            operation: fill(T::ABOUT.methods[0].1, noun).into(),
            group: given.group.get(),
            ..given.author.clone()
        },
    };
    let outcome = store.write(operation, terms).await?;
    given.group.set(given.group.get().or(outcome.group));
    Ok(T::told(noun, outcome.done))
}

/// Says that a token has closed a service that was open, if it is the first one and does not let its owner work. Only a command
/// on the database can make the first one.
async fn closes(store: &AnyStore, token: &Json) -> Option<String> {
    let (name, scope) = (token["name"].as_str()?, token["scope"].as_str()?);
    let works = [Scope::Write, Scope::Admin].map(Scope::word);
    if store.address().is_some() || works.contains(&scope) {
        return None;
    }
    // The token is there in any case, and a failure to read it again is no failure of the command.
    let keyring = store.keyring_anew().await.ok()?;
    keyring.is_only(name).then(|| {
        format!(
            "{name} is the first token of this database, so from now on a service on it lets nobody in without a token, and \
             the scope of this one is only {scope}; make one for yourself: crm token create me --scope admin"
        )
    })
}

/// Makes the path of a calendar an address, if the address of the service is known.
fn addressed(store: &AnyStore, mut shown: ShownSecret) -> ShownSecret {
    if shown.name != PATH {
        return shown;
    }
    let path = shown.json[PATH].as_str().unwrap_or_default();
    match store.address() {
        Some(address) => {
            shown.json["url"] = format!("{address}{path}").into();
            shown.name = "url";
        }
        None => {
            let how =
                "put the address of the service before it, such as https://crm.example.com; then ";
            shown.note.insert_str(0, how);
        }
    }
    shown
}

/// Prints a secret. As a table or an id it is alone, so that scripts can use it.
fn show_secret(look: Look, zone: &Zone, shown: ShownSecret) -> output::Result {
    let secret = shown.json[shown.name].as_str().unwrap_or_default();
    match look.format {
        Format::Table | Format::Id => {
            print(format!("{secret}\n").as_bytes())?;
            // The note is only for a person who sees the secret at a terminal.
            if !io::stdout().is_terminal() {
                return Ok(());
            }
            let until = shown.until.as_ref().map_or_else(String::new, |at| {
                format!(" until {} ({})", zone.show(at), zone.name())
            });
            say(&shown.note.replace("{until}", &until));
            Ok(())
        }
        Format::Json | Format::Ndjson | Format::Csv => {
            let said = shown.json.as_object().into_iter().flatten();
            let said: Vec<(&str, Json)> = said
                .map(|(name, value)| (name.as_str(), value.clone()))
                .collect();
            output::summary(io::stdout().lock(), look, &said)
        }
    }
}
