//! A line of a bulk request: what it asks for.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::base::error::{Code, Error, Problems, Result, quoted};
use crate::base::time::Zone;
use crate::model::draft::{Draft, Purpose, ReadIn};
use crate::model::noun::{Noun, parse_id};
use crate::model::terms::{Tag, Versions};
use crate::model::value::Value;
use crate::net::body;

/// The words for what a line does.
pub(super) const OPS: [&str; 4] = ["create", "update", "upsert", "delete"];

/// A line, before it is read.
#[derive(Clone, Debug)]
pub(super) struct RawLine {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Its text. `None` if it is too long.
    pub(super) text: Option<Vec<u8>>,
}

/// A line that was read.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) asked: Result<AskedLine>,
}

/// What a line asks for.
pub(super) enum AskedLine {
    /// Creates a record, or does what the request says of one that is there.
    Save {
        is_upsert: bool,
        draft: Draft,
        row: Result<Vec<Option<Value>>, Problems>,
    },
    /// Changes a record.
    Update {
        id: i64,
        draft: Draft,
        versions: Option<Versions>,
    },
    /// Deletes a record.
    Delete { id: i64, versions: Option<Versions> },
}

/// How lines are read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) noun: &'static Noun,
    /// The zone of times without an offset, and whether the request names it.
    pub(super) zone: (Zone, bool),
    /// The most bytes of a line.
    pub(super) bytes: usize,
    /// The most levels of a line.
    pub(super) depth: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members<'a> {
    #[serde(borrow, default)]
    op: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    if_match: Option<&'a RawValue>,
}

impl Reading {
    /// Reads a line.
    pub(super) fn line(&self, raw: &RawLine) -> Line {
        Line {
            number: raw.number,
            asked: match &raw.text {
                Some(text) => self.asked(text),
                None => {
                    let most = self.bytes;
                    let message = format!("line: expected at most {most} bytes");
                    Err(Error::new(Code::TooLarge, message))
                }
            },
        }
    }

    fn asked(&self, text: &[u8]) -> Result<AskedLine> {
        let text =
            std::str::from_utf8(text).map_err(|_| Error::invalid("line: expected UTF-8 text"))?;
        if !text.trim_start().starts_with('{') {
            return Err(Error::invalid(format!(
                "line: expected a JSON object with op, got {}",
                quoted(text.trim())
            )));
        }
        if body::is_deeper(text.as_bytes(), self.depth) {
            let most = self.depth;
            return Err(Error::invalid(format!(
                "line: expected at most {most} levels of objects and arrays"
            )));
        }
        let members: Members<'_> =
            serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        let op = members.op.as_deref().unwrap_or_default();
        let has_id = matches!(op, "update" | "delete");
        let mut problems = Problems::default();
        if !OPS.contains(&op) {
            let got = match &members.op {
                Some(op) => format!(", got {}", quoted(op)),
                None => String::new(),
            };
            let expected = OPS.join(", ");
            return Err(Error::field(
                "op",
                format!("expected one of {expected}{got}"),
            ));
        }
        let id = match members.id.map(RawValue::get) {
            Some(raw) if has_id => {
                let id = parse_id(raw);
                if id.is_none() {
                    let got = quoted(raw);
                    problems.push("id", format!("expected a number from 1, got {got}"));
                }
                id
            }
            Some(_) => {
                problems.push(
                    "id",
                    format!("expected none, because {op} finds or makes the record"),
                );
                None
            }
            None if has_id => {
                problems.push("id", format!("is required to {op} a {}", self.noun.name));
                None
            }
            None => None,
        };
        let versions = match members.if_match.map(RawValue::get) {
            None | Some("null") => None,
            Some(_) if !has_id => {
                problems.push("if_match", "expected it only with update and delete");
                None
            }
            Some(raw) => match versions(raw) {
                Ok(versions) => Some(versions),
                Err(expected) => {
                    problems.push("if_match", expected);
                    None
                }
            },
        };
        let data = members.data.map(RawValue::get);
        match (op, data) {
            ("delete", None) | (_, Some(_)) if !(op == "delete" && data.is_some()) => {}
            ("delete", _) => problems.push("data", "expected none with delete"),
            _ => problems.push("data", format!("is required to {op} a {}", self.noun.name)),
        }
        if !problems.is_empty() {
            return Err(Error::fields(problems));
        }
        let (id, data) = (id.unwrap_or_default(), data.unwrap_or_default());
        match op {
            "delete" => Ok(AskedLine::Delete { id, versions }),
            "update" => Ok(AskedLine::Update {
                id,
                draft: self.draft(data, Purpose::Update)?,
                versions,
            }),
            _ => {
                let draft = self.draft(data, Purpose::Create)?;
                Ok(AskedLine::Save {
                    is_upsert: op == "upsert",
                    row: draft.row(),
                    draft,
                })
            }
        }
    }

    fn draft(&self, data: &str, purpose: Purpose) -> Result<Draft> {
        let times = ReadIn {
            zone: &self.zone.0,
            is_named: self.zone.1 || purpose == Purpose::Create,
        };
        let draft = Draft::from_json_in(self.noun, data.as_bytes(), purpose, times);
        draft.map_err(|mut error| {
            if let Some(told) = error.message.strip_prefix("body: ") {
                error.message = format!("data: {told}");
            }
            error
        })
    }
}

fn unreadable(error: &serde_json::Error) -> Error {
    let told = error.to_string();
    let told = told.split(" at line ").next().unwrap_or_default();
    Error::invalid(format!(
        "line: expected {{\"op\": …, \"id\": …, \"data\": …}} in JSON: {told} at column {}",
        error.column()
    ))
}

/// Reads the versions that a condition names: a number, or the text of `If-Match`.
fn versions(raw: &str) -> Result<Versions, String> {
    let expected = || {
        format!(
            "expected a version such as 3, an ETag or \"*\", got {}",
            quoted(raw)
        )
    };
    if let Ok(version) = raw.parse::<i64>() {
        return match version >= 0 {
            true => Ok(Versions::Of(vec![Tag::of(version)])),
            false => Err(expected()),
        };
    }
    let text: String = serde_json::from_str(raw).map_err(|_| expected())?;
    match text.parse::<i64>() {
        Ok(version) if version >= 0 => Ok(Versions::Of(vec![Tag::of(version)])),
        _ => Versions::parse(&text, false),
    }
}
