//! `GET /leads/duplicates`, `crm lead dupes`: groups of leads that may be the same person.
//!
//! All leads are read once, in chunks as a list reads them, and only their keys are kept: 16 bytes for each, which is some 50 MB
//! for a million leads. The keys are sorted, and equal ones connect their leads. Then the leads of the groups that are answered
//! are read again, all of a portion at one moment, and looked at once more: a group is never answered because of what was
//! before. One process looks for one answer at a time, so that the memory does not multiply.

mod groups;
mod keys;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use tokio::sync::Semaphore;

use crate::base::error::{Error, Problems, Result, quoted};
use crate::model::duplicates::{Reason, Reasons};
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::query::{Query, escape};
use crate::model::record::Record;
use crate::model::rows::Rows;
use crate::model::value::{Cell, Value};
use crate::operation::about::{
    About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, Parameter, READ, Takes,
    Words,
};
use crate::operation::asked::known_parameters;
use crate::operation::describe::{Described, answer, failure, media, reference};
use crate::operation::fields::id_schema;
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use crate::store::inquiry::{Inquiry, Reading};
use crate::store::sql::dismissed::{PAIRS, pair};
use crate::views::duplicates::{Duplicate, DuplicateGroup, DuplicatesPage};
use groups::{Candidate, Dismissed, grouped};
use keys::Keys;

/// How many groups are answered unless the request says how many.
const USUAL: usize = 100;

/// The most groups of one answer.
const MOST: usize = 1_000;

/// How many leads of a group are answered. The others are only counted.
const MOST_LEADS: usize = 100;

/// How many leads of a group are looked at once more.
const MOST_READ: usize = 1_000;

/// How many leads are read at one moment.
const PORTION: usize = 1_000;

/// Who looks.
static TURN: Semaphore = Semaphore::const_new(1);

/// Finds groups of leads that may be the same person.
pub struct FindDuplicates;

impl FindDuplicates {
    /// The data of the operation.
    pub const ABOUT: &'static About = &About {
        of: Of::Noun(&LEAD),
        methods: &[("GET", "findDuplicates")],
        path: "/{plural}/duplicates",
        access: READ,
        conditional: false,
        parameters: &[
            Parameter {
                name: "key",
                about: "One of your own fields: leads with the same value of it may be the same person, too. As `KEY` or `attributes.KEY`.",
                help: "An attribute: leads with the same value of it may be the same person, too",
                takes: Takes::Text("KEY"),
                applies: |_| true,
            },
            Parameter {
                name: "limit",
                about: "How many groups to answer, from 1 to 1000; 100 unless given.",
                help: "Only so many groups, from 1 to 1000 [default: 100]",
                takes: Takes::Text("COUNT"),
                applies: |_| true,
            },
            Parameter {
                name: "after",
                about: "The cursor from the `Link` of the page before.",
                help: "The groups after this cursor, which the page before has told",
                takes: Takes::Text("CURSOR"),
                applies: |_| true,
            },
        ],
        body: Body::None,
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Find groups of {plural} that may be the same person",
        describe: Describe::Noun(describe),
        words: Some(Words {
            verb: "dupes",
            about: "Find {plural} that may be the same person",
            long: "Find groups of {plural} that may be the same person, those with the strongest reasons first: the same address \
                   in another spelling, the same value of the attribute of --key, addresses of one mailbox (what follows a plus, and dots at \
                   Gmail, do not count), the same digits of a phone number, the same name at one domain. `crm lead merge` makes \
                   them one. With --dismiss they are no duplicates of each other from now on.",
            takes: &[CommandPart::Dupes, CommandPart::Parameters],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm lead dupes",
                "crm lead create --email ada+x@example.com -o id && crm lead dupes -o json",
                "crm lead create --email ada@x.org -o id && crm lead dupes --dismiss 1 ada@x.org",
            ]),
        }),
    };
}

/// The schema of a lead that may be the same person as another one.
pub(super) fn duplicate_schema() -> Json {
    let words = Reason::WORDS.map(|known| known.0);
    json!({
        "type": "object",
        "required": ["id", "email", "name", "status", "reasons"],
        "properties": {
            "id": id_schema(),
            "email": {"type": "string"},
            "name": {"type": ["string", "null"]},
            "status": {"type": "string"},
            "reasons": {
                "type": "array",
                "items": {"type": "string", "enum": words},
                "description": "`same address`: in whatever spelling. `same attribute`: the value of `key`. `same mailbox`: the addresses differ only in what follows a `+`, or at Gmail in dots. `same phone`: the digits of an attribute with a telephone number. `same name`: in any case, at one domain that is not a public mail provider's.",
            },
        },
    })
}

