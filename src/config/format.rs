//! The output formats of commands. They are here, below [`crate::output`], because a setting chooses one.

use crate::base::error::quoted;

/// How a command prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// One JSON object, or an array.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated values with a header.
    Csv,
    /// Only the id.
    Id,
}

impl Format {
    /// The names of the formats, as the flag, the environment variable and the config file take them.
    pub const WORDS: [(&str, Format); 5] = [
        ("table", Format::Table),
        ("json", Format::Json),
        ("ndjson", Format::Ndjson),
        ("csv", Format::Csv),
        ("id", Format::Id),
    ];

    /// Reads a name.
    pub fn parse(word: &str) -> Option<Format> {
        let row = Self::WORDS.iter().find(|row| row.0 == word);
        row.map(|row| row.1)
    }

    /// Reads a name. The error lists the names.
    pub(super) fn read(word: &str) -> Result<Format, String> {
        let known = Self::WORDS.map(|row| row.0).join(", ");
        Format::parse(word).ok_or_else(|| format!("expected {known}, got {}", quoted(word)))
    }

    /// The name.
    pub fn word(self) -> &'static str {
        let row = Self::WORDS.iter().find(|row| row.1 == self);
        row.map_or("table", |row| row.0)
    }
}
