//! What a command says beside its result: lines on standard error, and bytes on standard output.

use std::io::{self, Write};

use tracing::Level;

use crate::base::error::Error;
use crate::base::log;
use crate::config::Format;
use crate::model::token;
use crate::output::{self, Stop, Terminal};

/// A line on standard error. Nobody may be reading it, which stops nothing. That of a service goes into its log.
pub fn say(line: &str) {
    if let Some(log) = log::current() {
        return log.say(line);
    }
    // In one write, or the lines of commands that run side by side would get into one another.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Prints an error to standard error.
pub fn complain(format: Format, error: &Error) {
    match log::current().filter(|log| log.form() == log::Form::Json) {
        Some(log) => log.message(Level::ERROR, &error.message),
        None => {
            let text = output::error(format, Terminal::stderr().color, error);
            // A token that was given in the wrong place is not to be shown to whoever looks on.
            say(&token::hidden(&text));
        }
    }
}

/// What is to be told though all went well, and of a quiet command too.
pub(super) fn warn(warning: Option<String>) {
    if let Some(warning) = warning {
        say(&format!("warning: {warning}"));
    }
}

/// Prints bytes on standard output.
pub(super) fn print(bytes: &[u8]) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}
