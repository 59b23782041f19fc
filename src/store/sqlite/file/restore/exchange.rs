//! Gives the new file the name of the old one, in steps that can each be interrupted.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::base::error::Result;
use crate::store::sqlite::file::part::PartFile;
use crate::store::sqlite::file::paths::{SIDES, exists, failed, live_sides, sync_folder, with_end};
use crate::store::sqlite::file::place::FileId;

/// The suffix of the name under which an old database is kept. From the second one on, a number follows.
const KEPT: &str = ".before-restore";

/// The steps of the exchange, for tests that interrupt it right after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestoreStep {
    /// The new file is complete under its temporary name; the old one is locked.
    Ready,
    /// The old file has its second name.
    Kept,
    /// The side files of the old one are gone.
    Cleared,
    /// The new file has the name.
    Placed,
}

/// Gives the new file the name of the old one, if one `exists`. Returns the name under which the old one is kept.
pub(crate) fn exchange(
    part: &mut PartFile,
    path: &Path,
    exists: bool,
    step: &mut dyn FnMut(RestoreStep),
) -> Result<Option<PathBuf>> {
    let sides = live_sides(path);
    let kept = KeptFiles::make(path, &sides)?;
    step(RestoreStep::Kept);
    let placed = (|| {
        sync_folder(path)?;
        for side in SIDES {
            let side = with_end(path, side);
            if let Err(error) = fs::remove_file(&side)
                && error.kind() != ErrorKind::NotFound
            {
                return Err(failed(&side, "cannot be moved out of the way", &error));
            }
        }
        sync_folder(path)?;
        step(RestoreStep::Cleared);
        part.place(exists)
    })();
    match placed {
        Ok(()) => {
            step(RestoreStep::Placed);
            Ok(kept.path)
        }
        Err(error) => {
            kept.undo(path, &sides);
            Err(error)
        }
    }
}

/// The second names of an old database and of its side files.
struct KeptFiles {
    /// `None` if there was nothing to keep.
    path: Option<PathBuf>,
    made: Vec<PathBuf>,
}

impl KeptFiles {
    fn make(path: &Path, sides: &[&str]) -> Result<KeptFiles> {
        let main = exists(path);
        let mut kept = KeptFiles {
            path: None,
            made: Vec::new(),
        };
        if !main && sides.is_empty() {
            return Ok(kept);
        }
        let ends = || main.then_some("").into_iter().chain(sides.iter().copied());
        let mut number = 1;
        let name = loop {
            let name = match number {
                1 => with_end(path, KEPT),
                number => with_end(path, &format!("{KEPT}-{number}")),
            };
            // An interrupted restore may have made the second name already. Then both names lead to the same file.
            let free = ends().all(|end| {
                let (from, to) = (with_end(path, end), with_end(&name, end));
                !exists(&to) || FileId::same(&from, &to)
            });
            match free && (main || !exists(&name)) {
                true => break name,
                false => number += 1,
            }
        };
        for end in ends() {
            let (from, to) = (with_end(path, end), with_end(&name, end));
            if FileId::same(&from, &to) {
                continue;
            }
            if let Err(error) = fs::hard_link(&from, &to) {
                kept.undo(path, &[]);
                let what = format!(
                    "nothing was restored, because it cannot be kept as {}",
                    to.display()
                );
                return Err(failed(&from, &what, &error));
            }
            kept.made.push(to);
        }
        kept.path = Some(name);
        Ok(kept)
    }

    /// Restores the previous names. If that fails too, the old files still have their second names.
    fn undo(&self, path: &Path, sides: &[&str]) {
        for side in sides {
            if let Some(name) = &self.path {
                let _ = fs::hard_link(with_end(name, side), with_end(path, side));
            }
        }
        for made in &self.made {
            let _ = fs::remove_file(made);
        }
    }
}
