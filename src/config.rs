//! Settings and where each comes from.
//!
//! A flag takes precedence over the environment, the environment over the config file, and the config file over the
//! default. Only the value that decides is parsed. So a `DATABASE_URL` of another program does no harm to a command
//! that names its database with `--db`. The config file is checked as a whole, because it belongs to crm alone.
//!
//! All settings are in one table, [`table`]. A new setting is a row there. Its flag, its key in the config file, its
//! row of `crm config` and its line in the manual are made from that row.
//!
//! The config file is `crm/config.toml` in the user's config directory. Every key is optional:
//!
//! ```toml
//! database = "work.db"              # a relative path is relative to the folder of this file
//! output = "json"
//! backup_dir = "backups"            # this one too
//! backup_every = "1h"
//! max_connections = 2048
//! ```
//!
//! A relative path in a flag or the environment is relative to the current folder.
//!
//! | file | what it holds |
//! |---|---|
//! | [`origin`] | a value with the flag, variable or key that it comes from |
//! | [`parse`], [`format`](mod@format), [`location`] | the texts of values: plain ones, output formats, databases and URLs |
//! | [`kind`], [`table`] | the kinds of settings, and the table |
//! | [`flags`], [`surroundings`], [`file`](mod@file) | the sources of values: command line, environment, config file |
//! | [`levels`] | which of them takes precedence |
//! | [`settings`], [`rules`], [`listen`], [`backups`], [`service`] | the resulting settings, for the code that uses them |
//! | [`row`], [`show`] | `crm config` and the manual's table |

mod backups;
mod file;
mod flags;
mod format;
mod kind;
mod levels;
mod listen;
mod location;
mod origin;
mod parse;
mod row;
mod rules;
mod service;
mod settings;
mod show;
mod surroundings;
pub mod table;

pub use backups::Backups;
pub use flags::Flags;
pub use format::Format;
pub use kind::{SettingKind, SettingValue};
pub use listen::Listen;
pub use location::{Location, parse_database, parse_end, parse_url, without_password};
pub use origin::{Origin, Setting};
pub use row::Row;
pub use rules::RuleSettings;
pub use service::ServiceSettings;
pub use settings::{Asker, DEFAULT_DATABASE, Settings, error_format, find_token};
pub use show::{markdown, rows};
pub use surroundings::Surroundings;

#[cfg(test)]
mod tests;
