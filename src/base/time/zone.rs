//! Time zones: how a date and a time of day in a place become a time in UTC, and the other way round.
//!
//! A zone is found by its name in the IANA database. The files of the system come first, because they are updated with the
//! system. The binary carries a copy for a system without them, such as a container. Every time of day has exactly one
//! meaning: one that the clock skips is taken as much later as the clock was set forward, and one that occurs twice is the
//! first of the two (RFC 5545, section 3.3.5). The same rule is used for reading and for showing, so a time that is shown
//! is read back as the same time.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Span};

use super::form::{has_form, moment, shaped, show};
use crate::base::error::quoted;

/// A time zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone(Option<Arc<NamedZone>>);

#[derive(Debug, PartialEq, Eq)]
struct NamedZone {
    name: String,
    rules: TimeZone,
}

/// The files of the system's zones.
const ZONE_FILES: &str = "/usr/share/zoneinfo";

/// The file with the zone of the system. It is usually a link to one of [`ZONE_FILES`].
const LOCAL_ZONE: &str = "/etc/localtime";

/// The longest name of a zone, in bytes. Names of the IANA database are much shorter.
const LONGEST_NAME: usize = 64;

/// The largest file of a zone, in bytes. Real ones have a few thousand.
const LARGEST_FILE: u64 = 1 << 20;

