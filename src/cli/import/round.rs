//! One run through the file: its lines are sent, and their answers counted.

use std::sync::atomic::Ordering;
use std::time::Instant;

use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::asked::Import;
use super::feed::{self, Pending};
use super::resume::Resume;
use super::tally::{Tally, grouped, kind, kind_of};
use crate::base::error::{Code, Error, Result};
use crate::cli::author::author;
use crate::config::Settings;
use crate::import::opened::Opened;
use crate::import::rejects::Rejects;
use crate::import::row::{Columns, Row};
use crate::model::author::Author;
use crate::model::record::LARGEST;
use crate::model::terms;
use crate::operation::about::fill;
use crate::ops::bulk::{Bulk, BulkRequest, Done, End, Told, open as open_bulk};
use crate::output::Bar;
use crate::store::any::AnyStore;

/// The room of a line beside its record.
const ROOM: usize = 1024;

/// The depth of nested JSON that is accepted.
const DEPTH: usize = 128;

/// One run through the file.
pub(super) struct Round<'i> {
    import: &'i Import,
    /// What became of the rows.
    pub(super) tally: Tally,
    /// The rows that were refused.
    pub(super) rejects: Option<Rejects>,
    columns: Columns,
    size: u64,
}

impl<'i> Round<'i> {
    /// Begins with nothing.
    pub(super) fn new(import: &'i Import, opened: &Opened) -> Round<'i> {
        let rejects = import.rejects.as_ref();
        Round {
            import,
            tally: Tally::default(),
            rejects: rejects.map(|path| Rejects::new(path, opened.format)),
            columns: opened.columns.clone(),
            size: opened.source.size,
        }
    }

    /// Sends all rows.
    pub(super) async fn run(
        &mut self,
        opened: Opened,
        store: &AnyStore,
        settings: &Settings,
        resume: &Resume,
        stopped: watch::Receiver<bool>,
    ) -> Result<End> {
        let import = self.import;
        let noun = import.noun;
        let request = BulkRequest {
            noun,
            parameters: import.parameters(),
            zone: opened.mapping.zone.clone(),
            author: Author {
                operation: fill(Bulk::ABOUT.methods[0].1, Some(noun)).into(),
                ..author(settings)
            },
            key: Some(
                terms::Key::parse(&resume.key, &["import", noun.plural], b"")
                    .map_err(Error::internal)?,
            ),
            bytes: LARGEST + ROOM,
            depth: DEPTH,
        };
        let pending = Pending::default();
        let reading = feed::read(opened, import.manner());
        let position = reading.position.clone();
        let lines = feed::lines(reading, store.clone(), noun, pending.clone(), stopped);
        let bar = Bar::telling(!import.quiet);
        let started = Instant::now();
        let ended = async {
            let mut answers = open_bulk(store, request, lines).await?;
            let mut rest: Vec<u8> = Vec::new();
            let mut end = None;
            while let Some(part) = answers.next().await {
                rest.extend_from_slice(&part?);
                let mut from = 0;
                while let Some(length) = rest[from..].iter().position(|byte| *byte == b'\n') {
                    let line = &rest[from..from + length];
                    from += length + 1;
                    match Told::parse(line) {
                        Some(Told::Line(answer)) => self.answered(&pending, answer.result)?,
                        Some(Told::End(told)) => end = Some(told),
                        None if line.trim_ascii().is_empty() => {}
                        None => return Err(Error::internal("an answer to a line cannot be read")),
                    }
                }
                rest.drain(..from);
                let seconds = started.elapsed().as_secs_f64().max(0.001);
                let rate = (self.tally.rows as f64 / seconds) as u64;
                let told = format!(
                    "{} rows, {} a second",
                    grouped(self.tally.rows),
                    grouped(rate)
                );
                bar.tell(told, position.load(Ordering::Relaxed), self.size);
            }
            end.ok_or_else(|| Error::new(Code::Unreachable, "the answer broke off before its end"))
        }
        .await;
        // The file itself is the better reason.
        if let Some(fault) = pending.fault() {
            let group = ended.as_ref().ok().and_then(|end| end.group);
            return Ok(End {
                group,
                error: Some(fault),
                ..End::default()
            });
        }
        let end = ended?;
        if end.error.is_none() {
            // What comes after the last line that was sent.
            while let Some(item) = pending.next() {
                match &item.made {
                    Err(refusal) => self.refused(&item.row, kind(refusal), refusal.told())?,
                    Ok(_) => return Err(Error::internal("a line was not answered")),
                }
            }
        }
        Ok(end)
    }

    /// Counts the answer to the next line, and the rows before it that were refused here.
    fn answered(&mut self, pending: &Pending, answer: Result<Done>) -> Result<()> {
        while let Some(item) = pending.next() {
            match (&item.made, &answer) {
                (Err(refusal), _) => {
                    self.refused(&item.row, kind(refusal), refusal.told())?;
                    continue;
                }
                (Ok(_), Ok(done)) => self.tally.done(*done),
                (Ok(_), Err(error)) => self.refused(&item.row, kind_of(error), &error.message)?,
            }
            return Ok(());
        }
        Err(Error::internal("more lines were answered than sent"))
    }

    fn refused(&mut self, row: &Row, kind: String, told: &str) -> Result<()> {
        self.tally.refused(row.line, kind, told);
        match &mut self.rejects {
            Some(rejects) => rejects.add(&self.columns, row, told),
            None => Ok(()),
        }
    }
}
