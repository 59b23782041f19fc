//! Errors, their codes, and what a code means over HTTP and for a command.
//!
//! An [`Error`] is a [`Code`], one sentence for people and, for refused input, the fields it is about. [`Code::TABLE`]
//! ties each code to its HTTP status and to the exit code of a command. The table is read both ways: the server turns a
//! code into a status, the remote store turns the status back into the code. So a command prints and exits the same whether
//! its records are in a file or behind a server.

use std::borrow::Cow;
use std::fmt;

use crate::base::text::disturbs;

/// The kind of a failure. Every kind has one HTTP status and one exit code, see [`Code::TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The input was refused. Nothing was changed.
    Invalid,
    /// There is no record or page at this address.
    NotFound,
    /// The path exists, but not with this method.
    Method,
    /// The request did not arrive in time.
    Timeout,
    /// The input is valid, but it conflicts with what is stored.
    Conflict,
    /// The request body is larger than the service takes.
    TooLarge,
    /// The path of the request, with its parameters, is longer than the service takes.
    UrlTooLong,
    /// The request body is not `application/json`.
    MediaType,
    /// A fault of this program or of its environment. The message is for the log and for a local command. Over HTTP it is
    /// replaced by a sentence without detail.
    Internal,
    /// Nothing was saved, and the same request may succeed in a moment.
    Unavailable,
    /// The database has not answered whether it saved the write. It may have been saved.
    Unknown,
    /// The disk is full. Nothing was saved.
    Full,
    /// The caller sent no valid credentials.
    Unauthenticated,
    /// The caller has sent too many requests. The same request may succeed in a second.
    Limited,
    /// The caller may not do this.
    Denied,
    /// The request names a host that this service does not answer for. Nothing was done.
    Misdirected,
    /// What the cursor of a request comes after is no longer kept, or the cursor is of another database. The list has to be
    /// read again from a new place.
    Gone,
    /// The record no longer has the version that the request names. Nothing was changed.
    Stale,
    /// The idempotency key belongs to another request. Nothing was changed.
    KeyReused,
    /// The server could not be reached, or did not answer as crm does.
    Unreachable,
    /// The command could not do its work: for example, a file is not a database, or the output cannot be written.
    Failed,
}

impl Code {
    /// Code, HTTP status (RFC 9110; 507 is RFC 4918), exit code of a command.
    ///
    /// The codes without a status are never sent over HTTP: they are made where the command runs.
    pub const TABLE: &'static [(Code, Option<u16>, u8)] = &[
        (Code::Invalid, Some(400), 2),
        (Code::Unauthenticated, Some(401), 4),
        (Code::NotFound, Some(404), 3),
        (Code::Method, Some(405), 2),
        (Code::Timeout, Some(408), 1),
        (Code::Conflict, Some(409), 5),
        (Code::Gone, Some(410), 7),
        (Code::Stale, Some(412), 5),
        (Code::TooLarge, Some(413), 2),
        (Code::UrlTooLong, Some(414), 2),
        (Code::MediaType, Some(415), 2),
        (Code::Misdirected, Some(421), 2),
        (Code::KeyReused, Some(422), 5),
        (Code::Limited, Some(429), 1),
        (Code::Denied, Some(403), 4),
        (Code::Internal, Some(500), 1),
        (Code::Unavailable, Some(503), 1),
        (Code::Unknown, Some(504), 1),
        (Code::Full, Some(507), 1),
        (Code::Unreachable, None, 6),
        (Code::Failed, None, 1),
    ];

    fn row(self) -> (Option<u16>, u8) {
        let row = Self::TABLE.iter().find(|row| row.0 == self);
        row.map_or((None, 1), |row| (row.1, row.2))
    }

    /// The HTTP status of this code. 500 for the codes that have none.
    pub fn status(self) -> u16 {
        self.row().0.unwrap_or(500)
    }

    /// The exit code of a command that ends with this code.
    pub fn exit(self) -> u8 {
        self.row().1
    }

    /// The code of an HTTP status, `None` for a status that crm never sends.
    pub fn from_status(status: u16) -> Option<Code> {
        let row = Self::TABLE.iter().find(|row| row.1 == Some(status));
        row.map(|row| row.0)
    }
}

