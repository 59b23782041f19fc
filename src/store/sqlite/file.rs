//! Everything that works on the file of a database: opening, checking, backing up and restoring it. Nothing here knows the
//! store.
//!
//! [`backup`], [`restore`] and [`check`] work on a file; [`schedule`] makes the backups of a server. The other modules, from
//! the bottom up:
//!
//! | module | what it holds |
//! |---|---|
//! | `paths`, `place` | the names of the files, and whether a name still leads to the file that was opened |
//! | `refusal` | why a file is refused |
//! | `legacy`, `schema`, `prepare` | the earlier service's tables, crm's schema, and bringing a file up to date |
//! | `way`, `made`, `log`, `open` | opening a file for reading or writing, and making a new one |
//! | `part`, `sweep` | a file that is being made, and the removal of unfinished ones |
//! | `snapshot`, `backup_names`, `copies` | reading a whole file, the names of a server's backups, and the copies beside a database |

pub mod backup;
mod backup_names;
pub mod check;
pub(crate) mod copies;
mod legacy;
pub(crate) mod log;
pub(crate) mod made;
pub(crate) mod open;
mod part;
mod paths;
pub(crate) mod place;
mod prepare;
pub(crate) mod refusal;
pub mod restore;
pub mod schedule;
pub(crate) mod schema;
mod snapshot;
mod sweep;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod way;
