//! `GET /leads/{id}/summary`, `crm lead show`: all that matters of a lead, at once.
//!
//! All parts are read at one moment, and each by an index, so that a summary is as fast among a million leads as among ten.

use serde_json::json;

use super::duplicates::duplicate_schema;
use super::story::last_changes;
use crate::base::error::Result;
use crate::base::time::Zone;
use crate::model::action::ACTION;
use crate::model::duplicates::{self as rules, Reason};
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::process::PROCESS;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::operation::about::{
    About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, READ, Words,
};
use crate::operation::asked::{Asked, Survey, Surveyed};
use crate::operation::describe::{Described, answer, media, reference};
use crate::operation::fields::{TIME_STORED, id_schema, record};
use crate::store::inquiry::{Inquiry, Reading};
use crate::store::sql::dismissed::{PAIRS_OF, ordered, pair};
use crate::store::sql::open::is_open;
use crate::views::duplicates::Duplicate;
use crate::views::followups::FOLLOWUP;
use crate::views::summary::{Held, RecordCounts, Summary};
use crate::views::timeline::ENTRY;

/// How many of the actions and of the changes it has: the newest ones.
const NEWEST: u64 = 5;

/// How many open processes it has: those that are due first.
const MOST_OPEN: u64 = 20;

/// How many possible duplicates it has.
const MOST_DUPLICATES: usize = 10;

/// How many addresses that begin alike are looked at.
const MOST_ALIKE: u64 = 200;

/// The summary of a lead.
#[derive(Clone, Copy, Debug)]
pub struct Summarize {
    lead: i64,
}

impl Summarize {
    /// The summary of this lead.
    pub fn of(lead: i64) -> Summarize {
        Summarize { lead }
    }
}

impl Survey for Summarize {
    const ABOUT: &'static About = &About {
        of: Of::Noun(&LEAD),
        methods: &[("GET", "summarize{title}")],
        path: "/{plural}/{id}/summary",
        access: READ,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Get all that matters of {a} {name}, at once",
        describe: Describe::Noun(describe),
        words: Some(Words {
            verb: "show",
            about: "Show all that matters of {a} {name}, on one screen",
            long: "Show all that matters of {a} {name}, on one screen: who it is, what is next, the last contacts, which \
                   processes are open, what has changed, and other leads that may be the same person. With `-o json` it is \
                   one object.",
            takes: &[CommandPart::One],
            confirm: None,
            examples: CommandExamples::These(&["crm lead show 1", "crm lead show 1 -o json"]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<Summarize> {
        Ok(Summarize::of(asked.id))
    }

    fn told(found: Summary) -> Surveyed {
        Surveyed::Summary(Box::new(found))
    }
}

fn describe(noun: &'static Noun) -> Described {
    let array = |schema: &str, about: &str| json!({"type": "array", "items": reference("schemas", schema), "description": about});
    let number = |about: &str| json!({"type": "integer", "minimum": 0, "description": about});
    let part = format!("{}Part", ENTRY.title);
    let counts = json!({
        "type": "object",
        "required": ["actions", "processes", "open_processes"],
        "properties": {
            "actions": number("All its actions."),
            "processes": number("All its processes."),
            "open_processes": number("Those that are open."),
        },
    });
    let duplicate = duplicate_schema();
    let properties = json!({
        "lead": reference("schemas", noun.title),
        "open_processes": array(PROCESS.title, &format!("Its open processes, those that are due first, at most {MOST_OPEN}.")),
        "leases": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["process_id", "worker", "lease_until"],
                "properties": {
                    "process_id": id_schema(),
                    "worker": {"type": "string"},
                    "lease_until": {"type": "string", "pattern": TIME_STORED},
                },
            },
            "description": "Who works on these processes, and until when.",
        },
        "last_actions": array(ACTION.title, &format!("Its newest actions, at most {NEWEST}.")),
        "last_changes": array(&part, &format!("The newest changes of it and of its processes, at most {NEWEST}, with all fields of an entry of the timeline.")),
        "possible_duplicates": {
            "type": "array",
            "items": duplicate,
            "description": format!("Other leads that may be the same person, each with the reasons, at most {MOST_DUPLICATES}."),
        },
        "counts": counts,
    });
    let schema = super::create_token::with_all(&properties);
    let example = json!({
        "lead": record(noun),
        "open_processes": [record(&PROCESS)],
        "leases": [{"process_id": 1, "worker": "anna", "lease_until": "2026-02-07 09:10:00"}],
        "last_actions": [record(&ACTION)],
        "last_changes": [record(&ENTRY)],
        "possible_duplicates": [{"id": 9, "email": "ada+crm@example.com", "name": "Ada Lovelace", "status": "new", "reasons": ["same mailbox", "same name"]}],
        "counts": {"actions": 1, "processes": 1, "open_processes": 1},
    });
    Described::new(
        "The lead with its open processes, its last actions and changes, and other leads that may be the same person. All of \
         it is read at one moment.",
    )
    .answers(
        200,
        answer("The summary.", media(schema, json!({"summary": {"value": example}}))),
    )
}

impl Inquiry for Summarize {
    type Found = Summary;

