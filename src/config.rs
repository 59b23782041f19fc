//! Settings and where each comes from.
//!
//! A flag beats the environment, which beats the config file, which beats the default. Only what decides is read: a
//! `DATABASE_URL` that belongs to another program disturbs no command that names its database with `--db`. The config
//! file alone is checked whole, as it is crm's own.
//!
//! The config file is `crm/config.toml` in the user's config directory. All its keys may be left out:
//!
//! ```toml
//! database = "work.db"              # a relative path counts from the folder of this file
//! url = "http://localhost:8000"     # one of database and url
//! output = "json"
//! token_file = "token"              # what the server at the URL is shown; or `token`, the token itself
//! backup_dir = "backups"            # counts from the folder of this file too
//! backup_every = "1h"
//! backup_keep = 24
//! ```
//!
//! and those of [`service`].
//!
//! A relative path in a flag or the environment counts from the current folder.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use directories::BaseDirs;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::base::error::{Error, Result, quoted};
use crate::model::token::Secret;
use crate::store::postgres;
use service::{KNOBS, Service};

pub mod service;

/// The name of the database where none is given.
pub const DATABASE: &str = "crm.db";

/// The address that `crm serve` listens on where none is given: all of the machine's.
pub const HOST: &str = "0.0.0.0";

/// The port that `crm serve` listens on where none is given.
pub const PORT: u16 = 8000;

/// The time between two backups of `crm serve` where none is given.
pub const BACKUP_EVERY: Duration = Duration::from_secs(3_600);

/// How many backups `crm serve` keeps where no number is given.
pub const BACKUP_KEEP: usize = 24;

/// The most backups that are kept; each makes the folder longer to read.
const MOST_BACKUPS: usize = 10_000;

/// The longest time between two backups, in seconds: a year.
const LONGEST_EVERY: u64 = 366 * 86_400;

