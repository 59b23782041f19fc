//! Text in a terminal: escaped, cut and wrapped.

use std::borrow::Cow;

use crate::base::text::disturbs;
pub use crate::base::width::cut;
use crate::base::width::start;
use crate::config::Format;
use crate::output::terminal::Terminal;

/// Escapes every character that would control the terminal, break the line or reorder it.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, disturbs)
}

/// Escapes like [`visible`], but keeps line feeds, which a quoted cell of CSV may have.
pub(super) fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && disturbs(c))
}

fn escaped(text: &str, is_unsafe: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match disturbs(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Escapes the same characters in a JSON text, so that it stays the same JSON: `\u009b`. Between its tokens a JSON text has
/// only ASCII, so all other characters are in strings. Line feeds stay. A carriage return or a tab cannot be in a string
/// as it is, so it is between tokens, where a blank has the same meaning.
pub fn visible_json(text: &str) -> Cow<'_, str> {
    let is_unsafe = |c: char| c != '\n' && disturbs(c);
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\r' | '\t' => shown.push(' '),
            // All of them are in the basic plane.
            c if is_unsafe(c) => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// A line of output for a terminal in this format, or the same bytes if it is not for a terminal.
pub(super) fn for_terminal(format: Format, terminal: Terminal, bytes: &mut Vec<u8>) {
    if terminal.width.is_none() {
        return;
    }
    let text = String::from_utf8_lossy(bytes);
    let shown = match format {
        Format::Json | Format::Ndjson => visible_json(&text),
        Format::Csv | Format::Id => visible_lines(&text),
        // The cells of a table are escaped one by one, because tables have bold text.
        Format::Table => return,
    };
    if let Cow::Owned(shown) = shown {
        *bytes = shown.into_bytes();
    }
}

/// Breaks a text into lines of at most `width` columns. A line ends after its last blank if that is in the second half of
/// the line.
pub(super) fn wrapped(mut text: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    loop {
        let line = start(text, width);
        if line.len() == text.len() {
            lines.push(line);
            return lines;
        }
        let blank = line.rfind(' ').filter(|at| *at >= line.len() / 2);
        let end = blank.map_or(line.len(), |at| at + 1);
        lines.push(&text[..end]);
        text = &text[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_for_a_terminal_is_the_same_json() {
        let value = serde_json::json!({"a\u{9b}": "x\u{202e}y\u{2028}\u{7f}\n\u{1b}é東"});
        let raw = format!("\t{value}\r\n");
        let shown = visible_json(&raw);
        assert!(!shown.trim_end().contains(disturbs), "{shown}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
        assert!(matches!(visible_json("{\"a\":\"é\"}\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn text_without_a_width_of_its_own_is_wrapped_whole() {
        let marks = format!("e{}", "\u{301}".repeat(20_000));
        let lines = wrapped(&marks, 20);
        assert!(lines.len() > 100);
        assert_eq!(lines.concat(), marks);
        let joiners = "\u{200d}".repeat(1000);
        assert_eq!(wrapped(&joiners, 20).concat(), joiners);
    }
}
