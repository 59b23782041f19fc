//! Follows a feed on any store: each change once and in order, with the cursor after it.
//!
//! A database is looked at again and again, and at once after a commit of this process. A server sends its changes in a
//! stream. After an error the next call goes on from the same cursor, so a caller may try again as long as it wants.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::sleep;

use super::any::AnyStore;
use super::contract::Store;
use super::remote::Events;
use crate::base::error::{Code, Error, Result};
use crate::model::noun::Noun;
use crate::model::query::{END, FeedPlace, Query};
use crate::model::record::Record;

/// The time between two looks at a database.
const POLL: Duration = Duration::from_millis(200);

/// How many changes are read at a time.
const PAGE: usize = 100;

/// A step of a follower.
#[derive(Clone, Debug)]
pub enum Followed {
    /// A change, and the cursor after it.
    Change(Record, String),
    /// Everything up to this cursor was read, and no further change meets the filters.
    Place(String),
}

/// Follows a feed.
pub struct Follower {
    store: AnyStore,
    noun: &'static Noun,
    filters: Vec<(String, String)>,
    /// The cursor up to which everything was returned. `None` before the beginning.
    cursor: Option<String>,
    /// Whether it waits for further changes.
    waits: bool,
    read: VecDeque<(Record, String)>,
    /// The cursor up to which everything was read.
    end: Option<String>,
    is_over: bool,
    events: Option<Events>,
}

impl Follower {
    /// Follows a feed with these filters from a cursor on. Without a cursor it begins at the end if it waits for further
    /// changes, and otherwise at the beginning.
    pub async fn begin(
        store: AnyStore,
        noun: &'static Noun,
        filters: Vec<(String, String)>,
        after: Option<String>,
        waits: bool,
    ) -> Result<Follower> {
        let mut pairs = filters.clone();
        let after = after.or_else(|| waits.then(|| END.into()));
        pairs.extend(after.iter().map(|after| ("after".into(), after.clone())));
        // Refuses filters and cursors before anything is done.
        Query::new(noun, pairs)?;
        let cursor = match after {
            Some(after) => {
                let one = vec![
                    ("after".into(), after.clone()),
                    ("limit".into(), "1".into()),
                ];
                let listing = store.list(Query::new(noun, one)?).await?;
                match after == END {
                    true => Some(listing.next.ok_or_else(no_cursor)?),
                    false => Some(after),
                }
            }
            None => None,
        };
        Ok(Follower {
            store,
            noun,
            filters,
            cursor,
            waits,
            read: VecDeque::new(),
            end: None,
            is_over: false,
            events: None,
        })
    }

    /// The cursor up to which everything was returned. `None` before the beginning.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The next step. `None` at the end, if it does not wait for further changes.
    pub async fn next(&mut self) -> Result<Option<Followed>> {
        loop {
            if let Some((record, cursor)) = self.read.pop_front() {
                self.cursor = Some(cursor.clone());
                return Ok(Some(Followed::Change(record, cursor)));
            }
            if let Some(end) = self
                .end
                .take()
                .filter(|end| Some(end) != self.cursor.as_ref())
            {
                self.cursor = Some(end.clone());
                return Ok(Some(Followed::Place(end)));
            }
            if self.is_over && !self.waits {
                return Ok(None);
            }
            match &self.store {
                AnyStore::Remote(_) if self.waits => self.listen().await?,
                AnyStore::Sqlite(_) | AnyStore::Postgres(_) | AnyStore::Remote(_) => {
                    if self.is_over {
                        self.wait().await;
                    }
                    self.list().await?;
                }
            }
        }
    }

    /// Waits until there may be more.
    async fn wait(&self) {
        let committed = async {
            match self.store.commits() {
                // Fails only when the store is gone.
                Some(mut commits) => drop(commits.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! { () = sleep(POLL) => {}, () = committed => {} }
    }

    /// Reads a page.
    async fn list(&mut self) -> Result<()> {
        let mut pairs = self.filters.clone();
        pairs.extend(
            self.cursor
                .iter()
                .map(|cursor| ("after".into(), cursor.clone())),
        );
        pairs.push(("limit".into(), PAGE.to_string()));
        let mut listing = self.store.list(Query::new(self.noun, pairs)?).await?;
        let next = listing.next.take().ok_or_else(no_cursor)?;
        let (epoch, _) = FeedPlace::decode(&next).ok_or_else(no_cursor)?;
        let place = FeedPlace {
            epoch: Some(epoch),
            from_end: false,
        };
        let mut read = VecDeque::new();
        while let Some(records) = listing.next_chunk().await? {
            read.extend(records.into_iter().map(|record| {
                let cursor = place.encode(record.id());
                (record, cursor)
            }));
        }
        self.is_over = read.len() < PAGE;
        self.read = read;
        self.end = Some(next);
        Ok(())
    }

    /// Reads the next event of a server.
    async fn listen(&mut self) -> Result<()> {
        let AnyStore::Remote(store) = &self.store else {
            return Err(Error::internal("only a server sends events"));
        };
        let mut events = match self.events.take() {
            Some(events) => events,
            None => {
                let cursor = self.cursor.as_deref().unwrap_or_default();
                store.events(self.noun, &self.filters, cursor).await?
            }
        };
        let Some(block) = events.next().await? else {
            let why = "the server ended the stream of changes";
            return Err(Error::new(Code::Unreachable, why));
        };
        match (block.data, block.id) {
            (Some(data), Some(id)) => {
                let record = Record::from_json(self.noun, &data);
                let record = record.filter(|record| record.id() >= 1);
                let record = record.ok_or_else(|| store.stranger("its event is not a change"))?;
                self.read.push_back((record, id));
            }
            (None, Some(id)) => self.end = Some(id),
            (Some(_), None) => return Err(store.stranger("its event has no id")),
            (None, None) => {}
        }
        self.events = Some(events);
        Ok(())
    }
}

fn no_cursor() -> Error {
    Error::internal("a list of changes has no cursor")
}
