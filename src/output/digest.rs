//! Changes and entries of a timeline in a table: when, who, which record and what, each in a few words.
//!
//! Other formats, and a table of requested fields, have everything.

use crate::base::time::Zone;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::told::{Times, told, told_with};
use crate::operation::asked::Operation;
use crate::ops::undo::Undo;
use crate::output::table::TableColumn;
use crate::output::text::visible;
use crate::views::timeline::ENTRY;

/// Whether records of a noun are shown in a few words in a table, unless fields are requested.
pub(super) fn tells(noun: &Noun) -> bool {
    noun.is_feed() || *noun == ENTRY
}

/// The columns of a noun. Each entry of a timeline has a time of its own, so its number says nothing.
pub(super) fn columns(noun: &Noun) -> impl Iterator<Item = TableColumn> {
    let names = ["seq", "when", "who", "record", "what"];
    let names = names.into_iter().skip(if noun.is_feed() { 0 } else { 1 });
    names.map(|name| TableColumn {
        name: name.into(),
        right: name == "seq",
        spare: false,
        usual: false,
    })
}

/// A terminal that is narrower has no room for the earlier one of two times.
const WIDE: usize = 100;

/// How times are told at a terminal of this width.
pub(super) fn times(zone: &Zone, width: Option<usize>) -> Times<'_> {
    Times::Shown {
        zone,
        is_narrow: width.is_some_and(|width| width < WIDE),
    }
}

/// The cells of a change or of an entry. Times are shown in the zone.
pub(super) fn cells(record: &Record, zone: &Zone, width: Option<usize>) -> Vec<String> {
    let text = |name: &str| record.get(name).text().unwrap_or_default();
    let mut cells = vec![
        zone.show(text("at")).into_owned(),
        who(record),
        self::record(record),
    ];
    if record.noun.is_feed() {
        let kind = text("type");
        let is_undo = text("operation") == Undo::ABOUT.methods[0].1;
        let previous = record.get("previous").text();
        cells.insert(0, record.get(record.noun.key().name).to_string());
        let times = times(zone, width);
        cells.push(told_with(times, kind, is_undo, text("record"), previous));
    } else {
        cells.push(what(record, zone, width));
    }
    let cells = cells.iter().map(|cell| visible(cell).into_owned());
    cells.collect()
}

/// Who has made a change or an entry, and for whom.
pub(super) fn who(record: &Record) -> String {
    let by = record.get("by").text().unwrap_or_default();
    match record.get("on_behalf_of").text() {
        Some(name) => format!("{by} for {name}"),
        None => by.to_string(),
    }
}

/// The record that a change or an entry is about: `lead 7`.
pub(super) fn record(record: &Record) -> String {
    let kind = record.get("type").text().unwrap_or_default();
    let noun = kind.split('.').next().unwrap_or_default();
    format!("{noun} {}", record.get("id"))
}

/// What an entry of a timeline says, also that it was edited. The entry itself tells an update with times in UTC, so it is told
/// anew.
pub(super) fn what(entry: &Record, zone: &Zone, width: Option<usize>) -> String {
    let text = |name: &str| entry.get(name).text();
    let what = text("what").unwrap_or_default();
    if let (Some(kind), Some(record), Some(previous)) =
        (text("type"), text("record"), text("previous"))
    {
        // The entry does not say otherwise whether it is about an undo. Another version of crm may tell it in other words.
        let is_undo = [false, true];
        let mut is_undo = is_undo.into_iter().filter(|is_undo| {
            let told = told(kind, *is_undo, record, Some(previous));
            told == what
        });
        if let Some(is_undo) = is_undo.next() {
            return told_with(times(zone, width), kind, is_undo, record, Some(previous));
        }
    }
    match (text("edited_at"), text("edited_by")) {
        (None, _) => what.into(),
        (Some(at), None) => format!("{what} (edited {})", zone.show(at)),
        (Some(at), Some(by)) => format!("{what} (edited {} by {by})", zone.show(at)),
    }
}
