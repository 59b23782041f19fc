//! The kinds of settings: which values each takes, and how a value is read and shown.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::parse;

/// The kind of a setting.
#[derive(Clone, Copy, Debug)]
pub enum SettingKind {
    /// The path of a SQLite file or the URL of a PostgreSQL database.
    Database,
    /// The URL of a server.
    Url,
    /// The name of an output format.
    Format,
    /// A token.
    Token,
    /// The command line of a program.
    Program,
    /// The name of a time zone.
    Zone,
    /// The name of a person or a program.
    Name,
    /// The path of a file, which need not be UTF-8.
    Path,
    /// An IP address or a host name.
    Host,
    /// A port; 0 stands for any free port.
    Port,
    /// The path of a folder.
    Folder,
    /// The path of a file.
    File,
    /// A number of bytes from the first number to the second; `k` is 1,024 bytes and `m` is 1,048,576.
    Size(u64, u64),
    /// A whole number from the first number to the second.
    Count(u64, u64),
    /// A whole number from 1 to this one, or `off`.
    Rate(u64),
    /// A time from a second to this number of seconds.
    Time(u64),
    /// A time from a second to this number of seconds, `forever`, or `0`.
    Keep(u64),
    /// On or off; the flag has no value.
    Switch,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A comma-separated list; the flag may be given several times. The function checks each part. The text is the name
    /// of a part in the help.
    Many(fn(&str) -> Result<(), String>, &'static str),
}

impl SettingKind {
    /// The name of a value in the help. `None` for a switch.
    pub fn value_name(&self) -> Option<&'static str> {
        match self {
            SettingKind::Database => Some("PATH"),
            SettingKind::Url => Some("URL"),
            SettingKind::Format => Some("FORMAT"),
            SettingKind::Token => Some("TOKEN"),
            SettingKind::Program => Some("COMMAND"),
            SettingKind::Zone => Some("ZONE"),
            SettingKind::Name => Some("NAME"),
            SettingKind::Host => Some("HOST"),
            SettingKind::Port => Some("PORT"),
            SettingKind::Folder => Some("DIR"),
            SettingKind::Path | SettingKind::File => Some("FILE"),
            SettingKind::Size(..) => Some("BYTES"),
            SettingKind::Count(..) => Some("COUNT"),
            SettingKind::Rate(_) => Some("RATE"),
            SettingKind::Time(_) | SettingKind::Keep(_) => Some("TIME"),
            SettingKind::Word(_) => Some("WORD"),
            SettingKind::Many(_, name) => Some(name),
            SettingKind::Switch => None,
        }
    }

    /// The range or the words for the manual, if the kind has them.
    pub(super) fn range(&self) -> Option<String> {
        let size = parse::show_size;
        match self {
            SettingKind::Size(least, most) => Some(format!("{} to {}", size(*least), size(*most))),
            SettingKind::Count(least, most) => Some(format!("{least} to {most}")),
            SettingKind::Rate(most) => Some(format!("1 to {most}, or off")),
            SettingKind::Time(longest) => {
                let longest = parse::show_duration(Duration::from_secs(*longest));
                Some(format!("1s to {longest}"))
            }
            SettingKind::Keep(longest) => {
                let longest = parse::show_duration(Duration::from_secs(*longest));
                Some(format!("1s to {longest}, forever or 0"))
            }
            SettingKind::Word(words) => Some(words.join(" or ")),
            _ => None,
        }
    }

    /// Whether the config file may hold the value as this TOML type.
    pub(super) fn takes(&self, value: &toml::Value) -> bool {
        match self {
            SettingKind::Switch => value.is_bool(),
            SettingKind::Size(..)
            | SettingKind::Count(..)
            | SettingKind::Rate(_)
            | SettingKind::Keep(_) => value.is_str() || value.is_integer(),
            SettingKind::Many(..) => {
                let is_list = |parts: &Vec<toml::Value>| parts.iter().all(toml::Value::is_str);
                value.is_str() || value.as_array().is_some_and(is_list)
            }
            _ => value.is_str(),
        }
    }

