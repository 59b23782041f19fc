//! Whose file it is, and bringing it up to date.
//!
//! Two numbers in SQLite's header tell: `application_id` marks a file as crm's, `user_version` numbers its schema. A file
//! that has both as of today costs reading these two and nothing more, as every command opens it anew. All else is one
//! transaction: the schema of a new file, the missing steps of an older one, the upgrade of the earlier service's
//! ([`legacy`]). Whatever a first look finds is looked at again inside of that transaction, since another process may have
//! done the work meanwhile. A file that is refused is left as it was.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use rustix::fs::Access;
use rustix::io::Errno;

use super::place::Place;
use super::{legacy, part};
use crate::base::error::{Code, Error, Result, quoted};

/// The steps of the schema; after the first, `user_version` is 1. Append-only.
const SCHEMA: &[&str] = &[
    include_str!("../schema/0001_records.sql"),
    include_str!("../schema/0002_newest_of_a_status.sql"),
    include_str!("../schema/0003_versions_tokens_keys.sql"),
    include_str!("../schema/0004_versions_by_others.sql"),
];

/// `application_id` of crm's files: `crm` in ASCII.
const APPLICATION_ID: i32 = 0x0063_726d;

/// How long one process waits while another brings the same file up to date. A million rows took 14 s on two busy cores.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the file ready for use: gives an empty one its schema, brings an older one up to date, and refuses what is not
/// crm's. To be called on a fresh connection that may write, before anything else. `place` is where the file was before it
/// was opened.
///
/// Returns the line to tell the user where an older database was changed. Errors are [`Code::Failed`] with a sentence that
/// begins with the file; the file is then as it was before.
///
/// [`Code::Failed`]: crate::base::error::Code::Failed
pub(super) fn prepare(path: &Path, place: Place, conn: &mut Connection) -> Result<Option<String>> {
    prepare_with(path, place, conn, SCHEMA)
}

/// What a file is, if it is one that crm takes. Changes nothing.
pub(super) fn state(conn: &Connection) -> Result<State, Refused> {
    look(conn, SCHEMA)
}

/// An empty database in memory with the schema as it was after so many steps, to hold another against.
pub(super) fn model(steps: usize) -> rusqlite::Result<Connection> {
    let model = Connection::open_in_memory()?;
    apply(&model, &SCHEMA[..steps.min(SCHEMA.len())], 0)?;
    Ok(model)
}

/// The sentence for a file that SQLite could not open, read or write.
pub(super) fn unusable(path: &Path, error: &rusqlite::Error) -> Error {
    if is_half_written(error) {
        return Refused::Because(HALF_WRITTEN.into()).error(path);
    }
    if let Some(obstacle) = obstacle(path, error) {
        return obstacle;
    }
    let why = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => NO_DATABASE.into(),
        Some(ErrorCode::DatabaseCorrupt) => format!("is damaged, SQLite says: {}", reason(error)),
        Some(ErrorCode::CannotOpen) if path.is_dir() => {
            "is a folder, expected a database file".into()
        }
        Some(ErrorCode::CannotOpen) => {
            "cannot be opened; check that its folder exists and that you may write in it".into()
        }
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => NOT_WRITABLE.into(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "is being written by another program; try again in a moment".into()
        }
        Some(ErrorCode::DiskFull) => "cannot be written, the disk is full".into(),
        _ => format!("cannot be used, SQLite says: {}", reason(error)),
    };
    Refused::Because(why).error(path)
}

/// The least room for what SQLite keeps beside a database before anything is written: the index of the log, in one piece of
/// 32 KiB, and the beginning of the log.
const LEAST_ROOM: u64 = 64 * 1024;

