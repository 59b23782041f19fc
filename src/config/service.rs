//! What `crm serve` goes by beside its address and its backups, as one table: flag, variable, key of the config file, help
//! and the row of `crm config` follow from an entry, and the README has a line for each.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{File, Flags, Row, Setting, Source, Surroundings, parse_duration, show_duration};
use crate::base::error::{Error, Result, quoted};
use crate::model::record::LARGEST;

/// One setting of the service.
#[derive(Debug)]
pub struct Knob {
    /// The key in the config file; the flag is it in kebab case, the variable in capitals behind `CRM_`.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// As somebody would give it; empty where it is not set by itself.
    pub default: &'static str,
    /// What it does, for help and documentation.
    pub about: &'static str,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Bytes from one number to another; `k` and `m` are 1,024 and 1,048,576.
    Size(u64, u64),
    /// A whole number from one to another.
    Count(u64, u64),
    /// As a count, or `off`.
    Rate(u64),
    /// A second to an hour.
    Time,
    /// On or off; a flag without a value.
    Switch,
    /// One of these.
    Word(&'static [&'static str]),
    /// The name of a file.
    File,
    /// Several values with commas between them, or the flag several times; each is read by the function.
    Many(fn(&str) -> Result<(), String>, &'static str),
}

macro_rules! knobs {
    ($($name:ident = $key:literal, $kind:expr, $default:literal, $about:expr;)*) => {
        $(
            #[doc = concat!("`", $key, "`")]
            pub static $name: Knob = Knob { key: $key, kind: $kind, default: $default, about: $about };
        )*
        /// All of them, in the order in which they are shown.
        pub static KNOBS: &[&Knob] = &[$(&$name),*];
    };
}

knobs! {
    OPEN = "open", Kind::Switch, "",
        "Let everybody read and write, also where the database has tokens";
    REQUIRE_TOKEN = "require_token", Kind::Switch, "",
        "Let nobody in without a token, also where the database has none yet";
    TLS_CERT = "tls_cert", Kind::File, "",
        "Serve HTTPS with this certificate and those that vouch for it, in PEM; read again when it changes";
    TLS_KEY = "tls_key", Kind::File, "",
        "The private key of the certificate, in PEM";
    CORS_ORIGIN = "cors_origin", Kind::Many(crate::server::cors::check_origin, "ORIGIN"), "",
        "Let the pages of this origin use the API, such as https://app.example.com; may be given several times";
    TRUSTED_PROXY = "trusted_proxy", Kind::Many(crate::net::peer::check_network, "ADDRESS"), "",
        "Believe X-Forwarded-For of this proxy, an address or a network like 10.0.0.0/8; may be given several times";
    LOG = "log", Kind::Word(&["text", "json"]), "text",
        "How the log is written to standard error";
    QUIET = "quiet", Kind::Switch, "",
        "Log warnings and errors alone, and no line for each request";
    MAX_BODY = "max_body", Kind::Size(1_024, LARGEST as u64), "1m",
        "The largest body of a request, in bytes";
    MAX_HEAD = "max_head", Kind::Size(8 * 1_024, 1_024 * 1_024), "64k",
        "The largest head of a request: its first line and its headers, in bytes";
    MAX_URL = "max_url", Kind::Size(1_024, 63 * 1_024), "63k",
        "The longest path of a request with its parameters, in bytes";
    MAX_DEPTH = "max_depth", Kind::Count(2, 127), "127",
        "The most levels of objects and arrays in a body";
    MAX_CONNECTIONS = "max_connections", Kind::Count(1, 65_536), "1024",
        "The most connections at a time; beyond them a newcomer is closed at once, or an idle one of an address that has many more";
    MAX_CONNECTIONS_PER_ADDRESS = "max_connections_per_address", Kind::Count(1, 65_536), "512",
        "The most connections of one address at a time; those of a trusted proxy do not count";
    HEAD_TIMEOUT = "head_timeout", Kind::Time, "10s",
        "How long the head of a request may take, from its first byte";
    BODY_TIMEOUT = "body_timeout", Kind::Time, "30s",
        "How long the body of a request may take, from the end of its head";
    REQUEST_TIMEOUT = "request_timeout", Kind::Time, "1m",
        "How long an answer may take to begin, from the end of the request";
    IDLE_TIMEOUT = "idle_timeout", Kind::Time, "30s",
        "How long a connection may be silent between two requests";
    RATE_PER_TOKEN = "rate_per_token", Kind::Rate(1_000_000), "off",
        "The most requests of one token in a second";
    RATE_PER_ADDRESS = "rate_per_address", Kind::Rate(1_000_000), "off",
        "The most requests of one address in a second";
    MAX_WAITING_WRITES = "max_waiting_writes", Kind::Count(1, 65_536), "4096",
        "The most writes that wait for the database at a time";
}

impl Knob {
    /// Its flag, without the two hyphens.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// Its environment variable.
    pub fn variable(&self) -> String {
        format!("CRM_{}", self.key.to_ascii_uppercase())
    }

