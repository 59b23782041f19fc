//! `crm find`: finds records by their words, and completes the index of a file that no server has worked on.

use std::collections::HashMap;

use clap::{Arg, ArgAction, ArgMatches};

use super::open::{Wants, open};
use super::say::say;
use super::session::Ended;
use super::several::shown;
use crate::base::error::{Error, Result, quoted};
use crate::config::{Format, Location, Settings};
use crate::model::find::{Find, MOST, USUAL};
use crate::model::found::FOUND;
use crate::model::lead::LEAD;
use crate::model::nouns::NOUNS;
use crate::model::query::Query;
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::output::{self, Bar, Look, Page, Stop};
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// How many records or changes a command looks through itself before it completes the index.
const FEW: i64 = 1_000;

/// The arguments of the command.
pub(super) fn args() -> Vec<Arg> {
    vec![
        Arg::new("text")
            .value_name("TEXT")
            .num_args(1..)
            .required_unless_present("rebuild")
            .help("The words to find, or their beginnings"),
        Arg::new("of_type")
            .long("type")
            .value_name("TYPES")
            .action(ArgAction::Append)
            .help("Only what is of these types, comma-separated: lead, action, process"),
        Arg::new("most")
            .long("limit")
            .value_name("COUNT")
            .help(format!("At most so many, up to {MOST} [default: {USUAL}]")),
        Arg::new("rebuild")
            .long("rebuild")
            .action(ArgAction::SetTrue)
            .help("Make the index of the search anew, for a database that others have changed by SQL of their own"),
    ]
}

/// A search that is asked for.
pub(super) struct FindCommand<'a> {
    settings: &'a Settings,
    find: Option<Find>,
    fields: Option<Shown>,
    rebuilds: bool,
}

