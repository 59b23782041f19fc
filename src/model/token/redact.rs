//! Cuts tokens short in texts for logs and messages, so that no log or message shows a whole token.

use std::borrow::Cow;

use super::secret::{LENGTH, PREFIX, SHOWN};

/// A text in which everything that looks like a token or a part of one is cut short.
pub fn redacted(text: &str) -> Cow<'_, str> {
    cut(text, SHOWN, 0)
}

/// A text for logs: as [`redacted`], but a short word in small letters, such as `crm_tokens`, is a name. Few parts of a token
/// have small letters alone, and half of a token or more is always cut short.
pub fn logged(text: &str) -> Cow<'_, str> {
    cut(text, SHOWN, LENGTH / 2)
}

/// A text for messages that repeat a user's own words: only what is longer than half a token is cut short. Anything shorter
/// is a name.
pub fn hidden(text: &str) -> Cow<'_, str> {
    cut(text, LENGTH / 2, 0)
}

/// Cuts short what looks like a token with more than `most` letters, even if some of them are percent-encoded (`%41`). A word
/// in small letters may have `longest_word`.
fn cut(text: &str, most: usize, longest_word: usize) -> Cow<'_, str> {
    if !text.contains(PREFIX) && !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let (mut shown, mut done, mut at) = (String::new(), 0, 0);
    while at < text.len() {
        let Some(begin) = after(text, at, PREFIX.bytes()) else {
            at += 1;
            continue;
        };
        let (mut end, mut letters, mut kept, mut is_word) = (begin, 0, begin, true);
        while let Some((letter, next)) = read(text, end)
            && letter.is_ascii_alphanumeric()
            && after(text, end, PREFIX.bytes()).is_none()
        {
            // Letters of a name are written as they are.
            is_word &= letter.is_ascii_lowercase() && next == end + 1;
            end = next;
            letters += 1;
            if letters <= SHOWN {
                kept = end;
            }
        }
        let is_name = is_word && letters <= longest_word;
        if letters > most && !is_name {
            shown.push_str(&text[done..kept]);
            shown.push('…');
            done = end;
        }
        at = end.max(begin);
    }
    match done {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(shown + &text[done..]),
    }
}

/// Where these letters end, if they stand at `at`.
fn after(text: &str, at: usize, letters: impl Iterator<Item = u8>) -> Option<usize> {
    let mut at = at;
    for letter in letters {
        let (found, next) = read(text, at)?;
        if found != letter {
            return None;
        }
        at = next;
    }
    Some(at)
}

/// A letter of a URL, and where the next one begins. It may be plain, encoded (`%41`), or encoded more than once (`%2541`).
fn read(text: &str, at: usize) -> Option<(u8, usize)> {
    let bytes = text.as_bytes();
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    let (mut byte, mut next) = (*bytes.get(at)?, at + 1);
    while byte == b'%'
        && let (Some(high), Some(low)) = (digit(next), digit(next + 1))
    {
        byte = (high << 4 | low) as u8;
        next += 2;
    }
    Some((byte, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::secret::Secret;

    #[test]
    fn what_looks_like_a_token_is_cut_short() {
        let secret = Secret::new().unwrap();
        let text = format!("/leads/{0}?a={0}&crm_x", secret.text());
        let start = secret.start();
        assert_eq!(redacted(&text), format!("/leads/{start}…?a={start}…&crm_x"));
        assert_eq!(redacted("/leads/1"), "/leads/1");
        for written in [
            "crm%5F",
            "%63rm_",
            "crm_%41",
            "CRM%5f%63%72%6d_",
            "%2563rm%25255F",
        ] {
            let letters = &secret.text()[4..];
            let path = format!("/leads/a%20b{written}{letters}/ä%");
            for shown in [redacted(&path), logged(&path), hidden(&path)] {
                assert!(!shown.contains(&letters[8..]), "{shown}");
                assert!(
                    shown.starts_with("/leads/a%20b") && shown.ends_with("…/ä%"),
                    "{shown}"
                );
            }
        }
        let twice = format!("crm_{}{}", secret.text(), secret.text());
        assert_eq!(redacted(&twice), format!("crm_{start}…{start}…"));
        let plain = "/leads/a%20b%crm_a%ff%5";
        assert_eq!(redacted(plain), plain);
        assert_eq!(hidden(&text), format!("/leads/{start}…?a={start}…&crm_x"));
        assert_eq!(hidden("crm_customers.db"), "crm_customers.db");
        for name in [
            "no such table: crm_tokens",
            "crm_http_requests_total",
            "crm_connections",
            "/srv/crm_customers.db",
        ] {
            assert_eq!(logged(name), name);
        }
        assert_eq!(logged(&text), redacted(&text));
        assert_eq!(redacted("crm_tokens"), "crm_toke…");
        for part in [
            "crm_tokenS",
            "crm_toke1",
            "crm_abcdefghijklmnopq",
            "crm_abcd%65",
        ] {
            assert!(logged(part).ends_with('…'), "{part}");
        }
    }
}
