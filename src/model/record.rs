//! Records: the values of one lead, action or process.

use bytes::Bytes;

use crate::base::error::{Code, Error, Result};
use crate::model::json::Entries;
pub use crate::model::kind::Kind;
pub use crate::model::noun::Noun;
pub use crate::model::shown::Shown;
use crate::model::shown::{every_field, write_fields};
pub use crate::model::value::Value;

pub use crate::model::email::email;
pub use crate::model::field::{ATTRIBUTES, CREATED_AT, Field, ID, LEAD_ID, Presence, UPDATED_AT};
pub use crate::model::kind::{OnDelete, Target};
pub use crate::model::noun::{Examples, Relation};
pub use crate::model::rows::Rows;
pub use crate::model::shown::ShownField;
pub use crate::model::value::Cell;

/// What is read: the values of one record in the order of its noun's fields.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it is.
    pub noun: &'static Noun,
    /// One value a field, and behind them the version where it is known.
    pub values: Vec<Value>,
}

/// Records are the same where their fields are: a list of another server's does not tell versions.
impl PartialEq for Record {
    fn eq(&self, other: &Record) -> bool {
        let fields = self.noun.fields.len();
        self.noun == other.noun
            && self
                .values
                .iter()
                .take(fields)
                .eq(other.values.iter().take(fields))
    }
}

impl Eq for Record {}

impl Record {
    /// A new record of what a draft's [row](crate::model::draft::Draft::row) has, made at the time `now`.
    pub fn new(noun: &'static Noun, id: i64, row: Vec<Option<Value>>, now: &str) -> Record {
        let mut values = Vec::with_capacity(noun.fields.len() + 1);
        values.push(Value::Int(id));
        values.extend(
            row.into_iter()
                .map(|value| value.unwrap_or_else(|| now.into())),
        );
        values.push(Value::Int(1));
        Record { noun, values }
    }

    /// The record's id.
    pub fn id(&self) -> i64 {
        self.values.first().and_then(Value::int).unwrap_or_default()
    }

    /// The record's version, 0 where it is not known. See [`crate::model::terms`].
    pub fn version(&self) -> i64 {
        let version = self.values.get(self.noun.fields.len());
        version.and_then(Value::int).unwrap_or_default()
    }

    /// Its row: the values and the version, 1 where it is not known.
    pub fn row(&self) -> Vec<Value> {
        let fields = self.noun.fields.len();
        let mut row = self.values[..fields].to_vec();
        row.push(Value::Int(self.version().max(1)));
        row
    }

    /// The same record with this version.
    pub fn with_version(mut self, version: i64) -> Record {
        self.values.truncate(self.noun.fields.len());
        self.values.push(Value::Int(version));
        self
    }

    /// A field's value, by its name.
    pub fn get(&self, name: &str) -> &Value {
        self.noun
            .position(name)
            .and_then(|at| self.values.get(at))
            .unwrap_or(&Value::Null)
    }

    /// Appends the record as compact JSON with the fields that are shown.
    pub fn write_json(&self, shown: &Shown, out: &mut Vec<u8>) {
        shown.write_json(self.noun, |at| self.values[at].cell(), out);
    }

    /// Refuses a record that has grown beyond what one request can carry.
    pub fn fits(&self) -> Result<()> {
        match self.size() > LARGEST + ROOM {
            true => Err(Error::new(
                Code::TooLarge,
                format!("the record: expected at most {LARGEST} bytes as JSON"),
            )),
            false => Ok(()),
        }
    }

    /// The bytes of its fields as JSON, each under one name and without those that crm sets.
    pub fn size(&self) -> usize {
        // No escape of a byte takes more than six: what is small even so need not be written out.
        let most: usize = self
            .values
            .iter()
            .map(|value| value.text().map_or(0, str::len) * 6 + 64)
            .sum();
        if most <= LARGEST {
            return most;
        }
        let mut shown = Shown::once(self.noun);
        shown
            .0
            .retain(|field| self.noun.fields[field.at].presence != Presence::Automatic);
        let mut out = Vec::new();
        self.write_json(&shown, &mut out);
        out.len()
    }

    /// The record as JSON with all of its fields, in UTF-8.
    pub fn to_json_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        write_fields(
            every_field(self.noun),
            self.noun,
            |at| self.values[at].cell(),
            &mut out,
        );
        out
    }

    /// The record as JSON with all of its fields.
    pub fn to_json(&self) -> String {
        String::from_utf8_lossy(&self.to_json_bytes()).into_owned()
    }

    /// Reads what a server answered. Fields that this crm does not know are a newer server's and left out; fields that
    /// were not asked for are null.
    pub fn from_json(noun: &'static Noun, json: &[u8]) -> Option<Record> {
        let entries: Entries = serde_json::from_slice(json).ok()?;
        let mut values = vec![Value::Null; noun.fields.len()];
        for (key, raw) in entries.0 {
            let Some(at) = noun.position(&key) else {
                continue;
            };
            let raw = raw.get();
            values[at] = match noun.fields[at].kind {
                _ if raw == "null" => Value::Null,
                Kind::Id | Kind::Reference(_) => Value::Int(raw.parse().ok()?),
                Kind::Attributes => Value::Text(raw.to_string()),
                _ => Value::Text(serde_json::from_str(raw).ok()?),
            };
        }
        Some(Record { noun, values })
    }
}

/// A record as JSON with all of its fields, and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// As [`Record::to_json`] writes it.
    pub json: Bytes,
    /// 0 where it is not known.
    pub version: i64,
}

impl From<&Record> for Snapshot {
    fn from(record: &Record) -> Snapshot {
        Snapshot {
            json: record.to_json_bytes().into(),
            version: record.version(),
        }
    }
}

/// The largest record that is taken, in bytes of its JSON: a request's body, or what a command read.
pub const LARGEST: usize = 1024 * 1024;

/// What a stored record may have beyond [`LARGEST`]: the fields that the largest body leaves to their defaults.
const ROOM: usize = 1024;

/// The refusal of a record that is larger than what is taken, in bytes.
pub fn too_large(most: usize) -> Error {
    Error::new(
        Code::TooLarge,
        format!("body: expected at most {most} bytes"),
    )
}
