//! The encoding of a text: given by name, or found by looking at its bytes.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::base::error::quoted;

/// Reads the name of an encoding: any label of the Encoding Standard, such as `utf-8`, `utf-16le` or `windows-1252`.
pub fn parse(name: &str) -> Result<&'static Encoding, String> {
    // The standard knows UTF-16 only with its byte order.
    let found = match name.to_ascii_lowercase().as_str() {
        "utf16" | "utf-16" => Some(UTF_16LE),
        "utf8" => Some(UTF_8),
        "latin-1" | "ansi" => Some(WINDOWS_1252),
        name => Encoding::for_label(name.as_bytes()),
    };
    found.ok_or_else(|| {
        format!(
            "expected the name of an encoding, such as utf-8, utf-16le, utf-16be or windows-1252, got {}",
            quoted(name)
        )
    })
}

/// The encoding that a byte order mark names, with the length of the mark.
pub fn of_mark(head: &[u8]) -> Option<(&'static Encoding, usize)> {
    Encoding::for_bom(head)
}

/// Whether bytes without a mark are UTF-16: most texts have ASCII in them, of which every second byte is zero.
pub fn looks_like_utf16(head: &[u8]) -> Option<&'static Encoding> {
    let pairs = (head.len() / 2).min(2048);
    if pairs == 0 {
        return None;
    }
    let zeros = |from: usize| {
        let bytes = head.iter().skip(from).step_by(2).take(pairs);
        bytes.filter(|byte| **byte == 0).count()
    };
    let (first, second) = (zeros(0), zeros(1));
    // A third of the letters: the line breaks, separators and digits of a text in another script.
    let is_most = |many: usize, few: usize| many * 3 >= pairs && few * 10 <= many;
    match () {
        () if is_most(second, first) => Some(UTF_16LE),
        () if is_most(first, second) => Some(UTF_16BE),
        () => None,
    }
}

/// How an encoding is named to a user.
pub fn name(encoding: &'static Encoding) -> &'static str {
    match encoding {
        found if found == WINDOWS_1252 => "Windows-1252",
        found => found.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        for (given, encoding) in [
            ("UTF-8", UTF_8),
            ("utf8", UTF_8),
            ("utf-16", UTF_16LE),
            ("utf-16be", UTF_16BE),
            ("latin1", WINDOWS_1252),
            ("ISO-8859-1", WINDOWS_1252),
            ("windows-1252", WINDOWS_1252),
        ] {
            assert_eq!(parse(given), Ok(encoding), "{given}");
        }
        assert!(parse("klingon").unwrap_err().contains("\"klingon\""));
    }

    #[test]
    fn utf16_shows_without_a_mark() {
        let bytes =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        assert_eq!(
            looks_like_utf16(&bytes("name;email\nÄda;a@b.de")),
            Some(UTF_16LE)
        );
        let swapped: Vec<u8> = "name;email"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(looks_like_utf16(&swapped), Some(UTF_16BE));
        for plain in ["name;email\n", "Ä", ""] {
            assert_eq!(looks_like_utf16(plain.as_bytes()), None);
        }
        assert_eq!(looks_like_utf16(&[0, 0, 0, 0]), None);
    }
}
