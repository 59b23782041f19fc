//! Errors as a line for standard error.

use crate::base::error::Error;
use crate::config::Format;
use crate::output::text::visible;

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
