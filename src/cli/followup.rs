//! `crm snooze`, `crm done`, `crm renew`, `crm release`: work on one follow-up.

use std::io;

use clap::{Arg, ArgMatches, Command};

use super::help::examples;
use super::open::{Wants, open};
use super::say::say;
use super::session::{Ended, Plain, Session};
use super::target::{by_lead, lease, lease_arg, process, target, write};
use crate::base::error::{Error, Result};
use crate::base::time::{self, Tense, Zone};
use crate::config::{Format, Settings};
use crate::model::lease::{LeaseSecret, duration};
use crate::model::process::PROCESS;
use crate::model::record::Record;
use crate::ops::complete::Complete;
use crate::ops::release::Release;
use crate::ops::renew::Renew;
use crate::ops::snooze::{Snooze, TO_COME};
use crate::output::{self, Extent, Look, Printer};
use crate::store::any::AnyStore;
use crate::store::contract::Store;

pub(super) const SNOOZE: Plain = Plain {
    words: snooze_words,
    run: snooze,
};
pub(super) const DONE: Plain = Plain {
    words: done_words,
    run: done,
};
pub(super) const RENEW: Plain = Plain {
    words: renew_words,
    run: renew,
};
pub(super) const RELEASE: Plain = Plain {
    words: release_words,
    run: release,
};

fn snooze_words() -> Command {
    Command::new("snooze")
        .about("Move a follow-up to a later time")
        .long_about(
            "Move a follow-up to a time to come. A lead stands for its open process; of several, the one that is due first. The lease of \
             the follow-up ends. To set a time in the past or to remove it, use `crm process update`.",
        )
        .arg(target())
        .arg(
            Arg::new("next")
                .value_name("WHEN")
                .required(true)
                .allow_hyphen_values(true)
                .help("When it is due instead, such as +3d, 'fri 9am', tomorrow or 2026-01-31"),
        )
        .arg(by_lead())
        .arg(lease_arg())
        .after_help(examples(&[
            "crm snooze 1 +3d",
            "crm snooze --lead 1 'tomorrow 9am'",
        ]))
}

fn done_words() -> Command {
    Command::new("done")
        .about("End a follow-up: nothing more is to be done")
        .long_about(
            "End a process: its status becomes `completed`, and it has no next date. A lead stands for its open process; of several, the \
             one that is due first. One that is finished already keeps its status. To log the last contact with it, use `crm log --done`.",
        )
        .arg(target())
        .arg(by_lead())
        .arg(lease_arg())
        .after_help(examples(&["crm done --lead 1 -o json", "crm done 1"]))
}

/// The argument of a process alone.
fn id() -> Arg {
    Arg::new("target")
        .value_name("PROCESS")
        .required(true)
        .help("The process by its id")
}

fn renew_words() -> Command {
    Command::new("renew")
        .about("Make the lease of a claimed follow-up last longer")
        .arg(id())
        .arg(
            lease_arg()
                .required(true)
                .help("The lease that `crm next` gave"),
        )
        .arg(
            Arg::new("duration")
                .long("duration")
                .value_name("DURATION")
                .help("How long it lasts from now, from 1s to 24h [default: as long as before]"),
        )
        .after_help(examples(&[
            "crm renew 1 --lease \"$(crm next --due overdue,scheduled -o csv | sed 's/.*,//;1d')\" --duration 30m",
        ]))
}

fn release_words() -> Command {
    Command::new("release")
        .about("Give a claimed follow-up back, so that others get it")
        .arg(id())
        .arg(
            lease_arg()
                .required(true)
                .help("The lease that `crm next` gave"),
        )
        .after_help(examples(&[
            "crm release 1 --lease \"$(crm next --due overdue,scheduled -o csv | sed 's/.*,//;1d')\"",
        ]))
}

/// Opens the store, calls `act` with it, and closes it.
fn with_store(
    session: &Session<'_>,
    settings: &Settings,
    act: impl AsyncFnOnce(&AnyStore) -> Ended,
) -> Ended {
    session.block_on(async {
        let store = open(settings, Wants::Write).await?;
        let ended = act(&store).await;
        let closed = store.close().await;
        let code = ended?;
        closed?;
        Ok(code)
    })
}

/// Prints a process: in words as a table, and else as it is.
fn print(look: Look, zone: &Zone, process: &Record, told: &str) -> Ended {
    let mut out = io::stdout().lock();
    if look.format == Format::Table {
        output::line(&mut out, told)?;
        if look.terminal.width.is_some() {
            say("note: crm undo takes it back");
        }
        return Ok(0);
    }
    let printer = Printer::records(out, look, &PROCESS, None, Extent::One);
    let mut printer = printer.in_zone(zone);
    printer.record(process)?;
    printer.end()?;
    Ok(0)
}

