//! One field of a noun, and the fields that nouns share.

use crate::model::kind::{Kind, OnDelete, Target};

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
