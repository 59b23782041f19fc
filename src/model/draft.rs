//! Drafts: the fields of a record to create or change, and the problems with them.
//!
//! A draft is checked when the stored record is known, because a value that does not change is always accepted: it may
//! be older than the rules. Until then, the draft keeps unreadable fields as problems, so that one answer names
//! everything that is wrong.

use crate::base::error::{Error, Problem, Problems, Result, quoted};
use crate::base::time::{self, Zone};
use crate::model::attributes::{Attributes, Entries, unreadable};
use crate::model::email::{bad_punycode, email};
use crate::model::field::{Field, Presence};
use crate::model::json::write_text;
use crate::model::kind::Kind;
use crate::model::noun::{Noun, parse_id};
use crate::model::record::Record;
use crate::model::value::Value;

/// A given value. Its type fits the field, but it is not yet checked against the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// `null`.
    Null,
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// A time without an offset, read in the default zone of a service. If the text equals the stored value, it was sent
    /// back as it was read and does not change anything.
    Local {
        /// As it was given.
        given: String,
        /// In the stored form.
        utc: String,
    },
    /// A JSON object.
    Object(Attributes),
}

impl Input {
    /// Whether this is the stored value.
    fn is(&self, stored: &Value) -> bool {
        match (self, stored) {
            (Input::Null, Value::Null) => true,
            (Input::Int(given), Value::Int(stored)) => given == stored,
            (Input::Text(given) | Input::Local { given, .. }, Value::Text(stored)) => {
                given == stored
            }
            _ => false,
        }
    }
}

/// In which zone a draft reads times without an offset.
#[derive(Clone, Copy, Debug)]
pub struct ReadIn<'a> {
    /// The zone.
    pub zone: &'a Zone,
    /// Whether the request names the zone. Otherwise it is the default of the service, see [`Input::Local`].
    pub is_named: bool,
}

impl ReadIn<'_> {
    /// UTC.
    pub const UTC: ReadIn<'static> = ReadIn {
        zone: &Zone::UTC,
        is_named: true,
    };

    /// Reads a time. A text that is no time stays as it is.
    fn time(self, given: String, purpose: Purpose) -> Input {
        if *self.zone == Zone::UTC {
            return Input::Text(given);
        }
        match time::parse_in(&given, self.zone) {
            // Right in UTC, but not in the zone: its year would be 0 or 10000. The zone makes it a text that is refused.
            None if time::parse(&given).is_some() => {
                Input::Text(format!("{given}[{}]", self.zone.name()))
            }
            None => Input::Text(given),
            Some(utc) if purpose == Purpose::Update && !self.is_named => {
                Input::Local { given, utc }
            }
            Some(utc) => Input::Text(utc),
        }
    }
}

/// What a draft is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new record.
    Create,
    /// A change of an existing record.
    Update,
}

/// The given fields, and the problems of those that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The noun of the record.
    pub noun: &'static Noun,
    given: Vec<GivenField>,
    /// The id that was given in an update. It must be the record's own.
    id: Option<i64>,
    problems: Problems,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct GivenField {
    at: usize,
    /// Whether it was given under its old name.
    old: bool,
    input: Input,
}

impl Draft {
    /// An empty draft.
    pub fn new(noun: &'static Noun) -> Draft {
        Draft {
            noun,
            given: Vec::new(),
            id: None,
            problems: Problems::default(),
        }
    }

    /// Reads a JSON object. Wrong fields are kept as problems, so that one answer names all of them.
    pub fn from_json(noun: &'static Noun, body: &[u8], purpose: Purpose) -> Result<Draft> {
        Draft::from_json_in(noun, body, purpose, ReadIn::UTC)
    }

    /// The same as [`Draft::from_json`], with another zone.
    pub fn from_json_in(
        noun: &'static Noun,
        body: &[u8],
        purpose: Purpose,
        times: ReadIn<'_>,
    ) -> Result<Draft> {
        let mut draft = Draft::new(noun);
        for (key, raw) in entries(body)?.0 {
            draft.read(&key, raw.get(), purpose, times);
        }
        Ok(draft)
    }

