//! The kinds of fields, and what the delete of a record does to those that refer to it.

use crate::base::time;

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
