//! Failures of the database, and the errors that requests get for them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::error::{Severity, SqlState};

use crate::base::error::{Code, Error};
use crate::store::sql::ledger::no_more_ids;

/// Why a statement or a connection failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// No answer came in time.
    Late,
    /// The server or the connection reported an error.
    Told(tokio_postgres::Error),
    /// No connection could be established.
    Unreachable {
        /// Each host, and the reason.
        why: String,
        /// Whether another try may succeed.
        passes: bool,
    },
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Failure {
        Failure::Told(error)
    }
}

/// Waits for an answer, at most for `patience`.
pub(super) async fn within<R>(
    patience: Duration,
    answer: impl Future<Output = Result<R, tokio_postgres::Error>>,
) -> Result<R, Failure> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => answer.map_err(Failure::Told),
        Err(_) => Err(Failure::Late),
    }
}

impl Failure {
    pub(super) fn code(&self) -> Option<&SqlState> {
        match self {
            Failure::Late | Failure::Unreachable { .. } => None,
            Failure::Told(error) => error.code(),
        }
    }

    /// Whether the server itself says that the statement and its transaction have failed. Otherwise the result is unknown.
    pub(super) fn is_certain(&self) -> bool {
        let Failure::Told(error) = self else {
            return false;
        };
        error
            .as_db_error()
            .is_some_and(|told| told.parsed_severity() == Some(Severity::Error))
    }

    /// Whether another connection may succeed.
    pub(super) fn is_lost(&self) -> bool {
        !self.is_certain()
            || matches!(
                self.code(),
                Some(&SqlState::READ_ONLY_SQL_TRANSACTION | &SqlState::ADMIN_SHUTDOWN)
            )
    }

    /// The server's detail about the values at fault.
    pub(super) fn detail(&self) -> String {
        let told = match self {
            Failure::Late | Failure::Unreachable { .. } => None,
            Failure::Told(error) => error.as_db_error(),
        };
        told.map_or_else(String::new, |told| {
            told.detail().unwrap_or_else(|| told.message()).to_string()
        })
    }

    /// The error of a request that has saved nothing.
    pub(super) fn error(&self) -> Error {
        let unavailable = |message: String| Error::new(Code::Unavailable, message);
        let error = match self {
            Failure::Told(error) => error,
            Failure::Late => {
                return unavailable(
                    "the database does not answer; nothing was saved, try again".into(),
                );
            }
            Failure::Unreachable { why, passes } => {
                complain(format_args!("cannot be reached: {why}"));
                let advice = if *passes { ", try again" } else { "" };
                return unavailable(format!(
                    "the database cannot be reached ({why}); nothing was saved{advice}"
                ));
            }
        };
        let Some(told) = error.as_db_error() else {
            complain(format_args!("cannot be reached: {}", reason(error)));
            return unavailable(format!(
                "the database cannot be reached ({}); nothing was saved, try again",
                reason(error)
            ));
        };
        let code = told.code();
        // The first two characters are the class of the code (PostgreSQL's documentation, appendix A).
        match &code.code()[..2] {
            _ if *code == SqlState::DISK_FULL => Error::new(
                Code::Full,
                "the disk of the database is full; nothing was saved; make room and try again",
            ),
            _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION => unavailable(
                "the database accepts no writes at the moment; nothing was saved, try again".into(),
            ),
            _ if *code == SqlState::LOCK_NOT_AVAILABLE
                || *code == SqlState::T_R_DEADLOCK_DETECTED
                || *code == SqlState::T_R_SERIALIZATION_FAILURE =>
            {
                unavailable(
                    "others are changing the same records; nothing was saved, try again".into(),
                )
            }
            _ if *code == SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED => no_more_ids(),
            _ if *code == SqlState::UNIQUE_VIOLATION => {
                complain(format_args!("{told}"));
                unavailable(
                    "the database assigned an id that is already taken, which happens while `crm copy` fills it; nothing was saved"
                        .into(),
                )
            }
            _ if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                complain(format_args!("{told}"));
                unavailable(format!(
                    "the database: {}; its owner has to grant it",
                    told.message()
                ))
            }
            // Authentication, and a database that does not exist: another try does not help.
            "28" | "3D" => {
                complain(format_args!("{told}"));
                unavailable(format!("the database: {}", told.message()))
            }
            _ if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED => {
                complain(format_args!("{told}"));
                unavailable("the database is damaged; nothing was saved".into())
            }
            // Resources, operator intervention, system errors, connections.
            "53" | "57" | "58" | "08" => {
                complain(format_args!("{told}"));
                unavailable(format!(
                    "the database: {}; nothing was saved, try again",
                    told.message()
                ))
            }
            "54" => Error::new(
                Code::TooLarge,
                "the record is larger than the database accepts",
            ),
            _ => Error::internal(format!("the database: {told}")),
        }
    }
}

/// Logs a fault of the database, at most once a second, because every request fails while the database is gone.
pub(super) fn complain(what: std::fmt::Arguments<'_>) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|last| last.elapsed() >= Duration::from_secs(1)) {
        *last = Some(Instant::now());
        tracing::warn!("PostgreSQL: {what}");
    }
}

/// The cause of a library's error, without the words around it.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// The error of a write whose result is unknown.
pub(super) fn unknown() -> Error {
    let message = "the database did not confirm whether it saved this: it may have been saved; check before you try again";
    Error::new(Code::Unknown, message)
}
