//! The kinds of fields, and what deleting a record does to the records that refer to it.

use crate::base::time::{self, Tense};
use crate::model::due::Due;

/// The kind of a field: which values it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The id of the record: a whole number of 1 or more. The database assigns it and never reuses it.
    Id,
    /// The id of a record of another noun.
    Reference(Target),
    /// A whole number from the first number to the second.
    Count(i64, i64),
    /// Any text without NUL.
    Text,
    /// Text that is not blank.
    Word,
    /// An e-mail address, stored trimmed and in lower case.
    Email,
    /// A time, see [`crate::base::time`]. The tense decides what the words of the command line mean.
    Time(Tense),
    /// A time that crm sets.
    Stamp,
    /// The newest of a time of the records that refer to this one; null if there is none. The ledger keeps it. It is no
    /// change of the record: it has no part in its version, and none in what a change says of the record.
    Newest(Newest),
    /// User-defined fields, see [`crate::model::attributes`].
    Attributes,
    /// What happened to which noun's record: `lead.created`. A filter takes `lead.*` for everything that happens to leads.
    Type,
    /// A JSON object that crm writes and nobody gives.
    Object,
    /// How urgent a follow-up is, see [`crate::model::due`]. A store gives the time of the follow-up, from which the word
    /// follows.
    Due,
}

/// Which time of which records a field has the newest of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The table of those records.
    pub plural: &'static str,
    /// Their reference to this record.
    pub reference: &'static str,
    /// The time.
    pub time: &'static str,
}

/// The noun that a reference points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Its table.
    pub plural: &'static str,
    /// What happens to the referring record when the target is deleted.
    pub on_delete: OnDelete,
}

/// What deleting a record does to the records that refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// The delete is refused if there are any, unless they are deleted too (`cascade`).
    Refuse,
    /// Their reference becomes null, which counts as a change of them.
    SetNull,
}

/// The article of a noun's name.
pub fn article(name: &str) -> &'static str {
    match name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => "an",
        false => "a",
    }
}

impl Kind {
    /// The words for what is expected of a value.
    pub fn expected(self) -> String {
        match self {
            Kind::Id => "expected an id, a whole number of 1 or more".into(),
            Kind::Reference(target) => {
                format!(
                    "expected the id of {} {}, a whole number of 1 or more",
                    article(target.name),
                    target.name
                )
            }
            Kind::Count(least, most) => {
                format!("expected a whole number from {least} to {most}")
            }
            Kind::Text | Kind::Word | Kind::Type => "expected text".into(),
            Kind::Email => "expected an e-mail address like ada@example.com".into(),
            Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => time::EXPECTED.into(),
            Kind::Attributes => "expected a JSON object like {\"company\": \"Acme\"}".into(),
            Kind::Object => "expected a JSON object".into(),
            Kind::Due => format!("expected one of {}", Due::WORDS.join(", ")),
        }
    }

    /// Whether its values are usually over or still to come. `None` if they are no times.
    pub fn tense(self) -> Option<Tense> {
        match self {
            Kind::Time(tense) => Some(tense),
            Kind::Stamp | Kind::Newest(_) => Some(Tense::Past),
            _ => None,
        }
    }

    /// Whether its values are stored as JSON, and shown as they are stored.
    pub fn is_json(self) -> bool {
        matches!(self, Kind::Attributes | Kind::Object)
    }

    /// Whether a list can be sorted by its values.
    pub fn is_sortable(self) -> bool {
        !self.is_json() && self != Kind::Due
    }

    /// Whether a whole number can be its value.
    pub fn allows(self, int: i64) -> bool {
        match self {
            Kind::Count(least, most) => (least..=most).contains(&int),
            _ => int >= 1,
        }
    }

    /// Whether its values are whole numbers.
    pub fn is_number(self) -> bool {
        matches!(self, Kind::Id | Kind::Reference(_) | Kind::Count(..))
    }
}
