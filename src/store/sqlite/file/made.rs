//! Makes the file of a new database, and removes it again if it stays unused, so that a failed command leaves no file.

use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::paths::{SIDES, new_mode, with_end};
use super::place::FileId;
use super::way;

/// Makes an empty file for a database, if the name is free. Returns its id, by which [`unmake`] recognises it, or `None` if
/// it was not made here. SQLite would make the file too, but would not report it.
pub(crate) fn make(path: &Path) -> Option<FileId> {
    let is_free = std::fs::symlink_metadata(path).is_err();
    let mut make = File::options();
    // SQLite would let everyone read it.
    make.write(true).create_new(true).mode(0o600);
    let made = is_free.then(|| make.open(path))?.ok()?;
    let mode = new_mode();
    if mode != 0o600 {
        // If this fails, the file stays its owner's.
        let _ = made.set_permissions(Permissions::from_mode(mode));
    }
    let made = made.metadata().ok()?;
    Some(FileId::of_file(&made))
}

/// Removes a database that this process has made and closed, unless somebody has it open or an id has been assigned in it.
pub(crate) fn unmake(path: &Path, made: FileId) {
    // SQLite's locks collide with this one. A process that has opened the file and has no lock yet finds out that it is
    // gone, and opens it again.
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
    // A log or a journal that holds something may belong to another process's write.
    if has_more(&sides[0]) || has_more(&sides[1]) {
        return;
    }
    let is_empty = file.metadata().is_ok_and(|found| found.len() == 0);
    // Closed after the file is gone, since closing ends the lock.
    let connection = (!is_empty).then(|| way::immutable(path));
    let is_unused = match &connection {
        None => true,
        Some(Ok(connection)) => connection
            .query_row("SELECT count(*) FROM sqlite_sequence", [], |row| row.get(0))
            .is_ok_and(|given: i64| given == 0),
        Some(Err(_)) => false,
    };
    if is_unused {
        // If this fails, the error that led here is the one to report.
        let _ = std::fs::remove_file(path);
        for side in sides {
            let _ = std::fs::remove_file(side);
        }
    }
}
