use std::time::{Duration, SystemTime};

use super::form::{at_most, show};
use super::*;

#[test]
fn times_of_http_are_read() {
    let at = read_http("Wed, 21 Oct 2026 07:28:00 GMT").and_then(stored);
    assert_eq!(at.as_deref(), Some("2026-10-21 07:28:00"));
    for wrong in [
        "",
        "-1",
        "0.5",
        "soon",
        "2026-10-21",
        "Wed, 32 Oct 2026 07:28:00 GMT",
    ] {
        assert_eq!(read_http(wrong), None, "{wrong}");
    }
}

#[test]
fn a_clock_may_show_anything() {
    let far = Duration::from_secs(1 << 40);
    let shown = [SystemTime::now() + far, SystemTime::UNIX_EPOCH - far];
    let shown = shown.map(|at| show(at_most(at)));
    assert_eq!(shown, ["9999-12-30 22:00:00", "1970-01-01 00:00:00"]);
}

#[test]
fn every_documented_form_is_taken() {
    let same = "2026-01-31 09:30:00";
    for text in [
        same,
        "2026-01-31T09:30:00",
        "2026-01-31T09:30:00Z",
        "2026-01-31t09:30:00z",
        "2026-01-31T09:30:00.999Z",
        "2026-01-31 09:30",
        "2026-01-31T11:30:00+02:00",
        "2026-01-31 00:00:00-09:30",
        "2026-01-31T09:30:00[UTC]",
        "2026-01-31T09:30:00Z[Europe/Berlin]",
        "2026-01-31T10:30:00+01:00[Europe/Berlin]",
        "2026-01-31T10:30[!europe/berlin]",
        "2026-01-31 15:00[+05:30]",
        " 2026-01-31 09:30:00 ",
    ] {
        assert_eq!(parse(text).as_deref(), Some(same), "{text}");
    }
    assert_eq!(parse("2026-01-31").as_deref(), Some("2026-01-31 00:00:00"));
    assert_eq!(
        parse("2016-12-31T23:59:60Z").as_deref(),
        Some("2016-12-31 23:59:59")
    );
    assert_eq!(
        parse("9999-12-31 23:59:59").as_deref(),
        Some("9999-12-31 23:59:59")
    );
    assert_eq!(parse("0001-01-01").as_deref(), Some("0001-01-01 00:00:00"));
}

