//! Replaces a database with a backup.
//!
//! The new content is made in a file of its own beside the old database. It is complete, checked and synced before the old
//! database is touched. Then, under a lock that keeps everybody else out:
//!
//! 1. The old database becomes one plain file: its log is written into it and removed.
//! 2. A copy of it is kept under a second name (`kept`).
//! 3. The new content is written into its file in one transaction (`replace` explains why it is not exchanged for another
//!    file). If there was no database, the new file gets its name instead.
//!
//! Each step is on the disk before the next begins. So whatever interrupts a restore, the name leads to the old database or
//! to the new one; SQLite rolls back what was begun. If the old file is too damaged for SQLite to open, its log and its
//! journal are kept with it unchanged, and removed before the third step: in this case there was no intact database to
//! preserve.
//!
//! Everything written after the backup is gone, and nothing that is written after the restore may be mistaken for it. So
//! every record gets a version that was never used, and no id and no number of a change that the old database has assigned is
//! assigned again (`numbers`). The sequence of changes gets a new epoch.
//!
//! A process that has a database open keeps a lock on it, and step 1 fails. A process that has opened it but has no lock yet
//! waits until the restore is done, and then finds the new content.

mod kept;
mod numbers;
mod old;
mod replace;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::backup::{self, BackupStage, Content};
use super::part::PartFile;
use super::paths::{because, failed, new_mode, private};
use super::place::{belongs_to, one_name, real};
use super::prepare::prepare_copy;
use super::refusal::unusable_or_full;
use super::schema::{FileState, Schema};
use super::sweep::sweep;
use crate::base::error::{Code, Error, Result};
use crate::model::nouns::NOUNS;
use kept::KEPT;
use old::OldDatabase;
use replace::{RestoreStep, replace};
use source::RestoreSource;

/// The result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The present content of the database.
    pub content: Content,
    /// Where the old database is kept; `None` if there was none.
    pub kept: Option<PathBuf>,
    /// The line that describes how the records were brought up to date, if they are from an older schema.
    pub upgraded: Option<String>,
    /// Warnings about its tokens, one line each.
    pub warnings: Vec<String>,
}

/// Replaces the database at `path`, which need not exist, with the backup `file`, which stays unchanged. Reports its
/// progress to `watch`.
///
/// Errors are [`Code::Conflict`] if a program has one of the two open, [`Code::Full`] for a full disk, and [`Code::Failed`]
/// for everything else, such as a damaged backup. After an error, everything is as before.
///
/// [`Code::Conflict`]: crate::base::error::Code::Conflict
/// [`Code::Full`]: crate::base::error::Code::Full
/// [`Code::Failed`]: crate::base::error::Code::Failed
pub fn restore(path: &Path, file: &Path, watch: &mut dyn FnMut(BackupStage)) -> Result<Restored> {
    restore_with(path, file, Schema::of(&NOUNS), watch, &mut |_| {})
}

/// Removes what an interrupted restore of the database at `path` left beside it, as the next restore would. A process that
/// may be making such a file itself must not call this: its own locks do not stop it.
pub fn sweep_left(path: &Path) {
    if let Ok(path) = real(path) {
        sweep_parts(&fs::canonicalize(&path).unwrap_or_else(|_| path.into()));
    }
}

fn sweep_parts(path: &Path) {
    if let Some(name) = path.file_name().map(|name| name.to_string_lossy()) {
        sweep(path, |of| {
            of.strip_prefix(&*name)
                .is_some_and(|end| end.is_empty() || end.starts_with(KEPT))
        });
    }
}

/// The same as [`restore`] for a schema. Tests use `step` to see what an interruption right after each step would leave.
fn restore_with(
    path: &Path,
    file: &Path,
    schema: Schema<'static>,
    watch: &mut dyn FnMut(BackupStage),
    step: &mut dyn FnMut(RestoreStep),
) -> Result<Restored> {
    let path = real(path)?;
    let path = &fs::canonicalize(&path).unwrap_or_else(|_| path.into());
    let file = &*real(file)?;
    if belongs_to(file, path) {
        return Err(Error::invalid(format!(
            "{}: is the database itself, expected a backup of it",
            file.display()
        )));
    }
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(because(
            path,
            "is not an ordinary file, expected a database",
        ));
    }
    let source = RestoreSource::open(file)?;
    sweep_parts(path);
    // If there is a database, its file gets the content and stays as it is otherwise.
    let mut part = PartFile::beside(path, new_mode() | private(source.mode))?;
    source.copy(&part, watch)?;
    watch(BackupStage::Checking);
    let (new, content, upgraded) = bring_up(&part, file, schema)?;
    let (kept, warnings) = loop {
        one_name(path)?;
        // Locked only now, so that a faulty backup is reported even while a program has the database open.
        let mut old = OldDatabase::lock(path)?;
        if let OldDatabase::Whole(old) = &old {
            let spared = numbers::spare_ids(&new, old, schema);
            spared.map_err(|error| unusable_or_full(path, &error))?;
        }
        part.file
            .sync_all()
            .map_err(|error| failed(path, "the new file cannot be written", &error))?;
        let warnings = old.tokens_beside(&new);
        step(RestoreStep::Ready);
        match replace(path, &mut old, &mut part, &new, step) {
            // Another program has made a database since: that one is replaced.
            Err(error) if error.code == Code::Conflict && old.is_nothing() && path.exists() => {}
            // The locks end here, the one on the old database first.
            replaced => break (replaced?, warnings),
        }
    };
    drop(new);
    Ok(Restored {
        content,
        kept,
        upgraded,
        warnings,
    })
}

/// Opens the copy of the backup, brings it up to date, checks it and turns it into one plain file. Returns a connection
/// that keeps others away from it.
fn bring_up(
    part: &PartFile,
    file: &Path,
    schema: Schema<'static>,
) -> Result<(Connection, Content, Option<String>)> {
    let refuse = |error: rusqlite::Error| unusable_or_full(file, &error);
    let mut new = part.connect().map_err(refuse)?;
    let state = schema.state(&new).map_err(|refused| refused.error(file))?;
    if state == FileState::Empty {
        return Err(because(file, "is empty, expected a crm backup"));
    }
    // The backup itself is kept, so the copy that an upgrade makes is not needed.
    let shown = |text: &str, of: &Path| {
        text.replace(&part.path.display().to_string(), &of.display().to_string())
    };
    let notice = prepare_copy(&part.path, &mut new, schema).map_err(|mut error| {
        error.message = shown(&error.message, file);
        error
    })?;
    let notice = notice.map(|line| shown(&line, &part.target));
    new.execute_batch("BEGIN EXCLUSIVE; COMMIT")
        .map_err(refuse)?;
    let content = backup::finish(part, &new, schema, FileState::Ready, file, |finding| {
        let why = format!(
            "is damaged ({}: {}); nothing was restored",
            finding.kind, finding.what
        );
        because(file, why)
    })?;
    numbers::renumber(&new, schema).map_err(|error| unusable_or_full(&part.target, &error))?;
    Ok((new, content, notice))
}

#[cfg(test)]
mod tests;
