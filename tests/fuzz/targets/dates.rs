//! Any text where a time is expected, a line each: it is refused, or stored in one form that is read as itself, means the
//! moment that the calendar says, and is in the order of text where it is in time.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use crm::base::time::{self, Tense, Zone};
use crm::model::action::ACTION;
use crm::model::draft::{Input, input_from_text};
use crm::model::query::{Operand, Query, Test};
use crm::model::token;
use crm_fuzz::{check_refusal, check_sentence, is_stored_time};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let mut times = Vec::new();
    for text in input.lines().take(4) {
        check_words(text);
        check_expiry(text);
        check_filter(text);
        check_stamp(text);
        check_shown(text);
        if text.contains(['[', '/']) {
            check_span(text);
        } else if let Some(stored) = time::parse(text) {
            check_time(text, &stored);
            times.push(stored);
        } else {
            assert_eq!((time::range(text), moment(text)), (None, None), "{text}");
        }
    }
    for one in &times {
        for other in &times {
            assert_eq!(
                one.cmp(other),
                seconds(one).cmp(&seconds(other)),
                "{one} {other}"
            );
        }
    }
});

/// Times with a zone in brackets, and intervals: this only checks that they have a stored form.
fn check_span(text: &str) {
    if let Some(stored) = time::parse(text) {
        assert!(is_stored_time(&stored), "{text} {stored}");
        assert!(time::range(text).is_some(), "{text}");
    }
    if let Some(range) = time::range(text) {
        assert!(range.start <= range.end, "{text} {range:?}");
        assert_eq!(time::range(&range.interval()), Some(range), "{text}");
    }
}

/// A text in a place with summer time: what is shown there is read as the same time.
fn check_shown(text: &str) {
    static ZONE: LazyLock<Zone> =
        LazyLock::new(|| Zone::named("Australia/Lord_Howe").expect("a zone"));
    if let Some(stored) = time::parse_in(text, &ZONE) {
        let shown = ZONE.show(&stored);
        assert_eq!(
            time::parse_in(&shown, &ZONE).as_ref(),
            Some(&stored),
            "{text} {shown}"
        );
    }
    let _ = ZONE.show(text);
}

fn check_time(text: &str, stored: &str) {
    assert!(is_stored_time(stored), "{text} {stored}");
    assert_eq!(time::parse(stored).as_deref(), Some(stored));
    let (at, fraction) = moment(text).expect("a moment");
    assert_eq!(seconds(stored), at, "{text} {stored}");
    // The stored times that are meant: its whole day, its second, or none where it is between two.
    let range = time::range(text).expect("a range");
    let is_day = text.trim().len() == 10;
    let (start, end) = match (is_day, fraction) {
        (true, _) => (at, at + 86_400),
        (false, true) => (at + 1, at + 1),
        (false, false) => (at, at + 1),
    };
    const LAST: &str = "9999-12-31 23:59:60";
    for (bound, expected) in [(&range.start, start), (&range.end, end)] {
        assert_eq!(seconds(bound), expected, "{text} {range:?}");
        assert!(is_stored_time(bound));
        assert!(bound == LAST || time::parse(bound).as_ref() == Some(bound));
    }
}

/// The seconds since 1970 of a time as it is stored.
fn seconds(stored: &str) -> i64 {
    let number = |from: usize, to: usize| stored[from..to].parse::<i64>().expect("a number");
    let clock = number(11, 13) * 3_600 + number(14, 16) * 60 + number(17, 19);
    days(number(0, 4), number(5, 7), number(8, 10)) * 86_400 + clock
}

/// The days from 1970-01-01 to a date, year by year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leaps = before / 4 - before / 100 + before / 400;
    let months = (1..month).map(|month| length(year, month)).sum::<i64>();
    // 719,162 days are in the years 1 to 1969.
    before * 365 + leaps + months + day - 1 - 719_162
}

