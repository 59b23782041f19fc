//! Text search that is the same on every database: case ignored letter by letter, and `LIKE` without its traps.
//!
//! Databases disagree about case (SQLite folds ASCII alone, PostgreSQL asks the locale), so that the rule is here: two
//! letters are the same when the simple lower case of their simple upper case is. The length of a text never changes,
//! and Greek `ς`, `σ` and `Σ` are one letter.

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
pub struct Pattern(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Any,
    One,
    Letter(char),
}

impl Pattern {
    /// Reads a pattern, `None` where it ends in a lone `\`.
    pub fn parse(pattern: &str) -> Option<Pattern> {
        let mut tokens = Vec::new();
        let mut letters = pattern.chars();
        while let Some(letter) = letters.next() {
            let token = match letter {
                '%' => Token::Any,
                '_' => Token::One,
                '\\' => Token::Letter(fold(letters.next()?)),
                letter => Token::Letter(fold(letter)),
            };
            if token != Token::Any || tokens.last() != Some(&Token::Any) {
                tokens.push(token);
            }
        }
        Some(Pattern(tokens))
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

    /// Whether the whole text fits. Takes at most pattern times text steps: only the last `%` is ever tried again, where
    /// the usual recursion takes exponential time for `%a%a%a%b`.
    pub fn matches(&self, text: &str) -> bool {
        let tokens = &self.0;
        let mut letters = text.chars();
        let mut at = 0;
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let mut ahead = letters.clone();
            match (tokens.get(at), ahead.next()) {
                (None, None) => return true,
                (Some(Token::Any), _) => {
                    at += 1;
                    if at == tokens.len() {
                        return true;
                    }
                    retry = Some((at, letters.clone()));
                    continue;
                }
                (Some(Token::One), Some(_)) => {
                    at += 1;
                    letters = ahead;
                    continue;
                }
                (Some(Token::Letter(wanted)), Some(letter)) if *wanted == fold(letter) => {
                    at += 1;
                    letters = ahead;
                    continue;
                }
                _ => {}
            }
            // Let the last `%` take one letter more.
            let Some((after, rest)) = &mut retry else {
                return false;
            };
            if rest.next().is_none() {
                return false;
            }
            at = *after;
            letters = rest.clone();
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
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(text),
                expected,
                "{pattern} {text}"
            );
        }
        assert_eq!(Pattern::parse("a\\"), None);
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern = Pattern::parse(&"%a".repeat(40)).unwrap();
        assert!(pattern.matches(&"a".repeat(2_000)));
        let pattern = Pattern::parse(&format!("{}b", "%a".repeat(40))).unwrap();
        assert!(!pattern.matches(&"a".repeat(2_000)));
    }

    #[test]
    fn a_text_is_found_anywhere_and_literally() {
        let pattern = Pattern::parse(&Pattern::containing("50%_\\")).unwrap();
        assert!(pattern.matches("now 50%_\\ off"));
        assert!(!pattern.matches("now 50xx off"));
    }
}
