//! A new file that is made beside its final place, and gets its final name only when it is complete. So a file with the
//! final name is never half written.
//!
//! Until then it has a unique name: `crm.db.part-` and 16 hexadecimal digits. The process that makes it holds a lock on it,
//! and the lock ends with the process, however that ends. So a part without a lock was left over, and
//! [`sweep`](super::sweep) removes it while holding the lock itself. Once a process has the lock on its new part, it checks
//! that the part still exists.
//!
//! SQLite takes the lock over: when it releases its own last lock on a file, it releases all locks of the process on it. So
//! a connection to a part keeps its first lock until it is closed, and a part has one connection at a time.

use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::paths::{SIDES, failed, rename_new, sync_folder, with_end};
use crate::base::error::{Code, Error, Result};
use crate::store::sqlite::connection::set_up;
use crate::store::sqlite::turn::BUSY;

/// Stands between the name of a file and the digits of its part.
pub(crate) const MARK: &str = ".part-";

/// How many digits the name of a part has.
pub(crate) const DIGITS: usize = 16;

/// A file that is being made. If it does not have its final name when it is dropped, it is removed. Its connections must be
/// dropped before.
pub(crate) struct PartFile {
    /// Its name while it is being made.
    pub(crate) path: PathBuf,
    /// Its final name.
    pub(crate) target: PathBuf,
    /// Holds the lock. It is closed last, because closing any descriptor of a file ends all locks on it.
    pub(crate) file: File,
    placed: bool,
}

impl PartFile {
    /// Makes an empty file with these permissions, or narrower ones if the process's umask requires them.
    pub(crate) fn beside(target: &Path, mode: u32) -> Result<PartFile> {
        PartFile::make(target, mode).map_err(|error| {
            let expected = "expected a place in a folder that you may write to";
            failed(target, expected, &error)
        })
    }

    /// The same, but with the system's error.
    pub(crate) fn make(target: &Path, mode: u32) -> io::Result<PartFile> {
        loop {
            let random = RandomState::new().build_hasher().finish();
            let path = with_end(target, &format!("{MARK}{random:016x}"));
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(mode & 0o777)
                .open(&path)?;
            // If the file system has no locks, SQLite will report it.
            let locked = rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive);
            // A sweep may have found the part before it was locked. Then the part is gone, or about to be removed.
            let is_swept = matches!(locked, Err(Errno::AGAIN | Errno::ACCESS));
            if is_swept || file.metadata()?.nlink() == 0 {
                continue;
            }
            return Ok(PartFile {
                path,
                target: target.into(),
                file,
                placed: false,
            });
        }
    }

    /// Gives it to this group. If that is not allowed, its own group gets no access.
    pub(crate) fn keep_to_group(&self, group: u32) -> io::Result<()> {
        let found = self.file.metadata()?;
        if found.gid() == group || fchown(&self.file, None, Some(group)).is_ok() {
            return Ok(());
        }
        let mode = found.permissions().mode() & 0o707;
        self.file.set_permissions(fs::Permissions::from_mode(mode))
    }

    /// The connection to it. A second one would find it locked.
    pub(crate) fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags)?;
        // Before anything else. Most pragmas read the schema, and would release all locks afterwards. With this setting, the
        // log that the part may have for a short time needs no shared memory either.
        connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
        connection.busy_timeout(BUSY)?;
        set_up(&mut connection)?;
        connection.execute_batch("PRAGMA synchronous = FULL")?;
        Ok(connection)
    }

    /// Gives it its final name. Content and name are on the disk when this returns. Without `replace`, the name must be
    /// free.
    pub(crate) fn place(&mut self, replace: bool) -> Result<()> {
        let refuse = |error: io::Error| match error.kind() {
            ErrorKind::AlreadyExists => Error::new(
                Code::Conflict,
                format!(
                    "{}: another program has made a file of this name in the meantime",
                    self.target.display()
                ),
            ),
            _ => failed(&self.target, "could not get its final name", &error),
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

impl Drop for PartFile {
    fn drop(&mut self) {
        // If this fails, the error that led here is the one to report. A left-over part does no harm, and is removed later.
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
        for side in SIDES {
            let _ = fs::remove_file(with_end(&self.path, side));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's list of locks names the file by its number. The list comes in pages, and an entry is missed if other
    /// locks end between two of them. So it is read again before a lock counts as gone: one that is gone stays gone.
    #[test]
    fn a_part_is_locked_all_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let part = PartFile::beside(&folder.path().join("a.db"), 0o600).unwrap();
        let id = format!(":{} ", part.file.metadata().unwrap().ino());
        let is_listed = || fs::read_to_string("/proc/locks").unwrap().contains(&id);
        let is_locked = || (0..1000).any(|_| is_listed());
        assert!(is_locked());
        let connection = part.connect().unwrap();
        assert!(is_locked());
        connection.execute_batch("CREATE TABLE a (b)").unwrap();
        connection
            .query_row("SELECT count(*) FROM a", [], |_| Ok(()))
            .unwrap();
        assert!(is_locked());
    }
}