/// A process by its id and its name: `process 4 (Spring)`.
fn named(process: &Record) -> String {
    let name = process.get("name").text().unwrap_or_default();
    format!("process {} ({name})", process.id())
}

/// With a capital letter. It begins with a word of crm.
fn capital(told: &str) -> String {
    format!("{}{}", told[..1].to_uppercase(), &told[1..])
}

fn snooze(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let settings = session.settings()?;
    let zone = settings.zone()?;
    let given = matches.get_one::<String>("next");
    let given = given.map(String::as_str).unwrap_or_default();
    let next = time::point(given, zone, Tense::Future)
        .map_err(|expected| Error::field("WHEN", expected))?;
    let next = next.trim_end_matches('Z').to_string();
    let lease = lease(matches)?;
    with_store(session, &settings, async |store| {
        let id = process(store, matches).await?;
        let snooze = Snooze::new(id, next.clone(), lease);
        let saved = write(store, &settings, snooze).await;
        let saved = saved.map_err(|error| of_next(error, &zone.brief(&next)))?;
        let at = saved.record.get("next_followup_datetime");
        let at = zone.show(at.text().unwrap_or_default()).into_owned();
        let told = format!("The follow-up of {} is now due {at}", named(&saved.record));
        print(Session::look(&settings), zone, &saved.record, &told)
    })
}

/// Names the field of the body by the argument, and the time as it is in the zone of the command.
fn of_next(mut error: Error, next: &str) -> Error {
    match error.message.strip_prefix("next: ") {
        Some(rest) if rest.starts_with(TO_COME) => {
            error.message = format!("WHEN: {TO_COME}, got {next}");
        }
        Some(rest) => error.message = format!("WHEN: {rest}"),
        None => {}
    }
    error
}

fn done(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let settings = session.settings()?;
    let zone = settings.zone()?;
    let lease = lease(matches)?;
    with_store(session, &settings, async |store| {
        let id = process(store, matches).await?;
        // If it does not exist, the write says so.
        let before = store.get(&PROCESS, id).await.ok();
        let saved = write(store, &settings, Complete::new(id, lease)).await?;
        let status = saved.record.get("status").text().unwrap_or_default();
        let fields = |record: &Record| record.values[..PROCESS.fields.len()].to_vec();
        let is_same = before.is_some_and(|before| fields(&before) == fields(&saved.record));
        if is_same && Session::look(&settings).format == Format::Table {
            let told = capital(&format!("{} was {status} already", named(&saved.record)));
            output::line(&mut io::stdout().lock(), &told)?;
            return Ok(0);
        }
        let told = format!("{} is {status}", named(&saved.record));
        print(
            Session::look(&settings),
            zone,
            &saved.record,
            &capital(&told),
        )
    })
}

/// The process and the lease of a command line that has to name both.
fn leased(matches: &ArgMatches) -> Result<(i64, LeaseSecret)> {
    let word = matches.get_one::<String>("target");
    let id = PROCESS.parse_id(word.map(String::as_str).unwrap_or_default())?;
    match lease(matches)? {
        Some(lease) => Ok((id, lease)),
        None => Err(Error::field("--lease", "is required")),
    }
}

fn renew(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let settings = session.settings()?;
    let zone = settings.zone()?;
    let (id, lease) = leased(matches)?;
    let seconds = matches.get_one::<String>("duration");
    let seconds = seconds
        .map(|text| duration(text))
        .transpose()
        .map_err(|expected| Error::field("--duration", expected))?;
    with_store(session, &settings, async |store| {
        let renewed = write(store, &settings, Renew::new(id, lease, seconds)).await?;
        let look = Session::look(&settings);
        let mut out = io::stdout().lock();
        if look.format == Format::Table {
            let until = zone.show(&renewed.lease_until);
            let told = format!("Process {id} is leased to {} until {until}", renewed.worker);
            output::line(&mut out, &told)?;
            return Ok(0);
        }
        let said = [
            ("id", renewed.id.into()),
            ("worker", renewed.worker.into()),
            ("lease_until", renewed.lease_until.into()),
        ];
        output::summary(&mut out, look, &said)?;
        Ok(0)
    })
}

fn release(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let settings = session.settings()?;
    let (id, lease) = leased(matches)?;
    with_store(session, &settings, async |store| {
        write(store, &settings, Release::new(id, lease)).await?;
        let look = Session::look(&settings);
        let mut out = io::stdout().lock();
        if look.format == Format::Table {
            output::line(&mut out, &format!("Process {id} is free again"))?;
            return Ok(0);
        }
        let said = [("id", id.into()), ("message", "Follow-up released".into())];
        output::summary(&mut out, look, &said)?;
        Ok(0)
    })
}
