//! Views: nouns that are only read, fields over a query. A new view is one file here and one entry in the list.

use crate::model::record::Noun;

pub mod followups;

/// Every view.
pub const VIEWS: &[&Noun] = &[&followups::FOLLOWUP];
