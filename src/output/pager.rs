//! Shows a long text page by page at a terminal, with the pager that the user has chosen, as git does.
//!
//! The pager is the one of `CRM_PAGER`, of the config file or of `PAGER`, or `less`. A text that fits the screen needs
//! none. The command waits for the pager and ends with its own exit code, whether the user reads to the end or not. If
//! the pager cannot be started, the text is printed.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

use tokio::signal::unix::{SignalKind, signal};

use crate::output::stop::Result;
use crate::output::terminal::Terminal;

/// The exit codes of a shell that could not run a program (POSIX, "Exit Status for Commands").
const NOT_RUN: [i32; 2] = [126, 127];

/// A pager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pager {
    /// Its command line for the shell.
    command: String,
    /// Whether it is shown text with bold letters.
    bold: bool,
}

impl Pager {
    /// The pager for standard output. `None` if the text is printed at once: standard output is not a terminal, the
    /// terminal cannot move its cursor, or the user wants no pager. `set` is the command line of the config file.
    pub fn find(set: Option<&str>) -> Option<Pager> {
        Terminal::stdout().width?;
        Self::of(set, &|name| std::env::var_os(name))
    }

    fn of(set: Option<&str>, environment: &dyn Fn(&str) -> Option<OsString>) -> Option<Pager> {
        let text = |name: &str| environment(name)?.into_string().ok();
        if text("TERM").is_some_and(|term| term == "dumb") {
            return None;
        }
        let set = text("CRM_PAGER").or_else(|| set.map(str::to_string));
        let command = set.or_else(|| text("PAGER"));
        let command = command.unwrap_or_else(|| "less".into());
        let words: Vec<&str> = command.split_whitespace().collect();
        let program = words.iter().find(|word| !word.contains('='))?;
        if *program == "cat" {
            return None;
        }
        // `less` shows bold letters only with the option `R`, which it gets below unless the user has set options.
        let has_option = |options: &str| options.contains('R') || options.contains("RAW");
        let is_less = program.rsplit('/').next() == Some("less");
        let bold = is_less
            && (has_option(&command) || text("LESS").is_none_or(|options| has_option(&options)));
        Some(Pager { command, bold })
    }

    /// Shows a text: on the screen if it fits, otherwise with the pager.
    pub async fn show(&self, text: &str) -> Result {
        let rows = Terminal::rows().unwrap_or_default();
        // The prompt of the shell needs a line, too.
        if text.lines().count() < rows {
            return print(text);
        }
        let shown = match self.bold {
            true => text.to_string(),
            false => without_style(text),
        };
        // Ctrl-C and Ctrl-\ are for the pager. This process has to outlive it, because the shell would read the
        // keyboard at the same time.
        let kept = [SignalKind::interrupt(), SignalKind::quit()].map(signal);
        let Ok(mut pager) = self.start() else {
            return print(text);
        };
        let input = pager.stdin.take();
        let waited = tokio::task::spawn_blocking(move || {
            if let Some(mut input) = input {
                // A user who has seen enough leaves the pager before the end.
                let _ = input.write_all(shown.as_bytes());
            }
            pager.wait()
        });
        let ended = waited.await;
        drop(kept);
        match ended {
            Ok(Ok(status)) if status.code().is_some_and(|code| NOT_RUN.contains(&code)) => {
                print(text)
            }
            _ => Ok(()),
        }
    }

    fn start(&self) -> io::Result<Child> {
        let mut shell = Command::new("sh");
        shell.args(["-c", &self.command]).stdin(Stdio::piped());
        for (name, options) in [("LESS", "FRX"), ("LV", "-c")] {
            if std::env::var_os(name).is_none() {
                shell.env(name, options);
            }
        }
        shell.spawn()
    }
}

fn print(text: &str) -> Result {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// The text without its bold letters. Data never has an escape here, because all text for a terminal is escaped.
fn without_style(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pager_is_chosen_as_git_does() {
        let of = |set: Option<&str>, given: &[(&str, &str)]| {
            let pager = Pager::of(set, &|asked| {
                let found = given.iter().find(|pair| pair.0 == asked);
                found.map(|pair| pair.1.into())
            });
            pager.map(|pager| (pager.command, pager.bold))
        };
        let some = |command: &str, bold| Some((command.to_string(), bold));
        assert_eq!(of(None, &[]), some("less", true));
        assert_eq!(of(None, &[("PAGER", "more")]), some("more", false));
        assert_eq!(of(Some("most"), &[("PAGER", "more")]), some("most", false));
        assert_eq!(
            of(Some("most"), &[("CRM_PAGER", "less -S")]),
            some("less -S", true)
        );
        assert_eq!(of(None, &[("LESS", "S")]), some("less", false));
        assert_eq!(
            of(None, &[("PAGER", "LESS=R less")]),
            some("LESS=R less", true)
        );
        for none in [
            &[("TERM", "dumb")][..],
            &[("CRM_PAGER", ""), ("PAGER", "less")],
            &[("PAGER", "cat")],
            &[("PAGER", " ")],
        ] {
            assert_eq!(of(None, none), None, "{none:?}");
        }
    }

    #[test]
    fn a_pager_that_shows_no_bold_letters_gets_none() {
        assert_eq!(without_style("\u{1b}[1mid\u{1b}[22m 1\n"), "id 1\n");
    }
}