    /// What a value is called in help, `None` for a switch.
    pub fn value_name(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Size(..) => Some("BYTES"),
            Kind::Count(..) => Some("COUNT"),
            Kind::Rate(_) => Some("RATE"),
            Kind::Time => Some("TIME"),
            Kind::Word(_) => Some("WORD"),
            Kind::File => Some("FILE"),
            Kind::Many(_, name) => Some(name),
            Kind::Switch => None,
        }
    }

    /// Whether the config file may hold it as this type.
    pub(super) fn takes(&self, value: &toml::Value) -> bool {
        match self.kind {
            Kind::Switch => value.is_bool(),
            Kind::Size(..) | Kind::Count(..) | Kind::Rate(_) => {
                value.is_str() || value.is_integer()
            }
            Kind::Many(..) => {
                value.is_str()
                    || value
                        .as_array()
                        .is_some_and(|all| all.iter().all(toml::Value::is_str))
            }
            Kind::Time | Kind::Word(_) | Kind::File => value.is_str(),
        }
    }

    /// What is expected of its type in the config file.
    pub(super) fn expected(&self) -> &'static str {
        match self.kind {
            Kind::Switch => "expected true or false",
            Kind::Size(..) | Kind::Count(..) | Kind::Rate(_) => "expected text or a number",
            Kind::Many(..) => "expected text or an array of texts",
            Kind::Time | Kind::Word(_) | Kind::File => "expected text",
        }
    }

    fn read(&self, text: &str) -> Result<Value, String> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| digits)
        };
        let got = quoted(text);
        match self.kind {
            Kind::Size(least, most) => {
                let (digits, unit) = match text.char_indices().next_back() {
                    Some((at, 'k')) => (&text[..at], 1_024),
                    Some((at, 'm')) => (&text[..at], 1_024 * 1_024),
                    _ => (text, 1),
                };
                let bytes = number(digits).and_then(|number| number.checked_mul(unit));
                bytes
                    .filter(|bytes| (least..=most).contains(bytes))
                    .map(Value::Size)
                    .ok_or_else(|| {
                        let (least, most) = (Value::Size(least), Value::Size(most));
                        format!("expected a number of bytes from {least} to {most}, where k is 1,024 of them and m 1,048,576, got {got}")
                    })
            }
            Kind::Count(least, most) => number(text)
                .filter(|count| (least..=most).contains(count))
                .map(Value::Count)
                .ok_or_else(|| format!("expected a number from {least} to {most}, got {got}")),
            Kind::Rate(_) if text == "off" => Ok(Value::Unset),
            Kind::Rate(most) => number(text)
                .filter(|count| (1..=most).contains(count))
                .map(Value::Count)
                .ok_or_else(|| format!("expected a number from 1 to {most}, or off, got {got}")),
            Kind::Time => parse_duration(text)
                .ok()
                .filter(|time| *time <= LONGEST_TIME)
                .map(Value::Time)
                .ok_or_else(|| format!("expected a time from 1s to 1h, such as 30s, got {got}")),
            Kind::Switch => match text {
                "true" | "1" | "yes" | "on" => Ok(Value::On),
                "false" | "0" | "no" | "off" => Ok(Value::Unset),
                _ => Err(format!("expected true or false, got {got}")),
            },
            Kind::Word(words) => match words.iter().find(|word| **word == text) {
                Some(word) => Ok(Value::Word(word)),
                None => Err(format!("expected {}, got {got}", words.join(" or "))),
            },
            Kind::File if text.is_empty() => Err("expected the name of a file, got none".into()),
            Kind::File => Ok(Value::File(text.into())),
            Kind::Many(check, _) => {
                let all: Vec<String> = text.split(',').map(|one| one.trim().to_string()).collect();
                all.iter().try_for_each(|one| check(one))?;
                Ok(Value::Many(all))
            }
        }
    }
}

const LONGEST_TIME: Duration = Duration::from_secs(3_600);

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Not set, or off.
    Unset,
    /// On.
    On,
    /// Bytes.
    Size(u64),
    /// A number.
    Count(u64),
    /// A time.
    Time(Duration),
    /// A word of the setting's own.
    Word(&'static str),
    /// A file, its path from the root.
    File(PathBuf),
    /// Several.
    Many(Vec<String>),
}

impl fmt::Display for Value {
    /// As somebody would give it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unset => f.write_str("off"),
            Value::On => f.write_str("on"),
            Value::Size(bytes) if bytes.is_multiple_of(1 << 20) => write!(f, "{}m", bytes >> 20),
            Value::Size(bytes) if bytes.is_multiple_of(1 << 10) => write!(f, "{}k", bytes >> 10),
            Value::Size(number) | Value::Count(number) => number.fmt(f),
            Value::Time(time) => f.write_str(&show_duration(*time)),
            Value::Word(word) => f.write_str(word),
            Value::File(path) => path.display().fmt(f),
            Value::Many(all) => f.write_str(&all.join(",")),
        }
    }
}

/// The settings of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service(Vec<Setting<Value>>);

