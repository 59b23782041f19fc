//! A search over all records: what is asked, and whether and where a record matches.
//!
//! A record is found if each wanted word is the beginning of one of its words. This module decides it from the record
//! itself, for every store. An index only names the records that may match.

use std::borrow::Cow;

use crate::base::error::{Error, Problems, Result, quoted};
use crate::base::words::{self, marks, wanted};
use crate::model::attributes;
use crate::model::email::email;
use crate::model::field::Field;
use crate::model::found::found;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::record::Record;
use crate::model::value::Value;

/// The parameters of a search.
pub const PARAMETERS: [&str; 3] = ["q", "type", "limit"];

/// How many records are found unless a search says otherwise.
pub const USUAL: usize = 20;

/// The most records that are found.
pub const MOST: usize = 100;

/// The most words of a search.
pub const MOST_WANTED: usize = 16;

/// The most characters of a search.
const LONGEST: usize = 500;

/// How many words of a record can be found. A record has room for more only in a very long text.
const MOST_WORDS: usize = 10_000;

/// The characters of a snippet, and how many of them stand before the match.
const SNIPPET: (usize, usize) = (100, 30);

/// The most characters of a title.
const TITLE: usize = 100;

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Find {
    /// What was asked.
    pub text: String,
    /// Its words, each once.
    pub words: Vec<String>,
    /// The nouns whose records are searched.
    pub nouns: Vec<&'static Noun>,
    /// The most records that are found.
    pub limit: usize,
    /// The text as an address, if it is one.
    pub address: Option<String>,
}

impl Find {
    /// Reads the parameters. The error names every parameter at fault.
    pub fn new(parameters: &[(String, String)]) -> Result<Find> {
        let mut problems = Problems::default();
        let mut find = Find {
            text: String::new(),
            words: Vec::new(),
            nouns: NOUNS.to_vec(),
            limit: USUAL,
            address: None,
        };
        for (at, (name, value)) in parameters.iter().enumerate() {
            if !PARAMETERS.contains(&name.as_str()) {
                let known = PARAMETERS.join(", ");
                let name = name.chars().take(60).collect::<String>();
                problems.push(name, format!("no such parameter; this path takes {known}"));
            } else if parameters[..at].iter().any(|pair| pair.0 == *name) {
                problems.push(name, "is given twice");
            } else if let Err(expected) = find.read(name, value) {
                problems.push(name, expected);
            }
        }
        if !parameters.iter().any(|pair| pair.0 == "q") {
            problems.push("q", "is required: the words to find");
        }
        match problems.is_empty() {
            true => Ok(find),
            false => Err(Error::fields(problems)),
        }
    }

    /// Reads one parameter. The error says what was expected.
    fn read(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "q" => {
                if value.chars().nth(LONGEST).is_some() {
                    return Err(format!("expected at most {LONGEST} characters"));
                }
                self.words = wanted(value);
                if self.words.is_empty() {
                    return Err(format!(
                        "expected a word with a letter or a digit, got {}",
                        quoted(value)
                    ));
                }
                if self.words.len() > MOST_WANTED {
                    let got = self.words.len();
                    return Err(format!("expected at most {MOST_WANTED} words, got {got}"));
                }
                self.text = value.into();
                self.address = email(value);
            }
            "type" => {
                let mut nouns = Vec::new();
                for name in value.split(',').map(str::trim) {
                    let noun = NOUNS.into_iter().find(|noun| noun.name == name);
                    let Some(noun) = noun else {
                        let known = NOUNS.map(|noun| noun.name).join(", ");
                        return Err(format!(
                            "expected comma-separated words out of {known}, got {}",
                            quoted(name)
                        ));
                    };
                    if !nouns.contains(&noun) {
                        nouns.push(noun);
                    }
                }
                self.nouns = nouns;
            }
            _ => {
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let limit = value.parse::<usize>().ok();
                self.limit = limit
                    .filter(|limit| digits && (1..=MOST).contains(limit))
                    .ok_or_else(|| {
                        format!(
                            "expected a whole number from 1 to {MOST}, got {}",
                            quoted(value)
                        )
                    })?;
            }
        }
        Ok(())
    }

    /// The same as parameters.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let nouns: Vec<&str> = self.nouns.iter().map(|noun| noun.name).collect();
        vec![
            ("q".into(), self.text.clone()),
            ("type".into(), nouns.join(",")),
            ("limit".into(), self.limit.to_string()),
        ]
    }

    /// How well a record matches, 0 the best. `None` if it does not.
    pub fn rank(&self, record: &Record) -> Option<u8> {
        let mut seen = SeenWords::new(self);
        seen.look(record, false);
        if seen.all != seen.full {
            return None;
        }
        Some(seen.rank(record))
    }

    /// The record as it is found: with the field that matches and a part of its text.
    pub fn found(&self, record: &Record) -> Record {
        let mut seen = SeenWords::new(self);
        seen.look(record, true);
        let (field, text) = seen.best.unwrap_or_default();
        let snippet = snippet(&text, &self.words);
        found(record, &cut(&title(record), TITLE), &field, &snippet)
    }
}

