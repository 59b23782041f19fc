//! The SQL for a noun's table, which follows from its table of fields.

use std::fmt::Write;

use rusqlite::Connection;

use crate::model::kind::{Kind, OnDelete};
use crate::model::noun::Noun;

/// The nouns that have their own table. The others are views, which are only read.
pub(crate) fn nouns(
    nouns: &'static [&'static Noun],
) -> impl Iterator<Item = &'static Noun> + use<> {
    nouns.iter().copied().filter(|noun| !noun.is_view())
}

/// The name of the trigger that increases a record's version when another program changes it.
pub(crate) fn trigger(noun: &Noun) -> String {
    format!("{}_count_version", noun.plural)
}

/// Whether the file has the noun's table.
pub(crate) fn exists(conn: &Connection, noun: &Noun) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?
        .exists([noun.plural])
}

/// The SQL that makes the noun's table, an index for each of its references, and its trigger.
pub(crate) fn create(noun: &Noun) -> String {
    let table = noun.plural;
    let mut sql = format!("CREATE TABLE {table} (");
    let mut indexes = String::new();
    for field in noun.fields {
        let name = field.name;
        let _ = match field.kind {
            Kind::Id => write!(sql, "{name} INTEGER PRIMARY KEY AUTOINCREMENT, "),
            Kind::Reference(target) => {
                let _ = writeln!(
                    indexes,
                    "CREATE INDEX {table}_by_{name} ON {table} ({name});"
                );
                let null = if field.nullable() { "" } else { " NOT NULL" };
                let on_delete = match target.on_delete {
                    OnDelete::Refuse => "",
                    OnDelete::SetNull => " ON DELETE SET NULL",
                };
                let other = target.plural;
                write!(
                    sql,
                    "{name} INTEGER{null} REFERENCES {other} (id){on_delete}, "
                )
            }
            _ if field.nullable() => write!(sql, "{name} TEXT, "),
            _ => write!(sql, "{name} TEXT NOT NULL, "),
        };
    }
    let trigger = trigger(noun);
    format!(
        "{sql}version INTEGER NOT NULL DEFAULT 1) STRICT;\n{indexes}\
         CREATE TRIGGER {trigger} AFTER UPDATE ON {table} WHEN NEW.version <= OLD.version\n\
         BEGIN\n    UPDATE {table} SET version = OLD.version + 1 WHERE id = NEW.id;\nEND;"
    )
}
