//! `crm NOUN history`: the changes of one record. It is the list of changes with two filters, so it needs no operation of
//! its own, and works behind a server and for a record that is deleted.

use clap::{Arg, ArgMatches, Command};

use super::filters::{filter_args, pairs};
use super::help::examples;
use super::ids::Named;
use super::open::{Wants, open};
use super::say::say;
use super::session::{Ended, Session};
use super::several::shown;
use crate::base::error::{Error, Result};
use crate::base::time::Zone;
use crate::config::Format;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::query::Query;
use crate::output::{Extent, Look, Page, Printer};
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use crate::views::changes::CHANGE;

/// The filters of changes that it takes.
const FILTERS: [&str; 3] = ["at", "by", "type"];

/// The word of the command.
pub(super) const HISTORY: &str = "history";

/// The command of a noun.
pub(super) fn command(noun: &'static Noun) -> Command {
    let filters = filter_args(&CHANGE).into_iter();
    let filters = filters.filter(|arg| FILTERS.contains(&arg.get_id().as_str()));
    let (article, name) = (noun.article(), noun.name);
    Command::new(HISTORY)
        .about(format!("Show who did what to {article} {name}, also after it was deleted"))
        .long_about(format!(
            "Show who did what to {article} {name}, the newest last. One that was deleted is named by its id."
        ))
        .arg(
            Arg::new("ids")
                .value_name("ID")
                .required(true)
                .help(match noun.email() {
                    Some(_) => format!("The {name}: its id or its e-mail address"),
                    None => format!("The {name}: its id"),
                }),
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

/// The noun whose history a command line asks for.
pub(super) fn find<'m>(
    name: &str,
    matches: &'m ArgMatches,
) -> Option<(&'static Noun, &'m ArgMatches)> {
    let noun = NOUNS.into_iter().find(|noun| noun.name == name)?;
    let (asked, matches) = matches.subcommand()?;
    (asked == HISTORY).then_some((noun, matches))
}

/// Prints the history of a record.
pub(super) fn run(session: &Session<'_>, noun: &'static Noun, matches: &ArgMatches) -> Ended {
    let settings = session.settings()?;
    let zone = settings.zone()?;
    let asked = History {
        noun,
        id: matches
            .get_one::<String>("ids")
            .cloned()
            .unwrap_or_default(),
        filters: pairs(&CHANGE, matches, zone)?,
        limit: matches.get_one::<String>("limit").cloned(),
        fields: matches.get_one::<String>("show").cloned(),
    };
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
    id: String,
    filters: Vec<(String, String)>,
    limit: Option<String>,
    fields: Option<String>,
}

impl History {
    async fn print(self, store: &AnyStore, look: Look, page: Page, zone: &Zone) -> Ended {
        let shown = shown(&CHANGE, self.fields.as_deref())?;
        let id = self.record(store).await?;
        let mut pairs = self.filters.clone();
        pairs.push(("id".into(), id.to_string()));
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
        while let Some(records) = listing.next_chunk().await? {
            match self.limit {
                Some(_) => newest.extend(records),
                None => {
                    for record in &records {
                        printer.record(record)?;
                    }
                }
            }
        }
        for record in newest.iter().rev() {
            printer.record(record)?;
        }
        let (count, page) = printer.finish()?;
        page.end().await?;
        if count == 0 {
            self.explain(store, look, id).await?;
        }
        Ok(0)
    }

    /// The id of the record.
    async fn record(&self, store: &AnyStore) -> Result<i64> {
        let named = Named::read(self.noun, std::slice::from_ref(&self.id), false)?;
        match named.ids(store, self.noun).await?[..] {
            [id] => Ok(id),
            _ => Err(Error::field(
                "id",
                format!(
                    "expected one {}, because a history is that of one record",
                    self.noun.name
                ),
            )),
        }
    }

    /// Says why there are no changes. Fails if there is no such record either.
    async fn explain(&self, store: &AnyStore, look: Look, id: i64) -> Result<()> {
        if self.filters.is_empty() {
            store.get(self.noun, id).await?;
        }
        if look.terminal.width.is_some() && look.format == Format::Table {
            say("no changes");
        }
        Ok(())
    }
}
