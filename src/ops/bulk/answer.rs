//! The answers to the lines of a bulk request, as they are sent and as they are kept.
//!
//! What is kept of an answer is a letter, an id and a version, so that a million lines take ten megabytes and no data of a
//! person. Why a line was refused is kept beside it, because the words may quote what was given.

use serde_json::Value as Json;

use crate::base::error::{Code, Error, Problem, Problems, Result};

/// What was done with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The record is new.
    Created,
    /// The record has changed.
    Updated,
    /// The record is as the line wants it already. It has no new version.
    Unchanged,
    /// A record was there, and the request says to leave it as it is.
    Skipped,
    /// The record is deleted.
    Deleted,
}

impl Done {
    /// The words of the answers, and the letters that are kept.
    const WORDS: [(Done, &'static str, char); 5] = [
        (Done::Created, "created", 'c'),
        (Done::Updated, "updated", 'u'),
        (Done::Unchanged, "unchanged", 'n'),
        (Done::Skipped, "skipped", 's'),
        (Done::Deleted, "deleted", 'd'),
    ];

    fn row(self) -> (&'static str, char) {
        let row = Self::WORDS.iter().find(|row| row.0 == self);
        row.map_or(("", ' '), |row| (row.1, row.2))
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// All words.
    pub fn words() -> impl Iterator<Item = &'static str> {
        Self::WORDS.iter().map(|row| row.1)
    }
}

/// The letter of a line that was refused.
const REFUSED: char = 'r';

/// The answer to one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineAnswer {
    /// The number of the line, from 1.
    pub line: u64,
    /// The record, if there is one: the one that was written, or the one that was in the way.
    pub id: Option<i64>,
    /// The version of the record after it, 0 if there is none.
    pub version: i64,
    /// What was done, or why nothing was done.
    pub result: Result<Done>,
    /// The record as JSON, if the request wants it.
    pub data: Option<String>,
}

impl LineAnswer {
    /// A line that was refused.
    pub fn refused(line: u64, error: Error) -> LineAnswer {
        LineAnswer {
            line,
            id: None,
            version: 0,
            result: Err(error),
            data: None,
        }
    }

    /// Its HTTP status.
    pub fn status(&self) -> u16 {
        match &self.result {
            Ok(Done::Created) => 201,
            Ok(_) => 200,
            Err(error) => error.code.status(),
        }
    }

    /// Writes it as one line.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (mut line, mut number) = (itoa::Buffer::new(), itoa::Buffer::new());
        out.extend_from_slice(b"{\"line\":");
        out.extend_from_slice(line.format(self.line).as_bytes());
        out.extend_from_slice(b",\"status\":");
        out.extend_from_slice(number.format(self.status()).as_bytes());
        if let Some(id) = self.id {
            out.extend_from_slice(b",\"id\":");
            out.extend_from_slice(number.format(id).as_bytes());
        }
        if self.version > 0 {
            out.extend_from_slice(b",\"version\":");
            out.extend_from_slice(number.format(self.version).as_bytes());
        }
        match &self.result {
            Ok(done) => {
                out.extend_from_slice(b",\"done\":\"");
                out.extend_from_slice(done.word().as_bytes());
                out.push(b'"');
            }
            Err(error) => {
                let json = error.to_json();
                out.push(b',');
                out.extend_from_slice(&json.as_bytes()[1..json.len() - 1]);
            }
        }
        if let Some(data) = &self.data {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(data.as_bytes());
        }
        out.extend_from_slice(b"}\n");
    }

    fn from_json(json: &Json) -> Option<LineAnswer> {
        let status = u16::try_from(json.get("status")?.as_u64()?).ok()?;
        let result = match json.get("done").and_then(Json::as_str) {
            Some(word) => Ok(Done::WORDS.iter().find(|row| row.1 == word)?.0),
            None => Err(error_of(status, json)?),
        };
        Some(LineAnswer {
            line: json.get("line")?.as_u64()?,
            id: json.get("id").and_then(Json::as_i64),
            version: json.get("version").and_then(Json::as_i64).unwrap_or(0),
            result,
            data: json.get("data").map(Json::to_string),
        })
    }
}

/// The error that an answer has with a status.
fn error_of(status: u16, json: &Json) -> Option<Error> {
    let code = Code::from_status(status)?;
    Error::from_json(code, json.to_string().as_bytes())
}

