//! `crm man`: writes the manual pages.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Command, ValueHint};

use super::help::examples;
use super::say::print;
use super::session::{Ended, Plain, Session};
use crate::base::error::Error;
use crate::manual::topics::TOPICS;
use crate::manual::{self, roff};
use crate::output::Terminal;

pub(super) const MAN: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("man")
        .about("Show the manual page of crm, or write all manual pages into a folder")
        .long_about(
            "Show the manual page of crm with `man` at a terminal, or print its source if standard output is a file or a \
             pipe. With DIR, write the pages of all commands and topics.",
        )
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
    let mut whole = spelled((session.whole)()).disable_help_subcommand(true);
    whole.build();
    let Some(folder) = matches.get_one::<PathBuf>("dir") else {
        let page = page(&whole, &[]).map_err(Error::internal)?;
        if Terminal::stdout().width.is_some() {
            return shown(&page);
        }
        print(&page)?;
        return Ok(0);
    };
    let made = std::fs::create_dir_all(folder)
        .and_then(|()| write_pages(&whole, &[], folder))
        .and_then(|()| manual::write_pages(folder));
    made.map_err(|error| {
        Error::failed(format!(
            "{}: expected a folder to write to: {error}",
            folder.display()
        ))
    })?;
    Ok(0)
}

/// Shows a page with `man`, because nobody can read its source.
fn shown(page: &[u8]) -> Ended {
    let failed = |error: io::Error| Error::failed(format!("man: {error}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let file = folder.path().join("crm.1");
    std::fs::write(&file, page).map_err(failed)?;
    // A name with a slash is a file to every `man`.
    match Process::new("man").arg(&file).status() {
        Ok(status) if status.success() => Ok(0),
        _ => Err(Error::failed(
            "man: this machine has no program `man` that can show the page; `crm help` shows the same in the terminal, and \
             `crm man > crm.1` writes the page into a file",
        )
        .into()),
    }
}

/// Writes the page of a command and of each command below it. `above` has the pages of those above it.
fn write_pages(command: &Command, above: &[String], folder: &Path) -> io::Result<()> {
    let name = name_of(command);
    std::fs::write(folder.join(format!("{name}.1")), page(command, above)?)?;
    let above = [above, &[name]].concat();
    let mut below = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set());
    below.try_for_each(|below| write_pages(below, &above, folder))
}

fn name_of(command: &Command) -> String {
    let name = command.get_display_name();
    name.unwrap_or_else(|| command.get_name()).to_string()
}

/// The manual page of a command. The sections are those of clap, but for the last ones: clap has no heading for examples
/// and names no other pages.
fn page(command: &Command, above: &[String]) -> io::Result<Vec<u8>> {
    let man = clap_mangen::Man::new(command.clone());
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    if command.get_arguments().any(|arg| !arg.is_hide_set()) {
        man.render_options_section(&mut out)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    if let Some(end) = command.get_after_help() {
        let lines = end.to_string();
        let lines = lines.lines().skip(1).map(str::trim_start);
        let lines: Vec<&str> = lines.collect();
        out.extend(roff::examples(&lines.join("\n")).bytes());
    }
    let below = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set());
    let mut pages: Vec<(String, u8)> = above.iter().map(|name| (name.clone(), 1)).collect();
    pages.extend(below.map(|below| (name_of(below), 1)));
    let topics = TOPICS.iter();
    // Every page names the one on commands, and the first page all of them.
    let topics = topics.filter(|topic| above.is_empty() || topic.name == "commands");
    pages.extend(topics.map(|topic| (format!("crm-{}", topic.name), 7)));
    out.extend(roff::see_also(&pages).bytes());
    Ok(out)
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
