//! The old database, kept under a second name beside the new one.
//!
//! It is a copy, complete and synced before the old database is changed. It shares nothing with the database, so whatever
//! happens to one does not touch the other. It has the owner, the group and the permissions of the database.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::base::error::{Code, Error, Result};
use crate::store::sqlite::cancel::cancelled;
use crate::store::sqlite::file::backup::{copy_pages, plain};
use crate::store::sqlite::file::part::PartFile;
use crate::store::sqlite::file::paths::{
    SIDES, exists, failed, give_like, live_sides, rename_new, sync_folder, with_end,
};
use crate::store::sqlite::file::refusal::unusable_or_full;

/// The suffix of the name under which an old database is kept. From the second one on, a number follows.
pub(crate) const KEPT: &str = ".before-restore";

/// How much of a damaged file is copied at once, in bytes.
const BLOCK: usize = 1 << 20;

/// What is kept of an old database.
pub(crate) struct Kept {
    /// `None` if there was nothing to keep.
    pub(crate) path: Option<PathBuf>,
    made: Vec<PathBuf>,
}

impl Kept {
    /// Keeps a database that is locked and has no log.
    pub(crate) fn whole(path: &Path, old: &Connection) -> Result<Kept> {
        let mut part = PartFile::beside(&free(path), 0o600)?;
        let refuse = |error: rusqlite::Error| unkept(&part.target, unusable_or_full(path, &error));
        let mut to = part.connect().map_err(refuse)?;
        copy_pages(old, &part, &mut to, &mut |_, _| {})
            .and_then(|()| plain(&to))
            .map_err(|error| match cancelled() {
                true => stopped(),
                false => refuse(error),
            })?;
        like(&part.file, path)?;
        place(&mut part, path)?;
        drop(to);
        Ok(Kept {
            path: Some(part.target.clone()),
            made: vec![part.target.clone()],
        })
    }

    /// Keeps a database that SQLite cannot open, with its log and its journal, unchanged. `old` is the locked file: closing
    /// another descriptor of it would end the lock.
    pub(crate) fn damaged(path: &Path, old: &File) -> Result<Kept> {
        let mut part = PartFile::beside(&free(path), 0o600)?;
        let failed = |error: io::Error| match cancelled() {
            true => stopped(),
            false => unkept(&part.target, failed(path, "cannot be copied", &error)),
        };
        let mut from = old;
        from.seek(SeekFrom::Start(0)).map_err(failed)?;
        copy_bytes(&mut from, &part.file).map_err(failed)?;
        like(&part.file, path)?;
        place(&mut part, path)?;
        let mut kept = Kept {
            path: Some(part.target.clone()),
            made: vec![part.target.clone()],
        };
        for side in live_sides(path) {
            let (from, to) = (with_end(path, side), with_end(&part.target, side));
            let copied = File::open(&from).and_then(|mut from| {
                let to_file = private_file(&to)?;
                kept.made.push(to.clone());
                copy_bytes(&mut from, &to_file)?;
                give_like(&to_file, &from.metadata()?)?;
                to_file.sync_all()
            });
            let copied = copied.map_err(|error| match cancelled() {
                true => stopped(),
                false => unkept(
                    &part.target,
                    self::failed(&from, "cannot be copied", &error),
                ),
            });
            if let Err(error) = copied.and_then(|()| sync_folder(path)) {
                kept.undo();
                return Err(error);
            }
        }
        Ok(kept)
    }

    /// Moves a log or a journal whose database is gone out of the way, so that SQLite does not apply it to the new one.
    pub(crate) fn orphans(path: &Path) -> Result<Kept> {
        let name = free(path);
        let mut kept = Kept {
            path: None,
            made: Vec::new(),
        };
        for side in live_sides(path) {
            let (from, to) = (with_end(path, side), with_end(&name, side));
            if exists(path) {
                break;
            }
            if let Err(error) = rename_new(&from, &to) {
                kept.put_back(path);
                return Err(unkept(&name, failed(&from, "cannot be moved", &error)));
            }
            kept.made.push(to);
            kept.path = Some(name.clone());
        }
        sync_folder(path)?;
        Ok(kept)
    }

    /// Where it is, as the end of a sentence.
    pub(crate) fn told(&self) -> String {
        match &self.path {
            Some(path) => format!("; a copy of the old database is kept as {}", path.display()),
            None => String::new(),
        }
    }

    /// Removes it, because the old database stays in its place.
    pub(crate) fn undo(&self) {
        for made in &self.made {
            let _ = fs::remove_file(made);
        }
    }

    /// Copies the log and the journal of a damaged database back to it.
    pub(crate) fn copy_back(&self, path: &Path) {
        for (side, kept) in self.sides() {
            let to = with_end(path, side);
            let copied = File::open(&kept).and_then(|mut from| {
                let to = private_file(&to)?;
                copy_bytes(&mut from, &to)?;
                give_like(&to, &from.metadata()?)
            });
            if copied.is_err() {
                return;
            }
        }
        self.undo();
    }

    /// Moves the log and the journal back to where they were.
    pub(crate) fn put_back(&self, path: &Path) {
        for (side, kept) in self.sides() {
            // If this fails, they stay kept.
            let _ = rename_new(&kept, &with_end(path, side));
        }
    }

    fn sides(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let name = self.path.iter();
        name.flat_map(|name| SIDES.map(|side| (side, with_end(name, side))))
            .filter(|(_, kept)| self.made.contains(kept))
    }
}

/// The first name that is free, also of side files.
fn free(path: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let name = match number {
            1 => with_end(path, KEPT),
            number => with_end(path, &format!("{KEPT}-{number}")),
        };
        let taken = exists(&name) || SIDES.iter().any(|side| exists(&with_end(&name, side)));
        if !taken {
            return name;
        }
        number += 1;
    }
}

/// Gives the copy its name, or the next one that is free if another program has taken it meanwhile.
fn place(part: &mut PartFile, path: &Path) -> Result<()> {
    loop {
        match part.place(false) {
            Err(error) if error.code == Code::Conflict && exists(&part.target) => {
                part.target = free(path);
            }
            placed => return placed.map_err(|error| unkept(&part.target, error)),
        }
    }
}

fn like(file: &File, path: &Path) -> Result<()> {
    fs::metadata(path)
        .and_then(|found| give_like(file, &found))
        .map_err(|error| failed(path, "cannot give its owner to the copy of it", &error))
}

fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut make = File::options();
    make.write(true).create_new(true).mode(0o600).open(path)
}

fn copy_bytes(from: &mut impl Read, mut to: &File) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    loop {
        if cancelled() {
            return Err(ErrorKind::Interrupted.into());
        }
        match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&block[..length])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn stopped() -> Error {
    Error::new(Code::Unavailable, "was stopped")
}

/// Adds to an error that nothing was restored, because the old database could not be kept.
fn unkept(name: &Path, mut error: Error) -> Error {
    error.message = format!(
        "{}; nothing was restored, because the old database could not be kept as {}",
        error.message,
        name.display()
    );
    error
}
