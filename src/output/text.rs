//! Text in a terminal: escaped, cut and wrapped.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// Escapes every character that would control the terminal, break the line or reorder it.
pub fn visible(text: &str) -> Cow<'_, str> {
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c,
                // The line separator, the paragraph separator, and the marks of the Unicode bidirectional algorithm
                // (UAX 9, section 2): overrides, embeddings, isolates, implicit marks.
                '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
                | '\u{200e}' | '\u{200f}' | '\u{61c}')
    };
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_unsafe(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// The longest start of a text that is at most `width` columns wide. It has at least one character.
///
/// A start is measured as a whole, because the width of a sequence of emoji is not the sum of its parts.
fn start(text: &str, width: usize) -> &str {
    // Plain ASCII is the common case: it has as many columns as bytes.
    let plain = text.bytes().take_while(|byte| matches!(byte, b' '..=b'~'));
    match plain.take(width + 1).count() {
        plain if plain > width => return &text[..width.max(1)],
        plain if plain == text.len() => return text,
        _ => {}
    }
    // Combining marks have no width, so their number needs a bound. Real text stays below this one.
    let most = width * 16 + 64;
    let mut best = text.chars().next().map_or(0, char::len_utf8);
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let wide = text[..end].width();
        // A joiner that follows may still merge two emoji into one, which is narrower.
        if end > most || wide > width + 4 {
            break;
        }
        if wide <= width {
            best = end;
        }
    }
    &text[..best]
}

/// Cuts a text that is wider than `width`, and ends it with `…`.
pub fn cut(text: String, width: usize) -> String {
    if text.width() <= width {
        return text;
    }
    match width {
        0 => String::new(),
        1 => "…".into(),
        // A wide character does not fit if only one column is left.
        _ => {
            let start = start(&text, width - 1).trim_end_matches([' ', '\u{200d}']);
            match start.width() < width {
                true => format!("{start}…"),
                false => "…".into(),
            }
        }
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
    fn a_cut_goes_between_characters() {
        let cut = |text: &str, width| cut(text.to_string(), width);
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("abcd", 1), "…");
        assert_eq!(cut("2026-01-31 09:30:00", 12), "2026-01-31…");
        assert_eq!(cut("陳大文", 5), "陳大…");
        assert_eq!(cut("陳大文", 4), "陳…");
        assert_eq!(cut("陳大文", 2), "…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        // A family is one emoji of five code points.
        let family = "👩\u{200d}👩\u{200d}👧";
        assert_eq!(cut(&family.repeat(3), 5), format!("{}…", family.repeat(2)));
        assert_eq!(cut("abc👩\u{200d}", 4), "abc…");
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
