//! How long ago a time is, in words.

use jiff::Timestamp;

use super::form::read_stored;

/// A unit and its seconds.
const UNITS: [(&str, i64); 5] = [
    ("year", 31_557_600),
    ("month", 2_629_800),
    ("day", 86_400),
    ("hour", 3_600),
    ("minute", 60),
];

/// How long before another time a time is, both in the stored form: `3 days ago`, `in 2 hours`, `now`. `None` if one of the
/// texts is no time.
pub fn distance(stored: &str, now: &str) -> Option<String> {
    let second = |text: &str| {
        let at = Timestamp::try_from(read_stored(text)?).ok()?;
        Some(at.as_second())
    };
    let ago = second(now)? - second(stored)?;
    let far = |(_, seconds): &&(&str, i64)| {
        // Days are easier to read than one month and some.
        let times = if *seconds > 86_400 { 2 } else { 1 };
        ago.abs() >= seconds * times
    };
    let Some((unit, seconds)) = UNITS.iter().find(far) else {
        return Some("now".into());
    };
    let count = ago.abs() / seconds;
    let plural = if count == 1 { "" } else { "s" };
    Some(match ago < 0 {
        true => format!("in {count} {unit}{plural}"),
        false => format!("{count} {unit}{plural} ago"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_unit_that_fits_is_told() {
        let now = "2026-03-01 12:00:00";
        for (stored, told) in [
            ("2026-03-01 12:00:00", "now"),
            ("2026-03-01 11:59:01", "now"),
            ("2026-03-01 11:59:00", "1 minute ago"),
            ("2026-03-01 09:00:00", "3 hours ago"),
            ("2026-02-26 09:00:00", "3 days ago"),
            ("2026-01-15 12:00:00", "45 days ago"),
            ("2025-12-25 12:00:00", "2 months ago"),
            ("2023-01-01 12:00:00", "3 years ago"),
            ("2026-03-01 14:00:00", "in 2 hours"),
            ("2026-03-02 12:00:00", "in 1 day"),
        ] {
            assert_eq!(distance(stored, now).as_deref(), Some(told), "{stored}");
        }
        assert_eq!(distance("", now), None);
    }
}
