//! Text search that is the same on every database: it ignores case letter by letter, and no `LIKE` pattern is slow.
//!
//! Databases disagree about case: SQLite folds only ASCII, PostgreSQL asks the locale. So the rule is here: two letters are
//! the same if the simple lower case of their simple upper case is the same. The length of a text never changes, and Greek
//! `ς`, `σ` and `Σ` are one letter.

use std::collections::HashMap;

/// A letter without its case.
pub fn fold(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    fn single(mut mapped: impl Iterator<Item = char>, letter: char) -> char {
        match (mapped.next(), mapped.next()) {
            (Some(one), None) => one,
            _ => letter,
        }
    }
    let upper = single(letter.to_uppercase(), letter);
    single(upper.to_lowercase(), upper)
}

/// Whether a character controls a terminal, breaks a line, reorders it, or is invisible so that two different texts look the
/// same. Messages and tables escape it. Joiners stay, as scripts and emoji need them.
pub fn disturbs(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            // The line separator, the paragraph separator, and the marks of the Unicode bidirectional algorithm (UAX 9,
            // section 2): overrides, embeddings, isolates, implicit marks.
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{200e}' | '\u{200f}' | '\u{61c}'
            // Without a width and a meaning of their own: soft hyphen, vowel separator, zero width space, word joiner,
            // invisible operators, deprecated format characters, byte order mark, marks of annotations.
            | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}')
}

/// A pattern of `LIKE`: `%` is any text, `_` any one character, `\` takes the next character as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The pieces between the `%`.
    pieces: Vec<PatternPiece>,
}

/// The characters between two `%`. `None` is any character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PatternPiece {
    letters: Vec<Option<char>>,
    search: Search,
}

/// How a piece is found in a text. It is prepared once for a pattern, and not for each text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Search {
    /// The piece is not searched for: it stands at an end of the pattern, or is empty.
    #[default]
    None,
    /// Without any `_`, the time is linear in the text (Knuth, Morris, Pratt). For each prefix of the piece, this has the
    /// length of its longest proper prefix that is also its suffix.
    Borders(Vec<usize>),
    /// With `_`, each letter of the text takes one step for 64 letters of the piece (Baeza-Yates, Gonnet). A set of
    /// positions has a bit for each position of the piece, in words.
    Positions {
        /// The positions where a letter fits, for each letter of the piece.
        of: HashMap<char, Box<[u64]>>,
        /// The positions of `_`, where every letter fits.
        any: Box<[u64]>,
    },
}

impl Pattern {
    /// Reads a pattern, `None` if it ends in a lone `\`.
    pub fn parse(pattern: &str) -> Option<Pattern> {
        let mut pieces = vec![PatternPiece::default()];
        let mut letters = pattern.chars();
        while let Some(letter) = letters.next() {
            let letter = match letter {
                '%' => {
                    pieces.push(PatternPiece::default());
                    continue;
                }
                '_' => None,
                '\\' => Some(fold(letters.next()?)),
                letter => Some(fold(letter)),
            };
            pieces.last_mut()?.letters.push(letter);
        }
        let inner = 1..(pieces.len() - 1).max(1);
        for piece in &mut pieces[inner] {
            piece.search = Search::of(&piece.letters);
        }
        Some(Pattern { pieces })
    }

