//! The keys of the index: which words of a record are kept, and where the beginning of a word is looked up.
//!
//! The beginnings of one letter and of three letters have rows of their own, and so are found without reading all words that
//! begin so: `m` in the row of that letter, `mu` in the rows of three letters that begin with it. A longer beginning is looked
//! up in the leaf of its first three letters. The names and addresses of records have rows of their own, because they are
//! looked up first.

use std::collections::HashSet;

use crate::model::find::each_text;
use crate::model::record::Record;

/// How many letters the words of a leaf have in common. Shorter words have no leaf.
const LETTERS: usize = 3;

/// The lengths of the beginnings that are kept, in letters, and that of words.
const LENGTHS: [usize; 3] = [1, LETTERS, LONGEST];

/// Which of the lengths is that of words.
const WORD: usize = LENGTHS.len() - 1;

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

/// The key of the leaf that has the word of a key, and the word without its first letters. `None` if the key is that of a
/// beginning, which has a row of its own.
pub(super) fn leaf_of(key: &str) -> Option<(&str, &str)> {
    let first = key.chars().next()?;
    let classes = [TextClass::Names, TextClass::Others];
    if !classes.iter().any(|class| mark(*class, WORD) == first) {
        return None;
    }
    let (end, _) = key.char_indices().nth(1 + LETTERS)?;
    Some(key.split_at(end))
}

/// The key of the leaf that the row of this key belongs to: its own row, or that of a part. `None` for all other rows.
pub(super) fn leaf_at(key: &str) -> Option<String> {
    let first = key.chars().next()?;
    let classes = [TextClass::Names, TextClass::Others];
    let of = |class: &&TextClass| {
        [WORD, WORD + 1]
            .map(|at| mark(**class, at))
            .contains(&first)
    };
    let class = classes.iter().find(of)?;
    let letters: String = key.chars().skip(1).take(LETTERS).collect();
    Some(format!("{}{letters}", mark(*class, WORD)))
}

/// The key of a part of a leaf, by the start of the part.
pub(super) fn part_of(leaf: &str, start: &str) -> String {
    let mut letters = leaf.chars();
    let mark = letters.next().unwrap_or_default();
    // The next mark of the same class.
    let mark = char::from_u32(u32::from(mark) + 1).unwrap_or(mark);
    format!("{mark}{}{start}", letters.as_str())
}

/// Where a beginning is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    /// The keys from this one on.
    pub(super) from: String,
    /// The keys before this one.
    pub(super) to: String,
    /// With what the words in the leaf begin after its own letters, if the keys are those of a leaf.
    pub(super) rest: Option<String>,
}

/// Where all words with this beginning are looked up.
pub(super) fn lookup(class: TextClass, beginning: &str) -> Lookup {
    let end = beginning.char_indices().nth(LONGEST);
    let beginning = &beginning[..end.map_or(beginning.len(), |end| end.0)];
    if let Some((end, _)) = beginning.char_indices().nth(LETTERS) {
        let from = format!("{}{}", mark(class, WORD), &beginning[..end]);
        return Lookup {
            to: format!("{from}\u{1}"),
            from,
            rest: Some(beginning[end..].into()),
        };
    }
    let letters = beginning.chars().count();
    let at = LENGTHS.iter().position(|length| *length >= letters);
    let from = format!("{}{beginning}", mark(class, at.unwrap_or(WORD)));
    Lookup {
        to: format!("{from}\u{10ffff}"),
        from,
        rest: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a key is looked up there.
    fn is_in(lookup: &Lookup, key: &str) -> bool {
        let is_between = |key: &str| key >= lookup.from.as_str() && key < lookup.to.as_str();
        match (leaf_of(key), &lookup.rest) {
            (None, None) => is_between(key),
            (Some((leaf, rest)), Some(wanted)) => is_between(leaf) && rest.starts_with(&**wanted),
            _ => false,
        }
    }

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
                    let found = all
                        .iter()
                        .any(|key| is_in(&lookup(TextClass::Names, beginning), key));
                    // A search for more letters than are kept looks at the record.
                    let cut: String = beginning.chars().take(LONGEST).collect();
                    assert_eq!(found, word.starts_with(&cut), "{word} {beginning}");
                    let others = lookup(TextClass::Others, beginning);
                    assert!(!all.iter().any(|key| is_in(&others, key)));
                }
            }
        }
    }
}
