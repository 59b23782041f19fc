//! Shows a long text page by page, with the program that the user has chosen for it.

use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Becomes the pager that shows the text: `$PAGER`, or `less`, which ends by itself where the text fits the screen. Returns
/// only where there is no pager.
///
/// The process is replaced rather than waited in, so that Ctrl-C belongs to the pager alone. The text is in a temporary
/// file, so that it need not be written while somebody reads.
pub fn show(text: &str) -> io::Result<()> {
    let mut pager = match std::env::var("PAGER") {
        Ok(chosen) if chosen.trim().is_empty() || chosen.trim() == "cat" => return Ok(()),
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
    // `less` shows bold text only where it is told to.
    if std::env::var_os("LESS").is_none() {
        pager.env("LESS", "FRX");
    }
    Err(pager.stdin(Stdio::from(file)).exec())
}
