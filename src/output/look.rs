//! How a result is printed.

use crate::config::Format;
use crate::output::terminal::Terminal;

/// How something is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The format.
    pub format: Format,
    /// Where it goes.
    pub terminal: Terminal,
}

/// How many things a command was asked about; JSON is an object for one and an array for more, a table is upright for
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// One.
    One,
    /// A list, however long, or several ids.
    Many,
}
