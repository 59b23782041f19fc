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

    /// The value of a setting's variable. An empty variable counts as unset.
    pub(super) fn variable(&self, knob: &Knob) -> Result<Option<Setting<String>>> {
        let Some(name) = knob.variable else {
            return Ok(None);
        };
        let Some(value) = (self.environment)(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        match value.into_string() {
            Ok(value) => Ok(Some(Setting::new(value, Origin::Environment(name)))),
            Err(_) => Err(Error::invalid(format!("{name}: expected UTF-8 text"))),
        }
    }
}
