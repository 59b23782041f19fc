//! The settings that a store is opened with.

use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;

/// The purpose of an open store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One command: everything runs on the calling thread, and no other thread is started.
    Command,
    /// One command that only reads: it leaves a file with today's schema unchanged, and works on a file that may not be
    /// written to.
    Reading,
    /// A server: writes run on a thread and share their syncs, lists run on threads that do not serve.
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

    /// The same for the target of a copy, which may have begun already.
    pub fn for_copy(self) -> Opening {
        Opening {
            for_copy: true,
            ..self
        }
    }
}
