//! The store in PostgreSQL, for more than one machine.
//!
//! Any number of processes share one database, so nothing that another process needs is kept in this one. A rule that
//! touches several rows runs in a transaction, READ COMMITTED, and locks what it reads and then changes. A create is one
//! statement and its own transaction. PostgreSQL itself gathers the commits of its sessions into shared syncs.
//!
//! # What a failed write means
//!
//! - Before `COMMIT` is sent, nothing can have been saved: the answer is 503.
//! - After that, only the server knows. If it does not say (a lost connection, no answer in time, a server that shuts
//!   down), the answer is 504, "may have been saved", and nothing is sent again.
//! - A commit is never cancelled. If the server cancels the wait for a synchronous standby, it reports success with a
//!   warning; that counts here as unknown.
//!
//! # Time and connections
//!
//! A failed read is tried once more. Everything except a list ends within five seconds; a list may have to wait for a sort
//! of millions.
//!
//! A statement keeps its pooled connection until the server has ended it, even if nobody waits for it any more. A read is
//! then cancelled, a write is left alone. So a server never has more connections than its URL says.
//!
//! # Ids
//!
//! Ids are given before the commit, so a record with a lower id may appear after one with a higher id. A create that is
//! refused leaves a gap.
//!
//! # The files
//!
//! [`url`] reads the URL, [`tls`] checks certificates, [`link`] makes connections, [`database`] has the pool and its
//! limits. [`reading`] and [`writing`] run statements on it. [`schema`] and [`tables`] make the tables. [`list`] and
//! [`residue`] read lists. [`store`] is the store made of all that.

mod cells;
mod failure;

mod tls;
mod url;

mod link;

mod database;

mod reading;
mod writing;

mod schema;
mod tables;

mod list;
mod residue;
mod tokens;

mod copying;
mod metrics;
mod store;

pub use store::{Postgres, PostgresOptions};
pub use url::{CONNECTIONS, check_url, connections};