/// One refused field and what was expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, parameter or key as the user wrote it.
    pub field: String,
    /// What was expected, without the field's name.
    pub expected: String,
}

impl Problem {
    /// A problem of `field`.
    pub fn new(field: impl Into<String>, expected: impl Into<String>) -> Problem {
        Problem {
            field: field.into(),
            expected: expected.into(),
        }
    }
}

/// All problems of an input. The first are kept in words and the rest are only counted: a body may have a hundred thousand
/// unknown keys, and nobody would read that many problems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    told: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// The most problems that are listed in words.
    const MOST: usize = 50;

    /// Adds a problem. `expected` says what was expected.
    pub fn push(&mut self, field: impl Into<String>, expected: impl Into<String>) {
        self.push_with(|| Problem::new(field, expected));
    }

    /// Adds a problem. Its text is made only if the problem is listed.
    pub fn push_with(&mut self, problem: impl FnOnce() -> Problem) {
        match self.told.len() < Self::MOST {
            true => self.told.push(problem()),
            false => self.more += 1,
        }
    }

    /// Whether there is no problem.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Whether a problem of this field is listed.
    pub fn has(&self, field: &str) -> bool {
        self.told.iter().any(|problem| problem.field == field)
    }

    /// The approximate memory that it holds, in bytes.
    pub fn size(&self) -> usize {
        let texts = self.told.iter();
        let texts = texts.map(|problem| problem.field.len() + problem.expected.len());
        texts.sum::<usize>() + self.told.len() * size_of::<Problem>()
    }
}

impl Extend<Problem> for Problems {
    fn extend<T: IntoIterator<Item = Problem>>(&mut self, problems: T) {
        for problem in problems {
            self.push_with(|| problem);
        }
    }
}

/// A failure: a code, a sentence, and the fields it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The kind of the failure.
    pub code: Code,
    /// One sentence that names the field or file and what was expected.
    pub message: String,
    /// The refused fields that are listed, in the order in which they were given. Empty if the error is not about a field.
    pub problems: Vec<Problem>,
    /// The id of the record that the missing one was merged into, if it was.
    pub merged_into: Option<i64>,
}

