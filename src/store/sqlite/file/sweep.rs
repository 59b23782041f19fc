//! Removes the parts that a program left behind when it was interrupted.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::part::{DIGITS, MARK};
use super::paths::{BEFORE_UPGRADE, BEGIN, SIDES, folder_of, with_end};

/// Removes the parts that a program left in the folder of `target` when it was interrupted, but only parts of files that
/// are `ours`.
pub(crate) fn sweep(target: &Path, ours: impl Fn(&str) -> bool) {
    for stem in stems(target, ours) {
        remove_left(&stem, false);
    }
}

/// Removes the left-over parts of any other file: files that have the name of a part, begin like one, and have not changed
/// for [`FORGOTTEN`].
pub(crate) fn sweep_forgotten(target: &Path) {
    for stem in stems(target, |_| true) {
        remove_left(&stem, true);
    }
}

/// The age at which a part without a lock is certainly left over. On a file system without locks, nothing else tells.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// The parts in the folder of `target` of those files that are `ours`. Includes parts of which only a side file exists.
fn stems(target: &Path, ours: impl Fn(&str) -> bool) -> HashSet<PathBuf> {
    let mut stems = HashSet::new();
    // Errors do not matter here: a part that cannot be removed now is removed later.
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

/// Removes a part that nobody has locked, and its side files.
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
    // The lock ends after the file is gone, so that a process that has made it and not locked it yet finds out.
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
