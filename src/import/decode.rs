//! Decodes a file into UTF-8 while it is read.

use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use encoding_rs::{Decoder, Encoding, UTF_8};

/// How many bytes are decoded at a time.
const CHUNK: usize = 64 * 1024;

/// The largest row, in bytes. A quotation mark that is not closed would make the rest of a file one row.
pub const LARGEST_ROW: u64 = 8 << 20;

/// The text of a file.
pub type Text = BufReader<Box<dyn Read>>;

/// How many bytes of a file have been read. Shared with whoever shows the progress.
pub type Position = Rc<Cell<u64>>;

/// A reader of text in UTF-8 over a file in any encoding, without its byte order mark.
pub struct Decoding<R> {
    bytes: R,
    /// `None` for UTF-8, which was checked before and is passed on as it is.
    decoder: Option<Decoder>,
    input: Vec<u8>,
    /// The decoded text that was not read yet.
    text: Vec<u8>,
    at: usize,
    ended: bool,
    position: Position,
}

impl<R: Read> Decoding<R> {
    /// Reads `bytes`, which begin after the byte order mark.
    pub fn new(bytes: R, encoding: &'static Encoding, position: Position) -> Decoding<R> {
        Decoding {
            bytes,
            decoder: (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling()),
            input: Vec::new(),
            text: Vec::new(),
            at: 0,
            ended: false,
            position,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(());
        };
        self.input.resize(CHUNK, 0);
        let read = self.bytes.read(&mut self.input)?;
        self.position.set(self.position.get() + read as u64);
        self.ended = read == 0;
        self.text.clear();
        self.at = 0;
        let most = decoder.max_utf8_buffer_length(read).unwrap_or(4 * CHUNK);
        self.text.resize(most, 0);
        let (_, _, written, _) =
            decoder.decode_to_utf8(&self.input[..read], &mut self.text, self.ended);
        self.text.truncate(written);
        Ok(())
    }
}

impl<R: Read> Read for Decoding<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.decoder.is_none() {
            let read = self.bytes.read(out)?;
            self.position.set(self.position.get() + read as u64);
            return Ok(read);
        }
        while self.at == self.text.len() {
            if self.ended {
                return Ok(0);
            }
            self.fill()?;
        }
        let length = out.len().min(self.text.len() - self.at);
        out[..length].copy_from_slice(&self.text[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}
