//! Nouns: what a lead, an action and a process have in common.
//!
//! A noun is a table of its fields ([`Noun`]). Everything that is alike for all nouns is written once over that table: the
//! JSON that is read and written, the checks, the columns in SQL, the filters and the sort of a list, the flags of a
//! command, the OpenAPI document. A new field is one entry in its noun's file and one migration. Plain data was chosen
//! over one struct a noun with derives: every rule here needs *all* failing fields at once, "not given" apart from "given
//! as null", a field under two names, and values that are accepted because they did not change, and none of the derives
//! gives these.

use crate::base::error::{Code, Error, Result, quoted};
use crate::model::field::{Field, Presence};
use crate::model::kind::{Kind, OnDelete};

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

impl PartialEq for Noun {
    fn eq(&self, other: &Noun) -> bool {
        self.name == other.name
    }
}

impl Eq for Noun {}
