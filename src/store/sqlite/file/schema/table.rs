//! The SQL for a noun's table, which follows from its table of fields.

use std::fmt::Write;

use rusqlite::Connection;

use crate::model::kind::{Kind, OnDelete};
use crate::model::noun::Noun;
use crate::model::terms::MOST_VERSION;

/// The nouns that have their own table. The others are views, which are only read.
pub(crate) fn nouns(
    nouns: &'static [&'static Noun],
) -> impl Iterator<Item = &'static Noun> + use<> {
    nouns.iter().copied().filter(|noun| !noun.is_view())
}

/// The names of the triggers that change a record's version when another program changes or replaces it.
pub(crate) fn triggers(noun: &Noun) -> [String; 2] {
    ["count", "start"].map(|what| format!("{}_{what}_version", noun.plural))
}

/// Whether the file has the noun's table.
pub(crate) fn exists(conn: &Connection, noun: &Noun) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?
        .exists([noun.plural])
}

/// The SQL that makes the noun's table, an index for each of its references, and its triggers.
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
            Kind::Count(..) => {
                let null = if field.nullable() { "" } else { " NOT NULL" };
                write!(sql, "{name} INTEGER{null}, ")
            }
            _ if field.nullable() => write!(sql, "{name} TEXT, "),
            _ => write!(sql, "{name} TEXT NOT NULL, "),
        };
    }
    let [count, start] = triggers(noun);
    let own = noun.fields.iter().filter(|field| !field.is_derived());
    let own: Vec<&str> = own.map(|field| field.name).collect();
    // What follows from other records is no change.
    let of = match noun.derived() {
        Some(_) => format!(" OF {}, version", own.join(", ")),
        None => String::new(),
    };
    // As in restored files: 2^32 to 2^48 leaves room for the changes after it.
    let random = "4294967296 + abs(random() % 281470681743360)";
    format!(
        "{sql}version INTEGER NOT NULL DEFAULT 1) STRICT;\n{indexes}\
         CREATE TRIGGER {count} AFTER UPDATE{of} ON {table} \
         WHEN NEW.version <= OLD.version OR NEW.version > {MOST_VERSION} OR NEW.id <> OLD.id\n\
         BEGIN\n    UPDATE {table} SET version = CASE WHEN NEW.id = OLD.id AND OLD.version < {MOST_VERSION} \
         THEN OLD.version + 1 ELSE {random} END WHERE id = NEW.id;\nEND;\n\
         CREATE TRIGGER {start} AFTER INSERT ON {table} \
         WHEN NEW.id <= (SELECT seq FROM sqlite_sequence WHERE name = '{table}') \
         OR NEW.version NOT BETWEEN 1 AND {MOST_VERSION}\n\
         BEGIN\n    UPDATE {table} SET version = {random} WHERE id = NEW.id;\nEND;"
    )
}
