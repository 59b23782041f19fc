//! Copies everything in one store to another, whichever stores they are.
//!
//! The records are copied noun by noun and in the order of their ids. The nouns are in the order in which they refer to one
//! another, so a record is copied after the records that it refers to. Ids, times and everything else stay the same. Each
//! batch is committed as a whole, and the highest id in the target shows where an interrupted copy continues. Until the
//! copy is finished, the target has a mark with the name of its source. While the mark is there, only the copy opens the
//! target, and only with the same source.
//!
//! The changes are copied after the records, with their numbers, so that the history goes on in the copy. A server shows its
//! changes only as far as they are kept for readers, so a copy of a server begins without any. In each case the copy has a new
//! epoch: it is another sequence from here on, which a reader of the old one has to notice. What was announced is copied too,
//! so that nobody is told again, and so are the pairs of leads that are no duplicates.
//!
//! At the end, both stores are read once more, side by side, and compared value by value. The comparison finds changes in
//! the source during the copy, and any fault of the copy. A value that another program has stored is copied as it is shown,
//! with U+FFFD for a NUL, so the target has only values that every store accepts. Then the source is read a last time. If it was changed after the
//! comparison, its digest now differs from the digest at the comparison.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;
use crate::model::query::{self, Query};
use crate::model::record::Record;
use crate::model::terms::unlikely_version;
use crate::model::value::Value;
use crate::store::any::AnyStore;
use crate::store::contract::{Listing, Store};
use crate::store::sql::copying::select_dismissed;
use crate::store::sql::faults::Faults;

/// The most records in a batch.
const MOST: usize = 5_000;

/// The most changes that are read at once. Each has a record, and may have parts of it twice.
const MOST_CHANGES: usize = 500;

/// The most bytes in the texts of a batch. One record may be larger.
const LARGEST: usize = 4 * 1024 * 1024;

