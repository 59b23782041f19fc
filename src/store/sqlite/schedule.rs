//! Backups of a server, again and again.
//!
//! A thread of its own makes one whenever the newest is old enough, so that a server that is started anew every now and then
//! makes as many as one that is not. A backup that fails is said in the log and tried again when the next one is due; the
//! service goes on.

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::backup::backup_with;
use super::part::{self, Part};
use super::stop::Stop;
use crate::base::error::{Error, Result};
use crate::base::time;
use crate::store::contract::Report;

/// The longest that is slept at once: the clock may be set, and a machine that sleeps does not count the time.
const NAP: Duration = Duration::from_secs(60);

/// How long the end of a backup is waited for when the service ends. It is over after a step of its copying or checking, if
/// its disk answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// When backups are made, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The folder they go into.
    pub folder: PathBuf,
    /// The time between two.
    pub every: Duration,
    /// How many are kept, one at least.
    pub keep: usize,
}

/// Makes the folder for the backups of the database at `path`, if it is not there, and sees that they can be written into
/// it; nothing else stays in it. Its own folder alone is made, not those above it: they may be a disk that is not there yet.
///
/// The error is the system's reason. A disk that is full is none: room may be made, and until then the log says it.
pub fn check_folder(path: &Path, folder: &Path) -> std::io::Result<()> {
    if let Err(error) = fs::create_dir(folder)
        && !folder.is_dir()
    {
        // What is in the way says more than that something exists already.
        return Err(match error.kind() {
            ErrorKind::AlreadyExists => ErrorKind::NotADirectory.into(),
            _ => error,
        });
    }
    let file = folder.join(Names::of(path).name(&time::stamp()));
    match Part::make(&file, 0o600) {
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
    /// Asks it to end: a backup that is being made is given up, and leaves nothing.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::Relaxed);
        // It may have ended by itself.
        let _ = self.wake.send(());
    }
}

impl Scheduler {
    pub(super) fn start(
        path: &Path,
        schedule: Schedule,
        report: Arc<Mutex<Report>>,
    ) -> Result<Scheduler> {
        let (wake, woken) = channel();
        let (end, ended) = channel();
        let asked = Arc::new(AtomicBool::new(false));
        let stop = Stop::new(asked.clone());
        let work = Work {
            names: Names::of(path),
            path: path.into(),
            schedule,
            report,
        };
        std::thread::Builder::new()
            .name("crm-backup".into())
            .spawn(move || {
                stop.during(|| work.go_on(&woken));
                drop(end);
            })
            .map_err(|error| Error::failed(format!("cannot start the backups: {error}")))?;
        Ok(Scheduler {
            stop: Stopper { asked, wake },
            ended,
        })
    }

    /// What ends it.
    pub fn stopper(&self) -> Stopper {
        self.stop.clone()
    }

