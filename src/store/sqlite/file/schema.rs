//! Recognises what a file is, and has the schema of crm's files.
//!
//! Two numbers in SQLite's header show what a file is: `application_id` marks it as crm's, `user_version` numbers its
//! schema. Every command opens the file, so recognising today's schema must be cheap: it takes reading these two numbers.
//!
//! The steps of the schema make every table that a released crm has. A noun that no step knows gets a table made from its
//! fields. A test checks that the steps and the tables of fields agree.

pub(crate) mod table;

use rusqlite::Connection;

use super::legacy;
use super::paths::size;
use super::refusal::{FileRefusal, NO_DATABASE};
use crate::base::error::{Result, quoted};
use crate::model::noun::Noun;
use crate::store::sqlite::functions;

/// The steps of the schema; after the first, `user_version` is 1. Append-only.
pub(crate) const STEPS: &[&str] = &[
    include_str!("../../schema/0001_records.sql"),
    include_str!("../../schema/0002_newest_of_a_status.sql"),
    include_str!("../../schema/0003_versions_tokens_keys.sql"),
    include_str!("../../schema/0004_versions_by_others.sql"),
    include_str!("../../schema/0005_versions_of_replaced.sql"),
    include_str!("../../schema/0006_one_form_of_addresses.sql"),
    include_str!("../../schema/0007_changes.sql"),
    include_str!("../../schema/0008_webhooks.sql"),
    include_str!("../../schema/0009_changes_by_record.sql"),
    include_str!("../../schema/0010_cadence.sql"),
    include_str!("../../schema/0011_last_action.sql"),
    include_str!("../../schema/0012_leases.sql"),
    include_str!("../../schema/0013_due.sql"),
    include_str!("../../schema/0014_search.sql"),
    include_str!("../../schema/0015_timeline.sql"),
    include_str!("../../schema/0016_duplicates.sql"),
    include_str!("../../schema/0017_stats.sql"),
    include_str!("../../schema/0018_bulk.sql"),
];

/// `application_id` of crm's files: `crm` in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x0063_726d;

/// A schema: its steps, and the nouns whose records the file holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema<'a> {
    pub(crate) steps: &'a [&'a str],
    pub(crate) nouns: &'static [&'static Noun],
}

/// What a file is, if crm accepts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileState {
    /// crm's, with today's schema.
    Ready,
    /// An empty file.
    Empty,
    /// crm's, with only this many steps of the schema done.
    Older(usize),
    /// The earlier service's.
    Earlier,
}

impl Schema<'static> {
    /// Today's schema for these nouns.
    pub(crate) fn of(nouns: &'static [&'static Noun]) -> Schema<'static> {
        Schema {
            steps: STEPS,
            nouns,
        }
    }
}

impl Schema<'_> {
    /// The nouns that have their own table.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &'static Noun> + use<> {
        table::nouns(self.nouns)
    }

    /// Finds out what a file is, and refuses one that crm does not accept. Changes nothing.
    pub(crate) fn state(&self, conn: &Connection) -> Result<FileState, FileRefusal> {
        let mark: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let steps = usize::try_from(version).unwrap_or(0);
        if mark == APPLICATION_ID {
            return match steps {
                0 => FileRefusal::because("is marked as crm's but has no schema; it is damaged"),
                _ if steps == self.steps.len() => Ok(FileState::Ready),
                _ if steps < self.steps.len() => Ok(FileState::Older(steps)),
                _ => self.newer(steps),
            };
        }
        let tables = tables(conn)?;
        let earlier = legacy::recognise(conn)?;
        match (mark, version) {
            // SQLite treats a file of one byte as empty, and would overwrite it.
            (0, 0) if tables.is_empty() && size(conn, "") == 1 => FileRefusal::because(NO_DATABASE),
            (0, 0) if tables.is_empty() => Ok(FileState::Empty),
            (0, 0) if earlier => Ok(FileState::Earlier),
            (0, _) if steps > self.steps.len() && (tables.is_empty() || earlier) => {
                self.newer(steps)
            }
            _ => {
                let shown: Vec<String> = tables.iter().take(3).map(|name| quoted(name)).collect();
                let more = if tables.len() > 3 { ", …" } else { "" };
                let holds = match tables.is_empty() {
                    true => "it is marked as such".into(),
                    false => format!("it holds {}{more}", shown.join(", ")),
                };
                FileRefusal::because(format!(
                    "is another program's database ({holds}), expected a crm database or a new file"
                ))
            }
        }
    }

    fn newer<T>(&self, version: usize) -> Result<T, FileRefusal> {
        FileRefusal::because(format!(
            "is from a newer crm (schema {version}, this crm knows up to {}); use that version",
            self.steps.len()
        ))
    }

    /// Runs the steps after the first `done` ones, makes the tables of nouns that no step knows, and marks the file.
    pub(crate) fn apply(&self, conn: &Connection, done: usize) -> rusqlite::Result<()> {
        functions::add_email(conn)?;
        for (version, sql) in (1_u32..).zip(self.steps).skip(done) {
            conn.execute_batch(sql)?;
            conn.pragma_update(None, "user_version", version)?;
        }
        for noun in self.tables() {
            if !table::exists(conn, noun)? {
                conn.execute_batch(&table::create(noun))?;
            }
        }
        conn.pragma_update(None, "application_id", APPLICATION_ID)
    }

    /// An empty database in memory with the schema after this many steps, for comparison.
    pub(crate) fn model(&self, steps: usize) -> rusqlite::Result<Connection> {
        let model = Connection::open_in_memory()?;
        let until = Schema {
            steps: &self.steps[..steps.min(self.steps.len())],
            nouns: self.nouns,
        };
        until.apply(&model, 0)?;
        Ok(model)
    }
}

/// The tables, views and triggers in the file, without SQLite's own.
fn tables(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names = conn.prepare(
        "SELECT name FROM sqlite_schema WHERE type <> 'index' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    names.query_map([], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::table::{create, nouns};
    use super::*;
    use crate::model::nouns::NOUNS;

    /// The columns of a table as SQLite describes them, its references, and whether it has the trigger. The columns are in
    /// the order of their names, because a step adds one at the end.
    fn shape(conn: &Connection, noun: &Noun) -> Vec<String> {
        let mut shape = Vec::new();
        for select in [
            "SELECT name || ' ' || type || ' ' || \"notnull\" || ' ' || pk FROM pragma_table_info(?1) \
             WHERE name <> 'due_seen' ORDER BY 1",
            "SELECT \"from\" || ' ' || \"table\" || ' ' || on_delete FROM pragma_foreign_key_list(?1) ORDER BY 1",
            "SELECT type || ' ' || name FROM sqlite_schema WHERE tbl_name = ?1 AND type <> 'index' ORDER BY 1",
        ] {
            let mut rows = conn.prepare(select).unwrap();
            let rows = rows.query_map([noun.plural], |row| row.get(0)).unwrap();
            shape.extend(rows.map(|row| row.unwrap()));
        }
        shape
    }

    #[test]
    fn the_steps_make_what_the_tables_of_fields_say() {
        let steps = Schema::of(&[]).model(usize::MAX).unwrap();
        let fields = Connection::open_in_memory().unwrap();
        for noun in nouns(&NOUNS) {
            fields.execute_batch(&create(noun)).unwrap();
            let mut made = shape(&steps, noun);
            // A note of the reminders, which is no part of a record.
            made.retain(|line| line != "due_seen TEXT 0 0");
            assert_eq!(made, shape(&fields, noun));
        }
    }
}
