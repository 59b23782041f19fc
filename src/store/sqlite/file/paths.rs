//! The names of a database's files, and small operations of the system on files.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType};

use crate::base::error::{Code, Error, Result};

/// The suffixes of the files that SQLite keeps beside a database.
pub(crate) const SIDES: [&str; 3] = ["-wal", "-journal", "-shm"];

/// The suffix of the copy that an upgrade keeps beside a database.
pub(crate) const BEFORE_UPGRADE: &str = ".before-upgrade";

/// The first bytes of every database.
pub(crate) const BEGIN: &[u8; 16] = b"SQLite format 3\0";

/// The path with this suffix.
pub(crate) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// The folder that a file is in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}

/// Whether something has this name, even if it is a dangling link.
pub(crate) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The database that this file belongs to, if the name is that of a side file and the database exists.
pub(crate) fn owner(path: &Path) -> Option<PathBuf> {
    let name = path.to_str()?;
    let databases = SIDES.iter().filter_map(|side| name.strip_suffix(side));
    databases
        .map(PathBuf::from)
        .find(|database| database.is_file())
}

/// The suffixes of the existing side files without which the database is incomplete.
pub(crate) fn live_sides(path: &Path) -> Vec<&'static str> {
    let live = |side: &&str| {
        let Ok(mut file) = File::open(with_end(path, side)) else {
            return false;
        };
        // SQLite zeroes the start of a journal that is no longer needed. An empty log holds nothing.
        let mut first = [0];
        let any = file.read(&mut first).is_ok_and(|read| read == 1);
        any && (*side == "-wal" || first != [0])
    };
    ["-wal", "-journal"].into_iter().filter(live).collect()
}

/// The size of the database file in bytes, or of the side file with this suffix; 0 if there is none.
pub(crate) fn size(conn: &Connection, suffix: &str) -> u64 {
    let file = conn.path().map(|file| format!("{file}{suffix}"));
    let file = file.and_then(|file| std::fs::metadata(file).ok());
    file.map_or(0, |file| file.len())
}

/// Whether another process has a lock on the file, as SQLite has on a database in use.
pub(crate) fn is_locked(file: &File) -> bool {
    let whole = Flock::from(FlockType::WriteLock);
    rustix::process::fcntl_getlk(file, &whole).is_ok_and(|lock| lock.is_some())
}

/// Renames a file, unless the new name is taken.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems do not support this. There, checking first is the best option.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            match fs::symlink_metadata(to).is_ok() {
                true => Err(ErrorKind::AlreadyExists.into()),
                false => fs::rename(from, to),
            }
        }
        done => Ok(done?),
    }
}

/// The permissions of a new file that holds records: nobody but its owner may read it. If the process's umask gives access
/// to the group and to no one else, such as 0027, that is on purpose, and the group gets it.
pub(crate) fn new_mode() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    let mask = mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok());
    private(0o666 & !mask.unwrap_or(0o077))
}

/// The permissions of a new file after those of another one: everyone's access is not taken over, and the group's only if
/// the other file is closed to everyone else.
pub(crate) fn private(mode: u32) -> u32 {
    match mode & 0o007 {
        0 => mode & 0o060 | 0o600,
        _ => 0o600,
    }
}

/// Gives a new file the owner, the group and the permissions of another file. Where this user may not give it away, it stays
/// with this user, and a group that it does not belong to gets no access.
pub(crate) fn give_like(new: &File, like: &fs::Metadata) -> io::Result<()> {
    let found = new.metadata()?;
    let mut mode = like.permissions().mode() & 0o777;
    let same = (found.uid(), found.gid()) == (like.uid(), like.gid());
    if !same
        && fchown(new, Some(like.uid()), Some(like.gid())).is_err()
        && found.gid() != like.gid()
        && fchown(new, None, Some(like.gid())).is_err()
    {
        mode &= 0o707;
    }
    new.set_permissions(fs::Permissions::from_mode(mode))
}

/// Syncs the folder of this file, so that the names in it survive a power cut.
pub(crate) fn sync_folder(file: &Path) -> Result<()> {
    // A folder that cannot be opened, or does not support a sync, needs none.
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

/// The error for a failed operation on a file: a sentence that begins with the file's name.
pub(crate) fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    let full = matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    );
    let code = if full { Code::Full } else { Code::Failed };
    let message = format!("{}: {what}: {error}", path.display());
    Error::new(code, message.replace(['\n', '\r'], " "))
}

/// The error for this reason, in one line that begins with the file.
pub(crate) fn because(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::failed(format!("{}: {why}", file.display()).replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_its_owners_unless_only_the_group_was_let_in() {
        for (mode, expected) in [
            (0o666, 0o600),
            (0o644, 0o600),
            (0o664, 0o600),
            (0o640, 0o640),
            (0o660, 0o660),
            (0o600, 0o600),
            (0o400, 0o600),
            (0o440, 0o640),
            (0o604, 0o600),
        ] {
            assert_eq!(private(mode), expected, "{mode:o}");
        }
    }
}