    /// Stops it and waits for its end, for some seconds at most.
    pub fn end(self) {
        self.stop.stop();
        // Nothing is ever sent: it ends when the thread drops its end.
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

/// What the thread goes by.
struct Work {
    path: PathBuf,
    names: Names,
    schedule: Schedule,
    report: Arc<Mutex<Report>>,
}

impl Work {
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

    /// How long until the next one is due, given how long ago the last was tried.
    fn wait(&self, tried: Option<Duration>) -> Duration {
        let now = SystemTime::now();
        let newest = self.names.newest(&self.schedule.folder, now);
        let age = newest.and_then(|at| now.duration_since(at).ok());
        due(age, tried, self.schedule.every)
    }

    /// Makes one, and removes those that are too many. Answers whether to go on.
    fn back_up(&self) -> bool {
        let Schedule { folder, keep, .. } = &self.schedule;
        let file = folder.join(self.names.name(&time::stamp()));
        let began = Instant::now();
        match backup_with(&self.path, &file, false, true, &mut |_| {}) {
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
            Err(_) if super::stop::asked() => false,
            Err(error) => {
                tracing::error!("the backup failed, the next is tried in time: {error}");
                self.report().failing_since.get_or_insert_with(time::now);
                true
            }
        }
    }

    /// Removes the oldest, but never the one that was just made.
    fn rotate(&self, new: &Path, keep: usize) {
        let mut others = self.names.made(&self.schedule.folder, SystemTime::now());
        others.retain(|(_, file)| file != new);
        let many = (others.len() + 1).saturating_sub(keep.max(1));
        for (_, file) in others.into_iter().take(many) {
            let shown = file.display();
            match fs::remove_file(&file) {
                Ok(()) => tracing::info!("backup {shown}: removed, {keep} newer ones are there"),
                Err(error) => tracing::error!("{shown}: an old backup stays: {error}"),
            }
        }
    }
}

/// Whether a file begins as SQLite's do. What has only the name of a backup counts for none, and is not removed as one.
fn is_database(file: &Path) -> bool {
    let mut begin = [0; 16];
    let read = fs::File::open(file).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *part::BEGIN
}

/// How long until the next backup is due, given the age of the newest one, whoever made it, and how long ago the last was
/// tried, which may have failed.
fn due(newest: Option<Duration>, tried: Option<Duration>, every: Duration) -> Duration {
    let rest = |age: Option<Duration>| age.map_or(Duration::ZERO, |age| every.saturating_sub(age));
    rest(newest).max(rest(tried))
}

/// The names of a database's backups: its own name without its end, a time, and `.db`.
pub(super) struct Names {
    stem: String,
}

impl Names {
    pub(super) fn of(path: &Path) -> Names {
        let stem = path.file_stem().unwrap_or(OsStr::new("crm"));
        Names {
            stem: stem.to_string_lossy().into_owned(),
        }
    }

    fn name(&self, stamp: &str) -> String {
        format!("{}-{stamp}.db", self.stem)
    }

    /// When the backup of this name was made; `None` for all other names.
    pub(super) fn read(&self, name: &str) -> Option<SystemTime> {
        let rest = name.strip_prefix(&self.stem)?.strip_prefix('-')?;
        time::read_stamp(rest.strip_suffix(".db")?)
    }

    /// Those in the folder, the oldest first. A folder that cannot be read has none; making one there says why.
    ///
    /// One from the future was made under a clock that has been set back since. It may be the newest there is, so that it is
    /// let alone until its time has come.
    fn made(&self, folder: &Path, now: SystemTime) -> Vec<(SystemTime, PathBuf)> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut made: Vec<(SystemTime, PathBuf)> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .filter_map(|entry| Some((self.read(entry.file_name().to_str()?)?, entry.path())))
            .filter(|(at, file)| *at <= now && is_database(file))
            .collect();
        made.sort();
        made
    }

    /// When the newest was made.
    fn newest(&self, folder: &Path, now: SystemTime) -> Option<SystemTime> {
        Some(self.made(folder, now).pop()?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn the_next_one_is_due_by_the_newest_file_and_the_last_try() {
        let minutes = |minutes| Some(HOUR / 60 * minutes);
        assert_eq!(due(None, None, HOUR), Duration::ZERO);
        // Started anew after 50 minutes, it goes on where it was.
        assert_eq!(due(minutes(50), None, HOUR), HOUR / 6);
        assert_eq!(due(minutes(61), None, HOUR), Duration::ZERO);
        // One that failed is tried again in time, whatever the newest file says.
        assert_eq!(due(minutes(70), minutes(10), HOUR), HOUR / 6 * 5);
        assert_eq!(due(None, minutes(10), HOUR), HOUR / 6 * 5);
        assert_eq!(due(minutes(5), minutes(5), HOUR), HOUR / 12 * 11);
    }

    #[test]
    fn only_names_of_its_own_are_read() {
        let names = Names::of(Path::new("/var/lib/crm/crm.db"));
        let name = names.name("20260102T030405Z");
        assert_eq!(name, "crm-20260102T030405Z.db");
        let at = names.read(&name).and_then(time::stored);
        assert_eq!(at.as_deref(), Some("2026-01-02 03:04:05"));
        for name in [
            "crm.db",
            "crm-20260102T030405Z.db-wal",
            "crm-20260102T030405Z.db.part-0123456789abcdef",
            "other-20260102T030405Z.db",
            "crm-2-20260102T030405Z.db",
            "crm-20260102.db",
            "crm-before-20260102T030405Z.db",
        ] {
            assert_eq!(names.read(name), None, "{name}");
        }
    }

    #[test]
    fn what_has_only_the_name_of_a_backup_counts_for_none() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("crm-20260101T000000Z.db", ""),
            ("crm-20260102T000000Z.db", "notes of a meeting"),
            ("crm-20260103T000000Z.db", "SQLite format 3\0 and more"),
        ] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let made = Names::of(Path::new("crm.db")).made(folder.path(), SystemTime::now());
        let made: Vec<_> = made.iter().map(|(_, file)| file.file_name()).collect();
        assert_eq!(made, [Some(OsStr::new("crm-20260103T000000Z.db"))]);
    }

    #[test]
    fn rotation_removes_the_oldest_of_its_own_and_never_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            fs::write(folder.path().join(name), "SQLite format 3\0").unwrap();
        };
        // 2999 is a clock that was wrong.
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
        let work = Work {
            path: "crm.db".into(),
            names: Names::of(Path::new("crm.db")),
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
}
