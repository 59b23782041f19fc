//! An action: something done with a lead, such as a mail or a call.

use crate::base::time::Tense;
use crate::model::field::{ATTRIBUTES, CREATED_AT, Field, ID, LEAD_ID, Presence, UPDATED_AT};
use crate::model::kind::Kind;
use crate::model::noun::{Examples, Noun, Relation};

/// Actions and their fields.
pub static ACTION: Noun = Noun {
    name: "action",
    plural: "actions",
    title: "Action",
    about: "Something done with a lead, such as a mail or a call",
    fields: &[
        ID,
        LEAD_ID,
        Field {
            name: "action_type",
            old_name: None,
            flag: Some("type"),
            kind: Kind::Word,
            presence: Presence::Required,
            about: "What was done, any word",
            example: "call",
        },
        Field {
            name: "details",
            old_name: Some("description"),
            flag: None,
            kind: Kind::Text,
            presence: Presence::Optional,
            about: "What it was about; `description` is the same field under its old name",
            example: "Asked for a quote",
        },
        Field {
            name: "timestamp",
            old_name: None,
            flag: Some("at"),
            kind: Kind::Time(Tense::Past),
            presence: Presence::Now,
            about: "When it happened; now if it is left out",
            example: "2026-01-31 09:30:00",
        },
        ATTRIBUTES,
        CREATED_AT,
        UPDATED_AT,
    ],
    relation: Relation::Table,
    examples: Examples {
        create: &[
            "crm action create --lead 1 --type call --details 'Asked for a quote'",
            "crm action create --lead 1 --type mail --at -2h",
            "crm action create --lead 1 --type call --at 'yesterday 14:30'",
        ],
        get: &["crm action get 1 -o json"],
        list: &[
            "crm action list --lead 1 --sort -timestamp",
            "crm action list --at gte:today",
        ],
        update: &["crm action update 1 --details 'Sent the quote'"],
        delete: &["crm action delete 1 --yes"],
    },
};
