//! The earlier Python service's database, brought up to date without losing anything.
//!
//! Its tables have crm's names but no fixed shape: columns came and went, types were not enforced, references were not
//! checked. So nothing is assumed but an id. The old tables are set aside under other names, crm's are made, and every row
//! is carried over by the one rule that [`carry`] is: what fits a field goes there, all else goes into the record's
//! `attributes` under the name of its column. A copy of the whole file is made first and kept beside it.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::types::{Null, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row};

use super::schema::Refused;
use crate::base::error::quoted;
use crate::base::time;
use crate::model::action::ACTION;
use crate::model::attributes::Attributes;
use crate::model::lead::LEAD;
use crate::model::process::PROCESS;
use crate::model::record::{self, Kind, Noun, Presence, Target, Value};

/// Every noun after those that it refers to.
pub(super) static NOUNS: [&Noun; 3] = [&LEAD, &ACTION, &PROCESS];

/// What every variant of the old database has in a table, beside the id.
fn mark(noun: &Noun) -> &'static str {
    match noun.plural {
        "leads" => "email",
        "actions" => "action_type",
        _ => "name",
    }
}

/// Whether the three tables are there and hold what crm's and the earlier service's do.
pub(super) fn recognise(conn: &Connection) -> rusqlite::Result<bool> {
    for noun in NOUNS {
        let Some(table) = table(conn, noun)? else {
            return Ok(false);
        };
        let columns = column_names(conn, &table)?;
        let has = |name: &str| {
            columns
                .iter()
                .any(|column| column.eq_ignore_ascii_case(name))
        };
        if !has("id") || !has(mark(noun)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The noun's table, its name as the file spells it: SQLite does not tell `Leads` from `leads`.
fn table(conn: &Connection, noun: &Noun) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE TABLE%' \
               AND name = ?1 COLLATE NOCASE";
    conn.query_row(sql, [noun.plural], |row| row.get(0))
        .optional()
}

fn column_names(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let rows = conn.prepare(&format!("SELECT * FROM {}", name(table)))?;
    Ok(rows.column_names().map(String::from).collect())
}

/// A name as SQL takes any name.
fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// An upgrade that is done but for the commit. The copy of the file goes again unless it is kept.
pub(super) struct Upgraded {
    line: String,
    copy: Copy,
}

impl Upgraded {
    /// To be called after the commit; returns the line to tell the user.
    pub(super) fn keep_copy(mut self) -> String {
        self.copy.keep = true;
        std::mem::take(&mut self.line)
    }
}

/// Brings the file up to date inside of the caller's transaction, which has to be the writing one, with foreign keys off
/// and `legacy_alter_table` on. `create` makes crm's tables.
pub(super) fn upgrade(
    path: &Path,
    tx: &Connection,
    create: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<Upgraded, Refused> {
    // What is refused here is refused before anything is written.
    check_pages(tx)?;
    let mut old = Vec::new();
    for noun in NOUNS {
        let Some(table) = table(tx, noun)? else {
            return Refused::because(format!("has no table {}", noun.plural));
        };
        check_ids(tx, noun, &table)?;
        old.push((noun, table));
    }
    let copy = Copy::make(path)?;
    let mut aside = Vec::new();
    for (noun, table) in old {
        aside.push((noun, set_aside(tx, noun, &table)?));
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
    tx.execute_batch(&indexes)?;
    let line = format!(
        "{}: brought up to date from the earlier service: {}; the file as it was is kept as {}",
        path.display(),
        counts.join(", "),
        copy.path.display()
    );
    Ok(Upgraded { line, copy })
}

/// Refuses a file whose pages do not hang together: a table could seem to end early, and its rows would be lost.
fn check_pages(conn: &Connection) -> Result<(), Refused> {
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    // Pages come first. What else it may find, a null against NOT NULL say, is no damage and can be carried over.
    match found.strip_prefix("*** in database main ***") {
        Some(what) => Refused::because(format!("is damaged, SQLite says: {}", what.trim())),
        None => Ok(()),
    }
}

/// Refuses a table with an id that no record can have: everything that refers to it would be lost.
fn check_ids(conn: &Connection, noun: &Noun, table: &str) -> Result<(), Refused> {
    let sql = format!(
        "SELECT id FROM {} WHERE typeof(id) <> 'integer' OR id < 1 OR id = 9223372036854775807",
        name(table)
    );
    let mut odd = conn.prepare(&sql)?;
    let mut odd = odd.query([])?;
    while let Some(row) = odd.next()? {
        id(noun, row.get_ref(0)?)?;
    }
    Ok(())
}

fn id(noun: &Noun, given: ValueRef) -> Result<i64, Refused> {
    // After the largest of all no further id could be given.
    match whole(given).filter(|id| (1..i64::MAX).contains(id)) {
        Some(id) => Ok(id),
        None => Refused::because(format!(
            "cannot be brought up to date: table {} has the id {}, expected a whole number of 1 or more, but not 2^63-1",
            noun.plural,
            shown(given)
        )),
    }
}

/// A value for a message.
fn shown(given: ValueRef) -> String {
    match text(given) {
        None => "null".into(),
        Some((text, _)) if matches!(given, ValueRef::Integer(_) | ValueRef::Real(_)) => text.into(),
        Some((text, _)) => quoted(&text),
    }
}

/// The file as it was, beside it. Removed when dropped, unless it is kept.
struct Copy {
    path: PathBuf,
    keep: bool,
}

impl Copy {
    /// Copies the last committed state, through SQLite: pages may still be in a write-ahead log, and opening the file by
    /// other means would drop this process's locks on it.
    fn make(path: &Path) -> Result<Copy, Refused> {
        let copy = Copy::reserve(path)?;
        match copy.fill(path) {
            Ok(()) => Ok(copy),
            Err(error) => Refused::because(format!(
                "is not brought up to date, as no copy of it could be kept as {}: {error}",
                copy.path.display()
            )),
        }
    }

    /// An empty file of a name that nothing has.
    fn reserve(path: &Path) -> Result<Copy, Refused> {
        let mut number = 1;
        loop {
            let mut name = path.as_os_str().to_owned();
            name.push(".before-upgrade");
            if number > 1 {
                name.push(format!("-{number}"));
            }
            let path = PathBuf::from(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => return Ok(Copy { path, keep: false }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => {
                    return Refused::because(format!(
                        "is not brought up to date, as no copy of it could be kept as {}: {error}",
                        path.display()
                    ));
                }
            }
        }
    }

    fn fill(&self, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
        // Before anything is in it: whoever may not read the file may not read its copy.
        fs::set_permissions(&self.path, fs::metadata(path)?.permissions())?;
        let from = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut to = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Nobody else can write meanwhile, so that one step over all pages neither waits nor starts again.
        match Backup::new(&from, &mut to)?.step(-1)? {
            StepResult::Done => {}
            other => return Err(format!("the backup stopped with {other:?}").into()),
        }
        to.close().map_err(|(_, error)| error)?;
        File::open(&self.path)?.sync_all()?;
        // Its name, too, has to outlast a power cut. Where a folder cannot be opened it needs no sync.
        let folder = self.path.parent().filter(|path| *path != Path::new(""));
        if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
            folder.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if !self.keep {
            // What led here is the error to tell; a copy too many does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The indexes or triggers that were made on a table, with their SQL; not those that SQLite makes by itself.
fn made_on(conn: &Connection, kind: &str, table: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let mut made = conn.prepare(
        "SELECT name, sql FROM sqlite_schema \
         WHERE type = ?1 AND tbl_name = ?2 COLLATE NOCASE AND sql IS NOT NULL",
    )?;
    made.query_map([kind, table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Gives an old table another name, which is returned. Its indexes and triggers go, as their names may be wanted.
fn set_aside(conn: &Connection, noun: &Noun, table: &str) -> rusqlite::Result<String> {
    for kind in ["index", "trigger"] {
        for (own, _) in made_on(conn, kind, table)? {
            conn.execute_batch(&format!("DROP {kind} {}", name(&own)))?;
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
    Ok(aside)
}

/// Drops the indexes of crm's own tables and returns the SQL that makes them again: sorting all rows once is several times
/// faster than placing each.
fn take_indexes(conn: &Connection) -> rusqlite::Result<String> {
    let mut sql = String::new();
    for noun in NOUNS {
        for (index, made) in made_on(conn, "index", noun.plural)? {
            conn.execute_batch(&format!("DROP INDEX {}", name(&index)))?;
            sql.push_str(&made);
            sql.push(';');
        }
    }
    Ok(sql)
}

/// Lets the noun's next id be one that neither table ever gave.
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

/// Where a column of an old table belongs.
struct Column {
    /// Its place in the table.
    index: usize,
    name: String,
    /// The place of its field, `None` where crm knows none.
    field: Option<usize>,
    order: Order,
}

/// What is carried over first has the first word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Attributes,
    Field,
    /// Under the name that a field had once.
    OldName,
}

fn columns(noun: &Noun, names: Vec<String>) -> Vec<Column> {
    let mut columns: Vec<Column> = names
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let mut fields = noun.fields.iter();
            let field = fields.position(|field| is(field.name) || field.old_name.is_some_and(is));
            let order = match field.map(|at| &noun.fields[at]) {
                Some(field) if field.kind == Kind::Attributes => Order::Attributes,
                Some(field) if !is(field.name) => Order::OldName,
                _ => Order::Field,
            };
            Column {
                index,
                name,
                field,
                order,
            }
        })
        .collect();
    columns.sort_by_key(|column| column.order);
    columns
}

/// Carries all rows over, one at a time, and returns how many.
fn carry_all(conn: &Connection, noun: &Noun, old: &str, now: &str) -> Result<u64, Refused> {
    let columns = columns(noun, column_names(conn, old)?);
    let names: Vec<&str> = noun.fields.iter().map(|field| field.name).collect();
    let mut insert = conn.prepare(&format!(
        "INSERT INTO {} ({}) VALUES ({})",
        noun.plural,
        names.join(", "),
        vec!["?"; names.len()].join(", ")
    ))?;
    let exists = |target: Target, id: i64| {
        conn.prepare_cached(&format!("SELECT 1 FROM {} WHERE id = ?1", target.plural))?
            .exists([id])
    };
    let mut rows = conn.prepare(&format!("SELECT * FROM {}", name(old)))?;
    let mut rows = rows.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let values = carry(noun, &columns, row, now, exists)?;
        for (place, value) in (1..).zip(&values) {
            match value {
                Value::Null => insert.raw_bind_parameter(place, Null)?,
                Value::Int(int) => insert.raw_bind_parameter(place, int)?,
                Value::Text(text) => insert.raw_bind_parameter(place, text)?,
            }
        }
        match insert.raw_execute() {
            Ok(_) => count += 1,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                return Refused::because(format!(
                    "cannot be brought up to date: table {} has the id {} twice",
                    noun.plural, values[0]
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(count)
}

/// One record out of an old row. `now` is for records that do not tell when they were made, `exists` tells whether a
/// record is there to be referred to.
fn carry(
    noun: &Noun,
    columns: &[Column],
    row: &Row,
    now: &str,
    exists: impl Fn(Target, i64) -> rusqlite::Result<bool>,
) -> Result<Vec<Value>, Refused> {
    let mut values = vec![Value::Null; noun.fields.len()];
    let mut attributes = Attributes::default();
    for column in columns {
        let given = row.get_ref(column.index)?;
        if given == ValueRef::Null {
            continue;
        }
        let value = match column.field.map(|at| noun.fields[at].kind) {
            None => None,
            Some(Kind::Id) => Some(Value::Int(id(noun, given)?)),
            Some(Kind::Reference(target)) => match whole(given) {
                Some(id) if exists(target, id)? => Some(Value::Int(id)),
                _ => None,
            },
            Some(kind @ (Kind::Text | Kind::Word | Kind::Email)) => {
                text(given).map(|(text, exact)| {
                    // Addresses stay as they stand, but for those that no filter would find: SQL's lower() knows ASCII alone.
                    let found = (kind == Kind::Email)
                        .then(|| record::email(&text))
                        .flatten();
                    let found = found.filter(|found| *found != text.to_ascii_lowercase());
                    if !exact || found.is_some() {
                        keep(&mut attributes, &column.name, given);
                    }
                    Value::Text(found.unwrap_or_else(|| text.into()))
                })
            }
            Some(Kind::Time | Kind::Stamp) => text(given)
                .and_then(|(text, _)| time::parse(&text))
                .map(Value::Text),
            Some(Kind::Attributes) => {
                let text = text(given).filter(|(_, exact)| *exact);
                let object = text.and_then(|(text, _)| Attributes::parse(&text).ok());
                if let Some(object) = &object {
                    attributes.merge(object);
                }
                object.map(|_| Value::Null)
            }
        };
        match (column.field, value) {
            (Some(at), Some(value)) if values[at] == Value::Null => values[at] = value,
            (Some(at), Some(value)) if values[at] == value => {}
            _ => keep(&mut attributes, &column.name, given),
        }
    }
    fill(noun, &mut values, now);
    for (value, field) in values.iter_mut().zip(noun.fields) {
        if field.kind == Kind::Attributes {
            *value = Value::Text(attributes.to_string());
        }
    }
    Ok(values)
}

/// Fills what may not be null and is.
fn fill(noun: &Noun, values: &mut [Value], now: &str) {
    let stamps = noun.fields.iter().zip(&*values);
    let mut stamps = stamps.filter(|(field, _)| field.kind == Kind::Stamp);
    // When it was made, or else when it was changed.
    let made = stamps.find_map(|(_, value)| value.text());
    let made = made.unwrap_or(now).to_string();
    for (value, field) in values.iter_mut().zip(noun.fields) {
        if *value == Value::Null {
            *value = match field.presence {
                Presence::Optional => Value::Null,
                Presence::Required => "".into(),
                Presence::Default(text) => text.into(),
                Presence::Now | Presence::Automatic => made.as_str().into(),
            };
        }
    }
}

/// Keeps a value that has no field, under the name of its column or, where the user's own fields have that, beside it.
fn keep(attributes: &mut Attributes, column: &str, given: ValueRef) {
    let json = json(given);
    let mut key = column.to_string();
    let mut number = 1;
    while let Some(there) = attributes.get(&key) {
        if there == json {
            return;
        }
        number += 1;
        key = format!("{column}-{number}");
    }
    attributes.set(&key, &json);
}

/// A value as JSON. Bytes that are no text, and text with a NUL, are `"hex:…"`.
fn json(given: ValueRef) -> String {
    match given {
        ValueRef::Real(real) if real.is_finite() => serde_json::Value::from(real).to_string(),
        ValueRef::Integer(int) => int.to_string(),
        _ => match (text(given), given) {
            (Some((text, true)), _) => serde_json::Value::from(text).to_string(),
            (_, ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("\"hex:{digits}\"")
            }
            _ => "null".into(),
        },
    }
}

/// A value as text, and whether that is all of it: where bytes are no UTF-8 or NUL, a sign stands for them. `None` for
/// null.
fn text(given: ValueRef<'_>) -> Option<(Cow<'_, str>, bool)> {
    match given {
        ValueRef::Null => None,
        ValueRef::Integer(int) => Some((int.to_string().into(), true)),
        ValueRef::Real(real) => Some((format!("{real:?}").into(), true)),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(text) if !text.contains('\0') => Some((text.into(), true)),
            text => Some((text.replace('\0', "\u{2400}").into(), false)),
        },
    }
}

/// A value as a whole number, if it is one: in a column of another type it may have become text or a real.
fn whole(given: ValueRef) -> Option<i64> {
    /// Up to here a double holds every whole number (IEEE 754, binary64).
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match given {
        ValueRef::Integer(int) => Some(int),
        ValueRef::Real(real) if real.fract() == 0.0 && real.abs() < EXACT => Some(real as i64),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes).ok()?;
            let int: i64 = text.parse().ok()?;
            (int.to_string() == text).then_some(int)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::types::Value as Sql;

    use super::super::schema::tests::Folder;
    use super::*;

    /// As documented.
    const DOCUMENTED: &str = "
        CREATE TABLE leads (id INTEGER PRIMARY KEY AUTOINCREMENT, email VARCHAR(255) NOT NULL UNIQUE, name VARCHAR(255),
            status VARCHAR(50) NOT NULL DEFAULT 'new', created_at DATETIME, updated_at DATETIME);
        CREATE INDEX leads_by_email ON leads (email);
        CREATE INDEX ix_leads_status ON leads (status);
        CREATE TABLE actions (id INTEGER PRIMARY KEY AUTOINCREMENT, lead_id INTEGER REFERENCES leads (id),
            action_type VARCHAR(50), description TEXT, created_at DATETIME, updated_at DATETIME);
        CREATE TABLE processes (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(255), description TEXT,
            status VARCHAR(50), created_at DATETIME, updated_at DATETIME);
        CREATE TABLE alembic_version (version_num VARCHAR(32));
        INSERT INTO alembic_version VALUES ('a1b2');
        INSERT INTO leads VALUES (1, 'Ada@Example.com', 'Ada', 'won', '2024-05-01 10:00:00.123456', '2024-05-02T12:00:00+02:00');
        INSERT INTO leads VALUES (4, 'not an address', NULL, '', '2024-05-01', NULL);
        INSERT INTO leads VALUES (9, 'gone@example.com', NULL, 'new', NULL, NULL);
        DELETE FROM leads WHERE id = 9;
        INSERT INTO actions VALUES (1, 4, 'call', 'Asked', '2024-05-03 08:00:00', '2024-05-03 08:00:00');
        INSERT INTO processes VALUES (2, 'Spring', 'All of them', NULL, NULL, '2024-05-04 08:00:00');
    ";

    /// With the columns that processes got, all of them nullable.
    const NULLABLE: &str = "
        CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT, name TEXT, status TEXT, created_at TEXT, updated_at TEXT);
        CREATE TABLE actions (id INTEGER PRIMARY KEY, lead_id INTEGER, action_type TEXT, details TEXT, description TEXT,
            created_at TEXT, updated_at TEXT);
        CREATE TABLE processes (id INTEGER PRIMARY KEY, name TEXT, lead_id INTEGER, channel TEXT, last_action_id INTEGER,
            next_followup_datetime TEXT, status TEXT, created_at TEXT, updated_at TEXT);
        INSERT INTO leads (id) VALUES (3);
        INSERT INTO actions VALUES (1, 3, NULL, 'Yes', 'No', '2024-01-01 00:00:00', '2024-01-01 00:00:00');
        INSERT INTO actions VALUES (2, 17, '', NULL, 'Old', '2024-01-01 00:00:00', '2024-01-01 00:00:00');
        INSERT INTO actions VALUES (5, 'nobody', '', 'Same', 'Same', '2024-01-01 00:00:00', '2024-01-01 00:00:00');
        INSERT INTO processes VALUES (1, NULL, 3, NULL, 2, '2026-01-01', NULL, '2024-01-01 00:00:00', '2024-01-01 00:00:00');
        INSERT INTO processes VALUES (2, 'P', 99, 'email', 77, 'soon', 'paused', 'once', '2024-01-01 00:00:00');
    ";

    /// With the columns that came last, in tables of other types.
    const LATER: &str = "
        CREATE TABLE Leads (ID INT PRIMARY KEY, Email, name, status, url, score REAL, visits INT, photo BLOB, attributes,
            created_at, updated_at);
        CREATE TABLE actions (id TEXT PRIMARY KEY, lead_id TEXT, action_type, timestamp, details) WITHOUT ROWID;
        CREATE TABLE processes (id INTEGER PRIMARY KEY, name, last_action_id REAL);
        INSERT INTO leads VALUES (2, 'a@example.com', 42, 1.5, 'http://a.de', 2.5, 9007199254740993, x'ff00',
            '{\"url\": \"mine\", \"n\": 1.10}', '2024-01-01 00:00:00', '2024-01-01 00:00:00');
        INSERT INTO leads VALUES (1, 'b' || char(0) || 'c', NULL, NULL, '', 9e999, NULL, CAST('text' AS BLOB),
            'none', '2024-01-01 00:00:00', '2024-01-01 00:00:00');
        INSERT INTO actions VALUES ('10', '2', 'mail', '2024-02-02T10:00:00Z', NULL), ('11', '02', 'mail', 1700000000, '');
        INSERT INTO processes VALUES (1, 'P', 10);
    ";

    /// All rows of all tables as text, times of the upgrade as `now`.
    fn dump(conn: &Connection) -> Vec<String> {
        let today = &time::now()[..10];
        let mut lines = Vec::new();
        for noun in NOUNS {
            let names: Vec<&str> = noun.fields.iter().map(|field| field.name).collect();
            let names = names.join(", ");
            let sql = format!("SELECT {names} FROM {} ORDER BY id", noun.plural);
            let mut rows = conn.prepare(&sql).unwrap();
            let count = rows.column_count();
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values = (0..count).map(|at| match row.get(at).unwrap() {
                    Sql::Null => "null".to_string(),
                    Sql::Integer(int) => int.to_string(),
                    Sql::Text(text) if text.starts_with(today) => "now".into(),
                    Sql::Text(text) => text,
                    other => format!("{other:?}"),
                });
                let values: Vec<String> = values.collect();
                lines.push(format!("{} {}", noun.name, values.join(" | ")));
            }
        }
        lines
    }

    #[test]
    fn the_documented_schema() {
        let folder = Folder::with(DOCUMENTED);
        let path = folder.path();
        let line = folder.prepare().unwrap().unwrap();
        let path = path.display();
        assert_eq!(
            line,
            format!(
                "{path}: brought up to date from the earlier service: 2 leads, 1 action, 1 process; \
                 the file as it was is kept as {path}.before-upgrade"
            )
        );
        let conn = folder.open();
        assert_eq!(
            dump(&conn),
            [
                "lead 1 | Ada@Example.com | Ada | won | {} | 2024-05-01 10:00:00 | 2024-05-02 10:00:00",
                "lead 4 | not an address | null |  | {} | 2024-05-01 00:00:00 | 2024-05-01 00:00:00",
                "action 1 | 4 | call | Asked | 2024-05-03 08:00:00 | {} | 2024-05-03 08:00:00 | 2024-05-03 08:00:00",
                "process 2 | Spring | null | null | null | null | active | {\"description\":\"All of them\"} | \
                 2024-05-04 08:00:00 | 2024-05-04 08:00:00",
            ]
        );
        let version: String = conn
            .query_one("SELECT version_num FROM alembic_version", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(version, "a1b2");
        // A lead 9 was given once.
        let next: i64 = conn
            .query_one(
                "INSERT INTO leads (email, status, attributes, created_at, updated_at) VALUES ('', '', '{}', '', '')
                 RETURNING id",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(next, 10);
    }

    #[test]
    fn the_variant_with_nullable_columns() {
        let folder = Folder::with(NULLABLE);
        folder.prepare().unwrap().unwrap();
        assert_eq!(
            dump(&folder.open()),
            [
                "lead 3 |  | null | new | {} | now | now",
                "action 1 | 3 |  | Yes | 2024-01-01 00:00:00 | {\"description\":\"No\"} | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
                "action 2 | null |  | Old | 2024-01-01 00:00:00 | {\"lead_id\":17} | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
                "action 5 | null |  | Same | 2024-01-01 00:00:00 | {\"lead_id\":\"nobody\"} | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
                "process 1 |  | 3 | null | 2 | 2026-01-01 00:00:00 | active | {} | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
                "process 2 | P | null | email | null | null | paused | \
                 {\"lead_id\":99,\"last_action_id\":77,\"next_followup_datetime\":\"soon\",\"created_at\":\"once\"} | \
                 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
            ]
        );
    }

    #[test]
    fn the_later_one_in_any_types() {
        let folder = Folder::with(LATER);
        folder.prepare().unwrap().unwrap();
        assert_eq!(
            dump(&folder.open()),
            [
                "lead 1 | b\u{2400}c | null | new | {\"attributes\":\"none\",\"Email\":\"hex:620063\",\"url\":\"\",\"score\":\"inf\",\
                 \"photo\":\"text\"} | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
                "lead 2 | a@example.com | 42 | 1.5 | {\"url\":\"mine\",\"n\":1.10,\"url-2\":\"http://a.de\",\"score\":2.5,\
                 \"visits\":9007199254740993,\"photo\":\"hex:ff00\"} | 2024-01-01 00:00:00 | 2024-01-01 00:00:00",
                "action 10 | 2 | mail | null | 2024-02-02 10:00:00 | {} | now | now",
                "action 11 | null | mail |  | now | {\"lead_id\":\"02\",\"timestamp\":1700000000} | now | now",
                "process 1 | P | null | null | 10 | null | active | {} | now | now",
            ]
        );
    }

    #[test]
    fn every_address_is_found_however_it_was_written() {
        let folder = Folder::with(
            "CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT);
            CREATE TABLE actions (id INTEGER PRIMARY KEY, action_type TEXT);
            CREATE TABLE processes (id INTEGER PRIMARY KEY, name TEXT);
            INSERT INTO leads VALUES (1, 'Ada@Example.com'), (2, 'JÖRG@example.com'), (3, ' bob@example.com ');",
        );
        folder.prepare().unwrap().unwrap();
        let leads = dump(&folder.open());
        assert!(
            leads[0].starts_with("lead 1 | Ada@Example.com | null | new | {} |"),
            "{leads:?}"
        );
        assert!(
            leads[1].contains("jörg@example.com | null | new | {\"email\":\"JÖRG@example.com\"}"),
            "{leads:?}"
        );
        assert!(
            leads[2].contains("bob@example.com | null | new | {\"email\":\" bob@example.com \"}"),
            "{leads:?}"
        );
    }

    #[test]
    fn the_copy_is_the_file_as_it_was() {
        for wal in [false, true] {
            let folder = Folder::with(DOCUMENTED);
            let other = folder.open();
            if wal {
                other.pragma_update(None, "journal_mode", "WAL").unwrap();
            }
            // In WAL mode, this is in the log alone while another connection is open.
            other
                .execute_batch("UPDATE leads SET name = 'Lovelace' WHERE id = 1")
                .unwrap();
            let old = |conn: &Connection| -> (i64, i64, String, String) {
                let sql = "SELECT count(*), max(id), max(name), (SELECT group_concat(name || sql) FROM sqlite_schema)
                    FROM leads";
                let row = conn.query_one(sql, [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                });
                row.unwrap()
            };
            let before = old(&other);
            assert_eq!(before.2, "Lovelace");
            let taken = [".before-upgrade", ".before-upgrade-2"].map(|suffix| {
                let name = format!("{}{suffix}", folder.path().display());
                fs::write(&name, "taken").unwrap();
                name
            });
            let line = folder.prepare().unwrap().unwrap();
            let copy = format!("{}.before-upgrade-3", folder.path().display());
            assert!(line.ends_with(&copy), "{line}");
            assert!(
                taken
                    .iter()
                    .all(|name| fs::read_to_string(name).unwrap() == "taken")
            );
            assert_eq!(old(&Connection::open(&copy).unwrap()), before);
            drop(other);
            assert_eq!(folder.files().len(), 4);
            let name: String = folder
                .open()
                .query_one("SELECT name FROM leads WHERE id = 1", [], |row| row.get(0))
                .unwrap();
            assert_eq!(name, "Lovelace");
        }
    }

    #[cfg(unix)]
    #[test]
    fn who_may_not_read_the_file_may_not_read_its_copy() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::with(DOCUMENTED);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o600)).unwrap();
        folder.prepare().unwrap().unwrap();
        let copy = fs::metadata(format!("{}.before-upgrade", folder.path().display())).unwrap();
        assert_eq!(copy.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_upgrade_that_fails_midway_leaves_the_file_as_it_was() {
        let tables = "CREATE TABLE leads (id, email); CREATE TABLE actions (id, action_type);
            CREATE TABLE processes (id, name); INSERT INTO leads VALUES (1, 'a');";
        for mode in ["", "PRAGMA journal_mode = WAL;"] {
            let with = |sql: &str| Folder::with(&format!("{mode} {tables} {sql}"));
            with("INSERT INTO processes VALUES (7, 'a'), (7, 'b')")
                .refused(&["processes has the id 7 twice"]);
            with("CREATE TABLE heartbeat (x)").refused(&["table heartbeat already exists"]);
            for (id, shown) in [
                ("NULL", "null"),
                ("0", "0"),
                ("-1", "-1"),
                ("1.5", "1.5"),
                ("'x'", "\"x\""),
            ] {
                with(&format!("INSERT INTO actions VALUES ({id}, 'call')")).refused(&[&format!(
                    "table actions has the id {shown}, expected a whole number"
                )]);
            }
        }
    }

    #[test]
    fn what_else_the_file_holds_is_left_alone() {
        let others = "PRAGMA foreign_keys = OFF;
            CREATE TABLE notes (id INTEGER PRIMARY KEY, lead_id INTEGER REFERENCES leads (id), text);
            CREATE INDEX notes_by_lead ON notes (lead_id);
            CREATE VIEW won AS SELECT id FROM leads WHERE status = 'won';
            CREATE VIEW broken AS SELECT * FROM gone;
            CREATE TABLE leads_before_upgrade (x);
            INSERT INTO notes VALUES (1, 1, 'a'), (2, 12345, 'b');";
        let own = "CREATE TRIGGER changed AFTER INSERT ON leads BEGIN DELETE FROM notes; END;
            CREATE INDEX leads_by_status ON leads (status, name);";
        let folder = Folder::with(&format!("{DOCUMENTED} {others} {own}"));
        let held = || -> Vec<String> {
            let conn = folder.open();
            let sql = "SELECT sql FROM sqlite_schema
                WHERE name IN ('notes', 'notes_by_lead', 'won', 'broken', 'leads_before_upgrade', 'alembic_version')
                UNION ALL SELECT text FROM notes UNION ALL SELECT id FROM won";
            let mut rows = conn.prepare(sql).unwrap();
            let rows = rows.query_map([], |row| row.get::<_, Sql>(0)).unwrap();
            rows.map(|value| format!("{:?}", value.unwrap())).collect()
        };
        let before = held();
        assert_eq!(before.len(), 9);
        folder.prepare().unwrap().unwrap();
        assert_eq!(held(), before);
        let sql =
            "SELECT count(*) FROM sqlite_schema WHERE name = 'changed' OR name LIKE '%_upgrade_'";
        let left: i64 = folder.open().query_one(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }

    fn any_sql() -> impl Strategy<Value = Sql> {
        prop_oneof![
            Just(Sql::Null),
            any::<i64>().prop_map(Sql::Integer),
            (-3_i64..9).prop_map(Sql::Integer),
            any::<f64>().prop_map(Sql::Real),
            ".*".prop_map(Sql::Text),
            "[\0-~]{0,9}".prop_map(Sql::Text),
            "2024-[01][0-9]-[0-3][0-9]( [0-2][0-9]:00:00)?".prop_map(Sql::Text),
            r#"\{("a":[1-9]|)\}"#.prop_map(Sql::Text),
            prop::collection::vec(any::<u8>(), 0..9).prop_map(Sql::Blob),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever an old row holds, it becomes a record that crm could have stored, and every value is in it.
        #[test]
        fn nothing_is_lost(rows in prop::collection::vec(prop::collection::vec(any_sql(), 10), 1..5)) {
            let names = ["lead_id", "action_type", "details", "description", "timestamp", "attributes", "created_at",
                "updated_at", "odd name", "url"];
            let folder = Folder::with(&format!(
                "CREATE TABLE leads (id, email); CREATE TABLE processes (id, name); INSERT INTO leads VALUES (1, 'a'), (2, 'b');
                 CREATE TABLE actions (id, \"{}\");",
                names.join("\", \"")
            ));
            let conn = folder.open();
            for (id, row) in (1_i64..).zip(&rows) {
                let mut insert = conn.prepare("INSERT INTO actions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").unwrap();
                insert.raw_bind_parameter(1, id).unwrap();
                for (place, value) in (2..).zip(row) {
                    insert.raw_bind_parameter(place, value).unwrap();
                }
                insert.raw_execute().unwrap();
            }
            drop(conn);
            folder.prepare().unwrap().unwrap();
            let conn = folder.open();
            let mut records = conn.prepare("SELECT * FROM actions ORDER BY id").unwrap();
            let mut records = records.query([]).unwrap();
            for row in &rows {
                let record = records.next().unwrap().unwrap();
                let attributes: String = record.get("attributes").unwrap();
                let kept = Attributes::parse(&attributes).unwrap();
                for stamp in ["timestamp", "created_at", "updated_at"] {
                    let stamp: String = record.get(stamp).unwrap();
                    prop_assert_eq!(time::parse(&stamp), Some(stamp));
                }
                for (name, value) in names.iter().zip(row) {
                    let given = ValueRef::from(value);
                    let field = if *name == "description" { "details" } else { *name };
                    let stored = record.get::<_, Sql>(field).unwrap_or(Sql::Null);
                    let in_field = match (&stored, text(given)) {
                        // SQLite has no NaN.
                        (_, None) => true,
                        _ if matches!(value, Sql::Real(real) if real.is_nan()) => true,
                        (Sql::Integer(id), _) => whole(given) == Some(*id),
                        (Sql::Text(stored), Some((text, exact))) => {
                            exact && (*stored == text || Some(stored) == time::parse(&text).as_ref())
                        }
                        _ => false,
                    };
                    let own = Attributes::parse(&text(given).unwrap_or_default().0);
                    let merged = *name == "attributes"
                        && own.is_ok_and(|own| own.get("a") == kept.get("a") && (own.is_empty() || own.get("a").is_some()));
                    let beside = (1..9).any(|number| {
                        let key = if number == 1 { name.to_string() } else { format!("{name}-{number}") };
                        kept.get(&key) == Some(&json(given))
                    });
                    prop_assert!(in_field || merged || beside, "{}: {:?} is lost, {} {:?}", name, value, attributes, stored);
                }
            }
            prop_assert!(records.next().unwrap().is_none());
        }
    }
}
