//! Tests of the words of the command line, with a clock that stands still.

use super::*;

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

/// A clock in New York on Friday the 27th of November 2026 at 20:15, which is Saturday in UTC.
fn spoken(text: &str, tense: Tense) -> Option<String> {
    said(text, tense, false)
}

fn said(text: &str, tense: Tense, rolls: bool) -> Option<String> {
    let new_york = zone("America/New_York");
    let now: DateTime = "2026-11-28 01:15:00".parse().unwrap();
    let clock = Clock {
        zone: &new_york,
        tense,
        rolls,
        now,
    };
    let read = clock.read(text)?;
    let span = read.range();
    let (start, end) = (new_york.show(&span.start), new_york.show(&span.end));
    let is_moment = iso::range(&read.stored(), &Zone::UTC) == Some(span.clone());
    Some(match is_moment {
        true => start.into(),
        false => format!("{} to {}", &start[..10], &end[..10]),
    })
}

#[test]
fn a_point_in_time_of_day_is_the_last_or_the_next() {
    for (text, last, next) in [
        ("14:30", "2026-11-27 14:30:00", "2026-11-28 14:30:00"),
        ("11pm", "2026-11-26 23:00:00", "2026-11-27 23:00:00"),
        ("20:15", "2026-11-27 20:15:00", "2026-11-28 20:15:00"),
        ("midnight", "2026-11-27 00:00:00", "2026-11-28 00:00:00"),
        ("today 11pm", "2026-11-27 23:00:00", "2026-11-27 23:00:00"),
    ] {
        assert_eq!(
            said(text, Tense::Past, true).as_deref(),
            Some(last),
            "{text}"
        );
        assert_eq!(
            said(text, Tense::Future, true).as_deref(),
            Some(next),
            "{text}"
        );
    }
}

#[test]
fn words_are_times() {
    for (text, meaning) in [
        ("now", "2026-11-27 20:15:00"),
        ("today", "2026-11-27 to 2026-11-28"),
        ("Tomorrow", "2026-11-28 to 2026-11-29"),
        ("yesterday", "2026-11-26 to 2026-11-27"),
        ("day before yesterday", "2026-11-25 to 2026-11-26"),
        ("day after tomorrow", "2026-11-29 to 2026-11-30"),
        ("14:30", "2026-11-27 14:30:00"),
        ("9:00", "2026-11-27 09:00:00"),
        ("9am", "2026-11-27 09:00:00"),
        ("9 PM", "2026-11-27 21:00:00"),
        ("12am", "2026-11-27 00:00:00"),
        ("12pm", "2026-11-27 12:00:00"),
        ("9:30:15 pm", "2026-11-27 21:30:15"),
        ("noon", "2026-11-27 12:00:00"),
        ("midnight", "2026-11-27 00:00:00"),
        ("yesterday 14:30", "2026-11-26 14:30:00"),
        ("14:30 yesterday", "2026-11-26 14:30:00"),
        ("yesterday at 14:30", "2026-11-26 14:30:00"),
        ("tomorrow 9am", "2026-11-28 09:00:00"),
        ("tomorrow, 9 am", "2026-11-28 09:00:00"),
        ("tomorrow noon", "2026-11-28 12:00:00"),
        ("in 3 days", "2026-11-30 20:15:00"),
        ("in 3 days at 9am", "2026-11-30 09:00:00"),
        ("+3d 9:00", "2026-11-30 09:00:00"),
        ("2 weeks ago", "2026-11-13 20:15:00"),
        ("3 days ago 14:00", "2026-11-24 14:00:00"),
        ("+1week", "2026-12-04 20:15:00"),
        ("+1 week", "2026-12-04 20:15:00"),
        ("+1w", "2026-12-04 20:15:00"),
        ("-7d", "2026-11-20 20:15:00"),
        ("-2h", "2026-11-27 18:15:00"),
        ("+90m", "2026-11-27 21:45:00"),
        ("+90min", "2026-11-27 21:45:00"),
        ("+10s", "2026-11-27 20:15:10"),
        ("+1.5h", "2026-11-27 21:45:00"),
        ("1h 30m ago", "2026-11-27 18:45:00"),
        ("in 1 month", "2026-12-27 20:15:00"),
        ("+1y", "2027-11-27 20:15:00"),
        // Over the end of the summer time: the time of day stays with days, and the distance with hours.
        ("-30d", "2026-10-28 20:15:00"),
        ("-720h", "2026-10-28 21:15:00"),
        ("this week", "2026-11-23 to 2026-11-30"),
        ("next week", "2026-11-30 to 2026-12-07"),
        ("last week", "2026-11-16 to 2026-11-23"),
        ("this month", "2026-11-01 to 2026-12-01"),
        ("next month", "2026-12-01 to 2027-01-01"),
        ("last month", "2026-10-01 to 2026-11-01"),
        ("next year", "2027-01-01 to 2028-01-01"),
        ("27.11.2026", "2026-11-27 to 2026-11-28"),
        ("1.3.2026", "2026-03-01 to 2026-03-02"),
        ("27.11.2026 14:30", "2026-11-27 14:30:00"),
        ("2026/11/27", "2026-11-27 to 2026-11-28"),
        ("2026-11-27 9am", "2026-11-27 09:00:00"),
        ("2026-11-27 9:00", "2026-11-27 09:00:00"),
        ("27 Nov 2026", "2026-11-27 to 2026-11-28"),
        ("nov 27, 2026 at 9:30 pm", "2026-11-27 21:30:00"),
        ("27 September 2026", "2026-09-27 to 2026-09-28"),
        ("2026-11-27T09:00:00Z", "2026-11-27 04:00:00"),
        ("2026-11-27T09:00[Europe/Berlin]", "2026-11-27 03:00:00"),
        ("  2026-11-27   9:00 ", "2026-11-27 09:00:00"),
    ] {
        for tense in [Tense::Past, Tense::Future] {
            assert_eq!(spoken(text, tense).as_deref(), Some(meaning), "{text}");
        }
    }
}

