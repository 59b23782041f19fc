//! The follow-up that a command works on, and the writes of these commands.
//!
//! A number is the id of the process. An address is that of a lead, and stands for the lead's open process: of several, the one
//! that is due first.

use clap::{Arg, ArgAction, ArgMatches};

use super::author::author;
use super::ids::Named;
use super::say::say;
use crate::base::error::{Code, Error, Result, quoted};
use crate::config::Settings;
use crate::model::author::Author;
use crate::model::lead::LEAD;
use crate::model::lease::LeaseSecret;
use crate::model::noun::parse_id;
use crate::model::process::PROCESS;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::model::terms::Terms;
use crate::operation::asked::Operation;
use crate::store::any::AnyStore;
use crate::store::contract::{Store, Write};
use crate::views::followups::FOLLOWUP;

/// The argument that names a follow-up.
pub(super) fn target() -> Arg {
    Arg::new("target")
        .value_name("PROCESS|LEAD")
        .required(true)
        .help("The process by its id, or its lead by the e-mail address")
}

/// The flag with which a number is the id of a lead.
pub(super) fn by_lead() -> Arg {
    Arg::new("by_lead")
        .long("lead")
        .action(ArgAction::SetTrue)
        .help("The number is the id of a lead, and not of a process")
}

/// The flag of a lease.
pub(super) fn lease_arg() -> Arg {
    Arg::new("lease")
        .long("lease")
        .value_name("LEASE")
        .help("The lease that `crm next` gave: only while it counts")
}

/// The lease of a command line.
pub(super) fn lease(matches: &ArgMatches) -> Result<Option<LeaseSecret>> {
    let given = matches.get_one::<String>("lease");
    let read = given.map(|text| LeaseSecret::read(text));
    read.transpose()
        .map_err(|expected| Error::field("--lease", expected))
}

/// The id of the process that a command line names.
pub(super) async fn process(store: &AnyStore, matches: &ArgMatches) -> Result<i64> {
    let word = matches.get_one::<String>("target");
    let word = word.map(String::as_str).unwrap_or_default();
    let is_lead = word.contains('@') || matches.get_flag("by_lead");
    if !is_lead {
        return parse_id(word).ok_or_else(|| {
            Error::field(
                "id",
                format!(
                    "expected the id of a process, a whole number of 1 or more, or the e-mail address of a lead, got {}",
                    quoted(word)
                ),
            )
        });
    }
    let named = Named::read(&LEAD, &[word.to_string()], false)?;
    let ids = named.ids(store, &LEAD).await?;
    let [lead] = ids[..] else {
        let expected = format!("expected one lead, got {}", quoted(word));
        return Err(Error::field("id", expected));
    };
    first_due(store, lead).await
}

/// The open process of a lead that is due first.
async fn first_due(store: &AnyStore, lead: i64) -> Result<i64> {
    let pairs = vec![
        ("lead_id".into(), lead.to_string()),
        ("limit".into(), "2".into()),
    ];
    let mut listing = store.list(Query::new(&FOLLOWUP, pairs)?).await?;
    let mut found: Vec<Record> = Vec::new();
    while let Some(records) = listing.next_chunk().await? {
        found.extend(records);
    }
    let Some(first) = found.first() else {
        return Err(Error::new(
            Code::NotFound,
            format!("lead {lead} has no open process"),
        ));
    };
    if found.len() > 1 {
        let name = first.get("name").text().unwrap_or_default();
        say(&format!(
            "note: lead {lead} has several open processes; this is about the one that is due first, {} {} ({name})",
            PROCESS.name,
            first.id()
        ));
    }
    Ok(first.id())
}

/// Who makes the changes of this command.
pub(super) fn terms<T: Operation>(settings: &Settings) -> Terms {
    Terms {
        author: Author {
            operation: T::ABOUT.methods[0].1.into(),
            ..author(settings)
        },
        ..Terms::default()
    }
}

/// Runs a write of this command.
pub(super) async fn write<T: Operation>(
    store: &AnyStore,
    settings: &Settings,
    operation: T,
) -> Result<<T as Write>::Done> {
    Ok(store.write(operation, terms::<T>(settings)).await?.done)
}
