//! The log of this process, and the layer that passes events of `tracing` to it.

use std::fmt::{self, Write};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::writer::{Log, Options};
use crate::base::error::{Error, Result};

static LOG: OnceLock<Arc<Log>> = OnceLock::new();

/// Starts the log of this process, on standard error. Must be called at most once.
pub fn begin(options: Options) -> Result<()> {
    let failed = |error: io::Error| Error::failed(format!("cannot write the log: {error}"));
    let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(failed)?;
    let log = Log::start(options, File::from(stderr)).map_err(failed)?;
    LOG.set(log)
        .map_err(|_| Error::internal("the log was begun twice"))?;
    let most = match options.quiet {
        true => LevelFilter::WARN,
        false => LevelFilter::INFO,
    };
    let events = tracing_subscriber::registry().with(Events.with_filter(most));
    tracing::subscriber::set_global_default(events).map_err(Error::internal)
}

/// The log of this process. Only `crm serve` has one.
pub fn current() -> Option<&'static Log> {
    LOG.get().map(Arc::as_ref)
}

/// How many lines were dropped so far because they did not fit or could not be written.
pub fn dropped() -> Counter {
    current().map_or_else(Counter::default, |log| log.dropped())
}

/// Writes the waiting lines and ends. Waits no longer than `patience` for the reader of the log.
pub fn end(patience: Duration) {
    if let Some(log) = current() {
        log.end(patience);
    }
}

/// Passes the events of `tracing` on to the log.
struct Events;

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if let Some(log) = current() {
            let mut message = EventText(String::new());
            event.record(&mut message);
            log.message(*event.metadata().level(), &message.0);
        }
    }
}

/// The text of an event: its message, then its other fields by name.
struct EventText(String);

impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