    /// Reads one member of a JSON object.
    pub fn read(&mut self, key: &str, raw: &str, purpose: Purpose, times: ReadIn<'_>) {
        let Some(at) = self.noun.position(key) else {
            return self.unknown(key);
        };
        let field = &self.noun.fields[at];
        match (field.kind, purpose) {
            (Kind::Id, _) => match (parse_id(raw), purpose) {
                (Some(id), Purpose::Update) => self.id = Some(id),
                // A record that was read can be created again. The copy gets an id of its own.
                (Some(_), Purpose::Create) => {}
                (None, _) => self.refuse(key, field.kind.expected()),
            },
            (Kind::Stamp | Kind::Newest(_), _) => {}
            (kind, _) => match input(kind, raw) {
                Ok(input) => self.given.push(GivenField {
                    at,
                    old: key != field.name,
                    input: match input {
                        Input::Text(text) if kind.tense().is_some() => times.time(text, purpose),
                        input => input,
                    },
                }),
                Err(expected) => self.refuse(key, expected),
            },
        }
    }

    fn unknown(&mut self, key: &str) {
        let noun = self.noun;
        self.problems.push_with(|| {
            let known = noun.writable().join(", ");
            let key: String = key.chars().take(60).collect();
            let (article, name) = (noun.article(), noun.name);
            Problem::new(key, format!("no such field; {article} {name} has {known}"))
        });
    }

    /// Adds a problem of a field.
    pub fn refuse(&mut self, field: &str, expected: impl Into<String>) {
        self.problems.push(field, expected);
    }

    /// Adds a field by its name, as a flag of the command line does.
    pub fn give(&mut self, name: &str, input: Input) {
        match self.noun.position(name) {
            Some(at) => self.given.push(GivenField {
                at,
                old: self.noun.fields[at].name != name,
                input,
            }),
            None => self.unknown(name),
        }
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty() && self.problems.is_empty()
    }

    /// Whether the field at this position is given.
    pub fn gives(&self, at: usize) -> bool {
        self.given.iter().any(|given| given.at == at)
    }

    /// Its approximate size in bytes.
    pub fn size(&self) -> usize {
        let size = |given: &GivenField| match &given.input {
            Input::Null | Input::Int(_) => 0,
            Input::Text(text) => text.len(),
            Input::Local { given, utc } => given.len() + utc.len(),
            Input::Object(object) => object.size(),
        };
        let problems = self.problems.size();
        let given = self
            .given
            .iter()
            .map(|given| size_of::<GivenField>() + size(given));
        problems + given.sum::<usize>()
    }

    /// The text that was given for a field.
    pub fn text(&self, name: &str) -> Option<&str> {
        let at = self.noun.position(name)?;
        self.given
            .iter()
            .rev()
            .find(|given| given.at == at)
            .and_then(|given| match &given.input {
                Input::Text(text) => Some(text.as_str()),
                _ => None,
            })
    }

