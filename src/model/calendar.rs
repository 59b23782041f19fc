//! Follow-ups as a calendar that calendar apps subscribe to: iCalendar, RFC 5545.
//!
//! The same follow-ups make the same text, so that an app can ask whether it has changed. So every time in it is one of the
//! records and none is that of the request. Text of users is escaped, and lines are folded at 75 octets without cutting a
//! letter.
//!
//! This is code of crm's own because it is little. The crates for iCalendar build on a second library for times, and give
//! each event a random UID and the time of the request.

use crate::base::time;
use crate::model::phone::{attribute, phone};

/// The media type of a calendar.
pub const MEDIA: &str = "text/calendar; charset=utf-8";

/// The name of the calendar.
const NAME: &str = "Follow-ups";

/// How often an app should look for changes.
const REFRESH: &str = "PT15M";

/// How long a follow-up takes in the calendar, in seconds.
const LENGTH: u64 = 15 * 60;

/// The longest text of a property, in characters. Some apps refuse a calendar with a long one.
const LONGEST: usize = 1_000;

/// The most octets of a line, without its end.
const LINE: usize = 75;

/// Versions from here on do not count up from 1. `SEQUENCE` has 31 bits.
const HALF: i64 = 1 << 30;

/// The names of attributes that hold the address of a page, in any case, the best first.
const PAGES: [&str; 3] = ["url", "website", "homepage"];

/// A follow-up in the calendar. All times are in the stored form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalendarEvent {
    /// The id of the process.
    pub process: i64,
    /// When the process was made.
    pub created_at: String,
    /// The version of the process.
    pub version: i64,
    /// When the follow-up is due.
    pub due: String,
    /// Whether it is due on a day, without a time of day.
    pub is_day: bool,
    /// The name of the process.
    pub name: String,
    /// The name of the lead.
    pub lead_name: Option<String>,
    /// The address of the lead.
    pub lead_email: Option<String>,
    /// The attributes of the lead, JSON.
    pub attributes: Option<String>,
    /// The type of the last action, when it was as people read it, and what was noted.
    pub last: Option<(String, String, Option<String>)>,
    /// When the newest of these records was changed.
    pub changed_at: String,
}

/// Writes a calendar.
pub fn calendar(events: &[CalendarEvent]) -> String {
    let mut out = Lines(String::with_capacity(512 + events.len() * 512));
    out.line("BEGIN", "VCALENDAR");
    out.line("VERSION", "2.0");
    out.line("PRODID", "-//crm//crm//EN");
    out.line("CALSCALE", "GREGORIAN");
    out.line("METHOD", "PUBLISH");
    out.text("NAME", NAME);
    out.text("X-WR-CALNAME", NAME);
    out.line("REFRESH-INTERVAL;VALUE=DURATION", REFRESH);
    out.line("X-PUBLISHED-TTL", REFRESH);
    for event in events {
        // Another program may have written something that is no time.
        if let (Some(begin), Some(end)) = (utc(&event.due, 0), utc(&event.due, LENGTH)) {
            out.event(event, &begin, &end);
        }
    }
    out.line("END", "VCALENDAR");
    out.0
}

/// A time in the form of iCalendar, some seconds later. `None` if the text is not in the stored form.
fn utc(stored: &str, later: u64) -> Option<String> {
    let at = time::read_stored(stored)? + std::time::Duration::from_secs(later);
    let digits: String = time::stored(at)?
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    Some(format!("{}T{}Z", digits.get(..8)?, digits.get(8..)?))
}

/// The number of a revision. It goes up with the version, and never beyond what an app can read.
fn sequence(version: i64) -> i64 {
    match version {
        ..0 => 0,
        0..HALF => version,
        // A record that was restored begins with a large random version.
        _ => HALF + version % HALF,
    }
}

/// A text of a user that is an address of a page.
fn page(text: String) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let is_page = lower.starts_with("https://") || lower.starts_with("http://");
    let is_plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\');
    (is_page && text.len() <= LONGEST && text.bytes().all(is_plain)).then_some(text)
}

