//! Errors for files that are refused: sentences that begin with the file's name, and say what to do.

use std::fmt;
use std::path::Path;

use rusqlite::ErrorCode;
use rustix::fs::Access;
use rustix::io::Errno;

use super::paths::{because, exists, folder_of, with_end};
use crate::base::error::{Code, Error, Result};
use crate::store::sqlite::error::reason;

/// The error for a file that SQLite could not open, read or write.
pub(crate) fn unusable(path: &Path, error: &rusqlite::Error) -> Error {
    if is_half_written(error) {
        return FileRefusal::Because(HALF_WRITTEN.into()).error(path);
    }
    if let Some(obstacle) = obstacle(path, error) {
        return obstacle;
    }
    let why = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => NO_DATABASE.into(),
        Some(ErrorCode::DatabaseCorrupt) => format!("is damaged, SQLite says: {}", reason(error)),
        Some(ErrorCode::CannotOpen) if path.is_dir() => {
            "is a folder, expected a database file".into()
        }
        Some(ErrorCode::CannotOpen) => {
            "cannot be opened; check that its folder exists and that you may write in it".into()
        }
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => NOT_WRITABLE.into(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "is being written by another program; try again in a moment".into()
        }
        Some(ErrorCode::DiskFull) => "cannot be written, the disk is full".into(),
        _ => format!("cannot be used, SQLite says: {}", reason(error)),
    };
    FileRefusal::Because(why).error(path)
}

/// The same error, with [`Code::Full`] if the disk is full.
pub(crate) fn unusable_or_full(path: &Path, error: &rusqlite::Error) -> Error {
    let mut said = unusable(path, error);
    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        said.code = Code::Full;
    }
    said
}

/// The space that SQLite needs at least beside a database before anything is written: the log's index, in one piece of 32
/// KiB, and the beginning of the log.
const LEAST_ROOM: u64 = 64 * 1024;

/// The reason why SQLite could not open or make one of its files. SQLite says neither which file nor why.
fn obstacle(path: &Path, error: &rusqlite::Error) -> Option<Error> {
    let code = error.sqlite_error_code()?;
    let is_file = matches!(
        code,
        ErrorCode::CannotOpen
            | ErrorCode::DiskFull
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
    );
    if !is_file || path.is_dir() {
        return None;
    }
    let shown = path.display();
    // Opening any file would fail then, and /dev/null always exists.
    if let Err(error) = std::fs::File::open("/dev/null")
        && matches!(
            Errno::from_io_error(&error),
            Some(Errno::MFILE | Errno::NFILE)
        )
    {
        return Some(Error::failed(format!(
            "{shown}: cannot be opened, because crm has reached its limit of open files (ulimit -n)"
        )));
    }
    let sides = ["-wal", "-shm"].map(|side| with_end(path, side));
    let named = sides
        .each_ref()
        .map(|side| side.file_name().unwrap_or_default().to_string_lossy());
    let beside = named.join(" and ");
    let folder = folder_of(path);
    let files = std::iter::once(path).chain(sides.iter().map(|side| side.as_path()));
    for file in files.filter(|file| exists(file)) {
        if let Err(error) = rustix::fs::access(file, Access::READ_OK) {
            return Some(denied(file, "may not be read", error));
        }
        if rustix::fs::access(file, Access::WRITE_OK).is_err() {
            return Some(unwritable(file));
        }
    }
    let writable = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK);
    if let Err(error) = writable
        && folder.is_dir()
    {
        if error == Errno::ROFS {
            return Some(read_only(path));
        }
        return Some(Error::failed(format!(
            "{shown}: {beside} cannot be made beside it, because its folder may not be written to ({error}); give this \
             user the permission, or run crm as the folder's owner"
        )));
    }
    let is_full = rustix::fs::statvfs(folder).is_ok_and(|disk| {
        disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_ROOM
            || disk.f_files > 0 && disk.f_favail == 0
    });
    is_full.then(|| {
        let why = format!(
            "{shown}: the disk is full, there is no room for {beside}; make room and try again"
        );
        Error::new(Code::Full, why)
    })
}

fn denied(file: &Path, what: &str, error: Errno) -> Error {
    Error::failed(format!(
        "{}: {what} ({error}); give this user the permission, or run crm as the file's owner",
        file.display()
    ))
}

/// The error for a file that must be written to but cannot be.
pub(crate) fn unwritable(file: &Path) -> Error {
    match rustix::fs::access(file, Access::WRITE_OK) {
        Err(Errno::ROFS) => read_only(file),
        Err(error) => denied(file, "may not be written to", error),
        Ok(()) => FileRefusal::Because(NOT_WRITABLE.into()).error(file),
    }
}

/// The error for a file on a read-only file system, where no permission helps.
fn read_only(file: &Path) -> Error {
    Error::failed(format!(
        "{}: {READ_ONLY}, expected one that can be written to",
        file.display()
    ))
}

/// The reason why a database cannot be written to, as part of a sentence.
pub(crate) fn barrier(path: &Path) -> String {
    let written = rustix::fs::access(path, Access::WRITE_OK);
    let made = rustix::fs::access(folder_of(path), Access::WRITE_OK | Access::EXEC_OK);
    match (written, made) {
        (Err(Errno::ROFS), _) | (_, Err(Errno::ROFS)) => READ_ONLY.into(),
        (Err(error), _) => format!("this user may not write to it ({error})"),
        (_, Err(error)) => format!("its folder may not be written to ({error})"),
        (Ok(()), Ok(())) => "it cannot be written to".into(),
    }
}

const READ_ONLY: &str = "its file system is mounted read-only";

/// Whether the file could not be read because an unfinished write must be rolled back first, and the file may not be
/// written to.
fn is_half_written(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

const HALF_WRITTEN: &str = "a program ended in the middle of a write to it; the next command that may write to it \
                            undoes that write; try again after that";

pub(crate) const NO_DATABASE: &str = "is not a SQLite database";

pub(crate) const NOT_WRITABLE: &str =
    "cannot be written; check its permissions and those of its folder";

/// The reason why a file was refused.
#[derive(Debug)]
pub(crate) enum FileRefusal {
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// The end of a sentence that begins with the file.
    Because(String),
}

impl From<rusqlite::Error> for FileRefusal {
    fn from(error: rusqlite::Error) -> FileRefusal {
        FileRefusal::Sql(error)
    }
}

impl FileRefusal {
    /// Refuses a file for this reason.
    pub(crate) fn because<T>(why: impl fmt::Display) -> Result<T, FileRefusal> {
        Err(FileRefusal::Because(why.to_string()))
    }

    pub(crate) fn error(&self, path: &Path) -> Error {
        match self {
            FileRefusal::Sql(error) => unusable(path, error),
            FileRefusal::Because(why) => because(path, why),
        }
    }
}
