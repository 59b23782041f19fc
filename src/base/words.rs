//! The words of a text, for search: the same for every database, because crm itself divides and folds them.
//!
//! A word is a run of letters and digits. It is folded: without case and without marks, and with the letters that people
//! type instead of a special one, such as `ss` for `ß`. So `strasse` finds `Straße`, and `muller` finds `Müller`. A word
//! with an apostrophe is also found by its parts, `brien` for `O'Brien`. Chinese and Japanese are written without spaces,
//! so there each character is a word.

use std::ops::Range;

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextWord {
    /// The word without case and marks.
    pub folded: String,
    /// Where it stands in the text, in bytes.
    pub at: Range<usize>,
}

/// What is wanted of the words with an apostrophe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Apostrophes {
    /// The whole word and its parts.
    Both,
    /// Only the whole word.
    Whole,
}

/// The words of a text that is searched, in their order.
pub fn words(text: &str) -> Vec<TextWord> {
    divided(text, Apostrophes::Both)
}

/// The words that are searched for, each once.
pub fn wanted(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in divided(text, Apostrophes::Whole) {
        if !all.contains(&word.folded) {
            all.push(word.folded);
        }
    }
    all
}

/// Where the words of a text stand that begin with one of the wanted words: what is marked. The places are in order, and do
/// not overlap.
pub fn marks(text: &str, wanted: &[String]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for word in words(text) {
        let Some(wanted) = wanted
            .iter()
            .filter(|wanted| word.folded.starts_with(wanted.as_str()))
            .max_by_key(|wanted| wanted.len())
        else {
            continue;
        };
        let place = word.at.start..end_of(text, &word.at, wanted.len());
        match found.last_mut() {
            Some(last) if place.start < last.end => last.end = last.end.max(place.end),
            _ => found.push(place),
        }
    }
    found
}

/// Whether words of a JSON text may begin with all of these folded words. It looks at the letters alone, which is several times
/// faster than to divide the texts, and may say yes too often.
pub fn may_have(json: &str, wanted: &[String]) -> bool {
    if json.contains("\\u") {
        // A letter may be written by its number.
        return true;
    }
    let mut letters = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_alphanumeric() {
            fold(letter, &mut letters);
        } else if !is_apostrophe(letter) && !is_mark(letter) {
            letters.push(' ');
        }
    }
    wanted.iter().all(|word| letters.contains(word.as_str()))
}

/// Where the part of a word ends whose folded form has this many bytes.
fn end_of(text: &str, word: &Range<usize>, folded: usize) -> usize {
    let mut length = 0;
    let mut end = word.start;
    let mut buffer = String::new();
    for (at, letter) in text[word.clone()].char_indices() {
        buffer.clear();
        fold(letter, &mut buffer);
        // Marks after the last letter belong to it.
        if length >= folded && !buffer.is_empty() {
            break;
        }
        length += buffer.len();
        end = word.start + at + letter.len_utf8();
    }
    end
}

fn divided(text: &str, apostrophes: Apostrophes) -> Vec<TextWord> {
    let mut all = Vec::new();
    let mut whole = String::new();
    // The parts of the word so far, if it has an apostrophe: where each begins in `whole`, and in the text.
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let mut start = 0;
    let mut end = 0;
    let mut joint = false;
    let mut end_word = |whole: &mut String, parts: &mut Vec<(usize, usize)>, at: Range<usize>| {
        if !whole.is_empty() {
            if !parts.is_empty() && apostrophes == Apostrophes::Both {
                let mut begins = vec![(0, at.start)];
                begins.append(parts);
                for (index, (from, place)) in begins.iter().enumerate() {
                    let next = begins.get(index + 1);
                    let to = next.map_or(whole.len(), |next| next.0);
                    let until = next.map_or(at.end, |next| next.1);
                    all.push(TextWord {
                        folded: whole[*from..to].into(),
                        at: *place..until,
                    });
                }
            }
            all.push(TextWord {
                folded: std::mem::take(whole),
                at,
            });
        }
        parts.clear();
    };
    for (at, letter) in text.char_indices() {
        let after = at + letter.len_utf8();
        if stands_alone(letter) {
            end_word(&mut whole, &mut parts, start..end);
            fold(letter, &mut whole);
            end_word(&mut whole, &mut parts, at..after);
            joint = false;
        } else if letter.is_alphanumeric() {
            if whole.is_empty() {
                start = at;
            } else if joint {
                parts.push((whole.len(), at));
            }
            joint = false;
            fold(letter, &mut whole);
            end = after;
        } else if is_mark(letter) && !whole.is_empty() && !joint {
            // It has no folded form, and belongs to the letter before it.
            end = after;
        } else if is_apostrophe(letter) && !whole.is_empty() && !joint {
            joint = true;
        } else {
            joint = false;
            end_word(&mut whole, &mut parts, start..end);
        }
    }
    end_word(&mut whole, &mut parts, start..end);
    all
}

