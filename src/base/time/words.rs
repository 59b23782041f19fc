//! The times of the command line and of filters: every form of [`iso`], and what people write, such as `tomorrow 9am`.
//!
//! The words depend on the current time, so the API reads them in filters alone: what is saved must mean the same whenever a
//! request arrives. A command turns them into times in UTC, or into intervals of them, before it sends them to a server.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::fmt::friendly::SpanParser;
use jiff::{Span, Unit};

use super::form::{has_form, moment, shaped};
use super::iso;
use super::span::{ParsedTime, Range};
use super::zone::Zone;
use crate::base::error::quoted;
use crate::base::text::disturbs;

/// The accepted forms on the command line, for the message that refuses a time.
pub const EXPECTED_WORDS: &str = "expected a time like 2026-01-31 09:30, 31.1.2026, 14:30, yesterday 14:30, tomorrow 9am, \
                                  fri, +3d, 2 weeks ago or next week";

/// Whether a time is usually over or still to come. It decides which day the name of a weekday is, and for a point in time
/// also which day a time of day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tense {
    /// Something that has happened: a weekday is the last one before today.
    Past,
    /// Something that is planned: a weekday is the next one after today.
    Future,
}

/// The point in time that a text of the command line stands for, in a form that is UTC everywhere: `2026-01-31 09:30:00Z`.
/// The error says what was expected.
pub fn point(text: &str, zone: &Zone, tense: Tense) -> Result<String, String> {
    let clock = Clock {
        rolls: true,
        ..Clock::now(zone, tense)
    };
    let read = clock.read(text).map(|read| format!("{}Z", read.stored()));
    read.ok_or_else(|| refused(text))
}

/// The span that a text of the command line stands for in a filter. The error says what was expected.
pub fn span(text: &str, zone: &Zone, tense: Tense) -> Result<Range, String> {
    let read = Clock::now(zone, tense).read(text).map(ParsedTime::range);
    let read = read.or_else(|| iso::range(text, zone));
    read.ok_or_else(|| refused(text))
}

/// The current time in a zone, with which words are read.
struct Clock<'a> {
    zone: &'a Zone,
    tense: Tense,
    /// Whether a time of day alone is the last or the next such time. If not, it is that of today.
    rolls: bool,
    /// The current time in UTC, in whole seconds.
    now: DateTime,
}

