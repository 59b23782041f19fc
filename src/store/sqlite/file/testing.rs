//! A database in its own folder, for tests.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rusqlite::Connection;

use super::place::FileId;
use super::prepare::prepare;
use super::schema::Schema;
use crate::base::error::Result;
use crate::model::nouns::NOUNS;

/// A folder for one database, `crm.db`.
pub(crate) struct Folder {
    dir: tempfile::TempDir,
}

/// Every file with its content and the time of its last change.
pub(crate) type Contents = BTreeMap<String, (Vec<u8>, SystemTime)>;

impl Folder {
    pub(crate) fn new() -> Folder {
        let dir = tempfile::tempdir().unwrap();
        Folder { dir }
    }

    /// A folder with a database that this SQL made.
    pub(crate) fn with(sql: &str) -> Folder {
        let folder = Folder::new();
        folder.open().execute_batch(sql).unwrap();
        folder
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("crm.db")
    }

    pub(crate) fn open(&self) -> Connection {
        let conn = Connection::open(self.path()).unwrap();
        conn.busy_timeout(Duration::from_secs(5)).unwrap();
        conn
    }

    /// Opens, prepares and closes the database, as a command does.
    pub(crate) fn prepare(&self) -> Result<Option<String>> {
        let path = self.path();
        let mut conn = self.open();
        prepare(&path, FileId::of(&path), &mut conn, Schema::of(&NOUNS))
    }

    pub(crate) fn files(&self) -> Contents {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                let content = std::fs::read(entry.path()).unwrap();
                (
                    name,
                    (content, entry.metadata().unwrap().modified().unwrap()),
                )
            })
            .collect()
    }

    /// Checks that the file is refused in one line with these words, and stays unchanged.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) {
        let before = self.files();
        let error = self.prepare().unwrap_err();
        assert_eq!(error.code, crate::base::error::Code::Failed);
        let start = format!("{}: ", self.path().display());
        assert!(error.message.starts_with(&start), "{error}");
        assert!(!error.message.contains('\n'), "{error}");
        for word in words {
            assert!(error.message.contains(word), "{error}");
        }
        let after = self.files();
        assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
        assert!(before == after, "{error}, but the file was changed");
    }
}
