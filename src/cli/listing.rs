//! Runs lists and counts, and says what a person at a terminal should know about an empty one.

use std::io;

use super::columns::columns;
use super::hints::hints;
use super::ids::in_filters;
use super::say::say;
use super::session::Ended;
use super::several::shown;
use crate::base::error::Error;
use crate::base::time::Zone;
use crate::config::Format;
use crate::model::noun::Noun;
use crate::model::query::Query;
use crate::output::{self, Extent, Look, Page, Printer};
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// Prints the number of records that match.
pub(super) async fn count(
    store: &AnyStore,
    look: Look,
    noun: &'static Noun,
    mut pairs: Vec<(String, String)>,
    limit: Option<String>,
) -> Ended {
    if limit.is_some() || pairs.iter().any(|pair| pair.0 == "after") {
        return Err(Error::invalid(
            "--count: expected no --limit or --after with it, because it counts all pages",
        )
        .into());
    }
    let filters = pairs.clone();
    pairs.push(("count".into(), "true".into()));
    pairs.push(("limit".into(), "1".into()));
    let listing = store.list(asked(store, noun, pairs, &filters).await?);
    let listing = listing.await?;
    let count = listing
        .total
        .ok_or_else(|| Error::internal("a list was not counted"))?;
    output::count(io::stdout().lock(), look.format, count)?;
    if count == 0 {
        tell(noun, &filters);
    }
    Ok(0)
}

/// Prints the records that match.
pub(super) async fn list(
    store: &AnyStore,
    look: Look,
    (page, zone): (Page, &Zone),
    noun: &'static Noun,
    mut pairs: Vec<(String, String)>,
    limit: Option<String>,
    fields: Option<String>,
) -> Ended {
    let shown = shown(noun, fields.as_deref())?;
    let filters = pairs.clone();
    in_filters(store, noun, &mut pairs).await?;
    let (shown, keys) = columns(store, look, shown, (noun, &pairs), limit.as_deref()).await?;
    // The id format needs no other field, and the requested fields may not include the id.
    if let (Some(fields), true) = (fields, look.format != Format::Id) {
        pairs.push(("fields".into(), fields));
    }
    let mut printer = Printer::records(page, look, noun, shown, Extent::Many).in_zone(zone);
    if let Some(limit) = limit {
        pairs.push(("limit".into(), limit));
    }
    let query = asked(store, noun, pairs, &filters).await?;
    let reads_feed = query.reads_feed();
    let mut listing = store.list(query).await?;
    while let Some(records) = listing.next_chunk().await? {
        for record in &records {
            if let Some(keys) = &keys {
                keys.check(record)?;
            }
            printer.record(record)?;
        }
    }
    let (count, page) = printer.finish()?;
    page.end().await?;
    epilogue(look, noun, count, listing.next, reads_feed);
    if count == 0 {
        tell(noun, &filters);
    }
    Ok(0)
}

/// Reads a query. If it is refused, filters that look like a slip get a hint.
async fn asked(
    store: &AnyStore,
    noun: &'static Noun,
    mut pairs: Vec<(String, String)>,
    filters: &[(String, String)],
) -> Result<Query, Error> {
    in_filters(store, noun, &mut pairs).await?;
    Query::new(noun, pairs).map_err(|mut error| {
        // The error is one line, so that a program that reads JSON finds the hint too.
        for hint in hints(noun, filters) {
            error.message = format!("{}; {}", error.message, hint.trim_start_matches("hint: "));
        }
        error
    })
}

/// Prints the hints for a list that found nothing.
fn tell(noun: &'static Noun, filters: &[(String, String)]) {
    for hint in hints(noun, filters) {
        say(&hint);
    }
}

/// Tells a person at a terminal that the list is empty, or how to read on.
pub(super) fn epilogue(
    look: Look,
    noun: &Noun,
    count: u64,
    next: Option<String>,
    reads_feed: bool,
) {
    if look.terminal.width.is_none() || look.format != Format::Table {
        return;
    }
    if count == 0 {
        say(&format!("no {}", noun.plural));
    }
    if let Some(next) = next {
        // The end of a feed has a cursor, too.
        say(&match reads_feed {
            true => format!("to read on from here: --after {next}"),
            false => format!("there are more: --after {next}"),
        });
    }
}