impl Clock<'_> {
    fn now(zone: &Zone, tense: Tense) -> Clock<'_> {
        let now = moment();
        // A whole second, as all stored times are.
        let now = now.with().subsec_nanosecond(0).build().unwrap_or(now);
        Clock {
            zone,
            tense,
            rolls: false,
            now,
        }
    }

    /// Reads any form.
    fn read(&self, text: &str) -> Option<ParsedTime> {
        iso::read(text, self.zone).or_else(|| self.words(text))
    }

    fn words(&self, text: &str) -> Option<ParsedTime> {
        let lower = text.to_lowercase();
        let words = lower
            .split_whitespace()
            .map(|word| word.trim_end_matches(','));
        let words: Vec<&str> = words.filter(|word| !matches!(*word, "at" | "on")).collect();
        match words[..] {
            [] => return None,
            ["now"] => return ParsedTime::moment(self.now),
            [
                which @ ("last" | "this" | "next"),
                unit @ ("week" | "month" | "year"),
            ] => {
                return self.period(which, unit);
            }
            _ => {}
        }
        // To many people an M is a month.
        let is_unclear = |at: usize| {
            let (before, after) = (&text[..at], &text[at + 1..]);
            before.ends_with(|c: char| c.is_ascii_digit())
                && !after.starts_with(|c: char| c.is_ascii_alphabetic())
        };
        if text.match_indices('M').any(|(at, _)| is_unclear(at)) {
            return None;
        }
        self.distance(&words).or_else(|| self.day_and_clock(&words))
    }

    /// Today in the zone.
    fn today(&self) -> Option<Date> {
        Some(self.zone.to_local(self.now)?.date())
    }

    /// A time of day in the zone.
    fn at(&self, date: Date, time: Time) -> Option<ParsedTime> {
        ParsedTime::moment(self.zone.to_utc(date.to_datetime(time))?)
    }

    /// The last, this or the next week, month or year. A week begins on Monday.
    fn period(&self, which: &str, unit: &str) -> Option<ParsedTime> {
        let today = self.today()?;
        let (start, length) = match unit {
            "week" => {
                let days = today.weekday().to_monday_zero_offset();
                (
                    today.checked_sub(Span::new().days(days)).ok()?,
                    Span::new().weeks(1),
                )
            }
            "month" => (today.first_of_month(), Span::new().months(1)),
            _ => (today.first_of_year(), Span::new().years(1)),
        };
        let start = match which {
            "last" => start.checked_sub(length).ok()?,
            "next" => start.checked_add(length).ok()?,
            _ => start,
        };
        let utc = |date: Date| self.zone.to_utc(date.to_datetime(Time::midnight()));
        let end = start.checked_add(length).ok().and_then(utc);
        let start = utc(start).filter(|at| has_form(*at))?;
        Some(ParsedTime::Period(start, end.filter(|at| has_form(*at))))
    }

    /// Reads a distance from now: `+3d`, `-2h`, `in 3 days`, `2 weeks ago`, and `in 3 days 9am`. Days and longer units keep
    /// the time of day, also where the clock is set forward or back.
    fn distance(&self, words: &[&str]) -> Option<ParsedTime> {
        (1..=words.len()).rev().find_map(|end| {
            let span = signed_span(&words[..end])?;
            let days = Span::new()
                .years(span.get_years())
                .months(span.get_months());
            let days = days.weeks(span.get_weeks()).days(span.get_days());
            let clock = match &words[end..] {
                [] => None,
                words => Some(clock(words)?),
            };
            let local = self.zone.to_local(self.now)?.checked_add(days).ok()?;
            let rest = span.years(0).months(0).weeks(0).days(0);
            match clock {
                Some(time) if rest.is_zero() => self.at(local.date(), time),
                Some(_) => None,
                None => {
                    let at = self.zone.to_utc(local)?.checked_add(rest).ok()?;
                    ParsedTime::moment(at.round(Unit::Second).ok()?)
                }
            }
        })
    }

    /// Reads a day, a time of day, or both in any order.
    fn day_and_clock(&self, words: &[&str]) -> Option<ParsedTime> {
        if let Some(date) = self.day(words) {
            return iso::day(date, self.zone);
        }
        if let Some(time) = clock(words) {
            return self.near(time);
        }
        (1..words.len()).find_map(|middle| {
            let (first, second) = words.split_at(middle);
            let both = self.day(first).zip(clock(second));
            let both = both.or_else(|| self.day(second).zip(clock(first)));
            both.and_then(|(date, time)| self.at(date, time))
        })
    }

    /// A time of day alone.
    fn near(&self, time: Time) -> Option<ParsedTime> {
        let today = self.today()?;
        let local = self.zone.to_local(self.now)?;
        let is_to_come = today.to_datetime(time) > local;
        let days = match self.tense {
            Tense::Past if self.rolls && is_to_come => -1,
            Tense::Future if self.rolls && !is_to_come => 1,
            _ => 0,
        };
        self.at(today.checked_add(Span::new().days(days)).ok()?, time)
    }

    fn day(&self, words: &[&str]) -> Option<Date> {
        let days = |days: i64| self.today()?.checked_add(Span::new().days(days)).ok();
        let weekday = |name: &str, tense: Tense| {
            let nth = match tense {
                Tense::Past => -1,
                Tense::Future => 1,
            };
            self.today()?.nth_weekday(nth, weekday(name)?).ok()
        };
        match words {
            ["today"] => days(0),
            ["tomorrow"] => days(1),
            ["yesterday"] => days(-1),
            ["day", "after", "tomorrow"] => days(2),
            ["day", "before", "yesterday"] => days(-2),
            ["next", name] => weekday(name, Tense::Future),
            ["last", name] => weekday(name, Tense::Past),
            [word] => weekday(word, self.tense).or_else(|| date(word)),
            [day, name, year] if month(name).is_some() => written(year, month(name)?, day),
            [name, day, year] => written(year, month(name)?, day),
            _ => None,
        }
    }
}

/// Reads a distance with a direction.
fn signed_span(words: &[&str]) -> Option<Span> {
    let has_digit_first = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let words = match words {
        ["in", rest @ ..] if has_digit_first(rest.first()?) => rest,
        [first, .., "ago"] if has_digit_first(first) => words,
        [first, ..] if first.starts_with(['+', '-']) && has_digit_first(&first[1..]) => words,
        _ => return None,
    };
    let span = SpanParser::new().parse_span(words.join(" ")).ok()?;
    (words.last() == Some(&"ago") || span.signum() >= 0 || words[0].starts_with('-'))
        .then_some(span)
}

