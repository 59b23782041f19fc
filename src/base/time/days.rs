//! Where the days of a zone begin.

use jiff::Span;
use jiff::civil::{DateTime, Time};

use super::form::{has_form, show};
use super::span::AFTER_ALL;
use super::zone::Zone;

/// When the day begins in a zone that is so many days after the day of a stored time, in the stored form. A day that is too
/// late to have a stored form begins after all times.
pub fn day_start(stored: &str, zone: &Zone, days: i64) -> String {
    let start = || {
        let at: DateTime = stored.parse().ok()?;
        let day = zone.to_local(at)?.date();
        let day = day.checked_add(Span::new().days(days)).ok()?;
        zone.to_utc(day.to_datetime(Time::midnight()))
    };
    match start().filter(|at| has_form(*at)) {
        Some(at) => show(at),
        None => AFTER_ALL.into(),
    }
}

/// The second after a stored time, in the stored form.
pub fn second_after(stored: &str) -> String {
    let after = || {
        let at: DateTime = stored.parse().ok()?;
        at.checked_add(Span::new().seconds(1)).ok()
    };
    match after().filter(|at| has_form(*at)) {
        Some(at) => show(at),
        None => AFTER_ALL.into(),
    }
}

/// The week of a stored time in a zone, or one so many weeks later: the date of its Monday there, and when it begins in the
/// stored form.
pub fn week_start(stored: &str, zone: &Zone, weeks: i64) -> Option<(String, String)> {
    let at: DateTime = stored.parse().ok()?;
    let day = zone.to_local(at)?.date();
    let days = weeks * 7 - i64::from(day.weekday().to_monday_zero_offset());
    let monday = day.checked_add(Span::new().try_days(days).ok()?).ok()?;
    let start = zone.to_utc(monday.to_datetime(Time::midnight()))?;
    has_form(start).then(|| (monday.strftime("%Y-%m-%d").to_string(), show(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday_in_the_zone() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let of = |at, zone: &Zone, weeks| {
            let (monday, start) = week_start(at, zone, weeks).unwrap();
            format!("{monday} {start}")
        };
        // Sunday evening in UTC is Monday in Berlin.
        let at = "2026-03-29 22:30:00";
        assert_eq!(of(at, &Zone::UTC, 0), "2026-03-23 2026-03-23 00:00:00");
        assert_eq!(of(at, &berlin, 0), "2026-03-30 2026-03-29 22:00:00");
        // Before the change of the clocks.
        assert_eq!(of(at, &berlin, -1), "2026-03-23 2026-03-22 23:00:00");
        assert_eq!(of(at, &berlin, 1), "2026-04-06 2026-04-05 22:00:00");
    }
}
