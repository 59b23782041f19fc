//! `crm backup`: backs up the database to one file.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::help::examples;
use super::keeping::{content, file, progress, quiet};
use super::open::{file_of, no_url, there};
use super::say::warn;
use super::session::{Ended, Plain, Session};
use super::signals::unless_stopped;
use crate::base::error::Error;
use crate::config::{DEFAULT_DATABASE, Settings};
use crate::output;
use crate::store::sqlite::{backup, check};

pub(super) const BACKUP: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("backup")
        .about("Back up the database to a file")
        .long_about(
            "Back up the database to one file, which holds everything that was written before. The database may stay in \
             use meanwhile. The file is checked and synced before it gets its name, so a file of that name is always whole.",
        )
        .arg(file("The file to create"))
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .help("Replace the file if it exists"),
        )
        .arg(quiet())
        .after_help(examples(&[
            "crm backup backup.db",
            "crm backup \"crm-$(date -u +%Y%m%dT%H%M%SZ).db\" -o json",
            "crm backup backup.db --force --quiet",
        ]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let file = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let (force, quiet) = (matches.get_flag("force"), matches.get_flag("quiet"));
    let settings = session.settings()?;
    session.block_on(back_up(&settings, file, force, quiet))
}

/// The most links that are followed one after the other, as in Linux.
const LINKS: usize = 40;

/// Refuses to make a backup under the name by which commands find the database of a folder. From then on, commands in that
/// folder would work on the backup without saying so.
fn not_a_database(file: &Path) -> Result<(), Error> {
    // A link that leads to the name makes such a file too.
    let mut named = file.to_path_buf();
    for _ in 0..LINKS {
        match std::fs::read_link(&named) {
            Ok(target) => named = named.with_file_name("").join(target),
            Err(_) => break,
        }
    }
    let is_default = named
        .file_name()
        .is_some_and(|name| name == DEFAULT_DATABASE);
    match is_default && !file.exists() {
        false => Ok(()),
        true => Err(Error::invalid(format!(
            "{}: commands in that folder would take the backup for their database, because it is named \
             {DEFAULT_DATABASE}; expected another name, such as crm-backup.db",
            file.display()
        ))),
    }
}

async fn back_up(settings: &Settings, file: PathBuf, force: bool, quiet: bool) -> Ended {
    let path = file_of(settings, "backup")?;
    no_url(&file)?;
    there(path)?;
    not_a_database(&file)?;
    let (from, to) = (path.to_path_buf(), file.clone());
    let work = move || backup::backup(&from, &to, force, &mut progress(quiet));
    let made = match unless_stopped(settings, "no backup was made", work).await? {
        Ok(made) => made,
        Err(code) => return Ok(code),
    };
    warn(check::names(path));
    warn(made.warning(&file));
    if quiet {
        return Ok(0);
    }
    let said: Vec<_> = std::iter::once(("backup", file.to_string_lossy().into()))
        .chain(content(&made))
        .collect();
    output::summary(io::stdout().lock(), Session::look(settings), &said)?;
    Ok(0)
}
