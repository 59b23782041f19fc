//! What a store is opened for, and with which settings.

use crate::model::nouns::NOUNS;
use crate::model::record::Noun;

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One command: everything runs where it is called, no thread is started.
    Command,
    /// One command that only reads: it leaves a file with today's schema as it is, and works on a file that may not be
    /// written to.
    Reading,
    /// A server: writes run on a thread and share their syncs, lists run beside the threads that serve.
    Server,
}

/// The settings that a store is opened with.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    pub(crate) work: Work,
    pub(crate) nouns: &'static [&'static Noun],
    /// SQLite's `synchronous`.
    pub(crate) syncs: &'static str,
    /// Whether the file may hold an unfinished copy.
    pub(crate) for_copy: bool,
}

impl Opening {
    /// The settings for this work.
    pub fn of(work: Work) -> Opening {
        Opening {
            work,
            nouns: &NOUNS,
            syncs: "FULL",
            for_copy: false,
        }
    }

    /// The same with these nouns, each after those that it refers to. A noun that no step of the schema knows gets its table
    /// when the file is made.
    pub fn with_nouns(self, nouns: &'static [&'static Noun]) -> Opening {
        Opening { nouns, ..self }
    }
}
