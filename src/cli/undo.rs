//! Runs `crm undo`: shows what it will take back, asks, and goes on until the whole group is taken back.

use std::io::{self, IsTerminal, Write as _};

use super::say::say;
use super::session::Ended;
use super::write::{Given, one};
use crate::base::error::{Error, quoted};
use crate::base::time::Zone;
use crate::config::Format;
use crate::model::noun::parse_id;
use crate::model::undone::Undone;
use crate::operation::asked::{Operation, Told};
use crate::output::{self, Bar, Look, Stop};
use crate::store::any::AnyStore;

/// How many records are described before the question. The others are only counted.
const MOST_SHOWN: usize = 20;

/// The parameter that only shows what would be done.
const DRY_RUN: &str = "dry_run";

/// Takes back a group of changes.
pub(super) async fn undo<T: Operation>(store: &AnyStore, look: Look, mut given: Given) -> Ended {
    given.object = Some(match given.keys.first() {
        None => r#"{"last":true}"#.into(),
        Some(text) => match parse_id(text) {
            Some(change) => of_change(change),
            None => {
                let expected =
                    "CHANGE: expected the number of a change, a whole number of 1 or more, got";
                return Err(Error::invalid(format!("{expected} {}", quoted(text))).into());
            }
        },
    });
    let is_dry = given.parameters.iter().any(|one| one.0 == DRY_RUN);
    if is_dry {
        let undone = take_back::<T>(store, &given).await?;
        let more = match undone.left {
            0 => String::new(),
            left => format!(", and {left} more changes of it later"),
        };
        let what = described(&undone, &given.zone);
        let sentence = format!("{what} would be taken back{more}:");
        output::undone(io::stdout().lock(), look, &undone, &sentence)?;
        return Ok(0);
    }
    if !given.yes {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            let why = "undo: expected --yes, because there is no terminal to ask at";
            return Err(Error::invalid(why).into());
        }
        given.parameters = vec![(DRY_RUN.into(), "true".into())];
        let shown = take_back::<T>(store, &given).await?;
        given.parameters.clear();
        if !confirmed(&shown, &given.zone)? {
            say("nothing was changed");
            return Ok(1);
        }
        // What was shown, even if another group has come after it.
        given.object = Some(of_change(shown.undoes));
    }
    let zone = given.zone.clone();
    let undone = to_the_end::<T>(store, look, given).await?;
    let by = undone.change.unwrap_or_default();
    let what = described(&undone, &zone);
    let sentence = format!("{what} is taken back, by change {by}:");
    output::undone(io::stdout().lock(), look, &undone, &sentence)?;
    Ok(0)
}

/// The body of a request that names a change.
fn of_change(change: i64) -> String {
    serde_json::json!({ "change": change }).to_string()
}

/// Takes back one portion of the group, or shows it.
async fn take_back<T: Operation>(store: &AnyStore, given: &Given) -> Result<Undone, Stop> {
    // The changes join the group of the undo by themselves.
    given.group.set(None);
    match one::<T>(store, None, "", given, None).await? {
        Told::Undone(undone) => Ok(undone),
        _ => Err(Error::internal("an undo returned something else").into()),
    }
}

/// Takes back the whole group, a portion at a time.
async fn to_the_end<T: Operation>(
    store: &AnyStore,
    look: Look,
    mut given: Given,
) -> Result<Undone, Stop> {
    let bar = Bar::counting(look.format == Format::Table);
    let mut all = take_back::<T>(store, &given).await?;
    let of = all.changes + all.left;
    while all.left > 0 {
        bar.show("changes taken back", all.changes, of);
        given.object = Some(of_change(all.undoes));
        let next = match take_back::<T>(store, &given).await {
            Ok(next) => next,
            Err(Stop::Failed(mut error)) => {
                error.message = format!(
                    "{}; {} changes of the group are taken back and {} are left; `crm undo {}` goes on",
                    error.message, all.changes, all.left, all.undoes
                );
                return Err(Stop::Failed(error));
            }
            Err(stop) => return Err(stop),
        };
        all.changes += next.changes;
        all.left = next.left;
        all.records.extend(next.records);
    }
    Ok(all)
}

/// A group in words: `change 812 by ada, 2026-02-07 09:30:00 (deleteLead)`.
fn described(undone: &Undone, zone: &Zone) -> String {
    let Undone {
        undoes,
        by,
        at,
        operation,
        ..
    } = undone;
    format!("change {undoes} by {by}, {} ({operation})", zone.show(at))
}

/// Shows what will be taken back, and asks.
fn confirmed(shown: &Undone, zone: &Zone) -> Result<bool, Stop> {
    for record in shown.records.iter().take(MOST_SHOWN) {
        say(&output::undone_line(record));
    }
    if shown.records.len() > MOST_SHOWN {
        let more = shown.records.len() - MOST_SHOWN;
        say(&format!("and {more} more records"));
    }
    if shown.left > 0 {
        say(&format!("and the records of {} more changes", shown.left));
    }
    let what = output::visible(&described(shown, zone)).into_owned();
    let _ = write!(io::stderr(), "Take back {what}? [y/N] ");
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::failed(format!("standard input: {error}")))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