/// The result of a function that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The error for a record that is missing because it was merged into the one with this id, whose noun has this name.
    pub fn merged(self, name: &str, into: i64) -> Error {
        Error {
            message: format!("{}; it was merged into {name} {into}", self.message),
            merged_into: Some(into),
            ..self
        }
    }

    /// A failure with its code and its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error {
            code,
            message: message.into(),
            problems: Vec::new(),
            merged_into: None,
        }
    }

    /// Refused input. The fault is not in one particular field.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(Code::Invalid, message)
    }

    /// One refused field.
    pub fn field(field: impl Into<String>, expected: impl Into<String>) -> Error {
        let mut problems = Problems::default();
        problems.push(field, expected);
        Error::fields(problems)
    }

    /// Several refused fields.
    pub fn fields(problems: Problems) -> Error {
        let told = problems.told.iter();
        let mut sentences: Vec<String> = told
            .map(|problem| format!("{}: {}", named(&problem.field), problem.expected))
            .collect();
        if problems.more > 0 {
            sentences.push(format!("and {} more", problems.more));
        }
        Error {
            code: Code::Invalid,
            message: sentences.join("; "),
            problems: problems.told,
            merged_into: None,
        }
    }

    /// A fault whose details are for the log.
    pub fn internal(detail: impl fmt::Display) -> Error {
        Error::new(Code::Internal, detail.to_string())
    }

    /// A command that could not do its work.
    pub fn failed(message: impl Into<String>) -> Error {
        Error::new(Code::Failed, message)
    }

    /// The error as the API and `-o json` write it: `{"error": …}`, with `fields` if fields were refused, and `merged_into` if
    /// the missing record was merged into another one. Several problems of one field are one text.
    pub fn to_json(&self) -> String {
        let mut object = serde_json::Map::new();
        object.insert("error".into(), self.message.clone().into());
        if !self.problems.is_empty() {
            let mut fields = serde_json::Map::new();
            for problem in &self.problems {
                match fields.get_mut(&problem.field) {
                    // Nothing of a field that has several problems is left out.
                    Some(serde_json::Value::String(told)) => {
                        told.push_str("; ");
                        told.push_str(&problem.expected);
                    }
                    _ => {
                        let told = problem.expected.clone();
                        fields.insert(problem.field.clone(), told.into());
                    }
                }
            }
            object.insert("fields".into(), fields.into());
        }
        if let Some(id) = self.merged_into {
            object.insert("merged_into".into(), id.into());
        }
        serde_json::Value::Object(object).to_string()
    }

    /// Reads the form that [`Error::to_json`] writes. `None` if the body is not an error from crm.
    pub fn from_json(code: Code, body: &[u8]) -> Option<Error> {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        let message = body.get("error")?.as_str()?.to_string();
        let mut problems = Vec::new();
        if let Some(fields) = body.get("fields").and_then(|fields| fields.as_object()) {
            for (field, expected) in fields {
                problems.push(Problem::new(field, expected.as_str()?));
            }
        }
        Some(Error {
            code,
            message,
            problems,
            merged_into: body.get("merged_into").and_then(serde_json::Value::as_i64),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// A field's name in a sentence. A user may have written anything there: a long name, or one with characters that need an
/// escape, is quoted.
fn named(field: &str) -> Cow<'_, str> {
    let quoted = quoted(field);
    let inner = quoted.get(1..quoted.len() - 1);
    match !field.is_empty() && inner == Some(field) {
        true => field.into(),
        false => quoted.into(),
    }
}

/// Quotes a user's text for a message. A long text is cut. Control characters and those that reorder a line are escaped.
/// Letters and marks of every script stay as they are, so that a person can read them.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown = String::from("\"");
    for letter in text.chars().take(LONGEST) {
        match letter {
            '"' | '\\' => shown.extend(['\\', letter]),
            letter if disturbs(letter) => shown.extend(letter.escape_default()),
            letter => shown.push(letter),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown.push('"');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_a_field_are_in_the_json() {
        let mut problems = Problems::default();
        problems.push("lead 5", "action 2 refers to it now");
        problems.push("lead 6", "was changed since");
        problems.push("lead 5", "process 1 refers to it now");
        let error = Error::fields(problems);
        let json: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
        let told = "action 2 refers to it now; process 1 refers to it now";
        assert_eq!(json["fields"]["lead 5"], told);
        assert_eq!(json["fields"]["lead 6"], "was changed since");
        let read = Error::from_json(error.code, error.to_json().as_bytes()).unwrap();
        assert_eq!(read.message, error.message);
        assert_eq!(read.to_json(), error.to_json());
    }

    #[test]
    fn a_field_name_that_would_disturb_a_sentence_is_quoted() {
        let long = "x".repeat(100);
        let short = format!("\"{}…\": is unknown", "x".repeat(60));
        for (field, sentence) in [
            ("email", "email: is unknown"),
            ("attributes.größe", "attributes.größe: is unknown"),
            ("संपर्क", "संपर्क: is unknown"),
            ("نامه\u{200c}ای", "نامه\u{200c}ای: is unknown"),
            ("cafe\u{301}", "cafe\u{301}: is unknown"),
            ("a\u{9b}b", r#""a\u{9b}b": is unknown"#),
            ("", r#""": is unknown"#),
            ("a\u{1b}[2J\n", r#""a\u{1b}[2J\n": is unknown"#),
            ("a\u{202e}b", r#""a\u{202e}b": is unknown"#),
            (&long, &short),
        ] {
            let error = Error::field(field, "is unknown");
            assert_eq!(error.message, sentence);
            assert_eq!(error.problems[0].field, field);
        }
    }
}
