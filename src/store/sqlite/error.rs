//! Translates SQLite's errors into crm's.
//!
//! Most of them mean that nothing was saved and that the same request may be sent again. [`damaged`] is special: the code
//! that gets it stops all writes, because a damaged file only gets worse.

use rusqlite::ErrorCode;

use crate::base::error::{Code, Error};

/// The error for a failure that SQLite reports while a database is in use.
pub(crate) fn map_err(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::new(
            Code::Unavailable,
            "the database is busy: another program has been writing to it for seconds; nothing was saved, try again",
        ),
        Some(ErrorCode::DiskFull) => Error::new(
            Code::Full,
            "the disk is full: nothing was saved; make room and try again",
        ),
        Some(ErrorCode::TooBig) => Error::new(
            Code::TooLarge,
            "the record is larger than the database accepts",
        ),
        Some(ErrorCode::SystemIoFailure) => Error::new(
            Code::Unavailable,
            format!(
                "the disk of the database failed or cannot be written to ({error}); nothing was saved"
            ),
        ),
        Some(ErrorCode::ReadOnly) => Error::new(
            Code::Unavailable,
            "the database cannot be written to: the file or its disk is read-only; nothing was saved",
        ),
        Some(ErrorCode::CannotOpen) => Error::new(
            Code::Unavailable,
            "the database, its log (-wal) or the log's index (-shm) cannot be opened or made; check that the disk has \
             room, that crm may write to these files and their folder, and how many files it may open; nothing was saved",
        ),
        Some(ErrorCode::ConstraintViolation) if is_of_type(error) => Error::new(
            Code::Conflict,
            format!(
                "the record has a value of a wrong kind in another field, which another program stored ({}); nothing was \
                 saved; crm check says how to repair it",
                reason(error)
            ),
        ),
        Some(ErrorCode::OperationInterrupted) => shutting_down(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(),
        _ => Error::internal(format!("the database: {}", reason(error))),
    }
}

/// Whether a row has a value that its strict table does not accept. All values of a row are checked with each change.
fn is_of_type(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_CONSTRAINT_DATATYPE)
}

/// The error for work that was abandoned because the service ends.
pub(crate) fn shutting_down() -> Error {
    Error::new(Code::Unavailable, "the service is shutting down")
}

/// The error for a damaged database. Code that must know whether damage was found compares errors with it.
pub(crate) fn damaged() -> Error {
    Error::new(
        Code::Unavailable,
        "the database is damaged: nothing was saved, no more writes are accepted, and the damaged part cannot be read; crm \
         check shows the damage; restore a backup, then start the service again",
    )
}

/// Whether SQLite found the file damaged, or not to be a database.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// SQLite's own sentence. rusqlite's would add the whole SQL.
pub(crate) fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
