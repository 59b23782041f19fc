//! The fields of a record on the command line: their flags, and the draft that is made from them.

use std::path::{Path, PathBuf};

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, ValueHint};

use super::ids::{address_of, reference};
use super::names::{argument, attribute_key, kebab, named};
use super::past;
use super::records;
use crate::base::error::{Error, Result, quoted};
use crate::base::time::{Tense, Zone};
use crate::model::attributes::{self, Attributes};
use crate::model::draft::{Draft, Input, Purpose, input_from_text};
use crate::model::field::{Field, Presence};
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::store::any::AnyStore;

/// Where drafts come from.
#[derive(Debug)]
pub(super) enum DraftSource {
    /// From flags.
    Flags(FlagDraft),
    /// From a file with JSON objects. `-` is standard input.
    Json(PathBuf),
}

/// A draft from flags.
#[derive(Debug)]
pub(super) struct FlagDraft {
    draft: Draft,
    /// The references that are given by an address, which is looked up later: `--lead ada@example.com`.
    addresses: Vec<(&'static Field, String)>,
}

impl DraftSource {
    /// Whether it is read from standard input.
    pub(super) fn is_standard_input(&self) -> bool {
        matches!(self, DraftSource::Json(path) if path.as_os_str() == "-")
    }

    /// Whether no flag gives anything.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            DraftSource::Flags(flags) => flags.draft.is_empty() && flags.addresses.is_empty(),
            DraftSource::Json(_) => false,
        }
    }

    /// The file with records, if they are in one.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            DraftSource::Json(path) => Some(path),
            DraftSource::Flags(_) => None,
        }
    }

    /// Reads the drafts: one, unless a file for a create has several.
    pub(super) async fn drafts(
        self,
        store: &AnyStore,
        noun: &'static Noun,
        purpose: Purpose,
    ) -> Result<Vec<Draft>> {
        let FlagDraft {
            mut draft,
            addresses,
        } = match self {
            DraftSource::Flags(flags) => flags,
            DraftSource::Json(path) => return records::read(noun, &path, purpose),
        };
        if purpose == Purpose::Update && draft.is_empty() && addresses.is_empty() {
            return Err(Error::invalid(
                "nothing to change: expected a field's flag, --set, --unset, --clear or --json",
            ));
        }
        for (field, address) in addresses {
            if let Some(input) = reference(store, field, &address).await? {
                draft.give(field.name, input);
            }
        }
        records::checked(&draft, purpose)?;
        Ok(vec![draft])
    }
}

/// A field's flag, with its aliases.
pub(super) fn flag(field: &'static Field) -> Arg {
    let name = argument(field);
    let mut arg = Arg::new(name)
        .long(kebab(name))
        .value_name(match field.kind {
            Kind::Id | Kind::Reference(_) => "ID",
            Kind::Count(..) => "NUMBER",
            Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => "TIME",
            Kind::Attributes | Kind::Object => "JSON",
            Kind::Email => "EMAIL",
            Kind::Text | Kind::Word | Kind::Type => "TEXT",
            Kind::Due => "DUE",
        });
    let others = [field.flag, field.old_name].into_iter().flatten();
    for other in others.filter(|other| *other != name) {
        arg = arg.visible_alias(kebab(other));
    }
    // A text may begin with a hyphen, and so may a time: -2h.
    arg.allow_hyphen_values(true)
}

fn writable(noun: &'static Noun) -> impl Iterator<Item = &'static Field> {
    noun.fields
        .iter()
        .filter(|field| field.presence != Presence::Automatic)
}

/// The flags of the fields that a create or an update may set.
pub(super) fn field_args(noun: &'static Noun, purpose: Purpose) -> Vec<Arg> {
    let mut args: Vec<Arg> = writable(noun)
        .map(|field| {
            let about = field.about.split(';').next().unwrap_or(field.about);
            let help = match (field.presence, purpose) {
                (Presence::Required, Purpose::Create) => format!("{about} (required)"),
                (Presence::Default(default), Purpose::Create) if field.kind != Kind::Attributes => {
                    format!("{about} [default: {default}]")
                }
                (Presence::Now, Purpose::Create) => format!("{about} [default: now]"),
                _ => about.to_string(),
            };
            let help = match field.kind {
                Kind::Time(Tense::Past) => format!(
                    "{help}; such as 2026-01-31 09:30, 14:30, yesterday 14:30, fri (the last one), -2h, now"
                ),
                Kind::Time(Tense::Future) => format!(
                    "{help}; such as 2026-01-31 09:30, tomorrow 9am, fri (the next one), +3d, next week"
                ),
                _ => help,
            };
            flag(field).help(help)
        })
        .collect();
    let many = |name: &'static str| {
        let arg = Arg::new(name).long(name).action(ArgAction::Append);
        arg.allow_hyphen_values(name != "clear")
    };
    args.push(
        many("set")
            .value_name("KEY=VALUE")
            .help("Set an attribute to a text, or with KEY:=JSON to any JSON value"),
    );
    if purpose == Purpose::Update {
        args.push(many("unset").value_name("KEY").help("Remove an attribute"));
        args.push(
            many("clear")
                .value_name("FIELD")
                .help("Set a field to null"),
        );
    }
    args
}