/// What a search finds in a record.
struct SeenWords<'f> {
    find: &'f Find,
    /// A bit for each wanted word.
    full: u32,
    /// The words that were seen.
    all: u32,
    /// The same in names and addresses alone.
    named: u32,
    /// How many words the best field so far has, and whether it is a name or an address.
    worth: (u32, bool),
    best: Option<(String, String)>,
}

impl<'f> SeenWords<'f> {
    fn new(find: &'f Find) -> SeenWords<'f> {
        SeenWords {
            find,
            full: (1 << find.words.len()) - 1,
            all: 0,
            named: 0,
            worth: (0, false),
            best: None,
        }
    }

    /// Looks for the words. With `keep`, the best field is kept with its text.
    fn look(&mut self, record: &Record, keep: bool) {
        each_text(record, |field, text, part| {
            let mut words: u32 = 0;
            for word in part {
                for (at, wanted) in self.find.words.iter().enumerate() {
                    words |= u32::from(word.folded.starts_with(wanted.as_str())) << at;
                }
            }
            self.all |= words;
            if field.names {
                self.named |= words;
            }
            let worth = (words.count_ones(), field.names);
            if keep && words != 0 && worth > self.worth {
                self.worth = worth;
                self.best = Some((field.name.clone().into_owned(), text.into()));
            }
        });
    }

    fn rank(&self, record: &Record) -> u8 {
        let texts = |is: fn(&Field) -> bool| {
            let fields = record.noun.fields.iter().zip(&record.values);
            fields.filter_map(move |(field, value)| is(field).then(|| value.text()).flatten())
        };
        if let Some(address) = &self.find.address
            && texts(|field| field.kind == Kind::Email).any(|text| text == address)
        {
            return 0;
        }
        let begins = |text: &str| {
            let name = wanted(text).join(" ");
            name.starts_with(&self.find.words.join(" "))
        };
        if texts(is_name).any(begins) {
            return 1;
        }
        match self.named == self.full {
            true => 2,
            false => 3,
        }
    }
}

/// A field of a record, or one of its attributes.
pub struct TextField<'a> {
    /// Its name: `details`, `attributes.company`.
    pub name: Cow<'a, str>,
    /// Whether it is a name or an address, by which people know the record.
    pub names: bool,
}

/// Whether a field has the name of a record.
fn is_name(field: &Field) -> bool {
    field.name == "name"
}

/// Passes on each text of a record that is searched, with its words, in the order of the fields.
pub fn each_text(record: &Record, mut each: impl FnMut(&TextField<'_>, &str, &[words::TextWord])) {
    let mut left = MOST_WORDS;
    let mut pass = |field: &TextField<'_>, text: &str| {
        if left == 0 || text.is_empty() {
            return;
        }
        let mut found = words::words(text);
        found.truncate(left);
        left -= found.len();
        each(field, text, &found);
    };
    for (field, value) in record.noun.fields.iter().zip(&record.values) {
        let Some(text) = value.text() else { continue };
        if field.searchable() {
            let names = field.kind == Kind::Email || is_name(field);
            let name = field.name.into();
            pass(&TextField { name, names }, text);
        } else if field.kind == Kind::Attributes && text != "{}" {
            let texts = attributes::texts(text);
            for key in attributes::keys(text) {
                if let Some(text) = texts.get(&key) {
                    let name = format!("{}.{key}", field.name).into();
                    pass(&TextField { name, names: false }, text);
                }
            }
        }
    }
}

/// What a record is called: its name, else its address, else its first text.
fn title(record: &Record) -> String {
    let fields = || record.noun.fields.iter().zip(&record.values);
    let text = |(_, value): (&Field, &Value)| value.text().map(one_line);
    let is_text = |text: &String| !text.is_empty();
    let of = |is: fn(&Field) -> bool| {
        fields()
            .filter(|(field, _)| is(field))
            .filter_map(text)
            .find(is_text)
    };
    of(is_name)
        .or_else(|| of(|field| field.kind == Kind::Email))
        .or_else(|| of(Field::searchable))
        .unwrap_or_default()
}

/// A text in one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of a text.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.into(),
    }
}

