//! The scheduled backups of a server.
//!
//! A thread makes a backup whenever the newest one is old enough. So a server that is restarted now and then makes as many
//! as one that is not. A failed backup is logged and tried again when the next one is due; the service continues.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::backup::back_up;
use super::backup_names::BackupNames;
use super::part::PartFile;
use super::schema::Schema;
use crate::base::error::{Error, Result};
use crate::base::time;
use crate::store::contract::Report;
use crate::store::sqlite::cancel::{Cancellation, cancelled};

/// The longest sleep at once: the clock may be set, and a suspended machine does not count the time.
const NAP: Duration = Duration::from_secs(60);

/// How long the service waits for a backup to end when it shuts down. A backup ends after a step of its copying or checking,
/// if its disk answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// When backups are made, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The folder for the backups.
    pub folder: PathBuf,
    /// The time between two backups.
    pub every: Duration,
    /// How many are kept, at least one.
    pub keep: usize,
}

/// Makes the folder for the backups of the database at `path` if it does not exist, and checks that files can be made in
/// it. Leaves no file there. It does not make the folders above, because they may be on a disk that is not mounted yet.
///
/// The error is the system's. A full disk is not an error: space may become free, and until then the log reports it.
pub fn check_folder(path: &Path, folder: &Path) -> std::io::Result<()> {
    if let Err(error) = fs::create_dir(folder)
        && !folder.is_dir()
    {
        // "Not a directory" explains more than "exists already".
        return Err(match error.kind() {
            ErrorKind::AlreadyExists => ErrorKind::NotADirectory.into(),
            _ => error,
        });
    }
    let file = folder.join(BackupNames::of(path).name(&time::stamp()));
    match PartFile::make(&file, 0o600) {
        Err(error)
            if !matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// The thread that makes the backups.
pub struct Scheduler {
    stop: Stopper,
    ended: Receiver<()>,
}

/// Ends a scheduler.
#[derive(Clone)]
pub struct Stopper {
    asked: Arc<AtomicBool>,
    wake: Sender<()>,
}

impl Stopper {
    /// Asks it to end. A backup that is being made is cancelled and leaves nothing behind.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::Relaxed);
        // The thread may have ended already.
        let _ = self.wake.send(());
    }
}

impl Scheduler {
    pub(crate) fn start(
        path: &Path,
        schema: Schema<'static>,
        schedule: Schedule,
        report: Arc<Mutex<Report>>,
    ) -> Result<Scheduler> {
        let (wake, woken) = channel();
        let (end, ended) = channel();
        let asked = Arc::new(AtomicBool::new(false));
        let cancellation = Cancellation::new(asked.clone());
        let work = BackupThread {
            names: BackupNames::of(path),
            path: path.into(),
            schema,
            schedule,
            report,
        };
        std::thread::Builder::new()
            .name("crm-backup".into())
            .spawn(move || {
                cancellation.during(|| work.go_on(&woken));
                drop(end);
            })
            .map_err(|error| Error::failed(format!("cannot start the backups: {error}")))?;
        Ok(Scheduler {
            stop: Stopper { asked, wake },
            ended,
        })
    }

    /// The handle that ends it.
    pub fn stopper(&self) -> Stopper {
        self.stop.clone()
    }

    /// Stops it and waits for its end, at most a few seconds.
    pub fn end(self) {
        self.stop.stop();
        // Nothing is ever sent: this returns when the thread drops its sender.
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

/// The state of the thread.
struct BackupThread {
    path: PathBuf,
    schema: Schema<'static>,
    names: BackupNames,
    schedule: Schedule,
    report: Arc<Mutex<Report>>,
}

impl BackupThread {
    fn go_on(&self, woken: &Receiver<()>) {
        let newest = self.names.newest(&self.schedule.folder, SystemTime::now());
        self.report().last = newest.and_then(time::stored);
        let mut tried: Option<Instant> = None;
        loop {
            let wait = self.wait(tried.map(|at| at.elapsed()));
            if wait.is_zero() {
                tried = Some(Instant::now());
                if !self.back_up() {
                    return;
                }
            } else if woken.recv_timeout(wait.min(NAP)) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time until the next backup is due, given the time since the last try.
    fn wait(&self, tried: Option<Duration>) -> Duration {
        let now = SystemTime::now();
        let newest = self.names.newest(&self.schedule.folder, now);
        let age = newest.and_then(|at| now.duration_since(at).ok());
        due(age, tried, self.schedule.every)
    }

    /// Makes a backup and removes the oldest ones if there are too many. Returns whether to continue.
    fn back_up(&self) -> bool {
        let Schedule { folder, keep, .. } = &self.schedule;
        let file = folder.join(self.names.name(&time::stamp()));
        let began = Instant::now();
        match back_up(&self.path, &file, false, true, self.schema, &mut |_| {}) {
            Ok(content) => {
                let (bytes, took) = (content.bytes, began.elapsed().as_secs_f64());
                tracing::info!("backup {}: {bytes} bytes in {took:.1} s", file.display());
                if let Some(warning) = content.warning(&file) {
                    tracing::warn!("backup {warning}");
                }
                *self.report() = Report {
                    last: Some(time::now()),
                    failing_since: None,
                };
                self.rotate(&file, *keep);
                true
            }
            Err(_) if cancelled() => false,
            Err(error) => {
                tracing::error!(
                    "the backup failed and will be tried again when the next one is due: {error}"
                );
                self.report().failing_since.get_or_insert_with(time::now);
                true
            }
        }
    }

    /// Removes the oldest backups, but never the one that was just made.
    fn rotate(&self, new: &Path, keep: usize) {
        let mut others = self.names.made(&self.schedule.folder, SystemTime::now());
        others.retain(|(_, file)| file != new);
        let many = (others.len() + 1).saturating_sub(keep.max(1));
        for (_, file) in others.into_iter().take(many) {
            let shown = file.display();
            match self.names.remove(&file) {
                Ok(true) => tracing::info!("backup {shown}: removed, there are {keep} newer ones"),
                Ok(false) => tracing::warn!(
                    "{shown}: is not removed, because a program uses it; there are {keep} newer backups"
                ),
                Err(error) => {
                    tracing::error!("{shown}: an old backup could not be removed: {error}")
                }
            }
        }
    }
}

/// The time until the next backup is due, from the age of the newest one, whoever made it, and the time since the last try,
/// which may have failed.
fn due(newest: Option<Duration>, tried: Option<Duration>, every: Duration) -> Duration {
    let rest = |age: Option<Duration>| age.map_or(Duration::ZERO, |age| every.saturating_sub(age));
    rest(newest).max(rest(tried))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn the_next_one_is_due_by_the_newest_file_and_the_last_try() {
        let minutes = |minutes| Some(HOUR / 60 * minutes);
        assert_eq!(due(None, None, HOUR), Duration::ZERO);
        // After a restart at 50 minutes, the remaining 10 minutes count.
        assert_eq!(due(minutes(50), None, HOUR), HOUR / 6);
        assert_eq!(due(minutes(61), None, HOUR), Duration::ZERO);
        // A failed backup is tried again after the interval, whatever the age of the newest file.
        assert_eq!(due(minutes(70), minutes(10), HOUR), HOUR / 6 * 5);
        assert_eq!(due(None, minutes(10), HOUR), HOUR / 6 * 5);
        assert_eq!(due(minutes(5), minutes(5), HOUR), HOUR / 12 * 11);
    }

    #[test]
    fn rotation_removes_the_oldest_of_its_own_and_never_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            fs::write(folder.path().join(name), "SQLite format 3\0\x10\0\x01\x01").unwrap();
        };
        // The backup from 2999 was made while the clock was wrong.
        for name in [
            "crm-20260101T000000Z.db",
            "crm-20260102T000000Z.db",
            "crm-20260103T000000Z.db",
            "crm-29990101T000000Z.db",
            "crm-notes.db",
            "other-20250101T000000Z.db",
        ] {
            put(name);
        }
        fs::create_dir(folder.path().join("crm-20200101T000000Z.db")).unwrap();
        let work = BackupThread {
            path: "crm.db".into(),
            schema: Schema::of(&[]),
            names: BackupNames::of(Path::new("crm.db")),
            schedule: Schedule {
                folder: folder.path().into(),
                every: HOUR,
                keep: 3,
            },
            report: Arc::default(),
        };
        let left = |keep: usize, new: &str| {
            work.rotate(&folder.path().join(new), keep);
            let entries = fs::read_dir(folder.path()).unwrap();
            let mut left: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.starts_with("crm-2") && !name.starts_with("crm-2020"))
                .collect();
            left.sort();
            left.join(" ")
                .replace("crm-", "")
                .replace("T000000Z.db", "")
        };
        assert_eq!(
            work.names.newest(folder.path(), SystemTime::now()),
            time::read_stamp("20260103T000000Z")
        );
        assert_eq!(
            left(4, "crm-20260103T000000Z.db"),
            "20260101 20260102 20260103 29990101"
        );
        assert_eq!(
            left(3, "crm-20260103T000000Z.db"),
            "20260101 20260102 20260103 29990101"
        );
        assert_eq!(
            left(2, "crm-20260101T000000Z.db"),
            "20260101 20260103 29990101"
        );
        assert_eq!(left(1, "crm-20260101T000000Z.db"), "20260101 29990101");
        assert_eq!(left(1, "crm-20260101T000000Z.db"), "20260101 29990101");
        for other in [
            "crm-notes.db",
            "other-20250101T000000Z.db",
            "crm-20200101T000000Z.db",
        ] {
            assert!(folder.path().join(other).exists(), "{other}");
        }
    }

    /// A database may have the name of a backup. Neither one that is in use is removed, nor one that was used before.
    #[test]
    fn rotation_removes_no_database_that_is_or_was_in_use() {
        use crate::store::sqlite::opening::Work;
        use crate::store::sqlite::store::Sqlite;
        let folder = tempfile::tempdir().unwrap();
        let at = |day: u32| folder.path().join(format!("crm-2026010{day}T000000Z.db"));
        for day in 1..=5 {
            drop(Sqlite::open(&at(day), Work::Command).unwrap());
        }
        let plain = |path: &Path| {
            let connection = rusqlite::Connection::open(path).unwrap();
            let sql = "PRAGMA journal_mode = DELETE";
            connection.query_row(sql, [], |_| Ok(())).unwrap();
            connection
        };
        // 1 was used, 2 is used with a log, 4 is its own database, 3 and 5 are backups.
        let used = Sqlite::open(&at(2), Work::Command).unwrap();
        for day in [3, 4, 5] {
            drop(plain(&at(day)));
        }
        let names = BackupNames::of_stem("crm", &at(4));
        let made = names.made(folder.path(), SystemTime::now());
        let made: Vec<PathBuf> = made.into_iter().map(|(_, file)| file).collect();
        assert_eq!(made, [at(3), at(5)]);
        for day in [1, 2, 4] {
            assert_eq!(names.remove(&at(day)).ok(), Some(false), "{day}");
            assert!(at(day).exists(), "{day}");
        }
        assert_eq!(names.remove(&at(3)).ok(), Some(true));
        assert!(!at(3).exists());
        drop(used);
    }
}
