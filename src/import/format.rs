//! Which kind of file it is, found by looking at the beginning of its text.

use super::known::normal;
use crate::base::error::{Error, Result, quoted};

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Comma-separated values, or another delimiter.
    Csv(u8),
    /// One JSON object a line.
    Ndjson,
    /// JSON objects one after the other, or in an array.
    Json,
    /// vCards.
    Vcard,
}

impl FileFormat {
    /// How it is named to a user.
    pub fn told(self) -> String {
        match self {
            FileFormat::Csv(delimiter) => {
                let name = DELIMITERS.iter().find(|known| known.0 == delimiter);
                match name {
                    Some((_, _, many)) => format!("CSV with {many}"),
                    None => format!("CSV with {}", quoted(&char::from(delimiter).to_string())),
                }
            }
            FileFormat::Ndjson => "NDJSON".into(),
            FileFormat::Json => "JSON".into(),
            FileFormat::Vcard => "vCard".into(),
        }
    }
}

/// The delimiters that are looked for, with their names.
const DELIMITERS: [(u8, &str, &str); 4] = [
    (b',', "comma", "commas"),
    (b';', "semicolon", "semicolons"),
    (b'\t', "tab", "tabs"),
    (b'|', "bar", "bars"),
];

/// Reads the delimiter that a user gives: its name, or one character.
pub fn delimiter(given: &str) -> Result<u8, String> {
    let named = DELIMITERS.iter().find(|known| known.1 == given);
    match (named, given.as_bytes()) {
        (Some((byte, ..)), _) => Ok(*byte),
        (None, b"\\t") => Ok(b'\t'),
        (None, [byte])
            if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(byte) =>
        {
            Ok(*byte)
        }
        _ => Err(format!(
            "expected comma, semicolon, tab, bar or one character, got {}",
            quoted(given)
        )),
    }
}

/// The delimiter of the line `sep=;` that some spreadsheets write before the header, with the length of the line.
pub fn told_delimiter(head: &str) -> Option<(u8, usize)> {
    let line = head.split_inclusive('\n').next()?;
    let told = line.trim_end_matches(['\r', '\n']);
    let told = told.trim_matches('"').strip_prefix("sep=")?;
    match told.as_bytes() {
        [byte] if byte.is_ascii() => Some((*byte, line.len())),
        _ => None,
    }
}

/// Finds the format of a text by its beginning.
pub fn find(head: &str, given: Option<u8>) -> Result<FileFormat> {
    let text = head.trim_start();
    if let Some(delimiter) = given {
        return Ok(FileFormat::Csv(delimiter));
    }
    match text.as_bytes() {
        [] => Err(Error::invalid("expected rows, got an empty file")),
        [b'{', ..] => Ok(match whole_lines(text) {
            true => FileFormat::Ndjson,
            false => FileFormat::Json,
        }),
        [b'[', ..] => Ok(FileFormat::Json),
        _ if starts_card(text) => Ok(FileFormat::Vcard),
        [b'P', b'K', 3, 4, ..] => Err(Error::invalid(
            "expected CSV, JSON or vCard, got what looks like an Excel file; save it as CSV UTF-8",
        )),
        _ if text.starts_with("%PDF") || text.contains('\0') => Err(Error::invalid(
            "expected CSV, JSON or vCard, got something else",
        )),
        _ => Ok(FileFormat::Csv(match told_delimiter(text) {
            Some((delimiter, _)) => delimiter,
            None => guessed(text),
        })),
    }
}

/// Whether the first line is a whole object. A line that is longer than the head, or the only one, is taken for one.
fn whole_lines(text: &str) -> bool {
    let line = text.split_once('\n').map(|(line, _)| line);
    line.is_none_or(|line| serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok())
}

/// Whether a text begins with a vCard.
fn starts_card(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first
        .trim()
        .replace(' ', "")
        .eq_ignore_ascii_case("BEGIN:VCARD")
}

/// The delimiter with which the most rows have as many cells as the header.
fn guessed(head: &str) -> u8 {
    let mut best = (0, b',');
    for (delimiter, ..) in DELIMITERS {
        let mut reader = ::csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(head.as_bytes());
        let rows = reader.records().take(100).filter_map(|row| row.ok());
        let rows: Vec<::csv::StringRecord> = rows.collect();
        let Some(header) = rows.first() else {
            continue;
        };
        if header.len() < 2 {
            continue;
        }
        let known = header
            .iter()
            .filter(|name| !normal(name).is_empty())
            .count();
        let same = rows.iter().filter(|row| row.len() == header.len()).count();
        // The names of columns have no other delimiter in them, so a right one finds more names; the rows decide between
        // those that find as many.
        let score = known * 1000 * same / rows.len();
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_found_by_its_beginning() {
        let csv = |byte: u8| FileFormat::Csv(byte);
        for (text, format) in [
            ("name,email\nAda,a@example.com\n", csv(b',')),
            ("name;email\n\"Ada; Lovelace\";a@example.com\n", csv(b';')),
            ("name\temail\nLovelace, Ada\ta@example.com\n", csv(b'\t')),
            (
                "name;notes;email\nAda;\"a,b,c\nd\";x@example.com\nBob;c,d;y@example.com\n",
                csv(b';'),
            ),
            ("email\na@example.com\n", csv(b',')),
            ("sep=;\nname,x;email\n", csv(b';')),
            (
                "{\"email\": \"a\"}\n{\"email\": \"b\"}\n",
                FileFormat::Ndjson,
            ),
            ("{\"email\": \"a\"}", FileFormat::Ndjson),
            ("{\n  \"email\": \"a\"\n}\n", FileFormat::Json),
            (" [\n{\"email\": \"a\"}]", FileFormat::Json),
            ("BEGIN:VCARD\r\nVERSION:2.1\r\n", FileFormat::Vcard),
            ("\r\nbegin:vcard\nVERSION:3.0\n", FileFormat::Vcard),
        ] {
            assert_eq!(find(text, None).unwrap(), format, "{text}");
        }
        for (text, told) in [
            ("", "an empty file"),
            (" \n", "an empty file"),
            ("PK\u{3}\u{4}x", "Excel"),
        ] {
            assert!(
                find(text, None).unwrap_err().message.contains(told),
                "{text}"
            );
        }
        assert_eq!(find("a|b;c", Some(b';')).unwrap(), csv(b';'));
    }

    #[test]
    fn a_delimiter_is_a_word_or_a_character() {
        assert_eq!(delimiter("semicolon"), Ok(b';'));
        assert_eq!(delimiter(";"), Ok(b';'));
        assert_eq!(delimiter("\\t"), Ok(b'\t'));
        for wrong in ["", "ab", "\"", "x", "ü"] {
            assert!(delimiter(wrong).is_err(), "{wrong}");
        }
    }
}
