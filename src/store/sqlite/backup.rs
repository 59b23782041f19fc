//! Copies of a database that is in use, each one file, whole and checked.
//!
//! SQLite's backup API copies the pages in steps. The connection that is copied from holds one read transaction open over all
//! of them: without it, a write of another process would make the copy start from the beginning, under a steady load for ever;
//! with it, the copy is the one state that was committed last when it began. Meanwhile others read and write; what they write
//! stays in the write-ahead log until the copy is done.
//!
//! The copy is made under a name of its own ([`part`]), looked through, synced, and only then given the name that
//! was asked for. So whatever has that name is whole, whenever the power goes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rusqlite::backup::StepResult;
use rusqlite::{Connection, ErrorCode};

use super::check::{self, Finding};
use super::part::{self, Part, SIDES, belongs_to, exists, failed, unusable, with_end};
use super::schedule::Names;
use super::schema::State;
use super::stop;
use crate::base::error::{Code, Error, Result};
use crate::model::record::Noun;

/// Pages copied between two looks at whether to go on: 4 MiB, some milliseconds.
const STEP: i32 = 1_024;

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// How many records of each noun.
    pub records: Vec<(&'static Noun, u64)>,
    /// The size of the file.
    pub bytes: u64,
    /// How many references lead to records that are not there.
    pub dangling: u64,
}

impl Content {
    /// What is to be told of the copy in `file` although it is whole: one line.
    pub fn warning(&self, file: &Path) -> Option<String> {
        let lead = match self.dangling {
            0 => return None,
            1 => "reference leads",
            _ => "references lead",
        };
        let warning = format!(
            "{}: {} {lead} to records that are not there; `crm check` names them and how to repair them",
            file.display(),
            self.dangling
        );
        Some(warning.replace(['\n', '\r'], " "))
    }
}

/// How far the making of a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// So many bytes are copied, of so many.
    Copied {
        /// The bytes that are.
        done: u64,
        /// The bytes there are.
        of: u64,
    },
    /// The copy is being looked through.
    Checking,
}

/// Backs the database at `path` up into `file`, which must not exist yet unless `force` allows to replace it. `watch` is told
/// how far it is.
///
/// Has everything that was committed when this was called. Errors are [`Code::Conflict`] for a file that exists,
/// [`Code::Full`] for a full disk, and [`Code::Failed`] for all else, a damaged database among it; then there is no new file,
/// and one that was there still is. A reference to a record that is not there is no damage: the copy is as good as the
/// database, and better than none; [`Content::dangling`] counts them.
pub fn backup(
    path: &Path,
    file: &Path,
    force: bool,
    watch: &mut dyn FnMut(Stage),
) -> Result<Content> {
    backup_with(path, file, force, false, watch)
}

