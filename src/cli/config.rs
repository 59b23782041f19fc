//! `crm config`: each setting and where it comes from.

use std::io;

use clap::{ArgMatches, Command};

use super::help::examples;
use super::session::{Ended, Plain, Session};
use crate::config::{self, Asker, Backups, Listen, ServiceSettings, Settings};
use crate::output;

pub(super) const CONFIG: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("config")
        .about("Show each setting and where it comes from")
        .after_help(examples(&["crm config", "crm config -o json"]))
}

fn run(session: &Session<'_>, _matches: &ArgMatches) -> Ended {
    let (flags, around) = (session.flags, session.around);
    let settings = Settings::find(flags, around, Asker::Command)?;
    let rows = config::rows(
        &settings,
        &Listen::find(flags, around)?,
        &Backups::find(flags, around)?,
        &ServiceSettings::find(flags, around)?,
    );
    output::settings(io::stdout().lock(), Session::look(&settings), &rows)?;
    Ok(0)
}
