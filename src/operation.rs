//! Operations as data: the place in the API, the command, the input and the output.
//!
//! An operation has one file in [`crate::ops`]. The file holds an [`About`](about::About) and, for a write, the rule. The router, the
//! gate, the metrics, `/openapi.json`, the commands, the shell completions and the tests of scopes are made from the
//! [`About`](about::About), so none of them knows an operation by its name.
//!
//! | file | what it holds |
//! |---|---|
//! | [`about`] | the data of an operation |
//! | [`asked`] | a request or a command line whose parts have been checked |
//! | [`given`] | the body of a request that is a small object |
//! | [`service`] | operations that report on the service itself |
//! | [`fields`], [`describe`] | the words of the OpenAPI document |

pub mod about;
pub mod asked;
pub mod describe;
pub mod fields;
pub mod given;
pub mod reference;
pub mod service;
