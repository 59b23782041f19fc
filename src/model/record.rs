//! Nouns and records: what a lead, an action and a process have in common.
//!
//! A noun is a table of its fields ([`Noun`]). Everything that is alike for all nouns is written once over that table: the
//! JSON that is read and written, the checks, the columns in SQL, the filters and the sort of a list, the flags of a
//! command, the OpenAPI document. A new field is one entry in its noun's file and one migration. Plain data was chosen
//! over one struct a noun with derives: every rule here needs *all* failing fields at once, "not given" apart from "given
//! as null", a field under two names, and values that are accepted because they did not change, and none of the derives
//! gives these.

use std::fmt;
use std::io::Write;

use bytes::Bytes;
use email_address::{EmailAddress, Options};

use crate::base::error::{Code, Error, Result, quoted};
use crate::base::time;
use crate::model::attributes::Entries;

/// A kind of record, as a table of its fields.
#[derive(Debug)]
pub struct Noun {
    /// In the singular: `lead`.
    pub name: &'static str,
    /// In the plural, also the table and the path: `leads`.
    pub plural: &'static str,
    /// As a sentence begins: `Lead`.
    pub title: &'static str,
    /// One sentence on what it is.
    pub about: &'static str,
    /// The columns, in the order they are stored and shown; the first is the id.
    pub fields: &'static [Field],
    /// Where its records are.
    pub relation: Relation,
    /// Examples of its commands. A test runs them one after the other on a database with one record of each noun.
    pub examples: Examples,
}

/// Where the records of a noun are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// In the table that is named by the noun's plural.
    Table,
    /// In other tables: the noun is a view, which is only read.
    View {
        /// The query, with one column for each field and behind them the `version`.
        select: &'static str,
        /// The order of a list that names none, as the parameter `sort` takes it. Null comes last in it.
        order: &'static str,
    },
}

/// Examples of a noun's commands, a whole command line each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Examples {
    /// Of `create`.
    pub create: &'static [&'static str],
    /// Of `get`.
    pub get: &'static [&'static str],
    /// Of `list`.
    pub list: &'static [&'static str],
    /// Of `update`.
    pub update: &'static [&'static str],
    /// Of `delete`.
    pub delete: &'static [&'static str],
}

/// One field of a noun.
#[derive(Debug)]
pub struct Field {
    /// Its name in JSON, in SQL and, in kebab case, as a flag.
    pub name: &'static str,
    /// The name it had in the earlier service, which is still read and written.
    pub old_name: Option<&'static str>,
    /// A second, shorter flag.
    pub flag: Option<&'static str>,
    /// What values it takes.
    pub kind: Kind,
    /// Whether it has to be given, and what it is when it is not.
    pub presence: Presence,
    /// What it means, for help and documentation.
    pub about: &'static str,
    /// An example value; for attributes a JSON text.
    pub example: &'static str,
}

/// What values a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The record's own id: a whole number of 1 or more, given by the database and never given twice.
    Id,
    /// The id of a record of another noun.
    Reference(Target),
    /// Any text without NUL.
    Text,
    /// A free word or more, not blank.
    Word,
    /// An e-mail address, stored trimmed and in lower case.
    Email,
    /// A time, see [`crate::base::time`].
    Time,
    /// A time that crm sets by itself.
    Stamp,
    /// The user's own fields, see [`crate::model::attributes`].
    Attributes,
}

/// The noun that a reference points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Its table.
    pub plural: &'static str,
    /// What becomes of the record that refers to it when it is deleted.
    pub on_delete: OnDelete,
}

/// What the delete of a record does to the records that refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// It is refused as long as there are any, unless they are deleted with it (`cascade`).
    Refuse,
    /// Their reference becomes null, which is a change of theirs.
    SetNull,
}

/// Whether a field has to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// In every create; never null.
    Required,
    /// May be left out and may be null.
    Optional,
    /// Never null; this text when it is left out.
    Default(&'static str),
    /// Never null; the time of the create when it is left out.
    Now,
    /// Set by crm.
    Automatic,
}