/// Appends the folded form of a letter. That of a mark is empty.
fn fold(letter: char, out: &mut String) {
    if letter.is_ascii() {
        if letter.is_ascii_alphanumeric() {
            out.push(letter.to_ascii_lowercase());
        }
        return;
    }
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter([letter].into_iter());
    for part in decomposed.filter(|part| part.is_alphanumeric()) {
        for lower in part.to_lowercase() {
            match plain(lower) {
                Some(plain) => out.push_str(plain),
                None if is_mark(lower) => {}
                None => out.push(lower),
            }
        }
    }
}

/// What people type for a letter that Unicode does not decompose.
fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ŧ' => "t",
        'ı' => "i",
        'ŋ' => "n",
        'ĸ' => "k",
        'ς' => "σ",
        _ => return None,
    })
}

fn is_apostrophe(letter: char) -> bool {
    matches!(
        letter,
        '\'' | '\u{2019}' | '\u{2bc}' | '\u{2018}' | '\u{ff07}'
    )
}

fn is_mark(letter: char) -> bool {
    !letter.is_ascii()
        && matches!(
            CodePointMapData::<GeneralCategory>::new().get(letter),
            GeneralCategory::NonspacingMark
                | GeneralCategory::SpacingMark
                | GeneralCategory::EnclosingMark
        )
}

/// Whether a character is a word of its own: Han, Hiragana and Katakana.
fn stands_alone(letter: char) -> bool {
    matches!(letter,
        '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9d}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.folded).collect()
    }

    /// Every word that begins so is seen by its letters alone.
    #[test]
    fn what_a_text_has_is_seen_without_dividing_it() {
        let texts = [
            "Jörg MÜLLER",
            "Hauptstraße 1",
            "ada.lovelace@acme.example",
            "O'Brien rock’n’roll",
            "E\u{301}cole e\u{301}",
            "İstanbul ılık",
            "ﬁne ½ ①",
            "山田太郎 Ltd",
            "one\ntwo\tthree \"four\" back\\slash",
        ];
        for text in texts {
            let json = serde_json::to_string(text).unwrap();
            let escaped: String = text
                .chars()
                .map(|one| format!("\\u{:04x}", u32::from(one)))
                .collect();
            for word in folded(text) {
                for (end, letter) in word.char_indices() {
                    let wanted = [word[..end + letter.len_utf8()].to_string()];
                    assert!(may_have(&json, &wanted), "{text} {wanted:?}");
                    assert!(may_have(&escaped, &wanted), "{text} {wanted:?}");
                }
            }
            let none = ["acme".to_string(), "qq".to_string()];
            assert!(!may_have(&json, &none), "{text}");
        }
    }

    #[test]
    fn words_have_neither_case_nor_marks() {
        for (text, expected) in [
            ("Jörg MÜLLER", "jorg muller"),
            ("Hauptstraße 1", "hauptstrasse 1"),
            ("STRAẞE", "strasse"),
            ("Łódź Ærø Þór Đorđe", "lodz aero thor dorde"),
            ("ada.lovelace@acme.example", "ada lovelace acme example"),
            ("E\u{301}cole e\u{301}", "ecole e"),
            ("İstanbul ılık", "istanbul ilik"),
            ("ﬁne ½ ①", "fine 12 1"),
            ("ΟΔΟΣ οδος", "οδοσ οδοσ"),
            ("+49 (171) 12-34", "49 171 12 34"),
            ("山田太郎 Ltd", "山 田 太 郎 ltd"),
            ("Ёлка ёлка", "елка елка"),
            ("", ""),
            ("… - '", ""),
        ] {
            assert_eq!(folded(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn a_word_with_an_apostrophe_is_found_whole_and_in_parts() {
        assert_eq!(folded("O'Brien"), ["o", "brien", "obrien"]);
        assert_eq!(folded("rock’n’roll"), ["rock", "n", "roll", "rocknroll"]);
        assert_eq!(folded("'quoted' it's"), ["quoted", "it", "s", "its"]);
        assert_eq!(wanted("O'Brien o’brien"), ["obrien"]);
    }

    #[test]
    fn what_matches_is_marked() {
        let marked = |text: &str, asked: &str| -> String {
            let mut out = String::from(text);
            for place in marks(text, &wanted(asked)).into_iter().rev() {
                out.insert(place.end, ']');
                out.insert(place.start, '[');
            }
            out
        };
        for (text, asked, expected) in [
            ("Jörg Müller", "mull", "Jörg [Müll]er"),
            ("Straße", "strass", "[Straß]e"),
            ("Straße", "stras", "[Straß]e"),
            ("ada@acme.example", "acme ada", "[ada]@[acme].example"),
            ("E\u{301}cole", "e", "[E\u{301}]cole"),
            ("O'Brien", "obri", "[O'Bri]en"),
            ("O'Brien", "bri", "O'[Bri]en"),
            ("nothing", "else", "nothing"),
            ("太郎", "郎", "太[郎]"),
        ] {
            assert_eq!(marked(text, asked), expected, "{text} {asked}");
        }
    }
}
