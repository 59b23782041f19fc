//! Shows a long text page by page, with the pager that the user has chosen.

use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Replaces this process by the pager: `$PAGER`, or `less`, which ends at once if the text fits the screen. Returns
/// only if there is no pager.
///
/// The process is replaced instead of waiting for the pager, so that only the pager gets Ctrl-C. The text is in a
/// temporary file, so that no process has to write it while the user reads.
pub fn show(text: &str) -> io::Result<()> {
    let mut pager = match std::env::var("PAGER") {
        Ok(chosen) if chosen.trim().is_empty() || chosen.trim() == "cat" => return Ok(()),
        Ok(chosen) if !exists(&chosen) => return Ok(()),
        Ok(chosen) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &chosen]);
            shell
        }
        Err(_) => {
            let mut less = Command::new("less");
            less.arg("-FRX");
            less
        }
    };
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    file.seek(SeekFrom::Start(0))?;
    // `less` shows bold text only with the option `R`.
    if std::env::var_os("LESS").is_none() {
        pager.env("LESS", "FRX");
    }
    Err(pager.stdin(Stdio::from(file)).exec())
}

/// Whether the pager shows bold text: `less` with its option `R`, or no pager at all.
pub fn shows_bold() -> bool {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| "less".into());
    let has_option = |options: &str| options.contains('R') || options.contains("RAW");
    match pager.split_whitespace().next() {
        None | Some("cat") => true,
        Some(program) if program == "less" || program.ends_with("/less") => {
            has_option(&pager) || std::env::var("LESS").map_or(true, |options| has_option(&options))
        }
        Some(program) => !exists(program),
    }
}

/// Whether the shell finds the program of a command line.
fn exists(command: &str) -> bool {
    let program = command.split_whitespace().next().unwrap_or_default();
    let found = Command::new("sh")
        .args(["-c", "command -v \"$1\"", "sh", program])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}