/// How many records of each noun were copied.
pub type Copied = Vec<(&'static Noun, u64)>;

/// The progress of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The noun, how many of its records are in the target, and how many there are.
    Copied(&'static Noun, u64, u64),
    /// How many changes are in the target.
    Changes(u64),
    /// The noun, how many of its records were compared, and how many there are.
    Compared(&'static Noun, u64, u64),
    /// The noun, how many of its records were read a last time, and how many there are.
    Checked(&'static Noun, u64, u64),
}

/// Copies everything in `from` to `to`. The target must be empty or hold an unfinished copy of the same source. `name` is the
/// name of the source, which must be the same every time. `watch` is called with the progress.
///
/// The error is [`Code::Conflict`] if the target holds records or an unfinished copy of another source, or if the source
/// was changed in the meantime. The copy can then be continued, unless the message says otherwise.
pub async fn copy(
    from: &AnyStore,
    to: &AnyStore,
    name: &str,
    watch: &mut dyn FnMut(Stage),
) -> Result<Copied> {
    let is_new = begin(to, name).await?;
    let unlikely = unlikely_version()?;
    let mut copied = Copied::new();
    for noun in tables(to) {
        let all = count(from, noun).await?;
        let mut sum = if is_new { 0 } else { count(to, noun).await? };
        let last = if is_new { 0 } else { highest(to, noun).await? };
        watch(Stage::Copied(noun, sum, all));
        let mut listing = everything(from, noun, last).await?;
        let mut batch = Batch::default();
        while let Some(chunk) = listing.next_chunk().await? {
            for record in chunk {
                let record = plain(record);
                batch.push(match record.version() {
                    // A server's list has no versions. Versions that start at 1 might equal ETags that clients already
                    // hold.
                    0 => record.with_version(unlikely),
                    _ => record,
                });
                if batch.is_full() {
                    sum += batch.records.len() as u64;
                    take(to, noun, batch.empty()).await?;
                    watch(Stage::Copied(noun, sum, all));
                }
            }
        }
        sum += batch.records.len() as u64;
        if !batch.records.is_empty() {
            take(to, noun, batch.empty()).await?;
        }
        copied.push((noun, sum));
    }
    take_changes(from, to, watch).await?;
    take_announced(from, to).await?;
    take_dismissed(from, to).await?;
    let mut compared = Digest::default();
    for (noun, sum) in &copied {
        compare(from, to, noun, *sum, &mut compared, watch).await?;
    }
    compare_changes(from, to).await?;
    let mut last = Digest::default();
    for (noun, sum) in &copied {
        look_again(from, noun, *sum, &mut last, watch).await?;
    }
    if last.finish() != compared.finish() {
        return Err(changed());
    }
    let mut given = Vec::new();
    for noun in to.nouns() {
        given.push(match noun.is_view() {
            true => 0,
            false => last_given(from, noun).await?,
        });
    }
    finish(to, &given).await?;
    Ok(copied)
}

/// The changes after a number, none if the store does not tell.
async fn changes_after(store: &AnyStore, seq: i64) -> Result<Vec<Vec<Value>>> {
    match store {
        AnyStore::Sqlite(store) => store.changes_after(seq, MOST_CHANGES),
        AnyStore::Postgres(store) => Box::pin(store.changes_after(seq, MOST_CHANGES)).await,
        AnyStore::Remote(_) => Ok(Vec::new()),
    }
}

/// The number of a change.
fn seq(change: &[Value]) -> i64 {
    change.first().and_then(Value::int).unwrap_or_default()
}

/// Copies the changes. An interrupted copy goes on after the last one that the target has.
async fn take_changes(from: &AnyStore, to: &AnyStore, watch: &mut dyn FnMut(Stage)) -> Result<()> {
    let mut last = 0;
    let mut sum = 0;
    loop {
        let ours = changes_after(to, last).await?;
        let Some(end) = ours.last() else { break };
        (last, sum) = (seq(end), sum + ours.len() as u64);
    }
    loop {
        watch(Stage::Changes(sum));
        let changes = changes_after(from, last).await?;
        let Some(end) = changes.last() else {
            return Ok(());
        };
        (last, sum) = (seq(end), sum + changes.len() as u64);
        let taken = match to {
            AnyStore::Sqlite(store) => store.take_changes(changes).await,
            AnyStore::Postgres(store) => store.take_changes(changes).await,
            AnyStore::Remote(_) => Err(no_target()),
        };
        taken.map_err(|mut error| {
            error.message = format!("changes up to {last}: {}", error.message);
            error
        })?;
    }
}

/// Copies what was announced, so that the copy announces none of it again. A server does not tell, so a copy of one passes
/// over all follow-ups that are due.
async fn take_announced(from: &AnyStore, to: &AnyStore) -> Result<()> {
    let (mut process, mut due) = (0, String::new());
    loop {
        let found = match from {
            AnyStore::Sqlite(store) => Some(store.announced_after(process, &due, MOST_CHANGES)?),
            AnyStore::Postgres(store) => {
                let found = store.announced_after(process, &due, MOST_CHANGES);
                Some(Box::pin(found).await?)
            }
            AnyStore::Remote(_) => None,
        };
        let last = found.as_ref().map(|found| found.last().cloned());
        match to {
            AnyStore::Sqlite(store) => store.take_announced(found).await?,
            AnyStore::Postgres(store) => Box::pin(store.take_announced(found)).await?,
            AnyStore::Remote(_) => return Err(no_target()),
        }
        match last.flatten().as_deref() {
            Some([Value::Int(last), Value::Text(at)]) => (process, due) = (*last, at.clone()),
            _ => return Ok(()),
        }
    }
}

/// Copies the pairs of leads that are no duplicates. A server does not tell.
async fn take_dismissed(from: &AnyStore, to: &AnyStore) -> Result<()> {
    let mut after: Vec<Value> = [0, 0, 0].map(Value::Int).into();
    while from.address().is_none() {
        let pairs = from.rows(&select_dismissed(MOST_CHANGES), &after).await?;
        let Some(last) = pairs.last() else {
            break;
        };
        after = last[..3].to_vec();
        match to {
            AnyStore::Sqlite(store) => store.take_dismissed(pairs).await?,
            AnyStore::Postgres(store) => Box::pin(store.take_dismissed(pairs)).await?,
            AnyStore::Remote(_) => return Err(no_target()),
        }
    }
    Ok(())
}

/// Compares the changes of both stores. The source may have removed its oldest ones meanwhile, as it does with old changes.
async fn compare_changes(from: &AnyStore, to: &AnyStore) -> Result<()> {
    let mut last = match changes_after(from, 0).await?.first() {
        Some(first) => seq(first) - 1,
        None => return Ok(()),
    };
    loop {
        let (theirs, ours) = (
            changes_after(from, last).await?,
            changes_after(to, last).await?,
        );
        if theirs != ours {
            let differs = theirs.iter().zip(&ours).find(|(one, other)| one != other);
            let at = differs.map_or(last, |(one, _)| seq(one));
            let error = changed();
            let message = format!(
                "change {at} differs between source and target: {}",
                error.message
            );
            return Err(Error::new(error.code, message));
        }
        match theirs.last() {
            Some(end) => last = seq(end),
            None => return Ok(()),
        }
    }
}

/// The values of a store that crm would not have written, and that are not copied as they are. `None` for a server, which
/// shows only what it can.
pub async fn faults(from: &AnyStore, name: &str) -> Result<Option<Faults>> {
    match from {
        AnyStore::Sqlite(store) => store.faults().map(Some),
        AnyStore::Postgres(store) => Box::pin(store.faults(name)).await.map(Some),
        AnyStore::Remote(_) => Ok(None),
    }
}

/// A record as it is copied. PostgreSQL accepts no NUL.
fn plain(mut record: Record) -> Record {
    for value in &mut record.values {
        if let Value::Text(text) = value
            && text.contains('\0')
        {
            *text = text.replace('\0', "\u{fffd}");
        }
    }
    record
}

/// The nouns that are copied, in the order in which they refer to one another. A view has nothing to copy.
fn tables(store: &AnyStore) -> impl Iterator<Item = &'static Noun> + use<> {
    let nouns = store.nouns().iter().copied();
    nouns.filter(|noun| !noun.is_view())
}

#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    size: usize,
}

impl Batch {
    fn push(&mut self, record: Record) {
        let texts = record.values.iter().filter_map(Value::text);
        self.size += texts.map(str::len).sum::<usize>();
        self.records.push(record);
    }

    fn is_full(&self) -> bool {
        self.records.len() >= MOST || self.size >= LARGEST
    }

    fn empty(&mut self) -> Vec<Record> {
        std::mem::take(self).records
    }
}

fn changed() -> Error {
    let message = "the source changed while it was copied; stop all writes to it and run the same command again; if \
                   this happens again, copy into another target";
    Error::new(Code::Conflict, message)
}

async fn list(store: &AnyStore, noun: &'static Noun, query: &str) -> Result<Listing<Vec<Record>>> {
    store.list(Query::new(noun, query::pairs(query)?)?).await
}

/// All records after an id, in the order of their ids.
async fn everything(
    store: &AnyStore,
    noun: &'static Noun,
    behind: i64,
) -> Result<Listing<Vec<Record>>> {
    match behind {
        0 => list(store, noun, "").await,
        behind => list(store, noun, &format!("id=gt:{behind}")).await,
    }
}

async fn count(store: &AnyStore, noun: &'static Noun) -> Result<u64> {
    let counted = list(store, noun, "limit=1&count=true").await?;
    Ok(counted.total.unwrap_or_default())
}

async fn highest(store: &AnyStore, noun: &'static Noun) -> Result<i64> {
    let last = list(store, noun, "sort=-id&limit=1").await?;
    let last = RecordReader::new(last).next().await?;
    Ok(last.map_or(0, |record| record.id()))
}

/// Reads both stores once more, side by side.
async fn compare(
    from: &AnyStore,
    to: &AnyStore,
    noun: &'static Noun,
    sum: u64,
    digest: &mut Digest,
    watch: &mut dyn FnMut(Stage),
) -> Result<()> {
    let mut ours = RecordReader::new(everything(to, noun, 0).await?);
    let mut theirs = RecordReader::new(everything(from, noun, 0).await?);
    let mut seen = 0;
    loop {
        if seen % MOST as u64 == 0 {
            watch(Stage::Compared(noun, seen, sum));
        }
        match (theirs.next().await?.map(plain), ours.next().await?) {
            (None, None) => return Ok(()),
            (Some(theirs), Some(ours)) if theirs == ours => {
                digest.add(&theirs);
                seen += 1;
            }
            (theirs, ours) => {
                let differing = theirs.or(ours).map_or(0, |record| record.id());
                let error = changed();
                return Err(Error::new(
                    error.code,
                    format!(
                        "{} {differing} differs between source and target: {}",
                        noun.name, error.message
                    ),
                ));
            }
        }
    }
}

/// Reads the source once more.
async fn look_again(
    from: &AnyStore,
    noun: &'static Noun,
    sum: u64,
    digest: &mut Digest,
    watch: &mut dyn FnMut(Stage),
) -> Result<()> {
    let mut records = RecordReader::new(everything(from, noun, 0).await?);
    let mut seen = 0;
    while let Some(record) = records.next().await?.map(plain) {
        if seen % MOST as u64 == 0 {
            watch(Stage::Checked(noun, seen, sum));
        }
        digest.add(&record);
        seen += 1;
    }
    Ok(())
}

/// A digest: the same for the same records in the same order, and almost never the same for others.
#[derive(Default)]
struct Digest(DefaultHasher);

impl Digest {
    fn add(&mut self, record: &Record) {
        for value in &record.values {
            match value {
                Value::Null => 0_u8.hash(&mut self.0),
                Value::Int(int) => (1_u8, int).hash(&mut self.0),
                Value::Text(text) => (2_u8, text.as_str()).hash(&mut self.0),
            }
        }
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// Reads the records of a list one after the other.
struct RecordReader {
    listing: Listing<Vec<Record>>,
    chunk: std::vec::IntoIter<Record>,
}

impl RecordReader {
    fn new(listing: Listing<Vec<Record>>) -> RecordReader {
        RecordReader {
            listing,
            chunk: Vec::new().into_iter(),
        }
    }

    async fn next(&mut self) -> Result<Option<Record>> {
        loop {
            if let Some(record) = self.chunk.next() {
                return Ok(Some(record));
            }
            match self.listing.next_chunk().await? {
                Some(chunk) => self.chunk = chunk.into_iter(),
                None => return Ok(None),
            }
        }
    }
}

/// Marks the target of a copy from `source`. Returns whether the copy is a new one.
async fn begin(to: &AnyStore, source: &str) -> Result<bool> {
    let mark = match to {
        AnyStore::Sqlite(store) => store.mark(source).await?,
        AnyStore::Postgres(store) => store.mark(source).await?,
        AnyStore::Remote(_) => return Err(no_target()),
    };
    match mark {
        Some(found) if found == source => Ok(false),
        Some(found) => Err(Error::new(
            Code::Conflict,
            format!(
                "the target holds an unfinished copy of {found}; only that source can continue it"
            ),
        )),
        None => Ok(true),
    }
}

async fn take(to: &AnyStore, noun: &'static Noun, records: Vec<Record>) -> Result<()> {
    let (first, last) = (
        records.first().map_or(0, Record::id),
        records.last().map_or(0, Record::id),
    );
    let taken = match to {
        AnyStore::Sqlite(store) => store.take(noun, records).await,
        AnyStore::Postgres(store) => store.take(noun, records).await,
        AnyStore::Remote(_) => Err(no_target()),
    };
    taken.map_err(|mut error| {
        error.message = format!("{} {first} to {last}: {}", noun.plural, error.message);
        error
    })
}

async fn finish(to: &AnyStore, given: &[i64]) -> Result<()> {
    match to {
        AnyStore::Sqlite(store) => store.unmark(given).await,
        AnyStore::Postgres(store) => store.unmark(given).await,
        AnyStore::Remote(_) => Err(no_target()),
    }
}

/// The highest id that was ever assigned, as far as the store knows. The ids of deleted records must not be reused.
async fn last_given(store: &AnyStore, noun: &'static Noun) -> Result<i64> {
    match store {
        AnyStore::Sqlite(store) => store.last_given(noun).await,
        AnyStore::Postgres(store) => store.last_given(noun).await,
        AnyStore::Remote(_) => highest(store, noun).await,
    }
}

fn no_target() -> Error {
    Error::invalid(
        "TO: expected a SQLite file or a PostgreSQL database; a server cannot be copied to",
    )
}