impl<'a> FindCommand<'a> {
    /// Reads a command line.
    pub(super) fn read(matches: &ArgMatches, settings: &'a Settings) -> Result<FindCommand<'a>> {
        let all = |name: &str| -> Option<Vec<String>> {
            Some(matches.get_many::<String>(name)?.cloned().collect())
        };
        let rebuilds = matches.get_flag("rebuild");
        let mut parameters: Vec<(String, String)> = Vec::new();
        let text = all("text").map(|words| words.join(" "));
        parameters.extend(text.map(|text| ("q".into(), text)));
        let types = all("of_type").map(|types| types.join(","));
        parameters.extend(types.map(|types| ("type".into(), types)));
        let most = matches.get_one::<String>("most").cloned();
        parameters.extend(most.map(|most| ("limit".into(), most)));
        let find = match rebuilds && parameters.is_empty() {
            true => None,
            false => Some(Find::new(&parameters).map_err(named)?),
        };
        let is_ids = settings.output.value == Format::Id;
        if is_ids && find.as_ref().is_some_and(|find| find.nouns.len() > 1) {
            let names = NOUNS.map(|noun| noun.name).join(", ");
            return Err(Error::invalid(format!(
                "-o id: expected one --type of {names}; an id alone does not say of which of them it is"
            )));
        }
        let fields = matches.get_one::<String>("show");
        Ok(FindCommand {
            settings,
            find,
            fields: shown(&FOUND, fields.map(String::as_str))?,
            rebuilds,
        })
    }

    /// Finds, and prints what was found.
    pub(super) async fn run(self, look: Look, page: Page) -> Ended {
        let store = self.open(look).await?;
        let ended = match &self.find {
            Some(find) => self.find(find, &store, look, page).await,
            None => Ok(0),
        };
        let closed = store.close().await;
        let code = ended?;
        closed?;
        Ok(code)
    }

    /// Opens the store with a complete index.
    async fn open(&self, look: Look) -> Result<AnyStore, Stop> {
        if let (true, Location::Url(url)) = (self.rebuilds, &self.settings.target.value) {
            return Err(Error::invalid(format!(
                "--rebuild: expected a database, not a URL ({url}); run it on the machine where the database is"
            ))
            .into());
        }
        if !self.rebuilds {
            let store = open(self.settings, Wants::Read).await?;
            let gap = store.index_gap().await;
            if gap
                .as_ref()
                .is_ok_and(|gap| gap.records <= FEW && gap.changes <= FEW)
            {
                return Ok(store);
            }
            store.close().await?;
            gap?;
        }
        let store = open(self.settings, Wants::Write).await?;
        let filled = self.fill(&store, look).await;
        if filled.is_err() {
            store.close().await?;
        }
        filled?;
        Ok(store)
    }

    /// Completes the index.
    async fn fill(&self, store: &AnyStore, look: Look) -> Result<()> {
        if self.rebuilds {
            store.empty_index().await?;
        }
        let bar = Bar::counting(true);
        let mut all = 0;
        let mut watch = |done: u64, of: u64| {
            all = of;
            bar.show("indexing the words", done, of);
        };
        store.fill_index(&mut watch).await?;
        drop(bar);
        if self.rebuilds && look.format == Format::Table && look.terminal.width.is_some() {
            say("the index of the search was made anew");
        }
        Ok(())
    }

    async fn find(&self, find: &Find, store: &AnyStore, look: Look, mut page: Page) -> Ended {
        let found = store.find(find.clone()).await?;
        let records = &found.records;
        let is_table = look.format == Format::Table && self.fields.is_none();
        let leads = match is_table {
            true => leads(store, records).await?,
            false => HashMap::new(),
        };
        let fields = self.fields.clone();
        output::found(&mut page, look, fields, records, &find.words, &leads)?;
        page.end().await?;
        if found.gap.records > 0 {
            say(&format!(
                "the index of the search is still being made: up to {} records are not found yet",
                found.gap.records
            ));
        }
        let is_terminal = look.terminal.width.is_some() && look.format == Format::Table;
        if records.is_empty() && is_terminal {
            say("nothing found");
            hint(find, store).await?;
        }
        Ok(0)
    }
}

/// The leads that the records are about, by their ids.
async fn leads(store: &AnyStore, records: &[Record]) -> Result<HashMap<i64, Record>> {
    let ids = records.iter().filter_map(|one| one.get("lead_id").int());
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    let mut found = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    let pairs = vec![
        ("id".to_string(), format!("in:{}", ids.join(","))),
        ("fields".to_string(), "id,name,email".to_string()),
    ];
    let mut listing = store.list(Query::new(&LEAD, pairs)?).await?;
    while let Some(leads) = listing.next_chunk().await? {
        found.extend(leads.into_iter().map(|lead| (lead.id(), lead)));
    }
    Ok(found)
}

/// Says which of the words are not there.
async fn hint(find: &Find, store: &AnyStore) -> Result<()> {
    if find.words.len() == 1 {
        say(&format!(
            "hint: no word begins with {}; text inside of words is found by a list, such as `crm lead list --q {}`",
            quoted(&find.words[0]),
            find.words[0]
        ));
        return Ok(());
    }
    let mut unknown = Vec::new();
    for word in &find.words {
        let one = Find {
            text: word.clone(),
            words: vec![word.clone()],
            address: None,
            limit: 1,
            nouns: find.nouns.clone(),
        };
        if store.find(one).await?.records.is_empty() {
            unknown.push(quoted(word));
        }
    }
    say(&match unknown.is_empty() {
        true => {
            "hint: each of the words is there, but no record has all of them; fewer words find more"
                .into()
        }
        false => format!("hint: no word begins with {}", unknown.join(" or ")),
    });
    Ok(())
}

/// The error with the names of the command line.
fn named(mut error: Error) -> Error {
    for (parameter, name) in [("q", "TEXT"), ("type", "--type"), ("limit", "--limit")] {
        for problem in &mut error.problems {
            if problem.field == parameter {
                problem.field = name.into();
            }
        }
    }
    let problems = std::mem::take(&mut error.problems);
    match problems.is_empty() {
        true => error,
        false => {
            let texts: Vec<String> = problems
                .iter()
                .map(|problem| format!("{}: {}", problem.field, problem.expected))
                .collect();
            Error::invalid(texts.join("; "))
        }
    }
}
