//! The model: nouns and their fields, drafts, queries, tokens, and the conditions of a write. No SQL and no HTTP.

pub mod attributes;
pub mod record;

pub mod draft;

pub mod lead;

pub mod action;

pub mod process;

pub mod nouns;

pub mod query;

pub mod token;

pub mod terms;