/// `--json`
pub(super) fn json_arg(noun: &'static Noun) -> Arg {
    let mut arg = Arg::new("json")
        .long("json")
        .value_name("FILE")
        .value_parser(ValueParser::path_buf())
        .value_hint(ValueHint::FilePath)
        .help(
            "Read the record from a file with a JSON object instead of flags, or many from objects one after the other or an array; - is standard input. What -o json and -o ndjson print can be read",
        );
    for name in writable(noun).map(|field| field.name).chain(["set"]) {
        arg = arg.conflicts_with(name);
    }
    arg
}

/// Reads the draft from the flags. Times without an offset are in the zone.
pub(super) fn source(
    noun: &'static Noun,
    matches: &ArgMatches,
    zone: &Zone,
) -> Result<DraftSource> {
    let all = |name: &str| -> Vec<&String> {
        match matches.try_get_many::<String>(name) {
            Ok(values) => values.into_iter().flatten().collect(),
            Err(_) => Vec::new(),
        }
    };
    let has_flags = !all("unset").is_empty() || !all("clear").is_empty();
    if let Some(file) = matches.try_get_one::<PathBuf>("json").ok().flatten() {
        return match has_flags {
            true => Err(Error::invalid(
                "--json: expected no --unset or --clear with it",
            )),
            false => Ok(DraftSource::Json(file.clone())),
        };
    }
    let mut draft = Draft::new(noun);
    let mut addresses = Vec::new();
    let mut attributes = Attributes::default();
    let mut has_attributes = false;
    for field in writable(noun) {
        // A command may have only some of the flags.
        let Some(text) = matches.try_get_one::<String>(field.name).ok().flatten() else {
            continue;
        };
        if address_of(field, text).is_some() {
            addresses.push((field, text.clone()));
            continue;
        }
        match input_from_text(field, text, zone) {
            Ok(Input::Object(object)) => {
                attributes = object;
                has_attributes = true;
            }
            Ok(input) => {
                if let (Kind::Time(Tense::Future), Input::Text(next)) = (field.kind, &input) {
                    past::note(
                        &format!("--{}", field.flag.unwrap_or(field.name)),
                        next,
                        zone,
                    );
                }
                draft.give(field.name, input);
            }
            Err(expected) => draft.refuse(field.name, expected),
        }
    }
    for pair in all("set") {
        has_attributes = true;
        if let Err(expected) = set(noun, &mut attributes, pair) {
            draft.refuse("--set", expected);
        }
    }
    for key in all("unset") {
        has_attributes = true;
        match attribute_key(noun, key, None) {
            Ok(()) => attributes.set(key, "null"),
            Err(expected) => draft.refuse("--unset", expected),
        }
    }
    if has_attributes {
        draft.give("attributes", Input::Object(attributes));
    }
    for name in all("clear") {
        let known = named(noun, name).filter(|field| field.presence != Presence::Automatic);
        match known {
            Some(field) if matches.get_one::<String>(field.name).is_some() => {
                draft.refuse("--clear", format!("{} is also set by a flag", field.name));
            }
            Some(field) => draft.give(field.name, Input::Null),
            None => {
                let known: Vec<&str> = writable(noun).map(|field| field.name).collect();
                draft.refuse(
                    "--clear",
                    format!("expected one of {}, got {}", known.join(", "), quoted(name)),
                );
            }
        }
    }
    Ok(DraftSource::Flags(FlagDraft { draft, addresses }))
}

/// Reads `key=text` or `key:=JSON`.
fn set(noun: &'static Noun, attributes: &mut Attributes, pair: &str) -> Result<(), String> {
    let Some((key, value)) = pair.split_once('=') else {
        return Err(format!(
            "expected KEY=VALUE or KEY:=JSON, got {}",
            quoted(pair)
        ));
    };
    if key.contains('\0') || value.contains('\0') {
        return Err("must not contain a NUL character".into());
    }
    attribute_key(noun, key.strip_suffix(':').unwrap_or(key), Some(value))?;
    match key.strip_suffix(':') {
        Some(key) => {
            attributes::check(value).map_err(|wrong| {
                format!(
                    "{key}:= takes JSON, but {} {wrong}; {key}= sets a text",
                    quoted(value)
                )
            })?;
            attributes.set(key, value.trim());
        }
        None => attributes.set_text(key, value),
    }
    Ok(())
}