/// What is in the way where SQLite could not open or make one of its files: it does not say which one, nor why.
fn obstacle(path: &Path, error: &rusqlite::Error) -> Option<Error> {
    let code = error.sqlite_error_code()?;
    let is_file = matches!(
        code,
        ErrorCode::CannotOpen
            | ErrorCode::DiskFull
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
    );
    if !is_file || path.is_dir() {
        return None;
    }
    let shown = path.display();
    // Any file tells, and this one is there.
    if let Err(error) = std::fs::File::open("/dev/null")
        && matches!(
            Errno::from_io_error(&error),
            Some(Errno::MFILE | Errno::NFILE)
        )
    {
        return Some(Error::failed(format!(
            "{shown}: cannot be opened, as crm may open no more files (ulimit -n)"
        )));
    }
    let sides = ["-wal", "-shm"].map(|side| part::with_end(path, side));
    let named = sides
        .each_ref()
        .map(|side| side.file_name().unwrap_or_default().to_string_lossy());
    let beside = named.join(" and ");
    let folder = part::folder_of(path);
    let files = std::iter::once(path).chain(sides.iter().map(|side| side.as_path()));
    for file in files.filter(|file| part::exists(file)) {
        if let Err(error) = rustix::fs::access(file, Access::READ_OK) {
            return Some(denied(file, "may not be read", error));
        }
        if rustix::fs::access(file, Access::WRITE_OK).is_err() {
            return Some(unwritable(file));
        }
    }
    let writable = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK);
    if let Err(error) = writable
        && folder.is_dir()
    {
        if error == Errno::ROFS {
            return Some(read_only(path));
        }
        return Some(Error::failed(format!(
            "{shown}: {beside} cannot be made beside it, as its folder may not be written to ({error}); give this \
             user the right to, or run crm as the folder's owner"
        )));
    }
    let is_full = rustix::fs::statvfs(folder).is_ok_and(|disk| {
        disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_ROOM
            || disk.f_files > 0 && disk.f_favail == 0
    });
    is_full.then(|| {
        let why = format!(
            "{shown}: the disk is full, {beside} find no room beside it; make room and try again"
        );
        Error::new(Code::Full, why)
    })
}

fn denied(file: &Path, what: &str, error: Errno) -> Error {
    Error::failed(format!(
        "{}: {what} ({error}); give this user the right to, or run crm as the file's owner",
        file.display()
    ))
}

/// The sentence for a file that is to be written to and cannot be.
pub(super) fn unwritable(file: &Path) -> Error {
    match rustix::fs::access(file, Access::WRITE_OK) {
        Err(Errno::ROFS) => read_only(file),
        Err(error) => denied(file, "may not be written to", error),
        Ok(()) => Refused::Because(NOT_WRITABLE.into()).error(file),
    }
}

/// No right helps there, and no owner.
fn read_only(file: &Path) -> Error {
    Error::failed(format!(
        "{}: {READ_ONLY}, expected one that can be written to",
        file.display()
    ))
}

/// Why nothing can be written to a database, as a part of a sentence.
pub(super) fn barrier(path: &Path) -> String {
    let written = rustix::fs::access(path, Access::WRITE_OK);
    let made = rustix::fs::access(part::folder_of(path), Access::WRITE_OK | Access::EXEC_OK);
    match (written, made) {
        (Err(Errno::ROFS), _) | (_, Err(Errno::ROFS)) => READ_ONLY.into(),
        (Err(error), _) => format!("this user may not write to it ({error})"),
        (_, Err(error)) => format!("its folder may not be written to ({error})"),
        (Ok(()), Ok(())) => "it cannot be written to".into(),
    }
}

const READ_ONLY: &str = "its file system is mounted read-only";

/// SQLite's own sentence; rusqlite's adds the whole SQL.
pub(super) fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

