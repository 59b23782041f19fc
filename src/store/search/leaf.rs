//! Leaves: the words of a block that begin with the same letters, with their records, as the text of one row.
//!
//! Most words are in one or two records. A row for each of them would cost a database several times what it holds. A leaf has
//! a line for each word, in the order of the words: the word without its first letters, a tab, and its records. A leaf that
//! becomes too long is divided into parts with rows of their own, and its row has a list of them. So a change writes a part.

use super::delta::IndexEntry;
use super::postings::{Postings, damaged};
use crate::base::error::Result;

/// The longest text of a leaf or a part of one with several words, in bytes. PostgreSQL moves a row of more than 2,032 bytes
/// out of its table, and SQLite a text of more than 4,061 out of its page.
const LONGEST: usize = 1_900;

/// How long the parts of a divided leaf are at first, at most, so that there is room for more.
const FIRST: usize = 1_300;

/// The first character of a list of parts. No word begins with it.
const LIST: char = '>';

/// What becomes of the records of a word.
pub(super) enum Changed {
    /// They are the same.
    Same,
    /// The word has none any more.
    Gone,
    /// Their text.
    To(String),
}

/// The records of a word after a change.
pub(super) fn changed(known: Option<&str>, entry: &IndexEntry) -> Result<Changed> {
    let mut postings = Postings::default();
    postings
        .join(known.unwrap_or_default())
        .ok_or_else(damaged)?;
    let mut is_changed = false;
    for number in &entry.added {
        is_changed |= postings.add(*number);
    }
    for number in &entry.removed {
        is_changed |= postings.remove(*number);
    }
    Ok(match (is_changed, postings.is_empty()) {
        (true, true) if known.is_some() => Changed::Gone,
        (true, false) => Changed::To(postings.encode()),
        _ => Changed::Same,
    })
}

/// The words of a leaf without their first letters, each with its records. An error for a text that is no leaf.
pub(super) fn lines(text: &str) -> Result<impl Iterator<Item = (&str, &str)>> {
    match text.lines().all(|line| line.contains('\t')) {
        true => Ok(text.lines().filter_map(|line| line.split_once('\t'))),
        false => Err(damaged()),
    }
}

/// The text of a leaf or a part after the changes of some of its words, which are in their order. `None` if it is the same.
pub(super) fn merged(text: &str, changes: &[(&str, &IndexEntry)]) -> Result<Option<String>> {
    let mut merged = String::with_capacity(text.len() + 32 * changes.len());
    let mut known = lines(text)?.peekable();
    let mut is_changed = false;
    let mut add = |rest: &str, docs: &str| {
        merged.push_str(rest);
        merged.push('\t');
        merged.push_str(docs);
        merged.push('\n');
    };
    for (rest, entry) in changes {
        while let Some((before, docs)) = known.next_if(|(known, _)| known < rest) {
            add(before, docs);
        }
        let docs = known.next_if(|(known, _)| known == rest);
        let docs = docs.map(|(_, docs)| docs);
        match changed(docs, entry)? {
            Changed::Same => docs.into_iter().for_each(|docs| add(rest, docs)),
            Changed::Gone => is_changed = true,
            Changed::To(docs) => {
                add(rest, &docs);
                is_changed = true;
            }
        }
    }
    known.for_each(|(rest, docs)| add(rest, docs));
    Ok(is_changed.then_some(merged))
}

/// Divides the text of a leaf or a part if it is too long. There is no piece of an empty text.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return Vec::new();
    }
    if text.len() <= LONGEST {
        return vec![text];
    }
    let mut pieces = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in text.split_inclusive('\n') {
        if end > start && end + line.len() - start > FIRST {
            pieces.push(&text[start..end]);
            start = end;
        }
        end += line.len();
    }
    pieces.push(&text[start..]);
    pieces
}

/// The list of the parts of a leaf: the first word of each, without its first letters. The first part also has whatever comes
/// before. Every other one is a word that the leaf has, so no word is left behind that nobody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartList(Vec<String>);

impl PartList {
    /// The list in the text of a leaf. `None` if the text has the words themselves.
    pub(super) fn parse(text: &str) -> Option<PartList> {
        let starts = text.strip_prefix(LIST)?;
        let mut list = vec![String::new()];
        list.extend(
            starts
                .lines()
                .filter(|line| !line.is_empty())
                .map(String::from),
        );
        Some(PartList(list))
    }

