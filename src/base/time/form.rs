//! The stored form of a time, the form in file names, and the form in HTTP headers.

use std::time::{Duration, SystemTime};

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};

/// The stored form of a time. The time is in UTC.
pub(super) fn show(at: DateTime) -> String {
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

/// Whether a time has a stored form: its year in UTC has four digits.
pub(super) fn has_form(at: DateTime) -> bool {
    (1..=9999).contains(&at.year())
}

/// The current time in its stored form.
pub fn now() -> String {
    show(moment())
}

/// The current time in UTC.
pub(super) fn moment() -> DateTime {
    at_most(SystemTime::now())
}

/// This time, or the nearest one that can be written as a date: a system clock may show any time.
pub(super) fn at_most(moment: SystemTime) -> DateTime {
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

/// A time for an HTTP header. `None` if it has no such form.
pub fn http(at: SystemTime) -> Option<String> {
    let at = Timestamp::try_from(at).ok()?;
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    printer.timestamp_to_rfc9110_string(&at).ok()
}

/// The time of a text in the stored form, `None` if it is something else.
pub fn read_stored(text: &str) -> Option<SystemTime> {
    if !shaped(text, b"dddd-dd-dd dd:dd:dd") {
        return None;
    }
    let at = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    Some(TimeZone::UTC.to_timestamp(at).ok()?.into())
}

/// Reads `Retry-After` (RFC 9110, section 10.2.3): seconds, or a point in time. `None` for any other text.
pub fn read_delay(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = read_http(text)?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

/// A time in its stored form.
pub fn stored(at: SystemTime) -> Option<String> {
    let at = Timestamp::try_from(at).ok()?;
    Some(show(TimeZone::UTC.to_datetime(at)))
}

/// Whether the text has this shape, where `d` is a digit.
pub(super) fn shaped(text: &str, shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            other => byte == *other,
        })
}