    fn of(&self) -> Option<(&'static Noun, i64)> {
        Some((&LEAD, self.lead))
    }

    async fn run<R: Reading>(&self, reading: &mut R) -> Result<Summary> {
        let id = self.lead;
        let lead = reading.record(&LEAD, id).await?;
        let of_lead = |more: &[(&str, &str)]| {
            let mut pairs = vec![("lead_id".to_string(), id.to_string())];
            pairs.extend(
                more.iter()
                    .map(|(name, value)| (name.to_string(), value.to_string())),
            );
            pairs
        };
        let open = Query::new(&FOLLOWUP, of_lead(&[]))?;
        let due = reading.records(&open, MOST_OPEN).await?;
        let leases = due.iter().filter_map(|followup| {
            let text = |name: &str| followup.get(name).text().map(String::from);
            Some(Held {
                process: followup.id(),
                worker: text("worker")?,
                until: text("lease_until")?,
            })
        });
        let leases = leases.collect();
        let open = by_ids(reading, &PROCESS, &due).await?;
        let actions = Query::new(&ACTION, of_lead(&[("sort", "-timestamp,-id")]))?;
        let actions = reading.records(&actions, NEWEST).await?;
        let count = |from: &str| format!("SELECT count(*) FROM {from} WHERE lead_id = $1");
        let counts = RecordCounts {
            actions: reading.number(&count(ACTION.plural), &[id.into()]).await?,
            processes: reading.number(&count(PROCESS.plural), &[id.into()]).await?,
            open: {
                let count = format!("{} AND {}", count(PROCESS.plural), is_open("status"));
                reading.number(&count, &[id.into()]).await?
            },
        };
        Ok(Summary {
            changes: last_changes(reading, id, NEWEST as usize).await?,
            duplicates: duplicates(reading, &lead).await?,
            lead,
            open,
            actions,
            leases,
            counts,
        })
    }

    fn path(&self) -> String {
        Summarize::ABOUT.at(Some(&LEAD), &self.lead.to_string())
    }

    fn found(&self, answer: &[u8], _next: Option<String>) -> Option<Summary> {
        Summary::from_json(answer)
    }
}

/// The records of these rows of a view, in their order.
async fn by_ids(
    reading: &mut impl Reading,
    noun: &'static Noun,
    rows: &[Record],
) -> Result<Vec<Record>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = rows.iter().map(|row| row.id().to_string()).collect();
    let pairs = vec![("id".to_string(), format!("in:{}", ids.join(",")))];
    let mut found = reading
        .records(&Query::new(noun, pairs)?, rows.len() as u64)
        .await?;
    let place = |record: &Record| rows.iter().position(|row| row.id() == record.id());
    found.sort_by_key(place);
    Ok(found)
}

