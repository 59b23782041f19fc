//! Follows a path to the file of a database, and detects whether the path still leads to the file that was opened.
//!
//! SQLite follows symbolic links, and keeps the log beside the file that they lead to. So every opening begins with
//! [`real`], also if that file does not exist yet.
//!
//! SQLite finds the log and the journal by the name under which a file was opened. So a file with two names (hard links)
//! has two logs, and each user misses the other's writes: [`one_name`] refuses it.
//!
//! crm itself never puts another file under the name of a database: a restore writes into the file that is there. Another
//! program may, for example `mv`. A process that had opened the old file, and had no lock on it yet, would continue with a
//! file that has lost its name, and its log would be mixed with the new file's. So every opening notes which file has the
//! name, opens it, reads, and checks the name again.
//!
//! Nothing here opens the file while this process has it open: closing any descriptor of a file ends all of the process's
//! locks on it (POSIX, `fcntl`).

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::paths::{SIDES, because, failed, folder_of, with_end};
use crate::base::error::{Code, Error, Result};

/// How often a file may be replaced while it is opened before the opening fails.
const TRIES: usize = 10;

/// How many links may lead to one another, as in Linux.
const LINKS: usize = 40;

/// The path of the file that a symbolic link leads to, even if it does not exist yet. Any other path stays as it is; a
/// folder in it may be a link, because everything beside the file lies in that folder too.
pub(crate) fn real(path: &Path) -> Result<Cow<'_, Path>> {
    let mut real = Cow::Borrowed(path);
    for _ in 0..LINKS {
        if !std::fs::symlink_metadata(&real).is_ok_and(|found| found.is_symlink()) {
            return Ok(real);
        }
        let target = std::fs::read_link(&real)
            .map_err(|error| failed(path, "is a link that cannot be read", &error))?;
        // A relative target begins in the folder of its link. An absolute one replaces the whole path.
        real = Cow::Owned(match real.parent() {
            Some(folder) => folder.join(target),
            None => target,
        });
    }
    Err(because(
        path,
        "is a link that leads to itself, expected a database or a link to one",
    ))
}

/// Refuses a file that has more than one name (hard links), in a sentence that names another one if that is in the same
/// folder. For a command that only reads, the sentence is a warning.
pub(crate) fn one_name(path: &Path) -> Result<()> {
    match several_names(path) {
        Some(names) => Err(because(path, names)),
        None => Ok(()),
    }
}

/// The same, as the end of a sentence that begins with the file.
pub(crate) fn several_names(path: &Path) -> Option<String> {
    let found = std::fs::metadata(path).ok()?;
    if !found.is_file() || found.nlink() < 2 {
        return None;
    }
    let id = FileId::of_file(&found);
    let entries = std::fs::read_dir(folder_of(path)).into_iter().flatten();
    let other = entries
        .flatten()
        .map(|entry| entry.file_name())
        .find(|name| {
            let other = path.with_file_name(name);
            let is_link = std::fs::symlink_metadata(&other).is_ok_and(|found| found.is_symlink());
            Some(name.as_os_str()) != path.file_name() && !is_link && id.holds(&other)
        });
    let other = match other {
        Some(name) => format!(", another is {}", path.with_file_name(name).display()),
        None => String::new(),
    };
    Some(format!(
        "has {} names (hard links{other}); a database needs a single one: its log lies beside the name under which it is \
         opened, so what is written under one name is missing under another; remove the other names, or copy the file",
        found.nlink()
    ))
}

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
    fn links_are_followed_to_a_file_that_may_not_exist_yet() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("data")).unwrap();
        symlink("data", at("linked")).unwrap();
        symlink("../linked/chain.db", at("data/first.db")).unwrap();
        symlink(at("data/crm.db"), at("data/chain.db")).unwrap();
        symlink("loop.db", at("loop.db")).unwrap();
        for made in [false, true] {
            if made {
                std::fs::write(at("data/crm.db"), "").unwrap();
            }
            for (path, expected) in [
                (at("linked/first.db"), at("data/crm.db")),
                (at("data/first.db"), at("data/crm.db")),
                // Only the last part of a path is followed: its folder is the same either way.
                (at("linked/crm.db"), at("linked/crm.db")),
                (at("none.db"), at("none.db")),
            ] {
                assert_eq!(real(&path).unwrap(), expected, "{made}");
            }
        }
        let error = real(&at("loop.db")).unwrap_err();
        assert!(error.message.contains("leads to itself"), "{error}");
    }

    #[test]
    fn a_file_with_two_names_is_refused_under_both() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("a.db"), folder.path().join("b.db"));
        assert_eq!(one_name(&one), Ok(()));
        std::fs::write(&one, "").unwrap();
        std::os::unix::fs::symlink(&one, folder.path().join("0.db")).unwrap();
        assert_eq!(one_name(&one), Ok(()));
        std::fs::hard_link(&one, &other).unwrap();
        for (path, named) in [(&one, &other), (&other, &one)] {
            let error = one_name(path).unwrap_err().message;
            let begin = format!("{}: has 2 names", path.display());
            assert!(error.starts_with(&begin), "{error}");
            let named = format!("another is {})", named.display());
            assert!(error.contains(&named), "{error}");
        }
        assert_eq!(one_name(folder.path()), Ok(()));
    }

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
