//! Putting a backup in the place of a database.
//!
//! The new file is made beside the old one and is whole, checked and synced before the old one is touched. Then, under a lock
//! that nobody gets past:
//!
//! 1. The old database is made one plain file: its log is written into it and removed. A log that stayed would be replayed
//!    into the new file, as SQLite finds a log by its name.
//! 2. It gets a second name, under which it is kept.
//! 3. The new file takes the first name over, in one step.
//!
//! Each is on the disk before the next begins, so that whatever ends this leaves the old database or the new one under the
//! name. Where the old file is too damaged for SQLite to open it, its log and its journal are kept beside it as they are
//! and go before the third step: then there was no whole database to leave.
//!
//! What was written after the backup is gone, and what is written after the restore must not be taken for it: every record
//! gets a version that none has had ([`renumber`]), and no id is given again that the old database has given ([`Old::spare_ids`]).
//!
//! Who has a database open keeps a lock on it, and step 1 fails. Who opened it but has no lock yet finds out afterwards that
//! it has moved ([`place`]).

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use rustix::fs::FlockOperation;

use super::backup::{self, Content, Stage, because};
use super::part::{self, BEFORE_UPGRADE, Part, belongs_to, exists, failed, unusable, with_end};
use super::place::{self, Place};
use super::schema::{self, State};
use super::stop;
use crate::base::error::{Code, Error, Result};

/// What is copied at once, in bytes.
const BLOCK: usize = 1 << 20;

/// How long a command that has the database open is waited for. A server never lets go of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two looks at whether it is still open.
const NAP: Duration = Duration::from_millis(5);

/// Where an old database is kept: its name, this, and from the second on a number.
const KEPT: &str = ".before-restore";

/// What came of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the database holds now.
    pub content: Content,
    /// Where what was there is kept; `None` where there was nothing.
    pub kept: Option<PathBuf>,
    /// Whether the records were brought up to date from an older schema.
    pub upgraded: bool,
    /// What is to be told of its tokens: a line each.
    pub warnings: Vec<String>,
}

/// Puts the backup `file` in the place of the database at `path`, which need not exist. `file` stays as it is. `watch` is
/// told how far it is.
///
/// Errors are [`Code::Conflict`] where a program has one of the two open, [`Code::Full`] for a full disk, and
/// [`Code::Failed`] for all else, a damaged backup among it; then all is as it was.
pub fn restore(path: &Path, file: &Path, watch: &mut dyn FnMut(Stage)) -> Result<Restored> {
    restore_with(path, file, watch, &mut |_| {})
}

/// The steps of the exchange, for tests that look at what an end right after each would leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The new file is whole under its own name, the old one is locked.
    Ready,
    /// The old one has its second name.
    Kept,
    /// Nothing is beside it any more.
    Cleared,
    /// The new one has the name.
    Placed,
}

fn restore_with(
    path: &Path,
    file: &Path,
    watch: &mut dyn FnMut(Stage),
    step: &mut dyn FnMut(Step),
) -> Result<Restored> {
    // SQLite follows a link to a database, and keeps its log beside the file.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.into());
    if belongs_to(file, path) {
        return Err(Error::invalid(format!(
            "{}: is the database itself, expected a backup of it",
            file.display()
        )));
    }
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(because(path, "is no ordinary file, expected a database"));
    }
    let source = Source::open(file)?;
    let name = path.file_name().map(|name| name.to_string_lossy());
    part::sweep(path, |of| name.as_deref() == Some(of));
    let before = fs::metadata(path).ok();
    let mode = before.as_ref().map_or(source.mode | 0o600, |_| 0o600);
    let mut part = Part::beside(path, mode)?;
    source.copy(&part, watch)?;
    watch(Stage::Checking);
    let (new, content, upgraded) = bring_up(&part, file)?;
    if let Some(before) = before {
        // Whoever could use the old one can use the new one.
        let same_owner = (before.uid(), before.gid());
        let now = part.file.metadata().map(|new| (new.uid(), new.gid()));
        let given = now.and_then(|now| match now == same_owner {
            true => Ok(()),
            false => std::os::unix::fs::fchown(&part.file, Some(before.uid()), Some(before.gid())),
        });
        given
            .and_then(|()| {
                let mode = fs::Permissions::from_mode(before.permissions().mode() & 0o777);
                part.file.set_permissions(mode)
            })
            .map_err(|error| failed(path, "cannot give its owner to the new file", &error))?;
    }
    // Last: what is wrong with the backup is told whoever has the database open.
    let old = Old::lock(path)?;
    old.spare_ids(&new)
        .map_err(|error| unusable(path, &error))?;
    part.file
        .sync_all()
        .map_err(|error| failed(path, "the new file cannot be written", &error))?;
    let warnings = old.tokens_beside(&new);
    step(Step::Ready);
    let kept = exchange(&mut part, path, &old, step)?;
    // The locks end here, first that of the old file.
    drop(old);
    drop(new);
    Ok(Restored {
        content,
        kept,
        upgraded,
        warnings,
    })
}

