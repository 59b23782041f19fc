//! The config file: where it is and what it holds.
//!
//! The keys and the types of their values are checked as a whole, even if a flag or a variable takes precedence, because the
//! file belongs to crm alone. The values are checked only if they are used.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::base::error::{Error, Result, quoted};
use crate::config::flags::Flags;
use crate::config::origin::{Origin, Setting};
use crate::config::surroundings::Surroundings;
use crate::config::table::{CONFIG, KNOBS, Knob};

/// The config file. The default is one that does not exist.
#[derive(Default)]
pub(super) struct ConfigFile {
    /// Its path. `None` if the user named no file and has no home directory.
    pub(super) path: Option<Setting<PathBuf>>,
    /// Whether it exists.
    pub(super) exists: bool,
    keys: toml::Table,
}

impl ConfigFile {
    /// Reads the file that `--config` names, or the one in the user's config folder, which need not exist.
    pub(super) fn read(flags: &Flags, around: &Surroundings) -> Result<ConfigFile> {
        let path = match (flags.text(&CONFIG), &around.config_folder) {
            (Some(given), _) => {
                let path = flags.get(&CONFIG).unwrap_or_default();
                Setting::new(around.folder.join(path), given.origin)
            }
            (None, Some(folder)) => Setting::new(folder.join("crm/config.toml"), Origin::Default),
            (None, None) => return Ok(ConfigFile::default()),
        };
        let (exists, keys) = match fs::read(&path.value) {
            Ok(bytes) => (true, parse(&path.value, &bytes)?),
            Err(error)
                if path.origin == Origin::Default
                    && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                (false, toml::Table::new())
            }
            // ENFILE and EMFILE: the file is not at fault.
            Err(error) if matches!(error.raw_os_error(), Some(23 | 24)) => {
                let path = path.value.display();
                return Err(Error::failed(format!("cannot start: {path}: {error}")));
            }
            Err(error) => {
                let path = path.value.display();
                return Err(Error::invalid(format!(
                    "{path}: expected a readable config file: {error}"
                )));
            }
        };
        Ok(ConfigFile {
            path: Some(path),
            exists,
            keys,
        })
    }

    /// The value of a setting's key. A list becomes comma-separated text.
    pub(super) fn get(&self, knob: &Knob) -> Option<Setting<String>> {
        let key = knob.key?;
        let value = match self.keys.get(key)? {
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(on) => on.to_string(),
            toml::Value::Array(all) => {
                let all: Option<Vec<&str>> = all.iter().map(toml::Value::as_str).collect();
                all?.join(",")
            }
            other => other.as_str()?.to_string(),
        };
        let path = self.path.as_ref()?.value.clone();
        Some(Setting::new(value, Origin::File(path, key)))
    }

    /// The folder that relative paths in the file are relative to.
    pub(super) fn folder(&self) -> &Path {
        let folder = self.path.as_ref().and_then(|path| path.value.parent());
        folder.unwrap_or(Path::new(""))
    }
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
        let Some(knob) = KNOBS.iter().find(|knob| knob.key == Some(key)) else {
            let known: Vec<&str> = KNOBS.iter().filter_map(|knob| knob.key).collect();
            let known = known.join(", ");
            return refuse(format!("no such key {}; expected {known}", quoted(key)));
        };
        if !knob.kind.takes(value) {
            let expected = knob.kind.expected();
            return refuse(format!("{key}: {expected}, got {}", value.type_str()));
        }
    }
    Ok(keys)
}