#[test]
fn a_weekday_is_before_today_or_after_it() {
    for (text, past, future) in [
        (
            "monday",
            "2026-11-23 to 2026-11-24",
            "2026-11-30 to 2026-12-01",
        ),
        (
            "Mon",
            "2026-11-23 to 2026-11-24",
            "2026-11-30 to 2026-12-01",
        ),
        (
            "thurs",
            "2026-11-26 to 2026-11-27",
            "2026-12-03 to 2026-12-04",
        ),
        // It is Friday in New York, and Saturday in UTC.
        (
            "fri",
            "2026-11-20 to 2026-11-21",
            "2026-12-04 to 2026-12-05",
        ),
        (
            "saturday",
            "2026-11-21 to 2026-11-22",
            "2026-11-28 to 2026-11-29",
        ),
        ("monday 9:00", "2026-11-23 09:00:00", "2026-11-30 09:00:00"),
        (
            "on monday at 9am",
            "2026-11-23 09:00:00",
            "2026-11-30 09:00:00",
        ),
        (
            "last fri",
            "2026-11-20 to 2026-11-21",
            "2026-11-20 to 2026-11-21",
        ),
        ("next fri 9am", "2026-12-04 09:00:00", "2026-12-04 09:00:00"),
    ] {
        assert_eq!(spoken(text, Tense::Past).as_deref(), Some(past), "{text}");
        assert_eq!(
            spoken(text, Tense::Future).as_deref(),
            Some(future),
            "{text}"
        );
    }
}

#[test]
fn what_is_unclear_is_refused_with_the_right_form() {
    for (text, hint) in [
        ("", ""),
        ("soon", ""),
        ("+", ""),
        ("+d", ""),
        ("+3.5d", ""),
        ("+99999999999999999999d", ""),
        ("+9999999d", ""),
        ("-3 days ago", ""),
        ("in -3 days", ""),
        ("9", ""),
        ("25:00", ""),
        ("13pm", ""),
        ("0am", ""),
        ("9:5", ""),
        ("tomorrow tomorrow", ""),
        ("next", ""),
        ("next 9am", ""),
        ("mo", ""),
        ("32.1.2026", ""),
        ("at", ""),
        ("in 2h 9am", ""),
        ("3d", "; did you mean +3d or -3d?"),
        ("2 weeks", "; did you mean +2 weeks or -2 weeks?"),
        (
            "+1M",
            "; an M may be a month or a minute, write +1month or +1min",
        ),
        ("11/27/2026", "; write 2026-11-27"),
        ("27/11/2026 9am", "; write 2026-11-27"),
        ("5/5/2026", "; write 2026-05-05"),
        (
            "05/06/2026",
            "; the order of day and month is not clear, write 2026-05-06 or 2026-06-05",
        ),
        ("99/99/2026", ""),
        ("27.11.26", "; write the year with four digits"),
    ] {
        assert_eq!(spoken(text, Tense::Past), None, "{text}");
        let error = point(text, &Zone::UTC, Tense::Past).unwrap_err();
        assert!(error.starts_with("expected a time like"), "{error}");
        assert!(error.ends_with(&format!("got {text:?}{hint}")), "{error}");
    }
    assert_eq!(
        point("2026-01-31", &zone("Asia/Tokyo"), Tense::Past).unwrap(),
        "2026-01-30 15:00:00Z"
    );
    let span = span("2026-01-31/2026-02-01", &zone("Asia/Tokyo"), Tense::Past).unwrap();
    assert_eq!(span.interval(), "2026-01-30 15:00:00Z/2026-01-31 15:00:00Z");
}
