//! Times: one stored form, and the few forms that are accepted as input.
//!
//! A time is stored and shown as `YYYY-MM-DD HH:MM:SS` in UTC, so that text order is time order on every database. Accepted
//! are that form, RFC 3339 with any offset, and a date alone. A time without an offset is UTC. Fractions of a second are
//! cut off, because the stored form has none. The command line also knows a few words, see [`words`].

use std::time::SystemTime;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{Span, Timestamp, Unit, tz::TimeZone};

/// The accepted forms, for the message that refuses a time.
pub const EXPECTED: &str =
    "expected a time like 2026-01-31 09:30:00, 2026-01-31T09:30:00+02:00 or 2026-01-31";

/// The accepted forms on the command line, for the message that refuses a time.
pub const EXPECTED_WORDS: &str = "expected a time like 2026-01-31 09:30:00 or 2026-01-31, or now, today, tomorrow, fri, +3d, -2h";

/// The stored form of a time.
fn show(at: DateTime) -> String {
    let mut text = String::with_capacity(19);
    let mut part = |number: i16, before: &str| {
        text.push_str(before);
        for digit in [number / 10, number % 10] {
            text.push(char::from(b'0' + digit.rem_euclid(10) as u8));
        }
    };
    // Digit by digit: every write needs this, and a format string takes ten times as long.
    part(at.year() / 100, "");
    part(at.year() % 100, "");
    part(at.month().into(), "-");
    part(at.day().into(), "-");
    part(at.hour().into(), " ");
    part(at.minute().into(), ":");
    part(at.second().into(), ":");
    text
}

/// The current time in its stored form.
pub fn now() -> String {
    show(moment())
}

fn moment() -> DateTime {
    at_most(SystemTime::now())
}

/// This time, or the nearest one that can be written as a date: a system clock may show any time.
fn at_most(moment: SystemTime) -> DateTime {
    let beyond = match moment > SystemTime::UNIX_EPOCH {
        true => Timestamp::MAX,
        false => Timestamp::UNIX_EPOCH,
    };
    TimeZone::UTC.to_datetime(Timestamp::try_from(moment).unwrap_or(beyond))
}

/// A time in its stored form, or the nearest one that has such a form.
pub fn nearest(at: SystemTime) -> String {
    show(at_most(at))
}

/// The form of a time in a file name: RFC 3339 without its separators. The order of such names is the order of the times.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// The current time for a file name: `20260102T030405Z`.
pub fn stamp() -> String {
    moment().strftime(STAMP).to_string()
}

/// The time of a [`stamp`], `None` if the text is not a stamp.
pub fn read_stamp(text: &str) -> Option<SystemTime> {
    if !shaped(text, b"ddddddddTddddddZ") {
        return None;
    }
    let at = DateTime::strptime(STAMP, text).ok()?;
    Some(TimeZone::UTC.to_timestamp(at).ok()?.into())
}

/// Reads the time of an HTTP header (RFC 9110, section 5.6.7): `Wed, 21 Oct 2026 07:28:00 GMT`.
pub fn read_http(text: &str) -> Option<SystemTime> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(at.timestamp().into())
}

/// A time in its stored form.
pub fn stored(at: SystemTime) -> Option<String> {
    let at = Timestamp::try_from(at).ok()?;
    Some(show(TimeZone::UTC.to_datetime(at)))
}

/// A time that was read: a point in time with its fraction, or a whole day.
enum ParsedTime {
    Moment(DateTime),
    Day(Date),
}

/// The span that a time stands for in a filter. A date is its whole day. A time with a fraction is an empty span, because
/// no stored time equals it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first second of the span.
    pub start: String,
    /// The first second after the span. Equal to `start` if the span is empty.
    pub end: String,
}

/// The text in its stored form, `None` if it is not a time.
pub fn parse(text: &str) -> Option<String> {
    Some(show(match read(text)? {
        ParsedTime::Moment(at) => at,
        ParsedTime::Day(day) => day.to_datetime(Time::midnight()),
    }))
}

/// The span that a filter's time stands for, `None` if the text is not a time.
pub fn range(text: &str) -> Option<Range> {
    // In text order, only this comes after the last second of the year 9999.
    let next = |at: DateTime, by: Span| {
        at.checked_add(by)
            .map_or("9999-12-31 23:59:60".into(), show)
    };
    Some(match read(text)? {
        ParsedTime::Day(day) => {
            let start = day.to_datetime(Time::midnight());
            Range {
                start: show(start),
                end: next(start, Span::new().days(1)),
            }
        }
        ParsedTime::Moment(at) => {
            let after = next(at, Span::new().seconds(1));
            Range {
                start: if at.subsec_nanosecond() == 0 {
                    show(at)
                } else {
                    after.clone()
                },
                end: after,
            }
        }
    })
}

