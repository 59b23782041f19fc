//! `crm check`: checks that the database is whole.

use std::io;

use clap::{Arg, ArgMatches, Command, ValueHint};

use super::help::examples;
use super::keeping::quiet;
use super::open::{file_of, there};
use super::say::warn;
use super::session::{Ended, Plain, Session};
use crate::base::error::{Code, Error};
use crate::config::{Location, without_password};
use crate::output::{self, Stop};
use crate::store::contract::Store;
use crate::store::postgres::Postgres;
use crate::store::sqlite::check;

pub(super) const CHECK: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("check")
        .about("Check that the database is whole")
        .long_about(
            "Check that the database is whole: that its pages, indexes and rows are consistent, that no record refers \
             to one that does not exist, that every value is one that crm would write, and that its tables are those of \
             crm. Prints `ok` and exits 0, or prints a line for each finding and exits 1. Changes nothing; the database \
             may stay in use meanwhile. In PostgreSQL, which has pg_amcheck for the rest, only the references and the values \
             are checked.",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_hint(ValueHint::FilePath)
                .help("The database or backup to check, instead of --db"),
        )
        .arg(quiet())
        .after_help(examples(&[
            "crm check",
            "crm backup backup.db && crm check backup.db",
            "crm check -o json",
        ]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let quiet = matches.get_flag("quiet");
    let settings = &session.settings()?;
    let found: Vec<(&str, String)> = match &settings.target.value {
        Location::Postgres(url) => session.block_on(records(url))?,
        _ => {
            let path = file_of(settings, "check")?;
            there(path)?;
            let found = check::check(path)?;
            warn(check::names(path));
            let found = found.into_iter();
            found.map(|finding| (finding.kind, finding.what)).collect()
        }
    };
    if quiet && found.is_empty() {
        return Ok(0);
    }
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(kind, what)| (*kind, what.as_str()))
        .collect();
    output::findings(io::stdout().lock(), Session::look(settings), &found)?;
    Ok(match found.is_empty() {
        true => 0,
        false => Code::Failed.exit(),
    })
}

/// What a check finds in PostgreSQL, which keeps pages, indexes and tables whole itself.
async fn records(url: &str) -> Result<Vec<(&'static str, String)>, Stop> {
    let store = Postgres::open_existing(url, 1).await?;
    let shown = without_password(url);
    let found = async {
        let references = store.dangling(&shown).await?;
        let mut values = store.faults(&shown).await?.lines();
        values.extend(store.newest_times(&shown).await?);
        Ok::<_, Error>((references, values))
    };
    let found = found.await;
    store.close().await?;
    let (references, values) = found?;
    let references = references.into_iter().map(|line| ("reference", line));
    let values = values.into_iter().map(|line| ("value", line));
    Ok(references.chain(values).collect())
}
