//! The lines of a bulk request, as their bytes arrive. It holds one line and what has arrived after it.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;

use super::line::RawLine;
use crate::base::error::Result;

/// Bytes that arrive or are sent piece by piece.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// The byte order mark, which some programs write before a text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Splits bytes into lines.
pub(super) struct LineReader {
    input: ByteStream,
    /// What has arrived and is not taken yet.
    buffer: BytesMut,
    /// How much of the buffer has no end of a line.
    searched: usize,
    /// How many lines were taken.
    taken: u64,
    /// The most bytes of a line.
    most: usize,
    /// Whether the rest of the current line is dropped, because it is too long.
    drops: bool,
    is_over: bool,
}

impl LineReader {
    pub(super) fn new(input: ByteStream, most: usize) -> LineReader {
        LineReader {
            input,
            buffer: BytesMut::new(),
            searched: 0,
            taken: 0,
            most,
            drops: false,
            is_over: false,
        }
    }

    /// Whether everything has arrived and was taken.
    pub(super) fn is_over(&self) -> bool {
        self.is_over && self.buffer.is_empty() && !self.drops
    }

    /// Whether everything has arrived.
    pub(super) fn has_arrived(&self) -> bool {
        self.is_over
    }

    /// How many bytes wait to be taken.
    pub(super) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Waits for more bytes, at most so long. Returns whether any came, or the end. It may be dropped at any moment.
    pub(super) async fn more(&mut self, patience: Duration) -> Result<bool> {
        if self.is_over {
            return Ok(false);
        }
        match timeout(patience, self.input.next()).await {
            Err(_) => Ok(false),
            Ok(None) => {
                self.is_over = true;
                Ok(true)
            }
            Ok(Some(part)) => {
                self.buffer.extend_from_slice(&part?);
                Ok(true)
            }
        }
    }

    /// The next line that has arrived as a whole. Lines of white space are counted and passed over.
    pub(super) fn line(&mut self) -> Option<RawLine> {
        loop {
            let end = self.buffer[self.searched..]
                .iter()
                .position(|byte| *byte == b'\n');
            let (text, is_long) = match end {
                Some(end) => {
                    let mut line = self.buffer.split_to(self.searched + end + 1);
                    line.truncate(line.len() - 1);
                    (line, std::mem::take(&mut self.drops))
                }
                None if self.is_over && (!self.buffer.is_empty() || self.drops) => {
                    (self.buffer.split(), std::mem::take(&mut self.drops))
                }
                None => {
                    self.searched = self.buffer.len();
                    if self.drops || self.buffer.len() > self.most {
                        self.drops = true;
                        self.buffer.clear();
                        self.searched = 0;
                    }
                    return None;
                }
            };
            self.searched = 0;
            self.taken += 1;
            let is_long = is_long || text.len() > self.most;
            let text = match text.strip_prefix(MARK) {
                Some(text) if self.taken == 1 => text,
                _ => &text,
            };
            let text = text.trim_ascii();
            if is_long || !text.is_empty() {
                return Some(RawLine {
                    number: self.taken,
                    text: (!is_long).then(|| text.to_vec()),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn lines(parts: &[&str], most: usize) -> Vec<(u64, Option<String>)> {
        let parts: Vec<Result<Bytes>> = parts
            .iter()
            .map(|part| Ok(Bytes::copy_from_slice(part.as_bytes())))
            .collect();
        let mut reader = LineReader::new(Box::pin(stream::iter(parts)), most);
        let mut lines = Vec::new();
        loop {
            while let Some(line) = reader.line() {
                let text = line.text.map(|text| String::from_utf8(text).unwrap());
                lines.push((line.number, text));
            }
            if reader.is_over() {
                return lines;
            }
            reader.more(Duration::from_secs(5)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn lines_are_the_same_however_they_arrive() {
        let text = "\u{feff}{\"a\":1}\r\n\n  \n{\"b\":2}\n{\"c\":\"äöü\"}";
        let expected = lines(&[text], 100).await;
        let told: Vec<(u64, &str)> = expected
            .iter()
            .map(|(number, text)| (*number, text.as_deref().unwrap()))
            .collect();
        assert_eq!(
            told,
            [(1, "{\"a\":1}"), (4, "{\"b\":2}"), (5, "{\"c\":\"äöü\"}")]
        );
        for (at, _) in text.char_indices().skip(1) {
            assert_eq!(
                lines(&[&text[..at], &text[at..]], 100).await,
                expected,
                "{at}"
            );
        }
        assert_eq!(lines(&[], 100).await, []);
        assert_eq!(lines(&["\n"], 100).await, []);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_dropped_alone() {
        let long = "x".repeat(30);
        let text = format!("{{}}\n{long}\n{{}}\n{long}");
        let expected = [
            (1, Some("{}".into())),
            (2, None),
            (3, Some("{}".into())),
            (4, None),
        ];
        for size in [1, 7, 100] {
            let parts: Vec<&str> = text
                .as_bytes()
                .chunks(size)
                .map(|part| std::str::from_utf8(part).unwrap())
                .collect();
            assert_eq!(lines(&parts, 20).await, expected);
        }
    }
}