    /// The TOML type that is expected in the config file.
    pub(super) fn expected(&self) -> &'static str {
        match self {
            SettingKind::Switch => "expected true or false",
            SettingKind::Size(..)
            | SettingKind::Count(..)
            | SettingKind::Rate(_)
            | SettingKind::Keep(_) => "expected text or a number",
            SettingKind::Many(..) => "expected text or an array of texts",
            _ => "expected text",
        }
    }

    /// Reads a text. The error says what was expected. A relative path stays relative, because only the caller knows
    /// the folder that it is relative to.
    ///
    /// A database, a URL, a format, a token, a zone, a program and a path are returned unchanged, because
    /// [`crate::config::settings`]
    /// reads them into other types.
    pub(super) fn read(&self, text: &str) -> Result<SettingValue, String> {
        Ok(match *self {
            SettingKind::Database
            | SettingKind::Url
            | SettingKind::Format
            | SettingKind::Token
            | SettingKind::Program
            | SettingKind::Zone
            | SettingKind::Name
            | SettingKind::Path => SettingValue::Text(text.into()),
            SettingKind::Host => SettingValue::Text(parse::host(text)?),
            SettingKind::Port => SettingValue::Count(parse::port(text)?.into()),
            SettingKind::Folder if text.is_empty() => {
                return Err("expected the path of a folder, got none".into());
            }
            SettingKind::File if text.is_empty() => {
                return Err("expected the path of a file, got none".into());
            }
            SettingKind::Folder | SettingKind::File => SettingValue::Path(text.into()),
            SettingKind::Size(least, most) => SettingValue::Size(parse::size(text, least, most)?),
            SettingKind::Count(least, most) => {
                SettingValue::Count(parse::count(text, least, most)?)
            }
            SettingKind::Rate(most) => match parse::rate(text, most)? {
                Some(rate) => SettingValue::Count(rate),
                None => SettingValue::Unset,
            },
            SettingKind::Time(longest) => SettingValue::Time(parse::duration(text, longest)?),
            SettingKind::Keep(longest) => match parse::keep(text, longest)? {
                Some(time) => SettingValue::Time(time),
                None => SettingValue::Forever,
            },
            SettingKind::Switch => match parse::switch(text)? {
                true => SettingValue::On,
                false => SettingValue::Unset,
            },
            SettingKind::Word(words) => SettingValue::Word(parse::word(text, words)?),
            SettingKind::Many(check, _) => SettingValue::Many(parse::list(text, check)?),
        })
    }
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingValue {
    /// Not set, or off.
    Unset,
    /// On.
    On,
    /// A number of bytes.
    Size(u64),
    /// A number.
    Count(u64),
    /// A time.
    Time(Duration),
    /// A time without an end.
    Forever,
    /// One of the setting's words.
    Word(&'static str),
    /// A text.
    Text(String),
    /// A file or a folder.
    Path(PathBuf),
    /// The parts of a list.
    Many(Vec<String>),
}

impl SettingValue {
    /// The number of bytes or the count; 0 if the value is not a number.
    pub fn number(&self) -> usize {
        match self {
            SettingValue::Size(number) | SettingValue::Count(number) => {
                usize::try_from(*number).unwrap_or(usize::MAX)
            }
            _ => 0,
        }
    }

    /// The time; zero if the value is not a time.
    pub fn time(&self) -> Duration {
        match self {
            SettingValue::Time(time) => *time,
            _ => Duration::ZERO,
        }
    }

    /// The word; empty if the value is not a word.
    pub fn word(&self) -> &'static str {
        match self {
            SettingValue::Word(word) => word,
            _ => "",
        }
    }

    /// The path, if the value is a path.
    pub fn path(&self) -> Option<&Path> {
        match self {
            SettingValue::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The parts of a list; empty if the value is not a list.
    pub fn many(&self) -> &[String] {
        match self {
            SettingValue::Many(parts) => parts,
            _ => &[],
        }
    }
}

impl fmt::Display for SettingValue {
    /// Shows the value as a user would give it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingValue::Unset => f.write_str("off"),
            SettingValue::On => f.write_str("on"),
            SettingValue::Size(bytes) => f.write_str(&parse::show_size(*bytes)),
            SettingValue::Count(number) => number.fmt(f),
            SettingValue::Time(Duration::ZERO) => f.write_str("0"),
            SettingValue::Forever => f.write_str("forever"),
            SettingValue::Time(time) => f.write_str(&parse::show_duration(*time)),
            SettingValue::Word(word) => f.write_str(word),
            SettingValue::Text(text) => f.write_str(text),
            SettingValue::Path(path) => path.display().fmt(f),
            SettingValue::Many(parts) => f.write_str(&parts.join(",")),
        }
    }
}
