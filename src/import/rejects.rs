//! The file of rows that were refused: as they were, with the reason, in the format of the imported file.
//!
//! It can be imported again once it is mended. The reason comes first, so that a row with too many cells stays as it was, and an
//! import leaves it out. The file is made when the first row is refused, so an older one is not lost for nothing.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::format::FileFormat;
use super::names::{LINE, REFUSED, REFUSED_IN_CARD};
use super::row::{Columns, Raw, Row};
use crate::base::error::{Error, Result};

/// Writes the rows that are refused.
pub struct Rejects {
    path: PathBuf,
    format: FileFormat,
    out: Option<BufWriter<File>>,
    count: u64,
}

impl Rejects {
    /// A file that is made when it is needed.
    pub fn new(path: &Path, format: FileFormat) -> Rejects {
        Rejects {
            path: path.into(),
            format,
            out: None,
            count: 0,
        }
    }

    /// How many rows it has.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a row.
    pub fn add(&mut self, columns: &Columns, row: &Row, reason: &str) -> Result<()> {
        let failed = |error: io::Error| {
            Error::failed(format!("--rejects: {}: {error}", self.path.display()))
        };
        if self.out.is_none() {
            let mut out = BufWriter::new(File::create(&self.path).map_err(failed)?);
            begin(self.format, columns, &mut out).map_err(failed)?;
            self.out = Some(out);
        }
        self.count += 1;
        match &mut self.out {
            Some(out) => write(self.format, columns, row, reason, out).map_err(failed),
            None => Ok(()),
        }
    }

    /// Writes what is left to the disk.
    pub fn end(&mut self) -> Result<()> {
        let ended = match &mut self.out {
            Some(out) => out.flush().and_then(|()| out.get_ref().sync_all()),
            None => Ok(()),
        };
        ended.map_err(|error| Error::failed(format!("--rejects: {}: {error}", self.path.display())))
    }
}

fn begin(format: FileFormat, columns: &Columns, out: &mut impl Write) -> io::Result<()> {
    let FileFormat::Csv(delimiter) = format else {
        return Ok(());
    };
    // With a mark every spreadsheet opens it as UTF-8.
    out.write_all("\u{feff}".as_bytes())?;
    let names = columns.names().iter().map(String::as_str);
    let names = names.filter(|name| *name != REFUSED);
    line(delimiter, [REFUSED].into_iter().chain(names), out)
}

fn write(
    format: FileFormat,
    columns: &Columns,
    row: &Row,
    reason: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    match (&row.raw, format) {
        (Raw::Cells(cells), FileFormat::Csv(delimiter)) => {
            let old = columns.find(REFUSED);
            let width = columns.names().len().max(cells.len());
            // A row that is too short gets the cells that it does not have.
            let places = (0..width).filter(|at| Some(*at) != old);
            let cells = places.map(|at| cells.get(at).unwrap_or_default());
            line(delimiter, [reason].into_iter().chain(cells), out)
        }
        (Raw::Text(text), FileFormat::Vcard) => {
            let reason = reason
                .replace(['\r', '\n'], " ")
                .replace('\\', "\\\\")
                .replace([';', ','], " ");
            for old in text.split_inclusive('\n') {
                if old.to_ascii_uppercase().starts_with(REFUSED_IN_CARD) {
                    continue;
                }
                out.write_all(old.as_bytes())?;
                if old.trim().eq_ignore_ascii_case("BEGIN:VCARD") {
                    write!(out, "{REFUSED_IN_CARD}:{reason}\r\n")?;
                }
            }
            if !text.ends_with('\n') {
                out.write_all(b"\r\n")?;
            }
            Ok(())
        }
        (Raw::Text(text), _) => {
            let reason = serde_json::Value::from(reason);
            let inner = text
                .trim()
                .strip_prefix('{')
                .and_then(|inner| inner.strip_suffix('}'));
            let is_json = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
            match (inner, is_json) {
                (Some(inner), Ok(members)) if !members.contains_key(REFUSED) => {
                    let inner = inner.trim().replace(['\r', '\n'], " ");
                    let comma = if inner.is_empty() { "" } else { ", " };
                    writeln!(out, "{{\"{REFUSED}\": {reason}{comma}{inner}}}")
                }
                (_, Ok(mut members)) => {
                    members.insert(REFUSED.into(), reason);
                    writeln!(out, "{}", serde_json::Value::Object(members))
                }
                (_, Err(_)) => {
                    let line = serde_json::Value::from(text.as_str());
                    writeln!(out, "{{\"{REFUSED}\": {reason}, \"{LINE}\": {line}}}")
                }
            }
        }
        (Raw::Cells(_), _) => Ok(()),
    }
}

fn line<'c>(
    delimiter: u8,
    cells: impl Iterator<Item = &'c str>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut writer = ::csv::WriterBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_writer(Vec::new());
    writer.write_record(cells)?;
    let bytes = writer
        .into_inner()
        .map_err(|error| io::Error::other(error.to_string()))?;
    out.write_all(&bytes)
}
