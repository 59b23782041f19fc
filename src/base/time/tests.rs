use std::time::Duration;

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
fn what_is_no_time_is_refused() {
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
        "2026-01-31T09:30:00[UTC]",
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

#[test]
fn words_are_times() {
    for word in [
        "now",
        "today",
        "tomorrow",
        "yesterday",
        "fri",
        "Friday",
        "+3d",
        "-2h",
        "+90m",
        "+1w",
        "+10s",
    ] {
        let text = words(word).unwrap();
        assert!(parse(&text).is_some(), "{word} gave {text}");
    }
    for word in [
        "",
        "soon",
        "+",
        "+d",
        "3d",
        "+3y",
        "+3.5d",
        "+1M",
        "+99999999999999999999d",
        "+9999999d",
    ] {
        assert_eq!(words(word), None, "{word}");
    }
}
