//! Text search that is the same on every database: it ignores case letter by letter, and no `LIKE` pattern is slow.
//!
//! Databases disagree about case: SQLite folds only ASCII, PostgreSQL asks the locale. So the rule is here: two letters are
//! the same if the simple lower case of their simple upper case is the same. The length of a text never changes, and Greek
//! `ς`, `σ` and `Σ` are one letter.

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

/// A pattern of `LIKE`: `%` is any text, `_` any one character, `\` takes the next character as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The pieces between the `%`.
    pieces: Vec<PatternPiece>,
}

/// The characters between two `%`. `None` is any character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PatternPiece(Vec<Option<char>>);

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
            pieces.last_mut()?.0.push(letter);
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
            return first.0.len() == text.len();
        }
        let mut from = first.0.len();
        for piece in &self.pieces[1..self.pieces.len() - 1] {
            match piece.find(&text, from, &stop) {
                Some(at) => from = at + piece.0.len(),
                None => return false,
            }
        }
        text.len() >= from + last.0.len() && last.is_at(&text, text.len() - last.0.len())
    }
}

impl PatternPiece {
    fn is_at(&self, text: &[char], at: usize) -> bool {
        text.len() >= at + self.0.len()
            && self
                .0
                .iter()
                .zip(&text[at..])
                .all(|(wanted, letter)| wanted.is_none_or(|wanted| wanted == *letter))
    }

    /// Finds the first occurrence of the piece. Without any `_` the time is linear in the text (Knuth, Morris, Pratt). With
    /// one, every position is tried.
    fn find(&self, text: &[char], from: usize, stop: &impl Fn() -> bool) -> Option<usize> {
        /// How many letters are compared between two calls of `stop`.
        const STRIDE: usize = 1 << 16;
        let piece = &self.0;
        if piece.is_empty() {
            return Some(from);
        }
        if piece.contains(&None) {
            let per_look = (STRIDE / piece.len()).max(1);
            return (from..=text.len().checked_sub(piece.len())?)
                .take_while(|at| !at.is_multiple_of(per_look) || !stop())
                .find(|at| self.is_at(text, *at));
        }
        // For each prefix of the piece, the length of its longest proper prefix that is also its suffix.
        let mut borders = vec![0; piece.len()];
        let mut length = 0;
        for at in 1..piece.len() {
            while length > 0 && piece[at] != piece[length] {
                length = borders[length - 1];
            }
            length += usize::from(piece[at] == piece[length]);
            borders[at] = length;
        }
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
    }

    #[test]
    fn a_text_is_found_anywhere_and_literally() {
        let pattern = Pattern::parse(&Pattern::containing("50%_\\")).unwrap();
        assert!(pattern.matches("now 50%_\\ off", || false));
        assert!(!pattern.matches("now 50xx off", || false));
    }
}