/// The backup, which is read like any other file: SQLite would write beside it.
struct Source<'a> {
    path: &'a Path,
    main: File,
    /// Those beside it that are part of it, with their ends.
    beside: Vec<(&'static str, File)>,
    size: u64,
    mode: u32,
}

impl Source<'_> {
    fn open(path: &Path) -> Result<Source<'_>> {
        let refuse = |error| failed(path, "expected a backup that can be read", &error);
        // Looked at before it is opened, as opening a pipe waits for somebody to write into it.
        let found = fs::metadata(path).map_err(refuse)?;
        if !found.is_file() {
            return Err(because(path, "is no file, expected a backup"));
        }
        if let Some(database) = part::owner(path) {
            let why = format!(
                "belongs to the database {}, expected a backup",
                database.display()
            );
            return Err(because(path, why));
        }
        let main = File::open(path).map_err(refuse)?;
        let mut size = found.len();
        let mut beside = Vec::new();
        for side in live_sides(path) {
            let side_path = with_end(path, side);
            let file = File::open(&side_path)
                .map_err(|error| failed(&side_path, "cannot be read", &error))?;
            size += file.metadata().map_or(0, |file| file.len());
            beside.push((side, file));
        }
        let source = Source {
            path,
            main,
            beside,
            size,
            mode: found.permissions().mode() & 0o666,
        };
        source.unused()?;
        Ok(source)
    }

    /// A database that is being written cannot be copied like any other file.
    fn unused(&self) -> Result<()> {
        match part::is_locked(&self.main) {
            false => Ok(()),
            true => Err(Error::new(
                Code::Conflict,
                format!(
                    "{}: is a database that is in use; back it up with `crm backup` and restore that",
                    self.path.display()
                ),
            )),
        }
    }

    fn copy(&self, part: &Part, watch: &mut dyn FnMut(Stage)) -> Result<()> {
        let mut done = 0;
        let mut copy = |from: &File, mut to: &File| -> Result<()> {
            let read = |error| failed(self.path, "cannot be read", &error);
            let written = |error| failed(&part.target, "the new file cannot be written", &error);
            let mut block = vec![0; BLOCK];
            let mut from = from;
            loop {
                let length = match from.read(&mut block) {
                    Ok(0) => return Ok(()),
                    Ok(length) => length,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(read(error)),
                };
                if stop::asked() {
                    return Err(Error::new(Code::Unavailable, "was stopped"));
                }
                to.write_all(&block[..length]).map_err(written)?;
                done += length as u64;
                watch(Stage::Copied {
                    done,
                    of: self.size,
                });
            }
        };
        copy(&self.main, &part.file)?;
        for (side, from) in &self.beside {
            let path = with_end(&part.path, side);
            let to = File::create_new(&path)
                .and_then(|to| {
                    let narrow = fs::Permissions::from_mode(0o600);
                    to.set_permissions(narrow).map(|()| to)
                })
                .map_err(|error| failed(&path, "cannot be made", &error))?;
            copy(from, &to)?;
        }
        // Who began to use it meanwhile has changed it, or has not.
        self.unused()
    }
}