/// What the flags gave, as given.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--db`
    pub db: Option<String>,
    /// The FILE of `crm check`, which stands for `--db`.
    pub file: Option<String>,
    /// `--url`
    pub url: Option<String>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--output`
    pub output: Option<String>,
    /// `--token-file`
    pub token_file: Option<PathBuf>,
    /// `--host`, of `serve` alone.
    pub host: Option<String>,
    /// `--port`, of `serve` alone.
    pub port: Option<String>,
    /// `--backup-dir`, of `serve` alone.
    pub backup_dir: Option<String>,
    /// `--backup-every`, of `serve` alone.
    pub backup_every: Option<String>,
    /// `--backup-keep`, of `serve` alone.
    pub backup_keep: Option<String>,
    /// The flags of [`service`], each by its key.
    pub service: Vec<(&'static str, String)>,
}

/// What settings depend on besides the flags.
pub struct Surroundings<'a> {
    /// Reads an environment variable.
    pub environment: &'a dyn Fn(&str) -> Option<OsString>,
    /// The current folder; empty where it cannot be told, relative paths then stay relative.
    pub folder: PathBuf,
    /// The user's folder for settings, `None` for a user without a home.
    pub config_folder: Option<PathBuf>,
    /// The user's folder for data, `None` for a user without a home.
    pub data_folder: Option<PathBuf>,
}

impl Surroundings<'_> {
    /// Those of this process.
    pub fn of_process() -> Surroundings<'static> {
        let user = BaseDirs::new();
        Surroundings {
            environment: &|name| std::env::var_os(name),
            folder: std::env::current_dir().unwrap_or_default(),
            config_folder: user.as_ref().map(|user| user.config_dir().to_path_buf()),
            data_folder: user.as_ref().map(|user| user.data_dir().to_path_buf()),
        }
    }

    /// A variable's text. An empty one counts as unset.
    fn variable(&self, name: &'static str) -> Result<Option<Setting<String>>> {
        let Some(value) = (self.environment)(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        match value.into_string() {
            Ok(value) => Ok(Some(Setting::new(value, Source::Environment(name)))),
            Err(_) => Err(Error::invalid(format!("{name}: expected UTF-8 text"))),
        }
    }
}

/// How a command prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON object, or an array.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values with a header.
    Csv,
    /// The id alone.
    Id,
}

impl Format {
    /// The words, as flag, variable and file take them.
    pub const WORDS: [(&str, Format); 5] = [
        ("table", Format::Table),
        ("json", Format::Json),
        ("ndjson", Format::Ndjson),
        ("csv", Format::Csv),
        ("id", Format::Id),
    ];

    /// Reads a word.
    pub fn parse(word: &str) -> Option<Format> {
        let row = Self::WORDS.iter().find(|row| row.0 == word);
        row.map(|row| row.1)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        let row = Self::WORDS.iter().find(|row| row.1 == self);
        row.map_or("table", |row| row.0)
    }
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag, by its name.
    Flag(&'static str),
    /// An environment variable, by its name.
    Environment(&'static str),
    /// A key of the config file at this path.
    File(PathBuf, &'static str),
    /// Nobody gave it.
    Default,
}

impl Source {
    /// The flag, the variable or the key.
    fn key(&self) -> &'static str {
        match self {
            Source::Flag(name) | Source::Environment(name) | Source::File(_, name) => name,
            Source::Default => "default",
        }
    }

    /// The flag, the variable, or the file and the key, as an error names them.
    fn name(&self) -> String {
        match self {
            Source::File(path, key) => format!("{}: {key}", path.display()),
            _ => self.key().into(),
        }
    }

    /// The error about two values at one level that say different things.
    fn refuse_both(&self, other: &Source) -> Error {
        let names = format!("{} and {}", self.name(), other.key());
        Error::invalid(format!("{names}: expected one of them, got both"))
    }

    /// Whether what is given here hides what is given there.
    fn beats(&self, other: &Source) -> bool {
        let level = |source: &Source| match source {
            Source::Flag(_) => 3,
            Source::Environment(_) => 2,
            Source::File(..) => 1,
            Source::Default => 0,
        };
        level(self) > level(other)
    }

    /// An error about a value from here, which says what was expected.
    pub fn refuse(&self, expected: impl fmt::Display) -> Error {
        Error::invalid(format!("{}: {expected}", self.name()))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag(name) => write!(f, "flag {name}"),
            Source::Environment(name) => write!(f, "environment {name}"),
            Source::File(path, _) => write!(f, "{}", path.display()),
            Source::Default => f.write_str("default"),
        }
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who gave it.
    pub source: Source,
}

impl<T> Setting<T> {
    fn new(value: T, source: Source) -> Setting<T> {
        Setting { value, source }
    }

    /// The value read by `parse`, whose error says what was expected.
    fn read<U>(self, parse: impl FnOnce(&T) -> Result<U, String>) -> Result<Setting<U>> {
        match parse(&self.value) {
            Ok(value) => Ok(Setting::new(value, self.source)),
            Err(expected) => Err(self.source.refuse(expected)),
        }
    }
}

/// Where the records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// In a SQLite file at this path.
    Database(PathBuf),
    /// In the PostgreSQL database at this URL, which may hold a password.
    Postgres(String),
    /// Behind a server at this `http` or `https` URL, which has no slash at its end.
    Url(String),
}

/// Who asks for settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A command on records, local or remote.
    Command,
    /// `crm serve`, which has a database and ignores every URL.
    Serve,
}

/// What every command goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the records are.
    pub target: Setting<Target>,
    /// How they are printed.
    pub output: Setting<Format>,
    /// The config file; `None` for a user without a home who named none.
    pub file: Option<Setting<PathBuf>>,
    /// Whether the config file is there.
    pub file_exists: bool,
    /// What a server is shown; looked for only where the records are behind one.
    pub token: Option<Setting<Secret>>,
}

impl Settings {
    /// Finds the settings, or says which flag, variable or file is wrong and what was expected.
    pub fn find(flags: &Flags, around: &Surroundings, asker: Asker) -> Result<Settings> {
        let file = File::read(flags, around)?;
        let target = target(flags, around, &file, asker)?;
        let token = match target.value {
            Target::Url(_) => token(flags, around, &file)?,
            Target::Database(_) | Target::Postgres(_) => None,
        };
        Ok(Settings {
            target,
            token,
            output: output(flags, around, &file)?,
            file_exists: file.exists,
            file: file.place,
        })
    }

    /// Whether somebody named the database or the URL: then a database that is not there may be a mistake in its name.
    pub fn explicit(&self) -> bool {
        self.target.source != Source::Default
    }

    /// Makes the folder of the default database, open to its user alone (the mode the XDG base directory specification
    /// gives). For when the database is about to be made; a folder that the user named is not made.
    pub fn create_default_folder(&self) -> Result<()> {
        let Target::Database(path) = &self.target.value else {
            return Ok(());
        };
        match path.parent() {
            Some(folder) if !self.explicit() => {
                let mut builder = DirBuilder::new();
                #[cfg(unix)]
                std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
                builder.recursive(true).create(folder).map_err(|error| {
                    let folder = folder.display();
                    Error::failed(format!("{folder}: expected a folder to write to: {error}"))
                })
            }
            _ => Ok(()),
        }
    }

    /// What `crm config` shows. `listen` is what `crm serve` would listen on, `backups` those it would make, `service` what
    /// else it would go by.
    pub fn rows(&self, listen: &Listen, backups: &Backups, service: &Service) -> Vec<Row> {
        let source = &self.target.source;
        let hidden = match source {
            Source::Default => "not set".into(),
            source => format!("not used: {source} decides"),
        };
        let (database, url) = match &self.target.value {
            Target::Database(path) => (
                Row::new("database", path.display(), source),
                Row::without_value("url", hidden),
            ),
            Target::Postgres(url) => (
                Row::new("database", without_password(url), source),
                Row::without_value("url", hidden),
            ),
            Target::Url(url) => (
                Row::without_value("database", hidden),
                Row::new("url", url, source),
            ),
        };
        let file = match &self.file {
            Some(file) if self.file_exists => {
                Row::new("config", file.value.display(), &file.source)
            }
            Some(file) => Row::new("config", file.value.display(), "default, not there"),
            None => Row::without_value("config", "not there: no home directory".into()),
        };
        let mut rows = vec![
            database,
            url,
            Row::new("output", self.output.value.word(), &self.output.source),
            Row::new("host", &listen.host.value, &listen.host.source),
            Row::new("port", listen.port.value, &listen.port.source),
            match &backups.folder {
                Some(folder) => Row::new("backup_dir", folder.value.display(), &folder.source),
                None => Row::without_value("backup_dir", "not set".into()),
            },
            Row::new(
                "backup_every",
                show_duration(backups.every.value),
                &backups.every.source,
            ),
            Row::new("backup_keep", backups.keep.value, &backups.keep.source),
        ];
        rows.push(match (&self.token, &self.target.value) {
            (Some(token), _) => {
                Row::new("token", format!("{}…", token.value.start()), &token.source)
            }
            (None, Target::Url(_)) => Row::without_value("token", "not set".into()),
            (None, _) => Row::without_value("token", "not used: there is no url".into()),
        });
        rows.extend(service.rows());
        rows.push(file);
        rows
    }
}

/// One setting as `crm config` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub setting: &'static str,
    /// Its value, `None` where it has none.
    pub value: Option<String>,
    /// Where it comes from, or why it has no value.
    pub source: String,
}

impl Row {
    fn new(setting: &'static str, value: impl fmt::Display, source: impl fmt::Display) -> Row {
        Row {
            setting,
            value: Some(value.to_string()),
            source: source.to_string(),
        }
    }

    fn without_value(setting: &'static str, why: String) -> Row {
        Row {
            setting,
            value: None,
            source: why,
        }
    }
}

/// What `crm serve` listens on. Apart from [`Settings`], so that a `PORT` that is meant for another program disturbs no
/// command that listens on nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// An IP address without brackets, or a name.
    pub host: Setting<String>,
    /// 0 takes any free one.
    pub port: Setting<u16>,
}

impl Listen {
    /// Finds what to listen on.
    pub fn find(flags: &Flags, around: &Surroundings) -> Result<Listen> {
        let host = match flag("--host", &flags.host) {
            Some(host) => Some(host),
            None => around.variable("HOST")?,
        };
        let port = match flag("--port", &flags.port) {
            Some(port) => Some(port),
            None => around.variable("PORT")?,
        };
        Ok(Listen {
            host: host
                .unwrap_or_else(|| Setting::new(HOST.into(), Source::Default))
                .read(|host| parse_host(host))?,
            port: port
                .unwrap_or_else(|| Setting::new(PORT.to_string(), Source::Default))
                .read(|port| parse_port(port))?,
        })
    }
}

/// Which backups `crm serve` makes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backups {
    /// The folder they go into; `None` makes none.
    pub folder: Option<Setting<PathBuf>>,
    /// The time between two: a second to a year.
    pub every: Setting<Duration>,
    /// How many are kept: 1 to 10,000.
    pub keep: Setting<usize>,
}

impl Backups {
    /// Finds them.
    pub fn find(flags: &Flags, around: &Surroundings) -> Result<Backups> {
        let file = File::read(flags, around)?;
        let folder = match flag("--backup-dir", &flags.backup_dir) {
            Some(folder) => Some(folder),
            None => around.variable("CRM_BACKUP_DIR")?,
        };
        let (folder, from) = match folder {
            Some(folder) => (Some(folder), around.folder.clone()),
            None => (file.get("backup_dir"), file.folder()),
        };
        let folder = folder.map(|folder| {
            folder.read(|folder| match folder.is_empty() {
                true => Err("expected the path of a folder, got none".into()),
                false => Ok(from.join(folder).components().collect()),
            })
        });
        let folder = folder.transpose()?;
        let every = match flag("--backup-every", &flags.backup_every) {
            Some(every) => Some(every),
            None => around
                .variable("CRM_BACKUP_EVERY")?
                .or_else(|| file.get("backup_every")),
        };
        let keep = match flag("--backup-keep", &flags.backup_keep) {
            Some(keep) => Some(keep),
            None => around
                .variable("CRM_BACKUP_KEEP")?
                .or_else(|| file.get("backup_keep")),
        };
        if folder.is_none()
            && let Some(source) = [&every, &keep].into_iter().flatten().next()
        {
            let expected = "expected a folder for the backups beside it (--backup-dir, \
                            CRM_BACKUP_DIR or backup_dir)";
            return Err(source.source.refuse(expected));
        }
        Ok(Backups {
            folder,
            every: match every {
                Some(every) => every.read(|text| parse_duration(text))?,
                None => Setting::new(BACKUP_EVERY, Source::Default),
            },
            keep: match keep {
                Some(keep) => keep.read(|text| parse_keep(text))?,
                None => Setting::new(BACKUP_KEEP, Source::Default),
            },
        })
    }
}

/// How errors are printed while settings are not known yet, or are at fault themselves: as the flag or `CRM_OUTPUT` says,
/// where that is a format.
pub fn error_format(flags: &Flags, around: &Surroundings) -> Format {
    let given = match &flags.output {
        Some(word) => Some(word.clone()),
        None => (around.environment)("CRM_OUTPUT").and_then(|word| word.into_string().ok()),
    };
    given
        .and_then(|word| Format::parse(&word))
        .unwrap_or_default()
}

fn flag(name: &'static str, given: &Option<String>) -> Option<Setting<String>> {
    let value = given.clone()?;
    Some(Setting::new(value, Source::Flag(name)))
}

/// The config file: where it is and what it says, its types checked, its values not yet.
struct File {
    place: Option<Setting<PathBuf>>,
    exists: bool,
    keys: toml::Table,
}

impl File {
    const KEYS: [&'static str; 8] = [
        "database",
        "url",
        "output",
        "token",
        "token_file",
        "backup_dir",
        "backup_every",
        "backup_keep",
    ];

    /// Keys that take a number as well.
    const NUMBERS: [&'static str; 1] = ["backup_keep"];

    fn read(flags: &Flags, around: &Surroundings) -> Result<File> {
        let place = match (&flags.config, &around.config_folder) {
            (Some(path), _) => {
                let path = around.folder.join(path);
                Setting::new(path, Source::Flag("--config"))
            }
            (None, Some(folder)) => Setting::new(folder.join("crm/config.toml"), Source::Default),
            (None, None) => {
                return Ok(File {
                    place: None,
                    exists: false,
                    keys: toml::Table::new(),
                });
            }
        };
        let (exists, keys) = match fs::read(&place.value) {
            Ok(bytes) => (true, Self::parse(&place.value, &bytes)?),
            Err(error)
                if place.source == Source::Default
                    && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                (false, toml::Table::new())
            }
            Err(error) => {
                let path = place.value.display();
                return Err(Error::invalid(format!(
                    "{path}: expected a config file that can be read: {error}"
                )));
            }
        };
        Ok(File {
            place: Some(place),
            exists,
            keys,
        })
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<toml::Table> {
        let refuse = |what: String| Err(Error::invalid(format!("{}: {what}", path.display())));
        let Ok(text) = std::str::from_utf8(bytes) else {
            return refuse("expected UTF-8 text".into());
        };
        let keys: toml::Table = match toml::from_str(text) {
            Ok(keys) => keys,
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.unwrap_or_default().matches('\n').count() + 1;
                let what = error.message().replace('\n', ", ");
                return refuse(format!("expected TOML, line {line}: {what}"));
            }
        };
        for (key, value) in &keys {
            if let Some(knob) = KNOBS.iter().find(|knob| knob.key == key) {
                if !knob.takes(value) {
                    let expected = knob.expected();
                    return refuse(format!("{key}: {expected}, got {}", value.type_str()));
                }
                continue;
            }
            if !Self::KEYS.contains(&key.as_str()) {
                let known: Vec<&str> = Self::KEYS
                    .into_iter()
                    .chain(KNOBS.iter().map(|knob| knob.key))
                    .collect();
                let known = known.join(", ");
                return refuse(format!("no such key {}; expected {known}", quoted(key)));
            }
            let number = value.is_integer() && Self::NUMBERS.contains(&key.as_str());
            if !value.is_str() && !number {
                return refuse(format!("{key}: expected text, got {}", value.type_str()));
            }
        }
        Ok(keys)
    }

    fn get(&self, key: &'static str) -> Option<Setting<String>> {
        let value = match self.keys.get(key)? {
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(on) => on.to_string(),
            toml::Value::Array(all) => {
                let all: Option<Vec<&str>> = all.iter().map(toml::Value::as_str).collect();
                all?.join(",")
            }
            other => other.as_str()?.to_string(),
        };
        let path = self.place.as_ref()?.value.clone();
        Some(Setting::new(value, Source::File(path, key)))
    }

    /// The folder that a relative path of the file counts from.
    fn folder(&self) -> PathBuf {
        let path = self.place.as_ref().and_then(|place| place.value.parent());
        path.unwrap_or(Path::new("")).to_path_buf()
    }
}

fn output(flags: &Flags, around: &Surroundings, file: &File) -> Result<Setting<Format>> {
    let given = match flag("--output", &flags.output) {
        Some(given) => Some(given),
        None => around
            .variable("CRM_OUTPUT")?
            .or_else(|| file.get("output")),
    };
    let Some(given) = given else {
        return Ok(Setting::new(Format::default(), Source::Default));
    };
    given.read(|word| {
        let known: Vec<&str> = Format::WORDS.iter().map(|row| row.0).collect();
        let expected = || format!("expected {}, got {}", known.join(", "), quoted(word));
        Format::parse(word).ok_or_else(expected)
    })
}

/// The token that a server is shown.
pub fn find_token(flags: &Flags, around: &Surroundings) -> Result<Option<Setting<Secret>>> {
    token(flags, around, &File::read(flags, around)?)
}

fn token(flags: &Flags, around: &Surroundings, file: &File) -> Result<Option<Setting<Secret>>> {
    let read = |path: PathBuf, source: Source| match read_token(&path) {
        Ok(secret) => Ok(Some(Setting::new(secret, source))),
        Err(expected) => Err(source.refuse(expected)),
    };
    if let Some(path) = &flags.token_file {
        return read(around.folder.join(path), Source::Flag("--token-file"));
    }
    if let Some(given) = around.variable("CRM_TOKEN")? {
        return given.read(|text| parse_token(text)).map(Some);
    }
    match (file.get("token"), file.get("token_file")) {
        (Some(token), Some(path)) => Err(token.source.refuse_both(&path.source)),
        (Some(given), None) => given.read(|text| parse_token(text)).map(Some),
        (None, Some(given)) => read(file.folder().join(&given.value), given.source),
        (None, None) => Ok(None),
    }
}

/// Reads a token. The error does not repeat it.
fn parse_token(text: &str) -> Result<Secret, String> {
    Secret::parse(text.trim()).ok_or_else(|| {
        "expected a token as `crm token create` printed it, crm_ and 32 letters and digits".into()
    })
}

fn read_token(path: &Path) -> Result<Secret, String> {
    use std::io::Read;
    let shown = path.display();
    let mut text = String::new();
    // More than this is no token.
    let read = fs::File::open(path).and_then(|file| file.take(4_096).read_to_string(&mut text));
    match read {
        Ok(_) => parse_token(&text).map_err(|expected| format!("{shown}: {expected}")),
        Err(error) => Err(format!(
            "{shown}: expected a file that can be read: {error}"
        )),
    }
}

/// The first level that names a database or a URL decides; it must not name both.
fn target(
    flags: &Flags,
    around: &Surroundings,
    file: &File,
    asker: Asker,
) -> Result<Setting<Target>> {
    let with_url = asker == Asker::Command;
    let (word, db) = (flag("FILE", &flags.file), flag("--db", &flags.db));
    if let (Some(word), Some(db)) = (&word, &db) {
        let place = |text: &str| {
            let path = parse_database(text).map(|path| around.folder.join(path));
            path.map(|path| fs::canonicalize(&path).unwrap_or(path))
        };
        if let (Ok(one), Ok(other)) = (place(&word.value), place(&db.value))
            && one != other
        {
            return Err(Error::invalid(format!(
                "FILE and --db: expected one of them, got {} and {}",
                quoted(&word.value),
                quoted(&db.value)
            )));
        }
    }
    let flagged = (word.or(db), flag("--url", &flags.url).filter(|_| with_url));
    if let Some(target) = level(flagged, &around.folder)? {
        return Ok(target);
    }
    let url = match with_url {
        true => around.variable("CRM_URL")?,
        false => None,
    };
    if let Some(target) = level((around.variable("DATABASE_URL")?, url), &around.folder)? {
        return Ok(target);
    }
    let filed = (file.get("database"), file.get("url").filter(|_| with_url));
    if let Some(target) = level(filed, &file.folder())? {
        return Ok(target);
    }
    let here = around.folder.join(DATABASE);
    let path = match &around.data_folder {
        _ if here.is_file() => here,
        Some(folder) => folder.join("crm").join(DATABASE),
        None => {
            return Err(Error::invalid(format!(
                "--db: expected the path of a database, as there is neither {DATABASE} in this folder nor a home directory"
            )));
        }
    };
    Ok(Setting::new(Target::Database(path), Source::Default))
}

/// What one level gave as database and as URL.
fn level(
    given: (Option<Setting<String>>, Option<Setting<String>>),
    folder: &Path,
) -> Result<Option<Setting<Target>>> {
    Ok(match given {
        (Some(database), Some(url)) => {
            return Err(database.source.refuse_both(&url.source));
        }
        (Some(database), None) => Some(database.read(|text| parse_target(text, folder))?),
        (None, Some(url)) => Some(url.read(|text| parse_url(text).map(Target::Url))?),
        (None, None) => None,
    })
}

/// Reads one end of a copy: a database as `--db` takes it, or the URL of a server.
pub fn parse_end(text: &str, folder: &Path) -> Result<Target, String> {
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return parse_url(text).map(Target::Url);
    }
    parse_target(text, folder)
}

fn parse_target(text: &str, folder: &Path) -> Result<Target, String> {
    if is_postgres(text) {
        // The library knows the scheme in small letters alone.
        let (scheme, rest) = text.split_at(text.find(':').unwrap_or_default());
        let url = scheme.to_ascii_lowercase() + rest;
        postgres::check_url(&url)?;
        return Ok(Target::Postgres(url));
    }
    let path = parse_database(text)?;
    // Collected anew, `./crm.db` is shown without its dot.
    Ok(Target::Database(folder.join(path).components().collect()))
}

/// Whether a text names a database of PostgreSQL.
fn is_postgres(text: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// A URL of a database as it may be shown.
pub fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    // A password with a / or a ? of its own is refused, but not everything that is shown has been looked at.
    let user_end = rest[..end].rfind('@').or_else(|| rest.rfind('@'));
    let (user, rest) = user_end.map_or(("", rest), |at| rest.split_at(at));
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_password = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        percent_decode_str(name).decode_utf8_lossy() == "password"
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !is_password(pair))
        .collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{scheme}://{user}{place}{mark}{}", kept.join("&"))
}

/// Reads a file's name: a path, or a `sqlite:` URL as SQLAlchemy means it (three slashes are relative, four are absolute),
/// since the earlier service was configured with such. `sqlite:` and `sqlite://` before a path are taken as well. Nothing
/// is percent-decoded, as SQLAlchemy does not do it either; `~` is the shell's.
///
/// The error says what was expected. It does not repeat a URL, which may hold a password.
pub fn parse_database(text: &str) -> Result<PathBuf, String> {
    let expected = |got: &str| {
        Err(format!(
            "expected a path like crm.db or a URL like postgres://user@host/crm, got {got}"
        ))
    };
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => (String::new(), text),
    };
    let path = match scheme.as_str() {
        "sqlite" if rest.contains('?') => return expected("one with parameters after a ?"),
        "sqlite" => {
            let path = rest.strip_prefix("///").or(rest.strip_prefix("//"));
            path.unwrap_or(rest)
        }
        "file" => return expected("a file: URL"),
        "postgres" | "postgresql" => return expected("one without // behind its colon"),
        // libpq's other form, or a URL with a slip in it. What is said of files would show its password.
        _ if rest.contains("password=") || text.starts_with("postgres") && text.contains('@') => {
            return expected("what is neither");
        }
        _ if rest.starts_with("//") && !scheme.is_empty() => {
            return expected(&format!("a {scheme}:// URL"));
        }
        _ => text,
    };
    match path {
        ":memory:" => expected("a database in memory, which would be gone after the command"),
        path if path.trim().is_empty() => expected("none"),
        path if path.contains('\0') => expected("a NUL character"),
        path => Ok(path.into()),
    }
}

