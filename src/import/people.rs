//! Names and addresses of people as other programs write them.

use super::known::NamePart;
use crate::model::email::email;

/// The parts of a name, in the order in which they are joined.
#[derive(Debug, Default)]
pub struct Parts(Vec<(NamePart, String)>);

impl Parts {
    /// Adds a part.
    pub fn add(&mut self, part: NamePart, text: &str) {
        self.0.push((part, text.trim().into()));
    }

    /// The name: first, middle and last, separated by blanks.
    pub fn joined(&mut self) -> Option<String> {
        self.0.sort_by_key(|(part, _)| *part);
        let texts: Vec<&str> = self.0.iter().map(|(_, text)| text.as_str()).collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }

    /// The parts that a name does not have in it, with the words that name them.
    pub fn missing(self, name: &str) -> impl Iterator<Item = (&'static str, String)> {
        let name = name.to_lowercase();
        self.0.into_iter().filter_map(move |(part, text)| {
            let known = NamePart::WORDS.iter().find(|known| known.1 == part)?;
            (!name.contains(&text.to_lowercase())).then_some((known.0, text))
        })
    }
}

/// What separates several addresses in one cell.
const SEPARATORS: [&str; 5] = [" ::: ", ";", ",", "\n", " "];

/// The first address of a cell, and the others. A cell that is not a list of addresses stays whole.
pub fn addresses(cell: &str) -> (&str, Vec<&str>) {
    let cell = cell.trim();
    if email(cell).is_some() {
        return (cell, Vec::new());
    }
    for separator in SEPARATORS {
        let parts = cell.split(separator).map(str::trim);
        let mut parts = parts.filter(|part| !part.is_empty());
        let all: Vec<&str> = parts.by_ref().collect();
        if let [first, others @ ..] = &all[..]
            && all.iter().all(|one| email(one).is_some())
        {
            return (first, others.to_vec());
        }
    }
    // Ada Lovelace <ada@example.com>
    let inner = cell
        .strip_suffix('>')
        .and_then(|cell| cell.rsplit_once('<'));
    match inner {
        Some((_, inner)) if email(inner).is_some() => (inner, Vec::new()),
        _ => (cell.strip_prefix("mailto:").unwrap_or(cell), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_in_order() {
        let mut parts = Parts::default();
        parts.add(NamePart::Last, "Groß");
        parts.add(NamePart::First, " Jörg ");
        assert_eq!(parts.joined().as_deref(), Some("Jörg Groß"));
        let missing: Vec<_> = parts.missing("Dr. GROSS, jörg").collect();
        assert_eq!(missing, [("last_name", "Groß".to_string())]);
        assert_eq!(Parts::default().joined(), None);
    }

    #[test]
    fn a_cell_may_have_several_addresses() {
        for (cell, first, others) in [
            ("a@b.de", "a@b.de", &[][..]),
            (" a@b.de ::: c@d.de ", "a@b.de", &["c@d.de"]),
            ("a@b.de; c@d.de;", "a@b.de", &["c@d.de"]),
            ("a@b.de, c@d.de, e@f.de", "a@b.de", &["c@d.de", "e@f.de"]),
            ("Ada Lovelace <a@b.de>", "a@b.de", &[]),
            ("mailto:a@b.de", "a@b.de", &[]),
            ("a@b.de, nobody", "a@b.de, nobody", &[]),
            ("nobody", "nobody", &[]),
            ("", "", &[]),
        ] {
            assert_eq!(addresses(cell), (first, others.to_vec()), "{cell}");
        }
    }
}