/// The ends of those files beside a database without which it is not whole.
pub(super) fn live_sides(path: &Path) -> Vec<&'static str> {
    let live = |side: &&str| {
        let Ok(mut file) = File::open(with_end(path, side)) else {
            return false;
        };
        // SQLite zeroes the start of a journal that is done with, and a log that is empty is none.
        let mut first = [0];
        let any = file.read(&mut first).is_ok_and(|read| read == 1);
        any && (*side == "-wal" || first != [0])
    };
    ["-wal", "-journal"].into_iter().filter(live).collect()
}

/// Opens the copy of the backup, brings it up to date, looks it through and makes it one plain file. Answers a connection that
/// keeps others from it.
fn bring_up(part: &Part, file: &Path) -> Result<(Connection, Content, bool)> {
    let refuse = |error: rusqlite::Error| unusable(file, &error);
    let mut new = part.connect().map_err(refuse)?;
    let state = schema::state(&new).map_err(|refused| refused.error(file))?;
    if state == State::Empty {
        return Err(because(file, "is empty, expected a backup of crm's"));
    }
    let prepared = schema::prepare(&part.path, Place::of(&part.path), &mut new);
    // The backup itself is such a copy.
    let _ = fs::remove_file(with_end(&part.path, BEFORE_UPGRADE));
    let notice = prepared.map_err(|mut error| {
        let (part, file) = (part.path.display(), file.display());
        error.message = error.message.replace(&part.to_string(), &file.to_string());
        error
    })?;
    new.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))
        .and_then(|()| new.execute_batch("BEGIN EXCLUSIVE; COMMIT"))
        .map_err(refuse)?;
    let content = backup::finish(part, &new, State::Ready, file, |finding| {
        let why = format!(
            "is damaged ({}: {}); nothing was restored",
            finding.kind, finding.what
        );
        because(file, why)
    })?;
    renumber(&new).map_err(|error| unusable(&part.target, &error))?;
    Ok((new, content, notice.is_some()))
}

/// Moves all versions on by a number that is hardly drawn twice, so that an ETag from after the backup, which is gone now,
/// is none of those that its record will have.
fn renumber(new: &Connection) -> rusqlite::Result<()> {
    // 2^32 to 2^48, so that there is room for thousands of restores and for the changes between them.
    let jump = "SELECT 4294967296 + abs(random() % 281470681743360)";
    let jump: i64 = new.query_row(jump, [], |row| row.get(0))?;
    unjournaled(new, || {
        for noun in crate::model::nouns::NOUNS {
            let sql = format!("UPDATE {} SET version = version + ?1", noun.plural);
            new.execute(&sql, [jump])?;
        }
        // The answers that are kept name the versions of their records.
        let kept = "UPDATE crm_idempotency_keys SET version = version + ?1 WHERE version > 0";
        new.execute(kept, [jump])?;
        Ok(())
    })
}

/// Changes a database that has no name yet: an end in the middle leaves a file that nobody takes for one.
fn unjournaled(
    new: &Connection,
    change: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    new.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(()))?;
    new.execute_batch("BEGIN")?;
    change()?;
    new.execute_batch("COMMIT")?;
    new.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

fn in_use(path: &Path) -> Error {
    Error::new(
        Code::Conflict,
        format!(
            "{}: is in use by a server or another program; stop it, then restore",
            path.display()
        ),
    )
}

