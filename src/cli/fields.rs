//! What a shell can offer for values that are made of fields: `--fields`, `--sort`, `--clear`, `--where`, and the words of
//! a field, such as the statuses in use.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap_complete::engine::CompletionCandidate;

use super::names::kebab;
use crate::config::table::{CONFIG, DATABASE, URL};
use crate::config::{Asker, Flags, Location, Settings, Surroundings};
use crate::model::field::Presence;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::query::OPERATORS;
use crate::store::sqlite::words::words;

/// The longest word that is offered, in characters. A longer one is a text, which nobody wants to repeat.
const LONGEST: usize = 40;

/// The values of the fields of a noun.
#[derive(Clone, Debug)]
pub(super) struct Values {
    noun: &'static Noun,
    /// The words of the line that is being typed. They may name a database.
    line: Vec<String>,
}

impl Values {
    pub(super) fn new(noun: &'static Noun, line: &[String]) -> Values {
        Values {
            noun,
            line: line.to_vec(),
        }
    }

    /// The local database of the line. `None` if the records are elsewhere.
    fn database(&self) -> Option<PathBuf> {
        let around = Surroundings::of_process();
        let mut flags = Flags::default();
        for knob in [&DATABASE, &URL, &CONFIG] {
            let name = knob.flag?;
            let mut line = self.line.iter();
            while let Some(word) = line.next() {
                let joined = word
                    .strip_prefix(name)
                    .and_then(|rest| rest.strip_prefix('='));
                let value = match word == name {
                    true => line.next().map(String::as_str),
                    false => joined,
                };
                if let Some(value) = value {
                    flags.set(knob, value);
                }
            }
        }
        // A service has its own database, but its URL is not asked.
        match Settings::find(&flags, &around, Asker::Command)
            .ok()?
            .target
            .value
        {
            Location::Database(path) => Some(around.folder.join(path)),
            Location::Postgres(_) | Location::Url(_) => None,
        }
    }

    /// The words of a field in the local database.
    fn words(&self, column: &str) -> Vec<String> {
        // A view has no table, and its columns are those of other nouns under other names.
        if self.noun.is_view() {
            return Vec::new();
        }
        let found = self
            .database()
            .map(|path| words(&path, self.noun.plural, column));
        let mut found = found.unwrap_or_default();
        found.retain(|word| word.chars().nth(LONGEST).is_none());
        found
    }

    fn names(&self) -> Vec<String> {
        let fields = self.noun.fields.iter();
        fields.map(|field| field.name.to_string()).collect()
    }
}

/// What completes the value of an argument. `None` if nothing is known about it. In a list a field is a filter.
pub(super) fn completer(
    values: Values,
    argument: &str,
    is_list: bool,
) -> Option<impl Fn(&OsStr) -> Vec<CompletionCandidate> + Send + Sync + 'static> {
    let noun = values.noun;
    let field = noun.fields.iter().find(|field| field.name == argument);
    let kind = match (argument, field) {
        ("show", _) => Kinds::Names,
        ("sort", _) => Kinds::Order,
        ("clear", _) => Kinds::Clearable,
        ("where", _) => Kinds::Where,
        (_, Some(field)) if field.kind == Kind::Word && is_list => Kinds::Filter(field.name),
        (_, Some(field)) if field.kind == Kind::Word => Kinds::Word(field.name),
        _ => return None,
    };
    Some(move |typed: &OsStr| {
        let typed = typed.to_str().unwrap_or_default();
        let found = kind.candidates(&values, typed).into_iter();
        let found = found.filter(|candidate| candidate.starts_with(typed));
        found.map(CompletionCandidate::new).collect::<Vec<_>>()
    })
}

#[derive(Clone, Copy, Debug)]
enum Kinds {
    /// Names of fields, comma-separated.
    Names,
    /// Names of fields, each perhaps after a hyphen.
    Order,
    /// Fields that can be null.
    Clearable,
    /// `FIELD=FILTER`.
    Where,
    /// A filter on a field of words.
    Filter(&'static str),
    /// A word of a field.
    Word(&'static str),
}

impl Kinds {
    fn candidates(self, values: &Values, typed: &str) -> Vec<String> {
        let (before, last) = match typed.rfind(',') {
            Some(at) => typed.split_at(at + 1),
            None => ("", typed),
        };
        match self {
            Kinds::Names | Kinds::Order => {
                let sign = match last.starts_with('-') && matches!(self, Kinds::Order) {
                    true => "-",
                    false => "",
                };
                let given: Vec<&str> = before
                    .split(',')
                    .map(|one| one.trim_start_matches('-'))
                    .collect();
                let names = values.names().into_iter();
                let names = names.filter(|name| !given.contains(&name.as_str()));
                names.map(|name| format!("{before}{sign}{name}")).collect()
            }
            Kinds::Clearable => {
                let fields = values.noun.fields.iter();
                let fields = fields.filter(|field| field.presence == Presence::Optional);
                fields
                    .map(|field| kebab(field.flag.unwrap_or(field.name)))
                    .collect()
            }
            Kinds::Where => match typed.split_once('=') {
                None => {
                    let mut names = values.names();
                    if values.noun.has_attributes() {
                        names.push("attributes.".into());
                    }
                    let ended = names.into_iter().map(|name| match name.ends_with('.') {
                        true => name,
                        false => format!("{name}="),
                    });
                    ended.collect()
                }
                Some((name, filter)) => {
                    let mut fields = values.noun.fields.iter();
                    match fields.find(|field| field.name == name) {
                        Some(field) if field.kind == Kind::Word => {
                            let found = Kinds::Filter(field.name).candidates(values, filter);
                            found.iter().map(|one| format!("{name}={one}")).collect()
                        }
                        _ => Vec::new(),
                    }
                }
            },
            Kinds::Filter(column) => {
                let from = typed.rfind([',', ':']).map_or(0, |at| at + 1);
                let before = &typed[..from];
                let words = values.words(column).into_iter();
                let mut found: Vec<String> = words.map(|word| format!("{before}{word}")).collect();
                if before.is_empty() {
                    found.extend(OPERATORS.iter().map(|operator| format!("{operator}:")));
                }
                found
            }
            Kinds::Word(column) => values.words(column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::process::PROCESS;

    #[test]
    fn lists_of_fields_are_completed_one_by_one() {
        let values = Values::new(&PROCESS, &["--url".into(), "http://localhost:1".into()]);
        let found = |argument: &str, typed: &str, is_list| {
            let completer = completer(values.clone(), argument, is_list).unwrap();
            let found = completer(OsStr::new(typed));
            let found = found
                .iter()
                .map(|one| one.get_value().to_str().unwrap().to_string());
            found.collect::<Vec<String>>()
        };
        assert_eq!(found("show", "na", true), ["name"]);
        assert_eq!(found("show", "id,name,lea", true), ["id,name,lead_id"]);
        assert_eq!(
            found("sort", "-created_at,-n", true),
            ["-created_at,-name", "-created_at,-next_followup_datetime"]
        );
        assert_eq!(
            found("clear", "", false),
            ["lead", "channel", "last-action", "next", "cadence"]
        );
        assert_eq!(found("where", "chan", true), ["channel="]);
        assert_eq!(found("where", "att", true), ["attributes=", "attributes."]);
        assert_eq!(found("status", "n", true), ["ne:"]);
        // Behind a server there are no words.
        assert_eq!(found("status", "", false), Vec::<String>::new());
        assert!(completer(values.clone(), "lead_id", true).is_none());
    }
}
