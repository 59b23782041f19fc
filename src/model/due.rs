//! How urgent a follow-up is: overdue, today, soon, scheduled or unscheduled.
//!
//! The word follows from the time of the follow-up, the current time and a time zone, so it is stored nowhere. A list fixes
//! the current time when it begins: all of its pages' records are told apart at the same moment.
//!
//! A follow-up is overdue when its time has come. One at midnight has no time of day, as a date alone is midnight. It is due
//! all day long, and overdue from the next day on. The days are those of the zone.

use crate::base::error::quoted;
use crate::base::time::{self, AFTER_ALL, Range, Zone, day_start, second_after};

/// How urgent a follow-up is, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Its time has come.
    Overdue,
    /// Later today, or today without a time of day.
    Today,
    /// Within the seven days after today.
    Soon,
    /// Later.
    Scheduled,
    /// It has no date.
    Unscheduled,
}

/// Before the first time that has a stored form, and after an empty text.
const FIRST: &str = "0";

/// How many days after today are [`Due::Soon`].
pub const SOON: i64 = 7;

impl Due {
    /// All of them, the most urgent first.
    pub const ALL: [Due; 5] = [
        Due::Overdue,
        Due::Today,
        Due::Soon,
        Due::Scheduled,
        Due::Unscheduled,
    ];

    /// The words, in the order of [`Due::ALL`].
    pub const WORDS: [&'static str; 5] = ["overdue", "today", "soon", "scheduled", "unscheduled"];

    /// The word.
    pub fn word(self) -> &'static str {
        Due::WORDS[self as usize]
    }

    /// Reads a word. The error says what was expected.
    pub fn parse(word: &str) -> Result<Due, String> {
        let known = Due::ALL.into_iter().find(|due| due.word() == word);
        known.ok_or_else(|| {
            let [others @ .., last] = Due::WORDS;
            let others = others.join(", ");
            format!("expected {others} or {last}, got {}", quoted(word))
        })
    }
}

/// The moment at which follow-ups are told apart, in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Spans of time one after the other, each with its first second that is after it.
    spans: Vec<(String, Due)>,
}

impl Moment {
    /// Now in this zone.
    pub fn now(zone: &Zone) -> Moment {
        Moment::at(&time::now(), zone)
    }

    /// A time in the stored form, in this zone.
    pub fn at(now: &str, zone: &Zone) -> Moment {
        let today = day_start(now, zone, 0);
        let all_day = second_after(&today);
        let come = second_after(now);
        let mut spans = vec![(today, Due::Overdue), (all_day.clone(), Due::Today)];
        if come > all_day {
            spans.push((come, Due::Overdue));
        }
        spans.push((day_start(now, zone, 1), Due::Today));
        spans.push((day_start(now, zone, 1 + SOON), Due::Soon));
        spans.push((AFTER_ALL.into(), Due::Scheduled));
        Moment { spans }
    }

    /// How urgent a follow-up at this time is. `None` is one without a date.
    pub fn of(&self, time: Option<&str>) -> Due {
        // An old database or another program may have an empty text.
        let Some(time) = time.filter(|time| !time.is_empty()) else {
            return Due::Unscheduled;
        };
        let span = self.spans.iter().find(|(end, _)| time < end.as_str());
        span.map_or(Due::Scheduled, |(_, due)| *due)
    }

