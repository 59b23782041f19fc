//! The command line: the words of each command, and what each command does.
//!
//! The commands of operations are made from the list of operations ([`operation`]), and their flags from the nouns'
//! tables of fields ([`draft`], [`filters`]). So a new operation has a command, and a new field has a flag, without
//! further work. [`run`] executes them. Every other command has one file; [`PLAIN`] lists them.

use std::cell::Cell;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::base::error::{Error, quoted};
use crate::config::table::{
    CONFIG, DATABASE, Knob, ON_BEHALF_OF, OUTPUT, TIMEZONE, TOKEN_FILE, URL,
};
use crate::config::{Surroundings, error_format};
use crate::output::Stop;
use help::examples;
use session::{Ended, Plain, Session};

mod author;
mod backup;
mod bulk;
mod check;
mod columns;
mod complete;
mod completions;
mod config;
mod confirm;
mod copy;
mod cursor_file;
mod draft;
mod due;
mod dupes;
mod export;
mod fields;
mod filters;
mod find;
mod follow;
mod followup;
mod health;
mod help;
mod hints;
mod history;
mod hyphens;
mod ids;
mod import;
mod keeping;
mod keys;
mod listing;
mod log;
mod man;
mod merge;
mod misused;
mod names;
mod next;
mod objects;
mod open;
mod operation;
mod past;
mod records;
mod restore;
mod run;
pub mod say;
mod serve;
mod serving;
mod session;
mod setting;
mod several;
mod shell;
mod signals;
mod target;
mod timeline;
mod undo;
mod write;

/// The commands that are not operations, in the order of the help.
const PLAIN: [Plain; 16] = [
    serve::SERVE,
    due::DUE,
    next::NEXT,
    followup::SNOOZE,
    followup::DONE,
    followup::RENEW,
    followup::RELEASE,
    backup::BACKUP,
    restore::RESTORE,
    check::CHECK,
    copy::COPY,
    config::CONFIG,
    health::HEALTH,
    completions::COMPLETIONS,
    help::HELP,
    man::MAN,
];

/// The whole command line of `crm`.
pub fn command() -> Command {
    // Accepted only to be refused with a reason: everyone on the machine can read a command line.
    offered().arg(
        Arg::new("token")
            .long("token")
            .global(true)
            .hide(true)
            .num_args(0..=1)
            .action(ArgAction::Append),
    )
}

/// The command line as it is offered: in help, in manual pages and in completions.
fn offered() -> Command {
    let global = |arg: Arg| arg.global(true).help_heading("Global options");
    let [serve, others @ ..] = PLAIN;
    Command::new("crm")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The smallest CRM that is real: leads, actions and follow-ups, served over HTTP and at the terminal")
        .after_help(examples(&[
            "crm lead create --email ada@example.com --name 'Ada Lovelace'",
            "crm lead list --status new",
            "crm due",
            "crm config",
            "crm help backups",
        ]))
        .subcommand_required(true)
        .arg_required_else_help(true)
        // The help command of clap does not accept --help.
        .disable_help_subcommand(true)
        .args([&DATABASE, &URL, &TIMEZONE, &ON_BEHALF_OF, &CONFIG].map(|knob| global(setting::arg(knob))))
        .arg(global(setting::arg(&OUTPUT).short('o')))
        .arg(global(setting::arg(&TOKEN_FILE)))
        .arg(global(no_pager()))
        .subcommand(without_meaningless((serve.words)()))
        .subcommands(operation::commands())
        .subcommands(others.map(|plain| without_meaningless((plain.words)())))
}

/// Hides the global flags that mean nothing to a command. It accepts them as before, but its help does not show them.
fn without_meaningless(command: Command) -> Command {
    let (knobs, pager): (&[&'static Knob], bool) = match command.get_name() {
        "serve" => (&[&URL, &OUTPUT, &TOKEN_FILE, &ON_BEHALF_OF], true),
        "man" | "completions" => (
            &[
                &DATABASE,
                &URL,
                &TIMEZONE,
                &CONFIG,
                &OUTPUT,
                &TOKEN_FILE,
                &ON_BEHALF_OF,
            ],
            true,
        ),
        "help" => (
            &[
                &DATABASE,
                &URL,
                &TIMEZONE,
                &OUTPUT,
                &TOKEN_FILE,
                &ON_BEHALF_OF,
            ],
            false,
        ),
        "backup" | "restore" | "check" => (&[&URL, &TIMEZONE, &TOKEN_FILE, &ON_BEHALF_OF], true),
        "copy" => (&[&DATABASE, &URL, &TIMEZONE, &ON_BEHALF_OF], true),
        "health" => (&[&DATABASE, &TIMEZONE, &TOKEN_FILE, &ON_BEHALF_OF], true),
        _ => (&[], false),
    };
    let hidden = knobs.iter().map(|knob| match std::ptr::eq(*knob, &OUTPUT) {
        true => setting::arg(knob).short('o'),
        false => setting::arg(knob),
    });
    let pager = pager.then(no_pager).into_iter();
    command.args(hidden.chain(pager).map(|arg| arg.global(true).hide(true)))
}

/// `--no-pager`
fn no_pager() -> Arg {
    Arg::new("no_pager")
        .long("no-pager")
        .action(ArgAction::SetTrue)
        .help("Print long tables and pages of the manual at once")
}

/// Runs the command line of this process. Prints at most one error and returns the exit code.
pub fn main() -> ExitCode {
    if let Some(code) = complete::answer(offered) {
        return code;
    }
    let around = Surroundings::of_process();
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return ExitCode::from(misused::misused(error, &around, command)),
    };
    let flags = setting::flags(&matches);
    // Used until the settings are known, and if they are wrong.
    let format = Cell::new(error_format(&flags, &around));
    let session = Session {
        flags: &flags,
        around: &around,
        whole: offered,
        no_pager: matches.get_flag("no_pager"),
        format: &format,
    };
    ExitCode::from(match obey(&session, &matches) {
        Ok(code) => code,
        Err(Stop::ClosedPipe) => 0,
        Err(Stop::Failed(error)) => {
            say::complain(format.get(), &error);
            error.code.exit()
        }
    })
}

fn obey(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(error) = hyphens::swallowed(command, &words) {
        return Err(error.into());
    }
    if matches.value_source("token").is_some() {
        return Err(Error::invalid(
            "--token: a token must not be on the command line, where others can read it; expected CRM_TOKEN, \
             --token-file or the config file",
        )
        .into());
    }
    let (name, matches) = matches.subcommand().unwrap_or(("", matches));
    if let Some(plain) = PLAIN
        .iter()
        .find(|plain| (plain.words)().get_name() == name)
    {
        return (plain.run)(session, matches);
    }
    if let Some((of_noun, noun, matches)) = operation::of_noun(name, matches) {
        return (of_noun.run)(session, noun, matches);
    }
    match operation::find(name, matches) {
        Some((op, noun, matches)) => {
            session.block_on(op.visit(run::Run::new(session, op, noun, matches)))
        }
        None => Err(Error::invalid(format!("{} is not a command", quoted(name))).into()),
    }
}
