//! Fields of nouns, and the fields that several nouns share.

use crate::model::kind::{Kind, OnDelete, Target};

/// One field of a noun.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in JSON and in SQL. In kebab case it is also the flag.
    pub name: &'static str,
    /// The name in the earlier service. It is still read and written.
    pub old_name: Option<&'static str>,
    /// A second flag, which is shorter.
    pub flag: Option<&'static str>,
    /// Which values it accepts.
    pub kind: Kind,
    /// Whether it has to be given, and its value if it is not.
    pub presence: Presence,
    /// The meaning, for help and documentation.
    pub about: &'static str,
    /// An example value. For attributes it is JSON.
    pub example: &'static str,
}

/// Whether a field has to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Must be given in a create. Never null.
    Required,
    /// May be left out, and may be null.
    Optional,
    /// Never null. If it is left out, it is this text.
    Default(&'static str),
    /// Never null. If it is left out, it is the time of the create.
    Now,
    /// Set by crm, so it cannot be given.
    Automatic,
}

impl Field {
    /// Whether the field may be null.
    pub fn nullable(&self) -> bool {
        self.presence == Presence::Optional || self.is_derived()
    }

    /// Whether it follows from other records, and is no change of its own.
    pub fn is_derived(&self) -> bool {
        matches!(self.kind, Kind::Newest(_))
    }

    /// Whether the parameter `q` searches it.
    pub fn searchable(&self) -> bool {
        matches!(
            self.kind,
            Kind::Text | Kind::Word | Kind::Email | Kind::Type
        )
    }
}

/// `id`, the same for every noun.
pub const ID: Field = Field {
    name: "id",
    old_name: None,
    flag: None,
    kind: Kind::Id,
    presence: Presence::Automatic,
    about: "The id; the database assigns it and never reuses it",
    example: "1",
};

/// `attributes`, the same for every noun.
pub const ATTRIBUTES: Field = Field {
    name: "attributes",
    old_name: None,
    flag: None,
    kind: Kind::Attributes,
    presence: Presence::Default("{}"),
    about: "Your own fields, a JSON object; an update merges its top-level keys, and null removes a key",
    example: r#"{"company":"Acme"}"#,
};

/// `created_at`, the same for every noun.
pub const CREATED_AT: Field = Field {
    name: "created_at",
    old_name: None,
    flag: None,
    kind: Kind::Stamp,
    presence: Presence::Automatic,
    about: "When the record was created",
    example: "2026-01-31 09:30:00",
};

/// `updated_at`, the same for every noun.
pub const UPDATED_AT: Field = Field {
    name: "updated_at",
    about: "When the record was last changed",
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
