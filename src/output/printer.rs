//! Prints records.

use std::io::{BufWriter, Write};

use crate::config::Format;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::model::value::Value;
use crate::output::csv::csv_line;
use crate::output::look::{Extent, Look};
use crate::output::stop::Result;
use crate::output::table::{Column, table, upright};
use crate::output::text::{cut, visible};

/// Prints records, or that they are deleted.
///
/// Output is buffered: see [`Printer::flush`]. Dropping a printer writes out what it has, but ends nothing.
pub struct Printer<W: Write> {
    out: BufWriter<W>,
    look: Look,
    noun: &'static Noun,
    /// Which fields; `None` prints something else of each record.
    shown: Option<Shown>,
    /// What that is called.
    told: &'static str,
    extent: Extent,
    count: u64,
    /// Whether the line of an array's last record was ended, as an error was printed after it.
    line_ended: bool,
    /// The rows of a table of many; empty in other formats.
    rows: Vec<Vec<String>>,
    /// What is written next; kept, so that each record does not allocate anew.
    buffer: Vec<u8>,
}

impl<W: Write> Printer<W> {
    /// Prints records of a noun. Without `fields` all are shown; under their old names too in JSON, as the API does.
    pub fn records(
        out: W,
        look: Look,
        noun: &'static Noun,
        fields: Option<Shown>,
        extent: Extent,
    ) -> Printer<W> {
        let shown = fields.unwrap_or_else(|| match look.format {
            Format::Json | Format::Ndjson => Shown::all(noun),
            Format::Table | Format::Csv | Format::Id => Shown::once(noun),
        });
        Self::new(out, look, noun, Some(shown), "", extent)
    }

    /// Prints which records of a noun were deleted.
    pub fn deletions(out: W, look: Look, noun: &'static Noun, extent: Extent) -> Printer<W> {
        Self::new(out, look, noun, None, "message", extent)
    }

    /// Prints the ETags of records of a noun.
    pub fn etags(out: W, look: Look, noun: &'static Noun, extent: Extent) -> Printer<W> {
        Self::new(out, look, noun, None, "etag", extent)
    }

