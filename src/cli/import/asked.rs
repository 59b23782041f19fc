//! What the user asks of an import.

use std::path::PathBuf;

use clap::ArgMatches;

use super::feed::Manner;
use crate::base::error::{Error, Result, quoted};
use crate::import::draft::Key;
use crate::import::encoding;
use crate::import::format;
use crate::import::mapping::{Extra, Wishes};
use crate::import::opened::Said;
use crate::model::lead::OnDuplicate;
use crate::model::noun::Noun;

/// The words of `--on-duplicate`.
pub(super) const ON_DUPLICATE: [(&str, OnDuplicate); 4] = [
    ("update", OnDuplicate::Update),
    ("skip", OnDuplicate::Skip),
    ("reject", OnDuplicate::Reject),
    ("create", OnDuplicate::Create),
];

/// What the user asks for.
pub(super) struct Import {
    pub(super) noun: &'static Noun,
    pub(super) path: PathBuf,
    pub(super) said: Said,
    pub(super) key: Key,
    pub(super) on_duplicate: OnDuplicate,
    pub(super) dry_run: bool,
    pub(super) rejects: Option<PathBuf>,
    pub(super) anew: bool,
    pub(super) yes: bool,
    pub(super) quiet: bool,
    /// All that decides what a row becomes, by which an import is known that was interrupted.
    pub(super) identity: String,
}

impl Import {
    /// Reads the command line.
    pub(super) fn read(noun: &'static Noun, matches: &ArgMatches) -> Result<Import> {
        let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
        let all = |name: &str| -> Vec<String> {
            matches
                .get_many(name)
                .into_iter()
                .flatten()
                .cloned()
                .collect()
        };
        let named = |flag: &str, expected: String| Error::invalid(format!("{flag}: {expected}"));
        let key = match text("key") {
            None | Some("email") if noun.email().is_some() => Key::Email,
            None => Key::None,
            Some("id") => Key::Id,
            Some(given) => match given
                .strip_prefix("attributes.")
                .filter(|key| !key.is_empty())
            {
                Some(key) => Key::Own(key.into()),
                None => {
                    return Err(Error::invalid(format!(
                        "--key: expected {}id or attributes.KEY, got {}",
                        if noun.email().is_some() {
                            "email, "
                        } else {
                            ""
                        },
                        quoted(given)
                    )));
                }
            },
        };
        let on_duplicate = ON_DUPLICATE
            .iter()
            .find(|word| Some(word.0) == text("on-duplicate"));
        let on_duplicate = match (on_duplicate, &key) {
            (Some((word, given)), Key::None) if *given != OnDuplicate::Create => {
                return Err(Error::invalid(format!(
                    "--on-duplicate {word}: expected --key with it, because {} have no address by which one is found",
                    noun.plural
                )));
            }
            (Some((word, given)), Key::Id) if *given != OnDuplicate::Update => {
                return Err(Error::invalid(format!(
                    "--on-duplicate {word}: cannot be used with --key id, which changes the records of these ids"
                )));
            }
            (Some((_, given)), _) => *given,
            (None, Key::None) => OnDuplicate::Create,
            (None, _) => OnDuplicate::Update,
        };
        let extra = Extra::WORDS
            .iter()
            .find(|word| Some(word.0) == text("extra"));
        let said = Said {
            encoding: text("encoding")
                .map(encoding::parse)
                .transpose()
                .map_err(|expected| named("--encoding", expected))?,
            delimiter: text("delimiter")
                .map(format::delimiter)
                .transpose()
                .map_err(|expected| named("--delimiter", expected))?,
            wishes: Wishes {
                map: all("map"),
                set: all("set"),
                extra: extra.map_or(Extra::Attributes, |word| word.1),
                by_id: key == Key::Id,
            },
        };
        Ok(Import {
            identity: format!("{} {said:?} {key:?} {on_duplicate:?}", noun.plural),
            noun,
            path: matches
                .get_one::<PathBuf>("file")
                .cloned()
                .unwrap_or_default(),
            said,
            key,
            on_duplicate,
            dry_run: matches.get_flag("dry-run"),
            rejects: matches.get_one::<PathBuf>("rejects").cloned(),
            anew: matches.get_flag("anew"),
            yes: matches.get_flag("yes"),
            quiet: matches.get_flag("quiet"),
        })
    }

    /// What rows are made into.
    pub(super) fn manner(&self) -> Manner {
        Manner {
            key: self.key.clone(),
            compares: self.on_duplicate == OnDuplicate::Update,
        }
    }

    /// The parameters of the bulk request.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let word = ON_DUPLICATE.iter().find(|word| word.1 == self.on_duplicate);
        let mut parameters = Vec::new();
        if !matches!(self.key, Key::None | Key::Id) {
            parameters.extend(word.map(|word| ("on_duplicate".into(), word.0.into())));
        }
        if let Key::Own(key) = &self.key {
            parameters.push(("key".into(), format!("attributes.{key}")));
        }
        parameters
    }
}
