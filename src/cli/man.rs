//! `crm man`: writes the manual pages.

use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Command, ValueHint};

use super::help::examples;
use super::say::print;
use super::session::{Ended, Plain, Session};
use crate::base::error::Error;
use crate::manual;

pub(super) const MAN: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("man")
        .about("Print the manual page of crm, or write all manual pages into a folder")
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .value_parser(ValueParser::path_buf())
                .value_hint(ValueHint::DirPath)
                .help(
                    "Write a page for each command (crm-lead-list.1) and each topic (crm-backups.7) into this folder, \
                     which is created if it does not exist",
                ),
        )
        .after_help(examples(&["crm man > crm.1", "crm man ./man"]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let whole = spelled((session.whole)());
    let Some(folder) = matches.get_one::<PathBuf>("dir") else {
        let mut page = Vec::new();
        let written = clap_mangen::Man::new(whole).render(&mut page);
        written.map_err(Error::internal)?;
        print(&page)?;
        return Ok(0);
    };
    let made = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(whole, folder))
        .and_then(|()| manual::write_pages(folder));
    made.map_err(|error| {
        Error::failed(format!(
            "{}: expected a folder to write to: {error}",
            folder.display()
        ))
    })?;
    Ok(0)
}

/// Adds the aliases of flags to their help. `--help` shows aliases, but the manual pages of clap leave them out.
fn spelled(whole: Command) -> Command {
    fn spelled_out(command: Command) -> Command {
        let names: Vec<String> = command
            .get_subcommands()
            .map(|known| known.get_name().to_string())
            .collect();
        let command = command.mut_args(|arg| {
            let others = arg.get_visible_aliases().unwrap_or_default();
            let others: Vec<String> = others.iter().map(|other| format!("--{other}")).collect();
            match (
                others.is_empty(),
                arg.get_help().map(|help| help.to_string()),
            ) {
                (false, Some(help)) => arg.help(format!("{help} (also {})", others.join(", "))),
                _ => arg,
            }
        });
        names.into_iter().fold(command, |command, name| {
            command.mut_subcommand(name, spelled_out)
        })
    }
    spelled_out(whole)
}
