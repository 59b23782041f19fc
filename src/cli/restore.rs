//! `crm restore`: replaces the database by a backup.

use std::io;
use std::path::PathBuf;

use clap::{ArgMatches, Command};

use super::help::examples;
use super::keeping::{content, file, progress, quiet};
use super::open::{file_of, no_url};
use super::say::{say, warn};
use super::session::{Ended, Plain, Session};
use super::signals::unless_stopped;
use crate::config::Settings;
use crate::output;
use crate::store::sqlite::restore;

pub(super) const RESTORE: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("restore")
        .about("Restore the database from a backup")
        .long_about(
            "Restore the database from a backup, after the backup is checked. The database must not be in use. The old \
             database is kept beside the new one under a name that is printed. The backup itself stays unchanged.",
        )
        .arg(file("The backup"))
        .arg(quiet())
        .after_help(examples(&[
            "crm backup backup.db && crm restore backup.db",
            "crm backup today.db && crm restore today.db --db copy.db",
        ]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let file = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let quiet = matches.get_flag("quiet");
    let settings = session.settings()?;
    session.block_on(put_back(&settings, file, quiet))
}

async fn put_back(settings: &Settings, file: PathBuf, quiet: bool) -> Ended {
    let path = file_of(settings, "restore")?;
    no_url(&file)?;
    settings.create_default_folder()?;
    let (to, from) = (path.to_path_buf(), file.clone());
    let work = move || restore::restore(&to, &from, &mut progress(quiet));
    let done = match unless_stopped(settings, "nothing was restored", work).await? {
        Ok(done) => done,
        Err(code) => return Ok(code),
    };
    warn(done.content.warning(&file));
    done.warnings.into_iter().for_each(|line| warn(Some(line)));
    if quiet {
        return Ok(0);
    }
    if let Some(line) = done.upgraded {
        say(&line);
    }
    let kept = done.kept.map(|kept| kept.to_string_lossy().into_owned());
    let said: Vec<_> = std::iter::once(("database", path.to_string_lossy().into()))
        .chain(content(&done.content))
        .chain([("kept", kept.into())])
        .collect();
    output::summary(io::stdout().lock(), Session::look(settings), &said)?;
    Ok(0)
}