/// What is in the place of the new file, and the lock on it.
enum Old {
    Nothing,
    /// One plain file that holds all of it. The lock is the connection's.
    Database(Connection),
    /// SQLite cannot open it. The lock is that of the whole file, with which SQLite's locks collide.
    Damaged(#[expect(dead_code, reason = "its lock is all that is wanted")] File),
}

impl Old {
    fn lock(path: &Path) -> Result<Old> {
        place::settled(path, |_| {
            if !exists(path) {
                return Ok(Old::Nothing);
            }
            let start = Instant::now();
            let locked = loop {
                match plain(path) {
                    Err(error) if is_busy(&error) && start.elapsed() < PATIENCE => {
                        std::thread::sleep(NAP);
                    }
                    locked => break locked,
                }
            };
            match locked {
                Ok(connection) => Ok(Old::Database(connection)),
                Err(error) if is_busy(&error) => Err(in_use(path)),
                Err(error) => match error.sqlite_error_code() {
                    Some(
                        ErrorCode::DiskFull
                        | ErrorCode::ReadOnly
                        | ErrorCode::PermissionDenied
                        | ErrorCode::CannotOpen,
                    ) => Err(unusable(path, &error)),
                    _ => Old::damaged(path),
                },
            }
        })
    }

    /// Keeps the new database from giving an id again that this one has given.
    fn spare_ids(&self, new: &Connection) -> rusqlite::Result<()> {
        let Old::Database(old) = self else {
            return Ok(());
        };
        let given = |old: &Connection| {
            let mut all = old.prepare("SELECT name, seq FROM sqlite_sequence")?;
            let all = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            all.collect::<rusqlite::Result<Vec<(String, i64)>>>()
        };
        // One of another program, or of none, has given nothing that counts.
        let given = match schema::state(old) {
            Ok(State::Ready | State::Older(_) | State::Earlier) => given(old).unwrap_or_default(),
            _ => return Ok(()),
        };
        let ours = schema::model(usize::MAX)?;
        let is_ours = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        unjournaled(new, || {
            for (table, last) in given {
                if ours.query_row(is_ours, [&table], |row| row.get::<_, i64>(0))? == 0 {
                    continue;
                }
                let forward = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
                if new.execute(forward, params![table, last])? == 0 {
                    let begin = "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";
                    new.execute(begin, params![table, last])?;
                }
            }
            Ok(())
        })
    }

    /// Whom a service lets in over the new database that it did not let in over this one.
    fn tokens_beside(&self, new: &Connection) -> Vec<String> {
        let tokens = |of: &Connection| {
            let mut all = of.prepare("SELECT hash, name FROM crm_tokens ORDER BY name")?;
            let all = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            all.collect::<rusqlite::Result<Vec<(String, String)>>>()
        };
        let Old::Database(old) = self else {
            return Vec::new();
        };
        // A database of before there were tokens has none.
        let (before, now) = (
            tokens(old).unwrap_or_default(),
            tokens(new).unwrap_or_default(),
        );
        if now.is_empty() && !before.is_empty() {
            let open = "the backup has no token: a service over this database is open to everybody who reaches it";
            return vec![open.into()];
        }
        let is_new = |token: &&(String, String)| !before.iter().any(|known| known.0 == token.0);
        let names: Vec<&str> = now
            .iter()
            .filter(is_new)
            .map(|(_, name)| name.as_str())
            .collect();
        match names.is_empty() {
            true => Vec::new(),
            false => vec![format!(
                "valid now, as in the backup, and not before: {}; revoke what shall not be",
                names.join(", ")
            )],
        }
    }

    fn damaged(path: &Path) -> Result<Old> {
        let file = File::options().read(true).write(true).open(path);
        let file = file.map_err(|error| failed(path, "cannot be replaced", &error))?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Old::Damaged(file)),
            Err(_) => Err(in_use(path)),
        }
    }
}

/// Writes the log of a database into it, or rolls back what its journal says, and keeps all others from it. Fails as busy
/// where somebody has it open.
fn plain(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = Connection::open_with_flags(path, flags)?;
    // Waiting is the caller's: SQLite does not do it for all of these locks.
    old.busy_timeout(Duration::ZERO)?;
    // Where the file is damaged the log is to stay as it is, which closing would write into the file or throw away.
    old.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    old.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    old.execute_batch("PRAGMA synchronous = FULL")?;
    let mode: String = old.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    if mode != "delete" {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, None));
    }
    old.execute_batch("BEGIN EXCLUSIVE")?;
    Ok(old)
}

