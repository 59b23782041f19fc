//! The entries of a timeline: what was done with a lead, what has changed, and what is due.
//!
//! No select makes them: [`crate::ops::timeline`] merges the actions of a lead, the changes of the lead and of its processes,
//! and the follow-ups that are still to come. The fields have the names that they have in a change, so that a filter of
//! changes is one of a timeline too.

use crate::model::field::{Field, ID, Presence};
use crate::model::kind::Kind;
use crate::model::noun::{Examples, Noun, Relation};

/// The base of the texts of an entry, which may be null.
const TEXT: Field = Field {
    name: "",
    old_name: None,
    flag: None,
    kind: Kind::Text,
    presence: Presence::Optional,
    about: "",
    example: "",
};

/// Entries and their fields.
pub static ENTRY: Noun = Noun {
    name: "entry",
    plural: "timeline",
    title: "TimelineEntry",
    about: "What was done with a lead, what has changed, and what is due, the newest first",
    fields: &[
        Field {
            about: "The id of the record that it is about",
            presence: Presence::Automatic,
            example: "7",
            ..ID
        },
        Field {
            name: "type",
            kind: Kind::Type,
            presence: Presence::Automatic,
            about: "What happened to what: action.created is an action, at its own time, process.due a follow-up; a filter takes process.* for everything that happens to processes",
            example: "action.created",
            ..TEXT
        },
        Field {
            name: "at",
            kind: Kind::Stamp,
            presence: Presence::Automatic,
            about: "When it was: of an action its timestamp, of a follow-up when it is due, otherwise when the change was made",
            example: "2026-01-31 09:30:00",
            ..TEXT
        },
        Field {
            name: "by",
            about: "Who did it: the name of a token, local: with a user of the system, or - where the service is open; null where no change says so",
            example: "website",
            ..TEXT
        },
        Field {
            name: "on_behalf_of",
            flag: Some("for"),
            about: "For whom, in the word of who did it",
            example: "ada",
            ..TEXT
        },
        Field {
            name: "what",
            presence: Presence::Automatic,
            about: "What it was, in a few words",
            example: "call: Asked for a quote",
            ..TEXT
        },
        Field {
            name: "edited_at",
            kind: Kind::Stamp,
            about: "Of an action: when it was last changed after it was made, null if it was not",
            example: "2026-01-31 10:00:00",
            ..TEXT
        },
        Field {
            name: "edited_by",
            about: "Of an action: who changed it last; null where no change says so",
            example: "ada",
            ..TEXT
        },
        Field {
            name: "change",
            kind: Kind::Id,
            about: "The number of the change; null if there is none, or it is not kept any more",
            example: "812",
            ..TEXT
        },
        Field {
            name: "record",
            kind: Kind::Object,
            presence: Presence::Automatic,
            about: "An action or a process that is due as it is now; otherwise the record after the change, and of a deleted record as it was before",
            example: r#"{"id":7,"lead_id":1,"action_type":"call","details":"Asked for a quote"}"#,
            ..TEXT
        },
        Field {
            name: "previous",
            kind: Kind::Object,
            about: "Of an update: the earlier values of the fields that changed",
            example: r#"{"status":"new"}"#,
            ..TEXT
        },
    ],
    relation: Relation::Composed { order: "-at" },
    examples: Examples {
        create: &[],
        get: &[],
        list: &[],
        update: &[],
        delete: &[],
    },
};
