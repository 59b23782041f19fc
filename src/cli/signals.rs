//! Signals: a service ends on them, and long work on a file is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::say::complain;
use crate::base::error::Error;
use crate::config::Settings;
use crate::output::Stop;
use crate::store::sqlite;

/// Runs long work on a file beside a wait for SIGINT and SIGTERM, at which it is given up: it then removes what it
/// has half made, and the command ends as one does that the signal has killed, by the shell's count. `lost` says what has
/// not come of it. A second signal ends the process at once.
pub(super) async fn unless_stopped<R: Send + 'static>(
    settings: &Settings,
    lost: &str,
    work: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<Result<R, u8>, Stop> {
    // Not SIGHUP: `nohup` has it ignored, which listening would undo.
    let kinds = [
        ("SIGINT", SignalKind::interrupt()),
        ("SIGTERM", SignalKind::terminate()),
    ];
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for (name, kind) in kinds {
        let mut signals = listen(kind)?;
        let tell = tell.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                // Nobody listens any more once the work is done.
                let _ = tell.send((name, kind.as_raw_value()));
            }
        });
    }
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let mut task = tokio::task::spawn_blocking(move || sqlite::unless(stopped, work));
    let mut by = None;
    let done = loop {
        tokio::select! {
            done = &mut task => break done.map_err(Error::internal)?,
            Some((name, number)) = told.recv() => {
                // As shells count what a signal has ended: 128 and its number.
                let code = u8::try_from(128 + number).unwrap_or(1);
                if by.is_some() {
                    std::process::exit(code.into());
                }
                by = Some((name, code));
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    match (done, by) {
        (Err(_), Some((name, code))) => {
            let why = Error::failed(format!("stopped by {name}: {lost}"));
            complain(settings.output.value, &why);
            Ok(Err(code))
        }
        (done, _) => Ok(Ok(done?)),
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Error> {
    signal(kind).map_err(|error| Error::failed(format!("cannot listen for signals: {error}")))
}

/// Done at the first SIGTERM or SIGINT. A second one ends the process at once.
pub(super) fn ended() -> Result<impl Future<Output = ()>, Error> {
    let (mut term, mut int) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        tokio::spawn(async move {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            std::process::exit(1);
        });
    })
}