/// Whether a file could not be read as half a write would have to be undone first, and may not be written to.
fn is_half_written(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

const HALF_WRITTEN: &str = "a program has ended in the middle of a write to it, which the next command that may write to \
                            it undoes; try again after that";

const NO_DATABASE: &str = "is no SQLite database";

const NOT_WRITABLE: &str = "cannot be written; check its permissions and those of its folder";

/// Why a file was not taken.
#[derive(Debug)]
pub(super) enum Refused {
    /// SQLite's reason.
    Sql(rusqlite::Error),
    /// The end of a sentence that begins with the file.
    Because(String),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Refused {
        Refused::Sql(error)
    }
}

impl Refused {
    /// A reason in words.
    pub(super) fn because<T>(why: impl fmt::Display) -> Result<T, Refused> {
        Err(Refused::Because(why.to_string()))
    }

    pub(super) fn error(self, path: &Path) -> Error {
        match self {
            Refused::Sql(error) => unusable(path, &error),
            Refused::Because(why) => {
                // One line, whatever a path or SQLite's message holds.
                Error::failed(format!("{}: {why}", path.display()).replace(['\n', '\r'], " "))
            }
        }
    }
}

fn prepare_with(
    path: &Path,
    place: Place,
    conn: &mut Connection,
    schema: &[&str],
) -> Result<Option<String>> {
    // Whether a program ended without closing the file; its log may hold committed pages.
    let log = size(conn, "-wal") > 0;
    patiently(conn, |conn| bring_up(path, place, conn, schema)).map_err(|refused| {
        if log {
            // Closing would write the log into the file. Where this fails there is nothing to add to the refusal.
            let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        refused.error(path)
    })
}

/// The bytes of the database file, or of the one with this suffix beside it; 0 where there is none.
pub(super) fn size(conn: &Connection, suffix: &str) -> u64 {
    let file = conn.path().map(|file| format!("{file}{suffix}"));
    let file = file.and_then(|file| std::fs::metadata(file).ok());
    file.map_or(0, |file| file.len())
}

/// Runs `work` with a busy time-out that outlasts another process's upgrade.
fn patiently<T>(
    conn: &mut Connection,
    work: impl FnOnce(&mut Connection) -> Result<T, Refused>,
) -> Result<T, Refused> {
    let before: u32 = conn.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
    conn.busy_timeout(PATIENCE)?;
    let done = work(conn);
    conn.busy_timeout(Duration::from_millis(before.into()))?;
    done
}

fn bring_up(
    path: &Path,
    place: Place,
    conn: &mut Connection,
    schema: &[&str],
) -> Result<Option<String>, Refused> {
    // In a transaction, so that all is read from one state of the file.
    if look(&*conn.transaction()?, schema)? == State::Ready {
        return Ok(None);
    }
    if conn.is_readonly("main")? {
        return Refused::because(NOT_WRITABLE);
    }
    // Neither can be set inside of a transaction. References are checked before the commit instead, and a renamed table
    // shall not be followed by what else the file holds.
    let settings = [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
        (DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, true),
    ];
    let mut before = Vec::new();
    for (setting, during) in settings {
        before.push((setting, conn.db_config(setting)?));
        conn.set_db_config(setting, during)?;
    }
    let done = change(path, place, conn, schema);
    for (setting, value) in before {
        conn.set_db_config(setting, value)?;
    }
    done
}

/// What is to be done, in one transaction.
fn change(
    path: &Path,
    place: Place,
    conn: &mut Connection,
    schema: &[&str],
) -> Result<Option<String>, Refused> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !place.holds(path) {
        return Refused::because("is being replaced; try again in a moment");
    }
    match look(&tx, schema)? {
        State::Ready => Ok(None),
        State::Empty => {
            apply(&tx, schema, 0)?;
            tx.commit()?;
            Ok(None)
        }
        State::Older(version) => {
            let before = dangling(&tx)?;
            apply(&tx, schema, version)?;
            check_references(&tx, before)?;
            tx.commit()?;
            Ok(Some(format!(
                "{}: brought up to date from schema {version} to schema {}",
                path.display(),
                schema.len()
            )))
        }
        State::Earlier => {
            let upgraded = legacy::upgrade(path, &tx, |tx| apply(tx, schema, 0))?;
            check_references(&tx, 0)?;
            tx.commit()?;
            Ok(Some(upgraded.keep_copy()))
        }
    }
}

/// What a file is, if it is one that crm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// crm's, with the schema of today.
    Ready,
    /// Nothing is in it.
    Empty,
    /// crm's, with this many steps of the schema done.
    Older(usize),
    /// The earlier service's.
    Earlier,
}

