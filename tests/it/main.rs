//! The tests of crm as a whole: one binary, so that they share its build and run side by side.
//!
//! They use the real thing: the real binary, a real server on a port of its own, a real database in a folder of its own.
//! None waits for a fixed time and none depends on another.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on ends with the place where it could not"
)]

mod alike;
mod backup;
mod balancer;
mod bulk;
mod calendar;
mod changes;
mod claims;
mod cli;
mod cluster;
mod config;
mod contract;
mod copying;
mod day;
mod docs;
mod due;
mod dupes;
mod durability;
mod erase;
mod fields;
mod files;
mod follow;
mod foreign;
mod forgotten;
mod fresh;
mod gate;
mod half_close;
mod history;
mod house;
mod http;
mod import;
mod imports;
mod ledger;
mod log;
mod merge;
mod net;
mod nouns;
mod observe;
mod postgres;
mod process;
mod property;
mod raw;
mod reading;
mod revoked;
mod search;
mod site;
mod stats;
mod story;
mod stream;
mod support;
mod terminal;
mod undo;
mod webhooks;
