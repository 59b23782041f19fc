//! `crm copy`: copies everything into another database.

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
use crate::store::sql::faults::Faults;
use crate::store::sqlite::{Sqlite, Work};

pub(super) const COPY: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("copy")
        .about("Copy everything into another database")
        .long_about(
            "Copy all leads, actions and processes into an empty database, with their ids and times, and with their changes \
             unless the source is a server, and compare both databases at the end. Stop everything that writes to the source first: the copy fails if the source changes \
             meanwhile. To continue a copy that was interrupted, run the same command again. Until the copy is finished, \
             the target cannot be used for anything else.",
        )
        .arg(
            Arg::new("from")
                .value_name("FROM")
                .required(true)
                .help("The source: a file, a postgres:// URL, or the http:// URL of another crm"),
        )
        .arg(
            Arg::new("to")
                .value_name("TO")
                .required(true)
                .help("The target: a file or a postgres:// URL"),
        )
        .arg(quiet())
        .after_help(examples(&[
            "crm backup backup.db && crm copy backup.db copy.db",
            "crm backup latest.db && crm copy latest.db postgres://crm@localhost/crm",
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

/// The warning about values that were not copied as they are.
fn mended(faults: &Faults) -> Option<String> {
    let (first, more) = (faults.named.first()?, faults.count - 1);
    let first = first.split(';').next().unwrap_or_default();
    let more = match more {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(format!(
        "a value of another program was copied as it is shown: {first}{more}; `crm check` lists them in the source and says \
         how to repair them"
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
        let why =
            format!("{name}: cannot be used with copy, which takes both databases as FROM and TO");
        return Err(Error::invalid(why).into());
    }
    let end = |name: &str, text: &str| {
        let end = parse_end(text, &around.folder);
        end.map_err(|expected| Error::invalid(format!("{name}: {expected}")))
    };
    let (from, to) = (end("FROM", from)?, end("TO", to)?);
    if from == to {
        return Err(Error::invalid("TO: expected a database other than FROM").into());
    }
    if flags.get(&table::TOKEN_FILE).is_some() && !matches!(from, Location::Url(_)) {
        say(NO_TOKEN);
    }
    // Only an admin may list the tokens of a server. If this command has a token for it, the server surely has some.
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
        copy::Stage::Changes(done) => bar.show("changes", done, done),
        copy::Stage::Compared(_, done, of) => bar.show("comparing", done, of),
        copy::Stage::Checked(_, done, of) => bar.show("checking the source", done, of),
    };
    let copied = copy::copy(&source, &target, &name_of(&from), &mut watch).await;
    drop(bar);
    if copied.is_ok()
        && let Some(faults) = copy::faults(&source, &shown(&from)).await?
    {
        warn(mended(&faults));
    }
    if !matches!(source, AnyStore::Remote(_)) {
        has_tokens = !source.tokens().await.unwrap_or_default().is_empty();
    }
    if has_tokens && copied.is_ok() {
        let open = "tokens are not copied: a service over the copy is open to everyone until the copy has its own token";
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

/// The number of connections of a copy, which reads two lists side by side.
const COPYING: usize = 2;

/// The name by which the target of a copy remembers its source. The path of a file is absolute, because the next
/// command may write it differently.
fn name_of(source: &Location) -> String {
    match source {
        Location::Database(path) => match path.canonicalize() {
            Ok(path) => path.display().to_string(),
            Err(_) => shown(source),
        },
        source => shown(source),
    }
}

/// The name of a source or a target, safe to show: without a password.
fn shown(target: &Location) -> String {
    match target {
        Location::Database(path) => path.display().to_string(),
        Location::Postgres(url) => without_password(url),
        Location::Url(url) => url.clone(),
    }
}
