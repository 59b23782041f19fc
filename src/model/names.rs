//! Comma-separated names, as the parameters `fields` and `sort` have them.
//!
//! A name may be that of one of the user's own fields, `attributes.KEY`. A key may be any text, so a backslash takes the next
//! character as it is: `\,` is a comma of the key, `\\` a backslash, `\*` a star. The values of the operator `in` are
//! written the same way.

/// What an own field begins with.
const OWN: &str = "attributes.";

/// A name in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name without its escapes.
    pub text: String,
    /// Whether a character of it was escaped.
    escaped: bool,
}

/// The names of a list. Blanks around a name do not count.
pub fn names(list: &str) -> Vec<Name> {
    let mut names = Vec::new();
    let mut name = Name::empty();
    // The length of the name up to its last character that counts.
    let mut end = 0;
    let mut letters = list.chars();
    loop {
        match letters.next() {
            letter @ (None | Some(',')) => {
                name.text.truncate(end);
                names.push(std::mem::replace(&mut name, Name::empty()));
                end = 0;
                if letter.is_none() {
                    return names;
                }
            }
            Some('\\') => {
                name.escaped = true;
                // A backslash at the end of the list stands for itself.
                name.text.push(letters.next().unwrap_or('\\'));
                end = name.text.len();
            }
            Some(letter) if letter.is_whitespace() && name.text.is_empty() => {}
            Some(letter) => {
                name.text.push(letter);
                if !letter.is_whitespace() {
                    end = name.text.len();
                }
            }
        }
    }
}

/// Writes a name for a list, so that [`names`] reads it again.
pub fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        if matches!(letter, ',' | '\\') || letter.is_whitespace() {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

impl Name {
    fn empty() -> Name {
        Name {
            text: String::new(),
            escaped: false,
        }
    }

    /// The key, if it is the name of an own field.
    pub fn key(&self) -> Option<&str> {
        self.text.strip_prefix(OWN)
    }

    /// Whether it is `attributes.*`, which stands for all own fields.
    pub fn is_every_key(&self) -> bool {
        self.key() == Some("*") && !self.escaped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_key_are_read() {
        let read =
            |list: &str| -> Vec<String> { names(list).into_iter().map(|name| name.text).collect() };
        assert_eq!(read("id, name ,email"), ["id", "name", "email"]);
        assert_eq!(read(""), [""]);
        assert_eq!(read("a,,b,"), ["a", "", "b", ""]);
        assert_eq!(
            read(r"attributes.first name,attributes.a\,b\\c.d,attributes.\ x\ "),
            [
                "attributes.first name",
                r"attributes.a,b\c.d",
                "attributes. x "
            ]
        );
        for key in ["a,b", r"\", " ", "*", "ä.ö", r"a\,b"] {
            let name = format!("attributes.{key}");
            assert_eq!(read(&escaped(&name)), [name]);
        }
        assert!(names("attributes.*")[0].is_every_key());
        assert!(!names(r"attributes.\*")[0].is_every_key());
        assert_eq!(names(r"attributes.\*")[0].key(), Some("*"));
        assert_eq!(names("attributes")[0].key(), None);
    }
}