/// Whether a text may stand before the colon of a URL (RFC 3986, section 3.1). One letter is a drive of Windows.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Reads the URL of a server; a slash at its end is dropped. The error says what was expected.
pub fn parse_url(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected a URL like http://localhost:8000";
    // What stands before an @ may be a password, which belongs into no message.
    let got = match text.contains('@') {
        true => String::new(),
        false => format!(", got {}", quoted(text)),
    };
    // The parser drops blanks and takes `http:host`.
    let odd = text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
    let Some(url) = Url::parse(text).ok().filter(|_| !odd) else {
        return Err(format!("{EXPECTED}{got}"));
    };
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return Err(format!("{EXPECTED}, with http:// or https://{got}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{EXPECTED}, without user and password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{EXPECTED}, without ? and #{got}"));
    }
    Ok(url.as_str().trim_end_matches('/').into())
}

fn parse_host(text: &str) -> Result<String, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let host = bare.unwrap_or(text);
    let name = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    match host.parse::<IpAddr>() {
        Ok(ip) if bare.is_none() || ip.is_ipv6() => Ok(host.into()),
        Err(_) if bare.is_none() && name => Ok(host.into()),
        _ => Err(format!(
            "expected an IP address or a host name like 127.0.0.1, got {}",
            quoted(text)
        )),
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|_| digits);
    port.ok_or_else(|| format!("expected a port from 0 to 65535, got {}", quoted(text)))
}

