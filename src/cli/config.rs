//! `crm config`: each setting and where it comes from.

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
    session.block_on(async {
        let mut page = session.page(&settings);
        output::settings(&mut page, Session::look(&settings), &rows)?;
        page.end().await?;
        Ok(0)
    })
}
