//! Which fields of a record are shown, and the JSON of a record with these fields.
//!
//! An own field, `attributes.KEY`, is a column of a table or a CSV. In JSON it stays where it is: a member of the object
//! `attributes`, which then has only the requested keys. So a record has the same shape whichever fields are requested.

use crate::base::error::{Error, Result, quoted};
use crate::model::attributes;
use crate::model::json::write_text;
use crate::model::kind::Kind;
use crate::model::names::names;
use crate::model::noun::Noun;
use crate::model::value::Cell;
use std::borrow::Cow;

/// The largest number of names in `fields`.
pub const MOST_SHOWN: usize = 1_000;

/// The fields of a record that are shown, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    columns: Vec<ShownField>,
    members: Vec<Member>,
}

/// One shown field: a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownField {
    /// The name that it is shown under, which may be the old name.
    pub name: Cow<'static, str>,
    /// Its position among the noun's fields.
    pub at: usize,
    /// Which part of the field it is.
    pub part: Part,
}

/// The part of a field that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// This key of the attributes.
    Key(String),
    /// `attributes.*`: each key of the attributes that occurs, in its own column.
    EveryKey,
}

/// A member of the JSON of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: &'static str,
    at: usize,
    /// The keys of the attributes. `None` shows the whole value.
    keys: Option<Vec<String>>,
}

impl Shown {
    /// All fields, also under their old names, as the API answers them.
    pub fn all(noun: &'static Noun) -> Shown {
        Shown::whole(every_field(noun))
    }

    /// All fields, each only once. Tables and CSV show these.
    pub fn once(noun: &'static Noun) -> Shown {
        let fields = noun.fields.iter().enumerate();
        Shown::whole(fields.map(|(at, field)| (field.name, at)))
    }

    /// All fields that a record has of its own, each only once. Changes have these.
    pub fn own(noun: &'static Noun) -> Shown {
        let fields = noun.fields.iter().enumerate();
        let own = fields.filter(|(_, field)| !field.is_derived());
        Shown::whole(own.map(|(at, field)| (field.name, at)))
    }

    /// Whole fields, whose names all differ.
    fn whole(fields: impl Iterator<Item = (&'static str, usize)>) -> Shown {
        let (columns, members) = fields
            .map(|(name, at)| {
                let column = ShownField {
                    name: name.into(),
                    at,
                    part: Part::Whole,
                };
                let keys = None;
                (column, Member { name, at, keys })
            })
            .unzip();
        Shown { columns, members }
    }

    fn of(columns: Vec<ShownField>) -> Shown {
        let mut members: Vec<Member> = Vec::new();
        for column in &columns {
            let name = match &column.name {
                Cow::Borrowed(name) => *name,
                Cow::Owned(_) => ATTRIBUTES,
            };
            let member = members.iter_mut().find(|member| member.name == name);
            let member = match member {
                Some(member) => member,
                None => {
                    members.push(Member {
                        name,
                        at: column.at,
                        keys: Some(Vec::new()),
                    });
                    let last = members.len() - 1;
                    &mut members[last]
                }
            };
            match (&column.part, &mut member.keys) {
                (Part::Key(key), Some(keys)) => keys.push(key.clone()),
                (Part::Key(_), None) => {}
                (Part::Whole | Part::EveryKey, keys) => *keys = None,
            }
        }
        Shown { columns, members }
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[ShownField] {
        &self.columns
    }

    /// The same without the columns that `keep` refuses.
    pub fn only(self, keep: impl Fn(&ShownField) -> bool) -> Shown {
        Shown::of(self.columns.into_iter().filter(keep).collect())
    }

    /// Whether `attributes.*` is among the columns.
    pub fn has_every_key(&self) -> bool {
        self.columns
            .iter()
            .any(|column| column.part == Part::EveryKey)
    }

    /// The same with a column for each of these keys in the place of `attributes.*`, except for keys that have their own
    /// column.
    pub fn with_keys(self, keys: &[String]) -> Shown {
        let named = |key: &str| {
            let mut columns = self.columns.iter();
            columns.any(|column| matches!(&column.part, Part::Key(named) if named == key))
        };
        let more: Vec<&String> = keys.iter().filter(|key| !named(key)).collect();
        let columns = self.columns.iter().flat_map(|column| match &column.part {
            Part::EveryKey => {
                let columns = more.iter().map(|key| own(column.at, key));
                columns.collect()
            }
            _ => vec![column.clone()],
        });
        Shown::of(columns.collect())
    }

    /// Appends a record as compact JSON. `cell` returns the value of a field by its position.
    #[inline]
    pub fn write_json<'a>(&self, noun: &Noun, cell: impl Fn(usize) -> Cell<'a>, out: &mut Vec<u8>) {
        let members = self.members.iter();
        let members = members.map(|member| (member.name, member.at, member.keys.as_deref()));
        write_fields(members, noun, cell, out);
    }

    /// Reads comma-separated [names](crate::model::names), `id,email,attributes.company`.
    pub fn parse(noun: &'static Noun, list: &str) -> Result<Shown> {
        let attributes = noun
            .fields
            .iter()
            .position(|field| field.kind == Kind::Attributes);
        let mut columns: Vec<ShownField> = Vec::new();
        let names = names(list);
        if names.len() > MOST_SHOWN {
            let got = names.len();
            let expected = format!("expected at most {MOST_SHOWN} names, got {got}");
            return Err(Error::field("fields", expected));
        }
        for name in names {
            let found = every_field(noun).find(|field| field.0 == name.text);
            let column = match (found, attributes, name.key()) {
                (Some((name, at)), ..) => ShownField {
                    name: name.into(),
                    at,
                    part: Part::Whole,
                },
                (None, Some(at), Some(_)) if name.is_every_key() => ShownField {
                    name: name.text.into(),
                    at,
                    part: Part::EveryKey,
                },
                (None, Some(at), Some(key)) => own(at, key),
                _ => return Err(unknown(noun, &name.text)),
            };
            if columns.contains(&column) {
                let twice = format!("{} is given twice", column.name);
                return Err(Error::field("fields", twice));
            }
            columns.push(column);
        }
        Ok(Shown::of(columns))
    }
}

/// The field that own fields are keys of.
const ATTRIBUTES: &str = "attributes";

/// The column of an own field.
fn own(at: usize, key: &str) -> ShownField {
    ShownField {
        name: format!("{ATTRIBUTES}.{key}").into(),
        at,
        part: Part::Key(key.into()),
    }
}

fn unknown(noun: &'static Noun, name: &str) -> Error {
    let mut known: Vec<&str> = every_field(noun).map(|field| field.0).collect();
    if noun.has_attributes() {
        known.extend(["attributes.KEY", "attributes.*"]);
    }
    Error::field(
        "fields",
        format!(
            "expected comma-separated names out of {}, got {}",
            known.join(", "),
            quoted(name)
        ),
    )
}

/// All fields, under each of their names, with their positions.
pub(super) fn every_field(noun: &'static Noun) -> impl Iterator<Item = (&'static str, usize)> {
    noun.fields.iter().enumerate().flat_map(|(at, field)| {
        let names = [Some(field.name), field.old_name].into_iter().flatten();
        names.map(move |name| (name, at))
    })
}

/// Writes fields as a JSON object. Each has its name, its position, and the keys of the attributes that are shown of it.
#[inline]
pub(super) fn write_fields<'a, 's>(
    shown: impl Iterator<Item = (&'static str, usize, Option<&'s [String]>)>,
    noun: &Noun,
    cell: impl Fn(usize) -> Cell<'a>,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    for (index, (name, at, keys)) in shown.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        match cell(at) {
            Cell::Null => out.extend_from_slice(b"null"),
            Cell::Int(int) => {
                out.extend_from_slice(itoa::Buffer::new().format(int).as_bytes());
            }
            // What is stored as JSON is JSON already. A JSON value in between would lose digits.
            Cell::Text(text) if noun.fields[at].kind.is_json() => match keys {
                None => out.extend_from_slice(text.as_bytes()),
                Some(keys) => attributes::pick(text, keys, out),
            },
            Cell::Text(text) => write_text(text, out),
        }
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;
    use crate::model::record::Record;