fn describe(_noun: &'static Noun) -> Described {
    let words = Reason::WORDS.map(|known| known.0);
    let group = json!({
        "type": "object",
        "required": ["reasons", "count", "leads"],
        "properties": {
            "reasons": {"type": "array", "items": {"type": "string", "enum": words}, "description": "All reasons of its leads, the strongest first."},
            "count": {"type": "integer", "minimum": 2, "description": "How many leads it has."},
            "leads": {"type": "array", "items": duplicate_schema(), "description": format!("The leads in the order of their ids, at most {MOST_LEADS}, each with the reasons that it shares with another one.")},
        },
    });
    let example = json!([{
        "reasons": ["same mailbox", "same name"],
        "count": 2,
        "leads": [
            {"id": 3, "email": "ada@example.com", "name": "Ada Lovelace", "status": "contacted", "reasons": ["same mailbox", "same name"]},
            {"id": 9, "email": "ada+crm@example.com", "name": "Ada Lovelace", "status": "new", "reasons": ["same mailbox", "same name"]},
        ],
    }]);
    let mut found = answer(
        "The groups, those with the strongest reasons first.",
        media(
            json!({"type": "array", "items": group}),
            json!({"groups": {"value": example}, "none": {"value": []}}),
        ),
    );
    found["headers"]["Link"] = reference("headers", "Link");
    let wrong = Error::field("limit", "expected a whole number from 1 to 1000, got \"0\"");
    Described::new(
        "Leads with an equal address, mailbox, telephone number or own field, or with an equal name at one domain, are a group, \
         also if they are so only through a third one. Pairs that were dismissed are left out. Each page looks through all leads, \
         which takes seconds for a million, and is as the leads are at its moment.",
    )
    .answers(200, found)
    .answers(400, failure("A parameter was refused.", &[("limit", wrong)]))
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The key of an attribute.
    key: Option<Arc<str>>,
    limit: usize,
    after: Option<Place>,
}

/// Where a page ended: the reasons of its last group, and its first lead.
type Place = (Reasons, i64);

fn encode((reasons, id): Place) -> String {
    URL_SAFE_NO_PAD.encode(json!([reasons.0, id]).to_string())
}

fn decode(text: &str) -> Option<Place> {
    let json = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (reasons, id) = serde_json::from_slice(&json).ok()?;
    Some((Reasons(reasons), id))
}

impl Wanted {
    /// Reads the parameters. The error names every one at fault.
    pub fn of(parameters: &[(String, String)]) -> Result<Wanted> {
        known_parameters(parameters, &["key", "limit", "after"])?;
        let mut problems = Problems::default();
        let mut wanted = Wanted {
            key: None,
            limit: USUAL,
            after: None,
        };
        for (name, value) in parameters {
            match name.as_str() {
                "key" => {
                    let key = value.strip_prefix("attributes.").unwrap_or(value);
                    match key.is_empty() {
                        true => problems.push("key", "expected the key of one of your own fields, such as attributes.hubspot_id"),
                        false => wanted.key = Some(key.into()),
                    }
                }
                "limit" => match value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=MOST).contains(limit))
                {
                    Some(limit) => wanted.limit = limit,
                    None => problems.push(
                        "limit",
                        format!(
                            "expected a whole number from 1 to {MOST}, got {}",
                            quoted(value)
                        ),
                    ),
                },
                _ => match decode(value) {
                    Some(place) => wanted.after = Some(place),
                    None => problems.push(
                        "after",
                        "expected a cursor from the Link header of a page of duplicates",
                    ),
                },
            }
        }
        match problems.is_empty() {
            true => Ok(wanted),
            false => Err(Error::fields(problems)),
        }
    }
}

