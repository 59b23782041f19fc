//! The surroundings of the process: its environment and the folders of its user. They are data, so that tests can use
//! their own.

use std::ffi::OsString;
use std::path::PathBuf;

use directories::BaseDirs;

use crate::base::error::{Error, Result};
use crate::config::origin::{Origin, Setting};
use crate::config::table::Knob;

/// What settings depend on, in addition to the flags.
pub struct Surroundings<'a> {
    /// Reads an environment variable.
    pub environment: &'a dyn Fn(&str) -> Option<OsString>,
    /// The current folder. It is empty if it is not known; relative paths then stay relative.
    pub folder: PathBuf,
    /// The user's folder for settings. `None` for a user without a home directory.
    pub config_folder: Option<PathBuf>,
    /// The user's folder for data. `None` for a user without a home directory.
    pub data_folder: Option<PathBuf>,
}

impl Surroundings<'_> {
    /// The surroundings of this process.
    pub fn of_process() -> Surroundings<'static> {
        let user = BaseDirs::new();
        Surroundings {
            environment: &|name| std::env::var_os(name),
            folder: std::env::current_dir().unwrap_or_default(),
            config_folder: user.as_ref().map(|user| user.config_dir().to_path_buf()),
            data_folder: user.as_ref().map(|user| user.data_dir().to_path_buf()),
        }
    }

    /// The value of a setting's variable, without the blanks and line ends around it, which files of variables and scripts
    /// leave there. A variable without anything else counts as unset. The error does not repeat the value, which may be
    /// secret.
    pub(super) fn variable(&self, knob: &Knob) -> Result<Option<Setting<String>>> {
        let Some(name) = knob.variable else {
            return Ok(None);
        };
        let Some(value) = (self.environment)(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let Ok(value) = value.into_string() else {
            return Err(Error::invalid(format!("{name}: expected UTF-8 text")));
        };
        let value = value.trim();
        if value.contains(char::is_control) {
            return Err(Error::invalid(format!(
                "{name}: expected one line without control characters"
            )));
        }
        let is_set = !value.is_empty();
        Ok(is_set.then(|| Setting::new(value.into(), Origin::Environment(name))))
    }
}