impl Noun {
    /// Where a field stands, by its name or its old name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields
            .iter()
            .position(|field| field.name == name || field.old_name == Some(name))
    }

    /// The names that a draft may give, in order.
    pub fn writable(&self) -> Vec<&'static str> {
        let fields = self
            .fields
            .iter()
            .filter(|field| field.presence != Presence::Automatic);
        fields
            .flat_map(|field| [Some(field.name), field.old_name])
            .flatten()
            .collect()
    }

    /// The plural as a sentence begins: `Leads`.
    pub fn plural_title(&self) -> String {
        format!("{}{}", &self.title[..1], &self.plural[1..])
    }

    /// Whether its records have fields of the user's own.
    pub fn has_attributes(&self) -> bool {
        self.fields
            .iter()
            .any(|field| field.kind == Kind::Attributes)
    }

    /// The order of a list that names none, as the parameter `sort` takes it.
    pub fn default_order(&self) -> &'static str {
        match self.relation {
            Relation::Table => "id",
            Relation::View { order, .. } => order,
        }
    }

    /// Whether it is only read.
    pub fn is_view(&self) -> bool {
        matches!(self.relation, Relation::View { .. })
    }

    /// The field that holds an e-mail address, if it has one.
    pub fn email(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.kind == Kind::Email)
    }

    /// The nouns among `nouns` with a field that refers to this one, each with that field, in their order.
    pub fn referrers(
        &self,
        nouns: &[&'static Noun],
    ) -> impl DoubleEndedIterator<Item = (&'static Noun, &'static Field, OnDelete)> {
        let mut found = Vec::new();
        for noun in nouns {
            for field in noun.fields {
                if let Kind::Reference(target) = field.kind
                    && target.plural == self.plural
                {
                    found.push((*noun, field, target.on_delete));
                }
            }
        }
        found.into_iter()
    }

    /// The error for an id that no record has.
    pub fn not_found(&self) -> Error {
        Error::new(Code::NotFound, format!("{} not found", self.title))
    }

    /// The error for an id that is none.
    pub fn bad_id(&self, given: &str) -> Error {
        Error::field(
            "id",
            format!(
                "expected the id of {} {}, a whole number of 1 or more, got {}",
                self.article(),
                self.name,
                quoted(given)
            ),
        )
    }

    /// Reads an id as a path or a command line gives it.
    pub fn parse_id(&self, given: &str) -> Result<i64> {
        parse_id(given).ok_or_else(|| self.bad_id(given))
    }

    /// `a` or `an`.
    pub fn article(&self) -> &'static str {
        if self.name.starts_with(['a', 'e', 'i', 'o', 'u']) {
            "an"
        } else {
            "a"
        }
    }
}

/// A whole number of 1 or more, in digits alone.
pub(crate) fn parse_id(given: &str) -> Option<i64> {
    let digits = !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit());
    given.parse().ok().filter(|id| digits && *id >= 1)
}

impl Field {
    /// Whether the field may be null.
    pub fn nullable(&self) -> bool {
        self.presence == Presence::Optional
    }

    /// Whether `q` searches it.
    pub fn searchable(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Word | Kind::Email)
    }
}

impl Kind {
    /// What is expected of a value, as a sentence says it.
    pub fn expected(self) -> String {
        match self {
            Kind::Id => "expected an id, a whole number of 1 or more".into(),
            Kind::Reference(target) => {
                format!(
                    "expected the id of a {}, a whole number of 1 or more",
                    target.name
                )
            }
            Kind::Text | Kind::Word => "expected text".into(),
            Kind::Email => "expected an e-mail address like ada@example.com".into(),
            Kind::Time | Kind::Stamp => time::EXPECTED.into(),
            Kind::Attributes => "expected a JSON object like {\"company\": \"Acme\"}".into(),
        }
    }

    /// Whether its values are whole numbers.
    pub fn is_id(self) -> bool {
        matches!(self, Kind::Id | Kind::Reference(_))
    }
}

/// An e-mail address as it is stored: trimmed, in lower case, of the form RFC 5321 and RFC 6531 (international) give, with
/// a domain of at least two labels. `None` where it is none.
pub fn email(text: &str) -> Option<String> {
    const OPTIONS: Options = Options {
        minimum_sub_domains: 2,
        allow_domain_literal: false,
        allow_display_text: false,
    };
    let email = text.trim().to_lowercase();
    // RFC 5321, section 4.5.3.1.3: a path of 256 octets, two of them the angle brackets.
    let fits = email.len() <= 254 && !email.chars().any(|c| c.is_control());
    let parses = fits && EmailAddress::parse_with_options(&email, OPTIONS).is_ok();
    (parses && host(email.rsplit_once('@')?.1)).then_some(email)
}

