//! Brings a file up to date.
//!
//! All changes to the file are one transaction: the schema of a new file, the missing steps of an older one, or the upgrade
//! of a file of the earlier service ([`legacy`]). The state of the file is checked first, and again inside that
//! transaction, because another process may have done the work in the meantime. A file that is refused is left as it was.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use super::legacy::{self, Keep};
use super::paths::size;
use super::place::{FileId, several_names};
use super::refusal::{FileRefusal, NOT_WRITABLE};
use super::schema::{FileState, Schema};
use crate::base::error::Result;

/// How long one process waits while another brings the same file up to date. A million rows took 14 s on two busy cores.
const UPGRADE: Duration = Duration::from_secs(60);

/// Makes the file ready for use: gives an empty one its schema, brings an older one up to date, and refuses files that are
/// not crm's. Called on a fresh connection that may write, before anything else. `id` is the file that had the name before
/// it was opened.
///
/// Returns the line for the user if an older database was changed. Errors are [`Code::Failed`] with a sentence that begins
/// with the file; the file is then as it was before.
///
/// [`Code::Failed`]: crate::base::error::Code::Failed
pub(crate) fn prepare(
    path: &Path,
    id: FileId,
    conn: &mut Connection,
    schema: Schema<'_>,
) -> Result<Option<String>> {
    prepare_with(path, id, conn, schema, Keep::Copy)
}

/// The same for a file that is itself a copy of another one.
pub(crate) fn prepare_copy(
    path: &Path,
    conn: &mut Connection,
    schema: Schema<'_>,
) -> Result<Option<String>> {
    prepare_with(path, FileId::of(path), conn, schema, Keep::Nothing)
}

fn prepare_with(
    path: &Path,
    id: FileId,
    conn: &mut Connection,
    schema: Schema<'_>,
    keep: Keep,
) -> Result<Option<String>> {
    // A program that ended without closing the file may have left committed pages in its log.
    let log = size(conn, "-wal") > 0;
    patiently(conn, |conn| bring_up(path, id, conn, schema, keep)).map_err(|refused| {
        if log {
            // Closing would write the log into the file, which must stay unchanged. If this fails, the refusal is still the
            // error to report.
            let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        refused.error(path)
    })
}

/// Runs `work` with a busy timeout that outlasts another process's upgrade.
fn patiently<T>(
    conn: &mut Connection,
    work: impl FnOnce(&mut Connection) -> Result<T, FileRefusal>,
) -> Result<T, FileRefusal> {
    let before: u32 = conn.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
    conn.busy_timeout(UPGRADE)?;
    let done = work(conn);
    conn.busy_timeout(Duration::from_millis(before.into()))?;
    done
}

fn bring_up(
    path: &Path,
    id: FileId,
    conn: &mut Connection,
    schema: Schema<'_>,
    keep: Keep,
) -> Result<Option<String>, FileRefusal> {
    // In a transaction, so that everything is read from one snapshot of the file.
    if schema.state(&*conn.transaction()?)? == FileState::Ready {
        return Ok(None);
    }
    if conn.is_readonly("main")? {
        return FileRefusal::because(NOT_WRITABLE);
    }
    // Neither setting can be changed inside a transaction. Foreign keys are off, and references are checked before the
    // commit instead. When a table is renamed, everything else in the file that refers to it must stay unchanged.
    let settings = [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
        (DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, true),
    ];
    let mut before = Vec::new();
    for (setting, during) in settings {
        before.push((setting, conn.db_config(setting)?));
        conn.set_db_config(setting, during)?;
    }
    let done = change(path, id, conn, schema, keep);
    for (setting, value) in before {
        conn.set_db_config(setting, value)?;
    }
    done
}

/// Brings the file up to date in one transaction.
fn change(
    path: &Path,
    id: FileId,
    conn: &mut Connection,
    schema: Schema<'_>,
    keep: Keep,
) -> Result<Option<String>, FileRefusal> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !id.holds(path) {
        return FileRefusal::because("is being replaced; try again in a moment");
    }
    if let Some(names) = several_names(path) {
        return FileRefusal::because(names);
    }
    match schema.state(&tx)? {
        FileState::Ready => Ok(None),
        FileState::Empty => {
            schema.apply(&tx, 0)?;
            tx.commit()?;
            Ok(None)
        }
        FileState::Older(version) => {
            let before = dangling(&tx, schema)?;
            schema.apply(&tx, version)?;
            check_references(&tx, schema, before)?;
            tx.commit()?;
            Ok(Some(format!(
                "{}: brought up to date from schema {version} to schema {}",
                path.display(),
                schema.steps.len()
            )))
        }
        FileState::Earlier => {
            let upgraded = legacy::upgrade(path, &tx, keep, |tx| schema.apply(tx, 0))?;
            check_references(&tx, schema, 0)?;
            tx.commit()?;
            Ok(Some(upgraded.keep_copy()))
        }
    }
}

/// How many references lead to no record. Other tables in the file are not checked.
fn dangling(conn: &Connection, schema: Schema<'_>) -> rusqlite::Result<u64> {
    schema.tables().try_fold(0, |sum, noun| {
        let sql = format!("PRAGMA foreign_key_check({})", noun.plural);
        let found = conn.prepare(&sql)?.query_map([], |_| Ok(()))?.count();
        Ok(sum + found as u64)
    })
}

/// Refuses an upgrade that breaks references. References that were broken before can be repaired once the file is open.
fn check_references(conn: &Connection, schema: Schema<'_>, before: u64) -> Result<(), FileRefusal> {
    match dangling(conn, schema)? > before {
        true => FileRefusal::because(
            "cannot be brought up to date: records would refer to records that no longer exist",
        ),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
