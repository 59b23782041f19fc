//! Follow-ups: whom to contact next. They are the open processes, each with its lead and its last action.

use crate::base::time::Tense;
use crate::model::field::{Field, ID, LEAD_ID, Presence};
use crate::model::kind::Kind;
use crate::model::noun::{Examples, Noun, Relation};

/// The open processes. The time of the follow-up also stands for how urgent it is (see [`crate::model::due`]). A lease is
/// shown while it counts.
const SELECT: &str = "\
    SELECT processes.id, processes.next_followup_datetime, processes.next_followup_datetime AS due, processes.name, processes.status, processes.channel, \
    processes.lead_id, leads.name AS lead_name, leads.email AS lead_email, leads.status AS lead_status, \
    actions.action_type AS last_action_type, actions.timestamp AS last_action_timestamp, crm_leases.worker, \
    crm_leases.until AS lease_until, processes.version \
    FROM processes \
    LEFT JOIN leads ON leads.id = processes.lead_id \
    LEFT JOIN actions ON actions.id = processes.last_action_id \
    LEFT JOIN crm_leases ON crm_leases.process = processes.id AND crm_leases.until > (SELECT crm_now()) \
    AND crm_leases.due = coalesce(processes.next_followup_datetime, '') \
    WHERE {open}";

/// The base of the view's fields.
const TEXT: Field = Field {
    name: "",
    old_name: None,
    flag: None,
    kind: Kind::Text,
    presence: Presence::Optional,
    about: "",
    example: "",
};

/// Their fields.
const FIELDS: [Field; 14] = [
    Field {
        about: "The id of the process",
        ..ID
    },
    Field {
        name: "next_followup_datetime",
        flag: Some("next"),
        kind: Kind::Time(Tense::Future),
        about: "When the next follow-up is due",
        example: "2026-02-07 09:00:00",
        ..TEXT
    },
    Field {
        name: "due",
        kind: Kind::Due,
        presence: Presence::Automatic,
        about: "How urgent it is: overdue, today, soon (within 7 days), scheduled or unscheduled; days are those of the zone tz",
        example: "overdue",
        ..TEXT
    },
    Field {
        name: "lead_name",
        about: "The name of the lead",
        example: "Ada Lovelace",
        ..TEXT
    },
    Field {
        name: "lead_email",
        kind: Kind::Email,
        about: "The e-mail address of the lead",
        example: "ada@example.com",
        ..TEXT
    },
    Field {
        name: "name",
        kind: Kind::Word,
        presence: Presence::Required,
        about: "The name of the process",
        example: "Spring campaign",
        ..TEXT
    },
    Field {
        name: "last_action_type",
        about: "The type of the last action",
        example: "call",
        ..TEXT
    },
    Field {
        name: "last_action_timestamp",
        flag: Some("last-action-at"),
        kind: Kind::Time(Tense::Past),
        about: "The time of the last action",
        example: "2026-01-31 09:30:00",
        ..TEXT
    },
    Field {
        name: "status",
        kind: Kind::Word,
        presence: Presence::Required,
        about: "The status of the process",
        example: "active",
        ..TEXT
    },
    Field {
        name: "channel",
        about: "The channel to the lead",
        example: "email",
        ..TEXT
    },
    Field {
        name: "lead_status",
        about: "The status of the lead",
        example: "contacted",
        ..TEXT
    },
    LEAD_ID,
    Field {
        name: "worker",
        about: "Who has claimed it and works on it now; null if nobody has",
        example: "anna",
        ..TEXT
    },
    Field {
        name: "lease_until",
        kind: Kind::Time(Tense::Future),
        about: "Until when the worker has it",
        example: "2026-02-07 09:10:00",
        ..TEXT
    },
];

/// Where they come from.
const RELATION: Relation = Relation::View {
    select: SELECT,
    order: "next_followup_datetime",
    feed: false,
    lookup: None,
};

/// Follow-ups and their fields.
pub static FOLLOWUP: Noun = Noun {
    name: "followup",
    plural: "followups",
    title: "Followup",
    about: "Whom to contact next: the open processes, with their lead and their last action. Open is any status but those of the setting finished, which are completed, done, closed, cancelled, canceled, won and lost unless the operator names others",
    fields: &FIELDS,
    relation: RELATION,
    examples: Examples {
        create: &[],
        get: &[],
        list: &[
            "crm followups",
            "crm followups --due overdue,today",
            "crm followups --next lte:today",
            "crm followups --lead-status ne:lost --limit 10",
            "crm followups -o csv --fields next_followup_datetime,lead_name,lead_email",
        ],
        update: &[],
        delete: &[],
    },
};

/// The fields of [`CALL`]: those of a follow-up, and the telephone number of the lead, which comes after the address.
const OF_CALL: [Field; FIELDS.len() + 1] = {
    let phone = Field {
        name: PHONE,
        presence: Presence::Automatic,
        about: "The telephone number of the lead, an attribute such as phone, mobile or tel",
        example: "+44201234",
        ..TEXT
    };
    let mut all = [phone; FIELDS.len() + 1];
    let mut at = 0;
    while at < FIELDS.len() {
        // The place of the number is left free.
        let to = if at < PHONE_AT { at } else { at + 1 };
        all[to] = FIELDS[at];
        at += 1;
    }
    all
};

/// The field with the telephone number.
pub const PHONE: &str = "lead_phone";

/// Its position.
pub const PHONE_AT: usize = 5;

/// Follow-ups as a list of calls. No query has them: `crm due` reads the follow-ups and adds the numbers. The attributes of a lead
/// are JSON, in which each database finds a name of any case by other means and at the price of reading it, which every list of
/// follow-ups would pay.
pub static CALL: Noun = Noun {
    name: "call",
    plural: "calls",
    title: "Call",
    about: "A follow-up with a telephone number",
    fields: &OF_CALL,
    relation: RELATION,
    examples: Examples {
        create: &[],
        get: &[],
        list: &[],
        update: &[],
        delete: &[],
    },
};