/// The leads that may be the same person, by their addresses: these have an index.
async fn duplicates(reading: &mut impl Reading, lead: &Record) -> Result<Vec<Duplicate>> {
    let mut found: Vec<Duplicate> = Vec::new();
    let address = lead.get("email").text().unwrap_or_default();
    let same = with_address(reading, address, lead.id()).await?;
    let same = same.into_iter().map(|other| (other, Reason::Address));
    let mailbox = in_mailbox(reading, address, lead.id()).await?;
    let mailbox = mailbox.into_iter().map(|other| (other, Reason::Mailbox));
    let all: Vec<(Record, Reason)> = same.chain(mailbox).collect();
    let dismissed: Vec<(i64, i64)> = match all.is_empty() {
        true => Vec::new(),
        false => {
            let rows = reading.rows(PAIRS_OF, &[lead.id().into()]).await?;
            rows.iter().filter_map(|row| pair(row)).collect()
        }
    };
    for (other, reason) in all {
        let is_dismissed = dismissed.contains(&ordered(lead.id(), other.id()));
        if !is_dismissed && found.iter().all(|one| one.lead.id() != other.id()) {
            let mut reasons = vec![reason.word().to_string()];
            if is_named_alike(lead, &other) {
                reasons.push(Reason::Name.word().into());
            }
            found.push(Duplicate {
                lead: other,
                reasons,
            });
        }
    }
    found.truncate(MOST_DUPLICATES);
    Ok(found)
}

/// The other leads with an address, in each spelling in which it may be stored.
async fn with_address(reading: &mut impl Reading, address: &str, not: i64) -> Result<Vec<Record>> {
    let pairs = [
        ("email", format!("eq:{address}")),
        ("id", format!("ne:{not}")),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_string(), value));
    // An address that only another program has stored may be none.
    match Query::in_zone(&LEAD, pairs.into(), &Zone::UTC) {
        Ok(query) => reading.records(&query, MOST_DUPLICATES as u64 + 1).await,
        Err(_) => Ok(Vec::new()),
    }
}

/// The other leads whose address is that of the same mailbox, where what follows a `+` is the choice of its owner
/// (RFC 5233). Both columns of the range are the indexed ones.
async fn in_mailbox(reading: &mut impl Reading, address: &str, not: i64) -> Result<Vec<Record>> {
    let own = rules::address(address);
    let Some(mailbox) = rules::mailbox(&own) else {
        return Ok(Vec::new());
    };
    let (local, domain) = own.rsplit_once('@').unwrap_or_default();
    let base = local.split('+').next().unwrap_or_default();
    // Without what follows the plus, and at Gmail without the dots too.
    let plain = format!("{base}@{domain}");
    let mut others = vec![plain];
    if rules::is_gmail(domain) {
        let local = mailbox.split('@').next().unwrap_or_default();
        others.extend(["gmail.com", "googlemail.com"].map(|domain| format!("{local}@{domain}")));
        others.extend(["gmail.com", "googlemail.com"].map(|domain| format!("{base}@{domain}")));
    }
    others.sort_unstable();
    others.dedup();
    let mut found = Vec::new();
    for other in others.iter().filter(|other| **other != own) {
        found.extend(with_address(reading, other, not).await?);
    }
    // A comma is the character after the plus.
    let sql = format!(
        "SELECT id, email FROM {} WHERE octet_length(email) <= 1000 AND lower(email) >= $1 AND lower(email) < $2 \
         ORDER BY lower(email) LIMIT {MOST_ALIKE}",
        LEAD.plural
    );
    let params = [format!("{base}+"), format!("{base},")].map(|text| text.as_str().into());
    let rows = reading.rows(&sql, &params).await?;
    let alike = rows.iter().filter_map(|row| {
        let id = row.first()?.int()?;
        let other = rules::address(row.get(1)?.text()?);
        let is_alike = other != own && rules::mailbox(&other).as_ref() == Some(&mailbox);
        (id != not && is_alike).then_some(id)
    });
    for id in alike.take(MOST_DUPLICATES).collect::<Vec<i64>>() {
        found.push(reading.record(&LEAD, id).await?);
    }
    Ok(found)
}

/// Whether two leads have the same name, in any case and with any blanks.
fn is_named_alike(lead: &Record, other: &Record) -> bool {
    let name = |record: &Record| rules::name(record.get("name").text().unwrap_or_default());
    let own = name(lead);
    !own.is_empty() && own == name(other)
}
