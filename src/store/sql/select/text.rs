//! The text of a select under construction, with its parameters.

use std::fmt::Write;

use crate::model::noun::Noun;
use crate::model::value::Value;
use crate::store::sql::statements::table;

/// The database that a select is for: its functions and its indexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite evaluates every condition, with functions that crm adds to it.
    #[default]
    Sqlite,
    /// PostgreSQL has neither crm's `LIKE`, which ignores the case of all letters, nor crm's functions for attributes. It
    /// returns all records that may fit, see [`Select::may_differ`].
    Postgres,
}

/// A select under construction: its text, and its parameters in the order of their markers.
#[derive(Debug, Default)]
pub(crate) struct Select {
    pub(crate) text: String,
    pub(crate) params: Vec<Value>,
    pub(super) dialect: Dialect,
    /// Whether its rows include records that may not fit.
    pub(crate) may_differ: bool,
}

impl Select {
    /// A select with this text.
    pub(crate) fn of(text: String, params: Vec<Value>) -> Select {
        Select {
            text,
            params,
            ..Select::default()
        }
    }

    /// The beginning of a select: these columns of a noun.
    pub(super) fn from(dialect: Dialect, noun: &Noun, columns: &str) -> Select {
        Select {
            text: format!("SELECT {columns} FROM {}", table(noun)),
            dialect,
            ..Select::default()
        }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Select {
        self.text.push_str(text);
        self
    }

    /// Appends a marker and its value.
    pub(super) fn value(&mut self, value: impl Into<Value>) -> &mut Select {
        self.params.push(value.into());
        let _ = write!(self.text, "${}", self.params.len());
        self
    }

    /// The select with at most `limit` rows.
    pub(crate) fn limit(mut self, limit: u64) -> Select {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.push(" LIMIT ").value(limit);
        self
    }
}
