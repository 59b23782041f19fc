//! Records as JSON, as they were last read, for what is read again and again.
//!
//! Half of what SQLite needs for one record are the locks of its file. What is kept here is answered without it, and
//! never later than it is true:
//!
//! - What this process commits is dropped before the commit is answered. Who read it before the commit may not keep it
//!   any more: a read notes the [`Generation`] that it began in.
//! - What another process commits is seen by a look at the file's version, which only the writing connection can tell
//!   from its own commits. Each batch of writes begins with a look, and readers ask for one where the last is old. What
//!   is kept is not used once that is [`TRUSTED`] ago, and then read from the file.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use quick_cache::Weighter;

use crate::model::nouns::NOUNS;
use crate::model::record::{Noun, Snapshot};

/// How long after a look at the file what is kept may be answered. A commit of another process is seen within this time
/// and that of an answer; the documented bound is 5 ms.
const TRUSTED: Duration = Duration::from_millis(4);

/// How long after a look the next is asked for, early enough to be done in time.
const OLD: Duration = Duration::from_millis(2);

/// What is kept at most, in bytes of JSON and of the keeping itself.
const ROOM: u64 = 16 * 1024 * 1024;

/// What keeping a record costs beside its JSON, in bytes: the key, the reference and the places that point to it.
const KEEPING: u64 = 128;

/// The largest JSON that is kept, in bytes, so that no record pushes out a thousand others.
pub(super) const LARGEST_KEPT: usize = 16 * 1024;

/// Beyond this many changed records all are dropped.
const MOST_CHANGES: usize = 10_000;

/// The place of a noun, and an id.
pub(super) type Key = (u8, i64);

