//! Tests of what is printed.

mod formats;
mod summaries;
mod support;
mod tables;
