//! Times: one stored form, and the forms that are accepted as input.
//!
//! A time is stored as `YYYY-MM-DD HH:MM:SS` in UTC, so that text order is time order on every database. Everything accepts
//! that form, RFC 3339 with any offset, and a date alone. A time without an offset is read in a [`Zone`], which is UTC unless
//! the user or the client names another. Fractions of a second are cut off, because the stored form has none. The command
//! line also reads words, and shows times to people in their zone.
//!
//! | file | what it holds |
//! |---|---|
//! | [`ago`] | how long ago a time is |
//! | [`days`] | where the days of a zone begin |
//! | [`form`] | the stored form, and the forms of file names and HTTP headers |
//! | [`zone`] | time zones |
//! | [`span`](mod@span) | moments and periods, and the spans that they are in a filter |
//! | [`iso`] | the forms that everything reads |
//! | [`words`] | the forms of the command line |

mod ago;
mod days;
mod form;
mod iso;
mod span;
mod words;
mod zone;

pub use ago::distance;
pub use days::{day_start, second_after, week_start};
pub use form::{http, nearest, now, read_delay, read_http, read_stamp, read_stored, stamp, stored};
pub use span::{AFTER_ALL, Range};
pub use words::{EXPECTED_WORDS, Tense, point, span};
pub use zone::Zone;

/// The accepted forms in a filter, for the message that refuses a time.
pub const EXPECTED_IN_FILTER: &str = "expected a time like 2026-01-31 09:30:00, 2026-01-31T09:30:00+02:00 or 2026-01-31, or \
                                      one from now like -30d, today or tomorrow 9am";

/// The accepted forms, for the message that refuses a time.
pub const EXPECTED: &str =
    "expected a time like 2026-01-31 09:30:00, 2026-01-31T09:30:00+02:00 or 2026-01-31";

/// The text in its stored form, `None` if it is not a time. Without an offset it is UTC.
pub fn parse(text: &str) -> Option<String> {
    parse_in(text, &Zone::UTC)
}

/// The text in its stored form, `None` if it is not a time. Without an offset it is in this zone.
pub fn parse_in(text: &str, zone: &Zone) -> Option<String> {
    Some(iso::read(text, zone)?.stored())
}

/// The time so many days after a stored time, at the same time of day in the zone. `None` if it has no stored form.
pub fn days_after(stored: &str, days: i64, zone: &Zone) -> Option<String> {
    zone.days_after(stored, days)
}

/// The span that a filter's time stands for, `None` if the text is not a time. Without an offset it is UTC.
pub fn range(text: &str) -> Option<Range> {
    range_in(text, &Zone::UTC)
}

/// The span that a filter's time stands for, `None` if the text is not a time. Without an offset it is in this zone.
pub fn range_in(text: &str, zone: &Zone) -> Option<Range> {
    iso::range(text, zone)
}

/// A span as the value of a filter, in UTC: a moment where it is one, otherwise an [interval](Range::interval).
pub fn written(span: &Range) -> String {
    let moment = format!("{}Z", span.start);
    match range(&moment).as_ref() == Some(span) {
        true => moment,
        false => span.interval(),
    }
}

#[cfg(test)]
mod tests;
