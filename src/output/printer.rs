//! Prints records one by one in the chosen format.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};

use crate::base::time::Zone;
use crate::config::Format;
use crate::model::attributes;
use crate::model::keys::Keys;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::shown::{Part, Shown, ShownField};
use crate::model::value::Value;
use crate::output::csv::csv_line;
use crate::output::digest;
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
    /// The zone of the times in a table.
    zone: Zone,
    noun: &'static Noun,
    /// The fields to print. `None` if something else is printed for each record.
    shown: Option<Shown>,
    /// The CSV column of that something else.
    other: &'static str,
    /// Whether changes are shown in a few words instead of their fields.
    digests: bool,
    extent: Extent,
    count: u64,
    /// Whether the line of the last record in an array was ended early, because an error was printed after it.
    line_ended: bool,
    /// The records of `attributes.*`, whose columns are known at the end. Empty if the columns are known.
    pending: Vec<Record>,
    /// The rows of a table of many records. Empty in other formats.
    rows: Vec<Vec<String>>,
    /// Whether each row of a table is a line that is printed at once, as more may follow at any time.
    is_line_by_line: bool,
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
        let digests = fields.is_none() && digest::tells(noun) && look.format == Format::Table;
        let shown = fields.unwrap_or_else(|| match look.format {
            Format::Json | Format::Ndjson => Shown::all(noun),
            Format::Table | Format::Csv | Format::Id => Shown::once(noun),
        });
        let printer = Self::new(out, look, noun, Some(shown), "", extent);
        Printer { digests, ..printer }
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
            zone: Zone::UTC,
            noun,
            shown,
            other,
            digests: false,
            extent,
            count: 0,
            line_ended: false,
            pending: Vec::new(),
            rows: Vec::new(),
            is_line_by_line: false,
            buffer: Vec::new(),
        }
    }

    /// The same printer, with times in this zone in tables. Other formats are for programs and show UTC.
    pub fn in_zone(mut self, zone: &Zone) -> Printer<W> {
        self.zone = zone.clone();
        self
    }

    /// The same printer, for records that come one by one without an end. Each row of a table is a line, whose columns are not
    /// aligned.
    pub fn line_by_line(mut self) -> Printer<W> {
        self.is_line_by_line = true;
        self
    }

    /// Whether the columns are only known when all records are.
    fn waits(&self) -> bool {
        let is_table = matches!(self.look.format, Format::Table | Format::Csv);
        is_table && self.shown.as_ref().is_some_and(Shown::has_every_key)
    }

    /// Prints the records that waited for their columns.
    fn print_pending(&mut self) -> Result {
        if !self.waits() {
            return Ok(());
        }
        let mut keys = Keys::new(self.noun);
        for record in &self.pending {
            keys.add(record)?;
        }
        self.shown = self.shown.take().map(|shown| shown.with_keys(keys.all()));
        for record in std::mem::take(&mut self.pending) {
            self.record(&record)?;
        }
        Ok(())
    }

    /// Prints a record. With `attributes.*` in a table or in CSV, it is kept until [`Printer::end`]. A long list names its
    /// keys first, see [`Shown::with_keys`].
    pub fn record(&mut self, record: &Record) -> Result {
        if self.waits() {
            self.pending.push(record.clone());
            return Ok(());
        }
        self.before()?;
        if self.digests {
            let cells = digest::cells(record, &self.zone, self.look.terminal.width);
            self.row(cells.into_iter());
            return self.after();
        }
        let once = Shown::once(self.noun);
        let shown = self.shown.as_ref().unwrap_or(&once);
        let own = own_fields(shown, record);
        let value = |column: &ShownField| -> Cow<'_, str> {
            match (&column.part, &record.values[column.at]) {
                (Part::Key(key), _) => own.get(&**key).map_or("".into(), |text| text.clone()),
                (_, Value::Text(text)) => text.as_str().into(),
                (_, value) => value.to_string().into(),
            }
        };
        match self.look.format {
            Format::Json | Format::Ndjson => record.write_json(shown, &mut self.buffer),
            Format::Csv => {
                let cells = shown.columns().iter().map(value);
                csv_line(cells.map(Text), &mut self.buffer);
            }
            Format::Id => self.buffer.extend(record.id().to_string().bytes()),
            Format::Table => {
                let cells = shown.columns().iter().map(|column| {
                    let is_whole = column.part == Part::Whole;
                    let kind = self.noun.fields[column.at].kind;
                    match value(column) {
                        text if is_whole && kind == Kind::Attributes && text == "{}" => {
                            String::new()
                        }
                        text if is_whole && kind.tense().is_some() => {
                            visible(&self.zone.show(&text)).into_owned()
                        }
                        text => visible(&text).into_owned(),
                    }
                });
                match self.extent {
                    Extent::One => {
                        let names = shown.columns().iter().map(|column| visible(&column.name));
                        let names: Vec<Cow<'_, str>> = names.collect();
                        let cells = names.iter().map(|name| &**name).zip(cells);
                        upright(cells.collect(), self.look.terminal, &mut self.buffer);
                    }
                    Extent::Many => {
                        let cells: Vec<String> = cells.collect();
                        self.row(cells.into_iter());
                    }
                }
            }
        }
        self.after()
    }

    /// Keeps a row of a table. A column is never wider than the terminal, so the rest is not kept.
    fn row(&mut self, cells: impl Iterator<Item = String>) {
        self.rows.push(match self.look.terminal.width {
            Some(width) => cells.map(|cell| cut(cell, width)).collect(),
            None => cells.collect(),
        });
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
        self.print_pending()?;
        let many = self.extent == Extent::Many;
        match self.look.format {
            Format::Json if many && self.count == 0 => self.out.write_all(b"[]\n")?,
            Format::Json if many && self.line_ended => self.out.write_all(b"]\n")?,
            Format::Json if many => self.out.write_all(b"\n]\n")?,
            Format::Csv if many => self.header()?,
            Format::Table if !self.rows.is_empty() => {
                let rows = std::mem::take(&mut self.rows);
                let mut columns: Vec<TableColumn> = match self.digests {
                    true => digest::columns(self.noun).collect(),
                    false => self.columns().collect(),
                };
                for column in &mut columns {
                    column.name = visible(&column.name).into_owned().into();
                }
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
        let shown = self.shown.iter().flat_map(|shown| shown.columns());
        shown.map(move |field| {
            let kind = self.noun.fields[field.at].kind;
            TableColumn {
                name: field.name.clone(),
                right: kind.is_number(),
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
        let mut names: Vec<Cow<'_, str>> = self.columns().map(|column| column.name).collect();
        if self.shown.is_none() {
            names = vec![self.noun.key().name.into(), self.other.into()];
        }
        let mut line = Vec::new();
        csv_line(names.iter().map(|name| &**name), &mut line);
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
        if self.is_line_by_line {
            for row in self.rows.drain(..) {
                let line = row.join("  ");
                let line = match self.look.terminal.width {
                    Some(width) => cut(line, width),
                    None => line,
                };
                self.buffer.extend_from_slice(line.trim_end().as_bytes());
                self.buffer.push(b'\n');
            }
        }
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

/// A cell of CSV.
struct Text<'a>(Cow<'a, str>);

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The own fields of a record by their keys. Empty if none of them has a column.
fn own_fields<'r>(shown: &Shown, record: &'r Record) -> HashMap<Cow<'r, str>, Cow<'r, str>> {
    let column = |column: &&ShownField| matches!(column.part, Part::Key(_));
    let own = shown.columns().iter().find(column);
    let stored = own.and_then(|own| record.values[own.at].text());
    stored.map(attributes::texts).unwrap_or_default()
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