/// The lines of a calendar.
struct Lines(String);

impl Lines {
    fn event(&mut self, event: &CalendarEvent, begin: &str, end: &str) {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let email = given(&event.lead_email);
        let summary = match given(&event.lead_name).or_else(|| email.clone()) {
            Some(lead) => format!("{lead}: {}", event.name),
            None => event.name.clone(),
        };
        let attributes = event.attributes.as_deref().unwrap_or_default();
        let mut about: Vec<String> = email.into_iter().collect();
        about.extend(phone(attributes).map(|phone| format!("Phone: {phone}")));
        if let Some((kind, at, note)) = &event.last {
            about.push(match given(note) {
                Some(note) => format!("Last: {kind}, {at}: {note}"),
                None => format!("Last: {kind}, {at}"),
            });
        }
        // Ids are unique in one database, and the time tells databases apart. A copy of a database has the same.
        let made = utc(&event.created_at, 0).unwrap_or_default();
        let changed = utc(&event.changed_at, 0).unwrap_or_else(|| begin.into());
        self.line("BEGIN", "VEVENT");
        self.line("UID", &format!("process-{}-{made}@crm", event.process));
        self.line("DTSTAMP", &changed);
        self.line("LAST-MODIFIED", &changed);
        self.line("SEQUENCE", &sequence(event.version).to_string());
        self.line("DTSTART", begin);
        self.line("DTEND", end);
        self.text("SUMMARY", &summary);
        if !about.is_empty() {
            self.text("DESCRIPTION", &about.join("\n"));
        }
        if let Some(url) = attribute(attributes, &PAGES).and_then(page) {
            self.line("URL", &url);
        }
        // It is no appointment that makes somebody busy.
        self.line("TRANSP", "TRANSPARENT");
        self.line("BEGIN", "VALARM");
        self.line("ACTION", "DISPLAY");
        // A date alone is midnight, when nobody wants to be woken.
        self.line("TRIGGER", if event.is_day { "PT9H" } else { "PT0S" });
        self.text("DESCRIPTION", &summary);
        self.line("END", "VALARM");
        self.line("END", "VEVENT");
    }

    /// A property whose value is a text of a user (RFC 5545, section 3.3.11).
    fn text(&mut self, name: &str, text: &str) {
        let text = text.replace("\r\n", "\n");
        let mut escaped = String::with_capacity(text.len() + 8);
        for letter in text.chars().take(LONGEST) {
            match letter {
                '\\' | ';' | ',' => escaped.extend(['\\', letter]),
                '\n' | '\r' => escaped.push_str("\\n"),
                '\t' => escaped.push('\t'),
                // No other control character may be in a calendar.
                letter if letter.is_control() => escaped.push(' '),
                letter => escaped.push(letter),
            }
        }
        if text.chars().nth(LONGEST).is_some() {
            escaped.push('…');
        }
        self.line(name, &escaped);
    }

