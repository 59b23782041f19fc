//! A reading connection, and the version of the file that it sees.

use rusqlite::Connection;

use super::error::map_err;
use crate::base::error::Result;

/// A connection for reading.
pub(crate) struct ReadConnection {
    pub(crate) connection: Connection,
    pub(crate) seen: Option<SeenVersion>,
}

/// The file's version as a connection sees it, and when it was first seen, on the clock of the cache.
#[derive(Clone, Copy)]
pub(crate) struct SeenVersion {
    pub(crate) version: i64,
    pub(crate) at: u64,
}

impl ReadConnection {
    pub(crate) fn new(connection: Connection) -> ReadConnection {
        ReadConnection {
            connection,
            seen: None,
        }
    }

    /// A number that changes with every commit to the file by another connection, of this process or another.
    pub(crate) fn version(&self) -> Result<i64> {
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        version.map_err(|error| map_err(&error))
    }
}

impl std::ops::Deref for ReadConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}