static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone(None);

    fn new(name: &str, rules: TimeZone) -> Zone {
        let name = name.into();
        Zone(Some(Arc::new(NamedZone { name, rules })))
    }

    /// The zone with this name, such as `Europe/Berlin`, `UTC` or `+05:30`. The error says what was expected.
    pub fn named(text: &str) -> Result<Zone, String> {
        let name = text.trim();
        let found = match name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("z") {
            true => Some(Zone::UTC),
            false => offset(name)
                .map(|offset| Zone::new(name, offset.to_time_zone()))
                .or_else(|| in_database(name)),
        };
        found.ok_or_else(|| {
            let hint = match near(name) {
                Some(near) => format!("; did you mean {near}?"),
                None => String::new(),
            };
            let got = quoted(name);
            format!("expected a time zone like Europe/Berlin, UTC or +05:30, got {got}{hint}")
        })
    }

    /// The zone of the system, from the value of the variable `TZ` (POSIX, section 8.3), otherwise from `/etc/localtime`.
    /// It is UTC if neither exists. The error says what was expected.
    pub fn system(variable: Option<&OsStr>) -> Result<Zone, String> {
        let Some(variable) = variable else {
            return match local_zone(Path::new(LOCAL_ZONE)) {
                Ok(zone) => Ok(zone),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Zone::UTC),
                Err(error) => Err(format!("expected a readable time zone: {error}")),
            };
        };
        let text = variable.to_string_lossy();
        let text = text.strip_prefix(':').unwrap_or(&text).trim();
        if text.is_empty() {
            return Ok(Zone::UTC);
        }
        if text.starts_with('/') {
            let read = local_zone(Path::new(text));
            return read.map_err(|error| format!("expected a readable time zone, {text}: {error}"));
        }
        Zone::named(text).or_else(|expected| match TimeZone::posix(text) {
            Ok(rules) => Ok(Zone::new(text, rules)),
            Err(_) => Err(expected),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.as_ref().map_or("UTC", |zone| &zone.name)
    }

    /// A name under which another machine knows it: its own, or else its present offset, as of rules that this machine alone
    /// has.
    pub fn known_name(&self) -> Cow<'_, str> {
        let name = self.name();
        if Zone::named(name).is_ok() {
            return name.into();
        }
        let minutes = self.offset(moment()).seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.abs();
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60).into()
    }

    /// The time in UTC at which the clocks of the zone show this. `None` if it is out of range.
    pub(super) fn to_utc(&self, at: DateTime) -> Option<DateTime> {
        let Some(zone) = &self.0 else {
            return Some(at);
        };
        // Not as a timestamp, whose range is smaller than that of the stored form.
        let offset = match zone.rules.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
        };
        at.checked_sub(seconds(offset)).ok()
    }

    /// When a date begins, and when the day before it ends, in UTC. `None` if it is out of range.
    ///
    /// They are two times where the clocks are set back over midnight, as in Newfoundland until 2011 from 00:01 to 23:01: the day
    /// before goes on after the first minute of the date.
    pub(super) fn midnight(&self, date: Date) -> Option<(DateTime, DateTime)> {
        let midnight = date.to_datetime(Time::midnight());
        let Some(zone) = &self.0 else {
            return Some((midnight, midnight));
        };
        let at = |offset: Offset| midnight.checked_sub(seconds(offset)).ok();
        match zone.rules.to_ambiguous_timestamp(midnight).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some((at(offset)?, at(offset)?)),
            AmbiguousOffset::Gap { before, after } => {
                // Where the gap begins before midnight, the date begins with its end.
                let (first, last) = (at(after)?, at(before)?);
                let from = TimeZone::UTC.to_timestamp(first).ok();
                let change = from.and_then(|from| zone.rules.following(from).next());
                let change = change.map(|change| TimeZone::UTC.to_datetime(change.timestamp()));
                let begins = change.filter(|change| *change <= last).unwrap_or(last);
                Some((begins, begins))
            }
            AmbiguousOffset::Fold { before, after } => {
                let (first, second) = (at(before)?, at(after)?);
                let moment = second.checked_sub(Span::new().seconds(1)).ok()?;
                let is_before = self.to_local(moment)?.date() < date;
                Some((first, if is_before { second } else { first }))
            }
        }
    }

    /// The offset from UTC at a time in UTC.
    pub(super) fn offset(&self, at: DateTime) -> Offset {
        let Some(zone) = &self.0 else {
            return Offset::UTC;
        };
        let at = TimeZone::UTC.to_timestamp(at).unwrap_or(Timestamp::MAX);
        zone.rules.to_offset(at)
    }

    /// What the clocks of the zone show at a time in UTC. `None` if it is out of range.
    pub(super) fn to_local(&self, at: DateTime) -> Option<DateTime> {
        at.checked_add(seconds(self.offset(at))).ok()
    }

    /// See [`days_after`](super::days_after).
    pub(super) fn days_after(&self, stored: &str, days: i64) -> Option<String> {
        if !shaped(stored, b"dddd-dd-dd dd:dd:dd") {
            return None;
        }
        let days = Span::new().try_days(days).ok()?;
        let local = self.to_local(stored.parse::<DateTime>().ok()?)?;
        let after = self.to_utc(local.checked_add(days).ok()?)?;
        has_form(after).then(|| show(after))
    }

    /// A stored time for people without its seconds, as [`Zone::show`] does it otherwise. Midnight is no time of day: it is the day
    /// alone.
    pub fn brief(&self, stored: &str) -> String {
        let shown = self.show(stored);
        let short = match shown.split_at_checked(10) {
            Some((day, " 00:00:00")) => day,
            Some((_, clock)) if clock.len() == 9 && shaped(stored, b"dddd-dd-dd dd:dd:dd") => {
                &shown[..16]
            }
            _ => &shown,
        };
        short.into()
    }

    /// A stored time for people: in this zone, without an offset if it is read back as the same time without one. The
    /// second of two equal times of day has its offset. A text that is no stored time stays as it is.
    pub fn show<'a>(&self, stored: &'a str) -> Cow<'a, str> {
        if self.0.is_none() || !shaped(stored, b"dddd-dd-dd dd:dd:dd") {
            return stored.into();
        }
        let Ok(at) = stored.parse::<DateTime>() else {
            return stored.into();
        };
        let Some(local) = self.to_local(at).filter(|local| has_form(*local)) else {
            return format!("{stored}Z").into();
        };
        if self.to_utc(local) == Some(at) {
            return show(local).into();
        }
        let seconds = self.offset(at).seconds();
        if seconds % 60 != 0 {
            return format!("{stored}Z").into();
        }
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.abs() / 60;
        format!(
            "{}{sign}{:02}:{:02}",
            show(local),
            minutes / 60,
            minutes % 60
        )
        .into()
    }
}

