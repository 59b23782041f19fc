//! Inquiries: several selects in one read transaction.

use rusqlite::Connection;

use super::database::Database;
use super::error::map_err;
use super::values::query;
use super::writer::now;
use crate::base::error::Result;
use crate::model::value::Value;
use crate::store::inquiry::{Inquiry, Reading};
use crate::store::sql::select::Dialect;

/// A read transaction. Only a mutable reference can be sent to another thread, as the futures of a rule have to be.
struct SqliteReading<'c>(&'c mut Connection);

impl Reading for SqliteReading<'_> {
    const DIALECT: Dialect = Dialect::Sqlite;

    async fn rows(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        query(self.0, sql, params).map_err(|error| map_err(&error))
    }
}

/// Runs an inquiry.
pub(super) fn inquire<I: Inquiry>(database: &Database, inquiry: &I) -> Result<I::Found> {
    database.read(|reader| {
        let connection = &mut reader.connection;
        // The transaction begins with the first select.
        connection
            .execute_batch("BEGIN")
            .map_err(|error| map_err(&error))?;
        let found = now(inquiry.run(&mut SqliteReading(connection)));
        // An error may have ended it already.
        if !connection.is_autocommit() {
            connection
                .execute_batch("ROLLBACK")
                .map_err(|error| map_err(&error))?;
        }
        found
    })
}