/// Gives the new file the name of the old one, and answers under which one the old one is kept.
fn exchange(
    part: &mut Part,
    path: &Path,
    old: &Old,
    step: &mut dyn FnMut(Step),
) -> Result<Option<PathBuf>> {
    let sides = live_sides(path);
    let kept = Kept::make(path, &sides)?;
    step(Step::Kept);
    let placed = (|| {
        part::sync_folder(path)?;
        for side in part::SIDES {
            let side = with_end(path, side);
            if let Err(error) = fs::remove_file(&side)
                && error.kind() != ErrorKind::NotFound
            {
                return Err(failed(&side, "cannot be moved out of the way", &error));
            }
        }
        part::sync_folder(path)?;
        step(Step::Cleared);
        part.place(!matches!(old, Old::Nothing))
    })();
    match placed {
        Ok(()) => {
            step(Step::Placed);
            Ok(kept.path)
        }
        Err(error) => {
            kept.undo(path, &sides);
            Err(error)
        }
    }
}

/// The second names of an old database and of what is beside it.
struct Kept {
    /// `None` where there was nothing to keep.
    path: Option<PathBuf>,
    made: Vec<PathBuf>,
}

impl Kept {
    fn make(path: &Path, sides: &[&str]) -> Result<Kept> {
        let main = exists(path);
        let mut kept = Kept {
            path: None,
            made: Vec::new(),
        };
        if !main && sides.is_empty() {
            return Ok(kept);
        }
        let ends = || main.then_some("").into_iter().chain(sides.iter().copied());
        let mut number = 1;
        let name = loop {
            let name = match number {
                1 => with_end(path, KEPT),
                number => with_end(path, &format!("{KEPT}-{number}")),
            };
            // One that a restore made which ended right after it is ours: it is the same file.
            let free = ends().all(|end| {
                let (from, to) = (with_end(path, end), with_end(&name, end));
                !exists(&to) || Place::same(&from, &to)
            });
            match free && (main || !exists(&name)) {
                true => break name,
                false => number += 1,
            }
        };
        for end in ends() {
            let (from, to) = (with_end(path, end), with_end(&name, end));
            if Place::same(&from, &to) {
                continue;
            }
            if let Err(error) = fs::hard_link(&from, &to) {
                kept.undo(path, &[]);
                let what = format!(
                    "nothing was restored, as it cannot be kept as {}",
                    to.display()
                );
                return Err(failed(&from, &what, &error));
            }
            kept.made.push(to);
        }
        kept.path = Some(name);
        Ok(kept)
    }

