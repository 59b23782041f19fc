//! Opens the database or the server that a command works on.

use std::path::Path;

use super::say::say;
use crate::base::error::Error;
use crate::config::{Location, Settings};
use crate::model::rules;
use crate::model::token::Secret;
use crate::output::Stop;
use crate::store::any::AnyStore;
use crate::store::postgres::Postgres;
use crate::store::sqlite::{Work, restore};

/// What a command needs from a store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// To write, and to create the database if it does not exist.
    Make,
    Read,
    Write,
}

/// The secret of the token for a server.
fn secret(settings: &Settings) -> Option<&Secret> {
    settings.token.as_ref().map(|token| &token.value)
}

/// Sets the rules of the database that a command or the service works on. Called before it is opened.
pub(super) fn hold_rules(settings: &Settings) {
    if let Some(found) = &settings.rules {
        rules::set(found.rules());
    }
}

/// Opens the store that the settings name.
pub(super) async fn open(settings: &Settings, wants: Wants) -> Result<AnyStore, Stop> {
    hold_rules(settings);
    match &settings.target.value {
        Location::Url(url) => Ok(AnyStore::connect(url, secret(settings))?),
        // Only a create makes the tables. Otherwise a mistyped name would look like an empty database, as with a file
        // below.
        Location::Postgres(url) if wants == Wants::Make => {
            Ok(AnyStore::Postgres(Postgres::open(url, 1).await?))
        }
        Location::Postgres(url) => Ok(AnyStore::Postgres(Postgres::open_existing(url, 1).await?)),
        Location::Database(path) => {
            if settings.explicit() && wants != Wants::Make {
                // Otherwise a mistyped name would look like an empty database.
                there(path)?;
            }
            settings.create_default_folder()?;
            let work = match wants {
                Wants::Read => Work::Reading,
                Wants::Make | Wants::Write => Work::Command,
            };
            // Not for a reader, which leaves the folder as it is.
            if work == Work::Command {
                restore::sweep_left(path);
            }
            let (store, notice) = AnyStore::open(path, work)?;
            if let Some(notice) = notice {
                say(&notice);
            }
            Ok(store)
        }
    }
}

/// Fails if the file does not exist.
pub(super) fn there(path: &Path) -> Result<(), Error> {
    match path.exists() {
        true => Ok(()),
        false => Err(Error::failed(format!(
            "{}: there is no such database; `crm serve` and the create commands make one",
            path.display()
        ))),
    }
}

/// The database's file, for a command that works on the file itself.
pub(super) fn file_of<'a>(settings: &'a Settings, command: &str) -> Result<&'a Path, Error> {
    match &settings.target.value {
        Location::Database(path) => Ok(path),
        Location::Postgres(_) => Err(Error::invalid(format!(
            "{command}: expected a SQLite file; PostgreSQL has its own tools for this, such as pg_dump and pg_restore"
        ))),
        Location::Url(url) => Err(Error::invalid(format!(
            "{command}: expected a database, not a URL ({url}); run it on the machine where the database is"
        ))),
    }
}

/// Refuses a URL instead of a file name. Later errors repeat the name, and a URL may hold a password.
pub(super) fn no_url(file: &Path) -> Result<(), Error> {
    match file.to_string_lossy().contains("://") {
        true => Err(Error::invalid(
            "FILE: expected the name of a file, got a URL",
        )),
        false => Ok(()),
    }
}
