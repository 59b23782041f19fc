//! The copy of a file that an upgrade keeps.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::store::sqlite::file::paths::{BEFORE_UPGRADE, folder_of, give_like, with_end};
use crate::store::sqlite::file::refusal::FileRefusal;

/// A copy of the unchanged file, beside it. It is removed when this is dropped, unless `keep` is set.
pub(crate) struct KeptCopy {
    pub(crate) path: PathBuf,
    pub(crate) keep: bool,
}

impl KeptCopy {
    /// Copies the last committed state. The copy is made through SQLite, because pages may still be in a write-ahead log,
    /// and opening the file by other means would end this process's locks on it.
    pub(crate) fn make(path: &Path) -> Result<KeptCopy, FileRefusal> {
        let copy = KeptCopy::reserve(path)?;
        match copy.fill(path) {
            Ok(()) => Ok(copy),
            Err(error) => FileRefusal::because(format!(
                "is not brought up to date, because no copy of it could be kept as {}: {error}",
                copy.path.display()
            )),
        }
    }

    /// Makes an empty file under a free name.
    fn reserve(path: &Path) -> Result<KeptCopy, FileRefusal> {
        let mut number = 1;
        loop {
            let mut path = with_end(path, BEFORE_UPGRADE);
            if number > 1 {
                path = with_end(&path, &format!("-{number}"));
            }
            let mut make = OpenOptions::new();
            // Nobody else may read it until it has the permissions of the file.
            make.write(true).create_new(true).mode(0o600);
            match make.open(&path) {
                Ok(_) => return Ok(KeptCopy { path, keep: false }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => {
                    return FileRefusal::because(format!(
                        "is not brought up to date, because no copy of it could be kept as {}: {error}",
                        path.display()
                    ));
                }
            }
        }
    }

    fn fill(&self, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let from = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut to = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Nobody else can write in the meantime, so one step over all pages neither waits nor has to start again.
        match Backup::new(&from, &mut to)?.step(-1)? {
            StepResult::Done => {}
            other => return Err(format!("the backup stopped with {other:?}").into()),
        }
        to.close().map_err(|(_, error)| error)?;
        let copy = File::open(&self.path)?;
        give_like(&copy, &fs::metadata(path)?)?;
        copy.sync_all()?;
        // Its name must survive a power cut too. A folder that cannot be opened needs no sync.
        if let Ok(folder) = File::open(folder_of(&self.path)) {
            folder.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for KeptCopy {
    fn drop(&mut self) {
        if !self.keep {
            // If this fails, the error that led here is the one to report. A superfluous copy does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}
