//! `crm lead timeline`: prints the story of a lead.

use super::ids::Named;
use super::listing::epilogue;
use super::session::Ended;
use super::several::shown;
use crate::base::error::{Error, Result};
use crate::base::time::Zone;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::ops::story::Timeline;
use crate::ops::timeline::{PORTION, list};
use crate::output::{Extent, Look, Page, Printer};
use crate::store::any::AnyStore;
use crate::views::timeline::ENTRY;

/// A timeline that is asked for.
pub(super) struct WantedTimeline {
    pub(super) record: String,
    pub(super) filters: Vec<(String, String)>,
    pub(super) limit: Option<String>,
    pub(super) fields: Option<String>,
}

impl WantedTimeline {
    pub(super) async fn print(
        self,
        store: &AnyStore,
        noun: &'static Noun,
        look: Look,
        (page, zone): (Page, &Zone),
    ) -> Ended {
        let shown = shown(&ENTRY, self.fields.as_deref())?;
        let mut pairs = self.filters;
        if let Some(limit) = self.limit {
            pairs.push(("limit".into(), limit));
        }
        // All parameters are checked before the record is looked for.
        let checked = Timeline::new(1, without_cursor(&pairs), &Zone::UTC, PORTION);
        checked.map(drop)?;
        let id = one(store, noun, &self.record).await?;
        let timeline = Timeline::new(id, pairs, &Zone::UTC, PORTION)?;
        let mut listing = list(store, timeline, Vec::<Record>::new()).await?;
        let mut printer = Printer::records(page, look, &ENTRY, shown, Extent::Many).in_zone(zone);
        while let Some(entries) = listing.next_chunk().await? {
            for entry in &entries {
                printer.record(entry)?;
            }
        }
        let (count, page) = printer.finish()?;
        page.end().await?;
        epilogue(look, &ENTRY, count, listing.next, false);
        Ok(0)
    }
}

fn without_cursor(pairs: &[(String, String)]) -> Vec<(String, String)> {
    let others = pairs.iter().filter(|pair| pair.0 != "after");
    others.cloned().collect()
}

/// The id of the one record that a word names.
pub(super) async fn one(store: &AnyStore, noun: &'static Noun, word: &str) -> Result<i64> {
    let named = Named::read(noun, &[word.to_string()], false)?;
    match named.ids(store, noun).await?[..] {
        [id] => Ok(id),
        _ => Err(Error::field(
            "id",
            format!("expected one {}, its id or its e-mail address", noun.name),
        )),
    }
}