    /// A list of one part, which has everything.
    pub(super) fn whole() -> PartList {
        PartList(vec![String::new()])
    }

    /// The text for the row of the leaf.
    pub(super) fn text(&self) -> String {
        format!("{LIST}{}", self.0[1..].join("\n"))
    }

    /// The start of the part that has this word.
    pub(super) fn start(&self, rest: &str) -> &str {
        let after = self.0.partition_point(|start| start.as_str() <= rest);
        &self.0[after.saturating_sub(1)]
    }

    /// Puts these pieces of text in the place of a part. Returns the start of each. A part that nothing is left of goes, but the
    /// first.
    pub(super) fn replace(&mut self, start: &str, pieces: &[&str]) -> Vec<String> {
        let first = |piece: &&str| piece.split('\t').next().unwrap_or_default().to_string();
        let mut starts: Vec<String> = pieces.iter().map(first).collect();
        if start.is_empty() {
            match starts.first_mut() {
                Some(first) => first.clear(),
                None => starts.push(String::new()),
            }
        }
        let at = self.0.partition_point(|known| known.as_str() < start);
        self.0.splice(at..=at, starts.iter().cloned());
        starts.truncate(pieces.len());
        starts
    }

    /// Whether there is only the first part.
    pub(super) fn is_whole(&self) -> bool {
        self.0.len() == 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn entry(added: &[u16], removed: &[u16]) -> IndexEntry {
        IndexEntry {
            block: 0,
            word: String::new(),
            added: added.to_vec(),
            removed: removed.to_vec(),
        }
    }

    #[test]
    fn changes_are_merged_into_the_lines() {
        let one = [entry(&[1], &[]), entry(&[2], &[]), entry(&[], &[1])];
        let text = merged("", &[("b", &one[0]), ("d", &one[1])])
            .unwrap()
            .unwrap();
        assert_eq!(text.lines().count(), 2);
        let text = merged(&text, &[("a", &one[0]), ("c", &one[0]), ("e", &one[0])]);
        let text = text.unwrap().unwrap();
        let words: Vec<&str> = lines(&text).unwrap().map(|line| line.0).collect();
        assert_eq!(words, ["a", "b", "c", "d", "e"]);
        // What is there already, or is not there, is no change.
        let same = merged(&text, &[("a", &one[0]), ("d", &one[2]), ("x", &one[2])]);
        assert_eq!(same.unwrap(), None);
        let text = merged(&text, &[("a", &one[2]), ("e", &one[2])])
            .unwrap()
            .unwrap();
        let words: Vec<&str> = lines(&text).unwrap().map(|line| line.0).collect();
        assert_eq!(words, ["b", "c", "d"]);
    }

    /// A leaf that grows and shrinks has the words of a plain map, each in the part where it is looked for.
    #[test]
    fn a_divided_leaf_has_all_of_its_words() {
        let mut list = PartList::whole();
        let mut parts: BTreeMap<String, String> = BTreeMap::new();
        type Parts = BTreeMap<String, String>;
        let change = |list: &mut PartList, parts: &mut Parts, word: &str, entry| {
            let start = list.start(word).to_string();
            let text = parts.remove(&start).unwrap_or_default();
            let text = merged(&text, &[(word, &entry)]).unwrap().unwrap();
            let pieces = pieces(&text);
            for (start, piece) in list.replace(&start, &pieces).into_iter().zip(pieces) {
                assert!(piece.len() <= LONGEST);
                parts.insert(start, piece.to_string());
            }
            assert_eq!(PartList::parse(&list.text()).as_ref(), Some(&*list));
        };
        let words: Vec<String> = (0..2_000_u32)
            .map(|at| format!("{:04}", at * 7 % 2_000))
            .collect();
        for word in &words {
            change(&mut list, &mut parts, word, entry(&[7], &[]));
        }
        assert!(parts.len() > 10, "{}", parts.len());
        for word in &words {
            let part = &parts[list.start(word)];
            assert!(lines(part).unwrap().any(|line| line.0 == word), "{word}");
        }
        for word in &words {
            change(&mut list, &mut parts, word, entry(&[], &[7]));
            let starts = list.0[1..].iter();
            assert!(starts.clone().all(|start| start != word), "{word} is left");
        }
        assert!(list.is_whole() && parts.is_empty());
    }
}
