//! Texts cut to a number of columns.
//!
//! A text for people has a width, which is neither the number of its bytes nor that of its characters: a Chinese letter is two
//! columns wide, a mark on a letter none. A cut never goes through a character.

use unicode_width::UnicodeWidthStr;

/// The longest start of a text that is at most `width` columns wide. It has at least one character.
///
/// A start is measured as a whole, because the width of a sequence of emoji is not the sum of its parts.
pub fn start(text: &str, width: usize) -> &str {
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

#[cfg(test)]
mod tests {
    use super::cut as cut_text;

    #[test]
    fn a_cut_goes_between_characters() {
        let cut = |text: &str, width| cut_text(text.to_string(), width);
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
}
