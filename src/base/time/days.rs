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
