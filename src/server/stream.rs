//! `GET /changes/stream`: one stream of changes, from its request to its end.
//!
//! A stream takes what is new from the [`Tail`](super::tail::Tail) that all streams share. One that begins further back, or
//! falls behind, reads pages of the database until it has caught up. Every event carries the cursor after it, so a client that
//! resumes there misses nothing and gets nothing twice.
//!
//! A client that does not take what is sent is cut like any other, see [`net`](crate::net). Nothing is read for it meanwhile,
//! so it holds no more than the part that it is getting.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};
use warp::http::{HeaderName, Method};
use warp::reply::Response;

use super::reply::Pass as _;
use super::request::Request;
use super::single::single;
use super::tail::{Since, TailChange, TailReader, TailState, Wanted};
use super::{event, reply::events};
use crate::base::error::{Error, Result};
use crate::base::time::Zone;
use crate::model::noun::Noun;
use crate::model::query::{self, Conditions, END, FeedPlace, Query};
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::net::responses::{ResponseBudget, ResponseMemory};
use crate::store::any::AnyStore;
use crate::store::contract::{Listing, Store};

/// The cursor after the last event that a client got, which it sends when it reconnects.
static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The parameters of a list that a stream does not have.
const REFUSED: [&str; 3] = ["sort", "limit", "count"];

/// How many changes are read at a time by a stream that catches up.
const PAGE: usize = 100;

/// The time before a stream that has read everything looks for the ring again, where the ring begins later.
const AGAIN: Duration = Duration::from_millis(20);

/// The largest event that is not counted as memory, in bytes. A connection buffers as much anyway.
const SMALL: usize = 64 * 1024;

impl Request<'_> {
    /// Begins a stream. What cannot be streamed is refused before it begins.
    pub(super) async fn stream(&self, noun: &'static Noun) -> Result<Response> {
        let mut pairs = query::pairs(self.head.query)?;
        if let Some((name, _)) = pairs.iter().find(|pair| REFUSED.contains(&pair.0.as_str())) {
            let expected = "no such parameter of a stream; GET the list for it";
            return Err(Error::field(name, expected));
        }
        let last = single(self.head.headers, &LAST_EVENT_ID, "Last-Event-ID")?;
        let last = last.filter(|last| !last.is_empty());
        if let Some(last) = last {
            // A client reconnects with the URL that it began with.
            pairs.retain(|pair| pair.0 != "after");
            pairs.push(("after".into(), last.into()));
        }
        let named = |error: Error| match last {
            Some(_) => of_header(error),
            None => error,
        };
        let mut query = Query::in_zone(noun, pairs, &self.api.zone).map_err(named)?;
        let mut pairs = std::mem::take(&mut query.pairs);
        pairs.retain(|pair| pair.0 != "fields");
        let after = pairs.iter().position(|pair| pair.0 == "after");
        let after = after.map_or_else(|| END.into(), |at| pairs.remove(at).1);
        // Whether the place is kept, and where the end is.
        let one = vec![
            ("after".into(), after.clone()),
            ("limit".into(), "1".into()),
        ];
        let listing = self.api.store.list(Query::new(noun, one)?).await;
        let end = listing.map_err(named)?.next.unwrap_or_default();
        let cursor = if after == END { end } else { after };
        let (epoch, place) = FeedPlace::decode(&cursor)
            .ok_or_else(|| Error::internal("a list of changes has no cursor"))?;
        if self.head.method == Method::HEAD {
            return Ok(events(futures_util::stream::empty()));
        }
        let client = self.client;
        let streams = self.api.streams.begin(client)?;
        let pass = self.api.passes.pass(self.token);
        let wanted = Wanted {
            filters: filters(&pairs).into(),
            conditions: Arc::new(query.conditions()),
        };
        let tail = self.api.tail.reader(wanted.clone());
        let memory = self.api.streamed.memory();
        let begin = event::begin(&cursor);
        let reader = StreamReader {
            began: tail.now(),
            tail,
            store: self.api.store.clone(),
            answers: self.api.streamed.clone(),
            memory: memory.clone(),
            noun,
            zone: self.api.zone.clone(),
            conditions: wanted.conditions,
            shown: query.shown,
            pairs,
            epoch: FeedPlace {
                epoch: Some(epoch),
                from_end: false,
            },
            place,
            told: place,
            pending: VecDeque::from([begin]),
            page: None,
            heartbeat: self.api.limits.heartbeat,
            due: Instant::now() + self.api.limits.heartbeat,
            request_id: self.request_id.into(),
        };
        let reader = Box::new(reader);
        let chunks = futures_util::stream::unfold(reader, |mut reader| async move {
            let next = reader.next().await?;
            Some((Ok(next), reader))
        });
        let mut response = events(chunks);
        memory.attach(&mut response);
        pass.attach(&mut response);
        streams.attach(&mut response);
        Ok(response)
    }
}

/// Filters as one text.
fn filters(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| {
        let (name, value) = (query::escape(name), query::escape(value));
        format!("{name}={value}&")
    });
    pairs.collect()
}

/// The same error about the header instead of the parameter.
fn of_header(mut error: Error) -> Error {
    for problem in &mut error.problems {
        if problem.field == "after" {
            problem.field = "Last-Event-ID".into();
        }
    }
    error.message = error.message.replacen("after: ", "Last-Event-ID: ", 1);
    error
}

/// A page that a stream reads to catch up, and how many of its changes were read.
struct Page {
    listing: Listing<Vec<Record>>,
    count: usize,
}

