//! Checks that a database is as crm wrote it: its integrity, its references, its values and its schema.
//!
//! Only faults of integrity and schema are damage. A reference to a missing record and a value that another program stored
//! are shown and can be repaired by a command.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::paths::live_sides;
use super::place::{one_name, real};
use super::refusal::{FileRefusal, unusable_or_full};
use super::schema::{FileState, Schema};
use super::snapshot::FileSnapshot;
use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::stored::Stored;
use crate::model::value::Value;
use crate::store::search::check::{self, Selects};
use crate::store::sql::faults::{Dangling, Faults, NAMED, Repairs};
use crate::store::sql::{newest, statements};
use crate::store::sqlite::error::{is_damage, map_err, reason};
use crate::store::sqlite::values::{query, stored};

/// The first schema whose tables have versions.
const VERSIONED: usize = 3;

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `integrity`: pages, indexes and rows are inconsistent. `reference`: a record refers to one that does not exist.
    /// `value`: a record has a value that crm would not have written. `change`: a change is not as crm appends it. `search`: a
    /// record is not found by its words. `schema`: the file is not marked as crm's of this
    /// version, or a table or an index is not as crm made it.
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
    one_name(&real(path).ok()?).err().map(|error| error.message)
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

const ALL: [Check; 8] = [
    ("integrity", integrity),
    ("integrity", indexes),
    ("reference", references),
    ("value", values),
    ("value", newest_times),
    ("change", changes),
    ("search", search),
    ("schema", tables),
];

/// Finds faults of the file itself, whatever its records say.
pub(crate) fn structure(
    conn: &Connection,
    schema: Schema<'_>,
    state: FileState,
) -> rusqlite::Result<Vec<Finding>> {
    let checks = [
        ("integrity", integrity as _),
        ("integrity", indexes as _),
        ("schema", tables as _),
    ];
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

/// The most findings of SQLite's own check that are listed.
const LISTED: usize = 100;

/// What SQLite's own check finds: damaged pages, rows that an index lacks, and indexes with other entries.
fn integrity(
    conn: &Connection,
    schema: Schema<'_>,
    state: FileState,
) -> rusqlite::Result<Vec<String>> {
    let nouns: Vec<String> = schema
        .tables()
        .map(|noun| format!(" {}.", noun.plural))
        .collect();
    // Values are no damage: those of records are listed by `values`, and the upgrade of a file of the earlier service
    // carries every value over.
    let is_value = |found: &str| {
        let starts = [
            "NULL value in ",
            "non-",
            "NUMERIC value in ",
            "TEXT value in ",
        ];
        let is_value = starts.iter().any(|start| found.starts_with(start))
            && found.contains(" value in ")
            || found.starts_with("CHECK constraint failed in ");
        let is_of_noun = || nouns.iter().any(|noun| found.contains(noun.as_str()));
        is_value && (state == FileState::Earlier || is_of_noun())
    };
    // Far more than are listed, because findings about values may come first.
    let mut check = conn.prepare("PRAGMA integrity_check(100000)")?;
    let mut rows = check.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let line = row.get_ref(0)?.as_bytes().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        if line != "ok" && !is_value(&line) && found.len() < LISTED {
            found.push(line.into_owned());
        }
    }
    Ok(found)
}

/// Counts the entries of each index against its table. SQLite's check does the same, but a backup is called whole and a
/// write goes on only because of this, so it does not depend on what one version of SQLite finds.
fn indexes(conn: &Connection, _: Schema<'_>, _: FileState) -> rusqlite::Result<Vec<String>> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let mut all = conn.prepare(
        "SELECT of.name, index_list.name FROM sqlite_schema AS of JOIN pragma_index_list(of.name) AS index_list \
         WHERE of.type = 'table' AND NOT index_list.partial AND index_list.origin <> 'pk'",
    )?;
    let all = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let all: Vec<(String, String)> = all.collect::<rusqlite::Result<_>>()?;
    let count = |table: &str, by: &str| -> rusqlite::Result<i64> {
        let sql = format!("SELECT count(*) FROM {} {by}", quoted(table));
        conn.query_row(&sql, [], |row| row.get(0))
    };
    let mut found = Vec::new();
    for (table, index) in all {
        let rows = count(&table, "NOT INDEXED")?;
        let entries = count(&table, &format!("INDEXED BY {}", quoted(&index)))?;
        if rows != entries {
            found.push(format!(
                "index {index} has {entries} entries for the {rows} rows of {table}"
            ));
        }
    }
    Ok(found)
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
        for (field, sql) in Dangling::selects(noun, "typeof($) = 'integer'") {
            let mut select = conn.prepare(&sql)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                found.add(noun, row.get(0)?, field, row.get(1)?);
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
    let repairs = Repairs::of_file(conn.path().unwrap_or_default());
    Ok(dangling(conn, schema, state)?.lines(&repairs))
}

/// Finds the values that crm would not have written.
pub(crate) fn faults(
    conn: &Connection,
    schema: Schema<'_>,
    state: FileState,
) -> rusqlite::Result<Faults> {
    let mut faults = Faults::default();
    let has_versions = match state {
        FileState::Ready => true,
        FileState::Older(steps) => steps >= VERSIONED,
        FileState::Earlier | FileState::Empty => return Ok(faults),
    };
    let repairs = Repairs::of_file(conn.path().unwrap_or_default());
    for noun in schema.tables() {
        let (table, width) = (noun.plural, noun.fields.len());
        let columns = present(conn, noun, has_versions)?;
        let mut select = conn.prepare(&format!(
            "SELECT {columns} FROM {table} ORDER BY {table}.id"
        ))?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            faults.look(noun, &repairs, |at| match row.get_ref(at) {
                Ok(value) => stored(value),
                // Only the version may be missing.
                Err(_) => Stored::Int(i64::from(at == width)),
            });
        }
    }
    Ok(faults)
}

