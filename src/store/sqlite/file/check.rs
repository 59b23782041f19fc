//! Checks that a database is as crm wrote it: its integrity, its references and its schema.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::paths::live_sides;
use super::place::{one_name, real};
use super::refusal::{FileRefusal, unusable_or_full};
use super::schema::{FileState, Schema};
use super::snapshot::FileSnapshot;
use crate::base::error::Result;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::store::sqlite::error::{is_damage, reason};

/// How many references to missing records are listed one by one.
const NAMED: usize = 10;

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `integrity`: pages, indexes and rows are inconsistent. `reference`: a record refers to one that does not exist.
    /// `schema`: the file is not marked as crm's of this version, or a table or an index is not as crm made it.
    pub kind: &'static str,
    /// The description, in one line.
    pub what: String,
}

impl Finding {
    fn new(kind: &'static str, what: &str) -> Finding {
        // SQLite puts a heading before findings about pages.
        let what = what
            .strip_prefix("*** in database main ***")
            .unwrap_or(what);
        let what = what.trim().replace(['\n', '\r'], " ");
        Finding { kind, what }
    }
}

/// Checks the file at `path`, which may be in use: integrity, references, schema. Changes nothing. Returns the findings,
/// which are empty if all is well.
///
/// Everything is read from one snapshot of the file, so the write-ahead log is not reset during the check. Errors mean that
/// the file cannot be read.
pub fn check(path: &Path) -> Result<Vec<Finding>> {
    let path = &*real(path)?;
    // With a journal beside the file, SQLite rolls back an unfinished write as soon as it reads the file, if it may write
    // to it.
    let flags = match live_sides(path).contains(&"-journal") {
        true => OpenFlags::SQLITE_OPEN_READ_ONLY,
        false => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let schema = Schema::of(&NOUNS);
    let snapshot = FileSnapshot::open(path, flags, false, schema)?;
    let found = findings(path, schema, &snapshot);
    snapshot.close(path)?;
    found
}

/// A warning in one line about a file that has several names, each with its own log. Such a file can still be read.
pub fn names(path: &Path) -> Option<String> {
    one_name(&*real(path).ok()?)
        .err()
        .map(|error| error.message)
}

fn findings(path: &Path, schema: Schema<'_>, snapshot: &FileSnapshot) -> Result<Vec<Finding>> {
    match &snapshot.state {
        Ok(state) => run(&snapshot.connection, schema, *state, &ALL)
            .map_err(|error| unusable_or_full(path, &error)),
        Err(FileRefusal::Because(why)) => Ok(vec![Finding::new("schema", why)]),
        Err(FileRefusal::Sql(error)) if is_damage(error) => {
            Ok(vec![Finding::new("integrity", &reason(error))])
        }
        Err(FileRefusal::Sql(error)) => Err(unusable_or_full(path, error)),
    }
}

/// One of the checks, with the kind of its findings. Where others may write, the connection is in a transaction.
type Check = (
    &'static str,
    fn(&Connection, Schema<'_>, FileState) -> rusqlite::Result<Vec<String>>,
);

const ALL: [Check; 3] = [
    ("integrity", integrity),
    ("reference", references),
    ("schema", tables),
];

/// Finds faults of the file itself, whatever its records say.
pub(crate) fn structure(
    conn: &Connection,
    schema: Schema<'_>,
    state: FileState,
) -> rusqlite::Result<Vec<Finding>> {
    let checks = [("integrity", integrity as _), ("schema", tables as _)];
    run(conn, schema, state, &checks)
}

fn run(
    conn: &Connection,
    schema: Schema<'_>,
    state: FileState,
    checks: &[Check],
) -> rusqlite::Result<Vec<Finding>> {
    let mut found = Vec::new();
    for (kind, check) in checks {
        match check(conn, schema, state) {
            Ok(more) => found.extend(more.iter().map(|what| Finding::new(kind, what))),
            Err(error) if is_damage(&error) => {
                found.push(Finding::new("integrity", &reason(&error)));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn integrity(conn: &Connection, _: Schema<'_>, state: FileState) -> rusqlite::Result<Vec<String>> {
    let mut check = conn.prepare("PRAGMA integrity_check")?;
    let found: Vec<String> = check
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    // Findings about pages come first. Other findings in a file of the earlier service, such as a null against NOT NULL,
    // can be carried over.
    let fine = match (state, found.first()) {
        (FileState::Earlier, Some(first)) => !first.starts_with("***"),
        (_, first) => first.is_none_or(|first| first == "ok"),
    };
    Ok(if fine { Vec::new() } else { found })
}

/// References to records that do not exist.
#[derive(Default)]
pub(crate) struct Dangling {
    /// How many there are.
    pub(crate) count: u64,
    /// The first of them: the noun, the id, the position of the field, and the missing id.
    named: Vec<(&'static Noun, i64, usize, i64)>,
}

/// Finds the references to missing records. Tables that are not crm's are not checked.
pub(crate) fn dangling(
    conn: &Connection,
    schema: Schema<'_>,
    state: FileState,
) -> rusqlite::Result<Dangling> {
    let mut found = Dangling::default();
    if matches!(state, FileState::Earlier | FileState::Empty) {
        // The earlier service did not check references, and the upgrade of its file handles them.
        return Ok(found);
    }
    for noun in schema.tables() {
        for (at, field) in noun.fields.iter().enumerate() {
            let Kind::Reference(target) = field.kind else {
                continue;
            };
            let (table, name, other) = (noun.plural, field.name, target.plural);
            let sql = format!(
                "SELECT id, {name} FROM {table} AS of WHERE {name} IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM {other} WHERE id = of.{name}) ORDER BY id"
            );
            let mut select = conn.prepare(&sql)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                found.count += 1;
                if found.named.len() < NAMED {
                    found.named.push((noun, row.get(0)?, at, row.get(1)?));
                }
            }
        }
    }
    Ok(found)
}

fn references(
    conn: &Connection,
    schema: Schema<'_>,
    state: FileState,
) -> rusqlite::Result<Vec<String>> {
    let found = dangling(conn, schema, state)?;
    let file = conn.path().unwrap_or_default();
    let named = found.named.iter().map(|(noun, id, at, missing)| {
        let (table, name, field) = (noun.plural, noun.name, &noun.fields[*at]);
        let (field, flag) = (field.name, field.name.replace('_', "-"));
        format!(
            "{table} {id}: {field} is {missing}, which does not exist; `crm {name} update {id} --clear {field}` clears it, \
             `crm {name} update {id} --{flag} ID` names another, `crm {name} delete {id}` deletes the whole record \
             (each with --db {file})"
        )
    });
    let mut lines: Vec<String> = named.collect();
    let more = found.count - found.named.len() as u64;
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Ok(lines)
}

/// Finds parts of the schema that are missing or different in the file. Anything else in the file is not checked.
fn tables(
    conn: &Connection,
    schema: Schema<'_>,
    state: FileState,
) -> rusqlite::Result<Vec<String>> {
    let steps = match state {
        FileState::Ready => usize::MAX,
        FileState::Older(steps) => steps,
        FileState::Empty => return Ok(vec!["is empty".into()]),
        FileState::Earlier => return Ok(Vec::new()),
    };
    let model = schema.model(steps)?;
    let mut expected = model.prepare(
        "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let mut found = Vec::new();
    let mut rows = expected.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, name, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let has: Option<String> = conn
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE type = ?1 AND name = ?2",
                [&kind, &name],
                |row| row.get(0),
            )
            .optional()?;
        match has {
            None => found.push(format!("{kind} {name} is missing")),
            Some(has) if has != sql => {
                found.push(format!("{kind} {name} is not as crm made it"));
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

/// How many records of each noun the file has.
pub(crate) fn counts(
    conn: &Connection,
    schema: Schema<'_>,
) -> rusqlite::Result<Vec<(&'static Noun, u64)>> {
    schema
        .tables()
        .map(|noun| {
            let sql = format!("SELECT count(*) FROM {}", noun.plural);
            let count: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
            Ok((noun, count.unsigned_abs()))
        })
        .collect()
}