    /// The pattern that finds a text anywhere.
    pub fn containing(text: &str) -> String {
        let mut pattern = String::from("%");
        for letter in text.chars() {
            if matches!(letter, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern.push('%');
        pattern
    }

    /// Whether the whole text matches. The first and the last piece stand at the ends. Every other piece is matched where
    /// it first occurs, which leaves as much text as possible for the pieces after it. So each step goes forward, while the
    /// usual recursion takes exponential time for `%a%a%a%b`. `stop` is called from time to time; once it returns true, the
    /// result is false.
    pub fn matches(&self, text: &str, stop: impl Fn() -> bool) -> bool {
        let text: Vec<char> = text.chars().map(fold).collect();
        let (Some(first), Some(last)) = (self.pieces.first(), self.pieces.last()) else {
            return false;
        };
        if !first.is_at(&text, 0) {
            return false;
        }
        if self.pieces.len() == 1 {
            return first.letters.len() == text.len();
        }
        let mut from = first.letters.len();
        for piece in &self.pieces[1..self.pieces.len() - 1] {
            match piece.find(&text, from, &stop) {
                Some(at) => from = at + piece.letters.len(),
                None => return false,
            }
        }
        text.len() >= from + last.letters.len()
            && last.is_at(&text, text.len() - last.letters.len())
    }
}

impl Search {
    fn of(piece: &[Option<char>]) -> Search {
        if piece.is_empty() {
            return Search::None;
        }
        if piece.contains(&None) {
            let words = piece.len().div_ceil(64);
            let empty = || vec![0; words].into_boxed_slice();
            let (mut of, mut any) = (HashMap::new(), empty());
            for (at, letter) in piece.iter().enumerate() {
                let positions = match letter {
                    Some(letter) => of.entry(*letter).or_insert_with(empty),
                    None => &mut any,
                };
                positions[at / 64] |= 1 << (at % 64);
            }
            for positions in of.values_mut() {
                let words = positions.iter_mut().zip(&any);
                words.for_each(|(word, any)| *word |= any);
            }
            return Search::Positions { of, any };
        }
        let mut borders = vec![0; piece.len()];
        let mut length = 0;
        for at in 1..piece.len() {
            while length > 0 && piece[at] != piece[length] {
                length = borders[length - 1];
            }
            length += usize::from(piece[at] == piece[length]);
            borders[at] = length;
        }
        Search::Borders(borders)
    }
}

impl PatternPiece {
    fn is_at(&self, text: &[char], at: usize) -> bool {
        let piece = &self.letters;
        text.len() >= at + piece.len()
            && piece
                .iter()
                .zip(&text[at..])
                .all(|(wanted, letter)| wanted.is_none_or(|wanted| wanted == *letter))
    }

    /// Finds the first occurrence of the piece.
    fn find(&self, text: &[char], from: usize, stop: &impl Fn() -> bool) -> Option<usize> {
        let piece = &self.letters;
        match &self.search {
            Search::None => Some(from),
            Search::Borders(borders) => {
                let mut fits = 0;
                for (at, letter) in text.iter().enumerate().skip(from) {
                    while fits > 0 && piece[fits] != Some(*letter) {
                        fits = borders[fits - 1];
                    }
                    fits += usize::from(piece[fits] == Some(*letter));
                    if fits == piece.len() {
                        return Some(at + 1 - fits);
                    }
                }
                None
            }
            Search::Positions { of, any } => {
                /// How many words are handled between two calls of `stop`.
                const STRIDE: usize = 1 << 16;
                let per_look = (STRIDE / any.len()).max(1);
                // Position p is in the set while the last p + 1 letters fit the beginning of the piece.
                let mut fit = vec![0_u64; any.len()];
                let last = piece.len() - 1;
                for (at, letter) in text.iter().enumerate().skip(from) {
                    if at.is_multiple_of(per_look) && stop() {
                        return None;
                    }
                    let allowed = of.get(letter).unwrap_or(any);
                    let mut carry = 1;
                    for (word, allowed) in fit.iter_mut().zip(allowed) {
                        let next = *word >> 63;
                        *word = (*word << 1 | carry) & allowed;
                        carry = next;
                    }
                    if fit[last / 64] >> (last % 64) & 1 == 1 {
                        return Some(at - last);
                    }
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        let cases = [
            ("", "", true),
            ("%", "", true),
            ("_", "", false),
            ("a%", "Abc", true),
            ("%c", "abc", true),
            ("%b", "abc", false),
            ("a_c", "aÖc", true),
            (r"100\%", "100%", true),
            (r"100\%", "1000", false),
            (r"a\_c", "abc", false),
            ("%straße%", "Hauptstraße 1", true),
            ("%ΟΔΟΣ%", "οδος", true),
            ("%ÉCOLE", "une école", true),
            ("a%b%c", "aXbYbZc", true),
            ("a%b%c", "aXbYbZ", false),
            ("%aab%", "aaab", true),
            ("%a_b%c", "aab acb c", true),
            ("a%a", "a", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(text, || false),
                expected,
                "{pattern} {text}"
            );
        }
        assert_eq!(Pattern::parse("a\\"), None);
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern = Pattern::parse(&"%a".repeat(40)).unwrap();
        assert!(pattern.matches(&"a".repeat(200_000), || false));
        let pattern = Pattern::parse(&format!("{}b", "%a".repeat(40))).unwrap();
        assert!(!pattern.matches(&"a".repeat(200_000), || false));
        // Trying each position would compare 10^9 letters.
        let pattern = Pattern::parse(&format!("%{}_b%", "a".repeat(990))).unwrap();
        assert!(!pattern.matches(&"a".repeat(1 << 20), || false));
        let stopped = std::cell::Cell::new(0);
        let stop = || stopped.replace(stopped.get() + 1) > 2;
        assert!(!pattern.matches(&"a".repeat(1 << 20), stop));
        assert_eq!(stopped.get(), 4);
    }

    #[test]
    fn pieces_are_found_where_a_plain_search_finds_them() {
        let letters = ["a", "b", "_", "ß"];
        let texts = ["", "a", "ab", "aab", "abab", "aßbab", "bbbba", "aaab"];
        let long = "ab".repeat(40);
        for code in 0..4_usize.pow(5) {
            let piece: String = (0..5)
                .map(|at| letters[code / 4_usize.pow(at) % 4])
                .collect();
            for (piece, text) in texts
                .map(|text| (piece.clone(), text.to_string()))
                .into_iter()
                .chain([
                    (piece.repeat(14), format!("b{long}")),
                    (format!("{}{piece}", "_".repeat(60)), long.clone()),
                ])
            {
                let plain: Vec<char> = piece.chars().collect();
                let windows: Vec<char> = text.chars().collect();
                let fits = |at: &[char]| at.iter().zip(&plain).all(|(l, p)| *p == '_' || l == p);
                let expected = windows.windows(plain.len()).any(fits);
                let pattern = Pattern::parse(&format!("%{piece}%")).unwrap();
                assert_eq!(pattern.matches(&text, || false), expected, "{piece} {text}");
            }
        }
    }

    #[test]
    fn a_text_is_found_anywhere_and_literally() {
        let pattern = Pattern::parse(&Pattern::containing("50%_\\")).unwrap();
        assert!(pattern.matches("now 50%_\\ off", || false));
        assert!(!pattern.matches("now 50xx off", || false));
    }
}