/// How many lines were answered, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All lines.
    pub lines: u64,
    /// Those that have created a record.
    pub created: u64,
    /// Those that have changed one.
    pub updated: u64,
    /// Those that found it as they want it.
    pub unchanged: u64,
    /// Those that left it as it is.
    pub skipped: u64,
    /// Those that have deleted one.
    pub deleted: u64,
    /// Those that were refused.
    pub refused: u64,
    /// How many of all an earlier request with the same key has done.
    pub replayed: u64,
}

impl Counts {
    /// Their names, in the order of the answer.
    pub const NAMES: [&'static str; 8] = [
        "lines",
        "created",
        "updated",
        "unchanged",
        "skipped",
        "deleted",
        "refused",
        "replayed",
    ];

    /// Counts an answer.
    pub fn add(&mut self, answer: &LineAnswer) {
        self.lines += 1;
        *match &answer.result {
            Ok(Done::Created) => &mut self.created,
            Ok(Done::Updated) => &mut self.updated,
            Ok(Done::Unchanged) => &mut self.unchanged,
            Ok(Done::Skipped) => &mut self.skipped,
            Ok(Done::Deleted) => &mut self.deleted,
            Err(_) => &mut self.refused,
        } += 1;
    }

    fn all(&mut self) -> [&mut u64; 8] {
        [
            &mut self.lines,
            &mut self.created,
            &mut self.updated,
            &mut self.unchanged,
            &mut self.skipped,
            &mut self.deleted,
            &mut self.refused,
            &mut self.replayed,
        ]
    }
}

/// The last line of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// How many lines were answered.
    pub counts: Counts,
    /// The group of all changes, named by its first change. `None` if nothing was changed.
    pub group: Option<i64>,
    /// Why it had to stop before the last line. What was answered is done.
    pub error: Option<Error>,
}

impl End {
    /// Writes it as one line.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut counts = self.counts;
        let members = Counts::NAMES.iter().zip(counts.all());
        let members = members.map(|(name, count)| format!("\"{name}\":{count}"));
        let members: Vec<String> = members.collect();
        let group = self.group.map_or("null".into(), |group| group.to_string());
        let mut text = format!("{{\"end\":{{{}}},\"group\":{group}", members.join(","));
        if let Some(error) = &self.error {
            let json = error.to_json();
            text.push_str(&format!(",\"status\":{},", error.code.status()));
            text.push_str(&json[1..json.len() - 1]);
        }
        text.push_str("}\n");
        out.extend_from_slice(text.as_bytes());
    }

    fn from_json(json: &Json) -> Option<End> {
        let told = json.get("end")?.as_object()?;
        let mut counts = Counts::default();
        for (name, count) in Counts::NAMES.iter().zip(counts.all()) {
            *count = told.get(*name)?.as_u64()?;
        }
        let status = json.get("status").and_then(Json::as_u64);
        let status = status.map(|status| u16::try_from(status).unwrap_or_default());
        Some(End {
            counts,
            group: json.get("group").and_then(Json::as_i64),
            error: match status {
                Some(status) => Some(error_of(status, json)?),
                None => None,
            },
        })
    }
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The answer to a line.
    Line(LineAnswer),
    /// The last line.
    End(End),
}

impl Told {
    /// Reads a line of an answer. `None` if it is none.
    pub fn parse(line: &[u8]) -> Option<Told> {
        let json: Json = serde_json::from_slice(line).ok()?;
        match json.get("end") {
            Some(_) => End::from_json(&json).map(Told::End),
            None => LineAnswer::from_json(&json).map(Told::Line),
        }
    }
}

/// The answers in the form that is kept: what was done, and why lines were refused.
pub(super) fn keep(answers: &[LineAnswer]) -> (String, String) {
    let mut kept = String::with_capacity(answers.len() * 8);
    let mut refusals = Vec::new();
    for (at, answer) in answers.iter().enumerate() {
        if at > 0 {
            kept.push(' ');
        }
        match &answer.result {
            Ok(done) => kept.push(done.row().1),
            Err(error) => {
                kept.push(REFUSED);
                kept.push_str(&format!("{}:", error.code.status()));
                let mut told: Json = serde_json::from_str(&error.to_json()).unwrap_or_default();
                told["at"] = at.into();
                refusals.push(told);
            }
        }
        if let Some(id) = answer.id {
            kept.push_str(itoa::Buffer::new().format(id));
        }
        if answer.version > 0 {
            kept.push('.');
            kept.push_str(itoa::Buffer::new().format(answer.version));
        }
    }
    let refusals = match refusals.is_empty() {
        true => String::new(),
        false => Json::from(refusals).to_string(),
    };
    (kept, refusals)
}

