//! The buffer of lines, and the thread that writes it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use prometheus_client::metrics::counter::Counter;
use tracing::Level;

use super::line::{Form, Scratch, member, plain};

/// The most bytes that wait to be written: about 5,000 requests. While they are being written, the same number may wait
/// again.
const ROOM: usize = 1024 * 1024;

/// How many of these bytes are reserved for lines that are not about a request, so that a flood of requests cannot hide its
/// own cause.
const RESERVE: usize = 64 * 1024;

/// With this many waiting bytes, the thread writes before its pause is over.
const MANY: usize = ROOM / 2;

/// The pause after a batch, in which the next one gathers. Waking the thread for each line would cost more than writing it.
const PAUSE: Duration = Duration::from_millis(10);

/// What is logged, and how.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How a line is written.
    pub form: Form,
    /// Whether only warnings and errors are logged.
    pub quiet: bool,
    /// Removes secrets from a message.
    pub redact: fn(&str) -> Cow<'_, str>,
}

/// A log.
#[derive(Debug)]
pub struct Log {
    options: Options,
    state: Mutex<LogState>,
    /// Where the thread waits.
    wake: Condvar,
    /// Where [`Log::end`] waits.
    done: Condvar,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct LogState {
    /// The lines that wait to be written.
    waiting: Vec<u8>,
    /// Whether the thread waits for the next line.
    is_asleep: bool,
    /// Whether the thread ends once no line waits.
    is_ending: bool,
    has_ended: bool,
}

impl Log {
    /// Starts the thread, which writes to `to`.
    pub(super) fn start(options: Options, to: impl Write + Send + 'static) -> io::Result<Arc<Log>> {
        let log = Arc::new(Log {
            options,
            state: Mutex::default(),
            wake: Condvar::new(),
            done: Condvar::new(),
            dropped: Counter::default(),
        });
        let own = log.clone();
        std::thread::Builder::new()
            .name("crm-log".into())
            .spawn(move || own.work_off(to))?;
        Ok(log)
    }

    /// Logs a request, unless the log is quiet. `write` writes the rest of the line: in JSON the members of an object, with
    /// a comma before each.
    pub fn request(&self, write: impl FnOnce(Form, &mut Vec<u8>)) {
        if !self.options.quiet {
            self.line(Level::INFO, ROOM - RESERVE, write);
        }
    }

    /// Logs a message of any level.
    pub fn message(&self, level: Level, message: &str) {
        let message = (self.options.redact)(message);
        self.line(level, ROOM, |form, line| match form {
            Form::Text => {
                line.push(b' ');
                plain(line, &message);
            }
            Form::Json => member(line, "message", &message),
        });
    }

    /// The form of its lines.
    pub fn form(&self) -> Form {
        self.options.form
    }

    /// Logs a line that any other command would print on standard error. A text log keeps the line as it is. In a JSON log
    /// it becomes a message whose level is the first word.
    pub fn say(&self, text: &str) {
        match self.options.form {
            Form::Json => match text.split_once(": ") {
                Some(("note", text)) => self.message(Level::INFO, text),
                Some(("warning", text)) => self.message(Level::WARN, text),
                Some(("error", text)) => self.message(Level::ERROR, text),
                _ => self.message(Level::WARN, text),
            },
            Form::Text => self.push(format!("{text}\n").as_bytes(), ROOM),
        }
    }

    /// How many lines were dropped so far.
    pub(super) fn dropped(&self) -> Counter {
        self.dropped.clone()
    }

