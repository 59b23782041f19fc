//! `crm serve`: the HTTP service.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use clap::{ArgMatches, Command};
use tokio::net::TcpListener;

use super::help::examples;
use super::open::hold_rules;
use super::say::{print, say};
use super::serving::serving;
use super::session::{Ended, Plain, Session};
use super::setting::{arg, of_serve};
use super::signals::ended;
use crate::base::error::Error;
use crate::base::log;
use crate::config::{
    Asker, Backups, Listen, Location, ServiceSettings, SettingValue, Settings, table,
    without_password,
};
use crate::model::token;
use crate::net::clock;
use crate::output::{Terminal, visible};
use crate::server;
use crate::server::gate::Policy;
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use crate::store::postgres::{self, Postgres};
use crate::store::retention::Keep;
use crate::store::sqlite::schedule::{self, Schedule};
use crate::store::sqlite::{Work, restore};

pub(super) const SERVE: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("serve")
        .about("Run the HTTP service")
        .long_about(
            "Run the HTTP service. Prints one line with its address and its database when it is ready. Ends on SIGTERM or \
             SIGINT, after it has answered the requests that it accepted. /docs and /openapi.json describe the API.",
        )
        .args(of_serve().map(arg))
        .after_help(examples(&[
            "crm serve",
            "crm serve --host 127.0.0.1 --port 0 --db crm.db",
            "crm serve --backup-dir backups --backup-every 1h --backup-keep 24",
        ]))
}

fn run(session: &Session<'_>, _matches: &ArgMatches) -> Ended {
    let (flags, around) = (session.flags, session.around);
    let found = session.settings_of(Asker::Serve)?;
    let listen = Listen::find(flags, around)?;
    let backups = Backups::find(flags, around)?;
    let service = ServiceSettings::find(flags, around)?;
    begin_log(&service)?;
    if flags.get(&table::URL).is_some() {
        say("note: serve works on a database; --url is ignored");
    }
    let runtime = session.threads()?;
    let ended = runtime.block_on(serve(&found, &listen, backups, &service));
    // All requests are answered and the store is closed. Only reads that nobody waits for may still run.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// Starts the log of a service on standard error. Standard output only gets the line that says that the service is
/// ready, so that a program can wait for it.
fn begin_log(service: &ServiceSettings) -> Result<(), Error> {
    log::begin(log::Options {
        form: match service.word(&table::LOG) {
            "json" => log::Form::Json,
            _ => log::Form::Text,
        },
        quiet: service.is_on(&table::QUIET),
        redact: token::logged,
    })
}

async fn serve(
    settings: &Settings,
    listen: &Listen,
    backups: Backups,
    service: &ServiceSettings,
) -> Ended {
    let mut serving = serving(service, settings.zone()?.clone())?;
    clock::check(SystemTime::now())
        .map_err(|expected| Error::failed(format!("cannot start: {expected}")))?;
    let limits = &mut serving.connections.limits;
    let (connections, streams) = (&mut limits.connections, &mut limits.streams);
    // Without a free descriptor, a connection would wait in the kernel's queue instead of being refused.
    let wanted = OPEN_FILES.max((*connections + *streams) as u64 + OTHER_FILES);
    let files = rlimit::increase_nofile_limit(wanted).unwrap_or(wanted);
    if files < LEAST_FILES {
        return Err(Error::failed(format!(
            "cannot start: expected the system to allow at least {LEAST_FILES} open files (ulimit -n), but it allows {files}"
        ))
        .into());
    }
    // If there are few, connections, streams and other files share them.
    let others = OTHER_FILES.min(files / 3 * 2);
    let fit = usize::try_from(files - others).unwrap_or(usize::MAX);
    let few = (fit / 4).max(1);
    if *connections + few.min(*streams) > fit.max(2) {
        *connections = fit.saturating_sub(few.min(*streams)).max(1);
        tracing::warn!(
            "at most {connections} connections, because the system allows {files} open files"
        );
    }
    if *connections + *streams > fit.max(2) {
        *streams = fit.saturating_sub(*connections).max(1);
        tracing::warn!("at most {streams} streams, because the system allows {files} open files");
    }
    // Clients use the name that the service was told to listen on.
    serving.hosts.allowed.push(listen.host.value.clone());
    let place = (listen.host.value.as_str(), listen.port.value);
    let listener = TcpListener::bind(place).await;
    let listener = listener.map_err(|error| listen.refused(&error))?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::failed(format!("cannot listen: {error}")))?;
    // Only after the port is bound, so that a start that fails because of the port changes nothing.
    if let (Some(folder), Location::Database(path)) = (&backups.folder, &settings.target.value) {
        schedule::check_folder(path, &folder.value).map_err(|error| {
            let folder_name = folder.value.display();
            let expected =
                format!("expected a folder that backups can be written to, {folder_name}: {error}");
            folder.origin.refuse(expected)
        })?;
    }
    settings.create_default_folder()?;
    hold_rules(settings);
    let (store, database) = match &settings.target.value {
        Location::Url(_) => return Err(Error::internal("serve was given a URL").into()),
        Location::Postgres(_) if backups.folder.is_some() => {
            let why = "--backup-dir: expected a SQLite file as the database; PostgreSQL has its own tools for backups";
            return Err(Error::invalid(why).into());
        }
        Location::Postgres(url) => {
            let store = Postgres::open(url, postgres::connections(url)?).await?;
            (AnyStore::Postgres(store), without_password(url))
        }
        Location::Database(path) => {
            restore::sweep_left(path);
            let (store, notice) = AnyStore::open(path, Work::Server)?;
            if let Some(notice) = notice {
                say(&notice);
            }
            (store, path.display().to_string())
        }
    };
    let schedule = backups.folder.map(|folder| Schedule {
        folder: folder.value,
        every: backups.every.value,
        keep: backups.keep.value,
    });
    let scheduler = match (&store, schedule) {
        (AnyStore::Sqlite(store), Some(schedule)) => Some(store.back_up(schedule)?),
        _ => None,
    };
    let stopper = scheduler.as_ref().map(|scheduler| scheduler.stopper());
    store.limit_waiting_writes(service.number(&table::MAX_WAITING_WRITES));
    store.limit_queries(service.time(&table::QUERY_TIMEOUT));
    store.keep_changes(match service.setting(&table::KEEP_CHANGES).value {
        SettingValue::Time(time) => Keep::For(time),
        _ => Keep::Forever,
    });
    let signal = ended()?;
    let shutdown = async move {
        signal.await;
        // A running backup may still finish before the store is closed.
        if let Some(stopper) = stopper {
            stopper.stop();
        }
    };
    tell_of_tokens(&store, serving.policy, address).await?;
    let version = env!("CARGO_PKG_VERSION");
    let scheme = match serving.connections.tls {
        Some(_) => "https",
        None => "http",
    };
    let line = format!("crm {version} listens on {scheme}://{address}, database {database}\n");
    // A path may hold anything. A program that waits for this line gets it as it is.
    let line = match Terminal::stdout().width {
        Some(_) => format!("{}\n", visible(line.trim_end())),
        None => line,
    };
    // A failure is ignored: the service works even if nobody reads this line.
    let _ = print(line.as_bytes());
    let served = server::serve(listener, store, serving, shutdown).await;
    if let Some(scheduler) = scheduler {
        scheduler.end();
    }
    served?;
    Ok(0)
}