fn look(conn: &Connection, schema: &[&str]) -> Result<State, Refused> {
    let mark: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let steps = usize::try_from(version).unwrap_or(0);
    if mark == APPLICATION_ID {
        return match steps {
            0 => Refused::because("is marked as crm's but has no schema; it is damaged"),
            _ if steps == schema.len() => Ok(State::Ready),
            _ if steps < schema.len() => Ok(State::Older(steps)),
            _ => newer(steps, schema),
        };
    }
    let tables = tables(conn)?;
    let earlier = legacy::recognise(conn)?;
    match (mark, version) {
        // SQLite takes a file of one byte for an empty one, and would write over it.
        (0, 0) if tables.is_empty() && size(conn, "") == 1 => Refused::because(NO_DATABASE),
        (0, 0) if tables.is_empty() => Ok(State::Empty),
        (0, 0) if earlier => Ok(State::Earlier),
        (0, _) if steps > schema.len() && (tables.is_empty() || earlier) => newer(steps, schema),
        _ => {
            let shown: Vec<String> = tables.iter().take(3).map(|name| quoted(name)).collect();
            let more = if tables.len() > 3 { ", …" } else { "" };
            let holds = match tables.is_empty() {
                true => "it is marked as such".into(),
                false => format!("it holds {}{more}", shown.join(", ")),
            };
            Refused::because(format!(
                "is another program's database ({holds}), expected one of crm's or a new file"
            ))
        }
    }
}

fn newer<T>(version: usize, schema: &[&str]) -> Result<T, Refused> {
    Refused::because(format!(
        "is from a newer crm (schema {version}, this crm knows up to {}); use that one",
        schema.len()
    ))
}

