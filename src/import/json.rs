//! Reads the rows of NDJSON, of JSON objects one after the other, and of an array of objects.
//!
//! The text is cut into objects by counting brackets outside of strings, so that an array of any length needs no more memory
//! than its largest object, and an object that is no JSON does not hide those after it.

use std::io::BufRead as _;

use super::decode::{LARGEST_ROW, Text};
use super::names::LINE;
use super::row::{CellValue, Columns, Raw, Row};
use crate::base::error::{Error, Result};
use crate::model::attributes::{self, Entries, unreadable};

/// The rows of a JSON file.
pub struct JsonRows {
    text: Text,
    by_line: bool,
    columns: Columns,
    /// The line that is read next.
    line: u64,
}

impl JsonRows {
    /// Reads one object a line.
    pub fn lines(text: Text) -> JsonRows {
        JsonRows {
            text,
            by_line: true,
            columns: Columns::default(),
            line: 1,
        }
    }

    /// Reads objects with any white space and commas between them, in an array or not.
    pub fn objects(text: Text) -> JsonRows {
        JsonRows {
            by_line: false,
            ..JsonRows::lines(text)
        }
    }

    /// The columns that were seen.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The next row.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        loop {
            let found = match self.by_line {
                true => self.next_line()?,
                false => self.next_object()?,
            };
            let Some((line, bytes)) = found else {
                return Ok(None);
            };
            let text = String::from_utf8_lossy(&bytes);
            if text.trim().is_empty() {
                continue;
            }
            return Ok(Some(self.row(line, text.trim())));
        }
    }

    fn next_line(&mut self) -> Result<Option<(u64, Vec<u8>)>> {
        let mut bytes = Vec::new();
        let line = self.line;
        loop {
            let buffer = self.text.fill_buf().map_err(Error::internal)?;
            if buffer.is_empty() {
                return Ok((!bytes.is_empty()).then_some((line, bytes)));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            bytes.extend_from_slice(&buffer[..length]);
            self.text.consume(length);
            if end.is_some() {
                self.line += 1;
                return Ok(Some((line, bytes)));
            }
            fits(line, bytes.len())?;
        }
    }

    /// The bytes from a bracket to the one that closes it. What is between objects and is neither white space nor part of an
    /// array is a row of its own, which is no object.
    fn next_object(&mut self) -> Result<Option<(u64, Vec<u8>)>> {
        let mut bytes = Vec::new();
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        let mut started = self.line;
        loop {
            let buffer = self.text.fill_buf().map_err(Error::internal)?;
            if buffer.is_empty() {
                return Ok((!bytes.is_empty()).then_some((started, bytes)));
            }
            let mut used = 0;
            let mut is_whole = false;
            for byte in buffer {
                used += 1;
                if *byte == b'\n' {
                    self.line += 1;
                }
                if bytes.is_empty() && (byte.is_ascii_whitespace() || b"[],".contains(byte)) {
                    continue;
                }
                if bytes.is_empty() {
                    started = self.line;
                }
                // What is no object ends with the comma, the bracket or the line.
                if depth == 0 && !bytes.is_empty() && !in_string && b",]\n".contains(byte) {
                    is_whole = true;
                    break;
                }
                bytes.push(*byte);
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if in_string => escaped = true,
                    b'"' => in_string = !in_string,
                    _ if in_string => {}
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            is_whole = true;
                            break;
                        }
                    }
                    _ => {}
                }
            }
            self.text.consume(used);
            if is_whole {
                return Ok(Some((started, bytes)));
            }
            fits(started, bytes.len())?;
        }
    }

    fn row(&mut self, line: u64, text: &str) -> Row {
        let mut row = Row {
            line,
            raw: Raw::Text(text.into()),
            ..Row::default()
        };
        match self.cells(text) {
            Ok(cells) => row.cells = cells,
            Err(fault) => row.fault = Some(fault),
        }
        row
    }

    fn cells(&mut self, text: &str) -> Result<Vec<(usize, CellValue)>, String> {
        if !text.starts_with('{') {
            return Err("expected a JSON object".into());
        }
        attributes::check(text)?;
        let entries: Entries = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        let mut cells = Vec::with_capacity(entries.0.len());
        for (name, json) in &entries.0 {
            if &**name == LINE {
                return Err(
                    "expected a JSON object; mend the line and put it in the place of this object"
                        .into(),
                );
            }
            let value = match json.get() {
                "null" | "\"\"" => continue,
                text if text.starts_with('"') => {
                    CellValue::Text(serde_json::from_str(text).map_err(|error| error.to_string())?)
                }
                json => CellValue::Json(json.into()),
            };
            let at = self.columns.position(name).ok_or_else(|| {
                format!(
                    "the objects have more than {} different members",
                    Columns::MOST
                )
            })?;
            cells.push((at, value));
        }
        Ok(cells)
    }
}

fn fits(line: u64, bytes: usize) -> Result<()> {
    match bytes as u64 > LARGEST_ROW {
        true => {
            let most = LARGEST_ROW >> 20;
            Err(Error::invalid(format!(
                "line {line}: expected objects of at most {most} MiB; a bracket or a quotation mark may not be closed"
            )))
        }
        false => Ok(()),
    }
}
