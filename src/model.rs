//! The model: nouns and their fields, drafts, queries, tokens, and the conditions of a write. No SQL and no HTTP.

pub mod json;

pub mod email;

pub mod attributes;

pub mod kind;

pub mod due;

pub mod field;

pub mod noun;

pub mod value;

pub mod names;

pub mod shown;
pub mod stored;

pub mod record;

pub mod keys;

pub mod rows;

pub mod draft;

pub mod duplicates;

pub mod lead;

pub mod rules;

pub mod action;

pub mod phone;
pub mod process;

pub mod calendar;

pub mod change_type;
pub mod nouns;

pub mod found;

pub mod find;

pub mod told;

pub mod query;

pub mod token;

pub mod lease;

pub mod merge;

pub mod merged;

pub mod undone;

pub mod logged;

pub mod webhook;

pub mod author;

pub mod terms;
