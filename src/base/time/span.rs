//! What a text that was read stands for: a moment, or a period such as a day.

use jiff::Span;
use jiff::civil::DateTime;

use super::form::{has_form, show};

/// The span that a time stands for in a filter. A date is its whole day. A time with a fraction is an empty span, because
/// no stored time equals it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first second of the span.
    pub start: String,
    /// The first second after the span. Equal to `start` if the span is empty.
    pub end: String,
}

/// A time that was read, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParsedTime {
    /// A moment, with its fraction of a second.
    Moment(DateTime),
    /// A period: its first second, and the first one after it. `None` is after the last time that has a stored form.
    Period(DateTime, Option<DateTime>),
}

/// In the order of text, only this comes after the last second of the year 9999.
pub const AFTER_ALL: &str = "9999-12-31 23:59:60";

impl ParsedTime {
    /// A moment, `None` if it has no stored form.
    pub(super) fn moment(at: DateTime) -> Option<ParsedTime> {
        has_form(at).then_some(ParsedTime::Moment(at))
    }

    /// The moment, or the start of the period.
    pub(super) fn start(self) -> DateTime {
        match self {
            ParsedTime::Moment(at) | ParsedTime::Period(at, _) => at,
        }
    }

    /// The stored form: of the moment, or of the start of the period.
    pub(super) fn stored(self) -> String {
        show(self.start())
    }

    /// What it stands for in a filter.
    pub(super) fn range(self) -> Range {
        let end = |end: Option<DateTime>| end.map_or(AFTER_ALL.into(), show);
        match self {
            ParsedTime::Period(start, after) => Range {
                start: show(start),
                end: end(after),
            },
            ParsedTime::Moment(at) => {
                let after = end(at.checked_add(Span::new().seconds(1)).ok());
                Range {
                    start: match at.subsec_nanosecond() {
                        0 => show(at),
                        _ => after.clone(),
                    },
                    end: after,
                }
            }
        }
    }
}

impl Range {
    /// The interval that [`range`](super::range) reads as this span: `2026-01-31 00:00:00Z/2026-02-01 00:00:00Z`. It means
    /// the same in every time zone.
    pub fn interval(&self) -> String {
        let end = match self.end.as_str() {
            AFTER_ALL => String::new(),
            end => format!("{end}Z"),
        };
        format!("{}Z/{end}", self.start)
    }
}
