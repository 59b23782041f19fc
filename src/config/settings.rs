//! The settings of every command: where the records are, how they are printed, and the token for a server.

use std::fs::{self, DirBuilder};
use std::path::{Path, PathBuf};

use crate::base::error::{Error, Result, quoted};
use crate::base::time::Zone;
use crate::config::flags::Flags;
use crate::config::format::Format;
use crate::config::levels::Levels;
use crate::config::location::{
    Location, parse_database, parse_location, parse_url, without_password,
};
use crate::config::origin::{Origin, Setting};
use crate::config::parse;
use crate::config::row::Row;
use crate::config::rules::RuleSettings;
use crate::config::surroundings::Surroundings;
use crate::config::table::{
    CONFIG, DATABASE, ON_BEHALF_OF, OUTPUT, PAGER, TIMEZONE, TOKEN, TOKEN_FILE, URL,
};
use crate::model::author::check_name;
use crate::model::token::Secret;

/// The name of the database that commands find in the current folder.
pub const DEFAULT_DATABASE: &str = "crm.db";

/// What the settings are needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A command on records, local or remote.
    Command,
    /// `crm serve`, which works on a database and ignores every URL.
    Serve,
}

/// The settings of every command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the records are.
    pub target: Setting<Location>,
    /// How they are printed.
    pub output: Setting<Format>,
    /// The command line of the pager, if the user has chosen one for crm.
    pub pager: Option<Setting<String>>,
    /// For whom the changes are made.
    pub on_behalf_of: Option<Setting<String>>,
    /// The config file. `None` if the user named no file and has no home directory.
    pub file: Option<Setting<PathBuf>>,
    /// Whether the config file exists.
    pub file_exists: bool,
    /// The token for the server. It is only read if the records are behind a server.
    pub token: Option<Setting<Secret>>,
    /// The rules of the database. `None` if the records are behind a server, whose rules hold.
    pub rules: Option<RuleSettings>,
    /// The time zone, see [`Settings::zone`].
    zone: Result<Setting<Zone>>,
}

impl Settings {
    /// Finds the settings. The error says which flag, variable or file is wrong and what was expected.
    pub fn find(flags: &Flags, around: &Surroundings, asker: Asker) -> Result<Settings> {
        let levels = Levels::read(flags, around)?;
        let target = target(&levels, asker)?;
        let token = match target.value {
            Location::Url(_) => token(&levels)?,
            Location::Database(_) | Location::Postgres(_) => None,
        };
        Ok(Settings {
            rules: match target.value {
                Location::Url(_) => None,
                Location::Database(_) | Location::Postgres(_) => Some(RuleSettings::find(&levels)?),
            },
            target,
            token,
            output: output(&levels)?,
            pager: levels.get(&PAGER)?,
            on_behalf_of: on_behalf_of(&levels)?,
            zone: zone(&levels, asker)?,
            file_exists: levels.file.exists,
            file: levels.file.path,
        })
    }

    /// The zone in which times are read and shown. It fails if the zone of the system cannot be read. That is an error only
    /// where a time matters, because a backup needs no zone.
    pub fn zone(&self) -> Result<&Zone> {
        self.zone
            .as_ref()
            .map(|zone| &zone.value)
            .map_err(Error::clone)
    }

    /// Whether the user named the database or the URL. If so, a database that does not exist may be a typing error.
    pub fn explicit(&self) -> bool {
        self.target.origin != Origin::Default
    }

