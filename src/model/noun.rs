//! Nouns: what a lead, an action and a process have in common.
//!
//! A [`Noun`] is a table of fields. Everything that is the same for all nouns is written once, over that table: reading and
//! writing JSON, the checks, the columns in SQL, the filters and the order of a list, the flags of a command, the OpenAPI
//! document. A new field is one entry in the file of its noun, and one migration.
//!
//! A noun is plain data and not a struct with derives, because the rules need all failing fields at once, a difference
//! between "not given" and "given as null", fields with two names, and values that are accepted because they did not
//! change. No derive provides these.

use crate::base::error::{Code, Error, Result, quoted};
use crate::model::field::{Field, Presence};
use crate::model::kind::{Kind, OnDelete, article};

/// A kind of record, as a table of its fields.
#[derive(Debug)]
pub struct Noun {
    /// The singular: `lead`.
    pub name: &'static str,
    /// The plural, which is also the name of the table and the path: `leads`.
    pub plural: &'static str,
    /// The singular with a capital letter: `Lead`.
    pub title: &'static str,
    /// One sentence on what it is.
    pub about: &'static str,
    /// The fields, in the order in which they are stored and shown. The first is the [key](Noun::key).
    pub fields: &'static [Field],
    /// Where its records are stored.
    pub relation: Relation,
    /// Examples of its commands. A test runs them in order, on a database with one record of each noun.
    pub examples: Examples,
}

/// Where the records of a noun are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// In the table that has the plural as its name.
    Table,
    /// In the tables of other nouns: this noun is a view, which can only be read.
    View {
        /// The query, with one column for each field, followed by the `version`. It may have [`OPEN`].
        select: &'static str,
        /// The default order of a list, in the form of the parameter `sort`. In a view a missing time comes last.
        order: &'static str,
        /// Whether it is a sequence that only grows at its end, see [`Noun::is_feed`].
        feed: bool,
        /// A field whose records SQLite finds by another select, because the view's own select has no index for it.
        lookup: Option<Lookup>,
    },
    /// Nowhere: an operation composes it of the records of other nouns. It can only be read.
    Composed {
        /// The order of its records, in the form of the parameter `sort`. There is no other.
        order: &'static str,
    },
}

/// How the records of a view are found by a value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The name of the field.
    pub field: &'static str,
    /// The select of the keys. A comparison with the value follows.
    pub keys: &'static str,
}

/// What stands in the query of a view for the condition that a row of `processes` is [open](crate::model::rules::Rules).
pub const OPEN: &str = "{open}";

/// Examples of the commands of a noun. Each is a whole command line.
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
    /// The position of a field, by its name or its old name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields
            .iter()
            .position(|field| field.name == name || field.old_name == Some(name))
    }

    /// The names of the fields that a draft may give, in order.
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

    /// The plural with a capital letter: `Leads`.
    pub fn plural_title(&self) -> String {
        format!("{}{}", &self.title[..1], &self.plural[1..])
    }

    /// Whether its records have user-defined fields.
    pub fn has_attributes(&self) -> bool {
        self.fields
            .iter()
            .any(|field| field.kind == Kind::Attributes)
    }

    /// The default order of a list, in the form of the parameter `sort`.
    pub fn default_order(&self) -> &'static str {
        match self.relation {
            Relation::Table => "id",
            Relation::View { order, .. } | Relation::Composed { order } => order,
        }
    }

    /// Whether it is a view, which can only be read.
    pub fn is_view(&self) -> bool {
        !matches!(self.relation, Relation::Table)
    }

    /// Whether it is composed of other records by an operation.
    pub fn is_composed(&self) -> bool {
        matches!(self.relation, Relation::Composed { .. })
    }

    /// The field that tells its records apart: the id, or the number of a record in a sequence.
    pub fn key(&self) -> &'static Field {
        &self.fields[0]
    }

    /// Whether it is a sequence that only grows at its end. A list in the order of its numbers can be read on from where it
    /// ended, and then has every later record exactly once.
    pub fn is_feed(&self) -> bool {
        matches!(self.relation, Relation::View { feed: true, .. })
    }

    /// The select of the keys of a view by the values of a field, if the field has one.
    pub fn lookup(&self, field: &Field) -> Option<&'static str> {
        match self.relation {
            Relation::View {
                lookup: Some(lookup),
                ..
            } if lookup.field == field.name => Some(lookup.keys),
            _ => None,
        }
    }

    /// The position of the field that [follows from other records](Field::is_derived), if there is one.
    pub fn derived(&self) -> Option<usize> {
        self.fields.iter().position(Field::is_derived)
    }

    /// The position of the field that says how urgent a follow-up is, if there is one.
    pub fn due(&self) -> Option<usize> {
        self.fields.iter().position(|field| field.kind == Kind::Due)
    }

    /// The field with an e-mail address, if there is one.
    pub fn email(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.kind == Kind::Email)
    }

    /// The fields of `nouns` that refer to this noun, each with its noun and with what a delete does to it.
    pub fn referrers(
        &self,
        nouns: &[&'static Noun],
    ) -> impl DoubleEndedIterator<Item = (&'static Noun, &'static Field, OnDelete)> {
        let mut found = Vec::new();
        // A view stores nothing.
        for noun in nouns.iter().filter(|noun| !noun.is_view()) {
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

    /// The error if no record has the id.
    pub fn not_found(&self) -> Error {
        Error::new(Code::NotFound, format!("{} not found", self.title))
    }

    /// The error for a text that is not an id.
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

    /// Reads an id from a path or a command line.
    pub fn parse_id(&self, given: &str) -> Result<i64> {
        parse_id(given).ok_or_else(|| self.bad_id(given))
    }

    /// The indefinite article of the name, `a` or `an`.
    pub fn article(&self) -> &'static str {
        article(self.name)
    }
}

/// Reads a whole number of 1 or more, written in digits only.
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
