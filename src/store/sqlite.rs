//! Records in an SQLite file.

mod legacy;
pub(crate) mod schema;