    /// Puts a line into the buffer, if the buffer then holds no more than `most` bytes.
    fn line(&self, level: Level, most: usize, write: impl FnOnce(Form, &mut Vec<u8>)) {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let form = self.options.form;
        let done = SCRATCH.with(|scratch| {
            // Writing a line has logged another line. The inner one has no buffer, so it is dropped.
            let Ok(mut scratch) = scratch.try_borrow_mut() else {
                return false;
            };
            let Scratch { line, clock } = &mut *scratch;
            line.clear();
            match form {
                Form::Text => {
                    clock.write(SystemTime::now(), 6, line);
                    // Right-aligned, as is usual in such logs.
                    line.extend_from_slice(match level {
                        Level::ERROR => b" ERROR",
                        Level::WARN => b"  WARN",
                        Level::INFO => b"  INFO",
                        Level::DEBUG => b" DEBUG",
                        Level::TRACE => b" TRACE",
                    });
                    write(form, line);
                }
                Form::Json => {
                    line.extend_from_slice(b"{\"time\":\"");
                    clock.write(SystemTime::now(), 3, line);
                    line.extend_from_slice(b"\",\"level\":\"");
                    line.extend_from_slice(level.as_str().as_bytes());
                    line.push(b'"');
                    write(form, line);
                    line.push(b'}');
                }
            }
            line.push(b'\n');
            self.push(line, most);
            true
        });
        if !done {
            self.dropped.inc();
        }
    }

    fn push(&self, line: &[u8], most: usize) {
        let mut state = self.lock();
        let before = state.waiting.len();
        let after = before + line.len();
        if after > most || state.has_ended {
            drop(state);
            self.dropped.inc();
            return;
        }
        state.waiting.extend_from_slice(line);
        let wakes = std::mem::take(&mut state.is_asleep) || before < MANY && after >= MANY;
        drop(state);
        if wakes {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop of the thread: writes batch after batch until the log ends.
    fn work_off(&self, mut to: impl Write) {
        let mut batch = Vec::new();
        let mut told = 0;
        let mut is_cut = false;
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() && !state.is_ending {
                state.is_asleep = true;
                state = wait(&self.wake, state);
            }
            state.is_asleep = false;
            if state.waiting.is_empty() {
                state.has_ended = true;
                drop(state);
                return self.done.notify_all();
            }
            std::mem::swap(&mut batch, &mut state.waiting);
            drop(state);

            if is_cut {
                is_cut = put(&mut to, b"\n").is_err();
            }
            let dropped = self.dropped.get();
            match put(&mut to, &batch) {
                Err(lost) => {
                    is_cut |= lost.is_cut;
                    self.dropped.inc_by(lost.lines);
                }
                Ok(()) if dropped > told => {
                    let lines = dropped - told;
                    told = dropped;
                    let why = "as they were not read in time";
                    let message = format!("{lines} lines of the log were dropped, {why}");
                    self.message(Level::WARN, &message);
                }
                Ok(()) => {}
            }
            batch.clear();

            let state = self.lock();
            let gathers = |state: &mut LogState| !state.is_ending && state.waiting.len() < MANY;
            let waited = self.wake.wait_timeout_while(state, PAUSE, gathers);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Writes the waiting lines and ends the thread. Waits no longer than `patience`.
    pub(super) fn end(&self, patience: Duration) {
        let mut state = self.lock();
        state.is_ending = true;
        self.wake.notify_one();
        let waited = self
            .done
            .wait_timeout_while(state, patience, |state| !state.has_ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

fn wait<'a>(on: &Condvar, state: MutexGuard<'a, LogState>) -> MutexGuard<'a, LogState> {
    on.wait(state).unwrap_or_else(PoisonError::into_inner)
}

/// The part of a batch that could not be written.
struct Lost {
    /// How many lines were not written, or not to their end.
    lines: u64,
    /// Whether the first of them was written in part.
    is_cut: bool,
}

/// Writes a whole batch, or returns which part of it is lost.
fn put(to: &mut impl Write, batch: &[u8]) -> Result<(), Lost> {
    let mut rest = batch;
    while !rest.is_empty() {
        match to.write(rest) {
            Ok(written) if written > 0 => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another process that shares the descriptor has made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            _ => {
                let before = &batch[..batch.len() - rest.len()];
                return Err(Lost {
                    lines: rest.iter().filter(|byte| **byte == b'\n').count() as u64,
                    is_cut: before.last().is_some_and(|byte| *byte != b'\n'),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
