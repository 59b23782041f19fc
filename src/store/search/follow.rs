//! Writes the index: it follows the changes of the ledger, and takes over the records from before it.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::delta::{IndexDelta, IndexEntry};
use super::postings::is_damaged;
use super::slice::{Claim, IndexSlice, LONG, SHORT, SliceEnd};
use super::state::{BeginIndex, IndexGap, IndexState, Indexed, NounPart, StoreReads};
use crate::base::error::{Code, Error, Result};
use crate::model::record::Record;
use crate::model::value::Value;
use crate::store::sql::row::mend;
use crate::store::sql::statements;

/// How many changes a portion has at most, how many of them are read at once, and how many bytes they may have.
const PORTION: usize = 4_096;
const READ: usize = 256;
const BYTES: usize = 8 * 1024 * 1024;

/// How many records are read at once when old ones are taken over, and how many rows of the index a portion of them may have.
const RECORDS: usize = 500;
const ROWS: usize = 100_000;

/// How many changes wait before the index follows them, unless the oldest of them waits for [`LATEST`].
const ENOUGH: i64 = 256;
const LATEST: Duration = Duration::from_secs(30);

/// While writes follow one another, the index follows only a longer tail of changes than this. A search looks through so many
/// in less than a tenth of a second.
const TAIL: i64 = 20_000;

/// From how many changes a second on writes follow one another, even if none waits in the moment of a look.
const BUSY: f64 = 200.0;

/// While writes follow one another, each transaction of the index is followed by a pause that is this many times as long, by
/// how many changes are left. Before a search would have to wait for the index, writes have to.
const SHARES: [(i64, u32); 3] = [(250_000, 15), (400_000, 4), (i64::MAX, 1)];

/// The time between two looks for changes of other processes.
const LOOK: Duration = Duration::from_secs(5);

/// The time between two looks while this process writes.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a search waits until its index has caught up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexStep {
    /// It has done a portion.
    Did,
    /// There is nothing to do.
    Idle,
    /// Another process was there first.
    Lost,
}

/// How a step does its work.
#[derive(Clone, Copy)]
struct Pace {
    /// Whether somebody waits for it: a search or a command.
    is_waited_for: bool,
    /// How many times as long as each transaction the pause after it is: 0 if no writes follow one another.
    share: u32,
}

impl Pace {
    const NOW: Pace = Pace {
        is_waited_for: true,
        share: 0,
    };
}

/// Reads how much a search cannot find yet. `None` if there is no index.
pub(crate) async fn gap<S: Indexed>(store: &S) -> Result<Option<IndexGap>> {
    let state = IndexState::read(&mut StoreReads(store), store.nouns()).await?;
    let changes = store.horizon().await? - state.place;
    Ok(state.begun.then(|| IndexGap {
        records: state.gap(),
        changes,
    }))
}

/// How much a search would have to look through itself.
pub(crate) async fn missing<S: Indexed>(store: &S) -> Result<IndexGap> {
    if let Some(gap) = gap(store).await? {
        return Ok(gap);
    }
    Ok(IndexGap {
        records: records_of(store).await?,
        ..IndexGap::default()
    })
}

/// At most how many records there are.
async fn records_of<S: Indexed>(store: &S) -> Result<i64> {
    let mut all: i64 = 0;
    for noun in store.nouns().iter().filter(|noun| !noun.is_view()) {
        let sql = format!("SELECT coalesce(max(id), 0) FROM {}", noun.plural);
        let rows = store.select(&sql, &[]).await?;
        let highest = rows.first().and_then(|row| row.first()?.int());
        all = all.saturating_add(highest.unwrap_or_default());
    }
    Ok(all)
}

/// Does one portion: of changes, or else, if `fills`, of old records.
async fn step<S: Indexed>(store: &S, fills: bool, pace: Pace) -> Result<IndexStep> {
    let _turn = store.index().turn.lock().await;
    let state = IndexState::read(&mut StoreReads(store), store.nouns()).await?;
    if !state.begun {
        if !pace.is_waited_for {
            // A small database is indexed when somebody searches it.
            let missing = records_of(store).await?.max(store.horizon().await?);
            if missing < ENOUGH {
                return Ok(IndexStep::Idle);
            }
        }
        store.transact(BeginIndex { anew: false }).await?;
        return Ok(IndexStep::Did);
    }
    let horizon = store.horizon().await?;
    store.index().sees(state.gap(), horizon - state.place);
    let rest = state.parts.iter().find(|part| part.rest > 0 && fills);
    let rest = rest.cloned();
    if horizon <= state.place && rest.is_none() {
        return Ok(IndexStep::Idle);
    }
    let claim = Claim {
        place: state.place,
        turn: state.turn,
    };
    let Some(turn) = store.transact(claim).await? else {
        return Ok(IndexStep::Lost);
    };
    let state = IndexState { turn, ..state };
    // Read after the claim: another process may have written words of later changes before it.
    let horizon = store.horizon().await?;
    match rest {
        _ if horizon > state.place => changes(store, &state, horizon, pace).await,
        Some(part) => records(store, &state, &part, pace).await,
        None => Ok(IndexStep::Idle),
    }
}

