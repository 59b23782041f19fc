//! The names of a server's backups. A server finds its backups by name, and counts and removes no other files.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::paths::BEGIN;
use crate::base::time;

/// The names of a database's backups: the database's name without its extension, a time, and `.db`.
pub(crate) struct BackupNames {
    stem: String,
}

impl BackupNames {
    pub(crate) fn of(path: &Path) -> BackupNames {
        let stem = path.file_stem().unwrap_or(OsStr::new("crm"));
        BackupNames {
            stem: stem.to_string_lossy().into_owned(),
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
            .filter(|(at, file)| *at <= now && is_database(file))
            .collect();
        made.sort();
        made
    }

    /// When the newest backup was made.
    pub(crate) fn newest(&self, folder: &Path, now: SystemTime) -> Option<SystemTime> {
        Some(self.made(folder, now).pop()?.0)
    }
}

/// Whether a file begins like a database. A file that only has the name of a backup does not count as one, and is not
/// removed.
fn is_database(file: &Path) -> bool {
    let mut begin = [0; 16];
    let read = fs::File::open(file).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *BEGIN
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
