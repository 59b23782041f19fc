//! Reads the rows of a file on a thread of its own, and makes lines of a bulk request of them.
//!
//! Rows are read only as fast as their lines are taken, so memory does not grow with the file. Each row waits until its line
//! is answered, because a row that is refused is written as it was.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{mpsc, watch};

use crate::base::error::{Code, Error, Result};
use crate::import::draft::{Key, Made, Refusal};
use crate::import::opened::Opened;
use crate::import::row::Row;
use crate::import::seen::{Seen, SeenKeys};
use crate::model::draft::{Draft, Input};
use crate::model::kind::Kind;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::query::Query;
use crate::ops::bulk::ByteStream;
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// The rows of a batch.
const ROWS: usize = 256;

/// The bytes of a batch. One row may be larger.
const BYTES: usize = 256 * 1024;

/// The batches that wait.
const BATCHES: usize = 2;

/// The most addresses of leads that are remembered.
const MOST_LEADS: usize = 100_000;

/// A row, and what is to be done with it.
pub(super) struct Item {
    pub(super) row: Row,
    pub(super) made: Result<Made, Refusal>,
    /// Whether an earlier row of the file has said the same.
    pub(super) is_repeated: bool,
}

/// Some rows, or why there are no more.
pub(super) type Batch = Result<Vec<Item>>;

/// What rows are made into.
#[derive(Clone)]
pub(super) struct Manner {
    pub(super) key: Key,
    /// Whether a row that says something else about a record than an earlier one is refused.
    pub(super) compares: bool,
}

/// The rows of a file as they are read by a thread.
pub(super) struct Reading {
    pub(super) batches: mpsc::Receiver<Batch>,
    /// How many bytes of the file have been read.
    pub(super) position: Arc<AtomicU64>,
}

/// Begins to read.
pub(super) fn read(mut opened: Opened, manner: Manner) -> Reading {
    let (send, batches) = mpsc::channel(BATCHES);
    let position = Arc::new(AtomicU64::new(0));
    let told = position.clone();
    std::thread::spawn(move || {
        if let Err(error) = rows(&mut opened, &manner, &told, &send) {
            // Nobody listens any more if the command has ended.
            let _ = send.blocking_send(Err(error));
        }
    });
    Reading { batches, position }
}

fn rows(
    opened: &mut Opened,
    manner: &Manner,
    position: &AtomicU64,
    send: &mpsc::Sender<Batch>,
) -> Result<()> {
    let mut rows = opened.rows()?;
    let mut seen = SeenKeys::default();
    let (mut batch, mut bytes) = (Vec::with_capacity(ROWS), 0);
    while let Some(row) = rows.next_row()? {
        let mut made = opened.make(rows.columns(), &manner.key, &row);
        let mut is_repeated = false;
        if let (true, Ok(one)) = (manner.compares, &made)
            && let Some(key) = &one.key
        {
            match seen.see(key, &one.draft.to_json()) {
                Seen::New => {}
                Seen::Same => is_repeated = true,
                Seen::Differs => {
                    made = Err(Refusal::Other(
                        "says something else than an earlier row of this file about the same record; import it by itself to change the record once more".into(),
                    ));
                }
            }
        }
        bytes += made.as_ref().map_or(0, |made| made.draft.size());
        batch.push(Item {
            row,
            made,
            is_repeated,
        });
        if batch.len() >= ROWS || bytes >= BYTES {
            position.store(rows.position(), Ordering::Relaxed);
            bytes = 0;
            let full = std::mem::replace(&mut batch, Vec::with_capacity(ROWS));
            if send.blocking_send(Ok(full)).is_err() {
                return Ok(());
            }
        }
    }
    position.store(rows.position(), Ordering::Relaxed);
    let _ = send.blocking_send(Ok(batch));
    Ok(())
}

/// The rows whose lines are not answered yet, in order, with those that were refused before.
#[derive(Clone, Default)]
pub(super) struct Pending {
    items: Arc<Mutex<VecDeque<Item>>>,
    /// Why the file cannot be read on.
    fault: Arc<Mutex<Option<Error>>>,
}

