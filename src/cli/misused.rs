//! Help and version, and command lines that are not valid.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, Write};

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::hyphens::swallowed;
use super::names::instead_of;
use super::say::{complain, lines};
use crate::base::error::Error;
use crate::base::text::disturbs;
use crate::base::time::{self, Tense, Zone};
use crate::config::table::OUTPUT;
use crate::config::{Flags, Format, Surroundings, error_format};
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::token;
use crate::output::Stop;

/// Words of other programs for what crm calls by its own verbs.
const VERBS: [(&str, &[&str]); 6] = [
    ("create", &["add", "new", "insert", "make", "post"]),
    (
        "get",
        &["show", "view", "read", "info", "describe", "cat", "open"],
    ),
    (
        "list",
        &["ls", "all", "find", "search", "query", "index", "listing"],
    ),
    (
        "update",
        &["edit", "set", "change", "modify", "patch", "put"],
    ),
    (
        "delete",
        &["rm", "remove", "del", "destroy", "drop", "erase"],
    ),
    (
        "revoke",
        &["rm", "remove", "del", "delete", "destroy", "drop", "erase"],
    ),
];

/// Prints the help, the version, or what is wrong with a command line. Returns the exit code.
pub(super) fn misused(error: clap::Error, around: &Surroundings, whole: fn() -> Command) -> u8 {
    let wanted = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if wanted {
        return match shown(&error) {
            Ok(()) | Err(Stop::ClosedPipe) => 0,
            Err(Stop::Failed(error)) => {
                complain(format(around), &error);
                error.code.exit()
            }
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return 2;
    }
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(error) = swallowed(whole, &words) {
        complain(format(around), &error);
        return error.code.exit();
    }
    let error = advised(error);
    match format(around) {
        format @ (Format::Json | Format::Ndjson) => {
            let text = error.render().to_string();
            // The sentence, and the tip, but not the usage.
            let told = text.lines().map(str::trim).take_while(|line| {
                !line.starts_with("Usage:") && !line.starts_with("For more information")
            });
            let told: Vec<&str> = told.filter(|line| !line.is_empty()).collect();
            let told = told.join(" ");
            complain(format, &Error::invalid(told.trim_start_matches("error: ")));
        }
        _ => {
            let text = error.render().to_string();
            match token::hidden(&text) {
                // The error repeats words of the command line, which may come from data.
                Cow::Borrowed(text) if !text.contains(|c: char| c != '\n' && disturbs(c)) => {
                    let _ = error.print();
                }
                hidden => lines(hidden.trim_end()),
            }
        }
    }
    2
}

/// Prints help or the version, with color if standard output is a terminal.
fn shown(error: &clap::Error) -> Result<(), Stop> {
    error.print()?;
    Ok(io::stdout().flush()?)
}

fn format(around: &Surroundings) -> Format {
    let mut flags = Flags::default();
    if let Some(word) = output_flag() {
        flags.set(&OUTPUT, word);
    }
    error_format(&flags, around)
}

/// Adds what the user most likely meant to an error.
fn advised(mut error: clap::Error) -> clap::Error {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let Some(tip) = tip(&error, &words) else {
        return error;
    };
    let mut styled = StyledStr::new();
    // Writing to memory does not fail.
    let _ = std::fmt::Write::write_str(&mut styled, &tip);
    for similar in [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::TrailingArg,
    ] {
        error.remove(similar);
    }
    error.insert(
        ContextKind::Suggested,
        ContextValue::StyledStrs(vec![styled]),
    );
    error
}

/// What the user most likely meant.
fn tip(error: &clap::Error, words: &[String]) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let group = words.iter().find(|word| !word.starts_with('-'))?;
    let noun = noun_of(group);
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = context(ContextKind::InvalidSubcommand)?;
            let is_top = word == group;
            if let Some(tip) = other_command(noun, word, is_top) {
                return Some(tip);
            }
            let group = match noun {
                Some(noun) => noun.name,
                None if !is_top && *group == "token" => "token",
                // A verb without a noun: leads are the most likely ones.
                None => NOUNS[0].name,
            };
            if let (true, Some(noun)) = (is_top, noun) {
                let next = words.iter().skip_while(|other| *other != word).nth(1);
                let verb = next.and_then(|next| verb_of(noun.name, next));
                let verb = verb.map_or_else(String::new, |verb| format!(" {verb}"));
                return Some(format!("did you mean `crm {}{verb}`?", noun.name));
            }
            Some(format!(
                "did you mean `crm {group} {}`?",
                verb_of(group, word)?
            ))
        }
        ErrorKind::UnknownArgument => {
            let word = context(ContextKind::InvalidArg)?;
            // A time of two words: --at yesterday 14:30.
            let before = words.iter().take_while(|other| *other != word).last()?;
            let zone = Zone::UTC;
            let is_time = |text: &str| {
                let tenses = [Tense::Past, Tense::Future];
                let mut found = tenses.iter().map(|tense| time::span(text, &zone, *tense));
                found.any(|span| span.is_ok())
            };
            if !word.starts_with('-') && is_time(&format!("{before} {word}")) {
                return Some(format!("did you mean '{before} {word}', in quotes?"));
            }
            if group == "log" && !word.starts_with('-') {
                return Some("several words are one argument if they are in quotes: crm log 1 call 'Sent the quote'".into());
            }
            let noun = noun?;
            if word.starts_with('-') {
                let attribute = word.strip_prefix("--").filter(|name| {
                    let value = words.iter().skip_while(|other| other != &word).nth(1);
                    noun.has_attributes() && !name.contains('=') && value.is_some()
                })?;
                let value = words.iter().skip_while(|other| other != &word).nth(1)?;
                return match verb_of(noun.name, words.get(1)?)? {
                    _ if error.get(ContextKind::SuggestedArg).is_some() => None,
                    "create" | "update" => Some(format!(
                        "an attribute of your own is set by `--set {}`",
                        super::names::typed(&format!("{attribute}={value}"))
                    )),
                    "list" => Some(format!(
                        "an attribute of your own is filtered by `--where {}`",
                        super::names::typed(&format!("attributes.{attribute}={value}"))
                    )),
                    _ => None,
                };
            }
            match verb_of(noun.name, words.get(1)?)? {
                "create" | "update" => Some(format!("did you mean `{}`?", instead_of(noun, word)?)),
                "list" => Some(match word.split_once('=') {
                    Some(_) => format!("did you mean `--where {}`?", super::names::typed(word)),
                    None => format!("`--q {}` finds a text", super::names::typed(word)),
                }),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A command that is none of the usual verbs, by another word for it: `crm show 1`, `crm lead find ada`.
fn other_command(noun: Option<&'static Noun>, word: &str, is_top: bool) -> Option<String> {
    let finds = ["find", "search", "query"].contains(&word);
    match noun {
        _ if is_top && ["show", "view"].contains(&word) => {
            Some("did you mean `crm lead show`?".into())
        }
        None if is_top && finds => Some("did you mean `crm find`?".into()),
        Some(noun) if finds => Some(format!(
            "did you mean `crm find --type {0}`? `crm {0} list --q` finds text inside of words",
            noun.name
        )),
        _ => None,
    }
}

/// The noun of a word: `lead`, `leads`, `Lead`.
fn noun_of(word: &str) -> Option<&'static Noun> {
    let word = word.to_lowercase();
    let mut nouns = NOUNS.into_iter();
    nouns.find(|noun| [noun.name, noun.plural].contains(&word.as_str()))
}

/// The verb of a group that a word stands for.
fn verb_of(group: &str, word: &str) -> Option<&'static str> {
    let is_token = group == "token";
    let word = word.to_lowercase();
    let mut verbs = VERBS.iter().filter(|(verb, _)| match is_token {
        true => ["create", "list", "revoke"].contains(verb),
        false => *verb != "revoke",
    });
    let found = verbs.find(|(verb, others)| *verb == word || others.contains(&word.as_str()));
    found.map(|(verb, _)| *verb)
}

/// The value of `--output` in a command line that clap refused.
fn output_flag() -> Option<String> {
    let mut args = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-o" | "--output" => return args.next(),
            "--" => return None,
            arg => {
                let short = arg.strip_prefix("-o").filter(|_| !arg.starts_with("--"));
                if let Some(value) = arg.strip_prefix("--output=").or(short) {
                    return Some(value.trim_start_matches('=').to_string());
                }
            }
        }
    }
    None
}