fn length(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The moment that a text means, in seconds since 1970, and whether some of the next one is gone: the grammar of the
/// documentation, read by hand. `None` where it is no time.
fn moment(text: &str) -> Option<(i64, bool)> {
    let mut rest = text.trim();
    let mut take = |digits: usize, before: &[char]| {
        rest = match before {
            [] => rest,
            before => rest.strip_prefix(before)?,
        };
        let number = rest.get(..digits)?;
        let plain = number.bytes().all(|byte| byte.is_ascii_digit());
        rest = &rest[digits..];
        number.parse::<i64>().ok().filter(|_| plain)
    };
    let (year, month, day) = (take(4, &[])?, take(2, &['-'])?, take(2, &['-'])?);
    if year < 1 || !(1..=12).contains(&month) || !(1..=length(year, month)).contains(&day) {
        return None;
    }
    let midnight = days(year, month, day) * 86_400;
    if text.trim().len() == 10 {
        return Some((midnight, false));
    }
    let (hour, minute) = (take(2, &['T', 't', ' '])?, take(2, &[':'])?);
    let second = match text.trim().get(16..17) {
        Some(":") => Some(take(2, &[':'])?),
        _ => None,
    };
    if hour > 23 || minute > 59 || second > Some(60) {
        return None;
    }
    let mut fraction = false;
    if let (Some(_), Some(digits)) = (second, rest.strip_prefix('.')) {
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        if end == 0 {
            return None;
        }
        fraction = digits[..end].bytes().any(|digit| digit != b'0');
        rest = &digits[end..];
    }
    let offset = match rest.as_bytes() {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].into_iter().all(u8::is_ascii_digit) =>
        {
            let (hours, minutes) = (
                rest[1..3].parse::<i64>().ok()?,
                rest[4..6].parse::<i64>().ok()?,
            );
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -60 } else { 60 }
        }
        _ => return None,
    };
    // A leap second is the second before it.
    let clock = hour * 3_600 + minute * 60 + second.unwrap_or(0).min(59);
    let at = midnight + clock - offset;
    let years = days(1, 1, 1) * 86_400..days(10_000, 1, 1) * 86_400;
    years.contains(&at).then_some((at, fraction))
}

/// The words of the command line.
fn check_words(text: &str) {
    let before = seconds(&time::now());
    let words = time::point(text, &Zone::UTC, Tense::Past);
    if let Ok(given) = &words {
        let stored = time::parse(given).expect("a time");
        let (read, _) = moment(given).expect("a moment");
        assert_eq!(seconds(&stored), read);
        if let Some(distance) = distance(text.trim()) {
            let late = seconds(&time::now()) - before;
            assert!(
                (0..=late).contains(&(read - before - distance)),
                "{text} {given}"
            );
        }
    }
    let field = &ACTION.fields[ACTION.position("timestamp").expect("a field")];
    match input_from_text(field, text, &Zone::UTC) {
        Ok(Input::Text(pinned)) => assert!(moment(&pinned).is_some(), "{pinned}"),
        Ok(other) => panic!("{other:?}"),
        Err(expected) => {
            assert!(words.is_err() && time::parse(text).is_none());
            check_sentence(&expected);
        }
    }
}

/// The seconds of `+3d`.
fn distance(text: &str) -> Option<i64> {
    let unit = match text
        .trim_start_matches(['+', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    Some(number.parse::<i64>().ok()? * unit)
}

/// When a token expires: in the future, and within ten years.
fn check_expiry(text: &str) {
    let before = seconds(&time::now());
    match token::expiry(text, &Zone::UTC) {
        Ok(stored) => {
            assert!(is_stored_time(&stored));
            let life = seconds(&stored) - before;
            let late = seconds(&time::now()) - before;
            assert!(
                (1..=3_653 * 86_400 + late).contains(&life),
                "{text} {stored}"
            );
            match distance(text).filter(|_| !text.contains('n')) {
                Some(distance) => {
                    assert!((0..=late).contains(&(life - distance)), "{text} {stored}")
                }
                None => assert_eq!(Some(stored), time::parse(text)),
            }
        }
        Err(expected) => check_sentence(&expected),
    }
}

/// A filter takes what is a time, and times from now.
fn check_filter(text: &str) {
    let pairs = vec![("timestamp".to_string(), format!("eq:{text}"))];
    match Query::new(&ACTION, pairs) {
        Ok(query) => match &query.filters[0].test {
            Test::Compare(_, Operand::Range(range)) => match time::range(text) {
                Some(fixed) => assert_eq!(*range, fixed, "{text}"),
                // Times from now, such as -30d.
                None => assert!(range.start < range.end, "{text}"),
            },
            other => panic!("{other:?}"),
        },
        Err(error) => {
            assert!(time::parse(text).is_none() || text.contains('\0'), "{text}");
            check_refusal(&error);
        }
    }
}

/// The form in the names of files.
fn check_stamp(text: &str) {
    if let Some(at) = time::read_stamp(text) {
        let stored = time::stored(at).expect("a time");
        let plain: String = stored.chars().filter(char::is_ascii_digit).collect();
        let given: String = text.chars().filter(char::is_ascii_digit).collect();
        // Leap seconds, which the system does not count, are the second before.
        assert!(plain == given || given.ends_with("60"), "{text} {stored}");
    }
    let now = SystemTime::now();
    let stamp = time::read_stamp(&time::stamp()).expect("a moment");
    assert!(stamp <= SystemTime::now() && now < stamp + Duration::from_secs(1));
}
