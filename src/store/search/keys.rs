//! The keys of the index: which words of a record are kept, and where the beginning of a word is looked up.
//!
//! A word is kept cut to each of a few lengths, so that any beginning of a word is looked up in few rows: the beginning `mul`
//! in the row of the words cut to three letters, the beginning `mu` in the rows of that length that begin with it. The names
//! and addresses of records have rows of their own, because they are looked up first.

use std::collections::HashSet;

use crate::model::find::each_text;
use crate::model::record::Record;

/// The lengths to which words are cut, in letters. Longer words are kept up to [`LONGEST`] letters.
const LENGTHS: [usize; 5] = [1, 3, 5, 8, LONGEST];

/// The letters of a word that are kept. A search for a longer one looks at the records themselves.
const LONGEST: usize = 40;

/// The rows of which texts are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextClass {
    /// Names and addresses.
    Names,
    /// All other texts.
    Others,
}

/// The first character of a key: it tells the class and the length.
fn mark(class: TextClass, length: usize) -> char {
    let first = match class {
        TextClass::Names => b'a',
        TextClass::Others => b'A',
    };
    char::from(first + length as u8)
}

/// All keys of a record.
pub(super) fn keys(record: &Record) -> HashSet<String> {
    let mut all = HashSet::new();
    each_text(record, |field, _, words| {
        let class = match field.names {
            true => TextClass::Names,
            false => TextClass::Others,
        };
        for word in words {
            add(class, &word.folded, &mut all);
        }
    });
    all
}

fn add(class: TextClass, word: &str, all: &mut HashSet<String>) {
    for (at, length) in LENGTHS.iter().enumerate() {
        let end = word.char_indices().nth(*length).map(|end| end.0);
        let mut key = String::with_capacity(1 + end.unwrap_or(word.len()));
        key.push(mark(class, at));
        key.push_str(&word[..end.unwrap_or(word.len())]);
        all.insert(key);
        if end.is_none() {
            return;
        }
    }
}

/// The keys of all words with this beginning: from the first, up to but without the second.
pub(super) fn range(class: TextClass, beginning: &str) -> (String, String) {
    let letters = beginning.chars().count().min(LONGEST);
    let at = LENGTHS.iter().position(|length| *length >= letters);
    let end = beginning.char_indices().nth(LONGEST);
    let mut from = String::from(mark(class, at.unwrap_or(LENGTHS.len() - 1)));
    from.push_str(&beginning[..end.map_or(beginning.len(), |end| end.0)]);
    let to = format!("{from}\u{10ffff}");
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every beginning of a word leads to keys that the word has, and to no others of a different beginning.
    #[test]
    fn each_beginning_of_a_word_finds_it() {
        let long = "x".repeat(60);
        let words = [
            "a",
            "mu",
            "mul",
            "mull",
            "mulle",
            "muller",
            "mullermeier",
            "mulberry",
            "müñ",
            &long,
        ];
        for word in words {
            let mut all = HashSet::new();
            add(TextClass::Names, word, &mut all);
            for wanted in words {
                for (end, _) in wanted.char_indices().skip(1).chain([(wanted.len(), ' ')]) {
                    let beginning = &wanted[..end];
                    let (from, to) = range(TextClass::Names, beginning);
                    let found = all.iter().any(|key| *key >= from && *key < to);
                    // A search for more letters than are kept looks at the record.
                    let cut: String = beginning.chars().take(LONGEST).collect();
                    assert_eq!(found, word.starts_with(&cut), "{word} {beginning}");
                    let (from, to) = range(TextClass::Others, beginning);
                    assert!(!all.iter().any(|key| *key >= from && *key < to));
                }
            }
        }
    }
}
