//! `crm completions`: the completion script of a shell.

use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;

use super::help::examples;
use super::say::print;
use super::session::{Ended, Plain, Session};

pub(super) const COMPLETIONS: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("completions")
        .about("Print the completion script of a shell")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(ValueParser::from(clap::value_parser!(Shell))),
        )
        .after_help(examples(&[
            "crm completions bash > crm.bash",
            "crm completions zsh > _crm",
        ]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let shell = *matches.get_one::<Shell>("shell").unwrap_or(&Shell::Bash);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut (session.whole)(), "crm", &mut script);
    print(&script)?;
    Ok(0)
}