/// Reads a whole number and its unit, such as `90s`, `15m`, `1h`, `1d` or `1w`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        "w" => Some(7 * 86_400),
        _ => None,
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = digits.parse::<u64>().ok().filter(|_| plain).zip(unit);
    seconds
        .and_then(|(number, unit)| number.checked_mul(unit))
        .filter(|seconds| (1..=LONGEST_EVERY).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| {
            format!(
                "expected a time like 30s, 15m, 1h or 1d, a year at most, got {}",
                quoted(text)
            )
        })
}

/// As [`parse_duration`] reads it, in the largest unit that leaves a whole number.
fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60)];
    let fits = units.iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
    let (name, unit) = fits.unwrap_or(&("s", 1));
    format!("{}{name}", seconds / unit)
}

fn parse_keep(text: &str) -> Result<usize, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let keep = text.parse().ok().filter(|_| digits);
    keep.filter(|keep| (1..=MOST_BACKUPS).contains(keep))
        .ok_or_else(|| {
            format!(
                "expected a number from 1 to {MOST_BACKUPS}, got {}",
                quoted(text)
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A made-up user with a home of folders: `here`, `settings`, `data`.
    struct User {
        home: TempDir,
        flags: Flags,
        environment: Vec<(&'static str, OsString)>,
    }

    impl User {
        fn new() -> User {
            let home = tempfile::tempdir().unwrap();
            for folder in ["here", "settings/crm"] {
                fs::create_dir_all(home.path().join(folder)).unwrap();
            }
            User {
                home,
                flags: Flags::default(),
                environment: Vec::new(),
            }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.home.path().join(path)
        }

        fn flag(mut self, name: &str, value: &str) -> User {
            let value = value.to_string();
            match name {
                "--db" => self.flags.db = Some(value),
                "--url" => self.flags.url = Some(value),
                "--config" => self.flags.config = Some(value.into()),
                "--output" => self.flags.output = Some(value),
                "--host" => self.flags.host = Some(value),
                "--port" => self.flags.port = Some(value),
                "--backup-dir" => self.flags.backup_dir = Some(value),
                "--backup-every" => self.flags.backup_every = Some(value),
                "--backup-keep" => self.flags.backup_keep = Some(value),
                _ => panic!("no flag {name}"),
            }
            self
        }

        fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> User {
            self.environment.push((name, value.into()));
            self
        }

        fn file(self, path: &str, text: impl AsRef<[u8]>) -> User {
            fs::write(self.path(path), text).unwrap();
            self
        }

        fn config(self, text: &str) -> User {
            self.file("settings/crm/config.toml", text)
        }

        fn ask<T>(&self, ask: impl FnOnce(&Flags, &Surroundings) -> T) -> T {
            let environment = |name: &str| {
                let found = self.environment.iter().find(|known| known.0 == name);
                found.map(|known| known.1.clone())
            };
            let around = Surroundings {
                environment: &environment,
                folder: self.path("here"),
                config_folder: Some(self.path("settings")),
                data_folder: Some(self.path("data")),
            };
            ask(&self.flags, &around)
        }

        fn settings(&self, asker: Asker) -> Result<Settings> {
            self.ask(|flags, around| Settings::find(flags, around, asker))
        }

        fn listen(&self) -> Result<Listen> {
            self.ask(Listen::find)
        }

        fn backups(&self) -> Result<Backups> {
            self.ask(Backups::find)
        }

        /// Target and source, with the home folder as `~`.
        #[track_caller]
        fn target(&self, asker: Asker) -> String {
            let found = self.settings(asker).unwrap().target;
            let target = match found.value {
                Target::Database(path) => path.display().to_string(),
                Target::Postgres(url) | Target::Url(url) => url,
            };
            self.homeless(&format!("{target} ({})", found.source))
        }

        #[track_caller]
        fn command(&self) -> String {
            self.target(Asker::Command)
        }

        #[track_caller]
        fn refusal(&self) -> String {
            let error = self.settings(Asker::Command).unwrap_err();
            assert_eq!(error.code.exit(), 2);
            assert!(!error.message.contains('\n'), "{error}");
            self.homeless(&error.message)
        }

        fn homeless(&self, text: &str) -> String {
            text.replace(&self.home.path().display().to_string(), "~")
        }
    }

    #[test]
    fn without_any_setting_the_default_is_taken() {
        let user = User::new();
        assert_eq!(user.command(), "~/data/crm/crm.db (default)");
        assert!(!user.settings(Asker::Command).unwrap().explicit());
        let user = user.file("here/crm.db", "");
        assert_eq!(user.command(), "~/here/crm.db (default)");
        let settings = user.settings(Asker::Command).unwrap();
        assert!(!settings.explicit());
        assert_eq!(
            settings.output,
            Setting::new(Format::Table, Source::Default)
        );
    }

    #[test]
    fn each_level_beats_those_below_it() {
        let file = |user: User| user.config("database = 'f.db'\noutput = 'csv'");
        let environment = |user: User| {
            user.variable("DATABASE_URL", "e.db")
                .variable("CRM_OUTPUT", "id")
        };
        let flag = |user: User| user.flag("--db", "g.db").flag("--output", "json");
        let defaulted = || User::new().file("here/crm.db", "");

        let table = [
            (defaulted(), "~/here/crm.db (default)", Format::Table),
            (
                file(defaulted()),
                "~/settings/crm/f.db (~/settings/crm/config.toml)",
                Format::Csv,
            ),
            (
                environment(defaulted()),
                "~/here/e.db (environment DATABASE_URL)",
                Format::Id,
            ),
            (flag(defaulted()), "~/here/g.db (flag --db)", Format::Json),
            (
                environment(file(defaulted())),
                "~/here/e.db (environment DATABASE_URL)",
                Format::Id,
            ),
            (
                flag(file(defaulted())),
                "~/here/g.db (flag --db)",
                Format::Json,
            ),
            (
                flag(environment(defaulted())),
                "~/here/g.db (flag --db)",
                Format::Json,
            ),
            (
                flag(environment(file(defaulted()))),
                "~/here/g.db (flag --db)",
                Format::Json,
            ),
        ];
        for (user, target, output) in table {
            assert_eq!(user.command(), target);
            assert_eq!(user.target(Asker::Serve), target);
            let settings = user.settings(Asker::Command).unwrap();
            assert_eq!(settings.output.value, output, "{target}");
            assert_eq!(settings.explicit(), !target.ends_with("(default)"));
        }
    }

    #[test]
    fn a_database_hides_a_url_below_it_and_the_other_way_round() {
        let url = "http://h:8000";
        let user = || User::new().config("url = 'http://h:1'");
        assert_eq!(user().command(), "http://h:1 (~/settings/crm/config.toml)");
        assert_eq!(
            user().variable("DATABASE_URL", "e.db").command(),
            "~/here/e.db (environment DATABASE_URL)"
        );
        assert_eq!(
            user().flag("--db", "g.db").command(),
            "~/here/g.db (flag --db)"
        );
        assert_eq!(
            User::new()
                .variable("CRM_URL", url)
                .flag("--db", "g.db")
                .command(),
            "~/here/g.db (flag --db)"
        );
        assert_eq!(
            User::new()
                .config("database = 'f.db'")
                .variable("CRM_URL", url)
                .command(),
            "http://h:8000 (environment CRM_URL)"
        );
        assert_eq!(
            User::new()
                .variable("DATABASE_URL", "e.db")
                .flag("--url", url)
                .command(),
            "http://h:8000 (flag --url)"
        );
    }

    #[test]
    fn both_at_the_level_that_decides_are_refused() {
        let flags = User::new().flag("--db", "a.db").flag("--url", "http://h");
        assert_eq!(
            flags.refusal(),
            "--db and --url: expected one of them, got both"
        );
        let environment = || {
            User::new()
                .variable("DATABASE_URL", "a.db")
                .variable("CRM_URL", "http://h")
        };
        assert_eq!(
            environment().refusal(),
            "DATABASE_URL and CRM_URL: expected one of them, got both"
        );
        let file = || User::new().config("database = 'a.db'\nurl = 'http://h'");
        assert_eq!(
            file().refusal(),
            "~/settings/crm/config.toml: database and url: expected one of them, got both"
        );
        for user in [flags, environment(), file()] {
            assert!(user.target(Asker::Serve).contains("a.db"));
        }
        // A higher level hides both.
        for user in [environment(), file()] {
            assert!(user.flag("--db", "g.db").command().contains("g.db"));
        }
    }

    #[test]
    fn serve_ignores_urls_even_wrong_ones() {
        let user = User::new()
            .flag("--url", "no url")
            .variable("CRM_URL", "postgres://x")
            .config("url = 'nor this'\ndatabase = 'f.db'");
        assert_eq!(
            user.target(Asker::Serve),
            "~/settings/crm/f.db (~/settings/crm/config.toml)"
        );
    }

    #[test]
    fn a_variable_that_is_empty_is_unset_and_one_that_is_hidden_is_not_read() {
        let user = User::new()
            .variable("DATABASE_URL", "")
            .variable("CRM_OUTPUT", "");
        assert_eq!(user.command(), "~/data/crm/crm.db (default)");
        let user = User::new()
            .variable("DATABASE_URL", "postgres://me:secret@host/other")
            .variable("CRM_OUTPUT", "xml")
            .flag("--db", "g.db")
            .flag("--output", "csv");
        assert_eq!(user.command(), "~/here/g.db (flag --db)");
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf_8_is_refused_by_its_name() {
        use std::os::unix::ffi::OsStringExt;
        for name in ["DATABASE_URL", "CRM_URL", "CRM_OUTPUT"] {
            let user = User::new().variable(name, OsString::from_vec(vec![b'a', 0xff]));
            assert_eq!(user.refusal(), format!("{name}: expected UTF-8 text"));
        }
    }

    #[test]
    fn databases_are_paths_or_sqlite_urls() {
        for (text, path) in [
            ("crm.db", "crm.db"),
            ("./crm.db", "./crm.db"),
            ("/data/crm.db", "/data/crm.db"),
            ("C:/data/crm.db", "C:/data/crm.db"),
            ("a:b.db", "a:b.db"),
            ("what?.db", "what?.db"),
            ("~/crm.db", "~/crm.db"),
            ("sqlite:///crm.db", "crm.db"),
            ("sqlite:///./crm.db", "./crm.db"),
            ("sqlite:////data/crm.db", "/data/crm.db"),
            ("sqlite:crm.db", "crm.db"),
            ("sqlite:/data/crm.db", "/data/crm.db"),
            ("sqlite://crm.db", "crm.db"),
            ("sqlite:///a%20b.db", "a%20b.db"),
            ("SQLite:///crm.db", "crm.db"),
        ] {
            assert_eq!(parse_database(text), Ok(path.into()), "{text}");
        }
        for text in [
            "",
            " ",
            ":memory:",
            "sqlite:",
            "sqlite://",
            "sqlite:///",
            "sqlite::memory:",
            "sqlite:///:memory:",
            "sqlite:///crm.db?mode=ro",
            "file:crm.db",
            "file:///crm.db",
            "sqlite+aiosqlite:///crm.db",
            "http://localhost:8000",
            "a\0b",
        ] {
            let expected = parse_database(text).unwrap_err();
            assert!(
                expected.starts_with("expected a path like crm.db"),
                "{text}: {expected}"
            );
        }
    }

    #[test]
    fn no_refusal_repeats_a_password() {
        let database = User::new().variable("DATABASE_URL", "mysql://me:secret@host/crm");
        assert_eq!(
            database.refusal(),
            "DATABASE_URL: expected a path like crm.db or a URL like postgres://user@host/crm, got a mysql:// URL"
        );
        let database = User::new().variable("DATABASE_URL", "postgres://me:secret@host/crm?nope=1");
        let refusal = database.refusal();
        assert!(refusal.starts_with("DATABASE_URL: "), "{refusal}");
        assert!(!refusal.contains("secret"), "{refusal}");
        for (url, shown) in [
            ("postgres://me:secret@host/crm", "postgres://me@host/crm"),
            (
                "postgres://me:s@a:1,b:2/crm?x=1",
                "postgres://me@a:1,b:2/crm?x=1",
            ),
            (
                "postgres://host/crm?password=secret&user=me",
                "postgres://host/crm?user=me",
            ),
            ("postgres://host", "postgres://host"),
            ("postgres://me:se/cr@et?@host/crm", "postgres://me@host/crm"),
            (
                "postgres://host/crm?user=me&pass%77ord=secret",
                "postgres://host/crm?user=me",
            ),
            (
                "postgres://me:secret@host/crm?application_name=a@b",
                "postgres://me@host/crm?application_name=a@b",
            ),
        ] {
            assert_eq!(without_password(url), shown);
        }
        for url in [
            "https://me:secret@host/",
            "https://me:secret@/",
            "me:secret@host",
        ] {
            let refusal = User::new().flag("--url", url).refusal();
            assert!(refusal.starts_with("--url: expected a URL like http://"));
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn urls_are_http_with_a_host() {
        for (text, url) in [
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://localhost:8000/", "http://localhost:8000"),
            (
                "https://crm.example.com/team/",
                "https://crm.example.com/team",
            ),
            ("HTTPS://Example.com", "https://example.com"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ] {
            assert_eq!(parse_url(text).as_deref(), Ok(url), "{text}");
        }
        for text in [
            "",
            "localhost:8000",
            "localhost",
            "http:localhost",
            "http://",
            "http://:8000",
            "ftp://host",
            "sqlite:///crm.db",
            "http://host?x=1",
            "http://host#top",
            "http://me@host",
            "http://me:pw@host",
            "http://ho st",
            " http://host",
            "http://host\\x",
            "http://host:99999",
        ] {
            assert!(parse_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_config_file_that_is_wrong_is_refused_by_its_name() {
        let service: Vec<&str> = KNOBS.iter().map(|knob| knob.key).collect();
        let known = format!(
            "expected database, url, output, token, token_file, backup_dir, backup_every, backup_keep, {}",
            service.join(", ")
        );
        let (typo, table) = (
            format!("no such key \"datebase\"; {known}"),
            format!("no such key \"crm\"; {known}"),
        );
        for (text, refusal) in [
            ("datebase = 'x.db'", typo.as_str()),
            ("output = 3", "output: expected text, got integer"),
            ("database = ['a']", "database: expected text, got array"),
            ("[crm]\nurl = 'http://h'", table.as_str()),
            (
                "output = 'xml'",
                "output: expected table, json, ndjson, csv, id, got \"xml\"",
            ),
            (
                "database = ''",
                "database: expected a path like crm.db or a URL like postgres://user@host/crm, got none",
            ),
            (
                "url = 'host'",
                "url: expected a URL like http://localhost:8000, got \"host\"",
            ),
        ] {
            assert_eq!(
                User::new().config(text).refusal(),
                format!("~/settings/crm/config.toml: {refusal}")
            );
        }
        let refusal = User::new().config("output = 'id'\nurl = ").refusal();
        assert!(
            refusal.starts_with("~/settings/crm/config.toml: expected TOML, line 2: "),
            "{refusal}"
        );
        let latin = User::new().file("settings/crm/config.toml", b"url = '\xe9'");
        assert_eq!(
            latin.refusal(),
            "~/settings/crm/config.toml: expected UTF-8 text"
        );
        // What is wrong in it is told also where a flag decides.
        let hidden = User::new().config("x = 1").flag("--db", "g.db");
        assert!(hidden.refusal().contains("no such key"));
    }

    #[test]
    fn a_config_file_that_was_named_must_be_there() {
        let refusal = User::new().flag("--config", "my.toml").refusal();
        assert!(
            refusal.starts_with("~/here/my.toml: expected a config file that can be read: "),
            "{refusal}"
        );
        let user = User::new()
            .config("output = 'csv'\nurl = 'http://h'")
            .file("here/my.toml", "database = '../my.db'")
            .flag("--config", "my.toml");
        assert_eq!(user.command(), "~/here/../my.db (~/here/my.toml)");
        let output = user.settings(Asker::Command).unwrap().output;
        assert_eq!(output.value, Format::Table);
        assert_eq!(
            User::new().flag("--config", "").refusal().find("~/here"),
            Some(0)
        );
    }

    #[test]
    fn flags_and_variables_that_are_wrong_are_named() {
        assert_eq!(
            User::new().flag("--output", "xml").refusal(),
            "--output: expected table, json, ndjson, csv, id, got \"xml\""
        );
        assert_eq!(
            User::new().variable("CRM_OUTPUT", "JSON").refusal(),
            "CRM_OUTPUT: expected table, json, ndjson, csv, id, got \"JSON\""
        );
        assert!(User::new().flag("--db", "").refusal().starts_with("--db: "));
        let refusal = User::new().variable("CRM_URL", "host").refusal();
        assert!(refusal.starts_with("CRM_URL: "), "{refusal}");
    }

    #[test]
    fn serve_listens_where_flag_or_environment_say() {
        let show = |user: User| {
            let listen = user.listen().unwrap();
            let (host, port) = (listen.host, listen.port);
            format!(
                "{} ({}), {} ({})",
                host.value, host.source, port.value, port.source
            )
        };
        assert_eq!(show(User::new()), "0.0.0.0 (default), 8000 (default)");
        let environment = || {
            User::new()
                .variable("HOST", "localhost")
                .variable("PORT", "0")
        };
        assert_eq!(
            show(environment()),
            "localhost (environment HOST), 0 (environment PORT)"
        );
        assert_eq!(
            show(
                environment()
                    .flag("--host", "[::1]")
                    .flag("--port", "65535")
            ),
            "::1 (flag --host), 65535 (flag --port)"
        );
        for port in ["65536", "-1", "+80", "http", " 80", "8e3"] {
            let error = User::new().variable("PORT", port).listen().unwrap_err();
            assert_eq!(
                error.message,
                format!("PORT: expected a port from 0 to 65535, got {port:?}")
            );
        }
        for host in ["", "a b", "http://h", "h:80", "[127.0.0.1]", "[::1", "é"] {
            let error = User::new().flag("--host", host).listen().unwrap_err();
            assert!(error.message.starts_with("--host: expected"), "{host}");
        }
        assert!(User::new().flag("--port", "").listen().is_err());
        // What only serve goes by disturbs no other command.
        let user = User::new().variable("PORT", "tcp://x");
        assert!(user.settings(Asker::Command).is_ok());
    }

    #[test]
    fn backups_are_found_at_every_level() {
        let shown = |user: User| {
            let found = user.backups().unwrap();
            let folder = found
                .folder
                .map(|folder| folder.value.display().to_string());
            let folder = user.homeless(&folder.unwrap_or("-".into()));
            let (every, keep) = (found.every.value, found.keep.value);
            format!("{folder} {} {keep}", show_duration(every))
        };
        let file = |text: &str| User::new().config(text);
        let all = "backup_dir = 'f'\nbackup_every = '1d'\nbackup_keep = 7";
        assert_eq!(shown(User::new()), "- 1h 24");
        assert_eq!(shown(file(all)), "~/settings/crm/f 1d 7");
        assert_eq!(
            shown(file("backup_dir = '/b'\nbackup_keep = '8'")),
            "/b 1h 8"
        );
        let user = file(all)
            .variable("CRM_BACKUP_DIR", "e")
            .variable("CRM_BACKUP_KEEP", "3")
            .variable("CRM_BACKUP_EVERY", "30s");
        assert_eq!(shown(user), "~/here/e 30s 3");
        let user = file(all)
            .variable("CRM_BACKUP_EVERY", "30s")
            .flag("--backup-dir", "./g/")
            .flag("--backup-every", "2w")
            .flag("--backup-keep", "1");
        assert_eq!(shown(user), "~/here/g 14d 1");
    }

    #[test]
    fn backups_that_make_no_sense_are_refused() {
        let refused = |name: &str, value: &str| {
            let user = User::new().flag("--backup-dir", "b").flag(name, value);
            let error = user.backups().unwrap_err();
            assert_eq!(error.code.exit(), 2);
            assert!(error.message.starts_with(&format!("{name}: ")), "{error}");
            error.message
        };
        for every in [
            "",
            "0s",
            "1",
            "h",
            "1.5h",
            "-1h",
            "+1h",
            "1H",
            "1h30m",
            "1y",
            "367d",
            "53w",
            "99999999999999999999s",
            "18446744073709551615w",
            "１h",
        ] {
            let message = refused("--backup-every", every);
            assert!(message.contains("30s, 15m, 1h or 1d"), "{message}");
        }
        for keep in ["", "0", "-1", "+1", "10001", "all", "1.5"] {
            let message = refused("--backup-keep", keep);
            assert!(message.contains("from 1 to 10000"), "{message}");
        }
        let folderless = |user: User, start: &str| {
            let message = user.homeless(&user.backups().unwrap_err().message);
            assert!(message.starts_with(start), "{message}");
            assert!(message.contains("--backup-dir"), "{message}");
        };
        let every = || User::new().flag("--backup-every", "1h");
        folderless(every(), "--backup-every: ");
        folderless(every().flag("--backup-dir", ""), "--backup-dir: ");
        folderless(
            User::new().variable("CRM_BACKUP_KEEP", "3"),
            "CRM_BACKUP_KEEP: ",
        );
        folderless(
            User::new().config("backup_keep = 3"),
            "~/settings/crm/config.toml: backup_keep: ",
        );
        let message = User::new()
            .config("backup_every = 3")
            .backups()
            .unwrap_err()
            .message;
        assert!(message.contains("expected text"), "{message}");
    }

    #[test]
    fn errors_before_settings_are_known_have_the_wanted_format() {
        let format = |user: User| user.ask(error_format);
        assert_eq!(format(User::new()), Format::Table);
        assert_eq!(format(User::new().flag("--output", "json")), Format::Json);
        assert_eq!(format(User::new().flag("--output", "xml")), Format::Table);
        let environment = || User::new().variable("CRM_OUTPUT", "ndjson");
        assert_eq!(format(environment()), Format::Ndjson);
        assert_eq!(format(environment().flag("--output", "id")), Format::Id);
    }

    #[test]
    fn every_setting_is_shown_with_its_source() {
        let rows = |user: &User| {
            let settings = user.settings(Asker::Command).unwrap();
            let service = user.ask(Service::find).unwrap();
            let rows = settings.rows(&user.listen().unwrap(), &user.backups().unwrap(), &service);
            let is_other = |row: &Row| KNOBS.iter().all(|knob| knob.key != row.setting);
            let rows = rows.into_iter().filter(is_other).map(|row| {
                let value = row.value.unwrap_or("-".into());
                user.homeless(&format!("{} | {value} | {}", row.setting, row.source))
            });
            rows.collect::<Vec<_>>()
        };
        assert_eq!(
            rows(&User::new()),
            [
                "database | ~/data/crm/crm.db | default",
                "url | - | not set",
                "output | table | default",
                "host | 0.0.0.0 | default",
                "port | 8000 | default",
                "backup_dir | - | not set",
                "backup_every | 1h | default",
                "backup_keep | 24 | default",
                "token | - | not used: there is no url",
                "config | ~/settings/crm/config.toml | default, not there",
            ]
        );
        let user = User::new()
            .config("output = 'json'")
            .variable("DATABASE_URL", "e.db")
            .flag("--url", "http://h/")
            .variable("PORT", "80")
            .flag("--backup-dir", "b")
            .variable("CRM_BACKUP_EVERY", "90m");
        assert_eq!(
            rows(&user),
            [
                "database | - | not used: flag --url decides",
                "url | http://h | flag --url",
                "output | json | ~/settings/crm/config.toml",
                "host | 0.0.0.0 | default",
                "port | 80 | environment PORT",
                "backup_dir | ~/here/b | flag --backup-dir",
                "backup_every | 90m | environment CRM_BACKUP_EVERY",
                "backup_keep | 24 | default",
                "token | - | not set",
                "config | ~/settings/crm/config.toml | default",
            ]
        );
    }

    #[test]
    fn settings_of_the_service_are_found_at_every_level() {
        use service::{CORS_ORIGIN, MAX_BODY, MAX_CONNECTIONS, OPEN, RATE_PER_TOKEN, TLS_CERT};
        let find = |user: &User| user.ask(Service::find);
        let shown = |user: &User, knob| {
            let found = find(user).unwrap();
            let setting = found.setting(knob);
            user.homeless(&format!("{} ({})", setting.value, setting.source))
        };
        let mut user = User::new().config(
            "max_body = '2k'\nmax_connections = 7\nopen = true\ntls_cert = 'c.pem'\ntls_key = '/k.pem'\n\
             cors_origin = ['http://a', 'https://b:8443']",
        );
        assert_eq!(shown(&User::new(), &MAX_BODY), "1m (default)");
        assert_eq!(shown(&User::new(), &RATE_PER_TOKEN), "off (default)");
        let file = "(~/settings/crm/config.toml)";
        for (knob, value) in [
            (&MAX_BODY, "2k"),
            (&MAX_CONNECTIONS, "7"),
            (&OPEN, "on"),
            (&TLS_CERT, "~/settings/crm/c.pem"),
            (&CORS_ORIGIN, "http://a,https://b:8443"),
        ] {
            assert_eq!(shown(&user, knob), format!("{value} {file}"));
        }
        user = user
            .variable("CRM_MAX_BODY", "3000")
            .variable("CRM_OPEN", "false");
        assert_eq!(shown(&user, &MAX_BODY), "3000 (environment CRM_MAX_BODY)");
        assert_eq!(shown(&user, &OPEN), "off (environment CRM_OPEN)");
        user.flags.service = vec![("max_body", "4k".into()), ("tls_cert", "d.pem".into())];
        assert_eq!(shown(&user, &MAX_BODY), "4k (flag --max-body)");
        assert_eq!(shown(&user, &TLS_CERT), "~/here/d.pem (flag --tls-cert)");
    }

    #[test]
    fn settings_of_the_service_that_make_no_sense_are_refused() {
        for (key, value, expected) in [
            ("max_body", "2m", "from 1k to 1m"),
            ("max_body", "1023", "from 1k to 1m"),
            ("max_body", "1kb", "from 1k to 1m"),
            ("max_body", "", "from 1k to 1m"),
            ("max_connections", "0", "from 1 to 65536"),
            ("max_connections", "+1", "from 1 to 65536"),
            ("rate_per_token", "0", "from 1 to 1000000, or off"),
            ("head_timeout", "2h", "from 1s to 1h"),
            ("log", "xml", "expected text or json"),
            ("cors_origin", "https://a/", "an origin like"),
            ("cors_origin", "https://a,*", "an origin like"),
            ("trusted_proxy", "10.0.0.0/33", "an address like"),
            ("tls_cert", "c.pem", "--tls-key"),
            ("tls_key", "k.pem", "--tls-cert"),
        ] {
            let mut user = User::new();
            user.flags.service = vec![(key, value.into())];
            let error = user.ask(Service::find).unwrap_err();
            let flag = format!("--{}: ", key.replace('_', "-"));
            assert!(error.message.starts_with(&flag), "{error}");
            assert!(error.message.contains(expected), "{error}");
        }
        // Who is nearer by decides.
        let mut user = User::new().config("open = true");
        user.flags.service = vec![("require_token", "true".into())];
        let found = user.ask(Service::find).unwrap();
        assert!(found.is_on(&service::REQUIRE_TOKEN) && !found.is_on(&service::OPEN));
        let user = User::new().config("require_token = true");
        let found = user.variable("CRM_OPEN", "1").ask(Service::find).unwrap();
        assert!(found.is_on(&service::OPEN) && !found.is_on(&service::REQUIRE_TOKEN));
        let both = User::new().config("open = true\nrequire_token = true");
        let error = both.ask(Service::find).unwrap_err();
        assert!(
            error
                .message
                .contains("open and require_token: expected one of them"),
            "{error}"
        );
        let error = User::new()
            .config("open = 1")
            .ask(Service::find)
            .unwrap_err();
        assert!(
            error.message.contains("open: expected true or false"),
            "{error}"
        );
    }

    #[test]
    fn only_the_default_folder_is_made_and_only_when_asked() {
        let user = User::new();
        let settings = user.settings(Asker::Command).unwrap();
        assert!(!user.path("data").exists());
        settings.create_default_folder().unwrap();
        assert!(user.path("data/crm").is_dir());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(user.path("data/crm")).unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o700);
        }
        settings.create_default_folder().unwrap();

        let user = User::new().flag("--db", "new/crm.db");
        let settings = user.settings(Asker::Command).unwrap();
        settings.create_default_folder().unwrap();
        assert!(!user.path("here/new").exists());

        let user = User::new().file("data", "a file in the way");
        let settings = user.settings(Asker::Command).unwrap();
        let error = settings.create_default_folder().unwrap_err();
        let message = user.homeless(&error.message);
        assert!(message.starts_with("~/data/crm: expected a folder"));
        assert_eq!(error.code.exit(), 1);
    }

    #[test]
    fn a_user_without_a_home_names_the_database() {
        let around = Surroundings {
            environment: &|_| None,
            folder: PathBuf::new(),
            config_folder: None,
            data_folder: None,
        };
        let mut flags = Flags::default();
        let find = |flags: &Flags| Settings::find(flags, &around, Asker::Command);
        assert!(find(&flags).unwrap_err().message.starts_with("--db: "));
        flags.db = Some("x.db".into());
        let settings = find(&flags).unwrap();
        assert_eq!(settings.target.value, Target::Database("x.db".into()));
        assert_eq!(settings.file, None);
    }
}
