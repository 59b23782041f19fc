//! Whether a file is still the one that was opened.
//!
//! A restore puts another file under the database's name. Whoever had opened the old one, and had no lock on it yet, would
//! go on with a file that has lost its name, and with a log or a journal that belongs to the new one, as SQLite finds those
//! by the name: that corrupts both. So whoever opens a database looks where it is, opens it, reads, and looks again. The
//! first read takes a lock that a restore does not get past.
//!
//! Nothing here opens the file while this process has it open: one that closes any descriptor of it would lose all its
//! locks on it (POSIX, `fcntl`).

use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::part::{SIDES, with_end};
use super::reading;
use crate::base::error::{Code, Error, Result};

/// How often a file may turn out to be another one before whoever opens it gives up.
const TRIES: usize = 10;

/// Which file has a name; none, where no file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(Option<(u64, u64)>);

impl Place {
    /// The file at `path`, links followed.
    pub(super) fn of(path: &Path) -> Place {
        let found = std::fs::metadata(path).ok();
        Place(found.map(|file| (file.dev(), file.ino())))
    }

    /// Whether it was there, and still is.
    pub(super) fn holds(self, path: &Path) -> bool {
        self.0.is_some() && self == Place::of(path)
    }

    /// Whether both are one file.
    pub(super) fn same(one: &Path, other: &Path) -> bool {
        Place::of(one).holds(other)
    }
}

/// The files of a database that is open, by their names.
#[derive(Clone, Debug)]
pub(super) struct Files {
    path: PathBuf,
    database: Place,
    /// Its write-ahead log and the index of that, which SQLite finds by their names too.
    beside: [(PathBuf, Place); 2],
}

impl Files {
    /// Those of the database at this path, with its log as it is now.
    pub(super) fn new(path: &Path, database: Place) -> Files {
        let beside = ["-wal", "-shm"].map(|end| {
            let side = with_end(path, end);
            let place = Place::of(&side);
            (side, place)
        });
        Files {
            path: path.into(),
            database,
            beside,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails where one of the names leads to another file by now, or nowhere. What is written then is written for nobody,
    /// a connection that is opened then mixes the files, and without the index two processes do not see their locks.
    pub(super) fn hold(&self) -> Result<()> {
        let mut beside = self.beside.iter();
        match self.database.holds(&self.path) && beside.all(|(side, place)| place.holds(side)) {
            true => Ok(()),
            false => Err(Error::new(
                Code::Unavailable,
                "the file of the database, its log (-wal) or the index of that (-shm) was removed, renamed or replaced while \
                 it is in use; nothing was saved; put it back, or start the service again",
            )),
        }
    }
}

/// Makes an empty file for a database, if nothing has this name. Answers its place, by which [`unmake`] knows it again;
/// `None` where it was not made here. SQLite would make it too, but not tell.
pub(super) fn make(path: &Path) -> Option<Place> {
    let is_free = std::fs::symlink_metadata(path).is_err();
    let mut make = File::options();
    // The rights that SQLite gives a new database.
    make.write(true).create_new(true).mode(0o644);
    let made = is_free.then(|| make.open(path))?.ok()?.metadata().ok()?;
    Some(Place(Some((made.dev(), made.ino()))))
}

/// Removes a database that this process has made and has closed, unless anybody has it open or has been given an id by it.
pub(super) fn unmake(path: &Path, made: Place) {
    // SQLite's locks collide with this one. Who has opened it and has no lock yet finds it gone, and opens it anew.
    let Ok(file) = File::options().read(true).write(true).open(path) else {
        return;
    };
    if rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_err()
        || !made.holds(path)
    {
        return;
    }
    let sides = SIDES.map(|side| with_end(path, side));
    let has_more = |side: &PathBuf| std::fs::metadata(side).is_ok_and(|side| side.len() > 0);
    // Nothing but what is in the file, and not even half of a write.
    if has_more(&sides[0]) || has_more(&sides[1]) {
        return;
    }
    let is_empty = file.metadata().is_ok_and(|found| found.len() == 0);
    // To be closed after the file is gone: that ends the lock.
    let connection = (!is_empty).then(|| reading::immutable(path));
    let is_unused = match &connection {
        None => true,
        Some(Ok(connection)) => connection
            .query_row("SELECT count(*) FROM sqlite_sequence", [], |row| row.get(0))
            .is_ok_and(|given: i64| given == 0),
        Some(Err(_)) => false,
    };
    if is_unused {
        // What led here is the error to tell.
        let _ = std::fs::remove_file(path);
        for side in sides {
            let _ = std::fs::remove_file(side);
        }
    }
}

/// Refuses what is neither a file nor a folder, nor nothing: SQLite would wait at a pipe, and write a journal beside a device.
pub(super) fn ordinary(path: &Path) -> Result<()> {
    let is_odd = |found: std::fs::Metadata| !found.is_file() && !found.is_dir();
    match std::fs::metadata(path).is_ok_and(is_odd) {
        true => Err(Error::failed(format!(
            "{}: is no ordinary file, expected a database",
            path.display()
        ))),
        false => Ok(()),
    }
}

/// Runs `open` until the file it opened is the one that has the name. It has to leave a lock on the file, by a read at least.
/// A file that it makes is opened once more, as nobody can tell whose it was at first.
pub(super) fn settled<T>(path: &Path, open: impl Fn(Place) -> Result<T>) -> Result<T> {
    for _ in 0..TRIES {
        let place = Place::of(path);
        let opened = open(place);
        if place == Place::of(path) {
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
    fn what_was_replaced_meanwhile_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let opened = Cell::new(0);
        let open = |_: Place| {
            opened.set(opened.get() + 1);
            if opened.get() < 4 {
                let other = folder.path().join("b");
                std::fs::write(&other, "").unwrap();
                std::fs::rename(other, &path).unwrap();
            }
            Ok(opened.get())
        };
        assert_eq!(settled(&path, open), Ok(4));
        assert!(Place::same(&path, &folder.path().join("./a")));
        assert!(!Place::same(&path, &folder.path().join("b")));
        assert!(!Place::of(&folder.path().join("b")).holds(&folder.path().join("b")));
        opened.set(-1_000);
        let error = settled(&path, open).unwrap_err();
        assert!(error.message.contains("again and again"), "{error}");
    }
}