    /// The spans of time of follow-ups that are one of these, in order and without gaps between two that follow one another.
    /// Those without a date have none.
    pub fn spans(&self, wanted: &[Due]) -> Vec<Range> {
        let mut found: Vec<Range> = Vec::new();
        let mut start = FIRST;
        for (end, due) in &self.spans {
            if wanted.contains(due) && start < end.as_str() {
                match found.last_mut() {
                    Some(last) if last.end == start => last.end.clone_from(end),
                    _ => found.push(Range {
                        start: start.into(),
                        end: end.clone(),
                    }),
                }
            }
            start = end;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_of_the_zone() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        // Twenty past one at night in Berlin, the day before in UTC.
        let now = "2026-07-01 23:20:00";
        let cases = [
            ("2026-06-30 21:00:00", Due::Overdue, Due::Overdue),
            // Midnight of the current day in Berlin.
            ("2026-07-01 22:00:00", Due::Overdue, Due::Today),
            ("2026-07-01 22:00:01", Due::Overdue, Due::Overdue),
            ("2026-07-01 00:00:00", Due::Today, Due::Overdue),
            ("2026-07-01 23:20:00", Due::Overdue, Due::Overdue),
            ("2026-07-01 23:20:01", Due::Today, Due::Today),
            ("2026-07-02 00:00:00", Due::Soon, Due::Today),
            ("2026-07-02 21:59:59", Due::Soon, Due::Today),
            ("2026-07-02 22:00:00", Due::Soon, Due::Soon),
            ("2026-07-08 23:59:59", Due::Soon, Due::Soon),
            ("2026-07-09 00:00:00", Due::Scheduled, Due::Soon),
            ("2026-07-09 21:59:59", Due::Scheduled, Due::Soon),
            ("2026-07-09 22:00:00", Due::Scheduled, Due::Scheduled),
        ];
        let utc = Moment::at(now, &Zone::UTC);
        let berlin = Moment::at(now, &berlin);
        for (time, in_utc, in_berlin) in cases {
            assert_eq!(utc.of(Some(time)), in_utc, "{time} in UTC");
            assert_eq!(berlin.of(Some(time)), in_berlin, "{time} in Berlin");
        }
        assert_eq!(utc.of(None), Due::Unscheduled);
    }

    #[test]
    fn spans_have_the_times_that_are_told_apart() {
        for now in ["2026-07-01 23:20:00", "2026-07-01 00:00:00"] {
            let moment = Moment::at(now, &Zone::UTC);
            for wanted in [
                &[Due::Overdue][..],
                &[Due::Today],
                &[Due::Soon, Due::Overdue],
                &[Due::Overdue, Due::Today],
                &[Due::Scheduled],
                &Due::ALL,
                &[Due::Unscheduled],
            ] {
                let spans = moment.spans(wanted);
                for time in [
                    "0001-01-01 00:00:00",
                    "2026-06-30 23:59:59",
                    "2026-07-01 00:00:00",
                    "2026-07-01 00:00:01",
                    "2026-07-01 23:20:00",
                    "2026-07-01 23:20:01",
                    "2026-07-02 00:00:00",
                    "2026-07-08 23:59:59",
                    "2026-07-09 00:00:00",
                    "9999-12-31 23:59:59",
                ] {
                    let is_in =
                        |range: &Range| time >= range.start.as_str() && time < range.end.as_str();
                    let is_wanted = wanted.contains(&moment.of(Some(time)));
                    assert_eq!(
                        spans.iter().any(is_in),
                        is_wanted,
                        "{time} {now} {wanted:?}"
                    );
                }
            }
            assert_eq!(moment.spans(&[Due::Overdue, Due::Today]).len(), 1);
        }
    }

    #[test]
    fn a_day_that_the_clock_makes_shorter_ends_at_its_own_midnight() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let moment = Moment::at("2026-03-28 23:30:00", &berlin);
        assert_eq!(moment.of(Some("2026-03-29 21:59:59")), Due::Today);
        assert_eq!(moment.of(Some("2026-03-29 22:00:00")), Due::Soon);
        assert_eq!(moment.of(Some("2026-04-05 21:59:59")), Due::Soon);
        assert_eq!(moment.of(Some("2026-04-05 22:00:00")), Due::Scheduled);
    }

    #[test]
    fn a_word_that_is_not_known_is_refused_with_all_words() {
        assert_eq!(Due::parse("soon"), Ok(Due::Soon));
        assert_eq!(
            Due::parse("later"),
            Err("expected overdue, today, soon, scheduled or unscheduled, got \"later\"".into())
        );
    }
}