    /// A property, folded (RFC 5545, section 3.1).
    fn line(&mut self, name: &str, value: &str) {
        let mut used = 0;
        for letter in name.chars().chain([':']).chain(value.chars()) {
            if used + letter.len_utf8() > LINE {
                self.0.push_str("\r\n ");
                used = 1;
            }
            self.0.push(letter);
            used += letter.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> CalendarEvent {
        CalendarEvent {
            process: 4,
            created_at: "2026-01-31 09:30:00".into(),
            version: 3,
            due: "2026-02-07 23:50:00".into(),
            is_day: false,
            name: "Send the quote".into(),
            lead_name: Some("Ada Lovelace".into()),
            lead_email: Some("ada@example.com".into()),
            attributes: Some(
                r#"{"Phone": "+44 1", "website": "https://ada.example/?a=1;b"}"#.into(),
            ),
            last: Some((
                "call".into(),
                "2026-02-01".into(),
                Some("Asked; for a, quote\\".into()),
            )),
            changed_at: "2026-02-01 10:00:00".into(),
        }
    }

    /// The lines as an app reads them.
    fn unfolded(text: &str) -> Vec<String> {
        let whole = text.replace("\r\n ", "");
        whole.split_terminator("\r\n").map(String::from).collect()
    }

    #[test]
    fn a_follow_up_is_an_event() {
        let text = calendar(&[event()]);
        assert!(text.ends_with("END:VCALENDAR\r\n"));
        let lines = unfolded(&text);
        for line in [
            "UID:process-4-20260131T093000Z@crm",
            "DTSTAMP:20260201T100000Z",
            "SEQUENCE:3",
            "DTSTART:20260207T235000Z",
            "DTEND:20260208T000500Z",
            "SUMMARY:Ada Lovelace: Send the quote",
            r"DESCRIPTION:ada@example.com\nPhone: +44 1\nLast: call\, 2026-02-01: Asked\; for a\, quote\\",
            "URL:https://ada.example/?a=1;b",
            "BEGIN:VALARM",
            "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
        ] {
            assert!(lines.iter().any(|one| one == line), "{line}\n{text}");
        }
        assert_eq!(text, calendar(&[event()]));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let bare = CalendarEvent {
            due: "2026-02-07 09:00:00".into(),
            name: "Alone".into(),
            attributes: Some(r#"{"url": "javascript:alert(1)", "phone": ["1"]}"#.into()),
            ..CalendarEvent::default()
        };
        let no_time = CalendarEvent {
            due: "soon".into(),
            ..bare.clone()
        };
        let day = CalendarEvent {
            is_day: true,
            ..bare.clone()
        };
        assert!(calendar(std::slice::from_ref(&bare)).contains("TRIGGER:PT0S\r\n"));
        assert!(calendar(&[day]).contains("TRIGGER:PT9H\r\n"));
        let text = calendar(&[bare, no_time]);
        assert!(text.contains("SUMMARY:Alone\r\n"), "{text}");
        assert!(!text.contains("URL") && !text.contains("soon"), "{text}");
        assert_eq!(text.matches("BEGIN:VEVENT").count(), 1);
        assert_eq!(text.matches("DESCRIPTION").count(), 1);
    }

    #[test]
    fn lines_are_folded_by_octets_and_letters_stay_whole() {
        for letter in ["a", "ß", "€", "😀", ",", "\n", "\r\n", "\u{0}", "\u{85}"] {
            for length in [1, 17, 66, 67, 68, 200, 2_000] {
                let text = calendar(&[CalendarEvent {
                    name: format!("x{}", letter.repeat(length)),
                    ..event()
                }]);
                for line in text.split_terminator("\r\n") {
                    assert!(line.len() <= LINE, "{line}");
                    assert!(!line.chars().any(char::is_control), "{line:?}");
                }
                let lines = unfolded(&text);
                let summary = lines.iter().find(|line| line.starts_with("SUMMARY:"));
                let escaped = match letter {
                    "," => r"\,",
                    "\n" | "\r\n" => r"\n",
                    letter if letter.chars().any(char::is_control) => " ",
                    letter => letter,
                };
                let shown = escaped.repeat(length.min(LONGEST - 15));
                let begin = format!("SUMMARY:Ada Lovelace: x{shown}");
                assert!(summary.unwrap().starts_with(&begin), "{letter:?} {length}");
            }
        }
    }

    #[test]
    fn a_revision_goes_up_and_fits() {
        let versions = [0, 1, 2, HALF - 1, HALF, HALF + 1, (1 << 33) + 7, i64::MAX];
        let found: Vec<i64> = versions.map(sequence).to_vec();
        assert_eq!(found[..6], [0, 1, 2, HALF - 1, HALF, HALF + 1]);
        assert!(found.iter().all(|one| (0..1 << 31).contains(one)));
        assert_eq!(sequence(-1), 0);
    }
}
