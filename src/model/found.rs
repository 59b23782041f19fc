//! A record that a search has found: what it is called, and where it matches. It is a noun, so that it is shown, sent and
//! described as all others are, but no database has it.

use crate::model::field::{Field, ID, LEAD_ID, Presence};
use crate::model::kind::Kind;
use crate::model::noun::{Examples, Noun, Relation};
use crate::model::record::Record;
use crate::model::value::Value;

/// The base of its texts.
const TEXT: Field = Field {
    name: "",
    old_name: None,
    flag: None,
    kind: Kind::Text,
    presence: Presence::Automatic,
    about: "",
    example: "",
};

/// What a search finds.
pub static FOUND: Noun = Noun {
    name: "found",
    plural: "search",
    title: "Found",
    about: "Find leads, actions and processes by their words",
    fields: &[
        Field {
            about: "The id of the record",
            presence: Presence::Automatic,
            example: "7",
            ..ID
        },
        Field {
            name: "type",
            about: "What it is: lead, action or process",
            example: "lead",
            ..TEXT
        },
        Field {
            name: "title",
            about: "What it is called: its name, else its address, else its first text",
            example: "Ada Lovelace",
            ..TEXT
        },
        Field {
            name: "field",
            about: "The field that matches best; one of your own fields is attributes.KEY",
            example: "name",
            ..TEXT
        },
        Field {
            name: "snippet",
            about: "The part of that field around the match",
            example: "Ada Lovelace",
            ..TEXT
        },
        Field {
            presence: Presence::Optional,
            about: "The lead that it is about; of a lead its own id",
            example: "7",
            ..LEAD_ID
        },
        Field {
            name: "record",
            kind: Kind::Object,
            about: "The whole record",
            example: r#"{"id":7,"email":"ada@example.com","name":"Ada Lovelace","status":"new"}"#,
            ..TEXT
        },
    ],
    relation: Relation::View {
        select: "",
        order: "id",
        feed: false,
        lookup: None,
    },
    examples: Examples {
        create: &[],
        get: &[],
        list: &[],
        update: &[],
        delete: &[],
    },
};

/// A record as it is found.
pub fn found(record: &Record, title: &str, field: &str, snippet: &str) -> Record {
    let noun = record.noun;
    let lead = match (noun.position(LEAD_ID.name), noun.email()) {
        (Some(at), _) => record.values[at].clone(),
        (None, Some(_)) => Value::Int(record.id()),
        (None, None) => Value::Null,
    };
    Record {
        noun: &FOUND,
        values: vec![
            Value::Int(record.id()),
            noun.name.into(),
            title.into(),
            field.into(),
            snippet.into(),
            lead,
            Value::Text(record.to_json()),
        ],
    }
}
