//! Errors on standard error.

use crate::base::error::Error;
use crate::config::Format;
use crate::output::text::{visible, visible_json};

/// Writes an error as one line without its line end. In the JSON formats it is the JSON that the API answers, otherwise
/// `error: …`. Characters that would control a terminal are escaped.
pub fn error(format: Format, color: bool, error: &Error) -> String {
    match format {
        Format::Json | Format::Ndjson => visible_json(&error.to_json()).into_owned(),
        Format::Table | Format::Csv | Format::Id => {
            let (on, off) = match color {
                true => ("\u{1b}[1;31m", "\u{1b}[0m"),
                false => ("", ""),
            };
            format!("{on}error:{off} {}", visible(&error.message))
        }
    }
}
