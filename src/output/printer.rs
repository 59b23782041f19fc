//! Prints records one by one in the chosen format.

use std::io::{self, BufWriter, Write};

use crate::config::Format;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::model::value::Value;
use crate::output::csv::csv_line;
use crate::output::look::{Extent, Look};
use crate::output::stop::Result;
use crate::output::table::{TableColumn, table, upright};
use crate::output::text::{cut, for_terminal, visible};

/// Prints records, their ETags, or that they are deleted.
///
/// Output is buffered, see [`Printer::flush`]. Dropping a printer writes its buffer, but does not close an array.
pub struct Printer<W: Write> {
    out: BufWriter<W>,
    look: Look,
    noun: &'static Noun,
    /// The fields to print. `None` if something else is printed for each record.
    shown: Option<Shown>,
    /// The CSV column of that something else.
    other: &'static str,
    extent: Extent,
    count: u64,
    /// Whether the line of the last record in an array was ended early, because an error was printed after it.
    line_ended: bool,
    /// The rows of a table of many records. Empty in other formats.
    rows: Vec<Vec<String>>,
    /// The text that is written next. It is reused, so that a record needs no allocation.
    buffer: Vec<u8>,
}

impl<W: Write> Printer<W> {
    /// Prints records of a noun. Without `fields` it prints all fields; in JSON also under their old names, as the API does.
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

    /// Prints a message on each of several records of a noun.
    pub fn messages(out: W, look: Look, noun: &'static Noun, extent: Extent) -> Printer<W> {
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
        other: &'static str,
        extent: Extent,
    ) -> Printer<W> {
        Printer {
            out: BufWriter::with_capacity(64 * 1024, out),
            look,
            noun,
            shown,
            other,
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
                    // A column is never wider than the terminal, so the rest is not kept.
                    (Extent::Many, Some(width)) => {
                        self.rows.push(cells.map(|cell| cut(cell, width)).collect());
                    }
                    (Extent::Many, None) => self.rows.push(cells.collect()),
                }
            }
        }
        self.after()
    }

    /// Prints a message on a record, such as `Lead deleted`. A table has the id in it: `Lead 1 deleted`.
    pub fn message(&mut self, id: i64, message: &str) -> Result {
        self.before()?;
        let title = self.noun.title;
        match self.look.format {
            Format::Json | Format::Ndjson => {
                let object = serde_json::json!({"id": id, "message": message});
                write!(self.buffer, "{object}")?;
            }
            Format::Csv => csv_line(
                [id.to_string(), message.to_string()].into_iter(),
                &mut self.buffer,
            ),
            Format::Id => write!(self.buffer, "{id}")?,
            Format::Table => match message.strip_prefix(title) {
                Some(rest) => writeln!(self.buffer, "{title} {id}{}", visible(rest))?,
                None => writeln!(self.buffer, "{title} {id}: {}", visible(message))?,
            },
        }
        self.after()
    }

    /// Prints the ETag of a record. A table and the id format print it bare.
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

    /// Completes the output and returns the number of records. Do not call it for a list that failed in the middle. Do call
    /// it after several ids of which some failed.
    pub fn end(self) -> Result<u64> {
        self.finish().map(|(count, _)| count)
    }

    /// Completes the output like [`Printer::end`], and returns where it went, too.
    pub fn finish(mut self) -> Result<(u64, W)> {
        let many = self.extent == Extent::Many;
        match self.look.format {
            Format::Json if many && self.count == 0 => self.out.write_all(b"[]\n")?,
            Format::Json if many && self.line_ended => self.out.write_all(b"]\n")?,
            Format::Json if many => self.out.write_all(b"\n]\n")?,
            Format::Csv if many => self.header()?,
            Format::Table if !self.rows.is_empty() => {
                let rows = std::mem::take(&mut self.rows);
                let columns: Vec<TableColumn> = self.columns().collect();
                table(&columns, rows, self.look.terminal, &mut self.out)?;
            }
            _ => {}
        }
        self.out.flush()?;
        let out = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok((self.count, out))
    }

    /// Writes the buffer. Call it before an error goes to standard error, so that both appear in order.
    pub fn flush(&mut self) -> Result {
        let in_array = self.look.format == Format::Json && self.extent == Extent::Many;
        if in_array && self.count > 0 && !self.line_ended {
            self.out.write_all(b"\n")?;
            self.line_ended = true;
        }
        Ok(self.out.flush()?)
    }

    fn columns(&self) -> impl Iterator<Item = TableColumn> {
        let chosen = self.shown != Some(Shown::once(self.noun));
        let shown = self.shown.iter().flat_map(|shown| &shown.0);
        shown.map(move |field| {
            let kind = self.noun.fields[field.at].kind;
            TableColumn {
                name: field.name,
                right: kind.is_id(),
                spare: kind == Kind::Stamp && !chosen,
                usual: !chosen,
            }
        })
    }

    /// Writes the header of CSV before the first record.
    fn header(&mut self) -> Result {
        if self.count > 0 {
            return Ok(());
        }
        let mut names: Vec<&str> = self.columns().map(|column| column.name).collect();
        if self.shown.is_none() {
            names = vec!["id", self.other];
        }
        let mut line = Vec::new();
        csv_line(names.into_iter(), &mut line);
        for_terminal(self.look.format, self.look.terminal, &mut line);
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
            // The comma before the next record, or the end of the array, ends the line.
            (Format::Json, Extent::Many) | (Format::Table | Format::Csv, _) => {}
            _ => self.buffer.push(b'\n'),
        }
        for_terminal(self.look.format, self.look.terminal, &mut self.buffer);
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Writes a value for a table.
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