impl Service {
    /// Finds them, or says which is wrong and what was expected.
    pub fn find(flags: &Flags, around: &Surroundings) -> Result<Service> {
        let file = File::read(flags, around)?;
        let all = KNOBS.iter().map(|knob| {
            let given = flags.service.iter().find(|(key, _)| *key == knob.key);
            let given = given.map(|(_, value)| {
                let source = Source::Flag(FLAGS[place(knob)].0.as_str());
                Setting::new(value.clone(), source)
            });
            let (given, folder) = match given {
                Some(given) => (Some(given), around.folder.clone()),
                None => match around.variable(FLAGS[place(knob)].1.as_str())? {
                    Some(given) => (Some(given), around.folder.clone()),
                    None => (file.get(knob.key), file.folder()),
                },
            };
            let Some(given) = given else {
                let value = match knob.default {
                    "" => Value::Unset,
                    default => knob.read(default).map_err(Error::internal)?,
                };
                return Ok(Setting::new(value, Source::Default));
            };
            let mut found = given.read(|text| knob.read(text))?;
            if let Value::File(path) = &mut found.value {
                *path = folder.join(&path).components().collect();
            }
            Ok(found)
        });
        let mut found = Service(all.collect::<Result<_>>()?);
        found.hide(&OPEN, &REQUIRE_TOKEN);
        found.hide(&REQUIRE_TOKEN, &OPEN);
        found.fits_together()?;
        Ok(found)
    }

    /// Turns one off that contradicts another, which somebody has turned on nearer by.
    fn hide(&mut self, hidden: &'static Knob, by: &'static Knob) {
        let (own, other) = (self.setting(hidden), self.setting(by));
        let both = own.value != Value::Unset && other.value != Value::Unset;
        if both && other.source.beats(&own.source) {
            self.0[place(hidden)] = Setting::new(Value::Unset, other.source.clone());
        }
    }

    fn fits_together(&self) -> Result<()> {
        let is_set = |knob| self.setting(knob).value != Value::Unset;
        if is_set(&OPEN) && is_set(&REQUIRE_TOKEN) {
            let (one, other) = (self.setting(&OPEN), self.setting(&REQUIRE_TOKEN));
            return Err(one.source.refuse_both(&other.source));
        }
        for (one, other) in [(&TLS_CERT, &TLS_KEY), (&TLS_KEY, &TLS_CERT)] {
            if is_set(one) && !is_set(other) {
                let expected = format!(
                    "expected --{} beside it ({} or {})",
                    other.flag(),
                    other.variable(),
                    other.key
                );
                return Err(self.setting(one).source.refuse(expected));
            }
        }
        Ok(())
    }

    /// A setting, with where it comes from.
    pub fn setting(&self, knob: &'static Knob) -> &Setting<Value> {
        &self.0[place(knob)]
    }

    /// A number of bytes or of something else; 0 where it is off.
    pub fn number(&self, knob: &'static Knob) -> usize {
        match self.setting(knob).value {
            Value::Size(number) | Value::Count(number) => {
                usize::try_from(number).unwrap_or(usize::MAX)
            }
            _ => 0,
        }
    }

    /// A time.
    pub fn time(&self, knob: &'static Knob) -> Duration {
        match self.setting(knob).value {
            Value::Time(time) => time,
            _ => Duration::ZERO,
        }
    }

    /// Whether a switch is on.
    pub fn is_on(&self, knob: &'static Knob) -> bool {
        self.setting(knob).value == Value::On
    }

    /// A word.
    pub fn word(&self, knob: &'static Knob) -> &'static str {
        match self.setting(knob).value {
            Value::Word(word) => word,
            _ => "",
        }
    }

    /// A file, if there is one.
    pub fn file(&self, knob: &'static Knob) -> Option<&std::path::Path> {
        match &self.setting(knob).value {
            Value::File(path) => Some(path),
            _ => None,
        }
    }

    /// All that was given.
    pub fn many(&self, knob: &'static Knob) -> &[String] {
        match &self.setting(knob).value {
            Value::Many(all) => all,
            _ => &[],
        }
    }

    /// What `crm config` shows of them.
    pub(super) fn rows(&self) -> Vec<Row> {
        let settings = KNOBS.iter().zip(&self.0);
        settings
            .map(|(knob, setting)| match (&setting.value, knob.kind) {
                (Value::Unset, Kind::File | Kind::Many(..)) => {
                    Row::without_value(knob.key, "not set".into())
                }
                (value, _) => Row::new(knob.key, value, &setting.source),
            })
            .collect()
    }
}

/// Where a setting stands in the table.
fn place(knob: &Knob) -> usize {
    let at = KNOBS.iter().position(|known| known.key == knob.key);
    at.unwrap_or_default()
}

/// The names of flag and variable, made once as a [`Source`] keeps them.
static FLAGS: std::sync::LazyLock<Vec<(String, String)>> = std::sync::LazyLock::new(|| {
    let names = KNOBS
        .iter()
        .map(|knob| (format!("--{}", knob.flag()), knob.variable()));
    names.collect()
});