/// The key of a row, if its table is a noun's.
pub(super) fn key(table: &str, id: i64) -> Option<Key> {
    let at = NOUNS.iter().position(|noun| noun.plural == table)?;
    Some((at as u8, id))
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Snapshot> for Weight {
    fn weight(&self, _: &Key, kept: &Snapshot) -> u64 {
        kept.json.len() as u64 + KEEPING
    }
}

/// Counts commits: even between two, odd while one is under way and nobody can tell on which side of it a read is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u64);

impl Generation {
    fn is_between_commits(self) -> bool {
        self.0.is_multiple_of(2)
    }
}

/// What is kept.
pub(super) struct Cache {
    kept: quick_cache::sync::Cache<Key, Snapshot, Weight>,
    generation: RwLock<Generation>,
    start: Instant,
    /// When the last look at the file began, in microseconds since `start`; 0 for never.
    looked: AtomicU64,
    /// Whether a look has been asked for.
    asked: AtomicBool,
    /// How many looks have found that others wrote.
    others: AtomicU64,
}

impl Cache {
    pub(super) fn new() -> Cache {
        // The number of records is an estimate that sizes the shards.
        const RECORD: u64 = 384;
        Cache {
            kept: quick_cache::sync::Cache::with_weighter((ROOM / RECORD) as usize, ROOM, Weight),
            generation: RwLock::new(Generation(0)),
            start: Instant::now(),
            looked: AtomicU64::new(0),
            asked: AtomicBool::new(false),
            others: AtomicU64::new(0),
        }
    }

    /// The time, for [`Cache::looked_after`].
    pub(super) fn now(&self) -> u64 {
        // One more, as 0 means never.
        self.start.elapsed().as_micros() as u64 + 1
    }

    /// Whether what is kept may be answered; `ask` asks the writing thread for a look.
    pub(super) fn is_trusted(&self, ask: impl FnOnce()) -> bool {
        let looked = self.looked.load(Ordering::Acquire);
        let age = Duration::from_micros(self.now().saturating_sub(looked));
        let is_old = looked == 0 || age > OLD;
        if is_old && !self.asked.swap(true, Ordering::Relaxed) {
            ask();
        }
        looked > 0 && age <= TRUSTED
    }

    /// Whether a look has begun after this time.
    pub(super) fn looked_after(&self, at: u64) -> bool {
        self.looked.load(Ordering::Acquire) > at
    }

    /// How many looks have found that others wrote.
    pub(super) fn others(&self) -> u64 {
        self.others.load(Ordering::Acquire)
    }

    pub(super) fn get(&self, noun: &'static Noun, id: i64) -> Option<Snapshot> {
        self.kept.get(&key(noun.plural, id)?)
    }

    /// To be noted before a read.
    pub(super) fn generation(&self) -> Generation {
        *self
            .generation
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no commit has begun since, or was under way then.
    pub(super) fn is_still(&self, noted: Generation) -> bool {
        noted.is_between_commits() && self.generation() == noted
    }

    /// Keeps what was read, unless it may be older than a commit.
    pub(super) fn keep(&self, noted: Generation, noun: &'static Noun, id: i64, read: &Snapshot) {
        let Some(key) = key(noun.plural, id).filter(|_| read.json.len() <= LARGEST_KEPT) else {
            return;
        };
        // Held until it is in, so that a commit that begins now finds it there to be dropped.
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

    /// To be said before a commit of this process.
    pub(super) fn commit_begins(&self) {
        self.next_generation();
    }

    /// To be said after it and before anybody is told, with the rows that it changed or may have changed.
    pub(super) fn commit_ends(&self, changed: &[Key]) {
        if changed.len() > MOST_CHANGES {
            self.kept.clear();
        } else {
            for key in changed {
                self.kept.remove(key);
            }
        }
        self.next_generation();
    }

    /// To be said when a look begins.
    pub(super) fn look_begins(&self) -> u64 {
        self.asked.store(false, Ordering::Relaxed);
        self.now()
    }

    /// To be said with the outcome of a look that began `at`.
    pub(super) fn look_ends(&self, at: u64, others_wrote: bool) {
        if others_wrote {
            self.others.fetch_add(1, Ordering::AcqRel);
            self.commit_begins();
            self.kept.clear();
            self.next_generation();
        }
        self.looked.store(at, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;

    fn json(text: &'static str) -> Snapshot {
        Snapshot {
            json: text.into(),
            version: 1,
        }
    }

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let cache = Cache::new();
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
        let cache = Cache::new();
        for id in [1, 2] {
            cache.keep(cache.generation(), &LEAD, id, &json("{}"));
        }
        cache.commit_begins();
        cache.commit_ends(&[(0, 2), (1, 1)]);
        assert!(cache.get(&LEAD, 1).is_some());
        assert!(cache.get(&LEAD, 2).is_none());
    }

    #[test]
    fn what_others_wrote_drops_everything() {
        let cache = Cache::new();
        let noted = cache.generation();
        cache.keep(noted, &LEAD, 1, &json("{}"));
        cache.look_ends(cache.look_begins(), false);
        assert!(cache.get(&LEAD, 1).is_some() && cache.is_still(noted));
        cache.look_ends(cache.look_begins(), true);
        assert!(cache.get(&LEAD, 1).is_none() && !cache.is_still(noted));
    }

    #[test]
    fn nothing_is_trusted_without_a_look_and_a_look_is_asked_for_once() {
        let cache = Cache::new();
        let mut asked = 0;
        assert!(!cache.is_trusted(|| asked += 1));
        assert_eq!(asked, 1);
        let ago = |age: Duration| cache.now().saturating_sub(age.as_micros() as u64);
        // Further back than the process is old would be never.
        while cache.start.elapsed() < 2 * TRUSTED {
            std::thread::yield_now();
        }
        cache.look_ends(cache.look_begins(), false);
        assert!(cache.is_trusted(|| panic!("the look is new")));
        cache.look_ends(ago(TRUSTED + OLD), false);
        let mut asked = 0;
        assert!(!cache.is_trusted(|| asked += 1));
        assert!(!cache.is_trusted(|| asked += 1));
        assert_eq!(asked, 1);
    }

    #[test]
    fn a_giant_is_not_kept() {
        let cache = Cache::new();
        let giant = Snapshot {
            json: vec![b' '; LARGEST_KEPT + 1].into(),
            version: 1,
        };
        cache.keep(cache.generation(), &LEAD, 1, &giant);
        assert_eq!(cache.get(&LEAD, 1), None);
    }
}
