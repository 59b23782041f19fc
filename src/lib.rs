//! crm: a REST service, a terminal tool and a tool for scripts over the same three kinds of record.
//!
//! This page is the map. The modules are in reading order; a module imports only from those above it
//! (`main` stands last). A test reads the `use crate::` lines and holds the rule.
//!
//! | module | what it holds |
//! |---|---|
//! | [`error`] | what can go wrong: code, HTTP status and exit code in one table |
//! | [`time`] | the stored form of a time, the forms taken in, the words of the command line |
//! | [`log`] | the lines of a service on standard error, which nobody waits for |
//! | [`attributes`] | the user's own fields: a JSON object with its order and digits |
//! | [`text`] | case folding and `LIKE`, alike on every database |
//! | [`record`] | nouns as tables of fields; records, and how they are written |
//! | [`draft`] | what is to be created or changed, and all that is wrong with it |
//! | [`lead`], [`action`], [`process`] | one noun a file |
//! | [`query`] | the parameters of a list: filters, sort, cursor |
//! | [`token`] | who may: tokens, their scopes and what is kept of them |
//! | [`terms`] | what a write is asked under: `If-Match`, `Idempotency-Key` |
//! | [`store`] | the store's laws, and the stores: `sqlite`, `postgres`, `remote`; `sql` is the text and the rules for databases, `copy` moves everything from one to another |
//! | [`server`] | routes, limits, the accept loop |
//! | [`config`] | settings and where each comes from |
//! | [`output`] | table, json, ndjson, csv, id: the only module that prints records |
//! | [`cli`], [`command`] | the commands' words, and what each does with a store |
//!
//! # Invariants
//!
//! - A field of a noun is named in one place, its noun's table; SQL, JSON, flags and documentation follow from it.
//! - The nouns never hear of SQL, warp or reqwest; the stores are strangers to one another.
//! - Every acknowledged write has been committed and synced.
//! - What this process has committed, its next read answers; what another process has, a read within 5 ms.
//! - A write whose fate nobody knows is told as such and never sent again.
//! - No read transaction outlives one chunk of a streamed answer; only a backup and a check hold one for longer.
//! - What is refused changes nothing, and the refusal names every field at fault, the first fifty of them.

#![cfg_attr(
    test,
    expect(
        clippy::unwrap_used,
        reason = "a test that cannot go on ends with the place where it could not"
    )
)]

pub mod error;

pub mod time;

pub mod log;

pub mod attributes;

pub mod text;

pub mod record;

pub mod draft;

pub mod lead;

pub mod action;

pub mod process;

pub mod query;

pub mod token;

pub mod terms;

pub mod store;

pub mod server;

pub mod config;

pub mod output;

pub mod cli;

pub mod command;

/// Every noun, in the order in which they refer to one another.
pub const NOUNS: [&record::Noun; 3] = [&lead::LEAD, &action::ACTION, &process::PROCESS];
