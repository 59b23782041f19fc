//! The values of the flags on the command line.

use std::ffi::{OsStr, OsString};

use crate::config::origin::{Origin, Setting};
use crate::config::table::Knob;

/// The values of the flags, not parsed yet.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The FILE of `crm check`, which names the database as `--db` does.
    pub file: Option<String>,
    /// Each value with the name of its setting.
    values: Vec<(&'static str, OsString)>,
}

impl Flags {
    /// Sets the value of a setting's flag. A list is comma-separated, a switch is `true`.
    pub fn set(&mut self, knob: &'static Knob, value: impl Into<OsString>) {
        self.values.retain(|(name, _)| *name != knob.name);
        self.values.push((knob.name, value.into()));
    }

    /// The value of a setting's flag, `None` if the flag was not given.
    pub fn get(&self, knob: &Knob) -> Option<&OsStr> {
        let found = self.values.iter().find(|(name, _)| *name == knob.name);
        found.map(|(_, value)| value.as_os_str())
    }

    /// The same as [`Flags::get`], as text. Only paths may be other than UTF-8, and they are read with `get`.
    pub(super) fn text(&self, knob: &Knob) -> Option<Setting<String>> {
        let value = self.get(knob)?.to_string_lossy().into_owned();
        Some(Setting::new(value, Origin::Flag(knob.flag?)))
    }
}
