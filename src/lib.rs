//! crm: a REST service, a terminal tool and a tool for scripts over the same three kinds of record.
//!
//! This page is the map. The modules are in reading order; a module imports only from those above it
//! (`main` stands last). A test reads the `use crate::` lines and holds the rule.
//!
//! | module | what it holds |
//! |---|---|
//! | [`base`] | words that everything uses: errors with their codes, times, the log, text |
//! | [`manual`] | the pages of the manual, for terminals, browsers and `man` |
//! | [`net`] | connections and their limits: the accept loop, TLS, the memory of bodies and answers; it knows no record and no route |
//! | [`model`] | what a record is: nouns as tables of fields, drafts, queries, tokens, conditions; no SQL, no HTTP |
//! | [`store`] | the store's laws, and the stores: `sqlite`, `postgres`, `remote`; `sql` is the text and the rules for databases, `copy` moves everything from one to another |
//! | [`views`] | nouns that are only read: fields over a query, one file each |
//! | [`operation`] | what an operation is, as data |
//! | [`ops`] | the operations, one file each, and their list |
//! | [`server`] | routes, tokens and the answers to requests |
//! | [`config`] | settings and where each comes from |
//! | [`output`] | table, json, ndjson, csv, id: the only module that prints records |
//! | [`cli`] | the command line: the words of each command, and what it does |
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

pub mod base;

pub mod manual;

pub mod net;

pub mod model;

pub mod store;

pub mod views;

pub mod operation;

pub mod ops;

pub mod server;

pub mod config;

pub mod output;

pub mod cli;
