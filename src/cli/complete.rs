//! `crm __complete`: what a shell offers for the word that is being typed. The scripts of `crm completions` call it.
//!
//! The commands and flags are those of the command line itself, so the scripts never go out of date. The names of fields
//! are offered where a flag takes them, and for a field of words, such as a status, the words that the local database
//! holds. Nothing is asked over a network, no file is created, and neither a token nor a password is read. Words from the
//! database are data of others: those with characters that control a terminal are left out, and in bash, which inserts
//! them as they are, they are quoted.
//!
//! | shell | arguments | lines of the answer |
//! |---|---|---|
//! | bash | the line up to the cursor, and the part of the word that bash replaces | the replacements, quoted |
//! | zsh, fish | the words up to the cursor | a word, a tab, its description |
//!
//! A line `/files` or `/folders` stands for the names of files, which shells complete better themselves.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::ExitCode;

use clap::{Command, ValueHint};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};

use super::fields::{Values, completer};
use super::shell::{quoted, split};
use crate::base::text::disturbs;
use crate::manual::topics::TOPICS;
use crate::model::nouns::NOUNS;
use crate::views::VIEWS;

/// The first word of the command line, before which the words of the user stand.
pub(super) const NAME: &str = "__complete";

const FILES: &str = "/files";
const FOLDERS: &str = "/folders";

/// Answers a shell, if this command line asks for completions. Whatever is wrong, nothing is offered: a message in the
/// middle of the user's typing helps nobody.
pub(super) fn answer(whole: fn() -> Command) -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != NAME {
        return None;
    }
    let shell = args.next().unwrap_or_default();
    let words: Vec<OsString> = args.collect();
    let mut out = Vec::new();
    if shell == "bash" {
        bash(whole, &words, &mut out);
    } else {
        described(whole, &words, &mut out);
    }
    // The shell may have given up waiting.
    let _ = std::io::stdout().lock().write_all(&out);
    Some(ExitCode::SUCCESS)
}

/// The answer to bash.
fn bash(whole: fn() -> Command, given: &[OsString], out: &mut Vec<u8>) {
    let [line, replaced] = given else {
        return;
    };
    let (line, replaced) = (line.to_string_lossy(), replaced.to_string_lossy());
    let (words, open) = split(&line);
    let typed = words.last().cloned().unwrap_or_default();
    // Bash replaces only what follows the last `=` or `:` of a word.
    let kept = match open {
        Some(_) => 0,
        None => typed
            .len()
            .saturating_sub(split(&replaced).0.concat().len()),
    };
    for candidate in candidates(whole, words) {
        let Some(value) = candidate
            .get_value()
            .to_str()
            .filter(|value| is_clean(value))
        else {
            continue;
        };
        let (value, is_marker) = match marker(value) {
            Some(marker) => (marker, true),
            None => (value, false),
        };
        let shown = match (is_marker, value.get(kept..)) {
            (true, _) => value.to_string(),
            (false, Some(rest)) if typed.get(..kept) == value.get(..kept) => {
                match quoted(rest, open) {
                    Some(shown) => shown,
                    None => continue,
                }
            }
            (false, _) => continue,
        };
        let _ = writeln!(out, "{shown}");
    }
}

/// The answer to a shell that inserts words safely itself, and shows descriptions.
fn described(whole: fn() -> Command, words: &[OsString], out: &mut Vec<u8>) {
    let words = words.iter().map(|word| word.to_string_lossy().into_owned());
    for candidate in candidates(whole, words.collect()) {
        let Some(value) = candidate
            .get_value()
            .to_str()
            .filter(|value| is_clean(value))
        else {
            continue;
        };
        let help = candidate.get_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let first = help.lines().next().unwrap_or_default();
        let _ = writeln!(out, "{}\t{first}", marker(value).unwrap_or(value));
    }
}

/// The marker at the end of a value such as `--db=/files`.
fn marker(value: &str) -> Option<&'static str> {
    [FILES, FOLDERS].into_iter().find(|marker| {
        let before = value.strip_suffix(marker);
        before.is_some_and(|before| before.is_empty() || before.ends_with('='))
    })
}

fn is_clean(value: &str) -> bool {
    !value.contains(disturbs)
}

/// What can stand in the place of the last word.
fn candidates(whole: fn() -> Command, words: Vec<String>) -> Vec<CompletionCandidate> {
    let Some(index) = words.len().checked_sub(1).filter(|index| *index > 0) else {
        return Vec::new();
    };
    let mut command = completable(whole(), &words);
    let words = words.into_iter().map(OsString::from).collect();
    let found = complete(&mut command, words, index, None).unwrap_or_default();
    let visible = found
        .into_iter()
        .filter(|candidate| !candidate.is_hide_set());
    visible.collect()
}

/// The command line with what can be offered for each value.
fn completable(whole: Command, words: &[String]) -> Command {
    let mut command = with_files(whole);
    for noun in NOUNS.into_iter().chain(VIEWS.iter().copied()) {
        let values = Values::new(noun, words);
        let name = match noun.is_view() {
            true => noun.plural,
            false => noun.name,
        };
        command = command.mut_subcommand(name, |group| with_values(group, &values));
    }
    let help = help(&command);
    command.mut_subcommand("help", |_| help)
}

/// Adds the values of fields to the arguments of a command and of those below it.
fn with_values(command: Command, values: &Values) -> Command {
    let is_list = command.get_arguments().any(|arg| arg.get_id() == "where");
    let command =
        command.mut_args(
            |arg| match completer(values.clone(), arg.get_id().as_str(), is_list) {
                Some(completer) => arg.add(ArgValueCompleter::new(completer)),
                None => arg,
            },
        );
    below(command, |command| with_values(command, values))
}

/// Leaves the names of files to the shell.
fn with_files(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let marker = match arg.get_value_hint() {
            ValueHint::FilePath | ValueHint::AnyPath => FILES,
            ValueHint::DirPath => FOLDERS,
            _ => return arg,
        };
        arg.add(ArgValueCompleter::new(move |_: &OsStr| {
            vec![CompletionCandidate::new(marker)]
        }))
    });
    below(command, with_files)
}

/// Changes each command below another one.
fn below(command: Command, change: impl Fn(Command) -> Command) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|below| below.get_name().to_string())
        .collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, &change)
    })
}

/// `help` with the topics and the commands as commands below it, because those are what it takes.
fn help(whole: &Command) -> Command {
    fn names(command: &Command) -> Command {
        let bare = Command::new(command.get_name().to_string()).disable_help_flag(true);
        let bare = match command.get_about() {
            Some(about) => bare.about(about.clone()),
            None => bare,
        };
        bare.subcommands(command.get_subcommands().map(names))
    }
    let topics = TOPICS.iter().map(|topic| {
        Command::new(topic.name)
            .about(topic.about)
            .disable_help_flag(true)
    });
    // A topic comes before a command of the same name.
    let is_topic = |command: &&Command| TOPICS.iter().any(|topic| topic.name == command.get_name());
    let commands = whole.get_subcommands().filter(|command| !is_topic(command));
    let commands = commands.map(names);
    Command::new("help")
        .disable_help_subcommand(true)
        .subcommands(commands)
        .subcommands(topics)
}