#[test]
fn a_text_that_is_no_time_is_refused() {
    for text in [
        "",
        "now",
        "2026-02-30",
        "2026-13-01",
        "2026-1-1",
        "20260131",
        "2026-01-31T",
        "2026-01-31T24:00:00",
        "2026-01-31T09:30:61",
        "2026-01-31T09:30:00.",
        "2026-01-31T09:30:00+2",
        "2026-01-31T09:30:00+24:00",
        "2026-01-31T09:30:00[",
        "2026-01-31T09:30:00[]",
        "2026-01-31T09:30:00[Europe/Berln]",
        "2026-01-31T09:30:00+02:00[Europe/Berlin]",
        "2026-01-31T09:30:00[u-ca=hebrew]",
        "[UTC]",
        "0000-01-01",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-01-31T09:30:00 02:00",
        "２０２６-01-31",
        "2026-01-31x",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn a_stamp_is_read_back() {
    let at = read_stamp("20260102T030405Z").unwrap();
    assert_eq!(stored(at).as_deref(), Some("2026-01-02 03:04:05"));
    let age = SystemTime::now().duration_since(read_stamp(&stamp()).unwrap());
    assert!(age.unwrap() < std::time::Duration::from_secs(60));
    for text in [
        "",
        "20260102T030405",
        "20261302T030405Z",
        "20260102T250405Z",
        "20260102-030405Z",
        "+0260102T030405Z",
        "20260102T030405Z ",
    ] {
        assert_eq!(read_stamp(text), None, "{text}");
    }
}

#[test]
fn a_date_is_its_whole_day_in_a_filter() {
    let day = range("2026-01-31").unwrap();
    assert_eq!(
        (day.start.as_str(), day.end.as_str()),
        ("2026-01-31 00:00:00", "2026-02-01 00:00:00")
    );
    let second = range("2026-01-31 09:30:59").unwrap();
    assert_eq!(
        (second.start.as_str(), second.end.as_str()),
        ("2026-01-31 09:30:59", "2026-01-31 09:31:00")
    );
    let between = range("2026-01-31T09:30:59.5Z").unwrap();
    assert_eq!(between.start, between.end);
    assert!(range("9999-12-31").unwrap().end.as_str() > "9999-12-31 23:59:59");
}

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

#[test]
fn an_interval_is_a_span_without_its_end() {
    let span = range("2026-01-31/2026-02-01 09:30:00Z").unwrap();
    assert_eq!(span.start, "2026-01-31 00:00:00");
    assert_eq!(span.end, "2026-02-01 09:30:00");
    let days = "2026-01-31[Europe/Berlin]/2026-02-01[Europe/Berlin]";
    let day = range_in("2026-01-31", &zone("Europe/Berlin"));
    assert_eq!(range(days), day);
    for text in [
        "2026-01-31",
        "9999-12-31",
        "2026-01-31 09:30:00",
        "2026-01-31 09:30:00.5",
    ] {
        let span = range(text).unwrap();
        assert_eq!(range(&span.interval()), Some(span.clone()), "{text}");
        assert_eq!(
            range_in(&span.interval(), &zone("Asia/Tokyo")),
            Some(span),
            "{text}"
        );
    }
    for text in [
        "/",
        "/2026-01-31",
        "2026-02-01/2026-01-31",
        "2026-01-31/x",
        "2026-01-31/2026-02-01/",
    ] {
        assert_eq!(range(text), None, "{text}");
    }
}

#[test]
fn a_time_without_an_offset_is_read_in_the_zone() {
    for (name, text, stored) in [
        (
            "America/New_York",
            "2026-11-27 09:00",
            "2026-11-27 14:00:00",
        ),
        (
            "America/New_York",
            "2026-11-27T09:00Z",
            "2026-11-27 09:00:00",
        ),
        (
            "America/New_York",
            "2026-11-27T09:00[Asia/Tokyo]",
            "2026-11-27 00:00:00",
        ),
        ("Asia/Kolkata", "2026-11-27 09:00:00", "2026-11-27 03:30:00"),
        ("Asia/Kathmandu", "2026-11-27", "2026-11-26 18:15:00"),
        (
            "Australia/Lord_Howe",
            "2026-11-27 11:00",
            "2026-11-27 00:00:00",
        ),
        (
            "Pacific/Kiritimati",
            "2026-11-27 14:00",
            "2026-11-27 00:00:00",
        ),
        (
            "Pacific/Pago_Pago",
            "2026-11-27 13:00",
            "2026-11-28 00:00:00",
        ),
        ("-03:30", "2026-11-27 09:00", "2026-11-27 12:30:00"),
        // Forward: 02:30 does not exist.
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30:00"),
        (
            "America/New_York",
            "2026-03-08 02:00",
            "2026-03-08 07:00:00",
        ),
        // Half an hour forward.
        (
            "Australia/Lord_Howe",
            "2026-10-04 02:15",
            "2026-10-03 15:45:00",
        ),
        // Back: 02:30 occurs twice.
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30:00"),
        (
            "Europe/Berlin",
            "2026-10-25 02:30+01:00",
            "2026-10-25 01:30:00",
        ),
        // A day that the place never had.
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 22:00:00"),
        (
            "Europe/Berlin",
            "9999-12-31 23:59:59",
            "9999-12-31 22:59:59",
        ),
    ] {
        assert_eq!(
            parse_in(text, &zone(name)).as_deref(),
            Some(stored),
            "{name} {text}"
        );
    }
    assert_eq!(parse_in("0001-01-01", &zone("Asia/Tokyo")), None);
    assert_eq!(
        parse_in("9999-12-31 23:00:00", &zone("America/New_York")),
        None
    );
}

#[test]
fn a_date_is_the_whole_day_of_the_zone() {
    for (name, day, start, end) in [
        (
            "America/New_York",
            "2026-11-27",
            "2026-11-27 05:00:00",
            "2026-11-28 05:00:00",
        ),
        // 23 and 25 hours.
        (
            "Europe/Berlin",
            "2026-03-29",
            "2026-03-28 23:00:00",
            "2026-03-29 22:00:00",
        ),
        (
            "Europe/Berlin",
            "2026-10-25",
            "2026-10-24 22:00:00",
            "2026-10-25 23:00:00",
        ),
        // A day without a midnight, and one that did not happen.
        (
            "Africa/Cairo",
            "2026-04-24",
            "2026-04-23 22:00:00",
            "2026-04-24 21:00:00",
        ),
        (
            "Pacific/Apia",
            "2011-12-30",
            "2011-12-30 10:00:00",
            "2011-12-30 10:00:00",
        ),
        (
            "America/New_York",
            "9999-12-31",
            "9999-12-31 05:00:00",
            "9999-12-31 23:59:60",
        ),
    ] {
        let span = range_in(day, &zone(name)).unwrap();
        assert_eq!(
            (span.start.as_str(), span.end.as_str()),
            (start, end),
            "{name} {day}"
        );
    }
}

#[test]
fn a_brief_time_has_no_seconds_and_no_midnight() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    for (stored, brief) in [
        ("2026-02-07 08:00:59", "2026-02-07 09:00"),
        ("2026-02-06 23:00:00", "2026-02-07"),
        ("2026-10-25 01:30:00", "2026-10-25 02:30:00+01:00"),
        ("soon, and not a time", "soon, and not a time"),
        ("", ""),
    ] {
        assert_eq!(berlin.brief(stored), brief);
    }
    assert_eq!(Zone::UTC.brief("2026-02-07 08:00:59"), "2026-02-07 08:00");
}

#[test]
fn a_stored_time_is_shown_in_the_zone() {
    for (name, stored, shown) in [
        ("UTC", "2026-11-27 09:00:00", "2026-11-27 09:00:00"),
        (
            "America/New_York",
            "2026-11-27 09:00:00",
            "2026-11-27 04:00:00",
        ),
        ("Asia/Kolkata", "2026-11-27 20:00:00", "2026-11-28 01:30:00"),
        (
            "Europe/Berlin",
            "2026-10-25 00:30:00",
            "2026-10-25 02:30:00",
        ),
        (
            "Europe/Berlin",
            "2026-10-25 01:30:00",
            "2026-10-25 02:30:00+01:00",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-04 15:15:00",
            "2026-04-05 01:45:00+10:30",
        ),
        (
            "America/New_York",
            "0001-01-01 00:00:00",
            "0001-01-01 00:00:00Z",
        ),
        ("Asia/Tokyo", "9999-12-31 23:59:59", "9999-12-31 23:59:59Z"),
        // A database may hold anything.
        ("Asia/Tokyo", "sometime", "sometime"),
        ("Asia/Tokyo", "2026-13-01 00:00:00", "2026-13-01 00:00:00"),
        ("Asia/Tokyo", "", ""),
    ] {
        assert_eq!(zone(name).show(stored), shown, "{name} {stored}");
    }
}

#[test]
fn zones_are_found_by_name_and_a_wrong_name_gets_a_near_one() {
    for (text, name) in [
        ("Europe/Berlin", "Europe/Berlin"),
        (" europe/berlin ", "Europe/Berlin"),
        ("utc", "UTC"),
        ("Z", "UTC"),
        ("EST", "EST"),
        ("+05:30", "+05:30"),
        ("-00:00", "-00:00"),
    ] {
        assert_eq!(zone(text).name(), name);
    }
    for (text, near) in [
        ("Europe/Berln", Some("Europe/Berlin")),
        ("Berlin", Some("Europe/Berlin")),
        ("new york", Some("America/New_York")),
        ("America/NewYork", Some("America/New_York")),
        ("Kolkatta", Some("Asia/Kolkata")),
        ("PST", None),
        ("Mars/Phobos", None),
        ("", None),
        ("/etc/passwd", None),
        ("../Berlin", None),
        ("Europe/Berlin\0", Some("Europe/Berlin")),
        ("+24:00", None),
        ("+5", None),
        ("Zürich", Some("Europe/Zurich")),
    ] {
        let error = Zone::named(text).unwrap_err();
        assert!(
            error.starts_with("expected a time zone like Europe/Berlin"),
            "{error}"
        );
        let hint = near.map(|near| format!("; did you mean {near}?"));
        match hint {
            Some(hint) => assert!(error.ends_with(&hint), "{error}"),
            None => assert!(!error.contains("did you mean"), "{error}"),
        }
    }
    assert!(Zone::named(&"Europe/Berlin".repeat(1000)).is_err());
}

/// Where the clocks are changed over midnight, each moment is in the day that the clocks show.
#[test]
fn a_day_has_all_moments_at_which_the_clocks_show_it() {
    for (name, date, start, end) in [
        // From 0:01 back to 23:01 of the day before.
        (
            "America/St_Johns",
            "2010-11-06",
            "2010-11-06 02:30:00",
            "2010-11-07 03:30:00",
        ),
        (
            "America/St_Johns",
            "2010-11-07",
            "2010-11-07 02:30:00",
            "2010-11-08 03:30:00",
        ),
        // From 1:00 back to 0:00 of the same day, whose first midnight ends the day before.
        (
            "America/Havana",
            "2026-10-31",
            "2026-10-31 04:00:00",
            "2026-11-01 04:00:00",
        ),
        (
            "America/Havana",
            "2026-11-01",
            "2026-11-01 04:00:00",
            "2026-11-02 05:00:00",
        ),
        // From 23:30 on to 0:30 of the day after.
        (
            "America/Toronto",
            "1919-03-30",
            "1919-03-30 05:00:00",
            "1919-03-31 04:30:00",
        ),
        (
            "America/Toronto",
            "1919-03-31",
            "1919-03-31 04:30:00",
            "1919-04-01 04:00:00",
        ),
        // A day that there was not.
        (
            "Pacific/Apia",
            "2011-12-30",
            "2011-12-30 10:00:00",
            "2011-12-30 10:00:00",
        ),
    ] {
        let day = range_in(date, &zone(name)).unwrap();
        assert_eq!(
            (day.start.as_str(), day.end.as_str()),
            (start, end),
            "{name} {date}"
        );
    }
}

#[test]
fn the_zone_of_the_system_is_read_as_posix_says() {
    let read = |text: &str| Zone::system(Some(text.as_ref()));
    let at = "2026-07-01 12:00:00";
    for (text, shown) in [
        ("", at),
        (":", at),
        ("UTC0", at),
        ("Europe/Berlin", "2026-07-01 14:00:00"),
        (":Europe/Berlin", "2026-07-01 14:00:00"),
        ("posix/Europe/Berlin", "2026-07-01 14:00:00"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-01 14:00:00"),
        ("<+0330>-3:30", "2026-07-01 15:30:00"),
        ("EST5EDT", "2026-07-01 08:00:00"),
    ] {
        assert_eq!(read(text).unwrap().show(at), shown, "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("zone");
    std::fs::write(&file, "no zone").unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("/nowhere/zoneinfo/Asia/Tokyo", &link).unwrap();
    let linked = read(link.to_str().unwrap()).unwrap();
    assert_eq!(linked, zone("Asia/Tokyo"));
    for text in [
        "Mars/Phobos",
        "CEST",
        "/nothing/here",
        "/",
        file.to_str().unwrap(),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains("time zone"), "{error}");
    }
}
