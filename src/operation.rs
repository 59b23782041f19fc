//! What an operation is, as data: its place in the API, its words at the terminal, what it takes and what it answers.
//!
//! An operation has one file in [`crate::ops`]. The file holds an [`About`] and, for a write, the rule. The router, the
//! gate, the metrics, `/openapi.json`, the commands, the shell completions and the tests of scopes are made from the
//! [`About`], so that none of them knows an operation by its name.
//!
//! [`about`] is the data, [`asked`] is a request or a command line whose parts have been checked, [`describe`] and
//! [`fields`] are the words of the OpenAPI document.

pub mod about;
pub mod asked;
pub mod describe;
pub mod fields;
pub mod service;