/// The tables, views and triggers in the file, but for SQLite's own.
fn tables(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names = conn.prepare(
        "SELECT name FROM sqlite_schema WHERE type <> 'index' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    names.query_map([], |row| row.get(0))?.collect()
}

/// Runs the steps of the schema after the first `done` ones, and marks the file.
fn apply(conn: &Connection, schema: &[&str], done: usize) -> rusqlite::Result<()> {
    for (version, sql) in (1_u32..).zip(schema).skip(done) {
        conn.execute_batch(sql)?;
        conn.pragma_update(None, "user_version", version)?;
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID)
}

/// How many references lead to no record. Those of other tables in the file are not crm's to judge.
fn dangling(conn: &Connection) -> rusqlite::Result<u64> {
    legacy::NOUNS.into_iter().try_fold(0, |sum, noun| {
        let sql = format!("PRAGMA foreign_key_check({})", noun.plural);
        let found = conn.prepare(&sql)?.query_map([], |_| Ok(()))?.count();
        Ok(sum + found as u64)
    })
}

/// Refuses records that refer to none and did not before: those that did can be repaired once the file is open.
fn check_references(conn: &Connection, before: u64) -> Result<(), Refused> {
    match dangling(conn)? > before {
        true => Refused::because(
            "cannot be brought up to date: records would refer to ones that are gone",
        ),
        false => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    use super::*;

    /// A folder for one database, `crm.db`.
    pub(in super::super) struct Folder {
        dir: tempfile::TempDir,
    }

    /// Every file with its content and when it was changed.
    pub(in super::super) type Files = BTreeMap<String, (Vec<u8>, SystemTime)>;

    impl Folder {
        pub(in super::super) fn new() -> Folder {
            let dir = tempfile::tempdir().unwrap();
            Folder { dir }
        }

        /// With a database that this SQL made.
        pub(in super::super) fn with(sql: &str) -> Folder {
            let folder = Folder::new();
            folder.open().execute_batch(sql).unwrap();
            folder
        }

        pub(in super::super) fn path(&self) -> std::path::PathBuf {
            self.dir.path().join("crm.db")
        }

        pub(in super::super) fn open(&self) -> Connection {
            let conn = Connection::open(self.path()).unwrap();
            conn.busy_timeout(Duration::from_secs(5)).unwrap();
            conn
        }

        /// As a command does: open, prepare, close.
        pub(in super::super) fn prepare(&self) -> Result<Option<String>> {
            let path = self.path();
            let mut conn = self.open();
            prepare(&path, Place::of(&path), &mut conn)
        }

        pub(in super::super) fn files(&self) -> Files {
            let entries = std::fs::read_dir(self.dir.path()).unwrap();
            entries
                .map(|entry| {
                    let entry = entry.unwrap();
                    let name = entry.file_name().into_string().unwrap();
                    let content = std::fs::read(entry.path()).unwrap();
                    (
                        name,
                        (content, entry.metadata().unwrap().modified().unwrap()),
                    )
                })
                .collect()
        }

        /// That the file is refused in one line with these words, and untouched.
        #[track_caller]
        pub(in super::super) fn refused(&self, words: &[&str]) {
            let before = self.files();
            let error = self.prepare().unwrap_err();
            assert_eq!(error.code, crate::base::error::Code::Failed);
            let start = format!("{}: ", self.path().display());
            assert!(error.message.starts_with(&start), "{error}");
            assert!(!error.message.contains('\n'), "{error}");
            for word in words {
                assert!(error.message.contains(word), "{error}");
            }
            let after = self.files();
            assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
            assert!(before == after, "{error}, but the file was changed");
        }
    }

    const EARLIER: &str = "CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT);
        CREATE TABLE actions (id INTEGER PRIMARY KEY, action_type TEXT);
        CREATE TABLE processes (id INTEGER PRIMARY KEY, name TEXT);";

    #[test]
    fn a_new_file_gets_the_schema_and_is_ready_from_then_on() {
        let folder = Folder::new();
        assert_eq!(folder.prepare(), Ok(None));
        let conn = folder.open();
        let read = |pragma: &str| -> i32 { conn.pragma_query_one(None, pragma).unwrap() };
        assert_eq!(read("application_id"), APPLICATION_ID);
        assert_eq!(read("user_version"), SCHEMA.len() as i32);
        for noun in legacy::NOUNS {
            let names: Vec<&str> = noun.fields.iter().map(|field| field.name).collect();
            let sql = format!("SELECT {} FROM {}", names.join(", "), noun.plural);
            assert!(!conn.prepare(&sql).unwrap().exists([]).unwrap());
        }
        drop(conn);
        let before = folder.files();
        assert_eq!(folder.prepare(), Ok(None));
        assert!(before == folder.files());
    }

    #[test]
    fn the_settings_of_the_connection_come_back() {
        for sql in ["", EARLIER, "CREATE TABLE other (x)"] {
            let folder = Folder::with(sql);
            let mut conn = folder.open();
            conn.busy_timeout(Duration::from_millis(1234)).unwrap();
            let _ = prepare(&folder.path(), Place::of(&folder.path()), &mut conn);
            let read = |pragma: &str| -> i32 { conn.pragma_query_one(None, pragma).unwrap() };
            assert_eq!(read("busy_timeout"), 1234);
            assert_eq!(read("foreign_keys"), 1);
            assert_eq!(read("legacy_alter_table"), 0);
            assert!(conn.is_autocommit());
        }
    }

    #[test]
    fn missing_steps_are_done_in_one_transaction() {
        let folder = Folder::new();
        assert_eq!(folder.prepare(), Ok(None));
        let add = "ALTER TABLE leads ADD COLUMN a TEXT; INSERT INTO leads VALUES
            (1, 'a@b.de', NULL, 'new', '{}', '', '', 1, 'x');";
        let more = "ALTER TABLE leads RENAME COLUMN a TO b";
        let run = |steps: &[&str]| {
            let (path, schema) = (folder.path(), [SCHEMA, steps].concat());
            prepare_with(&path, Place::of(&path), &mut folder.open(), &schema)
        };

        let before = folder.files()["crm.db"].0.clone();
        let error = run(&[add, "CREATE TABLE broken ("]).unwrap_err();
        assert!(
            error.message.ends_with("SQLite says: incomplete input"),
            "{error}"
        );
        let dangling = "INSERT INTO actions VALUES (1, 7, 'call', NULL, '', '{}', '', '', 1)";
        let error = run(&[add, dangling]).unwrap_err();
        assert!(error.message.contains("ones that are gone"), "{error}");
        assert!(before == folder.files()["crm.db"].0);
        // Those that were there before could not be repaired if they kept the file closed.
        let before = "PRAGMA foreign_keys = OFF;
            INSERT INTO actions VALUES (9, 7, 'call', NULL, '', '{}', '', '', 1)";
        folder.open().execute_batch(before).unwrap();

        let today = SCHEMA.len();
        let line = run(&[add, more]).unwrap().unwrap();
        assert!(
            line.ends_with(&format!("from schema {today} to schema {}", today + 2)),
            "{line}"
        );
        assert_eq!(run(&[add, more]), Ok(None));
        let conn = folder.open();
        let b: String = conn
            .query_one("SELECT b FROM leads", [], |row| row.get(0))
            .unwrap();
        assert_eq!(b, "x");
        drop(conn);
        folder.refused(&["newer", &format!("schema {}", today + 2)]);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = Folder::new();
        assert_eq!(folder.prepare(), Ok(None));
        folder
            .open()
            .pragma_update(None, "user_version", SCHEMA.len() as i32 + 1)
            .unwrap();
        folder.refused(&["newer"]);
        Folder::with(&format!("{EARLIER} PRAGMA user_version = 99;")).refused(&["newer"]);
        Folder::with("PRAGMA user_version = 99;").refused(&["newer"]);
        Folder::with("PRAGMA application_id = 6517357;").refused(&["damaged"]);
    }

    #[test]
    fn another_programs_database_is_refused() {
        Folder::with("CREATE TABLE a (x); CREATE VIEW \"b\nb\" AS SELECT 1; CREATE TABLE c (x); CREATE TABLE d (x);")
            .refused(&[r#"another program's database (it holds "a", "b\nb", "c", …)"#]);
        Folder::with("CREATE TABLE leads (id INTEGER PRIMARY KEY, email TEXT)").refused(&["leads"]);
        let without_mark = EARLIER.replace("action_type", "kind");
        Folder::with(&without_mark).refused(&["another program's"]);
        Folder::with(&format!("{EARLIER} PRAGMA application_id = 7;"))
            .refused(&["another program's"]);
        Folder::with(&format!("{EARLIER} PRAGMA user_version = 1;"))
            .refused(&["another program's"]);
        Folder::with("PRAGMA application_id = 7;").refused(&["another program's"]);
        Folder::with("PRAGMA journal_mode = WAL; CREATE TABLE a (x);").refused(&["\"a\""]);
    }

    /// A program that ended without closing its database leaves a log with the last pages.
    #[test]
    fn a_log_beside_another_programs_database_stays() {
        let made = Folder::with("PRAGMA journal_mode = WAL; CREATE TABLE a (x);");
        let writer = made.open();
        writer.execute_batch("INSERT INTO a VALUES (1)").unwrap();
        let folder = Folder::new();
        for file in ["crm.db", "crm.db-wal", "crm.db-shm"] {
            let (from, to) = (made.path(), folder.path());
            std::fs::copy(from.with_file_name(file), to.with_file_name(file)).unwrap();
        }
        let logged = |folder: &Folder| -> Vec<Vec<u8>> {
            let mut files = folder.files();
            ["crm.db", "crm.db-wal"]
                .map(|file| files.remove(file).unwrap().0)
                .into()
        };
        let before = logged(&folder);
        assert!(!before[1].is_empty());
        assert!(folder.prepare().is_err());
        assert!(before == logged(&folder));
    }

    #[test]
    fn what_is_no_database_is_refused() {
        for content in ["\n", "id,email\n1,a@b.de\n", &"x".repeat(9000)] {
            let folder = Folder::new();
            std::fs::write(folder.path(), content).unwrap();
            folder.refused(&["is no SQLite database"]);
        }
        let folder = Folder::new();
        std::fs::create_dir(folder.path()).unwrap();
        let error = Connection::open(folder.path()).unwrap_err();
        let error = unusable(&folder.path(), &error).message;
        assert!(
            error.ends_with("is a folder, expected a database file"),
            "{error}"
        );
        let missing = folder.path().join("missing/crm.db");
        let error = Connection::open(&missing).unwrap_err();
        let error = unusable(&missing, &error).message;
        assert!(error.contains("check that its folder exists"), "{error}");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
            INSERT INTO leads SELECT i, i || '@example.com' FROM n;";
        let sql = format!("{EARLIER} {rows}");
        // Cut off; a page in the middle overwritten; the schema overwritten.
        let damages: [fn(&mut Vec<u8>); 3] = [
            |bytes| bytes.truncate(bytes.len() / 2),
            |bytes| {
                let middle = bytes.len() / 8192 * 4096;
                bytes[middle..middle + 4096].fill(0);
            },
            |bytes| bytes[100..4096].fill(0xff),
        ];
        for damage in damages {
            let folder = Folder::with(&sql);
            let mut bytes = std::fs::read(folder.path()).unwrap();
            damage(&mut bytes);
            std::fs::write(folder.path(), bytes).unwrap();
            folder.refused(&["is damaged"]);
        }
    }

    #[test]
    fn a_file_that_may_not_be_written_is_refused_only_if_it_has_to_be() {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let folder = Folder::with(EARLIER);
        let before = folder.files();
        let mut conn = Connection::open_with_flags(folder.path(), flags).unwrap();
        let place = Place::of(&folder.path());
        let error = prepare(&folder.path(), place, &mut conn).unwrap_err();
        assert!(error.message.contains("check its permissions"), "{error}");
        drop(conn);
        assert!(before == folder.files());
        folder.prepare().unwrap();
        let mut conn = Connection::open_with_flags(folder.path(), flags).unwrap();
        let place = Place::of(&folder.path());
        assert_eq!(prepare(&folder.path(), place, &mut conn), Ok(None));
    }

    #[test]
    fn of_many_that_open_a_file_at_once_one_changes_it() {
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
            INSERT INTO leads SELECT i, i || '@example.com' FROM n;";
        for (sql, lines) in [
            (String::new(), 0),
            (format!("{EARLIER} {rows}"), 1),
            (format!("PRAGMA journal_mode = WAL; {EARLIER} {rows}"), 1),
        ] {
            let folder = Folder::with(&sql);
            let start = std::sync::Barrier::new(4);
            let done: Vec<Option<String>> = std::thread::scope(|scope| {
                let run = || {
                    let mut conn = folder.open();
                    start.wait();
                    prepare(&folder.path(), Place::of(&folder.path()), &mut conn).unwrap()
                };
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .collect()
            });
            assert_eq!(done.iter().flatten().count(), lines);
            assert_eq!(folder.prepare(), Ok(None));
            // Of four that close at once each may take another for the last, which is who removes the log.
            assert_eq!(folder.files().len(), 1 + lines);
        }
    }

    #[test]
    fn what_another_did_meanwhile_is_not_done_again() {
        let folder = Folder::with(EARLIER);
        folder.prepare().unwrap().unwrap();
        // As after a first look that still found the old tables.
        assert_eq!(
            change(
                &folder.path(),
                Place::of(&folder.path()),
                &mut folder.open(),
                SCHEMA
            )
            .unwrap(),
            None
        );
        assert_eq!(folder.files().len(), 2);
    }

    /// A new file's first transaction would otherwise write to a file that has no name any more, and its journal beside
    /// the one that took the name.
    #[test]
    fn a_file_that_is_another_by_now_is_not_changed() {
        let folder = Folder::new();
        let mut conn = folder.open();
        let place = Place::of(&folder.path());
        std::fs::write(folder.path().with_file_name("other"), "").unwrap();
        std::fs::rename(folder.path().with_file_name("other"), folder.path()).unwrap();
        let error = prepare(&folder.path(), place, &mut conn).unwrap_err();
        assert!(error.message.contains("being replaced"), "{error}");
        assert_eq!(folder.files().len(), 1);
        assert_eq!(folder.files()["crm.db"].0, b"");
    }
}
