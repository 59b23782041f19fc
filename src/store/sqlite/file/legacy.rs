//! Upgrades a database of the earlier Python service without losing anything.
//!
//! Its tables have crm's names but no fixed shape: columns came and went, types were not enforced, references were not
//! checked. So the upgrade assumes only an id. The old tables are renamed, crm's are made, and every row is carried over by
//! one rule, [`carry`]: a value that fits a field goes there, and any other goes into the record's `attributes` under the
//! name of its column. A copy of the whole file is made first and kept beside it.

mod carry;
mod copy;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::refusal::FileRefusal;
use crate::base::error::quoted;
use crate::base::time;
use crate::model::action::ACTION;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::process::PROCESS;
use crate::store::sql::due::PASS_OVER;
use crate::store::sql::newest;
use carry::{carry_all, column_names, name};
use copy::KeptCopy;

/// The tables of the earlier service: every noun after those that it refers to, with the column that every variant of its
/// database has besides the id.
static EARLIER: [(&Noun, &str); 3] = [
    (&LEAD, "email"),
    (&ACTION, "action_type"),
    (&PROCESS, "name"),
];

/// Whether the three tables exist and have the columns that every variant has.
pub(crate) fn recognise(conn: &Connection) -> rusqlite::Result<bool> {
    for (noun, mark) in EARLIER {
        let Some(table) = table(conn, noun)? else {
            return Ok(false);
        };
        let columns = column_names(conn, &table)?;
        let has = |name: &str| {
            columns
                .iter()
                .any(|column| column.eq_ignore_ascii_case(name))
        };
        if !has("id") || !has(mark) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The name of the noun's table as the file spells it. SQLite treats `Leads` and `leads` as the same.
fn table(conn: &Connection, noun: &Noun) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE TABLE%' \
               AND name = ?1 COLLATE NOCASE";
    conn.query_row(sql, [noun.plural], |row| row.get(0))
        .optional()
}

/// Whether a copy of the old file is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Copy,
    Nothing,
}

/// An upgrade that is complete except for its commit. The copy of the file is removed unless [`Upgraded::keep_copy`] is
/// called.
pub(crate) struct Upgraded {
    line: String,
    copy: Option<KeptCopy>,
}

impl Upgraded {
    /// Keeps the copy. Called after the commit; returns the line for the user.
    pub(crate) fn keep_copy(mut self) -> String {
        if let Some(copy) = &mut self.copy {
            copy.keep = true;
        }
        std::mem::take(&mut self.line)
    }
}

