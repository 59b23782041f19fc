//! Tests of the settings, each file on one part of them.

mod location;
mod service;
mod settings;
mod table;
mod user;
