//! Splits a text into JSON objects as it is read: one after the other, or the elements of one array. It holds one of them.
//!
//! It only looks for where an object ends. Whoever takes the object reads it, and finds what else is wrong.

use std::io::{self, Read};

use super::records;
use crate::base::error::{Error, Result};
use crate::model::draft::Purpose;
use crate::model::noun::Noun;
use crate::model::record::LARGEST;

/// How much is read at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// The most bytes of one object. A record has less, but white space does not count there.
const MOST: usize = 4 * LARGEST;

/// One object of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OneObject {
    /// The line in which it begins, from 1.
    pub(super) line: u64,
    /// Its text in one line.
    pub(super) text: Vec<u8>,
}

/// The objects of a text.
pub(super) struct Objects<R> {
    input: R,
    buffer: Vec<u8>,
    /// What of the buffer is taken.
    at: usize,
    /// The line of the next byte, from 1.
    line: u64,
    /// Whether the objects are the elements of an array.
    pub(super) is_array: bool,
    /// How many were taken.
    taken: u64,
    is_over: bool,
}

impl<R: Read> Objects<R> {
    /// The objects of this text. What is no JSON object or array is refused in the same words as a single record.
    pub(super) fn new(input: R, noun: &'static Noun, purpose: Purpose) -> Result<Objects<R>> {
        let mut objects = Objects {
            input,
            buffer: Vec::new(),
            at: 0,
            line: 1,
            is_array: false,
            taken: 0,
            is_over: false,
        };
        match objects.space()? {
            Some(b'{') => {}
            Some(b'[') => {
                objects.at += 1;
                objects.is_array = true;
            }
            _ => {
                records::parse(noun, &objects.buffer, purpose)?;
            }
        }
        Ok(objects)
    }

    /// Whether the next bytes are there without waiting.
    pub(super) fn is_buffered(&self) -> bool {
        self.at < self.buffer.len()
    }

    /// Reads more. Returns whether there is any.
    fn fill(&mut self) -> Result<bool> {
        if self.is_over {
            return Ok(false);
        }
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        let before = self.buffer.len();
        self.buffer.resize(before + CHUNK, 0);
        let count = loop {
            match self.input.read(&mut self.buffer[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let count = count.map_err(|error| Error::failed(error.to_string()));
        self.buffer
            .truncate(before + count.as_ref().copied().unwrap_or_default());
        self.is_over = count? == 0;
        Ok(!self.is_over)
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        while self.at == self.buffer.len() {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(self.buffer.get(self.at).copied())
    }

    /// Passes over white space, and returns the byte after it.
    fn space(&mut self) -> Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(byte) if byte.is_ascii_whitespace() => {
                    self.line += u64::from(byte == b'\n');
                    self.at += 1;
                }
                other => return Ok(other),
            }
        }
    }

    fn fault(&self, what: &str) -> Error {
        Error::invalid(format!("line {}: {what}", self.line))
    }

    /// The next object, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<OneObject>> {
        let mut byte = self.space()?;
        if self.is_array {
            match byte {
                Some(b']') => {
                    self.at += 1;
                    self.is_array = false;
                    return match self.space()? {
                        None => Ok(None),
                        Some(_) => Err(self.fault("expected nothing after the array")),
                    };
                }
                Some(b',') if self.taken > 0 => {
                    self.at += 1;
                    byte = self.space()?;
                }
                Some(_) if self.taken > 0 => {
                    return Err(self.fault("expected , or ] after an object of the array"));
                }
                None => return Err(self.fault("expected ] at the end of the array")),
                Some(_) => {}
            }
        }
        match byte {
            None if !self.is_array => return Ok(None),
            Some(b'{') => {}
            _ => return Err(self.fault("expected a JSON object, got something else")),
        }
        let line = self.line;
        let text = self.object()?;
        self.taken += 1;
        Ok(Some(OneObject { line, text }))
    }

    /// Takes an object, up to the brace that closes it.
    fn object(&mut self) -> Result<Vec<u8>> {
        let begin = self.line;
        let mut text = Vec::new();
        let (mut depth, mut in_text, mut is_escaped) = (0_u32, false, false);
        loop {
            let Some(mut byte) = self.peek()? else {
                return Err(Error::invalid(format!(
                    "line {begin}: expected a JSON object, but it does not end"
                )));
            };
            self.at += 1;
            match byte {
                b'\n' | b'\r' => {
                    if in_text {
                        return Err(self.fault("expected the end of a text in the same line"));
                    }
                    self.line += u64::from(byte == b'\n');
                    byte = b' ';
                }
                _ if is_escaped => is_escaped = false,
                b'\\' if in_text => is_escaped = true,
                b'"' => in_text = !in_text,
                b'{' | b'[' if !in_text => depth += 1,
                b'}' | b']' if !in_text => depth -= 1,
                _ => {}
            }
            text.push(byte);
            if depth == 0 {
                return Ok(text);
            }
            if text.len() > MOST {
                let most = MOST >> 20;
                return Err(Error::invalid(format!(
                    "line {begin}: expected at most {most} MiB for one object"
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;

    /// A reader that gives so many bytes at a time.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(out.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn split(text: &str, size: usize) -> Result<Vec<(u64, String)>> {
        let slowly = Slowly(text.as_bytes(), size);
        let mut objects = Objects::new(slowly, &LEAD, Purpose::Create)?;
        let mut all = Vec::new();
        while let Some(object) = objects.next()? {
            all.push((object.line, String::from_utf8(object.text).unwrap()));
        }
        Ok(all)
    }

    #[test]
    fn objects_are_found_one_after_the_other_and_in_an_array() {
        for size in [1, 3, 1_000] {
            let text = "\n {\"a\":\"}\\\"{ü\"}\n{\n\"b\": [1, {}]\n}{\"c\":1} ";
            let found = split(text, size).unwrap();
            let expected = [
                (2, "{\"a\":\"}\\\"{ü\"}"),
                (3, "{ \"b\": [1, {}] }"),
                (5, "{\"c\":1}"),
            ];
            let expected = expected.map(|(line, text)| (line, text.to_string()));
            assert_eq!(found, expected);
            let array = split("[\n{\"a\":1},\n {\"b\":2}]\n", size).unwrap();
            let expected = [(2, "{\"a\":1}".into()), (3, "{\"b\":2}".into())];
            assert_eq!(array, expected);
            assert_eq!(split("[ ]", size), Ok(Vec::new()));
        }
    }

    #[test]
    fn what_is_no_list_of_objects_is_refused_with_its_line() {
        for (text, told) in [
            ("", "nothing"),
            ("id,email\n", "CSV"),
            ("{}\n[1]", "line 2: expected a JSON object"),
            ("[{},\n1]", "line 2: expected a JSON object"),
            ("[{}", "line 1: expected ]"),
            ("[{}{}]", "line 1: expected , or ]"),
            ("[{}] x", "line 1: expected nothing after"),
            (
                "{}\n{\"a\"",
                "line 2: expected a JSON object, but it does not end",
            ),
            ("{\"a\n\":1}", "line 1: expected the end of a text"),
        ] {
            let error = split(text, 5).unwrap_err().message;
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
