//! `crm copy`: everything into another database.

use std::io;

use clap::{Arg, ArgMatches, Command};

use super::help::examples;
use super::keeping::quiet;
use super::open::there;
use super::say::{say, warn};
use super::session::{Ended, NO_TOKEN, Plain, Session};
use crate::base::error::Error;
use crate::config::{
    Asker, Flags, Location, Origin, Settings, Surroundings, find_token, parse_end, table,
    without_password,
};
use crate::output::{self, Bar};
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use crate::store::copy;
use crate::store::postgres::Postgres;
use crate::store::sqlite::{Sqlite, Work};

pub(super) const COPY: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("copy")
        .about("Copy everything into another database")
        .long_about(
            "Copy all leads, actions and processes into an empty database, ids and times kept, and compare both at \
             the end. What writes to the source has to be stopped meanwhile; where it was not, the copy fails. One that \
             was interrupted goes on when the same command is given again; until it is finished the target cannot be \
             used for anything else.",
        )
        .arg(
            Arg::new("from")
                .value_name("FROM")
                .required(true)
                .help("What is copied: a file, a postgres:// URL, or the http:// URL of another crm"),
        )
        .arg(
            Arg::new("to")
                .value_name("TO")
                .required(true)
                .help("What it is copied to: a file or a postgres:// URL"),
        )
        .arg(quiet())
        .after_help(examples(&[
            "crm backup backup.db && crm copy backup.db copy.db",
            "crm backup crm.db --force && crm copy crm.db postgres://crm@localhost/crm",
        ]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let (from, to, quiet) = (text("from"), text("to"), matches.get_flag("quiet"));
    let settings = Settings::find(session.flags, session.around, Asker::Command)?;
    session.set_format(&settings);
    session.block_on(copy_all(
        &settings,
        session.flags,
        session.around,
        &from,
        &to,
        quiet,
    ))
}

async fn copy_all(
    settings: &Settings,
    flags: &Flags,
    around: &Surroundings<'_>,
    from: &str,
    to: &str,
    quiet: bool,
) -> Ended {
    if let Origin::Flag(name) = settings.target.origin {
        let why = format!("{name}: not for copy, which takes both databases as FROM and TO");
        return Err(Error::invalid(why).into());
    }
    let end = |name: &str, text: &str| {
        let end = parse_end(text, &around.folder);
        end.map_err(|expected| Error::invalid(format!("{name}: {expected}")))
    };
    let (from, to) = (end("FROM", from)?, end("TO", to)?);
    if from == to {
        return Err(Error::invalid("TO: expected another database than FROM").into());
    }
    if flags.get(&table::TOKEN_FILE).is_some() && !matches!(from, Location::Url(_)) {
        say(NO_TOKEN);
    }
    // Another server shows its tokens to an admin alone; that it was shown one tells enough.
    let mut has_tokens = false;
    let source = match &from {
        Location::Url(url) => {
            let token = find_token(flags, around)?;
            has_tokens = token.is_some();
            AnyStore::connect(url, token.as_ref().map(|token| &token.value))?
        }
        Location::Postgres(url) => AnyStore::Postgres(Postgres::open_existing(url, COPYING).await?),
        Location::Database(path) => {
            there(path)?;
            let (store, notice) = AnyStore::open(path, Work::Reading)?;
            notice.iter().for_each(|notice| say(notice));
            store
        }
    };
    let target = match &to {
        Location::Url(_) => {
            let why = "TO: expected a file or a postgres:// URL; a server cannot be copied to";
            return Err(Error::invalid(why).into());
        }
        Location::Postgres(url) => AnyStore::Postgres(Postgres::open_for_copy(url, COPYING).await?),
        Location::Database(path) => AnyStore::Sqlite(Sqlite::open_for_copy(path)?),
    };
    let bar = Bar::counting(!quiet);
    let mut watch = |stage| match stage {
        copy::Stage::Copied(noun, done, of) => bar.show(noun.plural, done, of),
        copy::Stage::Compared(_, done, of) => bar.show("comparing", done, of),
        copy::Stage::Checked(_, done, of) => bar.show("looking again", done, of),
    };
    let copied = copy::copy(&source, &target, &name_of(&from), &mut watch).await;
    drop(bar);
    if !matches!(source, AnyStore::Remote(_)) {
        has_tokens = !source.tokens().await.unwrap_or_default().is_empty();
    }
    if has_tokens && copied.is_ok() {
        let open = "tokens are not copied: a service over the copy is open to everybody until it has one of its own";
        warn(Some(open.into()));
    }
    let closed = (source.close().await, target.close().await);
    let copied = copied?;
    closed.0.and(closed.1)?;
    let counts = copied
        .iter()
        .map(|(noun, count)| (noun.plural, (*count).into()));
    let said: Vec<_> = [("from", shown(&from).into()), ("to", shown(&to).into())]
        .into_iter()
        .chain(counts)
        .collect();
    output::summary(io::stdout().lock(), Session::look(settings), &said)?;
    Ok(0)
}

/// Connections of a copy: two lists are read side by side.
const COPYING: usize = 2;

/// What the target of a copy remembers its source by: a file's name from the root, as another time it may be called
/// otherwise.
fn name_of(source: &Location) -> String {
    match source {
        Location::Database(path) => match path.canonicalize() {
            Ok(path) => path.display().to_string(),
            Err(_) => shown(source),
        },
        source => shown(source),
    }
}

/// A target as it may be shown.
fn shown(target: &Location) -> String {
    match target {
        Location::Database(path) => path.display().to_string(),
        Location::Postgres(url) => without_password(url),
        Location::Url(url) => url.clone(),
    }
}
