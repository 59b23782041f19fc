//! The names of a server's backups. A server finds its backups by name, and counts and removes no other files.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::FlockOperation;

use super::paths::{BEGIN, SIDES, exists, is_locked, with_end};
use super::place::FileId;
use crate::base::time;

/// The names of a database's backups: the database's name without its extension, a time, and `.db`.
pub(crate) struct BackupNames {
    stem: String,
    /// The database itself. It is not opened here: closing it again would end this process's locks on it.
    database: PathBuf,
}

impl BackupNames {
    pub(crate) fn of(path: &Path) -> BackupNames {
        let stem = path.file_stem().unwrap_or(OsStr::new("crm"));
        BackupNames::of_stem(&stem.to_string_lossy(), path)
    }

    /// The same with another stem than the database's.
    pub(crate) fn of_stem(stem: &str, database: &Path) -> BackupNames {
        BackupNames {
            stem: stem.into(),
            database: database.into(),
        }
    }

    pub(crate) fn name(&self, stamp: &str) -> String {
        format!("{}-{stamp}.db", self.stem)
    }

    /// When the backup with this name was made; `None` if it is not a backup's name.
    pub(crate) fn read(&self, name: &str) -> Option<SystemTime> {
        let rest = name.strip_prefix(&self.stem)?.strip_prefix('-')?;
        time::read_stamp(rest.strip_suffix(".db")?)
    }

    /// The backups in the folder, oldest first. A folder that cannot be read counts as empty; making a backup there reports
    /// why.
    ///
    /// A backup from the future was made while the clock was wrong. It may be the newest one, so it is ignored until its
    /// time has come.
    pub(crate) fn made(&self, folder: &Path, now: SystemTime) -> Vec<(SystemTime, PathBuf)> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut made: Vec<(SystemTime, PathBuf)> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .filter_map(|entry| Some((self.read(entry.file_name().to_str()?)?, entry.path())))
            .filter(|(at, file)| *at <= now && self.is_backup(file))
            .collect();
        made.sort();
        made
    }

    /// When the newest backup was made.
    pub(crate) fn newest(&self, folder: &Path, now: SystemTime) -> Option<SystemTime> {
        Some(self.made(folder, now).pop()?.0)
    }
}

impl BackupNames {
    /// Whether a file with the name of a backup is one. A file that does not begin like a database is none. Nor is a
    /// database that is in use: it has a log beside it. Nor is one that was in use before: crm turns the write-ahead log on,
    /// which the header shows, and a backup never has one.
    fn is_backup(&self, file: &Path) -> bool {
        if FileId::same(file, &self.database) || has_side(file) {
            return false;
        }
        let mut begin = [0; 20];
        let read = fs::File::open(file).and_then(|mut file| file.read_exact(&mut begin));
        read.is_ok() && begin[..BEGIN.len()] == *BEGIN && !begin[18..].contains(&2)
    }

    /// Removes a backup, unless a program uses it. Returns whether it was removed.
    pub(crate) fn remove(&self, file: &Path) -> io::Result<bool> {
        if !self.is_backup(file) {
            return Ok(false);
        }
        let opened = fs::File::options().read(true).write(true).open(file);
        let (opened, is_used) = match opened {
            // Held until the file is gone, so that nobody begins to use it meanwhile. SQLite's locks collide with this one.
            Ok(opened) => {
                let lock =
                    rustix::fs::fcntl_lock(&opened, FlockOperation::NonBlockingLockExclusive);
                (opened, lock.is_err())
            }
            // The permission to remove a file is the folder's.
            Err(_) => {
                let opened = fs::File::open(file)?;
                let is_used = is_locked(&opened);
                (opened, is_used)
            }
        };
        if is_used || has_side(file) || !FileId::of_file(&opened.metadata()?).holds(file) {
            return Ok(false);
        }
        fs::remove_file(file)?;
        Ok(true)
    }
}

fn has_side(file: &Path) -> bool {
    SIDES.iter().any(|side| exists(&with_end(file, side)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_its_own_are_read() {
        let names = BackupNames::of(Path::new("/var/lib/crm/crm.db"));
        let name = names.name("20260102T030405Z");
        assert_eq!(name, "crm-20260102T030405Z.db");
        let at = names.read(&name).and_then(time::stored);
        assert_eq!(at.as_deref(), Some("2026-01-02 03:04:05"));
        for name in [
            "crm.db",
            "crm-20260102T030405Z.db-wal",
            "crm-20260102T030405Z.db.part-0123456789abcdef",
            "other-20260102T030405Z.db",
            "crm-2-20260102T030405Z.db",
            "crm-20260102.db",
            "crm-before-20260102T030405Z.db",
        ] {
            assert_eq!(names.read(name), None, "{name}");
        }
    }

    #[test]
    fn a_file_with_only_the_name_of_a_backup_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("crm-20260101T000000Z.db", ""),
            ("crm-20260102T000000Z.db", "notes of a meeting"),
            ("crm-20260103T000000Z.db", "SQLite format 3\0 and more"),
        ] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let made = BackupNames::of(Path::new("crm.db")).made(folder.path(), SystemTime::now());
        let made: Vec<_> = made.iter().map(|(_, file)| file.file_name()).collect();
        assert_eq!(made, [Some(OsStr::new("crm-20260103T000000Z.db"))]);
    }
}