/// The part of a text around its first match.
fn snippet(text: &str, words: &[String]) -> String {
    let (most, before) = SNIPPET;
    if text.len() <= most {
        return one_line(text);
    }
    let first = marks(text, words).first().map_or(0, |place| place.start);
    let back = text[..first].char_indices().rev().nth(before);
    let begin = back.map_or(0, |(at, _)| at);
    // It begins with a whole word, unless that is very long.
    let begin = match text[begin..first].find(char::is_whitespace) {
        Some(space) if begin > 0 => begin + space,
        _ => begin,
    };
    let part = one_line(&text[begin..]);
    let dots = if text[..begin].trim().is_empty() {
        ""
    } else {
        "…"
    };
    cut(&format!("{dots}{part}"), most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::ACTION;
    use crate::model::lead::LEAD;

    fn find(text: &str) -> Find {
        Find::new(&[("q".into(), text.into())]).unwrap()
    }

    fn lead(json: &str) -> Record {
        Record::from_json(&LEAD, json.as_bytes()).unwrap()
    }

    #[test]
    fn a_record_is_found_by_the_beginnings_of_its_words() {
        let ada = lead(
            r#"{"id":7,"email":"ada@acme.example","name":"Jörg Müller-Straße","status":"new",
               "attributes":{"company":"Łódź Ltd","size":120,"tags":["gold"],"none":null}}"#,
        );
        for (asked, rank) in [
            ("ada@acme.example", Some(0)),
            (" ADA@Acme.Example ", Some(0)),
            ("jor", Some(1)),
            ("jörg mul", Some(1)),
            ("muller", Some(2)),
            ("strasse jorg", Some(2)),
            ("acme", Some(2)),
            ("ada example", Some(2)),
            ("muller acme", Some(2)),
            ("new", Some(3)),
            ("lodz muller", Some(3)),
            ("12 gold", Some(3)),
            ("uller", None),
            ("muller nothing", None),
            ("company", None),
            ("7", None),
        ] {
            assert_eq!(find(asked).rank(&ada), rank, "{asked}");
        }
    }

    #[test]
    fn the_best_field_is_shown_with_a_part_of_its_text() {
        let shown = |record: &Record, asked: &str| {
            let found = find(asked).found(record);
            let text = |name: &str| found.get(name).text().unwrap_or_default().to_string();
            (text("title"), text("field"), text("snippet"))
        };
        let long = "word ".repeat(40) + "needle in a haystack" + &" word".repeat(40);
        let action = format!(
            r#"{{"id":1,"lead_id":7,"action_type":"call","details":"{long}","attributes":{{"a":"needle"}}}}"#
        );
        let action = Record::from_json(&ACTION, action.as_bytes()).unwrap();
        let (title, field, snippet) = shown(&action, "needle");
        assert_eq!((&*title, &*field), ("call", "details"));
        assert!(snippet.starts_with("…word word"), "{snippet}");
        assert!(
            snippet.contains("word needle in a haystack word"),
            "{snippet}"
        );
        assert!(
            snippet.ends_with("…") && snippet.chars().count() <= 101,
            "{snippet}"
        );
        assert_eq!(shown(&action, "needle haystack").1, "details");
        let ada = lead(
            r#"{"id":7,"email":"ada@acme.example","name":null,"status":"ada","attributes":{}}"#,
        );
        assert_eq!(
            shown(&ada, "ada"),
            (
                "ada@acme.example".into(),
                "email".into(),
                "ada@acme.example".into()
            )
        );
        assert_eq!(find("ada").found(&ada).get("lead_id"), &Value::Int(7));
    }

    #[test]
    fn a_wrong_search_names_each_parameter() {
        for (pairs, expected) in [
            (vec![], "q: is required: the words to find"),
            (
                vec![("q", "")],
                "q: expected a word with a letter or a digit",
            ),
            (
                vec![("q", "-- …")],
                "q: expected a word with a letter or a digit",
            ),
            (vec![("q", "a"), ("q", "b")], "q: is given twice"),
            (
                vec![("q", "a"), ("limit", "0")],
                "limit: expected a whole number from 1 to 100",
            ),
            (
                vec![("q", "a"), ("limit", "+1")],
                "limit: expected a whole number",
            ),
            (
                vec![("q", "a"), ("type", "leads")],
                "type: expected comma-separated words out of lead, action, process",
            ),
            (vec![("q", "a"), ("after", "x")], "after: no such parameter"),
        ] {
            let pairs: Vec<(String, String)> = pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect();
            let error = Find::new(&pairs).unwrap_err();
            assert!(error.message.contains(expected), "{}", error.message);
        }
        let many: Vec<String> = (0..17).map(|at| at.to_string()).collect();
        let error = Find::new(&[("q".into(), many.join(" "))]).unwrap_err();
        assert!(error.message.contains("at most 16 words, got 17"));
    }
}
