//! Which fields of a record are shown, and the JSON of a record with these fields.

use std::io::Write;

use crate::base::error::{Error, Result, quoted};
use crate::model::json::write_text;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::value::Cell;

/// The fields of a record that are shown, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(pub Vec<ShownField>);

/// One shown field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownField {
    /// The name that it is shown under, which may be the old name.
    pub name: &'static str,
    /// Its position among the noun's fields.
    pub at: usize,
}

impl Shown {
    /// All fields, also under their old names, as the API answers them.
    pub fn all(noun: &'static Noun) -> Shown {
        Shown(every_field(noun).collect())
    }

    /// Appends a record as compact JSON. `cell` returns the value of a field by its position.
    #[inline]
    pub fn write_json<'a>(&self, noun: &Noun, cell: impl Fn(usize) -> Cell<'a>, out: &mut Vec<u8>) {
        write_fields(self.0.iter().copied(), noun, cell, out);
    }

    /// All fields, each only once. Tables and CSV show these.
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

    /// Reads comma-separated names, `id,email`.
    pub fn parse(noun: &'static Noun, list: &str) -> Result<Shown> {
        let all = Shown::all(noun);
        let mut shown: Vec<ShownField> = Vec::new();
        for name in list.split(',').map(str::trim) {
            let Some(field) = all.0.iter().find(|field| field.name == name) else {
                let known: Vec<&str> = all.0.iter().map(|field| field.name).collect();
                return Err(Error::field(
                    "fields",
                    format!(
                        "expected comma-separated names out of {}, got {}",
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

/// All fields, under each of their names.
pub(super) fn every_field(noun: &'static Noun) -> impl Iterator<Item = ShownField> {
    noun.fields.iter().enumerate().flat_map(|(at, field)| {
        let names = [Some(field.name), field.old_name].into_iter().flatten();
        names.map(move |name| ShownField { name, at })
    })
}

#[inline]
pub(super) fn write_fields<'a>(
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
            // Stored attributes are JSON already. A JSON value in between would lose digits.
            Cell::Text(text) if noun.fields[column.at].kind == Kind::Attributes => {
                out.extend_from_slice(text.as_bytes());
            }
            Cell::Text(text) => write_text(text, out),
        }
    }
    out.push(b'}');
}