/// Reads a time of day: `14:30`, `9:00`, `14:30:15`, `9am`, `9:30 pm`, `noon`, `midnight`.
fn clock(words: &[&str]) -> Option<Time> {
    let text = words.concat();
    match text.as_str() {
        "noon" => return Some(Time::constant(12, 0, 0, 0)),
        "midnight" => return Some(Time::midnight()),
        _ => {}
    }
    let (digits, half) = match (text.strip_suffix("am"), text.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(0)),
        (_, Some(digits)) => (digits, Some(12)),
        (None, None) => (text.as_str(), None),
    };
    let parts: Vec<&str> = digits.split(':').collect();
    let is_number = |part: &&str| part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit());
    let is_whole = parts[1..].iter().all(|part| part.len() == 2);
    if !parts.iter().all(is_number) || !is_whole || parts.len() > 3 {
        return None;
    }
    let number = |at: usize| match parts.get(at) {
        Some(part) => part.parse::<i8>().ok(),
        None => Some(0),
    };
    let hour = match (number(0)?, half) {
        (hour @ 1..=12, Some(half)) => hour % 12 + half,
        (_, Some(_)) => return None,
        // A bare number could be anything.
        (_, None) if parts.len() == 1 => return None,
        (hour, None) => hour,
    };
    Time::new(hour, number(1)?, number(2)?, 0).ok()
}

/// Reads `2026-11-27`, `2026/11/27` or `27.11.2026`.
fn date(word: &str) -> Option<Date> {
    if let [day, month, year] = word.split('.').collect::<Vec<_>>()[..] {
        return written(year, small(month)?, day);
    }
    if shaped(word, b"dddd/dd/dd") || shaped(word, b"dddd-dd-dd") {
        return written(&word[..4], small(&word[5..7])?, &word[8..]);
    }
    None
}

fn written(year: &str, month: i8, day: &str) -> Option<Date> {
    let year = Some(year).filter(|year| shaped(year, b"dddd"))?;
    let year = year.parse().ok().filter(|year| *year >= 1)?;
    Date::new(year, month, small(day)?).ok()
}

/// Reads one or two digits.
fn small(text: &str) -> Option<i8> {
    let is_small = shaped(text, b"d") || shaped(text, b"dd");
    text.parse().ok().filter(|_| is_small)
}

/// Reads the name of a weekday, or its first letters, at least three.
fn weekday(name: &str) -> Option<Weekday> {
    const NAMES: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let at = place(&NAMES, name)?;
    Weekday::from_monday_one_offset(at).ok()
}

/// Reads the name of a month, or its first letters, at least three.
fn month(name: &str) -> Option<i8> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    place(&NAMES, name)
}

/// The place of a name, counted from 1.
fn place(names: &[&str], name: &str) -> Option<i8> {
    let is_this = |known: &&str| name.len() >= 3 && known.starts_with(name);
    let at = names.iter().position(is_this)?;
    i8::try_from(at + 1).ok()
}

/// What was expected instead of a text, with the right form if it is clear what was meant.
fn refused(text: &str) -> String {
    let got = quoted(text);
    let hint = hint(text.trim()).map_or(String::new(), |hint| format!("; {hint}"));
    format!("{EXPECTED_WORDS}, got {got}{hint}")
}

fn hint(text: &str) -> Option<String> {
    // A hint repeats parts of the text as they are.
    if text.contains(disturbs) {
        return None;
    }
    let word = text.split_whitespace().next()?;
    let numbers = |separator: char| {
        let parts: Vec<&str> = word.split(separator).collect();
        let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        (parts.len() == 3 && parts.iter().all(digits)).then_some(parts)
    };
    if let Some(parts) = numbers('/') {
        let form = |month: &str, day: &str| written(parts[2], small(month)?, day);
        let forms = [form(parts[0], parts[1]), form(parts[1], parts[0])];
        return match forms {
            [Some(one), Some(other)] if one != other => Some(format!(
                "the order of day and month is not clear, write {one} or {other}"
            )),
            [Some(date), _] | [None, Some(date)] => Some(format!("write {date}")),
            [None, None] => None,
        };
    }
    if numbers('.').is_some_and(|parts| parts[2].len() == 2) {
        return Some("write the year with four digits".into());
    }
    if text.starts_with(['+', '-']) && text.ends_with('M') {
        let number = text.trim_end_matches('M');
        return Some(format!(
            "an M may be a month or a minute, write {number}month or {number}min"
        ));
    }
    let starts = text.starts_with(|c: char| c.is_ascii_digit());
    match SpanParser::new().parse_span(text) {
        Ok(_) if starts => Some(format!("did you mean +{text} or -{text}?")),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