/// Upgrades the file inside the caller's transaction. It must be a writing transaction, with foreign keys off and
/// `legacy_alter_table` on. `create` makes crm's tables.
pub(crate) fn upgrade(
    path: &Path,
    tx: &Connection,
    keep: Keep,
    create: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<Upgraded, FileRefusal> {
    // All refusals come before anything is written.
    check_pages(tx)?;
    let mut old = Vec::new();
    for (noun, _) in EARLIER {
        let Some(table) = table(tx, noun)? else {
            return FileRefusal::because(format!("has no table {}", noun.plural));
        };
        check_ids(tx, noun, &table)?;
        old.push((noun, table));
    }
    let copy = match keep {
        Keep::Copy => Some(KeptCopy::make(path)?),
        Keep::Nothing => None,
    };
    let (mut aside, mut triggers) = (Vec::new(), Vec::new());
    for (noun, table) in old {
        let (table, dropped) = set_aside(tx, noun, &table)?;
        aside.push((noun, table));
        triggers.extend(dropped);
    }
    create(tx)?;
    let indexes = take_indexes(tx)?;
    let now = time::now();
    let mut counts = Vec::new();
    for (noun, table) in aside {
        let count = carry_all(tx, noun, &table, &now)?;
        continue_ids(tx, noun, &table)?;
        tx.execute_batch(&format!("DROP TABLE {}", name(&table)))?;
        let what = if count == 1 { noun.name } else { noun.plural };
        counts.push(format!("{count} {what}"));
    }
    for (_, _, renew) in newest::differing() {
        tx.execute(&format!("{renew}true"), [])?;
    }
    tx.execute_batch(&indexes)?;
    // They were due before anybody was told.
    tx.execute(PASS_OVER, [&now])?;
    let mut line = format!(
        "{}: brought up to date from the earlier service: {}",
        path.display(),
        counts.join(", ")
    );
    if !triggers.is_empty() {
        let many = if triggers.len() == 1 { "" } else { "s" };
        let names = triggers.join(", ");
        line.push_str(&format!(
            "; the trigger{many} {names} on these tables did not fit the new ones and had to be dropped"
        ));
    }
    if let Some(copy) = &copy {
        let kept = copy.path.display();
        line.push_str(&format!("; the file as it was is kept as {kept}"));
    }
    Ok(Upgraded { line, copy })
}

/// Refuses a file whose pages are inconsistent: a table could seem to end early, and its other rows would be lost.
fn check_pages(conn: &Connection) -> Result<(), FileRefusal> {
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    // Findings about pages come first. Others, such as a null against NOT NULL, are not damage and can be carried over.
    match found.strip_prefix("*** in database main ***") {
        Some(what) => FileRefusal::because(format!("is damaged, SQLite says: {}", what.trim())),
        None => Ok(()),
    }
}

/// Refuses a table with an id that no record can have: every reference to it would be lost.
fn check_ids(conn: &Connection, noun: &Noun, table: &str) -> Result<(), FileRefusal> {
    let sql = format!(
        "SELECT id FROM {} WHERE typeof(id) <> 'integer' OR id < 1 OR id = 9223372036854775807",
        name(table)
    );
    let mut odd = conn.prepare(&sql)?;
    let mut odd = odd.query([])?;
    while let Some(row) = odd.next()? {
        carry::id(noun, row.get_ref(0)?)?;
    }
    Ok(())
}

/// The indexes or triggers of a table, with their SQL. Those that SQLite makes itself are left out.
fn made_on(conn: &Connection, kind: &str, table: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let mut made = conn.prepare(
        "SELECT name, sql FROM sqlite_schema \
         WHERE type = ?1 AND tbl_name = ?2 COLLATE NOCASE AND sql IS NOT NULL",
    )?;
    made.query_map([kind, table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Renames an old table, and returns its new name and the names of its triggers. Drops its indexes and triggers: crm may
/// need their names, and a trigger refers to columns that may be gone.
fn set_aside(
    conn: &Connection,
    noun: &Noun,
    table: &str,
) -> rusqlite::Result<(String, Vec<String>)> {
    let mut triggers = Vec::new();
    for kind in ["index", "trigger"] {
        for (own, _) in made_on(conn, kind, table)? {
            conn.execute_batch(&format!("DROP {kind} {}", name(&own)))?;
            if kind == "trigger" {
                triggers.push(quoted(&own));
            }
        }
    }
    let mut aside = format!("{}_before_upgrade", noun.plural);
    while conn
        .prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE")?
        .exists([&aside])?
    {
        aside.push('_');
    }
    conn.execute_batch(&format!(
        "ALTER TABLE {} RENAME TO {}",
        name(table),
        name(&aside)
    ))?;
    Ok((aside, triggers))
}

/// Drops the indexes of crm's own tables and returns the SQL that makes them again: sorting all rows once is several times
/// faster than inserting each into the index.
fn take_indexes(conn: &Connection) -> rusqlite::Result<String> {
    let mut sql = String::new();
    for (noun, _) in EARLIER {
        for (index, made) in made_on(conn, "index", noun.plural)? {
            conn.execute_batch(&format!("DROP INDEX {}", name(&index)))?;
            sql.push_str(&made);
            sql.push(';');
        }
    }
    Ok(sql)
}

/// Continues the noun's ids after the highest that either table ever assigned.
fn continue_ids(conn: &Connection, noun: &Noun, old: &str) -> rusqlite::Result<()> {
    let last: i64 = conn.query_row(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name IN (?1, ?2)",
        [noun.plural, old],
        |row| row.get(0),
    )?;
    conn.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [noun.plural])?;
    conn.execute(
        "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
        (noun.plural, last),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
