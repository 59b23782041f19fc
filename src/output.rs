//! What commands print: the only module that writes records, as a table, JSON, NDJSON, CSV or ids.
//!
//! All but the table are written record by record, so that memory does not grow with a list. A list that fails midway is
//! simply never ended: its JSON array stays open and nobody takes a part for the whole.
//!
//! On a terminal a table of many records fits the width. The widest columns are cut first; where that would leave less
//! than [`NARROWEST`] columns of text, the last columns are left out and named beneath. One record stands upright, its
//! fields one below the other, long values wrapped and never cut. Without a terminal nothing is cut, wrapped or left out.
//! Characters that would steer the terminal or reorder a line are shown escaped, in tables and errors alone: JSON has its
//! own escapes, and CSV is for programs.
//!
//! | file | what it holds |
//! |---|---|
//! | [`stop`], [`terminal`], [`look`] | why printing stops, what is printed to, and how |
//! | [`text`], [`csv`](mod@csv), [`table`] | text in a terminal, lines of CSV, tables |
//! | [`printer`] | records |
//! | [`rows`], [`summary`] | results that are no records |
//! | [`error`](mod@error), [`bar`] | what goes to standard error |

mod bar;
mod csv;
mod error;
mod look;
mod printer;
mod rows;
mod stop;
mod summary;
mod table;
mod terminal;
mod text;

pub use crate::config::Format;
pub use bar::Bar;
pub use error::error;
pub use look::{Extent, Look};
pub use printer::Printer;
pub use rows::{settings, tokens};
pub use stop::{Result, Stop};
pub use summary::{count, findings, summary};
pub use table::NARROWEST;
pub use terminal::Terminal;

#[cfg(test)]
mod tests;
