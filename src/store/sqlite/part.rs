//! A file that is being made beside the one it is to become.
//!
//! It has a name of its own, which nobody else makes: `crm.db.part-` and 16 hexadecimal digits. As long as it is being made
//! its maker holds a lock on it, which ends with the process however that ends; so whoever finds one without a lock knows
//! that it was left over, and removes it, with the lock in its own hands. The maker of a new one looks whether it is still
//! there once it has its lock.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, FlockOperation, RenameFlags};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType};

use super::place::Place;
use super::{PATIENCE, set_up};
use crate::base::error::{Code, Error, Result};

/// What SQLite keeps beside a database, by the ends of the names.
pub(super) const SIDES: [&str; 3] = ["-wal", "-journal", "-shm"];

/// What an upgrade keeps beside a database.
pub(super) const BEFORE_UPGRADE: &str = ".before-upgrade";

/// Between the name of a file and the digits of its part.
const MARK: &str = ".part-";

/// Digits of a part's name.
const DIGITS: usize = 16;

/// A file that is being made. What is left of it is removed when it is dropped; drop its connections before.
pub(super) struct Part {
    /// Its own name.
    pub(super) path: PathBuf,
    /// The name it is to have.
    pub(super) target: PathBuf,
    /// Holds the lock. To be closed last: closing any descriptor of a file ends all locks on it.
    pub(super) file: File,
    placed: bool,
}

impl Part {
    /// An empty one with these permissions, or narrower ones where the process's mask says so.
    pub(super) fn beside(target: &Path, mode: u32) -> Result<Part> {
        Part::make(target, mode).map_err(|error| {
            let expected = "expected a place in a folder that you may write to";
            failed(target, expected, &error)
        })
    }

    /// The same, with the system's reason where it fails.
    pub(super) fn make(target: &Path, mode: u32) -> io::Result<Part> {
        loop {
            let random = RandomState::new().build_hasher().finish();
            let path = with_end(target, &format!("{MARK}{random:016x}"));
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(mode & 0o777)
                .open(&path)?;
            // Where the file system has no locks, SQLite will say so.
            let locked = rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive);
            // Who sweeps may have found it before it had its lock: it is gone then, or about to go.
            let is_swept = matches!(locked, Err(Errno::AGAIN | Errno::ACCESS));
            if is_swept || file.metadata()?.nlink() == 0 {
                continue;
            }
            return Ok(Part {
                path,
                target: target.into(),
                file,
                placed: false,
            });
        }
    }

    /// Gives it to this group; where that is not allowed, its own group may not read it.
    pub(super) fn keep_to_group(&self, group: u32) -> io::Result<()> {
        let found = self.file.metadata()?;
        if found.gid() == group || fchown(&self.file, None, Some(group)).is_ok() {
            return Ok(());
        }
        let mode = found.permissions().mode() & 0o707;
        self.file.set_permissions(fs::Permissions::from_mode(mode))
    }

    /// A connection to it.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        set_up(&mut connection)?;
        connection.execute_batch("PRAGMA synchronous = FULL")?;
        Ok(connection)
    }

    /// Gives it its name, with its content and its name on the disk when this answers. Without `replace` the name has to be
    /// free.
    pub(super) fn place(&mut self, replace: bool) -> Result<()> {
        let refuse = |error: io::Error| match error.kind() {
            ErrorKind::AlreadyExists => Error::new(
                Code::Conflict,
                format!(
                    "{}: somebody has made a file of this name meanwhile",
                    self.target.display()
                ),
            ),
            _ => failed(&self.target, "could not be given its name", &error),
        };
        self.file
            .sync_all()
            .map_err(|error| failed(&self.target, "could not be written", &error))?;
        match replace {
            true => fs::rename(&self.path, &self.target).map_err(refuse)?,
            false => rename_new(&self.path, &self.target).map_err(refuse)?,
        }
        self.placed = true;
        sync_folder(&self.target)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // What led here is the error to tell; what is left over does no harm, and the next one removes it.
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
        for side in SIDES {
            let _ = fs::remove_file(with_end(&self.path, side));
        }
    }
}

/// Removes parts that a program which ended midway left in the folder of `target`, of those files that are `ours`.
pub(super) fn sweep(target: &Path, ours: impl Fn(&str) -> bool) {
    for stem in stems(target, ours) {
        remove_left(&stem, false);
    }
}

/// Removes those that were left of whatever else: what has the name of a part, begins as one does, and nobody has changed
/// for [`FORGOTTEN`].
pub(super) fn sweep_forgotten(target: &Path) {
    for stem in stems(target, |_| true) {
        remove_left(&stem, true);
    }
}

