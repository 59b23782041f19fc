//! `crm NOUN history`: the changes of records. It is the list of changes with two filters, so it needs no operation of
//! its own, and works behind a server and for records that are deleted.

use std::collections::BTreeSet;

use clap::{Arg, ArgMatches, Command};

use super::filters::{filter_args, pairs};
use super::help::examples;
use super::hints::behalf;
use super::ids::{self, MOST_IN_RANGES, Named};
use super::open::{Wants, open};
use super::say::{complain, say};
use super::session::{Ended, OfNoun, Session};
use super::several::{named, shown};
use crate::base::error::{Error, Result};
use crate::base::time::Zone;
use crate::config::Format;
use crate::model::field::ID;
use crate::model::noun::Noun;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::operation::about::fill;
use crate::output::{Extent, Look, Page, Printer};
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use crate::views::changes::CHANGE;

/// The filters of changes that it takes.
const FILTERS: [&str; 4] = ["at", "by", "for", "type"];

pub(super) const HISTORY: OfNoun = OfNoun {
    name: "history",
    words: command,
    run,
};

/// The command of a noun.
fn command(noun: &'static Noun) -> Command {
    let filters = filter_args(&CHANGE).into_iter();
    let filters = filters.filter(|arg| FILTERS.contains(&arg.get_id().as_str()));
    let (article, name) = (noun.article(), noun.name);
    Command::new(HISTORY.name)
        .about(format!("Show who did what to {article} {name}, also after it was deleted"))
        .long_about(format!(
            "Show who did what to {article} {name} or to several, the newest last. One that was deleted is named by its id{}.",
            match noun.email() {
                Some(_) => ", or by the address that it had",
                None => "",
            }
        ))
        .arg(
            Arg::new("ids")
                .value_name("ID")
                .required(true)
                .num_args(1..)
                .help(fill(ids::HELP[usize::from(noun.email().is_some())], Some(noun))),
        )
        .args(filters)
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("COUNT")
                .help("Only so many changes, the newest ones"),
        )
        .arg(
            Arg::new("show")
                .long("fields")
                .value_name("FIELDS")
                .help("Show only these fields of the changes, in this order, comma-separated"),
        )
        .after_help(examples(&[
            &format!("crm {name} history 1"),
            &format!("crm {name} history 1 --at gte:today --limit 10"),
        ]))
}

/// Prints the history of records.
fn run(session: &Session<'_>, noun: &'static Noun, matches: &ArgMatches) -> Ended {
    let settings = session.settings()?;
    let zone = settings.zone()?;
    let asked = History {
        noun,
        ids: matches
            .get_many::<String>("ids")
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        filters: pairs(&CHANGE, matches, zone)?,
        limit: matches.get_one::<String>("limit").cloned(),
        fields: matches.get_one::<String>("show").cloned(),
    };
    behalf(&settings);
    session.block_on(async {
        let store = open(&settings, Wants::Read).await?;
        let page = session.page(&settings);
        let ended = asked.print(&store, Session::look(&settings), page, zone);
        let ended = ended.await;
        let closed = store.close().await;
        let code = ended?;
        closed?;
        Ok(code)
    })
}

/// A history that is asked for.
struct History {
    noun: &'static Noun,
    ids: Vec<String>,
    filters: Vec<(String, String)>,
    limit: Option<String>,
    fields: Option<String>,
}

impl History {
    async fn print(self, store: &AnyStore, look: Look, page: Page, zone: &Zone) -> Ended {
        let shown = shown(&CHANGE, self.fields.as_deref())?;
        let ids = self.records(store).await?;
        let mut pairs = self.filters.clone();
        let wanted: Vec<String> = ids.iter().map(i64::to_string).collect();
        pairs.push(("id".into(), format!("in:{}", wanted.join(","))));
        pairs.push(("type".into(), format!("{}.*", self.noun.name)));
        if let (Some(fields), true) = (&self.fields, look.format != Format::Id) {
            pairs.push(("fields".into(), fields.clone()));
        }
        if let Some(limit) = &self.limit {
            // The newest ones, which are then printed in the other order.
            pairs.push(("sort".into(), format!("-{}", CHANGE.key().name)));
            pairs.push(("limit".into(), limit.clone()));
        }
        let mut listing = store.list(Query::new(&CHANGE, pairs)?).await?;
        let mut printer = Printer::records(page, look, &CHANGE, shown, Extent::Many).in_zone(zone);
        let mut newest = Vec::new();
        let mut seen = Seen::default();
        while let Some(records) = listing.next_chunk().await? {
            for record in records {
                match self.limit {
                    Some(_) => newest.push(record),
                    None => {
                        seen.add(&record);
                        printer.record(&record)?;
                    }
                }
            }
        }
        for record in newest.iter().rev() {
            printer.record(record)?;
        }
        let (count, page) = printer.finish()?;
        page.end().await?;
        self.explain(store, look, &ids, (count, &seen)).await
    }

    /// The ids of the records.
    async fn records(&self, store: &AnyStore) -> Result<Vec<i64>> {
        let named = Named::read(self.noun, &self.ids, false)?;
        let mut ids = named.ids_in_history(store, self.noun).await?;
        ids.sort_unstable();
        ids.dedup();
        match ids.len() as u64 {
            // They are the values of one filter.
            0 => Err(Error::field("id", "expected at least one, got none")),
            1..=MOST_IN_RANGES => Ok(ids),
            got => Err(Error::field(
                "id",
                format!(
                    "expected at most {MOST_IN_RANGES} {}, got {got}; `crm changes` lists all changes",
                    self.noun.plural
                ),
            )),
        }
    }

    /// Says of which records changes are not kept. Fails if there is no such record either.
    async fn explain(
        &self,
        store: &AnyStore,
        look: Look,
        ids: &[i64],
        (count, seen): (u64, &Seen),
    ) -> Ended {
        let mut code = 0;
        // With a filter or a limit, what is left out need not be gone.
        let is_whole = self.filters.is_empty() && (self.limit.is_none() || count == 0);
        // Without its type and its id, a change does not tell.
        let is_known = self.fields.is_none() || count == 0;
        if !is_whole || !is_known {
            if count == 0 && look.terminal.width.is_some() && look.format == Format::Table {
                say("no changes");
            }
            return Ok(0);
        }
        let name = self.noun.name;
        for id in ids {
            if seen.begun.contains(id) {
                continue;
            }
            if seen.all.contains(id) {
                say(&format!(
                    "note: earlier changes of {name} {id} are not kept"
                ));
                continue;
            }
            match store.get(self.noun, *id).await {
                Ok(_) => say(&format!("note: no changes of {name} {id} are kept")),
                Err(error) if ids.len() == 1 => return Err(error.into()),
                Err(mut error) => {
                    error.message = named(&format!("{name} {id}"), &error.message);
                    complain(look.format, &error);
                    code = if code == 0 { error.code.exit() } else { code };
                }
            }
        }
        Ok(code)
    }
}

/// The records whose changes were printed.
#[derive(Default)]
struct Seen {
    all: BTreeSet<i64>,
    /// Those whose first change is the one that made them.
    begun: BTreeSet<i64>,
}

impl Seen {
    fn add(&mut self, change: &Record) {
        let value = |name: &str| CHANGE.position(name).map(|at| &change.values[at]);
        let Some(id) = value(ID.name).and_then(|value| value.int()) else {
            return;
        };
        let kind = value("type").and_then(|value| value.text());
        if self.all.insert(id) && kind.is_some_and(|kind| kind.ends_with(".created")) {
            self.begun.insert(id);
        }
    }
}
