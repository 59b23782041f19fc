//! Tests of the settings. Each file tests one part.

mod location;
mod service;
mod settings;
mod table;
mod user;
