//! A user for tests, with a home directory, flags and an environment.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::base::error::Result;
use crate::config::backups::Backups;
use crate::config::flags::Flags;
use crate::config::listen::Listen;
use crate::config::location::Location;
use crate::config::settings::{Asker, Settings};
use crate::config::surroundings::Surroundings;
use crate::config::table::KNOBS;

/// A user with the folders `here`, `settings` and `data` in a temporary home.
pub struct User {
    home: TempDir,
    flags: Flags,
    environment: Vec<(&'static str, OsString)>,
}

impl User {
    pub fn new() -> User {
        let home = tempfile::tempdir().unwrap();
        for folder in ["here", "settings/crm"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        User {
            home,
            flags: Flags::default(),
            // The zone of the machine that runs the test does not matter.
            environment: vec![("TZ", "UTC".into())],
        }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// Gives a flag by its name.
    #[track_caller]
    pub fn flag(mut self, name: &str, value: &str) -> User {
        let knob = KNOBS.iter().find(|knob| knob.flag == Some(name));
        self.flags.set(knob.expect("no such flag"), value);
        self
    }

    pub fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> User {
        self.environment.push((name, value.into()));
        self
    }

    pub fn file(self, path: &str, text: impl AsRef<[u8]>) -> User {
        fs::write(self.path(path), text).unwrap();
        self
    }

    pub fn config(self, text: &str) -> User {
        self.file("settings/crm/config.toml", text)
    }

    pub fn ask<T>(&self, ask: impl FnOnce(&Flags, &Surroundings) -> T) -> T {
        let environment = |name: &str| {
            let found = self.environment.iter().rev().find(|known| known.0 == name);
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

    pub fn settings(&self, asker: Asker) -> Result<Settings> {
        self.ask(|flags, around| Settings::find(flags, around, asker))
    }

    pub fn listen(&self) -> Result<Listen> {
        self.ask(Listen::find)
    }

    pub fn backups(&self) -> Result<Backups> {
        self.ask(Backups::find)
    }

    /// The location and its origin, with the home folder as `~`.
    #[track_caller]
    pub fn target(&self, asker: Asker) -> String {
        let found = self.settings(asker).unwrap().target;
        let target = match found.value {
            Location::Database(path) => path.display().to_string(),
            Location::Postgres(url) | Location::Url(url) => url,
        };
        self.homeless(&format!("{target} ({})", found.origin))
    }

    #[track_caller]
    pub fn command(&self) -> String {
        self.target(Asker::Command)
    }

    #[track_caller]
    pub fn refusal(&self) -> String {
        let error = self.settings(Asker::Command).unwrap_err();
        assert_eq!(error.code.exit(), 2);
        assert!(!error.message.contains('\n'), "{error}");
        self.homeless(&error.message)
    }

    pub fn homeless(&self, text: &str) -> String {
        text.replace(&self.home.path().display().to_string(), "~")
    }
}