fn seconds(offset: Offset) -> SignedDuration {
    SignedDuration::from_secs(offset.seconds().into())
}

/// Reads `±HH:MM`.
fn offset(text: &str) -> Option<Offset> {
    let minutes = offset_minutes(text)?;
    Offset::from_seconds(minutes * 60).ok()
}

/// Reads `±HH:MM` as minutes.
pub(super) fn offset_minutes(text: &str) -> Option<i32> {
    if !shaped(text.get(1..)?, b"dd:dd") {
        return None;
    }
    let number = |from: usize, most: i32| {
        let number = text[from..from + 2].parse::<i32>().ok();
        number.filter(|number| *number <= most)
    };
    let minutes = number(1, 23)? * 60 + number(4, 59)?;
    match text.as_bytes()[0] {
        b'+' => Some(minutes),
        b'-' => Some(-minutes),
        _ => None,
    }
}

/// The zone with this name in any case: from the files of the system, otherwise from the copy in the binary.
fn in_database(name: &str) -> Option<Zone> {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    // Files below these folders have the same zones with and without leap seconds.
    let name = name.strip_prefix("posix/").unwrap_or(name);
    let name = name.strip_prefix("right/").unwrap_or(name);
    let is_name = name.len() <= LONGEST_NAME && name.bytes().all(plain);
    if !is_name || name.starts_with('/') || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let bundled = BUNDLED.get(name).ok();
    let name = bundled
        .as_ref()
        .and_then(TimeZone::iana_name)
        .unwrap_or(name);
    match read_rules(&Path::new(ZONE_FILES).join(name), name) {
        Ok(rules) => Some(Zone::new(name, rules)),
        Err(_) => Some(Zone::new(name, bundled.clone()?)),
    }
}

/// Reads the rules of a zone from a file.
fn read_rules(path: &Path, name: &str) -> io::Result<TimeZone> {
    // Opening a pipe would wait for somebody who writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST_FILE)
        .read_to_end(&mut bytes)?;
    let no_zone = |_| io::Error::other("the file is not of a time zone");
    TimeZone::tzif(name, &bytes).map_err(no_zone)
}

/// Reads the zone of the system. Its name is known if the file is a link into a folder of zones. Such a link is also
/// understood where the folder does not exist, as in a container.
fn local_zone(path: &Path) -> io::Result<Zone> {
    let link = fs::read_link(path).ok();
    let link = link.as_ref().and_then(|link| link.to_str());
    let known = link.and_then(|link| link.split_once("/zoneinfo/"));
    let known = known.map(|(_, name)| name);
    let shown = path.to_string_lossy();
    match read_rules(path, known.unwrap_or(&shown)) {
        Ok(_) if matches!(known, Some("UTC" | "Etc/UTC")) => Ok(Zone::UTC),
        Ok(rules) => Ok(Zone::new(known.unwrap_or(&shown), rules)),
        Err(error) => known.and_then(in_database).ok_or(error),
    }
}

/// The name of a zone that a wrong name may stand for: one with a similar spelling, or the one of a city.
fn near(given: &str) -> Option<String> {
    if given.len() > LONGEST_NAME {
        return None;
    }
    let given = given.to_ascii_lowercase().replace(' ', "_");
    let names = || BUNDLED.available().map(|name| name.as_str().to_string());
    let city = |name: &String| {
        let city = name.rsplit_once('/').map(|(_, city)| city);
        city.is_some_and(|city| city.eq_ignore_ascii_case(&given))
    };
    if let Some(name) = names().find(city) {
        return Some(name);
    }
    // Abbreviations of three or four letters are all similar.
    if given.len() < 5 {
        return None;
    }
    let distances = names().map(|name| {
        let lower = name.to_ascii_lowercase();
        let city = lower.rsplit('/').next().unwrap_or(&lower);
        let distance = strsim::osa_distance(&lower, &given).min(strsim::osa_distance(city, &given));
        (distance, name)
    });
    let (distance, name) = distances.min()?;
    (distance <= given.len().div_ceil(5)).then_some(name)
}
