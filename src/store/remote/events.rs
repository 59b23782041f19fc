//! Reads a stream of events as a server sends it (WHATWG HTML, section 9.2.6): the lines of a block, up to an empty line.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use reqwest::{Method, Response};

use super::client::{LARGEST_ANSWER, RemoteClient};
use crate::base::error::{Error, Result};
use crate::model::noun::Noun;
use crate::model::query;

/// A block of a stream: an event if it has data. One with an id alone moves the place of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) id: Option<String>,
    pub(crate) data: Option<Vec<u8>>,
}

/// A stream that is being read.
pub(crate) struct Events {
    client: RemoteClient,
    bytes: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    /// What has arrived and is not read.
    partial: BytesMut,
    /// The block that has begun.
    block: Block,
}

impl Events {
    /// Asks for the stream of a noun with these filters, after the event with this id.
    pub(super) async fn ask(
        client: RemoteClient,
        noun: &'static Noun,
        filters: &[(String, String)],
        last: &str,
    ) -> Result<Events> {
        let mut path = format!("/{}/stream", noun.plural);
        for (at, (name, value)) in filters.iter().enumerate() {
            let mark = if at == 0 { '?' } else { '&' };
            let name = query::escape(name);
            path.push_str(&format!("{mark}{name}={}", query::escape(value)));
        }
        let request = client.request(Method::GET, &path);
        let request = request
            .header("accept", "text/event-stream")
            .header("last-event-id", last);
        let response = client.send(request).await.map_err(Error::from)?;
        if !is_of_events(&response) {
            return Err(client.stranger("its stream is not text/event-stream"));
        }
        Ok(Events {
            client,
            bytes: Box::pin(response.bytes_stream()),
            partial: BytesMut::new(),
            block: Block::default(),
        })
    }

    /// The next block, `None` at the end of the stream. A block that has not ended there is not one.
    pub(crate) async fn next(&mut self) -> Result<Option<Block>> {
        loop {
            while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
                let line = self.partial.split_to(end + 1);
                if let Some(block) = self.line(line.trim_ascii_end()) {
                    return Ok(Some(block));
                }
            }
            if self.partial.len() > LARGEST_ANSWER {
                return Err(self.client.too_large());
            }
            match self.bytes.next().await {
                Some(Ok(part)) => self.partial.extend_from_slice(&part),
                Some(Err(error)) => return Err(self.client.broken(&error)),
                None => return Ok(None),
            }
        }
    }

    /// Reads a line. Returns the block that it ends.
    fn line(&mut self, line: &[u8]) -> Option<Block> {
        if line.is_empty() {
            let block = std::mem::take(&mut self.block);
            return (block != Block::default()).then_some(block);
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"id" => self.block.id = Some(String::from_utf8_lossy(value).into_owned()),
            b"data" => {
                let data = self.block.data.get_or_insert_default();
                if !data.is_empty() {
                    data.push(b'\n');
                }
                data.extend_from_slice(value);
            }
            // Comments and other fields.
            _ => {}
        }
        None
    }
}

fn is_of_events(response: &Response) -> bool {
    let media = response.headers().get("content-type");
    let media = media.and_then(|media| media.to_str().ok());
    media.is_some_and(|media| media.starts_with("text/event-stream"))
}
