//! Follow-ups: the open processes, with their lead and their last action: who is next.

use crate::model::record::{Examples, Field, ID, Kind, LEAD_ID, Noun, Presence, Relation};

/// The open processes. A status is a free word; the ones listed here are those that people use for an end.
const SELECT: &str = "\
    SELECT processes.id, processes.next_followup_datetime, processes.name, processes.status, processes.channel, \
    processes.lead_id, leads.name AS lead_name, leads.email AS lead_email, leads.status AS lead_status, \
    actions.action_type AS last_action_type, actions.timestamp AS last_action_timestamp, processes.version \
    FROM processes \
    LEFT JOIN leads ON leads.id = processes.lead_id \
    LEFT JOIN actions ON actions.id = processes.last_action_id \
    WHERE lower(processes.status) NOT IN \
    ('completed', 'done', 'closed', 'cancelled', 'canceled', 'won', 'lost')";

/// A field of the view, before it has its name.
const TEXT: Field = Field {
    name: "",
    old_name: None,
    flag: None,
    kind: Kind::Text,
    presence: Presence::Optional,
    about: "",
    example: "",
};

/// Follow-ups and their fields.
pub static FOLLOWUP: Noun = Noun {
    name: "followup",
    plural: "followups",
    title: "Followup",
    about: "Who is next: the open processes, with their lead and their last action",
    fields: &[
        Field {
            about: "The id of the process",
            ..ID
        },
        Field {
            name: "next_followup_datetime",
            flag: Some("next"),
            kind: Kind::Time,
            about: "When the next follow-up is due, UTC",
            example: "2026-02-07 09:00:00",
            ..TEXT
        },
        Field {
            name: "name",
            kind: Kind::Word,
            presence: Presence::Required,
            about: "What the process is called",
            example: "Spring campaign",
            ..TEXT
        },
        Field {
            name: "status",
            kind: Kind::Word,
            presence: Presence::Required,
            about: "How far the process is",
            example: "active",
            ..TEXT
        },
        Field {
            name: "channel",
            about: "How the lead is reached",
            example: "email",
            ..TEXT
        },
        LEAD_ID,
        Field {
            name: "lead_name",
            about: "The lead's name",
            example: "Ada Lovelace",
            ..TEXT
        },
        Field {
            name: "lead_email",
            about: "The lead's e-mail address",
            example: "ada@example.com",
            ..TEXT
        },
        Field {
            name: "lead_status",
            about: "How far the lead is",
            example: "contacted",
            ..TEXT
        },
        Field {
            name: "last_action_type",
            about: "What was done last",
            example: "call",
            ..TEXT
        },
        Field {
            name: "last_action_timestamp",
            flag: Some("last-action-at"),
            kind: Kind::Time,
            about: "When it was done, UTC",
            example: "2026-01-31 09:30:00",
            ..TEXT
        },
    ],
    relation: Relation::View {
        select: SELECT,
        order: "next_followup_datetime",
    },
    examples: Examples {
        create: &[],
        get: &[],
        list: &[
            "crm followups",
            "crm followups --next lte:today",
            "crm followups --lead-status ne:lost --limit 10",
            "crm followups -o csv --fields next_followup_datetime,lead_name,lead_email",
        ],
        update: &[],
        delete: &[],
    },
};
