//! The parts that all modules share: errors, times, the log, and a text search that is the same on every database.

pub mod error;
pub mod time;

pub mod log;

pub mod text;

pub mod width;