/// What the parser leaves open: in ASCII a host is letters, digits and hyphens (RFC 1123, section 2.1), and its last label
/// is no number, or it would be an address of the network (RFC 3696, section 2).
fn host(domain: &str) -> bool {
    let plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.chars().all(plain) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a column holds; alike on every database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// SQL's null.
    Null,
    /// An id.
    Int(i64),
    /// Text, a time, or a JSON object as text.
    Text(String),
}

impl Value {
    /// The text, `None` for null and numbers.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, `None` for null and text.
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }
}

/// A column's value where it lies: in a row of a database, or in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// SQL's null.
    Null,
    /// An id.
    Int(i64),
    /// As in [`Value::Text`].
    Text(&'a str),
}

impl Value {
    /// The value without a copy of it.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Value::Null => Cell::Null,
            Value::Int(int) => Cell::Int(*int),
            Value::Text(text) => Cell::Text(text),
        }
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Value {
        match cell {
            Cell::Null => Value::Null,
            Cell::Int(int) => Value::Int(int),
            Cell::Text(text) => Value::Text(text.into()),
        }
    }
}

/// What a list is read into, some records at a time: records, or at once the text that an answer is made of.
pub trait Rows: Send + Sync + Sized + 'static {
    /// The same without any record.
    fn empty(&self) -> Self;

    /// Takes a record: one cell a field of its noun, and behind them its version where it is known.
    fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]);

    /// Whether it has a use for versions.
    fn wants_versions(&self) -> bool {
        true
    }

    /// Whether it takes records as [`Record::to_json`] writes them, and tells what it wrote of others.
    fn is_json(&self) -> bool {
        false
    }

    /// Takes a record as JSON with all of its fields, if it [is JSON](Rows::is_json).
    fn push_json(&mut self, _json: &[u8]) {}

    /// The JSON of the record that was taken last, if it [is JSON](Rows::is_json).
    fn last_json(&self) -> &[u8] {
        &[]
    }
}

impl Rows for Vec<Record> {
    fn empty(&self) -> Vec<Record> {
        Vec::new()
    }

    fn push(&mut self, noun: &'static Noun, cells: &[Cell<'_>]) {
        let values = cells.iter().map(|cell| Value::from(*cell)).collect();
        self.push(Record { noun, values });
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Value {
        Value::Int(int)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}

impl fmt::Display for Value {
    /// Null is the empty text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Int(int) => int.fmt(f),
            Value::Text(text) => f.write_str(text),
        }
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

impl PartialEq for Noun {
    fn eq(&self, other: &Noun) -> bool {
        self.name == other.name
    }
}

impl Eq for Noun {}

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

/// Appends a JSON string.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    // Nearly every text stands for itself; that is seen for many bytes at once, where each is looked at without a branch.
    let escaped = text.bytes().fold(false, |escaped, byte| {
        escaped | (byte < 0x20) | (byte == b'"') | (byte == b'\\')
    });
    if !escaped {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    // Writing to memory does not fail, and neither does a str.
    let _ = serde_json::to_writer(out, text);
}

/// Every field under each of its names.
fn every_field(noun: &'static Noun) -> impl Iterator<Item = ShownField> {
    noun.fields.iter().enumerate().flat_map(|(at, field)| {
        let names = [Some(field.name), field.old_name].into_iter().flatten();
        names.map(move |name| ShownField { name, at })
    })
}

fn write_fields<'a>(
    shown: impl Iterator<Item = ShownField>,
    noun: &Noun,
    cell: impl Fn(usize) -> Cell<'a>,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    for (index, column) in shown.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(column.name.as_bytes());
        out.extend_from_slice(b"\":");
        match cell(column.at) {
            Cell::Null => out.extend_from_slice(b"null"),
            // Writing to memory does not fail.
            Cell::Int(int) => drop(write!(out, "{int}")),
            // Stored attributes are JSON already; through a JSON value they would lose digits.
            Cell::Text(text) if noun.fields[column.at].kind == Kind::Attributes => {
                out.extend_from_slice(text.as_bytes());
            }
            Cell::Text(text) => write_text(text, out),
        }
    }
    out.push(b'}');
}

