//! The store in a SQLite file.
//!
//! One connection writes, and many writes share a commit and its sync (`writer`). Reads run on their own connections and
//! see the last commit (`database`). A list is read in chunks, each in its own read transaction, because an old transaction
//! would keep the write-ahead log from being checkpointed (`list`). A server caches the records that it reads (`cache`).
//! Commands beside a running server are normal use: SQLite's locks keep them apart, and `turn` gives each process that
//! writes its turn.
//!
//! The modules, from the bottom up; none imports one below it:
//!
//! | module | what it holds |
//! |---|---|
//! | `error`, `lock`, `values` | the translation of SQLite's errors, locks, values to and from rows |
//! | `cancel`, `functions`, `turn`, `connection` | cancelling a long read, SQL functions, turns at the write lock, how a connection is set up |
//! | `file` | the file: opening, schema, [`backup`], [`restore`], [`check`], [`schedule`] |
//! | `cache`, `reader` | cached records, a reading connection |
//! | `writer` | the writing connection and its thread |
//! | `database` | the writer and the readers together |
//! | [`words`] | the words of a column, for completions |
//! | `keys`, `list`, `reading` | cached tokens, lists, several reads at one moment |
//! | `opening`, `store`, `copying` | the settings, the store, and its functions for a copy |

mod cache;
mod cancel;
mod connection;
mod copying;
mod database;
mod error;
mod file;
mod functions;
mod keys;
mod list;
mod lock;
mod opening;
mod reader;
mod reading;
mod store;
mod turn;
mod values;
pub mod words;
mod writer;

pub use cancel::unless;
pub use file::{backup, check, restore, schedule};
pub use opening::{Opening, Work};
pub use store::Sqlite;

#[cfg(test)]
mod tests;