/// Follows a portion of changes.
async fn changes<S: Indexed>(
    store: &S,
    state: &IndexState,
    horizon: i64,
    pace: Pace,
) -> Result<IndexStep> {
    let sql = format!(
        "SELECT seq, type, record_id, record, previous FROM crm_changes WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT {READ}"
    );
    let mut delta = IndexDelta::default();
    let (mut last, mut count, mut bytes) = (state.place, 0, 0);
    while count < PORTION && bytes < BYTES {
        let rows = store.select(&sql, &[last.into(), horizon.into()]).await?;
        for row in &rows {
            delta.change(state, row);
            last = row.first().and_then(Value::int).unwrap_or(last);
            bytes += row
                .iter()
                .filter_map(Value::text)
                .map(str::len)
                .sum::<usize>();
        }
        count += rows.len();
        if rows.len() < READ {
            // Not every number has a change.
            last = horizon;
            break;
        }
        tokio::task::yield_now().await;
    }
    write(
        store,
        state,
        delta.entries(state),
        SliceEnd::Place(last),
        pace,
    )
    .await
}

/// Takes over a portion of old records: those of one block, from the newest on.
async fn records<S: Indexed>(
    store: &S,
    state: &IndexState,
    part: &NounPart,
    pace: Pace,
) -> Result<IndexStep> {
    let noun = part.noun;
    let columns = statements::columns(noun);
    let select = format!(
        "SELECT {columns} FROM {} WHERE id >= $1 AND id <= $2 ORDER BY id DESC LIMIT {RECORDS}",
        noun.plural
    );
    let lowest = part.lowest(part.rest);
    let mut delta = IndexDelta::default();
    let mut next = part.rest;
    loop {
        let rows = store.select(&select, &[lowest.into(), next.into()]).await?;
        let count = rows.len();
        for mut values in rows {
            mend(noun, &mut values);
            let record = Record { noun, values };
            next = record.id() - 1;
            delta.add(part, &record);
        }
        if count < RECORDS {
            next = lowest - 1;
            break;
        }
        if delta.len() > ROWS {
            break;
        }
        tokio::task::yield_now().await;
    }
    let highest = format!("SELECT max(id) FROM {} WHERE id <= $1", noun.plural);
    let rows = store.select(&highest, &[next.into()]).await?;
    let rest = rows.first().and_then(|row| row.first()?.int());
    let end = SliceEnd::Rest(noun.plural, part.rest, rest.unwrap_or_default().max(0));
    write(store, state, delta.entries(state), end, pace).await
}

/// Writes the rows of a portion in short transactions, the last of which has its end.
async fn write<S: Indexed>(
    store: &S,
    state: &IndexState,
    mut entries: Vec<IndexEntry>,
    end: SliceEnd,
    pace: Pace,
) -> Result<IndexStep> {
    loop {
        let rows = if pace.share > 0 { SHORT } else { LONG };
        let later = entries.split_off(entries.len().min(rows));
        let is_last = later.is_empty();
        let slice = IndexSlice {
            place: state.place,
            turn: state.turn,
            entries,
            end: match is_last {
                true => end.clone(),
                false => SliceEnd::None,
            },
        };
        let began = Instant::now();
        if !store.transact(slice).await? {
            return Ok(IndexStep::Lost);
        }
        if is_last {
            return Ok(IndexStep::Did);
        }
        entries = later;
        if pace.share > 0 {
            tokio::time::sleep(began.elapsed() * pace.share).await;
        }
    }
}

