//! Signals: they end a service and cancel long work on a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::say::complain;
use crate::base::error::Error;
use crate::config::Settings;
use crate::output::Stop;
use crate::store::sqlite;

/// Runs long work on a file, and cancels it on SIGINT or SIGTERM. Cancelled work removes what it has half made, and the
/// command ends with the exit code that shells report for a program that the signal killed. `lost` says what was not
/// done. A second signal ends the process at once.
pub(super) async fn unless_stopped<R: Send + 'static>(
    settings: &Settings,
    lost: &str,
    work: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<Result<R, u8>, Stop> {
    // Not SIGHUP: `nohup` makes the process ignore it, and listening would undo that.
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
                // Once the work is done, nobody receives this.
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
                // As shells report a program that a signal ended: 128 plus the number of the signal.
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

/// Resolves at the first SIGTERM or SIGINT, with the exit code that shells report for a program that it killed. A second one
/// ends the process at once. SIGINT stays ignored if it is ignored: a shell starts a script's commands in the background like
/// that, so that Ctrl-C does not reach them.
pub(super) fn stopped() -> Result<impl Future<Output = u8>, Error> {
    let mut term = listen(SignalKind::terminate())?;
    let mut int = match is_ignored(SignalKind::interrupt()) {
        true => None,
        false => Some(listen(SignalKind::interrupt())?),
    };
    Ok(async move {
        let code = tokio::select! { _ = term.recv() => 128 + 15, () = heard(&mut int) => 128 + 2 };
        tokio::spawn(async move {
            tokio::select! { _ = term.recv() => {}, () = heard(&mut int) => {} }
            std::process::exit(code.into());
        });
        code
    })
}

/// Resolves at the next signal, and never without one to listen for.
async fn heard(signals: &mut Option<Signal>) {
    match signals {
        Some(signals) => drop(signals.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether whoever started this process has let it ignore a signal. Linux tells; elsewhere it is taken not to.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = u32::try_from(kind.as_raw_value() - 1).unwrap_or_default();
    ignored.is_some_and(|mask| mask.checked_shr(bit).unwrap_or_default() & 1 == 1)
}

/// Resolves at the first SIGTERM or SIGINT. A second one ends the process at once.
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
