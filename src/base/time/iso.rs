//! The forms of a time that every part of crm reads.

use std::ops;

use jiff::SignedDuration;
use jiff::civil::{Date, Time};

use super::form::{has_form, shaped};
use super::span::{ParsedTime, Range};
use super::zone::{Zone, offset_minutes};

/// Reads `YYYY-MM-DD`, then nothing, or `T` or a space and `HH:MM[:SS[.fraction]]`, then nothing, `Z` or `±HH:MM`, then
/// nothing or a zone in brackets (RFC 9557). What has neither an offset nor a zone is read in `zone`.
pub(super) fn read(text: &str, zone: &Zone) -> Option<ParsedTime> {
    let text = text.trim();
    match text.strip_suffix(']') {
        Some(text) => {
            let (text, name) = text.split_once('[')?;
            let zone = Zone::named(name.strip_prefix('!').unwrap_or(name)).ok()?;
            plain(text, &zone, true)
        }
        None => plain(text, zone, false),
    }
}

/// Reads a time without brackets. If `agree` is true, its offset must be one that the zone has then.
fn plain(text: &str, zone: &Zone, agree: bool) -> Option<ParsedTime> {
    let date = text.get(..10)?;
    if !shaped(date, b"dddd-dd-dd") {
        return None;
    }
    let date = date.parse::<Date>().ok().filter(|date| date.year() >= 1)?;
    let rest = &text[10..];
    if rest.is_empty() {
        return day(date, zone);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, offset) = split_offset(rest)?;
    let time = clock_time(clock, rest.contains('.'))?;
    let local = date.to_datetime(time);
    let at = match offset {
        None => zone.to_utc(local)?,
        Some(Offset::Utc) => local,
        Some(Offset::Minutes(minutes)) => {
            let distance = SignedDuration::from_secs(i64::from(minutes) * 60);
            let at = local.checked_sub(distance).ok()?;
            if agree && zone.offset(at).seconds() != minutes * 60 {
                return None;
            }
            at
        }
    };
    ParsedTime::moment(at)
}

/// The day of a date in a zone.
pub(super) fn day(date: Date, zone: &Zone) -> Option<ParsedTime> {
    let (start, _) = zone.midnight(date).filter(|(at, _)| has_form(*at))?;
    let end = date
        .tomorrow()
        .ok()
        .and_then(|next| Some(zone.midnight(next)?.1));
    Some(ParsedTime::Period(start, end.filter(|at| has_form(*at))))
}

/// Reads what a filter compares with: a time, or an interval `START/END`, to which its end does not belong. Without an end
/// it has no bound.
pub(super) fn range(text: &str, zone: &Zone) -> Option<Range> {
    let mut depth = 0;
    let slash = text.find(|c| {
        depth += match c {
            '[' => 1,
            ']' => -1,
            _ => 0,
        };
        c == '/' && depth == 0
    });
    let Some(slash) = slash else {
        return Some(read(text, zone)?.range());
    };
    let bound = |text: &str| Some(read(text, zone)?.start());
    let (start, end) = (&text[..slash], &text[slash + 1..]);
    let start = bound(start)?;
    let end = match end.trim() {
        "" => None,
        end => Some(bound(end).filter(|end| *end >= start)?),
    };
    Some(ParsedTime::Period(start, end).range())
}

/// The offset of a time from UTC.
enum Offset {
    /// `Z`. With a zone in brackets it only says that the time is in UTC.
    Utc,
    Minutes(i32),
}

/// The time of day and its offset from UTC.
fn split_offset(text: &str) -> Option<(&str, Option<Offset>)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, Some(Offset::Utc)));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, None));
    };
    let (clock, offset) = text.split_at(at);
    Some((clock, Some(Offset::Minutes(offset_minutes(offset)?))))
}

/// Reads `HH:MM[:SS[.fraction]]`.
fn clock_time(clock: &str, has_fraction: bool) -> Option<Time> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    if has_fraction && (fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let with_seconds = shaped(clock, b"dd:dd:dd");
    let with_minutes = fraction.is_empty() && shaped(clock, b"dd:dd");
    if !with_seconds && !with_minutes {
        return None;
    }
    let number = |range: ops::Range<usize>| clock[range].parse::<i8>().ok();
    // 60 is a leap second (RFC 3339, section 5.7). It has no stored form, so the second before it is stored.
    let second = match with_seconds {
        true => number(6..8)?,
        false => 0,
    };
    if second > 60 {
        return None;
    }
    let nanosecond = i32::from(fraction.bytes().any(|b| b != b'0'));
    Time::new(number(0..2)?, number(3..5)?, second.min(59), nanosecond).ok()
}
