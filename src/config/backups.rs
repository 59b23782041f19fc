//! The settings of the backups that `crm serve` makes at regular intervals.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::error::Result;
use crate::config::flags::Flags;
use crate::config::levels::Levels;
use crate::config::origin::{Origin, Setting};
use crate::config::parse::show_duration;
use crate::config::row::Row;
use crate::config::surroundings::Surroundings;
use crate::config::table::{BACKUP_DIR, BACKUP_EVERY, BACKUP_KEEP};

/// The settings of the backups that `crm serve` makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backups {
    /// The folder for the backups. `None` makes no backups.
    pub folder: Option<Setting<PathBuf>>,
    /// The time between two backups: a second to a year.
    pub every: Setting<Duration>,
    /// How many backups are kept: 1 to 10,000.
    pub keep: Setting<usize>,
}

impl Backups {
    /// Finds the settings. A time or a number without a folder is refused, because it would have no effect.
    pub fn find(flags: &Flags, around: &Surroundings) -> Result<Backups> {
        let levels = Levels::read(flags, around)?;
        let folder = levels
            .value(&BACKUP_DIR)?
            .map(|folder| folder.path().map(Path::to_path_buf));
        let found = Backups {
            folder: folder.transpose(),
            every: levels.value(&BACKUP_EVERY)?.map(|every| every.time()),
            keep: levels.value(&BACKUP_KEEP)?.map(|keep| keep.number()),
        };
        if found.folder.is_none() {
            let origins = [&found.every.origin, &found.keep.origin];
            let mut given = origins.iter().filter(|origin| ***origin != Origin::Default);
            if let Some(origin) = given.next() {
                let names = BACKUP_DIR.names();
                let expected = format!("expected a folder for the backups too ({names})");
                return Err(origin.refuse(expected));
            }
        }
        Ok(found)
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let (every, keep) = (&self.every, &self.keep);
        vec![
            match &self.folder {
                Some(folder) => Row::new(&BACKUP_DIR, folder.value.display(), &folder.origin),
                None => Row::without_value(&BACKUP_DIR, "not set".into()),
            },
            Row::new(&BACKUP_EVERY, show_duration(every.value), &every.origin),
            Row::new(&BACKUP_KEEP, keep.value, &keep.origin),
        ]
    }
}