/// Reads what [`keep`] wrote. The lines have these numbers.
pub(super) fn kept(numbers: &[u64], kept: &str, refusals: &str) -> Option<Vec<LineAnswer>> {
    let refusals: Vec<Json> = serde_json::from_str(refusals).unwrap_or_default();
    let words: Vec<&str> = kept.split(' ').filter(|word| !word.is_empty()).collect();
    if words.len() != numbers.len() {
        return None;
    }
    let read = |(at, (word, line)): (usize, (&str, &u64))| {
        let letter = word.chars().next()?;
        let mut rest = word.get(1..)?;
        let result = if letter == REFUSED {
            let (status, after) = rest.split_once(':')?;
            rest = after;
            let status: u16 = status.parse().ok()?;
            let told = refusals.iter().find(|told| told["at"] == at);
            Err(match told {
                Some(told) => error_of(status, told)?,
                None => Error::new(
                    Code::from_status(status)?,
                    "was refused; why is no longer kept, because a record was erased since",
                ),
            })
        } else {
            Ok(Done::WORDS.iter().find(|row| row.2 == letter)?.0)
        };
        let (id, version) = rest.split_once('.').unwrap_or((rest, "0"));
        Some(LineAnswer {
            line: *line,
            id: match id {
                "" => None,
                id => Some(id.parse().ok()?),
            },
            version: version.parse().ok()?,
            result,
            data: None,
        })
    };
    words
        .into_iter()
        .zip(numbers)
        .enumerate()
        .map(read)
        .collect()
}

/// Refuses all lines if one was refused.
pub(super) fn whole(answers: &[LineAnswer]) -> Result<()> {
    let refused = answers.iter().filter_map(|answer| {
        let error = answer.result.as_ref().err()?;
        Some((answer.line, error))
    });
    let refused: Vec<(u64, &Error)> = refused.collect();
    let Some((line, first)) = refused.first() else {
        return Ok(());
    };
    let mut problems = Problems::default();
    for (line, error) in &refused {
        problems.push(format!("line {line}"), error.message.clone());
    }
    let told: Vec<Problem> = Error::fields(problems).problems;
    let more = match refused.len() - 1 {
        0 => String::new(),
        1 => "; one more line was refused".into(),
        more => format!("; {more} more lines were refused"),
    };
    Err(Error {
        code: first.code,
        message: format!("line {line}: {}{more}; nothing was saved", first.message),
        problems: told,
        merged_into: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Vec<LineAnswer> {
        let done = |line, id, version, done| LineAnswer {
            line,
            id: Some(id),
            version,
            result: Ok(done),
            data: None,
        };
        let taken = Error::new(Code::Conflict, "lead 7 has the address already");
        vec![
            done(1, 7, 1, Done::Created),
            LineAnswer::refused(3, Error::field("email", "expected an address")),
            done(4, 8, 12, Done::Updated),
            LineAnswer {
                id: Some(7),
                ..LineAnswer::refused(5, taken)
            },
            done(6, 9, 3, Done::Unchanged),
            done(7, 9, 3, Done::Skipped),
            done(9, 9, 0, Done::Deleted),
        ]
    }

    #[test]
    fn an_answer_is_read_as_it_is_written() {
        for answer in answers() {
            let mut line = Vec::new();
            answer.write(&mut line);
            assert_eq!(Told::parse(&line), Some(Told::Line(answer)));
        }
        let mut end = End::default();
        answers().iter().for_each(|answer| end.counts.add(answer));
        assert_eq!((end.counts.lines, end.counts.refused), (7, 2));
        for error in [None, Some(Error::new(Code::Unavailable, "try again"))] {
            let end = End {
                group: error.is_none().then_some(12),
                error,
                ..end.clone()
            };
            let mut line = Vec::new();
            end.write(&mut line);
            assert_eq!(Told::parse(&line), Some(Told::End(end)));
        }
        assert_eq!(Told::parse(b"{}"), None);
    }

    #[test]
    fn a_kept_answer_is_the_same_and_has_no_data() {
        let answers = answers();
        let numbers: Vec<u64> = answers.iter().map(|answer| answer.line).collect();
        let (done, refusals) = keep(&answers);
        assert_eq!(done, "c7.1 r400: u8.12 r409:7 n9.3 s9.3 d9");
        assert_eq!(kept(&numbers, &done, &refusals), Some(answers));
        let erased = kept(&numbers, &done, "").unwrap();
        let told = erased[1].result.as_ref().unwrap_err();
        assert!(told.code == Code::Invalid && told.message.contains("erased"));
        assert_eq!(kept(&numbers[1..], &done, &refusals), None);
    }
}