    fn json(fields: &str) -> String {
        let record = br#"{"id":7,"email":"a@b.cc","attributes":{"company":"Acme","a,b":1.50,"*":null,"x":{"y":[1]}}}"#;
        let record = Record::from_json(&LEAD, record).unwrap();
        let mut out = Vec::new();
        record.write_json(&Shown::parse(&LEAD, fields).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn own_fields_stay_in_their_object() {
        for (fields, expected) in [
            (
                "id,attributes.company",
                r#"{"id":7,"attributes":{"company":"Acme"}}"#,
            ),
            (
                "attributes.company,id",
                r#"{"attributes":{"company":"Acme"},"id":7}"#,
            ),
            (
                r"attributes.x,id,attributes.a\,b",
                r#"{"attributes":{"x":{"y":[1]},"a,b":1.50},"id":7}"#,
            ),
            ("attributes.nothing", r#"{"attributes":{}}"#),
            (
                "attributes.company, attributes",
                r#"{"attributes":{"company":"Acme","a,b":1.50,"*":null,"x":{"y":[1]}}}"#,
            ),
            (
                "attributes.*",
                r#"{"attributes":{"company":"Acme","a,b":1.50,"*":null,"x":{"y":[1]}}}"#,
            ),
        ] {
            assert_eq!(json(fields), expected, "{fields}");
        }
    }

    #[test]
    fn each_key_becomes_a_column_once() {
        let shown = Shown::parse(&LEAD, "attributes.b,id,attributes.*,name").unwrap();
        assert!(shown.has_every_key());
        let shown = shown.with_keys(&["a".into(), "b".into(), "*".into()]);
        let names: Vec<&str> = shown.columns().iter().map(|column| &*column.name).collect();
        assert_eq!(
            names,
            ["attributes.b", "id", "attributes.a", "attributes.*", "name"]
        );
        assert!(!shown.has_every_key());
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for wrong in [
            "",
            "id,id",
            "attributes.a,attributes.a",
            "attributes.*,attributes.*",
            "nothing",
            "attribute.a",
            "id,",
        ] {
            let error = Shown::parse(&LEAD, wrong).unwrap_err();
            assert_eq!(error.problems[0].field, "fields", "{wrong}");
        }
        let many = |count: usize| -> String {
            let names: Vec<String> = (0..count).map(|at| format!("attributes.k{at}")).collect();
            names.join(",")
        };
        assert!(Shown::parse(&LEAD, &many(MOST_SHOWN)).is_ok());
        assert!(Shown::parse(&LEAD, &many(MOST_SHOWN + 1)).is_err());
    }
}
