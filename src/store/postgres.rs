//! The store in PostgreSQL, for more than one machine.
//!
//! Any number of processes share one database, so a process keeps nothing that another process needs. A rule that touches
//! several rows runs in a transaction at READ COMMITTED, and locks the rows that it reads in order to change them. A create
//! is one statement and its own transaction. PostgreSQL itself gathers the commits of its sessions into shared syncs.
//!
//! # What a failed write means
//!
//! - Before `COMMIT` is sent, nothing can have been saved: the answer is 503.
//! - After that, only the server knows the result. If the server does not report it (a lost connection, no answer in time,
//!   a server that shuts down), the answer is 504, "may have been saved", and nothing is sent again.
//! - A commit is never cancelled. If the server cancels the wait for a synchronous standby, it reports success with a
//!   warning; that counts here as unknown.
//!
//! # Time and connections
//!
//! A failed read is tried once more. Everything except a list ends within five seconds; a list may have to wait for a sort
//! of millions.
//!
//! A statement keeps its pooled connection until the server has ended it, even if its caller is gone. In that case a read
//! is cancelled, and a write is allowed to finish. So a server never has more connections than its URL allows.
//!
//! # Ids
//!
//! Ids are assigned before the commit, so a record with a lower id may appear after one with a higher id. A create that is
//! refused leaves a gap.
//!
//! # The files
//!
//! `url` reads the URL, `tls` checks certificates, `link` makes connections, `database` has the pool and its limits.
//! `reading` and `writing` run statements on it. `schema` and `tables` make the tables, `addresses` rewrites the
//! addresses in old ones. `list` and `residue` read lists, and `inquiry` several
//! things at one moment. `copying` is for the command of this name. `upkeep`
//! removes old changes, and what erased records leave behind. `store` builds the store from these
//! parts.

mod cells;
mod failure;

mod tls;
mod url;

mod link;

mod database;

mod reading;
mod writing;

mod addresses;
mod schema;
mod tables;

mod list;
mod residue;
mod tokens;

mod copying;
mod inquiry;
mod metrics;
mod store;
mod upkeep;

pub use store::{Postgres, PostgresOptions};
pub use url::{CONNECTIONS, check_url, connections};
