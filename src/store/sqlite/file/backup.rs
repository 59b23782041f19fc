//! Backups of a database that is in use. Each is one file, complete and checked.
//!
//! SQLite's backup API copies the pages in steps. One read transaction on the source stays open over all of them. Without
//! it, a write of another process would make the copy start again, and under a steady load it would never end. With it, the
//! copy is a snapshot of the last commit before it began. Others continue to read and write; their writes stay in the
//! write-ahead log until the copy is done.
//!
//! The copy is made under a temporary name (`part`), checked, synced, and only then given its final name. So a file with
//! that name is complete, even after a power cut.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rusqlite::backup::StepResult;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::backup_names::BackupNames;
use super::check::{self, Finding};
use super::part::PartFile;
use super::paths::{SIDES, because, exists, failed, is_locked, owner, sync_folder, with_end};
use super::place::{belongs_to, real};
use super::refusal::unusable_or_full;
use super::schema::{FileState, Schema};
use super::snapshot::FileSnapshot;
use super::sweep::{sweep, sweep_forgotten};
use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::store::sqlite::cancel::cancelled;
use crate::store::sqlite::error::{is_damage, shutting_down};

/// Pages copied between two checks for cancellation: 4 MiB, a few milliseconds.
const STEP: i32 = 1_024;

/// The content of a backup, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The number of records of each noun.
    pub records: Vec<(&'static Noun, u64)>,
    /// The size of the file.
    pub bytes: u64,
    /// The number of references to records that do not exist.
    pub dangling: u64,
    /// The number of values that crm would not have written.
    pub faults: u64,
}

impl Content {
    /// The warning about the backup in `file`, in one line, if there is one. The backup is complete nevertheless.
    pub fn warning(&self, file: &Path) -> Option<String> {
        let some = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        };
        let told: Vec<String> = [
            some(
                self.dangling,
                "reference leads to a record that does not exist",
                "references lead to records that do not exist",
            ),
            some(
                self.faults,
                "value was stored by another program, and crm would not have written it; it was kept as it is",
                "values were stored by another program, and crm would not have written them; they were kept as they are",
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        if told.is_empty() {
            return None;
        }
        let warning = format!(
            "{}: {}; `crm check` lists them and says how to repair them",
            file.display(),
            told.join("; ")
        );
        Some(warning.replace(['\n', '\r'], " "))
    }
}

/// The progress of a backup or a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupStage {
    /// Bytes are being copied.
    Copied {
        /// How many have been copied.
        done: u64,
        /// How many there are.
        of: u64,
    },
    /// The copy is being checked.
    Checking,
}

/// Backs the database at `path` up into `file`, which must not exist unless `force` allows replacing it. Reports its progress
/// to `watch`.
///
/// The backup holds everything that was committed when this was called. Errors are [`Code::Conflict`] for a file that
/// exists, [`Code::Full`] for a full disk, and [`Code::Failed`] for everything else, such as a damaged database. After an
/// error there is no new file, and an existing one is unchanged. A reference to a missing record or a value of another
/// program is not damage: the backup is as good as the database, and better than none; [`Content`] counts them.
pub fn backup(
    path: &Path,
    file: &Path,
    force: bool,
    watch: &mut dyn FnMut(BackupStage),
) -> Result<Content> {
    back_up(path, file, force, false, Schema::of(&NOUNS), watch)
}

/// The same as [`backup`] for a database of this schema. `is_ours` says whether this process has the database open.
pub(crate) fn back_up(
    path: &Path,
    file: &Path,
    force: bool,
    is_ours: bool,
    schema: Schema<'static>,
    watch: &mut dyn FnMut(BackupStage),
) -> Result<Content> {
    let path = real(path)?;
    let path = &fs::canonicalize(&path).unwrap_or_else(|_| path.into());
    let names = BackupNames::of(path);
    // A link to a backup stays, and leads to the new one.
    let file = &*real(file)?;
    refuse_target(path, file, force)?;
    let from = FileSnapshot::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, is_ours, schema)?;
    let state = match &from.state {
        Ok(state) => *state,
        Err(refused) => return Err(refused.error(path)),
    };
    if state == FileState::Empty {
        return Err(because(path, "holds nothing that could be backed up"));
    }
    let name = file.file_name().map(|name| name.to_string_lossy());
    sweep(file, |of| {
        name.as_deref() == Some(of) || names.read(of).is_some()
    });
    sweep_forgotten(file);
    // A user who may not read the database may not read its backup either.
    let found = fs::metadata(path).map_err(|error| failed(path, "cannot be read", &error))?;
    // This process must be able to write the backup even if the database is read-only.
    let mut part = PartFile::beside(file, found.permissions().mode() | 0o600)?;
    part.keep_to_group(found.gid())
        .map_err(|error| failed(file, "cannot be protected from others", &error))?;
    let mut to = part
        .connect()
        .map_err(|error| unusable_or_full(file, &error))?;
    let copied = copy_pages(&from.connection, &part, &mut to, &mut |done, of| {
        watch(BackupStage::Copied { done, of });
    });
    copied.map_err(|error| match is_read(&error) {
        true => unusable_or_full(path, &error),
        false => explain(file, &error),
    })?;
    from.close(path)?;
    watch(BackupStage::Checking);
    let content = finish(&part, &to, schema, state, file, |finding| {
        let why = format!(
            "no backup was kept, because {} is damaged ({}: {}); `crm check` shows more",
            path.display(),
            finding.kind,
            finding.what
        );
        because(file, why)
    })?;
    if force {
        clear(file)?;
    }
    part.place(force)?;
    Ok(content)
}

