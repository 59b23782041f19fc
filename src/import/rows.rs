//! Reads the rows of a file one by one, whatever its format is.

use std::io::{BufRead as _, BufReader, Read};

use super::csv::CsvRows;
use super::decode::Position;
use super::format::{FileFormat, told_delimiter};
use super::json::JsonRows;
use super::row::{Columns, Row};
use super::source::Source;
use super::vcard::VcardRows;
use crate::base::error::{Error, Result};

/// The rows of a file.
pub struct Rows {
    reader: Reader,
    name: String,
    position: Position,
}

enum Reader {
    Csv(Box<CsvRows>),
    Json(JsonRows),
    Vcard(VcardRows),
}

impl Rows {
    /// Begins to read. The header of a CSV is read at once.
    pub fn open(source: &Source, format: FileFormat) -> Result<Rows> {
        let position = Position::default();
        let text: Box<dyn Read> = Box::new(source.text(position.clone())?);
        let mut text = BufReader::with_capacity(64 * 1024, text);
        let named = |error: Error| named(&source.name, error);
        let reader = match format {
            FileFormat::Csv(delimiter) => {
                let mut skipped = 0;
                if told_delimiter(&source.head).is_some() {
                    let mut line = Vec::new();
                    text.read_until(b'\n', &mut line).map_err(Error::internal)?;
                    skipped = 1;
                }
                Reader::Csv(Box::new(
                    CsvRows::open(text, delimiter, skipped).map_err(named)?,
                ))
            }
            FileFormat::Ndjson => Reader::Json(JsonRows::lines(text)),
            FileFormat::Json => Reader::Json(JsonRows::objects(text)),
            FileFormat::Vcard => Reader::Vcard(VcardRows::new(text)),
        };
        Ok(Rows {
            reader,
            name: source.name.clone(),
            position,
        })
    }

    /// The next row, `None` at the end. A row that cannot be read has a fault; an error ends the file.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        let row = match &mut self.reader {
            Reader::Csv(rows) => rows.next_row(),
            Reader::Json(rows) => rows.next_row(),
            Reader::Vcard(rows) => rows.next_row(),
        };
        row.map_err(|error| named(&self.name, error))
    }

    /// The columns that were seen so far.
    pub fn columns(&self) -> &Columns {
        match &self.reader {
            Reader::Csv(rows) => rows.columns(),
            Reader::Json(rows) => rows.columns(),
            Reader::Vcard(rows) => rows.columns(),
        }
    }

    /// How many bytes of the file have been read.
    pub fn position(&self) -> u64 {
        self.position.get()
    }
}

fn named(name: &str, mut error: Error) -> Error {
    error.message = format!("{name}: {}", error.message);
    error
}