/// Lets the index follow all changes up to `goal`, as far as they can be read.
pub(crate) async fn catch_up<S: Indexed>(store: &S, goal: i64) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let step = step(store, false, Pace::NOW).await?;
        let state = IndexState::read(&mut StoreReads(store), store.nouns()).await?;
        if state.begun && (step == IndexStep::Idle || state.place >= goal) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Error::new(
                Code::Unavailable,
                "the index of the search is too far behind the changes; try again in a moment",
            ));
        }
        if step == IndexStep::Lost {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Takes over all old records, for a command. `watch` is told how many are done, and of how many.
pub(crate) async fn fill<S: Indexed>(store: &S, watch: &mut dyn FnMut(u64, u64)) -> Result<()> {
    let mut all = 0;
    loop {
        let did = step(store, true, Pace::NOW).await?;
        let gap = gap(store).await?.map_or(0, |gap| gap.records + gap.changes);
        let gap = gap.max(0).unsigned_abs();
        all = all.max(gap);
        watch(all - gap, all);
        match did {
            IndexStep::Did => {}
            IndexStep::Idle => return Ok(()),
            IndexStep::Lost => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Makes the index anew. It is filled later.
pub(crate) async fn begin_anew<S: Indexed>(store: &S) -> Result<()> {
    let _turn = store.index().turn.lock().await;
    store.transact(BeginIndex { anew: true }).await
}

/// Keeps the index of a server, until the task is ended.
pub(crate) async fn keep<S: Indexed>(store: &S, mut commits: watch::Receiver<u64>) -> Infallible {
    let mut seen = SeenChanges::default();
    loop {
        let began = Instant::now();
        let looked = look(store, &mut seen).await;
        if looked.is_ok() {
            seen.is_failing = false;
        }
        let pause = match looked {
            // Half as long, so that it never takes a core for itself.
            Ok(Some(IndexStep::Did)) => match seen.share() {
                0 => began.elapsed() / 2,
                _ => PAUSE,
            },
            // Another process works on it.
            Ok(Some(IndexStep::Lost)) => LOOK,
            Ok(_) => {
                let _ = tokio::time::timeout(LOOK, commits.changed()).await;
                PAUSE
            }
            Err(error) if is_damaged(&error) => {
                tracing::warn!("the index of the search is damaged, and is made anew");
                if let Err(error) = begin_anew(store).await {
                    tracing::warn!("the index of the search cannot be made anew: {error}");
                }
                LOOK
            }
            Err(error) => {
                // Once, because each look of the next hours may fail in the same way.
                if !std::mem::replace(&mut seen.is_failing, true) {
                    tracing::warn!("the index of the search cannot be written: {error}");
                }
                LOOK
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// What the last looks have seen of the changes.
#[derive(Default)]
struct SeenChanges {
    /// Since when there are changes that the index has not followed.
    since: Option<Instant>,
    /// When it looked last, and the number of the last change then.
    last: Option<(Instant, i64)>,
    /// How many changes were left.
    left: i64,
    /// Whether writes follow one another.
    is_busy: bool,
    /// Whether the last look has failed.
    is_failing: bool,
}

impl SeenChanges {
    fn sees(&mut self, newest: i64, left: i64, is_waited_for: bool) {
        let now = Instant::now();
        let rate = self.last.map(|(at, number)| {
            let time = now.duration_since(at).as_secs_f64().max(0.01);
            (newest - number) as f64 / time
        });
        self.is_busy = is_waited_for || rate.is_some_and(|rate| rate > BUSY);
        self.last = Some((now, newest));
        self.left = left;
        if left <= 0 {
            self.since = None;
        }
    }

    /// How many times as long as a transaction the pause after it is.
    fn share(&self) -> u32 {
        if !self.is_busy {
            return 0;
        }
        let share = SHARES.iter().find(|(most, _)| self.left <= *most);
        share.map_or(1, |(_, share)| *share)
    }
}

/// Does a portion, if it is time for one.
async fn look<S: Indexed>(store: &S, seen: &mut SeenChanges) -> Result<Option<IndexStep>> {
    let pace = |seen: &SeenChanges| Pace {
        is_waited_for: false,
        share: seen.share(),
    };
    let state = IndexState::read(&mut StoreReads(store), store.nouns()).await?;
    if !state.begun {
        return step(store, true, pace(seen)).await.map(Some);
    }
    let newest = store.horizon().await?;
    let (records, changes) = (state.gap(), newest - state.place);
    store.index().sees(records, changes);
    seen.sees(newest, changes, store.waiting() > 0);
    let is_late = changes > 0 && seen.since.get_or_insert_with(Instant::now).elapsed() >= LATEST;
    let is_due = changes >= ENOUGH || is_late || records > 0;
    let comes_first = seen.is_busy && changes < TAIL && records == 0;
    if !is_due || comes_first {
        return Ok(None);
    }
    seen.since = None;
    step(store, true, pace(seen)).await.map(Some)
}
