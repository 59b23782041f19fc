//! Runs the command of any operation.

use std::cell::Cell;

use clap::ArgMatches;

use super::author::author;
use super::draft::source;
use super::dupes::{self, Dismissed};
use super::filters::pairs;
use super::find::FindCommand;
use super::follow::Follow;
use super::hints::behalf;
use super::ids::Named;
use super::listing::{count, list};
use super::log::log;
use super::merge::merge;
use super::open::{Wants, open};
use super::operation::{object, parameters, versions};
use super::say::say;
use super::session::{Ended, Session};
use super::several::{each, shown};
use super::timeline;
use super::undo::undo;
use super::write::{Given, alone, on_records};
use crate::base::error::Error;
use crate::base::time::Zone;
use crate::config::{Format, Settings};
use crate::model::noun::Noun;
use crate::operation::about::{About, CommandPart, Of, Words};
use crate::operation::asked::{Asked, Operation, Survey, Surveyed};
use crate::operation::service::Inform;
use crate::ops::duplicates::Wanted;
use crate::ops::{Op, Visit};
use crate::output::{self, Look, Page, Printer};
use crate::store::any::AnyStore;
use crate::store::contract::{Listed, Store};
use crate::views::timeline::ENTRY;

/// The command of an operation.
pub(super) struct Run<'a> {
    session: &'a Session<'a>,
    matches: &'a ArgMatches,
    noun: Option<&'static Noun>,
    about: &'static About,
}

impl<'a> Run<'a> {
    /// The command of this operation.
    pub(super) fn new(
        session: &'a Session<'a>,
        op: Op,
        noun: Option<&'static Noun>,
        matches: &'a ArgMatches,
    ) -> Run<'a> {
        Run {
            session,
            matches,
            noun,
            about: op.about(),
        }
    }

    fn words(&self) -> Result<&'static Words, Error> {
        let words = self.about.words.as_ref();
        words.ok_or_else(|| Error::internal("an operation without a command was run"))
    }

    fn noun(&self) -> Result<&'static Noun, Error> {
        self.noun
            .ok_or_else(|| Error::internal("an operation on records has no noun"))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.matches.get_one::<String>(name).cloned()
    }

    fn all(&self, name: &str) -> Vec<String> {
        let all = self.matches.get_many::<String>(name);
        all.into_iter().flatten().cloned().collect()
    }

    fn given(&self, zone: &Zone, settings: &Settings) -> Result<Given, Error> {
        let words = self.words()?;
        let takes = |word: CommandPart| words.takes.contains(&word);
        let is_key = |word: &CommandPart| matches!(word, CommandPart::Key(_));
        Ok(Given {
            ids: match takes(CommandPart::Ids) {
                true => self.all("ids"),
                false => Vec::new(),
            },
            keys: match words.takes.iter().any(is_key) {
                true => self.all("key"),
                false if takes(CommandPart::Change) => self.all("change"),
                false => Vec::new(),
            },
            parameters: parameters(self.about, self.noun, self.matches),
            source: match (takes(CommandPart::Draft), self.noun) {
                (true, Some(noun)) => Some(source(noun, self.matches, zone)?),
                _ => None,
            },
            object: match takes(CommandPart::Inputs) {
                true => object(self.about, self.matches),
                false => None,
            },
            versions: match takes(CommandPart::IfMatch) {
                true => versions(self.matches)?,
                false => None,
            },
            fields: match takes(CommandPart::Show) {
                true => self.text("show"),
                false => None,
            },
            yes: takes(CommandPart::Yes) && self.matches.get_flag("yes"),
            zone: zone.clone(),
            author: author(settings),
            group: Cell::new(None),
        })
    }

    /// What the operation needs from a store. An operation that creates something may create the database too.
    fn wants(&self) -> Wants {
        match self.about.writes() {
            false => Wants::Read,
            // Without a database there is nothing to take back.
            true if matches!(self.about.of, Of::Changes) => Wants::Write,
            true if self.is_collection() => Wants::Make,
            true => Wants::Write,
        }
    }

    fn is_collection(&self) -> bool {
        !self.about.at(self.noun, "{}").contains("{}")
    }

    /// Opens the store, calls `act` with it, and closes it.
    async fn with_store(
        &self,
        settings: &Settings,
        act: impl AsyncFnOnce(&AnyStore, Look, Page) -> Ended,
    ) -> Ended {
        let store = open(settings, self.wants()).await?;
        let page = self.session.page(settings);
        let ended = act(&store, Session::look(settings), page).await;
        let closed = store.close().await;
        let code = ended?;
        closed?;
        Ok(code)
    }
}