    fn new(
        out: W,
        look: Look,
        noun: &'static Noun,
        shown: Option<Shown>,
        told: &'static str,
        extent: Extent,
    ) -> Printer<W> {
        Printer {
            out: BufWriter::with_capacity(64 * 1024, out),
            look,
            noun,
            shown,
            told,
            extent,
            count: 0,
            line_ended: false,
            rows: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Prints a record.
    pub fn record(&mut self, record: &Record) -> Result {
        self.before()?;
        let once = Shown::once(self.noun);
        let shown = self.shown.as_ref().unwrap_or(&once);
        match self.look.format {
            Format::Json | Format::Ndjson => record.write_json(shown, &mut self.buffer),
            Format::Csv => {
                let cells = shown
                    .0
                    .iter()
                    .map(|field| record.values[field.at].to_string());
                csv_line(cells, &mut self.buffer);
            }
            Format::Id => self.buffer.extend(record.id().to_string().bytes()),
            Format::Table => {
                let cells = shown.0.iter().map(|field| {
                    let kind = self.noun.fields[field.at].kind;
                    cell(kind, &record.values[field.at])
                });
                match (self.extent, self.look.terminal.width) {
                    (Extent::One, _) => {
                        let cells = shown.0.iter().map(|field| field.name).zip(cells);
                        upright(cells.collect(), self.look.terminal, &mut self.buffer);
                    }
                    // No column gets wider than the terminal: the rest need not be kept.
                    (Extent::Many, Some(width)) => {
                        self.rows.push(cells.map(|cell| cut(cell, width)).collect());
                    }
                    (Extent::Many, None) => self.rows.push(cells.collect()),
                }
            }
        }
        self.after()
    }

    /// Prints that a record is deleted.
    pub fn deleted(&mut self, id: i64) -> Result {
        self.before()?;
        let title = self.noun.title;
        match self.look.format {
            Format::Json | Format::Ndjson => {
                write!(self.buffer, r#"{{"id":{id},"message":"{title} deleted"}}"#)?;
            }
            Format::Csv => csv_line(
                [id.to_string(), format!("{title} deleted")].into_iter(),
                &mut self.buffer,
            ),
            Format::Id => write!(self.buffer, "{id}")?,
            Format::Table => writeln!(self.buffer, "{title} {id} deleted")?,
        }
        self.after()
    }

    /// Prints a record's ETag, as it is in a table and as the id.
    pub fn etag(&mut self, id: i64, etag: &str) -> Result {
        self.before()?;
        match self.look.format {
            Format::Json | Format::Ndjson => {
                let object = serde_json::json!({"id": id, "etag": etag});
                write!(self.buffer, "{object}")?;
            }
            Format::Csv => csv_line(
                [id.to_string(), etag.to_string()].into_iter(),
                &mut self.buffer,
            ),
            Format::Id => write!(self.buffer, "{etag}")?,
            Format::Table => writeln!(self.buffer, "{etag}")?,
        }
        self.after()
    }

    /// Ends what was begun. Not to be called after a list has failed midway; after several ids of which some failed it is.
    pub fn end(mut self) -> Result<u64> {
        let many = self.extent == Extent::Many;
        match self.look.format {
            Format::Json if many && self.count == 0 => self.out.write_all(b"[]\n")?,
            Format::Json if many && self.line_ended => self.out.write_all(b"]\n")?,
            Format::Json if many => self.out.write_all(b"\n]\n")?,
            Format::Csv if many => self.header()?,
            Format::Table if !self.rows.is_empty() => {
                let rows = std::mem::take(&mut self.rows);
                let columns: Vec<Column> = self.columns().collect();
                table(&columns, rows, self.look.terminal, &mut self.out)?;
            }
            _ => {}
        }
        self.out.flush()?;
        Ok(self.count)
    }

    /// Writes out what is buffered: before an error goes to standard error, so that both stand in their order.
    pub fn flush(&mut self) -> Result {
        let in_array = self.look.format == Format::Json && self.extent == Extent::Many;
        if in_array && self.count > 0 && !self.line_ended {
            self.out.write_all(b"\n")?;
            self.line_ended = true;
        }
        Ok(self.out.flush()?)
    }

    fn columns(&self) -> impl Iterator<Item = Column> {
        let chosen = self.shown != Some(Shown::once(self.noun));
        let shown = self.shown.iter().flat_map(|shown| &shown.0);
        shown.map(move |field| {
            let kind = self.noun.fields[field.at].kind;
            Column {
                name: field.name,
                right: kind.is_id(),
                spare: kind == Kind::Stamp && !chosen,
                usual: !chosen,
            }
        })
    }

    /// The header of CSV, once.
    fn header(&mut self) -> Result {
        if self.count > 0 {
            return Ok(());
        }
        let mut names: Vec<&str> = self.columns().map(|column| column.name).collect();
        if self.shown.is_none() {
            names = vec!["id", self.told];
        }
        let mut line = Vec::new();
        csv_line(names.into_iter(), &mut line);
        Ok(self.out.write_all(&line)?)
    }

    fn before(&mut self) -> Result {
        match (self.look.format, self.extent) {
            (Format::Csv, _) => self.header()?,
            (Format::Json, Extent::Many) if self.count == 0 => self.out.write_all(b"[\n")?,
            (Format::Json, Extent::Many) if self.line_ended => self.out.write_all(b",")?,
            (Format::Json, Extent::Many) => self.out.write_all(b",\n")?,
            _ => {}
        }
        self.count += 1;
        self.line_ended = false;
        Ok(())
    }

    fn after(&mut self) -> Result {
        match (self.look.format, self.extent) {
            // The line ends with the comma before the next record, or with the array.
            (Format::Json, Extent::Many) | (Format::Table | Format::Csv, _) => {}
            _ => self.buffer.push(b'\n'),
        }
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// A value in a table.
fn cell(kind: Kind, value: &Value) -> String {
    match value {
        Value::Text(text) if kind == Kind::Attributes && text == "{}" => String::new(),
        Value::Text(text) => visible(text).into_owned(),
        Value::Null | Value::Int(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::model::lead::LEAD;

    #[test]
    fn memory_does_not_grow_with_a_list_but_for_a_table() {
        let record = Record {
            noun: &LEAD,
            values: vec![Value::Null; LEAD.fields.len()],
        };
        for (format, kept) in [
            (Format::Json, 0),
            (Format::Ndjson, 0),
            (Format::Csv, 0),
            (Format::Id, 0),
            (Format::Table, 1000),
        ] {
            let look = Look {
                format,
                ..Look::default()
            };
            let mut printer = Printer::records(io::sink(), look, &LEAD, None, Extent::Many);
            for _ in 0..1000 {
                printer.record(&record).unwrap();
            }
            assert_eq!(printer.rows.len(), kept, "{format:?}");
            assert!(printer.buffer.capacity() < 4096, "{format:?}");
        }
    }
}