    /// The object that was given for a field.
    pub fn object(&self, at: usize) -> Option<&Attributes> {
        let given = self.given.iter().rev().find(|given| given.at == at);
        match &given?.input {
            Input::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The JSON that was given for a key of the attributes.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let objects = self
            .given
            .iter()
            .rev()
            .filter_map(|given| match &given.input {
                Input::Object(object) => Some(object),
                _ => None,
            });
        objects.into_iter().next()?.get(key)
    }

    /// Gives each time an offset, so that it means the same in every zone. What has none is UTC.
    pub fn pin_times(&mut self) {
        for given in &mut self.given {
            if let Input::Text(text) = &mut given.input
                && self.noun.fields[given.at].kind.tense().is_some()
                && let Some(utc) = time::parse(text)
            {
                *text = format!("{utc}Z");
            }
        }
    }

    /// Refuses a draft with unreadable fields. The error of a create names everything else that is wrong, too.
    pub fn readable(&self, purpose: Purpose) -> Result<()> {
        match self.problems.is_empty() {
            true => Ok(()),
            false if purpose == Purpose::Create => self.row().map(drop).map_err(Error::fields),
            false => Err(Error::fields(self.problems.clone())),
        }
    }

    /// The draft as JSON, for a server.
    pub fn to_json(&self) -> String {
        let mut out = vec![b'{'];
        let mut member = |name: &str, json: &str| {
            if out.len() > 1 {
                out.push(b',');
            }
            write_text(name, &mut out);
            out.push(b':');
            out.extend_from_slice(json.as_bytes());
        };
        if let Some(id) = self.id {
            member("id", &id.to_string());
        }
        for given in &self.given {
            let field = &self.noun.fields[given.at];
            let name = field.old_name.filter(|_| given.old).unwrap_or(field.name);
            match &given.input {
                Input::Null => member(name, "null"),
                Input::Int(int) => member(name, &int.to_string()),
                Input::Text(text) => {
                    member(name, &serde_json::Value::from(text.as_str()).to_string())
                }
                Input::Local { utc, .. } => member(name, &format!("\"{utc}Z\"")),
                Input::Object(object) => member(name, &object.to_string()),
            }
        }
        out.push(b'}');
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The values given for a field under its name and under its old name.
    fn inputs(&self, at: usize) -> (Option<&Input>, Option<&Input>) {
        let find = |old| {
            self.given
                .iter()
                .rev()
                .find(|given| given.at == at && given.old == old)
                .map(|given| &given.input)
        };
        (find(false), find(true))
    }

    /// The values of a new record: one for each field except the id, `None` for the time of the write. The error has
    /// everything that is wrong.
    pub fn row(&self) -> Result<Vec<Option<Value>>, Problems> {
        let mut problems = self.problems.clone();
        let mut row = Vec::with_capacity(self.noun.fields.len() - 1);
        for (at, field) in self.noun.fields.iter().enumerate().skip(1) {
            let given = match self.inputs(at) {
                // If both names are given and differ, the current name wins, but the other value is checked too.
                (Some(input), old) => {
                    problems.extend(old.and_then(|old| field.refusal(old)));
                    Some((field.name, input))
                }
                (None, Some(input)) => field.old_name.map(|name| (name, input)),
                (None, None) => None,
            };
            let value = match (given, field.presence) {
                (Some((name, input)), _) => Some(field.check(input).unwrap_or_else(|expected| {
                    problems.push(name, expected);
                    Value::Null
                })),
                (None, Presence::Required) => {
                    // A field that was given but could not be read has a problem already.
                    if !problems.has(field.name) {
                        problems.push(
                            field.name,
                            format!("is required; {}", field.kind.expected()),
                        );
                    }
                    Some(Value::Null)
                }
                (None, Presence::Optional) => Some(Value::Null),
                (None, Presence::Default(text)) => Some(text.into()),
                (None, Presence::Automatic) if field.is_derived() => Some(Value::Null),
                (None, Presence::Now | Presence::Automatic) => None,
            };
            row.push(value);
        }
        if problems.is_empty() {
            Ok(row)
        } else {
            Err(problems)
        }
    }

    /// The columns of a stored record that the draft changes. The error has everything that is wrong. An unchanged value is
    /// not checked: it may be older than the rules.
    pub fn changes(&self, stored: &Record) -> Result<Vec<(usize, Value)>, Problems> {
        let mut problems = self.problems.clone();
        if let Some(id) = self.id.filter(|id| *id != stored.id()) {
            problems.push(
                "id",
                format!(
                    "expected {}, the id of the record, or nothing, got {id}",
                    stored.id()
                ),
            );
        }
        let mut changes = Vec::new();
        for (at, field) in self.noun.fields.iter().enumerate() {
            let before = &stored.values[at];
            let (name, input) = match self.inputs(at) {
                (None, None) => continue,
                (Some(input), None) => (field.name, input),
                (None, Some(input)) => (field.old_name.unwrap_or(field.name), input),
                // An old client reads both names, edits the old one and sends both back.
                (Some(input), Some(old)) if input.is(before) => {
                    (field.old_name.unwrap_or(field.name), old)
                }
                (Some(input), Some(old)) => {
                    problems.extend(
                        Some(old)
                            .filter(|old| !old.is(before))
                            .and_then(|old| field.refusal(old)),
                    );
                    (field.name, input)
                }
            };
            if input.is(before) {
                continue;
            }
            if let Input::Object(change) = input {
                let mut object = Attributes::stored(before.text().unwrap_or_default());
                object.merge(change);
                let after = Value::Text(object.to_string());
                if after != *before {
                    changes.push((at, after));
                }
                continue;
            }
            match field.check(input) {
                Ok(after) if after == *before => {}
                Ok(after) => changes.push((at, after)),
                Err(expected) => problems.push(name, expected),
            }
        }
        if problems.is_empty() {
            Ok(changes)
        } else {
            Err(problems)
        }
    }

    /// The given references, as field and id.
    pub fn references(&self) -> impl Iterator<Item = (&'static Field, i64)> + '_ {
        self.given
            .iter()
            .filter_map(|given| match (&self.noun.fields[given.at], &given.input) {
                (field, Input::Int(id)) if matches!(field.kind, Kind::Reference(_)) => {
                    Some((field, *id))
                }
                _ => None,
            })
    }
}

/// Reads the members of a body, which is a JSON object.
pub(crate) fn entries(body: &[u8]) -> Result<Entries<'_>> {
    let text =
        std::str::from_utf8(body).map_err(|_| Error::invalid("body: expected UTF-8 text"))?;
    if !text.trim_start().starts_with('{') {
        return Err(Error::invalid("body: expected a JSON object"));
    }
    serde_json::from_str(text)
        .map_err(|error| Error::invalid(format!("body: {}", unreadable(&error))))
}

/// Reads a JSON value for a field of this kind. The error says what was expected.
fn input(kind: Kind, raw: &str) -> Result<Input, String> {
    let got = |what: &str| Err(format!("{}, got {what}", kind.expected()));
    match raw.as_bytes().first() {
        Some(b'n') => Ok(Input::Null),
        Some(b'"') if kind.is_number() || kind == Kind::Attributes => got("text"),
        Some(b'"') => serde_json::from_str(raw)
            .map(Input::Text)
            .map_err(|_| "expected text that is well-formed Unicode".into()),
        Some(b't' | b'f') => got(raw),
        Some(b'{') if kind == Kind::Attributes => Attributes::parse(raw).map(Input::Object),
        Some(b'{') => got("an object"),
        Some(b'[') => got("an array"),
        _ if kind.is_number() => match raw.parse::<i64>() {
            Ok(int) if kind.allows(int) => Ok(Input::Int(int)),
            _ => got(&raw.chars().take(40).collect::<String>()),
        },
        _ => got("a number"),
    }
}

/// Reads a value of the command line for a field of this kind. Times are read in this zone, and become UTC with an offset.
/// The error says what was expected.
pub fn input_from_text(field: &Field, text: &str, zone: &Zone) -> Result<Input, String> {
    if let Some(tense) = field.kind.tense() {
        return time::point(text, zone, tense).map(Input::Text);
    }
    match field.kind {
        Kind::Id | Kind::Reference(_) => match parse_id(text) {
            Some(id) => Ok(Input::Int(id)),
            None => Err(format!("{}, got {}", field.kind.expected(), quoted(text))),
        },
        Kind::Count(..) => match parse_id(text).filter(|int| field.kind.allows(*int)) {
            Some(int) => Ok(Input::Int(int)),
            None => Err(format!("{}, got {}", field.kind.expected(), quoted(text))),
        },
        Kind::Attributes => Attributes::parse(text).map(Input::Object),
        _ => Ok(Input::Text(text.into())),
    }
}

impl Field {
    /// What is wrong with a value that was given under the old name.
    fn refusal(&self, input: &Input) -> Option<Problem> {
        let expected = self.check(input).err()?;
        Some(Problem::new(self.old_name.unwrap_or(self.name), expected))
    }

    /// The value as it is stored. The error says what was expected.
    fn check(&self, input: &Input) -> Result<Value, String> {
        let text = match input {
            Input::Null if self.nullable() => return Ok(Value::Null),
            Input::Null if self.kind == Kind::Attributes => return Ok(Value::Text("{}".into())),
            Input::Null => return Err("must not be null".into()),
            Input::Object(change) => {
                return Ok(Value::Text(change.without_nulls()));
            }
            Input::Int(int) if self.kind.allows(*int) => return Ok(Value::Int(*int)),
            Input::Int(_) => return Err(self.kind.expected()),
            Input::Local { utc, .. } => return Ok(Value::Text(utc.clone())),
            Input::Text(text) => text,
        };
        if text.contains('\0') {
            return Err("must not contain a NUL character".into());
        }
        match self.kind {
            Kind::Word if text.trim().is_empty() => Err("must not be empty".into()),
            Kind::Email => match email(text) {
                Some(email) => Ok(Value::Text(email)),
                None => {
                    let why = bad_punycode(text).map(|why| format!("; {why}"));
                    let (expected, why) = (self.kind.expected(), why.unwrap_or_default());
                    Err(format!("{expected}, got {}{why}", quoted(text)))
                }
            },
            Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => match time::parse(text) {
                Some(time) => Ok(Value::Text(time)),
                None => Err(format!("{}, got {}", time::EXPECTED, quoted(text))),
            },
            _ => Ok(Value::Text(text.clone())),
        }
    }
}
