//! How a result is printed.

use crate::config::Format;
use crate::output::terminal::Terminal;

/// The format of a result, and the terminal it goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Table, JSON, NDJSON, CSV or id.
    pub format: Format,
    /// What standard output is.
    pub terminal: Terminal,
}

/// How many results a command has. JSON is an object for one and an array for many. A table has one field per line for
/// one, and one record per line for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Exactly one.
    One,
    /// A list of any length, or several ids.
    Many,
}