    /// Creates the folder of the default database, accessible only to its user (the mode of the XDG base directory
    /// specification). Call it just before the database is created. A folder that the user named is not created.
    pub fn create_default_folder(&self) -> Result<()> {
        let Location::Database(path) = &self.target.value else {
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

    pub(super) fn rows(&self) -> Vec<Row> {
        let origin = &self.target.origin;
        let hidden = match origin {
            Origin::Default => "not set".into(),
            origin => format!("not used: {origin} decides"),
        };
        let (database, url) = match &self.target.value {
            Location::Database(path) => (
                Row::new(&DATABASE, path.display(), origin),
                Row::without_value(&URL, hidden),
            ),
            Location::Postgres(url) => (
                Row::new(&DATABASE, without_password(url), origin),
                Row::without_value(&URL, hidden),
            ),
            Location::Url(url) => (
                Row::without_value(&DATABASE, hidden),
                Row::new(&URL, url, origin),
            ),
        };
        let token = match (&self.token, &self.target.value) {
            (Some(token), _) => {
                Row::new(&TOKEN, format!("{}…", token.value.start()), &token.origin)
            }
            (None, Location::Url(_)) => Row::without_value(&TOKEN, "not set".into()),
            (None, _) => Row::without_value(&TOKEN, "not used: there is no url".into()),
        };
        let file = match &self.file {
            Some(file) if self.file_exists => Row::new(&CONFIG, file.value.display(), &file.origin),
            Some(file) => Row::new(&CONFIG, file.value.display(), "default, does not exist"),
            None => Row::without_value(&CONFIG, "no home directory".into()),
        };
        let output = Row::new(&OUTPUT, self.output.value.word(), &self.output.origin);
        let zone = match &self.zone {
            Ok(zone) => Row::new(&TIMEZONE, zone.value.name(), &zone.origin),
            Err(error) => Row::without_value(&TIMEZONE, error.message.clone()),
        };
        let pager = match &self.pager {
            Some(pager) => Row::new(&PAGER, &pager.value, &pager.origin),
            None => Row::without_value(&PAGER, "default: PAGER or less".into()),
        };
        let behalf = match &self.on_behalf_of {
            Some(name) => Row::new(&ON_BEHALF_OF, &name.value, &name.origin),
            None => Row::without_value(&ON_BEHALF_OF, "not set".into()),
        };
        let mut rows = vec![database, url, output, zone, pager, behalf, token, file];
        rows.extend(match &self.rules {
            Some(rules) => rules.rows(),
            None => RuleSettings::unused(),
        });
        rows
    }
}

/// How errors are printed before the settings are known, or if the settings are wrong: in the format of the flag or of
/// its variable, if that is valid.
pub fn error_format(flags: &Flags, around: &Surroundings) -> Format {
    let given = flags.text(&OUTPUT).map(Ok);
    let given = given.or_else(|| around.variable(&OUTPUT).transpose());
    given
        .and_then(Result::ok)
        .and_then(|given| Format::parse(&given.value))
        .unwrap_or_default()
}

fn output(levels: &Levels) -> Result<Setting<Format>> {
    match levels.get(&OUTPUT)? {
        Some(given) => given.read(|word| Format::read(word)),
        None => Ok(Setting::new(Format::default(), Origin::Default)),
    }
}

fn on_behalf_of(levels: &Levels) -> Result<Option<Setting<String>>> {
    let Some(given) = levels.get(&ON_BEHALF_OF)? else {
        return Ok(None);
    };
    let name = given.read(|name| check_name(name).map(|()| name.to_string()))?;
    Ok(Some(name))
}

/// The time zone. The inner error is about the zone of the system.
fn zone(levels: &Levels, asker: Asker) -> Result<Result<Setting<Zone>>> {
    if let Some(given) = levels.get(&TIMEZONE)? {
        return Ok(Ok(given.read(|name| Zone::named(name))?));
    }
    if asker == Asker::Serve {
        return Ok(Ok(Setting::new(Zone::UTC, Origin::Default)));
    }
    let variable = (levels.around.environment)("TZ");
    let origin = match variable {
        Some(_) => Origin::Environment("TZ"),
        None => Origin::Default,
    };
    Ok(match Zone::system(variable.as_deref()) {
        Ok(zone) => Ok(Setting::new(zone, origin)),
        Err(expected) => {
            let place = match origin {
                Origin::Default => "/etc/localtime",
                _ => "TZ",
            };
            let names = TIMEZONE.names();
            let why = format!("{place}: {expected}; {names} takes precedence");
            Err(Error::invalid(why))
        }
    })
}

/// The token for a server.
pub fn find_token(flags: &Flags, around: &Surroundings) -> Result<Option<Setting<Secret>>> {
    token(&Levels::read(flags, around)?)
}

fn token(levels: &Levels) -> Result<Option<Setting<Secret>>> {
    let read = |path: &Path, origin: Origin| {
        let path = levels.folder(&origin).join(path);
        match parse::token_file(&path) {
            Ok(secret) => Ok(Some(Setting::new(secret, origin))),
            Err(expected) => Err(origin.refuse(expected)),
        }
    };
    if let (Some(path), Some(given)) = (
        levels.flags.get(&TOKEN_FILE),
        levels.flags.text(&TOKEN_FILE),
    ) {
        return read(Path::new(path), given.origin);
    }
    if let Some(given) = levels.around.variable(&TOKEN)? {
        return given.read(|text| parse::token(text)).map(Some);
    }
    match (levels.file.get(&TOKEN), levels.file.get(&TOKEN_FILE)) {
        (Some(token), Some(path)) => Err(token.origin.refuse_both(&path.origin)),
        (Some(given), None) => given.read(|text| parse::token(text)).map(Some),
        (None, Some(given)) => read(Path::new(&given.value), given.origin),
        (None, None) => Ok(None),
    }
}

/// The highest level that names a database or a URL decides. It must not name both.
fn target(levels: &Levels, asker: Asker) -> Result<Setting<Location>> {
    let Levels {
        flags,
        around,
        file,
    } = levels;
    let with_url = asker == Asker::Command;
    let argument = flags.file.clone();
    let argument = argument.map(|file| Setting::new(file, Origin::Flag("FILE")));
    let db = flags.text(&DATABASE);
    if let (Some(argument), Some(db)) = (&argument, &db) {
        check_same(&argument.value, &db.value, &around.folder)?;
    }
    let flag = (argument.or(db), flags.text(&URL).filter(|_| with_url));
    if let Some(target) = one_of(flag, &around.folder)? {
        return Ok(target);
    }
    let url = match with_url {
        true => around.variable(&URL)?,
        false => None,
    };
    if let Some(target) = one_of((around.variable(&DATABASE)?, url), &around.folder)? {
        return Ok(target);
    }
    let keys = (file.get(&DATABASE), file.get(&URL).filter(|_| with_url));
    if let Some(target) = one_of(keys, file.folder())? {
        return Ok(target);
    }
    let here = around.folder.join(DEFAULT_DATABASE);
    let path = match &around.data_folder {
        _ if here.is_file() => here,
        Some(folder) => folder.join("crm").join(DEFAULT_DATABASE),
        None => {
            return Err(Error::invalid(format!(
                "--db: expected the path of a database, because there is neither {DEFAULT_DATABASE} in this folder nor a home \
                 directory"
            )));
        }
    };
    Ok(Setting::new(Location::Database(path), Origin::Default))
}

/// Refuses the FILE of `crm check` and `--db` if they name different files.
fn check_same(argument: &str, db: &str, folder: &Path) -> Result<()> {
    let path = |text: &str| {
        let path = parse_database(text).map(|path| folder.join(path));
        path.map(|path| fs::canonicalize(&path).unwrap_or(path))
    };
    match (path(argument), path(db)) {
        (Ok(one), Ok(other)) if one != other => Err(Error::invalid(format!(
            "FILE and --db: expected one of them, got {} and {}",
            quoted(argument),
            quoted(db)
        ))),
        _ => Ok(()),
    }
}

/// Reads the database or the URL of one level. It must not have both.
fn one_of(
    given: (Option<Setting<String>>, Option<Setting<String>>),
    folder: &Path,
) -> Result<Option<Setting<Location>>> {
    Ok(match given {
        (Some(database), Some(url)) => {
            return Err(database.origin.refuse_both(&url.origin));
        }
        (Some(database), None) => Some(database.read(|text| parse_location(text, folder))?),
        (None, Some(url)) => Some(url.read(|text| parse_url(text).map(Location::Url))?),
        (None, None) => None,
    })
}
