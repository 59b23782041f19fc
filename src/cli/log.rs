//! `crm log`: logs an action with a lead, and says what has moved.

use std::io;

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::Value as Json;

use super::draft::source;
use super::ids::Named;
use super::names::typed;
use super::past;
use super::say::{complain, say};
use super::session::Ended;
use super::several::named;
use super::write::{Given, one};
use crate::base::error::{Code, Error, Problems, Result, quoted};
use crate::base::time::{self, Tense, Zone};
use crate::model::action::ACTION;
use crate::model::draft::Purpose;
use crate::model::lead::LEAD;
use crate::model::noun::parse_id;
use crate::operation::asked::{Operation, Told};
use crate::output::{self, Extent, Look, Stop};
use crate::store::any::AnyStore;

/// The word for no next follow-up.
const NONE: &str = "none";

/// The arguments.
pub(super) fn args() -> Vec<Arg> {
    let text = |id: &'static str, long: &'static str, value: &'static str| {
        let arg = Arg::new(id).long(long).value_name(value);
        arg.allow_hyphen_values(true)
    };
    vec![
        Arg::new("ids")
            .value_name("LEAD")
            .required(true)
            .help("The lead: its id or its e-mail address; several as 14,15 or 14-17; - reads them from standard input"),
        Arg::new("action_type")
            .value_name("TYPE")
            .required(true)
            .help("What was done, any word, such as call or mail"),
        Arg::new("details")
            .value_name("DETAILS")
            .allow_hyphen_values(true)
            .help("What it was about"),
        text("timestamp", "timestamp", "TIME")
            .visible_alias("at")
            .help("When it happened; such as 2026-01-31 09:30, 14:30, yesterday 14:30, -2h [default: now]"),
        text("next", "next", "TIME")
            .help("When the next follow-up is due, such as +3d, fri 9am or 2026-01-31 09:30; none for no date [default: after the cadence]"),
        Arg::new("process")
            .long("process")
            .value_name("ID")
            .help("The process that it belongs to [default: the lead's open one]"),
        text("open", "open", "NAME")
            .conflicts_with("process")
            .help("Open a process of this name if the lead has no open one"),
        Arg::new("done")
            .long("done")
            .action(ArgAction::SetTrue)
            .conflicts_with_all(["next", "open"])
            .help("End the process: nothing more is to be done"),
        text("lead_status", "lead-status", "STATUS").help("The new status of the lead"),
        text("lease", "lease", "LEASE")
            .help("The lease that `crm next` gave: the follow-up is that of the lease, which ends"),
        text("attributes", "attributes", "JSON")
            .help("Your own fields of the action, a JSON object"),
        text("set", "set", "KEY=VALUE")
            .action(ArgAction::Append)
            .help("Set an attribute of the action to a text, or with KEY:=JSON to any JSON value"),
    ]
}

/// Logs an action with each of the leads.
pub(super) async fn log<T: Operation>(
    store: &AnyStore,
    look: Look,
    matches: &ArgMatches,
    mut given: Given,
) -> Ended {
    let leads: Vec<String> = matches
        .get_many("ids")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let named_leads = Named::read(&LEAD, &leads, false)?;
    let extent = named_leads.extent;
    let drafts = source(&ACTION, matches, &given.zone)?;
    let drafts = drafts.drafts(store, &ACTION, Purpose::Create).await?;
    let action = drafts.first().map(|draft| draft.to_json());
    given.object = Some(body(matches, action.unwrap_or_default(), &given.zone)?);
    let ids = named_leads.ids(store, &LEAD).await?;
    let of = |name: &str| matches.get_one::<String>(name);
    if let (Some(kind), None) = (of("action_type"), of("details"))
        && kind.trim().contains(char::is_whitespace)
    {
        say(&format!(
            "note: the type of the action is {}; what it was about comes after the type, as in: crm log 1 call {}",
            quoted(kind),
            typed(kind)
        ));
    }
    let (mut code, mut all) = (0, Vec::new());
    for id in &ids {
        match one::<T>(store, Some(&LEAD), &id.to_string(), &given, None).await {
            Ok(Told::Logged(logged)) => all.push(logged),
            Ok(_) => return Err(Error::internal("log returned something else").into()),
            Err(Stop::Failed(mut error)) => {
                in_flags(&mut error);
                if ids.len() == 1 {
                    return Err(error.into());
                }
                error.message = named(&format!("{} {id}", LEAD.name), &error.message);
                complain(look.format, &error);
                code = if code == 0 { error.code.exit() } else { code };
                if error.code == Code::Unreachable {
                    break;
                }
            }
            Err(stop) => return Err(stop),
        }
    }
    let is_many = extent == Extent::Many;
    let zone = &given.zone;
    output::logged(io::stdout().lock(), look, zone, &all, is_many)?;
    Ok(code)
}

/// The body of the request: the action, and what is given besides. Times become UTC.
fn body(matches: &ArgMatches, action: String, zone: &Zone) -> Result<String> {
    let text = |name: &str| matches.get_one::<String>(name);
    let mut problems = Problems::default();
    let mut body = action;
    let mut add = |name: &str, json: Json| {
        body.pop();
        let comma = if body.len() > 1 { "," } else { "" };
        body.push_str(&format!("{comma}\"{name}\":{json}}}"));
    };
    match text("next").map(|next| (next, time::point(next, zone, Tense::Future))) {
        None => {}
        Some((next, _)) if next == NONE => add("next", Json::Null),
        Some((_, Ok(next))) => {
            past::note("--next", &next, zone);
            add("next", next.into());
        }
        Some((_, Err(expected))) => problems.push("--next", format!("{expected}, or {NONE}")),
    }
    if let Some(id) = text("process") {
        match parse_id(id) {
            Some(id) => add("process_id", id.into()),
            None => problems.push(
                "--process",
                format!(
                    "expected the id of a process, a whole number of 1 or more, got {}",
                    quoted(id)
                ),
            ),
        }
    }
    if let Some(name) = text("open") {
        add("process", serde_json::json!({ "name": name }));
    }
    if matches.get_flag("done") {
        add("done", true.into());
    }
    if let Some(lease) = text("lease") {
        add("lease", lease.as_str().into());
    }
    if let Some(status) = text("lead_status") {
        add("lead_status", status.as_str().into());
    }
    match problems.is_empty() {
        true => Ok(body),
        false => Err(Error::fields(problems)),
    }
}

/// Names the fields of the body by the flags.
fn in_flags(error: &mut Error) {
    for (field, flag) in [
        ("process_id: ", "--process: "),
        ("process.name: ", "--open: "),
        ("lead_status: ", "--lead-status: "),
        ("next: ", "--next: "),
        ("done: ", "--done: "),
        ("lease: ", "--lease: "),
    ] {
        if let Some(rest) = error.message.strip_prefix(field) {
            error.message = format!("{flag}{rest}");
        }
    }
    let (opens, flag) = (
        "expected process with a name, which opens one",
        "expected --open NAME, which opens one",
    );
    error.message = error.message.replace(opens, flag);
    for (field, flag) in [
        ("or no next", "or no --next"),
        ("or no done", "or no --done"),
    ] {
        error.message = error.message.replace(field, flag);
    }
}
