//! Remembers an import until it is done, so that the same command goes on after it was interrupted.
//!
//! The key of the import's lines is kept in a small file of the user, under the digest of the file, of what the user said about
//! it, and of the database. The service knows by the key which lines are done. Once the import is done the file is removed:
//! the next import of the same file is a new one, and finds what is there.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use crate::base::error::{Error, Result};
use crate::model::terms::KEPT;

/// The name of the folder below the user's folder for data.
const FOLDER: &str = "crm/imports";

/// The key of an import, and the file that remembers it.
pub(super) struct Resume {
    /// The key.
    pub(super) key: String,
    /// Whether an earlier command has begun with it.
    pub(super) goes_on: bool,
    /// Whether that is so long ago that the service may have forgotten it.
    pub(super) is_old: bool,
    path: Option<PathBuf>,
}

impl Resume {
    /// Finds the key that an interrupted import has left, or makes one.
    pub(super) fn find(folder: Option<&Path>, parts: &[&[u8]], anew: bool) -> Result<Resume> {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let name = hex(&digest.finalize());
        let path = folder.map(|folder| folder.join(FOLDER).join(&name[..32]));
        let mut resume = Resume {
            key: String::new(),
            goes_on: false,
            is_old: false,
            path,
        };
        if let (Some(path), false) = (&resume.path, anew)
            && let Ok(text) = std::fs::read_to_string(path)
            && !text.trim().is_empty()
        {
            let written = std::fs::metadata(path).and_then(|found| found.modified());
            let age = written
                .ok()
                .and_then(|at| SystemTime::now().duration_since(at).ok());
            resume.is_old = age.is_some_and(|age| age >= Duration::from_secs(KEPT));
            resume.key = text.trim().into();
            resume.goes_on = true;
            return Ok(resume);
        }
        resume.begin()?;
        Ok(resume)
    }

    /// Begins anew.
    pub(super) fn begin(&mut self) -> Result<()> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(Error::internal)?;
        self.key = format!("import-{}", hex(&bytes));
        (self.goes_on, self.is_old) = (false, false);
        if let Some(path) = &self.path {
            let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            // Without the file the import can be run all the same; it only cannot go on.
            if folder
                .and_then(|()| std::fs::write(path, &self.key))
                .is_err()
            {
                self.path = None;
            }
        }
        Ok(())
    }

    /// Forgets an import that is done.
    pub(super) fn done(&self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_that_is_not_done_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let find =
            |part: &str, anew| Resume::find(Some(folder.path()), &[part.as_bytes()], anew).unwrap();
        let first = find("a", false);
        assert!(!first.goes_on);
        assert!(!find("b", false).goes_on);
        let again = find("a", false);
        assert!(again.goes_on && again.key == first.key && !again.is_old);
        let anew = find("a", true);
        assert!(!anew.goes_on && anew.key != first.key);
        anew.done();
        assert!(!find("a", false).goes_on);
        assert!(!Resume::find(None, &[b"a"], false).unwrap().goes_on);
    }
}