/// The columns of a noun, with null for those that a file of an older schema lacks.
fn present(conn: &Connection, noun: &Noun, has_versions: bool) -> rusqlite::Result<String> {
    let mut names = conn.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = names.query_map([noun.plural], |row| row.get(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    let columns = noun.fields.iter().map(|field| {
        let is_there = names.iter().any(|name| name == field.name);
        match is_there || !field.nullable() {
            true => statements::column(noun, field),
            false => "NULL".into(),
        }
    });
    let version = has_versions.then(|| format!("{}.version", noun.plural));
    Ok(columns.chain(version).collect::<Vec<String>>().join(", "))
}

/// Finds the records whose newest time is not that of the records that refer to them.
fn newest_times(
    conn: &Connection,
    _: Schema<'_>,
    state: FileState,
) -> rusqlite::Result<Vec<String>> {
    if state != FileState::Ready {
        return Ok(Vec::new());
    }
    let repairs = Repairs::of_file(conn.path().unwrap_or_default());
    let mut found = Vec::new();
    for (noun, select, renew) in newest::differing() {
        let mut select = conn.prepare(&select)?;
        let ids = select.query_map([], |row| row.get(0))?;
        let ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>()?;
        found.extend(newest::told(noun, &ids, &renew, &repairs));
    }
    Ok(found)
}

fn values(
    conn: &Connection,
    schema: Schema<'_>,
    state: FileState,
) -> rusqlite::Result<Vec<String>> {
    Ok(faults(conn, schema, state)?.lines())
}

/// Finds changes that crm would not have appended, and an epoch that is none.
fn changes(conn: &Connection, _: Schema<'_>, state: FileState) -> rusqlite::Result<Vec<String>> {
    if state != FileState::Ready {
        return Ok(Vec::new());
    }
    // `first` may name a change that was removed: those go from the old end only.
    let sql = "SELECT seq, CASE
            WHEN NOT json_valid(record) OR json_type(record) <> 'object' THEN 'its record is not a JSON object'
            WHEN json_extract(record, '$.id') IS NOT record_id THEN 'its record has another id'
            WHEN previous IS NOT NULL AND (NOT json_valid(previous) OR json_type(previous) <> 'object')
                THEN 'its earlier values are not a JSON object'
            WHEN seq < 1 THEN 'its number is not 1 or more'
            WHEN first >= seq THEN 'its group begins after it'
            WHEN first >= (SELECT min(seq) FROM crm_changes)
                AND NOT EXISTS (SELECT 1 FROM crm_changes AS begin WHERE begin.seq = of.first)
                THEN 'the first change of its group is missing'
        END AS why
        FROM crm_changes AS of WHERE why IS NOT NULL ORDER BY seq";
    let mut select = conn.prepare(sql)?;
    let rows = select.query_map([], |row| {
        Ok(format!(
            "change {}: {}",
            row.get::<_, i64>(0)?,
            row.get::<_, String>(1)?
        ))
    })?;
    let mut found: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    let indexed = "SELECT count(*) = 1 AND NOT EXISTS (
            SELECT record_id, seq FROM crm_changes WHERE seq <= (SELECT changes FROM crm_indexed)
            EXCEPT SELECT record_id, seq FROM crm_record_changes)
        AND NOT EXISTS (
            SELECT record_id, seq FROM crm_record_changes
            EXCEPT SELECT record_id, seq FROM crm_changes WHERE seq <= (SELECT changes FROM crm_indexed))
        FROM crm_indexed";
    if !conn.query_row(indexed, [], |row| row.get::<_, bool>(0))? {
        found.push(
            "crm_record_changes: expected one row for each change up to the number in crm_indexed; repair with: \
             DELETE FROM crm_record_changes; DELETE FROM crm_indexed; INSERT INTO crm_indexed VALUES (0)"
                .into(),
        );
    }
    let epochs = "SELECT count(*) = 1 AND coalesce(max(length(epoch) = 16 AND epoch NOT GLOB '*[^0-9a-f]*'), 0) FROM crm_epoch";
    if !conn.query_row(epochs, [], |row| row.get::<_, bool>(0))? {
        found.push("crm_epoch: expected one row with 16 hexadecimal digits".into());
    }
    Ok(found)
}

/// Finds records that are not found by their words.
fn search(
    conn: &Connection,
    schema: Schema<'_>,
    state: FileState,
) -> rusqlite::Result<Vec<String>> {
    if state != FileState::Ready {
        return Ok(Vec::new());
    }
    let mut reads = CheckReader { conn, failed: None };
    let found = check::check(&mut reads, schema.nouns);
    match (reads.failed, found) {
        (Some(error), _) => Err(error),
        (None, Ok(found)) => Ok(found),
        // A row that cannot be read is a finding, too.
        (None, Err(error)) => Ok(vec![error.message]),
    }
}

/// The connection of a check, for the index of the search. It keeps its own errors, which tell of damage.
struct CheckReader<'c> {
    conn: &'c Connection,
    failed: Option<rusqlite::Error>,
}

impl Selects for CheckReader<'_> {
    fn rows(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        query(self.conn, sql, params).map_err(|error| {
            let told = map_err(&error);
            self.failed = Some(error);
            told
        })
    }
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