/// When a part that nobody has locked is certainly nobody's. One that is restored from has moments without a lock.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// The parts in the folder of `target`, of those files that are `ours`, whether they themselves are there or only what was
/// beside them.
fn stems(target: &Path, ours: impl Fn(&str) -> bool) -> HashSet<PathBuf> {
    let mut stems = HashSet::new();
    // Nobody waits for the room they take: where one cannot be removed now it can be later.
    let entries = fs::read_dir(folder_of(target)).into_iter().flatten();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((of, rest)) = name.to_str().and_then(|name| name.split_once(MARK)) else {
            continue;
        };
        let Some((digits, end)) = rest.split_at_checked(DIGITS) else {
            continue;
        };
        let ends = SIDES.contains(&end) || end == BEFORE_UPGRADE || end.is_empty();
        let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if ends && !of.is_empty() && ours(of) && digits.bytes().all(is_digit) {
            stems.insert(target.with_file_name(format!("{of}{MARK}{digits}")));
        }
    }
    stems
}

/// Removes a part that nobody has locked, and what is beside it.
fn remove_left(stem: &Path, if_forgotten: bool) {
    let file = match fs::symlink_metadata(stem) {
        Ok(found) if found.is_file() => {
            let Ok(mut file) = OpenOptions::new().read(true).write(true).open(stem) else {
                return;
            };
            let locked = rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive);
            if locked.is_err() || if_forgotten && !is_forgotten(&mut file) {
                return;
            }
            Some(file)
        }
        Err(error) if error.kind() == ErrorKind::NotFound && !if_forgotten => None,
        _ => return,
    };
    let _ = fs::remove_file(stem);
    // Not before it is gone, so that a maker who has not locked it yet finds out.
    drop(file);
    for end in SIDES.into_iter().chain([BEFORE_UPGRADE]) {
        let _ = fs::remove_file(with_end(stem, end));
    }
}

fn is_forgotten(file: &mut File) -> bool {
    let changed = file.metadata().and_then(|found| found.modified());
    let age = changed.map(|at| at.elapsed().unwrap_or_default());
    // SQLite may write its first page last.
    let mut begin = Vec::new();
    let read = file.take(BEGIN.len() as u64).read_to_end(&mut begin);
    let is_database = begin == *BEGIN || begin.iter().all(|byte| *byte == 0);
    age.is_ok_and(|age| age > FORGOTTEN) && read.is_ok() && is_database
}

/// How a database begins.
pub(super) const BEGIN: &[u8; 16] = b"SQLite format 3\0";

/// Whether another process has a lock on the file, as SQLite has on a database that is being used.
pub(super) fn is_locked(file: &File) -> bool {
    let whole = Flock::from(FlockType::WriteLock);
    rustix::process::fcntl_getlk(file, &whole).is_ok_and(|lock| lock.is_some())
}

/// Renames where nothing has the name yet.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not all file systems have it. Then this is as good as it gets.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            match fs::symlink_metadata(to).is_ok() {
                true => Err(ErrorKind::AlreadyExists.into()),
                false => fs::rename(from, to),
            }
        }
        done => Ok(done?),
    }
}

/// Lets the names in the folder of this file outlast a power cut.
pub(super) fn sync_folder(file: &Path) -> Result<()> {
    // Where a folder cannot be opened, or not be synced, it needs no sync.
    let Ok(folder) = File::open(folder_of(file)) else {
        return Ok(());
    };
    match folder.sync_all() {
        Err(error) if error.kind() != ErrorKind::InvalidInput => {
            Err(failed(folder_of(file), "could not be synced", &error))
        }
        _ => Ok(()),
    }
}

/// The folder that a file is in.
pub(super) fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}

/// The path with something at the end of its name.
pub(super) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// Whether something has this name, be it a link that leads nowhere.
pub(super) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// A failure to do something with a file, as a sentence that begins with its name.
pub(super) fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    let full = matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    );
    let code = if full { Code::Full } else { Code::Failed };
    let message = format!("{}: {what}: {error}", path.display());
    Error::new(code, message.replace(['\n', '\r'], " "))
}

/// The same for what SQLite says.
pub(super) fn unusable(path: &Path, error: &rusqlite::Error) -> Error {
    let mut said = super::schema::unusable(path, error);
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
        said.code = Code::Full;
    }
    said
}

/// The database that keeps this file beside it, if it is there.
pub(super) fn owner(path: &Path) -> Option<PathBuf> {
    let name = path.to_str()?;
    let databases = SIDES.iter().filter_map(|side| name.strip_suffix(side));
    databases
        .map(PathBuf::from)
        .find(|database| database.is_file())
}

/// Whether a path is the database's, or that of a file that SQLite keeps beside it.
pub(super) fn belongs_to(path: &Path, database: &Path) -> bool {
    let sides = SIDES.map(|side| with_end(database, side));
    Place::same(path, database)
        || sides.iter().any(|side| {
            Place::same(folder_of(path), folder_of(database))
                && path.file_name() == side.file_name()
        })
}
