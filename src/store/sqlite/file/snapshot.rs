//! Reads a whole file in one read transaction, for a check or a backup.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::place;
use super::refusal::{FileRefusal, unusable_or_full};
use super::schema::{FileState, Schema};
use super::way::{self, Way};
use crate::base::error::Result;
use crate::store::sqlite::connection::set_up;
use crate::store::sqlite::error::is_damage;
use crate::store::sqlite::turn::BUSY;

/// A connection in a read transaction over the file as it is now.
pub(crate) struct FileSnapshot {
    pub(crate) connection: Connection,
    /// What the file is.
    pub(crate) state: Result<FileState, FileRefusal>,
    way: Way,
}

impl FileSnapshot {
    /// Opens the file at `path` with these flags. `is_ours` says that this process already has the file open. Then it is
    /// opened in the same way, because opening the file by other means would end the locks on it.
    pub(crate) fn open(
        path: &Path,
        flags: OpenFlags,
        is_ours: bool,
        schema: Schema<'_>,
    ) -> Result<FileSnapshot> {
        place::ordinary(path)?;
        place::settled(path, |_| {
            let refuse = |error: rusqlite::Error| unusable_or_full(path, &error);
            let begin = |connection: &mut Connection| {
                connection.busy_timeout(BUSY).map_err(refuse)?;
                set_up(connection)
                    .and_then(|()| connection.execute_batch("BEGIN"))
                    .map_err(refuse)?;
                match schema.state(connection) {
                    Err(FileRefusal::Sql(error)) if !is_damage(&error) => Err(refuse(error)),
                    state => Ok(state),
                }
            };
            let (connection, way, state) = match is_ours {
                true => {
                    let way = Way::Writing;
                    let mut connection = way.another(path).map_err(refuse)?;
                    let state = begin(&mut connection)?;
                    (connection, way, state)
                }
                false => way::open(path, flags, begin)?,
            };
            Ok(FileSnapshot {
                connection,
                state,
                way,
            })
        })
    }

    /// Ends the transaction and closes the connection. Fails if the file was changed while it was read, because the result
    /// is then meaningless.
    pub(crate) fn close(self, path: &Path) -> Result<()> {
        let _ = self.connection.execute_batch("COMMIT");
        self.way.end(&self.connection);
        drop(self.connection);
        self.way.holds(path)
    }
}
