//! Reads a list as a server sends it: one record per line.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

use super::client::{LARGEST_ANSWER, RemoteClient};
use crate::base::error::{Result, quoted};
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::rows::Rows;
use crate::model::value::{Cell, Value};

/// Splits bytes into lines, and reads a record from each.
pub(super) struct RecordLines<R> {
    pub(super) client: RemoteClient,
    /// An empty value of the list's rows.
    pub(super) rows: R,
    pub(super) noun: &'static Noun,
    /// Whether each record must have an id. Records have none if other fields were requested.
    pub(super) has_ids: bool,
    /// A line whose end has not arrived yet.
    pub(super) partial: BytesMut,
}

impl<R: Rows> RecordLines<R> {
    /// The records in chunks, as the bytes arrive.
    pub(super) fn chunks<S>(self, bytes: S) -> impl Stream<Item = Result<R>> + Send
    where
        S: Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
    {
        let state = Some((self, Box::pin(bytes)));
        stream::unfold(state, |state| async move {
            let (mut lines, mut bytes) = state?;
            let read = match bytes.next().await {
                Some(Ok(part)) => lines.records(&part),
                Some(Err(error)) => Err(lines.client.broken(&error)),
                None if lines.partial.is_empty() => return None,
                None => Err(lines
                    .client
                    .stranger("its list ends in the middle of a record")),
            };
            match read {
                Ok(records) => Some((Ok(records), Some((lines, bytes)))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    fn records(&mut self, part: &[u8]) -> Result<R> {
        self.partial.extend_from_slice(part);
        let mut records = self.rows.empty();
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line = self.partial.split_to(end + 1);
            let record = Record::from_json(self.noun, &line[..end]);
            let record = record.filter(|record| !self.has_ids || record.id() >= 1);
            let record = record.ok_or_else(|| {
                let line = String::from_utf8_lossy(&line[..end]);
                self.client
                    .stranger(&format!("{} is not a record", quoted(&line)))
            })?;
            let cells: Vec<Cell> = record.values.iter().map(Value::cell).collect();
            records.push(self.noun, &cells);
        }
        if self.partial.len() > LARGEST_ANSWER {
            return Err(self.client.too_large());
        }
        Ok(records)
    }
}