/// Finds the groups.
pub async fn find(store: &AnyStore, wanted: Wanted) -> Result<DuplicatesPage> {
    if store.address().is_some() {
        return store.inquire(Look::server(wanted)).await;
    }
    let _turn = TURN.acquire().await.map_err(Error::internal)?;
    let rows = store.rows(PAIRS, &[]).await?;
    let pairs = rows.iter().filter_map(|row| pair(row));
    let dismissed = Arc::new(pairs.collect::<Dismissed>());
    let found = scan(store, &wanted).await?;
    let of = dismissed.clone();
    let all = tokio::task::spawn_blocking(move || grouped(found.entries, &of));
    let all = all.await.map_err(Error::internal)?;
    let first = match wanted.after {
        Some(after) => all.partition_point(|group| !is_after(group, after)),
        None => 0,
    };
    let mut page = DuplicatesPage::default();
    let mut left = &all[first..];
    let mut last = None;
    while page.groups.len() < wanted.limit && !left.is_empty() {
        let mut leads = 0;
        let room = wanted.limit - page.groups.len();
        let fits = left.iter().take(room).take_while(|group| {
            let is_first = leads == 0;
            leads += group.leads.len().min(MOST_READ);
            is_first || leads <= PORTION
        });
        let (portion, rest) = left.split_at(fits.count());
        (last, left) = (portion.last().map(place), rest);
        let look = Look {
            wanted: wanted.clone(),
            candidates: portion.to_vec(),
            dismissed: dismissed.clone(),
        };
        page.groups.extend(store.inquire(look).await?.groups);
    }
    page.next = last.filter(|_| !left.is_empty()).map(encode);
    Ok(page)
}

fn place(group: &Candidate) -> Place {
    (group.reasons, group.leads[0].0)
}

/// Whether a group comes after a place. The strongest come first.
fn is_after(group: &Candidate, (reasons, id): Place) -> bool {
    let (own, first) = place(group);
    own < reasons || (own == reasons && first > id)
}

/// Reads the keys of all leads.
async fn scan(store: &AnyStore, wanted: &Wanted) -> Result<Keys> {
    let mut all = Keys::new(wanted.key.clone());
    let query = Query::new(&LEAD, Vec::new())?;
    let mut listing = store.list_into(query, all.empty()).await?;
    all.take(&mut listing.first);
    if let Some(mut rest) = listing.rest {
        while let Some(chunk) = futures_util::StreamExt::next(&mut rest).await {
            all.take(&mut chunk?);
        }
    }
    Ok(all)
}

/// Looks at some groups once more.
struct Look {
    wanted: Wanted,
    candidates: Vec<Candidate>,
    dismissed: Arc<Dismissed>,
}

impl Look {
    /// The request to a server, which finds the groups itself.
    fn server(wanted: Wanted) -> Look {
        Look {
            wanted,
            candidates: Vec::new(),
            dismissed: Arc::default(),
        }
    }

    /// The groups of a candidate as it is now.
    fn groups(&self, candidate: &Candidate, leads: &[Record]) -> Vec<DuplicateGroup> {
        let mut keys = Keys::new(self.wanted.key.clone());
        for lead in leads {
            let cells: Vec<Cell<'_>> = lead.values.iter().map(Value::cell).collect();
            keys.push(&LEAD, &cells);
        }
        let unread = candidate.leads.len().saturating_sub(MOST_READ) as u64;
        let found = grouped(keys.entries, &self.dismissed);
        let groups = found.into_iter().map(|group| {
            let shown = group.leads.iter().take(MOST_LEADS);
            let shown = shown.filter_map(|(id, reasons)| {
                let lead = leads.iter().find(|lead| lead.id() == *id)?;
                Some(Duplicate {
                    lead: lead.clone(),
                    reasons: reasons.words(),
                })
            });
            DuplicateGroup {
                reasons: group.reasons,
                count: group.leads.len() as u64 + unread,
                leads: shown.collect(),
            }
        });
        groups.collect()
    }
}

impl Inquiry for Look {
    type Found = DuplicatesPage;

    async fn run<R: Reading>(&self, reading: &mut R) -> Result<DuplicatesPage> {
        let mut page = DuplicatesPage::default();
        for candidate in &self.candidates {
            let ids = candidate.leads.iter().take(MOST_READ);
            let ids: Vec<String> = ids.map(|(id, _)| id.to_string()).collect();
            let pairs = vec![("id".to_string(), format!("in:{}", ids.join(",")))];
            let query = Query::new(&LEAD, pairs)?;
            let leads = reading.records(&query, ids.len() as u64).await?;
            page.groups.extend(self.groups(candidate, &leads));
        }
        Ok(page)
    }

    fn path(&self) -> String {
        let mut path = FindDuplicates::ABOUT.at(Some(&LEAD), "");
        path.push_str(&format!("?limit={}", self.wanted.limit));
        if let Some(key) = &self.wanted.key {
            path.push_str(&format!("&key={}", escape(&format!("attributes.{key}"))));
        }
        if let Some(after) = self.wanted.after {
            path.push_str(&format!("&after={}", encode(after)));
        }
        path
    }

    fn found(&self, answer: &[u8], next: Option<String>) -> Option<DuplicatesPage> {
        DuplicatesPage::from_json(answer, next)
    }
}
