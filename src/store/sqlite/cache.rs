//! A server's cache of records as JSON, which is never outdated.
//!
//! Half of the time that SQLite needs for one record goes into locking its file. A cached record needs no lock. These rules
//! keep the cache from returning outdated records:
//!
//! - A record that this process changes is dropped before the commit is answered. A read that began before the commit must
//!   not put the old record back, so each read notes the [`Generation`] in which it began.
//! - A commit of another process is seen by a check of the file's version. Only the writing connection can tell such
//!   commits from this process's own. Each batch of writes begins with a check, and readers request one if the last is old.
//!   If the last check began longer ago than [`TRUSTED`], the cache is not used, and records are read from the file.
//!
//! Only records of nouns with their own table are cached: SQLite does not report changes of a view.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use quick_cache::Weighter;

use crate::model::noun::Noun;
use crate::model::record::Snapshot;

/// How long after a check the cache may be used. A commit of another process is seen within this time plus the time of an
/// answer; the documented bound is 5 ms.
const TRUSTED: Duration = Duration::from_millis(4);

/// How long after a check the next one is requested. This is early enough for it to be done in time.
const OLD: Duration = Duration::from_millis(2);

/// The size of the cache in bytes: JSON and overhead.
const ROOM: u64 = 16 * 1024 * 1024;

/// The overhead of a record in bytes: the key, the reference and the slots that point to it.
const OVERHEAD: u64 = 128;

/// The largest JSON that is cached, in bytes, so that no record evicts a thousand others.
pub(crate) const LARGEST: usize = 16 * 1024;

/// If more records than this change at once, the whole cache is dropped.
const MOST_CHANGES: usize = 10_000;

/// A record: the position of its noun among the nouns, and its id.
pub(crate) type CacheKey = (u8, i64);

/// The key of a row, if its table belongs to one of these nouns.
pub(crate) fn key(nouns: &[&Noun], table: &str, id: i64) -> Option<CacheKey> {
    let at = nouns.iter().position(|noun| noun.plural == table)?;
    place(nouns, at).map(|at| (at, id))
}

/// The position of a noun in a key. A view is not cached.
#[inline]
fn place(nouns: &[&Noun], at: usize) -> Option<u8> {
    u8::try_from(at).ok().filter(|_| !nouns[at].is_view())
}

/// The size of a cached record.
#[derive(Clone)]
struct Weight;

impl Weighter<CacheKey, Snapshot> for Weight {
    fn weight(&self, _: &CacheKey, kept: &Snapshot) -> u64 {
        kept.json.len() as u64 + OVERHEAD
    }
}

/// Counts the starts and ends of commits. It is odd during a commit, when it is unknown whether a read sees the commit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl Generation {
    fn is_between_commits(self) -> bool {
        self.0.is_multiple_of(2)
    }
}

/// The cache.
pub(crate) struct Cache {
    nouns: &'static [&'static Noun],
    kept: quick_cache::sync::Cache<CacheKey, Snapshot, Weight>,
    generation: RwLock<Generation>,
    start: Instant,
    /// When the last check of the file began, in microseconds since `start`; 0 for never.
    checked: AtomicU64,
    /// Whether a check has been requested.
    asked: AtomicBool,
    /// How many checks have found that other processes wrote.
    others: AtomicU64,
}

