//! The index of words: which records have which words, for `GET /search`. It is the same for all databases.
//!
//! crm keeps the index itself, in plain tables, and does not use the full-text search of the databases. Those divide texts into
//! words in their own ways, and so would find different records. GIN of PostgreSQL cannot stop early, so one letter that half
//! of the records have would read half of the database, and it never forgets a word, not even one of an erased person; FTS5 of
//! SQLite forgets one only when it merges. Here a row has a word and those records of one block of 65,536 that have it, as
//! a few bytes each. A search reads the blocks from the newest on and stops when it has enough.
//!
//! - The index names candidates. Each is read from its table and compared before it is shown, so a word too many in the index
//!   makes a search slower, and never wrong. Only a missing word would be a fault.
//! - Writers do not write it. It follows the changes of the ledger behind them, from its place on, in portions. A search looks
//!   itself through the changes after the place, so it sees every acknowledged write.
//! - Records from before the index are taken over behind the first start, the newest first. They are counted by
//!   [`IndexGap`].
//! - A portion is idempotent: it adds and removes words of records, and only its last transaction moves the place. It may end
//!   anywhere, and several processes may try: each begins a portion with a new turn. A transaction that finds another place,
//!   or another turn, changes nothing.
//! - An erasure removes a record from all rows of its block, and starts a new turn, so that no portion that has read the
//!   record before brings its words back.
//!
//! | file | what it holds |
//! |---|---|
//! | [`postings`], [`keys`] | the records of a word as text, the words of a record |
//! | [`state`] | the place of the index, and its tables |
//! | [`delta`], [`slice`](mod@slice) | what a portion changes, and the transactions that write it |
//! | [`follow`] | the portions: changes of the ledger, and old records |
//! | [`find`], [`tail`] | the search, and the changes that it looks through itself |
//! | [`forget`], [`check`] | erasures, and the check of the whole index |

pub(crate) mod check;
mod delta;
pub(crate) mod find;
pub(crate) mod follow;
pub(crate) mod forget;
mod keys;
mod leaf;
mod postings;
mod rows;
mod slice;
pub(crate) mod state;
mod tail;

pub use state::IndexGap;

#[cfg(test)]
mod tests;
