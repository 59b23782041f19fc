//! Replaces a database with a backup.
//!
//! The new file is made beside the old one. It is complete, checked and synced before the old one is touched. Then, under a
//! lock that keeps everybody else out:
//!
//! 1. The old database becomes one plain file: its log is written into it and removed. SQLite finds a log by its name, so a
//!    log that stayed would be replayed into the new file.
//! 2. It gets a second name, under which it is kept.
//! 3. The new file takes over the first name, in one step.
//!
//! Each step is on the disk before the next begins. So whatever interrupts a restore, the name leads to the old database or
//! to the new one. If the old file is too damaged for SQLite to open, its log and its journal are kept with it unchanged,
//! and removed before the third step: in this case there was no intact database to preserve.
//!
//! Everything written after the backup is gone, and nothing that is written after the restore may be mistaken for it. So
//! every record gets a version that was never used, and no id that the old database has assigned is assigned again
//! (`numbers`).
//!
//! A process that has a database open keeps a lock on it, and step 1 fails. A process that has opened it but has no lock yet
//! finds out afterwards that it was replaced (`place`).

mod exchange;
mod numbers;
mod old;
mod source;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::backup::{self, BackupStage, Content};
use super::part::PartFile;
use super::paths::{BEFORE_UPGRADE, because, failed, with_end};
use super::place::{FileId, belongs_to};
use super::prepare::prepare;
use super::refusal::unusable_or_full;
use super::schema::{FileState, Schema};
use super::sweep::sweep;
use crate::base::error::{Error, Result};
use crate::model::nouns::NOUNS;
use exchange::{RestoreStep, exchange};
use old::OldDatabase;
use source::RestoreSource;

/// The result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The present content of the database.
    pub content: Content,
    /// Where the old database is kept; `None` if there was none.
    pub kept: Option<PathBuf>,
    /// Whether the records were brought up to date from an older schema.
    pub upgraded: bool,
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

/// The same as [`restore`] for a schema. Tests use `step` to see what an interruption right after each step would leave.
fn restore_with(
    path: &Path,
    file: &Path,
    schema: Schema<'static>,
    watch: &mut dyn FnMut(BackupStage),
    step: &mut dyn FnMut(RestoreStep),
) -> Result<Restored> {
    // SQLite follows a link to a database, and keeps the log beside the target.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.into());
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
    let name = path.file_name().map(|name| name.to_string_lossy());
    sweep(path, |of| name.as_deref() == Some(of));
    let before = fs::metadata(path).ok();
    let mode = before.as_ref().map_or(source.mode | 0o600, |_| 0o600);
    let mut part = PartFile::beside(path, mode)?;
    source.copy(&part, watch)?;
    watch(BackupStage::Checking);
    let (new, content, upgraded) = bring_up(&part, file, schema)?;
    if let Some(before) = before {
        // Everybody who could use the old file can use the new one.
        let same_owner = (before.uid(), before.gid());
        let now = part.file.metadata().map(|new| (new.uid(), new.gid()));
        let given = now.and_then(|now| match now == same_owner {
            true => Ok(()),
            false => std::os::unix::fs::fchown(&part.file, Some(before.uid()), Some(before.gid())),
        });
        given
            .and_then(|()| {
                let mode = fs::Permissions::from_mode(before.permissions().mode() & 0o777);
                part.file.set_permissions(mode)
            })
            .map_err(|error| failed(path, "cannot give its owner to the new file", &error))?;
    }
    // Locked only now, so that a faulty backup is reported even while a program has the database open.
    let old = OldDatabase::lock(path)?;
    if let OldDatabase::Whole(old) = &old {
        numbers::spare_ids(&new, old, schema).map_err(|error| unusable_or_full(path, &error))?;
    }
    part.file
        .sync_all()
        .map_err(|error| failed(path, "the new file cannot be written", &error))?;
    let warnings = old.tokens_beside(&new);
    step(RestoreStep::Ready);
    let kept = exchange(&mut part, path, old.exists(), step)?;
    // The locks end here, the one on the old file first.
    drop(old);
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
) -> Result<(Connection, Content, bool)> {
    let refuse = |error: rusqlite::Error| unusable_or_full(file, &error);
    let mut new = part.connect().map_err(refuse)?;
    let state = schema.state(&new).map_err(|refused| refused.error(file))?;
    if state == FileState::Empty {
        return Err(because(file, "is empty, expected a crm backup"));
    }
    let prepared = prepare(&part.path, FileId::of(&part.path), &mut new, schema);
    // The backup itself is kept, so the copy that an upgrade makes is not needed.
    let _ = fs::remove_file(with_end(&part.path, BEFORE_UPGRADE));
    let notice = prepared.map_err(|mut error| {
        let (part, file) = (part.path.display(), file.display());
        error.message = error.message.replace(&part.to_string(), &file.to_string());
        error
    })?;
    new.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))
        .and_then(|()| new.execute_batch("BEGIN EXCLUSIVE; COMMIT"))
        .map_err(refuse)?;
    let content = backup::finish(part, &new, schema, FileState::Ready, file, |finding| {
        let why = format!(
            "is damaged ({}: {}); nothing was restored",
            finding.kind, finding.what
        );
        because(file, why)
    })?;
    numbers::renumber(&new, schema).map_err(|error| unusable_or_full(&part.target, &error))?;
    Ok((new, content, notice.is_some()))
}

#[cfg(test)]
mod tests;
