//! `crm next`: claims the follow-up that is due first, shows all that is needed for the contact, and says how to log it.

use clap::{Arg, ArgMatches, Command};
use serde_json::json;

use super::due::contact;
use super::help::examples;
use super::names::typed;
use super::open::{Wants, open};
use super::say::say;
use super::session::{Ended, Plain, Session};
use super::target::write;
use crate::base::error::{Code, Error, Result};
use crate::base::time::{self, Zone};
use crate::config::Format;
use crate::model::action::ACTION;
use crate::model::due::{Due, Moment};
use crate::model::lead::LEAD;
use crate::model::lease::Claimed;
use crate::model::phone::phone;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::ops::claim::Claim;
use crate::output::{self, Page};
use crate::store::any::AnyStore;
use crate::store::contract::Store;

pub(super) const NEXT: Plain = Plain { words, run };

/// How many of the last actions are shown.
const ACTIONS: &str = "5";

fn words() -> Command {
    Command::new("next")
        .about("Claim the follow-up that is due first, and show whom to contact")
        .long_about(
            "Claim the follow-up that is due first, so that nobody else gets it while the lease lasts, and show the lead, the last \
             contacts, and how to log the result. The lease ends when the contact is logged with it, at its time, or when the follow-up \
             is moved or finished otherwise. With -o json or ndjson it prints what was claimed as the API does, with the lease; with \
             -o id only the ids. It prints nothing but a note, or an empty list, where nothing is due that is free, and exits 0.",
        )
        .arg(
            Arg::new("lease")
                .long("lease")
                .value_name("DURATION")
                .help("How long nobody else gets it, from 1s to 24h [default: 10m]"),
        )
        .arg(
            Arg::new("worker")
                .long("worker")
                .value_name("NAME")
                .help("Who works on it [default: local: and your user name; with --url the name of your token]"),
        )
        .arg(
            Arg::new("due")
                .long("due")
                .value_name("DUE")
                .help("Which follow-ups, comma-separated: overdue, today, soon, scheduled, unscheduled [default: overdue,today]"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("COUNT")
                .help("How many are claimed at most, from 1 to 100 [default: 1]"),
        )
        .after_help(examples(&[
            "crm next",
            "crm next --lease 30m --worker anna",
            "crm next --limit 5 --due overdue -o json",
        ]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let settings = session.settings()?;
    let zone = settings.zone()?;
    let text = |name: &str| matches.get_one::<String>(name);
    let mut body = json!({});
    for name in ["lease", "worker"] {
        if let Some(given) = text(name) {
            body[name] = given.as_str().into();
        }
    }
    if let Some(due) = text("due") {
        let words: Vec<&str> = due.split(',').map(str::trim).collect();
        body["due"] = json!(words);
    }
    if let Some(limit) = text("limit") {
        body["limit"] = match limit.parse::<u64>() {
            Ok(limit) => limit.into(),
            Err(_) => limit.as_str().into(),
        };
    }
    let claim = Claim::of(body.to_string().as_bytes(), zone).map_err(in_flags)?;
    session.block_on(async {
        let store = open(&settings, Wants::Write).await?;
        let ended = async {
            let claimed = write(&store, &settings, claim).await?;
            show(
                &store,
                session.page(&settings),
                Session::look(&settings),
                zone,
                claimed,
            )
            .await
        };
        let ended = ended.await;
        let closed = store.close().await;
        let code = ended?;
        closed?;
        Ok(code)
    })
}

/// Names the fields of the body by the flags.
fn in_flags(mut error: Error) -> Error {
    for problem in &mut error.problems {
        let flag = format!("--{}", problem.field);
        let (field, flag) = (format!("{}: ", problem.field), format!("{flag}: "));
        error.message = error.message.replacen(&field, &flag, 1);
    }
    error
}

async fn show(
    store: &AnyStore,
    mut page: Page,
    look: output::Look,
    zone: &Zone,
    claimed: Vec<Claimed>,
) -> Ended {
    if look.format != Format::Table {
        output::claimed(&mut page, look, &claimed)?;
        page.end().await?;
        return Ok(0);
    }
    if claimed.is_empty() {
        say("nothing is due that is free");
    }
    for (at, one) in claimed.iter().enumerate() {
        let cells = card(store, zone, one).await?;
        output::card(&mut page, look, at > 0, cells)?;
    }
    page.end().await?;
    Ok(0)
}

/// What a person reads of a claimed follow-up: names with values.
async fn card(store: &AnyStore, zone: &Zone, claimed: &Claimed) -> Result<Vec<(String, String)>> {
    let followup = &claimed.followup;
    let text = |name: &str| followup.get(name).text().unwrap_or_default();
    let now = time::now();
    let id = followup.id();
    let lead = match followup.get("lead_id").int() {
        Some(lead) => match store.get(&LEAD, lead).await {
            Ok(lead) => Some(lead),
            // It was deleted in between.
            Err(error) if error.code == Code::NotFound => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    let mut cells: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            cells.push((name.into(), value));
        }
    };
    let mut phone_number = None;
    if let Some(lead) = &lead {
        let of_lead = |name: &str| lead.get(name).text().unwrap_or_default().to_string();
        add("name", of_lead("name"));
        add("email", of_lead("email"));
        let attributes = of_lead("attributes");
        phone_number = phone(&attributes);
        add("phone", phone_number.clone().unwrap_or_default());
        add("lead", format!("{} ({})", lead.id(), of_lead("status")));
        if attributes != "{}" {
            add("attributes", attributes);
        }
    }
    let channel = match text("channel") {
        "" => String::new(),
        channel => format!(", by {channel}"),
    };
    add(
        "process",
        format!("{id} {} ({}{channel})", text("name"), text("status")),
    );
    let next = text("next_followup_datetime");
    if !next.is_empty() {
        // A date alone is due all day long.
        let ago = match Moment::at(&now, zone).of(Some(next)) {
            Due::Today if next < now.as_str() => Due::Today.word().into(),
            _ => time::distance(next, &now).unwrap_or_default(),
        };
        add("due", format!("{} ({ago})", zone.brief(next)));
    }
    let actions = match &lead {
        Some(lead) => last_actions(store, lead.id()).await?,
        None => Vec::new(),
    };
    for (at, action) in actions.iter().enumerate() {
        let of = |name: &str| action.get(name).text().unwrap_or_default();
        let mut told = contact(of("timestamp"), of("action_type"), &now);
        if !of("details").is_empty() {
            told = format!("{told}: {}", of("details"));
        }
        let name = if at == 0 { "last contact" } else { "before" };
        add(name, told);
    }
    if lead.is_some() && actions.is_empty() {
        add("last contact", "never".into());
    }
    let worker = text("worker");
    let until = zone.show(text("lease_until"));
    add("leased", format!("to {worker} until {until}"));
    add("lease", claimed.lease.text().into());
    // As it is done always, or was done last.
    let last = actions
        .first()
        .and_then(|one| one.get("action_type").text());
    let kind = match (text("channel"), last, &phone_number) {
        ("", Some(last), _) => last,
        ("", None, Some(_)) => "call",
        ("", None, None) => "mail",
        (channel, ..) => channel,
    };
    let kind = typed(kind);
    let lease = claimed.lease.text();
    if let Some(lead) = &lead {
        let lead = lead.id();
        add(
            "to log it",
            format!("crm log {lead} {kind} 'What it was about' --next +3d --lease {lease}"),
        );
    }
    add("to move it", format!("crm snooze {id} +1d --lease {lease}"));
    add("to end it", format!("crm done {id} --lease {lease}"));
    add(
        "to give it back",
        format!("crm release {id} --lease {lease}"),
    );
    Ok(cells)
}

/// The last actions of a lead, the newest first.
async fn last_actions(store: &AnyStore, lead: i64) -> Result<Vec<Record>> {
    let pairs = vec![
        ("lead_id".to_string(), lead.to_string()),
        ("sort".to_string(), "-timestamp,-id".to_string()),
        ("limit".to_string(), ACTIONS.to_string()),
    ];
    let mut listing = store.list(Query::new(&ACTION, pairs)?).await?;
    let mut all = Vec::new();
    while let Some(records) = listing.next_chunk().await? {
        all.extend(records);
    }
    Ok(all)
}
