//! Detects whether a path still leads to the file that was opened.
//!
//! A restore puts another file under the database's name. A process that had opened the old file, and had no lock on it
//! yet, would continue with a file that has lost its name. Its log or journal would be applied to the new file, because
//! SQLite finds them by name, and that would corrupt both. So every opening notes which file has the name, opens it, reads,
//! and checks the name again. The first read takes a lock that makes a restore fail.
//!
//! Nothing here opens the file while this process has it open: closing any descriptor of a file ends all of the process's
//! locks on it (POSIX, `fcntl`).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::paths::{SIDES, folder_of, with_end};
use crate::base::error::{Code, Error, Result};

/// How often a file may be replaced while it is opened before the opening fails.
const TRIES: usize = 10;

/// Identifies the file that has a name; `None` if no file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId(Option<(u64, u64)>);

impl FileId {
    /// The file at `path`, links followed.
    pub(crate) fn of(path: &Path) -> FileId {
        let found = std::fs::metadata(path).ok();
        FileId(found.map(|file| (file.dev(), file.ino())))
    }

    /// The file with this metadata.
    pub(crate) fn of_file(found: &std::fs::Metadata) -> FileId {
        FileId(Some((found.dev(), found.ino())))
    }

    /// Whether the file existed, and still has this name.
    pub(crate) fn holds(self, path: &Path) -> bool {
        self.0.is_some() && self == FileId::of(path)
    }

    /// Whether both names lead to one file.
    pub(crate) fn same(one: &Path, other: &Path) -> bool {
        FileId::of(one).holds(other)
    }
}

/// The files of an open database, by their names.
#[derive(Clone, Debug)]
pub(crate) struct OpenFiles {
    path: PathBuf,
    database: FileId,
    /// Its write-ahead log and the log's index, which SQLite finds by name too.
    beside: [(PathBuf, FileId); 2],
}

impl OpenFiles {
    /// The files of the database at this path, with the log as it is now.
    pub(crate) fn new(path: &Path, database: FileId) -> OpenFiles {
        let beside = ["-wal", "-shm"].map(|end| {
            let side = with_end(path, end);
            let id = FileId::of(&side);
            (side, id)
        });
        OpenFiles {
            path: path.into(),
            database,
            beside,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if one of the names now leads to another file, or nowhere. Writes would then be lost, a new connection would
    /// mix the files, and without the index two processes would not see each other's locks.
    pub(crate) fn hold(&self) -> Result<()> {
        let mut beside = self.beside.iter();
        match self.database.holds(&self.path) && beside.all(|(side, id)| id.holds(side)) {
            true => Ok(()),
            false => Err(Error::new(
                Code::Unavailable,
                "the file of the database, its log (-wal) or the log's index (-shm) was removed, renamed or replaced while \
                 in use; nothing was saved; put it back, or start the service again",
            )),
        }
    }
}

/// Whether a path is that of the database or of one of its side files.
pub(crate) fn belongs_to(path: &Path, database: &Path) -> bool {
    let sides = SIDES.map(|side| with_end(database, side));
    FileId::same(path, database)
        || sides.iter().any(|side| {
            FileId::same(folder_of(path), folder_of(database))
                && path.file_name() == side.file_name()
        })
}

/// Refuses anything but a file, a folder or a free name: SQLite would block on a pipe, and would write a journal beside a
/// device.
pub(crate) fn ordinary(path: &Path) -> Result<()> {
    let is_odd = |found: std::fs::Metadata| !found.is_file() && !found.is_dir();
    match std::fs::metadata(path).is_ok_and(is_odd) {
        true => Err(Error::failed(format!(
            "{}: is not an ordinary file, expected a database",
            path.display()
        ))),
        false => Ok(()),
    }
}

/// Runs `open` until the file that it opened still has the name afterwards. `open` must leave a lock on the file, at least
/// by a read. A file that `open` makes is opened once more, because at first it is unknown which file that was.
pub(crate) fn settled<T>(path: &Path, open: impl Fn(FileId) -> Result<T>) -> Result<T> {
    for _ in 0..TRIES {
        let id = FileId::of(path);
        let opened = open(id);
        if id == FileId::of(path) {
            return opened;
        }
    }
    Err(Error::failed(format!(
        "{}: is replaced again and again; try again in a moment",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_file_that_was_replaced_meanwhile_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let opened = Cell::new(0);
        let open = |_: FileId| {
            opened.set(opened.get() + 1);
            if opened.get() < 4 {
                let other = folder.path().join("b");
                std::fs::write(&other, "").unwrap();
                std::fs::rename(other, &path).unwrap();
            }
            Ok(opened.get())
        };
        assert_eq!(settled(&path, open), Ok(4));
        assert!(FileId::same(&path, &folder.path().join("./a")));
        assert!(!FileId::same(&path, &folder.path().join("b")));
        assert!(!FileId::of(&folder.path().join("b")).holds(&folder.path().join("b")));
        opened.set(-1_000);
        let error = settled(&path, open).unwrap_err();
        assert!(error.message.contains("again and again"), "{error}");
    }
}