/// The same for a database that this process has open, if it `is_ours`.
pub(super) fn backup_with(
    path: &Path,
    file: &Path,
    force: bool,
    is_ours: bool,
    watch: &mut dyn FnMut(Stage),
) -> Result<Content> {
    let names = Names::of(path);
    // SQLite follows a link to a database, and keeps its log beside the file.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.into());
    refuse_target(path, file, force)?;
    let from = check::snapshot(path, is_ours)?;
    let state = from.state.map_err(|refused| refused.error(path))?;
    if state == State::Empty {
        return Err(because(path, "holds nothing that could be backed up"));
    }
    let name = file.file_name().map(|name| name.to_string_lossy());
    part::sweep(file, |of| {
        name.as_deref() == Some(of) || names.read(of).is_some()
    });
    part::sweep_forgotten(file);
    // Whoever may not read the database may not read its backup.
    let found = fs::metadata(path).map_err(|error| failed(path, "cannot be read", &error))?;
    // Its maker writes it, though nobody may write the database.
    let mut part = Part::beside(file, found.permissions().mode() | 0o600)?;
    part.keep_to_group(found.gid())
        .map_err(|error| failed(file, "cannot be kept from others", &error))?;
    let mut to = part.connect().map_err(|error| unusable(file, &error))?;
    copy(&from.connection, &part, &mut to, watch).map_err(|error| match is_read(&error) {
        true => unusable(path, &error),
        false => explain(file, &error),
    })?;
    // Ends the read transaction.
    let _ = from.connection.execute_batch("COMMIT");
    from.way.end(&from.connection);
    drop(from.connection);
    from.way.holds(path)?;
    watch(Stage::Checking);
    let content = finish(&part, &to, state, file, |finding| {
        let why = format!(
            "no backup was kept, as {} is damaged ({}: {}); `crm check` tells more",
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

/// A failure that begins with a file.
pub(super) fn because(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::failed(format!("{}: {why}", file.display()).replace(['\n', '\r'], " "))
}

/// SQLite's words for what came in the way of a backup.
fn explain(file: &Path, error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::new(
            Code::Full,
            format!(
                "{}: the disk is full, no backup was kept; make room and try again",
                file.display()
            ),
        ),
        Some(ErrorCode::OperationInterrupted) => {
            Error::new(Code::Unavailable, "the service is shutting down")
        }
        _ => unusable(file, error),
    }
}

/// Whether it was the database that could not be read, and not the copy that could not be written.
fn is_read(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ};
    let is_damage = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    );
    let code = error.sqlite_error().map(|error| error.extended_code);
    is_damage || matches!(code, Some(SQLITE_IOERR_READ | SQLITE_IOERR_SHORT_READ))
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
    // A rename would put a file in the place of a device, or of a pipe.
    if fs::metadata(file).is_ok_and(|found| !found.is_file()) {
        return Err(because(
            file,
            "is no ordinary file, expected the name of one",
        ));
    }
    if let Some(database) = part::owner(file) {
        let why = format!("belongs to the database {}", database.display());
        return Err(because(file, why));
    }
    // A log or a journal that was left beside a file of this name would be taken for the new one's.
    let taken = std::iter::once(file.to_path_buf())
        .chain(SIDES.map(|side| with_end(file, side)))
        .find(|path| exists(path));
    match taken {
        Some(taken) if !force => Err(Error::new(
            Code::Conflict,
            format!("{}: exists already; --force replaces it", taken.display()),
        )),
        Some(_) if fs::File::open(file).is_ok_and(|file| part::is_locked(&file)) => {
            Err(Error::new(
                Code::Conflict,
                format!("{}: is a database that is in use", file.display()),
            ))
        }
        _ => Ok(()),
    }
}

/// Copies all pages.
fn copy(
    from: &Connection,
    part: &Part,
    to: &mut Connection,
    watch: &mut dyn FnMut(Stage),
) -> rusqlite::Result<()> {
    // Set before the first lock is taken: it is then kept until the connection is closed, and the log that the copy
    // briefly has needs no shared memory.
    to.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    let page: u32 = from.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * u64::from(page);
    let backup = rusqlite::backup::Backup::new(from, to)?;
    loop {
        let step = backup.step(STEP)?;
        let progress = backup.progress();
        watch(Stage::Copied {
            done: bytes(progress.pagecount - progress.remaining),
            of: bytes(progress.pagecount),
        });
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More if stop::asked() => {
                return Err(refusal(rusqlite::ffi::SQLITE_INTERRUPT));
            }
            StepResult::More => {
                // A little at a time: all at the end would hold up the syncs of those that write (with 600 MB, a write
                // for 250 to 470 ms instead of 80 to 110). Where it fails the last sync, which counts, fails too.
                let _ = part.file.sync_data();
            }
            // Nobody else knows the copy, and the read transaction is open: this waits for nobody.
            _ => return Err(refusal(rusqlite::ffi::SQLITE_BUSY)),
        }
    }
}

fn refusal(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
}

/// Makes a copy one plain file, without a log or a journal beside it, and looks it through. The connection, which has to be in
/// exclusive locking mode, keeps its lock. `damaged` says what a finding means.
pub(super) fn finish(
    part: &Part,
    to: &Connection,
    state: State,
    file: &Path,
    damaged: impl FnOnce(&Finding) -> Error,
) -> Result<Content> {
    let refuse = |error: rusqlite::Error| explain(file, &error);
    let mode: String = to
        .query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))
        .map_err(refuse)?;
    if mode != "delete" {
        return Err(Error::internal(format!(
            "{}: the copy keeps a log ({mode})",
            file.display()
        )));
    }
    let found = check::structure(to, state).map_err(refuse)?;
    if let Some(first) = found.first() {
        return Err(damaged(first));
    }
    let dangling = check::dangling(to, state).map_err(refuse)?.count;
    let records = check::counts(to).map_err(refuse)?;
    let bytes = part.file.metadata().map(|file| file.len());
    let bytes = bytes.map_err(|error| failed(file, "cannot be read", &error))?;
    Ok(Content {
        records,
        bytes,
        dangling,
    })
}

/// Makes sure that nothing beside a file that is to be replaced is taken for the new one's: where there is a log or a journal,
/// the file goes before they do, as it may be nothing without them.
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
        part::sync_folder(file)?;
    }
    Ok(())
}
