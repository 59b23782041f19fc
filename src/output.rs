//! What commands print: the only module that writes records, as a table, JSON, NDJSON, CSV or ids.
//!
//! All but the table are written record by record, so that memory does not grow with a list. A list that fails midway is
//! simply never ended: its JSON array stays open and nobody takes a part for the whole.
//!
//! On a terminal a table of many records fits the width. The widest columns are cut first; where that would leave less
//! than [`NARROWEST`] columns of text, the last columns are left out and named beneath. One record stands upright, its
//! fields one below the other, long values wrapped and never cut. Without a terminal nothing is cut, wrapped or left out.
//! Characters that would steer the terminal or reorder a line are shown escaped, in tables and errors alone: JSON has its
//! own escapes, and CSV is for programs.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ffi::OsString;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

use tabled::builder::Builder;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::{Alignment, Color, Modify, Padding, Style};
use unicode_width::UnicodeWidthStr;

use crate::base::error::Error;
pub use crate::config::Format;
use crate::config::Row;
use crate::model::record::{Kind, Noun, Record, Shown, Value};
use crate::model::token::Token;

/// How narrow a column of a table may get, in terminal columns: the date of a time still stands whole before its `…`.
pub const NARROWEST: usize = 11;

/// What is taken for the width of a terminal that does not tell it, in terminal columns.
const USUAL_WIDTH: usize = 80;

/// Blanks between two columns.
const GAP: usize = 2;

/// What is printed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Its width in columns; `None` is no terminal.
    pub width: Option<usize>,
    /// Whether color and bold are wanted.
    pub color: bool,
}

impl Terminal {
    /// What standard output is.
    pub fn stdout() -> Terminal {
        let stream = io::stdout();
        let size = terminal_size::terminal_size_of(&stream);
        Self::of(stream.is_terminal(), size, &|name| std::env::var_os(name))
    }

    /// What standard error is.
    pub fn stderr() -> Terminal {
        let stream = io::stderr();
        let size = terminal_size::terminal_size_of(&stream);
        Self::of(stream.is_terminal(), size, &|name| std::env::var_os(name))
    }

    /// Color is off where `NO_COLOR` holds anything (<https://no-color.org>) and on a terminal that calls itself dumb.
    fn of(
        is_terminal: bool,
        size: Option<(terminal_size::Width, terminal_size::Height)>,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Terminal {
        let unwanted = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = environment("TERM").is_some_and(|value| value == "dumb");
        let width = size.map_or(USUAL_WIDTH, |size| size.0.0.into());
        Terminal {
            width: is_terminal.then_some(width),
            color: is_terminal && !unwanted && !dumb,
        }
    }
}

/// How something is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The format.
    pub format: Format,
    /// Where it goes.
    pub terminal: Terminal,
}

