//! `crm help`: what a command takes, and how help pages end.

use clap::{Arg, ArgMatches, Command};

use super::say::print;
use super::session::{Ended, Plain, Session};
use crate::base::error::{Error, quoted};

pub(super) const HELP: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("help")
        .about("Show what a command takes, as its --help does")
        .arg(Arg::new("words").value_name("COMMAND").num_args(0..))
        .after_help(examples(&["crm help", "crm help lead create"]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let mut page = (session.whole)();
    page.build();
    for word in matches.get_many::<String>("words").into_iter().flatten() {
        let known = page.find_subcommand(word).cloned();
        page =
            known.ok_or_else(|| Error::invalid(format!("help: {} is no command", quoted(word))))?;
    }
    print(page.render_long_help().to_string().as_bytes())?;
    Ok(0)
}

/// The end of a help page.
pub(super) fn examples(lines: &[&str]) -> String {
    format!("Examples:\n  {}", lines.join("\n  "))
}
