//! `crm due`: whom to contact now. It is the list of follow-ups by how urgent they are, with what is needed for the contact.

use std::collections::HashMap;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::author::author;
use super::help::examples;
use super::open::{Wants, open};
use super::say::say;
use super::session::{Ended, Plain, Session};
use super::several::shown;
use crate::base::error::{Error, Result};
use crate::base::time::{self, Zone};
use crate::config::{Format, Location, Settings};
use crate::model::due::Due;
use crate::model::lead::LEAD;
use crate::model::phone::phone;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::output::{self, DueRow, Extent, Look, Page, Printer};
use crate::store::any::AnyStore;
use crate::store::contract::{Listing, Store};
use crate::views::followups::{CALL, FOLLOWUP, PHONE, PHONE_AT};

pub(super) const DUE: Plain = Plain { words, run };

/// What is shown unless something else is asked for.
const USUAL: [Due; 3] = [Due::Overdue, Due::Today, Due::Soon];

/// How many leads are read at once.
const PORTION: usize = 200;

fn words() -> Command {
    Command::new("due")
        .about("Show whom to contact now: overdue, today and soon")
        .long_about(
            "Show whom to contact: the follow-ups that are overdue, due today, and due within 7 days, the oldest first, each with the \
             lead's name, address and telephone number (an attribute such as phone, mobile or tel), the process, and the last contact. \
             Days are those of the time zone (--tz). A follow-up at midnight has no time of day, and is due all day long. With -o json, ndjson, \
             csv or id it prints the fields of the follow-ups as `crm followups` does, and lead_phone, the telephone number.",
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
                .num_args(0..=1)
                .default_missing_value("")
                .help("Only what this worker has claimed and still has; without WORKER, what you have claimed by `crm next`"),
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
            "crm followups --next tomorrow",
            "crm due --all -o csv --fields next_followup_datetime,lead_name,lead_phone",
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
    let worker = match text("mine") {
        Some(worker) if worker.is_empty() => Some(me(&settings)?),
        worker => worker,
    };
    if let Some(worker) = &worker {
        pairs.push(("worker".into(), format!("eq:{worker}")));
    }
    if let Some(limit) = text("limit") {
        pairs.push(("limit".into(), limit));
    }
    let asked = DueList {
        pairs,
        worker,
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

/// The worker for whom `crm next` claims unless another one is given. A service goes by the token, whose name only it knows.
fn me(settings: &Settings) -> Result<String> {
    match settings.target.value {
        Location::Url(_) => Err(Error::field(
            "--mine",
            "expected a worker with --url: the name of your token, unless you gave `crm next` another one",
        )),
        _ => Ok(author(settings).by.to_string()),
    }
}

/// A list that is asked for.
struct DueList {
    pairs: Vec<(String, String)>,
    worker: Option<String>,
    fields: Option<String>,
    is_quiet: bool,
}

impl DueList {
    async fn print(self, store: &AnyStore, look: Look, page: Page, zone: &Zone) -> Ended {
        let shown = shown(&CALL, self.fields.as_deref())?;
        let query = Query::in_zone(&FOLLOWUP, self.pairs.clone(), zone)?;
        let mut listing = store.list(query).await?;
        let is_grouped = look.format == Format::Table && shown.is_none();
        let first = listing.next_chunk().await?;
        let Some(first) = first.filter(|first| !first.is_empty()) else {
            if self.is_quiet {
                return Ok(0);
            }
            if look.format == Format::Table {
                say(&match &self.worker {
                    Some(worker) => format!("{worker} has claimed nothing that is due"),
                    None => "nothing is due".into(),
                });
                return Ok(0);
            }
            let printer = Printer::records(page, look, &CALL, shown, Extent::Many);
            printer.finish()?.1.end().await?;
            return Ok(0);
        };
        if is_grouped {
            return self
                .grouped(store, look, (page, zone), first, listing)
                .await;
        }
        // Only a list that shows telephone numbers reads the leads.
        let has_phones = look.format != Format::Id
            && shown.as_ref().is_none_or(|shown| {
                let mut columns = shown.columns().iter();
                columns.any(|column| column.name == PHONE)
            });
        let printer = Printer::records(page, look, &CALL, shown, Extent::Many);
        let mut printer = printer.in_zone(zone);
        let mut records = Some(first);
        while let Some(chunk) = records {
            let leads = match has_phones {
                true => leads(store, &chunk).await?,
                false => HashMap::new(),
            };
            for record in chunk {
                printer.record(&with_phone(record, &leads))?;
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

/// A follow-up with the telephone number of its lead.
fn with_phone(mut record: Record, leads: &HashMap<i64, OfLead>) -> Record {
    let lead = record.get("lead_id").int();
    let phone = lead
        .and_then(|lead| leads.get(&lead))
        .map(|lead| &lead.phone);
    let phone = phone.filter(|phone| !phone.is_empty());
    let phone = phone.map_or(Value::Null, |phone| phone.as_str().into());
    record.noun = &CALL;
    record.values.insert(PHONE_AT, phone);
    record
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
