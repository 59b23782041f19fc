//! `crm health`: asks a running service whether it accepts writes.

use clap::{ArgMatches, Command};

use super::help::examples;
use super::say::{complain, print, say, warn};
use super::session::{Ended, Plain, Session};
use crate::config::{
    Asker, Flags, Format, Listen, Location, ServiceSettings, Settings, Surroundings, table,
};
use crate::output::visible_json;
use crate::store::any::AnyStore;
use crate::store::contract::Store;
use crate::store::remote::Remote;

pub(super) const HEALTH: Plain = Plain { words, run };

fn words() -> Command {
    Command::new("health")
        .about("Ask a running service whether it accepts writes")
        .long_about(
            "Ask a running service whether it accepts writes: the one at --url or CRM_URL, else the one on this \
             machine at HOST and PORT. Prints `ok` and exits 0, or says why not. With -o json it prints the answer of \
             /ready: the time of the last commit and, if the service makes backups, the time of the newest one and \
             since when they have failed.",
        )
        .after_help(examples(&["crm health", "crm health --url http://localhost:8000"]))
}

fn run(session: &Session<'_>, _matches: &ArgMatches) -> Ended {
    session.block_on(ask(session.flags, session.around))
}

async fn ask(flags: &Flags, around: &Surroundings<'_>) -> Ended {
    let settings = Settings::find(flags, around, Asker::Command)?;
    let store = match settings.target.value {
        Location::Url(url) => AnyStore::connect(&url, None)?,
        Location::Database(_) | Location::Postgres(_) => {
            let listen = Listen::find(flags, around)?;
            // A service that listens on every address also listens on this one.
            let host = match listen.host.value.as_str() {
                "0.0.0.0" => "127.0.0.1".to_string(),
                "::" => "[::1]".to_string(),
                host if host.contains(':') => format!("[{host}]"),
                host => host.to_string(),
            };
            let service = ServiceSettings::find(flags, around)?;
            let port = listen.port.value;
            match service.file(&table::TLS_CERT) {
                None => AnyStore::connect(&format!("http://{host}:{port}"), None)?,
                Some(_) => AnyStore::Remote(Remote::unchecked(&format!("https://{host}:{port}"))?),
            }
        }
    };
    let ready = store.ready().await;
    let report = store.backups();
    let is_json = matches!(settings.output.value, Format::Json | Format::Ndjson);
    let code = match (ready, &report) {
        (Ok(ready), _) => {
            match is_json {
                true => print(format!("{}\n", visible_json(&ready.to_json())).as_bytes())?,
                false => print(b"ok\n")?,
            }
            0
        }
        (Err(error), Some(report)) if is_json => {
            say(&visible_json(&report.beside(&error.to_json())));
            error.code.exit()
        }
        (Err(error), _) => {
            complain(settings.output.value, &error);
            error.code.exit()
        }
    };
    // The JSON already has it.
    warn(
        report
            .and_then(|report| report.warning())
            .filter(|_| !is_json),
    );
    Ok(code)
}