/// Which fields of a record are shown, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(pub Vec<ShownField>);

/// One shown field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownField {
    /// The name it is shown under.
    pub name: &'static str,
    /// Its place among the noun's fields.
    pub at: usize,
}

impl Shown {
    /// Every field, old names included: what the API answers.
    pub fn all(noun: &'static Noun) -> Shown {
        Shown(every_field(noun).collect())
    }

    /// Appends a record as compact JSON.
    pub fn write_json<'a>(&self, noun: &Noun, cell: impl Fn(usize) -> Cell<'a>, out: &mut Vec<u8>) {
        write_fields(self.0.iter().copied(), noun, cell, out);
    }

    /// Every field once: what a table has room for.
    pub fn once(noun: &Noun) -> Shown {
        let fields = noun.fields.iter().enumerate();
        Shown(
            fields
                .map(|(at, field)| ShownField {
                    name: field.name,
                    at,
                })
                .collect(),
        )
    }

    /// Reads `id,email`.
    pub fn parse(noun: &'static Noun, list: &str) -> Result<Shown> {
        let all = Shown::all(noun);
        let mut shown: Vec<ShownField> = Vec::new();
        for name in list.split(',').map(str::trim) {
            let Some(field) = all.0.iter().find(|field| field.name == name) else {
                let known: Vec<&str> = all.0.iter().map(|field| field.name).collect();
                return Err(Error::field(
                    "fields",
                    format!(
                        "expected names out of {}, got {}",
                        known.join(", "),
                        quoted(name)
                    ),
                ));
            };
            if shown.contains(field) {
                return Err(Error::field("fields", format!("{name} is given twice")));
            }
            shown.push(*field);
        }
        Ok(Shown(shown))
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

/// `id`, the same for every noun.
pub const ID: Field = Field {
    name: "id",
    old_name: None,
    flag: None,
    kind: Kind::Id,
    presence: Presence::Automatic,
    about: "Given by the database, never given twice",
    example: "1",
};

/// `attributes`, the same for every noun.
pub const ATTRIBUTES: Field = Field {
    name: "attributes",
    old_name: None,
    flag: None,
    kind: Kind::Attributes,
    presence: Presence::Default("{}"),
    about: "Your own fields, a JSON object; in an update its top-level keys merge and a null removes one",
    example: r#"{"company":"Acme"}"#,
};

/// `created_at`, the same for every noun.
pub const CREATED_AT: Field = Field {
    name: "created_at",
    old_name: None,
    flag: None,
    kind: Kind::Stamp,
    presence: Presence::Automatic,
    about: "When the record was made, UTC",
    example: "2026-01-31 09:30:00",
};

/// `updated_at`, the same for every noun.
pub const UPDATED_AT: Field = Field {
    name: "updated_at",
    about: "When the record was last changed, UTC",
    ..CREATED_AT
};

/// The lead that an action or a process is about.
pub const LEAD_ID: Field = Field {
    name: "lead_id",
    old_name: None,
    flag: Some("lead"),
    kind: Kind::Reference(Target {
        name: "lead",
        plural: "leads",
        on_delete: OnDelete::Refuse,
    }),
    presence: Presence::Optional,
    about: "The lead it is about",
    example: "1",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_and_only_one() {
        for (given, stored) in [
            (" Ada@Example.COM ", "ada@example.com"),
            ("o'neil+x@ex-ample.co.uk", "o'neil+x@ex-ample.co.uk"),
            ("ÄÖ@Müller.DE", "äö@müller.de"),
            ("用户@例子.公司", "用户@例子.公司"),
        ] {
            assert_eq!(email(given).as_deref(), Some(stored));
        }
        let long = format!("{}@example.com", "a".repeat(64 + 1));
        for given in [
            "",
            "a",
            "a@b",
            "a@b..com",
            "a@-b.com",
            "a@b_c.com",
            "a@1.2.3.4",
            "a@[1.2.3.4]",
            "a b@c.com",
            "a@b.com.",
            "Ada <a@b.com>",
            "a@b.com,c@d.com",
            "a@b.com\nBcc: x@y.com",
            &long,
        ] {
            assert_eq!(email(given), None, "{given}");
        }
    }
}
