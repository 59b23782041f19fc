//! Changes: who did what to which record. They are a sequence that only grows at its end, so that whoever reads on from a
//! cursor sees every change exactly once.

use crate::model::field::{Field, ID, Presence};
use crate::model::kind::{Kind, OnDelete, Target};
use crate::model::noun::{Examples, Lookup, Noun, Relation};

/// The table of changes under the names of the fields.
const SELECT: &str = "\
    SELECT seq, at, author AS \"by\", on_behalf_of, request_id, coalesce(first, seq) AS \"group\", operation, type, \
    record_id AS id, version, record, previous FROM crm_changes";

/// The base of the view's texts. None of them is ever null, unless it says so.
const TEXT: Field = Field {
    name: "",
    old_name: None,
    flag: None,
    kind: Kind::Text,
    presence: Presence::Automatic,
    about: "",
    example: "",
};

/// The base of the view's numbers.
const NUMBER: Field = Field {
    kind: Kind::Id,
    ..TEXT
};

/// Changes and their fields.
pub static CHANGE: Noun = Noun {
    name: "change",
    plural: "changes",
    title: "Change",
    about: "Who did what: every change of a record, the oldest first",
    fields: &[
        Field {
            name: "seq",
            about: "The number of the change; a later change has a greater one, and numbers may be left out",
            example: "812",
            ..NUMBER
        },
        Field {
            name: "at",
            kind: Kind::Stamp,
            about: "When it was made",
            example: "2026-01-31 09:30:00",
            ..TEXT
        },
        Field {
            name: "by",
            about: "Who made it: the name of a token, local: with a user of the system, or - where the service is open",
            example: "website",
            ..TEXT
        },
        Field {
            name: "on_behalf_of",
            flag: Some("for"),
            presence: Presence::Optional,
            about: "For whom, in the word of who made it; it is kept and never checked",
            example: "ada",
            ..TEXT
        },
        Field {
            name: "request_id",
            flag: Some("request"),
            presence: Presence::Optional,
            about: "The id of the request that made it",
            example: "0b1c2d3e4f5a6b7c",
            ..TEXT
        },
        Field {
            name: "group",
            kind: Kind::Reference(Target {
                name: "change",
                plural: "changes",
                on_delete: OnDelete::SetNull,
            }),
            about: "The number of the first change of its group; all changes of one request, command or import are a group",
            example: "812",
            ..NUMBER
        },
        Field {
            name: "operation",
            about: "The operation that made it, as the OpenAPI document names it",
            example: "updateLead",
            ..TEXT
        },
        Field {
            name: "type",
            kind: Kind::Type,
            about: "What happened to what: lead.created; a filter takes lead.* for everything that happens to leads",
            example: "lead.updated",
            ..TEXT
        },
        Field {
            about: "The id of the record",
            presence: Presence::Automatic,
            example: "7",
            ..ID
        },
        Field {
            name: "version",
            about: "The version of the record after the change; of a deleted record the last one",
            example: "2",
            ..NUMBER
        },
        Field {
            name: "record",
            kind: Kind::Object,
            about: "The whole record after the change; of a deleted record as it was before",
            example: r#"{"id":7,"email":"ada@example.com","name":"Ada Lovelace","status":"contacted"}"#,
            ..TEXT
        },
        Field {
            name: "previous",
            kind: Kind::Object,
            presence: Presence::Optional,
            about: "Of an update: the earlier values of the fields that changed",
            example: r#"{"status":"new"}"#,
            ..TEXT
        },
    ],
    relation: Relation::View {
        select: SELECT,
        order: "seq",
        feed: true,
        lookup: Some(Lookup {
            field: "id",
            keys: "SELECT seq FROM crm_changes_of WHERE record_id",
        }),
    },
    examples: Examples {
        create: &[],
        get: &[],
        list: &[
            "crm changes",
            "crm changes --type 'lead.*' --at gte:today",
            "crm changes --sort -seq --limit 20",
            "crm changes --id 1 --type in:lead.updated,lead.deleted -o json",
        ],
        update: &[],
        delete: &[],
    },
};
