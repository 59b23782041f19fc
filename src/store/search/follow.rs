//! Writes the index: it follows the changes of the ledger, and takes over the records from before it.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::delta::{IndexDelta, IndexEntry};
use super::slice::{Claim, IndexSlice, SLICE, SliceEnd};
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
const ROWS: usize = 300_000;

/// How many changes wait before the index follows them, unless the oldest of them waits for [`LATEST`].
const ENOUGH: i64 = 256;
const LATEST: Duration = Duration::from_secs(30);

/// While writes wait, the index follows only a longer tail of changes than this.
const LONG: i64 = 20_000;

/// While writes wait, each transaction of the index is followed by a pause that is this many times as long.
const SHARE: u32 = 15;

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

/// Whom a step is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    /// A search that waits.
    Search,
    /// Nobody: writes come first.
    Later,
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
async fn step<S: Indexed>(store: &S, fills: bool, whom: Whom) -> Result<IndexStep> {
    let _turn = store.index().turn.lock().await;
    let state = IndexState::read(&mut StoreReads(store), store.nouns()).await?;
    if !state.begun {
        if whom == Whom::Later {
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
        _ if horizon > state.place => changes(store, &state, horizon, whom).await,
        Some(part) => records(store, &state, &part, whom).await,
        None => Ok(IndexStep::Idle),
    }
}

/// Follows a portion of changes.
async fn changes<S: Indexed>(
    store: &S,
    state: &IndexState,
    horizon: i64,
    whom: Whom,
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
        whom,
    )
    .await
}

/// Takes over a portion of old records: those of one block, from the newest on.
async fn records<S: Indexed>(
    store: &S,
    state: &IndexState,
    part: &NounPart,
    whom: Whom,
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
    write(store, state, delta.entries(state), end, whom).await
}

/// Writes the rows of a portion in short transactions, the last of which has its end.
async fn write<S: Indexed>(
    store: &S,
    state: &IndexState,
    mut entries: Vec<IndexEntry>,
    end: SliceEnd,
    whom: Whom,
) -> Result<IndexStep> {
    loop {
        let later = entries.split_off(entries.len().min(SLICE));
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
        if whom == Whom::Later && store.waiting() > 0 {
            tokio::time::sleep(began.elapsed() * SHARE).await;
        }
    }
}

/// Lets the index follow all changes up to `goal`, as far as they can be read.
pub(crate) async fn catch_up<S: Indexed>(store: &S, goal: i64) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let step = step(store, false, Whom::Search).await?;
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
        let did = step(store, true, Whom::Search).await?;
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
    // Since when there are changes that the index has not followed.
    let mut since: Option<Instant> = None;
    loop {
        let began = Instant::now();
        let pause = match look(store, &mut since).await {
            Ok(Some(IndexStep::Did)) => {
                began.elapsed() * if store.waiting() > 0 { SHARE } else { 1 }
            }
            // Another process works on it.
            Ok(Some(IndexStep::Lost)) => LOOK,
            Ok(_) => {
                let _ = tokio::time::timeout(LOOK, commits.changed()).await;
                PAUSE
            }
            Err(error) => {
                tracing::debug!("the index of the search cannot be written: {error}");
                LOOK
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Does a portion, if it is time for one.
async fn look<S: Indexed>(store: &S, since: &mut Option<Instant>) -> Result<Option<IndexStep>> {
    let Some(gap) = gap(store).await? else {
        return step(store, true, Whom::Later).await.map(Some);
    };
    store.index().sees(gap.records, gap.changes);
    if gap.changes <= 0 {
        *since = None;
    }
    let is_late = gap.changes > 0 && since.get_or_insert_with(Instant::now).elapsed() >= LATEST;
    let is_due = gap.changes >= ENOUGH || is_late || gap.records > 0;
    let comes_first = store.waiting() > 0 && gap.changes < LONG && gap.records == 0;
    if !is_due || comes_first {
        return Ok(None);
    }
    *since = None;
    step(store, true, Whom::Later).await.map(Some)
}
