//! `crm due`: whom to contact now. It is the list of follow-ups by how urgent they are, with what is needed for the contact.

use std::collections::HashMap;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value as Json;

use super::help::examples;
use super::open::{Wants, open};
use super::say::say;
use super::session::{Ended, Plain, Session};
use super::several::shown;
use crate::base::error::Result;
use crate::base::time::{self, Zone};
use crate::config::Format;
use crate::model::due::Due;
use crate::model::lead::LEAD;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::output::{self, DueRow, Extent, Look, Page, Printer};
use crate::store::any::AnyStore;
use crate::store::contract::{Listing, Store};
use crate::views::followups::FOLLOWUP;

pub(super) const DUE: Plain = Plain { words, run };

/// What is shown unless something else is asked for.
const USUAL: [Due; 3] = [Due::Overdue, Due::Today, Due::Soon];

/// How many leads are read at once.
const PORTION: usize = 200;

/// The attributes that are telephone numbers, the best first. The case of letters makes no difference.
const PHONES: [&str; 6] = [
    "phone",
    "mobile",
    "tel",
    "telephone",
    "cell",
    "phone_number",
];

fn words() -> Command {
    Command::new("due")
        .about("Show whom to contact now: overdue, today and soon")
        .long_about(
            "Show whom to contact: the follow-ups that are overdue, due today, and due within 7 days, the oldest first, each with the \
             lead's name, address and telephone number (an attribute such as phone, mobile or tel), the process, and the last contact. \
             Days are those of the time zone (--tz). A follow-up at midnight has no time of day, and is due all day long. With -o json, ndjson, \
             csv or id it prints the follow-ups as `crm followups` does.",
        )
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .conflicts_with("overdue")
                .help("Also what is due later or has no date"),
        )
        .arg(
            Arg::new("overdue")
                .long("overdue")
                .action(ArgAction::SetTrue)
                .help("Only what is overdue"),
        )
        .arg(
            Arg::new("mine")
                .long("mine")
                .value_name("WORKER")
                .help("Only what this worker has claimed and still has"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("COUNT")
                .help("The largest number of follow-ups to show"),
        )
        .arg(
            Arg::new("show")
                .long("fields")
                .value_name("FIELDS")
                .help("Show only these fields of the follow-ups, in this order, comma-separated"),
        )
        .arg(
            Arg::new("quiet")
                .long("quiet")
                .short('q')
                .action(ArgAction::SetTrue)
                .help("Print nothing at all where nothing is due, in any format; what is due is printed as ever"),
        )
        .after_help(examples(&[
            "crm due",
            "crm due --overdue -q",
            "crm due --all -o csv --fields next_followup_datetime,due,lead_name,lead_email",
        ]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let settings = session.settings()?;
    let zone = settings.zone()?;
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let wanted: &[Due] = match (matches.get_flag("all"), matches.get_flag("overdue")) {
        (true, _) => &Due::ALL,
        (_, true) => &[Due::Overdue],
        _ => &USUAL,
    };
    let wanted: Vec<&str> = wanted.iter().map(|due| due.word()).collect();
    let mut pairs = vec![
        ("due".to_string(), wanted.join(",")),
        ("tz".to_string(), zone.known_name().into_owned()),
    ];
    if let Some(worker) = text("mine") {
        pairs.push(("worker".into(), format!("eq:{worker}")));
    }
    if let Some(limit) = text("limit") {
        pairs.push(("limit".into(), limit));
    }
    let asked = DueList {
        pairs,
        fields: text("show"),
        is_quiet: matches.get_flag("quiet"),
    };
    session.block_on(async {
        let store = open(&settings, Wants::Read).await?;
        let page = session.page(&settings);
        let ended = asked
            .print(&store, Session::look(&settings), page, zone)
            .await;
        let closed = store.close().await;
        let code = ended?;
        closed?;
        Ok(code)
    })
}

/// A list that is asked for.
struct DueList {
    pairs: Vec<(String, String)>,
    fields: Option<String>,
    is_quiet: bool,
}

impl DueList {
    async fn print(self, store: &AnyStore, look: Look, page: Page, zone: &Zone) -> Ended {
        let shown = shown(&FOLLOWUP, self.fields.as_deref())?;
        let query = Query::in_zone(&FOLLOWUP, self.pairs.clone(), zone)?;
        let mut listing = store.list(query).await?;
        let is_grouped = look.format == Format::Table && shown.is_none();
        let first = listing.next_chunk().await?;
        let Some(first) = first.filter(|first| !first.is_empty()) else {
            if self.is_quiet {
                return Ok(0);
            }
            if look.format == Format::Table {
                say("nothing is due");
                return Ok(0);
            }
            let printer = Printer::records(page, look, &FOLLOWUP, shown, Extent::Many);
            printer.finish()?.1.end().await?;
            return Ok(0);
        };
        if is_grouped {
            return self
                .grouped(store, look, (page, zone), first, listing)
                .await;
        }
        let printer = Printer::records(page, look, &FOLLOWUP, shown, Extent::Many);
        let mut printer = printer.in_zone(zone);
        let mut records = Some(first);
        while let Some(chunk) = records {
            for record in &chunk {
                printer.record(record)?;
            }
            records = listing.next_chunk().await?;
        }
        let (_, page) = printer.finish()?;
        page.end().await?;
        self.more(look, listing.next.is_some());
        Ok(0)
    }

    /// Says that a limit has left something out.
    fn more(&self, look: Look, is_more: bool) {
        if is_more
            && !self.is_quiet
            && look.terminal.width.is_some()
            && look.format == Format::Table
        {
            say("there are more, which --limit leaves out");
        }
    }

    /// Prints the groups as a table.
    async fn grouped(
        &self,
        store: &AnyStore,
        look: Look,
        (mut page, zone): (Page, &Zone),
        first: Vec<Record>,
        mut listing: Listing<Vec<Record>>,
    ) -> Ended {
        let mut all = first;
        while let Some(records) = listing.next_chunk().await? {
            all.extend(records);
        }
        let leads = leads(store, &all).await?;
        let now = time::now();
        let rows = all.iter().map(|record| {
            let lead = record.get("lead_id").int();
            let lead = lead.and_then(|lead| leads.get(&lead));
            row(record, lead.cloned().unwrap_or_default(), zone, &now)
        });
        output::due(&mut page, look, rows.collect())?;
        page.end().await?;
        self.more(look, listing.next.is_some());
        Ok(0)
    }
}

/// What is shown of the lead of a follow-up, besides the follow-up itself.
#[derive(Clone, Debug, Default)]
struct OfLead {
    phone: String,
    /// The time of the newest action with it.
    last_action_at: String,
}

fn row(record: &Record, lead: OfLead, zone: &Zone, now: &str) -> DueRow {
    let text = |name: &str| record.get(name).text().unwrap_or_default().to_string();
    let due = Due::parse(&text("due")).unwrap_or(Due::Unscheduled);
    let worker = match (text("worker"), text("lease_until")) {
        (worker, _) if worker.is_empty() => String::new(),
        (worker, until) => format!("{worker} until {}", clock(&zone.show(&until))),
    };
    DueRow {
        id: record.id(),
        lead: record.get("lead_id").to_string(),
        due,
        time: zone.brief(&text("next_followup_datetime")),
        name: text("lead_name"),
        email: text("lead_email"),
        phone: lead.phone,
        process: text("name"),
        contact: match text("last_action_timestamp") {
            // The contact was about another process of the lead, or about none.
            at if at < lead.last_action_at => contact(&lead.last_action_at, "", now),
            at => contact(&at, &text("last_action_type"), now),
        },
        worker,
    }
}

/// The last contact in words: `3 days ago, call`.
pub(super) fn contact(at: &str, kind: &str, now: &str) -> String {
    match time::distance(at, now) {
        Some(ago) if kind.is_empty() => ago,
        Some(ago) => format!("{ago}, {kind}"),
        None => "never".into(),
    }
}

/// The time of day of a time as it is shown, without its seconds.
fn clock(shown: &str) -> &str {
    match shown.len() {
        19 => shown.get(11..16).unwrap_or(shown),
        _ => shown,
    }
}

/// The telephone number in attributes, if there is one.
pub(super) fn phone(attributes: &str) -> Option<String> {
    let json: Json = serde_json::from_str(attributes).ok()?;
    let fields = json.as_object()?;
    PHONES.iter().find_map(|name| {
        let found = fields.iter().find(|(key, value)| {
            key.eq_ignore_ascii_case(name) && (value.is_string() || value.is_number())
        });
        let number = match found?.1 {
            Json::String(text) => text.trim().to_string(),
            other => other.to_string(),
        };
        Some(number).filter(|number| !number.is_empty())
    })
}

/// What is shown of the leads of these follow-ups.
async fn leads(store: &AnyStore, followups: &[Record]) -> Result<HashMap<i64, OfLead>> {
    let leads = followups.iter().filter_map(|one| one.get("lead_id").int());
    let mut leads: Vec<i64> = leads.collect();
    leads.sort_unstable();
    leads.dedup();
    let mut found = HashMap::new();
    for portion in leads.chunks(PORTION) {
        let ids: Vec<String> = portion.iter().map(i64::to_string).collect();
        let pairs = vec![
            ("id".to_string(), format!("in:{}", ids.join(","))),
            (
                "fields".to_string(),
                "id,attributes,last_action_at".to_string(),
            ),
        ];
        let mut listing = store.list(Query::new(&LEAD, pairs)?).await?;
        while let Some(records) = listing.next_chunk().await? {
            for record in records {
                let text = |name: &str| record.get(name).text().unwrap_or_default();
                let of_lead = OfLead {
                    phone: phone(text("attributes")).unwrap_or_default(),
                    last_action_at: text("last_action_at").into(),
                };
                found.insert(record.id(), of_lead);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_number_is_found_under_its_usual_names() {
        for (attributes, number) in [
            (r#"{"Phone": "+49 30 1"}"#, Some("+49 30 1")),
            (r#"{"tel": "2", "MOBILE": "1"}"#, Some("1")),
            (r#"{"phone": "", "tel": 42}"#, Some("42")),
            (r#"{"phone": null}"#, None),
            (r#"{"company": "Acme"}"#, None),
            ("", None),
        ] {
            assert_eq!(phone(attributes).as_deref(), number, "{attributes}");
        }
    }
}
