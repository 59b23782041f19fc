//! Why printing stops early.

use std::io::{self, ErrorKind};

use crate::base::error::Error;

/// Why printing stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The reader closed the pipe (`crm lead list | head -1`). It has all it wants, so the command ends quietly.
    ClosedPipe,
    /// Something failed and has to be reported.
    Failed(Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        match error.kind() {
            ErrorKind::BrokenPipe => Stop::ClosedPipe,
            _ => Stop::Failed(Error::failed(format!("standard output: {error}"))),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

/// The result of printing.
pub type Result<T = ()> = std::result::Result<T, Stop>;