/// The error for a failure that SQLite reports while a backup is made.
fn explain(file: &Path, error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::new(
            Code::Full,
            format!(
                "{}: the disk is full, no backup was kept; make room and try again",
                file.display()
            ),
        ),
        Some(ErrorCode::OperationInterrupted) => shutting_down(),
        _ => unusable_or_full(file, error),
    }
}

/// Whether reading the database failed, and not writing the copy.
fn is_read(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ};
    let code = error.sqlite_error().map(|error| error.extended_code);
    is_damage(error) || matches!(code, Some(SQLITE_IOERR_READ | SQLITE_IOERR_SHORT_READ))
}

fn refuse_target(path: &Path, file: &Path, force: bool) -> Result<()> {
    if file.as_os_str() == "-" {
        return Err(Error::invalid(
            "FILE: expected the name of a file, a backup is not written to standard output",
        ));
    }
    if belongs_to(file, path) {
        return Err(Error::invalid(format!(
            "{}: is the database itself, expected another file",
            file.display()
        )));
    }
    if file.is_dir() || file.file_name().is_none() {
        return Err(because(file, "is a folder, expected the name of a file"));
    }
    // A rename would replace a device or a pipe with a file.
    if fs::metadata(file).is_ok_and(|found| !found.is_file()) {
        return Err(because(
            file,
            "is not an ordinary file, expected the name of one",
        ));
    }
    if let Some(database) = owner(file) {
        let why = format!("belongs to the database {}", database.display());
        return Err(because(file, why));
    }
    // SQLite would apply a log or a journal that was left beside this name to the new file.
    let taken = std::iter::once(file.to_path_buf())
        .chain(SIDES.map(|side| with_end(file, side)))
        .find(|path| exists(path));
    match taken {
        Some(taken) if !force => Err(Error::new(
            Code::Conflict,
            format!("{}: exists already; --force replaces it", taken.display()),
        )),
        Some(_) if fs::File::open(file).is_ok_and(|file| is_locked(&file)) => Err(Error::new(
            Code::Conflict,
            format!("{}: is a database that is in use", file.display()),
        )),
        _ => Ok(()),
    }
}

/// Copies all pages into a part. Reports to `watch` how many bytes of how many are copied.
pub(crate) fn copy_pages(
    from: &Connection,
    part: &PartFile,
    to: &mut Connection,
    watch: &mut dyn FnMut(u64, u64),
) -> rusqlite::Result<()> {
    let page: u32 = from.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * u64::from(page);
    let backup = rusqlite::backup::Backup::new(from, to)?;
    loop {
        let step = backup.step(STEP)?;
        let progress = backup.progress();
        watch(
            bytes(progress.pagecount - progress.remaining),
            bytes(progress.pagecount),
        );
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More if cancelled() => {
                return Err(refusal(rusqlite::ffi::SQLITE_INTERRUPT));
            }
            StepResult::More => {
                // Synced a little at a time: one sync at the end would delay the syncs of writers (with 600 MB, a write
                // took 250 to 470 ms instead of 80 to 110). If this fails, the last sync fails too, and its result counts.
                let _ = part.file.sync_data();
            }
            // Nobody else has the copy open, and the read transaction has begun, so there is nothing to wait for.
            _ => return Err(refusal(rusqlite::ffi::SQLITE_BUSY)),
        }
    }
}

fn refusal(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
}

/// Turns a copy into one file without a log.
pub(crate) fn plain(to: &Connection) -> rusqlite::Result<()> {
    let mode: String = to.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    match mode == "delete" {
        true => Ok(()),
        // Nobody else has the copy open.
        false => Err(refusal(rusqlite::ffi::SQLITE_BUSY)),
    }
}

/// Turns a copy into one plain file, without a log or a journal beside it, and checks it. The connection must be in
/// exclusive locking mode, and keeps its lock. `damaged` makes the error for a finding.
pub(crate) fn finish(
    part: &PartFile,
    to: &Connection,
    schema: Schema<'_>,
    state: FileState,
    file: &Path,
    damaged: impl FnOnce(&Finding) -> Error,
) -> Result<Content> {
    let refuse = |error: rusqlite::Error| explain(file, &error);
    plain(to).map_err(refuse)?;
    let found = check::structure(to, schema, state).map_err(refuse)?;
    if let Some(first) = found.first() {
        return Err(damaged(first));
    }
    let dangling = check::dangling(to, schema, state).map_err(refuse)?.count;
    let faults = check::faults(to, schema, state).map_err(refuse)?.count;
    let records = check::counts(to, schema).map_err(refuse)?;
    let bytes = part.file.metadata().map(|file| file.len());
    let bytes = bytes.map_err(|error| failed(file, "cannot be read", &error))?;
    Ok(Content {
        records,
        bytes,
        dangling,
        faults,
    })
}

/// Removes a file that will be replaced, with its log and its journal, so that SQLite does not apply them to the new file.
/// The file goes first, because it may be worthless without the other two.
fn clear(file: &Path) -> Result<()> {
    let sides = SIDES.map(|side| with_end(file, side));
    if !sides.iter().any(|side| exists(side)) {
        return Ok(());
    }
    for gone in std::iter::once(file).chain(sides.iter().map(|side| side.as_path())) {
        if let Err(error) = fs::remove_file(gone)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(failed(gone, "cannot be replaced", &error));
        }
        sync_folder(file)?;
    }
    Ok(())
}
