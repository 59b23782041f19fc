//! SQL for any noun, and the code that writes records. Both exist once for all databases, so that these cannot differ.
//!
//! The text is accepted by both SQLite and PostgreSQL, with `$1` markers that first appear in order. A rule that touches
//! several rows is an async function over a [`Transaction`](super::transaction::Transaction). PostgreSQL runs it as it is.
//! SQLite runs it on its writer thread, where it never has to wait.

pub(crate) mod calendar;
pub mod faults;
pub(crate) mod open;
pub(crate) mod row;
pub mod select;
pub mod statements;
pub(crate) mod tokens;
pub(crate) mod webhooks;

pub mod bulk;
mod inserts;
pub mod ledger;
pub(crate) mod many;
pub(crate) mod merged;
pub(crate) mod moved;
pub(crate) mod newest;
pub mod reversal;
pub mod runs;

pub mod advance;

pub mod due;
pub mod erase;

pub(crate) mod leases;

pub(crate) mod once;

pub mod undo;

pub(crate) mod copying;

pub(crate) mod dismissed;
