//! What every running command has: the flags, the settings, and a runtime.

use std::cell::Cell;
use std::os::unix::net::UnixStream;

use clap::{ArgMatches, Command};
use tokio::runtime::{Builder, Runtime};

use super::say::say;
use crate::base::error::Error;
use crate::config::table::TOKEN_FILE;
use crate::config::{Asker, Flags, Format, Location, Settings, Surroundings};
use crate::model::noun::Noun;
use crate::output::{Look, Page, Pager, Stop, Terminal};

/// How a command ended: its exit code if it printed everything itself, otherwise why it stopped.
pub type Ended = Result<u8, Stop>;

/// A command that is not an operation.
pub(super) struct Plain {
    /// Its definition for clap.
    pub(super) words: fn() -> Command,
    /// What it does.
    pub(super) run: fn(&Session<'_>, &ArgMatches) -> Ended,
}

/// A command of each noun that is not an operation.
pub(super) struct OfNoun {
    pub(super) name: &'static str,
    /// Its definition for clap.
    pub(super) words: fn(&'static Noun) -> Command,
    /// What it does.
    pub(super) run: fn(&Session<'_>, &'static Noun, &ArgMatches) -> Ended,
}

/// What every running command has.
pub(super) struct Session<'a> {
    pub(super) flags: &'a Flags,
    pub(super) around: &'a Surroundings<'a>,
    /// The whole command line of `crm`.
    pub(super) whole: fn() -> Command,
    /// Whether `--no-pager` was given.
    pub(super) no_pager: bool,
    /// The format of errors.
    pub(super) format: &'a Cell<Format>,
}

/// The note for a token that is given for a database.
pub(super) const NO_TOKEN: &str = "note: a database needs no token; --token-file is ignored";

impl Session<'_> {
    /// Finds the settings of a command, and prints errors as they say.
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        let found = self.settings_of(Asker::Command)?;
        self.set_format(&found);
        Ok(found)
    }

    /// Finds the settings. Prints a note if a token file was given that has no effect.
    pub(super) fn settings_of(&self, asker: Asker) -> Result<Settings, Error> {
        let found = Settings::find(self.flags, self.around, asker)?;
        if self.flags.get(&TOKEN_FILE).is_some() && !matches!(found.target.value, Location::Url(_))
        {
            say(NO_TOKEN);
        }
        Ok(found)
    }

    /// Prints errors in the format of the settings from now on.
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

    /// The pager of tables and of the manual, if one is wanted.
    pub(super) fn pager(&self, settings: Option<&Settings>) -> Option<Pager> {
        let set = settings.and_then(|settings| settings.pager.as_ref());
        let pager = Pager::find(set.map(|pager| pager.value.as_str()));
        pager.filter(|_| !self.no_pager)
    }

    /// Where the result of a command is printed.
    pub(super) fn page(&self, settings: &Settings) -> Page {
        Page::new(Self::look(settings), self.pager(Some(settings)))
    }

    /// Runs a command to its end on this thread.
    pub(super) fn block_on<R>(
        &self,
        command: impl Future<Output = Result<R, Stop>>,
    ) -> Result<R, Stop> {
        runtime(Builder::new_current_thread())?.block_on(command)
    }

    /// A runtime with a thread for each processor.
    pub(super) fn threads(&self) -> Result<Runtime, Error> {
        runtime(Builder::new_multi_thread())
    }
}

fn runtime(mut builder: Builder) -> Result<Runtime, Error> {
    // The runtime panics if it cannot open its sockets for signals. So this first checks that there are enough
    // descriptors for all that it opens.
    let spare: std::io::Result<Vec<_>> = (0..3).map(|_| UnixStream::pair()).collect();
    let built = spare.and_then(|spare| {
        drop(spare);
        builder.enable_all().build()
    });
    built.map_err(|error| Error::failed(format!("cannot start: {error}")))
}
