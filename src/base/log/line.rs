//! Formats the lines of the log: their time and their texts, with characters escaped that would break a line.

use std::io::Write;
use std::time::SystemTime;

use crate::base::text::disturbs;
use crate::base::time;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Time, level, message.
    Text,
    /// One JSON object per line.
    Json,
}

/// The buffers that a thread keeps from one line to the next.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) line: Vec<u8>,
    pub(super) clock: LineClock,
}

/// Writes times, and remembers the text of the last second.
#[derive(Default)]
pub(super) struct LineClock {
    second: i64,
    shown: Vec<u8>,
}

impl LineClock {
    /// Writes a time in UTC as in RFC 3339, with `digits` digits after the second, at most 9.
    pub(super) fn write(&mut self, at: SystemTime, digits: usize, line: &mut Vec<u8>) {
        // A clock that was never set may be before 1970.
        let (second, mut nanos) = match at.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => (since.as_secs() as i64, since.subsec_nanos()),
            Err(before) => {
                let before = before.duration();
                let part = u32::from(before.subsec_nanos() > 0);
                let nanos = part * 1_000_000_000 - before.subsec_nanos();
                (-(before.as_secs() as i64) - i64::from(part), nanos)
            }
        };
        if self.second != second || self.shown.is_empty() {
            self.second = second;
            self.shown = time::nearest(at).replace(' ', "T").into();
        }
        line.extend_from_slice(&self.shown);
        line.push(b'.');
        let mut fraction = [b'0'; 9];
        for digit in fraction.iter_mut().rev() {
            *digit = b'0' + (nanos % 10) as u8;
            nanos /= 10;
        }
        line.extend_from_slice(&fraction[..digits]);
        line.push(b'Z');
    }
}

/// Adds a text to a line of text. Characters that would end the line, move the cursor or change the direction of writing
/// are escaped.
pub fn plain(line: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return line.extend_from_slice(text.as_bytes());
    }
    for c in text.chars() {
        let written = match disturbs(c) {
            true => write!(line, "{}", c.escape_default()),
            false => write!(line, "{c}"),
        };
        // Writing to memory does not fail.
        let _ = written;
    }
}

/// Adds a text to a JSON object, after a comma. `name` must not need escapes.
pub fn member(line: &mut Vec<u8>, name: &str, text: &str) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
    if text.is_ascii() {
        let _ = serde_json::to_writer(line, text);
        return;
    }
    // The log of a service may be shown at a terminal. JSON itself needs no escape for U+009B or U+202E.
    let json = serde_json::to_string(text).unwrap_or_default();
    for c in json.chars() {
        let written = match disturbs(c) {
            true => write!(line, "\\u{:04x}", u32::from(c)),
            false => write!(line, "{c}"),
        };
        let _ = written;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_text_controls_a_terminal() {
        let text = "a\u{1b}[2J\u{9b}2J\u{202e}b\u{61c}\"é\n";
        let mut line = Vec::new();
        plain(&mut line, text);
        let shown = String::from_utf8(line).unwrap();
        assert!(!shown.contains(disturbs) && shown.contains('é'), "{shown}");
        let mut line = Vec::new();
        member(&mut line, "text", text);
        let shown = String::from_utf8(line).unwrap();
        assert!(!shown.contains(disturbs), "{shown}");
        let object: serde_json::Value =
            serde_json::from_str(&format!("{{{}}}", &shown[1..])).unwrap();
        assert_eq!(object["text"], text);
    }

    #[test]
    fn times_follow_the_clock() {
        let mut clock = LineClock::default();
        for (second, nanos, shown) in [
            (0, 0, "1970-01-01T00:00:00.000Z"),
            (0, 999_999_999, "1970-01-01T00:00:00.999Z"),
            (1_767_225_599, 1_000_000, "2025-12-31T23:59:59.001Z"),
            (1_767_225_600, 0, "2026-01-01T00:00:00.000Z"),
        ] {
            let mut line = Vec::new();
            let at = SystemTime::UNIX_EPOCH + Duration::new(second, nanos);
            clock.write(at, 3, &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), shown);
        }
        for (second, shown) in [
            (253_402_300_800, "9999-12-30T22:00:00.000Z"),
            (1 << 42, "9999-12-30T22:00:00.000Z"),
        ] {
            let mut line = Vec::new();
            clock.write(
                SystemTime::UNIX_EPOCH + Duration::new(second, 0),
                3,
                &mut line,
            );
            assert_eq!(String::from_utf8(line).unwrap(), shown);
        }
        for (second, nanos, shown) in [
            (0, 1_000_000, "1969-12-31T23:59:59.999Z"),
            (1, 0, "1969-12-31T23:59:59.000Z"),
            (1, 250_000_000, "1969-12-31T23:59:58.750Z"),
        ] {
            let mut line = Vec::new();
            let at = SystemTime::UNIX_EPOCH - Duration::new(second, nanos);
            clock.write(at, 3, &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), shown);
        }
    }
}
