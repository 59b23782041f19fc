//! Prints lines to standard error and bytes to standard output. Records are printed by [`crate::output`].

use std::io::{self, Write};

use tracing::Level;

use crate::base::error::Error;
use crate::base::log;
use crate::config::Format;
use crate::model::token;
use crate::output::{self, Stop, Terminal, visible};

/// Prints a line to standard error. In a service the line goes to the log. Characters that would control a terminal are
/// escaped, because a line may hold the name of a file or the words of another server. A failure is ignored, because
/// nobody may be reading.
pub fn say(line: &str) {
    put(&visible(line));
}

/// Prints several lines to standard error, each as [`say`] does.
pub(super) fn lines(text: &str) {
    let shown: Vec<_> = text.split('\n').map(visible).collect();
    put(&shown.join("\n"));
}

/// Prints text that needs no escapes.
fn put(text: &str) {
    if let Some(log) = log::current() {
        return log.say(text);
    }
    // In one write, so that the lines of commands that run at the same time do not mix.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Prints an error to standard error.
pub fn complain(format: Format, error: &Error) {
    match log::current().filter(|log| log.form() == log::Form::Json) {
        Some(log) => log.message(Level::ERROR, &error.message),
        None => {
            let text = output::error(format, Terminal::stderr().color, error);
            // The error may quote a token that was given in the wrong place.
            put(&token::hidden(&text));
        }
    }
}

/// Prints a warning, if there is one. A quiet command prints it too.
pub(super) fn warn(warning: Option<String>) {
    if let Some(warning) = warning {
        say(&format!("warning: {warning}"));
    }
}

/// Prints bytes to standard output.
pub(super) fn print(bytes: &[u8]) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}
