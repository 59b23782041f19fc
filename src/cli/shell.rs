//! The words of a line of bash, and words for such a line.

/// Characters that are no part of a plain word in bash, or that have a meaning in it.
const SPECIAL: &str = " \t\n|&;()<>$`\\\"'*?[]#~!{}^";

/// Splits a line that is being typed into its words. The last one is the word at the cursor, which may be empty. Only the
/// last command of the line counts. The second result is the quote that is open at the end.
pub(super) fn split(line: &str) -> (Vec<String>, Option<char>) {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut has_begun = false;
    let mut open = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (open, letter) {
            (Some('\''), '\'') | (Some('"'), '"') => open = None,
            (None, '\'' | '"') => (open, has_begun) = (Some(letter), true),
            (None | Some('"'), '\\') => {
                word.extend(letters.next());
                has_begun = true;
            }
            (None, ' ' | '\t') => {
                if has_begun {
                    words.push(std::mem::take(&mut word));
                }
                has_begun = false;
            }
            (None, ';' | '|' | '&' | '(' | '\n') => {
                words.clear();
                word.clear();
                has_begun = false;
            }
            _ => {
                word.push(letter);
                has_begun = true;
            }
        }
    }
    words.push(word);
    (words, open)
}

/// A word for a line of bash, after a quote that is open. `None` if it cannot be written there.
pub(super) fn quoted(word: &str, open: Option<char>) -> Option<String> {
    match open {
        None => {
            let mut text = String::with_capacity(word.len());
            for letter in word.chars() {
                if SPECIAL.contains(letter) {
                    text.push('\\');
                }
                text.push(letter);
            }
            Some(text)
        }
        Some('"') => (!word.contains(['"', '$', '`', '\\', '!'])).then(|| word.into()),
        Some(_) => (!word.contains('\'')).then(|| word.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_bash_does() {
        for (line, words, open) in [
            ("crm lead ", &["crm", "lead", ""][..], None),
            ("crm lead li", &["crm", "lead", "li"], None),
            (
                "crm  --name 'Ada L",
                &["crm", "--name", "Ada L"],
                Some('\''),
            ),
            ("crm --name \"a\\\"b", &["crm", "--name", "a\"b"], Some('"')),
            ("crm --status on\\ ho", &["crm", "--status", "on ho"], None),
            ("ls | xargs crm lead", &["xargs", "crm", "lead"], None),
            ("id=$(crm lead cr", &["crm", "lead", "cr"], None),
            ("a && crm ''", &["crm", ""], None),
            ("", &[""], None),
        ] {
            let (found, open_found) = split(line);
            assert_eq!(found, words, "{line}");
            assert_eq!(open_found, open, "{line}");
        }
    }

    #[test]
    fn a_word_is_only_ever_a_word() {
        assert_eq!(quoted("on hold", None).unwrap(), "on\\ hold");
        assert_eq!(
            quoted("$(rm -rf ~)", None).unwrap(),
            "\\$\\(rm\\ -rf\\ \\~\\)"
        );
        assert_eq!(quoted("on hold", Some('"')).unwrap(), "on hold");
        assert_eq!(quoted("$(rm)", Some('"')), None);
        assert_eq!(quoted("it's", Some('\'')), None);
    }
}