/// Warns if everyone or nobody may use the service.
async fn tell_of_tokens(
    store: &AnyStore,
    policy: Policy,
    address: SocketAddr,
) -> Result<(), Error> {
    let is_empty = store.keyring().await?.is_empty();
    let is_beyond = !address.ip().to_canonical().is_loopback();
    match policy {
        Policy::Required if is_empty => say(
            "warning: nobody has access, because there is no token yet; create the first with `crm token create NAME --scope admin`",
        ),
        Policy::Open if is_beyond => say(&format!(
            "warning: THE SERVICE IS OPEN: everyone who reaches {address} may read, change and delete all records, because \
             it runs with --open"
        )),
        Policy::FromFirstToken if is_empty && is_beyond => say(&format!(
            "warning: THE SERVICE IS OPEN: everyone who reaches {address} may read, change and delete all records, because \
             there is no token yet; create the first with `crm token create NAME --scope admin`, or listen only on this \
             machine with --host 127.0.0.1"
        )),
        Policy::Required | Policy::Open | Policy::FromFirstToken => {}
    }
    Ok(())
}

/// The number of open files that a server requests from the system: enough for the default number of connections and,
/// with much to spare, for [`OTHER_FILES`]. A server with more connections requests more.
const OPEN_FILES: u64 = 4_096;

/// With fewer open files, a server cannot accept even one connection.
const LEAST_FILES: u64 = 32;

/// Open files that are not connections of clients: those of the connections to the database, three each, for chunks of
/// lists and for sorted lists, and connections to the receivers of webhooks.
const OTHER_FILES: u64 = 600;
