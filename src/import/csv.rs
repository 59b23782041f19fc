//! Reads the rows of a CSV, whose first row names the columns.
//!
//! A row with more or fewer cells than the header is refused: nobody can tell which of its cells belong where. Rows without
//! any text are skipped.

use std::cell::Cell;
use std::io::{self, BufRead as _, Read};
use std::rc::Rc;

use ::csv::{Reader, ReaderBuilder, StringRecord};

use super::decode::{LARGEST_ROW, Text};
use super::guard::bare;
use super::row::{CellValue, Columns, Raw, Row};
use crate::base::error::{Error, Result, quoted};
use crate::model::email::email;

/// The rows of a CSV.
pub struct CsvRows {
    reader: Reader<Bounded>,
    budget: Rc<Cell<u64>>,
    columns: Columns,
    record: StringRecord,
    /// How many lines come before the header.
    skipped: u64,
    /// Whether lines end in CR LF. The reader takes the LF for the beginning of the next line.
    has_cr: bool,
}

impl CsvRows {
    /// Reads the header.
    pub fn open(mut text: Text, delimiter: u8, skipped: u64) -> Result<CsvRows> {
        let head = text.fill_buf().map_err(Error::internal)?;
        let end = head
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or_default();
        let has_cr = end > 0 && head[end - 1] == b'\r';
        let budget = Rc::new(Cell::new(LARGEST_ROW));
        let bounded = Bounded {
            text,
            budget: budget.clone(),
        };
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(bounded);
        let mut rows = CsvRows {
            reader,
            budget,
            columns: Columns::default(),
            record: StringRecord::new(),
            skipped,
            has_cr,
        };
        if !rows.read()? {
            return Err(Error::invalid(
                "expected a header with the names of the columns, got nothing",
            ));
        }
        if let Some(cell) = rows.record.iter().find(|cell| email(cell).is_some()) {
            return Err(Error::invalid(format!(
                "expected the names of the columns in the first row, got the address {}; add a header such as email,name",
                quoted(cell)
            )));
        }
        for name in names(&rows.record) {
            if rows.columns.position(&name).is_none() {
                return Err(Error::invalid(format!(
                    "expected at most {} columns",
                    Columns::MOST
                )));
            }
        }
        Ok(rows)
    }

    fn read(&mut self) -> Result<bool> {
        self.budget.set(LARGEST_ROW);
        let line = self.line(self.reader.position().line());
        self.reader.read_record(&mut self.record).map_err(|error| {
            let told = match error.into_kind() {
                ::csv::ErrorKind::Io(error) => error.to_string(),
                kind => format!("{kind:?}"),
            };
            Error::invalid(format!("line {line}: {told}"))
        })
    }

    /// The line of the file for a line of the reader.
    fn line(&self, line: u64) -> u64 {
        line + self.skipped + u64::from(self.has_cr && line > 0 && !self.columns.names().is_empty())
    }

    /// The columns.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The next row.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        loop {
            if !self.read()? {
                return Ok(None);
            }
            if self.record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            return Ok(Some(self.row()));
        }
    }

    fn row(&mut self) -> Row {
        let expected = self.columns.names().len();
        let got = self.record.len();
        let more = self.record.iter().skip(expected);
        let is_long = more.clone().any(|cell| !cell.trim().is_empty());
        let fault = match got {
            _ if is_long => Some(format!("has {got} cells, but the header has {expected}")),
            got if got < expected => Some(format!(
                "has {got} cells, but the header has {expected}; a line break or a delimiter may be missing"
            )),
            _ => None,
        };
        let cells = self.record.iter().take(expected).enumerate();
        let cells = cells.filter(|(_, cell)| !cell.trim().is_empty());
        let cells = cells.map(|(at, cell)| (at, CellValue::Text(bare(cell).into())));
        let line = self.record.position().map_or(0, ::csv::Position::line);
        Row {
            line: self.line(line),
            cells: match fault {
                None => cells.collect(),
                Some(_) => Vec::new(),
            },
            fault,
            raw: Raw::Cells(std::mem::take(&mut self.record)),
        }
    }
}

/// The names of the columns, each only once.
fn names(header: &StringRecord) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (at, cell) in header.iter().enumerate() {
        let cell = cell.trim();
        let bare = match cell {
            "" => format!("column {}", at + 1),
            cell => cell.to_string(),
        };
        let mut name = bare.clone();
        let mut number = 1;
        while names.contains(&name) {
            number += 1;
            name = format!("{bare} ({number})");
        }
        names.push(name);
    }
    names
}

/// A reader that fails when one row has become too large.
struct Bounded {
    text: Text,
    budget: Rc<Cell<u64>>,
}

impl Read for Bounded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(out)?;
        let left = self.budget.get().checked_sub(read as u64);
        self.budget.set(left.ok_or_else(|| {
            let most = LARGEST_ROW >> 20;
            io::Error::other(format!(
                "expected rows of at most {most} MiB; a quotation mark may not be closed"
            ))
        })?);
        Ok(read)
    }
}