impl Visit for Run<'_> {
    type Out = Ended;

    async fn list(self) -> Ended {
        let noun = self.noun()?;
        let settings = self.session.settings()?;
        let zone = settings.zone()?;
        let pairs = pairs(noun, self.matches, zone)?;
        let (limit, fields) = (self.text("limit"), self.text("show"));
        if noun.is_feed() {
            behalf(&settings);
        }
        if let Some(follow) = Follow::read(noun, self.matches, &pairs)? {
            return self
                .with_store(&settings, async |store, look, _| {
                    follow.run(store, look, zone).await
                })
                .await;
        }
        let is_count = self.matches.get_flag("count");
        self.with_store(&settings, async |store, look, page| match is_count {
            true => count(store, look, noun, pairs, limit).await,
            false => list(store, look, (page, zone), noun, pairs, limit, fields).await,
        })
        .await
    }

    async fn stream(self) -> Ended {
        Err(Error::internal("an operation without a command was run").into())
    }

    async fn search(self) -> Ended {
        let settings = self.session.settings()?;
        let page = self.session.page(&settings);
        FindCommand::read(self.matches, &settings)?
            .run(Session::look(&settings), page)
            .await
    }

    async fn get(self) -> Ended {
        let noun = self.noun()?;
        let (ids, fields) = (self.all("ids"), self.text("show"));
        let is_etag = self.matches.get_flag("etag");
        let settings = self.session.settings()?;
        let zone = settings.zone()?;
        self.with_store(&settings, async |store, look, page| {
            let shown = shown(noun, fields.as_deref())?;
            let named = Named::read(noun, &ids, false)?;
            let extent = named.extent;
            let ids = named.ids(store, noun).await?;
            let printer = match is_etag {
                true => Printer::etags(page, look, noun, extent),
                false => Printer::records(page, look, noun, shown, extent).in_zone(zone),
            };
            let name = |id: &i64| format!("{} {id}", noun.name);
            let (code, page) = each(look, &ids, name, printer, async |id, printer| {
                let record = store.get(noun, *id).await?;
                match is_etag {
                    true => printer.etag(record.id(), &record.tag().text()),
                    false => printer.record(&record),
                }
            })
            .await?;
            page.end().await?;
            Ok(code)
        })
        .await
    }

    async fn survey<T: Survey>(self) -> Ended {
        let noun = self.noun()?;
        let word = match self.words()?.takes.contains(&CommandPart::One) {
            true => self.text("ids"),
            false => None,
        };
        let settings = self.session.settings()?;
        let zone = settings.zone()?;
        self.with_store(&settings, async |store, look, mut page| {
            let id = match &word {
                Some(word) => timeline::one(store, noun, word).await?.to_string(),
                None => String::new(),
            };
            let mut asked = Asked::new(T::ABOUT, Some(noun), &id, &[])?;
            asked.zone = zone.clone();
            let asked = T::ask(&asked)?;
            match T::told(store.inquire(asked).await?) {
                Surveyed::Summary(summary) => output::overview(&mut page, look, zone, &summary)?,
                Surveyed::Stats(stats) => output::stats(&mut page, look, zone, &stats)?,
            }
            page.end().await?;
            Ok(0)
        })
        .await
    }

    async fn timeline(self) -> Ended {
        let noun = self.noun()?;
        let settings = self.session.settings()?;
        let zone = settings.zone()?;
        let asked = timeline::WantedTimeline {
            record: self.text("ids").unwrap_or_default(),
            filters: pairs(&ENTRY, self.matches, zone)?,
            limit: self.text("limit"),
            fields: self.text("show"),
        };
        self.with_store(&settings, async |store, look, page| {
            asked.print(store, noun, look, (page, zone)).await
        })
        .await
    }

    async fn duplicates(self) -> Ended {
        let settings = self.session.settings()?;
        if let Some(dismissed) = Dismissed::of(self.matches) {
            let store = open(&settings, Wants::Write).await?;
            let ended = dismissed.run(&store, Session::look(&settings), author(&settings));
            let ended = ended.await;
            let closed = store.close().await;
            let code = ended?;
            closed?;
            return Ok(code);
        }
        let wanted = Wanted::of(&parameters(self.about, self.noun, self.matches));
        self.with_store(&settings, async |store, look, page| {
            dupes::print(store, look, page, wanted).await
        })
        .await
    }

    async fn list_all<L: Listed>(self) -> Ended {
        let settings = self.session.settings()?;
        let zone = settings.zone()?;
        self.with_store(&settings, async |store, look, mut page| {
            let all = store.all::<L>().await?;
            output::all(&mut page, look, zone, &all)?;
            page.end().await?;
            if all.is_empty() && look.format == Format::Table {
                say(L::NONE);
            }
            Ok(0)
        })
        .await
    }

    async fn write<T: Operation>(self) -> Ended {
        let settings = self.session.settings()?;
        let given = self.given(settings.zone()?, &settings)?;
        let words = self.words()?;
        let noun = self.noun;
        self.with_store(&settings, async |store, look, _| match noun {
            Some(_) if words.takes.contains(&CommandPart::Log) => {
                log::<T>(store, look, self.matches, given).await
            }
            Some(_) if words.takes.contains(&CommandPart::Merge) => {
                merge::<T>(store, look, self.matches, given).await
            }
            Some(noun) => on_records::<T>(store, look, words, noun, given).await,
            None if matches!(T::ABOUT.of, Of::Changes) => undo::<T>(store, look, given).await,
            None => alone::<T>(store, look, given).await,
        })
        .await
    }

    async fn bulk(self) -> Ended {
        Err(Error::internal("an operation without a command was run").into())
    }

    async fn inform<T: Inform>(self) -> Ended {
        Err(Error::internal("an operation without a command was run").into())
    }
}