    /// As it was before. Where that fails too, what was there still is under its second name.
    fn undo(&self, path: &Path, sides: &[&str]) {
        for side in sides {
            if let Some(name) = &self.path {
                let _ = fs::hard_link(with_end(name, side), with_end(path, side));
            }
        }
        for made in &self.made {
            let _ = fs::remove_file(made);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{Sqlite, Work};
    use std::process::Command;
    use tempfile::TempDir;

    /// A folder with a backup of one lead, `new@example.com`.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        database(&folder.path().join("backup.db"), "new@example.com");
        folder
    }

    fn database(path: &Path, email: &str) {
        drop(Sqlite::open(path, Work::Command).unwrap());
        let conn = Connection::open(path).unwrap();
        insert(&conn, email);
        conn.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
            .unwrap();
    }

    fn insert(conn: &Connection, email: &str) {
        let sql = "INSERT INTO leads (email, status, attributes, created_at, updated_at)
                   VALUES (?1, 'new', '{}', '2026-01-31 09:30:00', '2026-01-31 09:30:00')";
        conn.execute(sql, [email]).unwrap();
    }

    /// The addresses of the leads, as a command finds them: the first thing it does is what would replay a log.
    fn emails(path: &Path) -> Vec<String> {
        drop(Sqlite::open(path, Work::Command).unwrap());
        let conn = Connection::open(path).unwrap();
        let whole: String = conn
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(whole, "ok");
        let mut emails = conn.prepare("SELECT email FROM leads ORDER BY id").unwrap();
        let emails = emails.query_map([], |row| row.get(0)).unwrap();
        emails.collect::<rusqlite::Result<_>>().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A copy of a folder as it is at this moment, its links kept: by another process, as closing a file ends its locks.
    fn copy(folder: &Path) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        let from = format!("{}/.", folder.display());
        let done = Command::new("cp")
            .arg("-a")
            .arg(from)
            .arg(copy.path())
            .status();
        assert!(done.unwrap().success());
        copy
    }

    /// What a kill right after each step would leave.
    fn at_each_step(folder: &Path) -> Vec<(Step, TempDir)> {
        let mut left = Vec::new();
        let (path, backup) = (folder.join("crm.db"), folder.join("backup.db"));
        let mut look = |step| left.push((step, copy(folder)));
        restore_with(&path, &backup, &mut |_| {}, &mut look).unwrap();
        let steps: Vec<Step> = left.iter().map(|(step, _)| *step).collect();
        assert_eq!(
            steps,
            [Step::Ready, Step::Kept, Step::Cleared, Step::Placed]
        );
        left
    }

    /// A database that a program left without closing it: its last lead is in the log alone.
    fn crashed(folder: &Path) {
        let made = tempfile::tempdir().unwrap();
        let path = made.path().join("crm.db");
        database(&path, "old@example.com");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0")
            .unwrap();
        insert(&conn, "logged@example.com");
        for file in ["crm.db", "crm.db-wal", "crm.db-shm"] {
            fs::copy(made.path().join(file), folder.join(file)).unwrap();
        }
        drop(conn);
    }

    #[test]
    fn a_kill_at_any_step_leaves_the_old_database_or_the_new_one() {
        let folder = folder();
        crashed(folder.path());
        let (old, new) = (
            ["old@example.com", "logged@example.com"],
            ["new@example.com"],
        );
        for (step, left) in at_each_step(folder.path()) {
            let path = left.path().join("crm.db");
            let found = emails(&path);
            match step {
                Step::Placed => assert_eq!(found, new),
                _ => assert_eq!(found, old, "{step:?}"),
            }
            // The next restore finds its way from there, keeps what there was, and leaves nothing of the one before.
            restore(&path, &left.path().join("backup.db"), &mut |_| {}).unwrap();
            assert_eq!(emails(&path), new, "{step:?}");
            let kept = left.path().join("crm.db.before-restore");
            assert_eq!(emails(&kept), old, "{step:?}");
            let mut expected = vec!["backup.db", "crm.db", "crm.db.before-restore"];
            if step == Step::Placed {
                expected.push("crm.db.before-restore-2");
            }
            assert_eq!(names(left.path()), expected, "{step:?}");
            assert!(!Place::same(&path, &kept), "{step:?}");
        }
        assert_eq!(emails(&folder.path().join("crm.db")), new);
    }

    #[test]
    fn a_damaged_database_is_kept_with_its_log() {
        let folder = folder();
        crashed(folder.path());
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        // The first page is in neither of the two any more.
        fs::write(folder.path().join("crm.db"), "x".repeat(5_000)).unwrap();
        let mut log = read("crm.db-wal");
        log[..32].fill(b'y');
        fs::write(folder.path().join("crm.db-wal"), &log).unwrap();
        for (step, left) in at_each_step(folder.path()) {
            let path = left.path().join("crm.db");
            restore(&path, &left.path().join("backup.db"), &mut |_| {}).unwrap();
            assert_eq!(emails(&path), ["new@example.com"], "{step:?}");
            let kept = |end: &str| {
                let name = format!("crm.db.before-restore{end}");
                fs::read(left.path().join(name)).unwrap()
            };
            assert_eq!(kept(""), "x".repeat(5_000).as_bytes(), "{step:?}");
            assert!(kept("-wal") == log, "{step:?}");
            assert!(!Place::same(
                &path,
                &left.path().join("crm.db.before-restore")
            ));
        }
    }

    /// Somebody removed a database and forgot its log, which SQLite would replay into whatever gets the name.
    #[test]
    fn a_log_without_its_database_is_moved_out_of_the_way() {
        let folder = folder();
        crashed(folder.path());
        fs::remove_file(folder.path().join("crm.db")).unwrap();
        for (step, left) in at_each_step(folder.path()) {
            let path = left.path().join("crm.db");
            assert_eq!(path.exists(), step == Step::Placed, "{step:?}");
            if step == Step::Placed {
                assert_eq!(emails(&path), ["new@example.com"]);
            }
            restore(&path, &left.path().join("backup.db"), &mut |_| {}).unwrap();
            assert_eq!(emails(&path), ["new@example.com"], "{step:?}");
            assert!(left.path().join("crm.db.before-restore-wal").exists());
        }
    }

    #[test]
    fn a_journal_of_the_old_database_does_not_meet_the_new_one() {
        let folder = folder();
        let made = tempfile::tempdir().unwrap();
        let path = made.path().join("crm.db");
        database(&path, "old@example.com");
        // A transaction that a kill cut off, with pages in the file already: only the journal knows what was there.
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("PRAGMA cache_size = 1; BEGIN").unwrap();
        for number in 0..500 {
            insert(&conn, &format!("unfinished-{number}@example.com"));
        }
        for file in ["crm.db", "crm.db-journal"] {
            fs::copy(made.path().join(file), folder.path().join(file)).unwrap();
        }
        drop(conn);
        assert!(!live_sides(&folder.path().join("crm.db")).is_empty());
        let (path, backup) = (
            folder.path().join("crm.db"),
            folder.path().join("backup.db"),
        );
        let kept = restore(&path, &backup, &mut |_| {}).unwrap().kept.unwrap();
        assert_eq!(emails(&path), ["new@example.com"]);
        assert_eq!(emails(&kept), ["old@example.com"]);
    }

    #[test]
    fn what_fails_in_the_middle_is_undone() {
        let folder = folder();
        crashed(folder.path());
        let path = folder.path().join("crm.db");
        fs::write(&path, "x".repeat(5_000)).unwrap();
        let log = folder.path().join("crm.db-wal");
        fs::write(&log, "y".repeat(5_000)).unwrap();
        let mut part = Part::beside(&path, 0o600).unwrap();
        // It cannot be given its name.
        fs::remove_file(&part.path).unwrap();
        let old = Old::lock(&path).unwrap();
        assert!(matches!(old, Old::Damaged(_)));
        assert!(exchange(&mut part, &path, &old, &mut |_| {}).is_err());
        drop((part, old));
        assert_eq!(names(folder.path()), ["backup.db", "crm.db", "crm.db-wal"]);
        assert_eq!(fs::read(log).unwrap(), "y".repeat(5_000).as_bytes());
    }

    #[test]
    fn a_part_that_was_left_over_is_removed() {
        let folder = folder();
        let path = folder.path().join("crm.db");
        let other = folder.path().join("other.db.part-0123456789abcdef");
        let odd = folder.path().join("crm.db.part-1");
        let left = folder.path().join("crm.db.part-0123456789abcdef");
        for file in [&other, &odd, &left, &with_end(&left, "-journal")] {
            fs::write(file, "left over").unwrap();
        }
        part::sweep(&path, |of| of == "crm.db");
        assert_eq!(
            names(folder.path()),
            [
                "backup.db",
                "crm.db.part-1",
                "other.db.part-0123456789abcdef"
            ]
        );
    }
}
