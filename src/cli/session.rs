//! What a command runs in: what was given, its settings, and a runtime.

use std::cell::Cell;
use std::os::unix::net::UnixStream;

use clap::{ArgMatches, Command};
use tokio::runtime::{Builder, Runtime};

use super::say::say;
use crate::base::error::Error;
use crate::config::table::TOKEN_FILE;
use crate::config::{Asker, Flags, Format, Location, Settings, Surroundings};
use crate::output::{Look, Stop, Terminal};

/// How a command ended, when it could say everything itself: its exit code.
pub type Ended = Result<u8, Stop>;

/// A command that is no operation.
pub(super) struct Plain {
    /// Its words.
    pub(super) words: fn() -> Command,
    /// What it does.
    pub(super) run: fn(&Session<'_>, &ArgMatches) -> Ended,
}

/// What a command runs in.
pub(super) struct Session<'a> {
    pub(super) flags: &'a Flags,
    pub(super) around: &'a Surroundings<'a>,
    /// The whole command line of `crm`.
    pub(super) whole: fn() -> Command,
    /// How errors are written.
    pub(super) format: &'a Cell<Format>,
}

/// What is said of a token beside a database.
pub(super) const NO_TOKEN: &str = "note: a database takes no token; --token-file is ignored";

impl Session<'_> {
    /// The settings of a command.
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        let found = self.settings_of(Asker::Command)?;
        self.set_format(&found);
        Ok(found)
    }

    /// The settings. What was given and is of no use is told.
    pub(super) fn settings_of(&self, asker: Asker) -> Result<Settings, Error> {
        let found = Settings::find(self.flags, self.around, asker)?;
        if self.flags.get(&TOKEN_FILE).is_some() && !matches!(found.target.value, Location::Url(_))
        {
            say(NO_TOKEN);
        }
        Ok(found)
    }

    /// From now on errors are written as the settings say.
    pub(super) fn set_format(&self, settings: &Settings) {
        self.format.set(settings.output.value);
    }

    /// How records are printed.
    pub(super) fn look(settings: &Settings) -> Look {
        Look {
            format: settings.output.value,
            terminal: Terminal::stdout(),
        }
    }

    /// Runs a command to its end on this thread.
    pub(super) fn block_on(&self, command: impl Future<Output = Ended>) -> Ended {
        runtime(Builder::new_current_thread())?.block_on(command)
    }

    /// A runtime with a thread for each processor.
    pub(super) fn threads(&self) -> Result<Runtime, Error> {
        runtime(Builder::new_multi_thread())
    }
}

fn runtime(mut builder: Builder) -> Result<Runtime, Error> {
    // What the runtime opens for signals it cannot do without, and panics: all that it opens has to find room.
    let spare: std::io::Result<Vec<_>> = (0..3).map(|_| UnixStream::pair()).collect();
    let built = spare.and_then(|spare| {
        drop(spare);
        builder.enable_all().build()
    });
    built.map_err(|error| Error::failed(format!("cannot start: {error}")))
}
