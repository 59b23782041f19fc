//! What every module uses: errors, times, the log, and text as every database compares it.

pub mod error;
pub mod time;

pub mod log;

pub mod text;
