//! crm: a REST service, a terminal tool and a tool for scripts over the same three kinds of record.
//!
//! This page is the map. The modules are in reading order; a module imports only from those above it
//! (`main` comes last). A test reads the `use crate::` lines and enforces this.
//!
//! | module | what it holds |
//! |---|---|
//! | [`base`] | shared by all modules: errors with their codes, times, the log, text search |
//! | [`manual`] | the pages of the manual, for terminals, browsers and `man` |
//! | [`net`] | connections and their limits: the accept loop, TLS, the memory of bodies and answers; it knows no record and no route |
//! | [`model`] | records: nouns as tables of fields, drafts, queries, tokens, conditions; no SQL, no HTTP |
//! | [`import`] | files of other programs: readers, mappings, the record of a row; it knows no store |
//! | [`views`] | nouns that are only read: fields over a query, one file each |
//! | [`store`] | the contract of a store, and the stores: `sqlite`, `postgres`, `remote`; `sql` has the SQL text and the rules that the databases share, with the ledger of all changes; `copy` copies everything from one store to another |
//! | [`operation`] | the description of an operation, as data |
//! | [`ops`] | the operations, one file each, and their list |
//! | [`server`] | routes, tokens, the answers to requests, streams of changes, and webhooks |
//! | [`config`] | the settings, and where the value of each comes from |
//! | [`output`] | table, json, ndjson, csv, id: the only module that prints records |
//! | [`cli`] | the command line: the arguments of each command, and its work |
//!
//! # Invariants
//!
//! - A field of a noun is declared in one place, its noun's table; SQL, JSON, flags and documentation follow from it.
//! - The nouns know nothing of SQL, warp or reqwest (a view has one query), and no store knows another.
//! - Every acknowledged write has been committed and synced.
//! - Every change of a record is kept, in the transaction that makes it. Only the ledger writes records.
//! - A read sees every commit of its own process at once, and a commit of another process within 5 ms.
//! - A write whose result is unknown is reported as such, and never sent to the database again.
//! - No read transaction outlives one chunk of a streamed answer; only a backup and a check hold one for longer.
//! - A refused request changes nothing. The refusal names every field at fault, up to the first fifty.

#![cfg_attr(
    test,
    expect(
        clippy::unwrap_used,
        reason = "a failed unwrap ends the test and reports its place"
    )
)]

pub mod base;

pub mod manual;

pub mod net;

pub mod model;

pub mod import;

pub mod views;

pub mod store;

pub mod operation;

pub mod ops;

pub mod server;

pub mod config;

pub mod output;

pub mod cli;
