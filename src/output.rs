//! What commands print: tables, JSON, NDJSON, CSV and ids. No other module prints records.
//!
//! Every format except the table is written record by record, so memory does not grow with the length of a list. If a list
//! fails in the middle, its JSON array is not closed, so nobody can mistake a part for the whole.
//!
//! On a terminal, a table of several records fits the width. If the columns do not fit, the last ones are left out until
//! the others show at least a whole time, then the widest are cut. Columns that were requested by name are cut down to
//! [`NARROWEST`] before they are left out. A line below the table names what was left out. A single record is printed with
//! one field per line; long values are wrapped and never cut. When standard output is not a terminal, nothing is cut,
//! wrapped or left out.
//!
//! Characters that would control the terminal or reorder a line are escaped wherever data reaches one: always in tables and
//! errors, and in JSON, CSV and ids if standard output is a terminal. JSON stays the same JSON. Programs get the data as it
//! is.
//!
//! | file | what it holds |
//! |---|---|
//! | [`stop`], [`terminal`], [`look`] | why printing stops, the terminal, format and number of results |
//! | [`text`], [`csv`](mod@csv), [`table`] | text in a terminal, lines of CSV, tables |
//! | [`page`], [`pager`] | standard output, and the program that shows long tables |
//! | [`digest`] | changes in a table |
//! | [`printer`] | records |
//! | [`claimed`](mod@claimed) | follow-ups that were claimed |
//! | [`due`](mod@due), [`overview`](mod@overview), [`stats`](mod@stats) | whom to contact; all that matters of a lead, on one screen; where we stand |
//! | [`found`](mod@found), [`duplicates`](mod@duplicates) | what a search has found; who may be the same person |
//! | [`rows`], [`summary`](mod@summary), [`undone`](mod@undone), [`logged`](mod@logged), [`merged`](mod@merged) | other results: lists of rows, single ones, what an undo does, what a logged action moves, what a merge does |
//! | [`export`] | files that other programs open and that an import reads again |
//! | [`error`](mod@error), [`bar`] | standard error: errors and the progress bar |

mod bar;
mod claimed;
mod csv;
mod digest;
mod due;
mod duplicates;
mod error;
mod export;
mod found;
mod logged;
mod look;
mod merged;
mod overview;
mod page;
mod pager;
mod printer;
mod rows;
mod stats;
mod stop;
mod summary;
mod table;
mod terminal;
mod text;
mod undone;

pub use crate::config::Format;
pub use bar::Bar;
pub use claimed::{card, claimed};
pub use due::{DueRow, due};
pub use duplicates::duplicates;
pub use error::error;
pub use export::{ExportFormat, Exporter, OwnColumns};
pub use found::found;
pub use logged::logged;
pub use look::{Extent, Look};
pub use merged::{merged, merged_lines};
pub use overview::overview;
pub use page::Page;
pub use pager::Pager;
pub use printer::Printer;
pub use rows::{all, settings};
pub use stats::stats;
pub use stop::{Result, Stop};
pub use summary::{count, findings, line, messages, summary};
pub use table::NARROWEST;
pub use terminal::Terminal;
pub use text::{cut, visible, visible_json};
pub use undone::{undone, undone_line};

#[cfg(test)]
mod tests;