impl Pending {
    /// The next row, in the order of the file.
    pub(super) fn next(&self) -> Option<Item> {
        self.items
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// Why the file cannot be read on, if it cannot.
    pub(super) fn fault(&self) -> Option<Error> {
        self.fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn add(&self, items: Vec<Item>) {
        self.items
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(items);
    }
}

/// The lines for a bulk request.
pub(super) fn lines(
    reading: Reading,
    store: AnyStore,
    noun: &'static Noun,
    pending: Pending,
    stopped: watch::Receiver<bool>,
) -> ByteStream {
    let state = (reading, Leads::new(store, noun), pending, stopped);
    Box::pin(stream::unfold(Some(state), |state| async move {
        let (mut reading, mut leads, pending, mut stopped) = state?;
        let stop = |error| Some((Err(error), None));
        loop {
            let batch = tokio::select! {
                batch = reading.batches.recv() => batch?,
                _ = stopped.wait_for(|stopped| *stopped) => {
                    return stop(Error::new(Code::Unavailable, "stopped"));
                }
            };
            let mut items = match batch {
                Ok(items) => items,
                Err(error) => {
                    let broken = Error::invalid(error.message.clone());
                    *pending.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return stop(broken);
                }
            };
            if let Err(error) = leads.find(&mut items).await {
                return stop(error);
            }
            let mut text = Vec::new();
            for item in &items {
                if let Ok(made) = &item.made {
                    write(made, &mut text);
                }
            }
            pending.add(items);
            if !text.is_empty() {
                let part: Bytes = text.into();
                return Some((Ok(part), Some((reading, leads, pending, stopped))));
            }
        }
    }))
}

/// Writes the line of a record.
fn write(made: &Made, out: &mut Vec<u8>) {
    match (made.id, &made.key) {
        (Some(id), _) => {
            out.extend_from_slice(format!("{{\"op\":\"update\",\"id\":{id},\"data\":").as_bytes())
        }
        (None, Some(_)) => out.extend_from_slice(b"{\"op\":\"upsert\",\"data\":"),
        (None, None) => out.extend_from_slice(b"{\"op\":\"create\",\"data\":"),
    }
    out.extend_from_slice(made.draft.to_json().as_bytes());
    out.extend_from_slice(b"}\n");
}

/// Finds leads by their addresses, for records that refer to one.
pub(super) struct Leads {
    store: AnyStore,
    noun: &'static Noun,
    known: HashMap<String, Option<i64>>,
}

impl Leads {
    pub(super) fn new(store: AnyStore, noun: &'static Noun) -> Leads {
        Leads {
            store,
            noun,
            known: HashMap::new(),
        }
    }

    /// Gives the records of rows the ids of their leads. A row whose lead is not there is refused.
    pub(super) async fn find(&mut self, items: &mut [Item]) -> Result<()> {
        for item in items {
            let Ok(made) = &mut item.made else {
                continue;
            };
            let Some(address) = made.lead.take() else {
                continue;
            };
            match self.lead(&address).await? {
                Some(id) => {
                    give(self.noun, &mut made.draft, id);
                    if made.id.is_none()
                        && let Err(problems) = made.draft.row()
                    {
                        item.made = Err(Refusal::Other(Error::fields(problems).message));
                    }
                }
                None => {
                    item.made = Err(Refusal::Other(format!(
                        "lead: no lead has the address {}",
                        crate::base::error::quoted(&address)
                    )));
                }
            }
        }
        Ok(())
    }

    async fn lead(&mut self, address: &str) -> Result<Option<i64>> {
        let Some(address) = crate::model::email::email(address) else {
            return Ok(None);
        };
        if let Some(known) = self.known.get(&address) {
            return Ok(*known);
        }
        let pairs = vec![
            ("email".into(), format!("eq:{address}")),
            ("fields".into(), "id".into()),
            ("limit".into(), "1".into()),
        ];
        let mut listing = self.store.list(Query::new(&LEAD, pairs)?).await?;
        let found = listing.next_chunk().await?;
        let id = found.and_then(|found| found.first().map(|record| record.id()));
        if self.known.len() >= MOST_LEADS {
            self.known.clear();
        }
        self.known.insert(address, id);
        Ok(id)
    }
}

fn give(noun: &'static Noun, draft: &mut Draft, id: i64) {
    let is_lead = |kind: Kind| matches!(kind, Kind::Reference(target) if target.name == LEAD.name);
    let mut fields = noun.fields.iter();
    if let Some(field) = fields.find(|field| is_lead(field.kind)) {
        draft.give(field.name, Input::Int(id));
    }
}
