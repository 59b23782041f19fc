//! A file with all that was found about it: encoding, format, program and mapping.

use std::path::Path;

use encoding_rs::Encoding;

use super::draft::{Key, Made, Refusal, make};
use super::encoding;
use super::format::{self, FileFormat};
use super::known::Program;
use super::mapping::{Mapping, Wishes};
use super::row::{Columns, Row};
use super::rows::Rows;
use super::source::Source;
use crate::base::error::{Error, Result, quoted};
use crate::base::time::Zone;
use crate::model::noun::Noun;

/// How many rows are looked at for their columns, where a file has no header.
const LOOKED_AT: usize = 200;

/// What a user says about a file.
#[derive(Debug, Default)]
pub struct Said {
    /// `--encoding`
    pub encoding: Option<&'static Encoding>,
    /// `--delimiter`
    pub delimiter: Option<u8>,
    /// What becomes of the columns.
    pub wishes: Wishes,
}

/// A file that is imported.
pub struct Opened {
    /// The file.
    pub source: Source,
    /// Its format.
    pub format: FileFormat,
    /// The program that wrote it.
    pub program: Program,
    /// What becomes of its columns.
    pub mapping: Mapping,
    /// The columns that were seen at its beginning.
    pub columns: Columns,
}

impl Opened {
    /// Opens a file and looks at it.
    pub fn open(path: &Path, noun: &'static Noun, said: &Said, zone: &Zone) -> Result<Opened> {
        let source = Source::open(path, said.encoding)?;
        let format = format::find(&source.head, said.delimiter).map_err(|mut error| {
            error.message = format!("{}: {}", source.name, error.message);
            error
        })?;
        let mut rows = Rows::open(&source, format)?;
        if !matches!(format, FileFormat::Csv(_)) {
            let mut looked = 0;
            while looked < LOOKED_AT && rows.next_row()?.is_some() {
                looked += 1;
            }
        }
        let columns = rows.columns().clone();
        let card = (format == FileFormat::Vcard).then_some(source.head.as_str());
        let program = Program::find(columns.names(), card);
        let mut mapping = Mapping::new(noun, program, &said.wishes, zone)?;
        mapping.learn(&columns)?;
        if matches!(format, FileFormat::Csv(_))
            && let Some(unknown) = mapping.unknown(&columns).next()
        {
            return Err(Error::invalid(format!(
                "--map: {} has no column {}; it has {}",
                source.name,
                quoted(unknown),
                columns.names().join(", ")
            )));
        }
        Ok(Opened {
            source,
            format,
            program,
            mapping,
            columns,
        })
    }

    /// What was found, in one line.
    pub fn told(&self) -> String {
        let (name, format) = (&self.source.name, self.format.told());
        let mut told = format!(
            "{name} is {format} in {}",
            encoding::name(self.source.encoding)
        );
        if let Some(program) = self.program.told() {
            told += &format!(", as {program} writes it");
        }
        told
    }

    /// The rows from the beginning.
    pub fn rows(&self) -> Result<Rows> {
        Rows::open(&self.source, self.format)
    }

    /// The record of a row. New columns are decided about as they come.
    pub fn make(&mut self, columns: &Columns, key: &Key, row: &Row) -> Result<Made, Refusal> {
        self.mapping
            .learn(columns)
            .map_err(|error| Refusal::Other(error.message))?;
        make(&self.mapping, columns, key, row)
    }
}
