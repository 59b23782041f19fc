//! A row of a file, and the columns of the file.
//!
//! All formats have the same rows: cells with a column and a value. A CSV names its columns at its beginning; a JSON object or
//! a vCard may bring new ones at any time.

use std::collections::HashMap;

/// The names of columns, in the order in which they were first seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    names: Vec<String>,
    by_name: HashMap<String, usize>,
}

impl Columns {
    /// The most columns. More are no table, and would take any memory.
    pub const MOST: usize = 10_000;

    /// The position of a column. A new one is added. `None` if there are too many.
    pub fn position(&mut self, name: &str) -> Option<usize> {
        if let Some(at) = self.by_name.get(name) {
            return Some(*at);
        }
        let at = self.names.len();
        if at == Columns::MOST {
            return None;
        }
        self.names.push(name.into());
        self.by_name.insert(name.into(), at);
        Some(at)
    }

    /// The position of a column that was seen.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// All names.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// The value of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CellValue {
    /// A text. Never empty.
    Text(String),
    /// JSON that is neither a text nor null, as it was written.
    Json(String),
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// Its cells that are not empty: the position of the column, and the value.
    pub cells: Vec<(usize, CellValue)>,
    /// Why it cannot be read.
    pub fault: Option<String>,
    /// As it is in the file.
    pub raw: Raw,
}

/// A row as it is in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// The cells of a CSV.
    Cells(::csv::StringRecord),
    /// A JSON object or a vCard.
    Text(String),
}

impl Default for Raw {
    fn default() -> Raw {
        Raw::Text(String::new())
    }
}
