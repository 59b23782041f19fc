//! A process: a sequence of follow-ups with a lead, and the date of the next one.

use crate::base::time::Tense;
use crate::model::field::{ATTRIBUTES, CREATED_AT, Field, ID, LEAD_ID, Presence, UPDATED_AT};
use crate::model::kind::{Kind, OnDelete, Target};
use crate::model::noun::{Examples, Noun, Relation};
use crate::model::rules::LONGEST_CADENCE;

/// The type of the change that tells that a follow-up is due.
pub const DUE: &str = "process.due";

/// Processes and their fields.
pub static PROCESS: Noun = Noun {
    name: "process",
    plural: "processes",
    title: "Process",
    about: "A sequence of follow-ups with a lead, and the date of the next one",
    fields: &[
        ID,
        Field {
            name: "name",
            old_name: None,
            flag: None,
            kind: Kind::Word,
            presence: Presence::Required,
            about: "What the process is called",
            example: "Spring campaign",
        },
        LEAD_ID,
        Field {
            name: "channel",
            old_name: None,
            flag: None,
            kind: Kind::Word,
            presence: Presence::Optional,
            about: "How the lead is contacted, any word",
            example: "email",
        },
        Field {
            name: "last_action_id",
            old_name: None,
            flag: Some("last-action"),
            kind: Kind::Reference(Target {
                name: "action",
                plural: "actions",
                on_delete: OnDelete::SetNull,
            }),
            presence: Presence::Optional,
            about: "The action that was done last; null again if that action is deleted",
            example: "1",
        },
        Field {
            name: "next_followup_datetime",
            old_name: None,
            flag: Some("next"),
            kind: Kind::Time(Tense::Future),
            presence: Presence::Optional,
            about: "When the next follow-up is due",
            example: "2026-02-07 09:00:00",
        },
        Field {
            name: "cadence_days",
            old_name: None,
            flag: Some("cadence"),
            kind: Kind::Count(1, LONGEST_CADENCE),
            presence: Presence::Optional,
            about: "After how many days a logged action is followed up if it names no time; null: the setting cadence",
            example: "14",
        },
        Field {
            name: "status",
            old_name: None,
            flag: None,
            kind: Kind::Word,
            presence: Presence::Default("active"),
            about: "Status, any word",
            example: "active",
        },
        ATTRIBUTES,
        CREATED_AT,
        UPDATED_AT,
    ],
    relation: Relation::Table,
    examples: Examples {
        create: &[
            "crm process create --name 'Campaign' --lead 1 --channel mail --next +3d",
            "crm process create --name 'Call back' --lead 1 --next 'fri 9am'",
        ],
        get: &["crm process get 1"],
        list: &[
            "crm process list --where 'next_followup_datetime=lte:now'",
            "crm process list --next lte:tomorrow --sort next_followup_datetime",
        ],
        update: &[
            "crm process update 1 --next +1w",
            "crm process update 1 --status done --clear next",
        ],
        delete: &["crm process delete 1 --yes"],
    },
};
