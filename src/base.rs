//! The parts that all modules share: errors, times, the log, a text search that is the same on every database, and a look at
//! URLs.

pub mod error;
pub mod time;
pub mod words;

pub mod log;

pub mod text;

pub mod url;
pub mod width;