impl Cache {
    pub(crate) fn new(nouns: &'static [&'static Noun]) -> Cache {
        // An estimate of a record's size. The number of records that follows from it sizes the shards.
        const RECORD: u64 = 384;
        Cache {
            nouns,
            kept: quick_cache::sync::Cache::with_weighter((ROOM / RECORD) as usize, ROOM, Weight),
            generation: RwLock::new(Generation(0)),
            start: Instant::now(),
            checked: AtomicU64::new(0),
            asked: AtomicBool::new(false),
            others: AtomicU64::new(0),
        }
    }

    /// The time, for [`Cache::checked_after`].
    pub(crate) fn now(&self) -> u64 {
        // Plus one, because 0 means never.
        self.start.elapsed().as_micros() as u64 + 1
    }

    /// Whether the cache may be used. `ask` requests a check from the writing thread.
    pub(crate) fn is_trusted(&self, ask: impl FnOnce()) -> bool {
        let checked = self.checked.load(Ordering::Acquire);
        let age = Duration::from_micros(self.now().saturating_sub(checked));
        let is_old = checked == 0 || age > OLD;
        if is_old && !self.asked.swap(true, Ordering::Relaxed) {
            ask();
        }
        checked > 0 && age <= TRUSTED
    }

    /// Whether a check has begun after this time.
    pub(crate) fn checked_after(&self, at: u64) -> bool {
        self.checked.load(Ordering::Acquire) > at
    }

    /// How many checks have found that other processes wrote.
    pub(crate) fn others(&self) -> u64 {
        self.others.load(Ordering::Acquire)
    }

    /// The key of a record. It is needed for each record that is read, so that no texts are compared.
    #[inline]
    fn key(&self, noun: &'static Noun, id: i64) -> Option<CacheKey> {
        let mut nouns = self.nouns.iter();
        let at = nouns.position(|known| std::ptr::eq(*known, noun))?;
        place(self.nouns, at).map(|at| (at, id))
    }

    /// A cached record.
    #[inline]
    pub(crate) fn get(&self, noun: &'static Noun, id: i64) -> Option<Snapshot> {
        self.kept.get(&self.key(noun, id)?)
    }

    /// The generation, to be noted before a read.
    pub(crate) fn generation(&self) -> Generation {
        *self
            .generation
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no commit has run since the noted generation or during it.
    pub(crate) fn is_still(&self, noted: Generation) -> bool {
        noted.is_between_commits() && self.generation() == noted
    }

    /// Caches a record that was read, unless it may be older than a commit.
    pub(crate) fn keep(&self, noted: Generation, noun: &'static Noun, id: i64, read: &Snapshot) {
        let Some(key) = self.key(noun, id).filter(|_| read.json.len() <= LARGEST) else {
            return;
        };
        // Locked until the record is in, so that a commit that begins now finds and drops it.
        let generation = self
            .generation
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if noted.is_between_commits() && *generation == noted {
            self.kept.insert(key, read.clone());
        }
    }

    fn next_generation(&self) {
        self.generation
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .0 += 1;
    }

    /// Called before a commit of this process.
    pub(crate) fn commit_begins(&self) {
        self.next_generation();
    }

    /// Called after the commit and before it is answered, with the rows that it changed or may have changed.
    pub(crate) fn commit_ends(&self, changed: &[CacheKey]) {
        if changed.len() > MOST_CHANGES {
            self.kept.clear();
        } else {
            for key in changed {
                self.kept.remove(key);
            }
        }
        self.next_generation();
    }

    /// Called when a check begins; returns its time.
    pub(crate) fn check_begins(&self) -> u64 {
        self.asked.store(false, Ordering::Relaxed);
        self.now()
    }

    /// Called with the result of a check that began `at`.
    pub(crate) fn check_ends(&self, at: u64, others_wrote: bool) {
        if others_wrote {
            self.others.fetch_add(1, Ordering::AcqRel);
            self.commit_begins();
            self.kept.clear();
            self.next_generation();
        }
        self.checked.store(at, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;
    use crate::model::nouns::NOUNS;
    use crate::model::terms::Tag;

    fn json(text: &'static str) -> Snapshot {
        Snapshot {
            json: text.into(),
            tag: Tag::of(1),
        }
    }

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let cache = Cache::new(&NOUNS);
        let before = cache.generation();
        cache.commit_begins();
        let during = cache.generation();
        cache.commit_ends(&[(0, 1)]);
        cache.keep(before, &LEAD, 1, &json("{}"));
        assert_eq!(cache.get(&LEAD, 1), None);
        cache.keep(during, &LEAD, 1, &json("{}"));
        assert_eq!(cache.get(&LEAD, 1), None);
        cache.keep(cache.generation(), &LEAD, 1, &json("{}"));
        assert_eq!(cache.get(&LEAD, 1), Some(json("{}")));
    }

    #[test]
    fn a_commit_drops_what_it_changed_and_nothing_else() {
        let cache = Cache::new(&NOUNS);
        for id in [1, 2] {
            cache.keep(cache.generation(), &LEAD, id, &json("{}"));
        }
        cache.commit_begins();
        cache.commit_ends(&[(0, 2), (1, 1)]);
        assert!(cache.get(&LEAD, 1).is_some());
        assert!(cache.get(&LEAD, 2).is_none());
    }

    #[test]
    fn a_write_of_another_process_drops_everything() {
        let cache = Cache::new(&NOUNS);
        let noted = cache.generation();
        cache.keep(noted, &LEAD, 1, &json("{}"));
        cache.check_ends(cache.check_begins(), false);
        assert!(cache.get(&LEAD, 1).is_some() && cache.is_still(noted));
        cache.check_ends(cache.check_begins(), true);
        assert!(cache.get(&LEAD, 1).is_none() && !cache.is_still(noted));
    }

    #[test]
    fn nothing_is_trusted_without_a_check_and_a_check_is_asked_for_once() {
        let cache = Cache::new(&NOUNS);
        let mut asked = 0;
        assert!(!cache.is_trusted(|| asked += 1));
        assert_eq!(asked, 1);
        let ago = |age: Duration| cache.now().saturating_sub(age.as_micros() as u64);
        // The test needs a time in the past, so the process must be old enough.
        while cache.start.elapsed() < 2 * TRUSTED {
            std::thread::yield_now();
        }
        cache.check_ends(cache.check_begins(), false);
        assert!(cache.is_trusted(|| panic!("the check is new")));
        cache.check_ends(ago(TRUSTED + OLD), false);
        let mut asked = 0;
        assert!(!cache.is_trusted(|| asked += 1));
        assert!(!cache.is_trusted(|| asked += 1));
        assert_eq!(asked, 1);
    }

    #[test]
    fn a_very_large_record_is_not_kept() {
        let cache = Cache::new(&NOUNS);
        let giant = Snapshot {
            json: vec![b' '; LARGEST + 1].into(),
            tag: Tag::of(1),
        };
        cache.keep(cache.generation(), &LEAD, 1, &giant);
        assert_eq!(cache.get(&LEAD, 1), None);
    }
}
