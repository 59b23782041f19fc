//! Whether a database is what crm wrote.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::part::unusable;
use super::reading::{self, Way};
use super::schema::{self, Refused, State};
use super::{PATIENCE, legacy, place, restore, set_up};
use crate::base::error::Result;
use crate::model::record::{Kind, Noun};

/// How many references to nothing are named one by one.
const NAMED: usize = 10;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `integrity`: pages, indexes and rows do not hang together. `reference`: a record refers to none. `schema`: the file
    /// is not marked as crm's of this version, or a table or an index is not as crm made it.
    pub kind: &'static str,
    /// What was found, in one line.
    pub what: String,
}

impl Finding {
    fn new(kind: &'static str, what: &str) -> Finding {
        // SQLite puts a heading before what is wrong with pages.
        let what = what
            .strip_prefix("*** in database main ***")
            .unwrap_or(what);
        let what = what.trim().replace(['\n', '\r'], " ");
        Finding { kind, what }
    }
}

/// Looks through the file at `path`, which may be in use: integrity, references, schema. Changes nothing, and answers what
/// was found, nothing where all is well.
///
/// All is read from one state of the file, so that the write-ahead log is not reset for as long as this takes. Errors are
/// those of a file that cannot be read.
pub fn check(path: &Path) -> Result<Vec<Finding>> {
    // SQLite undoes half a write by the journal beside the file as soon as it reads it, if it may write to it.
    let flags = match restore::live_sides(path).contains(&"-journal") {
        true => OpenFlags::SQLITE_OPEN_READ_ONLY,
        false => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let snapshot = snapshot_with(path, flags, false)?;
    let found = look_through(path, &snapshot.connection, snapshot.state);
    // All is read.
    let _ = snapshot.connection.execute_batch("COMMIT");
    // What is found in a file that was changed meanwhile tells nothing of it.
    snapshot.way.end(&snapshot.connection);
    snapshot.way.holds(path)?;
    found
}

fn look_through(
    path: &Path,
    connection: &Connection,
    state: Result<State, Refused>,
) -> Result<Vec<Finding>> {
    match state {
        Ok(state) => findings(connection, state).map_err(|error| unusable(path, &error)),
        Err(Refused::Because(why)) => Ok(vec![Finding::new("schema", &why)]),
        Err(Refused::Sql(error)) if is_damage(&error) => {
            Ok(vec![Finding::new("integrity", &schema::reason(&error))])
        }
        Err(Refused::Sql(error)) => Err(unusable(path, &error)),
    }
}

/// A connection in a read transaction over the file as it is now.
pub(super) struct Snapshot {
    pub(super) connection: Connection,
    /// What the file is.
    pub(super) state: Result<State, Refused>,
    /// How it is read; to be asked whether it holds when all is read.
    pub(super) way: Way,
}

/// That of a file as it is now. `is_ours` tells that this process has it open elsewhere: then it is opened as that was, as
/// to look at it by other means would end the locks on it.
pub(super) fn snapshot(path: &Path, is_ours: bool) -> Result<Snapshot> {
    snapshot_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE, is_ours)
}

fn snapshot_with(path: &Path, flags: OpenFlags, is_ours: bool) -> Result<Snapshot> {
    place::ordinary(path)?;
    place::settled(path, |_| {
        let refuse = |error: rusqlite::Error| unusable(path, &error);
        let begin = |connection: &mut Connection| {
            connection.busy_timeout(PATIENCE).map_err(refuse)?;
            set_up(connection)
                .and_then(|()| connection.execute_batch("BEGIN"))
                .map_err(refuse)?;
            match schema::state(connection) {
                Err(Refused::Sql(error)) if !is_damage(&error) => Err(refuse(error)),
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
            false => reading::open(path, flags, begin)?,
        };
        Ok(Snapshot {
            connection,
            state,
            way,
        })
    })
}

/// All that is wrong with a file that is crm's, to be called in a transaction where others may write.
pub(super) fn findings(conn: &Connection, state: State) -> rusqlite::Result<Vec<Finding>> {
    look(
        conn,
        state,
        &[
            ("integrity", integrity),
            ("reference", references),
            ("schema", tables),
        ],
    )
}

/// What is wrong with the file itself, whatever its records say.
pub(super) fn structure(conn: &Connection, state: State) -> rusqlite::Result<Vec<Finding>> {
    look(conn, state, &[("integrity", integrity), ("schema", tables)])
}

fn look(
    conn: &Connection,
    state: State,
    kinds: &[(&'static str, Look)],
) -> rusqlite::Result<Vec<Finding>> {
    let mut found = Vec::new();
    for (kind, look) in kinds {
        match look(conn, state) {
            Ok(more) => found.extend(more.iter().map(|what| Finding::new(kind, what))),
            Err(error) if is_damage(&error) => {
                found.push(Finding::new("integrity", &schema::reason(&error)));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

type Look = fn(&Connection, State) -> rusqlite::Result<Vec<String>>;

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

fn integrity(conn: &Connection, state: State) -> rusqlite::Result<Vec<String>> {
    let mut check = conn.prepare("PRAGMA integrity_check")?;
    let found: Vec<String> = check
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    // Pages come first. Of a file of the earlier service all else can be carried over, a null against NOT NULL say.
    let fine = match (state, found.first()) {
        (State::Earlier, Some(first)) => !first.starts_with("***"),
        (_, first) => first.is_none_or(|first| first == "ok"),
    };
    Ok(if fine { Vec::new() } else { found })
}

/// References that lead to no record.
#[derive(Default)]
pub(super) struct Dangling {
    /// How many there are.
    pub(super) count: u64,
    /// The first of them: the noun, the id, the field by its number, and the id that is not there.
    named: Vec<(&'static Noun, i64, usize, i64)>,
}

/// Finds them. Those of tables that are not crm's are not crm's to judge.
pub(super) fn dangling(conn: &Connection, state: State) -> rusqlite::Result<Dangling> {
    let mut found = Dangling::default();
    if matches!(state, State::Earlier | State::Empty) {
        // The earlier service did not check them, and its upgrade takes care of them.
        return Ok(found);
    }
    for noun in legacy::NOUNS {
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

fn references(conn: &Connection, state: State) -> rusqlite::Result<Vec<String>> {
    let found = dangling(conn, state)?;
    let file = conn.path().unwrap_or_default();
    let named = found.named.iter().map(|(noun, id, at, missing)| {
        let (table, name, field) = (noun.plural, noun.name, &noun.fields[*at]);
        let (field, flag) = (field.name, field.name.replace('_', "-"));
        format!(
            "{table} {id}: {field} is {missing}, which is not there; `crm {name} update {id} --clear {field}` clears it, \
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

/// What the schema has and the file has not, or otherwise. What else is in the file is not crm's to judge.
fn tables(conn: &Connection, state: State) -> rusqlite::Result<Vec<String>> {
    let steps = match state {
        State::Ready => usize::MAX,
        State::Older(steps) => steps,
        State::Empty => return Ok(vec!["is empty".into()]),
        State::Earlier => return Ok(Vec::new()),
    };
    let model = schema::model(steps)?;
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
pub(super) fn counts(conn: &Connection) -> rusqlite::Result<Vec<(&'static Noun, u64)>> {
    legacy::NOUNS
        .into_iter()
        .map(|noun| {
            let sql = format!("SELECT count(*) FROM {}", noun.plural);
            let count: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
            Ok((noun, count.unsigned_abs()))
        })
        .collect()
}
