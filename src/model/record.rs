//! Records: the values of one lead, action, process or row of a view.

use bytes::Bytes;

use crate::base::error::{Code, Error, Result};
use crate::model::attributes::Entries;
use crate::model::field::Presence;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::shown::{Shown, every_field, write_fields};
use crate::model::stored::is_plain;
use crate::model::terms::{Tag, mark};
use crate::model::value::Value;

/// One record: its values in the order of its noun's fields.
#[derive(Clone, Debug)]
pub struct Record {
    /// The noun that it is a record of.
    pub noun: &'static Noun,
    /// One value for each field, followed by the version if it is known.
    pub values: Vec<Value>,
}

/// Records are equal if their fields are. Versions are not compared, because a list of another server does not have them.
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
    /// Makes a new record from the [row](crate::model::draft::Draft::row) of a draft. It is created at the time `now`.
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

    /// The record's version. 0 if it is not known. See [`crate::model::terms`].
    pub fn version(&self) -> i64 {
        let version = self.values.get(self.noun.fields.len());
        version.and_then(Value::int).unwrap_or_default()
    }

    /// The record's ETag.
    pub fn tag(&self) -> Tag {
        let derived = self.noun.derived();
        let value = derived.and_then(|at| self.values.get(at)?.text());
        Tag {
            version: self.version(),
            mark: mark(value),
        }
    }

    /// The row in the database: the values and the version, which is 1 if it is not known.
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

    /// Refuses a record that has become too large for one request.
    pub fn fits(&self) -> Result<()> {
        match self.size() > LARGEST + ROOM {
            true => Err(Error::new(
                Code::TooLarge,
                format!("the record: expected at most {LARGEST} bytes as JSON"),
            )),
            false => Ok(()),
        }
    }

    /// The size of its fields as JSON, in bytes. Each field counts under one name; fields that crm sets do not count.
    pub fn size(&self) -> usize {
        // An escaped byte takes at most six bytes. If that estimate is small enough, the JSON need not be written.
        let most: usize = self
            .values
            .iter()
            .map(|value| value.text().map_or(0, str::len) * 6 + 64)
            .sum();
        if most <= LARGEST {
            return most;
        }
        let shown = Shown::once(self.noun)
            .only(|field| self.noun.fields[field.at].presence != Presence::Automatic);
        let mut out = Vec::new();
        self.write_json(&shown, &mut out);
        out.len()
    }

    /// The record as JSON with all of its fields, in UTF-8.
    pub fn to_json_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        write_fields(
            every_field(self.noun).map(|(name, at)| (name, at, None)),
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

    /// Reads a record that a server answered. Unknown fields come from a newer server and are left out. Fields that were not
    /// requested are null.
    pub fn from_json(noun: &'static Noun, json: &[u8]) -> Option<Record> {
        let entries: Entries = serde_json::from_slice(json).ok()?;
        let mut values = vec![Value::Null; noun.fields.len()];
        for (key, raw) in entries.0 {
            if let Some(at) = noun.position(&key) {
                values[at] = read(noun.fields[at].kind, raw.get())?;
            }
        }
        Some(Record { noun, values })
    }

    /// Reads the fields that a JSON object has, with their positions. `None` if it is no object, or if one of its fields is
    /// unknown or has a value that it cannot have.
    pub fn fields_from_json(noun: &'static Noun, json: &[u8]) -> Option<Vec<(usize, Value)>> {
        let entries: Entries = serde_json::from_slice(json).ok()?;
        let fields = entries.0.iter().map(|(key, raw)| {
            let at = noun.position(key)?;
            let field = &noun.fields[at];
            let value = read(field.kind, raw.get())?;
            is_plain(Some(field), value.cell()).then_some((at, value))
        });
        fields.collect()
    }
}

/// Reads the value of a field of this kind.
fn read(kind: Kind, raw: &str) -> Option<Value> {
    Some(match kind {
        _ if raw == "null" => Value::Null,
        Kind::Id | Kind::Reference(_) | Kind::Count(..) => Value::Int(raw.parse().ok()?),
        Kind::Attributes | Kind::Object => Value::Text(raw.to_string()),
        _ => Value::Text(serde_json::from_str(raw).ok()?),
    })
}

/// A record as JSON with all of its fields, and its ETag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// As [`Record::to_json`] writes it.
    pub json: Bytes,
    /// The version in it is 0 if it is not known.
    pub tag: Tag,
}

impl From<&Record> for Snapshot {
    fn from(record: &Record) -> Snapshot {
        Snapshot {
            json: record.to_json_bytes().into(),
            tag: record.tag(),
        }
    }
}

/// The largest record that is accepted, in bytes of JSON: the body of a request, or the input of a command.
pub const LARGEST: usize = 1024 * 1024;

/// How much larger than [`LARGEST`] a stored record may be, in bytes: the defaults of fields that the largest body leaves out.
pub const ROOM: usize = 1024;

/// The error for a record that is larger than `most` bytes.
pub fn too_large(most: usize) -> Error {
    Error::new(
        Code::TooLarge,
        format!("body: expected at most {most} bytes"),
    )
}
