//! Changes and entries of a timeline in a table: when, who, which record and what, each in a few words.
//!
//! Other formats, and a table of requested fields, have everything.

use crate::base::time::Zone;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::told::told;
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

/// The cells of a change or of an entry. The time is shown in the zone.
pub(super) fn cells(record: &Record, zone: &Zone) -> Vec<String> {
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
        cells.push(told(kind, is_undo, text("record"), previous));
    } else {
        cells.push(what(record, zone));
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

/// What an entry of a timeline says, also that it was edited.
pub(super) fn what(entry: &Record, zone: &Zone) -> String {
    let text = |name: &str| entry.get(name).text();
    let what = text("what").unwrap_or_default();
    match (text("edited_at"), text("edited_by")) {
        (None, _) => what.into(),
        (Some(at), None) => format!("{what} (edited {})", zone.show(at)),
        (Some(at), Some(by)) => format!("{what} (edited {} by {by})", zone.show(at)),
    }
}
