//! A value and its origin: the flag, environment variable or config file key that gave it.
//!
//! Every value keeps its origin, so that `crm config` can show it and an error can name what to correct.

use std::fmt;
use std::path::PathBuf;

use crate::base::error::{Error, Result};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag, by its name.
    Flag(&'static str),
    /// An environment variable, by its name.
    Environment(&'static str),
    /// A key of the config file at this path.
    File(PathBuf, &'static str),
    /// The default.
    Default,
}

impl Origin {
    /// The flag, the variable or the key.
    fn key(&self) -> &'static str {
        match self {
            Origin::Flag(name) | Origin::Environment(name) | Origin::File(_, name) => name,
            Origin::Default => "default",
        }
    }

    /// The name that an error starts with: the flag, the variable, or the file and the key.
    fn name(&self) -> String {
        match self {
            Origin::File(path, key) => format!("{}: {key}", path.display()),
            _ => self.key().into(),
        }
    }

    /// The error about two values of the same level that contradict each other.
    pub(super) fn refuse_both(&self, other: &Origin) -> Error {
        let names = format!("{} and {}", self.name(), other.key());
        Error::invalid(format!("{names}: expected one of them, got both"))
    }

    /// Whether a value from here takes precedence over one from `other`.
    pub(super) fn beats(&self, other: &Origin) -> bool {
        let level = |origin: &Origin| match origin {
            Origin::Flag(_) => 3,
            Origin::Environment(_) => 2,
            Origin::File(..) => 1,
            Origin::Default => 0,
        };
        level(self) > level(other)
    }

    /// An error about a value from here; `expected` says what was expected.
    pub fn refuse(&self, expected: impl fmt::Display) -> Error {
        Error::invalid(format!("{}: {expected}", self.name()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(name) => write!(f, "flag {name}"),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::File(path, _) => write!(f, "{}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A value with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    pub(super) fn new(value: T, origin: Origin) -> Setting<T> {
        Setting { value, origin }
    }

    /// The value converted with `turn`. The origin stays the same.
    pub(super) fn map<U>(&self, turn: impl FnOnce(&T) -> U) -> Setting<U> {
        Setting::new(turn(&self.value), self.origin.clone())
    }

    /// Parses the value. The error of `parse` says what was expected; the origin is put in front of it.
    pub(super) fn read<U>(self, parse: impl FnOnce(&T) -> Result<U, String>) -> Result<Setting<U>> {
        match parse(&self.value) {
            Ok(value) => Ok(Setting::new(value, self.origin)),
            Err(expected) => Err(self.origin.refuse(expected)),
        }
    }
}

impl<T> Setting<Option<T>> {
    /// `None` if there is no value.
    pub(super) fn transpose(self) -> Option<Setting<T>> {
        let origin = self.origin;
        self.value.map(|value| Setting { value, origin })
    }
}
