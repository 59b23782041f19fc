//! Where records are kept: the contract that every store keeps, and the stores.
//!
//! [`contract`] has the laws. [`transaction`] is what a rule runs over, `sql` is the text and the rules for databases,
//! [`copy`] moves everything from one store to another.

pub mod contract;
pub mod meter;
pub mod transaction;
mod waiting;

mod chunk;
pub mod sql;

pub mod postgres;
pub mod remote;
pub mod sqlite;

pub mod any;

pub mod copy;
