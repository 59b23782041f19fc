//! Help and version, and command lines that are not valid.

use std::borrow::Cow;

use clap::error::ErrorKind;

use super::say::{complain, say};
use crate::base::error::Error;
use crate::config::table::OUTPUT;
use crate::config::{Flags, Format, Surroundings, error_format};
use crate::model::token;

/// Prints the help, the version, or what is wrong with a command line. Returns the exit code.
pub(super) fn misused(error: &clap::Error, around: &Surroundings) -> u8 {
    let wanted = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if wanted || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return if wanted { 0 } else { 2 };
    }
    let mut flags = Flags::default();
    if let Some(word) = output_flag() {
        flags.set(&OUTPUT, word);
    }
    match error_format(&flags, around) {
        format @ (Format::Json | Format::Ndjson) => {
            let text = error.render().to_string();
            let sentence: Vec<&str> = text
                .lines()
                .take_while(|line| !line.is_empty())
                .map(str::trim)
                .collect();
            let sentence = sentence.join(" ");
            complain(
                format,
                &Error::invalid(sentence.trim_start_matches("error: ")),
            );
        }
        _ => {
            let text = error.render().to_string();
            match token::hidden(&text) {
                Cow::Borrowed(_) => drop(error.print()),
                Cow::Owned(hidden) => say(hidden.trim_end()),
            }
        }
    }
    2
}

/// The value of `--output` in a command line that clap refused.
fn output_flag() -> Option<String> {
    let mut args = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-o" | "--output" => return args.next(),
            "--" => return None,
            arg => {
                let short = arg.strip_prefix("-o").filter(|_| !arg.starts_with("--"));
                if let Some(value) = arg.strip_prefix("--output=").or(short) {
                    return Some(value.trim_start_matches('=').to_string());
                }
            }
        }
    }
    None
}