/// Why printing stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The reader has closed the pipe (`crm lead list | head -1`): it has all it wants, so the command ends quietly.
    ClosedPipe,
    /// A failure to report.
    Failed(Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        match error.kind() {
            ErrorKind::BrokenPipe => Stop::ClosedPipe,
            _ => Stop::Failed(Error::failed(format!("standard output: {error}"))),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

/// The result of printing.
pub type Result<T = ()> = std::result::Result<T, Stop>;

/// How many things a command was asked about; JSON is an object for one and an array for more, a table is upright for
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// One.
    One,
    /// A list, however long, or several ids.
    Many,
}

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

/// Prints the rows of `crm config`.
pub fn settings(out: impl Write, look: Look, rows: &[Row]) -> Result {
    let rows = rows.iter().map(|row| {
        [
            Some(row.setting.to_string()),
            row.value.clone(),
            Some(row.source.clone()),
        ]
    });
    listed(out, look, ["setting", "value", "source"], rows)
}

/// Prints tokens.
pub fn tokens(out: impl Write, look: Look, tokens: &[Token]) -> Result {
    let names = ["name", "scope", "start", "created_at", "expires_at"];
    let rows = tokens.iter().map(|token| {
        [
            Some(token.name.to_string()),
            Some(token.scope.word().to_string()),
            Some(token.start.clone()),
            Some(token.created_at.clone()),
            token.expires_at.clone(),
        ]
    });
    listed(out, look, names, rows)
}

/// Prints rows of texts under these names; the first is the id.
fn listed<const N: usize>(
    mut out: impl Write,
    look: Look,
    names: [&'static str; N],
    rows: impl Iterator<Item = [Option<String>; N]>,
) -> Result {
    let mut text = Vec::new();
    match look.format {
        Format::Json | Format::Ndjson => {
            let objects = rows.map(|row| {
                let members = names.into_iter().zip(row);
                let members = members.map(|(name, cell)| (name.to_string(), cell.into()));
                serde_json::Value::Object(members.collect()).to_string()
            });
            let objects: Vec<String> = objects.collect();
            match look.format {
                Format::Json if objects.is_empty() => writeln!(text, "[]")?,
                Format::Json => writeln!(text, "[\n{}\n]", objects.join(",\n"))?,
                _ => objects
                    .iter()
                    .try_for_each(|object| writeln!(text, "{object}"))?,
            }
        }
        Format::Csv => {
            csv_line(names.into_iter(), &mut text);
            for row in rows {
                csv_line(row.into_iter().map(Option::unwrap_or_default), &mut text);
            }
        }
        Format::Id => {
            for row in rows {
                writeln!(text, "{}", row[0].as_deref().unwrap_or_default())?;
            }
        }
        Format::Table => {
            let columns = names.map(|name| Column {
                name,
                right: false,
                spare: false,
                usual: false,
            });
            let rows = rows.map(|row| {
                let cells = row.into_iter().map(Option::unwrap_or_default);
                cells.map(|cell| visible(&cell).into_owned()).collect()
            });
            let rows: Vec<Vec<String>> = rows.collect();
            if !rows.is_empty() {
                table(&columns, rows, look.terminal, &mut text)?;
            }
        }
    }
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// Prints one thing that was done, by the names of what there is to say about it: a JSON object in JSON and NDJSON, upright
/// in a table, and the first value alone as the id. A value that is null is left out of a table.
pub fn summary(mut out: impl Write, look: Look, said: &[(&str, serde_json::Value)]) -> Result {
    let plain = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    let mut text = Vec::new();
    match look.format {
        Format::Json | Format::Ndjson => {
            let object = said
                .iter()
                .map(|(name, value)| ((*name).into(), value.clone()));
            let object: serde_json::Map<String, serde_json::Value> = object.collect();
            writeln!(text, "{}", serde_json::Value::Object(object))?;
        }
        Format::Csv => {
            csv_line(said.iter().map(|(name, _)| name), &mut text);
            csv_line(said.iter().map(|(_, value)| plain(value)), &mut text);
        }
        Format::Id => {
            let first = said.first().map(|(_, value)| plain(value));
            writeln!(text, "{}", first.unwrap_or_default())?;
        }
        Format::Table => {
            let told = said.iter().filter(|(_, value)| !value.is_null());
            let cells = told.map(|(name, value)| (*name, visible(&plain(value)).into_owned()));
            upright(cells.collect(), look.terminal, &mut text);
        }
    }
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// Prints what a check found, by kind and text; `ok` where that is nothing.
pub fn findings(mut out: impl Write, look: Look, found: &[(&str, &str)]) -> Result {
    let mut text = Vec::new();
    match look.format {
        Format::Json | Format::Ndjson => {
            let found = found
                .iter()
                .map(|(kind, what)| serde_json::json!({"kind": kind, "what": what}));
            let found: Vec<serde_json::Value> = found.collect();
            let object = serde_json::json!({"ok": found.is_empty(), "findings": found});
            writeln!(text, "{object}")?;
        }
        Format::Csv => {
            csv_line(["kind", "what"].into_iter(), &mut text);
            for (kind, what) in found {
                csv_line([kind, what].into_iter(), &mut text);
            }
        }
        Format::Table | Format::Id if found.is_empty() => writeln!(text, "ok")?,
        Format::Table | Format::Id => {
            for (kind, what) in found {
                writeln!(text, "{kind}: {}", visible(what))?;
            }
        }
    }
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// A bar on standard error that shows how far a long piece of work is; there where that is a terminal, and gone when it is
/// dropped.
pub struct Bar {
    wanted: bool,
    style: &'static str,
    /// From the first time on that there is something to show.
    bar: OnceCell<indicatif::ProgressBar>,
}

impl Bar {
    /// A bar, or where none is wanted something that shows nothing.
    pub fn new(wanted: bool) -> Bar {
        Bar::styled(
            wanted,
            "{msg} [{bar:30}] {bytes} of {total_bytes}, {eta} left",
        )
    }

    /// The same for records, which are counted.
    pub fn counting(wanted: bool) -> Bar {
        Bar::styled(
            wanted,
            "{msg} [{bar:30}] {human_pos} of {human_len}, {eta} left",
        )
    }

    fn styled(wanted: bool, style: &'static str) -> Bar {
        Bar {
            wanted: wanted && io::stderr().is_terminal(),
            style,
            bar: OnceCell::new(),
        }
    }

    fn make(&self, of: u64) -> indicatif::ProgressBar {
        let bar = match self.wanted {
            true => indicatif::ProgressBar::new(of),
            false => indicatif::ProgressBar::hidden(),
        };
        // It is a style: nothing it says depends on what is shown.
        if let Ok(style) = indicatif::ProgressStyle::with_template(self.style) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    }

    /// So much of so much is done. Of nothing there is nothing to show: it would be a full bar.
    pub fn show(&self, doing: &'static str, done: u64, of: u64) {
        if of == 0 {
            return;
        }
        let bar = self.bar.get_or_init(|| self.make(of));
        // Shown all at once, or words and numbers would be of different work for a moment.
        bar.clone().with_message(doing).update(|state| {
            state.set_len(of);
            state.set_pos(done);
        });
    }

    /// Something goes on that cannot be measured.
    pub fn say(&self, doing: &'static str) {
        if let Some(bar) = self.bar.get() {
            bar.set_message(doing);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

/// Prints how many records there are: `{"count":3}` in JSON and NDJSON, else the number alone.
pub fn count(mut out: impl Write, format: Format, count: u64) -> Result {
    match format {
        Format::Json | Format::Ndjson => writeln!(out, r#"{{"count":{count}}}"#)?,
        Format::Table | Format::Csv | Format::Id => writeln!(out, "{count}")?,
    }
    Ok(out.flush()?)
}

/// An error as one line for standard error, without its line end: JSON as the API writes it where records are JSON too,
/// else `error: …`.
pub fn error(format: Format, color: bool, error: &Error) -> String {
    match format {
        Format::Json | Format::Ndjson => error.to_json(),
        Format::Table | Format::Csv | Format::Id => {
            let (on, off) = match color {
                true => ("\u{1b}[1;31m", "\u{1b}[0m"),
                false => ("", ""),
            };
            format!("{on}error:{off} {}", visible(&error.message))
        }
    }
}

/// Appends a line of CSV, with a line feed alone at its end.
fn csv_line(cells: impl Iterator<Item = impl AsRef<[u8]>>, out: &mut Vec<u8>) {
    // Records have few fields: the buffer is for the short ones, long ones pass through.
    let mut writer = csv::WriterBuilder::new()
        .buffer_capacity(512)
        .from_writer(out);
    // Writing to memory does not fail, and a single record has no other to differ from.
    let _ = writer
        .write_record(cells)
        .and_then(|()| Ok(writer.flush()?));
}

/// A value in a table.
fn cell(kind: Kind, value: &Value) -> String {
    match value {
        Value::Text(text) if kind == Kind::Attributes && text == "{}" => String::new(),
        Value::Text(text) => visible(text).into_owned(),
        Value::Null | Value::Int(_) => value.to_string(),
    }
}

/// The text with every character escaped that would steer the terminal, break the line or reorder it.
fn visible(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control()
            || matches!(c,
                // The line and paragraph separators, and the marks of the Unicode bidirectional algorithm (UAX 9,
                // section 2): overrides, embeddings, isolates, implicit marks.
                '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
                | '\u{200e}' | '\u{200f}' | '\u{61c}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match steers(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// The longest start of a text that is at most `width` wide, and at least one character of it.
///
/// A start is measured as a whole: the width of a sequence of emoji is not the sum of its parts.
fn start(text: &str, width: usize) -> &str {
    // Plain text is the common case, and as long as it is wide.
    let plain = text.bytes().take_while(|byte| matches!(byte, b' '..=b'~'));
    match plain.take(width + 1).count() {
        plain if plain > width => return &text[..width.max(1)],
        plain if plain == text.len() => return text,
        _ => {}
    }
    // Marks without a width of their own may go on without end. More than this no honest text has.
    let most = width * 16 + 64;
    let mut best = text.chars().next().map_or(0, char::len_utf8);
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let wide = text[..end].width();
        // A joiner may yet make the two emoji around it one.
        if end > most || wide > width + 4 {
            break;
        }
        if wide <= width {
            best = end;
        }
    }
    &text[..best]
}

/// The text, cut with `…` where it is wider than `width`.
fn cut(text: String, width: usize) -> String {
    if text.width() <= width {
        return text;
    }
    match width {
        0 => String::new(),
        1 => "…".into(),
        // A wide character may not fit where one column is left.
        _ => {
            let start = start(&text, width - 1).trim_end_matches([' ', '\u{200d}']);
            match start.width() < width {
                true => format!("{start}…"),
                false => "…".into(),
            }
        }
    }
}

/// The text in lines of at most `width`, broken after a blank where one stands in the second half of a line.
fn wrapped(mut text: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    loop {
        let line = start(text, width);
        if line.len() == text.len() {
            lines.push(line);
            return lines;
        }
        let blank = line.rfind(' ').filter(|at| *at >= line.len() / 2);
        let end = blank.map_or(line.len(), |at| at + 1);
        lines.push(&text[..end]);
        text = &text[end..];
    }
}

struct Column {
    name: &'static str,
    /// Numbers stand at the right.
    right: bool,
    /// Left out before any other is cut, as when it was made or changed is seldom asked.
    spare: bool,
    /// Nobody asked for it by its name: left out before another is cut where it is empty in all rows.
    usual: bool,
}

/// How wide each column gets, in terminal columns; fewer than there were where the last do not fit.
fn fit(natural: &[usize], width: usize) -> Vec<usize> {
    let mut kept = 0;
    let mut used = 0;
    for column in natural {
        let gap = if kept == 0 { 0 } else { GAP };
        used += gap + (*column).min(NARROWEST);
        if used > width && kept > 0 {
            break;
        }
        kept += 1;
    }
    let natural = &natural[..kept];
    let room = width.saturating_sub(GAP * natural.len().saturating_sub(1));
    // The highest cap under which all columns fit together.
    let total = |cap: usize| {
        natural
            .iter()
            .map(|column| (*column).min(cap))
            .sum::<usize>()
    };
    let cap = (1..=room)
        .rev()
        .find(|cap| total(*cap) <= room)
        .unwrap_or(1);
    let mut spare = room.saturating_sub(total(cap));
    let widths = natural.iter().map(|column| {
        // What is left is too little for all that are cut, so the first of them get one more each.
        let more = usize::from(*column > cap && spare > 0);
        spare -= more;
        (*column).min(cap) + more
    });
    widths.collect()
}

/// Writes records one below the other under a header.
fn table(
    columns: &[Column],
    mut rows: Vec<Vec<String>>,
    terminal: Terminal,
    out: &mut impl Write,
) -> Result {
    let mut columns: Vec<&Column> = columns.iter().collect();
    let mut widths: Vec<usize> = columns.iter().map(|column| column.name.width()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut left_out = Vec::new();
    if let Some(width) = terminal.width {
        let whole =
            |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        while whole(&widths) > width {
            let empty = |at: &usize| rows.iter().all(|row| row[*at].is_empty());
            let spare = (0..columns.len()).rev().find(|at| columns[*at].spare);
            let Some(at) = spare.or_else(|| {
                (0..columns.len())
                    .rev()
                    .filter(|at| columns[*at].usual)
                    .find(empty)
            }) else {
                break;
            };
            left_out.insert(0, columns.remove(at));
            widths.remove(at);
            rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
        widths = fit(&widths, width);
    }
    left_out.splice(0..0, columns.split_off(widths.len()));
    for row in &mut rows {
        row.truncate(widths.len());
        for (cell, width) in row.iter_mut().zip(&widths) {
            *cell = cut(std::mem::take(cell), *width);
        }
    }
    let names = columns.iter().zip(&widths);
    let names = names.map(|(column, width)| cut(column.name.into(), *width));
    let mut builder = Builder::with_capacity(rows.len() + 2, widths.len());
    builder.push_record(names);
    builder.push_record(widths.iter().map(|width| "─".repeat(*width)));
    for row in rows {
        builder.push_record(row);
    }
    let mut table = builder.build();
    table.with(Style::empty());
    table.with(Padding::new(0, GAP, 0, 0));
    table.with(Modify::new(Columns::last()).with(Padding::zero()));
    for (at, column) in columns.iter().enumerate() {
        if column.right {
            table.with(Modify::new(Columns::one(at)).with(Alignment::right()));
        }
    }
    if terminal.color {
        table.with(Modify::new(Rows::first()).with(Color::BOLD));
    }
    for line in table.to_string().lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    if let (Some(width), false) = (terminal.width, left_out.is_empty()) {
        let names: Vec<&str> = left_out.iter().map(|column| column.name).collect();
        let note = format!("(no room for {}: see --fields)", names.join(", "));
        for line in wrapped(&note, width) {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

/// Appends one record, its fields one below the other, long values wrapped.
fn upright(cells: Vec<(&str, String)>, terminal: Terminal, out: &mut Vec<u8>) {
    let widest = cells.iter().map(|cell| cell.0.width()).max().unwrap_or(0);
    let widest = terminal.width.map_or(widest, |width| widest.min(width / 2));
    // Two columns, so that a wide character has room.
    let room = terminal
        .width
        .map(|width| width.saturating_sub(widest + GAP).max(2));
    for (name, value) in cells {
        let name = cut(name.into(), widest);
        let lines = match room {
            Some(room) => wrapped(&value, room),
            None => vec![value.as_str()],
        };
        for (at, line) in lines.into_iter().enumerate() {
            let name = if at == 0 { name.as_str() } else { "" };
            let blanks = " ".repeat(widest + GAP - name.width());
            let line = match terminal.color && at == 0 {
                true => format!("\u{1b}[1m{name}\u{1b}[22m{blanks}{line}"),
                false => format!("{name}{blanks}{line}"),
            };
            out.extend_from_slice(line.trim_end().as_bytes());
            out.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::ACTION;
    use crate::model::lead::LEAD;
    use crate::model::process::PROCESS;
    use proptest::prelude::*;

    const PLAIN: Terminal = Terminal {
        width: None,
        color: false,
    };

    fn terminal(width: usize) -> Terminal {
        Terminal {
            width: Some(width),
            color: false,
        }
    }

    fn look(format: Format, terminal: Terminal) -> Look {
        Look { format, terminal }
    }

    fn lead(id: i64, email: &str, name: Option<&str>, attributes: &str) -> Record {
        let time = Value::from("2026-01-31 09:30:00");
        let name = name.map_or(Value::Null, Value::from);
        Record {
            noun: &LEAD,
            values: vec![
                id.into(),
                email.into(),
                name,
                "new".into(),
                attributes.into(),
                time.clone(),
                time,
            ],
        }
    }

    fn ada() -> Record {
        lead(1, "ada@example.com", Some("Ada"), "{}")
    }

    fn text(out: Vec<u8>) -> String {
        String::from_utf8(out).unwrap()
    }

    fn print(look: Look, fields: Option<&str>, extent: Extent, records: &[Record]) -> String {
        let noun = records.first().map_or(&LEAD, |record| record.noun);
        let fields = fields.map(|list| Shown::parse(noun, list).unwrap());
        let mut out = Vec::new();
        let mut printer = Printer::records(&mut out, look, noun, fields, extent);
        for record in records {
            printer.record(record).unwrap();
        }
        assert_eq!(printer.end(), Ok(records.len() as u64));
        text(out)
    }

    fn many(format: Format, fields: Option<&str>, records: &[Record]) -> String {
        print(look(format, PLAIN), fields, Extent::Many, records)
    }

    fn one(format: Format, fields: Option<&str>, record: Record) -> String {
        print(look(format, PLAIN), fields, Extent::One, &[record])
    }

    const ADA: &str = r#"{"id":1,"email":"ada@example.com","name":"Ada","status":"new","attributes":{},"created_at":"2026-01-31 09:30:00","updated_at":"2026-01-31 09:30:00"}"#;

    #[test]
    fn one_record_in_each_format() {
        assert_eq!(one(Format::Json, None, ada()), format!("{ADA}\n"));
        assert_eq!(one(Format::Ndjson, None, ada()), format!("{ADA}\n"));
        assert_eq!(one(Format::Id, None, ada()), "1\n");
        assert_eq!(one(Format::Csv, Some("id,name"), ada()), "id,name\n1,Ada\n");
        assert_eq!(
            one(Format::Table, None, ada()),
            "id          1\n\
             email       ada@example.com\n\
             name        Ada\n\
             status      new\n\
             attributes\n\
             created_at  2026-01-31 09:30:00\n\
             updated_at  2026-01-31 09:30:00\n"
        );
    }

    #[test]
    fn many_records_in_each_format() {
        let records = [
            ada(),
            lead(12, "bo@example.com", None, r#"{"company":"Acme"}"#),
        ];
        let two = |format| many(format, Some("id,email,name,attributes"), &records);
        let json = two(Format::Json);
        assert_eq!(
            json,
            "[\n\
             {\"id\":1,\"email\":\"ada@example.com\",\"name\":\"Ada\",\"attributes\":{}},\n\
             {\"id\":12,\"email\":\"bo@example.com\",\"name\":null,\"attributes\":{\"company\":\"Acme\"}}\n\
             ]\n"
        );
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read[1]["id"], 12);
        assert_eq!(two(Format::Ndjson).lines().count(), 2);
        assert_eq!(two(Format::Id), "1\n12\n");
        assert_eq!(
            two(Format::Csv),
            "id,email,name,attributes\n\
             1,ada@example.com,Ada,{}\n\
             12,bo@example.com,,\"{\"\"company\"\":\"\"Acme\"\"}\"\n"
        );
        assert_eq!(
            two(Format::Table),
            "\
id  email            name  attributes
──  ───────────────  ────  ──────────────────
 1  ada@example.com  Ada
12  bo@example.com         {\"company\":\"Acme\"}
"
        );
    }

    #[test]
    fn an_empty_list_in_each_format() {
        assert_eq!(many(Format::Json, None, &[]), "[]\n");
        assert_eq!(many(Format::Ndjson, None, &[]), "");
        assert_eq!(many(Format::Id, None, &[]), "");
        assert_eq!(many(Format::Table, None, &[]), "");
        assert_eq!(many(Format::Csv, Some("id,email"), &[]), "id,email\n");
    }

    #[test]
    fn old_names_are_in_json_alone_unless_asked_for() {
        let time = Value::from("2026-01-31 09:30:00");
        let action = Record {
            noun: &ACTION,
            values: vec![
                1.into(),
                Value::Null,
                "call".into(),
                "Hello".into(),
                time.clone(),
                "{}".into(),
                time.clone(),
                time,
            ],
        };
        let both = r#""details":"Hello","description":"Hello""#;
        assert!(one(Format::Json, None, action.clone()).contains(both));
        for format in [Format::Csv, Format::Table] {
            assert!(!one(format, None, action.clone()).contains("description"));
        }
        assert_eq!(
            one(Format::Csv, Some("description"), action),
            "description\nHello\n"
        );
    }

    #[test]
    fn deletions_in_each_format() {
        let print = |format, extent, ids: &[i64]| {
            let mut out = Vec::new();
            let look = look(format, PLAIN);
            let mut printer = Printer::deletions(&mut out, look, &LEAD, extent);
            for id in ids {
                printer.deleted(*id).unwrap();
            }
            printer.end().unwrap();
            text(out)
        };
        let object = r#"{"id":1,"message":"Lead deleted"}"#;
        let line = format!("{object}\n");
        assert_eq!(print(Format::Json, Extent::One, &[1]), line);
        assert_eq!(print(Format::Ndjson, Extent::Many, &[1]), line);
        assert_eq!(
            print(Format::Json, Extent::Many, &[1, 2]),
            format!("[\n{object},\n{}\n]\n", object.replace('1', "2"))
        );
        assert_eq!(
            print(Format::Csv, Extent::Many, &[1, 2]),
            "id,message\n1,Lead deleted\n2,Lead deleted\n"
        );
        assert_eq!(print(Format::Csv, Extent::Many, &[]), "id,message\n");
        assert_eq!(print(Format::Id, Extent::Many, &[1, 2]), "1\n2\n");
        let lines = "Lead 1 deleted\nLead 2 deleted\n";
        assert_eq!(print(Format::Table, Extent::Many, &[1, 2]), lines);
    }

    #[test]
    fn a_list_that_fails_midway_leaves_its_array_open() {
        let mut out = Vec::new();
        let look = look(Format::Json, PLAIN);
        let mut printer = Printer::records(&mut out, look, &LEAD, None, Extent::Many);
        printer.record(&ada()).unwrap();
        drop(printer);
        assert_eq!(text(out), format!("[\n{ADA}"));
    }

    #[test]
    fn csv_gives_any_text_back() {
        let name = "a \"b\",\r\nc\u{1b}[31m,\u{202e}";
        let out = many(
            Format::Csv,
            Some("name,id"),
            &[lead(1, "a@b.c", Some(name), "{}")],
        );
        let mut reader = csv::Reader::from_reader(out.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!((&row[0], &row[1]), (name, "1"));
    }

    #[test]
    fn what_steers_the_terminal_is_escaped_in_tables_and_errors() {
        let record = lead(1, "a@b.c", Some("a\nb\tc\u{1b}[31m\u{9b}\u{202e}é👍"), "{}");
        let shown = r"a\nb\tc\u{1b}[31m\u{9b}\u{202e}é👍";
        for extent in [Extent::One, Extent::Many] {
            let out = print(
                look(Format::Table, PLAIN),
                Some("name"),
                extent,
                std::slice::from_ref(&record),
            );
            assert!(out.contains(shown), "{out}");
        }
        let json = one(Format::Json, Some("name"), record);
        assert!(json.contains('\u{202e}'), "{json}");
        let wrong = Error::field("name", "got \u{1b}[2J\n");
        assert_eq!(
            error(Format::Table, false, &wrong),
            r"error: name: got \u{1b}[2J\n"
        );
        assert_eq!(
            error(Format::Csv, true, &Error::invalid("no")),
            "\u{1b}[1;31merror:\u{1b}[0m no"
        );
        assert_eq!(error(Format::Json, true, &wrong), wrong.to_json());
    }

    #[test]
    fn a_table_is_cut_to_the_terminal_the_widest_column_first() {
        let record = lead(
            7,
            "a-rather-long-address@example.com",
            Some("陳大文 and a few words"),
            "{}",
        );
        let narrow = |width, fields| {
            print(
                look(Format::Table, terminal(width)),
                Some(fields),
                Extent::Many,
                std::slice::from_ref(&record),
            )
        };
        assert_eq!(
            narrow(44, "id,status,email,name"),
            "\
id  status  email            name
──  ──────  ───────────────  ───────────────
 7  new     a-rather-long-…  陳大文 and a f…
"
        );
        assert_eq!(
            narrow(28, "id,name,email,created_at"),
            "\
id  name         email
──  ───────────  ───────────
 7  陳大文 and…  a-rather-l…
(no room for created_at:
see --fields)
"
        );
        let wide = narrow(400, "email,created_at");
        assert!(wide.contains("address@example.com  2026-01-31 09:30:00"));
    }

    #[test]
    fn one_record_is_wrapped_and_never_cut() {
        let words = "many words that go on and on, ".repeat(9);
        let record = lead(1, "a@b.c", Some(words.trim()), "{}");
        let look = look(Format::Table, terminal(40));
        let out = print(look, Some("name"), Extent::One, &[record]);
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines.len() > 5 && lines.iter().all(|line| line.width() <= 40));
        let joined: Vec<&str> = lines.iter().map(|line| line[6..].trim()).collect();
        assert_eq!(joined.join(" "), words.trim());
    }

    #[test]
    fn a_cut_goes_between_characters() {
        let cut = |text: &str, width| cut(text.to_string(), width);
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("abcd", 1), "…");
        assert_eq!(cut("2026-01-31 09:30:00", 12), "2026-01-31…");
        assert_eq!(cut("陳大文", 5), "陳大…");
        assert_eq!(cut("陳大文", 4), "陳…");
        assert_eq!(cut("陳大文", 2), "…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        // A family is one emoji of five code points.
        let family = "👩\u{200d}👩\u{200d}👧";
        assert_eq!(cut(&family.repeat(3), 5), format!("{}…", family.repeat(2)));
        assert_eq!(cut("abc👩\u{200d}", 4), "abc…");
    }

    #[test]
    fn text_without_a_width_of_its_own_is_wrapped_whole() {
        let marks = format!("e{}", "\u{301}".repeat(20_000));
        let lines = wrapped(&marks, 20);
        assert!(lines.len() > 100);
        assert_eq!(lines.concat(), marks);
        let joiners = "\u{200d}".repeat(1000);
        assert_eq!(wrapped(&joiners, 20).concat(), joiners);
    }

    #[test]
    fn color_marks_the_names_alone() {
        let colorful = Terminal {
            width: Some(80),
            color: true,
        };
        let look = look(Format::Table, colorful);
        let out = print(look, Some("id,email"), Extent::Many, &[ada()]);
        assert_eq!(out.matches("\u{1b}[1m").count(), 2);
        assert!(out.starts_with("\u{1b}[1mid\u{1b}[22m  \u{1b}[1memail"));
        let out = print(look, Some("id,email"), Extent::One, &[ada()]);
        assert!(out.starts_with("\u{1b}[1mid\u{1b}[22m     1\n"), "{out:?}");
    }

    #[test]
    fn color_is_for_terminals_that_want_it() {
        let size = Some((terminal_size::Width(100), terminal_size::Height(30)));
        let of = |is_terminal, name: &'static str, value: &'static str| {
            Terminal::of(is_terminal, size, &|asked| {
                (asked == name).then(|| value.into())
            })
        };
        let full = Terminal {
            width: Some(100),
            color: true,
        };
        assert_eq!(of(true, "TERM", "xterm"), full);
        assert_eq!(of(true, "NO_COLOR", ""), full);
        assert_eq!(of(true, "NO_COLOR", "0"), terminal(100));
        assert_eq!(of(true, "TERM", "dumb"), terminal(100));
        assert_eq!(of(false, "TERM", "xterm"), PLAIN);
        let untold = Terminal::of(true, None, &|_| None);
        assert_eq!(untold.width, Some(USUAL_WIDTH));
    }

    #[test]
    fn a_closed_pipe_is_no_failure_but_a_full_disk_is() {
        struct Broken(ErrorKind);
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for format in Format::WORDS.map(|row| row.1) {
            let print = |kind| {
                let out = Broken(kind);
                let look = look(format, PLAIN);
                let mut printer = Printer::records(out, look, &LEAD, None, Extent::Many);
                printer.record(&ada())?;
                printer.end()
            };
            assert_eq!(print(ErrorKind::BrokenPipe), Err(Stop::ClosedPipe));
            let Err(Stop::Failed(error)) = print(ErrorKind::StorageFull) else {
                panic!("{format:?} was printed to a full disk");
            };
            assert!(error.message.starts_with("standard output: "), "{error}");
            assert_eq!(error.code.exit(), 1);
        }
        assert_eq!(
            count(Broken(ErrorKind::BrokenPipe), Format::Id, 1),
            Err(Stop::ClosedPipe)
        );
    }

    #[test]
    fn memory_does_not_grow_with_a_list_but_for_a_table() {
        for (format, kept) in [
            (Format::Json, 0),
            (Format::Ndjson, 0),
            (Format::Csv, 0),
            (Format::Id, 0),
            (Format::Table, 1000),
        ] {
            let look = look(format, PLAIN);
            let mut printer = Printer::records(io::sink(), look, &LEAD, None, Extent::Many);
            for _ in 0..1000 {
                printer.record(&ada()).unwrap();
            }
            assert_eq!(printer.rows.len(), kept, "{format:?}");
            assert!(printer.buffer.capacity() < 4096, "{format:?}");
        }
    }

    #[test]
    fn counts_and_settings_in_each_format() {
        let number = |format| {
            let mut out = Vec::new();
            count(&mut out, format, 3).unwrap();
            text(out)
        };
        assert_eq!(number(Format::Json), "{\"count\":3}\n");
        assert_eq!(number(Format::Ndjson), "{\"count\":3}\n");
        assert_eq!(number(Format::Table), "3\n");
        assert_eq!(number(Format::Csv), "3\n");
        assert_eq!(number(Format::Id), "3\n");

        let rows = [
            Row {
                setting: "database",
                value: Some("/data/crm.db".into()),
                source: "flag --db".into(),
            },
            Row {
                setting: "url",
                value: None,
                source: "not used".into(),
            },
        ];
        let print = |format| {
            let mut out = Vec::new();
            settings(&mut out, look(format, PLAIN), &rows).unwrap();
            text(out)
        };
        let database = r#"{"setting":"database","value":"/data/crm.db","source":"flag --db"}"#;
        let url = r#"{"setting":"url","value":null,"source":"not used"}"#;
        assert_eq!(print(Format::Json), format!("[\n{database},\n{url}\n]\n"));
        assert_eq!(print(Format::Ndjson), format!("{database}\n{url}\n"));
        assert_eq!(
            print(Format::Csv),
            "setting,value,source\ndatabase,/data/crm.db,flag --db\nurl,,not used\n"
        );
        assert_eq!(print(Format::Id), "database\nurl\n");
        assert_eq!(
            print(Format::Table),
            "\
setting   value         source
────────  ────────────  ─────────
database  /data/crm.db  flag --db
url                     not used
"
        );
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            width in 20usize..=200,
            names in proptest::collection::vec("[\\PC\u{200d}\u{1f1e9}陳é👩👍🏽\u{301}\u{fe0f}\n ]{0,60}", 1..4),
        ) {
            let records: Vec<Record> = names.iter().map(|name| {
                let time = Value::from("2026-01-31 09:30:00");
                Record { noun: &PROCESS, values: vec![
                    i64::MAX.into(), name.as_str().into(), 1.into(), name.as_str().into(), 7.into(), time.clone(),
                    "active".into(), "{\"a\":1}".into(), time.clone(), time,
                ] }
            }).collect();
            let look = look(Format::Table, terminal(width));
            let out = print(look, None, Extent::Many, &records);
            for line in out.lines() {
                prop_assert!(line.width() <= width, "{} > {width}: {line:?}", line.width());
            }
            prop_assert!(out.lines().count() >= names.len() + 2);
            let out = print(look, None, Extent::One, &records[..1]);
            for line in out.lines() {
                prop_assert!(line.width() <= width, "{} > {width}: {line:?}", line.width());
            }
        }
    }
}
