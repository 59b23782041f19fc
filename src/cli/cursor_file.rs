//! The file of `--cursor`: the place up to which everything was done, for one process at a time.
//!
//! The file is replaced as a whole and synced, so that after a crash it has the cursor that was written last or the one
//! before. The process that uses it holds a lock on it, which the system releases when the process ends, however it ends. A
//! lock is on a file and not on its name, so each new file is locked before it takes the name.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::base::error::{Code, Error, Result, quoted};
use crate::model::query::FeedPlace;

/// What the file has while there is no cursor yet. It is not empty, because an empty file may be one that lost its cursor.
const NONE: &str = "-";

/// The file with the cursor, and the lock on it.
pub(super) struct CursorFile {
    path: PathBuf,
    /// Keeps the lock.
    file: File,
    /// Whether it has a cursor.
    has_cursor: bool,
}

impl CursorFile {
    /// Opens the file, or makes it, and locks it. Returns its cursor too, `None` if it has none yet.
    pub(super) fn open(path: &Path) -> Result<(CursorFile, Option<String>)> {
        let refuse = |why: String| {
            let path = path.display();
            Error::invalid(format!("--cursor: {path}: {why}"))
        };
        let (mut file, is_new) = locked(path)?;
        let mut text = Vec::new();
        if !is_new {
            let read = file.read_to_end(&mut text);
            read.map_err(|error| refuse(error.to_string()))?;
        }
        let text = String::from_utf8_lossy(&text);
        let cursor = match text.trim_ascii() {
            _ if is_new => None,
            NONE => None,
            "" => {
                let why = "it is empty; expected a cursor that this command has written; delete the file to begin without one";
                return Err(refuse(why.into()));
            }
            cursor if FeedPlace::decode(cursor).is_some() => Some(cursor.to_string()),
            other => {
                return Err(refuse(format!(
                    "expected a cursor that this command has written, got {}",
                    quoted(other)
                )));
            }
        };
        let file = CursorFile {
            path: path.into(),
            file,
            has_cursor: cursor.is_some(),
        };
        Ok((file, cursor))
    }

    /// Writes a cursor.
    pub(super) fn save(&mut self, cursor: &str) -> Result<()> {
        let mut write = || {
            let new = written(&self.path, cursor)?;
            self.file = new.persist(&self.path).map_err(|error| error.error)?;
            File::open(folder(&self.path))?.sync_all()
        };
        let written: io::Result<()> = write();
        written.map_err(|error| failed(&self.path, &error))?;
        self.has_cursor = true;
        Ok(())
    }

    /// How errors name it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for CursorFile {
    /// Leaves no file without a cursor behind.
    fn drop(&mut self) {
        if !self.has_cursor {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    // The error of a temporary file names it, and nobody knows that name.
    let told = error.to_string();
    let told = told.split(" at path ").next().unwrap_or_default();
    Error::failed(format!("--cursor: {}: {told}", path.display()))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A new file beside this one with this cursor, synced and locked.
fn written(path: &Path, cursor: &str) -> io::Result<NamedTempFile> {
    let mut new = tempfile::Builder::new()
        .prefix(".crm-cursor-")
        .tempfile_in(folder(path))?;
    writeln!(new, "{cursor}")?;
    new.as_file().sync_all()?;
    lock(new.as_file())?;
    Ok(new)
}

/// Locks a file. Some file systems have no locks, and there a file is not protected.
fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => Err(error),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// The locked file, and whether it was made.
fn locked(path: &Path) -> Result<(File, bool)> {
    loop {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let new = written(path, NONE).map_err(|error| failed(path, &error))?;
                match new.persist_noclobber(path) {
                    Ok(file) => return Ok((file, true)),
                    Err(error) if error.error.kind() == ErrorKind::AlreadyExists => continue,
                    Err(error) => return Err(failed(path, &error.error)),
                }
            }
            Err(error) => {
                let path = path.display();
                return Err(Error::invalid(format!("--cursor: {path}: {error}")));
            }
        };
        match lock(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(Error::new(
                    Code::Conflict,
                    format!(
                        "--cursor: {}: another crm is using it; expected a file of its own for each process, or end the other one first",
                        path.display()
                    ),
                ));
            }
            Err(error) => return Err(failed(path, &error)),
        }
        // The other process may have put a new file in its place before it ended.
        let now = std::fs::metadata(path).ok();
        let opened = file.metadata().ok();
        let same = |one: &std::fs::Metadata| (one.dev(), one.ino());
        if now.as_ref().map(same) == opened.as_ref().map(same) && now.is_some() {
            return Ok((file, false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(seq: i64) -> String {
        let place = FeedPlace {
            epoch: Some("0123456789abcdef".into()),
            from_end: false,
        };
        place.encode(seq)
    }

    #[test]
    fn a_file_is_for_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let (mut first, cursor) = CursorFile::open(&path).unwrap();
        assert_eq!(cursor, None);
        let refused = || CursorFile::open(&path).map(drop).unwrap_err();
        assert_eq!(refused().code, Code::Conflict);
        for seq in 1..4 {
            first.save(&place(seq)).unwrap();
            // The lock goes on to each new file.
            assert_eq!(refused().code, Code::Conflict);
        }
        drop(first);
        let (again, cursor) = CursorFile::open(&path).unwrap();
        assert_eq!(cursor, Some(place(3)));
        drop(again);
        assert!(path.exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_without_a_cursor_is_not_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        drop(CursorFile::open(&path).unwrap());
        assert!(!path.exists());
        // After a kill it is there, and stands for no cursor.
        std::fs::write(&path, "-\n").unwrap();
        assert_eq!(CursorFile::open(&path).unwrap().1, None);
        // An empty file may be one that has lost its cursor, and is left as it is.
        std::fs::write(&path, "").unwrap();
        let error = CursorFile::open(&path).map(drop).unwrap_err();
        assert!(error.message.contains("delete the file"), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn an_error_names_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join("c");
        let error = CursorFile::open(&path).map(drop).unwrap_err();
        assert_eq!(error.code, Code::Failed);
        let expected = format!("--cursor: {}: No such file", path.display());
        assert!(error.message.starts_with(&expected), "{error}");
        assert!(!error.message.contains("crm-cursor"), "{error}");
    }
}