/// Reads `YYYY-MM-DD`, then nothing, or `T` or a space and `HH:MM[:SS[.fraction]]`, then nothing, `Z` or `±HH:MM`.
fn read(text: &str) -> Option<ParsedTime> {
    let text = text.trim();
    let date = text.get(..10)?;
    if !shaped(date, b"dddd-dd-dd") {
        return None;
    }
    let date = date.parse::<Date>().ok().filter(|date| date.year() >= 1)?;
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(ParsedTime::Day(date));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, offset) = split_offset(rest)?;
    let (clock, fraction) = clock
        .split_once('.')
        .map_or((clock, ""), |(clock, digits)| (clock, digits));
    if rest.contains('.') && (fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    let with_seconds = shaped(clock, b"dd:dd:dd");
    let with_minutes = fraction.is_empty() && shaped(clock, b"dd:dd");
    if !with_seconds && !with_minutes {
        return None;
    }
    let number = |range: std::ops::Range<usize>| clock[range].parse::<i8>().ok();
    // 60 is a leap second (RFC 3339, section 5.7). It has no stored form, so the second before it is stored.
    let second = if with_seconds {
        number(6..8)?.min(60)
    } else {
        0
    };
    if with_seconds && number(6..8)? > 60 {
        return None;
    }
    let nanosecond = if fraction.bytes().any(|b| b != b'0') {
        1
    } else {
        0
    };
    let time = Time::new(number(0..2)?, number(3..5)?, second.min(59), nanosecond).ok()?;
    let at = date.to_datetime(time).checked_sub(offset).ok()?;
    (1..=9999)
        .contains(&at.year())
        .then_some(ParsedTime::Moment(at))
}

/// The time of day and its offset from UTC.
fn split_offset(text: &str) -> Option<(&str, Span)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, Span::new()));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, Span::new()));
    };
    let (clock, offset) = text.split_at(at);
    if !shaped(&offset[1..], b"dd:dd") {
        return None;
    }
    let hours = offset[1..3]
        .parse::<i64>()
        .ok()
        .filter(|hours| *hours < 24)?;
    let minutes = offset[4..6]
        .parse::<i64>()
        .ok()
        .filter(|minutes| *minutes < 60)?;
    let minutes = hours * 60 + minutes;
    let minutes = if offset.starts_with('-') {
        -minutes
    } else {
        minutes
    };
    Some((clock, Span::new().minutes(minutes)))
}

/// Whether the text has this shape, where `d` is a digit.
fn shaped(text: &str, shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            other => byte == *other,
        })
}

/// Turns a word of the command line into a form that [`parse`] and [`range`] read. The words are `now`, `today`,
/// `tomorrow`, `yesterday`, a weekday (the next one after today), and a distance from now such as `+3d` or `-2h` (`s`, `m`
/// for minutes, `h`, `d`, `w`). `None` if the text is not one of these words. The API does not accept these words: a
/// request must mean the same whenever it arrives.
pub fn words(text: &str) -> Option<String> {
    let now = moment();
    let word = text.trim().to_ascii_lowercase();
    let day = |days: i64| {
        Some(
            now.date()
                .checked_add(Span::new().days(days))
                .ok()?
                .to_string(),
        )
    };
    match word.as_str() {
        "now" => return Some(show(now)),
        "today" => return day(0),
        "tomorrow" => return day(1),
        "yesterday" => return day(-1),
        _ => {}
    }
    let weekdays = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    for (name, weekday) in weekdays {
        if word == name || word == name[..3] {
            return Some(now.date().nth_weekday(1, weekday).ok()?.to_string());
        }
    }
    let sign = match word.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    // Case matters here: to many people an M is a month.
    let word = text.trim();
    let digits = word[1..].trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let unit = match &word[1 + digits.len()..] {
        "s" => Unit::Second,
        "m" | "min" => Unit::Minute,
        "h" => Unit::Hour,
        "d" => Unit::Day,
        "w" => Unit::Week,
        _ => return None,
    };
    let amount = sign * digits.parse::<i64>().ok()?;
    let span = match unit {
        Unit::Second => Span::new().try_seconds(amount),
        Unit::Minute => Span::new().try_minutes(amount),
        Unit::Hour => Span::new().try_hours(amount),
        Unit::Day => Span::new().try_days(amount),
        _ => Span::new().try_weeks(amount),
    };
    let at = now.checked_add(span.ok()?).ok()?;
    (1..=9999).contains(&at.year()).then(|| show(at))
}

#[cfg(test)]
mod tests;