/// One stream.
struct StreamReader {
    tail: TailReader,
    /// The state of the tail when the stream began.
    began: TailState,
    store: AnyStore,
    /// The memory of all streams that catch up, which is not that of requests.
    answers: ResponseBudget,
    memory: ResponseMemory,
    noun: &'static Noun,
    zone: Zone,
    conditions: Arc<Conditions>,
    /// The requested fields. `None` means all, whose text all streams share.
    shown: Option<Shown>,
    /// The filters as given.
    pairs: Vec<(String, String)>,
    /// The name of the sequence.
    epoch: FeedPlace,
    /// Everything up to this number was sent or does not meet the conditions.
    place: i64,
    /// The place that the client knows.
    told: i64,
    /// What is sent next.
    pending: VecDeque<Bytes>,
    page: Option<Page>,
    heartbeat: Duration,
    /// When the next heartbeat is sent, if nothing else is.
    due: Instant,
    request_id: String,
}

impl StreamReader {
    /// The next part of the stream, `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(next) = self.pending.pop_front() {
                self.due = Instant::now() + self.heartbeat;
                return Some(next);
            }
            let state = *self.tail.state.borrow_and_update();
            if state.breaks != self.began.breaks {
                return None;
            }
            if state.stopped {
                // The client need not look through all of this again.
                return self.news().map(event_place);
            }
            let mut again = None;
            match self.tail.since(self.place) {
                // The task that reads the newest changes has not begun.
                Since::Behind if !state.is_begun && self.page.is_none() => {}
                Since::Behind => {
                    let is_over = match Box::pin(self.catch_up()).await {
                        Ok(is_over) => is_over,
                        Err(error) => {
                            tracing::info!(
                                "request {}: ended a stream of changes: {error}",
                                self.request_id
                            );
                            return None;
                        }
                    };
                    if !is_over {
                        continue;
                    }
                    if matches!(self.tail.since(self.place), Since::Changes(..)) {
                        continue;
                    }
                    again = Some(Instant::now() + AGAIN);
                }
                Since::Changes(changes, end) => {
                    self.page = None;
                    let is_all = changes.is_empty();
                    if let Err(error) = self.take(&changes).await {
                        tracing::info!(
                            "request {}: ended a stream of changes: {error}",
                            self.request_id
                        );
                        return None;
                    }
                    self.place = end;
                    if !is_all {
                        continue;
                    }
                }
            }
            let until = again.map_or(self.due, |again| again.min(self.due));
            tokio::select! {
                () = self.tail.woken() => {}
                () = sleep_until(until) => {
                    if Instant::now() >= self.due {
                        self.due = Instant::now() + self.heartbeat;
                        let mut beat = self.news().map_or_else(Vec::new, |cursor| event_place(cursor).into());
                        beat.extend_from_slice(event::HEARTBEAT);
                        return Some(beat.into());
                    }
                }
            }
        }
    }

    /// The cursor of its place, unless the client knows it.
    fn news(&mut self) -> Option<String> {
        self.place = self.tail.passed(self.place);
        let is_news = self.told < self.place;
        self.told = self.place;
        is_news.then(|| self.epoch.encode(self.place))
    }

    /// Takes changes from the ring.
    async fn take(&mut self, changes: &[Arc<TailChange>]) -> Result<()> {
        for change in changes {
            if !self.conditions.are_met(&change.record) {
                continue;
            }
            let event = match &self.shown {
                None => change.event.clone(),
                Some(shown) => {
                    let mut text = Vec::new();
                    let cursor = self.epoch.encode(change.seq);
                    event::write(&change.record, shown, &cursor, &mut text);
                    text.into()
                }
            };
            self.send(event).await?;
            self.told = change.seq;
        }
        Ok(())
    }

    /// Adds an event. A large one waits for memory.
    async fn send(&mut self, event: Bytes) -> Result<()> {
        let event = match event.len() <= SMALL {
            true => event,
            false => {
                let turn = self.answers.turn().await?;
                turn.hold(&self.memory, event).await?
            }
        };
        self.pending.push_back(event);
        Ok(())
    }

    /// Reads more from the database. Returns whether everything was read.
    async fn catch_up(&mut self) -> Result<bool> {
        let turn = self.answers.turn().await?;
        let mut page = match self.page.take() {
            Some(page) => page,
            None => {
                let mut pairs = self.pairs.clone();
                pairs.push(("after".into(), self.epoch.encode(self.place)));
                pairs.push(("limit".into(), PAGE.to_string()));
                let query = Query::in_zone(self.noun, pairs, &self.zone)?;
                Page {
                    listing: self.store.list(query).await?,
                    count: 0,
                }
            }
        };
        let Some(records) = page.listing.next_chunk().await? else {
            let next = page.listing.next.as_deref().and_then(FeedPlace::decode);
            let (_, end) =
                next.ok_or_else(|| Error::internal("a list of changes has no cursor"))?;
            self.place = self.place.max(end);
            return Ok(page.count < PAGE);
        };
        page.count += records.len();
        self.page = Some(page);
        let all = Shown::all(self.noun);
        let shown = self.shown.as_ref().unwrap_or(&all);
        let mut text = Vec::new();
        for record in &records {
            let cursor = self.epoch.encode(record.id());
            event::write(record, shown, &cursor, &mut text);
        }
        if let Some(last) = records.last() {
            (self.place, self.told) = (last.id(), last.id());
            let part = turn.hold(&self.memory, text.into()).await?;
            self.pending.push_back(part);
        }
        Ok(false)
    }
}

/// A block that moves the client's place to this cursor.
fn event_place(cursor: String) -> Bytes {
    event::place(&cursor)
}
