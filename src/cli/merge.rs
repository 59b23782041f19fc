//! Runs `crm lead merge`: shows what it will do, asks, and merges.

use std::io::{self, IsTerminal, Write as _};

use clap::{Arg, ArgMatches};

use super::draft::{field_args, source};
use super::ids::Named;
use super::say::say;
use super::session::Ended;
use super::write::{Given, one};
use crate::base::error::{Error, Result};
use crate::config::Format;
use crate::model::draft::Purpose;
use crate::model::lead::LEAD;
use crate::model::merged::Merged;
use crate::operation::asked::{Operation, Told};
use crate::output::{self, Look, Stop};
use crate::store::any::AnyStore;

/// The parameter that only shows what would be done.
const DRY_RUN: &str = "dry_run";

/// The arguments.
pub(super) fn args() -> Vec<Arg> {
    let mut args = vec![
        Arg::new("ids")
            .value_name("KEEP")
            .required(true)
            .help("The lead that stays: its id or its e-mail address"),
        Arg::new("others")
            .value_name("OTHER")
            .required(true)
            .num_args(1..)
            .help("The leads that are merged into it: ids (several: 14,15 or 14-17) or e-mail addresses"),
    ];
    args.extend(field_args(&LEAD, Purpose::Update));
    args
}

fn words(matches: &ArgMatches, name: &str) -> Vec<String> {
    let words = matches.get_many::<String>(name);
    words.into_iter().flatten().cloned().collect()
}

/// Merges leads.
pub(super) async fn merge<T: Operation>(
    store: &AnyStore,
    look: Look,
    matches: &ArgMatches,
    mut given: Given,
) -> Ended {
    let is_dry = given.parameters.iter().any(|one| one.0 == DRY_RUN);
    let asks = !is_dry && !given.yes;
    if asks && (!io::stdin().is_terminal() || !io::stderr().is_terminal()) {
        let why = "merge: expected --yes, because there is no terminal to ask at";
        return Err(Error::invalid(why).into());
    }
    let keep = Named::read(&LEAD, &words(matches, "ids"), false)?;
    let others = Named::read(&LEAD, &words(matches, "others"), false)?;
    let source = source(&LEAD, matches, &given.zone)?;
    let fields = match source.is_empty() {
        true => None,
        false => source
            .drafts(store, &LEAD, Purpose::Update)
            .await?
            .first()
            .map(|draft| draft.to_json()),
    };
    let keep = match keep.ids(store, &LEAD).await?[..] {
        [keep] => keep,
        _ => {
            let why = "KEEP: expected the id or the address of one lead, the one that stays";
            return Err(Error::invalid(why).into());
        }
    };
    let others = serde_json::Value::from(others.ids(store, &LEAD).await?);
    let fields = fields.map_or_else(String::new, |fields| format!(",\"fields\":{fields}"));
    given.object = Some(format!("{{\"others\":{others}{fields}}}"));
    if asks {
        given.parameters = vec![(DRY_RUN.into(), "true".into())];
        let shown = run::<T>(store, keep, &given).await?;
        given.parameters.clear();
        if !confirmed(&shown)? {
            say("nothing was changed");
            return Ok(1);
        }
    }
    let merged = run::<T>(store, keep, &given).await?;
    output::merged(io::stdout().lock(), look, &merged)?;
    if !is_dry && look.terminal.width.is_some() && look.format == Format::Table {
        say("note: crm undo gives all back");
    }
    Ok(0)
}

async fn run<T: Operation>(store: &AnyStore, keep: i64, given: &Given) -> Result<Merged, Stop> {
    let told = one::<T>(store, Some(&LEAD), &keep.to_string(), given, None).await;
    match told.map_err(in_flags)? {
        Told::Merged(merged) => Ok(*merged),
        _ => Err(Error::internal("a merge returned something else").into()),
    }
}

/// Names the parts of the body by the words of the command.
fn in_flags(stop: Stop) -> Stop {
    let Stop::Failed(mut error) = stop else {
        return stop;
    };
    for (part, word) in [("others: ", "OTHER: "), ("fields.", "")] {
        if let Some(rest) = error.message.strip_prefix(part) {
            error.message = format!("{word}{rest}");
        }
    }
    Stop::Failed(error)
}

/// Shows what will be done, and asks.
fn confirmed(shown: &Merged) -> Result<bool, Stop> {
    for line in output::merged_lines(shown) {
        say(&line);
    }
    let count = match shown.others.len() {
        1 => "1 lead".to_string(),
        count => format!("{count} leads"),
    };
    let keep = shown.lead.id();
    let _ = write!(io::stderr(), "Merge {count} into lead {keep}? [y/N] ");
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::failed(format!("standard input: {error}")))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
