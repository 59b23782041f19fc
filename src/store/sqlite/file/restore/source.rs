//! The backup that is restored: reads and copies it without changing it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::base::error::{Code, Error, Result};
use crate::store::sqlite::cancel::cancelled;
use crate::store::sqlite::file::backup::BackupStage;
use crate::store::sqlite::file::part::PartFile;
use crate::store::sqlite::file::paths::{because, failed, is_locked, live_sides, owner, with_end};

/// How much is copied at once, in bytes.
const BLOCK: usize = 1 << 20;

/// The backup. It is read like any other file, because SQLite would write beside it.
pub(crate) struct RestoreSource<'a> {
    path: &'a Path,
    main: File,
    /// The side files that belong to it, with their suffixes.
    beside: Vec<(&'static str, File)>,
    size: u64,
    /// Its permissions, without permission to execute.
    pub(crate) mode: u32,
}

impl RestoreSource<'_> {
    pub(crate) fn open(path: &Path) -> Result<RestoreSource<'_>> {
        let refuse = |error| failed(path, "expected a backup that can be read", &error);
        // Checked before it is opened, because opening a pipe waits until somebody writes into it.
        let found = fs::metadata(path).map_err(refuse)?;
        if !found.is_file() {
            return Err(because(path, "is not a file, expected a backup"));
        }
        if let Some(database) = owner(path) {
            let why = format!(
                "belongs to the database {}, expected a backup",
                database.display()
            );
            return Err(because(path, why));
        }
        let main = File::open(path).map_err(refuse)?;
        let mut size = found.len();
        let mut beside = Vec::new();
        for side in live_sides(path) {
            let side_path = with_end(path, side);
            let file = File::open(&side_path)
                .map_err(|error| failed(&side_path, "cannot be read", &error))?;
            size += file.metadata().map_or(0, |file| file.len());
            beside.push((side, file));
        }
        let source = RestoreSource {
            path,
            main,
            beside,
            size,
            mode: found.permissions().mode() & 0o666,
        };
        source.unused()?;
        Ok(source)
    }

    /// Refuses a database in use: it cannot be copied like any other file.
    fn unused(&self) -> Result<()> {
        match is_locked(&self.main) {
            false => Ok(()),
            true => Err(Error::new(
                Code::Conflict,
                format!(
                    "{}: is a database that is in use; back it up with `crm backup` and restore that",
                    self.path.display()
                ),
            )),
        }
    }

    /// Copies it into `part`.
    pub(crate) fn copy(&self, part: &PartFile, watch: &mut dyn FnMut(BackupStage)) -> Result<()> {
        let mut done = 0;
        let mut copy = |from: &File, mut to: &File| -> Result<()> {
            let read = |error| failed(self.path, "cannot be read", &error);
            let written = |error| failed(&part.target, "the new file cannot be written", &error);
            let mut block = vec![0; BLOCK];
            let mut from = from;
            loop {
                let length = match from.read(&mut block) {
                    Ok(0) => return Ok(()),
                    Ok(length) => length,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(read(error)),
                };
                if cancelled() {
                    return Err(Error::new(Code::Unavailable, "was stopped"));
                }
                to.write_all(&block[..length]).map_err(written)?;
                done += length as u64;
                watch(BackupStage::Copied {
                    done,
                    of: self.size,
                });
            }
        };
        copy(&self.main, &part.file)?;
        for (side, from) in &self.beside {
            let path = with_end(&part.path, side);
            let to = File::create_new(&path)
                .and_then(|to| {
                    let narrow = fs::Permissions::from_mode(0o600);
                    to.set_permissions(narrow).map(|()| to)
                })
                .map_err(|error| failed(&path, "cannot be made", &error))?;
            copy(from, &to)?;
        }
        // A program that began to use it in the meantime may have changed it.
        self.unused()
    }
}
