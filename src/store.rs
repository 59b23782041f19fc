//! The stores of records, and the contract that all of them keep.
//!
//! [`contract`] has the laws. A rule runs over a [`transaction`], and an [`inquiry`] reads several things at one moment. `sql`
//! has the SQL text and the rules that the databases share, and [`search`] the index of words. A [`change`] is kept for each
//! record that is written; [`follow`] follows the changes of any store, and
//! [`retention`] removes old ones. [`copy`] copies everything from one store to another.

pub mod change;
pub mod contract;
pub mod inquiry;
pub mod meter;
pub mod retention;
mod signal;
pub mod transaction;
mod waiting;

mod budget;

pub(crate) mod chore;

mod chunk;
mod feed;
pub mod sql;
mod urgency;

pub mod search;

pub mod postgres;
pub mod remote;
pub mod sqlite;

pub mod any;

pub mod copy;

pub mod follow;
