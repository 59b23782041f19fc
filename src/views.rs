//! Views: nouns that can only be read. A view is a table of fields over a query. A new view is one file here and one entry in
//! the list.

use crate::model::noun::Noun;

pub mod changes;
pub mod duplicates;
pub mod followups;
pub mod stats;
pub mod summary;
pub mod timeline;

/// All views that have a path of their own.
pub const VIEWS: &[&Noun] = &[&followups::FOLLOWUP, &changes::CHANGE];
